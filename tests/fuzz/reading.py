"""Targets of `bnet.codec`: documents of machines and of people, commands, trees, manifests, spans and sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from bundle import headed, pack, split, unpack
from target import Target, must

from bnet.app.submit import Letter
from bnet.build.globs import Patterns
from bnet.build.graph import Graph
from bnet.build.outputs import check_outputs
from bnet.build.reach import Reach
from bnet.codec import expressions, frozen, people, submission
from bnet.codec.documents import Unreadable, decode, encode, rewrite
from bnet.codec.durations import LONGEST, parse_duration
from bnet.codec.environments import read_environments
from bnet.codec.inbox import parse_commands
from bnet.codec.monitoring import read_monitoring
from bnet.codec.notifications import read_notifications
from bnet.codec.pipelines import read_pipelines
from bnet.codec.reports import read_reports
from bnet.codec.resubmission import to_file
from bnet.codec.sizes import parse_size
from bnet.codec.tree import read_tree
from bnet.codec.view import File, View, advance
from bnet.codec.workspaces import discover
from bnet.codec.workspaces.write import write_tree
from bnet.errors import BnetError, Invalid
from bnet.model.base import Record
from bnet.model.command import NeedRef, Submit
from bnet.model.hub import Head, Intervals, Queue, Retention, Settings
from bnet.model.job import (
    Artifact,
    Attempt,
    BuildReport,
    Built,
    Cancel,
    Claim,
    Group,
    Job,
    JobResult,
    JobSpec,
    Need,
    RetryRule,
    Source,
    Wanted,
)
from bnet.model.notices import Event, Notices
from bnet.model.run import Found, Intent, RunExit
from bnet.model.server import Accept, Heartbeat, Held, Identity, Sample, Server
from bnet.model.state import KeyEntry, KeyFile, Rejection
from bnet.model.telemetry import Sent, SentLog
from bnet.model.tree import Tree
from bnet.notify.intake import escalated, take_in
from bnet.notify.outbox import due
from bnet.notify.wording import worded
from bnet.report.periods import edges
from bnet.rules.clocks import Skew
from bnet.rules.leases import Observed, Sighting
from bnet.rules.pipelines import Run, expand, foresee
from bnet.rules.thresholds import raised
from bnet.rules.transaction import archive_line, read_archive

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
RUN = "e3928633-22fb-4c7c-bd85-d96e04821396"
OID = "a" * 40

ARTIFACT = Artifact(path="dist/a.whl", size=5, mode="0644", blake3="b" * 64, place="telemetry:build1:x")
REPORT = BuildReport(
    total=2, cached=1, seconds=1.5, packages=(Built(name="lib", tier="full", key="c" * 64, seconds=1.0),)
)
SPEC = JobSpec(
    number=1,
    name="sums",
    command=("make", "all"),
    submitted_by="ada@example.org",
    submitted_at=NOON,
    labels={"os": "linux"},
    needs=(Need(job=2, on="always", result="failure"),),
    source=Source(repository="https://example.org/x.git", ref="main", commit=OID),
    env={"A": "b"},
    secrets=("TOKEN",),
    timeout=60.0,
    retry=(RetryRule(limit=3, exit_codes=(1, 2), reasons=("exit",)),),
    group=Group(name="g", limit=2),
    locks=("disk",),
    artifacts=("dist/**",),
    matrix={"py": "3.11"},
    not_before=NOON,
    key="nightly",
)
CLAIM = Claim(server="build1", instance="i-1", attempt=1, run=RUN, token=3, ttl_s=300.0, claimed_at=NOON)
ATTEMPT = Attempt(
    attempt=1,
    server="build1",
    run=RUN,
    token=3,
    result="success",
    reason="exit",
    exit_code=0,
    started_at=NOON,
    finished_at=NOON,
    seconds=1.5,
    artifacts=(ARTIFACT,),
    build=REPORT,
)
RESULT = JobResult(
    result="failure",
    reason="exit",
    finished_at=NOON,
    attempt=1,
    server="build1",
    run=RUN,
    artifacts=(ARTIFACT,),
)
SERVER = Server(
    name="build1",
    instance="i-1",
    joined_at=NOON,
    slots=2,
    labels={"os": "linux"},
    accept=Accept(queues=("default",), submitters=("*@example.org",)),
    version="0.1",
)
WANTED = Wanted(cancel=Cancel(by="bob", at=NOON, reason="why"), priority=2)
BEAT = Heartbeat(
    server="build1",
    instance="i-1",
    at=NOON,
    boot_id="boot-1",
    nonce="n",
    version="0.1",
    slots=2,
    runs=(Held(job=1, attempt=1, run=RUN, phase="alive", seconds=2.0),),
    metrics={"load1": 0.5, "cores": None},
)
INTENT = Intent(
    run=RUN,
    job=1,
    attempt=1,
    name="sums",
    command="make all",
    ttl_s=300.0,
    on_lost_lease="stop",
    prepare=(("sh", "-c", "true"),),
    env={"A": "b"},
    artifacts=("dist/**",),
)
EXIT = RunExit(
    run=RUN,
    outcome="exit",
    finished_at=NOON,
    started_at=NOON,
    exit_code=0,
    artifacts=(Found(path="dist/a.whl", size=5, mode="0644"),),
)
SENT = Sent(
    tip=OID,
    length=3,
    begun_at=NOON,
    written=(OID,),
    runs={"1.1": SentLog(chunks={"000000000000": 70000, "000000070000": 9}, next=70009, ended_at=NOON)},
    pending=Sent(tip="b" * 40),
)
OBSERVED = Observed(
    boot_id="boot-1",
    looked_at=900.0,
    claims={RUN: Sighting(telemetry=OID, unmoved_s=3.0)},
    beat_at=890.0,
    seq=3,
    skews={"build1": Skew(ahead_s=1.0, seen_at=800.0, zero_s=1.0)},
)
REJECTION = Rejection(
    file="inbox/a.yaml", reason="no", by="ada", commit=OID, at=NOON, text="x: 1\n", line=1, field="[0].submit"
)
SETTINGS = Settings(
    name="net",
    ttl=300.0,
    push_budget=6.0,
    intervals=Intervals(agent=2.0),
    retention=Retention(finished=60.0),
    queues={"default": Queue(limit=2, paused="no")},
)
KEYS = KeyFile(keys={"nightly": KeyEntry(jobs=(1, 2), at=NOON)})
LETTER = Letter(hub="/srv/hub.git", by="ada", jobs=(Submit(command="true", name="x", needs=(1, "y")),))
IDENTITY = Identity(hub="/srv/hub.git", branch="bnet", name="build1", instance="i-1", labels={"a": "b"})

MACHINES: tuple[Record, ...] = (
    Head(format=1, hub="h", epoch=1, seq=5, next_job=3),
    SERVER,
    SPEC,
    WANTED,
    CLAIM,
    ATTEMPT,
    RESULT,
    KEYS,
    BEAT,
    INTENT,
    EXIT,
    SENT,
    OBSERVED,
    LETTER,
    REPORT,
    Job(spec=SPEC, attempts=(ATTEMPT,), result=RESULT),
)
PEOPLE: tuple[Record, ...] = (SETTINGS, REJECTION, IDENTITY)
OPTIONS = {each.name for each in msgspec.structs.fields(Submit)}
MACHINE_KINDS: dict[str, type[Record]] = {type(each).__name__: type(each) for each in MACHINES}
PEOPLE_KINDS: dict[str, type[Record]] = {type(each).__name__: type(each) for each in PEOPLE}


# -- documents


def document(data: bytes) -> None:
    """A document of a machine is read or `Unreadable`; what was read is written, and read again as the same."""
    name, body = split(data)
    kind = MACHINE_KINDS.get(name)
    if kind is None:
        return
    try:
        record = decode(kind, body)
    except Unreadable as error:
        str(error)
        return
    must(decode(kind, encode(record)) == record, "what was written is not what was read")
    must(decode(kind, rewrite(body, record)) == record, "a rewrite changed what it says")
    check_times(record)


def check_times(value: object) -> None:
    """See that every time in a record can be compared with another: it knows its zone."""
    if isinstance(value, datetime):
        must(value.tzinfo is not None, "a time without a zone")
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            check_times(getattr(value, field))
    elif isinstance(value, tuple):
        for each in value:
            check_times(each)
    elif isinstance(value, dict):
        for each in value.values():
            check_times(each)


def persons_document(data: bytes) -> None:
    """YAML of a person is read, or `Invalid` names a place in it."""
    name, body = split(data)
    kind = PEOPLE_KINDS.get(name)
    if kind is None:
        return
    try:
        text = people.parse(body, "a.yaml")
        record = people.read(text, kind, {} if text.data is None else text.data)
    except Invalid as error:
        check_error(error)
        return
    check_times(record)
    again = people.parse(people.write(record), "b.yaml")
    must(people.read(again, kind, again.data) == record, "what was written is not what was read")


def check_error(error: BnetError) -> None:
    """See that an error can be told to a person, in bounds."""
    must(len(str(error).encode(errors="replace")) < 100_000, "a complaint longer than what it is about")


def inbox(data: bytes) -> None:
    """Commands are read, or `Invalid` names a place; what a submission says is written and read as the same."""
    for read in (parse_commands, submission.from_file):
        try:
            commands = read(data, "a.yaml")
        except Invalid as error:
            check_error(error)
            continue
        asked = [each for each in commands if isinstance(each, Submit)]
        if asked:
            must(submission.from_file(to_file(asked), "b.yaml") == asked, "written otherwise than read")


def options(data: bytes) -> None:
    """Options of the command line make a submission, or `Invalid` names one of them."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(fields, dict) and fields.keys() <= OPTIONS and all(map(_can_be_given, fields.values())):
        try:
            submission.from_fields(fields)
        except Invalid as error:
            check_error(error)


