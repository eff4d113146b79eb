"""Files of schedules: one, a list, a mapping; and each complaint with its line, its field and what would be right."""

from __future__ import annotations

import msgspec
import pytest

from bnet.codec.crons import parse_cron
from bnet.codec.schedules import complaint_about, read_table
from bnet.errors import Invalid
from bnet.model.schedule import Table

FILE = "coordination/schedules/s.yaml"
JOB = "submit: {command: make}"


def read(text: str) -> Table:
    return read_table(text.encode(), FILE, "s")


def test_a_file_holds_one_schedule_or_many() -> None:
    row = "{cron: 5 4 * * *, " + JOB + "}"
    assert list(read(f"cron: 5 4 * * *\n{JOB}\n").entries) == ["s"]
    assert list(read(f"a: {row}\nb: {row}\n").entries) == ["s/a", "s/b"]
    assert list(read(f"- {row[:-1]}, name: a}}\n- {row[:-1]}, name: b}}\n").entries) == ["s/a", "s/b"]
    assert list(read(f"cron: {row}\nsubmit: {row}\n").entries) == ["s/cron", "s/submit"], (
        "names like any others"
    )
    assert read("# nothing yet\n").entries == {}


def test_it_is_made_exact() -> None:
    entry = read(f"cron: '@weekly'\ntimezone: Europe/Berlin\nspread: 1h\nmissed_within: 2h\n{JOB}\n").entries[
        "s"
    ]
    assert (entry.times.minutes, entry.times.hours, entry.times.days) == ((0,), (0,), "* * 0")
    assert entry.within == 7200.0
    assert 0 <= entry.delay < 3600
    assert not entry.times.by_interval


def test_what_changes_the_times_changes_the_version_and_a_command_does_not() -> None:
    base = read(f"cron: 0 1 * * *\n{JOB}\n").entries["s"].version
    assert read("cron: 0 1 * * *\nsubmit: {command: other}\ndescription: x\n").entries["s"].version == base
    for more in ("timezone: Europe/Berlin", "missed: all", "missed_within: 2h", "spread: 12h"):
        assert read(f"cron: 0 1 * * *\n{JOB}\n{more}\n").entries["s"].version != base
    assert read(f"cron: 1 1 * * *\n{JOB}\n").entries["s"].version != base


def test_h_is_drawn_from_the_name_and_always_alike() -> None:
    assert parse_cron("H H * * *", "a") == parse_cron("H H * * *", "a")
    assert len({parse_cron("H H * * *", f"n{i}").minutes for i in range(50)}) > 20
    assert parse_cron("0 3 H * thu", "a").days == f"{parse_cron('0 3 H * *', 'a').days.split()[0]} * thu"


