"""The hub as one machine reaches it: calls take time, get lost, come late, or twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import weather

from bnet.errors import Damaged, HubUnreachable
from bnet.memory import MemoryHub
from bnet.ports.hub import Look, Recorded, Stamp, Update

if TYPE_CHECKING:
    from computer import Computer

PATIENCE = 25.0  # seconds until a call without an answer is given up


class Wire(MemoryHub):
    """A machine's view of the hub; what it has accepted is kept on the machine, beside its other files."""

    def __init__(self, computer: Computer) -> None:
        super().__init__(computer.world.repository)
        self._computer = computer

    # -- what is kept on the machine

    def known(self) -> str:
        self._check()
        return self._computer.known

    def accept(self, tip: str) -> None:
        self._computer.effect()
        self._computer.world.witness.accepted(self._computer.host, self._computer.known, tip)
        self._computer.known = tip

    def remake(self) -> None:
        self._computer.known, self._computer.damaged = "", False

    def newest_transaction(self, tip: str) -> Stamp | None:
        self._check()
        return super().newest_transaction(tip)

    def recorded(self, tip: str, after: str = "") -> Sequence[Recorded]:
        self._check()
        return super().recorded(tip, after)

    def _check(self) -> None:
        if self._computer.damaged:
            raise Damaged("the mirror is damaged")

    # -- what goes over the network

    def look(self) -> Look:
        fate = self._go("look")
        answer = super().look()
        self._come_back(fate, "look")
        return answer

    def fetch(self, tip: str) -> None:
        self._come_back(self._go("fetch"), "fetch")

    def fetch_telemetry(self, servers: Sequence[str]) -> None:
        self._come_back(self._go("fetch"), "fetch")

    def push(self, updates: Sequence[Update]) -> str | None:
        mine = self.telemetry_ref(self._computer.name)
        for each in updates:
            if each.ref == mine:
                self._computer.world.witness.speaks(each.new)
        try:
            fate = self._go("push", updates)
            taken = [each for each in updates if not self._is_refused(each, updates, fate)]
            said = self._computer.world.take(taken, self._computer.name)
            if any(each.ref == mine and self.repository.refs.get(mine) == each.new for each in taken):
                self._computer.world.witness.spoke(self._computer, self.repository.refs[mine])
            if len(taken) < len(updates):
                said = said or "! [remote rejected] (declined)"
            if fate == weather.TWICE:
                self._later(updates)
            self._come_back(fate, "push")
        except HubUnreachable as lost:
            return str(lost)
        return said

    def _is_refused(self, update: Update, updates: Sequence[Update], fate: str) -> bool:
        computer = self._computer
        beat = update.ref != self.ledger_ref
        return (
            computer.read_only
            or (beat and computer.mute)
            or (fate == weather.HALF and update is not updates[0])
        )

    def _go(self, call: str, updates: Sequence[Update] = ()) -> str:
        """Let a call travel; return its fate.

        Raises:
            HubUnreachable: it got lost, or will arrive when nobody waits for its answer any more.
        """
        computer = self._computer
        fate = computer.world.weather.call(computer.world.now, f"{call} of {computer.name}")
        computer.effect()
        chance = computer.chance
        computer.wait(chance.uniform(20.0, 120.0) if fate == weather.SLOW else chance.uniform(0.02, 0.6))
        if fate == weather.LATE and updates:
            self._later(updates)
        if computer.cut or computer.world.away or fate in (weather.LOST, weather.LATE):
            computer.wait(chance.uniform(1.0, PATIENCE))
            raise HubUnreachable(f"the {call} got lost")
        return fate

    def _come_back(self, fate: str, call: str) -> None:
        computer = self._computer
        computer.wait(computer.chance.uniform(0.02, 0.4))
        if computer.cut or computer.world.away or fate == weather.UNANSWERED:
            computer.wait(computer.chance.uniform(1.0, PATIENCE))
            raise HubUnreachable(f"the answer to the {call} got lost")
        computer.effect()

    def _later(self, updates: Sequence[Update]) -> None:
        world, name = self._computer.world, self._computer.name
        world.scheduler.at(self._computer.chance.uniform(0.5, 90.0), lambda: world.take(updates, name))
