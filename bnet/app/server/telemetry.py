"""The telemetry ref: what a server says of itself, in as few bytes as what is new."""

import re
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta

from msgspec.structs import replace

from bnet.codec.documents import encode
from bnet.model.rollup import Hours
from bnet.model.run import RunFact
from bnet.model.server import Heartbeat
from bnet.model.telemetry import Sent, SentLog
from bnet.ports.hub import Commit
from bnet.ports.machine import Runs

HEARTBEAT = "heartbeat.json"
HEAD_BYTES = 64 * 1024  # of a log's beginning that stay in Git
TAIL_BYTES = 192 * 1024  # of its end
MOST_BYTES = 16_000_000  # of logs and artifacts on one server's ref
KEEP = timedelta(days=7)
LONGEST = 400  # commits, or ...
OLDEST = timedelta(days=1)  # ... the age, from which on the history is begun anew
_FORBIDDEN = re.compile(r"\.git.*|git~.*|\.+", re.IGNORECASE)
_RUN = re.compile(r"runs/[0-9]{4,}/([0-9]{1,15}\.[0-9]{1,15})/")  # anybody may have put anything beside that
REMEMBERED = 50  # own commits that are told from a stranger's


def run_path(key: str) -> str:
    """Return the directory of a run on the ref, from `<job>.<attempt>`."""
    return f"runs/{int(key.partition('.')[0]) // 100:04}/{key}/"


def artifact_path(key: str, path: str) -> str:
    """Return where an artifact stands on the ref; Git forbids some names, and hubs that check refuse them."""
    parts = [
        part.replace("%", "%25") if not _FORBIDDEN.fullmatch(part) else "%" + part.replace("%", "%25")
        for part in path.split("/")
    ]
    return f"{run_path(key)}artifacts/" + re.sub(r"[\x00-\x1f\x7f\\:]", _escape, "/".join(parts))


def _escape(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02x}"


def chunk_path(key: str, offset: int) -> str:
    """Return the path of the piece of a log that begins at an offset; a gap between two is a cut."""
    return f"{run_path(key)}log/{offset:012}"


