"""A build: which packages, in which order, and what is written down of it."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from bnet.build import record
from bnet.build.crew import Crew, Turn
from bnet.build.graph import Graph
from bnet.build.instant import write_instant
from bnet.build.outcome import CACHED, Outcome
from bnet.build.package import Shop
from bnet.build.record import Record
from bnet.build.work import Work

monotonic = time.monotonic


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
        self.work = Work(shop, known)
        self.jobs = jobs
        self.keep_going = keep_going
        self.told = told
        self._outcomes: dict[str, Outcome] = {}

    def run(self, names: Iterable[str]) -> Report:
        """Bring packages up to date, and first what they depend on.

        Raises:
            BnetError: a tool of the tree cannot be run.
        """
        begun = monotonic()
        wanted = set(self.graph.closure(names))
        order = [name for name in self.graph.order() if name in wanted]
        self.work.ask_tools(order)
        complaint = ""
        try:
            self._run_all(order)
            if not self.shop.wishes.dry_run and self._all_well():
                complaint = self.work.hooks.after()
        finally:
            if not self.shop.wishes.dry_run:
                self._write_down()
        outcomes = [self._outcomes[name] for name in order if name in self._outcomes]
        return Report(outcomes, monotonic() - begun, self.shop.cache.trouble, complaint)

    def _all_well(self) -> bool:
        return all(each.result == "success" for each in self._outcomes.values())

    # -- the order of work

    def _run_all(self, order: Sequence[str]) -> None:
        turn = Turn(order, {name: self.graph.needs(name) for name in order})
        crew = Crew(self.jobs, self.work.bring_up)
        stopping = False
        try:
            while turn.ready or crew.busy:
                if turn.ready and (crew.busy < self.jobs or stopping):
                    name = turn.ready.popleft()
                    outcome = self._at_once(name, stopping)
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

    def _end(self, crew: Crew) -> None:
        """Wait for the crew; if something was raised, whatever it was, after its commands have been ended."""
        stopping = sys.exc_info()[0] is not None
        while True:
            try:
                if stopping:
                    self.shop.commands.stop()
                crew.end()
                return
            except KeyboardInterrupt:  # somebody cannot wait: what they want is under way
                stopping = True

    def _at_once(self, name: str, stopping: bool) -> Outcome | None:
        """Return what needs no work: what cannot be built, what is left alone, and what nothing touched."""
        for each in self.graph.needs(name):
            if (needed := self._outcomes[each]).result != "success":
                because = needed.because or each
                return Outcome(name=name, result="skipped", because=because, reason=f"{because} failed")
        if stopping:
            return Outcome(name=name, result="skipped", reason="another package failed")
        return self.work.untouched(name)

    # -- afterwards

    def _write_down(self) -> None:
        """Keep what was found."""
        self.work.settle_young()
        changed = any(each.tier != "instant" for each in self._outcomes.values())
        changed = self.work.forget_others() or changed or self.known.hook_due != self.work.hooks.due
        self.known.hook_due = self.work.hooks.due
        with suppress(OSError):  # a full disk: the next build looks at everything again
            if changed:
                record.save(self.shop.state / "record", self.known)
            complete = len(self.work.made) == len(self.shop.tree.packages) and not self.known.hook_due
            write_instant(self.shop.state, self.known if complete else Record(), self.shop.wishes.env)
