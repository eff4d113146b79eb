"""A hub, machines that share it and people who commit to it: in Git, and in memory."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bnet.app.ledger import Ledger
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.faults import Call, Fault, FaultyHub, Plan, script
from bnet.gitstore.hub import RemoteHub
from bnet.gitstore.repo import environment
from bnet.memory import ManualClock, MemoryHub, Repository
from bnet.model.command import Submit
from bnet.model.hub import FORMAT, Head
from bnet.model.job import Attempt
from bnet.model.server import Server
from bnet.ports.hub import Commit, Hub, Update
from bnet.rules import jobs
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALICE = "alice@example.invalid"
BOB = "bob@example.invalid"
LEDGER = "refs/heads/bnet"
IMPORT = (
    "-c",
    "fastimport.unpackLimit=1",
    "fast-import",
    "--quiet",
    "--force",
    "--done",
    "--date-format=raw",
)
SERVERS = "refs/bnet/servers/"

# What contents alone decide, however they are kept: long tables of them are tried in one world.
in_memory = pytest.mark.parametrize("empty", ["memory"], indirect=True)


@dataclass(frozen=True)
class Link:
    """A symbolic link, among a person's files."""

    target: str


@dataclass(frozen=True)
class Module:
    """A submodule, among a person's files."""

    commit: str = "1" * 40


Files = Mapping[str, "bytes | Link | Module | None"]


@dataclass
class Machine:
    """One machine's hold of the ledger, with all that it is made of."""

    hub: Hub
    ledger: Ledger
    clock: ManualClock

    @property
    def faults(self) -> FaultyHub:
        assert isinstance(self.hub, FaultyHub)
        return self.hub


class World:
    """What the suite asks of a kind of hub; people's commits go past the code under test."""

    def hub(self, name: str) -> Hub:
        """Return a machine's view of the hub; the same name is the same private copy."""
        raise NotImplementedError

    def person(
        self, files: Files, *, by: str = ALICE, message: str = "by hand", parent: str | None = "tip"
    ) -> str:
        """Commit to the ledger branch as a person does; with another parent, the branch is moved there."""
        raise NotImplementedError

    def tip(self) -> str:
        raise NotImplementedError

    def move(self, tip: str) -> None:
        """Point the ledger's branch somewhere else, or with "" delete it."""
        raise NotImplementedError

    def line(self) -> list[str]:
        """Return the ledger's commits, oldest first."""
        raise NotImplementedError

    def begin(self) -> str:
        """Make the first commit of a ledger."""
        head = Head(format=FORMAT, hub="11111111-2222-4333-8444-555555555555")
        message = "bnet: init\n\nBnet-Seq: 0\nBnet-Next-Job: 1\nBnet-Nonce: 0\n"
        return self.person({layout.HEAD: encode(head)}, message=message, parent=None)

    def machine(
        self,
        name: str,
        *,
        plan: Plan | None = None,
        meanwhile: Callable[[Call], None] | None = None,
        actor: str | None = None,
        fresh: bool = True,
        **faults: list[Fault],
    ) -> Machine:
        """Return a machine whose snapshot is up to date unless told otherwise; faults come after that."""
        hub, clock = self.hub(name), ManualClock()
        if plan is not None or faults or meanwhile is not None:
            ready = [False]
            told = plan or script(faults)
            hub = FaultyHub(hub, lambda call: told(call) if ready[0] else "", meanwhile)
        else:
            ready = []
        ledger = Ledger(hub, clock, actor or name, random.Random(name))
        if fresh:
            ledger.refresh()
        ready[:] = [True]
        return Machine(hub, ledger, clock)


class GitWorld(World):
    """A bare repository in a directory, and a private mirror per machine."""

    def __init__(self, top: Path, *, wrapped: bool = False) -> None:
        self.top = top
        self.bare = top / "hub.git"
        self.wrapped = wrapped
        subprocess.run(["git", "init", "--quiet", "--bare", "--template=", str(self.bare)], check=True)

    def git(self, *arguments: str, input: bytes | None = None, **env: str) -> str:
        done = subprocess.run(
            ["git", f"--git-dir={self.bare}", *arguments],
            input=input,
            env={**os.environ, **env},
            check=True,
            capture_output=True,
        )
        return done.stdout.decode(errors="replace").strip()

    def remote(self, name: str) -> RemoteHub:
        mirror = self.top / name / "mirror.git"
        return RemoteHub(str(self.bare), "bnet", mirror, environment(os.environ), prefix=SERVERS)

    def hub(self, name: str) -> Hub:
        hub: Hub = self.remote(name)
        return FaultyHub(hub, script({})) if self.wrapped else hub

    def person(
        self, files: Files, *, by: str = ALICE, message: str = "by hand", parent: str | None = "tip"
    ) -> str:
        who = f"{by.split('@')[0]} <{by}> {int(NOON.timestamp())} +0000"
        parts = [f"reset {LEDGER}\n\n".encode()] if parent is None else []
        parts += [
            f"commit {LEDGER}\nmark :1\nauthor {who}\ncommitter {who}\n".encode(),
            _data(message.encode()),
        ]
        if parent is not None:
            parts.append(f"from {LEDGER + '^0' if parent == 'tip' else parent}\n".encode())
        removals_first = sorted(files.items(), key=lambda each: each[1] is not None)
        parts += [_row(path, content) for path, content in removals_first]
        stream = b"".join(parts) + b"get-mark :1\ndone\n"
        return self.git(*IMPORT, input=stream)

    def tip(self) -> str:
        return self.git("for-each-ref", "--format=%(objectname)", LEDGER)

    def move(self, tip: str) -> None:
        self.git("update-ref", *([LEDGER, tip] if tip else ["-d", LEDGER]))

    def line(self) -> list[str]:
        return self.git("rev-list", "--reverse", "--first-parent", LEDGER).split()


