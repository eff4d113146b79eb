"""The graph of a tree's packages."""

from collections.abc import Iterable

from bnet.model.tree import Tree


class Graph:
    """Who depends on whom."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._needs = {package.name: package.dependencies for package in tree.packages}

    def order(self) -> list[str]:
        """Return all names, dependencies first."""
        done: dict[str, None] = {}
        for name in self._needs:
            stack = [(name, False)]
            while stack:
                at, leaving = stack.pop()
                if leaving:
                    done[at] = None
                elif at not in done:
                    stack.append((at, True))
                    stack += [(each, False) for each in reversed(self._needs[at])]
        return list(done)

    def closure(self, names: Iterable[str]) -> set[str]:
        """Return names and all that they depend on."""
        found, stack = set(), list(names)
        while stack:
            if (name := stack.pop()) not in found:
                found.add(name)
                stack += self._needs[name]
        return found

    def select(self, words: list[str], *, here: str = ".") -> list[str]:
        """Return the packages that words mean."""
        return words
