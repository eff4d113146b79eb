"""Admission: what commands become, and what they are refused for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from bnet.codec.documents import encode
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
from bnet.model.hub import Head
from bnet.model.job import Group, Job, JobResult, JobSpec, Need, RetryRule, Source
from bnet.model.server import Server
from bnet.model.state import KeyEntry, KeyFile, State
from bnet.rules import jobs
from bnet.rules.admit import LARGEST_JOB, admit, numbers_of, sources_of
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


def tx_of(*there: Job, next_job: int = 10, keys: Mapping[str, KeyFile] | None = None) -> Transaction:
    state = State(
        tip="t",
        head=Head(format=1, hub="h", seq=4, next_job=next_job),
        servers={"s1": SERVER},
        jobs={job.number: job for job in there},
        keys=dict(keys or {}),
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
    told = [(each.verb, each.target, each.note, each.fields) for each in tx.changes]
    assert told == [
        ("submit", "#10", "make", {"by": "alice", "name": "make"}),
        ("submit", "#11", "test", {"by": "alice", "name": "test"}),
    ]


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


LOST = RetryRule(limit=2, reasons=("lost",))
CODES: dict[Any, tuple[int, ...] | None] = {
    "7": (7,),
    7: (7,),
    "-15": (-15,),
    "64-64": (64,),
    "0-255": tuple(range(256)),
    "0-256": None,
    "1-257": None,
    "65-64": None,
    "1-2-3": None,
}


@pytest.mark.parametrize(("asked", "codes"), CODES.items())
def test_exit_codes_are_numbers_and_spans_of_up_to_256(asked: Any, codes: tuple[int, ...] | None) -> None:
    retry = [{"limit": 1, "exit_code": asked}]
    if codes is None:
        with pytest.raises(Illegal, match="is no exit code"):
            submitted(retry=retry)
    else:
        assert submitted(retry=retry).retry == (RetryRule(limit=1, exit_codes=codes), LOST)


@pytest.mark.parametrize("reason", ["timeout", "silence", "artifacts", "internal", "exit"])
def test_what_is_lost_is_tried_again_beside_any_other_reason(reason: str) -> None:
    rules = submitted(retry=[{"limit": 1, "reason": reason}]).retry
    assert rules == (RetryRule(limit=1, reasons=(reason,)), LOST)


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
        ("@v1", "@v1", "HEAD"),
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


EVERY: dict[str, Any] = {
    "command": ("make", "all"),
    "name": "n",
    "queue": "q",
    "priority": 2,
    "labels": {"os": "linux"},
    "env": {"A": "1"},
    "secrets": ("TOKEN",),
    "sandbox": "podman",
    "image": "debian",
    "timeout": 60.0,
    "silence_timeout": 30.0,
    "group": Group(name="g", limit=3),
    "supersede": "waiting",
    "locks": ("db",),
    "artifacts": ("*.whl",),
    "reproduce": 2,
    "expires_after": 90.0,
    "on_lost_lease": "finish",
    "key": "k",
}


def test_every_field_of_a_submission_is_one_of_its_job() -> None:
    tx = tx_of()
    [number] = do(tx, Submit(**EVERY))
    made = tx.jobs[number].spec
    assert {name: getattr(made, name) for name in EVERY} == EVERY
    same = set(JobSpec.__struct_fields__) & set(Submit.__struct_fields__)
    elsewhere = {"packages", "needs", "source", "retry", "matrix", "not_before"}
    elsewhere |= {"inputs", "when", "environment", "pipeline"}  # tests/unit/test_pipelines.py
    assert same == EVERY.keys() | elsewhere, "those have tests of their own"


def test_packages_are_built_by_bnet_itself() -> None:
    source = Source(repository="u", commit=OID)
    made = submitted(command=(), packages=["lib", "tool"], source={"repository": "u", "commit": OID})
    assert (made.command, made.packages, made.name, made.source) == (
        (),
        ("lib", "tool"),
        "build-lib-tool",
        source,
    )


PACKAGES: dict[str, tuple[dict[str, Any], str]] = {
    "a command besides": ({"command": "make"}, "either a command or packages"),
    "no tree": ({"source": None}, "name its source"),
    "an image that lacks bnet": ({"sandbox": "podman"}, "which the image lacks"),
    "an option": ({"packages": ("-x",)}, "'-x' names no package"),
    "nothing": ({"packages": ("",)}, "'' names no package"),
    "a line end": ({"packages": ("a\nb",)}, "names no package"),
}


@pytest.mark.parametrize(("fields", "words"), PACKAGES.values(), ids=PACKAGES.keys())
def test_packages_are_refused_for(fields: dict[str, Any], words: str) -> None:
    base = {"packages": ("lib",), "source": Source(snapshot=OID)}
    with pytest.raises(Illegal, match=words):
        do(tx_of(), Submit(**(base | fields)))


def test_only_what_names_no_commit_has_to_be_looked_up() -> None:
    sources = (
        None,
        Source(repository="w", commit=OID),
        Source(snapshot=OID),
        Source(repository="u"),
        Source(repository="u", ref="v1"),
    )
    asked = [Submit(command="x", source=each) for each in sources]
    assert sources_of([*asked, CancelJob(job=1)]) == {("u", "HEAD"), ("u", "v1")}
    found = submitted(Facts(commits={("u", "HEAD"): OID}), source={"repository": "u"}).source
    assert found == Source(repository="u", commit=OID)


def test_a_source_that_was_not_looked_up_is_no_source() -> None:
    with pytest.raises(Illegal, match="u@HEAD cannot be resolved: it was not looked up"):
        submitted(source={"repository": "u"})


HARMFUL = [
    Source(repository="--upload-pack=x", ref="v"),
    Source(repository="ext::sh -c x", ref="v"),
    Source(repository="u", ref="-x"),
    Source(repository="u\n", ref="v"),
    Source(repository="u", commit="A" * 40),
    Source(repository="u", commit=OID + "a"),
    Source(snapshot="../x"),
]


@pytest.mark.parametrize("source", HARMFUL, ids=repr)
def test_a_source_that_git_would_take_for_something_else_is_refused(source: Source) -> None:
    facts = Facts(commits={(source.repository or "", source.ref or ""): OID})
    with pytest.raises(Illegal, match=r"is no (address of a repository and no ref|full commit id)"):
        do(tx_of(), Submit(command="x", source=source), facts=facts)


def test_a_commit_may_have_a_long_id() -> None:
    assert submitted(source={"repository": "u", "commit": "b" * 64}).source is not None


@pytest.mark.parametrize(("year", "taken"), [(1970, False), (1971, True), (8999, True), (9000, False)])
def test_a_time_is_one_that_may_come(year: int, taken: bool) -> None:
    command = Submit(command="x", not_before=f"{year}-06-01T00:00:00Z")
    if taken:
        do(tx_of(), command)
    else:
        with pytest.raises(Illegal, match="too far away"):
            do(tx_of(), command)


# -- matrices


def test_as_many_combinations_as_are_allowed_are_admitted() -> None:
    axes = {"a": tuple(range(16)), "b": tuple(range(16))}
    assert len(do(tx_of(), Submit(command="x", name="t", matrix=axes))) == 256
    with pytest.raises(Illegal, match="more than 256"):
        do(tx_of(), Submit(command="x", name="t", matrix=axes | {"b": tuple(range(17))}))


def test_a_variable_of_a_matrix_is_a_name_for_any_axis() -> None:
    made = submitted(matrix={"py-version.x": [3]}, name="t")
    assert made.env == {"BNET_MATRIX_PY_VERSION_X": "3"}


def test_a_value_of_a_matrix_may_be_so_long_and_no_longer() -> None:
    assert submitted(matrix={"a": ["b" + " " * 199]}, name="t").name == "t.b"
    with pytest.raises(Illegal, match="longer than 200"):
        submitted(matrix={"a": ["b" + " " * 200]}, name="t")


def test_a_value_without_a_sign_for_a_name_is_refused() -> None:
    with pytest.raises(Illegal, match="has no letter or digit"):
        submitted(matrix={"a": ["+"]}, name="t")


def test_a_need_on_an_older_matrix_is_one_on_the_newest_of_that_name() -> None:
    tx = tx_of(
        Job(spec=spec(1, name="t.a", matrix={"os": "a"}, submitted_at=NOW - timedelta(days=1))),
        Job(spec=spec(2, name="t.a", matrix={"os": "a"})),
        Job(spec=spec(3, name="t.b", matrix={"os": "b"})),
        Job(spec=spec(4, name="t.c")),
        Job(spec=spec(5, name="tt.a", matrix={"os": "a"})),
    )
    [number] = do(tx, Submit(command="x", needs=("t",)))
    assert [need.job for need in tx.jobs[number].spec.needs] == [2, 3]


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


def test_a_need_is_of_the_kind_that_was_asked_for_wherever_the_other_is() -> None:
    asked = [{"job": ref, "on": "always"} for ref in ("lib", 2, 3)]
    there = (Job(spec=spec(1, name="lib")), Job(spec=spec(2)))
    found = submitted(Facts(archived={3: done(3)}), there=there, needs=asked).needs
    assert [(need.job, need.on, need.result) for need in found] == [
        (1, "always", None),
        (2, "always", None),
        (3, "always", "success"),
    ]


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


def path_of(key: str) -> str:
    """Return the file that holds a key, as admission has it."""
    tx = tx_of()
    do(tx, Submit(command="x", key=key))
    [path] = tx.documents
    return path


def test_a_key_that_the_ledger_knows_is_no_new_job() -> None:
    first = tx_of()
    do(first, Submit(command="make", key="k", matrix={"os": ("a", "b")}, name="t"))
    [(path, file)] = first.documents.items()
    assert file == KeyFile(keys={"k": KeyEntry(jobs=(10, 11), at=NOW)})
    later = tx_of(next_job=12, keys={path: file})
    assert do(later, Submit(command="make", key="k")) == [10, 11]
    assert (later.jobs, later.next_job, later.changes) == ({}, 12, [])


def test_a_new_key_goes_beside_those_that_its_file_holds() -> None:
    one = tx_of()
    do(one, Submit(command="x", key="k"))
    [(path, _)] = one.documents.items()
    other = KeyFile(keys={"other": KeyEntry(jobs=(1,), at=NOW)})
    tx = tx_of(keys={path: other})
    do(tx, Submit(command="x", key="k"))
    assert tx.documents == {
        path: KeyFile(keys={"other": other.keys["other"], "k": KeyEntry(jobs=(10,), at=NOW)})
    }


def test_keys_are_spread_over_files_and_jobs_without_one_write_none() -> None:
    tx = tx_of()
    for key in ("a", "b", "c", "d"):
        do(tx, Submit(command="x", key=key))
    do(tx, Submit(command="x"))
    assert len(tx.documents) > 1
    assert all(path.startswith("coordination/") for path in tx.documents)


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(Illegal, match="the key is empty"):
        do(tx_of(), Submit(command="x", key=""))


# -- limits


def test_a_file_may_ask_for_so_many_jobs_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnet.rules.admit.MOST_JOBS", 3)
    assert do(tx_of(), *[Submit(command="x")] * 3) == [10, 11, 12]
    tx = tx_of()
    with pytest.raises(Illegal, match="more than 3 jobs") as caught:
        do(tx, *[Submit(command="x")] * 5)
    assert (caught.value.command, tx.jobs) == (3, {})


def test_a_job_may_be_so_large_and_no_larger() -> None:
    room = LARGEST_JOB - len(encode(submitted(command="x"))) + 1
    do(tx_of(), Submit(command="x" * room, name="x"))
    with pytest.raises(Illegal, match="the job is over 500,000 bytes"):
        do(tx_of(), Submit(command="x" * (room + 1), name="x"))


def test_each_job_of_a_matrix_is_measured() -> None:
    fill = {"A": "${matrix.a}" * 4_000}
    do(tx_of(), Submit(command="x", name="t", matrix={"a": ("s", "t")}, env=fill))
    with pytest.raises(Illegal, match="the job is over"):
        do(
            tx_of(),
            Submit(command="x", name="t", matrix={"a": ("s", "l" * 40)}, env=fill | {"B": "y" * 400_000}),
        )


def test_a_file_may_ask_for_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(encode(submitted(command="x", name="x")))
    monkeypatch.setattr("bnet.rules.admit.LARGEST_FILE", 2 * size)
    one = Submit(command="x", name="x")
    known = {path_of("k"): KeyFile(keys={"k": KeyEntry(jobs=(3,), at=NOW)})}
    assert do(tx_of(keys=known), one, one, replace(one, key="k")) == [10, 11, 3], (
        "what is there takes nothing"
    )
    with pytest.raises(Illegal, match="bytes of jobs at once") as caught:
        do(tx_of(), one, one, one)
    assert caught.value.command == 2


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


def test_superseded_work_says_by_what_and_is_asked_for_an_end_once() -> None:
    group = Group(name="g")
    [asked] = jobs.cancel(running(2, group=group), by="bob", reason="mine", now=NOW).jobs
    tx = tx_of(Job(spec=spec(1, group=group)), asked, Job(spec=spec(3)), running(4, group=group))
    do(tx, Submit(command="x", group="g", supersede="running", matrix={"os": ("a", "b")}, name="t"))
    result = tx.jobs[1].result
    assert result is not None
    assert (result.result, result.reason, result.message) == ("cancelled", "superseded", "superseded by #10")
    assert tx.jobs[2] == asked, "somebody else was first"
    assert tx.jobs[3].state == "pending", "it is in no group"
    stopped = tx.jobs[4].wanted.cancel
    assert stopped is not None
    assert (stopped.by, stopped.superseded, stopped.reason) == ("alice", True, "superseded by #10")
    assert [tx.jobs[number].state for number in (10, 11)] == ["pending", "pending"]


def test_without_a_group_there_is_nothing_to_supersede() -> None:
    tx = tx_of(Job(spec=spec(1, group=Group(name="g"))), Job(spec=spec(2)))
    do(tx, Submit(command="x", supersede="running"))
    assert [job.state for job in tx.jobs.values()] == ["pending"] * 3


# -- other verbs


def test_a_retry_is_a_new_job_like_the_old_one() -> None:
    old = done(
        3,
        "failure",
        name="n",
        labels={"os": "x"},
        key="k",
        not_before=NOW,
        env={"A": "1"},
        needs=(Need(job=1),),
        submitted_at=NOW - timedelta(days=9),
    )
    tx = tx_of(next_job=10)
    [number] = do(tx, RetryJob(job=3), facts=Facts(archived={3: old}))
    made = tx.jobs[number].spec
    assert (number, made.retry_of, made.name, made.labels, made.env) == (10, 3, "n", {"os": "x"}, {"A": "1"})
    assert (made.key, made.not_before, made.needs, made.submitted_by) == (None, None, (), "alice")
    assert made.submitted_at == NOW


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
    tx.servers["s1"] = replace(SERVER, wanted="paused", why="old")
    do(tx, command)
    after = tx.servers["s1"]
    assert (after.wanted, after.by) == (wanted, "alice")
    assert after.why == ("r" if wanted == "paused" else "")


def test_a_job_is_cancelled_and_moved_with_the_name_of_who_asked() -> None:
    tx = tx_of(Job(spec=spec(1)), running(2))
    do(tx, SetPriority(job=1, priority=1), CancelJob(job=2, reason="enough"))
    wanted = tx.jobs[2].wanted.cancel
    assert wanted is not None
    assert (tx.jobs[1].priority, wanted.by, wanted.reason, wanted.superseded) == (1, "alice", "enough", False)


def test_where_nobody_serves_the_refusal_says_so() -> None:
    tx = tx_of()
    tx.servers.clear()
    with pytest.raises(Illegal, match="the servers are: none"):
        do(tx, PauseServer(server="s1"))


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
    "a NUL in a word": (Submit(command=("a", "b\0")), "NUL", Facts()),
    "a need on what has no result": (
        Submit(command="x", needs=(5,)),
        "no job #5",
        Facts(archived={5: Job(spec=spec(5))}),
    ),
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
