"""Writing below a directory, and nowhere else: names are of anybody, and links in the way are not followed."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bnet.errors import BnetError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def parts_of(path: str) -> list[str]:
    """Return the parts of a relative path with slashes.

    Raises:
        BnetError: it leads out of where it counts from, or can be no path.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise BnetError(f"the path {path!r} leads out of its directory; nothing was written there")
    return parts


def write_inside(
    root: Path, path: str, chunks: Iterable[bytes], *, mode: int, check: Callable[[], None] = lambda: None
) -> None:
    """Write a file below a directory, whole or not at all.

    Args:
        root: the directory, which is there; it may be a link itself.
        path: where below it; directories are made at need.
        chunks: its content.
        mode: its permissions, of which only those for reading, writing and running count.
        check: called when everything is written and before the file gets its name; what it raises keeps it from that.

    Raises:
        BnetError: the path leads out of the directory, or a link or file is in the way.
    """
    with staged(root, path, chunks, mode=mode) as name:
        check()
        name()


@contextmanager
def staged(root: Path, path: str, chunks: Iterable[bytes], *, mode: int) -> Iterator[Callable[..., None]]:
    """Write a file below a directory under another name, and yield what gives it its own; it goes away without that.

    What is yielded takes `new=True` for a name that nothing may have, and raises `FileExistsError` if something has.

    Args:
        root: the directory, which is there; it may be a link itself.
        path: where below it; directories are made at need.
        chunks: its content.
        mode: its permissions, of which only those for reading, writing and running count.

    Raises:
        BnetError: the path leads out of the directory, or a link or file is in the way.
    """
    *above, name = parts_of(path) or [""]
    if not name:
        raise BnetError(f"the path {path!r} names no file")
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    temporary = f".{os.urandom(8).hex()}.tmp"

    def give_name(*, new: bool = False) -> None:
        try:
            if not (new and _taken(handle, temporary, name)):
                os.replace(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
        except (IsADirectoryError, NotADirectoryError) as error:
            raise BnetError(f"{path}: a directory is in its place") from error

    try:
        for part in above:
            handle = _below(handle, part, path)
        try:
            try:
                _write(handle, temporary, chunks, mode & 0o777)
            except OSError as error:
                if error.filename in (None, temporary):
                    error.filename = str(root / path)  # people know it by its own name
                raise
            yield give_name
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=handle)
    finally:
        os.close(handle)


def _below(handle: int, part: str, path: str) -> int:
    """Return a handle of a directory in another one, and close that one's."""
    with suppress(FileExistsError):
        os.mkdir(part, dir_fd=handle)
    try:
        inner = os.open(part, _DIRECTORY, dir_fd=handle)
    except OSError as error:
        raise BnetError(
            f"{path}: {part!r} on its way is no directory, or is a link; nothing was written"
        ) from error
    os.close(handle)
    return inner


def _write(handle: int, name: str, chunks: Iterable[bytes], mode: int) -> None:
    with os.fdopen(os.open(name, _NEW, 0o600, dir_fd=handle), "wb") as target:
        for chunk in chunks:
            target.write(chunk)
        target.flush()
        os.fchmod(target.fileno(), mode)
        os.fsync(target.fileno())


def _taken(handle: int, temporary: str, name: str) -> bool:
    """Give a file a second name, which nothing may have; say whether that went: some disks know none."""
    try:
        os.link(temporary, name, src_dir_fd=handle, dst_dir_fd=handle, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=handle, follow_symlinks=False)
            raise FileExistsError(name) from None
        return False
    return True
