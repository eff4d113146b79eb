"""Named locks: how long it takes from the release by one agent to the work of the next one."""

import threading
import time
from itertools import pairwise
from pathlib import Path

from common import Row, ledger_of, network, spread

from bnet.app.locks.hold import Hold
from bnet.cli.playground import Playground

TURNS = 6  # of each
WORK_S = 0.3


def turns(root: Path) -> list[Row]:
    """Let two agents take turns on a local hub."""
    ground = network(root, 0, 0, agents=False)
    spans: list[tuple[float, float]] = []
    agents = [threading.Thread(target=_take_turns, args=(ground, name, spans)) for name in ("a", "b")]
    for each in agents:
        each.start()
    for each in agents:
        each.join()
    spans.sort()
    waited = [later[0] - sooner[1] for sooner, later in pairwise(spans)]
    return [Row("a lock handed over between two agents", spread(waited), "", f"{len(waited)} times")]


def _take_turns(ground: Playground, name: str, spans: list[tuple[float, float]]) -> None:
    ledger = ledger_of(ground, name)
    for _ in range(TURNS):
        hold = Hold(ledger, ledger.clock, "db", name, ttl_s=60.0)
        hold.acquire(None)
        begun = time.monotonic()
        time.sleep(WORK_S)
        spans.append((begun, time.monotonic()))
        hold.give_back()
