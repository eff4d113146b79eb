"""Runs that take turns, and what is made of their times."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from build_tools import BNET, BUILDS_FOR, NPX, Tools
from build_trees import Shape, write_tree, wrong_outputs
from common import Row

# The largest of the processes that a small parent waits for; a child counts what its parent had when it
# was started, so this parent is a Python that has imported nothing.
PEAK = (
    "import os, sys; "
    "pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ); "
    "_, status, used = os.wait4(pid, 0); "
    "print(used.ru_maxrss); "
    "sys.exit(os.waitstatus_to_exitcode(status))"
)


def _nothing() -> None:
    pass


class Took(NamedTuple):
    """Seconds of a run: by the clock, and of processors."""

    clock: float
    cpu: float


class Entrant(NamedTuple):
    """One of those that take turns: a command, where it runs, and what goes before without being timed."""

    words: list[str]
    cwd: Path
    env: dict[str, str]
    before: Callable[[], None] = _nothing

    def run(self) -> "Took":
        """Run it once and return what it took, from its start to its end, with all that it started and waited for."""
        self.before()
        with tempfile.TemporaryFile() as said:
            begun = time.perf_counter()
            process = subprocess.Popen(
                self.words, cwd=self.cwd, env=self.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            _, status, used = os.wait4(process.pid, 0)
            took = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                said.seek(0)
                raise SystemExit(
                    f"{' '.join(self.words)} in {self.cwd} failed:\n{said.read().decode()[-4000:]}"
                )
        return Took(took, used.ru_utime + used.ru_stime)


class Ground:
    """Where trees stand, each built once by each tool, and how often everything is run."""

    def __init__(self, root: Path, tools: Tools, runs: int) -> None:
        """Take a directory for the trees, the tools, and the number of timed runs of each."""
        self.root, self.tools, self.runs = root, tools, runs
        self._trees: dict[tuple[str, Shape], Path] = {}

    def tree(self, tool: str, shape: Shape) -> Path:
        """Return a tool's own copy of a tree, built by it, with the right outputs."""
        tool = BUILDS_FOR.get(tool, tool)
        if (tool, shape) not in self._trees:
            path = self.root / f"{tool.split(',')[0].lower()}-{shape.packages}x{shape.files}"
            path.mkdir()
            write_tree(path, shape)
            say(f"{tool} builds {shape.packages} packages")
            Entrant(self.tools.words(tool), path, self.tools.first_env(path)).run()
            check(path)
            self._trees[tool, shape] = path
        return self._trees[tool, shape]

    def entrant(self, tool: str, shape: Shape, before: Callable[[Path], None] | None = None) -> Entrant:
        """Return a tool at work on its copy of a tree."""
        path = self.tree(tool, shape)

        def prepare() -> None:
            if BUILDS_FOR.get(tool, tool) in BUILDS_FOR.values():
                self.tools.link_modules(path, present=tool == NPX)
            if before is not None:
                before(path)

        return Entrant(self.tools.words(tool), path, self.tools.env(path), prepare)

    def bare(self, code: str, *words: str) -> Entrant:
        """Return a bare Python that runs a line of code."""
        return Entrant([sys.executable, "-c", code, *words], self.root, dict(os.environ))


def check(tree: Path) -> None:
    """Raise if a tool left an output that is not what the sources say."""
    if wrong := wrong_outputs(tree):
        raise SystemExit(f"{tree}: {len(wrong)} outputs are wrong, {wrong[0]} first")


def alternate(entrants: dict[str, Entrant], runs: int) -> dict[str, list[Took]]:
    """Return what each entrant took; they take turns, and the first round is not counted."""
    times: dict[str, list[Took]] = {name: [] for name in entrants}
    for number in range(runs + 1):
        for name, entrant in entrants.items():
            took = entrant.run()
            if number:
                times[name].append(took)
    return times


def peak(entrant: Entrant) -> int:
    """Return the bytes of memory that the largest process of a run had."""
    words = [sys.executable, "-I", "-S", "-c", PEAK, *entrant.words]
    entrant.before()
    ended = subprocess.run(
        words, cwd=entrant.cwd, env=entrant.env, check=True, capture_output=True, text=True
    )
    return int(ended.stdout.split()[-1]) * 1024


class Reach(NamedTuple):
    """What bnet's time should not exceed: so many times another's, and some seconds more."""

    factor: float
    plus: float = 0.0

    def __str__(self) -> str:
        return f"bnet <= {self.factor:g} x" + (f" + {self.plus * 1000:.0f} ms" if self.plus else "")


def table(
    what: str, times: dict[str, list[Took]], reaches: dict[str, Reach] | None = None, note: str = ""
) -> list[Row]:
    """Return bnet's median, and beneath it every other one with bnet's share of it."""
    bnet = middle(times[BNET])
    rows = [Row(f"{what}: bnet", seconds(bnet.clock), "", f"{_range(times[BNET])}{note and '; ' + note}")]
    for name in times:
        if name != BNET:
            other, reach = middle(times[name]), (reaches or {}).get(name)
            share = f"bnet takes {bnet.clock / other.clock:.2f} x"
            if reach is not None:
                kept = bnet.clock <= reach.factor * other.clock + reach.plus
                share += ": reached" if kept else ": MISSED"
            rows.append(
                Row(f"  {name}", seconds(other.clock), str(reach or ""), f"{share}; {_cpu(times[name])}")
            )
    return rows


def middle(taken: list[Took]) -> Took:
    """Return the medians of some runs."""
    return Took(
        statistics.median(each.clock for each in taken), statistics.median(each.cpu for each in taken)
    )


def seconds(value: float) -> str:
    """Return a time in the unit that fits."""
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.3f} s" if value < 10 else f"{value:.1f} s"


def say(text: str) -> None:
    """Tell what goes on, apart from the table."""
    print(f"    {text}", file=sys.stderr, flush=True)


def _range(taken: list[Took]) -> str:
    clocks = [each.clock for each in taken]
    return f"{len(taken)} runs, {seconds(min(clocks))} to {seconds(max(clocks))}, {_cpu(taken)}"


def _cpu(taken: list[Took]) -> str:
    return f"{seconds(middle(taken).cpu)} of processors"
