"""The step that puts a source's commit into a workspace, run as a supervisor runs it: out of the copy, or without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from upstream import Upstream

from bnet.app.server.intent import Builder, intent_of
from bnet.app.server.supervise import run_environment
from bnet.host.home import Home
from bnet.host.lock import HostLock
from bnet.model.job import Claim, Job, JobSpec, Source
from bnet.model.run import Intent
from bnet.wiring.machine import Machine
from bnet.wiring.upstreams import upstreams

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOP = Path(__file__).parents[2]
INSTEAD = "the commit is fetched by itself, without history"


class Runner:
    """A server's home, and a watched repository with a little history."""

    def __init__(self, top: Path, ids: str = "sha1") -> None:
        self.upstream = Upstream(top / "widgets.git", ids)
        self.upstream.commit(message="first", files={"a/b": "old"})
        self.commit = self.upstream.commit(message="second", files={"a/b": "new", "c": "d"})
        self.home = Home(top / "home")
        self.home.ensure()

    def intent(self, number: int = 1, commit: str = "", **fields: Any) -> Intent:
        commit = commit or self.commit
        source = Source(repository=str(self.upstream.path), ref="refs/heads/main", commit=commit)
        spec = JobSpec(
            number=number,
            name="j",
            command="git log --format=%s",
            submitted_by="a",
            submitted_at=NOW,
            env={"BNET_SOURCE": "widgets", "BNET_COMMIT": commit},
            source=source,
            **fields,
        )
        claim = Claim(server="s", instance="i", attempt=1, run="r", token=1, ttl_s=60.0, claimed_at=NOW)
        argv = (sys.executable, "-m", "bnet")
        builder = Builder(argv, "/cache", str(self.home.path), str(self.home.repositories))
        return intent_of(Job(spec=spec, claim=claim), "/hub", str(self.workspace(number)), builder)

    def workspace(self, number: int = 1) -> Path:
        return self.home.run_dir(number, 1) / "workspace"

    def calls(self, argv: Any, number: int = 1) -> tuple[int, str]:
        """Run a command in a workspace; return its exit code and what it prints."""
        self.workspace(number).mkdir(parents=True, exist_ok=True)
        env = run_environment(os.environ, os.environ["PATH"], {}, ())
        # As a job has it, without GIT_*; these are what a test may not do without.
        env |= {"PYTHONPATH": str(TOP), "GIT_CONFIG_GLOBAL": os.environ["GIT_CONFIG_GLOBAL"]}
        done = subprocess.run(
            list(argv),
            cwd=self.workspace(number),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    def prepare(self, number: int = 1, commit: str = "", **fields: Any) -> tuple[int, str]:
        return self.calls(self.intent(number, commit, **fields).prepare[0], number)

    def git(self, *words: str, number: int = 1) -> str:
        code, said = self.calls(["git", *words], number)
        assert code == 0, said
        return said.strip()

    def copy(self) -> Path:
        return upstreams(Machine(self.home, os.environ, "x")).place(str(self.upstream.path))

    def is_borrowed(self, number: int = 1) -> bool:
        return (self.workspace(number) / ".git/objects/info/alternates").exists()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def files(runner: Runner, number: int = 1) -> dict[str, str]:
    top = runner.workspace(number)
    found = (path for path in top.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(top).as_posix(): path.read_text() for path in found}


def test_a_commit_is_checked_out_with_its_history_and_no_objects_of_its_own(runner: Runner) -> None:
    assert runner.prepare() == (0, "")
    assert files(runner) == {"a/b": "new", "c": "d"}
    assert runner.git("rev-parse", "HEAD") == runner.commit
    assert runner.calls(["git", "symbolic-ref", "-q", "HEAD"])[0] == 1, "on no branch"
    assert runner.git("log", "--format=%s") == "second\nfirst"
    assert runner.git("status", "--porcelain") == "" and runner.git("for-each-ref") == ""
    assert runner.git("count-objects").startswith("0 objects")
    assert (runner.home.run_dir(1, 1) / "borrows").read_text() == f"{runner.copy()}\n"
    assert len(runner.git("rev-parse", "--short", "HEAD")) == 7


def test_a_repository_of_sha256_ids(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "sha256")
    assert runner.prepare() == (0, "")
    assert runner.is_borrowed() and files(runner) == {"a/b": "new", "c": "d"}
    runner.home.repositories.rename(tmp_path / "away")
    runner.home.repositories.touch()
    code, said = runner.prepare(2)
    assert code == 0 and INSTEAD in said and files(runner, 2) == files(runner)


def is_locked(runner: Runner) -> object:
    lock = HostLock(runner.copy().with_suffix(".lock"))
    lock.acquire(0)
    return lock


def has_no_room(runner: Runner) -> None:
    runner.home.repositories.touch()


def cannot_be_noted(runner: Runner) -> None:
    (runner.home.run_dir(1, 1) / "borrows").mkdir(parents=True)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (is_locked, "is locked by another bnet process (waited 0.2 s)"),
        (has_no_room, "File exists"),
        (cannot_be_noted, "Is a directory"),
    ],
)
def test_without_the_copy_the_one_commit_is_fetched(
    runner: Runner, harm: Callable[[Runner], object], why: str
) -> None:
    kept = harm(runner)
    code, said = runner.prepare(timeout=1.0)
    assert code == 0, said
    reason, told = said.splitlines()[0], said.splitlines()[-1]
    assert why in reason
    assert told == f"this server's copy of {runner.upstream.path} is not used: {INSTEAD}"
    assert not runner.is_borrowed() and files(runner) == {"a/b": "new", "c": "d"}
    assert runner.git("log", "--format=%s") == "second"
    del kept


