"""What a build costs: bnet, Turborepo, doit and ninja on the same trees, with the same commands, in turn.

Usage: python benchmarks/build.py [--tools DIR] [--runs N] [PART...]

Without a part, all of them run. Tools that are missing are installed from npm and PyPI, into a directory of the
benchmark's own. Figures are medians of whole processes; compare rows of one run on one machine, not of two.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import build_idle
import build_work
from build_runs import Ground
from build_tools import Tools
from common import Row, print_table

PARTS: dict[str, Callable[[Ground], list[Row]]] = {
    "idle6": build_idle.idle6,
    "idle100": build_idle.idle100,
    "idle1000": build_idle.idle1000,
    "changed": build_work.changed,
    "restored": build_work.restored,
    "first": build_work.first,
    "watched": build_idle.watched,
    "saved": build_idle.saved,
    "memory": build_work.memory,
    "hashing": build_work.hashing,
    "monorepo": build_work.monorepo,
}


def main() -> None:
    """Run the parts that were named, and print what came of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=9, help="timed runs of each (default 9)")
    parser.add_argument(
        "--tools", type=Path, default=Path.home() / ".cache" / "bnet-benchmarks", metavar="DIR"
    )
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bnet-build-") as directory:
        ground = Ground(Path(directory), Tools(asked.tools.expanduser().resolve()), asked.runs)
        for name in asked.parts or PARTS:
            print(f"... {name}", file=sys.stderr, flush=True)
            rows += PARTS[name](ground)
    print_table(rows)


if __name__ == "__main__":
    main()
