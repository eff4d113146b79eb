"""`reports.yaml`: read, made exact, and checked as a whole."""

import msgspec
import xxhash

from bnet.codec import people
from bnet.codec.crons import parse_cron, zone_of
from bnet.codec.durations import parse_duration
from bnet.model.base import is_name
from bnet.model.report import PERIODS, Ordered, Report, ReportKind, Reports

MOST = 50
SHORTEST, LONGEST = 60.0, 366 * 86400.0  # seconds of a period
RESERVED = "list"  # `bnet report list` lists them
USUAL: dict[str, tuple[str, ReportKind]] = {  # there without being asked for
    "daily": ("day", "summary"),
    "weekly": ("week", "detailed"),
    "monthly": ("month", "analytics"),
}


def read_reports(text: bytes, file: str) -> Reports:
    """Return the reports of a file.

    Args:
        text: YAML: a mapping from names to reports.
        file: its name, for messages.

    Raises:
        Invalid: something in it is wrong; the message names line and field, and what would be right.
    """
    parsed = people.parse(text, file)
    if parsed.data is None:
        return Reports()
    if not isinstance(parsed.data, dict):
        raise parsed.invalid(
            "must be a mapping from names to reports, as in `daily: {cron: '0 6 * * *'}`", ()
        )
    if len(parsed.data) > MOST:
        raise parsed.invalid(f"has {len(parsed.data)} reports; at most {MOST}")
    return Reports(
        reports={name: _ordered(parsed, name, asked) for name, asked in _named(parsed, parsed.data)}
    )


def _named(parsed: people.Text, data: dict[object, object]) -> list[tuple[str, object]]:
    for name in data:
        if not isinstance(name, str) or not is_name(name):
            said = "is no name of a report: use lower case letters, digits, '.', '_' or '-'"
            raise parsed.invalid(f"{name!r} {said}", (str(name),))
        if name == RESERVED:
            raise parsed.invalid("cannot be called so: `bnet report list` lists them", (name,))
    return [(str(name), asked) for name, asked in data.items()]


def _ordered(parsed: people.Text, name: str, data: object) -> Ordered:
    period, kind = USUAL.get(name, ("day", "summary"))
    if data is None:
        data = {}
    if isinstance(data, dict):
        data = {"period": period, "kind": kind, **data}
    report = people.read(parsed, Report, data, (name,))
    return ordered(report, name, parsed)


def ordered(report: Report, name: str, parsed: people.Text) -> Ordered:
    """Return a report made exact.

    Raises:
        Invalid: a time, a zone or a span of it is none.
    """
    try:
        zone_of(report.timezone)
    except ValueError as error:
        raise parsed.invalid(str(error), (name, "timezone")) from None
    times = None
    if report.cron is not None:
        try:
            times = parse_cron(report.cron, name)
        except ValueError as error:
            raise parsed.invalid(str(error), (name, "cron")) from None
    elif report.deliver:
        raise parsed.invalid("says where it goes, and no `cron` says when", (name, "deliver"))
    span = _span(parsed, report.period, (name, "period"))
    timing = (times, report.timezone, report.period)
    version = xxhash.xxh3_64_hexdigest(msgspec.json.encode(timing)) if times is not None else ""
    return Ordered(report=report, span=span, times=times, version=version)


def _span(parsed: people.Text, period: float | str, at: people.Steps) -> float | None:
    if period in PERIODS:
        return None
    try:
        seconds = parse_duration(period)
    except ValueError:
        raise parsed.invalid(
            f"{str(period)[:40]!r} is no period: write day, week or month, or a span as in 12h", at
        ) from None
    if not SHORTEST <= seconds <= LONGEST:
        raise parsed.invalid("must be between a minute and 366 days", at)
    return seconds


def usual(name: str) -> Ordered | None:
    """Return a report that is there without being asked for: `daily`, `weekly`, `monthly`."""
    if name not in USUAL:
        return None
    period, kind = USUAL[name]
    return Ordered(report=Report(period=period, kind=kind))
