"""Directories in which everything is declared: these can be mounted, which is cheaper than copying each file."""

import os
from collections.abc import Collection, Sequence

# A mount costs as much as some files' copies, and bubblewrap's time grows with the square of their number.
_WORTH = 50  # files
_MOST = 64


def whole_directories(root: str, files: Collection[str], keep_writable: Sequence[str]) -> list[str]:
    """Return the topmost directories in which everything is declared, and that are worth a mount.

    Args:
        root: the tree.
        files: what is declared, from the root.
        keep_writable: paths from the root; no directory is returned in, at or above which one of these is.

    Returns:
        Directories, from the root, those with most files first.
    """
    declared = set(files)
    counts: dict[str, int] = {}
    for directory in sorted(_directories_of(declared), key=lambda path: -path.count("/")):
        count = 0 if _is_kept(directory, keep_writable) else _count(root, directory, declared, counts)
        if count:
            counts[directory] = count
    top = [path for path in counts if path.rpartition("/")[0] not in counts and counts[path] >= _WORTH]
    return sorted(top, key=lambda path: -counts[path])[:_MOST]


def _directories_of(files: Collection[str]) -> set[str]:
    found: set[str] = set()
    for path in files:
        while (path := path.rpartition("/")[0]) and path not in found:
            found.add(path)
    return found


def _is_kept(directory: str, keep_writable: Sequence[str]) -> bool:
    return any(
        not path or f"{path}/".startswith(f"{directory}/") or directory.startswith(f"{path}/")
        for path in keep_writable
    )


def _count(root: str, directory: str, declared: set[str], counts: dict[str, int]) -> int:
    """Return how many files are in a directory; 0 if one of them is not declared."""
    count = 0
    try:
        with os.scandir(f"{root}/{directory}") as entries:
            for entry in entries:
                path = f"{directory}/{entry.name}"
                if path in counts:
                    count += counts[path]
                elif path in declared and entry.is_file(follow_symlinks=False):
                    count += 1
                else:  # links, too: what they lead to has to be seen, and is looked for where they are copied
                    return 0
    except OSError:
        return 0
    return count
