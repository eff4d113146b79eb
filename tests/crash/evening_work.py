"""The evening's work: what people ask for and do, and when."""

from __future__ import annotations

import heapq
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleet import commit_files

from bnet.errors import BnetError

if TYPE_CHECKING:
    from evening import Evening

LOW = "disk: {/: {warning: 0.001}}\nraise_after: 1\nclear_after: 1\n"
USUAL = "disk: {}\nraise_after: 1\nclear_after: 1\n"
DEDUP = 80.0  # seconds in which the same is not told again
GROUP_WAIT = 20.0
ESCALATION = 60.0
WITHIN = 25.0  # seconds in which a message is to be acknowledged
TREE = """\
packages:
- {{name: core, path: core, build_cmd: "{command}", sources: ["src/**"], output_dir: out}}
- {{name: app, path: app, build_cmd: "cp src/a.txt .", sources: ["src/**"], dependencies: [core]}}
"""


class Work:
    """Asks for jobs and does what people do, each at its time."""

    def __init__(self, evening: Evening) -> None:
        """Make the plan."""
        self.evening, self.fleet = evening, evening.fleet
        self.jobs: dict[str, list[int]] = {}
        self.silenced: tuple[float, float, float] | None = None  # asked for, in force, for how long
        self.acked_at: float | None = None
        self.full: list[float] = []  # when disks were said to be too full, and when no longer
        self.posted: dict[str, float] = {}
        self.answered: dict[str, float] = {}
        self._plan: list[tuple[float, int, Callable[[], object]]] = []
        self._asked = 0
        seconds = evening.seconds
        self._each(25, lambda turn: self.job("true", "doc"))
        self._each(60, lambda turn: [self.job("sleep 2", f"tick-{each}", label=each) for each in "abcd"])
        self._each(45, lambda turn: self.job("false" if turn % 3 < 2 else "true", "wheel"))
        self._each(150, lambda turn: self.job("sleep 80", "long"))
        self._each(140, lambda turn: self._cancelled())
        for share in (0.2, 0.55, 0.8):
            self._at(share, lambda: [self.job("exit 4", f"burst-{each}") for each in range(5)])
        for share in (0.25, 0.6):
            self._at(share, self._approved)
        for share, command in ((0.3, "false"), (0.42, "false"), (0.65, "false"), (0.75, "true")):
            self._at(share, lambda command=command: self.job(command, "muted"))
        self._at(0.35, lambda: self._silence(0.2 * seconds))
        for share, command in ((0.1, "false"), (0.3, "false"), (0.45, "true"), (0.7, "false"), (0.8, "true")):
            self._at(share, lambda command=command: self.job(command, "taken"))
        self._at(0.18, self._take_on)
        for share, good in ((0.05, True), (0.15, False), (0.4, True)):
            self._at(share, lambda good=good: self._package(good))
        self._at(0.1, lambda: self._message("in time", 5.0))
        self._at(0.3, lambda: self._message("much too late", WITHIN + 150.0))
        self._at(0.6, lambda: self._message("too late", WITHIN + 30.0))
        self._at(0.6, lambda: self._disks(LOW))
        self._at(0.88, lambda: self._disks(USUAL))

    def do(self) -> None:
        """Do it all."""
        while self._plan:
            due, _, then = heapq.heappop(self._plan)
            time.sleep(max(0.0, due - time.time()))
            self.evening.hub_is_there.wait()
            try:
                then()
            except (AssertionError, BnetError, subprocess.TimeoutExpired) as error:
                self.evening.trouble.append(str(error))

    # -- the plan

    def _add(self, due: float, then: Callable[[], object]) -> None:
        self._asked += 1
        heapq.heappush(self._plan, (due, self._asked, then))

    def _at(self, share: float, then: Callable[[], object]) -> None:
        self._add(self.evening.begun + share * self.evening.seconds, then)

    def _each(self, seconds: float, then: Callable[[int], object]) -> None:
        end = 0.93 * self.evening.seconds
        for turn in range(int((end - 10) / seconds) + 1):
            self._add(self.evening.begun + 10 + turn * seconds, lambda turn=turn: then(turn))

    # -- people

    def ok(self, *words: str, home: str = "person", input: bytes | None = None, cwd: Any = None) -> str:
        """Run a command, again as long as the hub gives no answer."""
        for _ in range(20):
            done = self.fleet.bnet(*words, home=home, input=input, cwd=cwd, timeout=300)
            if done.code != 4:
                assert done.code == 0, f"bnet {' '.join(words)} ended with {done.code}: {done.complaint}"
                return done.out.decode()
            self.evening.hub_is_there.wait()
            time.sleep(2)
        raise AssertionError(f"bnet {' '.join(words)}: the hub gives no answer")

    def job(self, command: str, name: str, label: str = "", **fields: Any) -> int:
        """Ask for a job; those of a name run one after another."""
        asked = {"command": command, "name": name, "group": {"name": name, "limit": 1}, **fields}
        if label:
            asked["labels"] = {"name": label}
        asked["key"] = f"evening-{name}-{len(self.jobs.get(name, []))}"
        told = json.loads(
            self.ok("submit", "--json", "-f", "-", input=json.dumps([{"submit": asked}]).encode())
        )
        self.jobs.setdefault(name, []).append(told["number"])
        return int(told["number"])

    def _cancelled(self) -> None:
        number = self.job("sleep 600", "stopped")
        self._add(time.time() + 15, lambda: self.ok("cancel", str(number)))

    def _approved(self) -> None:
        number = self.job("true", "approved", approvals=1)
        self._add(time.time() + 40, lambda: self.ok("approve", str(number)))

    def _package(self, good: bool) -> None:
        tree = self.fleet.root / "tree"
        if not tree.exists():
            tree.mkdir()
            subprocess.run(["git", "-C", tree, "init", "--quiet"], check=True)
            for words in (("user.name", "you"), ("user.email", "you@example.invalid")):
                subprocess.run(["git", "-C", tree, "config", *words], check=True)
        command = "mkdir -p out; cp src/a.txt out" if good else "exit 5"
        turn = len(self.jobs.get("pkg", []))
        files = {
            "bnet.yaml": TREE.format(command=command),
            "core/src/a.txt": f"{turn}\n",
            "app/src/a.txt": "app\n",
        }
        commit_files(tree, files)
        words = (
            "submit",
            "--json",
            "--here",
            "--package",
            "core",
            "--name",
            "pkg",
            "--key",
            f"evening-pkg-{turn}",
        )
        self.jobs.setdefault("pkg", []).append(json.loads(self.ok(*words, cwd=tree))["number"])

    def _silence(self, seconds: float) -> None:
        before = time.time()
        self.ok(
            "notify",
            "silence",
            "job.failed",
            "--job",
            "muted",
            "--for",
            f"{seconds:.0f}",
            "--reason",
            "known",
        )
        self.silenced = (before, time.time(), seconds)

    def _take_on(self) -> None:
        self.ok("notify", "ack", "job:taken")
        self.acked_at = time.time()

    def _message(self, subject: str, answered_after: float) -> None:
        words = ("--to", "a", "--subject", subject, "--body", "please", "--within", f"{WITHIN:g}", "--json")
        told = json.loads(self.ok("message", "send", *words))
        self.posted[subject] = time.time()

        def answer() -> None:
            self.ok("message", "ack", told["id"], home="a")
            self.answered[subject] = time.time()

        self._add(time.time() + answered_after, answer)

    def _disks(self, text: str) -> None:
        for _ in range(20):
            shutil.rmtree(self.fleet.root / "clone", ignore_errors=True)
            try:
                self.fleet.commit("coordination/monitoring.yaml", text)
                break
            except BnetError:  # a server has pushed meanwhile
                continue
        self.full.append(time.time())
