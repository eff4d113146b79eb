"""Servers as real processes that share a real hub, and what can be read off the two afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil
import zygote

from bnet.app.ledger import Ledger
from bnet.cli.playground import MARK, Playground
from bnet.codec.submission import from_fields
from bnet.host import processes
from bnet.host.home import Home
from bnet.model.job import Job
from bnet.process import Completed
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.wiring.machine import Machine

T = TypeVar("T")

POLL = 0.1  # seconds between two looks
PATIENCE = 60.0  # seconds for what takes one or two on a machine at rest


class Claimed(NamedTuple):
    """A claim, and the place in the ledger's history (from 0) of the commits that made and ended it."""

    job: int
    attempt: int
    server: str
    run: str
    token: int
    seq: int
    begun: int
    ended: int | None


class Operation(NamedTuple):
    """A `Bnet-Op` trailer: what one commit of the ledger did to one thing."""

    place: int
    seq: int
    verb: str
    target: str
    fields: dict[str, str]


class Fleet(Playground):
    """A playground with a watcher: a reader of the hub in this process, which is quicker than a command."""

    def __init__(self, root: Path, url: str | None = None) -> None:
        super().__init__(root, url)
        self.poll = POLL
        self._watcher: Ledger | None = None

    def bnet(
        self,
        *words: str,
        home: str = "person",
        input: bytes | None = None,
        timeout: float = 120,
        cwd: Path | None = None,
    ) -> Completed:
        path = str(self.root / home)
        env = self.env | {"BNET_HOME": path, MARK: path, "BNET_HUB": self.url}
        return zygote.run(words, env=env, input=input, timeout=timeout, cwd=cwd or self.root)

    # -- beginning

    def found(self, *options: str, settings: str = "") -> None:
        """Make the hub, with further lines for its `hub.yaml` from a person's commit."""
        self.init(*options)
        if settings:
            self.configure(settings)

    def join_all(self, names: Sequence[str], *options: str) -> None:
        """Make servers, three at a time: joining is mostly waiting."""
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda name: self.join(name, *options), names))

    def commit(self, path: str, text: str) -> None:
        """Commit a file to the hub as a person does."""
        clone = self.root / "clone"
        self.git("clone", "--quiet", self.url, str(clone))
        (clone / path).write_text(text)
        self.git("-C", str(clone), "add", path)
        who = ("-c", "user.name=you", "-c", "user.email=you@example.invalid")
        self.git("-C", str(clone), *who, "commit", "--quiet", "--message", "by hand")
        self.git("-C", str(clone), "push", "--quiet", "origin", "HEAD")
        shutil.rmtree(clone)

    def submit(self, command: str | Sequence[str], *options: str, home: str = "person") -> int:
        """Ask for one job, and return its number; a text is run by a shell."""
        words = [command] if isinstance(command, str) else list(command)
        told = json.loads(self.ok("submit", "--json", *options, "--", *words, home=home))
        assert isinstance(told, dict), f"more than one job: {told}"
        return int(told["number"])

    def submit_all(self, *jobs: dict[str, Any]) -> list[int]:
        """Ask for jobs by the fields of the inbox, and return their numbers."""
        text = json.dumps([{"submit": job} for job in jobs])
        told = json.loads(self.ok("submit", "--json", "-f", "-", input=text.encode()))
        return [each["number"] for each in ([told] if isinstance(told, dict) else told)]

    def ask(self, command: str) -> int:
        """Ask for one job in this process, as somebody whose commands are not what is tested."""
        numbers: list[int] = []

        def decide(tx: Transaction) -> None:
            numbers[:] = admit(tx, [from_fields({"command": command})], by="somebody", facts=Facts())

        self.look().transact(decide)
        return numbers[0]

    # -- looking

    def look(self) -> Ledger:
        """Return the ledger as the hub has it now."""
        if self._watcher is None:
            machine = Machine(Home(self.root / "watcher"), self.env, "watcher@example.invalid")
            self._watcher = machine.ledger(self.url)
        self._watcher.refresh()
        return self._watcher

    def job(self, number: int) -> Job:
        """Return a job as the hub has it now."""
        return self.look().state.jobs[number]

    def until(self, what: str, ask: Callable[[], T | None], timeout: float = PATIENCE) -> T:
        """Ask again and again, and return the first answer that is true.

        Raises:
            AssertionError: there was none in time; with what the servers said last.
        """
        deadline = time.monotonic() + timeout
        while True:
            if answer := ask():
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"not so after {timeout:g} s: {what}\n{self.last_words()}")
            time.sleep(self.poll)

    def until_running(self, *numbers: int, timeout: float = PATIENCE) -> None:
        """Wait until jobs are claimed."""
        self.until(
            f"{numbers} run", lambda: all(self.job(each).state == "running" for each in numbers), timeout
        )

    def until_ended(self, *numbers: int, timeout: float = PATIENCE) -> dict[int, Job]:
        """Wait until jobs have a result, and return them."""

        def ended() -> dict[int, Job] | None:
            jobs = self.look().state.jobs
            found = {number: jobs[number] for number in numbers}
            return found if all(job.result is not None for job in found.values()) else None

        return self.until(f"{numbers} have ended", ended, timeout)

    def until_written(self, path: Path, lines: int = 1, timeout: float = PATIENCE) -> list[str]:
        """Wait until a file has so many whole lines, and return them."""

        def written() -> list[str] | None:
            found = whole_lines(path)
            return found if len(found) >= lines else None

        return self.until(f"{path.name} has {lines} lines", written, timeout)

    def log(self, number: int) -> str:
        """Return what a job printed, as `bnet logs` has it; empty while there is nothing."""
        return self.bnet("logs", str(number)).out.decode(errors="replace")

    def last_words(self) -> str:
        """Return the ends of what the servers wrote into their logs."""
        logs = [*sorted(self.root.glob("*.log")), *sorted(self.root.glob("*/logs/*.log"))]
        told = []
        for path in logs:
            told.append(
                f"--- {path.relative_to(self.root)}\n" + "\n".join(_tail(path.read_text(errors="replace")))
            )
        return "\n".join(told)

    # -- the history

    def history(self) -> list[Operation]:
        """Return all that the ledger's commits did, from the first one on."""
        clone = self.root / "history.git"
        shutil.rmtree(clone, ignore_errors=True)
        self.git("clone", "--quiet", "--bare", "--single-branch", "--branch=bnet", self.url, str(clone))
        told = self.git(
            "--git-dir", str(clone), "log", "--reverse", "--topo-order", "--format=%B%x00", "bnet"
        )
        found = []
        for place, message in enumerate(told.split("\0")):
            seq = re.search(r"^Bnet-Seq: (\d+)$", message, re.MULTILINE)
            for words in re.findall(r"^Bnet-Op: (.+)$", message, re.MULTILINE):
                assert seq is not None
                verb, target, *pairs = words.split()
                fields = dict(pair.split("=", 1) for pair in pairs)
                found.append(Operation(place, int(seq[1]), verb, target, fields))
        return found

    def claims(self) -> list[Claimed]:
        """Return every claim there was, in the order of history; one that still holds has no end."""
        claims: dict[str, Claimed] = {}
        for op in self.history():
            run = op.fields.get("run", "")
            if op.verb == "claim":
                assert run not in claims, f"run {run} was claimed twice"
                claims[run] = Claimed(
                    int(op.target),
                    int(op.fields["attempt"]),
                    op.fields["server"],
                    run,
                    int(op.fields["token"]),
                    op.seq,
                    op.place,
                    None,
                )
            elif op.verb in ("finish", "requeue") and run:
                assert claims[run].ended is None, f"run {run} ended twice"
                claims[run] = claims[run]._replace(ended=op.place)
        return list(claims.values())

    # -- processes

    def close(self) -> None:
        """End all that was started, by a server whose home is gone as well."""
        super().close()
        for process in living():
            if _environ(process).get(MARK, "").startswith(f"{self.root}/"):
                kill(process.pid)

    def runs_of(self, name: str) -> list[int]:
        """Return the pids of the living supervisors of a server."""
        found = []
        for path in (self.root / name / "runs").glob("[0-9]*.[0-9]*/pid.json"):
            try:
                told = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue  # it was removed meanwhile
            if processes.is_alive(told["pid"], told["start"], told["boot_id"]):
                found.append(int(told["pid"]))
        return found

    def kill_agent(self, name: str) -> None:
        """Kill an agent, and nothing of what it started."""
        kill(self.agents.pop(name))

    def marked(self, name: str) -> list[psutil.Process]:
        """Return the living processes that a server started."""
        return [each for each in living() if _environ(each).get(MARK) == str(self.root / name)]


def living() -> Iterator[psutil.Process]:
    """Yield the processes of this machine that are no zombies."""
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def with_variable(name: str, value: str) -> list[int]:
    """Return the pids of the processes that have a variable in their environment."""
    return [each.pid for each in living() if _environ(each).get(name) == value]


def kill(pid: int) -> None:
    """Kill a process, and wait until it is gone or a zombie."""
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.Error:
            return
        time.sleep(0.01)


def whole_lines(path: Path) -> list[str]:
    """Return the lines of a file that have been written to their end."""
    try:
        return path.read_text().rpartition("\n")[0].splitlines()
    except FileNotFoundError:
        return []


def commit_files(repository: Path, files: dict[str, str], message: str = "change") -> str:
    """Write files into a repository with a working tree, commit them, and return the commit."""
    for name, text in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", message)
    return git(repository, "rev-parse", "HEAD")


def git(directory: Path, *words: str) -> str:
    """Run Git as a person does, and return what it printed."""
    done = subprocess.run(["git", *words], cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _tail(text: str) -> list[str]:
    return text.splitlines()[-12:]
