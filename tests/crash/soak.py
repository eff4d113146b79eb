"""Ten servers, an hour, and everything at once: python tests/crash/soak.py [--minutes N] [--servers N] [--seed S].

Each server is a machine in namespaces of its own, some over ssh and some over HTTP, some as agents and some as cron
has them, on disks that lose power, fill up, or are sound. At the end nothing may be lost, and nothing may have been
done twice; `bnet audit verify` has to find every transaction legal. Needs root, and Debian's fuse3, iproute2,
openssh-server, nginx and fcgiwrap.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from askers import Askers
from box import lay_network
from harm import Harm
from judge import judge
from network import Network
from server import mount

PAUSE = (0.3, 2.0)  # seconds from one fault to the next
BATCH = (
    30.0  # seconds from one submission to the next: two cores work off some 600 jobs an hour under all this
)
PATIENCE = 1200.0  # seconds for all jobs to end once nothing goes wrong any more


def play(minutes: float, servers: int, seed: int, root: Path) -> int:
    """Let it all go wrong for a time; 1 if anything did not hold."""
    with contextlib.ExitStack() as stack:
        lay_network()
        network = Network(root, random.Random(seed), servers, stack)
        stack.callback(network.close)
        askers, harm = Askers(network), Harm(network)
        network.begin()
        over, next_batch, told = time.monotonic() + minutes * 60, 0.0, time.monotonic()
        while time.monotonic() < over:
            if time.monotonic() >= next_batch:
                askers.ask()
                next_batch = time.monotonic() + BATCH
            harm.happen()
            network.pass_time(time.monotonic() + network.chance.uniform(*PAUSE))
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(
                    f"{(over - told) / 60:.0f} min left: {len(askers.asked)} jobs asked for, "
                    f"{sum(network.met.values())} faults, {network.killed} killed",
                    flush=True,
                )
        network.calm()
        askers.hear_all()
        return _end(network, askers, seed)


def _end(network: Network, askers: Askers, seed: int) -> int:
    fleet, deadline = network.fleet, time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        open_ = [job for job in fleet.look().state.jobs.values() if job.result is None]
        if not open_ and not any(list((each.home / "outbox").glob("*.json")) for each in network.servers):
            break
        time.sleep(5)
    blames = judge(network, askers)
    for each in blames:
        print(each)
    print(f"seed {seed}: {'all is well' if not blames else f'{len(blames)} promises broken'}")
    return 1 if blames else 0


def main() -> int:
    """Play, in a network and with mounts of our own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N")
    parser.add_argument("--servers", type=int, default=10, metavar="N")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--root", type=Path, help="a directory that is kept; without it, one for the time")
    asked = parser.parse_args()
    if os.environ.get("SOAK_INSIDE") != "yes":
        os.environ["SOAK_INSIDE"] = "yes"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
    # Machines see what is mounted and unmounted here, and nobody else does.
    mount("--make-rshared", "/")
    if asked.root is not None:
        asked.root.mkdir(parents=True)
        return play(asked.minutes, asked.servers, asked.seed, asked.root)
    with tempfile.TemporaryDirectory(prefix="soak-") as root:
        return play(asked.minutes, asked.servers, asked.seed, Path(root))


if __name__ == "__main__":
    sys.exit(main())
