"""Messages: listed, read and searched by id among ten thousand, and what they cost a sync that has none to do."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common import Row, ledger_of, network

from bnet.cli.playground import Playground
from bnet.codec import letter_paths, letters
from bnet.model.message import Front
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction

COUNT = 10_000
DAYS = 25
TIMES = 7


def messages(root: Path) -> list[Row]:
    """Ten thousand messages of the last weeks, and the commands that people give."""
    ground = network(root, 1, 1, agents=False)
    moved = [_moving(ground, f"without {number}") for number in range(TIMES)]
    _write(ground)
    begun = time.monotonic()
    ground.ok("message", "list", "--to", "all")
    first = time.monotonic() - begun
    ground.ok("sync", home="build1")
    with_them = [_moving(ground, f"with {number}") for number in range(TIMES)]
    listed = _median(lambda: ground.ok("message", "list", "--to", "all"))
    told = _median(lambda: ground.ok("message", "list", "--to", "all", "--json"))
    unread = _median(lambda: ground.ok("message", "list", "--unread", "--last", "20"))
    read = _median(lambda: ground.ok("message", "read", _name(COUNT // 2)))
    return [
        Row(f"{COUNT:,} messages listed", f"{listed * 1000:.0f} ms", "300 ms", "a whole command"),
        Row("the same as JSON", f"{told * 1000:.0f} ms", "300 ms"),
        Row("the newest 20 unread of them", f"{unread * 1000:.0f} ms"),
        Row("one of them read", f"{read * 1000:.0f} ms"),
        Row(
            "the first time, with the index", f"{first:.1f} s", "", f"{COUNT / first:,.0f} messages a second"
        ),
        Row("a sync after a move of the ledger, without messages", f"{_middle(moved):.0f} ms"),
        Row(f"the same beside {COUNT:,} messages", f"{_middle(with_them):.0f} ms", "the same"),
    ]


def _write(ground: Playground) -> None:
    now = datetime.now(UTC)
    files: dict[str, bytes | None] = {}
    for number in range(COUNT):
        at = now - timedelta(days=DAYS * (1 - number / COUNT))
        front = Front(
            id=_name(number),
            sender=f"person{number % 20}@example.org",
            to=("all",) if number % 3 else ("build1",),
            at=letters.stamp(at),
            subject=f"What happened to build {number}",
            thread=_name(number - number % 5),
        )
        text = letters.write(front, f"It went well, and took {number} seconds.\n" * 5)
        files[letter_paths.message_path(letter_paths.key_of(at, front.id))] = text

    def decide(tx: Transaction) -> None:
        tx.apply(Change(verb="message", target="many", files=files))

    ledger = ledger_of(ground, "writer")
    ledger.refresh()
    ledger.transact(decide)


def _name(number: int) -> str:
    return f"m{number:05}x"


def _moving(ground: Playground, reason: str) -> float:
    """Let the ledger move, and return the milliseconds of the sync that sees it."""
    ground.ok("server", "pause", "build1", "--reason", reason)
    begun = time.monotonic()
    ground.ok("sync", home="build1")
    return (time.monotonic() - begun) * 1000


def _median(act: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMES):
        begun = time.monotonic()
        act()
        taken.append(time.monotonic() - begun)
    return statistics.median(taken)


def _middle(values: list[float]) -> float:
    return statistics.median(values)
