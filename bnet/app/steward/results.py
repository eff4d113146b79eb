"""The chore of telling repositories what became of their commits: Git notes, and the statuses of forges."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from bnet.app.ledger import Ledger
from bnet.app.steward.office import Away
from bnet.app.steward.owed import Owed
from bnet.codec.shown import escaped
from bnet.errors import BnetError, RepositoryUnreachable
from bnet.model.base import Record
from bnet.model.job import Job
from bnet.model.source import Followed, Seen
from bnet.model.state import State
from bnet.ports.machine import Clock
from bnet.ports.outside import CommitStatus, Forges, Upstreams
from bnet.rules.arrivals import TAGS
from bnet.rules.delivery import Outcome, deliver

MOST_AT_ONCE = 50  # things told to one repository in one round
FIRST_PAUSE = 30.0  # seconds after a failure; doubled with each one
LONGEST_PAUSE = 3600.0


class Told(Record, frozen=True, kw_only=True):
    """What this server has told: `<hub> <job> note|status` -> the text."""

    said: dict[str, str] = {}


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell: of which job, what kind it is, and the words."""

    source: Followed
    job: Job
    commit: str
    kind: str
    text: str

    @property
    def key(self) -> str:
        """What it replaces, among the things that were told."""
        return f"{self.job.number} {self.kind}"


class Results:
    """Tells what has changed since it was told last; to say a thing twice does no harm."""

    def __init__(
        self,
        ledger: Ledger,
        upstreams: Upstreams,
        forges: Forges,
        clock: Clock,
        who: str,
        told: Told,
        keep: Callable[[Told], None],
    ) -> None:
        """Keep the parts.

        Args:
            ledger: the hub's.
            upstreams: the repositories.
            forges: those that this server has a token for.
            clock: this machine's.
            who: this server's name.
            told: what was told until now.
            keep: writes that down; it may be lost.
        """
        self._ledger = ledger
        self._upstreams = upstreams
        self._forges = forges
        self._clock = clock
        self._who = who
        self._said = dict(told.said)
        self._keep = keep
        self._owed = Owed(ledger.hub)
        self._refused: set[str] = set()
        self._rests: dict[str, tuple[int, float]] = {}

    def do(self, away: Away) -> None:
        """Tell what is to be told, each repository by itself; what one does not take is tried again later."""
        state = self._ledger.state
        every = self._sayings(state)
        rows: dict[str, list[Saying]] = {}
        for each in every:
            address = each.source.asked.repository
            resting = self._rests.get(address, (0, 0.0))[1] > self._clock.boot()
            if not resting and self._is_untold(each):
                rows.setdefault(address, []).append(each)
        # What is refused for good must not keep back what comes after it.
        for row in rows.values():
            row.sort(key=lambda each: each.key in self._refused)
        errands = [
            _Errand(self._upstreams, self._forges, state.head.hub, address, row[:MOST_AT_ONCE])
            for address, row in rows.items()
        ]
        failures: dict[str, BnetError] = {}
        for errand, (done, failed) in zip(errands, away(errands), strict=True):
            self._said.update((each.key, each.text) for each in done)
            self._note_pause(errand.address, failed)
            if failed is not None:
                if not isinstance(failed, RepositoryUnreachable):
                    self._refused |= {each.key for each in errand.row} - {each.key for each in done}
                failures |= {each.source.name: failed for each in errand.row}
        if rows:
            kept = {each.key for each in every}
            self._refused &= kept
            self._said = {key: text for key, text in self._said.items() if key in kept}
            self._keep(Told(said=self._said))
        self._write_down(state, every, failures)

    def _is_untold(self, each: Saying) -> bool:
        return self._said.get(each.key) != each.text

    def _note_pause(self, address: str, failed: BnetError | None) -> None:
        failures = self._rests.get(address, (0, 0.0))[0] + 1 if failed else 0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 20)) if failed else 0.0
        self._rests[address] = failures, self._clock.boot() + pause

    def _write_down(self, state: State, every: Sequence[Saying], failures: Mapping[str, BnetError]) -> None:
        """Say of each source why results do not get there, or that all of them did."""
        untold: dict[str, list[Saying]] = {}
        for each in every:
            if self._is_untold(each):
                untold.setdefault(each.source.name, []).append(each)
        outcomes: dict[str, Outcome] = {}
        for name in state.sources:
            before = state.seen.get(name, Seen()).undelivered
            if name in failures:
                ends = [each.job.result.finished_at for each in untold.get(name, ()) if each.job.result]
                reason = f"results do not get there: {failures[name]}"
                outcomes[name] = Outcome(before=before, reason=reason, since=min(ends, default=None))
            elif name not in untold and before is not None:
                outcomes[name] = Outcome(before=before)
        if outcomes:
            self._ledger.transact(lambda tx: deliver(tx, outcomes, self._who))

    def _sayings(self, state: State) -> list[Saying]:
        found: list[Saying] = []
        for job, source, commit in self._owed.jobs(state, self._clock.now()):
            if source.asked.status and self._forges.knows(source.asked.repository):
                status = status_of(job)
                text = f"{status.state}: {status.description}"
                found.append(Saying(source=source, job=job, commit=commit, kind="status", text=text))
            if source.asked.notes and job.result is not None:
                found.append(Saying(source=source, job=job, commit=commit, kind="note", text=note_of(job)))
        return found


