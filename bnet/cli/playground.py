"""A whole network of processes on one machine: for the demo, the benchmarks and the scenario tests."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bnet.errors import BnetError
from bnet.files import read_or_none, write_atomic
from bnet.gitstore.repo import environment
from bnet.host import processes
from bnet.host.clock import SystemClock
from bnet.process import Completed, run

MARK = "PLAYGROUND_HOME"  # in the environment of all that a server starts; BNET_* would not reach its jobs
_PACKAGE = Path(__file__).resolve().parents[1]
_PERSON = ("-c", "user.name=you", "-c", "user.email=you@example.invalid")
_KILL_S = 5.0


class Playground:
    """A hub, servers with a BNET_HOME each, and a person who has one too; everything under one directory."""

    def __init__(self, root: Path, url: str | None = None, env: Mapping[str, str] | None = None) -> None:
        """Name the place; nothing is made yet.

        Args:
            root: the directory.
            url: the hub; without it, a bare repository at `hub.git` in there.
            env: the environment of everything that is started; without it, this process's own.
        """
        self.root = root
        self.url = url or str(root / "hub.git")
        self.env = dict(os.environ if env is None else env)
        if (_PACKAGE.parent / "pyproject.toml").exists():
            # A checkout that nobody installed; what is started runs elsewhere, and has to find it.
            self.env["PYTHONPATH"] = os.pathsep.join(
                [str(_PACKAGE.parent), *filter(None, [self.env.get("PYTHONPATH")])]
            )
        self.agents: dict[str, int] = {}
        self._clock = SystemClock()

    def bnet(
        self,
        *words: str,
        home: str = "person",
        input: bytes | None = None,
        timeout: float = 120,
        cwd: Path | None = None,
    ) -> Completed:
        """Run a bnet command to its end, whatever its exit code."""
        env = self.env | {
            "BNET_HOME": str(self.root / home),
            MARK: str(self.root / home),
            "BNET_HUB": self.url,
        }
        return run(
            [sys.executable, "-m", "bnet", *words],
            env=env,
            input=input,
            timeout=timeout,
            cwd=cwd or self.root,
        )

    def ok(
        self, *words: str, home: str = "person", input: bytes | None = None, cwd: Path | None = None
    ) -> str:
        """Run a bnet command that has to succeed, and return what it printed."""
        done = self.bnet(*words, home=home, input=input, cwd=cwd)
        if done.code != 0:
            raise BnetError(f"bnet {' '.join(words)} (as {home}) ended with {done.code}: {done.complaint}")
        return done.out.decode()

    def facts(self, *words: str, home: str = "person") -> Any:
        """Run a bnet command with `--json`, and return what it printed."""
        return json.loads(self.ok(*words, "--json", home=home))

    def init(self, *options: str) -> None:
        """Make the hub."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.ok("init", self.url, *options)

    def configure(self, settings: str) -> None:
        """Add settings to the hub's `hub.yaml`, by a plain commit, as a person would."""
        clone, file = self.root / "clone", "coordination/hub.yaml"
        self.git("clone", "--quiet", self.url, str(clone))
        before = read_or_none(clone / file) or b""
        write_atomic(clone / file, before + settings.encode())
        self.git("-C", str(clone), "add", file)
        self.git(
            "-C",
            str(clone),
            *_PERSON,
            "commit",
            "--quiet",
            "--message",
            "hub.yaml: settings of the playground",
        )
        self.git("-C", str(clone), "push", "--quiet", "origin", "HEAD")
        shutil.rmtree(clone)

    def git(self, *words: str) -> str:
        """Run a Git command that has to succeed, and return what it printed."""
        done = run(["git", *words], env=environment(self.env), cwd=self.root, timeout=120)
        if done.code != 0:
            raise BnetError(f"git {' '.join(words)} ended with {done.code}: {done.complaint}")
        return done.out.decode()

    def join(self, name: str, *options: str) -> None:
        """Make a server."""
        self.ok("join", self.url, "--name", name, *options, home=name)

    def start(self, name: str, *options: str) -> int:
        """Start a server's agent, and return its pid."""
        env = self.env | {"BNET_HOME": str(self.root / name), MARK: str(self.root / name)}
        argv = [sys.executable, "-m", "bnet", "agent", *options]
        pid = processes.spawn_detached(argv, env, self.root, self.root / f"{name}.log")
        self.agents[name] = pid
        return pid

    def sync(self, name: str) -> Completed:
        """Do one sync of a server, as cron would."""
        return self.bnet("sync", home=name)

    def stop(self, name: str) -> None:
        """Ask an agent to end; what it runs goes on."""
        processes.end([self.agents.pop(name)], 10)

    def kill(self, name: str) -> list[str]:
        """Let a server die as in a power cut: its agent and all that it runs, with SIGKILL.

        Returns:
            The keys (`<job>.<attempt>`) of the runs that were cut off.
        """
        self.agents.pop(name, None)
        self._kill_marked(str(self.root / name))
        cut = []
        for directory in sorted((self.root / name / "runs").glob("[0-9]*.[0-9]*")):
            if not (directory / "exit.json").exists() and (directory / "pid.json").exists():
                cut.append(directory.name)
        return cut

    def _kill_marked(self, mark: str) -> None:
        """Kill all that a server started, again until nothing is left: it may be starting something."""
        import psutil

        # A process that was just forked still has the environment of whoever forked it, or its own mark.
        deadline = self._clock.boot() + _KILL_S
        while self._clock.boot() < deadline:
            found = [each.pid for each in psutil.process_iter(["environ"]) if _marked(each.info, mark)]
            for pid in found:
                _kill(pid)
            if not found:
                return
            self._clock.sleep(0.02)

    def jobs(self) -> dict[int, dict[str, Any]]:
        """Return every job by its number."""
        return {job["number"]: job for job in self.facts("jobs", "--all")}

    def until_finished(self, numbers: Sequence[int], timeout: float = 120) -> dict[int, dict[str, Any]]:
        """Wait until jobs have finished, and return all jobs.

        Raises:
            BnetError: they have not, in time; with what the agents said last.
        """
        deadline = self._clock.boot() + timeout
        while True:
            found = self.jobs()
            if all(found[number]["state"] == "finished" for number in numbers):
                return found
            if self._clock.boot() > deadline:
                states = {number: found[number]["state"] for number in numbers}
                raise BnetError(f"not finished after {timeout} s: {states}\n{self.last_words()}")
            self._clock.sleep(0.3)

    def last_words(self) -> str:
        """Return the ends of the agents' logs."""
        logs = sorted(self.root.glob("*.log"))
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-600:]}" for path in logs)

    def close(self) -> None:
        """End every agent and every run."""
        if self.root.is_dir():
            for home in list(self.root.iterdir()):
                if (home / "runs").is_dir():
                    self.kill(home.name)


def _marked(info: Mapping[str, Any], mark: str) -> bool:
    return (info["environ"] or {}).get(MARK) == mark


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
