"""When a schedule comes: once for each time on the wall, whatever the clocks do there."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnet.codec.crons import parse_cron
from bnet.model.schedule import Times
from bnet.rules.wallclock import comes_at, moments, on_the_wall, shown_at

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
LORD_HOWE, SAO_PAULO, CASABLANCA = "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca"


def coming(cron: str, zone: str, after: str, count: int) -> list[str]:
    """Return the next times in UTC, from after a local time on."""
    begin = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return [f"{each:%d %H:%M}" for each in islice(moments(parse_cron(cron, "s"), zone, begin), count)]


# zone, local time to begin after, expression, the next moments in UTC (day hour:minute)
CHANGES = {
    # Berlin: 29 March 2026, 02:00 becomes 03:00 (01:00 UTC); 25 October, 03:00 becomes 02:00 (01:00 UTC)
    "Berlin, spring, a time that is left out": (
        BERLIN,
        "2026-03-27T12:00",
        "30 2 * * *",
        "28 01:30, 29 01:00, 30 00:30",
    ),
    "Berlin, spring, several left out": (
        BERLIN,
        "2026-03-29T00:00",
        "*/20 2 * * *",
        "29 01:00, 30 00:00, 30 00:20",
    ),
    "Berlin, spring, left out and right after": (
        BERLIN,
        "2026-03-29T00:00",
        "0 2,3 * * *",
        "29 01:00, 30 00:00, 30 01:00",
    ),
    "Berlin, spring, not touched": (BERLIN, "2026-03-29T00:00", "30 3 * * *", "29 01:30, 30 01:30"),
    "Berlin, autumn, a time that comes twice": (
        BERLIN,
        "2026-10-24T12:00",
        "30 2 * * *",
        "25 00:30, 26 01:30",
    ),
    "Berlin, autumn, not touched": (BERLIN, "2026-10-24T12:00", "0 3 * * *", "25 02:00, 26 02:00"),
    "Berlin, spring, by interval": (
        BERLIN,
        "2026-03-29T01:30",
        "*/15 * * * *",
        "29 00:45, 29 01:00, 29 01:15",
    ),
    "Berlin, spring, by interval, odd minutes": (
        BERLIN,
        "2026-03-29T01:30",
        "7,37 * * * *",
        "29 00:37, 29 01:07",
    ),
    "Berlin, autumn, by interval": (
        BERLIN,
        "2026-10-25T02:30",
        "*/15 * * * *",
        "25 00:45, 25 01:00, 25 01:15, 25 01:30, 25 01:45, 25 02:00",
    ),
    "Berlin, autumn, hourly": (BERLIN, "2026-10-25T01:00", "@hourly", "25 00:00, 25 01:00, 25 02:00"),
    "Berlin, autumn, every second hour is of the day": (
        BERLIN,
        "2026-10-25T00:00",
        "0 */2 * * *",
        "25 00:00, 25 03:00, 25 05:00",
    ),
    # New York: 8 March 2026, 02:00 becomes 03:00 (07:00 UTC); 1 November, 02:00 becomes 01:00 (06:00 UTC)
    "New York, spring": (NEW_YORK, "2026-03-07T00:00", "15 2 * * *", "07 07:15, 08 07:00, 09 06:15"),
    "New York, autumn": (NEW_YORK, "2026-10-31T00:00", "15 1 * * *", "31 05:15, 01 05:15, 02 06:15"),
    "New York, autumn, by interval": (
        NEW_YORK,
        "2026-11-01T01:00",
        "30 * * * *",
        "01 05:30, 01 06:30, 01 07:30",
    ),
    # Lord Howe, half an hour: 4 October 2026, 02:00 becomes 02:30 (3rd, 15:30 UTC); 5 April, 02:00 becomes 01:30
    "Lord Howe, spring": (LORD_HOWE, "2026-10-03T00:00", "10 2 * * *", "02 15:40, 03 15:30, 04 15:10"),
    "Lord Howe, spring, not touched": (LORD_HOWE, "2026-10-03T12:00", "30 2 * * *", "03 15:30, 04 15:30"),
    "Lord Howe, autumn": (LORD_HOWE, "2026-04-04T00:00", "45 1 * * *", "03 14:45, 04 14:45, 05 15:15"),
    "Lord Howe, autumn, by interval": (
        LORD_HOWE,
        "2026-04-05T01:30",
        "*/15 * * * *",
        "04 14:45, 04 15:00, 04 15:15, 04 15:30",
    ),
    # São Paulo, at midnight: 4 November 2018, 00:00 becomes 01:00; 17 February 2019, 00:00 becomes 23:00
    "São Paulo, spring, no midnight": (SAO_PAULO, "2018-11-03T12:00", "0 0 * * *", "04 03:00, 05 02:00"),
    "São Paulo, spring, half past": (SAO_PAULO, "2018-11-03T12:00", "30 0 * * sun", "04 03:00, 11 02:30"),
    "São Paulo, autumn, on the day before": (
        SAO_PAULO,
        "2019-02-16T00:00",
        "30 23 * * *",
        "17 01:30, 18 02:30",
    ),
    "São Paulo, autumn, by interval": (
        SAO_PAULO,
        "2019-02-16T23:00",
        "30 * * * *",
        "17 01:30, 17 02:30, 17 03:30",
    ),
    # Casablanca, back for Ramadan: 15 February 2026, 03:00 becomes 02:00; 22 March, 02:00 becomes 03:00
    "Casablanca, into Ramadan": (CASABLANCA, "2026-02-14T12:00", "30 2 * * *", "15 01:30, 16 02:30"),
    "Casablanca, out of Ramadan": (CASABLANCA, "2026-03-21T12:00", "30 2 * * *", "22 02:00, 23 01:30"),
    # where the clocks turn just past midnight, the day before is shown again
    "St John's, autumn, by interval": (
        "America/St_Johns",
        "2010-11-06T23:10",
        "30 * * * *",
        "07 02:00, 07 03:00, 07 04:00",
    ),
    # Samoa had no 30 December 2011
    "Apia, a day that was left out": (
        "Pacific/Apia",
        "2011-12-29T00:00",
        "0 12 * * *",
        "29 22:00, 30 10:00, 30 22:00",
    ),
}


@pytest.mark.parametrize(("zone", "after", "cron", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_the_clocks_change(zone: str, after: str, cron: str, expected: str) -> None:
    told = expected.split(", ")
    assert coming(cron, zone, after, len(told)) == told


def brute(times: Times, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Look at the clock every minute: which times of the expression does it show first, or has it jumped over?"""
    place, found, seen = ZoneInfo(zone), [], set()
    at, last = begin, begin.astimezone(place).replace(tzinfo=None, fold=0) - timedelta(minutes=1)
    while at < end:
        now = at.astimezone(place).replace(tzinfo=None, fold=0)
        passed = [
            last + timedelta(minutes=step) for step in range(1, int((now - last) / timedelta(minutes=1)) + 1)
        ]
        if times.by_interval:
            passed = [now]
        due = [each for each in passed if each.hour in times.hours and each.minute in times.minutes]
        if times.by_interval and due:
            found.append(at)
        elif any(each not in seen for each in due):
            seen.update(due)
            found.append(at)
        last = max(last, now) if not times.by_interval else now
        at += timedelta(minutes=1)
    return found


