"""A package in its sandbox: what of the tree it is shown, and words for what it reached for beside that."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from bnet.build.files import printable
from bnet.build.globs import Patterns
from bnet.build.sandbox.box import Box, Undeclared
from bnet.model.tree import Package

# What package managers install beside the sources; its versions are pinned by a lock file, which is a source.
INSTALLED = ("node_modules", ".venv", "venv", ".yarn")
MOST = 3  # files that are named; the log has all of them


def open_box(place: Path, root: str, package: Package, readable: Collection[str]) -> Box:
    """Return a sandbox for a package's commands.

    Args:
        place: a directory that is made for it.
        root: the tree.
        package: whose outputs may be written.
        readable: its sources and its dependencies' outputs, from the root.
    """
    return Box(
        str(place),
        root,
        directory=package.path,
        readable=readable,
        writable=Patterns(package.outputs, package.path),
        tools_dirs=_installed(root, package.path),
    )


def _installed(root: str, path: str) -> list[str]:
    """Return the directories of installed packages that a command finds in its own directory or above."""
    found: list[str] = []
    parts = [] if path == "." else path.split("/")
    for count in range(len(parts) + 1):
        inside = ("/".join([*parts[:count], name]) for name in INSTALLED)
        found += [each for each in inside if os.path.isdir(f"{root}/{each}")]
    return found


def complaint(found: Undeclared) -> str:
    """Return what a package has to declare, in words; "" if there is nothing."""
    words = []
    if found.reads:
        words.append(
            f"it reads {_named(found.reads)}, which is neither a source of it nor a dependency's output"
        )
    if found.writes:
        words.append(f"it writes {_named(found.writes)}, which is no output of it")
    return "; ".join(words)


def listing(found: Undeclared) -> str:
    """Return all of it as lines for the log."""
    rows = [("reads", path) for path in found.reads] + [("writes", path) for path in found.writes]
    return "".join(f"bnet: undeclared: {verb} {printable(path)}\n" for verb, path in rows)


def _named(paths: Sequence[str]) -> str:
    shown = ", ".join(printable(path) for path in paths[:MOST])
    more = len(paths) - MOST
    return f"{shown} and {more} more" if more > 0 else shown
