"""Figures over time as pictures."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from bnet.sitegen.charts import LOAD, MEGABYTES, PERCENT, Axis, Point, Series, chart, summary

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def points(*figures: float | None) -> list[Point]:
    return [
        Point(NOON + timedelta(hours=at), each, each * 2)
        for at, each in enumerate(figures)
        if each is not None
    ]


def drawn(figures: list[Point], axis: Axis = PERCENT, hours: int = 24) -> ElementTree.Element:
    return ElementTree.fromstring(
        chart("CPU", [Series("", figures)], axis, NOON, NOON + timedelta(hours=hours))
    )


def test_where_hours_are_missing_there_is_no_line() -> None:
    lines = [each.get("d", "") for each in drawn(points(1, 2, None, 4)).findall("path")]
    assert len(lines) == 3, "a band and a line of two hours, a dot of one"
    assert all(re.fullmatch(r"M[\d. L]+Z?", each) for each in lines)


@pytest.mark.parametrize(
    ("axis", "figures", "marks"),
    [
        (PERCENT, (10, 50), ["0 %", "25 %", "50 %", "75 %", "100 %"]),
        (LOAD, (0,), ["0", "0.25", "0.5", "0.75", "1"]),
        (LOAD, (6, 8), ["0", "5", "10", "15", "20"]),
        (MEGABYTES, (3e6,), ["0 MB/s", "1 MB/s", "2 MB/s", "3 MB/s", "4 MB/s", "5 MB/s", "6 MB/s"]),
    ],
)
def test_the_axis_has_a_few_round_figures(axis: Axis, figures: tuple[float, ...], marks: list[str]) -> None:
    found = [each.text for each in drawn(points(*figures), axis).findall("text") if each.get("class") == "up"]
    assert found == marks


@pytest.mark.parametrize(("hours", "marks"), [(24, ["12:00", "15:00"]), (336, ["Nov 22", "Nov 24"])])
def test_times_are_told_in_hours_or_in_days(hours: int, marks: list[str]) -> None:
    found = [each.text for each in drawn(points(1), hours=hours).findall("text") if each.get("class") == "on"]
    assert found[:2] == marks or marks[0] in found[:2]
    assert 3 <= len(found) <= 9


def test_words_say_what_the_picture_shows() -> None:
    assert summary([Series("/srv", points(10, 30))], PERCENT) == "/srv: last 30 %, mean 20 %, most 60 %"
    assert summary([], PERCENT) == "nothing told"


@pytest.mark.parametrize("odd", [1e308, -5.0, 1e-300])
def test_odd_figures_stay_within_the_picture(odd: float) -> None:
    for path in drawn(points(odd, 1)).findall("path"):
        assert all(0 <= float(each) <= 460 for each in re.findall(r"-?[\d.]+", path.get("d", "")))
