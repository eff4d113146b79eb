"""A file of schedules: one, a list of them, or a mapping from names to them."""

import re
from typing import Any

import msgspec
import xxhash
from msgspec.structs import replace

from bnet.codec import people
from bnet.codec.crons import delay_of, parse_cron, zone_of
from bnet.codec.durations import parse_duration
from bnet.codec.inbox import check_durations
from bnet.model.base import is_name
from bnet.model.schedule import Entry, NamedSchedule, Schedule, Table

LONGEST_WITHIN = 30 * 86400.0  # seconds: as long as keys are kept, by which a firing becomes one job
LONGEST_SPREAD = 86400.0
LONGEST_NAMES = (
    500_000  # bytes that the machines' document beside a file takes for its names; it holds a million
)
NAMED = "use up to 64 lower case letters, digits, '.', '_' or '-' for the name"
SINGLE = ("cron", "submit")  # a mapping with one of these fields is a schedule, and not a mapping of them


def read_table(text: bytes, file: str, stem: str) -> Table:
    """Return the schedules of a file.

    Args:
        text: YAML.
        file: its name, for messages.
        stem: what the schedules' names begin with.

    Raises:
        Invalid: something in it is wrong; the message names line and field, and what would be right.
    """
    parsed = people.parse(text, file)
    entries: dict[str, Entry] = {}
    for name, data, steps in _listed(parsed, stem):
        entry = _entry(parsed, stem, name, data, steps)
        if entry.name in entries:
            raise parsed.invalid(f"{entry.name} stands here twice", (*steps, "name"))
        entries[entry.name] = entry
    if sum(len(name) + 40 for name in entries) > LONGEST_NAMES:
        raise parsed.invalid(
            f"holds {len(entries):,} schedules, too many for one file; put them into several"
        )
    return Table(stem=stem, entries=entries)


def _listed(parsed: people.Text, stem: str) -> list[tuple[str | None, Any, people.Steps]]:
    """Return the schedules of a file as (name, or None where it is in the data; data; where it stands)."""
    data = parsed.data
    if data is None:
        return []  # nothing but comments
    if isinstance(data, list):
        return [(None, each, (index,)) for index, each in enumerate(data)]
    if not isinstance(data, dict):
        raise parsed.invalid("must be a schedule, a list of them, or a mapping from names to them")
    many = all(isinstance(each, dict) and "cron" in each for each in data.values())
    if not many and any(field in data for field in SINGLE):
        return [(stem, data, ())]
    for name in data:
        if not is_name(str(name)):
            said = f"{str(name)[:80]!r} is no name for a schedule: {NAMED}"
            raise parsed.invalid(said, (str(name),))
    return [(f"{stem}/{name}", each, (str(name),)) for name, each in data.items()]


def _entry(parsed: people.Text, stem: str, name: str | None, data: Any, steps: people.Steps) -> Entry:
    if not isinstance(data, dict):
        raise parsed.invalid(
            "a schedule is a mapping, as in {cron: 0 2 * * *, submit: {command: make}}", steps
        )
    if name is None:
        written: Schedule = people.read(parsed, NamedSchedule, data, steps)
        assert isinstance(written, NamedSchedule)
        if not is_name(written.name):
            raise parsed.invalid(f"{written.name!r} is reserved, or ends with a dot", (*steps, "name"))
        name = f"{stem}/{written.name}"
    else:
        written = people.read(parsed, Schedule, data, steps)
    return _exact(parsed, name, written, steps)


def _exact(parsed: people.Text, name: str, written: Schedule, steps: people.Steps) -> Entry:
    within = _span(parsed, written.missed_within, LONGEST_WITHIN, (*steps, "missed_within"))
    spread = _span(parsed, written.spread, LONGEST_SPREAD, (*steps, "spread"))
    check_durations(parsed, written.submit, (*steps, "submit"))
    _check_submit(parsed, written, (*steps, "submit"))
    try:
        times = parse_cron(written.cron, name)
    except ValueError as error:
        raise parsed.invalid(str(error), (*steps, "cron")) from None
    try:
        zone_of(written.timezone)
    except ValueError as error:
        raise parsed.invalid(str(error), (*steps, "timezone")) from None
    entry = Entry(
        name=name,
        cron=written.cron,
        times=times,
        timezone=written.timezone,
        missed=written.missed,
        within=within,
        delay=delay_of(name, spread),
        paused=written.paused,
        description=written.description,
        version="",
        submit=written.submit,
    )
    return replace(entry, version=_version(entry))


def _check_submit(parsed: people.Text, written: Schedule, steps: people.Steps) -> None:
    asked = written.submit
    if asked.key is not None:
        raise parsed.invalid("a schedule gives each firing a key of its own; leave it out", (*steps, "key"))
    if asked.not_before is not None:
        raise parsed.invalid("a schedule says by `cron` when it comes; leave it out", (*steps, "not_before"))
    if asked.supersede != "none" and asked.group is None:
        raise parsed.invalid("needs a `group`, whose older jobs it ends", (*steps, "supersede"))
    if not asked.packages and (not asked.command or not "".join(asked.command).strip()):
        raise parsed.invalid("has neither a command nor packages to build", steps)


def _span(parsed: people.Text, value: float | str, most: float, steps: people.Steps) -> float:
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise parsed.invalid(str(error), steps) from None
    if seconds > most:
        raise parsed.invalid(f"must be at most {most / 86400:g} days", steps)
    return seconds


def _version(entry: Entry) -> str:
    timing = (entry.times, entry.timezone, entry.missed, entry.within, entry.delay)
    return xxhash.xxh3_64_hexdigest(msgspec.json.encode(timing))


def complaint_about(path: str) -> str:
    """Say what is wrong with a file among the schedules that is none; "" for one that is there for people."""
    name = path.rpartition("/")[2]
    if re.fullmatch(r"readme(\.(md|txt|rst))?|\.git(keep|ignore|attributes)", name, re.IGNORECASE):
        return ""
    return f"is no file of schedules; those are schedules/<name>.yaml: {NAMED}"
