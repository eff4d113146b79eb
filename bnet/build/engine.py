"""A build: which packages, in which order, how each is brought up to date, and what is written down of it."""

import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from blake3 import blake3

from bnet.build import keys, record, tools
from bnet.build.cache import Entry
from bnet.build.files import Content, printable
from bnet.build.graph import Graph
from bnet.build.instant import write_instant
from bnet.build.outputs import Owners
from bnet.build.package import CACHED, Failed, Outcome, Seen, Shop, Tier
from bnet.build.record import Made, Record, Unmade
from bnet.build.stamps import OLD
from bnet.errors import BnetError
from bnet.model.tree import Package
from bnet.process import Child

monotonic = time.monotonic
UNKNOWN = b""  # what a package will have produced that a dry run only would build


class Event(NamedTuple):
    """Something that people who wait want to see: a package began to be built, or is done with."""

    package: str
    outcome: Outcome | None


class Report(NamedTuple):
    """What became of a build.

    Attributes:
        outcomes: of each package that was asked for, in the order of the graph.
        seconds: how long it all took.
        trouble: what a person should know of the cache.
        complaint: what failed that is none of the packages.
    """

    outcomes: list[Outcome]
    seconds: float
    trouble: str
    complaint: str = ""

    @property
    def failed(self) -> list[Outcome]:
        """Return those that did not come up to date."""
        return [each for each in self.outcomes if each.result != "success"]

    @property
    def cached(self) -> int:
        """Return how many did without their command being run."""
        return sum(each.result == "success" and each.tier in CACHED for each in self.outcomes)


