"""Bringing packages up to date: each is found so, restored, or built; what came of it counts for the next ones."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import msgspec
from blake3 import blake3

from bnet.build import keys, tools
from bnet.build.entries import Entry
from bnet.build.files import Content, printable
from bnet.build.hooks import TreeHooks
from bnet.build.outcome import Failed, Outcome, Tier
from bnet.build.outputs import Owners
from bnet.build.package import Seen, Shop
from bnet.build.record import Made, Record, Tool, Unmade
from bnet.build.stamps import OLD
from bnet.errors import BnetError
from bnet.model.tree import Package

monotonic = time.monotonic
UNKNOWN = b""  # what a package will have produced that a dry run only would build


class Work:
    """What one build does to packages; dependencies come before what depends on them, some packages at a time."""

    def __init__(self, shop: Shop, known: Record) -> None:
        """Keep the parts.

        Args:
            shop: what work on packages needs.
            known: what the last build found; this one brings it up to date.
        """
        self.shop = shop
        self.known = known
        self.made: dict[str, Made] = {}
        self.hooks = TreeHooks(shop.tree.hooks, shop.commands, known.hook_due)
        self._tools: dict[str, Tool] = {}
        self._packages = {package.name: package for package in shop.tree.packages}
        self._digests: dict[str, bytes] = {}
        self._owners: Owners | None = None
        self._own_lock = threading.Lock()

    def ask_tools(self, names: Iterable[str]) -> None:
        """Ask the tools of packages what they are.

        Raises:
            BnetError: one of them does not answer.
        """
        words = {tool for name in names for tool in self._packages[name].tools}
        self._tools = tools.ask(words, self.known.tools, self.shop.wishes.env, self.shop.root)
        self.known.tools = {**self.known.tools, **self._tools}

    def untouched(self, name: str) -> Outcome | None:
        """Return what became of a package that nothing touched since it was made; None if that is not certain."""
        package = self._packages[name]
        made = self.known.made.get(package.name)
        if made is None or self.shop.wishes.force:
            return None
        begun = monotonic()
        if not self.shop.unchanged(package, made, self._produced(package), self._said(package)):
            return None
        self.made[package.name] = made
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

    def look(self, name: str) -> Seen:
        """Return what a package is made of now; `run` has brought up to date, or planned, what it depends on."""
        package = self._packages[name]
        made = self.known.made.get(name)
        return self.shop.look(package, made, self._produced(package), self._said(package))

    def _produced(self, package: Package) -> dict[str, bytes]:
        return {name: self._digests.get(name, UNKNOWN) for name in sorted(package.dependencies)}

    def _said(self, package: Package) -> dict[str, str]:
        return {tool: self._tools[tool].said for tool in sorted(package.tools)}

    def bring_up(self, name: str) -> Outcome:
        """Bring a package up to date, or say what would be done."""
        package = self._packages[name]
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
                log=str(error.log or self.shop.commands.log_of(package)),
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
        log = self.shop.commands.log_of(package)
        log.parent.mkdir(parents=True, exist_ok=True)
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
        self.hooks.before()
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
                log=str(self.shop.commands.log_of(package)),
                warnings=(*warnings, warned),
            )
        seen = seen._replace(output_places=places)
        if package.cache:
            try:
                self.shop.keep(package, seen, outputs, seconds)
            except OSError as error:
                self.shop.cache.trouble = f"what {package.name} made could not be kept: {error}"
        outcome = self._settle(package, seen, outputs, tier, reason, seconds)
        return msgspec.structs.replace(
            outcome, log=str(self.shop.commands.log_of(package)), warnings=warnings, saved=0.0
        )

    def _changed_below(self, package: Package) -> list[str]:
        """Return what a package was made of, beside its sources, and is not what its key speaks of any more."""
        for name in package.dependencies:
            other, made = self._packages[name], self.made.get(name)
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
                    if other is not None and made.declared == self.shop.finder.declared(other):
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
            declared=self.shop.finder.declared(package),
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
        self.made[package.name] = made
        self._digests[package.name] = produced
        return Outcome(name=package.name, tier=tier, reason=reason, key=seen.key.hex(), saved=seconds)

    def _unmake(self, package: Package, why: str, seen: Seen | None) -> None:
        if self.shop.wishes.dry_run:
            return
        self.known.made.pop(package.name, None)
        paths = (seen.sources.paths, seen.source_places.paths) if seen else (b"", b"")
        self.known.unmade[package.name] = Unmade(why=why, sources=paths[0], places=paths[1])

    # -- afterwards

    def settle_young(self) -> None:
        """Look once more at what was written a moment ago, when its stamps can be trusted."""
        young = [name for name, made in self.made.items() if made.young]
        if young:
            time.sleep(OLD / 1e9)
            for name in young:
                with suppress(BnetError):
                    self._look_again(self._packages[name], self.made[name])

    def forget_others(self) -> bool:
        """Forget packages that are none of the tree's any more; tell whether there were any."""
        gone = (self.known.made.keys() | self.known.unmade.keys()) - self._packages.keys()
        for name in gone:
            self.known.made.pop(name, None)
            self.known.unmade.pop(name, None)
        return bool(gone)

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
