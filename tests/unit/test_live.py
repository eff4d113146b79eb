"""The live display: what it draws, that it leaves nothing behind, and where there is none."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pyte
import pytest

from bnet.build.engine import Event
from bnet.build.outcome import Outcome
from bnet.cli.live import MOST, Live, Progress, Size, can_show
from bnet.cli.plain import Story, printed

BEGAN, FULL, CACHED = None, Outcome(name="", tier="full"), Outcome(name="", tier="local")
FAILED = Outcome(name="", tier="full", result="failure", reason="its command ended with exit code 3")
SKIPPED = Outcome(name="", result="skipped", because="x")


class Terminal(io.StringIO):
    """A terminal in memory, with the screen that a person would see."""

    encoding = "utf-8"

    def __init__(self, columns: int = 60, rows: int = 12) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(columns, rows, history=5000)
        self._stream = pyte.Stream(self.screen)
        self.writes: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes.append(text)
        self._stream.feed(text.replace("\n", "\r\n"))
        return len(text)

    def lines(self) -> list[str]:
        """What is on the screen, without what is empty at its end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")


class Scene:
    """A display that draws when it is told to, on a clock that stands still."""

    def __init__(self, tmp_path: Path, total: int, columns: int = 60, rows: int = 12) -> None:
        self.logs = tmp_path
        self.now = 100.0
        self.size = Size(columns, rows)
        self.terminal = Terminal(columns, rows)
        self.live = Live(
            Story("failed", lambda name: tmp_path / name, brief=True),
            total,
            stream=self.terminal,
            size=lambda: self.size,
            clock=lambda: self.now,
        )

    def tell(self, name: str, outcome: Outcome | None, log: str | None = None) -> None:
        if outcome is not None:
            path = self.logs / name
            if log is not None:
                path.write_text(log)
            outcome = Outcome(
                **{field: getattr(outcome, field) for field in outcome.__struct_fields__}
                | {"name": name, "log": str(path) if log is not None else None}
            )
        self.live.told(Event(name, outcome))

    def drawn(self) -> list[str]:
        self.live.draw()
        return self.terminal.lines()

    def close(self) -> list[str]:
        self.live._over.set()
        self.live._thread.start()
        self.live.__exit__()
        return self.terminal.lines()


@pytest.fixture(autouse=True)
def terminal_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' environment has none of its own."""
    monkeypatch.setenv("TERM", "xterm")


def test_shows_what_runs_and_how_far_it_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 5)
    for name, outcome in [("a", CACHED), ("b", BEGAN)]:
        scene.tell(name, outcome)
    scene.now += 2.5
    scene.tell("longer", BEGAN)
    scene.now += 1
    *running, status = scene.drawn()
    assert running == ["  b       3.5 s", "  longer  1.0 s"]
    assert status.endswith("1 of 5, 1 cached, 3.5 s") and status.startswith("━")
    scene.tell("b", FULL)
    scene.tell("longer", FAILED)
    scene.tell("last", SKIPPED)
    assert scene.drawn()[-1].endswith("4 of 5, 1 cached, 1 failed, 3.5 s")


def test_puts_the_log_of_what_failed_above_and_leaves_only_that(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 3)
    scene.tell("a", BEGAN)
    scene.tell("b", BEGAN)
    scene.drawn()
    scene.tell("a", FAILED, log="one\ntwo\n")
    failed = ["a: failure; its command ended with exit code 3", "  one", "  two"]
    lines = scene.drawn()
    assert lines[:4] == [*failed, "  b  0.0 s"] and len(lines) == 5
    scene.tell("b", FULL, log="nobody asked for this\n")
    assert scene.close() == failed


def test_says_what_was_not_drawn_any_more_before_it_goes(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 1)
    scene.tell("a", BEGAN)
    scene.drawn()
    scene.tell("a", FAILED, log="why\n")
    assert scene.close()[-1] == "  why"


def test_leaves_a_clean_screen(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 9)
    for name in "abcde":
        scene.tell(name, BEGAN)
        scene.drawn()
    for name in "abc":
        scene.tell(name, FULL)
    assert len(scene.drawn()) == 3, "a shorter picture leaves nothing of a longer one"
    assert scene.close() == [""]
    assert (scene.terminal.screen.cursor.y, scene.terminal.screen.cursor.x) == (0, 0)


