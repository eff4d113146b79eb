"""What one sync costs: with nothing to do, and beside how many open jobs."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from common import Row, ledger_of, network

from bnet.cli.playground import Playground
from bnet.model.command import Submit
from bnet.model.job import Job
from bnet.rules import jobs
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.schedule.choose import choose

RUNS = 15


def idle(root: Path) -> list[Row]:
    """`bnet sync` as a whole process, and what it asks of Git, traced by Git itself."""
    ground = network(root, 2, 2, agents=False)
    for _ in range(3):
        ground.ok("sync", home="build1")
        ground.ok("sync", home="build2")
    quick = _whole(ground, "sync")
    asked = _asked(ground)
    full = _whole(ground, "sync", "--no-claim")
    bare = _timed([sys.executable, "-c", "pass"], dict(os.environ))
    return [
        Row("bnet sync with nothing to do", f"{quick:.3f} s", "<= 0.15 s", f"a bare Python: {bare:.3f} s"),
        Row("  what it asks of the hub", asked, "one ls-remote"),
        Row(
            "  a whole round that finds nothing",
            f"{full:.3f} s",
            "",
            "as while others' jobs run: leases are watched",
        ),
    ]


def _whole(ground: Playground, *words: str) -> float:
    env = ground.env | {"BNET_HOME": str(ground.root / "build1")}
    return _timed([sys.executable, "-m", "bnet", *words], env)


def _timed(argv: list[str], env: dict[str, str]) -> float:
    seconds = []
    for _ in range(RUNS):
        begun = time.monotonic()
        subprocess.run(argv, env=env, check=True, capture_output=True)
        seconds.append(time.monotonic() - begun)
    return statistics.median(seconds)


def _asked(ground: Playground) -> str:
    """Return the Git commands of one sync, from a `git` on PATH that writes down its arguments."""
    tools = ground.root / "tools"
    tools.mkdir()
    real = subprocess.run(
        ["sh", "-c", "command -v git"], capture_output=True, text=True, check=True
    ).stdout.strip()
    trace = ground.root / "trace"
    (tools / "git").write_text(f'#!/bin/sh\necho "$@" >> {trace}\nexec {real} "$@"\n')
    (tools / "git").chmod(0o755)
    env = ground.env | {"BNET_HOME": str(ground.root / "build1"), "PATH": f"{tools}:{ground.env['PATH']}"}
    for _ in range(2):  # the first writes down the environment that the second one asks in
        subprocess.run(
            [sys.executable, "-m", "bnet", "sync", "--no-claim"], env=env, check=True, capture_output=True
        )
    trace.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "bnet", "sync"], env=env, check=True, capture_output=True)
    words = [
        " ".join(each for each in line.split() if not each.startswith("-"))
        for line in trace.read_text().splitlines()
    ]
    return ", ".join(" ".join(word.split()[:1]) for word in words)


def queue(root: Path) -> list[Row]:
    """The transaction that claims one job, in an agent's process, with 10 and with 10,000 jobs open."""
    small, large = _claims(root / "small", 10), _claims(root / "large", 10_000)
    return [
        Row("a claim with 10 open jobs", f"{small * 1000:.0f} ms"),
        Row("a claim with 10,000 open jobs", f"{large * 1000:.0f} ms"),
        Row("  ratio", f"{large / small:.2f}", "<= 3", "decide, write, push, verify"),
    ]


def _claims(root: Path, count: int) -> float:
    ground = network(root, 1, 100, agents=False)
    ledger = ledger_of(ground, "build1")
    ledger.refresh()
    for start in range(0, count + RUNS, 500):
        commands = [
            Submit(command="true", name=f"job{each}") for each in range(start, min(start + 500, count + RUNS))
        ]
        ledger.transact(lambda tx, some=commands: admit(tx, some, by="bench", facts=Facts()) and None)
    seconds = []
    for number in range(RUNS):
        begun = time.monotonic()
        ledger.refresh()
        ledger.transact(lambda tx, run=str(number): _claim_one(tx, run))
        seconds.append(time.monotonic() - begun)
    return statistics.median(seconds)


def _claim_one(tx: Transaction, run: str) -> None:
    server = tx.servers["build1"]
    found: list[Job] = list(choose(tx.jobs, server, tx.state.settings, tx.now, room=1))
    for job in found:
        tx.apply(jobs.claim(job, server, run=run, token=tx.seq, ttl_s=300, now=tx.now))
