"""`bnet top`: what it draws of a network, whatever that is called and however small the window is."""

from __future__ import annotations

import os
import pty
import select
import signal
import termios
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from rich.cells import cell_len

from bnet.cli.top.board import MOST_ENDED, Board, arranged
from bnet.cli.top.command import _heed
from bnet.cli.top.terminal import KEYS, LEAVE, Ended, Screen, _bare, _first
from bnet.cli.top.view import Choice, Log, fitted, log_picture, main_picture, plain
from bnet.cli.top.watcher import Watcher
from bnet.model.hub import Head, Settings
from bnet.model.job import Attempt, Claim, Job, JobSpec
from bnet.model.server import Heartbeat, Server
from bnet.model.state import State
from bnet.rules.jobs import end_attempt
from bnet.schedule.durations import Durations, Sample

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVIL = "<b>\x1b[2J\x07evil"


def job(number: int, name: str = "wheel", *, on: str = "", ended: str = "", **spec: Any) -> Job:
    at = NOW - timedelta(minutes=30) + timedelta(seconds=number)
    asked = JobSpec(number=number, name=name, command="make", submitted_by="ann", submitted_at=at, **spec)
    if not on:
        return Job(spec=asked)
    held = Claim(
        server=on,
        instance="i",
        attempt=1,
        run=f"r{number}",
        token=number,
        ttl_s=300.0,
        claimed_at=NOW - timedelta(seconds=30),
    )
    running = Job(spec=asked, claim=held)
    if not ended:
        return running
    attempt = Attempt(
        attempt=1,
        server=on,
        run=held.run,
        token=number,
        result="failure" if ended == "failure" else "success",
        reason="exit",
        exit_code=3 if ended == "failure" else 0,
        finished_at=at,
        seconds=4.0,
    )
    return end_attempt(running, attempt).jobs[0]


def board(
    *jobs: Job, servers: Mapping[str, Server] | None = None, durations: Durations | None = None
) -> Board:
    there = {"s1": Server(name="s1", instance="i", joined_at=NOW, slots=2, why=EVIL, wanted="paused")}
    state = State(
        tip="t",
        head=Head(format=1, hub="h"),
        settings=Settings(name="acme"),
        servers=there if servers is None else servers,
        jobs={each.number: each for each in jobs},
    )
    metrics: dict[str, float | None] = {
        "load1": 1.0,
        "cores": 4,
        "memory_percent": 61.2,
        "disk_percent": None,
    }
    beat = Heartbeat(
        server="s1",
        instance="i",
        nonce="n",
        at=NOW,
        boot_id="b",
        version="1",
        slots=2,
        metrics=metrics,
    )
    return Board(state, {"s1": beat}, durations or Durations(), "hub.git", NOW)


def lines(
    made: Board, choice: Choice | None = None, columns: int = 100, rows: int | None = None
) -> list[str]:
    shown = main_picture(made, choice or Choice(), NOW, columns, rows)
    return [click.unstyle(line).rstrip() for line in shown]


def test_it_shows_servers_what_runs_what_waits_and_what_has_ended() -> None:
    durations = Durations(runs={"wheel": {"s1": (Sample(9, 60.0),)}})
    made = board(
        job(1, on="s1", ended="failure"),
        job(2, on="s1"),
        job(3, labels={"gpu": "yes"}),
        durations=durations,
    )
    text = "\n".join(lines(made))
    assert "acme: 1 server, 1 running, 1 waiting" in text
    assert "s1      paused  1/2    25 %  61 %          0.0 s ago  #2" in text
    assert "#2   wheel  running  s1      [=====     ] 50 %  ~30 s left" in text
    assert "#3   wheel  pending          waits for labels" in text
    assert "#1   wheel  failure  s1      exit 3, in 4.0 s, 29 min 59 s ago" in text


def test_a_network_of_nothing_has_a_picture() -> None:
    text = "\n".join(lines(board(servers={}), rows=10))
    assert "there is no server yet" in text and "no jobs" in text


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (8, 2), (20, 5), (80, 24), (20, 200), (300, 3)])
def test_no_line_is_wider_than_the_window_and_there_are_no_more_than_it_has(columns: int, rows: int) -> None:
    servers = {f"s{n}": Server(name=f"s{n}", instance="i", joined_at=NOW, why=EVIL) for n in range(60)}
    made = board(
        *(job(n, "漢字" * 9 if n % 2 else EVIL, on="s1" if n < 9 else "") for n in range(1, 99)),
        servers=servers,
    )
    log = Log(job=1, lines=tuple(plain(f"{n} \x1b[31m漢字{EVIL}\t" * 9) for n in range(99)))
    for shown in (
        main_picture(made, Choice(job=50), NOW, columns, rows),
        main_picture(made, Choice(typing=True, wanted="漢" * 60, trouble=EVIL), NOW, columns, rows),
        log_picture(log, made, Choice(up=7, trouble=EVIL), columns, rows),
    ):
        bare = [click.unstyle(line) for line in shown]
        assert len(bare) <= rows
        assert all(cell_len(line) <= columns for line in bare)
        assert not any(sign in line for line in bare for sign in "\x1b\x07\t")


def test_the_chosen_job_stays_in_sight_and_is_replaced_when_it_has_gone() -> None:
    made, choice = board(*(job(n) for n in range(1, 200))), Choice(job=150)
    assert any("#150 " in line for line in lines(made, choice, rows=20))
    assert "of 199" in lines(made, choice, rows=20)[-1]
    lines(board(job(7)), choice, rows=20)
    assert choice.job == 7


