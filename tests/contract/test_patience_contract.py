"""How often a ledger looks, pushes and waits, what it does when nothing helps, and how a person's word is taken."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from worlds import LEDGER, Machine, MemoryWorld, claim, nothing, submit

from bnet.app.ledger import TRIES, Beat, Diverged, Ledger
from bnet.app.snapshot import NoLedger
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.codec.view import Changes
from bnet.errors import BnetError, Damaged, HubUnreachable, RefusedByPolicy
from bnet.memory import ManualClock, MemoryHub, Repository
from bnet.model.hub import FORMAT, Head
from bnet.ports.hub import Commit, Update
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction


@pytest.fixture
def world() -> MemoryWorld:
    """What is counted here is the same over Git, which takes its time."""
    world = MemoryWorld()
    world.begin()
    return world


def calls(machine: Machine, call: str) -> int:
    """How often a machine has asked its hub for something since it was `watched`."""
    return sum(each == call for each, _ in machine.faults.log)


def watched(machine: Machine) -> Machine:
    machine.faults.log.clear()
    return machine


def beat(machine: Machine) -> Beat:
    files: dict[str, bytes | None] = {"heartbeat.json": b"{}"}
    commit = Commit(
        parent=None, files=files, message="beat", author="s1", at=machine.clock.now(), kind="telemetry"
    )
    [oid] = machine.hub.write([commit])
    return Beat("s1", Update(machine.hub.telemetry_ref("s1"), "", oid))


# -- a look before the push

LOOK_S = 1.0  # what a look costs here


def slow(world: MemoryWorld, meanwhile: Callable[[], object] = lambda: None) -> Machine:
    """Return a machine whose every look takes a second, in which others may act; it has just looked once."""

    def on_look(call: str) -> None:
        machine.clock.sleep(LOOK_S)
        meanwhile()

    machine = world.machine("slow", plan=lambda call: "wait" if call == "look" else "", meanwhile=on_look)
    machine.ledger.refresh()
    return watched(machine)


def test_a_race_that_is_seen_to_be_lost_costs_no_push(world: MemoryWorld) -> None:
    machine, other = slow(world), world.machine("other")
    other.ledger.transact(submit("first"))
    machine.clock.sleep(2 * LOOK_S + 0.1)
    asked: list[int] = []

    def beat_for(tx: Transaction) -> Beat:
        asked.append(tx.seq)
        return beat(machine)

    landed = machine.ledger.transact(submit("second"), beat_for=beat_for)
    assert (landed.tries, machine.ledger.pushes, machine.ledger.conflicts) == (2, 1, 0)
    assert (asked, landed.beat_since) == ([1], landed.since), "the beat went out with the push that came"


def test_over_a_line_where_a_look_takes_as_long_the_push_is_the_question(world: MemoryWorld) -> None:
    machine, other = slow(world), world.machine("other")
    other.ledger.transact(submit("first"))
    machine.clock.sleep(2 * LOOK_S)
    landed = machine.ledger.transact(submit("second"))
    assert (landed.tries, machine.ledger.pushes, machine.ledger.conflicts) == (2, 2, 1)


def test_a_look_that_shows_nothing_new_is_followed_by_the_push(world: MemoryWorld) -> None:
    machine = slow(world)
    machine.clock.sleep(60)
    landed = machine.ledger.transact(submit("job"), beat_for=lambda tx: beat(machine))
    assert (landed.tries, machine.ledger.pushes, calls(machine, "look")) == (1, 1, 1)


def test_with_nothing_to_say_nobody_looks_again(world: MemoryWorld) -> None:
    machine = slow(world)
    machine.clock.sleep(60)
    machine.ledger.transact(nothing)
    assert calls(machine, "look") == 0


def test_after_three_looks_the_push_goes_out_whatever_others_do(world: MemoryWorld) -> None:
    other = world.machine("other")
    busy = [False]

    def overtake() -> None:
        if busy[0]:
            other.ledger.refresh()
            other.ledger.transact(submit("other"))

    machine = slow(world, overtake)
    busy[0] = True

    def decide(tx: Transaction) -> None:
        machine.clock.sleep(60)
        submit("mine")(tx)

    landed = machine.ledger.transact(decide)
    assert (landed.tries, machine.ledger.pushes) == (4, 1)


# -- counts and times


def test_a_ledger_counts_what_it_did(world: MemoryWorld) -> None:
    machine, other = world.machine("a"), world.machine("b")
    ledger = machine.ledger
    assert (ledger.landed, ledger.conflicts, ledger.pushes) == (0, 0, 0)
    other.ledger.transact(submit("other"))
    ledger.transact(submit("one"))
    ledger.transact(submit("two"))
    assert (ledger.landed, ledger.conflicts, ledger.pushes) == (2, 1, 3)


class Extreme(random.Random):
    """Chance that always has it take as long as it may, or as short."""

    def __init__(self, longest: bool) -> None:
        super().__init__(1)
        self.longest = longest

    def uniform(self, a: float, b: float) -> float:
        return b if self.longest else a


class Stopwatch(ManualClock):
    """A clock that stands still, and knows for how long it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.mark.parametrize(
    ("longest", "expected"),
    [(True, [1.0, 2.0, 4.0, *[5.0] * 9]), (False, [0.0] * 12)],
    ids=["longest", "shortest"],
)
def test_the_pause_is_drawn_from_nothing_to_twice_the_last_up_to_five_seconds(
    world: MemoryWorld, longest: bool, expected: list[float]
) -> None:
    other = world.machine("b")

    def cut_in(call: str) -> None:
        other.ledger.refresh()
        other.ledger.transact(submit("other"))

    machine, clock = world.machine("a", push=["wait"] * 99, meanwhile=cut_in), Stopwatch()
    machine.ledger.chance, machine.ledger.clock = Extreme(longest), clock
    with pytest.raises(HubUnreachable):
        machine.ledger.transact(submit("mine"))
    assert clock.pauses == expected
    assert machine.ledger.pushes == TRIES == 12


