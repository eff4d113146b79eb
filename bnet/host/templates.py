"""Templates on a disk, and the writing of what comes of one."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bnet.app.templates import in_the_way
from bnet.codec.layout import DOCUMENT_LIMIT
from bnet.errors import BnetError, Taken
from bnet.files import read_or_none
from bnet.inside import write_inside
from bnet.model.template import Origin

MOST_LOOKED_AT = 10_000  # files below a place for templates


class FolderShelf:
    """The templates below a directory."""

    def __init__(self, root: Path, origin: Origin, where: str = "") -> None:
        """Keep where they are.

        Args:
            root: the directory, which need not be there.
            origin: of which kind it is.
            where: how messages name it.
        """
        self.root, self.origin, self.where = root, origin, where or str(root)

    def paths(self) -> Sequence[str]:
        """Return the names of the files there; links are among them, and are not followed."""
        return sorted(walk(self.root))

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of files."""
        return {path: data for path in paths if (data := regular(self.root / path)) is not None}


def walk(root: Path, without: Sequence[str] = ()) -> Iterator[str]:
    """Yield the files below a directory, by their path from there.

    Raises:
        BnetError: there are too many.
    """
    count = 0
    for folder, folders, files in os.walk(root):
        base = Path(folder)
        links = [each for each in folders if (base / each).is_symlink()]
        folders[:] = sorted(each for each in folders if each not in without and each not in links)
        for name in sorted([*files, *links]):
            count += 1
            if count > MOST_LOOKED_AT:
                raise BnetError(f"{root} holds more than {MOST_LOOKED_AT:,} files; name a smaller directory")
            yield (base / name).relative_to(root).as_posix()


def regular(path: Path) -> bytes | None:
    """Return the content of a file that is no link and not too large for a template; else None."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        small = os.path.isfile(path) and status.st_size <= DOCUMENT_LIMIT
        return file.read(DOCUMENT_LIMIT + 1) if small else None


def write_all(root: Path, files: Mapping[str, bytes], *, force: bool, dry: bool = False) -> list[str]:
    """Write files below a directory, all of them or none; return those that are new or have changed.

    Each of them is written whole or not at all. A process that is killed in between leaves some of them; the next
    one goes on, for what has the same text is not in the way.

    Args:
        root: the directory; it is made at need.
        files: texts by path; one that begins with #! can be run.
        force: whether what has another text is replaced.
        dry: only look.

    Raises:
        Taken: files are in the way.
        BnetError: a link or a file stands where a directory belongs.
    """
    changed = [
        path for path in files if (root / path).is_symlink() or read_or_none(root / path) != files[path]
    ]
    there = [path for path in changed if os.path.lexists(root / path)]
    for path in changed:
        _check_above(root, path)
    in_the_way(there, str(root), force=force or dry)
    if dry:
        return changed
    root.mkdir(parents=True, exist_ok=True)
    new: list[Path] = []
    try:
        for path in changed:
            target = root / path

            def check(target: Path = target) -> None:
                if not force and os.path.lexists(target):
                    raise Taken(f"{target} has come to be meanwhile; nothing was written")

            mode = 0o755 if files[path].startswith(b"#!") else 0o644
            fresh = not os.path.lexists(target)
            write_inside(root, path, [files[path]], mode=mode, check=check)
            new += [target] if fresh else []
    except BaseException:
        for target in new:
            with suppress(OSError):
                target.unlink()
        raise
    return changed


def _check_above(root: Path, path: str) -> None:
    for above in list(Path(path).parents)[-2::-1]:
        place = root / above
        if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
            raise BnetError(
                f"{path}: {above.name!r} on its way is no directory, or is a link; nothing was written"
            )
    if (root / path).is_dir() and not (root / path).is_symlink():
        raise BnetError(f"{path}: a directory is in its place")
