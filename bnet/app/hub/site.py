"""Where a network's hub shall be: what is there already, and which of it is meant."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from bnet.errors import BnetError

Kind = Literal["absent", "empty", "repository", "other"]

ADVICE = (
    "name a path or a URL: `bnet init hub.git` makes a new repository, `bnet init git@host:team/builds.git` "
    "uses one that exists"
)


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """A repository on this machine.

    Attributes:
        path: what others may call it by: the top of its work tree, or the bare repository.
        git_dir: where Git keeps it.
        bare: whether it has no work tree.
        origin: the address of its remote `origin`, "" if it has none.
    """

    path: Path
    git_dir: Path
    bare: bool
    origin: str = ""


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """What is behind a URL: the branch that HEAD names, "" if that is not told; branch -> tip."""

    head: str
    tips: Mapping[str, str]


class Grounds(Protocol):
    """Looks at places where a hub may be, and prepares them."""

    def kind(self, path: Path) -> Kind:
        """Tell what a path is."""

    def at(self, path: Path) -> Ground | None:
        """Return the repository that a directory is, itself and not by being inside of one."""

    def around(self, path: Path) -> Ground | None:
        """Return the repository that a directory is in; None if it is in none."""

    def make(self, path: Path, branch: str) -> None:
        """Make a bare repository that is nothing but a hub."""

    def point_head(self, ground: Ground, branch: str) -> None:
        """Let HEAD of an empty bare repository name the ledger's branch; otherwise, do nothing."""

    def behind(self, url: str, branch: str) -> Behind:
        """Ask a repository for its HEAD and for one branch.

        Raises:
            HubUnreachable: no answer.
        """

    def is_ledger(self, url: str, branch: str) -> bool:
        """Tell whether a branch that exists holds a ledger.

        Raises:
            HubUnreachable: no answer.
        """


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where a hub shall be.

    Attributes:
        url: the repository.
        how: what it is, for people.
        make: the repository has to be made first.
        ground: it is on this machine, and exists.
    """

    url: str
    how: str
    make: bool = False
    ground: Ground | None = None


def choose(target: str | None, here: Path, grounds: Grounds) -> Site:
    """Decide where the hub shall be.

    Args:
        target: what was named, a URL or an absolute path; None for the repository that one stands in.
        here: where one stands.
        grounds: looks at directories.

    Raises:
        BnetError: there can be none.
    """
    if target is None:
        ground = grounds.around(here)
        if ground is None:
            raise BnetError(f"{here} is in no Git repository", hint=ADVICE)
        return _in_repository(ground)
    target = target.removeprefix("file://")
    if not os.path.isabs(target):
        return Site(url=target, how="the repository there")
    kind = grounds.kind(Path(target))
    if kind in ("absent", "empty"):
        return Site(url=target, how="a new bare repository", make=True)
    ground = grounds.at(Path(target)) if kind == "repository" else None
    if ground is None:
        raise BnetError(f"{target} is neither a repository nor an empty directory", hint=ADVICE)
    return _in_repository(ground)


def _in_repository(ground: Ground) -> Site:
    if ground.bare:
        return Site(url=str(ground.path), how="the bare repository there", ground=ground)
    if ground.origin:
        return Site(url=ground.origin, how=f"the remote `origin` of {ground.path}")
    return Site(url=str(ground.path), how="the repository itself, which has no remote", ground=ground)


def existing(behind: Behind, url: str, branch: str, grounds: Grounds) -> str | None:
    """Return the branch of a repository that is a ledger already; None if there is none.

    Raises:
        BnetError: the branch exists and is something else.
    """
    if branch in behind.tips:
        if grounds.is_ledger(url, branch):
            return branch
        raise BnetError(
            f"the branch {branch} exists and is no ledger; nothing was changed",
            hint="choose another one with --branch NAME",
        )
    return behind.head if behind.head in behind.tips and grounds.is_ledger(url, behind.head) else None