def test_what_became_of_a_push_is_asked_four_times_with_pauses(world: MemoryWorld) -> None:
    machine = watched(world.machine("a", push=["after"], look=["before"] * 4))
    machine.ledger.chance = Extreme(longest=True)
    with pytest.raises(HubUnreachable):
        machine.ledger.transact(submit("mine"))
    assert (calls(machine, "look"), machine.clock.seconds) == (4, 7.0)


def test_a_look_that_somebody_else_took_is_as_good(world: MemoryWorld) -> None:
    machine = world.machine("a", fresh=False)
    machine.ledger.refresh(machine.hub.look())
    assert machine.ledger.transact(submit("job")).tries == 1


def test_only_what_is_new_is_fetched(world: MemoryWorld) -> None:
    machine, other = watched(world.machine("a", plan=lambda call: "")), world.machine("b")
    machine.ledger.transact(submit("mine"))
    machine.ledger.refresh()
    assert calls(machine, "fetch") == 0, "what we pushed is here"
    other.ledger.transact(submit("other"))
    looks = calls(machine, "look")
    look = machine.ledger.refresh(machine.hub.look())
    assert (calls(machine, "fetch"), calls(machine, "look")) == (1, looks + 1)
    assert look.ledger == machine.ledger.state.tip == machine.hub.known() == world.tip()
    Ledger(watched(machine).hub, machine.clock, "a", random.Random(1)).refresh()
    assert calls(machine, "fetch") == 0, "the last process has left it here"


def test_what_came_on_top_of_our_push_is_fetched_to_find_ours_below_it(world: MemoryWorld) -> None:
    other = world.machine("b")

    def on_top(call: str) -> None:
        other.ledger.refresh()
        other.ledger.transact(submit("other"))

    machine = watched(world.machine("a", push=["after"], look=["wait"], meanwhile=on_top))
    landed = machine.ledger.transact(submit("mine"))
    assert (landed.tries, calls(machine, "fetch")) == (1, 1)
    assert landed.commit == machine.hub.known() == machine.ledger.state.tip


