"""A bare hub, machines that share it, and the command line on each of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import zygote

from bnet import __version__
from bnet.app.doctor.examine import CHECKS, examine
from bnet.app.doctor.finding import Finding
from bnet.app.ledger import Ledger
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.codec.submission import from_fields
from bnet.host.home import Home
from bnet.model.hub import FORMAT, Head
from bnet.model.server import Identity, Server
from bnet.ports.hub import Commit, Update
from bnet.rules import servers
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.wiring.machine import Machine
from bnet.wiring.patients import patient_of

TOP = Path(__file__).resolve().parents[2]
# The command line as `python -m bnet` runs it, after something was changed in it.
COMMAND = "from bnet.cli.errors import guarded; guarded()"
FORMAT_2 = """
import bnet.model.hub
bnet.model.hub.FORMAT = 2
import bnet.codec.formats
bnet.codec.formats.UPGRADES[2] = lambda files: {"coordination/hub.yaml": b"name: upgraded\\n"}
"""


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Lab:
    """One hub."""

    def __init__(self, top: Path) -> None:
        """Make it, with the first commit of a ledger."""
        self.top = top
        self.bare = top / "hub.git"
        self.url = str(self.bare)
        subprocess.run(["git", "init", "--quiet", "--bare", "-b", "bnet", self.bare], check=True)
        hub = self.machine("founder").hub(self.url)
        files = {layout.HEAD: encode(Head(format=FORMAT, hub=str(uuid.uuid4())))}
        first = Commit(
            parent=None,
            files=files,
            message="bnet: init\n\nBnet-Seq: 0\nBnet-Next-Job: 1\nBnet-Nonce: 0\n",
            author="bnet",
            at=self.machine("founder").clock.now(),
        )
        assert hub.push([Update(hub.ledger_ref, "", hub.write([first])[0])]) is None

    def git(self, *arguments: str, input: bytes | None = None) -> str:
        """Run Git in the hub."""
        done = subprocess.run(
            ["git", f"--git-dir={self.bare}", *arguments], input=input, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def tip(self) -> str:
        """Return the ledger's tip on the hub."""
        return self.git("rev-parse", "refs/heads/bnet")

    def move(self, tip: str) -> None:
        """Point the ledger's branch somewhere else, as a backup that is restored does."""
        self.git("update-ref", "refs/heads/bnet", tip)

    def home(self, name: str) -> Path:
        """Return a machine's BNET_HOME."""
        return self.top / name

    def machine(self, name: str, **env: str) -> Machine:
        """Return a machine as the command line of a new process has it."""
        return Machine(Home(self.home(name)), {**os.environ, **env}, f"{name}@example.invalid")

    def join(self, name: str, *, labels: dict[str, str] | None = None, formats: int = FORMAT) -> Machine:
        """Make a machine a server."""
        machine = self.machine(name)
        me = Server(
            name=name,
            instance=uuid.uuid4().hex,
            joined_at=machine.clock.now(),
            slots=2,
            labels=labels or {},
            formats=formats,
            version=__version__,
        )
        machine.keep_identity(
            Identity(
                hub=self.url,
                branch="bnet",
                name=name,
                instance=me.instance,
                slots=me.slots,
                labels=me.labels,
                path=os.environ["PATH"],
            )
        )
        self.ledger(name).transact(lambda tx: tx.apply(servers.register(me, None)))
        return machine

    def ledger(self, name: str) -> Ledger:
        """Return a machine's hold of the ledger, up to date."""
        ledger = self.machine(name).ledger(self.url, name)
        ledger.refresh()
        return ledger

    def commit(self, path: str, content: bytes) -> str:
        """Commit one file to the ledger's branch as a person does."""
        index = self.top / "index"
        env = {**os.environ, "GIT_INDEX_FILE": str(index), "GIT_DIR": str(self.bare)}

        def run(*words: str, input: bytes | None = None) -> str:
            done = subprocess.run(["git", *words], env=env, input=input, check=True, capture_output=True)
            return done.stdout.decode().strip()

        run("read-tree", "refs/heads/bnet")
        blob = run("hash-object", "-w", "--stdin", input=content)
        run("update-index", "--add", "--replace", "--cacheinfo", f"100644,{blob},{path}")
        made = run("commit-tree", run("write-tree"), "-p", "refs/heads/bnet", "-m", "by hand")
        self.move(made)
        return made

    def bnet(self, name: str, *words: str, before: str = "", env: dict[str, str] | None = None) -> Said:
        """Run the command line on a machine, in a process of its own."""
        whole = {**os.environ, "BNET_HOME": str(self.home(name)), "PYTHONPATH": str(TOP), **(env or {})}
        if not before:
            code, out, err = zygote.run(words, env=whole, cwd=self.top)
            return Said(code, out.decode(), err.decode())
        done = subprocess.run(
            [sys.executable, "-c", before + COMMAND, *words],
            env=whole,
            cwd=self.top,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def submit(self, who: str, command: str, **fields: Any) -> int:
        """Ask for a job in this process, and return its number."""
        asked = [from_fields({"command": command, **fields})]
        numbers: list[int] = []

        def decide(tx: Transaction) -> None:
            numbers[:] = admit(tx, asked, by=who, facts=Facts())

        self.ledger(who).transact(decide)
        return numbers[0]

    def examine(self, name: str, url: str | None = "", *, only: str = "") -> dict[str, Finding]:
        """Return what the doctor finds on a machine, by check; of one check alone, which is quicker."""
        patient = patient_of(self.machine(name), self.url if url == "" else url)
        checks = {only: CHECKS[only]} if only else CHECKS
        return {each.check: each for each in examine(patient, checks)}
