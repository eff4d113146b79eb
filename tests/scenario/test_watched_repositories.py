"""Sources over real servers: one of them is the steward, is killed, is followed; results reach the commit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from forge import TOKEN, Forge
from test_schedules import Net

PATIENCE = 120.0  # seconds for what takes a few


class Project(Net):
    """A network, and the work tree of a repository that is watched."""

    def __init__(self, top: Path) -> None:
        super().__init__(top)
        self.commits("coordination/hub.yaml", "ttl: 12\n")
        self.tree = top / "tree"
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.tree)], check=True)
        self.bare = top / "team" / "widgets.git"
        self.push("first")
        for name in ("a", "b"):
            self.ok(name, "join", str(top / "hub.git"), "--name", name)

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self.tree), *words], check=True, capture_output=True)
        return done.stdout.decode().strip()

    def push(self, message: str) -> str:
        """Commit and push to the watched repository; return the commit."""
        (self.tree / "f").write_text(message)
        self.git("add", ".")
        self.git("commit", "-q", "-m", message)
        if not self.bare.exists():
            self.bare.parent.mkdir()
            subprocess.run(["git", "clone", "-q", "--bare", str(self.tree), str(self.bare)], check=True)
            self.git("remote", "add", "origin", str(self.bare))
        self.git("push", "-q", "origin", "main")
        subprocess.run(["git", f"--git-dir={self.bare}", "update-server-info"], check=True)
        return self.git("rev-parse", "HEAD")

    def until(self, what: str, ask: Callable[[], object]) -> None:
        """Let the servers sync until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not ask():
            logs = [path.read_text() for path in sorted(self.top.glob("*/logs/steward.*"))]
            assert time.monotonic() < deadline, f"not so: {what}\n" + "\n".join(logs)
            for name in ("a", "b"):
                self.bnet(name, "sync")
            time.sleep(0.2)

    def stewards(self) -> dict[int, str]:
        """Return the stewards' processes: pid -> BNET_HOME."""
        found = {}
        for process in psutil.process_iter():
            try:
                words, env = process.cmdline(), process.environ()
            except psutil.Error:
                continue
            home = env.get("BNET_HOME", "")
            if "steward" in words and home.startswith(f"{self.top}/"):
                found[process.pid] = Path(home).name
        return found

    def steward(self) -> str:
        """Return the server that has the lock."""
        told = {each["name"]: each["holders"] for each in self.ok("me", "lock", "list", "--json").json}
        return str(told["steward"][0]["by"]) if told.get("steward") else ""

    def looked_at(self, name: str = "widgets") -> bool:
        told = {each["name"]: each for each in self.ok("me", "source", "list", "--json").json}
        return bool(told[name]["looked_at"])

    def built(self) -> list[str]:
        """Return the commits that became jobs."""
        told = self.ok("me", "jobs", "--all", "--json").json
        numbers = sorted(each["number"] for each in told)
        hub = ["git", f"--git-dir={self.top / 'hub.git'}", "show"]
        paths = [f"bnet:coordination/jobs/0000/{number}/job.json" for number in numbers]
        shown = [subprocess.run([*hub, path], check=True, capture_output=True).stdout for path in paths]
        return [json.loads(each)["source"]["commit"] for each in shown]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    for pid in made.stewards():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def forge(project: Project) -> Iterator[Forge]:
    made = Forge(project.top)
    yield made
    made.close()


def test_a_steward_that_is_killed_is_followed_and_each_commit_is_one_job(project: Project) -> None:
    project.ok("me", "source", "add", "widgets", str(project.bare), "--every", "5s", "--", "true")
    project.until("somebody has looked", project.looked_at)
    # One that came second ends by itself as soon as it has seen that.
    project.until("there is one process", lambda: list(project.stewards().values()) == [project.steward()])
    first = project.push("second")
    project.until("it is a job", lambda: project.built() == [first])
    [(pid, killed)] = project.stewards().items()
    os.kill(pid, signal.SIGKILL)
    project.ok(killed, "server", "pause", killed, "--reason", "it is to be the other one")
    second = project.push("third")
    project.until("it is a job", lambda: project.built() == [first, second])
    assert project.steward() not in ("", killed)
    assert project.ok("me", "audit", "verify").out.endswith("all of them were legal\n")
    assert project.bnet("a", "steward").code == 6, "somebody is the steward"


