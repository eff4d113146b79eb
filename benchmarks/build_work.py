"""Something to do: one change, outputs to restore, a first build, bytes to hash; and what memory that takes."""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from blake3 import blake3
from build_idle import LARGE
from build_runs import Entrant, Ground, Reach, alternate, check, peak, seconds, table
from build_tools import BNET, DOIT, NINJA, NPX, PROJECT, TURBO, forget
from build_trees import Shape, dependents, graph_of, settle
from common import Row, human

MANY = Shape(1000)
GIGABYTE, PIECE = 1 << 30, 1 << 20
OWN = "of that, the build by its own clock"


def changed(ground: Ground) -> list[Row]:
    """One file of a thousand packages: in a package that nothing depends on, and in one amid the graph."""
    graph = graph_of(MANY.packages)
    names = list(graph)
    middle = next(name for name in names[500:] if 5 <= len(dependents(graph, name)) <= 10)
    rows = []
    for name in (names[-1], middle):
        above = len(dependents(graph, name))
        entrants = {
            tool: ground.entrant(tool, MANY, _editor(name)) for tool in (BNET, TURBO, NPX, DOIT, NINJA)
        }
        times = alternate(entrants, ground.runs)
        for entrant in entrants.values():
            check(entrant.cwd)
        rows += table(f"one file changed of 1,000 packages, {above} above it", times, {TURBO: Reach(0.5)})
    return rows


def restored(ground: Ground) -> list[Row]:
    """All outputs of a hundred packages deleted; those with a cache restore them."""
    shape = Shape(100)
    entrants = {tool: ground.entrant(tool, shape, _without_outputs) for tool in (BNET, TURBO, NPX)}
    times = alternate(entrants, ground.runs)
    for entrant in entrants.values():
        check(entrant.cwd)
    return table("outputs deleted, restored, 100 packages", times, {TURBO: Reach(0.8)})


def first(ground: Ground) -> list[Row]:
    """A first build of a thousand packages; bnet and doit also digest, bnet also stores."""
    entrants = {tool: ground.entrant(tool, MANY, forget) for tool in (BNET, NINJA, DOIT)}
    # doit builds one after another unless it is told otherwise.
    entrants[DOIT] = entrants[DOIT]._replace(words=[*entrants[DOIT].words, "-n", str(os.cpu_count())])
    times = alternate(entrants, ground.runs)
    for entrant in entrants.values():
        check(entrant.cwd)
    return table("first build, 1,000 packages", times, {NINJA: Reach(2.5)})


def hashing(ground: Ground) -> list[Row]:
    """A gigabyte in files of a megabyte, read and digested by a build whose command does nothing."""
    tree = ground.root / "gigabyte"
    pieces = _gigabyte(tree)
    build = Entrant(ground.tools.words(BNET), tree, ground.tools.env(tree), lambda: forget(tree))
    ways: dict[str, Callable[[], float]] = {
        BNET: lambda: build.run().clock,
        OWN: lambda: _own_seconds(build),
        "blake3, one thread": lambda: _hash(pieces, 1),
        f"blake3, {os.cpu_count()} threads": lambda: _hash(pieces, blake3.AUTO),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ground.runs + 1):
        for name, way in ways.items():
            took = way()
            if number:
                times[name].append(took)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    rows = [
        Row(
            "hashing 1 GB, whole process: bnet", _rate(medians[BNET]), "", f"{ground.runs} runs, files cached"
        ),
        Row(f"  {OWN}", _rate(medians[OWN])),
    ]
    for name in list(ways)[2:]:
        share = medians[name] / medians[OWN]
        verdict = "reached" if share >= 0.6 else "MISSED"
        said = f"{share:.0%} by its own clock: {verdict}; {medians[name] / medians[BNET]:.0%} as a process"
        rows.append(Row(f"  {name}, in memory", _rate(medians[name]), "bnet >= 60%", said))
    return rows


def memory(ground: Ground) -> list[Row]:
    """The largest process of a build of a hundred thousand files: the first one, and one with nothing to do."""
    entrant = ground.entrant(BNET, LARGE)
    nothing = max(peak(entrant) for _ in range(3))
    full = max(peak(ground.entrant(BNET, LARGE, forget)) for _ in range(2))
    ninja = peak(ground.entrant(NINJA, LARGE))
    verdict = "reached" if max(full, nothing) < 150e6 else "MISSED"
    return [
        Row("peak memory, 100,000 files, first build: bnet", human(full), "< 150 MB", verdict),
        Row("  nothing to do: bnet", human(nothing), "< 150 MB"),
        Row("  nothing to do: ninja", human(ninja)),
    ]


