"""How `bnet top` looks: from what is known and chosen to lines; nothing here touches a terminal."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
import msgspec
from rich.cells import cell_len, set_cell_size

from bnet.app.told.expect import roughly, start_of
from bnet.cli.render import age, seconds, word
from bnet.cli.top.board import SORTS, Board, Line, arranged
from bnet.codec.shown import escaped
from bnet.model.job import Job

FEWEST_JOBS = 5  # rows that the list of jobs has at least, before servers get any
BAR = 10
KEYS = "q quit  arrows choose  Enter log  s sort  / filter"
LOG_KEYS = "q back  arrows scroll  End follow"
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])")


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a job's log, as lines; `missing` says why there is none."""

    job: int
    lines: tuple[str, ...] = ()
    missing: str = ""


class Choice(msgspec.Struct, kw_only=True):
    """What somebody looks at.

    Attributes:
        job: the chosen one; 0 for none.
        sort: the order of the jobs.
        wanted: only jobs in which this occurs.
        typing: whether that is being typed.
        log: whether the chosen one's log is shown.
        up: by how many lines the log is scrolled back ...
        seen: ... of so many.
        trouble: what is wrong with the hub.
    """

    job: int = 0
    sort: str = "state"
    wanted: str = ""
    typing: bool = False
    log: bool = False
    up: int = 0
    seen: int = 0
    trouble: str = ""


def plain(text: str) -> str:
    """Return a line of a log without what would move a cursor; tabs and what was written over are resolved."""
    bare = _SEQUENCE.sub("", text).expandtabs(8)
    return escaped(bare.rstrip("\r").rpartition("\r")[2])


def fitted(text: str, columns: int) -> str:
    """Return a text that takes up no more than so many columns."""
    near = text[: 8 * columns]  # to measure all of a log without line ends takes a quarter of a second
    return (
        text if near == text and cell_len(text) <= columns else set_cell_size(near, max(0, columns - 1)) + "…"
    )


def main_picture(board: Board, choice: Choice, now: datetime, columns: int, rows: int | None) -> list[str]:
    """Return the network as lines.

    Args:
        board: what is known.
        choice: what is looked at; a chosen job that is not there any more is replaced by the next.
        now: the time.
        columns, rows: of the window; without rows, all there is is shown, and nothing is chosen.
    """
    listed = arranged(board.lines, choice.sort, choice.wanted)
    head = [_title(board, choice, now, columns), ""]
    room = None if rows is None else max(0, rows - len(head) - 4 - min(FEWEST_JOBS, max(1, len(listed))))
    body = [*head, *_servers(board.servers, now, columns, room)]
    left = None if rows is None else max(1, rows - len(body) - 2)
    first, shown = _window(listed, choice, left)
    bare = [_job_cells(line, board, now) for line in shown]
    heads = ("JOB", "NAME", "STATE", "SERVER", "")
    made = _table(heads, bare, columns)
    if not shown:
        made = ["no job is like that" if choice.wanted else "no jobs"]
    for at, line in enumerate(shown):
        text = made[at + 1]
        kind = line.kind
        made[at + 1] = (
            click.style(set_cell_size(text, columns), reverse=True)
            if rows is not None and line.number == choice.job
            else text.replace(f" {kind}", f" {word(kind)}", 1)
        )
    if shown:
        made[0] = click.style(made[0], bold=True)
    body += made
    if rows is None:
        return body
    body = body[: rows - 1] + [""] * max(0, rows - 1 - len(body)) if rows > 1 else []
    more = f"  {first + 1}-{first + len(shown)} of {len(listed)}" if len(shown) < len(listed) else ""
    return [*body, _footer(choice, more, columns)]


def _title(board: Board, choice: Choice, now: datetime, columns: int) -> str:
    at = f"  {now:%H:%M:%S} UTC" if columns > 40 else ""
    said = fitted(escaped(f"{board.name}: {choice.trouble or board.sentence}"), columns - len(at))
    shown = click.style(said, fg="red", bold=True) if choice.trouble else click.style(said, bold=True)
    return shown + " " * max(0, columns - len(at) - cell_len(said)) + at


def _footer(choice: Choice, more: str, columns: int) -> str:
    if choice.typing:
        return fitted(f"filter: {choice.wanted}▏  Enter keep  Esc clear", columns)
    kept = f"  filter: {choice.wanted}" if choice.wanted else ""
    return click.style(fitted(f"{KEYS}  by {choice.sort}{kept}{more}", columns), dim=True)


def _servers(told: Sequence[dict[str, Any]], now: datetime, columns: int, room: int | None) -> list[str]:
    shown = list(told) if room is None else list(told[: max(0, room - 1)])
    if not shown:
        return []
    cells = [_server_cells(each, now) for each in shown]
    lines = _table(("SERVER", "STATE", "SLOTS", "CPU", "MEMORY", "DISK", "SEEN", "RUNS"), cells, columns)
    lines[0] = click.style(lines[0], bold=True)
    for at, each in enumerate(shown):
        kind = "silent" if each["silent"] else each["wanted"]
        colour = {"silent": "red", "paused": "yellow", "draining": "yellow"}.get(kind)
        if colour:
            lines[at + 1] = lines[at + 1].replace(f" {kind}", " " + click.style(kind, fg=colour), 1)
    hidden = len(told) - len(shown)
    return [*lines, *([f"and {hidden} more"] if hidden else []), ""]