class Vanishing(MemoryHub):
    """A hub whose branch is deleted by somebody as our first push arrives; nothing can be fetched of that."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.is_there = True

    def push(self, updates: Sequence[Update]) -> str | None:
        if self.is_there:
            self.is_there = False
            del self.repository.refs[LEDGER]
        return super().push(updates)

    def fetch(self, tip: str) -> None:
        assert tip, "there is nothing to fetch"


def test_a_branch_that_is_deleted_under_a_push_is_given_back_and_the_push_repeated(
    world: MemoryWorld,
) -> None:
    ledger = Ledger(Vanishing(world.repository), ManualClock(), "a", random.Random(1))
    ledger.refresh()
    landed = ledger.transact(submit("job"))
    assert (landed.tries, landed.commit) == (2, world.tip())


def test_what_we_pushed_is_not_fetched_to_see_that_it_is_there(world: MemoryWorld) -> None:
    machine = watched(world.machine("a", push=["after"]))
    machine.ledger.transact(submit("mine"))
    assert (calls(machine, "look"), calls(machine, "fetch")) == (1, 0)


def test_a_lost_branch_needs_no_fetch(world: MemoryWorld) -> None:
    machine = watched(world.machine("a", plan=lambda call: ""))
    world.move("")
    machine.ledger.refresh()
    assert calls(machine, "fetch") == 0


# -- what is written


def test_a_commit_says_who_decided_when_and_on_what(world: MemoryWorld) -> None:
    machine, before = world.machine("a", actor="s1"), world.tip()
    machine.clock.sleep(90)
    landed = machine.ledger.transact(submit("job"))
    assert landed.commit is not None
    made = world.repository.commits[landed.commit]
    assert (made.parent, made.author, made.at) == (before, "s1", machine.clock.now())
    assert landed.tx.now == machine.clock.now()


def test_a_ledger_knows_its_own_transaction_as_it_would_read_it(world: MemoryWorld) -> None:
    machine = world.machine("a", actor="s1")
    machine.ledger.transact(submit("job"))
    stamp = machine.ledger.snapshot.stamp
    assert stamp == machine.hub.newest_transaction(world.tip())
    assert stamp is not None
    assert (stamp.seq, stamp.next_job, stamp.actor) == (1, 2, "s1")


def test_what_a_person_broke_is_restored_also_where_there_is_nothing_else_to_say(world: MemoryWorld) -> None:
    machine = world.machine("a")
    machine.ledger.transact(submit("job"))
    machine.ledger.transact(claim(1))
    path = layout.job_dir(1) + "claim.json"
    world.person({path: None})
    machine.ledger.refresh()
    landed = machine.ledger.transact(nothing)
    assert landed.commit == world.tip()
    assert world.hub("b").read(world.tip(), [path]).keys() == {path}


# -- a hub that does not want it


class Refusing(MemoryHub):
    """A hub that takes no push for some refs, and says why."""

    def __init__(self, repository: Repository, words: str, refs: str = LEDGER) -> None:
        super().__init__(repository)
        self.words = words
        self.refs = refs
        self.meanwhile: list[Callable[[], object]] = []

    def push(self, updates: Sequence[Update]) -> str | None:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        taken = [each for each in updates if not each.ref.startswith(self.refs)]
        said = super().push(taken)
        return said if len(taken) == len(updates) else self.words


def refused(world: MemoryWorld, words: str, refs: str = LEDGER) -> tuple[Refusing, Machine]:
    hub, clock = Refusing(world.repository, words, refs), ManualClock()
    ledger = Ledger(hub, clock, "a", random.Random(1))
    ledger.refresh()
    return hub, Machine(hub, ledger, clock)


WORDS: dict[str, tuple[type[BnetError], str]] = {
    "remote rejected: protected branch": (RefusedByPolicy, "bnet doctor"),
    "HTTP 403": (RefusedByPolicy, "bnet doctor"),
    "rejected: unpack failed": (RefusedByPolicy, "disk is full"),
    "Permission DENIED": (RefusedByPolicy, "bnet doctor"),
    "connection reset": (HubUnreachable, "tried again"),
}


@pytest.mark.parametrize(("words", "kind", "hint"), [(each, *end) for each, end in WORDS.items()])
def test_two_refusals_while_nobody_moves_are_the_hubs_will(
    world: MemoryWorld, words: str, kind: type[BnetError], hint: str
) -> None:
    _, machine = refused(world, words)
    with pytest.raises(BnetError) as caught:
        machine.ledger.transact(submit("job"))
    assert (type(caught.value), machine.ledger.pushes) == (kind, 2)
    assert words in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_a_refusal_while_others_move_is_a_race_that_was_lost(world: MemoryWorld) -> None:
    hub, machine = refused(world, "rejected")
    other = world.machine("b")
    hub.meanwhile = [lambda: None, lambda: other.ledger.transact(submit("other"))]
    with pytest.raises(RefusedByPolicy):
        machine.ledger.transact(submit("job"))
    assert machine.ledger.pushes == 4, "two more after the one that others overtook"


@pytest.mark.parametrize("decide", [submit("job"), nothing], ids=["beside a transaction", "alone"])
def test_a_heartbeat_that_is_refused_is_told_in_the_hubs_words(world: MemoryWorld, decide: Any) -> None:
    _, machine = refused(world, "rejected: not here", "refs/bnet/")
    landed = machine.ledger.transact(decide, beat_for=lambda tx: beat(machine))
    assert (landed.unheard, landed.beat_since, landed.tries) == ("rejected: not here", None, 1)


def test_a_heartbeat_that_was_taken_is_not_told_as_refused(world: MemoryWorld) -> None:
    machine = world.machine("a")
    assert machine.ledger.transact(nothing).unheard == ""
    assert machine.ledger.transact(submit("job"), beat_for=lambda tx: beat(machine)).unheard == ""
    unsure = world.machine("b", push=["after", "after"])
    assert unsure.ledger.transact(submit("one")).unheard == ""
    unsure = world.machine("c", push=["after"])
    assert unsure.ledger.transact(submit("two"), beat_for=lambda tx: again(unsure, world)).unheard == ""


def again(machine: Machine, world: MemoryWorld) -> Beat:
    """A second heartbeat, on top of what is there."""
    ref = machine.hub.telemetry_ref("s1")
    new = beat(machine).update.new
    return Beat("s1", Update(ref, world.repository.refs[ref], new))


# -- a private copy that is damaged


class Torn(MemoryHub):
    """A hub whose private copy cannot be read until it is made anew."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.torn = 0  # so many times
        self.remade = 0

    def remake(self) -> None:
        super().remake()
        self.remade += 1
        self.torn -= 1

    def changes(self, old: str | None, new: str) -> Changes:
        if self.torn:
            raise Damaged("an object is missing")
        return super().changes(old, new)

    def write(self, commits: Sequence[Commit]) -> list[str]:
        if self.torn:
            raise Damaged("an object is missing")
        return super().write(commits)


