"""What the benchmarks share: networks, sizes, and the table."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bnet.app.ledger import Ledger
from bnet.cli.playground import Playground
from bnet.host.home import Home
from bnet.wiring.machine import Machine


class Row(NamedTuple):
    """A line of the table: what was measured, the figure, what it should reach, and a word more."""

    what: str
    figure: str
    reach: str = ""
    note: str = ""


def network(root: Path, servers: int, slots: int, *, agents: bool = True, settings: str = "") -> Playground:
    """Return a network of servers on this machine, with agents at work if asked for."""
    ground = Playground(root)
    ground.init()
    if settings:
        edit_settings(ground, settings)
    for number in range(1, servers + 1):
        ground.join(f"build{number}", "--slots", str(slots))
        if agents:
            ground.start(f"build{number}")
    if agents:
        time.sleep(2)  # until each has looked once, so that their start is not measured
    return ground


def edit_settings(ground: Playground, text: str) -> None:
    """Commit settings as a person does, with plain Git."""
    clone = ground.root / "clone"
    git("clone", "-q", "-b", "bnet", ground.url, str(clone), cwd=ground.root)
    (clone / "coordination" / "hub.yaml").write_text(text)
    identity = ("-c", "user.name=person", "-c", "user.email=person@example.org")
    git(*identity, "commit", "-qam", "settings", cwd=clone)
    git("push", "-q", cwd=clone)
    shutil.rmtree(clone)


def ledger_of(ground: Playground, home: str) -> Ledger:
    """Return the ledger as a process with this home sees it."""
    return Machine(Home(ground.root / home), dict(os.environ), home).ledger(ground.url)


def git(*words: str, cwd: Path) -> str:
    """Run Git and return what it printed."""
    return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True).stdout


def commits(ground: Playground) -> int:
    """Return how many commits the ledger has."""
    return int(git("rev-list", "--count", "bnet", cwd=Path(ground.url)))


def packed_bytes(repository: Path) -> int:
    """Return the size of a repository after a full collection."""
    git("gc", "-q", "--prune=now", cwd=repository)
    return disk_bytes(repository / "objects")


def disk_bytes(directory: Path) -> int:
    """Return what the files under a directory hold."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def agent_counts(ground: Playground) -> dict[str, int]:
    """Return what the agents counted, once they have ended."""
    total = {"transactions": 0, "pushes": 0, "conflicts": 0}
    for log in ground.root.glob("*/logs/sync.log"):
        for line in log.read_text().splitlines():
            if "agent ends:" in line:
                for part in line.split("agent ends: ")[1].split(", "):
                    number, _, name = part.partition(" ")
                    total[name] += int(number)
    return total


def spread(seconds: list[float]) -> str:
    """Return median and 95th percentile in milliseconds."""
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"median {statistics.median(ordered) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"


def human(count: float) -> str:
    """Return a number of bytes in the unit that fits."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def print_table(rows: list[Row]) -> None:
    """Print what was measured, in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    heads = ("what", "figure", "reach", "note")
    for row in [heads, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip())
    sys.stdout.flush()
