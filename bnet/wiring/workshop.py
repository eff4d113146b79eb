"""A source tree on this machine: its configuration, its record, its lock, the cache, and a build of it."""

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from msgspec.msgpack import encode
from xxhash import xxh3_128_digest

from bnet.build import record, upkeep
from bnet.build.cache import Cache
from bnet.build.commands import log_path
from bnet.build.engine import Build, Event
from bnet.build.graph import Graph
from bnet.build.instant import CONFIG, root_above, state_of
from bnet.build.outcome import Wishes
from bnet.build.package import Shop
from bnet.build.stamps import file_system_time
from bnet.codec.sizes import parse_size, size_text
from bnet.errors import BnetError
from bnet.files import write_atomic
from bnet.host.clock import SystemClock
from bnet.host.home import Home, default_path
from bnet.host.lock import HostLock
from bnet.model.tree import Tree

if TYPE_CHECKING:
    from bnet.wiring.manifests import Declared

LOCK_PATIENCE = 3600.0  # seconds that a build waits for another one of the same tree


class NoTree(BnetError):
    """Nothing says what the packages are where one stands."""


def cache_path(env: Mapping[str, str]) -> Path:
    """Return where this user's cache is: `BNET_CACHE`, or in BNET_HOME.

    Raises:
        BnetError: a file is there.
    """
    if env.get("BNET_CACHE"):
        path = Path(os.path.abspath(env["BNET_CACHE"]))
        there = next(each for each in (path, *path.parents) if os.path.exists(each))
        if not os.path.isdir(there):
            raise BnetError(f"BNET_CACHE: {there} is no directory")
        return path
    return Home(default_path(env)).cache


def _declared_above(directory: str) -> "Declared | None":
    from bnet.wiring.manifests import declared_above

    return declared_above(directory)