def test_jobs_are_found_by_any_of_their_words_and_put_in_order() -> None:
    made = board(job(1, "zulu", on="s1"), job(2, "alpha"), job(3, "mike", on="s1", ended="failure"))
    assert [line.number for line in arranged(made.lines, "state", "")] == [1, 2, 3]
    assert [line.number for line in arranged(made.lines, "number", "")] == [3, 2, 1]
    assert [line.number for line in arranged(made.lines, "name", "")] == [2, 3, 1]
    assert [line.number for line in arranged(made.lines, "server", "")] == [1, 3, 2]
    for wanted in ("#3", "MIKE", "fail"):
        assert [line.number for line in arranged(made.lines, "state", wanted)] == [3]


def test_of_what_has_ended_the_newest_are_listed() -> None:
    made = board(*(job(n, on="s1", ended="success") for n in range(1, MOST_ENDED + 50)))
    assert len(made.lines) == MOST_ENDED and made.lines[0].number == MOST_ENDED + 49


def test_a_log_stays_where_it_was_scrolled_to_while_it_grows() -> None:
    made, choice = board(job(1, on="s1")), Choice(job=1, log=True, up=4)
    before = log_picture(Log(job=1, lines=tuple(map(str, range(50)))), made, choice, 40, 12)
    after = log_picture(Log(job=1, lines=tuple(map(str, range(70)))), made, choice, 40, 12)
    assert before[1:-1] == after[1:-1] and choice.up == 24


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("10 %\r50 %\r100 %\r", "100 %"),
        ("a\tb", "a       b"),
        ("\x1b]0;title\x07x\x08", "x\\x08"),
        ("\x1b[", "\\x1b["),
    ],
)
def test_a_line_of_a_log_moves_no_cursor(raw: str, shown: str) -> None:
    assert plain(raw) == shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_comes_while_the_terminal_is_given_back_leaves_nothing_undone(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    ours, theirs = pty.openpty()
    before, write = termios.tcgetattr(theirs), Screen._write

    def again(screen: Screen, text: str) -> None:
        if text == LEAVE:
            signal.raise_signal(number)
        write(screen, text)

    monkeypatch.setattr(Screen, "_write", again)
    with os.fdopen(theirs, "r+b", buffering=0) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr("sys.stdout", terminal)
        monkeypatch.setattr(terminal, "encoding", "utf-8", raising=False)  # as of a text stream
        with pytest.raises((Ended, KeyboardInterrupt)), Screen().taken():
            signal.raise_signal(signal.SIGTERM)
        assert termios.tcgetattr(theirs) == before
        shown = b""
        while LEAVE.encode() not in shown and select.select([ours], [], [], 10)[0]:
            shown += os.read(ours, 4096)
        assert shown.endswith(LEAVE.encode())
    os.close(ours)


def test_without_colours_the_chosen_job_is_told_from_the_others_still() -> None:
    line = click.style("failure", fg="red", bold=True) + click.style(
        "x", fg="bright_red", bg=(1, 2, 3), dim=True
    )
    assert _bare(line) == click.style("failure", bold=True) + click.style("x", dim=True)
    assert _bare(click.style("#7", reverse=True)) == click.style("#7", reverse=True)


def test_a_text_that_does_not_fit_says_so() -> None:
    assert (fitted("abc", 3), fitted("abcd", 3), fitted("漢字", 3)) == ("abc", "ab…", "漢…")


class Resting(Watcher):
    """One without a thread, who sees what a test shows."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def show_log(self, job: int) -> None:
        """Bring none."""


def pressed(*keys: str, choice: Choice, made: Board) -> bool:
    watcher = Resting(made)
    return all(_heed(key, choice, watcher, 20) for key in keys)


def test_keys_choose_sort_filter_and_lead_to_a_log_and_back() -> None:
    made, choice = board(*(job(n) for n in range(1, 60))), Choice(job=1)
    assert pressed("down", "j", "k", choice=choice, made=made) and choice.job == 2
    assert pressed("page down", choice=choice, made=made) and choice.job == 19
    assert pressed("end", choice=choice, made=made) and choice.job == 59
    assert pressed("s", "/", "k", "x", "erase", "enter", choice=choice, made=made)
    assert (choice.sort, choice.wanted, choice.typing) == ("number", "k", False)
    assert pressed("escape", "enter", "up", "up", "down", choice=choice, made=made)
    assert (choice.wanted, choice.log, choice.up) == ("", True, 1)
    assert pressed("q", choice=choice, made=made) and not choice.log
    assert not pressed("q", choice=choice, made=made)


@pytest.mark.parametrize(
    ("data", "first"),
    [
        (b"\x1b[A\x1b[B", b"\x1b[A"),
        (b"\x1b[5~q", b"\x1b[5~"),
        (b"\x1bOBx", b"\x1bOB"),
        ("äx".encode(), "ä".encode()),
        (b"\x1b", b"\x1b"),
        (b"qq", b"q"),
        (b"\x1b[", b"\x1b["),
    ],
)
def test_keys_that_come_at_once_are_told_apart(data: bytes, first: bytes) -> None:
    assert _first(data) == first


def test_every_key_has_a_meaning() -> None:
    assert {"up", "down", "page up", "page down", "home", "end", "enter", "erase", "escape"} == set(
        KEYS.values()
    )