def test_results_reach_the_commit_as_note_and_as_status(project: Project, forge: Forge) -> None:
    for name in ("a", "b"):
        secrets = project.top / name / "secrets.env"
        secrets.write_text(f"BNET_FORGE_LOCAL=http://gitea:{TOKEN}@{forge.host}\n")
        secrets.chmod(0o600)
    url = f"http://{forge.host}/team/widgets.git"
    project.ok("me", "source", "add", "far", url, "--every", "5s", "--", "sleep 1; exit 3")
    project.ok("me", "source", "add", "near", str(project.bare), "--every", "5s", "--notes", "--", "true")
    project.until("both were looked at", lambda: project.looked_at("far") and project.looked_at("near"))
    new = project.push("second")
    project.until(
        "the forge knows the end", lambda: [each for each in forge.told if each[3]["state"] == "failure"]
    )
    assert {each[:3] for each in forge.told} == {("gitea", "team/widgets", new)}
    assert forge.told[0][3]["state"] == "pending"
    assert "failure (exit 3) on " in forge.told[-1][3]["description"]

    def noted() -> str:
        words = ["git", f"--git-dir={project.bare}", "notes", "--ref=bnet", "show", new]
        return subprocess.run(words, capture_output=True).stdout.decode()

    project.until("there is a note", noted)
    assert "near: success (exit 0) on " in noted()
    forge.refuses = 401
    project.push("third")
    said = f"http://{forge.host} refuses the token of this server (401)"
    project.until("that is said", lambda: said in project.ok("me", "source", "list").out)
    assert said in project.bnet("me", "status").out
    everything = project.git("--git-dir", str(project.top / "hub.git"), "log", "-p", "bnet")
    logs = "".join(path.read_text() for path in project.top.glob("*/logs/*"))
    assert TOKEN not in everything + logs
    assert project.ok("me", "audit", "verify").out.endswith("all of them were legal\n")


def test_what_people_see_of_what_is_wrong(project: Project) -> None:
    said = project.bnet(
        "me", "source", "add", "widgets", f"https://me:{TOKEN}@example.invalid/x", "--", "true"
    )
    assert said.code == 2 and 'field "repository": holds a user or password' in said.err
    assert TOKEN not in said.err
    file = project.top / "widgets.yaml"
    file.write_text(f"repository: {project.bare}\nsubmit: {{command: x, env: [a]}}\n")
    said = project.bnet("me", "source", "check", str(file))
    assert said.code == 2 and f'{file}:2: field "submit.env": must be a mapping' in said.err
    file.write_text(f"repository: {project.bare}\nsubmit: {{command: x}}\n")
    said = project.ok("me", "source", "check", str(file))
    assert said.out == f"{file}: nothing wrong; it means 1 branch or tag\n  refs/heads/main\n"
    project.ok("me", "source", "add", "gone", str(project.top / "nowhere.git"), "--every", "5s", "--", "true")
    assert project.bnet("me", "source", "add", "gone", "/x", "--", "true").code == 6

    def obstacle() -> object:
        return project.ok("me", "source", "list", "--json").json[0]["obstacle"]

    project.until("that is said", obstacle)
    for words in (["source", "list"], ["source", "check"], ["status"], ["doctor"]):
        assert "there is no repository" in project.bnet("a", *words).out, words
    project.ok("me", "source", "pause", "gone", "--reason", "it \x1b[31mmoves")
    assert "paused: it \\x1b[31mmoves" in project.ok("me", "source", "list").out
    assert project.bnet("me", "source", "pause", "none", "--reason", "x").code == 2
    project.ok("me", "source", "resume", "gone")
    said = project.bnet("me", "submit", "--key", "source:gone:1", "--", "true")
    assert said.code == 2 and "is one of sources" in said.err