WRONG = {
    f"cron: 61 * * * *\n{JOB}\n": (1, "cron", "'61' is no minute (0-59)"),
    f"cron: 0 25 * * *\n{JOB}\n": (1, "cron", "'25' is no hour (0-23)"),
    f"cron: 0 0 * * monday\n{JOB}\n": (1, "cron", "'monday' is no weekday"),
    f"cron: 0 0 * *\n{JOB}\n": (1, "cron", "is no cron expression: write minute, hour"),
    f"cron: 0 0 0 * * *\n{JOB}\n": (1, "cron", "is no cron expression"),
    f"cron: '@reboot'\n{JOB}\n": (1, "cron", "one of @yearly"),
    f"cron: 0 0 30 2 *\n{JOB}\n": (1, "cron", "never comes: there is no such day"),
    f"cron: R 0 * * *\n{JOB}\n": (1, "cron", "write H"),
    f"cron: 0 0 1 * fri#2\n{JOB}\n": (1, "cron", "'fri#2' goes with * as the day of the month"),
    f"cron: 0 0 15 * l5\n{JOB}\n": (1, "cron", "'l5' goes with * as the day of the month"),
    f"cron: 0 0 15w * *\n{JOB}\n": (1, "cron", "W is not known to every server"),
    f"cron: */5 * * * *\n{JOB}\n": (1, None, "a text that begins with * stands in quotes"),
    f"a: {{cron: @daily, {JOB}}}\n": (1, None, "a text that begins with @ stands in quotes"),
    f"cron: 0 0 * * *\n{JOB}\ntimezone: localtime\n": (3, "timezone", "is no time zone of the IANA database"),
    f"cron: 0 0 * * *\n{JOB}\ntimezone: right/Europe/Berlin\n": (3, "timezone", "is no time zone"),
    f"cron: 0 0 * * *\n{JOB}\ntimezone: Mars/Base\n": (3, "timezone", "is no time zone of the IANA database"),
    f"cron: 0 0 * * *\n{JOB}\ntimezone: ../../etc/passwd\n": (3, "timezone", "is no time zone"),
    f"cron: 0 0 * * *\n{JOB}\nmissed: never\n": (3, "missed", "is none of all, once, skip"),
    f"cron: 0 0 * * *\n{JOB}\nmissed_within: 60d\n": (3, "missed_within", "must be at most 30 days"),
    f"cron: 0 0 * * *\n{JOB}\nspread: soon\n": (3, "spread", "is no span of time"),
    f"cron: 0 0 * * *\n{JOB}\nzone: UTC\n": (3, "zone", "there is no such field; did you mean timezone?"),
    f"{JOB}\n": (1, None, "'cron' is missing"),
    "cron: 0 0 * * *\n": (1, None, "'submit' is missing"),
    "cron: 0 0 * * *\nsubmit: {}\n": (2, "submit", "has neither a command nor packages"),
    "cron: 0 0 * * *\nsubmit:\n  command: x\n  key: k\n": (4, "submit.key", "leave it out"),
    "cron: 0 0 * * *\nsubmit:\n  command: x\n  not_before: 2026-01-01T00:00:00Z\n": (
        4,
        "submit.not_before",
        "leave",
    ),
    "cron: 0 0 * * *\nsubmit:\n  command: x\n  supersede: waiting\n": (
        4,
        "submit.supersede",
        "needs a `group`",
    ),
    "cron: 0 0 * * *\nsubmit:\n  command: x\n  timeout: x\n": (4, "submit.timeout", "is no span of time"),
    f"a: {{cron: 1 1 * * *, {JOB}}}\nb:\n  cron: x\n  {JOB}\n": (3, "b.cron", "is no cron expression"),
    f"A B: {{cron: 1 1 * * *, {JOB}}}\n": (1, "A B", "is no name for a schedule"),
    f"- {{name: a, cron: 1 1 * * *, {JOB}}}\n- {{name: a, cron: 1 1 * * *, {JOB}}}\n": (
        2,
        "[1].name",
        "twice",
    ),
    f"- {{cron: 1 1 * * *, {JOB}}}\n": (1, "[0]", "'name' is missing"),
    "- hello\n": (1, "[0]", "a schedule is a mapping"),
    "hello\n": (1, None, "must be a schedule, a list of them, or a mapping"),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named_with_its_place(text: str) -> None:
    line, field, message = WRONG[text]
    with pytest.raises(Invalid) as caught:
        read(text)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.field, caught.value.file) == (line, field, FILE)


def test_files_that_are_none_are_named_and_those_for_people_are_not() -> None:
    for name in ("nightly.yml", "Nightly.yaml", "x.json", "sub/x.yaml", "con.yaml"):
        assert "is no file of schedules" in complaint_about(f"coordination/schedules/{name}")
    for name in ("README.md", ".gitkeep", "readme"):
        assert complaint_about(f"coordination/schedules/{name}") == ""


def test_a_table_that_was_kept_is_the_same() -> None:
    there = read("cron: '*/5 * * * *'\nspread: 3m\nsubmit: {command: [a, b], matrix: {x: [1, '2']}}\n")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(there), type=Table) == there
