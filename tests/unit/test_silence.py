"""When a server counts as gone, what of its is ended then, and who may go on under a name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.app.server.silence import LEAST_PAUSE, LOOKS, MOST_PAUSE, end_claims, wait_for_silence
from bnet.app.server.standing import Telemetry, alone_after, check_registration, registration, ttl_of
from bnet.codec.documents import encode
from bnet.codec.view import View
from bnet.errors import HubUnreachable, Taken
from bnet.host.notes import LocalNotes
from bnet.memory import ManualClock, MemoryHub, Repository
from bnet.model.hub import FORMAT, Head, Intervals, Settings
from bnet.model.job import Job, JobResult, JobSpec
from bnet.model.server import Accept, Heartbeat, Identity, Server
from bnet.model.state import State
from bnet.model.telemetry import Sent
from bnet.ports.hub import Commit
from bnet.rules import jobs
from bnet.rules.transaction import Transaction

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
S1 = Server(name="s1", instance="i1", joined_at=NOW)
S2 = Server(name="s2", instance="i2", joined_at=NOW)
REF = "refs/bnet/servers/s1"


class Clock(ManualClock):
    """A clock on which things happen while somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self.events: dict[int, Any] = {}

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.pauses.append(seconds)
        self.events.get(len(self.pauses), lambda: None)()


def held(number: int, by: Server = S1, ttl_s: float = 60.0) -> Job:
    spec = JobSpec(number=number, name="j", command="x", submitted_by="a", submitted_at=NOW)
    [after] = jobs.claim(Job(spec=spec), by, run=f"r{number}", token=1, ttl_s=ttl_s, now=NOW).jobs
    return after


def over(number: int, by: Server = S1) -> Job:
    return replace(held(number, by), result=JobResult(result="success", reason="exit", finished_at=NOW))


def state_of(*there: Job, **settings: Any) -> State:
    return State(
        tip="t",
        head=Head(format=1, hub="h", seq=4, next_job=99),
        settings=Settings(**settings),
        servers={"s1": S1, "s2": S2},
        jobs={each.number: each for each in there},
    )


def beat(repository: Repository, data: bytes = b"{}", ref: str = REF, at: datetime = NOW) -> str:
    """Let a server's ref move; return its commit."""
    files: dict[str, bytes | None] = {"heartbeat.json": data, "runs/0000/1.1/log.0": b"x"}
    commit = Commit(parent=None, files=files, message="beat", author="s1", at=at, kind="telemetry")
    repository.refs[ref] = repository.put(commit)
    return repository.refs[ref]


# -- silence

WATCHES: dict[str, tuple[State, float]] = {
    "what the settings say": (state_of(ttl=30.0), 30.0),
    "a time that is no number of equal pauses": (state_of(ttl=605.0), 605.0),
    "what claims get by themselves": (state_of(), 300.0),
    "the longest of its claims": (state_of(held(1), held(2, ttl_s=90.0), ttl=30.0), 90.0),
    "not those of others": (state_of(held(1, S2, 900.0), ttl=30.0), 30.0),
    "not those that are over": (state_of(over(1), ttl=30.0), 30.0),
}


@pytest.mark.parametrize(("state", "ttl"), WATCHES.values(), ids=WATCHES.keys())
@pytest.mark.parametrize("reports", [True, False], ids=["it reported once", "it never reported"])
def test_a_server_is_gone_once_it_was_seen_unmoved_for(state: State, ttl: float, reports: bool) -> None:
    clock, repository = Clock(), Repository()
    if reports:
        beat(repository)
    begun, told = clock.boot(), list[tuple[float, float]]()
    wait_for_silence(MemoryHub(repository), clock, state, "s1", lambda *seen: told.append(seen))
    assert clock.boot() - begun == pytest.approx(ttl)
    assert {each[1] for each in told} == {ttl}
    assert [each[0] for each in told] == sorted({each[0] for each in told})
    assert (told[0][0], told[-1][0] < ttl) == (0.0, True)


