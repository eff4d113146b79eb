"""Targets of the whole: a hub to which somebody commits what they like, and servers that go on."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import PurePosixPath

from bundle import pack, unpack
from reading import (
    ATTEMPT,
    BEAT,
    KEYS,
    NOON,
    OID,
    REJECTION,
    RESULT,
    RUN,
    SETTINGS,
    WANTED,
)
from target import Target, must

from bnet.app.audit import audit
from bnet.app.ledger import Ledger
from bnet.app.logs import LogReader, last_run
from bnet.app.lookup import Lookup
from bnet.app.server.cycle import Node
from bnet.app.server.intent import Builder
from bnet.app.server.standing import Telemetry
from bnet.app.server.telemetry import Draft
from bnet.app.told.jobs import conditions, describe_fully
from bnet.app.told.overview import heartbeats, overview, sentence
from bnet.codec import layout, people
from bnet.codec.documents import encode
from bnet.errors import BnetError
from bnet.memory import ManualClock, MemoryHub, Repository
from bnet.model.hub import Head, Settings
from bnet.model.job import BuildReport, Claim, JobResult, JobSpec, Wanted
from bnet.model.rollup import Rolled
from bnet.model.run import Intent, RunFact
from bnet.model.server import Identity, Server
from bnet.model.state import State
from bnet.model.telemetry import Sampled, Sent
from bnet.ports.hub import Commit, Look
from bnet.ports.machine import Disks
from bnet.rules.leases import Observed
from bnet.rules.specs import Unresolved

ME = Identity(hub="/srv/hub.git", branch="bnet", name="build1", instance="i-1", slots=3)
LEDGER = "refs/heads/bnet"
TELEMETRY = "refs/bnet/servers/"
MESSAGE, AUTHOR = "MESSAGE", "AUTHOR"
TRAILERS = "x: y\n\nBnet-Seq: 5\nBnet-Next-Job: 9\nBnet-Nonce: 00\nBnet-Op: submit 4 by=ada\n"
ROUNDS = 5  # of a server, after which it has nothing more to say of what somebody committed


class _Notes:
    """Notes in memory."""

    def __init__(self) -> None:
        self.kept, self.said = Observed(), Sent()

    def observed(self) -> Observed:
        return self.kept

    def keep_observed(self, observed: Observed) -> None:
        self.kept = observed

    def sent(self) -> Sent:
        return self.said

    def keep_sent(self, sent: Sent) -> None:
        self.said = sent

    def measure(self) -> dict[str, float | None]:
        return {}

    def disks(self, paths: Sequence[str]) -> Disks:
        return Disks({})

    def sampled(self) -> Sampled:
        return Sampled()

    def keep_sampled(self, sampled: Sampled) -> None: ...

    def rolled(self) -> Rolled:
        return Rolled()

    def keep_rolled(self, rolled: Rolled) -> None: ...


class _Runs:
    """Runs that begin, and never end."""

    def __init__(self) -> None:
        self.facts: dict[str, RunFact] = {}

    def collect(self) -> list[RunFact]:
        return list(self.facts.values())

    def intend(self, intents: Sequence[Intent]) -> None:
        for each in intents:
            encode(each)
            self.facts[each.run] = RunFact(intent=each, phase="alive")

    def start(self, key: str, run: str) -> None: ...

    def built(self, key: str) -> BuildReport | None:
        return None

    def renew(self, key: str, until: float, grace: float, *, revive: bool) -> None: ...

    def holds(self, key: str) -> bool:
        return True

    def stop(self, key: str, reason: str, message: str) -> None: ...

    def settle(self, key: str, note: str) -> None: ...

    def forget(self, key: str) -> None: ...

    def log_size(self, key: str) -> int:
        return 0

    def read_log(self, key: str, start: int, end: int) -> bytes:
        return b""

    def kept(self, key: str) -> None:
        return None

    def artifacts(self, key: str) -> dict[str, bytes]:
        return {}


@cache
def _founded() -> Repository:
    """Return a hub with two servers, and jobs in each state."""
    first, second, third = (layout.job_dir(number) for number in (1, 2, 3))
    plain = {
        number: JobSpec(
            number=number, name=f"j{number}", command="true", submitted_by="ada", submitted_at=NOON
        )
        for number in (1, 2, 3)
    }
    files = {
        layout.HEAD: encode(Head(format=1, hub="h", seq=1, next_job=4)),
        layout.SETTINGS: b"name: net\n",
        layout.server_path("build1"): encode(Server(name="build1", instance="i-1", joined_at=NOON, slots=3)),
        layout.server_path("build2"): encode(Server(name="build2", instance="i-2", joined_at=NOON)),
        first + "job.json": encode(plain[1]),
        second + "job.json": encode(plain[2]),
        second + "claim.json": encode(
            Claim(server="build2", instance="i-2", attempt=1, run=RUN, token=1, ttl_s=300.0, claimed_at=NOON)
        ),
        third + "job.json": encode(plain[3]),
        third + "result.json": encode(JobResult(result="cancelled", reason="cancel", finished_at=NOON)),
    }
    repository = Repository()
    message = "ada: init\n\nBnet-Seq: 1\nBnet-Next-Job: 4\nBnet-Nonce: 11\nBnet-Op: init format=1\n"
    repository.refs[LEDGER] = repository.put(_commit(None, files, message, "ada"))
    return repository


def _commit(parent: str | None, files: Mapping[str, bytes | None], message: str, author: str) -> Commit:
    return Commit(parent=parent, files=files, message=message, author=author, at=NOON)


def _copied() -> Repository:
    whole, copy = _founded(), Repository()
    copy.refs, copy.commits = dict(whole.refs), dict(whole.commits)
    copy.trees, copy.recorded = dict(whole.trees), dict(whole.recorded)
    return copy


def ledger(data: bytes) -> None:
    """Whatever somebody commits, the state loads, what is broken is named, and servers come to rest again."""
    files = unpack(data)
    message = files.pop(MESSAGE, b"by hand\n").decode(errors="replace")
    author = files.pop(AUTHOR, b"eve@example.org").decode(errors="replace")
    told = {path: text for path, text in files.items() if _is_path(path)}
    _planted.clear()
    _planted.update(told)
    repository = _copied()
    oid = repository.put(_commit(repository.refs[LEDGER], told, message, author))
    repository.refs[LEDGER] = oid
    forged = repository.recorded[oid] is not None
    try:
        _go_on(repository)
    except BnetError:
        # What calls itself a transaction is believed, and may take the server's registration away, or the format
        # up. What a person commits may do nothing of that kind.
        if not forged:
            raise
    if forged:
        with suppress(BnetError):
            audit(MemoryHub(repository), oid)


def _is_path(path: str) -> bool:
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False  # no bytes are read as this
    parts = path.split("/")
    return "\0" not in path and not {"", ".", "..", ".git"} & set(parts)


def _go_on(repository: Repository) -> None:
    clock, chance = ManualClock(), random.Random(1)
    hub = MemoryHub(repository)
    mine = Ledger(hub, clock, ME.name, chance)
    lookup = Lookup(hub, lambda repository, ref: OID if len(ref) < 5 else Unresolved("no"))
    node = Node(
        ME,
        mine,
        _Runs(),
        _Notes(),
        clock,
        lookup,
        lambda data: "d",
        PurePosixPath("/r"),
        Builder(("b",), "/c"),
    )
    said = True
    for _ in range(ROUNDS):
        said = node.cycle().commit is not None
        clock.seconds += 20.0
    must(not said, f"after {ROUNDS} rounds there still is something to say")
    must(not mine.state.restore, "a document stays broken")
    other = Ledger(MemoryHub(repository), clock, "x", chance)
    other.refresh()
    _check_same(mine.state, other.state)
    _show(other, hub)


def _check_same(one: State, two: State) -> None:
    """See that whoever followed the ledger and whoever reads it anew know the same."""
    for field in ("head", "settings", "servers", "jobs", "keys", "rejected", "archive"):
        must(getattr(one, field) == getattr(two, field), f"{field}: not what is read anew")
    theirs = [each.path for each in two.problems if layout.is_machine(each.path)]
    must(not theirs, f"a machine's document is broken: {theirs[:3]}")
    ours = [
        each for each in two.problems if each.path.startswith(layout.REJECTED) and each.path not in _planted
    ]
    must(not ours, f"a rejection cannot be read: {ours[:3]}")


_planted: set[str] = set()  # what a person wrote under `rejected/` may be anything


def _show(ledger: Ledger, hub: MemoryHub) -> None:
    state, now = ledger.state, ledger.clock.now()
    look = hub.look()
    told = overview(state, "hub", heartbeats(hub, look, state.servers), now)
    sentence(told)
    for job in state.jobs.values():
        describe_fully(job, state, now)
        if job.state == "pending":
            conditions(job, state, now)


# -- telemetry


def telemetry(data: bytes) -> None:
    """What stands on a server's ref is its heartbeat and logs, as far as it can be read; the rest is passed over."""
    files = {path: text for path, text in unpack(data).items() if _is_path(path)}
    repository = _copied()
    hub, clock = MemoryHub(repository), ManualClock()
    oid = repository.put(_commit(None, files, "x\n", "build1"))
    repository.refs[TELEMETRY + "build1"] = oid
    look = hub.look()
    mine = Ledger(hub, clock, ME.name, random.Random(1))
    mine.refresh(look)
    sentence(overview(mine.state, "hub", heartbeats(hub, look, mine.state.servers), clock.now()))
    for key in ("1.1", "20.3"):
        list(LogReader(hub, "build1", key).read(look))
    for job in mine.state.jobs.values():
        last_run(job)
    _recover(hub, look, clock)


