"""A hub that fails on cue: the same port over another hub, for tests and simulation."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from bnet.errors import HubUnreachable
from bnet.ports.hub import Hub, Look, Update

Call = Literal["look", "fetch", "fetch_telemetry", "push"]
Fault = Literal["", "before", "after", "late", "wait", "stale", "twice"]
"""What may happen to a call that goes over the network:

""        it goes well
before    it is lost on its way: nothing happened
after     it happened, and its answer is lost
late      a push is lost for its sender, and reaches the hub before the sender calls again (others: `before`)
wait      others act before it happens
stale     others act after it happened and before its answer is there
twice     a push reaches the hub twice, and others act in between; the second answer is the one that counts
"""

Plan = Callable[[Call], Fault]
"""Asked before each call for its fate."""


def script(faults: Mapping[str, Iterable[Fault]]) -> Plan:
    """Return a plan that deals out faults per call (`{"push": ["after"]}`), in order; then all goes well."""
    rest = {call: iter(each) for call, each in faults.items()}
    return lambda call: next(rest.get(call, iter(())), "")


def drawn(chance: random.Random, weights: Mapping[Fault, float]) -> Plan:
    """Return a plan that draws each fate with the given weights; the same seed draws the same."""
    kinds, shares = list(weights), list(weights.values())
    return lambda call: chance.choices(kinds, shares)[0]


def replay(log: Iterable[tuple[Call, Fault]]) -> Plan:
    """Return the plan that repeats what a `FaultyHub` has logged."""
    rest = iter(log)
    return lambda call: next(rest, (call, ""))[1]


class FaultyHub:
    """A `Hub` (see `ports`) whose network calls meet the faults of a plan; what is local never fails.

    Attributes:
        log: the calls so far and what befell each, for `replay`.
        meanwhile: what others do in the faults `wait`, `stale` and `twice`; it is told the call.
    """

    def __init__(self, inner: Hub, plan: Plan, meanwhile: Callable[[Call], None] | None = None) -> None:
        """Stand before a hub.

        Args:
            inner: the hub that answers.
            plan: decides on each call's fate.
            meanwhile: lets others act; it may use this hub, whose calls go well in the meantime.
        """
        self.inner = inner
        self.log: list[tuple[Call, Fault]] = []
        self.meanwhile = meanwhile
        self._plan = plan
        self._late: list[Sequence[Update]] = []
        self._busy = False
        self.ledger_ref = inner.ledger_ref
        self.exclusive = inner.exclusive
        self.remake = inner.remake
        self.telemetry_ref = inner.telemetry_ref
        self.known = inner.known
        self.accept = inner.accept
        self.contains = inner.contains
        self.newest_transaction = inner.newest_transaction
        self.recorded = inner.recorded
        self.changes = inner.changes
        self.origin = inner.origin
        self.brought = inner.brought
        self.older = inner.older
        self.read = inner.read
        self.names = inner.names
        self.expand = inner.expand
        self.blobs = inner.blobs
        self.contents = inner.contents
        self.write = inner.write

    @property
    def telemetry_prefix(self) -> str:
        return self.inner.telemetry_prefix

    @telemetry_prefix.setter
    def telemetry_prefix(self, prefix: str) -> None:
        self.inner.telemetry_prefix = prefix

    def look(self) -> Look:
        fault = self._fate("look")
        answer = self.inner.look()
        self._answer("look", fault)
        return answer

    def fetch(self, tip: str) -> None:
        fault = self._fate("fetch")
        self.inner.fetch(tip)
        self._answer("fetch", fault)

    def fetch_telemetry(self, servers: Sequence[str]) -> None:
        fault = self._fate("fetch_telemetry")
        self.inner.fetch_telemetry(servers)
        self._answer("fetch_telemetry", fault)

    def push(self, updates: Sequence[Update]) -> str | None:
        try:
            fault = self._fate("push")
            said = self.inner.push(updates)
            self._answer("push", fault)
        except _LostLate as lost:
            self._late.append(updates)
            return str(lost)
        except HubUnreachable as lost:
            return str(lost)
        return self.inner.push(updates) if fault == "twice" else said

    def _fate(self, call: Call) -> Fault:
        """Decide a call's fate, and let that happen which comes before it."""
        if self._busy:
            return ""
        while self._late:
            self.inner.push(self._late.pop(0))
        fault = self._plan(call)
        self.log.append((call, fault))
        if fault == "late":
            raise _LostLate(f"fault: the {call} is late")
        if fault == "before":
            raise HubUnreachable(f"fault: the {call} was lost on its way")
        if fault == "wait":
            self._let_others(call)
        return fault

    def _answer(self, call: Call, fault: Fault) -> None:
        """Let that happen which comes after a call, before its answer is there."""
        if fault == "after":
            raise HubUnreachable(f"fault: the answer to the {call} was lost")
        if fault in ("stale", "twice"):
            self._let_others(call)

    def _let_others(self, call: Call) -> None:
        if self.meanwhile is None:
            return
        self._busy = True
        try:
            self.meanwhile(call)
        finally:
            self._busy = False


class _LostLate(HubUnreachable):
    """The sender hears of a loss, and the push is still under way."""