class Workshop:
    """One tree."""

    def __init__(
        self, directory: Path, env: Mapping[str, str], said: Callable[[str], None] = lambda text: None
    ) -> None:
        """Find the tree that a directory is in.

        Args:
            directory: where one stands.
            env: the environment.
            said: told, once, if the shared store is given up.

        Raises:
            NoTree: there is no configuration from there upwards.
            Invalid: there is none, and the manifests of other tools cannot be read in its place.
            BnetError: BNET_CACHE is no directory.
        """
        root = root_above(str(directory))
        self.declared = None if root else _declared_above(str(directory))
        if not root and self.declared is None:
            raise NoTree(
                f"there is no {CONFIG} in {directory} or above it, and no workspace of npm, pnpm, yarn, uv or Python",
                hint=f"write {CONFIG}: docs/build-configuration.md shows how",
            )
        self.root = self.declared.root if self.declared else root
        self.env = env
        self.said = said
        self.here = os.path.relpath(os.path.realpath(directory), self.root)
        self.clock = SystemClock()
        self.cache_path = cache_path(env)
        self.state = Path(state_of(str(self.cache_path), self.root))

    @cached_property
    def known(self) -> record.Record:
        """What the last build found; with the configuration as it is now."""
        found = record.load(self.state / "record")
        declared = self.declared and self.declared.tree
        text = encode(declared) if declared else Path(self.root, CONFIG).read_bytes()
        digest = xxh3_128_digest(text)
        if found.tree is None or found.config != digest:
            from bnet.build.outputs import check_outputs
            from bnet.codec.tree import read_tree

            found.tree = declared or read_tree(text, CONFIG)
            check_outputs(found.tree)
            found.config = digest
        return found

    def init(self) -> Path:
        """Write the configuration down that was found in manifests, and the schema that editors check it with.

        Raises:
            BnetError: there is one already.
        """
        if self.declared is None:
            raise BnetError(f"{os.path.join(self.root, CONFIG)} is there already")
        from bnet.codec import schemas
        from bnet.codec.workspaces.write import SCHEMA, write_tree

        path = Path(self.root, CONFIG)
        write_atomic(path.with_name(SCHEMA), (schemas.HERE / "tree.json").read_bytes(), durable=False)
        write_atomic(path, write_tree(self.declared.tree), durable=False)
        return path

    @property
    def tree(self) -> Tree:
        """What `bnet.yaml` says.

        Raises:
            Invalid: something in it is wrong.
        """
        assert self.known.tree is not None
        return self.known.tree

    @cached_property
    def graph(self) -> Graph:
        """The graph of its packages."""
        return Graph(self.tree)

    @cached_property
    def cache(self) -> Cache:
        """The cache of this user, and behind it the store that the tree's team shares."""
        shared = self.tree.store
        if shared is None:
            return Cache(self.cache_path)
        from bnet.stores.opening import open_store

        return Cache(self.cache_path, open_store(shared, self.said, Path(self.root)))

    def affected(self, revision: str) -> list[str]:
        """Return the packages that were touched since a revision of Git, and what depends on them.

        Counted from where the two histories parted, and with what is not committed yet.

        Raises:
            BnetError: this is no work tree of Git, there is no such revision, or it has no history in common.
        """
        from bnet.build.reach import Reach
        from bnet.wiring.changes import changes_since

        changes = changes_since(revision, self.root, self.env)
        return self.graph.affected(changes.paths, Reach(self.tree, changes.links).has)

    def log(self, name: str) -> Path:
        """Return where a package's log is, if its command has ever printed one here."""
        return log_path(self.state, name)

    def lock(self, waits: Callable[[str], None]) -> HostLock:
        """Take the tree's lock, which one build at a time holds.

        Args:
            waits: told, in words, if another build has it.

        Raises:
            Taken: another build had it for an hour.
        """
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            (self.state / upkeep.ROOT).write_bytes(os.fsencode(self.root))
            file_system_time(str(self.state))
        except OSError as error:
            self._forgetful = TemporaryDirectory(prefix="bnet-")
            self.state = Path(self._forgetful.name)
            waits(f"{self.cache_path} cannot be written to ({error.strerror}): nothing of this build is kept")
        lock = HostLock(self.state / "lock")
        if not lock.try_acquire():
            waits("waits for another build of this tree")
            lock.acquire(LOCK_PATIENCE)
        return lock

    def bound(self) -> int:
        """Return how many bytes the cache may hold.

        Raises:
            BnetError: BNET_CACHE_SIZE is no size.
        """
        wanted = self.env.get("BNET_CACHE_SIZE", "")
        try:
            return parse_size(wanted) if wanted else upkeep.MOST
        except ValueError as error:
            raise BnetError(f"BNET_CACHE_SIZE: {error}") from None

    def tidy(self, most: int) -> str:
        """Keep the cache in bounds of bytes, now and then; return what was removed, in words, or ""."""
        removed = upkeep.now_and_then(self.cache_path, most=most, now=self.clock.now().timestamp())
        if removed is None or not removed.bytes:
            return ""
        gone, left = size_text(removed.bytes), size_text(removed.left_bytes)
        return f"{gone} were removed from the cache, unused for long or beyond its bounds; {left} are left"

    def build(
        self,
        names: list[str],
        *,
        jobs: int,
        keep_going: bool,
        force: bool,
        dry_run: bool,
        told: Callable[[Event], None],
        strict: bool = False,
        touched: set[str] | None = None,
        share: bool = True,
    ) -> Build:
        """Return a build of packages, to be run by whoever holds the lock and stands in the root.

        Args:
            names: the packages.
            jobs: so many at once.
            keep_going, force, dry_run: as of the command line.
            told: of each event.
            strict: run commands so that they see only what was declared.
            touched: packages to look at, where it is known that nothing of the others changed.
            share: whether the shared store takes part.

        Raises:
            BnetError: commands cannot be run strictly here.
        """
        if strict:
            from bnet.build.sandbox.box import available

            if why := available():
                raise BnetError(why)
        wishes = Wishes(force=force, dry_run=dry_run, env=dict(self.env), strict=strict)
        cache = self.cache if share else Cache(self.cache_path)
        shop = Shop(self.root, self.tree, cache, self.state, wishes, self.clock.now)
        shop.touched = touched
        return Build(shop, self.graph, self.known, jobs=jobs, keep_going=keep_going, told=told)