class Build:
    """One build of a tree; call `run` once. The caller holds the tree's lock, and stands in its root."""

    def __init__(
        self,
        shop: Shop,
        graph: Graph,
        known: Record,
        *,
        jobs: int,
        keep_going: bool,
        told: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Keep the parts.

        Args:
            shop: what work on packages needs.
            graph: of the tree's packages.
            known: what the last build found; this one brings it up to date.
            jobs: so many packages are worked on at once.
            keep_going: whether a failure keeps only what depends on it from being built.
            told: called for each event, from the thread that called `run`.
        """
        self.shop = shop
        self.graph = graph
        self.known = known
        self.jobs = jobs
        self.keep_going = keep_going
        self.told = told
        self._packages = {package.name: package for package in shop.tree.packages}
        self._outcomes: dict[str, Outcome] = {}
        self._made: dict[str, Made] = {}
        self._digests: dict[str, bytes] = {}
        self._hooked = False
        self._hook_failed: BnetError | None = None
        self._hook_was_due = known.hook_due
        self._owners: Owners | None = None
        self._hook_lock = threading.Lock()
        self._own_lock = threading.Lock()

    def run(self, names: Iterable[str]) -> Report:
        """Bring packages up to date, and first what they depend on.

        Raises:
            BnetError: a tool or a hook of the tree cannot be run.
        """
        begun = monotonic()
        wanted = set(self.graph.closure(names))
        order = [name for name in self.graph.order() if name in wanted]
        self._tools = tools.ask(
            self._wanted_tools(order), self.known.tools, self.shop.wishes.env, self.shop.root
        )
        self.known.tools = {**self.known.tools, **self._tools}
        try:
            self._run_all(order)
            complaint = self._post_build()
        finally:
            self._write_down()
        outcomes = [self._outcomes[name] for name in order if name in self._outcomes]
        return Report(outcomes, monotonic() - begun, self.shop.cache.trouble, complaint)

    def _wanted_tools(self, names: Iterable[str]) -> set[str]:
        return {tool for name in names for tool in self._packages[name].tools}

    # -- the order of work

    def _run_all(self, order: Sequence[str]) -> None:
        turn = Turn(order, {name: self._packages[name].dependencies for name in order})
        crew = Crew(self.jobs, lambda name: self._bring_up(self._packages[name]))
        stopping = False
        try:
            while turn.ready or crew.busy:
                if turn.ready and (crew.busy < self.jobs or stopping):
                    name = turn.ready.popleft()
                    outcome = self._at_once(self._packages[name], stopping)
                    if outcome is None:
                        self.told(Event(name, None))
                        crew.give(name)
                        continue
                else:
                    outcome = crew.take()
                    stopping = stopping or (outcome.result != "success" and not self.keep_going)
                self._outcomes[outcome.name] = outcome
                self.told(Event(outcome.name, outcome))
                turn.ended(outcome.name)
        finally:
            self._end(crew)

    def _end(self, crew: "Crew") -> None:
        """Wait for the crew; if something was raised, whatever it was, after its commands have been ended."""
        stopping = sys.exc_info()[0] is not None
        while True:
            try:
                if stopping:
                    self.shop.stop()
                crew.end()
                return
            except KeyboardInterrupt:  # somebody cannot wait: what they want is under way
                stopping = True

    def _at_once(self, package: Package, stopping: bool) -> Outcome | None:
        """Return what needs no work: what cannot be built, what is left alone, and what nothing touched."""
        for name in package.dependencies:
            if (needed := self._outcomes[name]).result != "success":
                because = needed.because or name
                return Outcome(
                    name=package.name, result="skipped", because=because, reason=f"{because} failed"
                )
        if stopping:
            return Outcome(name=package.name, result="skipped", reason="another package failed")
        made = self.known.made.get(package.name)
        if made is None or self.shop.wishes.force:
            return None
        begun = monotonic()
        if not self.shop.unchanged(package, made, self._produced(package), self._said(package)):
            return None
        self._made[package.name] = made
        self._digests[package.name] = made.produced
        return Outcome(
            name=package.name,
            tier="instant",
            reason="nothing was touched since it was made",
            key=made.key.hex(),
            begun=begun,
            seconds=monotonic() - begun,
            saved=made.seconds,
        )

    # -- one package

    def look(self, name: str) -> Seen:
        """Return what a package is made of now; `run` has brought up to date, or planned, what it depends on."""
        package = self._packages[name]
        made = self.known.made.get(name)
        return self.shop.look(package, made, self._produced(package), self._said(package))

    def _produced(self, package: Package) -> dict[str, bytes]:
        return {name: self._digests.get(name, UNKNOWN) for name in sorted(package.dependencies)}

    def _said(self, package: Package) -> dict[str, str]:
        return {tool: self._tools[tool].said for tool in sorted(package.tools)}

    def _bring_up(self, package: Package) -> Outcome:
        begun, seen = monotonic(), None
        try:
            seen = self.look(package.name)
            outcome = self._try(package, seen, begun)
        except Failed as error:
            outcome = Outcome(
                name=package.name,
                tier="incremental" if package.incremental else "full",
                result=error.result,
                exit_code=error.code,
                reason=error.message,
                log=str(error.log or self.shop.log(package)),
            )
        except BnetError as error:
            outcome = Outcome(name=package.name, result="error", reason=error.message)
        except OSError as error:
            where = f"{printable(os.fsdecode(error.filename))}: " if error.filename else ""
            outcome = Outcome(name=package.name, result="error", reason=f"{where}{error.strerror}")
        if outcome.result != "success":
            self._unmake(package, "its last build failed", seen)
        return msgspec.structs.replace(outcome, begun=begun, seconds=monotonic() - begun)

    def _try(self, package: Package, seen: Seen, begun: float) -> Outcome:
        shop, made = self.shop, self.known.made.get(package.name)
        reason = self._reason(package, made, seen)
        if (
            not shop.wishes.force
            and made is not None
            and seen.key == made.key
            and _alike(made.outputs, seen.outputs)
        ):
            return self._settle(package, seen, seen.outputs, "fresh", reason, made.seconds)
        entry, tier = (None, "full") if shop.wishes.force or not package.cache else self._cached(seen)
        if shop.wishes.dry_run:
            return self._planned(package, seen, entry, tier, reason)
        if entry is not None and shop.restore(package, seen, entry, self._others(package)):
            return self._restored(package, seen, entry, tier, reason)
        return self._built(package, seen, reason, begun)

    def _cached(self, seen: Seen) -> tuple[Entry | None, Tier]:
        entry = self.shop.cache.find(seen.key)
        if entry is not None:
            return entry, "local"
        cache = self.shop.cache
        look = cache.look_shared if self.shop.wishes.dry_run else cache.find_shared
        entry = look(seen.key)
        return entry, "remote" if entry is not None else "full"

    def _reason(self, package: Package, made: Made | None, seen: Seen) -> str:
        if self.shop.wishes.force:
            return "it was asked for with --force"
        if made is None:
            unmade = self.known.unmade.get(package.name)
            return unmade.why if unmade else "it was never built here"
        found = keys.difference(made.inputs, seen.inputs, made.sources, seen.sources)
        if found is not None and found.what == keys.OUTPUT and not seen.inputs.dependencies[found.name]:
            return f"dependency {found.name} is to be built"
        if found is not None:
            return printable(str(found))
        if not _alike(made.outputs, seen.outputs):
            return f"its outputs are not as they were made: {_first_of(made, seen)}"
        return "files were touched, and hold what they held"

    def _planned(self, package: Package, seen: Seen, entry: Entry | None, tier: Tier, reason: str) -> Outcome:
        if entry is not None or package.build_cmd is None:
            outputs = seen.outputs if entry is None else entry.content()
            self._digests[package.name] = keys.digest_of(outputs) if package.outputs else seen.key
        if entry is None and package.build_cmd is not None:
            tier = "incremental" if package.incremental and seen.outputs.paths else "full"
        return Outcome(name=package.name, tier=tier, reason=reason, key=seen.key.hex())

    def _restored(self, package: Package, seen: Seen, entry: Entry, tier: Tier, reason: str) -> Outcome:
        log = self.shop.log(package)
        self.shop.logs.mkdir(parents=True, exist_ok=True)
        log.write_bytes(self.shop.cache.log_of(entry))
        outputs, places, _ = self.shop.outputs_now(package)
        self._claim(package, outputs)
        seen = seen._replace(output_places=places)
        outcome = self._settle(package, seen, outputs, tier, reason, entry.seconds)
        return msgspec.structs.replace(outcome, log=str(log), warnings=self.shop.unmatched(package, seen))

    def _built(self, package: Package, seen: Seen, reason: str, begun: float) -> Outcome:
        if package.build_cmd is None:
            return self._settle(package, seen, seen.outputs, "full", reason, 0.0)
        tier: Tier = "incremental" if package.incremental and seen.outputs.paths else "full"
        self._pre_build()
        began = monotonic()
        self.shop.run(package, seen, self._others(package))
        seconds = monotonic() - began
        outputs, places, warnings = self.shop.outputs_now(package)
        self._claim(package, outputs)
        warnings += self.shop.unmatched(package, seen)
        changed, seen = self.shop.changed_meanwhile(package, seen)
        changed = changed or self._changed_below(package)
        if changed:
            # What came out is of neither the old sources nor the new ones: it stays, and nothing is recorded.
            self._unmake(package, f"{printable(changed[0])} changed while it was built last", seen)
            self._digests[package.name] = (
                keys.digest_of(outputs) if package.outputs else blake3(seen.key + os.urandom(32)).digest()
            )
            first = printable(changed[0])
            warned = f"{first} changed while it was built: it is built again next time, and not kept"
            return Outcome(
                name=package.name,
                tier=tier,
                reason=reason,
                key="",
                log=str(self.shop.log(package)),
                warnings=(*warnings, warned),
            )
        seen = seen._replace(output_places=places)
        if package.cache:
            try:
                self.shop.keep(package, seen, outputs, seconds)
            except OSError as error:
                self.shop.cache.trouble = f"what {package.name} made could not be kept: {error}"
        outcome = self._settle(package, seen, outputs, tier, reason, seconds)
        return msgspec.structs.replace(outcome, log=str(self.shop.log(package)), warnings=warnings, saved=0.0)

    def _changed_below(self, package: Package) -> list[str]:
        """Return what a package was made of, beside its sources, and is not what its key speaks of any more."""
        for name in package.dependencies:
            other, made = self._packages[name], self._made.get(name)
            changed = self.shop.changed_below(made, other) if made is not None else []
            if not changed and not other.outputs:
                changed = self._changed_below(other)
            if changed:
                return changed
        return []

    def _others(self, package: Package) -> Callable[[str], bool]:
        """Return what tells of a path whether another package made what is there."""
        return lambda path: self._known_owners().is_others(package.name, path)

    def _known_owners(self) -> Owners:
        with self._own_lock:
            if self._owners is None:
                self._owners = Owners()
                for name, made in list(self.known.made.items()):
                    other = self._packages.get(name)
                    if other is not None and made.declared == self.shop.declared(other):
                        self._owners.claim(name, made.outputs.names())
            return self._owners

    def _claim(self, package: Package, outputs: Content) -> None:
        owners = self._known_owners()
        with self._own_lock:
            taken = owners.claim(package.name, outputs.names())
        if taken is not None:
            raise Failed(f"its output {printable(taken[0])} is one of {taken[1]} too", "error")

    def _settle(
        self, package: Package, seen: Seen, outputs: Content, tier: Tier, reason: str, seconds: float
    ) -> Outcome:
        produced = keys.digest_of(outputs) if package.outputs else seen.key
        made = Made(
            declared=self.shop.declared(package),
            key=seen.key,
            inputs=seen.inputs,
            produced=produced,
            sources=seen.sources,
            outputs=outputs,
            source_places=seen.source_places,
            output_places=seen.output_places,
            seconds=seconds,
            tier=tier,
            reason=reason,
            at=self.shop.now().isoformat(),
        )
        if not self.shop.wishes.dry_run:
            self.known.made[package.name] = made
            self.known.unmade.pop(package.name, None)
        self._made[package.name] = made
        self._digests[package.name] = produced
        return Outcome(name=package.name, tier=tier, reason=reason, key=seen.key.hex(), saved=seconds)

    def _unmake(self, package: Package, why: str, seen: Seen | None) -> None:
        if self.shop.wishes.dry_run:
            return
        self.known.made.pop(package.name, None)
        paths = (seen.sources.paths, seen.source_places.paths) if seen else (b"", b"")
        self.known.unmade[package.name] = Unmade(why=why, sources=paths[0], places=paths[1])

    # -- around it

    def _pre_build(self) -> None:
        """Run the tree's first hook, once, before the first package that is built."""
        with self._hook_lock:
            if self._hook_failed is not None:
                raise self._hook_failed
            if not self._hooked and self.shop.tree.hooks.pre_build:
                try:
                    self._hook("pre_build", self.shop.tree.hooks.pre_build)
                except BnetError as error:
                    self._hook_failed = error
                    raise
            self._hooked = True

    def _post_build(self) -> str:
        """Run the tree's last hook, if all went well; return what went wrong with it."""
        command = self.shop.tree.hooks.post_build
        all_well = all(each.result == "success" for each in self._outcomes.values())
        due = command is not None and (self._hooked or self.known.hook_due)
        if command and due and all_well and not self.shop.wishes.dry_run:
            try:
                self._hook("post_build", command)
                due = False
            except Failed as error:
                self.known.hook_due = True
                return f"{error}; its log is {error.log}"
        self.known.hook_due = due and self.known.hook_due
        return ""

    def _hook(self, name: str, command: str) -> None:
        self.shop.logs.mkdir(parents=True, exist_ok=True)
        path = self.shop.logs / f"%{name}.log"  # no package's name holds a %
        with path.open("wb") as log:
            child = Child(
                ["/bin/sh", "-c", command], env=self.shop.wishes.env, cwd=self.shop.root, log=log.fileno()
            )
            self.shop.children.add(child)
            code = child.wait(None)
            self.shop.children.discard(child)
        if code != 0:
            said = path.read_bytes().decode(errors="replace").strip().splitlines()[-1:]
            told = "".join(f": {printable(line)}" for line in said)
            raise Failed(
                f"the tree's {name} hook ended with exit code {code}{told}", "failure", code, log=path
            )

    def _write_down(self) -> None:
        """Keep what was found; what was written a moment ago is looked at once more, when it can be trusted."""
        if self.shop.wishes.dry_run:
            return
        young = [name for name, made in self._made.items() if made.young]
        if young:
            time.sleep(OLD / 1e9)
            for name in young:
                with suppress(BnetError):
                    self._look_again(self._packages[name], self._made[name])
        gone = (self.known.made.keys() | self.known.unmade.keys()) - self._packages.keys()
        for name in gone:
            self.known.made.pop(name, None)
            self.known.unmade.pop(name, None)
        with suppress(OSError):  # a full disk: the next build looks at everything again
            changed = any(each.tier != "instant" for each in self._outcomes.values())
            if changed or gone or self.known.hook_due != self._hook_was_due:
                record.save(self.shop.state / "record", self.known)
            complete = self._made.keys() == self._packages.keys() and not self.known.hook_due
            write_instant(self.shop.state, self.known if complete else Record(), self.shop.wishes.env)

    def _look_again(self, package: Package, made: Made) -> None:
        if self.known.made.get(package.name) is not made:
            return
        if made.sources.young or made.source_places.young:
            seen = self.shop.look(package, made, made.inputs.dependencies, made.inputs.tools)
            if seen.key != made.key:
                return  # somebody is at work: it stays young, and the next build reads it
            made = msgspec.structs.replace(made, sources=seen.sources, source_places=seen.source_places)
        outputs, places, _ = self.shop.outputs_now(package)
        if _alike(made.outputs, outputs):
            made = msgspec.structs.replace(made, outputs=outputs, output_places=places)
            self.known.made[package.name] = made


class Turn:
    """Whose turn it is: packages all of whose dependencies have ended, in the order of the graph."""

    def __init__(self, order: Sequence[str], needs: Mapping[str, Sequence[str]]) -> None:
        self._waiting = {name: set(needs[name]) for name in order}
        self._users: dict[str, list[str]] = {}
        for name in order:
            for each in needs[name]:
                self._users.setdefault(each, []).append(name)
        self.ready = deque(name for name in order if not self._waiting[name])

    def ended(self, name: str) -> None:
        """Let those begin that waited for this one last."""
        for user in self._users.get(name, ()):
            self._waiting[user].discard(name)
            if not self._waiting[user]:
                self.ready.append(user)


class Crew:
    """Threads that work on packages; they are begun as they are needed."""

    def __init__(self, most: int, work: Callable[[str], Outcome]) -> None:
        self.busy = 0
        self._most = most
        self._work = work
        self._given: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def give(self, name: str) -> None:
        """Let one of them work on a package."""
        self.busy += 1
        if len(self._threads) < min(self._most, self.busy):
            self._threads.append(threading.Thread(target=self._toil, daemon=True))
            self._threads[-1].start()
        self._given.put(name)

    def take(self) -> Outcome:
        """Wait for one that has ended; what was raised in its thread is raised here."""
        ended = self._done.get()
        self.busy -= 1
        if isinstance(ended, BaseException):
            raise ended
        return ended

    def end(self) -> None:
        """Wait for all of them."""
        for _ in self._threads:
            self._given.put(None)
        for thread in self._threads:
            thread.join()

    def _toil(self) -> None:
        while (name := self._given.get()) is not None:
            try:
                self._done.put(self._work(name))
            except BaseException as error:  # it is raised again where somebody waits for it
                self._done.put(error)


def _alike(one: Content, two: Content) -> bool:
    """Tell whether files are the same, whatever their stamps."""
    return (one.paths, one.kinds, one.digests) == (two.paths, two.kinds, two.digests)


def _first_of(made: Made, seen: Seen) -> str:
    before, after = made.outputs.table(), seen.outputs.table()
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            how = "is missing" if path not in after else "was added" if path not in before else "was changed"
            return f"{printable(path)} {how}"
    return "they differ"


def default_jobs() -> int:
    """Return how many packages are worked on at once: as many as there are cores to use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def state_of(cache: Path, root: str) -> Path:
    """Return the directory of what is known of a tree."""
    import xxhash

    return cache / "trees" / xxhash.xxh3_64_hexdigest(os.fsencode(root))
