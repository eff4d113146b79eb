"""Thresholds: read with line and field, and told after three samples, until two below."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bnet import scaffold
from bnet.codec.monitoring import read_monitoring
from bnet.errors import Invalid
from bnet.model.monitoring import Monitoring, Threshold
from bnet.model.server import Sample
from bnet.model.telemetry import Sampled
from bnet.rules.sampling import KEPT, due, rest_s, sampled, told
from bnet.rules.thresholds import raised, unsure

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


# -- the file


def test_the_example_is_the_defaults_and_right_once_it_is_uncommented() -> None:
    text = (scaffold.root() / "coordination/monitoring.yaml").read_text()
    assert read_monitoring(text.encode(), "monitoring.yaml") == Monitoring()
    settings = "\n".join(
        line[2:]
        for line in text.splitlines()[1:]
        if line.startswith("# ") and (":" in line) and line[2] in "abcdefghijklmnopqrstuvwxyz "
    )
    shown = read_monitoring(settings.encode(), "monitoring.yaml")
    assert shown.disks["home"] == Monitoring().disks["home"] and "/srv" in shown.disks
    assert (shown.memory, shown.stuck_after, shown.failures, shown.hub) == (
        Monitoring().memory,
        Monitoring().stuck_after,
        Monitoring().failures,
        Monitoring().hub,
    )


@pytest.mark.parametrize(
    ("text", "line", "field", "said"),
    [
        ("memory: {warning: 101}", 1, "memory.warning", "at most 100"),
        ("\ndisk:\n  /srv: {warning: 90, critical: 80}", 3, "disk./srv.warning", "above what is critical"),
        ("disk:\n  srv: {warning: 90}", 2, None, "absolute path"),
        ("load: {warning: 8, critical: 4}", 1, "load.warning", "above"),
        ("memory: {warn: 90}", 1, "memory.warn", "did you mean warning?"),
        ("cpu: 90", 1, "cpu", "must be a mapping"),
        ("cpu: {warning: 0}", 1, "cpu.warning", "0"),
        ("raise_after: 7", 1, "raise_after", "at most 6"),
        ("failures: never", 1, "failures", "whole number"),
        ("cpu: {critical: .nan}", 1, None, ""),
        ("{", None, None, "no valid YAML"),
        ("disk: {" + ", ".join(f"/{n}: {{}}" for n in range(21)) + "}", 1, "disk", "more than 20"),
    ],
)
def test_what_is_wrong_in_it_is_named(text: str, line: int | None, field: str | None, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_monitoring(text.encode(), "monitoring.yaml")
    error = caught.value
    assert said in str(error) and "monitoring.yaml" in str(error)
    assert line is None or error.line == line
    assert field is None or error.field == field


def test_a_disk_that_is_named_leaves_the_others_as_they_are() -> None:
    found = read_monitoring(b"disk: {/srv: {warning: 80}}", "m")
    assert found.disks["home"] == Threshold(warning=90.0, critical=97.0)
    assert read_monitoring(b"disk: {home: {}}", "m").disks["home"] == Threshold()


# -- samples


def row(*values: float | None, name: str = "memory") -> list[Sample]:
    return [Sample(at=NOW + timedelta(minutes=place), **{name: value}) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "level", "since"),
    [
        ([], 0, None),
        ([95, 95], 0, None),
        ([95, 95, 95], 1, 0),
        ([50, 90, 90, 90], 1, 1),
        ([95, 95, 80, 95, 95], 0, None),
        ([95, 95, 95, 80], 1, 0),
        ([95, 95, 95, 80, 80], 0, None),
        ([95, 95, 95, 80, 95, 80], 1, 0),
        ([95, 95, 95, 80, 80, 95], 0, None),
        ([95, 95, 98], 1, 0),
        ([98, 98, 98], 2, 0),
        ([95, 98, 98, 98], 2, 1),
        ([98, 98, 98, 95], 2, 0),
        ([98, 98, 98, 95, 95], 1, 3),
        ([98, 98, 98, 80, 95], 1, 3),
        ([98, 98, 98, 80, 80], 0, None),
        ([95, None, 95, None, 95], 1, 0),
    ],
)
def test_three_samples_raise_and_two_clear(values: list[float | None], level: int, since: int | None) -> None:
    found = raised(row(*values), Monitoring())
    assert [each.level for each in found] == ([level] if level else [])
    if since is not None:
        assert found[0].since == NOW + timedelta(minutes=since)


def test_people_say_how_many() -> None:
    one = Monitoring(raise_after=1, clear_after=1)
    assert [each.level for each in raised(row(95), one)] == [1]
    assert raised(row(95, 80), one) == []
    assert raised(row(95, 95, 95), Monitoring(memory=Threshold())) == []


def test_each_figure_and_each_disk_has_its_own_threshold() -> None:
    wanted = Monitoring(
        cpu=Threshold(warning=90),
        load=Threshold(critical=4),
        network=Threshold(warning=1e6),
        disk={"/srv": Threshold(warning=50)},
        raise_after=1,
    )
    full = Sample(at=NOW, cpu=99, memory=10, load=4, network=2e6, disk={"home": 98, "/srv": 60, "/x": 99})
    found = {(each.name, each.path): each.level for each in raised([full], wanted)}
    assert found == {
        ("cpu", ""): 1,
        ("load", ""): 2,
        ("network", ""): 1,
        ("disk", "home"): 2,
        ("disk", "/srv"): 1,
    }


@pytest.mark.parametrize(
    ("values", "open_"),
    [([50], False), ([95], True), ([95, 95, 95], False), ([95, 95, 95, 50], True), ([95, 50], False)],
)
def test_where_an_answer_may_change_the_next_sample_comes_soon(values: list[float], open_: bool) -> None:
    assert unsure(row(*values), Monitoring()) == open_
    known = Sampled(boot_id="b", taken_s=1000, samples=tuple(row(*values)))
    known = Sampled(boot_id="b", taken_s=1000, samples=known.samples, told=told(known, Monitoring()))
    assert rest_s(known, Monitoring(), 1010) == (50 if open_ else 590)


def test_what_was_not_told_yet_is_looked_at_soon() -> None:
    known = Sampled(boot_id="b", taken_s=1000, samples=tuple(row(95, 95, 95)))
    assert rest_s(known, Monitoring(), 1010) == 50


FIGURES: dict[str, float | None] = {
    "cpu_busy_s": 100,
    "cpu_total_s": 1000,
    "load5": 6,
    "cores": 4,
    "memory_percent": 33.3,
    "net_sent": 1000,
    "net_received": 5000,
}


def taken(before: Sampled, now_s: float, boot: str = "b", **more: Any) -> Sampled:
    at = NOW + timedelta(seconds=now_s)
    return sampled(before, FIGURES | more, {"home": 12.34}, at=at, boot_id=boot, now_s=now_s)


def test_what_grows_is_told_for_the_time_between_two_samples() -> None:
    first = taken(Sampled(), 100)
    assert first.samples[-1] == Sample(
        at=NOW + timedelta(seconds=100), memory=33.3, load=1.5, disk={"home": 12.3}
    )
    second = taken(first, 160, cpu_busy_s=110, cpu_total_s=1020, net_sent=4000, net_received=8000)
    assert (second.samples[-1].cpu, second.samples[-1].network) == (50.0, 100)
    assert len(second.samples) == 2


@pytest.mark.parametrize(
    "more",
    [{"boot": "other"}, {"cpu_busy_s": 1, "net_sent": 1}, {"cpu_total_s": None, "net_sent": None}],
    ids=["a reboot", "counters that began anew", "nothing was told"],
)
def test_no_rate_is_made_up(more: dict[str, Any]) -> None:
    last = taken(taken(Sampled(), 100), 160, **more).samples[-1]
    assert (last.cpu, last.network) == (None, None)


def test_few_are_kept_and_none_of_another_day() -> None:
    known = Sampled()
    for minute in range(20):
        known = taken(known, 60 * minute)
    assert len(known.samples) == KEPT
    assert len(taken(known, 90000).samples) == 1
    back = sampled(known, FIGURES, {}, at=NOW - timedelta(days=9), boot_id="b", now_s=9999)
    assert len(back.samples) == 1, "a clock that was set back leaves none from the future"


def test_a_sample_a_minute_whatever_the_time_of_day_says() -> None:
    known = Sampled(boot_id="b", taken_s=1000)
    assert (due(known, "b", 1059), due(known, "b", 1060), due(known, "c", 1001)) == (False, True, True)