def test_who_was_silent_is_told_with_the_runs_that_it_held_then() -> None:
    state = state_of(held(1), held(2, S2), held(3), over(4), ttl=30.0)
    found = wait_for_silence(MemoryHub(Repository()), Clock(), state, "s1", lambda *seen: None)
    assert found == {"r1", "r3"}


@pytest.mark.parametrize(("ttl", "pause"), [(3.0, LEAST_PAUSE), (60.0, 60.0 / LOOKS), (9000.0, MOST_PAUSE)])
def test_the_hub_is_asked_neither_too_often_nor_too_seldom(ttl: float, pause: float) -> None:
    clock = Clock()
    wait_for_silence(MemoryHub(Repository()), clock, state_of(ttl=ttl), "s1", lambda *seen: None)
    assert max(clock.pauses) == pytest.approx(pause)
    assert clock.pauses[0] == pytest.approx(pause)
    assert (LEAST_PAUSE, MOST_PAUSE, LOOKS) == (0.2, 10.0, 30)


@pytest.mark.parametrize("first", [True, False], ids=["again", "for the first time"])
@pytest.mark.parametrize("look", [1, 29], ids=["at once", "in the last moment"])
def test_a_server_that_moves_meanwhile_lives(first: bool, look: int) -> None:
    clock, repository = Clock(), Repository()
    if first:
        beat(repository)
    clock.events[look] = lambda: beat(repository, b"{ }")
    with pytest.raises(Taken, match="server s1 lives"):
        wait_for_silence(MemoryHub(repository), clock, state_of(ttl=30.0), "s1", lambda *seen: None)
    assert len(clock.pauses) == look


def test_a_server_is_not_alive_because_another_one_moves() -> None:
    clock, repository = Clock(), Repository()
    clock.events = {n: lambda n=n: beat(repository, b"%d" % n, REF[:-1] + "2") for n in range(50)}
    wait_for_silence(MemoryHub(repository), clock, state_of(ttl=30.0), "s1", lambda *seen: None)


# -- what is ended then


def tx_of(*there: Job) -> Transaction:
    return Transaction(state_of(*there), View(), NOW)


def test_all_that_a_gone_server_held_is_lost_and_nothing_else() -> None:
    waiting = replace(held(5), claim=None)
    tx = tx_of(held(1), held(2, S2), held(3), over(4), waiting)
    assert end_claims(tx, "s1", "it was replaced") == [1, 3]
    states = ["pending", "running", "pending", "finished", "pending"]
    assert [job.state for job in tx.jobs.values()] == states
    [attempt] = tx.jobs[1].attempts
    assert (attempt.reason, attempt.message, attempt.finished_at) == ("lost", "it was replaced", NOW)


def test_what_the_new_instance_holds_by_now_stays() -> None:
    new = replace(S1, instance="i9")
    tx = tx_of(held(1), held(2, new))
    assert end_claims(tx, "s1", "", but="i9") == [1]
    assert tx.jobs[2].state == "running"


def test_a_server_that_has_claimed_meanwhile_lives_although_its_heartbeats_are_refused() -> None:
    tx = tx_of(held(1), held(2))
    with pytest.raises(Taken, match="lives"):
        end_claims(tx, "s1", "", silent={"r1"})
    assert end_claims(tx_of(held(1), held(2)), "s1", "", silent={"r1", "r2", "r3"}) == [1, 2]
    assert end_claims(tx_of(held(1, S2)), "s1", "", silent=set()) == []


# -- who it is

ME = Identity(
    hub="h",
    branch="bnet",
    name="s1",
    instance="i1",
    slots=3,
    labels={"os": "linux"},
    accept=Accept(queues=("q",)),
)


