"""Admission: what commands become, and what they are refused for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from bnet.codec.view import View
from bnet.model.command import (
    CancelJob,
    Command,
    DrainServer,
    PauseServer,
    ResumeServer,
    RetryJob,
    SetPriority,
    Submit,
)
from bnet.model.hub import Head, Settings
from bnet.model.job import Group, Job, JobResult, JobSpec, RetryRule, Source
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules import jobs
from bnet.rules.admit import admit, numbers_of, sources_of
from bnet.rules.jobs import Illegal
from bnet.rules.specs import Facts, Unresolved, slug, source_of
from bnet.rules.transaction import Transaction

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OID = "a" * 40
SERVER = Server(name="s1", instance="i", joined_at=NOW)


def spec(number: int, **more: Any) -> JobSpec:
    base = {"number": number, "name": f"j{number}", "command": "x", "submitted_by": "a", "submitted_at": NOW}
    return JobSpec(**(base | more))


def done(number: int, result: Any = "success", **more: Any) -> Job:
    return Job(spec=spec(number, **more), result=JobResult(result=result, reason="exit", finished_at=NOW))


def running(number: int, **more: Any) -> Job:
    [job] = jobs.claim(Job(spec=spec(number, **more)), SERVER, run="r", token=1, ttl_s=1.0, now=NOW).jobs
    return job


def tx_of(*there: Job, next_job: int = 10) -> Transaction:
    state = State(
        tip="t",
        head=Head(format=1, hub="h", seq=4, next_job=next_job),
        settings=Settings(),
        servers={"s1": SERVER},
        jobs={job.number: job for job in there},
        keys={},
        inbox=(),
        rejected={},
        archive=frozenset(),
        problems=(),
        restore={},
    )
    return Transaction(state, View(), NOW)


def do(tx: Transaction, *commands: Command, facts: Facts | None = None) -> list[int]:
    return admit(tx, commands, by="alice", facts=facts or Facts())


def submitted(facts: Facts | None = None, there: tuple[Job, ...] = (), **fields: Any) -> JobSpec:
    command = msgspec.convert({"command": "make"} | fields, Submit)
    tx = tx_of(*there)
    [number] = do(tx, command, facts=facts)
    return tx.jobs[number].spec


# -- what a submission becomes


def test_a_job_takes_the_next_number_and_says_who_asked() -> None:
    tx = tx_of()
    assert do(tx, Submit(command="make"), Submit(command="test")) == [10, 11]
    assert (tx.next_job, tx.jobs[10].spec.submitted_by, tx.jobs[10].spec.submitted_at) == (12, "alice", NOW)
    assert [(each.verb, each.target) for each in tx.changes] == [("submit", "#10"), ("submit", "#11")]


FIELDS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "a name is made of the command": ({"command": ["pip", "wheel", "re gex"]}, "name", "pip-wheel-re-gex"),
    "numbers in env are texts": ({"env": {"N": 3}}, "env", {"N": "3"}),
    "numbers in labels are texts": ({"labels": {"cpus": 4}}, "labels", {"cpus": "4"}),
    "spans are seconds": ({"timeout": "1h30m"}, "timeout", 5400.0),
    "seconds are seconds": ({"silence_timeout": 90}, "silence_timeout", 90.0),
    "a week by default": ({}, "expires_after", 7 * 86400.0),
    "lost twice by default": ({}, "retry", (RetryRule(limit=2, reasons=("lost",)),)),
    "a plain limit": ({"retry": 3}, "retry", (RetryRule(limit=3),)),
    "a span of codes": (
        {"retry": [{"limit": 1, "exit_code": "64-66"}]},
        "retry",
        (RetryRule(limit=1, exit_codes=(64, 65, 66)), RetryRule(limit=2, reasons=("lost",))),
    ),
    "codes and a reason": (
        {"retry": [{"limit": 1, "exit_code": [1, "3"], "reason": "lost"}]},
        "retry",
        (RetryRule(limit=1, exit_codes=(1, 3), reasons=("lost",)),),
    ),
    "any failure": (
        {"retry": [{"limit": 1, "exit_code": "*"}, {"limit": 0, "reason": ["lost"]}]},
        "retry",
        (RetryRule(limit=1, exit_codes=tuple(range(1, 256))), RetryRule(limit=0, reasons=("lost",))),
    ),
    "a group's name is short for it": ({"group": "deploy"}, "group", Group(name="deploy", limit=1)),
    "free work finishes on a lost lease": ({}, "on_lost_lease", "finish"),
    "a group's stops": ({"group": "deploy"}, "on_lost_lease", "stop"),
    "a lock's stops": ({"locks": ["db"]}, "on_lost_lease", "stop"),
    "unless it says otherwise": ({"locks": ["db"], "on_lost_lease": "finish"}, "on_lost_lease", "finish"),
    "a time in any zone is UTC": (
        {"not_before": "2026-12-24T18:00:00+01:00"},
        "not_before",
        datetime(2026, 12, 24, 17, tzinfo=UTC),
    ),
    "a source that names its commit": (
        {"source": {"repository": "u", "commit": OID}},
        "source",
        Source(repository="u", commit=OID),
    ),
    "a snapshot": ({"source": {"snapshot": OID}}, "source", Source(snapshot=OID)),
}


@pytest.mark.parametrize(("fields", "name", "value"), FIELDS.values(), ids=FIELDS.keys())
def test_a_field_becomes(fields: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(submitted(**fields), name) == value


@pytest.mark.parametrize(
    ("text", "repository", "ref"),
    [
        ("https://h/r.git", "https://h/r.git", "HEAD"),
        ("https://h/r.git@v1", "https://h/r.git", "v1"),
        ("git@h:r.git", "git@h:r.git", "HEAD"),
        ("git@h:r.git@feature/x", "git@h:r.git", "feature/x"),
        ("/srv/r@2", "/srv/r", "2"),
    ],
)
def test_a_source_in_short(text: str, repository: str, ref: str) -> None:
    command = Submit(command="x", source=text)
    assert source_of(command) == Source(repository=repository, ref=ref)
    assert sources_of([command]) == {(repository, ref)}
    found = submitted(Facts(commits={(repository, ref): OID}), source=text).source
    assert found == Source(repository=repository, ref=ref, commit=OID)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("make -j4 all", "make-j4-all"),
        (["./x.sh"], "x.sh"),
        ("ÄÖÜ", "job"),
        ("con", "job"),
        ("a" * 99, "a" * 40),
        ("", "job"),
    ],
)
def test_a_name_from_a_command(command: Any, name: str) -> None:
    assert slug(command) == name


# -- matrices


def test_a_matrix_is_a_job_for_each_combination() -> None:
    tx = tx_of()
    command = Submit(
        command="make",
        name="t",
        matrix={"os": ("linux", "mac"), "py": (3.11, 3.12)},
        labels={"os": "${matrix.os}"},
        env={"PY": "${matrix.py}", "X": "${matrix.none}"},
    )
    assert do(tx, command) == [10, 11, 12, 13]
    specs = [tx.jobs[number].spec for number in (10, 13)]
    assert [each.name for each in specs] == ["t.linux.3-11", "t.mac.3-12"]
    assert specs[0].labels == {"os": "linux"}
    assert specs[0].env == {
        "BNET_MATRIX_OS": "linux",
        "BNET_MATRIX_PY": "3.11",
        "PY": "3.11",
        "X": "${matrix.none}",
    }
    assert specs[0].matrix == {"os": "linux", "py": "3.11"}


def test_a_need_on_a_matrix_is_one_on_each_of_its_jobs() -> None:
    tx = tx_of()
    commands = (
        Submit(command="make", name="t", matrix={"os": ("a", "b")}),
        Submit(command="x", name="u", needs=("t",)),
    )
    do(tx, *commands)
    assert [need.job for need in tx.jobs[12].spec.needs] == [10, 11]


# -- needs


def test_a_name_means_the_newest_job_of_it() -> None:
    there = (done(1, name="lib"), Job(spec=spec(2, name="lib")), Job(spec=spec(3, name="other")))
    assert [need.job for need in submitted(there=there, needs=["lib"]).needs] == [2]


def test_a_later_command_may_need_an_earlier_one() -> None:
    tx = tx_of()
    assert do(tx, Submit(command="x", name="a"), Submit(command="y", name="b", needs=("a",))) == [10, 11]
    assert [need.job for need in tx.jobs[11].spec.needs] == [10]


@pytest.mark.parametrize("ref", [3, "3", {"job": 3, "on": "success"}])
def test_an_archived_need_brings_its_result(ref: Any) -> None:
    [need] = submitted(Facts(archived={3: done(3, "failure")}), needs=[ref]).needs
    assert (need.job, need.on, need.result) == (3, "success", "failure")


def test_the_numbers_that_commands_refer_to() -> None:
    commands = [
        CancelJob(job=1),
        RetryJob(job=2),
        SetPriority(job=3, priority=1),
        PauseServer(server="s1"),
        msgspec.convert({"command": "x", "needs": [4, "5", "name", {"job": 6}]}, Submit),
    ]
    assert numbers_of(commands) == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    "ref", ["²", "٣", "9" * 5000, "1²"], ids=["superscript", "arabic", "5,000 digits", "mixed"]
)
def test_what_only_looks_like_a_number_is_refused_as_any_other(ref: str) -> None:
    command = Submit(command="x", needs=(ref,))
    numbers_of([command])
    with pytest.raises(Illegal, match="needs"):
        do(tx_of(), command)


# -- keys


def test_the_same_key_twice_is_one_job() -> None:
    tx = tx_of()
    command = Submit(command="make", key="k")
    assert do(tx, command) == do(tx, command) == [10]
    assert do(tx, replace(command, key="other")) == [11]
    assert len(tx.jobs) == 2


def test_keys_that_share_a_file_are_all_kept() -> None:
    tx = tx_of()
    keys = [f"k{n}" for n in range(600)]
    numbers = [do(tx, Submit(command="x", name="x", key=key)) for key in keys]
    assert [do(tx, Submit(command="x", name="x", key=key)) for key in keys] == numbers
    assert len(tx.documents) <= 256


# -- superseding


@pytest.mark.parametrize(
    ("supersede", "ended", "stopped"), [("none", [], []), ("waiting", [1], []), ("running", [1], [2])]
)
def test_newer_work_supersedes(supersede: Any, ended: list[int], stopped: list[int]) -> None:
    group = Group(name="g")
    there = (
        Job(spec=spec(1, group=group)),
        running(2, group=group),
        Job(spec=spec(3, group=Group(name="h"))),
        done(4, group=group),
    )
    tx = tx_of(*there)
    do(tx, Submit(command="x", group="g", supersede=supersede))
    found = [job for job in tx.jobs.values() if job.number < 4]
    assert [job.number for job in found if job.state == "finished"] == ended
    assert [
        job.number for job in found if job.state == "running" and job.wanted.cancel is not None
    ] == stopped
    assert tx.jobs[10].state == "pending"


# -- other verbs


def test_a_retry_is_a_new_job_like_the_old_one() -> None:
    old = done(3, "failure", name="n", labels={"os": "x"}, key="k", not_before=NOW, env={"A": "1"})
    tx = tx_of(next_job=10)
    [number] = do(tx, RetryJob(job=3), facts=Facts(archived={3: old}))
    made = tx.jobs[number].spec
    assert (number, made.retry_of, made.name, made.labels, made.env) == (10, 3, "n", {"os": "x"}, {"A": "1"})
    assert (made.key, made.not_before, made.needs, made.submitted_by) == (None, None, (), "alice")


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (PauseServer(server="s1", reason="r"), "paused"),
        (DrainServer(server="s1"), "draining"),
        (ResumeServer(server="s1"), "active"),
    ],
)
def test_a_server_is_wished(command: Command, wanted: str) -> None:
    tx = tx_of()
    do(tx, command)
    assert tx.servers["s1"].wanted == wanted


# -- refusals

GONE = Facts(commits={("u", "v"): Unresolved("no such ref")})
REFUSALS: dict[str, tuple[Command, str, Facts]] = {
    "a job that is not there": (CancelJob(job=99), "no job #99", Facts()),
    "a retry of what runs": (RetryJob(job=2), "#2 is running", Facts()),
    "a retry of what waits": (RetryJob(job=1), "#1 is pending", Facts()),
    "a cancel of what is over": (CancelJob(job=3), "already finished", Facts()),
    "a priority of what is over": (SetPriority(job=3, priority=1), "already finished", Facts()),
    "a cancel of what is archived": (CancelJob(job=4), "already finished", Facts(archived={4: done(4)})),
    "a server that is not there": (PauseServer(server="s9"), "no server s9; the servers are: s1", Facts()),
    "an empty command": (Submit(command=" "), "empty", Facts()),
    "an empty list": (Submit(command=()), "empty", Facts()),
    "an empty first word": (Submit(command=("", "x")), "empty", Facts()),
    "a NUL": (Submit(command="a\0"), "NUL", Facts()),
    "a need that is not there": (Submit(command="x", needs=(99,)), "no job #99", Facts()),
    "a need by a name of nobody": (Submit(command="x", needs=("zz",)), "no job named zz", Facts()),
    "itself as a need": (Submit(command="x", name="self", needs=("self",)), "no job named self", Facts()),
    "an odd variable": (Submit(command="x", env={"A-B": "1"}), "'A-B'", Facts()),
    "a variable with a NUL": (Submit(command="x", env={"A": "\0"}), "NUL", Facts()),
    "an axis without values": (Submit(command="x", matrix={"a": ()}), "without values", Facts()),
    "too many combinations": (
        Submit(command="x", matrix=dict.fromkeys("abc", (1, 2, 3, 4, 5, 6, 7))),
        "256",
        Facts(),
    ),
    "a group that is no name": (Submit(command="x", group="A B"), "'A B' is no name", Facts()),
    "a ref that is not there": (
        Submit(command="x", source="u@v"),
        "u@v cannot be resolved: no such ref",
        GONE,
    ),
    "a source of nothing": (Submit(command="x", source=Source(ref="v")), "name a repository", Facts()),
    "a short commit": (
        Submit(command="x", source=Source(repository="u", commit="abc")),
        "no full commit id",
        Facts(),
    ),
    "a time without a zone": (Submit(command="x", not_before="2026-12-24T18:00:00"), "no time zone", Facts()),
    "no time": (Submit(command="x", not_before="tomorrow"), "no time", Facts()),
    "an exit code that is none": (
        msgspec.convert({"command": "x", "retry": [{"limit": 1, "exit_code": "many"}]}, Submit),
        "'many'",
        Facts(),
    ),
    "a span that runs backwards": (
        msgspec.convert({"command": "x", "retry": [{"limit": 1, "exit_code": "78-64"}]}, Submit),
        "78-64",
        Facts(),
    ),
    "a span without end": (
        msgspec.convert({"command": "x", "retry": [{"limit": 1, "exit_code": "0-9999"}]}, Submit),
        "0-9999",
        Facts(),
    ),
    "a reason that is none": (
        msgspec.convert({"command": "x", "retry": [{"limit": 1, "reason": "boredom"}]}, Submit),
        "boredom",
        Facts(),
    ),
    "a device's name": (Submit(command="x", name="nul"), "'nul' is no name", Facts()),
    "a name too long for its matrix": (
        Submit(command="x", name="n" * 60, matrix={"a": ("longer",)}),
        "no name",
        Facts(),
    ),
}


@pytest.mark.parametrize(("command", "words", "facts"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_command_is_refused_for(command: Command, words: str, facts: Facts) -> None:
    with pytest.raises(Illegal, match=words):
        do(tx_of(Job(spec=spec(1)), running(2), done(3)), command, facts=facts)


def test_commands_are_admitted_all_or_none() -> None:
    tx = tx_of(Job(spec=spec(1)))
    before = (dict(tx.jobs), tx.next_job)
    with pytest.raises(Illegal) as caught:
        do(tx, Submit(command="x", key="k"), CancelJob(job=1), CancelJob(job=99), PauseServer(server="s1"))
    assert caught.value.command == 2
    assert (tx.jobs, tx.next_job, tx.changes, tx.documents, tx.files) == (*before, [], {}, {})
    assert tx.servers["s1"].wanted == "active"


def test_a_transaction_goes_on_after_a_refusal() -> None:
    tx = tx_of()
    with pytest.raises(Illegal):
        do(tx, Submit(command="x"), CancelJob(job=99))
    assert do(tx, Submit(command="y")) == [10]