class _Errand:
    """The telling of one repository."""

    def __init__(
        self, upstreams: Upstreams, forges: Forges, hub: str, address: str, row: Sequence[Saying]
    ) -> None:
        self._upstreams, self._forges, self._hub = upstreams, forges, hub
        self.address, self.row = address, row

    def __call__(self) -> tuple[list[Saying], BnetError | None]:
        done: list[Saying] = []
        failed: BnetError | None = None
        for each in self.row:
            if each.kind == "status":
                try:
                    self._forges.tell(self.address, each.commit, status_of(each.job))
                    done.append(each)
                except BnetError as error:
                    failed = error
                    if isinstance(error, RepositoryUnreachable):
                        break
        notes = [each for each in self.row if each.kind == "note"]
        lines: dict[str, dict[str, str]] = {}
        for each in notes:
            begin = f"bnet {self._hub[:8]} #{each.job.number} "
            lines.setdefault(each.commit, {})[begin] = begin + each.text
        try:
            if lines:
                self._upstreams.annotate(self.address, lines)
                done += notes
        except BnetError as error:
            failed = error
        return done, failed


def status_of(job: Job) -> CommitStatus:
    """Return what a forge is told of a job."""
    ref = job.spec.env.get("BNET_BRANCH") or job.spec.env.get("BNET_REF", "").removeprefix(TAGS)
    context = f"bnet/{job.spec.name}"
    if job.result is None:
        state = job.state
        by = f" on {job.claim.server}" if job.claim is not None else ""
        words = f"#{job.number} {'runs' if state == 'running' else 'waits'}{by}"
        running = state == "running"
        return CommitStatus(
            state="running" if running else "pending", context=context, description=words, ref=ref
        )
    result = job.result.result
    word: str = {"timeout": "failure", "skipped": "error"}.get(result, result)
    return msgspec.convert(
        {"state": word, "context": context, "description": note_of(job, number=True), "ref": ref},
        CommitStatus,
    )


def note_of(job: Job, *, number: bool = False) -> str:
    """Return how a job ended, in a line."""
    ended = job.result
    assert ended is not None
    why = f"exit {ended.exit_code}" if ended.reason == "exit" else ended.reason
    words = f"#{job.number} " if number else f"{job.spec.name}: "
    words += f"{ended.result} ({why})"
    words += f" on {ended.server}" if ended.server else ""
    words += f" in {ended.seconds:.1f} s" if ended.seconds is not None else ""
    if ended.message and ended.reason != "exit":
        words += f", {escaped(ended.message)[:100]}"
    return words + ("" if number else f", {ended.finished_at:%Y-%m-%dT%H:%M:%SZ}")
