"""What a sync does to the runs of its server, and in which order: nothing begins or goes on without its claim."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.app.ledger import Ledger
from bnet.app.server.cycle import Node
from bnet.app.server.intent import Builder
from bnet.app.server.standing import registration
from bnet.codec import layout
from bnet.codec.documents import decode, encode
from bnet.errors import Taken
from bnet.faults import Fault, FaultyHub, script
from bnet.host.notes import LocalNotes
from bnet.memory import ManualClock, MemoryHub, Repository
from bnet.model.command import Command, Submit
from bnet.model.hub import FORMAT, Head
from bnet.model.job import Attempt, BuildReport, Job, Source
from bnet.model.rollup import Hours
from bnet.model.run import Found, Intent, RunExit, RunFact
from bnet.model.server import Heartbeat, Identity, Return
from bnet.model.state import State
from bnet.model.telemetry import Sent, SentLog
from bnet.ports.hub import Commit, Update
from bnet.ports.machine import Disks
from bnet.rules import jobs, servers
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.schedule.durations import Durations, Sample

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ME = Identity(hub="/srv/hub.git", branch="bnet", name="s1", instance="i1", slots=2)
TTL = 300.0
LEDGER = "refs/heads/bnet"


class Runs:
    """Runs as a test says they are, and a list of all that is asked of them."""

    def __init__(self) -> None:
        self.facts: list[RunFact] = []
        self.asked: list[tuple[Any, ...]] = []
        self.leases_hold = True
        self.on_intend: Callable[[], None] = lambda: None
        self.left: dict[str, bytes] = {}

    def told(self, *verbs: str) -> list[tuple[Any, ...]]:
        return [each for each in self.asked if each[0] in verbs]

    def collect(self) -> list[RunFact]:
        self.asked.append(("collect",))
        return self.facts

    def intend(self, intents: Sequence[Intent]) -> None:
        self.asked.append(("intend", *intents))
        self.on_intend()

    def start(self, key: str, run: str) -> None:
        self.asked.append(("start", key, run))

    def renew(self, key: str, until: float, grace: float, *, revive: bool) -> None:
        self.asked.append(("renew", key, until, grace, revive))

    def holds(self, key: str) -> bool:
        return self.leases_hold

    def stop(self, key: str, reason: str, message: str) -> None:
        self.asked.append(("stop", key, reason, message))

    def settle(self, key: str, note: str) -> None:
        self.asked.append(("settle", key, note))

    def forget(self, key: str) -> None:
        self.asked.append(("forget", key))

    def built(self, key: str) -> BuildReport | None:
        return None

    def log_size(self, key: str) -> int:
        return 0

    def read_log(self, key: str, start: int, end: int) -> bytes:
        return b""

    def kept(self, key: str) -> None:
        return None

    def artifacts(self, key: str) -> dict[str, bytes]:
        return self.left


class Notes(LocalNotes):
    """Notes with figures as a test says they are; without any, there is nothing to be told of this machine."""

    figures: dict[str, float | None] = {}
    full: dict[str, float] = {}
    hang: tuple[str, ...] = ()

    def measure(self) -> dict[str, float | None]:
        return self.figures

    def disks(self, paths: Sequence[str]) -> Disks:
        found = {path: self.full[path] for path in paths if path in self.full}
        return Disks(found, tuple(path for path in paths if path in self.hang))


class Place:
    """A hub, a server on it, and somebody else who commits."""

    def __init__(self, home: Path, **faults: list[Fault]) -> None:
        self.repository, self.clock, self.runs = Repository(), ManualClock(), Runs()
        head = Head(format=FORMAT, hub="x")
        trailers = "Bnet-Seq: 0\nBnet-Next-Job: 1\nBnet-Nonce: 0\n"
        self.by_hand({layout.HEAD: encode(head)}, f"bnet: init\n\n{trailers}")
        self.person = Ledger(MemoryHub(self.repository), self.clock, "ann", random.Random(1))
        self.transact(lambda tx: tx.apply(servers.register(registration(ME, NOW), None)))
        self.looked_up: list[list[Command]] = []
        self.trouble = False
        told = script(faults)
        self.hub = FaultyHub(MemoryHub(self.repository), lambda call: told(call) if self.trouble else "")
        self.notes = Notes(home)
        self.node = Node(
            ME,
            Ledger(self.hub, self.clock, "s1", random.Random(2)),
            self.runs,
            self.notes,
            self.clock,
            self.look_up,
            lambda data: f"{len(data):064}",
            PurePath("/runs"),
            Builder(("bnet",), "/cache"),
        )

    def look_up(self, state: State, commands: Sequence[Command]) -> Facts:
        self.looked_up.append(list(commands))
        return Facts(commits={("u", "v"): "d" * 40})

    def by_hand(self, files: dict[str, bytes | None], message: str = "by hand") -> None:
        parent = self.repository.refs.get(LEDGER)
        commit = Commit(parent=parent, files=files, message=message, author="ann", at=NOW)
        self.repository.refs[LEDGER] = self.repository.put(commit)

    def transact(self, decide: Callable[[Transaction], None]) -> None:
        self.person.refresh()
        self.person.transact(decide)

    def submit(self, **fields: Any) -> None:
        asked = Submit(**({"command": "make", "name": "j"} | fields))
        self.transact(lambda tx: admit(tx, [asked], by="ann", facts=Facts()) and None)

    def wish(self, change: Callable[[Job], Any], number: int = 1) -> None:
        self.transact(lambda tx: tx.apply(change(tx.jobs[number])))

    def claimed(self, **fields: Any) -> RunFact:
        """Let the server claim a job, and return what its run looks like now."""
        self.submit(**fields)
        self.node.cycle()
        [intent] = self.runs.told("intend")[-1][1:]
        self.runs.asked.clear()
        self.clock.sleep(TTL / 3)
        return RunFact(intent=intent, phase="alive")

    def sync(self, *facts: RunFact, **more: Any) -> list[tuple[Any, ...]]:
        """Sync with these runs on the machine, and return what was asked of them."""
        self.runs.facts = list(facts)
        self.runs.asked.clear()
        self.report = self.node.cycle(**more)
        return [each for each in self.runs.asked if each[0] not in ("collect", "intend")]

    @property
    def job(self) -> Job:
        self.person.refresh()
        return self.person.state.jobs[1]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# -- a claim


@pytest.mark.parametrize("waits", ["finish", "stop"])
def test_what_is_claimed_is_written_down_leased_claimed_and_begun_in_this_order(
    place: Place, waits: str
) -> None:
    place.submit(on_lost_lease=waits)
    place.runs.on_intend = lambda: place.runs.asked.append(("the hub has", place.job.state))
    begun = place.clock.boot()
    [renew, start] = place.sync()[1:]
    assert place.runs.told("the hub has") == [("the hub has", "pending")]
    [(_, intent)] = place.runs.told("intend")
    claim = place.job.claim
    assert claim is not None
    assert (intent.run, intent.job, intent.attempt) == (claim.run, 1, claim.attempt)
    assert renew == ("renew", "1.1", begun + TTL * 2 / 3, TTL / 6, waits == "finish")
    assert start == ("start", "1.1", claim.run)
    assert (place.report.started, place.report.held, place.report.waiting) == (1, 1, 0)
    assert (place.report.commit, place.report.beat) == (place.repository.refs[LEDGER], True)


def test_a_claim_whose_answer_came_too_late_to_begin_is_not_begun(place: Place) -> None:
    place.submit()
    place.runs.leases_hold = False
    assert place.sync()[0][0] == "renew"
    assert place.runs.told("start") == []
    assert (place.report.started, place.job.state) == (0, "running")


def test_a_claim_that_another_server_was_quicker_to_make_is_not_begun(tmp_path: Path) -> None:
    place = Place(tmp_path, push=["wait"])
    place.submit()
    other = replace(registration(ME, NOW), name="s2", instance="i2")

    def claim(job: Job) -> Any:
        return jobs.claim(job, other, run="theirs", token=9, ttl_s=TTL, now=NOW)

    place.hub.meanwhile = lambda call: place.wish(claim)
    place.trouble = True
    place.sync()
    assert place.runs.told("start") == []
    assert place.report.started == 0


def test_a_try_that_was_overtaken_claims_under_the_same_run_again(tmp_path: Path) -> None:
    place = Place(tmp_path, push=["wait"])
    place.submit()
    place.hub.meanwhile = lambda call: place.by_hand({"note.txt": b"x"})
    place.trouble = True
    place.sync()
    runs = {intent.run for each in place.runs.told("intend") for intent in each[1:]}
    assert len(place.runs.told("intend")) == 2
    assert [each[2] for each in place.runs.told("start")] == list(runs)


def test_another_attempt_is_another_run_also_where_it_is_decided_in_the_same_sync(tmp_path: Path) -> None:
    place = Place(tmp_path, push=["wait"])
    place.submit()
    other = replace(registration(ME, NOW), name="s2", instance="i2")

    def come_and_go(call: str) -> None:
        place.wish(lambda job: jobs.claim(job, other, run="theirs", token=9, ttl_s=TTL, now=NOW))
        place.wish(lambda job: jobs.lost(job, now=NOW, why="x"))

    place.hub.meanwhile = come_and_go
    place.trouble = True
    place.sync()
    first, second = [each[1] for each in place.runs.told("intend")]
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.run != second.run
    assert place.runs.told("start") == [("start", "1.2", second.run)]


def test_a_claim_that_was_lost_with_a_ledger_is_made_anew_under_another_run(place: Place) -> None:
    place.submit()
    before = place.repository.refs[LEDGER]
    place.sync()
    [(_, first)] = place.runs.told("intend")
    place.repository.refs[LEDGER] = before
    place.hub.remake()
    place.node.ledger.snapshot.forget()
    place.sync()
    [(_, second)] = place.runs.told("intend")
    assert (first.attempt, second.attempt) == (1, 1)
    assert first.run != second.run


def test_each_claim_has_a_run_of_its_own(place: Place) -> None:
    place.submit()
    place.submit()
    place.sync()
    runs = [intent.run for intent in place.runs.told("intend")[0][1:]]
    assert len(set(runs)) == 2
    place.wish(lambda job: jobs.lost(job, now=NOW, why="x"))
    place.sync()
    [(_, again)] = place.runs.told("intend")
    assert (again.job, again.attempt) == (1, 2)
    assert again.run not in runs


def test_a_sync_may_be_told_to_claim_nothing_or_a_few(place: Place) -> None:
    place.submit()
    place.submit()
    place.sync(claim=False)
    assert place.report.started == 0
    place.sync(most=1)
    assert (place.report.started, place.report.waiting) == (1, 1)


def test_a_run_has_its_workspace_in_its_own_directory(place: Place) -> None:
    place.submit(sandbox="bubblewrap")
    place.sync()
    [(_, intent)] = place.runs.told("intend")
    assert "/runs/1.1/workspace" in intent.command


def test_what_commands_refer_to_is_looked_up_where_there_are_any(place: Place) -> None:
    place.sync()
    assert place.looked_up == []
    place.by_hand({layout.INBOX + "a.yaml": b"submit: {command: x, source: 'u@v'}\n"})
    place.sync()
    assert [[each.command for each in asked] for asked in place.looked_up if asked] == [["x"]]
    assert place.job.spec.source == Source(repository="u", ref="v", commit="d" * 40)


# -- what runs here


def test_a_lease_is_extended_from_before_the_push_that_brought_the_heartbeat(place: Place) -> None:
    fact = place.claimed()
    at = place.clock.boot()
    assert place.sync(fact) == [("renew", "1.1", at + TTL * 2 / 3, TTL / 6, True)]
    assert place.report.beat


def test_without_a_heartbeat_no_lease_is_extended(place: Place) -> None:
    fact = place.claimed()
    place.clock.seconds -= TTL / 3
    assert place.sync(fact) == []
    assert not place.report.beat


def test_a_heartbeat_that_was_refused_extends_no_lease(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    fact = place.claimed()
    push = place.hub.inner.push

    def refuse(updates: Sequence[Update]) -> str:
        push([each for each in updates if each.ref == LEDGER])
        return "rejected"

    monkeypatch.setattr(place.hub.inner, "push", refuse)
    assert place.sync(fact) == []
    assert (place.report.beat, place.report.unheard) == (False, "rejected")
    assert "rejected" in place.report.lines()[-1]


def test_what_is_held_and_was_never_begun_is_begun(place: Place) -> None:
    fact = replace(place.claimed(), phase="intended")
    assert place.sync(fact)[1:] == [("start", "1.1", fact.intent.run)]


def test_what_was_written_down_for_a_claim_that_never_landed_is_forgotten(place: Place) -> None:
    fact = replace(place.claimed(), phase="intended")
    other = replace(fact, intent=replace(fact.intent, job=7))
    assert place.sync(other) == [("forget", "7.1")]


def test_what_was_left_by_a_killed_sync_is_not_taken_for_the_run_that_is_claimed_now(place: Place) -> None:
    fact = place.claimed()
    place.wish(lambda job: jobs.lost(job, now=NOW, why="x"))
    left = replace(fact, phase="intended", intent=replace(fact.intent, attempt=2, run="left"))
    asked = place.sync(left)
    assert place.runs.told("forget") == []
    [start] = [each for each in asked if each[0] == "start"]
    assert start[1] == "1.2"
    assert start[2] != "left"


def lose(place: Place) -> None:
    place.wish(lambda job: jobs.lost(job, now=NOW, why="x"))
    place.transact(lambda tx: tx.apply(servers.wish(tx.servers["s1"], "paused", by="ann", why="")))


ALIVE: dict[str, tuple[str, Callable[[Place], None], list[tuple[str, ...]]]] = {
    "it is held": ("stop", lambda place: None, []),
    "it is not held any more, and may finish": ("finish", lose, []),
    "it is not held any more, and may not": (
        "stop",
        lose,
        [("stop", "1.1", "lease", "the claim is not held any more")],
    ),
    "it was cancelled": (
        "finish",
        lambda place: place.wish(lambda job: jobs.cancel(job, by="ann", reason="enough", now=NOW)),
        [("stop", "1.1", "cancel", "enough")],
    ),
}


@pytest.mark.parametrize(("waits", "event", "asked"), ALIVE.values(), ids=ALIVE.keys())
def test_what_runs_is_stopped_or_not_when(
    place: Place, waits: str, event: Callable[[Place], None], asked: list[tuple[str, ...]]
) -> None:
    fact = place.claimed(on_lost_lease=waits)
    event(place)
    assert [each for each in place.sync(fact) if each[0] != "renew"] == asked


@pytest.mark.parametrize(("waits", "asked"), [("stop", 1), ("finish", 0)])
def test_what_runs_for_a_job_that_is_in_no_ledger_is_stopped_if_it_may_not_finish(
    place: Place, waits: Any, asked: int
) -> None:
    intent = replace(intent_of_nothing(), on_lost_lease=waits)
    assert len(place.sync(RunFact(intent=intent, phase="alive"))) == asked


def ended(fact: RunFact) -> RunFact:
    how = RunExit(run=fact.intent.run, outcome="exit", finished_at=NOW, exit_code=0)
    return replace(fact, phase="ended", exit=how)


def test_a_run_is_done_with_once_the_hub_has_its_end_and_its_log(place: Place) -> None:
    fact = ended(place.claimed())
    assert place.sync(fact)[-1] == ("settle", "1.1", "reported")
    assert place.job.state == "finished"


def test_a_run_whose_log_is_not_on_the_hub_yet_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    fact = ended(place.claimed())
    kept = place.notes.keep_sent

    def keep(sent: Sent) -> None:
        kept(replace(sent, runs={key: replace(log, complete=False) for key, log in sent.runs.items()}))

    monkeypatch.setattr(place.notes, "keep_sent", keep)
    place.sync(fact)
    assert place.notes.sent().runs.keys() == {"1.1"}
    assert place.runs.told("settle") == []


def test_an_end_that_the_hub_does_not_have_yet_is_kept_although_its_log_is_there(place: Place) -> None:
    place.by_hand({layout.SETTINGS: b"push_budget: 0.5\n"})
    fact = ended(place.claimed())
    sent = place.notes.sent()
    place.notes.keep_sent(replace(sent, runs={"1.1": SentLog(complete=True)}))
    place.clock.seconds -= TTL / 3 - 1
    assert place.sync(fact) == []
    assert (place.report.wait_s, place.job.state) == (119.0, "running")


def test_a_run_that_was_overtaken_is_put_aside_as_such(place: Place) -> None:
    fact = ended(place.claimed())
    stranger = replace(fact, intent=replace(fact.intent, run="never claimed"))
    place.sync(stranger)
    assert place.runs.told("settle") == [("settle", "1.1", "superseded")]
    assert place.job.state == "running"


def test_what_a_run_left_is_told_with_where_it_is(place: Place) -> None:
    fact = ended(place.claimed(artifacts=("*",)))
    assert fact.exit is not None
    found = tuple(Found(path=path, size=3, mode="0644") for path in ("a.whl", "lost.whl"))
    place.runs.left = {"a.whl": b"abc", "other": b"x"}
    place.sync(replace(fact, exit=replace(fact.exit, artifacts=found)))
    [artifact] = place.job.attempts[0].artifacts
    assert (artifact.path, artifact.size, artifact.mode, artifact.blake3) == ("a.whl", 3, "0644", f"{3:064}")
    assert artifact.place == "telemetry:s1:runs/0000/1.1/artifacts/a.whl"


# -- the order of things


def test_what_is_left_running_is_ended_before_anybody_waits_for_the_hub(tmp_path: Path) -> None:
    place, seen = Place(tmp_path, look=["wait"]), list[int]()
    place.hub.meanwhile = lambda call: seen.append(len(place.runs.told("collect")))
    place.trouble = True
    place.sync()
    assert seen[0] == 1


def test_a_server_that_was_replaced_touches_nothing(place: Place) -> None:
    fact = place.claimed()
    new = registration(replace(ME, instance="i9"), NOW)
    place.transact(lambda tx: tx.apply(servers.register(new, tx.servers["s1"], replace_other=True)))
    before = dict(place.repository.refs)
    with pytest.raises(Taken):
        place.sync(fact)
    assert place.runs.told("start", "stop", "renew", "settle", "forget") == []
    assert place.repository.refs == before


def test_a_server_waits_for_its_turn_in_the_budget_and_still_looks_after_its_runs(place: Place) -> None:
    place.by_hand({layout.SETTINGS: b"push_budget: 0.5\n"})
    fact = place.claimed(on_lost_lease="stop")
    place.clock.seconds -= TTL / 3 - 1
    place.submit()
    place.wish(lambda job: jobs.cancel(job, by="ann", reason="", now=NOW))
    assert place.sync(fact) == [("stop", "1.1", "cancel", "")]
    assert (place.report.wait_s, place.report.commit, place.report.started) == (119.0, None, 0)
    assert place.node.idle_for() is None


# -- rest


def test_snapshots_that_open_jobs_will_run_in_are_named(place: Place) -> None:
    oids = ["a" * 40, "b" * 40]
    for oid in oids:
        place.submit(source=Source(snapshot=oid))
    place.submit(source=Source(repository="u", commit="c" * 40))
    place.submit()
    place.wish(lambda job: jobs.cancel(job, by="ann", reason="", now=NOW), 2)
    place.sync(claim=False)
    assert place.node.snapshots_named() == {oids[0]}


def test_a_network_at_rest_leaves_a_server_alone_until_its_next_heartbeat(place: Place) -> None:
    place.sync()
    assert place.node.idle_for() == 1800.0
    place.clock.sleep(1000)
    assert place.node.idle_for() == 800.0
    place.clock.sleep(2000)
    assert place.node.idle_for() == 0.0


def test_a_network_at_rest_wakes_for_the_next_firing(place: Place) -> None:
    place.by_hand({layout.SCHEDULES + "s.yaml": b"cron: 10 * * * *\nsubmit: {command: x}\n"})
    place.sync()
    assert place.node.idle_for() == 595.0, "a little earlier, for a sync of that minute"
    place.clock.sleep(597)
    assert place.node.idle_for() == 0.0
    place.clock.sleep(3)
    place.sync()
    assert place.report.subject == "s1: submit #1 (s), fire s (#1), claim #1"


def test_a_schedule_that_nobody_has_taken_in_ends_the_rest(place: Place) -> None:
    place.sync()
    place.by_hand({layout.SCHEDULES + "s.yaml": b"cron: 0 0 1 1 *\nsubmit: {command: x}\n"})
    place.node.ledger.refresh()
    assert place.node.idle_for() is None
    place.sync()
    assert place.node.idle_for() == 1800.0
    place.by_hand({layout.SCHEDULES + "s.yaml": None})
    place.node.ledger.refresh()
    assert place.node.idle_for() is None
    place.sync()
    assert place.node.idle_for() is not None


def test_a_network_with_something_open_is_not_at_rest(place: Place) -> None:
    assert place.node.idle_for() is None, "it has not been seen at all"
    place.sync()
    assert place.node.idle_for() is not None
    place.submit()
    place.sync(claim=False)
    assert place.node.idle_for() is None, "a job waits"
    place.wish(lambda job: jobs.cancel(job, by="ann", reason="", now=place.clock.now()))
    place.sync()
    assert place.node.idle_for() is not None
    place.runs.facts = [RunFact(intent=intent_of_nothing(), phase="alive")]
    assert place.node.idle_for() is None, "something runs here"


def intent_of_nothing() -> Intent:
    return Intent(run="r", job=7, attempt=1, name="j", command="x", ttl_s=TTL, on_lost_lease="finish")


def test_what_people_wrote_or_broke_ends_the_rest(place: Place) -> None:
    place.sync()
    assert place.node.idle_for() is not None
    for files in ({layout.INBOX + "a.yaml": b"{"}, {layout.HEAD: None}):
        place.by_hand(files)
        place.node.ledger.refresh()
        assert place.node.idle_for() is None
        place.sync()
        assert place.node.idle_for() is not None


def test_a_server_that_has_to_wait_for_its_turn_is_not_at_rest(place: Place) -> None:
    place.by_hand({layout.SETTINGS: b"push_budget: 0.5\n"})
    place.sync()
    assert place.node.idle_for() is not None
    place.clock.sleep(1)
    place.sync()
    assert (place.report.wait_s, place.node.idle_for()) == (119.0, None)


def test_a_server_that_was_not_seen_on_this_boot_is_not_at_rest(place: Place) -> None:
    place.sync()
    place.clock.boot_name = "boot-2"
    assert place.node.idle_for() is None
    place.clock.boot_name = "boot-1"
    assert place.node.idle_for() is not None
    place.notes.keep_observed(replace(place.notes.observed(), beat_at=None))
    assert place.node.idle_for() is None


def test_a_finished_job_that_is_due_for_the_archive_ends_the_rest(place: Place) -> None:
    place.by_hand({layout.SETTINGS: b"retention: {finished: 600}\n"})
    place.submit()
    place.wish(lambda job: jobs.cancel(job, by="ann", reason="", now=place.clock.now()))
    place.clock.sleep(50)
    place.submit()
    place.wish(lambda job: jobs.cancel(job, by="ann", reason="", now=place.clock.now()), 2)
    place.sync()
    place.clock.sleep(50)
    assert place.node.idle_for() == 500.0


def test_a_report_says_what_there_is_to_say(place: Place) -> None:
    place.sync()
    place.clock.sleep(1)
    place.sync()
    assert (place.report.lines(), place.report.held) == ([], 0)
    place.submit()
    place.sync()
    assert place.report.lines() == ["s1: claim #1"]
    other = replace(registration(ME, NOW), name="s2", instance="i2")
    place.submit()
    place.wish(lambda job: jobs.claim(job, other, run="r", token=9, ttl_s=TTL, now=NOW), 2)
    place.sync()
    assert (place.report.lines(), place.report.held) == ([], 1)
    assert not place.report.draining
    place.transact(lambda tx: tx.apply(servers.wish(tx.servers["s1"], "draining", by="ann", why="")))
    place.sync()
    assert place.report.draining


# -- faster servers


@pytest.fixture
def contest(place: Place) -> Place:
    """Where a server s2 has been much faster with j, and has beaten once."""
    place.transact(lambda tx: tx.apply(servers.register(replace(registration(ME, NOW), name="s2"), None)))
    runs = {"j": {"s1": (Sample(1, 300.0),) * 3, "s2": (Sample(1, 20.0),) * 3}}
    place.node.known = lambda state: Durations(runs=runs)
    beat(place, b"{}")
    return place


def beat(place: Place, text: bytes) -> None:
    files: dict[str, bytes | None] = {"heartbeat.json": text}
    made = Commit(parent=None, files=files, message="beat", author="s2", at=NOW, kind="telemetry")
    place.repository.refs[place.hub.telemetry_ref("s2")] = place.repository.put(made)


def claims(place: Place, *, looks_again_s: float = 1.0, **more: Any) -> list[int]:
    """Sync, and return the jobs that run then; they end."""
    place.node.cycle(looks_again_s=looks_again_s, **more)
    place.person.refresh()
    running = [job for job in place.person.state.jobs.values() if job.state == "running"]
    for job in running:
        place.transact(
            lambda tx, number=job.number: tx.apply(
                jobs.end_attempt(tx.jobs[number], replace(lost_of(tx.jobs[number]), result="success"))
            )
        )
    return [job.number for job in running]


def lost_of(job: Job) -> Attempt:
    return jobs.lost(job, now=NOW, why="").jobs[0].attempts[-1]


def test_a_job_is_left_to_a_faster_server_for_a_moment_but_not_for_ever(contest: Place) -> None:
    contest.submit()
    for _ in range(7):
        assert claims(contest) == []
        contest.clock.sleep(10)
    contest.clock.sleep(10)
    assert claims(contest) == [1]


def test_a_server_that_let_a_job_lie_is_not_waited_for_until_it_moves(contest: Place) -> None:
    contest.submit()
    contest.clock.sleep(80)
    assert claims(contest) == [1]
    contest.submit()
    assert claims(contest) == [2]
    contest.submit()
    beat(contest, b"[]")
    assert claims(contest) == []
    contest.clock.sleep(80)
    assert claims(contest) == [3]


def test_nothing_is_left_to_a_server_that_was_never_seen(contest: Place) -> None:
    del contest.repository.refs[contest.hub.telemetry_ref("s2")]
    contest.submit()
    assert claims(contest) == [1]


def test_nothing_is_left_to_a_server_that_has_not_moved_for_long(contest: Place) -> None:
    for _ in range(30):
        contest.node.cycle()
        contest.clock.sleep(300)
    contest.submit()
    assert claims(contest) == [1]


def test_who_came_for_one_job_takes_it(contest: Place) -> None:
    contest.submit()
    assert claims(contest, most=1) == [1]


# -- figures


def heartbeat(place: Place) -> Heartbeat:
    tip = place.repository.refs["refs/bnet/servers/s1"]
    return decode(Heartbeat, place.repository.trees[tip]["heartbeat.json"])


def test_samples_are_taken_once_a_minute_and_told_with_the_next_heartbeat(place: Place) -> None:
    place.notes.figures, place.notes.full = {"memory_percent": 50.0}, {"home": 40.0}
    place.sync()
    assert [each.memory for each in heartbeat(place).samples] == [50.0]
    for seconds, count in ((30, 1), (30, 2), (59, 2), (1, 3)):
        place.clock.sleep(seconds)
        place.sync()
        assert len(place.notes.sampled().samples) == count
        assert not place.report.beat, "a sample is no reason for a push"
    place.clock.sleep(1800)
    place.sync()
    assert len(heartbeat(place).samples) == 4
    assert heartbeat(place).samples[-1].disk == {"home": 40.0}


def test_what_comes_to_a_threshold_is_told_at_once_and_once(place: Place) -> None:
    place.notes.figures, place.notes.full = {"memory_percent": 50.0}, {"home": 99.0}
    beats = []
    for _ in range(6):
        place.sync()
        beats.append(place.report.beat)
        place.clock.sleep(60)
    assert beats == [True, False, True, False, False, False], "the first one ever, and the third sample"
    place.notes.full = {"home": 50.0}
    beats = []
    for _ in range(4):
        place.sync()
        beats.append(place.report.beat)
        place.clock.sleep(60)
    assert beats == [False, True, False, False]


def test_a_push_budget_holds_for_that_too(place: Place) -> None:
    place.by_hand({layout.SETTINGS: b"push_budget: 0.1"})
    place.notes.figures, place.notes.full = {"memory_percent": 50.0}, {"home": 99.0}
    beats = []
    for _ in range(12):
        place.sync()
        beats.append(place.report.beat)
        place.clock.sleep(60)
    assert beats == [True, *[False] * 9, True, False]


def test_people_say_which_disks_count(place: Place) -> None:
    place.by_hand({layout.MONITORING: b"disk: {/srv: {warning: 10}}\nraise_after: 1"})
    place.notes.figures, place.notes.full = {"memory_percent": 50.0}, {"/srv": 11.0, "/x": 99.0}
    place.sync()
    assert heartbeat(place).samples[-1].disk == {"/srv": 11.0}
    assert place.notes.sampled().told == ("disk:/srv:1",)


def test_a_disk_that_gives_no_answer_is_told_and_over_once_it_does(place: Place) -> None:
    place.by_hand({layout.MONITORING: b"disk: {/srv: {warning: 10}}\nraise_after: 2\nclear_after: 1"})
    place.notes.figures, place.notes.hang = {"memory_percent": 50.0}, ("/srv",)
    place.sync()
    assert place.notes.sampled().told == () and place.node.idle_for() == 60.0, "it has to make sure"
    place.clock.sleep(60)
    place.sync()
    assert place.report.beat and place.notes.sampled().told == ("silent:/srv:1",)
    place.notes.hang, place.notes.full = (), {"/srv": 5.0}
    place.clock.sleep(60)
    place.sync()
    assert place.report.beat and place.notes.sampled().told == ()


def test_a_server_says_when_it_came_back(place: Place) -> None:
    place.sync()
    place.clock.sleep(1800)
    place.sync()
    assert place.report.beat and heartbeat(place).returns == ()
    place.clock.sleep(9000)
    place.sync()
    away = heartbeat(place).at
    assert heartbeat(place).returns == (Return(at=away),)
    place.clock.boot_name = "another"
    place.clock.sleep(1800)
    place.sync()
    anew = heartbeat(place).at
    assert heartbeat(place).returns == (Return(at=away), Return(at=anew, boot=True))
    for _ in range(12):
        place.clock.sleep(9000)
        place.sync()
    told = heartbeat(place).returns
    assert len(told) == 10 and away not in {each.at for each in told}, "those of a day"


def test_an_idle_server_looks_at_itself_now_and_then(place: Place) -> None:
    place.notes.figures = {"memory_percent": 50.0}
    place.sync()
    assert place.node.idle_for() == 600.0
    place.notes.figures = {"memory_percent": 95.0}
    place.clock.sleep(600)
    place.sync()
    assert place.node.idle_for() == 60.0, "it has to make sure"


def days(place: Place) -> dict[str, int]:
    tree = place.repository.trees[place.repository.refs["refs/bnet/servers/s1"]]
    return {
        path: len(decode(Hours, data).hours) for path, data in tree.items() if path.startswith("metrics/")
    }


def test_hours_go_with_the_next_heartbeat_and_leave_after_two_weeks(place: Place) -> None:
    place.notes.figures = {"memory_percent": 50.0}
    place.sync()
    place.clock.sleep(1795)
    place.sync()
    place.clock.sleep(1805)
    place.sync()
    assert place.report.beat and days(place) == {"metrics/2026-11-20.json": 1}
    place.clock.sleep(60)
    place.sync()
    assert not place.report.beat
    for _ in range(16):
        place.clock.sleep(86400)
        place.sync()
    assert sorted(days(place))[0] == "metrics/2026-11-22.json"
    assert len(days(place)) == 14


def test_notes_of_hours_that_are_lost_cost_only_these(place: Place, tmp_path: Path) -> None:
    place.notes.figures = {"memory_percent": 50.0}
    for _ in range(3):
        place.sync()
        place.clock.sleep(3600)
    assert days(place) == {"metrics/2026-11-20.json": 2}
    (tmp_path / "hours.json").write_text("broken")
    (tmp_path / "samples.json").unlink()
    for _ in range(2):
        place.sync()
        place.clock.sleep(3600)
    assert days(place) == {"metrics/2026-11-20.json": 1}
