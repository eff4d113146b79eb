"""Which files are a package's: those that it is made from, and those that it makes."""

import msgspec
from blake3 import blake3

from bnet.build.globs import Patterns
from bnet.build.lister import Lister, Listing
from bnet.model.tree import Package, Tree

DEFAULT_SOURCES = ("**",)


class Finder:
    """Finds files of the packages of one tree; it stands in the tree's root."""

    def __init__(self, tree: Tree) -> None:
        """Take the tree, as `bnet.yaml` or its manifests describe it."""
        self._tree = tree
        self._lister = Lister([package.path for package in tree.packages])
        self._by_path: dict[str, list[Package]] = {}
        for package in tree.packages:
            self._by_path.setdefault(package.path, []).append(package)

    def declared(self, package: Package) -> bytes:
        """Return the digest of what says where a package's files are."""
        beside = self._made_beside(package)
        told = (
            package.path,
            package.sources,
            package.outputs,
            beside,
            self._tree.sources,
            self._lister.inner,
        )
        return blake3(msgspec.msgpack.encode(told)).digest()

    def sources(self, package: Package) -> Listing:
        """Return what a package is made from, and where that was looked for."""
        everywhere = self._tree.sources
        shared = self._lister.find(Patterns(everywhere, ".")) if everywhere else Listing([], [])
        besides = Patterns(self._made_beside(package), package.path)
        own = self._lister.find(Patterns(package.sources, package.path), besides=besides)
        paths = sorted({*own.paths, *shared.paths})
        return Listing(paths, [*own.places, *shared.places])

    def outputs(self, package: Package) -> Listing:
        """Return what there is of what a package makes, and where that was looked for."""
        return self._lister.find(Patterns(package.outputs, package.path), ignoring=False)

    def shown(self, package: Package) -> Listing:
        """Return what users see of a package: its outputs, or its sources if it makes nothing."""
        return self.outputs(package) if package.outputs else self.sources(package)

    def _made_beside(self, package: Package) -> tuple[str, ...]:
        """Return the patterns of what is made in a package's directory, which is no source by default."""
        if package.sources != DEFAULT_SOURCES:
            return package.outputs
        others = (each for each in self._by_path[package.path] if each is not package)
        return (*(glob for each in others for glob in each.outputs), *package.outputs)
