"""Whose outputs are whose: a file has one package that makes it, or none can tell which of two is up to date."""

from collections.abc import Iterable, Iterator

from bnet.build.files import printable
from bnet.build.globs import Patterns, base_of, expand, has_magic
from bnet.errors import Invalid
from bnet.model.tree import Package, Tree

ANYTHING = "\n"  # a name that no pattern spells out: what takes this one takes all


def check_outputs(tree: Tree) -> None:
    """Refuse a tree in which the patterns of two packages are sure to mean the same file.

    Two such as `dist/*.js` and `dist/a*` are not: whether they meet is seen when something is made.

    Raises:
        Invalid: they do; the message names both.
    """
    found = [(base, probe, package) for package in tree.packages for base, probe in _probes(package)]
    patterns = {package.name: Patterns(package.outputs, package.path) for package in tree.packages}
    owners: dict[str, list[tuple[Package, str]]] = {}
    for base, probe, package in sorted(found, key=lambda each: each[0].count("/") if each[0] else -1):
        for other, its_probe in (each for above in _upwards(base) for each in owners.get(above, ())):
            if other is not package and (
                patterns[other.name].match(probe) or patterns[package.name].match(its_probe)
            ):
                both = [each.name for each in tree.packages if each is other or each is package]
                raise Invalid(
                    f"the outputs of {both[0]} and {both[1]} overlap in {printable(base)}",
                    hint="let each package have an output directory of its own",
                )
        owners.setdefault(base, []).append((package, probe))


def _probes(package: Package) -> Iterator[tuple[str, str]]:
    """Yield for each pattern the directory or file where it begins, and a path that stands for all that is there."""
    above = "" if package.path == "." else f"{package.path}/"
    for pattern in package.outputs:
        if not pattern.startswith("!"):
            for glob in expand(pattern):
                base = (above + base_of(glob)).strip("/")
                yield base, f"{base}/{ANYTHING}" if has_magic(glob) else base


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


class Owners:
    """Who made which file, as far as that is known."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._of: dict[str, str] = {}
        self._by: dict[str, set[str]] = {}

    def claim(self, name: str, paths: Iterable[str]) -> tuple[str, str] | None:
        """Take these files, and no others, as made by a package.

        Returns:
            The first that another one made, with the other's name; None if there is none.
        """
        claimed = set(paths)
        for path in self._by.get(name, set()) - claimed:
            del self._of[path]
        self._by[name] = {path for path in claimed if self._of.setdefault(path, name) == name}
        taken = min(claimed - self._by[name], default=None)
        return None if taken is None else (taken, self._of[taken])

    def is_others(self, name: str, path: str) -> bool:
        """Tell whether another package than this one made a file."""
        return self._of.get(path, name) != name
