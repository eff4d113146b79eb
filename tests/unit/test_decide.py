"""What one server decides in one sync: whose ends count, whose leases are over, and what it may take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.app.server.decide import Here, Left, decide, readable_commands
from bnet.codec.schedules import read_table
from bnet.codec.view import View
from bnet.model.command import CancelJob
from bnet.model.hub import Head, Retention, Settings
from bnet.model.job import Artifact, BuildReport, Cancel, Job, JobResult, JobSpec, RetryRule, Wanted
from bnet.model.run import Intent, RunExit, RunFact
from bnet.model.schedule import Cursor
from bnet.model.server import Accept, Server
from bnet.model.state import InboxFile, KeyEntry, KeyFile, State
from bnet.rules import jobs
from bnet.rules.specs import Facts, Unresolved
from bnet.rules.transaction import Transaction

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ME = Server(name="s1", instance="i1", joined_at=NOW, slots=2)
OTHER = replace(ME, name="s2", instance="i2")
NEVER = RetryRule(limit=0)


def job(number: int = 1, **more: Any) -> Job:
    base = {"number": number, "name": f"j{number}", "command": "x", "submitted_by": "ann"}
    return Job(spec=JobSpec(**(base | {"submitted_at": NOW, "retry": (NEVER,)} | more)))


def held(number: int = 1, by: Server = ME, **more: Any) -> Job:
    [after] = jobs.claim(job(number, **more), by, run=f"r{number}", token=3, ttl_s=60.0, now=NOW).jobs
    return after


def cancelled(one: Job, *, superseded: bool = False, reason: str = "enough") -> Job:
    asked = Cancel(by="ann", at=NOW, reason=reason, superseded=superseded)
    return replace(one, wanted=Wanted(cancel=asked))


def exited(code: int | None = 0, outcome: Any = "exit", number: int = 1, **more: Any) -> RunExit:
    return RunExit(run=f"r{number}", outcome=outcome, finished_at=NOW, exit_code=code, **more)


def fact(phase: Any = "alive", number: int = 1, run: str = "", stop: bool = False, **more: Any) -> RunFact:
    intent = Intent(
        run=run or f"r{number}",
        job=number,
        attempt=1,
        name="j",
        command="x",
        ttl_s=60.0,
        on_lost_lease="stop" if stop else "finish",
    )
    return RunFact(intent=intent, phase=phase, **more)


def tx_of(*there: Job, now: datetime = NOW, **more: Any) -> Transaction:
    base: dict[str, Any] = {
        "tip": "t",
        "head": Head(format=1, hub="h", seq=4, next_job=99),
        "servers": {"s1": ME, "s2": OTHER},
        "jobs": {each.number: each for each in there},
    }
    return Transaction(State(**(base | more)), View(), now)


def here(*facts: RunFact, **more: Any) -> Here:
    base: dict[str, Any] = {
        "me": ME,
        "runs": {each.intent.run: each for each in facts},
        "left": {},
        "lapsed": frozenset(),
        "facts": Facts(),
        "trust_clock": True,
        "most": 0,
        "run_of": lambda number, attempt: f"run-{number}-{attempt}",
    }
    return Here(**(base | more))


def decided(tx: Transaction, known: Here) -> Transaction:
    decide(tx, known)
    return tx


def verbs(tx: Transaction) -> list[str]:
    return [f"{each.verb} {each.target}" for each in tx.changes]


# -- whose end counts


def test_an_end_is_reported_under_the_run_that_holds_the_claim() -> None:
    tx = decided(tx_of(held()), here(fact("ended", exit=exited(0))))
    assert verbs(tx) == ["finish #1"]
    assert tx.jobs[1].claim is None
    [attempt] = tx.jobs[1].attempts
    assert (attempt.run, attempt.token, attempt.server, attempt.attempt) == ("r1", 3, "s1", 1)


PHASES: dict[str, RunFact] = {
    "ended": fact("ended", run="old", exit=exited(0)),
    "died": fact("died", run="old"),
    "was cancelled before it began": fact("intended", run="old"),
    "came too late to begin": fact("intended", run="old", stop=True, lapsed=True),
}


@pytest.mark.parametrize("known", PHASES.values(), ids=PHASES.keys())
def test_a_run_that_was_overtaken_changes_nothing_whatever_became_of_it(known: RunFact) -> None:
    for there in (held(by=OTHER), cancelled(held(by=OTHER)), held()):
        assert verbs(decided(tx_of(there), here(known))) == []
    assert verbs(decided(tx_of(), here(known))) == [], "nor where the job is gone"
    over = replace(job(), result=JobResult(result="success", reason="exit", finished_at=NOW))
    assert verbs(decided(tx_of(over), here(known))) == [], "nor where it has finished"


REPORTS: dict[str, tuple[Job, RunFact, list[str], str | None]] = {
    "it runs": (held(), fact("alive"), [], None),
    "it is about to begin": (held(), fact("intended"), [], None),
    "its processes vanished": (
        held(),
        fact("died"),
        ["finish #1"],
        "its processes vanished from s1",
    ),
    "it was cancelled before it began": (
        cancelled(held()),
        fact("intended"),
        ["finish #1"],
        "it was cancelled before it was started",
    ),
    "it was cancelled and runs": (cancelled(held()), fact("alive"), [], None),
    "the answer to its claim came too late": (
        held(),
        fact("intended", stop=True, lapsed=True),
        ["finish #1"],
        "its lease ran out before it could be started",
    ),
    "the answer came late, and it may overlap": (held(), fact("intended", lapsed=True), [], None),
    "the answer came in time": (held(), fact("intended", stop=True), [], None),
    "its lease ran out while it runs": (held(), fact("alive", stop=True, lapsed=True), [], None),
}


@pytest.mark.parametrize(("one", "known", "told", "message"), REPORTS.values(), ids=REPORTS.keys())
def test_what_is_told_of_a_run(one: Job, known: RunFact, told: list[str], message: str | None) -> None:
    tx = decided(tx_of(one), here(known))
    assert verbs(tx) == told
    if message is not None:
        [attempt] = tx.jobs[1].attempts
        assert (attempt.reason, attempt.message) == ("lost", message)


ENDS: dict[str, tuple[Job, RunExit, tuple[str, str, str | None]]] = {
    "well": (held(), exited(0), ("success", "exit", None)),
    "with a code": (held(), exited(3, message="m"), ("failure", "exit", "m")),
    "without a code": (held(), exited(None, message="not found"), ("failure", "exit", "not found")),
    "too late": (held(), exited(None, "timeout", message="m"), ("timeout", "timeout", "m")),
    "without a word for too long": (held(), exited(None, "silence"), ("timeout", "silence", None)),
    "before it began": (held(), exited(None, "refused", message="m"), ("error", "refused", "m")),
    "by a fault of ours": (held(), exited(None, "internal", message="m"), ("error", "internal", "m")),
    "for its lease": (
        held(),
        exited(None, "lease"),
        ("error", "lost", "it was stopped because its lease ran out"),
    ),
    "as somebody wished": (
        cancelled(held()),
        exited(None, "stopped"),
        ("cancelled", "cancel", "enough"),
    ),
    "as nobody said why": (
        cancelled(held(), reason=""),
        exited(None, "stopped"),
        ("cancelled", "cancel", None),
    ),
    "for newer work": (
        cancelled(held(), superseded=True),
        exited(None, "stopped"),
        ("cancelled", "superseded", "enough"),
    ),
    "as nobody wished": (
        held(),
        exited(None, "stopped", message="m"),
        ("error", "lost", "m"),
    ),
    "as nobody wished, without a word": (
        held(),
        exited(None, "stopped"),
        ("error", "lost", "its supervisor was told to end"),
    ),
    "by itself, though somebody wished it": (cancelled(held()), exited(0), ("success", "exit", None)),
    "well, but for what it should have left": (
        held(),
        exited(0, artifact_problem="no a.whl"),
        ("error", "artifacts", "no a.whl"),
    ),
    "with a code, and left nothing": (
        held(),
        exited(1, artifact_problem="no a.whl"),
        ("failure", "exit", None),
    ),
}


@pytest.mark.parametrize(("one", "how", "end"), ENDS.values(), ids=ENDS.keys())
def test_a_run_that_ended(one: Job, how: RunExit, end: tuple[str, str, str | None]) -> None:
    [attempt] = decided(tx_of(one), here(fact("ended", exit=how))).jobs[1].attempts
    assert (attempt.result, attempt.reason, attempt.message) == end


def file(path: str) -> Artifact:
    return Artifact(path=path, size=1, mode="0644", blake3="0" * 64, place="telemetry:s1:a")


def test_an_attempt_holds_what_the_run_said_and_left() -> None:
    how = exited(4, started_at=NOW - timedelta(seconds=9), seconds=8.5, message="m" * 600)
    left = Left(artifacts=(file("a"),), build=BuildReport(total=3, cached=2))
    tx = decided(tx_of(held()), here(fact("ended", exit=how), left={"r1": left}))
    [attempt] = tx.jobs[1].attempts
    assert (attempt.exit_code, attempt.seconds, attempt.message) == (4, 8.5, "m" * 500)
    assert (attempt.started_at, attempt.finished_at) == (how.started_at, how.finished_at)
    assert (attempt.artifacts, attempt.build) == (left.artifacts, left.build)


def test_more_artifacts_than_a_document_holds_are_an_error_that_says_what_to_do() -> None:
    for count, reason in ((1_000, "exit"), (3_000, "artifacts")):
        left = {"r1": Left(artifacts=tuple(file(f"f{n}") for n in range(count)))}
        [attempt] = decided(tx_of(held()), here(fact("ended", exit=exited(0)), left=left)).jobs[1].attempts
        assert (attempt.reason, len(attempt.artifacts)) == (reason, count if reason == "exit" else 0)
    assert attempt.result == "error"
    assert "pack them into one file" in (attempt.message or "")


# -- what is over


def test_only_the_claims_of_holders_that_were_silent_are_ended() -> None:
    tx = decided(tx_of(held(1, OTHER), held(2, OTHER)), here(lapsed=frozenset({"r1"})))
    assert verbs(tx) == ["finish #1"]


DAY = timedelta(days=1)
WEEK = timedelta(days=8)


@pytest.mark.parametrize("believed", [True, False])
def test_what_the_time_of_day_decides_waits_for_a_clock_that_is_believed(believed: bool) -> None:
    past = replace(job(2), result=JobResult(result="success", reason="exit", finished_at=NOW))
    keys = {"k": KeyFile(keys={"old": KeyEntry(jobs=(1,), at=NOW - 99 * DAY)})}
    tx = tx_of(job(1), past, now=NOW + WEEK, keys=keys)
    decide(tx, here(trust_clock=believed))
    assert verbs(tx) == (["finish #1", "archive #2"] if believed else [])
    assert bool(tx.documents) == believed


def test_keys_and_rejections_are_forgotten_only_beside_something_else_to_say() -> None:
    keys = {"k": KeyFile(keys={"old": KeyEntry(jobs=(1,), at=NOW - 99 * DAY)})}
    assert not decided(tx_of(keys=keys), here()).documents
    assert decided(tx_of(job(), keys=keys), here(most=1)).documents


def test_what_can_never_start_is_ended() -> None:
    from bnet.model.job import Need

    tx = decided(tx_of(job(1, needs=(Need(job=50),))), here())
    assert verbs(tx) == ["finish #1"]


def test_a_registration_is_brought_up_to_date_only_where_it_differs() -> None:
    assert verbs(decided(tx_of(), here())) == []
    assert verbs(decided(tx_of(), here(me=replace(ME, joined_at=NOW + DAY)))) == []
    for change in (
        {"slots": 3},
        {"labels": {"os": "linux"}},
        {"accept": Accept(queues=("q",))},
        {"formats": 2},
        {"version": "9"},
    ):
        assert verbs(decided(tx_of(), here(me=replace(ME, **change)))) == ["update s1"]
    assert verbs(decided(tx_of(servers={}), here())) == [], "to join again is a person's decision"


# -- what it takes


def test_a_claim_is_made_for_the_run_that_was_drawn_with_the_number_of_the_transaction() -> None:
    tx = decided(tx_of(job()), here(most=None))
    claim = tx.jobs[1].claim
    assert claim is not None
    assert (claim.server, claim.instance, claim.run, claim.token) == ("s1", "i1", "run-1-1", tx.seq)
    again = tx_of(replace(job(), attempts=decided(tx_of(held()), here(fact("died"))).jobs[1].attempts))
    claim = decided(again, here(most=None)).jobs[1].claim
    assert claim is not None
    assert (claim.run, claim.attempt) == ("run-1-2", 2)


TTLS: dict[str, tuple[Settings, float]] = {
    "five minutes": (Settings(), 300.0),
    "what the settings say": (Settings(ttl=60.0), 60.0),
    "what the budget asks": (Settings(push_budget=1.0), 360.0),
}


@pytest.mark.parametrize(("settings", "ttl"), TTLS.values(), ids=TTLS.keys())
def test_a_claim_is_honoured_for(settings: Settings, ttl: float) -> None:
    claim = decided(tx_of(job(), settings=settings), here(most=None)).jobs[1].claim
    assert claim is not None
    assert claim.ttl_s == ttl


WAITING = [job(n) for n in range(1, 6)]
DONE = JobResult(result="success", reason="exit", finished_at=NOW)
ROOMS: dict[str, tuple[list[Job], list[RunFact], dict[str, Any], int]] = {
    "all its slots": ([], [], {}, 2),
    "none beside what it holds": ([held(11), held(12)], [], {}, 0),
    "not less for what others hold": ([held(11, OTHER)], [], {}, 2),
    "not less for what has ended": ([replace(held(11), result=DONE)], [], {}, 2),
    "not twice for what it holds and runs": ([held(11)], [fact("alive", 11)], {}, 1),
    "less for what was overtaken and lives": ([], [fact("alive", 11, run="old")], {}, 1),
    "less for what was overtaken by its own next attempt": (
        [held(11)],
        [fact("alive", 11, run="old")],
        {},
        0,
    ),
    "less for what runs on after its job ended": (
        [replace(held(11), result=DONE)],
        [fact("alive", 11)],
        {},
        1,
    ),
    "not less for what was overtaken and has ended": (
        [],
        [fact("ended", 11, run="old", exit=exited())],
        {},
        2,
    ),
    "no more than it was told": ([], [], {"most": 1}, 1),
    "no more than there is, whatever it was told": ([held(11)], [], {"most": 5}, 1),
    "nothing, as it was told": ([], [], {"most": 0}, 0),
}


@pytest.mark.parametrize(("there", "facts", "told", "count"), ROOMS.values(), ids=ROOMS.keys())
def test_a_server_takes(there: list[Job], facts: list[RunFact], told: dict[str, Any], count: int) -> None:
    tx = decided(tx_of(*there, *WAITING), here(*facts, **({"most": None} | told)))
    assert sum(each.verb == "claim" for each in tx.changes) == count


@pytest.mark.parametrize(
    "mine", [None, replace(ME, formats=0), replace(ME, wanted="paused"), replace(ME, wanted="draining")]
)
def test_a_server_that_may_not_work_takes_nothing(mine: Server | None) -> None:
    servers = {"s2": OTHER} | ({} if mine is None else {"s1": mine})
    me = ME if mine is None else mine
    assert verbs(decided(tx_of(job(), servers=servers), here(me=me, most=None))) == []


def test_what_may_not_begin_before_a_time_is_left_to_servers_whose_clock_is_believed() -> None:
    later = job(1, not_before=NOW - DAY)
    assert verbs(decided(tx_of(later), here(most=None, trust_clock=False))) == []
    assert verbs(decided(tx_of(later), here(most=None))) == ["claim #1"]
    assert verbs(decided(tx_of(job()), here(most=None, trust_clock=False))) == ["claim #1"]


def test_what_ended_makes_room_in_the_same_transaction() -> None:
    tx = decided(tx_of(held(1), held(2), job(3)), here(fact("ended", exit=exited()), most=None))
    assert verbs(tx) == ["finish #1", "claim #3"]


# -- the inbox


def asked(text: str, name: str = "coordination/inbox/a.yaml", **more: Any) -> InboxFile:
    base: dict[str, Any] = {"path": name, "text": text.encode(), "by": "ann", "commit": "c" * 40}
    return InboxFile(**(base | more))


def test_a_file_of_the_inbox_is_admitted_and_taken_away() -> None:
    tx = decided(tx_of(inbox=(asked("- submit: {name: n, command: x}\n- submit: {command: y}\n"),)), here())
    assert verbs(tx) == ["submit #99", "submit #100", "admit inbox/a.yaml"]
    assert tx.files == {"coordination/inbox/a.yaml": None}
    assert (tx.changes[-1].note, tx.changes[-1].fields) == ("#99 #100", {"by": "ann"})
    assert tx.jobs[99].spec.submitted_by == "ann"


def test_a_file_of_nobodys_is_of_somebody_unknown() -> None:
    tx = decided(tx_of(inbox=(asked("submit: {command: x}", by=""),)), here())
    assert tx.jobs[99].spec.submitted_by == "unknown"


@pytest.mark.parametrize("ending", ["yaml", "yml", "json", "YAML"])
def test_a_file_of_the_inbox_is_known_by_its_ending(ending: str) -> None:
    tx = decided(
        tx_of(inbox=(asked('{"submit": {"command": "x"}}', f"coordination/inbox/a.{ending}"),)), here()
    )
    assert sorted(tx.jobs) == [99]


REFUSED: dict[str, tuple[InboxFile, str]] = {
    "another ending": (asked("submit: {command: x}", "coordination/inbox/a.txt"), "is no .yaml file"),
    "what is no YAML": (asked("{"), "is no valid YAML"),
    "what is no command": (asked("sing: {}"), "sing"),
    "what cannot be done": (asked("- submit: {command: x}\n- cancel: {job: 7}\n"), "there is no job #7"),
    "what could not be read": (asked("", problem="is over 1 MB"), "is over 1 MB"),
}


@pytest.mark.parametrize(("sent", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_is_set_aside_whole_with_the_reason(sent: InboxFile, why: str) -> None:
    tx = decided(tx_of(inbox=(sent,)), here())
    assert [each.verb for each in tx.changes] == ["reject"]
    assert (tx.jobs, tx.files[sent.path]) == ({}, None)
    [(path, kept)] = [(path, data) for path, data in tx.files.items() if data is not None]
    assert path == "coordination/rejected/a.5.yaml"
    assert why in kept.decode()


@pytest.mark.parametrize(
    "text", ["- submit: {command: x}\n- cancel: {job: 7}\n", "# please\ncancel: {job: 7}\n"]
)
def test_a_fault_is_told_with_its_line(text: str) -> None:
    tx = decided(tx_of(inbox=(asked(text),)), here())
    assert tx.changes[0].note.startswith("line 2: ")


def test_the_commands_that_can_be_read_are_those_to_look_something_up_for() -> None:
    files = (
        asked("cancel: {job: 7}"),
        asked("{", "coordination/inbox/b.yaml"),
        asked("- cancel: {job: 8}\n- cancel: {job: 9}\n", "coordination/inbox/c.yaml"),
    )
    assert readable_commands(files) == [CancelJob(job=number) for number in (7, 8, 9)]


def test_a_file_waits_where_its_repository_does_not_answer() -> None:
    sent = asked("submit: {command: x, source: 'u@v'}")
    for found, told in (
        (Unresolved("away", again=True), []),
        (Unresolved("no such ref"), ["reject inbox/a.yaml"]),
        ("b" * 40, ["submit #99", "admit inbox/a.yaml"]),
    ):
        facts = Facts(commits={("u", "v"): found})
        assert verbs(decided(tx_of(inbox=(sent,)), here(facts=facts))) == told


def test_a_retention_that_is_over_takes_a_finished_job_away() -> None:
    past = replace(job(2), result=replace(DONE, finished_at=NOW - DAY))
    quick = Settings(retention=Retention(finished=60.0))
    assert verbs(decided(tx_of(past, settings=quick), here())) == ["archive #2"]


# -- schedules


def test_a_server_whose_clock_is_not_trusted_fires_nothing_and_takes_no_schedule_in() -> None:
    table = read_table(b"cron: '* * * * *'\nsubmit: {command: x}\n", "s.yaml", "s")
    known = Cursor(until=NOW - timedelta(minutes=1), known={"s": table.entries["s"].version})
    for cursors in ({}, {"s": known}):
        more = {"schedules": {"s": table}, "cursors": cursors}
        assert verbs(decided(tx_of(**more), here(trust_clock=False))) == []
    assert verbs(decided(tx_of(schedules={"s": table}, cursors={"s": known}), here())) == [
        "submit #99",
        "fire s",
    ]


def test_a_schedule_that_is_paused_in_this_very_sync_does_not_fire() -> None:
    table = read_table(b"cron: '* * * * *'\nsubmit: {command: x}\n", "s.yaml", "s")
    known = Cursor(until=NOW - timedelta(minutes=1), known={"s": table.entries["s"].version})
    pause = asked("pause_schedule: {schedule: s, reason: disk}")
    tx = decided(tx_of(schedules={"s": table}, cursors={"s": known}, inbox=(pause,)), here())
    assert verbs(tx) == ["pause-schedule s", "admit inbox/a.yaml", "schedule s"]
