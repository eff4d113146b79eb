"""A run: one attempt of one job on this machine, as its directory tells it."""

from typing import Literal

from bnet.model.base import Moment, OnLostLease, Record
from bnet.model.hub import ArtifactStore
from bnet.model.job import Artifact, JobSpec

Phase = Literal["intended", "alive", "ended", "died"]
Outcome = Literal["exit", "timeout", "silence", "stopped", "lease", "refused", "internal"]


class Origin(Record, frozen=True, kw_only=True):
    """Where a run's files come from, as far as that is known before it begins."""

    hub: str
    server: str
    version: str
    spec: JobSpec


class Intent(Record, frozen=True, kw_only=True):
    """`run.json`: everything that the supervisor needs to know."""

    run: str
    job: int
    attempt: int
    name: str
    command: str | tuple[str, ...]
    ttl_s: float
    on_lost_lease: OnLostLease
    prepare: tuple[tuple[str, ...], ...] = ()
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    timeout: float | None = None
    silence_timeout: float | None = None
    grace: float = 10.0
    artifacts: tuple[str, ...] = ()
    artifact_limit: int = 1_000_000
    log_limit: int = 64 * 1024 * 1024
    origin: Origin | None = None
    store: ArtifactStore | None = None


class Found(Record, frozen=True, kw_only=True):
    """A file that a run left, before anyone took its digest."""

    path: str
    size: int
    mode: str


class KeptFiles(Record, frozen=True, kw_only=True):
    """`kept.json`: what became of a run's files that were too large for Git.

    Attributes:
        artifacts: the files in the store.
        manifest: the blake3 of their manifest there.
        place: where manifest and files are.
        problem: why there is nothing of it.
        stopped: because the run was asked to end.
    """

    artifacts: tuple[Artifact, ...] = ()
    manifest: str = ""
    place: str = ""
    problem: str = ""
    stopped: bool = False


class RunExit(Record, frozen=True, kw_only=True):
    """`exit.json`: how a run ended, written last."""

    run: str
    outcome: Outcome
    finished_at: Moment
    started_at: Moment | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    message: str | None = None
    artifacts: tuple[Found, ...] = ()
    artifact_problem: str | None = None
    log_size: int = 0


class RunFact(Record, frozen=True, kw_only=True):
    """A run directory that has not been reported yet, as it was found.

    Attributes:
        phase: whether it is only intended, has a supervisor, has ended, or died without a word.
        step: what the supervisor does, for people.
        lapsed: its lease, counted by the holder, ran out at some time.
        exit: how it ended, in the phase `ended`.
    """

    intent: Intent
    phase: Phase
    step: str = ""
    lapsed: bool = False
    exit: RunExit | None = None

    @property
    def key(self) -> str:
        """The name of its directory: `<job>.<attempt>`."""
        return f"{self.intent.job}.{self.intent.attempt}"