def test_an_interrupt_is_written_after_the_picture_and_goes_with_it(tmp_path: Path) -> None:
    for columns in range(20, 60):
        scene = Scene(tmp_path, 9, columns=columns)
        scene.tell("a", BEGAN)
        scene.drawn()
        scene.terminal.write("^C")
        assert scene.close() == [""], columns


def test_counts_the_rows_that_a_narrower_window_has_made_of_a_picture(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 9, columns=60)
    scene.tell("a", BEGAN)
    scene.drawn()
    width = len(scene.terminal.lines()[-1])
    scene.size = Size(20, 12)
    scene.live.draw()
    rows = 1 + -(-width // 20)
    assert scene.terminal.writes[-1].startswith(f"\r\x1b[{rows - 1}A\x1b[J")


def test_many_quick_packages_make_one_picture(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 1000)
    for number in range(1000):
        scene.tell(f"p{number}", BEGAN)
        scene.tell(f"p{number}", FULL)
    assert scene.terminal.writes == [], "only the clock makes it draw"
    scene.drawn()
    assert len(scene.terminal.writes) == 1


def test_a_short_build_shows_nothing(tmp_path: Path) -> None:
    terminal = Terminal()
    with Live(Story("failed", lambda name: tmp_path, brief=True), 1, stream=terminal):
        pass
    assert terminal.writes == []


@pytest.mark.parametrize("running", [0, 1, 40])
def test_no_picture_is_larger_than_its_window(running: int) -> None:
    progress = Progress(1000, 0.0)
    for number in range(running):
        progress.note(Event(f"package-with-a-name-{'x' * number}", None), 0.0)
    progress.note(Event("z", CACHED), 0.0)
    for size in (Size(columns, rows) for columns in range(1, 120) for rows in (1, 2, 3, 4, 5, 24)):
        lines = [click.unstyle(each) for each in progress.picture(7200.0, size, "=", "-")]
        assert all(len(line) < size.columns for line in lines), (size, lines)
        assert len(lines) <= max(1, size.rows - 1), (size, lines)


def test_names_some_of_many_and_counts_the_rest() -> None:
    progress = Progress(100, 0.0)
    for number in range(64):
        progress.note(Event(f"p{number:02}", None), float(number))
    *lines, more, _ = progress.picture(64.0, Size(80, 50), "=", "-")
    assert lines[0] == "  p00  1 min 4 s" and len(lines) == MOST and more == f"  and {64 - MOST} more"


def test_has_no_colour_where_none_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = Scene(tmp_path, 2)
    coloured.tell("a", FAILED)
    coloured.drawn()
    assert "\x1b[31m" in "".join(coloured.terminal.writes)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Scene(tmp_path, 2)
    plain.tell("a", FAILED)
    plain.drawn()
    assert "m" not in "".join(part[:4] for part in "".join(plain.terminal.writes).split("\x1b[")[1:])


@pytest.mark.parametrize(
    ("environ", "terminal", "shown"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm"}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({}, True, False),
        ({"TERM": "xterm", "CI": "true"}, True, False),
        ({"TERM": "xterm", "CI": "false"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, True),
    ],
)
def test_is_shown_where_a_person_looks_at_a_terminal(
    environ: dict[str, str], terminal: bool, shown: bool
) -> None:
    assert can_show(environ, Terminal() if terminal else io.StringIO()) is shown


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("plain\n", "plain"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("a\x1b[2Jb\x1b[3;4Hc\x1b[?25ld", "abcd"),
        ("\x1b]0;title\x07x\x1b]8;;http://x\x1b\\y", "xy"),
        ("10%\r50%\r100%\nnext", "100%\nnext"),
        ("one\r\ntwo\r\n", "one\ntwo"),
        ("bell\x07 back\x08 null\x00 eight\x9b2J", "bell back null eight2J"),
        ("tab\tstays", "tab\tstays"),
        ("cut off \x1b[", "cut off "),
        ("cut off \x1b", "cut off "),
    ],
)
def test_a_log_cannot_move_the_cursor(log: str, shown: str) -> None:
    assert printed(log) == shown


# -- in a real terminal

TREE = """\
packages:
- {name: good, path: good, build_cmd: "sleep 0.4; mkdir -p out; cp a out/a", sources: [a], outputs: [out/**]}
- {name: bad, path: bad, build_cmd: "sleep 0.3; echo no such thing; exit 7", sources: [a], dependencies: [good]}
- {name: later, path: later, build_cmd: "true", sources: [a], dependencies: [bad]}
- {name: slow, path: slow, build_cmd: "sleep 61", sources: [a], dependencies: [good]}
"""


class Session:
    """`bnet` in a pseudo-terminal."""

    def __init__(self, tmp_path: Path, *words: str, **env: str) -> None:
        tree = tmp_path / "tree"
        for name in ("good", "bad", "later", "slow"):
            (tree / name).mkdir(parents=True)
            (tree / name / "a").write_text(name)
        (tree / "bnet.yaml").write_text(TREE)
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._end, other = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bnet", *words],
            cwd=tree,
            env={**os.environ, "BNET_HOME": str(tmp_path / "home"), "TERM": "xterm", **env},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)

    def read_until(self, text: str, seconds: float = 30.0) -> None:
        """Read until the screen shows a text."""
        until = time.monotonic() + seconds
        while text not in "\n".join(self.screen.display):
            assert time.monotonic() < until, self.screen.display
            assert self._read(), self.screen.display

    def end(self) -> list[str]:
        """Read all, and return what is left on the screen."""
        while self._read():
            pass
        self.process.wait(30)
        os.close(self._end)
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def _read(self) -> bool:
        if not select.select([self._end], [], [], 30)[0]:
            return False
        try:
            data = os.read(self._end, 65536)
        except OSError:  # everybody has closed the other end
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


