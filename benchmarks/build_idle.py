"""Nothing to do: what a tool needs to find that out."""

import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_runs import Entrant, Ground, Reach, alternate, middle, say, seconds, table
from build_tools import BNET, DOIT, NINJA, NPX, TURBO
from build_trees import Shape, graph_of
from common import Row

PEERS = (TURBO, NPX, DOIT, NINJA)
PASS, STAT = "python -c pass", "a bare Python that stats the same files"
STATS = "import os, sys\nfor path in open(sys.argv[1]).read().split('\\n'): os.stat(path)"
LARGE = Shape(1000, files=100, size=600)
READY_S = 60
SAVED_S = 0.2


def idle6(ground: Ground) -> list[Row]:
    """Six packages: mostly the start of the process."""
    return _idle(ground, Shape(6), {PASS: Reach(3)})


def idle100(ground: Ground) -> list[Row]:
    """A hundred packages."""
    return _idle(ground, Shape(100), {TURBO: Reach(0.6)})


def idle1000(ground: Ground) -> list[Row]:
    """A thousand packages, with the least that a Python could do beside it."""
    return _idle(ground, Shape(1000), {TURBO: Reach(0.5), DOIT: Reach(0.75), STAT: Reach(2)})


def watched(ground: Ground) -> list[Row]:
    """A hundred thousand files while `bnet watch` runs: it knows, so that nobody has to look."""
    bnet = ground.entrant(BNET, LARGE)
    others = {PASS: ground.bare("pass"), NINJA: ground.entrant(NINJA, LARGE)}
    alone = middle(alternate({BNET: bnet}, ground.runs)[BNET]).clock
    with _watching(bnet, ground.root / "watch.log"):
        _until_quicker(bnet, alone)
        times = alternate({BNET: bnet, **others}, ground.runs)
    return table(
        "nothing to do, 100,000 files, bnet watch runs",
        times,
        {PASS: Reach(2, plus=0.02), NINJA: Reach(1)},
        note=f"without the watch {seconds(alone)}",
    )


def saved(ground: Ground) -> list[Row]:
    """From the save of a file to the end of what `bnet watch` builds of it, the command included."""
    rows = []
    for packages in (100, 1000):
        bnet = ground.entrant(BNET, Shape(packages))
        package = bnet.cwd / "packages" / list(graph_of(packages))[-1]  # nothing depends on it
        source, made = package / "src" / "f000.txt", package / "dist" / "out.txt"
        took = []
        with _watching(bnet, ground.root / "watch.log"):
            _until_rebuilt(source, made, "first", READY_S)
            for number in range(ground.runs):
                time.sleep(1)
                took.append(_until_rebuilt(source, made, f"save {number}", READY_S))
        figure = statistics.median(took)
        rows.append(
            Row(
                f"saved to rebuilt, {packages:,} packages, bnet watch",
                f"{seconds(figure)} (longest {seconds(max(took))})",
                "200 ms and the command",
                "reached" if figure <= SAVED_S else "missed",
            )
        )
    return rows


def _until_rebuilt(source: Path, made: Path, words: str, patience: float) -> float:
    """Save a file, and return the seconds until what is made of it says the same."""
    source.write_text(f"{words}\n")
    begun = time.perf_counter()
    while not made.exists() or not made.read_text().startswith(f"{words}\n"):
        if time.perf_counter() - begun > patience:
            raise SystemExit(f"{made} was not built again")
        time.sleep(0.001)
    return time.perf_counter() - begun


@contextmanager
def _watching(bnet: Entrant, log: Path) -> Iterator[None]:
    """Let `bnet watch` run in a tree."""
    words = [*bnet.words[:-1], "watch"]
    with (
        log.open("wb") as said,
        subprocess.Popen(
            words, cwd=bnet.cwd, env=bnet.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        ) as watch,
    ):
        try:
            yield
        finally:
            watch.terminate()


def _idle(ground: Ground, shape: Shape, reaches: dict[str, Reach]) -> list[Row]:
    entrants = {name: ground.entrant(name, shape) for name in (BNET, *PEERS)}
    entrants[PASS] = ground.bare("pass")
    entrants[STAT] = ground.bare(STATS, str(_listed(entrants[BNET].cwd)))
    times = alternate(entrants, ground.runs)
    return table(f"nothing to do, {shape.packages:,} packages", times, reaches, note=_tiers(entrants[BNET]))


def _listed(tree: Path) -> Path:
    """Return a file that lists the sources and outputs of a tree."""
    paths = [str(path) for kind in ("src", "dist") for path in sorted(tree.glob(f"packages/*/{kind}/*"))]
    listed = tree.with_suffix(".list")
    listed.write_text("\n".join(paths))
    return listed


def _tiers(bnet: Entrant) -> str:
    """Return how bnet says that it brought the packages up to date."""
    said = subprocess.run(
        [*bnet.words, "--json"], cwd=bnet.cwd, env=bnet.env, check=True, capture_output=True
    )
    tiers = [package["tier"] for package in json.loads(said.stdout)["packages"]]
    return ", ".join(f"{tiers.count(tier)} {tier}" for tier in sorted(set(tiers)))


def _until_quicker(bnet: Entrant, alone: float) -> None:
    """Wait until the watch has looked once, which a build shows by being quicker."""
    begun = time.monotonic()
    while time.monotonic() - begun < READY_S:
        if bnet.run().clock < alone / 2:
            return
        time.sleep(0.5)
    say("the watch makes no difference")
