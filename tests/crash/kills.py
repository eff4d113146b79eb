"""Killed at every system call: python tests/crash/kills.py [--scene NAME]... [--how alone|tree|power]... [--every N].

A command of bnet runs on a real hub until it, or one of the processes that it began, is about to make its nth
write, its nth rename, or its nth of whatever else leaves something behind; there it is killed with -9. Then the next
syncs have to bring all to its end: each job has one result, no run was started twice, and every transaction was
legal. All calls that the command makes have their turn. Needs root, and Debian's strace, fuse3 and iproute2.

alone     the command's own process is killed; what it had begun goes on
tree      every process of it is killed at its own nth call: Git's, and those that supervise runs
power     the machine loses its power, with what its disk had not been told to keep; then it boots
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import rooms  # noqa: F401  before `daemons` and its like
from box import Box, lay_network
from fleet import Fleet, whole_lines
from power import LosingDisk
from verdict import finishes, one_claim_at_a_time

from bnet.cli.playground import MARK
from bnet.model.job import Job

EFFECTS = (
    *(
        "write",
        "pwrite64",
        "ftruncate",
        "rename",
        "renameat",
        "renameat2",
        "unlink",
        "unlinkat",
        "link",
        "linkat",
    ),
    *(
        "symlink",
        "symlinkat",
        "mkdir",
        "mkdirat",
        "rmdir",
        "chmod",
        "fchmod",
        "utimensat",
        "fsync",
        "fdatasync",
    ),
    *("flock", "fork", "vfork", "clone", "clone3", "kill"),
)
HOWS = ("alone", "tree", "power")
SYNCS = 60  # so many have to be enough
PAUSE = 0.15  # seconds between two of them
PATIENCE = 60.0  # seconds until a command is killed as a whole: an agent goes on, however often its Git dies


class Scene(NamedTuple):
    """A moment of a network, and the command that is killed in it.

    Attributes:
        begin: leads there, in a fleet with a hub and a server `a`.
        words: of the command.
        home: on whose behalf it runs.
        jobs: how many there are in the end; where the command submits them, it is all or none of these.
    """

    begin: Callable[[Stage], None]
    words: tuple[str, ...]
    home: str
    jobs: int


class Stage:
    """A place where one moment can be had again and again."""

    def __init__(self, root: Path, scene: Scene, how: str) -> None:
        self.root, self.scene, self.how = root / "net", scene, how
        self._kept = root / "kept"
        self.fleet = Fleet(self.root)
        self.ran = self.root / "ran"
        self.fleet.found()
        self.fleet.join("a", "--slots", "2")
        self.ran.mkdir()
        scene.begin(self)
        self.fleet.close()
        shutil.copytree(self.root, self._kept, symlinks=True)

    def wish(self, then: str = "") -> dict[str, Any]:
        """Return a job that writes down which run it is."""
        command = f"echo $BNET_RUN >>{self.ran}/$BNET_JOB; {then}"
        return {"command": command, "retry": [{"limit": 100, "reason": "lost"}]}

    def sync(self) -> int:
        """Do one sync of the server."""
        return self.fleet.sync("a").code

    def calls(self) -> list[tuple[str, int]]:
        """Return the calls of the command, as the names and how often a process of it makes them at most."""
        told = self.root.with_name("calls")
        strace = ["strace", *self._follow, "-qq", "-ff", "-o", str(told), "-e", f"trace={','.join(EFFECTS)}"]
        self._command(strace).wait()
        self.fleet.close()
        most: Counter[str] = Counter()
        for path in told.parent.glob("calls.*"):
            most |= Counter(re.findall(r"^(\w+)\(", path.read_text(errors="replace"), re.MULTILINE))
        return [(name, most[name]) for name in EFFECTS if most[name]]

    def play(self, name: str, n: int) -> tuple[bool, list[str]]:
        """Kill at the nth call of a name; return whether there was one, and what did not hold."""
        shutil.rmtree(self.root)
        shutil.copytree(self._kept, self.root, symlinks=True)
        self.fleet = Fleet(self.root)
        fatal = ["-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={n}"]
        strace = ["strace", *self._follow, "-qq", "-o", "/dev/null", *fatal]
        try:
            if self.how == "power" and self.scene.home == "a":
                return self._lose_power(strace, n)
            code = _end_of(self._command(strace))
            return code in (-9, 137), self._end(code)
        except AssertionError as error:
            return True, [str(error)]
        finally:
            self.fleet.close()

    @property
    def _follow(self) -> list[str]:
        return ["-f"] if self.how == "tree" else []

    def _command(self, strace: list[str]) -> subprocess.Popen[bytes]:
        home = str(self.root / self.scene.home)
        env = self.fleet.env | {"BNET_HOME": home, "BNET_HUB": self.fleet.url, MARK: home}
        argv, nothing = [*strace, *self._words], subprocess.DEVNULL
        return subprocess.Popen(
            argv,
            env=env,
            cwd=self.root,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )

    @property
    def _words(self) -> list[str]:
        return [sys.executable, "-m", "bnet", *self.scene.words]

    def _lose_power(self, strace: list[str], seed: int) -> tuple[bool, list[str]]:
        home, backing = self.root / "a", self.root / "disk"
        home.rename(backing)
        disk = LosingDisk(backing, home)
        env = self.fleet.env | {"BNET_HOME": str(home), "BNET_HUB": self.fleet.url}
        box = Box("a", 1, self.root / "box", env)
        try:
            disk.power_on()
            box.power_on()
            code = box.start([*strace, *self._words]).wait()
            box.power_off()
            disk.power_off(seed)
            disk.power_on()
            box.power_on()
            sync = [sys.executable, "-m", "bnet", "sync"]
            return code in (-9, 137), self._end(code, lambda: box.start(sync, self.root / "a.log").wait())
        finally:
            box.power_off()
            disk.power_off()

    def _end(self, code: int, sync: Callable[[], int] | None = None) -> list[str]:
        """Let the server go on until all is done, and return what did not hold."""
        jobs, codes = self._go_on(sync or self.sync)
        blames = []
        if self.scene.words[0] == "submit" and len(jobs) != self.scene.jobs:
            jobs = self._submit_once_more()
            if len(jobs) not in (1, self.scene.jobs + 1) or (code == 0 and len(jobs) == 1):
                blames.append(f"{len(jobs)} jobs of a submission that ended with {code}")
        elif len(jobs) != self.scene.jobs:
            blames.append(f"{len(jobs)} jobs, not {self.scene.jobs}")
        unfinished = [number for number, job in jobs.items() if job.result is None]
        if unfinished:
            said = [path.read_text(errors="replace")[-600:] for path in self.root.glob("*.log")]
            blames += [f"without a result: {unfinished} after syncs that ended with {dict(codes)}", *said]
        blames += self._of_runs(jobs)
        audit = self.fleet.bnet("audit", "verify")
        blames += [audit.out.decode()] * (audit.code != 0)
        return blames + [path.read_text() for path in self.root.glob("*/logs/bug.log")]

    def _go_on(self, sync: Callable[[], int]) -> tuple[Mapping[int, Job], Counter[int]]:
        codes: Counter[int] = Counter()
        while True:
            codes[sync()] += 1
            jobs = self.fleet.look().state.jobs
            done = len(jobs) >= self.scene.jobs and all(job.result is not None for job in jobs.values())
            if done or codes.total() == SYNCS or (self.scene.words[0] == "submit" and not jobs):
                return jobs, codes
            time.sleep(PAUSE)

    def _submit_once_more(self) -> Mapping[int, Job]:
        """Ask for another job, which brings what was left behind, and have all of them done."""
        numbers = self.fleet.submit_all(self.wish())
        self.fleet.until("they have ended", lambda: self.sync() == 0 and self.fleet.job(numbers[0]).result)
        return self.fleet.look().state.jobs

    def _of_runs(self, jobs: Mapping[int, Job]) -> list[str]:
        """Return what did not hold of who ran what."""
        blames = [f"two results: {number}" for number, count in finishes(self.fleet).items() if count > 1]
        try:
            one_claim_at_a_time(self.fleet)
        except AssertionError as error:
            blames.append(str(error))
        claims = {each.run for each in self.fleet.claims()}
        for number, job in jobs.items():
            runs = whole_lines(self.ran / str(number))
            if len(set(runs)) != len(runs) or not set(runs) <= claims:
                blames.append(f"#{number}: ran as {runs}, claimed as {claims}")
            if job.result is not None and job.result.result == "success" and job.result.run not in runs:
                blames.append(f"#{number} succeeded as {job.result.run}, which never ran")
        return blames


def _end_of(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def _two_wait(stage: Stage) -> None:
    stage.fleet.submit_all(stage.wish(), stage.wish())


def _one_ended(stage: Stage) -> None:
    stage.fleet.submit_all(stage.wish())
    stage.sync()
    ended = stage.root / "a/runs/1.1/exit.json"
    stage.fleet.until("it has ended", ended.exists)
    stage.fleet.submit_all(stage.wish())


def _by_commit(stage: Stage) -> None:
    text = json.dumps([{"submit": stage.wish()}, {"submit": stage.wish()}])
    clone = stage.root / "clone"
    stage.fleet.git("clone", "--quiet", stage.fleet.url, str(clone))
    inbox = clone / "coordination/inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "two.yaml").write_text(text)
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.invalid")
    stage.fleet.git("-C", str(clone), "add", "--all")
    stage.fleet.git("-C", str(clone), *who, "commit", "--quiet", "--message", "two jobs")
    stage.fleet.git("-C", str(clone), "push", "--quiet", "origin", "HEAD")
    shutil.rmtree(clone)


def _one_to_cancel(stage: Stage) -> None:
    stage.fleet.submit_all(stage.wish(), stage.wish())
    stage.fleet.ok("cancel", "1")


def _to_submit(stage: Stage) -> None:
    (stage.root / "jobs.json").write_text(json.dumps([{"submit": stage.wish()}, {"submit": stage.wish()}]))


SCENES = {
    "claim": Scene(_two_wait, ("sync",), "a", 2),
    "report": Scene(_one_ended, ("sync",), "a", 2),
    "inbox": Scene(_by_commit, ("sync",), "a", 2),
    "cancel": Scene(_one_to_cancel, ("sync",), "a", 2),
    "submit": Scene(_to_submit, ("submit", "-f", "jobs.json"), "person", 2),
    "agent": Scene(_two_wait, ("agent", "--idle-exit", "1"), "a", 2),
}


def main() -> int:
    """Kill, and print a table; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scene", action="append", choices=[*SCENES])
    parser.add_argument("--how", action="append", choices=HOWS)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth call only")
    parser.add_argument("--at", nargs=2, metavar=("CALL", "N"), help="at the Nth call of this name only")
    asked = parser.parse_args()
    if os.environ.get("KILLS_INSIDE") != "yes":
        os.environ["KILLS_INSIDE"] = "yes"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    lay_network()
    kills: Counter[tuple[str, str]] = Counter()
    broken = 0
    for name in asked.scene or SCENES:
        for how in asked.how or HOWS:
            with tempfile.TemporaryDirectory(prefix="kills-") as root:
                stage = Stage(Path(root), SCENES[name], how)
                points = [(call, n) for call, most in stage.calls() for n in range(1, most + 1)]
                for call, n in (
                    points[:: asked.every] if asked.at is None else [(asked.at[0], int(asked.at[1]))]
                ):
                    was_killed, blames = stage.play(call, n)
                    kills[name, how] += was_killed
                    for each in blames:
                        broken += 1
                        print(f"{name} {how} --at {call} {n}: {each}", flush=True)
            print(f"{name:<8} {how:<6} {kills[name, how]:>5} kills", flush=True)
    print(f"{sum(kills.values())} kills, {broken} promises broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