def _can_be_given(value: object) -> bool:
    """Tell whether an option can have a value: it is a text, a row of them, or a mapping of such."""
    if isinstance(value, dict):
        return all(isinstance(each, str | list) and _can_be_given(each) for each in value.values())
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    )


def archive(data: bytes) -> None:
    """A line of the archive that cannot be read is passed over."""
    for job in read_archive(data):
        check_times(job)
        must(read_archive(archive_line(job)) == [job], "a line is not what was read")


def snapshot(data: bytes) -> None:
    """A snapshot that is not byte for byte what was written is none."""
    frozen.thaw(data)


def _snapshots() -> list[bytes]:
    files = {
        "coordination/ledger.json": encode(MACHINES[0]),
        "coordination/jobs/0000/1/job.json": encode(SPEC),
    }
    changes = {path: File(data=data) for path, data in files.items()}
    return [frozen.freeze(advance(View(), changes, lambda path: []), OID), frozen.freeze(View(), None)]


# -- trees

PATHS = ("src/a.c", "lib/dist/x.js", "lib/", "a/b/c/d", ".git/x", "node_modules/y/z", "x", "é\n\udcff")


def tree(data: bytes) -> None:
    """`bnet.yaml` is a sound graph or `Invalid`; written down anew, it is the same one."""
    try:
        found = read_tree(data)
    except Invalid as error:
        check_error(error)
        return
    use_tree(found)


