"""Documents as bytes, and their names as paths."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bnet.codec import layout, people
from bnet.codec.documents import Unreadable, decode, encode, rewrite
from bnet.codec.view import File, View, advance
from bnet.model.hub import Settings
from bnet.model.job import Claim, Group, JobSpec
from bnet.model.server import Accept, Server
from bnet.model.state import Rejection

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERVER = Server(name="s1", instance="i", joined_at=NOW, labels={"b": "2", "a": "1"})

# -- spelling


def test_a_document_has_sorted_keys_two_spaces_and_a_final_newline() -> None:
    text = encode(SERVER).decode()
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert text.splitlines()[1] == '  "instance": "i",'


def test_a_field_with_its_default_is_not_written() -> None:
    assert set(json.loads(encode(SERVER))) == {"name", "instance", "joined_at", "labels"}


def test_equal_records_have_equal_bytes() -> None:
    other = msgspec.structs.replace(SERVER, labels={"a": "1", "b": "2"})
    assert encode(other) == encode(SERVER)


REWRITES = {
    "an unknown field": ({"new": 1}, {"new": 1}),
    "an unknown field with depth": ({"new": {"a": [1, {"b": None}]}}, {"new": {"a": [1, {"b": None}]}}),
    "a known field that is the default now": ({"slots": 7, "why": "x"}, {}),
    "a known field that changed": ({"instance": "old"}, {}),
    "an unknown field of a part": (
        {"accept": {"queues": ["q"], "new": 1}},
        {"accept": {"queues": ["gpu"], "new": 1}},
    ),
}


@pytest.mark.parametrize(("before", "kept"), REWRITES.values(), ids=REWRITES.keys())
def test_a_rewrite_keeps(before: dict[str, Any], kept: dict[str, Any]) -> None:
    record = (
        SERVER if "accept" not in before else msgspec.structs.replace(SERVER, accept=Accept(queues=("gpu",)))
    )
    after = json.loads(rewrite(json.dumps(before).encode(), record))
    assert after == json.loads(encode(record)) | kept


@pytest.mark.parametrize("before", [None, b"", b"{", b"[1]", b"null", b"\xff", b'{"a": "\xff"}', b"[" * 9999])
def test_a_rewrite_of_what_cannot_be_read_writes_the_record(before: bytes | None) -> None:
    assert rewrite(before, SERVER) == encode(SERVER)


UNREADABLE = {
    "nothing": b"",
    "half": encode(SERVER)[:-9],
    "a list": b"[]",
    "bad UTF-8": b'{"name": "\xff"}',
    "a missing field": b'{"name": "s1"}',
    "a wrong type": b'{"name": "s1", "instance": "i", "joined_at": "today"}',
    "a bad name": encode(SERVER).replace(b"s1", b"S 1"),
    "negative slots": encode(SERVER).replace(b'"instance"', b'"slots": -1, "instance"'),
    "a deep nest": b"[" * 99_999,
    "merge marks": b"<<<<<<< HEAD\n" + encode(SERVER),
    "two documents": encode(SERVER) * 2,
    "UTF-16": encode(SERVER).decode().encode("utf-16"),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_document_is_unreadable_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(Server, data)


def test_every_truncation_of_a_document_is_unreadable() -> None:
    data = encode(SERVER)
    for length in range(len(data) - 2):
        with pytest.raises(Unreadable):
            decode(Server, data[:length])


# -- names and paths


@pytest.mark.parametrize(
    ("number", "directory"),
    [
        (1, "coordination/jobs/0000/1/"),
        (99, "coordination/jobs/0000/99/"),
        (100, "coordination/jobs/0001/100/"),
        (1_234_567, "coordination/jobs/12345/1234567/"),
    ],
)
def test_a_bucket_holds_a_hundred_jobs(number: int, directory: str) -> None:
    assert layout.job_dir(number) == directory
    assert layout.job_part(directory + "job.json") == (number, "job")


PARTS: dict[str, tuple[int, str] | None] = {
    "jobs/0000/1/job.json": (1, "job"),
    "jobs/0000/1/attempts/12.json": (1, "attempts/12"),
    "jobs/0001/1/job.json": None,
    "jobs/0/1/job.json": None,
    "jobs/0000/01/job.json": None,
    "jobs/0000/1/other.json": None,
    "jobs/0000/1/attempts/x.json": None,
    "jobs/0000/1/job.json/x": None,
    "jobs/0000/../job.json": None,
    "jobs/0000/1/job.json\n": None,
    "jobs/0000/٣/job.json": None,
    "jobs/0000/1/attempts/٣.json": None,
    "jobs/0000/1/attempts/01.json": None,
    "servers/s1.json": None,
}


@pytest.mark.parametrize(("path", "part"), PARTS.items(), ids=map(ascii, PARTS))
def test_a_path_is_a_jobs_document(path: str, part: tuple[int, str] | None) -> None:
    assert layout.job_part(layout.ROOT + path) == part


NAMES = {
    "servers/s1.json": "s1",
    "servers/a.b-c_d.json": "a.b-c_d",
    "servers/S1.json": None,
    "servers/.json": None,
    "servers/a/b.json": None,
    "servers/../x.json": None,
    "servers/con.json": None,
    "servers/nul.x.json": None,
    "servers/a..json": None,
    "servers/s1.yaml": None,
    "servers/a b.json": None,
    "servers/" + "a" * 65 + ".json": None,
    "servers/-a.json": None,
    "jobs/s1.json": None,
    "servers/s1\n.json": None,
}


@pytest.mark.parametrize(("path", "name"), NAMES.items(), ids=map(ascii, NAMES))
def test_a_path_is_a_servers_registration(path: str, name: str | None) -> None:
    assert layout.server_name(layout.ROOT + path) == name
    if name is not None:
        assert layout.server_path(name) == layout.ROOT + path


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "", ".", "..", ".git", "A", "con", "lpt1.x", "a\0", "a\n", "a" * 65, "a.", "ä", "-a"],
    ids=ascii,
)
def test_what_is_no_name_never_becomes_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        layout.server_path(name)


MACHINES = {
    "ledger.json": True,
    "jobs/0000/1/claim.json": True,
    "keys/00.json": True,
    "servers/s1.json": True,
    "locks/x.json": True,
    "schedules/x.state.json": True,
    "sources/x.state.json": True,
    "archive/2026/11/20.1.jsonl": True,
    "metrics/2026/11/20.jsonl": True,
    "notify.state.json": True,
    "hub.yaml": False,
    "inbox/x.yaml": False,
    "schedules/x.yaml": False,
    "policy.yaml": False,
    "ledger.json.bak": False,
    "rejected/x.yaml": False,
}


@pytest.mark.parametrize(("path", "machine"), MACHINES.items())
def test_only_transactions_may_change(path: str, machine: bool) -> None:
    assert layout.is_machine(layout.ROOT + path) is machine
    assert not layout.is_machine(path)


@pytest.mark.parametrize(
    ("path", "read"),
    [("hub.yaml", True), ("archive/2026/11/20.1.jsonl", False), ("metrics/x", False), ("inbox/x", True)],
)
def test_what_is_part_of_the_state(path: str, read: bool) -> None:
    assert layout.is_read(layout.ROOT + path) is read
    assert not layout.is_read(path)


# -- people's documents


TEXTS = [
    "",
    "plain",
    "12",
    "yes",
    "~",
    "a: b",
    "#",
    "\u2028",
    "\x07\x00",
    "tab\t",
    " lead",
    "trail ",
    "\r\n",
    "é😀",
    "\ufeff",
    "- a\n- b\n",
    "'\"",
    "\ufffe",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_rejection_keeps_the_refused_text(text: str) -> None:
    rejection = Rejection(file="inbox/x", reason=text or "r", by="a", commit="c", at=NOW, text=text, line=3)
    parsed = people.parse(people.write(rejection), "x")
    assert people.read(parsed, Rejection, parsed.data) == rejection


SETTINGS = {
    "": Settings(),
    "ttl: 60": Settings(ttl=60.0),
    "push_budget: 6.5": Settings(push_budget=6.5),
    "name: on": Settings(name="on"),
    "unknown: {a: 1}": Settings(),
    "intervals: {agent: 2}": Settings(intervals=msgspec.convert({"agent": 2}, type(Settings().intervals))),
}


@pytest.mark.parametrize(("text", "settings"), SETTINGS.items(), ids=SETTINGS.keys())
def test_settings_are_read(text: str, settings: Settings) -> None:
    view = advance(View(), {layout.SETTINGS: File(data=text.encode())}, lambda path: [])
    assert view.problems == {}
    assert view.records[layout.SETTINGS] == settings


@pytest.mark.parametrize(
    "text",
    [
        "intervals: {agent: -1}",
        "push_budget: 0",
        "push_budget: inf",
        "push_budget: .5",
        "intervals: {agent: 1h}",
        "queues: {A B: {}}",
        "queues: {x: {limit: 0}}",
        "queues: {x: {limit: 1.5}}",
        "intervals: 3",
    ],
)
def test_settings_that_are_wrong_are_named_with_their_line(text: str) -> None:
    view = advance(
        View(), {layout.SETTINGS: File(data=b"ttl: 60.5\n" + text.encode(), commit="c")}, lambda path: []
    )
    [problem] = view.problems.values()
    assert problem.commit == "c"
    assert problem.message.startswith(f"{layout.SETTINGS}:2: field ")


# -- views


def spec(number: int, **more: Any) -> bytes:
    return encode(JobSpec(number=number, name="j", command="x", submitted_by="a", submitted_at=NOW, **more))


def test_a_view_is_never_changed() -> None:
    path = layout.job_dir(1) + "job.json"
    first = advance(View(), {path: File(data=spec(1))}, lambda path: [])
    kept = (dict(first.files), dict(first.jobs), {n: dict(parts) for n, parts in first.parts.items()})
    claim = Claim(server="s", instance="i", attempt=1, run="r", token=1, ttl_s=1.0, claimed_at=NOW)
    second = advance(first, {layout.job_dir(1) + "claim.json": File(data=encode(claim))}, lambda path: [])
    third = advance(second, {path: None}, lambda path: [])
    assert (first.files, first.jobs, first.parts) == kept
    assert (first.jobs[1].state, second.jobs[1].state, third.jobs) == ("pending", "running", {})


DISAGREE = {
    "another number": (layout.job_dir(1) + "job.json", spec(2)),
    "another server": (layout.server_path("s2"), encode(SERVER)),
}


@pytest.mark.parametrize(("path", "data"), DISAGREE.values(), ids=DISAGREE.keys())
def test_a_document_that_is_of_another_thing_is_not_believed(path: str, data: bytes) -> None:
    view = advance(View(), {path: File(data=data)}, lambda path: [])
    assert (view.jobs, list(view.problems), view.restore) == ({}, [path], {path: None})


def test_an_unreadable_document_of_a_machine_is_replaced_by_its_newest_readable_version() -> None:
    path = layout.job_dir(1) + "job.json"
    versions = [("c3", b"{"), ("c2", spec(1, group=Group(name="g"))), ("c1", spec(1))]
    view = advance(View(), {path: File(data=b"", commit="c4")}, lambda path: versions)
    assert view.jobs[1].spec.group == Group(name="g")
    assert view.restore == {path: versions[1][1]}
