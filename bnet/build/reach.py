"""Whether a path that changed can be a source of a package, told by names alone: what was removed counts as well."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from bnet.build.globs import Patterns, compile_spelt, expand, has_magic
from bnet.build.lister import NEVER
from bnet.build.outputs import ANYTHING
from bnet.model.tree import Package, Tree


class Reach:
    """The patterns of a tree's sources, asked about paths from its root; one of a directory ends with a /."""

    def __init__(self, tree: Tree, links: Collection[str] = ()) -> None:
        """Keep the patterns.

        Args:
            tree: of the packages.
            links: those to directories, which no pattern follows unless it leads there in letters.
        """
        self._links = frozenset(links)
        self._closed: dict[str, str] = {}
        self._everywhere = _Row(tree.sources, ".")
        self._own = {each.name: _Row(each.sources, each.path, each.outputs) for each in tree.packages}

    def has(self, package: Package, path: str) -> bool:
        """Tell whether a path may be a source of a package, or of a directory, whether something in it may be."""
        closed = self._closed.get(path)
        if closed is None:
            closed = self._closed[path] = self._closed_on(path)
        return self._own[package.name].has(path, closed) or self._everywhere.has(path, closed)

    def _closed_on(self, path: str) -> str:
        """Return the last directory on a path that only letters lead into; "" if all is open."""
        parts = path.split("/")[:-1]  # the last one is a file, or empty
        for count in range(len(parts), 0, -1):
            above = "/".join(parts[:count])
            if parts[count - 1] in NEVER or above in self._links:
                return above
        return ""


class _Rule(NamedTuple):
    """A pattern without braces, name by name; the first of these are taken as they are, whatever is in them."""

    taken: bool
    literal: int
    names: Sequence[str]

    def leads_below(self, parts: Sequence[str]) -> bool:
        """Tell whether something below a directory may be meant."""
        for at, (name, part) in enumerate(zip(self.names, parts, strict=False)):
            if at >= self.literal and name == "**":
                return True
            magic = at >= self.literal and has_magic(name)
            if not (compile_spelt(name).fullmatch(part) if magic else name == part):
                return False
        return len(self.names) > len(parts) or not has_magic("/".join(self.names[self.literal :]))


class _Row:
    """A row of patterns from one directory, and another of what is not meant all the same."""

    def __init__(self, sources: Sequence[str], directory: str, outputs: Sequence[str] = ()) -> None:
        self._meant = Patterns(sources, directory)
        self._besides = Patterns(outputs, directory)
        self._bases = self._meant.bases
        self._rules = [rule for pattern in sources for rule in _rules(pattern, directory)]

    def has(self, path: str, closed: str) -> bool:
        if path[-1] == "/":
            return self._leads_below(path[:-1]) and self._is_open(path[:-1], closed)
        return self._meant.match(path) and self._is_open(path, closed) and not self._besides.match(path)

    def _is_open(self, path: str, closed: str) -> bool:
        """Tell whether letters lead to a path by way of a directory that is closed to all else."""
        return not closed or any(_within(base, closed) and _meet(base, path) for base in self._bases)

    def _leads_below(self, directory: str) -> bool:
        parts, found = directory.split("/"), False
        for rule in self._rules:
            if rule.taken:
                found = found or rule.leads_below(parts)
            elif found:
                found = not _all_below(rule, directory)
        return found


def _rules(pattern: str, directory: str) -> list[_Rule]:
    bare = pattern.removeprefix("!")
    above = [] if directory == "." or bare.startswith("/") else directory.split("/")
    rows = [[name for name in each.split("/") if name not in ("", ".")] for each in expand(bare)]
    return [_Rule(bare == pattern, len(above), [*above, *names]) for names in rows]


def _all_below(rule: _Rule, directory: str) -> bool:
    """Tell whether a pattern means all that may be in a directory."""
    above, names = "/".join(rule.names[: rule.literal]), "/".join(rule.names[rule.literal :])
    if not _within(directory, above):
        return False
    inner = f"{directory}/{ANYTHING}".removeprefix(f"{above}/" if above else "")
    return all(compile_spelt(names).fullmatch(path) for path in (inner, f"{inner}/{ANYTHING}"))


def _within(path: str, directory: str) -> bool:
    return not directory or path == directory or path.startswith(f"{directory}/")


def _meet(one: str, two: str) -> bool:
    return _within(one, two) or _within(two, one)
