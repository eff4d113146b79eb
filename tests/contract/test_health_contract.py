"""Health is gathered from a hub by one look: heartbeats and those before them, the archive, pushes, messages."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from worlds import BOB, NOON, GitWorld, Machine, World

from bnet.app.health import Sources, gather
from bnet.app.messages.post import Post
from bnet.app.told.telemetry import AllTold, all_told
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.codec.submission import from_fields
from bnet.health.facts import Facts, Site
from bnet.health.judge import judge
from bnet.health.memory import Memory
from bnet.host.index import LocalIndex
from bnet.host.letters import LetterIndex
from bnet.model.job import Attempt
from bnet.model.server import Heartbeat, Held, Server
from bnet.ports.hub import Commit, Update
from bnet.rules import jobs, servers, settle
from bnet.rules.admit import admit
from bnet.rules.specs import Facts as Looked
from bnet.rules.transaction import Transaction
from bnet.schedule.durations import Durations

NOTHING = Memory()


def beat(
    world: World, name: str, at: datetime, *, holds: bool = False, boot: str = "b", data: bytes = b""
) -> None:
    """Push a heartbeat as a server does."""
    hub = world.hub(f"{name}-pushes")
    before = hub.look().telemetry.get(name, "")
    if before:
        hub.fetch_telemetry([name])
    held = (Held(job=1, attempt=1, run="r", phase="running"),) if holds else ()
    told = Heartbeat(
        server=name,
        instance=name,
        at=at,
        boot_id=boot,
        nonce=uuid.uuid4().hex,
        version="1",
        slots=1,
        runs=held,
    )
    commit = Commit(
        parent=before or None,
        files={"heartbeat.json": data or encode(told)},
        message="heartbeat\n",
        author=name,
        at=at,
        kind="telemetry",
    )
    [oid] = hub.write([commit])
    assert hub.push([Update(hub.telemetry_ref(name), before, oid)]) is None


def register(world: World, *names: str) -> None:
    def decide(tx: Transaction) -> None:
        for name in names:
            me = Server(name=name, instance=name, joined_at=NOON, formats=1)
            tx.apply(servers.register(me, None))

    world.machine("founder").ledger.transact(decide)


def gathered(
    world: World,
    place: Path,
    memory: Memory = NOTHING,
    *,
    later: float = 0.0,
    site: Site | None = None,
    machine: Machine | None = None,
) -> tuple[Facts, Memory]:
    machine = machine or world.machine("reader")
    machine.clock.sleep(later)
    sources = Sources(
        ledger=machine.ledger,
        clock=machine.clock,
        post=Post(machine.hub, LetterIndex(place / "messages.db")),
        index=lambda: LocalIndex(place / "history.db"),
        durations=lambda state: Durations(),
        size=lambda: (None, 0),
        site=lambda state, known: (site, known),
    )
    return gather(sources, memory)


def keys(facts: Facts) -> list[str]:
    return [each.key for each in judge(facts)]


def test_a_server_is_known_by_its_newest_heartbeat_and_those_before(world: World, tmp_path: Path) -> None:
    register(world, "a", "b")
    for minute in (0, 20, 21, 41, 42, 62):
        beat(world, "a", NOON + timedelta(minutes=minute), holds=True)
    facts, _ = gathered(world, tmp_path, later=3780)
    assert [each.at.minute for each in facts.seen["a"].earlier] == [42, 41, 21, 20, 0]
    assert facts.seen["b"].beat is None
    assert keys(facts) == ["server-lost:b", "server-flapping:a"]


def test_what_moves_between_two_looks_is_alive(world: World, tmp_path: Path) -> None:
    register(world, "a")
    beat(world, "a", NOON)
    _, memory = gathered(world, tmp_path)
    beat(world, "a", NOON - timedelta(hours=3))
    facts, memory = gathered(world, tmp_path, memory, later=60)
    assert (facts.seen["a"].least_s, facts.seen["a"].most_s) == (0, 60)
    assert "server-lost:a" not in keys(facts)
    facts, _ = gathered(world, tmp_path, memory, later=3600)
    assert facts.seen["a"].least_s == 3540


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"at": 3}', b"\xff\xfe"])
def test_a_heartbeat_that_cannot_be_read_hides_none_before_it(
    world: World, tmp_path: Path, data: bytes
) -> None:
    register(world, "a")
    beat(world, "a", NOON)
    beat(world, "a", NOON, data=data)
    facts, _ = gathered(world, tmp_path)
    assert facts.seen["a"].beat is not None and keys(facts) == []


def test_a_broken_heartbeat_says_that_its_server_lives_and_nothing_of_clocks(
    world: World, tmp_path: Path
) -> None:
    register(world, "a", "b")
    beat(world, "a", NOON)
    beat(world, "b", NOON + timedelta(hours=3))
    facts, memory = gathered(world, tmp_path, later=10800)
    assert keys(facts) == ["server-lost:a"]
    beat(world, "a", NOON, data=b'{"half')
    facts, _ = gathered(world, tmp_path, memory, later=10860)
    assert (facts.seen["a"].current, facts.seen["b"].current) == (False, True)
    assert keys(facts) == [], "its ref was seen to move a minute ago"


def test_a_ref_without_a_heartbeat_is_no_heartbeat(world: World, tmp_path: Path) -> None:
    register(world, "a")
    hub = world.hub("x")
    commit = Commit(parent=None, files={"other": b"x"}, message="m\n", author="a", at=NOON, kind="telemetry")
    assert hub.push([Update(hub.telemetry_ref("a"), "", hub.write([commit])[0])]) is None
    facts, _ = gathered(world, tmp_path)
    assert facts.seen["a"].beat is None


@pytest.mark.parametrize("what", ["blob", "tree", "tag"])
def test_a_ref_that_is_no_commit_tells_nothing_and_stops_nobody(
    world: World, tmp_path: Path, what: str
) -> None:
    if not isinstance(world, GitWorld):
        return  # in memory, a ref is always at a commit
    register(world, "a")
    blob = world.git("hash-object", "-w", "--stdin", input=b"hi").strip()
    tree = world.git("mktree", input=f"100644 blob {blob}\trunsx\n".encode()).strip()
    tag = f"object {blob}\ntype blob\ntag t\ntagger x <x> 1 +0000\n\nm\n".encode()
    tagged = world.git("hash-object", "-w", "-t", "tag", "--stdin", input=tag).strip()
    world.git("update-ref", "refs/bnet/servers/a", {"blob": blob, "tree": tree, "tag": tagged}[what])
    facts, _ = gathered(world, tmp_path)
    assert facts.seen["a"].beat is None and keys(facts) == []
    machine = world.machine("reader")
    told = all_told(machine.hub, machine.ledger.refresh(), ["a"], AllTold())
    assert told.servers["a"].logs == {}


def fails(world: World, *days: int) -> None:
    """Let a job of one name fail on some days, and archive what is a day old."""
    for day in days:
        at = NOON + timedelta(days=day)
        machine = world.machine("a")
        machine.clock.sleep(day * 86400)

        def decide(tx: Transaction, at: datetime = at) -> None:
            [number] = admit(
                tx, [from_fields({"command": "x", "name": "nightly", "retry": []})], by=BOB, facts=Looked()
            )
            job, server = tx.jobs[number], tx.servers["a"]
            tx.apply(jobs.claim(job, server, run=f"r{number}", token=tx.seq, ttl_s=60, now=at))
            how = Attempt(
                attempt=1,
                server="a",
                run=f"r{number}",
                token=tx.seq,
                result="failure",
                reason="exit",
                finished_at=at,
            )
            tx.apply(jobs.end_attempt(tx.jobs[number], how))
            settle.archive(tx)

        machine.ledger.transact(decide)


def test_jobs_that_are_in_the_archive_by_now_count(world: World, tmp_path: Path) -> None:
    register(world, "a")
    fails(world, 0, 2)
    beat(world, "a", NOON + timedelta(days=2))
    assert keys(gathered(world, tmp_path, later=2 * 86400)[0]) == []
    fails(world, 4)
    beat(world, "a", NOON + timedelta(days=4))
    facts, _ = gathered(world, tmp_path, later=4 * 86400)
    assert len(facts.state.jobs) == 1 and keys(facts) == ["job-failing:nightly"]


def test_pushes_of_the_last_hour_are_counted_where_there_is_a_budget(world: World, tmp_path: Path) -> None:
    world.person({layout.SETTINGS: b"push_budget: 0.05"})
    register(world, "a")
    mine = Server(name="b", instance="b", joined_at=NOON, formats=1)
    world.machine("a").ledger.transact(lambda tx: tx.apply(servers.register(mine, None)))
    for minute in (-90, -50, -20, 0):
        beat(world, "a", NOON + timedelta(minutes=minute))
    facts, _ = gathered(world, tmp_path)
    assert facts.pushes == 4, "three heartbeats, and the transaction of somebody who is no server"
    assert "push-budget" in keys(facts)


def test_a_clock_that_is_ahead_makes_no_more_pushes_than_there_were(world: World, tmp_path: Path) -> None:
    world.person({layout.SETTINGS: b"push_budget: 0.05"})
    register(world, "a")
    for minute in range(0, 300, 30):
        beat(world, "a", NOON + timedelta(hours=3, minutes=minute - 300))
    facts, _ = gathered(world, tmp_path)
    assert facts.pushes == 2 + 1


def test_a_ledger_that_went_another_way_is_judged_as_it_was_known(world: World, tmp_path: Path) -> None:
    register(world, "a")
    before = world.tip()
    register(world, "b")
    machine = world.machine("reader")
    assert gathered(world, tmp_path, machine=machine)[0].diverged == ""
    world.move(before)
    world.person({layout.SETTINGS: b"push_budget: 7"})
    facts, _ = gathered(world, tmp_path, machine=machine)
    assert "diverged" in facts.diverged and set(facts.state.servers) == {"a", "b"}
    assert "hub-diverged" in keys(facts)


def test_a_site_is_as_old_as_it_was_seen_unmoved(world: World, tmp_path: Path) -> None:
    ahead = Site(where="the site", tip="1", built=NOON + timedelta(hours=9))
    facts, memory = gathered(world, tmp_path, site=ahead)
    assert keys(facts) == []
    facts, memory = gathered(world, tmp_path, memory, site=ahead, later=7201)
    assert keys(facts) == ["site-stale"] and judge(facts)[0].sure == "observed"
    behind = Site(where="the site", tip="2", built=NOON - timedelta(hours=9))
    facts, memory = gathered(world, tmp_path, memory, site=behind, later=7260)
    assert keys(facts) == [], "it was published since the last look"
    assert keys(gathered(world, tmp_path, site=behind)[0]) == ["site-stale"]


def test_people_say_what_they_want_to_be_told_of(world: World, tmp_path: Path) -> None:
    world.person({layout.MONITORING: b"failures: 1\n"})
    world.person({layout.MONITORING: b"failures: 1\ndisk: {srv: {}}\n"})
    facts, _ = gathered(world, tmp_path)
    assert facts.monitoring.failures == 1, "what was readable last stays in force"
    [problem] = facts.state.problems
    assert "monitoring.yaml:2" in problem.message and problem.commit == world.tip()
    world.person({layout.MONITORING: None})
    assert gathered(world, tmp_path)[0].monitoring.failures == 3