def test_a_server_describes_itself() -> None:
    found = registration(ME, NOW)
    told = (found.name, found.instance, found.slots, found.labels, found.accept, found.joined_at)
    assert told == ("s1", "i1", 3, {"os": "linux"}, ME.accept, NOW)
    assert (found.formats, bool(found.version)) == (FORMAT, True)


@pytest.mark.parametrize(
    ("settings", "ttl", "alone"),
    [
        ({}, 300.0, 2700.0),
        ({"ttl": 60.0}, 60.0, 2700.0),
        ({"push_budget": 1.0}, 360.0, 2700.0),
        ({"ttl": 60.0, "intervals": Intervals(idle_heartbeat=10.0)}, 60.0, 60.0),
    ],
)
def test_how_long_a_claim_and_how_long_a_name_are_honoured(
    settings: dict[str, Any], ttl: float, alone: float
) -> None:
    state = state_of(**settings)
    assert (ttl_of(state), alone_after(state)) == (ttl, alone)


def test_a_server_that_was_removed_or_replaced_does_nothing_more() -> None:
    check_registration(ME, {"s1": S1, "s2": S2})
    with pytest.raises(Taken, match="not in the network any more"):
        check_registration(ME, {"s2": S2})
    with pytest.raises(Taken, match="another machine has joined as s1"):
        check_registration(ME, {"s1": replace(S1, instance="i9")})


# -- whose telemetry it is


class Away(MemoryHub):
    """A hub that does not answer when telemetry is fetched."""

    def fetch_telemetry(self, servers: Any) -> None:
        raise HubUnreachable("no answer")


def heartbeat(boot_id: str = "boot-1", instance: str = "i1") -> bytes:
    return encode(
        Heartbeat(server="s1", instance=instance, at=NOW, boot_id=boot_id, nonce="n", version="1", slots=1)
    )


class Place:
    """A server's ref, and its notes of what it sent."""

    def __init__(self, home: Path, kind: type[MemoryHub] = MemoryHub) -> None:
        self.repository, self.clock, self.notes = Repository(), Clock(), LocalNotes(home)
        self.hub = kind(self.repository)
        self.telemetry = Telemetry(ME, self.hub, self.notes, self.clock)

    def sent(self) -> Sent:
        return self.telemetry.sent(self.hub.look(), 60.0)


def test_what_the_notes_say_is_ours(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.sent().tip == ""
    tip = beat(place.repository)
    place.notes.keep_sent(Sent(tip=tip, length=7))
    assert place.sent() == Sent(tip=tip, length=7)


def test_what_was_made_on_this_very_boot_is_ours_without_notes(tmp_path: Path) -> None:
    place = Place(tmp_path)
    tip = beat(place.repository, heartbeat())
    found = place.sent()
    assert (found.tip, list(found.runs)) == (tip, ["1.1"])
    assert found.runs["1.1"].ended_at == place.clock.now()


STRANGERS: dict[str, bytes] = {
    "another boot": heartbeat(boot_id="boot-2"),
    "another instance": heartbeat(instance="i9"),
    "no heartbeat that can be read": b"{",
}


@pytest.mark.parametrize("data", STRANGERS.values(), ids=STRANGERS.keys())
def test_another_ones_telemetry_is_ours_once_it_did_not_move_for_as_long_as_that_takes(
    tmp_path: Path, data: bytes
) -> None:
    place = Place(tmp_path)
    tip = beat(place.repository, data)
    for _ in range(3):
        with pytest.raises(Taken, match="one is a copy of the other") as caught:
            place.sent()
        assert "60 s" in (caught.value.hint or "")
        place.clock.sleep(20)
    assert place.sent().tip == tip


def test_a_copy_that_moves_stays_a_copy(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for number in range(9):
        beat(place.repository, heartbeat(boot_id=f"b{number}"))
        with pytest.raises(Taken):
            place.sent()
        place.clock.sleep(20)


def test_a_hub_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path, Away)
    beat(place.repository, heartbeat())
    with pytest.raises(Taken):
        place.sent()
