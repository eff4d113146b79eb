"""Samples become hours, and hours files of days on the telemetry ref: some 16 kB each, a tenth of it packed."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace

from bnet.model.rollup import Hour, Hours, Rolled, Spread
from bnet.model.server import Sample

FOLDER = "metrics/"
KEPT = timedelta(days=14)  # on the ref
REMEMBERED = timedelta(days=2)  # by the server, so that a day's file can be written anew
_DAY = re.compile(r"metrics/(\d{4}-\d{2}-\d{2})\.json")


def added(hour: Hour | None, sample: Sample) -> tuple[Hour, Hour | None]:
    """Take in a sample; return the hour that runs, and the one that has ended with it, if one has."""
    begun = sample.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    ended = hour if hour is not None and hour.hour != begun else None
    old = hour if hour is not None and ended is None else Hour(hour=begun)
    return Hour(
        hour=begun,
        samples=old.samples + 1,
        cpu=_with(old.cpu, sample.cpu),
        memory=_with(old.memory, sample.memory),
        load=_with(old.load, sample.load),
        network=_with(old.network, sample.network),
        runs=_with(old.runs, sample.runs),
        disk=old.disk | {path: _spread(old.disk.get(path), value) for path, value in sample.disk.items()},
    ), ended


def _with(before: Spread | None, value: float | None) -> Spread | None:
    return before if value is None else _spread(before, value)


def _spread(before: Spread | None, value: float) -> Spread:
    if before is None:
        return Spread(mean=value, most=value)
    samples = before.samples + 1
    mean = before.mean + (value - before.mean) / samples
    return Spread(mean=round(mean, 3), most=max(before.most, value), samples=samples)


def rolled(before: Rolled, ended: Hour) -> Rolled:
    """Add an hour; where a clock was set back and an hour came twice, the one with more samples stays."""
    known = {each.hour: each for each in before.hours if abs(ended.hour - each.hour) <= REMEMBERED}
    if ended.hour not in known or known[ended.hour].samples < ended.samples:
        known[ended.hour] = ended
    told = before.told
    if told is not None and told >= ended.hour:
        told = ended.hour - timedelta(hours=1)
    return Rolled(hours=tuple(known[hour] for hour in sorted(known)), told=told)


def untold(known: Rolled) -> dict[str, Hours]:
    """Return the files of the days with hours that are not on the ref yet."""
    days = {each.hour.date() for each in known.hours if known.told is None or each.hour > known.told}
    return {
        path_of(day): Hours(hours=tuple(each for each in known.hours if each.hour.date() == day))
        for day in sorted(days)
    }


def told(known: Rolled) -> Rolled:
    """Return what is remembered once all of it is on the ref."""
    return replace(known, told=known.hours[-1].hour) if known.hours else known


def path_of(day: date) -> str:
    """Return the path of a day's file on the ref."""
    return f"{FOLDER}{day:%Y-%m-%d}.json"


def day_of(path: str) -> str:
    """Return the day of a file, as in `2026-11-20`; "" of what is none."""
    found = _DAY.fullmatch(path)
    return "" if found is None else found[1]


def since(hours: Iterable[Hour], span: timedelta) -> list[Hour]:
    """Return the hours of the last so long before the end of the newest one, in order, each once.

    Counted from what was told last, not from the present: of a server that is gone its last hours are asked for.
    """
    known = {each.hour: each for each in hours}
    if not known:
        return []
    newest = max(known)
    return [known[hour] for hour in sorted(known) if newest - hour < span]


def past(names: Iterable[str], now: datetime) -> list[str]:
    """Return those of some files that have been there for long enough."""
    oldest = f"{now - KEPT:%Y-%m-%d}"
    return [name for name in names if (day := day_of(name)) and day < oldest]