def _server_cells(told: dict[str, Any], now: datetime) -> list[str]:
    metrics = told["metrics"]
    busy, load, cores = (metrics.get(name) for name in ("cpu_percent", "load1", "cores"))
    if busy is None and load is not None and cores:
        busy = min(100.0, 100.0 * load / cores)
    runs = " ".join(f"#{number}" for number in told["jobs"])
    return [
        told["name"],
        "silent" if told["silent"] else told["wanted"],
        f"{len(told['jobs'])}/{told['slots']}",
        *("" if each is None else f"{each:.0f} %" for each in (busy, metrics.get("memory_percent"))),
        "" if metrics.get("disk_percent") is None else f"{metrics['disk_percent']:.0f} %",
        age(told["last_seen"], now) if told["last_seen"] else "never",
        runs or escaped(told["why"]),
    ]


def _job_cells(line: Line, board: Board, now: datetime) -> list[str]:
    job = board.job(line.number)
    said = "" if job is None else _said(job, board, now)
    return [f"#{line.number}", *map(escaped, (line.name, line.kind, line.server, said))]


def _said(job: Job, board: Board, now: datetime) -> str:
    ahead, result = board.ahead(job.number), job.result
    if result is not None:
        why = f"exit {result.exit_code}" if result.result == "failure" and result.reason == "exit" else ""
        if not why and result.reason not in ("exit", result.result):
            why = result.reason
        took = f"in {seconds(result.seconds)}" if result.seconds is not None else ""
        told = (why, took, age(result.finished_at.isoformat(), now))
        return ", ".join(each for each in told if each)
    if job.claim is not None:
        ran = max(0.0, (now - job.claim.claimed_at).total_seconds())
        expected = None if ahead is None or ahead.estimate is None else max(0.1, ahead.estimate.seconds)
        if expected is None:
            return f"for {roughly(ran)}"
        share = min(0.99, ran / expected)
        full = int(share * BAR)
        left = (
            f"~{roughly(expected - ran)} left" if ran < expected else f"for {roughly(ran)}, longer than usual"
        )
        return f"[{'=' * full}{' ' * (BAR - full)}] {share * 100:.0f} %  {left}"
    # What should have started by this forecast waits for something that nobody foresees.
    late = ahead is None or ahead.starts is None or (ahead.starts - now).total_seconds() < 1
    starts = "" if ahead is None or late else start_of(ahead, now)
    return ", ".join(each for each in (board.waits_for(job), starts) if each)


def _window(listed: Sequence[Line], choice: Choice, left: int | None) -> tuple[int, Sequence[Line]]:
    """Return the lines that are shown, the chosen one among them, and the place of the first."""
    if left is None or not listed:
        return 0, listed
    numbers = [line.number for line in listed]
    at = numbers.index(choice.job) if choice.job in numbers else 0
    choice.job = numbers[at]
    first = max(0, min(at - left // 2, len(listed) - left))
    return first, listed[first : first + left]


def moved(board: Board, choice: Choice, by: int) -> None:
    """Choose another job, so many further down."""
    numbers = [line.number for line in arranged(board.lines, choice.sort, choice.wanted)]
    if numbers:
        at = numbers.index(choice.job) if choice.job in numbers else 0
        choice.job = numbers[max(0, min(len(numbers) - 1, at + by))]


def sorted_next(choice: Choice) -> None:
    """Take the next order."""
    choice.sort = SORTS[(SORTS.index(choice.sort) + 1) % len(SORTS)]


def log_picture(log: Log, board: Board, choice: Choice, columns: int, rows: int) -> list[str]:
    """Return the end of a log as lines, or as much further up as was scrolled."""
    job = board.job(log.job)
    kind = "" if job is None else job.result.result if job.result is not None else job.state
    name = "" if job is None else job.spec.name
    title = fitted(escaped(f"#{log.job} {name} {kind}"), columns)
    room = max(1, rows - 2)
    if choice.up and choice.seen and log.lines:  # what comes meanwhile does not move what is being read
        choice.up += max(0, len(log.lines) - choice.seen)
    choice.seen = len(log.lines) or choice.seen
    choice.up = max(0, min(choice.up, len(log.lines) - room))
    end = len(log.lines) - choice.up
    shown = [fitted(line, columns) for line in log.lines[max(0, end - room) : end]]
    if not log.lines:
        shown = [fitted(log.missing or "nothing was printed yet", columns)]
    shown += [""] * (room - len(shown))
    kept = f"  {choice.up} lines further on" if choice.up else ""
    said = f"  {choice.trouble}" if choice.trouble else ""
    return [
        click.style(title, bold=True),
        *shown,
        click.style(fitted(LOG_KEYS + kept + escaped(said), columns), dim=True),
    ][-rows:]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Return rows under heads, none wider than the window; the last column takes what is left."""
    if not rows:
        return []
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(cell_len(row[at]) for row in cells) for at in range(len(heads) - 1)]
    most = max(6, columns // 3)
    lines = []
    for row in cells:
        text = "  ".join(
            set_cell_size(fitted(cell, min(width, most)), min(width, most))
            for cell, width in zip(row, widths, strict=False)
        )
        lines.append(fitted(f"{text}  {row[-1]}".rstrip(), columns))
    return lines
