"""How strong the quick tests are: a small fault in a module, one at a time; does any test notice?

Usage: python tests/mutants/mutate.py [--jobs N] [--line N]... MODULE.py...

All is imported and collected once. Each mutant is a forked process, in which the tests that reach its statement
are run until one fails: first those that noticed others in the same function, then the quickest.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import pickle
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

import pytest
from _pytest.runner import runtestprotocol
from changes import Mutant, mutants_of
from hypothesis import settings
from plant import Line, plant, record

TOP = Path(__file__).resolve().parents[2]
UNITS = "rules_* schedule_choose host_runs decide cycle intent silence supervisor_watch found codec_*"
CONTRACTS = "audit cache hand_edits hub ledger patience race"
TESTS = [
    *(f"tests/unit/test_{name}.py" for name in UNITS.split()),
    *(f"tests/contract/test_{name}_contract.py" for name in CONTRACTS.split()),
    "tests/property/test_leases.py",
]
LEFT_OUT = re.compile(r"\[git[] -]|_(over|in|on_real)_git")  # what needs real repositories is slow
ENOUGH = 10.0  # seconds of tests that are tried on one mutant at most
PATIENCE = 3.0  # seconds of a processor's time for a test, besides ten times what it takes as a rule
MEMORY = 3_000_000_000  # bytes
PLACE = "/dev/shm" if os.path.isdir("/dev/shm") else None


class Known(NamedTuple):
    """What is known of a test without any mutant: a processor's seconds that it takes, and what it reaches."""

    seconds: float
    reached: frozenset[Line]


class Fate(NamedTuple):
    """What became of a mutant, with the test or the limit that noticed it, "" if none did."""

    path: str
    told: str
    words: bool
    tried: int
    noticed: str


class Child(NamedTuple):
    """A process that tries one mutant."""

    fate: Fate
    function: tuple[str, str]
    answer: int
    directory: Path
    deadline: float