def test_a_copy_from_which_nothing_can_be_checked_out_is_begun_anew(runner: Runner) -> None:
    assert runner.prepare(1)[0] == 0
    before = runner.copy()
    blob = runner.git("rev-parse", "HEAD:c")
    pack = next((before / "objects/pack").glob("*.pack"))
    data = pack.read_bytes()
    for path in (before / "objects/pack").glob("*"):
        path.unlink()
    loose = subprocess.run(
        ["git", f"--git-dir={before}", "unpack-objects", "-q"], input=data, capture_output=True
    )
    assert loose.returncode == 0, loose.stderr
    (before / "objects" / blob[:2] / blob[2:]).unlink()
    code, said = runner.prepare(2)
    assert code == 0 and blob in said and said.splitlines()[-1].endswith(INSTEAD)
    assert files(runner, 2) == {"a/b": "new", "c": "d"} and not runner.is_borrowed(2)
    assert runner.copy() != before and before.is_dir(), "the first run borrows from it"
    assert runner.prepare(3) == (0, "") and runner.is_borrowed(3)


def test_a_commit_that_is_nowhere_is_refused_in_words(runner: Runner) -> None:
    code, said = runner.prepare(commit="a" * 40)
    told = f"{'a' * 40} of {runner.upstream.path} cannot be fetched; what Git says of it stands above"
    assert (code, said.splitlines()[-1]) == (1, told)
    assert f"{runner.upstream.path} gives no commit aaaaaaaaaa with its history" in said


def test_git_at_work_on_the_copy_is_a_process_of_the_run(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it ends with the run, and does not go on without the lock."""
    seen = tmp_path / "seen"
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    real = shutil.which("git")
    git.write_text(
        f'#!/bin/sh\ncase "$*" in *" fetch "*) echo "$BNET_RUN" >> {seen};; esac\nexec {real} "$@"\n'
    )
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
    fetch = runner.intent().prepare[0]
    assert runner.calls(["env", "BNET_RUN=the-run", *fetch]) == (0, "")
    assert seen.read_text() == "the-run\n"


def test_what_a_workspace_holds_is_no_part_of_bnet(runner: Runner) -> None:
    runner.commit = runner.upstream.commit(files={"bnet/__init__.py": "raise SystemExit(9)", "click.py": "?"})
    assert runner.prepare(1) == (0, "") and runner.prepare(1 + 1) == (0, "")


@pytest.mark.skipif(not os.path.exists("/usr/bin/bwrap"), reason="there is no bubblewrap here")
def test_a_sandbox_reads_the_history_and_cannot_write_to_the_copy(runner: Runner) -> None:
    made = runner.intent(sandbox="bubblewrap")
    fetch, probe = made.prepare
    assert runner.calls(fetch) == (0, "")
    if runner.calls(probe)[0] != 0:
        pytest.skip("no user namespaces here")
    assert runner.calls(made.command) == (0, "second\nfirst\n")
    into = [*made.command[:-1], f"git log --format=%s && touch {runner.copy()}/x"]
    code, said = runner.calls(into)
    assert code != 0 and "Read-only file system" in said
