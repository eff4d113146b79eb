"""How strong the simulation is: bnet with a fault put into it, one at a time; does any schedule notice?

Usage: python tests/simulation/strength.py [--schedules N] [NUMBER...]
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]


class Mutant(NamedTuple):
    """A fault: in which module, and what stands there instead of what; why it is one."""

    module: str
    old: str
    new: str
    why: str


MUTANTS = [
    Mutant("rules.leases", "HOLDER_SHARE = 2 / 3", "HOLDER_SHARE = 4 / 3", "a holder goes on beyond the TTL"),
    Mutant("rules.leases", "unmoved_s >= lease.ttl_s", "unmoved_s >= lease.ttl_s / 2", "observers are hasty"),
    Mutant(
        "rules.leases",
        "if last is None or last.telemetry != seen or elapsed is None:",
        "if last is None or elapsed is None:",
        "a heartbeat is not noticed",
    ),
    Mutant(
        "rules.leases",
        "credit = min(elapsed, lease.ttl_s * CREDIT_SHARE)",
        "credit = elapsed",
        "an outage counts",
    ),
    Mutant(
        "app.server.cycle",
        "if held and beaten is not None:",
        "if held and (beaten := self.clock.boot()):",
        "renewed unseen",
    ),
    Mutant(
        "app.server.cycle",
        "        self.runs.intend(intents)\n",
        "        self.runs.intend([])\n",
        "claims without intents",
    ),
    Mutant(
        "app.server.cycle",
        "taken_over = {_key(job) for job in claimed}",
        "taken_over = set()",
        "an old intent's directory is taken for the new one's",
    ),
    Mutant(
        "app.server.decide",
        "if job is None or job.claim is None or job.claim.run != fact.intent.run:",
        "if job is None or job.claim is None:",
        "an overtaken run reports",
    ),
    Mutant("app.server.decide", "settle.expire_claims(tx, set(here.lapsed))", "pass", "nobody is ever lost"),
    Mutant("app.server.decide", 'elif fact.phase == "died":', "elif False:", "the dead are not reported"),
    Mutant("app.server.decide", "settle.skip_hopeless(tx)", "pass", "what can never start waits for ever"),
    Mutant(
        "app.ledger",
        "and not self.hub.contains(tip, known):",
        "and False:",
        "a ledger that was set back is believed",
    ),
    Mutant(
        "app.ledger",
        "if commit is None or look is None or self._holds(look, commit):",
        "if True:",
        "a lost push landed",
    ),
    Mutant("app.submit", "path = self.outbox.put(self.letter)", 'path = Path("/nowhere")', "no outbox"),
    Mutant(
        "rules.admit",
        "if command.key is not None and command.key in known.keys:",
        "if False:",
        "keys are forgotten",
    ),
    Mutant(
        "host.runs",
        "        if intent.run != run:\n            return",
        "        if False:\n            return",
        "any run",
    ),
    Mutant(
        "host.runs",
        '        if not (path / "pid.json").exists():\n            return RunFact',
        "        if True:\n            return RunFact",
        "what runs is taken for an intent",
    ),
    Mutant(
        "rules.pace",
        "observed.beat_at + beat_gap(",
        "0.0 * beat_gap(",
        "pushes whenever there is something to say",
    ),
    Mutant("rules.settle", "and job.claim.run in lapsed:", "and lapsed:", "all are lost with one"),
    Mutant("rules.transaction", "self.seq = state.head.seq + 1", "self.seq = state.head.seq + 2", "a gap"),
    Mutant("rules.waiting", "running < limit, text", "running <= limit, text", "one more than a group may"),
    Mutant("rules.waiting", "if len(holders) >= limit:", "if False:", "locks do not exclude"),
    Mutant(
        "rules.jobs",
        "    if job.wanted.cancel is not None:\n        return False\n    if ended.result",
        "    if ended.result",
        "cancelled, and again",
    ),
    Mutant(
        "app.locks.hold", "> self._ttl_s * HOLDER_SHARE:", "> self._ttl_s * 9:", "a holder never gives up"
    ),
    Mutant(
        "rules.locks",
        "len(lock.holders) + taken < limit and",
        "len(lock.holders) + taken <= limit and",
        "one more than a named lock may have",
    ),
    Mutant("rules.settle", "if locks.lease_of(stake) in lapsed:", "if lapsed:", "all are out with one"),
    Mutant(
        "rules.firing", "until = max(before.until, tx.now)", "until = before.until", "a cursor stands still"
    ),
    Mutant(
        "rules.firing",
        'count = count[-MOST_MADE_UP:] if entry.missed == "all" else count[-1:]',
        "count = count[-1:]",
        "one job for all that was missed",
    ),
    Mutant(
        "memory",
        "(each.old, each.new)",
        "(each.old, each.new, refs.get(each.ref, ''))",
        "no compare-and-swap",
    ),
]


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a module with a fault in it."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = f"bnet.{mutant.module}"
        self._path = TOP / (self._name.replace(".", "/") + ".py")
        source = self._path.read_text()
        if source.count(mutant.old) < 1:
            raise SystemExit(f"{self._path.name} does not hold {mutant.old!r} any more")
        self._code = compile(source.replace(mutant.old, mutant.new, 1), str(self._path), "exec")

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(self._path))

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._path)
        exec(self._code, module.__dict__)


def noticed(number: int, schedules: int) -> tuple[int, int, str]:
    """Return the number of a mutant, and by which schedule and how it was noticed; 0 and "" if it was not."""
    sys.meta_path.insert(0, Finder(MUTANTS[number]))
    from world import play

    for seed in range(1, schedules + 1):
        try:
            found = play(seed)
        except Exception as error:  # whatever it breaks, it was noticed
            return number, seed, f"{type(error).__name__}: {error}"
        if found.blames:
            return number, seed, found.blames[0].partition("\n")[0]
    return number, 0, ""


def main() -> int:
    """Try each mutant, and print what became of it; 1 if one was not noticed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER")
    parser.add_argument("--schedules", type=int, default=600, metavar="N", help="for each (default 600)")
    asked = parser.parse_args()
    survived = 0
    with multiprocessing.Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        work = partial(noticed, schedules=asked.schedules)
        for number, seed, how in pool.imap_unordered(work, asked.numbers or range(len(MUTANTS))):
            survived += not seed
            told = f"seed {seed}: {how[:110]}" if seed else "NOT NOTICED"
            print(f"{number:3} {MUTANTS[number].why}: {told}", flush=True)
    print(f"{survived} not noticed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
