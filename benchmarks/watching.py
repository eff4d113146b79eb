"""What sources cost: a repository of 1,000 branches, at rest, with one that moved and with all of them moved."""

import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from common import Row

from bnet.app.ledger import Ledger
from bnet.app.lookup import Lookup
from bnet.app.steward.polling import Polling
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.gitstore.mirrors import Mirrors
from bnet.gitstore.repo import environment
from bnet.memory import ManualClock, MemoryHub, Repository
from bnet.model.hub import FORMAT, Head
from bnet.ports.hub import Commit, Update
from bnet.rules.specs import Unresolved

BRANCHES, SOURCES, TRIES = 1000, 10, 5
T = TypeVar("T")


class Counted(Mirrors):
    """The repositories, and how often they were asked for their refs."""

    asked = 0

    def refs(self, address: str, *, tags: bool) -> dict[str, str]:
        self.asked += 1
        return dict(super().refs(address, tags=tags))


def sources(top: Path) -> list[Row]:
    """Look at 1,000 branches, named by ten sources."""
    bare = top / "up.git"
    subprocess.run(["git", "init", "-q", "--bare", "--template=", str(bare)], check=True)
    _push(bare, range(BRANCHES), "first")
    clock = ManualClock()
    ledger = _ledger(bare, clock)
    mirrors = Counted(top / "copies", environment(os.environ))
    lookup = Lookup(ledger.hub, lambda repository, ref: Unresolved("not looked up"))
    polling = Polling(ledger, mirrors, clock, lookup, "s1")

    def look() -> float:
        clock.seconds += 301
        begun = time.perf_counter()
        ledger.refresh()
        polling.do(_at_once)
        return time.perf_counter() - begun

    first = look()
    rest, asked = [look() for _ in range(TRIES)], mirrors.asked
    moved = []
    for number in range(TRIES):
        _push(bare, [number], f"moved {number}")
        moved.append(look())
    before = len(ledger.state.jobs)
    _push(bare, range(BRANCHES), "all")
    everything = look()
    return [
        Row(
            f"a look at {BRANCHES:,} branches of {SOURCES} sources, at rest",
            f"{statistics.median(rest):.3f} s",
            "",
            f"{(asked - 1) / TRIES:g} ls-remote",
        ),
        Row("the first look, which takes them as seen", f"{first:.2f} s"),
        Row(
            "one branch has moved: history fetched, a job for each source",
            f"{statistics.median(moved):.2f} s",
        ),
        Row(
            "all have moved, with one commit each",
            f"{everything:.1f} s",
            "",
            f"{len(ledger.state.jobs) - before} jobs in that look, the rest in the next ones",
        ),
    ]


def _at_once(errands: Sequence[Callable[[], T]]) -> list[T]:
    return [each() for each in errands]


def _ledger(bare: Path, clock: ManualClock) -> Ledger:
    hub = MemoryHub(Repository())
    text = f"repository: {bare}\nsubmit: {{command: make}}\n".encode()
    files = {layout.source_path(f"s{number}"): text for number in range(SOURCES)}
    files[layout.HEAD] = encode(Head(format=FORMAT, hub="h"))
    message = "bnet: init\n\nBnet-Seq: 0\nBnet-Next-Job: 1\nBnet-Nonce: 0\n"
    first = hub.write([Commit(parent=None, files=files, message=message, author="a", at=clock.now())])
    hub.push([Update(hub.ledger_ref, "", first[0])])
    return Ledger(hub, clock, "s1", random.Random(1))


def _push(bare: Path, numbers: Sequence[int], text: str) -> None:
    """Put a commit on some branches."""
    rows = [
        f"commit refs/heads/team{number % 10}/branch-{number}\n"
        f"committer a <a@b> 1700000000 +0000\ndata <<END\n{text} {number}\nEND\n"
        + (f"from refs/heads/team{number % 10}/branch-{number}^0\n" if text != "first" else "")
        + f"M 100644 inline f{number % 100}\ndata <<END\n{text} {number}\nEND\n"
        for number in numbers
    ]
    words = ["git", f"--git-dir={bare}", "fast-import", "--quiet", "--force"]
    subprocess.run(words, input="\n".join(rows).encode(), check=True)
