"""What changed in a work tree of Git since a revision: files, whole directories, and what links lead to."""

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bnet.errors import BnetError
from bnet.process import run

GITLINK, LINK = b"160000", b"120000"
MOST_LINKS = 40  # that lead to each other, as for the kernel


class Changes(NamedTuple):
    """What changed, from the root of a tree.

    Attributes:
        paths: of files, as Git names them and as links do; of a directory with a / at its end.
        links: those of the tree that lead to directories.
    """

    paths: list[str]
    links: frozenset[str]


def changes_since(revision: str, root: str, env: Mapping[str, str]) -> Changes:
    """Return what changed since the histories of a revision and of HEAD parted, new files included.

    What the user or this clone alone ignores is no secret to a build, and counts.

    Args:
        revision: as people write it.
        root: of the tree, real names only.
        env: the environment.

    Raises:
        BnetError: this is no work tree of Git, there is no such revision, or it has no history in common.
    """
    if revision.startswith("-"):
        raise BnetError(f"{revision!r} is no revision")
    git = _Git(root, env)
    paths = {*git.changed(git.parted(revision)), *git.new()}
    # In what Git names as one thing, such as a submodule, anything may have changed.
    paths |= {f"{path}/" for path in paths if path[-1] != "/" and os.path.isdir(os.path.join(root, path))}
    links = git.links()
    paths |= _by_links(links, paths, root)
    inside = sorted(path for path in paths if not path.startswith("../"))
    return Changes(inside, frozenset(link for link in links if os.path.isdir(os.path.join(root, link))))


class _Git:
    """Git, asked about the work tree that a directory is in."""

    def __init__(self, root: str, env: Mapping[str, str]) -> None:
        self._root = root
        self._env = env

    def parted(self, revision: str) -> str:
        """Return the commit where the histories of a revision and of HEAD parted."""
        done = run(["git", "-C", self._root, "merge-base", revision, "HEAD"], env=self._env)
        if done.code == 1 and not done.err:
            raise BnetError(
                f"{revision} and HEAD have no history in common",
                hint="is all of it here? a shallow clone lacks the rest: `git fetch --unshallow`",
            )
        if done.code != 0:
            raise BnetError(f"git merge-base: {done.complaint}")
        return done.out.decode().strip()

    def changed(self, base: str) -> Iterator[str]:
        """Yield what differs from a commit, with a / where it is a repository of its own."""
        top = os.fsdecode(self._ask("rev-parse", "--show-prefix").removesuffix(b"\n")) or "."
        words = ("--raw", "-z", "--no-relative", "--no-renames", "--ignore-submodules=none")
        told = self._ask("diff", *words, base, "--").split(b"\0")
        for modes, name in zip(told[::2], told[1::2], strict=False):
            path = os.path.relpath(os.fsdecode(name), top)
            yield f"{path}/" if GITLINK in modes[1:].split()[:2] else path

    def new(self) -> Iterator[str]:
        """Yield what Git does not know and no `.gitignore` names."""
        found = self._ask("ls-files", "--others", "--exclude-per-directory=.gitignore", "-z")
        yield from map(os.fsdecode, found.split(b"\0")[:-1])

    def links(self) -> list[str]:
        """Return the links that Git knows."""
        rows = self._ask("ls-files", "-s", "-z").split(b"\0")
        return [os.fsdecode(row.partition(b"\t")[2]) for row in rows if row.startswith(LINK)]

    def _ask(self, *words: str) -> bytes:
        done = run(["git", "-C", self._root, *words], env=self._env)
        if done.code != 0:
            raise BnetError(f"git {words[0]}: {done.complaint}")
        return done.out


def _by_links(links: list[str], paths: set[str], root: str) -> set[str]:
    """Return what changed behind links, by the names that these give it."""
    found: set[str] = set()
    directories: dict[str, str] = {}
    for link in links:
        passed = [os.path.relpath(place, root) for place in _passed(os.path.join(root, link))][1:]
        if any(_touched(place, paths) for place in passed):
            found |= {link, f"{link}/"} if os.path.isdir(os.path.join(root, link)) else {link}
        elif passed and os.path.isdir(os.path.join(root, link)):
            directories[link] = f"{passed[-1]}/"
    for link, place in directories.items():
        found |= {f"{link}/{path[len(place) :]}" for path in paths | found if path.startswith(place)}
    return found


def _touched(place: str, paths: set[str]) -> bool:
    parts = place.split("/")
    return place in paths or any(f"{'/'.join(parts[:count])}/" in paths for count in range(1, len(parts) + 1))


def _passed(path: str) -> list[str]:
    """Return the links that a path leads by, and where it ends, be there something or not."""
    links: list[str] = []
    at, todo = "/", path.split("/")[::-1]
    while todo:
        part = todo.pop()
        step = os.path.normpath(os.path.join(at, part))
        if os.path.islink(step) and len(links) < MOST_LINKS:
            links.append(step)
            target = os.readlink(step)
            at = "/" if target.startswith("/") else at
            todo += target.split("/")[::-1]
        else:
            at = step
    return [*links, at]
