"""A repository that a source names, with people who push to it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from worlds import Machine, World

from bnet.app.audit import audit
from bnet.app.lookup import Lookup
from bnet.app.steward.office import at_once
from bnet.app.steward.polling import Polling
from bnet.gitstore.mirrors import Mirrors
from bnet.gitstore.repo import environment
from bnet.model.job import JobSpec
from bnet.rules.specs import Unresolved

FILE = "coordination/sources/widgets.yaml"
STATE = "coordination/sources/widgets.state.json"


class Upstream:
    """A bare repository; commits are made in it without a work tree."""

    def __init__(self, path: Path, ids: str = "sha1") -> None:
        self.path = path
        options = ["--quiet", "--bare", "--template=", "-b", "main", f"--object-format={ids}"]
        subprocess.run(["git", "init", *options, path], check=True)

    def git(self, *words: str, input: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", f"--git-dir={self.path}", *words],
            input=input,
            env={**os.environ, "GIT_INDEX_FILE": str(self.path / "scratch-index")},
            check=True,
            capture_output=True,
        )
        return done.stdout.decode(errors="surrogateescape").strip()

    def commit(
        self,
        branch: str = "main",
        message: str = "a change",
        files: Mapping[str, str] | None = None,
        *,
        on: str | None = None,
    ) -> str:
        """Put a commit on a branch, on top of what is there or of another one ("" for none); return its id."""
        ref = f"refs/heads/{branch}"
        there = self.git("for-each-ref", "--format=%(objectname)", ref).split("\n")[0]
        parent = there if on is None else on
        self.git("read-tree", parent or "--empty")
        for path, text in (files or {"f": message}).items():
            blob = self.git("hash-object", "-w", "--stdin", input=text.encode())
            self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        parents = ("-p", parent) if parent else ()
        made = self.git("commit-tree", self.git("write-tree"), *parents, "-m", message)
        self.git("update-ref", ref, made)
        return made

    def point(self, ref: str, commit: str) -> None:
        """Let a ref be on a commit, or with "" be no more."""
        self.git("update-ref", *(("-d", ref) if not commit else (ref, commit)))


def unresolved(repository: str, ref: str) -> str | Unresolved:
    """Resolve nothing: a commit of a source is known."""
    raise AssertionError(f"{repository}@{ref} was looked up")


class Watcher:
    """A server as far as it looks at sources, as a process of its own would."""

    def __init__(self, world: World, top: Path, machine: Machine | None = None, name: str = "s1") -> None:
        self.machine = machine or world.machine(name)
        self.mirrors = Mirrors(top / "copies" / name, environment(os.environ))
        clock, ledger = self.machine.clock, self.machine.ledger
        self.polling = Polling(ledger, self.mirrors, clock, Lookup(self.machine.hub, unresolved), name)

    def look(self) -> None:
        """Look at what is due now."""
        self.machine.ledger.refresh()
        self.polling.do(at_once)

    def later(self, seconds: float = 301.0) -> None:
        """Look after a while."""
        self.machine.clock.seconds += seconds
        self.look()


def jobs(world: World) -> list[JobSpec]:
    """Return what was asked for, as anybody reads it."""
    return [job.spec for _, job in sorted(world.machine("reader").ledger.state.jobs.items())]


def commits(world: World) -> list[str | None]:
    """Return the commits that became jobs, in the order of their numbers."""
    return [spec.source.commit if spec.source else None for spec in jobs(world)]


def faults(world: World) -> list[str]:
    """Return what the audit finds."""
    hub, tip = world.hub("auditor"), world.tip()
    hub.fetch(tip)
    return [f"{each.fault.target} {each.fault.text}" for each in audit(hub, tip).wrong]
