"""Hours of samples: what they come to, which files they become, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bnet.app.told.figures import LARGEST, hours_of, hours_told
from bnet.codec.documents import encode
from bnet.errors import BnetError
from bnet.memory import MemoryHub, Repository
from bnet.model.rollup import Hour, Hours, Rolled, Spread
from bnet.model.server import Sample
from bnet.ports.hub import Commit, Update
from bnet.rules.rollup import added, day_of, past, path_of, rolled, since, told, untold

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def hour(after: int = 0, samples: int = 60) -> Hour:
    return Hour(hour=NOON + timedelta(hours=after), samples=samples)


def test_an_hour_has_the_mean_and_the_most_of_what_was_told() -> None:
    running = None
    for minute, (cpu, disk) in enumerate([(None, 10.0), (20.0, 40.0), (40.0, 10.0)]):
        sample = Sample(at=NOON + timedelta(minutes=minute), cpu=cpu, disk={"home": disk}, runs=minute)
        running, ended = added(running, sample)
        assert ended is None
    assert running == Hour(
        hour=NOON,
        samples=3,
        cpu=Spread(mean=30, most=40, samples=2),
        runs=Spread(mean=1, most=2, samples=3),
        disk={"home": Spread(mean=20, most=40, samples=3)},
    )


@pytest.mark.parametrize(
    "minutes", [60, 61, 500, -1], ids=["on the hour", "after it", "much later", "set back"]
)
def test_a_sample_of_another_hour_ends_it(minutes: int) -> None:
    first, _ = added(None, Sample(at=NOON))
    running, ended = added(first, Sample(at=NOON + timedelta(minutes=minutes)))
    assert ended == first and running.samples == 1 and running.hour != NOON


def test_hours_are_those_of_utc() -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    assert added(None, Sample(at=NOON.astimezone(there)))[0].hour == NOON


def test_what_is_not_on_the_ref_is_told_by_whole_days() -> None:
    known = Rolled()
    assert untold(known) == {}
    for number in range(10, 14):  # from 22:00 to 1:00
        known = rolled(known, hour(number))
    assert {path: len(day.hours) for path, day in untold(known).items()} == {
        "metrics/2026-11-20.json": 2,
        "metrics/2026-11-21.json": 2,
    }
    known = told(known)
    assert untold(known) == {}
    known = rolled(known, hour(14))
    assert {path: len(day.hours) for path, day in untold(known).items()} == {"metrics/2026-11-21.json": 3}


def test_an_hour_that_came_twice_is_the_one_that_saw_more() -> None:
    known = rolled(told(rolled(rolled(Rolled(), hour(0)), hour(1))), hour(0, samples=5))
    assert [each.samples for each in known.hours] == [60, 60]
    known = rolled(known, hour(0, samples=61))
    assert [each.samples for each in known.hours] == [61, 60]
    assert len(untold(known)) == 1, "it is told anew"


def test_little_is_remembered_and_a_day_is_small() -> None:
    spread = Spread(mean=12.345, most=99.999, samples=60)
    known = Rolled()
    for number in range(500):
        full = Hour(
            hour=NOON + timedelta(hours=number),
            samples=60,
            cpu=spread,
            memory=spread,
            load=spread,
            network=spread,
            runs=spread,
            disk={"home": spread, "/srv": spread},
        )
        known = rolled(known, full)
    assert len(known.hours) == 49
    assert max(len(encode(day)) for day in untold(known).values()) < 25_000


def test_a_day_stays_for_two_weeks() -> None:
    days = [path_of(NOON.date() - timedelta(days=age)) for age in (0, 14, 15, 400)]
    others = ["metrics/other.json", "metrics/2026-11-1.json", "runs/2026-01-01.json"]
    assert past([*days, *others], NOON) == days[2:]


# -- what is read of them


def test_hours_are_counted_from_the_newest_that_was_told() -> None:
    hours = [hour(at) for at in (0, -23, -24, -30, 0)]
    assert [each.hour.hour for each in since(hours, timedelta(days=1))] == [13, 12]
    assert since([], timedelta(days=1)) == []


def test_what_is_no_hour_is_passed_over() -> None:
    odd = [
        Hour(hour=NOON + timedelta(seconds=1)),
        Hour(hour=NOON.replace(year=9999)),
        Hour(hour=NOON.replace(year=1)),
    ]
    files = [encode(Hours(hours=(hour(), *odd))), b"{", b"[]", b" " * (LARGEST + 1)]
    assert hours_of(files) == [hour()]


def test_a_file_of_no_day_is_none() -> None:
    assert [day_of(path) for path in (path_of(NOON.date()), "metrics/x.json", "metrics/2026-11-20.json/a")] == [
        "2026-11-20", "", "",
    ]  # fmt: skip


def test_what_a_server_has_told_is_read_from_its_ref() -> None:
    hub, at = MemoryHub(Repository()), NOON
    commit = Commit(
        parent=None, files={path_of(at.date()): encode(Hours(hours=(hour(),)))}, message="m\n", author="s1", at=at,
        kind="telemetry",
    )  # fmt: skip
    oid = hub.write([commit])[0]
    assert hub.push([Update(hub.telemetry_ref("s1"), "", oid)]) is None
    assert hours_told(hub, hub.look(), "s1", timedelta(days=1)) == [hour()]
    with pytest.raises(BnetError, match="s2 has told nothing"):
        hours_told(hub, hub.look(), "s2", timedelta(days=1))
