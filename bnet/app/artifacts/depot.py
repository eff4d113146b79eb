"""Artifacts where they are kept: found, fetched, and never handed on unless they are what the ledger says."""

import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import blake3
import msgspec

from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError, StoreFailed
from bnet.inside import parts_of, write_inside
from bnet.model.artifact import Shared
from bnet.model.job import Artifact, Attempt, Job
from bnet.ports.hub import Hub, Look
from bnet.ports.outside import Store

CHUNK = 1 << 20  # bytes
_JOB = re.compile(r"#?([0-9]{1,15})(?:\.([0-9]{1,6}))?")


class Absent(BnetError):
    """The bytes of an artifact are not where the ledger says: they were deleted, or never arrived."""

    exit_code = 1


class Altered(AnswerNo):
    """What is kept is not what the run made."""


class Chosen(msgspec.Struct, frozen=True):
    """The attempt whose artifacts are meant."""

    job: Job
    attempt: Attempt

    @property
    def name(self) -> str:
        """What people call it: `#12 (attempt 2 on s1)`."""
        return f"#{self.job.number} (attempt {self.attempt.attempt} on {self.attempt.server})"


def job_word(word: str) -> tuple[int, int | None] | None:
    """Return the job's and the attempt's number that `12`, `#12` or `12.2` means; None for anything else."""
    found = _JOB.fullmatch(word)
    return None if found is None else (int(found[1]), int(found[2]) if found[2] else None)


def chosen(job: Job, attempt: int | None) -> Chosen:
    """Return the attempt that is meant: the named one, else the one whose result counts, else the newest.

    Raises:
        BnetError: there is no such attempt, or none has ended yet.
    """
    wanted = attempt if attempt is not None else None if job.result is None else job.result.attempt
    found = [each for each in job.attempts if wanted is None or each.attempt == wanted]
    if not found:
        what = f"has no attempt {attempt}" if attempt is not None else "has left nothing yet"
        raise BnetError(f"job #{job.number} {what}: it is {job.state}")
    return Chosen(job, found[-1])


def matching(artifacts: Sequence[Artifact], patterns: Sequence[str]) -> list[Artifact]:
    """Return the artifacts that some patterns mean; all, if there are none.

    A pattern without a slash is one of the file's name alone.

    Raises:
        BnetError: a pattern means none of them.
    """
    for pattern in patterns:
        if not any(_matches(each.path, pattern) for each in artifacts):
            there = ", ".join(escaped(each.path) for each in artifacts[:5]) or "no artifacts"
            raise BnetError(f"nothing matches {escaped(pattern)}; there is {there}")
    return [each for each in artifacts if not patterns or any(_matches(each.path, one) for one in patterns)]


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path if "/" in pattern else path.rpartition("/")[2], pattern)


def as_artifact(shared: Shared) -> Artifact:
    """Return a shared file as if a run had left it."""
    return Artifact(
        path=shared.file, size=shared.size, mode=shared.mode, blake3=shared.blake3, place=shared.place
    )


class Depot:
    """Where artifacts are: the servers' telemetry, and the store of the hub."""

    def __init__(self, hub: Hub, look: Look, store: Callable[[], Store], room: Path) -> None:
        """Keep the places.

        Args:
            hub: with the telemetry.
            look: what the hub holds.
            store: opens the store; raises `BnetError` if the hub has none.
            room: a directory in which downloads may be kept meanwhile.
        """
        self._hub = hub
        self._look = look
        self._store = store
        self._opened: Store | None = None
        self._room = room
        self._fetched: set[str] = set()

    def read(self, place: str) -> Iterator[bytes]:
        """Yield the bytes at a place in pieces, whatever they are.

        Raises:
            Absent: nothing is there.
            StoreFailed: the store does not answer.
            HubUnreachable: the hub does not.
        """
        kind, _, rest = place.partition(":")
        if kind == "telemetry":
            yield self._sent(*rest.partition(":")[::2])
        elif kind == "store":
            yield from self._stored(rest)
        else:
            raise Absent(f"{escaped(place)} is no place that this bnet knows")

    def _sent(self, server: str, path: str) -> bytes:
        tip = self._look.telemetry.get(server, "")
        if not tip:
            raise Absent(f"server {escaped(server)} has left, and what it kept went with it")
        with self._hub.exclusive():
            if server not in self._fetched:
                self._hub.fetch_telemetry([server])
                self._fetched.add(server)
            found = self._hub.read(tip, [path])
        if path not in found:
            raise Absent(f"it is on the ref of {escaped(server)} no more")
        return found[path]

    def _stored(self, name: str) -> Iterator[bytes]:
        if self._opened is None:
            self._opened = self._store()
        self._room.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="artifact-", dir=self._room) as room:
            path = Path(room) / "blob"
            if not self._opened.fetch(name, path):
                raise Absent("it is not in the store")
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk


class Verified:
    """The bytes of one artifact on their way; at the end they have to be what the ledger says."""

    def __init__(self, depot: Depot, artifact: Artifact) -> None:
        """Begin."""
        self._depot = depot
        self._artifact = artifact
        self._digest = blake3.blake3()
        self._size = 0

    def chunks(self) -> Iterator[bytes]:
        """Yield them; more than there should be are not looked at."""
        for chunk in self._depot.read(self._artifact.place):
            self._digest.update(chunk)
            self._size += len(chunk)
            if self._size > self._artifact.size:
                break
            yield chunk

    def check(self) -> None:
        """Make sure of them.

        Raises:
            Altered: they are others.
        """
        told = self._artifact
        if self._size != told.size:
            more = "more" if self._size > told.size else f"{self._size:,}"
            raise Altered(f"{escaped(told.path)}: kept are {more} bytes, the run made {told.size:,}")
        if self._digest.hexdigest() != told.blake3:
            found = self._digest.hexdigest()
            raise Altered(
                f"{escaped(told.path)}: what is kept has the blake3 {found[:16]}, the run made {told.blake3[:16]}"
            )


def fetch(depot: Depot, artifact: Artifact, root: Path, into: str = "") -> None:
    """Bring an artifact to its path below a directory, verified, whole or not at all.

    Raises:
        Altered: it is not what the run made.
        Absent: it is not there.
        BnetError: its path leads out of the directory, or something is in the way.
    """
    parts_of(artifact.path)
    coming = Verified(depot, artifact)
    path = f"{into}/{artifact.path}" if into else artifact.path
    write_inside(root, path, coming.chunks(), mode=_mode(artifact.mode), check=coming.check)


def check(depot: Depot, artifact: Artifact) -> None:
    """Read an artifact where it is kept, and make sure that it is what the run made.

    Raises:
        Altered: it is not.
        Absent: it is not there.
        StoreFailed: the store does not answer.
        HubUnreachable: the hub does not.
    """
    coming = Verified(depot, artifact)
    for _ in coming.chunks():
        pass
    coming.check()


def verify(depot: Depot, artifact: Artifact) -> str:
    """Say what is wrong with an artifact where it is kept; "" if it is what the run made."""
    try:
        check(depot, artifact)
    except (Altered, Absent, StoreFailed) as error:
        return error.message.removeprefix(f"{escaped(artifact.path)}: ")
    return ""


def _mode(mode: str) -> int:
    try:
        return int(mode, 8) & 0o777
    except ValueError:
        return 0o644