class Draft:
    """The next telemetry commit, and what will have been sent once it landed."""

    def __init__(self, sent: Sent) -> None:
        """Begin with what has been sent."""
        self.sent = sent
        self.runs: dict[str, SentLog] = dict(sent.runs)
        self.files: dict[str, bytes | None] = {}
        self.ended: list[str] = []

    def add_late(self, fact: RunFact) -> None:
        """Keep, beside its log, how a run ended that had lost its claim by then; it changes nothing else."""
        if fact.exit is not None and fact.key in self.ended:
            self.files[f"{run_path(fact.key)}superseded.json"] = encode(fact.exit)

    def add_run(self, fact: RunFact, runs: Runs, now: datetime, papers: Mapping[str, bytes] = {}) -> None:
        """Add what is new in a run's log, and when it has ended, its artifacts and what is written of them."""
        key = fact.key
        log = self.runs.get(key, SentLog())
        if log.complete:
            return
        if log.recovered:
            log = SentLog()
        ended = fact.phase in ("ended", "died")
        log = self._add_log(key, log, runs, ended)
        if ended:
            kept = runs.artifacts(key)
            self.files.update((artifact_path(key, path), data) for path, data in kept.items())
            self.files.update((run_path(key) + name, data) for name, data in papers.items())
            artifact_bytes = sum(map(len, [*kept.values(), *papers.values()]))
            at = None if fact.exit is None else fact.exit.finished_at
            log = replace(log, complete=True, artifact_bytes=artifact_bytes, ended_at=at or now)
            self.ended.append(key)
        self.runs[key] = log

    def _add_log(self, key: str, log: SentLog, runs: Runs, ended: bool) -> SentLog:
        size = runs.log_size(key)
        chunks, at = dict(log.chunks), log.next
        if at < min(size, HEAD_BYTES):
            at = self._add_chunk(key, chunks, runs, at, min(size, HEAD_BYTES))
        # While it runs, no more of a talkative job is sent at once than the tail that would stay.
        if at < size and (ended or size - at >= 4096):
            at = self._add_chunk(key, chunks, runs, max(at, size - TAIL_BYTES), size)
        for offset in [each for each in chunks if int(each) >= HEAD_BYTES]:
            if int(offset) + chunks[offset] <= size - TAIL_BYTES:
                del chunks[offset]
                self.files[chunk_path(key, int(offset))] = None
        return replace(log, chunks=chunks, next=at)

    def _add_chunk(self, key: str, chunks: dict[str, int], runs: Runs, start: int, end: int) -> int:
        data = runs.read_log(key, start, end)
        if data:
            chunks[f"{start:012}"] = len(data)
            self.files[chunk_path(key, start)] = data
        return start + len(data)

    def add_hours(self, days: Mapping[str, Hours], past: Sequence[str]) -> None:
        """Add the files of days with new hours, and take those off that have been there for long enough."""
        self.files.update((path, encode(hours)) for path, hours in days.items())
        self.files.update((path, None) for path in past)

    def prune(
        self,
        now: datetime,
        *,
        stay: Set[str] = frozenset(),
        gone: Set[str] = frozenset(),
        pinned: Set[int] = frozenset(),
    ) -> None:
        """Take the oldest ended runs off the ref where they are past their time or too much.

        Args:
            now: the time.
            stay: runs whose artifacts are kept for longer, as long as there is room.
            gone: runs whose artifacts were given up.
            pinned: jobs whose artifacts have to stay.
        """
        ended = sorted(
            (each.ended_at, key)
            for key, each in self.runs.items()
            if each.ended_at is not None
            and key not in self.ended
            and int(key.partition(".")[0]) not in pinned
        )
        total = sum(each.bytes for each in self.runs.values())
        for at, key in ended:
            outlived = now - at > KEEP and key not in stay
            if total <= MOST_BYTES and not outlived and key not in gone:
                continue
            total -= self.runs.pop(key).bytes
            self.files = {
                path: data for path, data in self.files.items() if not path.startswith(run_path(key))
            }
            self.files[run_path(key)[:-1]] = None

    def commit(self, heartbeat: Heartbeat, now: datetime) -> tuple[Commit, bool]:
        """Return the commit, and whether it begins a new history."""
        files = {**self.files, HEARTBEAT: encode(heartbeat)}
        begun = self.sent.begun_at
        anew = not self.sent.tip or begun is None or (self.sent.length >= LONGEST or now - begun >= OLDEST)
        commit = Commit(
            parent=None if anew else self.sent.tip,
            like=self.sent.tip or None if anew else None,
            files=files,
            message=f"{heartbeat.server}: heartbeat {heartbeat.nonce[:8]}\n",
            author=heartbeat.server,
            at=now,
            kind="telemetry",
        )
        return commit, anew

    def landed(self, oid: str, anew: bool, now: datetime) -> Sent:
        """Return what has been sent, once the commit is on the hub."""
        return Sent(
            tip=oid,
            length=1 if anew else self.sent.length + 1,
            begun_at=now if anew else self.sent.begun_at,
            written=(*self.sent.written, oid)[-REMEMBERED:],
            runs=self.runs,
        )


def settled(sent: Sent, tip: str) -> Sent | None:
    """Return the record for what the hub holds now; None if that is a stranger's commit.

    Args:
        sent: as kept, perhaps with a push of which no answer came.
        tip: what the hub holds, "" for nothing.
    """
    if tip == sent.tip:
        return replace(sent, pending=None)
    if sent.pending is not None and tip == sent.pending.tip:
        return replace(sent.pending, written=sent.written)
    if not tip:
        return Sent(written=sent.written)
    # An older push of ours that landed late: what it holds overlaps what is sent next, which does no harm.
    return replace(sent, tip=tip, pending=None) if tip in sent.written else None


def recovered(tip: str, names: Sequence[str], now: datetime) -> Sent:
    """Return a record for a ref of ours of which the notes are gone.

    Args:
        tip: the ref's commit.
        names: the paths under `runs/` that it holds.
        now: what is there counts as ended now, and is pruned in its time; a run that goes on is sent anew.
    """
    keys = {found[1] for found in map(_RUN.match, names) if found is not None}
    return Sent(tip=tip, runs={key: SentLog(recovered=True, ended_at=now) for key in keys})


def join_chunks(chunks: Mapping[int, bytes]) -> list[tuple[int, bytes]]:
    """Return the pieces of a log in order, each with the count of bytes cut out before it."""
    pieces, at = [], 0
    for offset in sorted(chunks):
        data = chunks[offset][max(0, at - offset) :]
        if data:
            pieces.append((max(0, offset - at), data))
            at = max(offset, at) + len(data)
    return pieces
