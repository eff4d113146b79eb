"""What coordination costs: pushes, seconds and bytes, beside what they cost in the protocol of a real hub.

Usage: python benchmarks/coordination.py [burst] [tries] [idle] [queue] [growth] [telemetry] [replay] [latency] ...

Everything named (all, without a name) runs in one go on this machine, on hubs in temporary directories, and is
printed as one table. Figures of a shared machine vary; compare rows of one run, not of two.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bursts
import costs
import histories
import letters
import past
import timetables
import turns
import watching
from common import Row, print_table

PARTS: dict[str, Callable[[Path], list[Row]]] = {
    "burst": bursts.burst,
    "tries": bursts.tries,
    "latency": bursts.latency,
    "idle": costs.idle,
    "queue": costs.queue,
    "growth": histories.growth,
    "telemetry": histories.telemetry,
    "replay": histories.replay,
    "schedules": timetables.schedules,
    "locks": turns.turns,
    "messages": letters.messages,
    "past": past.past,
    "sources": watching.sources,
}


def main() -> None:
    """Run the parts that were named, and print what came of them."""
    rows: list[Row] = []
    for name in sys.argv[1:] or list(PARTS):
        print(f"... {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=f"bnet-{name}-") as directory:
            rows += PARTS[name](Path(directory))
    print_table(rows)


if __name__ == "__main__":
    main()
