"""A server's own machine: its clock, its runs, its notes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from bnet.model.job import BuildReport
from bnet.model.rollup import Rolled
from bnet.model.run import Intent, KeptFiles, RunFact
from bnet.model.telemetry import Sampled, Sent
from bnet.rules.leases import Observed


class Clock(Protocol):
    """The times that a machine knows."""

    def now(self) -> datetime:
        """Return the time of day in UTC: it informs people, and may jump."""

    def boot(self) -> float:
        """Return the seconds since the machine started, sleep included: it never jumps."""

    def boot_id(self) -> str:
        """Return what names this boot of the machine."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Runs(Protocol):
    """The runs on this machine, each in a directory of its own; a key is `<job>.<attempt>`."""

    def collect(self) -> list[RunFact]:
        """Return the runs that have not been reported; of one that died, what it left running is ended first."""

    def intend(self, intents: Sequence[Intent]) -> None:
        """Write down, durably, what shall be run if the claims land."""

    def start(self, key: str, run: str) -> None:
        """Start an intended run; it starts once, however often this is called, and only under this id."""

    def built(self, key: str) -> BuildReport | None:
        """Return what the build engine did in a run; None if it had nothing to do with it, or said nothing."""

    def renew(self, key: str, until: float, grace: float, *, revive: bool) -> None:
        """Tell a run how long its lease holds, and how long it may take to stop then.

        Args:
            key: the run.
            until: seconds on the boot-time clock.
            grace: seconds.
            revive: whether a lease that has run out may begin anew.
        """

    def holds(self, key: str) -> bool:
        """Tell whether a run's lease holds now."""

    def stop(self, key: str, reason: str, message: str) -> None:
        """Ask a run's end: TERM, a pause, KILL, to the whole process tree."""

    def settle(self, key: str, note: str) -> None:
        """Take a run as reported, or as overtaken; it is not collected again."""

    def forget(self, key: str) -> None:
        """Remove an intended run that will not be started."""

    def log_size(self, key: str) -> int:
        """Return how many bytes a run has printed."""

    def read_log(self, key: str, start: int, end: int) -> bytes:
        """Return what is kept of a part of what a run printed, from the first kept byte at or after `start`."""

    def artifacts(self, key: str) -> dict[str, bytes]:
        """Return the files that an ended run left for Git, by path."""

    def kept(self, key: str) -> KeptFiles | None:
        """Return what an ended run left in the store; None where its files are for Git."""


class Disks(NamedTuple):
    """How full disks are, in percent by a path on them; and the paths whose disk gave no answer."""

    full: Mapping[str, float]
    silent: tuple[str, ...] = ()


class Notes(Protocol):
    """What a server writes down for its next sync; all of it can be lost without harm to the hub."""

    def observed(self) -> Observed:
        """Return what was seen of others."""

    def keep_observed(self, observed: Observed) -> None:
        """Keep it."""

    def sent(self) -> Sent:
        """Return what was sent of the telemetry."""

    def keep_sent(self, sent: Sent) -> None:
        """Keep it, durably: it tells our own commits from a stranger's."""

    def measure(self) -> dict[str, float | None]:
        """Return this machine's figures for the heartbeat."""

    def disks(self, paths: Sequence[str]) -> Disks:
        """Return how full the file systems are that some paths are on; those that are there.

        `home` is where this machine keeps its files.
        """

    def sampled(self) -> Sampled:
        """Return the samples that were taken of its figures."""

    def keep_sampled(self, sampled: Sampled) -> None:
        """Keep them."""

    def rolled(self) -> Rolled:
        """Return the hours that samples came to."""

    def keep_rolled(self, rolled: Rolled) -> None:
        """Keep them."""