class Trial:
    """One run over some modules: a plug-in of pytest with a loop of its own over the tests."""

    def __init__(self, paths: Sequence[str], lines: Sequence[int], jobs: int) -> None:
        """Keep what to do: in which modules, on which lines (all, if none is named), and how many at a time."""
        self.fates: list[Fate] = []
        self._paths = paths
        self._lines = lines
        self._jobs = jobs
        self._items: dict[str, pytest.Item] = {}
        self._known: dict[str, Known] = {}
        self._noticed: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._children: dict[int, Child] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests on what is there, and then on each mutant."""
        quick = [item for item in session.items if not LEFT_OUT.search(item.nodeid)]
        self._items = {item.nodeid: item for item in quick if "git_world" not in vars(item)["fixturenames"]}
        modules = {
            path: importlib.import_module(path.removesuffix(".py").replace("/", ".")) for path in self._paths
        }
        self._survey(modules)
        gc.collect()
        gc.freeze()  # what is here stays shared with the processes that are forked
        for path, module in modules.items():
            for mutant in mutants_of((TOP / path).read_text(), path):
                if not self._lines or mutant.line in self._lines:
                    self._begin(mutant, module)
        while self._children:
            self._wait()
        return True

    # -- what is there

    def _survey(self, modules: dict[str, ModuleType]) -> None:
        """Find out what each test takes and reaches; one that fails by itself is left out."""
        directory = Path(tempfile.mkdtemp(dir=PLACE))
        child = os.fork()
        if not child:
            self._settle_in(directory)
            (directory / "known").write_bytes(pickle.dumps(self._run_all(modules)))
            os._exit(0)
        os.waitpid(child, 0)
        self._known = pickle.loads((directory / "known").read_bytes())
        shutil.rmtree(directory)
        seconds = sum(each.seconds for each in self._known.values())
        print(f"{len(self._known)} tests, {seconds:.0f} s", flush=True)

    def _run_all(self, modules: dict[str, ModuleType]) -> dict[str, Known]:
        reached: set[Line] = set()
        for path, module in modules.items():
            record(module, (TOP / path).read_text(), path, reached.add)
        known = {}
        for name in self._items:
            reached.clear()
            begun = time.process_time()
            passes = self._passes(name)
            took = time.process_time() - begun
            if not passes:
                print(f"fails by itself: {name}", flush=True)
            else:
                known[name] = Known(took, frozenset(reached))
        return known

    def _passes(self, name: str) -> bool:
        return not any(each.failed for each in runtestprotocol(self._items[name], log=False, nextitem=None))

    def _settle_in(self, directory: Path) -> None:
        """Give a process bounds, and files of its own."""
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        config = next(iter(self._items.values())).config
        paths: pytest.TempPathFactory = vars(config)["_tmp_path_factory"]
        paths._basetemp = directory

    # -- a mutant

    def _begin(self, mutant: Mutant, module: ModuleType) -> None:
        while len(self._children) >= self._jobs:
            self._wait()
        names = self._tests_for(mutant)
        code = compile(mutant.tree, mutant.path, "exec")
        directory = Path(tempfile.mkdtemp(dir=PLACE))
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            self._settle_in(directory)
            self._try(names, module, code, theirs, at_import=not mutant.function)
        os.close(theirs)
        fate = Fate(mutant.path, str(mutant), mutant.words, len(names), "")
        limit = time.monotonic() + 60 + 20 * sum(self._known[name].seconds for name in names)
        self._children[child] = Child(fate, (mutant.path, mutant.function), ours, directory, limit)

    def _tests_for(self, mutant: Mutant) -> list[str]:
        where = (mutant.path, mutant.statement)
        names = [name for name, each in self._known.items() if not mutant.function or where in each.reached]
        noticed = self._noticed[mutant.path, mutant.function]
        near = {name: any(path == mutant.path for path, _ in self._known[name].reached) for name in names}
        names.sort(key=lambda name: (-noticed[name], not near[name], self._known[name].seconds))
        left, chosen = ENOUGH, []
        for name in names:
            left -= self._known[name].seconds
            if left > 0:
                chosen.append(name)
        return chosen

    def _try(
        self, names: list[str], module: ModuleType, code: CodeType, answer: int, *, at_import: bool
    ) -> None:
        """Run tests until one fails, write its name, and end this process."""
        noticed = ""
        try:
            plant(module, code, constants=at_import)
        except Exception as error:  # whatever a changed module raises at its import: no test gets past that
            noticed, names = f"import: {type(error).__name__}", []
        for name in names:
            signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE + 10 * self._known[name].seconds)
            if not self._passes(name):
                noticed = name
                break
        os.write(answer, noticed.encode())
        os._exit(0)

    def _wait(self) -> None:
        """Wait for one of the processes, or for the end of its time."""
        done, _, _ = select.select([each.answer for each in self._children.values()], [], [], 60)
        for child, each in self._children.items():
            if each.answer in done:
                ended, status = os.waitpid(child, 0)
                break
            if time.monotonic() > each.deadline:
                os.killpg(child, signal.SIGKILL)
        else:
            return
        tried = self._children.pop(ended)
        noticed = os.read(tried.answer, 10_000).decode()
        os.close(tried.answer)
        shutil.rmtree(tried.directory, ignore_errors=True)
        if noticed:
            self._noticed[tried.function][noticed] += 1
        elif status:
            noticed = f"limit: status {status}"
        fate = tried.fate._replace(noticed=noticed)
        self.fates.append(fate)
        if not noticed:
            word = "not reached" if not fate.tried else "words" if fate.words else "SURVIVES"
            print(f"{word} ({fate.tried} tests): {fate.told}", flush=True)


def table(fates: Sequence[Fate]) -> str:
    """Return what became of the mutants of each module."""
    rows: list[tuple[str, ...]] = [
        ("module", "mutants", "noticed", "of those by a limit", "not noticed", "of those words")
    ]
    for path in dict.fromkeys(each.path for each in fates):
        of = [each for each in fates if each.path == path]
        left = [each for each in of if not each.noticed]
        limits = sum(each.noticed.startswith("limit") for each in of)
        words = sum(each.words for each in left)
        rows.append((path, *map(str, (len(of), len(of) - len(left), limits, len(left), words))))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> int:
    """Try the mutants of some modules, and print what became of them; 1 if one lives on."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="+", metavar="MODULE.py", help="as bnet/rules/leases.py")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at a time (default 2)")
    parser.add_argument(
        "--line", type=int, action="append", default=[], metavar="N", help="only on this line"
    )
    parser.add_argument("--tests", nargs="+", default=TESTS, metavar="GLOB", help="of the tests' files")
    parser.add_argument("--log", metavar="FILE", help="write each mutant's fate there")
    asked = parser.parse_args()
    os.chdir(TOP)
    sys.path.insert(0, str(TOP))
    # The same examples for each mutant, and no search for a smaller one.
    settings.register_profile("mutants", derandomize=True, database=None, deadline=None)
    settings.load_profile("mutants")
    trial = Trial([os.path.relpath(each, TOP) for each in asked.modules], asked.line, asked.jobs)
    tests = [str(path) for each in asked.tests for path in sorted(TOP.glob(each))]
    quiet = ["-n", "0", "-q", "--no-header", "--no-summary", "-p", "no:cacheprovider"]
    pytest.main([*quiet, *tests], plugins=[trial])
    if asked.log:
        Path(asked.log).write_text(
            "".join(f"{each.noticed or 'SURVIVES'}\t{each.told}\n" for each in trial.fates)
        )
    print(table(trial.fates))
    return 1 if any(not each.noticed for each in trial.fates) else 0


if __name__ == "__main__":
    sys.exit(main())