def _recover(hub: MemoryHub, look: Look, clock: ManualClock) -> None:
    notes = _Notes()
    try:
        sent = Telemetry(ME, hub, notes, clock).sent(look, 0.0)
    except BnetError:
        return
    draft = Draft(sent)
    clock.sleep(30 * 86400.0)
    draft.prune(clock.now())
    commit, anew = draft.commit(BEAT, clock.now())
    [oid] = hub.write([commit])
    draft.landed(oid, anew, clock.now())


def _commits() -> list[bytes]:
    job = layout.job_dir(4)
    forged: dict[str, bytes] = {
        MESSAGE: TRAILERS.encode(),
        layout.HEAD: encode(Head(format=1, hub="h", seq=5, next_job=9)),
        layout.SETTINGS: people.write(SETTINGS),
        layout.server_path("build3"): encode(Server(name="build3", instance="i", joined_at=NOON)),
        job + "job.json": encode(
            JobSpec(number=4, name="x", command="x", submitted_by="e", submitted_at=NOON)
        ),
        job + "wanted.json": encode(Wanted(priority=2)),
        layout.job_dir(2) + "wanted.json": encode(WANTED),
        layout.job_dir(1) + "attempts/1.json": encode(ATTEMPT),
        layout.job_dir(5) + "job.json": encode(
            JobSpec(number=5, name="y", submitted_by="e", submitted_at=NOON)
        ),
        layout.job_dir(5) + "result.json": encode(RESULT),
        layout.key_path("ab") + "": encode(KEYS),
        layout.ARCHIVE + "2026/11/20.1.jsonl": b"{}\n",
    }
    by_hand: dict[str, bytes] = {
        layout.SETTINGS: people.write(Settings(name="n", ttl=60.0, push_budget=6.0, read_budget=2.0)),
        layout.INBOX + "a.yaml": b"- submit: {name: x, command: [a, b], matrix: {py: [a, b]}, key: k}\n"
        b"- cancel: {job: 1, reason: no}\n",
        layout.INBOX
        + "b/c.yml": b"submit: {command: 'true', needs: [1, j2], supersede: running, group: g}\n",
        layout.REJECTED + "old.yaml": people.write(REJECTION),
        layout.INBOX
        + "pause.json": b'[{"pause": {"server": "build2", "reason": "x"}}, {"retry": {"job": 3}}]',
        layout.HEAD: b"{}",
        "README.md": b"x",
    }
    return [pack(by_hand), pack(forged), pack({**by_hand, **forged})]


def _refs() -> list[bytes]:
    run = "runs/0000/1.1/"
    return [
        pack(
            {
                "heartbeat.json": encode(BEAT),
                run + "log/000000000000": b"one\n",
                run + "log/000000000100": b"two\n",
                run + "artifacts/a": b"x",
                run + "superseded.json": b"{}",
            }
        )
    ]


TARGETS = (
    Target("ledger", "files", ledger, _commits, 0.3),
    Target("telemetry", "files", telemetry, _refs, 0.8),
)
