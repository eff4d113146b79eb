"""Two runs, or two directories, file by file: what differs, and why."""

import os
import stat
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bnet.app.artifacts.depot import Chosen, Depot, fetch
from bnet.compare.blobs import Blob, Budget
from bnet.compare.explain import Difference, explain
from bnet.errors import BnetError
from bnet.model.job import Artifact, Job
from bnet.rules.reproduce import built_by, disagreement, is_executable

MOST_FILES = 100_000  # of a directory
MOST_EXPLAINED = 100  # files that are looked into


class Compared(msgspec.Struct, frozen=True):
    """A file that is not the same on both sides, and why."""

    path: str
    why: tuple[Difference, ...]


class Side(msgspec.Struct, frozen=True):
    """A file on one side: what tells whether it is the same, whether it can be run, and how its bytes are had."""

    digest: str
    runs: bool
    mode: str
    bring: Callable[[Path], Path]


def compare(
    one: Mapping[str, Side], other: Mapping[str, Side], room: Path, budget: Callable[[], Budget] = Budget
) -> list[Compared]:
    """Return the files that differ, in the order of their paths.

    Args:
        one, other: path -> the file there.
        room: a directory for downloads.
        budget: what looking into one file may cost.
    """
    found: list[Compared] = []
    for path in sorted(one.keys() | other.keys()):
        ours, theirs = one.get(path), other.get(path)
        why: list[Difference] = []
        if ours is None or theirs is None:
            words = ("there", "not there") if theirs is None else ("not there", "there")
            why.append(Difference((), "missing", *words))
        else:
            if ours.runs != theirs.runs:
                why.append(Difference((), "mode", ours.mode, theirs.mode))
            if ours.digest != theirs.digest and len(found) < MOST_EXPLAINED:
                why += _explained(ours, theirs, room, budget())
            elif ours.digest != theirs.digest:
                why.append(Difference((), "content", "differs", "differs"))
        if why:
            found.append(Compared(path, tuple(why)))
    return found


def _explained(ours: Side, theirs: Side, room: Path, budget: Budget) -> list[Difference]:
    room.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="compare-", dir=room) as top:
        sides = []
        for name, side in (("one", ours), ("other", theirs)):
            (Path(top) / name).mkdir()
            sides.append(Blob(side.bring(Path(top) / name)))
        return explain(sides[0], sides[1], budget)


def of_run(depot: Depot, chosen: Chosen) -> dict[str, Side]:
    """Return the artifacts of a run as one side; each is verified when it is had."""

    def side(artifact: Artifact) -> Side:
        def bring(room: Path) -> Path:
            fetch(depot, msgspec.structs.replace(artifact, path="file"), room)
            return room / "file"

        return Side(artifact.blake3, is_executable(artifact.mode), artifact.mode, bring)

    return {each.path: side(each) for each in chosen.attempt.artifacts}


def of_directory(top: Path, digest: Callable[[Path], str]) -> dict[str, Side]:
    """Return the files below a directory as one side, or a single file; a link is what it names.

    Args:
        top: the directory or file.
        digest: of a file.
    """
    if top.is_file():
        return {top.name: _local(top, digest)}
    found: dict[str, Side] = {}
    for parent, directories, files in os.walk(top):
        directories.sort()
        for name in [*files, *(each for each in directories if os.path.islink(os.path.join(parent, each)))]:
            path = Path(parent) / name
            if len(found) >= MOST_FILES:
                raise BnetError(f"{top} has more than {MOST_FILES:,} files; compare a directory in it")
            if path.is_symlink() or path.is_file():
                found[path.relative_to(top).as_posix()] = _local(path, digest)
    return found


def _local(path: Path, digest: Callable[[Path], str]) -> Side:
    mode = f"{stat.S_IMODE(path.lstat().st_mode):04o}"
    if path.is_symlink():
        target = os.readlink(path)

        def bring(room: Path) -> Path:
            (room / "link").write_text(f"a link to {target}\n", errors="backslashreplace")
            return room / "link"

        return Side(f"link {target}", False, mode, bring)
    return Side(digest(path), is_executable(mode), mode, lambda room: path)


def two_of(job: Job) -> tuple[Chosen, Chosen]:
    """Return the two attempts of a job that are to be compared: those that disagree, else the first two successes.

    Raises:
        BnetError: it was not made twice.
    """
    made = list(built_by(job).values())
    pairs = list(pairwise(made))
    if not pairs:
        raise BnetError(
            f"job #{job.number} was made by one server only; name another job, or submit it with --reproduce 2"
        )
    first, other = next((pair for pair in pairs if disagreement(pair)), pairs[0])
    return Chosen(job, first), Chosen(job, other)
