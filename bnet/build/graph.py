"""The graph of a tree's packages: who depends on whom, in which order, and what words and changes mean in it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from bnet.build import selection
from bnet.build.instant import CONFIG
from bnet.errors import Invalid
from bnet.model.tree import Package, Tree


class Graph:
    """Who depends on whom; every walk is a loop, for a chain may be longer than Python's stack."""

    def __init__(self, tree: Tree) -> None:
        """Keep a tree.

        Args:
            tree: as `bnet.codec.tree` checked it: names are unique, dependencies known and without a circle.
        """
        self.tree = tree
        self._packages = {package.name: package for package in tree.packages}
        self._needs = {name: tuple(dict.fromkeys(each.dependencies)) for name, each in self._packages.items()}

    def order(self) -> list[str]:
        """Return all names, dependencies first; a tree that is declared in such an order keeps it."""
        return list(self._rank)

    def needs(self, name: str) -> tuple[str, ...]:
        """Return what a package itself depends on."""
        return self._needs[name]

    def needed_by(self, name: str) -> tuple[str, ...]:
        """Return what itself depends on a package."""
        return tuple(self._users[name])

    def dependencies(self, name: str) -> list[str]:
        """Return all that a package depends on, by way of others too, in the order of the graph."""
        return self._sorted(_reached([name], self._needs) - {name})

    def dependents(self, name: str) -> list[str]:
        """Return all that depends on a package, by way of others too, in the order of the graph."""
        return self._sorted(_reached([name], self._users) - {name})

    def closure(self, names: Iterable[str]) -> set[str]:
        """Return packages and all that they depend on."""
        return _reached(names, self._needs)

    def select(self, words: Sequence[str], *, here: str = ".") -> list[str]:
        """Return the packages that words mean, in the order of the graph.

        Args:
            words: each a name, a pattern of names, or a directory; `api...` also takes what it depends on, `...api`
                what depends on it, and `!word` leaves out. No words but such as leave out: of all packages.
            here: the directory that one stands in, from the root of the tree.

        Raises:
            Invalid: a word means no package.
        """
        taken: set[str] = set()
        left_out: set[str] = set()
        for word in words:
            bare = word.removeprefix("!")
            (taken if bare == word else left_out).update(self._meant(bare, word, here))
        if all(word.startswith("!") for word in words):
            taken = set(self._packages)
        return self._sorted(taken - left_out)

    def affected(
        self, paths: Iterable[str], matches: Callable[[Package, str], bool], *, config: str = CONFIG
    ) -> list[str]:
        """Return the packages that changed files are sources of, and all that depends on those.

        Args:
            paths: what changed, from the root of the tree; anything may have in what has a / at its end.
            matches: tells whether a path is a source of a package, or something in it, the tree's own included.
            config: the file that declares the tree; a change to it affects everything.
        """
        changed = list(paths)
        if config in changed:
            return self.order()
        touched = [
            name
            for name, package in self._packages.items()
            if any(_holds(path, package.path) or matches(package, path) for path in changed)
        ]
        return self._sorted(_reached(touched, self._users))

    def critical_path(self, seconds: Mapping[str, float]) -> list[str]:
        """Return the chain of packages that takes longest: no number of cores makes a build faster than it.

        Args:
            seconds: what each package takes; one that is missing takes none. Of chains that take the same, the
                one of more packages is returned.
        """
        best: dict[str, tuple[float, int]] = {}
        before: dict[str, str] = {}
        for name in self._rank:
            longest = max(self._needs[name], key=lambda each: best[each], default=None)
            took, count = (0.0, 0) if longest is None else best[longest]
            best[name] = (took + seconds.get(name, 0.0), count + 1)
            if longest is not None:
                before[name] = longest
        if not best:
            return []
        chain = [max(best, key=lambda each: best[each])]
        while chain[-1] in before:
            chain.append(before[chain[-1]])
        return chain[::-1]

    @cached_property
    def _rank(self) -> dict[str, int]:
        done: dict[str, int] = {}
        for name in self._needs:
            stack = [(name, False)]
            while stack:
                at, leaving = stack.pop()
                if at in done:
                    continue
                if leaving:
                    done[at] = len(done)
                else:
                    stack.append((at, True))
                    stack += [(each, False) for each in reversed(self._needs[at])]
        return done

    @cached_property
    def _users(self) -> dict[str, list[str]]:
        users: dict[str, list[str]] = {name: [] for name in self._needs}
        for name, needed in self._needs.items():
            for each in needed:
                users[each].append(name)
        return users

    def _sorted(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=self._rank.__getitem__)

    def _meant(self, bare: str, word: str, here: str) -> set[str]:
        with_users, with_needs = bare.startswith("..."), bare.endswith("...")
        bare = bare.removeprefix("...").removesuffix("...")
        found = selection.meant(bare, self.tree.packages, here)
        if not found:
            raise Invalid(f"{word!r} means no package{selection.instead(bare, self.tree.packages)}")
        reached = set(found)
        if with_users:
            reached |= _reached(found, self._users)
        if with_needs:
            reached |= _reached(found, self._needs)
        return reached


def _holds(directory: str, path: str) -> bool:
    return directory.endswith("/") and f"{path}/".startswith(directory)


def _reached(names: Iterable[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    stack = list(names)
    while stack:
        if (name := stack.pop()) not in found:
            found.add(name)
            stack += edges[name]
    return found
