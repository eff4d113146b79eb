"""One package: what is so, what that means for it, and bringing it up to date."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from blake3 import blake3

from bnet.build import files, keys
from bnet.build.cache import LONGEST_LOG, Cache
from bnet.build.commands import Commands
from bnet.build.entries import Entry, Kept
from bnet.build.files import Content, printable
from bnet.build.finder import DEFAULT_SOURCES, Finder
from bnet.build.globs import Patterns
from bnet.build.lister import Listing
from bnet.build.outcome import Failed, Wishes
from bnet.build.record import Made, Watched
from bnet.build.restore import There, clear_way, remove, restore
from bnet.build.stamps import SIZE, file_system_time, is_young, stamps
from bnet.errors import BnetError
from bnet.model.tree import Package, Tree


class Seen(NamedTuple):
    """A package's files as they are now, and what they make of it.

    Attributes:
        sources, outputs: the files.
        source_places, output_places: where they were looked for.
        inputs, key: what the package is made of.
        read: whether any source had to be read to know.
    """

    sources: Content
    outputs: Content
    source_places: Watched
    output_places: Watched
    inputs: keys.Inputs
    key: bytes
    read: bool


class Shop:
    """What work on the packages of one tree needs; one stands in the tree's root while it is open."""

    def __init__(
        self, root: str, tree: Tree, cache: Cache, state: Path, wishes: Wishes, now: Callable[[], datetime]
    ) -> None:
        """Keep the parts.

        Args:
            root: of the tree.
            tree: its packages.
            cache: where outputs are kept.
            state: the tree's directory for records and logs.
            wishes: what is asked for.
            now: the time of day, for people.
        """
        self.root = root
        self.tree = tree
        self.cache = cache
        self.state = state
        self.wishes = wishes
        self.now = now
        self.finder = Finder(tree)
        self.commands = Commands(root, tree, state, wishes)
        # Packages to look at, where it is known that nothing of the others changed.
        self.touched: set[str] | None = None
        self.umask = os.umask(0o077)
        os.umask(self.umask)

    # -- what is so

    def unchanged(
        self, package: Package, made: Made, produced: dict[str, bytes], tools: dict[str, str]
    ) -> bool:
        """Tell whether no stamp of a package differs, so that nothing of it need be read."""
        same = (
            made.declared == self.finder.declared(package)
            and made.inputs.dependencies == produced
            and made.inputs.tools == tools
            and made.inputs.env == keys.env_of(self.tree, package, self.wishes.env)
            and made.inputs.recipe == keys.recipe_of(package)
            and made.inputs.platform == keys.PLATFORM
            and not made.young
        )
        if not same or (self.touched is not None and package.name not in self.touched):
            return same
        return (
            files.LINK not in made.sources.kinds
            and files.LINK not in made.outputs.kinds
            and _same(made.source_places)
            and _same(made.output_places)
            and stamps(made.sources.names()) == made.sources.stamps
            and stamps(made.outputs.names()) == made.outputs.stamps
        )

    def look(
        self, package: Package, made: Made | None, produced: dict[str, bytes], tools: dict[str, str]
    ) -> Seen:
        """Find and read a package's files, as far as that is not known already.

        Raises:
            BnetError: one of them is a socket or cannot be read.
        """
        now = file_system_time(str(self.state))
        known = made if made is not None and made.declared == self.finder.declared(package) else None
        sources, source_places = self._listed(
            package, (known.sources, known.source_places) if known else None, self.finder.sources, now
        )
        content = files.read_content(sources, made.sources if made else Content(), now)
        outputs, output_places = self._listed(
            package, (known.outputs, known.output_places) if known else None, self.finder.outputs, now
        )
        kept = files.read_content(outputs, made.outputs if made else Content(), now, anything=True)
        inputs = keys.Inputs(
            recipe=keys.recipe_of(package),
            env=keys.env_of(self.tree, package, self.wishes.env),
            tools=tools,
            sources=keys.digest_of(content),
            dependencies=produced,
        )
        read = made is None or content is not made.sources
        return Seen(content, kept, source_places, output_places, inputs, keys.key_of(inputs), read)

    def _listed(
        self,
        package: Package,
        known: tuple[Content, Watched] | None,
        find: Callable[[Package], Listing],
        now: int,
    ) -> tuple[list[str], Watched]:
        if known is not None and _same(known[1]):
            return known[0].names(), known[1]
        listing = find(package)
        # Stamped after they were read: what appears in between makes a directory young.
        return listing.paths, _watched(listing.places, now)

    # -- bringing it up to date

    def restore(self, package: Package, seen: Seen, entry: Entry, is_others: Callable[[str], bool]) -> bool:
        """Make the outputs what an entry says: all of them, or none; False if the cache could not.

        Raises:
            Blocked: they cannot get to their place.
        """
        there = _there(seen, is_others)
        return restore(self.cache, package, there, entry, seen.key, seen.inputs, self.umask)

    def run(self, package: Package, seen: Seen, is_others: Callable[[str], bool]) -> None:
        """Run a package's hooks and command, where nothing is in the way of its outputs.

        Raises:
            Blocked: its outputs cannot get to their place.
            Failed: as `Commands.run` does.
        """
        clear_way(package)
        kept = seen.outputs.names() if package.incremental else []
        if not package.incremental:
            remove(package, _there(seen, is_others), seen.outputs.names())
        self.commands.run(package, lambda: {*seen.sources.names(), *self._given(package), *kept})

    def _given(self, package: Package) -> set[str]:
        """Return the files that a package may use of its dependencies: those that its key speaks of."""
        found: set[str] = set()
        for other in self.tree.packages:
            if other.name in package.dependencies:
                found.update(self.finder.shown(other).paths)
                if not other.outputs:
                    found |= self._given(other)
        return found

    def outputs_now(self, package: Package) -> tuple[Content, Watched, tuple[str, ...]]:
        """Return what a package has made, and warnings about it.

        Raises:
            Failed: it made nothing of what it declares, or a thing that cannot be kept.
        """
        now = file_system_time(str(self.state))
        listing = self.finder.outputs(package)
        patterns = Patterns(package.outputs, package.path)
        missing = patterns.unmatched(listing.paths)
        if package.outputs and not listing.paths:
            raise Failed(f"its command made none of its outputs: {', '.join(missing)}", "failure")
        try:
            content = files.read_content(listing.paths, Content(), now)
        except BnetError as error:
            raise Failed(f"its output {error}", "failure") from None
        warned = tuple(f"nothing was made for the output {glob!r}" for glob in missing)
        return content, _watched(listing.places, now), warned

    def unmatched(self, package: Package, seen: Seen) -> tuple[str, ...]:
        """Return warnings of patterns that mean no source; of those that people wrote, not of the usual one."""
        if package.sources == DEFAULT_SOURCES:
            return ()
        missing = Patterns(package.sources, package.path).unmatched(seen.sources.names())
        return tuple(f"no file is meant by the source {printable(glob)!r}" for glob in missing)

    def changed_meanwhile(self, package: Package, seen: Seen) -> tuple[list[str], Seen]:
        """Return the sources that changed, came or went since they were looked at, and where they are found now."""
        changed = files.changed_since(seen.sources)
        if changed or _same(seen.source_places):
            return changed, seen
        now = file_system_time(str(self.state))
        listing = self.finder.sources(package)
        changed = sorted(set(listing.paths) ^ set(seen.sources.names()))
        return changed, seen._replace(source_places=_watched(listing.places, now))

    def changed_below(self, made: Made, package: Package) -> list[str]:
        """Return what users see of a package, and is not what it was when that was settled."""
        content = made.outputs if package.outputs else made.sources
        places = made.output_places if package.outputs else made.source_places
        changed = files.changed_since(content)
        if not changed and not _same(places):
            changed = sorted(set(self.finder.shown(package).paths) ^ set(content.names()))
        return changed

    def keep(self, package: Package, seen: Seen, outputs: Content, seconds: float) -> None:
        """Keep what a package has made under its key."""
        table = outputs.table()
        found: list[tuple[Kept, str]] = []
        for path, (kind, digest) in table.items():
            if kind == files.LINK:
                kept = Kept(os.fsencode(path), kind, 0, digest, os.fsencode(os.readlink(path)))
            else:
                there = os.lstat(path)
                usual = (0o777 if kind == files.EXECUTABLE else 0o666) & ~self.umask
                mode = there.st_mode & 0o777
                kept = Kept(os.fsencode(path), kind, there.st_size, digest, b"", 0 if mode == usual else mode)
            found.append((kept, path))
        log = self._end_of_log(package)
        entry = Entry(
            package=package.name,
            files=tuple(kept for kept, _ in found),
            log=blake3(log).digest(),
            seconds=seconds,
            inputs=msgspec.structs.replace(seen.inputs, env=keys.hidden(seen.inputs.env)),
            sources=msgspec.structs.replace(seen.sources, stamps=b"", young=()),
            at=self.now().isoformat(),
        )
        self.cache.keep(seen.key, entry, found, log)

    def _end_of_log(self, package: Package) -> bytes:
        try:
            with self.commands.log_of(package).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - LONGEST_LOG))
                return file.read(LONGEST_LOG)
        except FileNotFoundError:
            return b""


def _watched(paths: list[str], now: int) -> Watched:
    row = stamps(paths)
    young = any(is_young(row[at : at + SIZE], now) for at in range(0, len(row), SIZE))
    return Watched(files.join_names(paths), row, young)


def _same(watched: Watched) -> bool:
    return not watched.young and stamps(files.split_names(watched.paths)) == watched.stamps


def _there(seen: Seen, is_others: Callable[[str], bool]) -> There:
    return There(seen.outputs.table(), files.split_names(seen.output_places.paths), is_others)
