"""What happened on a hub, read from its own history as any clone of it could be."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bnet.files import read_or_none, write_atomic
from bnet.gitstore.repo import Repo

_FORMAT = "%an%x00%(trailers:key=Bnet-Op,valueonly,separator=%x01)%x1e"
# Written by the hub itself after each push that moved something: the refs that it moved, on one line.
_HOOK = b"""#!/bin/sh
refs=
while read -r old new ref; do refs="$refs $ref"; done
echo "$refs" >>pushes
"""


class Event(NamedTuple):
    """One operation of a transaction: who decided, what, on which job or server, and the details."""

    actor: str
    verb: str
    target: str
    fields: Mapping[str, str]


class Figures(NamedTuple):
    """The traffic of a hub: pushes that it took, those without a decision, decisions made again."""

    pushes: int
    telemetry_only: int
    conflicts: int


class Tape:
    """A bare hub on this machine that has only its ledger as a branch."""

    def __init__(self, hub: Path, env: Mapping[str, str]) -> None:
        """Begin to record.

        Args:
            hub: the repository.
            env: the environment for Git.
        """
        self.hub = hub
        self._env = env
        self._repo = Repo(hub, env)
        self._ref = self._repo.out("for-each-ref", "--format=%(refname)", "refs/heads").decode().split()[0]
        self._tip = self._now()
        self._hook()

    @property
    def branch(self) -> str:
        """The ledger's branch."""
        return self._ref.removeprefix("refs/heads/")

    def _hook(self) -> None:
        hook = self.hub / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        write_atomic(hook, _HOOK, mode=0o755)

    def _now(self) -> str:
        return self._repo.out("rev-parse", self._ref).decode().strip()

    def events(self) -> list[Event]:
        """Return what was decided since the last call, in order."""
        tip = self._now()
        if tip == self._tip:
            return []
        text = self._repo.out("log", "--reverse", f"--format={_FORMAT}", f"{self._tip}..{tip}").decode()
        self._tip = tip
        found = []
        for record in text.split("\x1e"):
            actor, _, operations = record.strip("\n").partition("\0")
            found += [_event(actor, each) for each in operations.split("\x01") if each]
        return found

    def figures(self, homes: Path) -> Figures:
        """Return the traffic since the beginning.

        Args:
            homes: the directory of all the BNET_HOMEs that worked with this hub.
        """
        lines = (read_or_none(self.hub / "pushes") or b"").decode().splitlines()
        decided = sum(self._ref in line.split() for line in lines)
        return Figures(len(lines), len(lines) - decided, self._conflicts(homes))

    def _conflicts(self, homes: Path) -> int:
        """Count the transactions that were written and never landed; the private mirrors still have them."""
        landed = set(self._repo.out("rev-list", self._ref).decode().split())
        written: set[str] = set()
        for mirror in homes.glob("*/hubs/*/mirror.git"):
            written |= _transactions(Repo(mirror, self._env))
        return len(written - landed)


def _event(actor: str, operation: str) -> Event:
    verb, target, *fields = operation.split()
    return Event(actor, verb, target, dict(each.split("=", 1) for each in fields if "=" in each))


def _transactions(mirror: Repo) -> set[str]:
    listing = mirror.out("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    commits = [line.split()[0] for line in listing.decode().splitlines() if line.endswith(" commit")]
    if not commits:
        return set()  # Git would take HEAD instead
    form = "--format=%H %(trailers:key=Bnet-Seq,valueonly,separator=%x01)"
    told = mirror.out("log", "--no-walk", "--stdin", form, input="\n".join(commits).encode()).decode()
    return {words[0] for line in told.splitlines() if len(words := line.split()) > 1}
