"""`bnet top` in a real terminal: keys, resizing, and that the terminal is as it was afterwards, however it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest
from fleet import Fleet

PATIENCE = 60.0


class Console:
    """A pseudo terminal with a bnet command in it, and what a person would see."""

    def __init__(self, fleet: Fleet, *words: str, columns: int = 100, rows: int = 24) -> None:
        self.ours, theirs = pty.openpty()
        self.theirs = theirs
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(columns, rows)
        self.before = termios.tcgetattr(theirs)
        env = fleet.env | {"BNET_HOME": str(fleet.root / "person"), "TERM": "xterm-256color"}
        env.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bnet", "--hub", fleet.url, *words],
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def until(self, text: str) -> str:
        """Wait until a text is on the screen, and return all of that."""
        deadline = time.monotonic() + PATIENCE
        while text not in (shown := "\n".join(self.screen.display)):
            assert time.monotonic() < deadline, f"{text!r} is not in\n{shown}"
            self.read(0.2)
        return shown

    def read(self, seconds: float) -> None:
        while select.select([self.ours], [], [], seconds)[0]:
            data = os.read(self.ours, 65536)
            self.raw += data
            self.stream.feed(data)
            seconds = 0.0

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def ended(self) -> int:
        code = self.process.wait(PATIENCE)
        self.read(0.2)
        return code


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A hub with three jobs that nobody takes and one that printed something; nobody changes it."""
    made = Fleet(tmp_path_factory.mktemp("top"))
    made.found()
    made.join("s1")
    made.submit("echo first; echo \033[31msecond", "--name", "talkative")
    made.sync("s1")
    deadline = time.monotonic() + PATIENCE
    while made.facts("jobs", "--all")[0]["state"] != "finished":
        assert time.monotonic() < deadline
        made.sync("s1")
    for name in ("alpha", "beta", "gamma"):
        made.submit("true", "--name", name, "--label", "gpu=yes")
    yield made
    made.close()


def test_it_is_used_by_keys_and_leaves_the_terminal_as_it_was(fleet: Fleet) -> None:
    console = Console(fleet, "top", "--every", "1")
    shown = console.until("talkative")
    assert "1 server, 0 running, 3 waiting" in shown and "alpha" in shown and "q quit" in shown
    console.press("/talk")
    console.until("filter: talk")
    assert "alpha" not in "\n".join(console.screen.display)
    console.press("\r\r")
    assert "first" in console.until("second")
    console.press("q\x1b")
    console.until("alpha")
    console.read(1.0)
    drawn = len(console.raw)
    while b"UTC" not in console.raw[drawn:]:  # the clock in the first line
        console.read(0.2)
    console.read(1.0)
    assert b"gamma" not in console.raw[drawn:], "what has not changed is not drawn again"
    assert console.raw.count(b"\x1b[2J") == 1, "nothing is wiped but at the beginning"
    console.resize(40, 10)
    os.killpg(console.process.pid, signal.SIGWINCH)
    console.until("q quit  arrows choose")
    console.resize(80, 10)
    os.killpg(console.process.pid, signal.SIGWINCH)
    hub = Path(fleet.url.removeprefix("file://"))
    away = hub.rename(hub.with_suffix(".away"))
    try:
        console.until("as it was at ")
    finally:
        away.rename(hub)
    console.press("q")
    assert console.ended() == 0
    assert_restored(console)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_one_that_is_ended_leaves_the_terminal_as_it_was(
    fleet: Fleet, number: signal.Signals, code: int
) -> None:
    console = Console(fleet, "top")
    console.until("talkative")
    os.kill(console.process.pid, number)
    assert console.ended() == code
    assert_restored(console)


def assert_restored(console: Console) -> None:
    assert console.raw.endswith(b"\x1b[?7h\x1b[?25h\x1b[?1049l"), "the first screen, with its cursor"
    assert termios.tcgetattr(console.theirs) == console.before
    assert b"Traceback" not in console.raw and b"bug in bnet" not in console.raw


def test_without_a_terminal_and_with_once_it_prints_one_picture(fleet: Fleet) -> None:
    for words in (["top", "--once"], ["top"]):
        done = fleet.bnet(*words)
        text = done.out.decode()
        assert done.code == 0 and "talkative" in text and "gamma" in text
        assert "\x1b" not in text and "q quit" not in text