def monorepo(ground: Ground) -> list[Row]:
    """`examples/monorepo`, TypeScript and a bundler: everything, then nothing, as a process and in one."""
    trees = {tool: _example(ground, tool) for tool in (BNET, TURBO)}
    full = {
        tool: Entrant(ground.tools.words(tool), tree, ground.tools.env(tree), partial(_unbuilt, tree))
        for tool, tree in trees.items()
    }
    nothing = {tool: entrant._replace(before=lambda: None) for tool, entrant in full.items()}
    rows = table("examples/monorepo, full", alternate(full, ground.runs), note="BuildNet: 36 s")
    rows += table("examples/monorepo, nothing to do", alternate(nothing, ground.runs), note="BuildNet: 5 ms")
    inside = _in_process(nothing[BNET], ground.runs)
    return [*rows, Row("  in one process that stays: bnet", seconds(inside), "", "BuildNet, a daemon: 5 ms")]


def _editor(name: str) -> Callable[[Path], None]:
    chance = random.Random()

    def edit(tree: Path) -> None:
        path = tree / "packages" / name / "src" / "f007.txt"
        path.write_text(f"{chance.getrandbits(64):x}\n{path.read_text().partition(chr(10))[2]}")

    return edit


def _without_outputs(tree: Path) -> None:
    for path in tree.glob("packages/*/dist"):
        shutil.rmtree(path)


def _own_seconds(build: Entrant) -> float:
    """Return what a build says that it took, from its first package to its last."""
    build.before()
    done = subprocess.run(
        [*build.words, "--json"], cwd=build.cwd, env=build.env, capture_output=True, check=True
    )
    return float(json.loads(done.stdout)["seconds"])


def _gigabyte(tree: Path) -> list[bytes]:
    """Write the tree and return what its files hold."""
    chance, pieces = random.Random(1), []
    for number in range(GIGABYTE // PIECE):
        piece = chance.randbytes(PIECE)
        home = tree / f"part{number % 16:02}"
        home.mkdir(parents=True, exist_ok=True)
        (home / f"{number:04}.bin").write_bytes(piece)
        pieces.append(piece)
    lines = [f"  - {{name: part{n:02}, path: part{n:02}, build_cmd: 'true'}}" for n in range(16)]
    (tree / "bnet.yaml").write_text("\n".join(["packages:", *lines, ""]))
    (tree / ".gitignore").write_text(".bnet/\n")
    settle(tree)
    return pieces


def _hash(pieces: list[bytes], threads: int) -> float:
    begun = time.perf_counter()
    for piece in pieces:
        blake3(piece, max_threads=threads).digest()
    return time.perf_counter() - begun


def _rate(took: float) -> str:
    return f"{GIGABYTE / took / 1e9:.2f} GB/s"


def _example(ground: Ground, tool: str) -> Path:
    """Return a copy of the example with its node modules, and Turborepo's configuration where that builds it."""
    tree = ground.root / f"monorepo-{tool.split(',')[0].lower()}"
    shutil.copytree(
        PROJECT / "examples" / "monorepo",
        tree,
        ignore=shutil.ignore_patterns("node_modules", "dist", ".bnet"),
    )
    if tool == TURBO:
        (tree / "turbo.json").write_text(
            '{"tasks": {"build": {"dependsOn": ["^build"], "outputs": ["dist/**"]}}}\n'
        )
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=tree, check=True)
    settle(tree)
    return tree


def _unbuilt(tree: Path) -> None:
    """Leave the node modules, and nothing else that is not committed."""
    subprocess.run(["git", "clean", "-xfdq", "-e", "node_modules"], cwd=tree, check=True)
    shutil.rmtree(tree.with_name(f"{tree.name}.state"), ignore_errors=True)


def _in_process(entrant: Entrant, runs: int) -> float:
    """Return the median seconds of a build with nothing to do in a process that has built before."""
    code = (
        "import contextlib, io, statistics, sys, time\n"
        "from bnet.__main__ import main\n"
        "sys.argv[1:] = ['build']\n"
        "times = []\n"
        f"for _ in range({runs + 1}):\n"
        "    begun = time.perf_counter()\n"
        "    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main()\n"
        "    times.append(time.perf_counter() - begun)\n"
        "print(statistics.median(times[1:]))\n"
    )
    words = [sys.executable, "-c", code]
    said = subprocess.run(words, cwd=entrant.cwd, env=entrant.env, check=True, capture_output=True, text=True)
    return float(said.stdout)