def use_tree(found: Tree) -> None:
    """Do with a sound tree what commands do."""
    must(read_tree(write_tree(found)) == found, "written otherwise than read")
    try:
        check_outputs(found)
    except Invalid as error:
        check_error(error)
    graph, reach = Graph(found), Reach(found)
    must(sorted(graph.order()) == sorted(each.name for each in found.packages), "not all are in the order")
    graph.affected(PATHS, reach.has)
    graph.critical_path({})
    for word in (*(each.name for each in found.packages[:2]), "...x", "lib", "*"):
        try:
            graph.select([word])
        except Invalid as error:
            check_error(error)


class Manifests:
    """Files of a tree in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def glob(self, pattern: str) -> list[str]:
        patterns = Patterns([pattern], ".")
        return sorted(path for path in self.files if patterns.match(path))


def workspace(data: bytes) -> None:
    """Manifests of other tools declare a sound tree, none, or `Invalid`."""
    try:
        found = discover(Manifests(unpack(data)))
    except Invalid as error:
        check_error(error)
        return
    if found is not None:
        use_tree(found)


def _trees() -> list[bytes]:
    return [
        b"""\
# comment
sources: ["/Makefile"]
env: [CC, PATH]
hooks: {pre_build: "true", post_build: "true"}
store: {url: "s3://bucket/prefix", mode: read, timeout: 10s}
packages:
  - name: lib
    path: lib
    build_cmd: make -C lib
    sources: ["src/**/*.c", "!src/**/test_*", "/include/[a-z]*.{h,hh}"]
    outputs: ["out/*.a", "gen/**"]
  - name: "@scope/app"
    path: app
    build_cmd: [cc, -o, dist/app]
    dependencies: [lib]
    output_dir: dist
    tools: ["cc --version"]
    env: [CFLAGS]
    hooks: {pre_build: "true"}
    timeout: 1h30m
    incremental: true
    cache: false
