"""A tree without a `bnet.yaml`: what the manifests of npm, pnpm and Python declare, read where they stand."""

import os
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

from bnet.build.globs import Patterns
from bnet.build.lister import Lister
from bnet.codec.workspaces import discover
from bnet.model.tree import Tree


class Declared(NamedTuple):
    """A tree that other tools declare, and its root, real names only."""

    root: str
    tree: Tree


def declared_above(directory: str) -> Declared | None:
    """Return the tree that a directory belongs to, as the manifests there and above declare it.

    Looked for up to the top of the work tree of Git; of several, the outermost counts, as a workspace is declared
    above its members. Outside of Git nothing is looked for above the directory, nor everywhere below it.

    Raises:
        Invalid: a manifest cannot be read, or what they declare together is no tree.
    """
    roots = _upwards(os.path.realpath(directory))
    for root in reversed(roots):
        with chdir(root):
            tree = discover(_Here(root, deep=os.path.lexists(os.path.join(roots[-1], ".git"))))
        if tree is not None and tree.packages:
            return Declared(root, tree)
    return None


def _upwards(directory: str) -> list[str]:
    """Return the directories from here to the top of the work tree."""
    found = [directory]
    while not os.path.lexists(os.path.join(found[-1], ".git")):
        above = os.path.dirname(found[-1])
        if above == found[-1]:
            return [directory]
        found.append(above)
    return found


class _Here:
    """The files of the directory that one stands in."""

    def __init__(self, root: str, *, deep: bool) -> None:
        self._root = root
        self._deep = deep  # what is no work tree may be a whole disk

    def read(self, path: str) -> bytes | None:
        """Return a file's content; None for one that is elsewhere, whatever link leads there."""
        real = os.path.realpath(path)
        inside = real.startswith(os.path.join(self._root, ""))
        return Path(real).read_bytes() if inside and os.path.isfile(real) else None

    def glob(self, pattern: str) -> list[str]:
        """Return the files that a pattern means."""
        meant = pattern if self._deep else pattern.removeprefix("**/")
        return Lister([]).find(Patterns([meant], ".")).paths
