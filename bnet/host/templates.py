"""Templates on a disk, and the writing of what comes of one."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bnet.app.templates import in_the_way
from bnet.codec.layout import DOCUMENT_LIMIT
from bnet.errors import BnetError
from bnet.inside import staged
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
    for folder, folders, files in os.walk(root, onerror=_unless_absent):
        base = Path(folder)
        links = [each for each in folders if (base / each).is_symlink()]
        folders[:] = sorted(each for each in folders if each not in without and each not in links)
        for name in sorted({*files, *links}.difference(without)):
            count += 1
            if count > MOST_LOOKED_AT:
                raise BnetError(f"{root} holds more than {MOST_LOOKED_AT:,} files; name a smaller directory")
            yield (base / name).relative_to(root).as_posix()


def _unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error  # what cannot be looked into would be missing without a word


def regular(path: Path, most: int = DOCUMENT_LIMIT) -> bytes | None:
    """Return the content of a file that is no link and has not more than so many bytes; else None."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        data = file.read(most + 1)
    return data if len(data) <= most else None


def write_all(root: Path, files: Mapping[str, bytes], *, force: bool, dry: bool = False) -> list[str]:
    """Write files below a directory, all of them or none; return those that are new or have changed.

    Each gets its name when all of them are written. A process that is killed in between leaves some of them,
    whole; the next one goes on, for what has the same text is not in the way.

    Args:
        root: the directory; it is made at need.
        files: texts by path; one that begins with #! can be run.
        force: whether what has another text is replaced.
        dry: only look.

    Raises:
        Taken: files are in the way.
        BnetError: a link or a file stands where a directory belongs.
    """
    for path in files:
        _check_above(root, path)
    changed = [path for path, data in files.items() if regular(root / path, len(data)) != data]
    there = [path for path in changed if os.path.lexists(root / path)]
    in_the_way(there, str(root), force=force or dry)
    if dry:
        return changed
    root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        ready = {
            path: stack.enter_context(staged(root, path, [files[path]], mode=_mode(files[path])))
            for path in changed
        }
        named: list[str] = []
        try:
            for path, give_name in ready.items():
                try:
                    give_name(new=not force)
                except FileExistsError:  # since it was looked for
                    if regular(root / path, len(files[path])) != files[path]:
                        in_the_way([path], str(root), force=False)
                else:
                    named.append(path)
        except BaseException:
            for path in [] if force else named:
                (root / path).unlink(missing_ok=True)
            raise
    return named


def _mode(data: bytes) -> int:
    return 0o755 if data.startswith(b"#!") else 0o644


def _check_above(root: Path, path: str) -> None:
    for above in list(Path(path).parents)[-2::-1]:
        place = root / above
        if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
            raise BnetError(
                f"{path}: {above.name!r} on its way is no directory, or is a link; nothing was written"
            )
    if (root / path).is_dir() and not (root / path).is_symlink():
        raise BnetError(f"{path}: a directory is in its place")
