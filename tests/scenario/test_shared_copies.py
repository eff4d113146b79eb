"""Jobs of a watched repository on real servers: the second brings only what is new, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_watched_repositories import Project

FILE = "coordination/sources/widgets.yaml"
SOURCE = """\
repository: {0}
every: 5s
coalesce: all
submit:
  command: "git log --format=%s; git status --porcelain; git count-objects"
  labels: {{runs: 'yes'}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    for pid in made.stewards():
        os.kill(pid, signal.SIGKILL)


def objects(project: Project, name: str) -> int:
    """Return how many objects a server's copies hold."""
    total = 0
    for copy in (project.top / name / "repositories").glob("*.git"):
        words = ["git", f"--git-dir={copy}", "count-objects", "-v"]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        found = dict(line.split(": ") for line in told.splitlines())
        total += int(found["in-pack"]) + int(found["count"])
    return total


def swept(project: Project, name: str) -> None:
    """Let a server look at what nobody needs any more, as it does each hour."""
    for note in ("cache/sources.done", "idle.json"):
        (project.top / name / note).unlink(missing_ok=True)
    project.ok(name, "sync")


@pytest.mark.timeout(400)
def test_each_server_brings_a_repository_once_and_removes_it(project: Project) -> None:
    project.ok("b", "join", str(project.top / "hub.git"), "--name", "b", "--label", "runs=no")
    project.ok("a", "join", str(project.top / "hub.git"), "--name", "a", "--label", "runs=yes")
    for number in range(30):
        (project.tree / f"file{number}").write_text(str(number) * 100)
    project.push("many files")
    project.commits(FILE, SOURCE.format(project.bare))
    project.until("somebody has looked", project.looked_at)

    def ended(number: int) -> bool:
        told = project.bnet("me", "show", str(number), "--json")
        return told.code == 0 and told.json["state"] == "finished"

    project.push("second")
    project.until("it has run", lambda: ended(1))
    assert project.ok("me", "show", "1", "--json").json["server"] == "a"
    assert project.ok("me", "logs", "1").out.startswith("second\nmany files\nfirst\n0 objects, 0 kilobytes\n")
    first = objects(project, "a")
    assert first >= 39
    project.push("third")
    project.until("it has run", lambda: ended(2))
    assert project.ok("me", "logs", "2").out.startswith("third\nsecond\nmany files\nfirst\n0 objects,")
    project.ok("me", "retry", "2")
    project.until("it has run again", lambda: ended(3))
    assert project.ok("me", "logs", "3").out.startswith("third\nsecond\nmany files\nfirst\n0 objects,")
    assert first + 3 <= objects(project, "a") <= first + 6, (
        "a commit, a tree, a file, and what they are told by"
    )
    assert project.ok("me", "audit", "verify").out.endswith("all of them were legal\n")

    subprocess.run(["git", "-C", str(project.clone), "pull", "-q", "--rebase"], check=True)
    subprocess.run(["git", "-C", str(project.clone), "rm", "-q", FILE], check=True)
    subprocess.run(["git", "-C", str(project.clone), "commit", "-qm", "no more"], check=True)
    subprocess.run(["git", "-C", str(project.clone), "push", "-q"], check=True)
    project.until("nobody is the steward", lambda: not project.stewards())
    for name in ("a", "b"):
        swept(project, name)
    assert objects(project, "a") > 0, "workspaces that are kept borrow from it"
    assert objects(project, "b") == 0
    for run in (project.top / "a" / "runs").iterdir():
        shutil.rmtree(run)
    swept(project, "a")
    assert objects(project, "a") == 0
