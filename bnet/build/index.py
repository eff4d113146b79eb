"""What a path of a tree matters to, and what matters of which no file event tells."""

import os
from collections.abc import Iterable, Iterator, Sequence

from bnet.build import instant
from bnet.build.files import LINK, Content, join_names, split_names
from bnet.build.finder import Finder
from bnet.build.lister import NEVER
from bnet.build.record import Record, Unmade
from bnet.build.stamps import stamp
from bnet.errors import BnetError
from bnet.model.tree import Tree


def passes(path: str) -> bool:
    """Tell whether a path is not watched, nor anything in it; what matters of that is looked at when asked."""
    return os.path.basename(path) in NEVER


class Way:
    """Where the directories of a tree really are, and of which paths events tell; one stands in the root."""

    def __init__(self, root: str) -> None:
        """Take the root, as `os.path.realpath` gives it."""
        self._inside = root.rstrip("/") + "/"
        self._real: dict[str, str] = {"": ""}
        self._plain: dict[str, bool] = {"": True}

    def inner(self, path: str) -> str:
        """Return a path from the root, if it is absolute and in the tree; any other as it is."""
        if path + "/" == self._inside:
            return "."
        return path.removeprefix(self._inside)

    def place(self, path: str) -> str:
        """Return where a path is whose directory may be reached by links; absolute, if outside of the tree."""
        directory, _, name = path.rpartition("/")
        real = self._directory(directory)
        if name == ".":
            return real or "."
        return f"{real}/{name}" if real else name

    def leads(self, path: str) -> str:
        """Return where a path is once all links are followed, the last one too."""
        return self.inner(os.path.realpath(self._inside + path))

    def is_told(self, path: str) -> bool:
        """Tell whether events of the tree say what happens to a path, under this very name."""
        directory, _, name = path.rpartition("/")
        if name in NEVER or path.startswith("/"):
            return False
        plain = self._plain.get(directory)
        if plain is None:
            plain = self._directory(directory) == directory and NEVER.isdisjoint(directory.split("/"))
            self._plain[directory] = plain
        return plain and (name != "." or not directory)

    def _directory(self, directory: str) -> str:
        known = self._real.get(directory)
        if known is None:
            known = at = ""
            for name in directory.split("/"):
                at = f"{at}/{name}" if at else name
                if at in self._real:
                    known = self._real[at]
                    continue
                real = f"{known}/{name}" if known else name
                real = self.leads(at) if os.path.islink(real) else real
                known = self._real[at] = "" if real == "." else real
        return known


class Index:
    """Which packages a path matters to, and what matters of which no event tells."""

    def __init__(self, known: Record, root: str, watched: Sequence[str] = ()) -> None:
        """Gather paths.

        Args:
            known: what the last build has left.
            root: of the tree; one stands in it.
            watched: all whose stamps say that the tree is up to date, if a build has left it so.
        """
        self._way = Way(root)
        self._users: dict[str, list[str]] = {}
        self._below: dict[str, set[str]] = {}
        self._tried = Tried(known)
        self.unmade = set(known.unmade)
        outside: set[str] = set()
        for name, made in known.made.items():
            paths: set[str] = set()
            for joined in (made.sources, made.outputs, made.source_places, made.output_places):
                paths.update(split_names(joined.paths))
            untold = [path for path in paths if not self._way.is_told(path)]
            behind = {self._way.leads(path) for path in _links(made.sources, made.outputs)}
            outside.update(untold, behind)
            self._add(name, paths.union(map(self._way.place, untold), behind))
        for name, unmade in known.unmade.items():
            sources = split_names(unmade.sources)
            self._tried.add(name, unmade, self._way)
            behind = {self._way.leads(path) for path in sources if os.path.islink(path)}
            for path in behind.union(sources, map(self._way.place, sources)):
                self._users.setdefault(path, []).append(name)
        others = {self._way.inner(path) for path in watched if path not in self._users}
        outside.update(path for path in others if not self._way.is_told(path))
        self.made = set(known.made)
        self._of_all = {instant.CONFIG, self._way.leads(instant.CONFIG), *others}
        self._above_all = _above(self._of_all)
        self.outside = {path: stamp(path) for path in outside}

    def of(self, paths: Iterable[str]) -> set[str] | None:
        """Return the packages that a change of these paths may concern: their files, or where they look for some.

        None, if it may concern all of them.
        """
        found: set[str] = set()
        maybe: set[str] = set()
        for path in paths:
            at, above = "" if path == "." else path, os.path.dirname(path) or "."
            if path in self._of_all or at in self._above_all:
                return None
            if above in self._of_all:
                found |= self.made
            found.update(self._users.get(path, ()), self._users.get(above, ()), self._below.get(at, ()))
            maybe |= self._tried.near(path)
        found.update(name for name in maybe - found if self._tried.differs(name))
        return found

    def outside_is_same(self) -> bool:
        """Tell whether that of which no event tells is what it was."""
        return all(stamp(path) == row for path, row in self.outside.items())

    def _add(self, name: str, paths: set[str]) -> None:
        for path in paths:
            self._users.setdefault(path, []).append(name)
        for directory in _above(paths):
            self._below.setdefault(directory, set()).add(name)


class Tried:
    """Packages whose last build left nothing that counts: a change near them matters if it is one of sources.

    Their commands may have written anything beside their sources, and would do so again.
    """

    def __init__(self, known: Record) -> None:
        """Begin with none of them."""
        self._tree = known.tree or Tree()
        self._packages = {package.name: package for package in self._tree.packages}
        self._finder = Finder(self._tree)
        self._unmade: dict[str, Unmade] = {}
        self._places: dict[str, set[str]] = {}
        self._below: dict[str, set[str]] = {}

    def add(self, name: str, unmade: Unmade, way: Way) -> None:
        """Take in one; where it got no further than to be looked for, all of its directory counts."""
        self._unmade[name] = unmade
        places = split_names(unmade.places)
        if not places and name in self._packages:
            places = [f"{self._packages[name].path}/."]
        real = {*places, *map(way.place, places)}
        for place in real:
            self._places.setdefault("" if place == "." else place, set()).add(name)
        for directory in _above(real):
            self._below.setdefault(directory, set()).add(name)

    def near(self, path: str) -> set[str]:
        """Return those that have looked for sources at a path, below it, or in a directory that it is in."""
        if not self._unmade:
            return set()
        at = "" if path == "." else path
        found = {*self._below.get(at, ()), *self._places.get(at, ())}
        while at:
            at = at.rpartition("/")[0]
            found |= self._places.get(at, set())
        return found

    def differs(self, name: str) -> bool:
        """Tell whether other files are sources of a package than were."""
        unmade, package = self._unmade[name], self._packages.get(name)
        if package is None:
            return True
        if not (unmade.sources or unmade.places):
            return bool(package.sources or self._tree.sources)
        try:
            return join_names(self._finder.sources(package).paths) != unmade.sources
        except BnetError:
            return True


def _links(*contents: Content) -> Iterator[str]:
    for content in contents:
        if LINK in content.kinds:
            yield from (
                path for path, kind in zip(content.names(), content.kinds, strict=True) if kind == LINK
            )


def _above(paths: Iterable[str]) -> set[str]:
    """Return all directories that paths are in, the root as ""."""
    found: set[str] = set()
    for directory in {path.rpartition("/")[0] for path in paths}:
        while directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found
