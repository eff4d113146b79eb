"""Trees that other tools have declared: workspaces of npm, pnpm, yarn, bun, uv, and Python projects side by side."""

import re
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from bnet.codec.people import Steps
from bnet.codec.tree import settled
from bnet.codec.tree_checks import check_tree
from bnet.codec.workspaces import node, python
from bnet.codec.workspaces.manifest import Files, Member
from bnet.errors import Invalid
from bnet.model.tree import PACKAGE_PATTERN, Package, Tree

_NAME = re.compile(PACKAGE_PATTERN)


def discover(files: Files) -> Tree | None:
    """Return the tree that the manifests of other tools declare; None if there are none.

    Args:
        files: the tree's files.

    Raises:
        Invalid: a manifest cannot be read, or what they declare together is no tree.
    """
    kinds = [(members, locks) for members, locks in (node.find(files), python.find(files)) if members]
    if not kinds:
        return None
    members: list[Member] = []
    for found, locks in kinds:
        # Of two kinds, neither is made of what the other has locked.
        own = [_with_sources(member, locks) for member in found] if len(kinds) > 1 else found
        members += own
    members = _named(members)
    names = {member.manifest.file: member.package.name for member in members}
    packages = [
        replace(member.package, dependencies=tuple(names[file] for file in member.needs))
        for member in members
    ]
    tree = Tree(packages=tuple(packages), sources=kinds[0][1] if len(kinds) == 1 else ())
    check_tree(tree, _Places(members))
    return settled(tree)


class _Places:
    """Where the packages of a tree were declared, for complaints."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members

    def invalid(self, message: str, steps: Steps = ()) -> Invalid:
        if len(steps) < 2 or not isinstance(steps[1], int):
            return Invalid(message)
        member = self._members[steps[1]]
        if steps[2:3] == ("dependencies",):
            fields = list(member.needs.values())
            at = steps[3] if len(steps) > 3 and isinstance(steps[3], int) else 0
            return member.manifest.invalid(message, fields[at])
        return member.manifest.invalid(message, "name" if steps[2:3] == ("name",) else None)


def _with_sources(member: Member, locks: Sequence[str]) -> Member:
    sources = (*member.package.sources, *(f"/{lock}" for lock in locks))
    return member._replace(package=replace(member.package, sources=sources))


def _named(members: Sequence[Member]) -> list[Member]:
    """Call packages by their path where one of npm and one of Python have the same name."""
    times = Counter(member.package.name for member in members)
    done: list[Member] = []
    taken: set[str] = set()
    for member in members:
        package = member.package
        if times[package.name] > 1 and package.name in taken and _another_kind(member, done):
            package = replace(package, name=package.path if package.path != "." else f"{package.name}-python")
        taken.add(package.name)
        _check_name(package, member)
        done.append(member._replace(package=package))
    return done


def _another_kind(member: Member, others: Sequence[Member]) -> bool:
    kind = member.manifest.file.rpartition("/")[2]
    same = [other for other in others if other.package.name == member.package.name]
    return all(other.manifest.file.rpartition("/")[2] != kind for other in same)


def _check_name(package: Package, member: Member) -> None:
    if not _NAME.fullmatch(package.name):
        said = "a package's name has up to 128 letters, digits, '@', '/', '.', '_' and '-'"
        raise member.manifest.invalid(f"{package.name!r} cannot be used: {said}", "name")