TURNS = {
    BERLIN: [date(2026, 3, 29), date(2026, 10, 25)],
    NEW_YORK: [date(2026, 3, 8), date(2026, 11, 1)],
    LORD_HOWE: [date(2026, 4, 5), date(2026, 10, 4)],
    SAO_PAULO: [date(2018, 11, 4), date(2019, 2, 17)],
    CASABLANCA: [date(2026, 2, 15), date(2026, 3, 22)],
    "America/St_Johns": [date(2010, 3, 14), date(2010, 11, 7)],
    "UTC": [date(2026, 1, 1)],
}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nothing_comes_twice_or_never(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(sorted(TURNS)))
    day = data.draw(st.sampled_from(TURNS[zone]))
    minutes = data.draw(st.sets(st.integers(0, 59), min_size=1, max_size=4))
    hours = data.draw(st.one_of(st.just(set(range(24))), st.sets(st.integers(0, 23), min_size=1, max_size=6)))
    times = Times(minutes=tuple(sorted(minutes)), hours=tuple(sorted(hours)), days="* * *")
    # from a quiet noon on: what was left out before the first look is no matter of this one
    begin = datetime.combine(day - timedelta(days=1), time(9), UTC)
    end = begin + timedelta(days=2)
    expected = brute(times, zone, begin, end)
    found = moments_until(times, zone, begin - timedelta(seconds=1), end)
    assert found == expected
    for each in found:
        assert comes_at(times, zone, each)
        assert shown_at(on_the_wall(each, zone), zone) == each
    walls = [on_the_wall(each, zone) for each in found]
    assert len(set(walls)) == len(walls), "one name for each firing"
    middle = begin + timedelta(minutes=data.draw(st.integers(0, 2880)))
    assert list(moments_until(times, zone, middle, end)) == [each for each in found if each > middle]


def moments_until(times: Times, zone: str, after: datetime, end: datetime) -> list[datetime]:
    found = []
    for each in moments(times, zone, after):
        if each >= end:
            break
        found.append(each)
    return found


def test_days_are_those_of_cron() -> None:
    assert coming("0 0 29 2 *", "UTC", "2026-01-01T00:00", 2) == ["29 00:00", "29 00:00"]
    assert coming("0 0 l * *", "UTC", "2026-01-01T00:00", 3) == ["31 00:00", "28 00:00", "31 00:00"]
    assert coming("0 0 13 * fri", "UTC", "2026-02-01T00:00", 3) == ["06 00:00", "13 00:00", "20 00:00"], (
        "either"
    )


def test_what_no_clock_has_shown_was_no_firing() -> None:
    assert shown_at("2026-03-29T02:30", BERLIN) is None
    assert shown_at("2026-07-01T02:30/2", BERLIN) is None
    assert shown_at("nonsense", BERLIN) is None
    assert not comes_at(parse_cron("30 2 * * *", "s"), "UTC", datetime(2026, 7, 1, 2, 31, tzinfo=UTC))