""",
        b"packages: []\n",
        b"",
    ]


def _workspaces() -> list[bytes]:
    def of(value: object) -> bytes:
        return json.dumps(value).encode()

    node = {
        "package.json": of({"name": "root", "workspaces": ["packages/*", "!packages/x"], "scripts": {}}),
        "packages/a/package.json": of(
            {
                "name": "@s/a",
                "main": "./lib/index.js",
                "scripts": {"build": "tsc"},
                "dependencies": {"b": "workspace:*", "c": "file:../c", "d": "npm:e@1"},
                "exports": {".": {"import": "./esm/x.js"}},
                "files": ["dist"],
            }
        ),
        "packages/b/package.json": of({"name": "b", "scripts": {"build": "next build"}}),
        "packages/a/tsconfig.json": b'{"compilerOptions": {"outDir": "./out", /* c */ }, // d\n}',
        "pnpm-lock.yaml": b"",
    }
    pnpm = {**node, "pnpm-workspace.yaml": b"packages:\n  - 'packages/*'\n"}
    python = {
        "pyproject.toml": b'[tool.uv.workspace]\nmembers = ["libs/*"]\nexclude = ["libs/x"]\n'
        b'[tool.uv.sources]\nb = {workspace = true}\n[project]\nname = "root"\ndependencies = ["b>=1"]\n',
        "libs/b/pyproject.toml": b'[project]\nname = "b"\nversion = "1"\n[build-system]\nrequires = ["setuptools"]\n'
        b'build-backend = "setuptools.build_meta"\n[project.optional-dependencies]\nx = ["c[y]; python>\'3\'"]\n',
        "libs/c/pyproject.toml": b'[tool.poetry]\nname = "c"\n[tool.poetry.dependencies]\nb = {path = "../b"}\n',
        "uv.lock": b"",
    }
    return [pack(node), pack(pnpm), pack(python), pack({**node, **python})]


# -- words


def words(data: bytes) -> None:
    """A span of time and a size are read, or a `ValueError` says what would be right."""
    text = data.decode(errors="replace")
    readers: tuple[Callable[[str], float], ...] = (parse_duration, parse_size)
    for read in readers:
        try:
            number = read(text)
        except ValueError as error:
            must(type(error) is ValueError and bool(str(error)), "an error that says nothing")
            continue
        must(number >= 0, "less than nothing")
        must(read is not parse_duration or number <= LONGEST, "longer than allowed")


def _inboxes() -> list[bytes]:
    submit = {
        "name": "x",
        "command": ["make", "${matrix.py}"],
        "matrix": {"py": ["3.11", 12], "os": ["a"]},
        "labels": {"os": "linux", "n": 1.5},
        "needs": [1, "lint", {"job": 2, "on": "always"}],
        "source": {"repository": "/srv/x.git", "ref": "main"},
        "env": {"A": 1},
        "timeout": "10m",
        "retry": [{"limit": 2, "exit_code": ["64-78", "*", 3], "reason": "lost"}],
        "group": {"name": "g", "limit": 2},
        "supersede": "running",
        "locks": ["disk"],
        "artifacts": ["dist/**"],
        "not_before": "2026-12-24T18:00:00+01:00",
        "expires_after": "2d",
        "key": "k",
    }
    lines = b"""\
