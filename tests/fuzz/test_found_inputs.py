"""What the fuzzers found, once each: too large or too plain for the corpus."""

from __future__ import annotations

import json
from collections.abc import Callable

import corpus
import guard
import msgspec
import pytest
from bundle import headed, pack
from caching import ENTRY
from ledgers import MESSAGE, TRAILERS
from reading import ATTEMPT, INTENT, REJECTION, REPORT, SENT
from targets import TARGETS

from bnet.codec import layout, people
from bnet.codec.documents import encode
from bnet.host.clock import boot_id

DEEP = b'{"a":' * 30_000
OLD = people.write(REJECTION).replace(b"'2026-11-20T12:00:00Z'", b"!!timestamp 2026-11-20 12:00:00")


def plus(record: msgspec.Struct, **fields: object) -> bytes:
    """Return a document with other values in some fields."""
    return json.dumps({**json.loads(msgspec.json.encode(record)), **fields}).encode()


FOUND: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a time without a zone": (
        "document",
        lambda: headed("Attempt", plus(ATTEMPT, finished_at="2026-11-20T12:00:00")),
    ),
    "a note of a run that is none": (
        "notes",
        lambda: pack({"telemetry.json": plus(SENT, runs={"x": {"ended_at": "2026-01-01T00:00:00Z"}})}),
    ),
    "a refused command of no zone stops every server": (
        "ledger",
        lambda: pack({layout.REJECTED + "x.yaml": OLD, layout.INBOX + "a.yaml": b"submit: {command: x}\n"}),
    ),
    "a budget whose reciprocal is no number": (
        "ledger",
        lambda: pack({layout.SETTINGS: b"push_budget: 1e-320\n"}),
    ),
    "a complaint as long as what it is about": (
        "ledger",
        lambda: pack(
            {layout.INBOX + "a.yaml": b'submit: {command: x, not_before: "' + b"\\0" * 300_000 + b'"}\n'}
        ),
    ),
    "a head nested deep": ("ledger", lambda: pack({MESSAGE: TRAILERS.encode(), layout.HEAD: DEEP[:20_000]})),
    "a line of the archive nested deep": ("archive", lambda: DEEP),
    "a line of the archive that is no text": (
        "archive",
        lambda: b'{"spec": {"number": 1, "name": "\xff"}}\n',
    ),
    "keys of several types": (
        "people",
        lambda: headed("Settings", b"queues: {1: {limit: 0}, a: {limit: 0}}"),
    ),
    "a budget without end": ("people", lambda: headed("Settings", b"push_budget: inf\n")),
    "a number that nobody can print": ("tree", lambda: b"packages: !!int 0x" + b"f" * 4000),
    "another one": ("people", lambda: headed("Settings", b"ttl: [!!int 1" + b":59" * 3000 + b"]")),
    "a line end of YAML's own": ("people", lambda: headed("Settings", b'name: "a\\Nb"')),
    "a text that is repeated by aliases": (
        "inbox",
        lambda: b"submit: {command: [&a " + b"x" * 15_000 + b", *a" * 5_000 + b"]}",
    ),
    "a matrix that makes much of little": (
        "ledger",
        lambda: pack(
            {
                layout.INBOX + "a.yaml": b"submit: {command: x, matrix: {a: [a"
                + b"!" * 40_000
                + b"]}, env: {E: '"
                + b"${matrix.a}" * 4_000
                + b"'}}"
            }
        ),
    ),
    "a span of thirty thousand digits": ("words", lambda: b"1" * 30_000 + b"x"),
    "a size beyond all numbers": ("words", lambda: b"9" * 400 + b"TB"),
    "half a character in an option": ("options", lambda: b'{"priority": "\\udcff", "command": "x"}'),
    "half a character in a manifest": (
        "workspace",
        lambda: pack({"package.json": b'{"name": "x", "\\ud800": 1, "scripts": {"build": "x"}}'}),
    ),
    "a number of five thousand digits": (
        "workspace",
        lambda: pack({"package.json": b"[" + b"1" * 5000 + b"]"}),
    ),
    "the same in TOML": ("workspace", lambda: pack({"pyproject.toml": b"a = " + b"1" * 5000})),
    "braces that never close": ("globs", lambda: b"src/" + b"{" * 30_000),
    "braces that stand for a megabyte": ("globs", lambda: b"{a,b{c,d}" * 500),
    "a line that ignores nothing": ("ignore", lambda: b"*.o\n!\n"),
    "a class that ends before it begins": ("ignore", lambda: b"[a-[b]\n"),
    "stars beyond measure": ("ignore", lambda: b"*." + b"*" * 600 + b"x\n"),
    "an entry of no sound name": (
        "entry",
        lambda: msgspec.msgpack.encode(msgspec.structs.replace(ENTRY, package="\0")),
    ),
    "an entry whose sources do not add up": (
        "entry",
        lambda: msgspec.msgpack.encode(
            msgspec.structs.replace(
                ENTRY,
                inputs=msgspec.structs.replace(ENTRY.inputs, sources=b"x"),
                sources=msgspec.structs.replace(ENTRY.sources, kinds="f"),
            )
        ),
    ),
    "an entry whose recipe is none": (
        "entry",
        lambda: msgspec.msgpack.encode(
            msgspec.structs.replace(ENTRY, inputs=msgspec.structs.replace(ENTRY.inputs, recipe="[]"))
        ),
    ),
    "an entry nested deep": (
        "entry",
        lambda: b"\x98" + msgspec.msgpack.encode(ENTRY)[1:] + b"\x91" * 30_000,
    ),
    "a record nested deep": ("record", lambda: b"\x81\xa1a" * 10_000),
    "a row of stamps that asks for four gigabytes": (
        "instant",
        lambda: b"\0\0\0\1\xff\xff\xff\xff" + bytes(16),
    ),
    "a lease nested deep": ("asked", lambda: pack({"lease.json": DEEP[:20_000], "stop.json": DEEP[:10_000]})),
    "a lease until a text": ("asked", lambda: pack({"lease.json": b'{"boot_id": "x", "until": "y"}'})),
    "the process of a run is a text": (
        "runs",
        lambda: pack(
            {
                "run.json": encode(INTENT),
                "pid.json": json.dumps({"pid": "\0", "start": 1, "boot_id": boot_id()}).encode(),
            }
        ),
    ),
    "a log of a job's own": (
        "runs",
        lambda: pack(
            {
                "run.json": encode(INTENT),
                "log.txt": b"x",
                "log.-5": b"x",
            }
        ),
    ),
    "a report with words of a megabyte": (
        "report",
        lambda: plus(REPORT, packages=[{"name": "a", "tier": "x" * 15_000}] * 100),
    ),
    "a note of rest nested deep": ("idle", lambda: DEEP),
    "many ways to one file": ("artifacts", lambda: b"/".join([b"**"] + [b"a/**"] * 12) + b"/nothing"),
    "a name with a line end of Python's own": (
        "git",
        lambda: json.dumps(
            {"refs": {"refs/heads/a\u2028b": "a" * 40, "refs/heads/c\x85": "b" * 40}}
        ).encode(),
    ),
    "a date that no calendar has": (
        "git",
        lambda: json.dumps(
            {"log": [{"time": "9" * 14, "message": "Bnet-Seq: 1\nBnet-Next-Job: 1\n"}]}
        ).encode(),
    ),
    "a commit without a date": (
        "git",
        lambda: json.dumps({"log": [{"time": "x", "message": "Bnet-Seq: 1\nBnet-Next-Job: 1\n"}]}).encode(),
    ),
    "a trailer that is no number": ("trailers", lambda: b"a\n\nBnet-Seq: x\nBnet-Next-Job: 1\n"),
    "a run of a stranger's on the ref": (
        "telemetry",
        lambda: pack({"heartbeat.json": b"{}", "runs/0000/x/log/000000000000": b"x", "runs/a/b/c/d": b"x"}),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_mended(name: str) -> None:
    target, made = TARGETS[FOUND[name][0]], FOUND[name][1]
    with guard.watched(), target.alone():
        crash, _ = guard.feed(target, made())
    assert crash is None, crash.told


def test_each_target_has_a_place_in_the_corpus() -> None:
    assert {path.name for path in corpus.HERE.iterdir()} <= set(TARGETS)


def test_a_document_that_is_kept_is_small() -> None:
    assert encode(ATTEMPT).count(b"\n") < 100
    assert sum(len(data) for target in TARGETS.values() for data in corpus.kept(target).values()) < 1_000_000