def test_a_build_in_a_terminal_ends_with_what_failed_and_why(tmp_path: Path) -> None:
    session = Session(tmp_path, "build", "later", "-j2")
    session.read_until("of 3,")
    session.read_until("bnet: not built")
    left = session.end()
    assert left[0].startswith("bad: failure ") and left[1] == "  no such thing", left
    said = "\n".join(left)
    assert "its command ended with exit code 7" in left[0]
    assert "not built because of it: later" in said and left[-1] == "bnet: not built: bad"
    assert " of 3" not in said, "nothing of the display is left"
    assert session.process.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_the_commands_and_clears_the_screen(tmp_path: Path, number: int) -> None:
    session = Session(tmp_path, "build", "slow", TAG=str(tmp_path))
    session.read_until("slow  ")
    session.process.send_signal(number)
    assert session.end() == ["bnet: interrupted; what was built by then is not built again"]
    assert session.process.returncode == 130
    until = time.monotonic() + 10  # what is killed goes in its own time
    while _tagged(str(tmp_path)):
        assert time.monotonic() < until, "a command was left running"


def _tagged(tag: str) -> int:
    """Return how many processes have a tag in their environment."""
    return sum(_names(each, tag) for each in Path("/proc").glob("[0-9]*/environ"))


@pytest.mark.parametrize("pause", [0.0, 0.0005, 0.0015, 0.01])
def test_a_second_interrupt_right_after_the_first_changes_nothing(tmp_path: Path, pause: float) -> None:
    tag, count = str(tmp_path), 12
    told = [{"name": f"p{n}", "build_cmd": f"exec sleep 60.{n}", "sources": []} for n in range(count)]
    (tmp_path / "bnet.yaml").write_text(json.dumps({"packages": told}))
    process = subprocess.Popen(
        [sys.executable, "-m", "bnet", "build", f"-j{count}"],
        cwd=tmp_path,
        env={**os.environ, "BNET_HOME": str(tmp_path / "home"), "TAG": tag},
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 30
    while _tagged(tag) < count + 1:
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    time.sleep(pause)
    process.send_signal(signal.SIGTERM)
    assert b"Traceback" not in process.communicate(timeout=30)[1]
    assert process.returncode == 130
    until = time.monotonic() + 10
    while _tagged(tag):
        assert time.monotonic() < until, "a command was left running"


def _names(environ: Path, tag: str) -> bool:
    try:
        return f"TAG={tag}".encode() in environ.read_bytes().split(b"\0")
    except OSError:
        return False


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    session = Session(tmp_path, "build", "good", TERM="dumb")
    assert session.end()[0].startswith("good: full ")
    assert b"\x1b" not in session.raw