- submit: {name: lint, command: make lint, retry: 3, source: "/srv/x.git@main"}
- submit:
    packages: [lib...]
    source: {snapshot: aaaa}
- cancel: {job: 12, reason: superseded}
- retry: {job: 1}
- priority: {job: 1, priority: 2}
- pause: {server: build1, reason: "the disk is full"}
- resume: {server: build1}
- drain: {server: build1}
"""
    return [
        json.dumps([{"submit": submit}]).encode(),
        lines,
        json.dumps(submit).encode(),
        b"cancel: {job: 1}\n",
    ]


def _options() -> list[bytes]:
    given = {
        "command": ["true"],
        "priority": "3",
        "retry": "2",
        "timeout": "10m",
        "labels": {"a": "b"},
        "matrix": {"py": ["3.11", "3.12"]},
        "group": {"name": "g", "limit": "2"},
        "needs": ["1", "x"],
    }
    return [json.dumps(given).encode()]


def pipelines(data: bytes) -> None:
    """The pipelines of a `bnet.yaml` are sound, or `Invalid`; what is sound becomes submissions in order."""
    try:
        found = read_pipelines(data, "bnet.yaml")
    except Invalid as error:
        check_error(error)
        return
    for name, each in found.items():
        run = Run(source=Source(snapshot=OID), key="k", branch="main")
        foresee(each, run)
        seen: set[str] = set()
        for asked in expand(name, each, run):
            must(
                all(str(need.job) in seen for need in asked.needs if isinstance(need, NeedRef)),
                "comes too early",
            )
            must(asked.pipeline is not None, "is of no pipeline")
            seen.add(asked.pipeline.step if asked.pipeline else "")


def condition(data: bytes) -> None:
    """A condition means something, or is `Wrong`."""
    try:
        tree = expressions.parse(data.decode(errors="replace"))
    except expressions.Wrong:
        return
    must(isinstance(expressions.holds(tree, lambda name: name), bool), "is no answer")
    must(all(map(expressions.is_known, expressions.names(tree))), "asks for what there is not")


def environments(data: bytes) -> None:
    """`environments.yaml` is sound, or `Invalid`."""
    try:
        read_environments(data, "environments.yaml")
    except Invalid as error:
        check_error(error)


def monitoring(data: bytes) -> None:
    """`monitoring.yaml` is sound, or `Invalid`; what is sound judges any sample."""
    try:
        wanted = read_monitoring(data, "monitoring.yaml")
    except Invalid as error:
        check_error(error)
        return
    full = Sample(
        at=datetime(2026, 11, 20, tzinfo=UTC), cpu=1e308, memory=0.0, disk=dict.fromkeys(wanted.disks, 100.0)
    )
    for each in raised([full] * 6, wanted):
        must(each.value >= each.limit, "is told below its threshold")


def notifications(data: bytes) -> None:
    """`notifications.yaml` is sound, or `Invalid`; what is sound takes in and sends any event."""
    try:
        wanted = read_notifications(data, "notifications.yaml")
    except Invalid as error:
        check_error(error)
        return
    event = Event(name="job.failed", at=AT, priority="critical", text="\x1b<", key="job:x", action="trigger")
    notices = take_in(Notices(), [event] * 3, wanted, AT, 1)
    late = AT + timedelta(days=1)
    for each in due(notices, wanted, late):
        title, body = worded(each, wanted.channels[each.channel], "net")
        must(title.isprintable() and "\x1b" not in body, "shows a control character")
    must(decode(Notices, encode(escalated(notices, wanted, late, 2))) is not None, "cannot be kept")


AT = datetime(2026, 11, 20, tzinfo=UTC)


def reports(data: bytes) -> None:
    """`reports.yaml` is sound, or `Invalid`; what is sound has periods, one after another."""
    try:
        found = read_reports(data, "reports.yaml").reports
    except Invalid as error:
        check_error(error)
        return
    end = datetime(2026, 10, 26, tzinfo=UTC)
    for each in found.values():
        row = edges(end, str(each.report.period), each.span, each.report.timezone)
        must(list(row) == sorted(row) and row[-1] == end, "has periods that overlap")


def _pipelines() -> list[bytes]:
    steps = {
        "build": {"command": "make", "artifacts": ["dist/*"], "matrix": {"py": ["3.11", "3.12"]}},
        "test": {"command": ["make", "test"], "needs": ["build"], "when": "matrix.a", "matrix": {"a": ["1"]}},
        "tell": {
            "command": "x",
            "needs": [{"step": "test", "on": "always"}],
            "when": "not needs.test.result",
        },
        "prod": {"command": "d", "needs": ["build"], "inputs": [{"job": "build"}], "environment": "prod"},
        "ask": {
            "command": "x",
            "approvals": {"count": 1, "by": ["a@x"]},
            "when": 'branch matches "r/*" or tag',
        },
    }
    return [
        json.dumps({"pipelines": {"p": {"steps": steps}}}).encode(),
        b"pipeline: {steps: {a: {command: x}}}",
    ]


_CONDITIONS = [
    b'branch == "main" and not (tag matches "v*" or labels.a in ["x", "y"])',
    b"needs.a.result != ''",
]
_ENVIRONMENTS = [
    b"environments:\n- {name: dev}\n- {name: prod, approvals: 1, approvers: [a@x], branches: [main]}\n"
]


TARGETS = (
    Target("pipelines", "yaml", pipelines, _pipelines, 0.6),
    Target("condition", "text", condition, lambda: _CONDITIONS, 6.0),
    Target(
        "monitoring",
        "yaml",
        monitoring,
        lambda: [
            b"cpu: {warning: 90, critical: 99}\ndisk: {home: {}, /srv: {warning: 80}}\nraise_after: 1\n",
            b"failures: 5\nstuck_after: 60\nstuck_factor: 1.5\nhub: {warning: 1e9}\n",
        ],
        0.6,
    ),
    Target(
        "notifications",
        "yaml",
        notifications,
        lambda: [
            b"channels: {ops: {urls: ['json://h', '${BNET_NOTIFY_A}'], tags: [t], body: '{{ text }}'}}\n"
            b"routes: [{name: r, to: [t], events: ['job.*'], escalate: [{after: 1m}], group_by: [key]}]\n"
            b"quiet: {start: '22:00', end: '08:00', zone: UTC, exceptions: ['*.critical']}\n",
        ],
        3.0,
    ),
    Target(
        "reports",
        "yaml",
        reports,
        lambda: [
            b"daily: {cron: 0 6 * * 1-5, timezone: Europe/Berlin, deliver: [a], attach: [pdf, csv]}\n",
            b"x:\n  period: 12h\n  kind: analytics\n  names: ['a*']\n  keep: 3\nmonthly:\n",
        ],
        0.6,
    ),
    Target("environments", "yaml", environments, lambda: _ENVIRONMENTS, 0.6),
    Target(
        "document",
        "headed-json",
        document,
        lambda: [headed(type(each).__name__, encode(each)) for each in MACHINES],
        12.0,
    ),
    Target(
        "people",
        "headed-yaml",
        persons_document,
        lambda: [headed(type(each).__name__, people.write(each)) for each in PEOPLE],
        0.8,
    ),
    Target("inbox", "yaml", inbox, _inboxes, 0.4),
    Target("options", "json", options, _options, 6.0),
    Target("archive", "bytes", archive, lambda: [archive_line(Job(spec=SPEC, result=RESULT)) * 2], 12.0),
    Target("snapshot", "bytes", snapshot, _snapshots, 6.0),
    Target("tree", "yaml", tree, _trees, 0.8),
    Target("workspace", "files", workspace, _workspaces, 1.2),
    Target("words", "text", words, lambda: [b"1h30m", b"90", b"1.5 d", b"5GB", b"1.5 GiB"], 15.0),
)