def _row(path: str, content: bytes | Link | Module | None) -> bytes:
    name = b'"' + b"".join(b"\\%03o" % byte for byte in path.encode(errors="surrogateescape")) + b'"\n'
    if content is None:
        return b"D " + name
    if isinstance(content, Module):
        return f"M 160000 {content.commit} ".encode() + name
    if isinstance(content, Link):
        return b"M 120000 inline " + name + _data(content.target.encode())
    return b"M 100644 inline " + name + _data(content)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


class MemoryWorld(World):
    """The hub of the simulation."""

    def __init__(self) -> None:
        self.repository = Repository()
        self._hubs: dict[str, MemoryHub] = {}

    def hub(self, name: str) -> Hub:
        return self._hubs.setdefault(name, MemoryHub(self.repository))

    def person(
        self, files: Files, *, by: str = ALICE, message: str = "by hand", parent: str | None = "tip"
    ) -> str:
        plain = {path: data for path, data in files.items() if data is None or isinstance(data, bytes)}
        assert len(plain) == len(files), "links and submodules are for Git"
        parent = (self.tip() or None) if parent == "tip" else parent
        commit = Commit(parent=parent, files=plain, message=message, author=by, at=NOON)
        oid = self.repository.put(commit)
        self.move(oid)
        return oid

    def tip(self) -> str:
        return self.repository.refs.get(LEDGER, "")

    def move(self, tip: str) -> None:
        if tip:
            self.repository.refs[LEDGER] = tip
        else:
            self.repository.refs.pop(LEDGER, None)

    def line(self) -> list[str]:
        found, at = [], self.tip() or None
        while at is not None:
            found.append(at)
            at = self.repository.commits[at].parent
        return found[::-1]


# -- decisions, for transactions


Decide = Callable[[Transaction], None]


def submit(*names: str) -> Decide:
    """Ask for jobs of these names."""
    asked = [Submit(command="true", name=name) for name in names]

    def decide(tx: Transaction) -> None:
        admit(tx, asked, by=ALICE, facts=Facts())

    return decide


def claim(number: int, server: str = "s1", run: str | None = None) -> Decide:
    """Take a job if it is still pending."""

    def decide(tx: Transaction) -> None:
        job = tx.jobs[number]
        if job.state == "pending":
            holder = Server(name=server, instance=f"instance-{server}", joined_at=NOON)
            name = run or f"run-{number}-{server}-{len(job.attempts) + 1}"
            tx.apply(jobs.claim(job, holder, run=name, token=tx.seq, ttl_s=300.0, now=tx.now))

    return decide


def finish(number: int, server: str = "s1", code: int = 0) -> Decide:
    """Report a job's end if the server still holds it."""

    def decide(tx: Transaction) -> None:
        job = tx.jobs[number]
        held = job.claim
        if held is not None and held.server == server:
            ended = Attempt(
                attempt=held.attempt,
                server=server,
                run=held.run,
                token=held.token,
                result="failure" if code else "success",
                reason="exit",
                exit_code=code,
                finished_at=tx.now,
            )
            tx.apply(jobs.end_attempt(job, ended))

    return decide


def register(name: str) -> Decide:
    """Enter a server."""

    def decide(tx: Transaction) -> None:
        from bnet.rules import servers

        server = Server(name=name, instance=f"instance-{name}", joined_at=NOON)
        tx.apply(servers.register(server, tx.servers.get(name)))

    return decide


def nothing(tx: Transaction) -> None:
    """Have nothing to say."""


def arrives_with_the_next(machine: Machine, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let a machine give up its next push after 20 seconds; it arrives with the one after, so many seconds on."""
    push = machine.hub.push
    lost: list[Update] = []

    def given_up(updates: Sequence[Update]) -> str | None:
        monkeypatch.setattr(machine.hub, "push", arriving)
        lost.extend(updates)
        machine.clock.seconds += 20
        return "timed out"

    def arriving(updates: Sequence[Update]) -> str | None:
        machine.clock.seconds += seconds
        push(lost)
        return push(updates)

    monkeypatch.setattr(machine.hub, "push", given_up)