def torn(world: MemoryWorld, times: int) -> tuple[Torn, Ledger]:
    hub = Torn(world.repository)
    ledger = Ledger(hub, ManualClock(), "a", random.Random(1))
    ledger.refresh()
    hub.torn = times
    return hub, ledger


def test_a_damaged_copy_is_made_anew_by_a_look(world: MemoryWorld) -> None:
    hub, ledger = torn(world, 1)
    world.machine("b").ledger.transact(submit("job"))
    look = ledger.refresh()
    assert (look.ledger, hub.remade, hub.known()) == (world.tip(), 1, world.tip())
    assert sorted(ledger.state.jobs) == [1]


def test_a_damaged_copy_is_made_anew_by_a_transaction(world: MemoryWorld) -> None:
    hub, ledger = torn(world, 1)
    world.machine("b").ledger.transact(submit("other"))
    landed = ledger.transact(submit("mine"))
    assert (landed.commit, hub.remade) == (world.tip(), 1)
    assert [job.spec.name for job in ledger.state.jobs.values()] == ["other", "mine"]


def test_a_transaction_goes_on_from_a_copy_that_was_made_anew(world: MemoryWorld) -> None:
    hub, ledger = torn(world, 1)
    before, known = world.tip(), list[str]()
    landed = ledger.transact(submit("job"), prepare=lambda tx: known.append(hub.known()))
    assert (landed.commit, landed.tries, hub.remade) == (world.tip(), 1, 1)
    assert known == [before], "what it is based on is in the new copy"


def test_a_copy_that_stays_damaged_is_made_anew_once_and_then_said(world: MemoryWorld) -> None:
    hub, ledger = torn(world, 9)
    world.machine("b").ledger.transact(submit("job"))
    with pytest.raises(Damaged):
        ledger.refresh()
    assert hub.remade == 1


# -- a ledger that went another way, and a person who agrees


