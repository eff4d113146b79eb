"""Cron expressions, time zones and delays: what people write, made exact or refused in words."""

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import xxhash

from bnet.model.schedule import Times

if TYPE_CHECKING:
    import zoneinfo

SHORT = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
FIELDS = ("minute", "hour", "day of the month", "month", "weekday")
RANGES = ("0-59", "0-23", "1-31", "1-12 or jan-dec", "0-7 or sun-sat")
_HASHED = re.compile(r"h(\(|/|$)", re.IGNORECASE)
_RANDOM = re.compile(r"r(\(|/|$)", re.IGNORECASE)
# Beside the database lie links to what a machine is set to, and copies that count leap seconds.
_ELSEWHERE = re.compile(r"(localtime|posixrules|factory|posix/.*|right/.*)$", re.IGNORECASE)


def parse_cron(text: str, name: str) -> Times:
    """Return the times that a cron expression means.

    Args:
        text: five fields, or a short form.
        name: of the schedule: `H` stands for a value that is drawn from it.

    Raises:
        ValueError: it is none, with what would be right.
    """
    fields = SHORT.get(text.strip().lower(), text).split()
    hashed = any(map(_HASHED.match, fields))
    return _times(" ".join(fields), text, name if hashed else "")


@functools.lru_cache(maxsize=4096)
def _times(plain: str, written: str, name: str) -> Times:
    from croniter import croniter  # 34 ms

    fields = plain.split()
    if len(fields) != 5 or plain.startswith("@"):
        raise ValueError(
            f"{written!r} is no cron expression: write {', '.join(FIELDS)}, as in 30 2 * * 1-5, "
            f"or one of {', '.join(SHORT)}"
        )
    if any(map(_RANDOM.match, fields)):
        raise ValueError(f"{written!r}: R would be another time on each server; write H")
    if fields[2] not in "*?" and re.search(r"#|l\d|l[a-z]", fields[4], re.IGNORECASE):
        raise ValueError(
            f"{written!r}: {fields[4]!r} goes with * as the day of the month; make it two schedules"
        )
    if "w" in fields[2].lower():
        raise ValueError(f"{written!r}: W is not known to every server; name the days")
    for index, field in enumerate(fields):
        alone = ["0", "0", "1", "1", "*"]
        alone[index] = field
        _check(alone, name, f"{written!r}: {field!r} is no {FIELDS[index]} ({RANGES[index]})")
    expanded, _ = croniter.expand(plain, hash_id=name.encode() if name else None)
    days = (
        fields[2:] if not name else [_unhashed(each, expanded[2 + at]) for at, each in enumerate(fields[2:])]
    )
    times = Times(minutes=_values(expanded[0], 60), hours=_values(expanded[1], 24), days=" ".join(days))
    _check_comes(times.days, written)
    return times


def _check(fields: list[str], name: str, complaint: str) -> None:
    from croniter import CroniterError, croniter

    try:
        croniter.expand(" ".join(fields), hash_id=name.encode() if name else None)
    except (CroniterError, ValueError, KeyError, IndexError, OverflowError):
        raise ValueError(complaint) from None


def _check_comes(days: str, written: str) -> None:
    from croniter import CroniterError, croniter

    try:
        croniter(f"0 0 {days}", 0.0).get_next(float)
    except CroniterError:
        raise ValueError(f"{written!r} never comes: there is no such day") from None


def _unhashed(field: str, values: Sequence[object]) -> str:
    return ",".join(map(str, values)) if _HASHED.match(field) else field


def _values(expanded: Sequence[object], count: int) -> tuple[int, ...]:
    if "*" in expanded:
        return tuple(range(count))
    return tuple(sorted({each for each in expanded if isinstance(each, int)}))


@functools.lru_cache(maxsize=1024)
def zone_of(name: str) -> "zoneinfo.ZoneInfo":
    """Return a time zone of the IANA database.

    Raises:
        ValueError: there is none of that name.
    """
    import zoneinfo

    try:
        if _ELSEWHERE.match(name):
            raise ValueError(name)
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone of the IANA database; write for instance Europe/Berlin, or UTC"
        ) from None


def delay_of(name: str, spread: float) -> int:
    """Return by how many whole seconds a schedule comes late: the same for one name everywhere, below `spread`."""
    return xxhash.xxh3_64_intdigest(name.encode()) % max(1, int(spread))
