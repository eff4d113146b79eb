"""What became of commits reaches their repositories, however long nobody takes it or is there to tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from upstream import faults
from worlds import BOB, Machine, MemoryWorld, claim, finish, register

from bnet.app.steward.office import at_once
from bnet.app.steward.results import Results, Told
from bnet.errors import RepositoryUnreachable
from bnet.model.command import RetryJob, Submit
from bnet.model.job import Source
from bnet.ports.outside import CommitStatus
from bnet.rules import settle
from bnet.rules.admit import admit
from bnet.rules.specs import Facts

REPOSITORY = "https://example.org/w"
DAY = 86_400.0


class Far:
    """The repository with its notes, which may be away, and a forge that knows nobody."""

    def __init__(self) -> None:
        self.away = False
        self.notes: list[str] = []

    def annotate(self, address: str, lines: Mapping[str, Mapping[str, str]]) -> None:
        if self.away:
            raise RepositoryUnreachable("it does not answer")
        self.notes += [line.split(",")[0] for row in lines.values() for line in row.values()]

    def knows(self, address: str) -> bool:
        return False

    def tell(self, address: str, commit: str, status: CommitStatus) -> None:
        raise AssertionError("there is no token")


class Net:
    """A hub with a source that wants notes, and servers that come and go."""

    def __init__(self) -> None:
        self.world, self.far = MemoryWorld(), Far()
        self.world.begin()
        text = f"repository: {REPOSITORY}\nsubmit: {{command: make}}\nnotes: true\n"
        self.world.person({"coordination/sources/widgets.yaml": text.encode()}, by=BOB)
        self.told: dict[str, Told] = {}
        self.seconds = 0.0
        self.act("s1").ledger.transact(register("s1"))

    def act(self, name: str) -> Machine:
        machine = self.world.machine(name)
        machine.clock.seconds = self.seconds
        return machine

    def ends(self, commit: str, number: int) -> None:
        """Let a commit's job be asked for and end."""
        ledger = self.act("s1").ledger
        key, where = f"source:widgets:{commit}", Source(repository=REPOSITORY, commit=commit)
        env: dict[str, str | int | float] = {"BNET_SOURCE": "widgets", "BNET_COMMIT": commit}
        asked = Submit(command="make", name="widgets", key=key, env=env, source=where)
        ledger.transact(lambda tx: admit(tx, [asked], by=BOB, facts=Facts()) and None)
        self.run(number)

    def run(self, number: int) -> None:
        ledger = self.act("s1").ledger
        ledger.transact(claim(number))
        ledger.transact(finish(number))

    def archive(self) -> None:
        """Let a day and more go by, and a sync do what is due."""
        self.seconds += DAY + 3700
        self.act("s2").ledger.transact(settle.archive)
        assert not self.act("reader").ledger.state.jobs

    def steward(self, name: str = "s1") -> Results:
        """Return the chore as a process begins it, with what that server has kept."""
        machine = self.act(name)
        far: Any = self.far  # of repositories, notes are all that is asked
        kept = self.told.get(name, Told())
        keep = lambda told: self.told.update({name: told})  # noqa: E731
        return Results(machine.ledger, far, far, machine.clock, name, kept, keep)

    def tells(self, name: str = "s1") -> list[str]:
        """Let a server be the steward for a moment; return what the repository was told meanwhile."""
        before = len(self.far.notes)
        self.steward(name).do(at_once)
        return [" ".join(each.split()[2:4]) for each in self.far.notes[before:]]

    def obstacle(self) -> str:
        found = self.act("reader").ledger.state.seen["widgets"].undelivered
        return "" if found is None else found.reason


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.mark.parametrize("by", ["s1", "s2"])
@pytest.mark.parametrize("home", ["kept", "lost"])
def test_what_could_not_be_told_until_it_was_archived_is_told_once_it_can_be(
    net: Net, by: str, home: str
) -> None:
    net.ends("a" * 40, 1)
    assert net.tells() == ["#1 widgets:"]
    net.ends("b" * 40, 2)
    net.far.away = True
    assert net.tells() == []
    net.archive()
    assert net.tells() == []
    if home == "lost":
        net.told.clear()
    net.far.away = False
    assert "#2 widgets:" in net.tells(by)
    assert net.obstacle() == ""
    assert net.tells(by) == [], "and once"


def test_an_end_without_a_steward_is_told_by_the_next_one(net: Net) -> None:
    net.ends("a" * 40, 1)
    net.archive()
    assert "nobody was the steward" in net.obstacle()
    assert net.tells() == ["#1 widgets:"]
    assert net.obstacle() == "" and net.tells() == []
    assert faults(net.world) == []


def test_one_process_tells_what_was_archived_while_it_waited(net: Net) -> None:
    net.ends("a" * 40, 1)
    net.far.away = True
    chore = net.steward()
    chore.do(at_once)
    net.archive()
    net.far.away = False
    chore._ledger.refresh()
    chore._clock.sleep(2 * 3600)
    chore.do(at_once)
    assert len(net.far.notes) == 1


def test_what_is_owed_for_a_week_is_told_no_more(net: Net) -> None:
    net.ends("a" * 40, 1)
    net.far.away = True
    net.tells()
    net.archive()
    net.seconds += 7 * DAY
    net.far.away = False
    assert net.tells() == [] and net.obstacle() == ""


def test_a_job_that_is_tried_again_after_its_archiving_is_of_its_commit(net: Net) -> None:
    net.ends("a" * 40, 1)
    net.tells()
    archived = net.act("reader").ledger.state.jobs
    net.archive()
    ledger = net.act("s1").ledger
    ledger.transact(
        lambda tx: admit(tx, [RetryJob(job=1)], by=BOB, facts=Facts(archived=dict(archived))) and None
    )
    net.run(2)
    assert "#2 widgets:" in net.tells("s2")