def diverged(world: MemoryWorld) -> tuple[Machine, str]:
    """Return a machine that knows one history, and the tip of the hub's other one."""
    machine = world.machine("a")
    machine.ledger.transact(submit("ours"))
    world.move(world.line()[0])
    world.machine("b").ledger.transact(submit("theirs"))
    return machine, world.tip()


def new_epoch(tx: Transaction) -> None:
    tx.epoch += 1
    tx.seq, tx.next_job = tx.seq + 1_000, tx.next_job + 1_000
    tx.apply(Change(verb="adopt", target=f"epoch {tx.epoch}"))


def test_an_adoption_goes_on_from_the_hubs_history_with_a_new_epoch(world: MemoryWorld) -> None:
    machine, theirs = diverged(world)
    stranger = world.machine("c", fresh=False)
    landed = machine.ledger.adopt(new_epoch)
    assert (landed.commit, landed.tries) == (world.tip(), 1)
    assert landed.commit == machine.hub.known()
    assert world.line()[-2:] == [theirs, landed.commit]
    assert [job.spec.name for job in machine.ledger.state.jobs.values()] == ["theirs"]
    assert machine.ledger.state.head.epoch == 1
    stranger.ledger.refresh()
    assert stranger.ledger.state == machine.ledger.state


def test_who_knows_the_history_that_was_given_up_follows_an_adoption_by_itself(world: MemoryWorld) -> None:
    machine = world.machine("a")
    machine.ledger.transact(submit("ours"))
    other = world.machine("d")
    world.move(world.line()[0])
    world.machine("b").ledger.transact(submit("theirs"))
    with pytest.raises(Diverged):
        other.ledger.refresh()
    machine.ledger.adopt(new_epoch)
    other.ledger.refresh()
    assert other.ledger.state == machine.ledger.state


def test_an_adoption_is_for_once(world: MemoryWorld) -> None:
    machine, _ = diverged(world)
    machine.ledger.adopt(new_epoch)
    head = Head(format=FORMAT, hub="x", epoch=1, seq=2_000, next_job=2_000)
    message = "b: more\n\nBnet-Seq: 2000\nBnet-Next-Job: 2000\nBnet-Nonce: z\n"
    world.person({layout.HEAD: encode(head)}, message=message, parent=world.line()[0])
    with pytest.raises(Diverged):
        machine.ledger.refresh()


def no(tx: Transaction) -> None:
    raise BnetError("somebody else was quicker")


def test_an_adoption_that_does_not_come_about_accepts_nothing(world: MemoryWorld) -> None:
    machine, theirs = diverged(world)
    ours = machine.hub.known()
    with pytest.raises(BnetError, match="quicker"):
        machine.ledger.adopt(no)
    assert (machine.hub.known(), world.tip()) == (ours, theirs)
    with pytest.raises(Diverged):
        Ledger(machine.hub, machine.clock, "a", random.Random(1)).refresh()


def test_an_adoption_whose_push_is_lost_accepts_nothing(world: MemoryWorld) -> None:
    machine, theirs = diverged(world)
    ours = machine.hub.known()
    hub = Refusing(world.repository, "rejected")
    hub.accept(ours)
    ledger = Ledger(hub, machine.clock, "a", random.Random(1))
    with pytest.raises(RefusedByPolicy):
        ledger.adopt(new_epoch)
    assert (hub.known(), world.tip()) == (ours, theirs)


def test_a_history_can_be_shown_without_being_accepted(world: MemoryWorld) -> None:
    machine, theirs = diverged(world)
    ours = machine.hub.known()
    machine.ledger.load(theirs)
    assert [job.spec.name for job in machine.ledger.state.jobs.values()] == ["theirs"]
    assert machine.hub.known() == ours


def test_an_equal_epoch_is_not_followed(world: MemoryWorld) -> None:
    machine, _ = diverged(world)
    with pytest.raises(Diverged) as caught:
        machine.ledger.refresh()
    assert "bnet hub adopt" in (caught.value.hint or "")


def test_a_hub_without_a_ledger_says_how_to_make_one() -> None:
    with pytest.raises(NoLedger, match="has no ledger yet") as caught:
        MemoryWorld().machine("a")
    assert "bnet init" in (caught.value.hint or "")
