"""A network's figures by the names of OpenTelemetry's conventions for CI/CD.

Counts are of all that the hub knows of the past, so that what is sent again counts once.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bnet.codec.shown import escaped
from bnet.exports.traces import RESULTS
from bnet.health.facts import Facts, Finding
from bnet.model.history import Past

BOUNDS = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0)  # seconds
# What of the system failed where a job ended with `error`, by the reason.
COMPONENTS: Mapping[str, str] = {"lost": "agent", "refused": "agent", "artifacts": "store"}


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a meter: of what, and for a histogram the values that it counts."""

    attributes: Mapping[str, str]
    value: float = 0.0
    values: Sequence[float] = ()

    def buckets(self) -> list[int]:
        """Return how many values are in each of the stretches between `BOUNDS`."""
        counts = Counter(bisect_left(BOUNDS, each) for each in self.values)
        return [counts[place] for place in range(len(BOUNDS) + 1)]


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """A figure; `histogram` and `counter` only grow, and a `gauge` does not add up over its attributes."""

    name: str
    unit: str
    told: str
    kind: Literal["histogram", "counter", "updowncounter", "gauge"]
    points: Sequence[Point]


def meters(facts: Facts, findings: Sequence[Finding], past: Sequence[Past]) -> list[Meter]:
    """Return what there is to be told at present.

    Args:
        facts: as health knows them.
        findings: what follows from these.
        past: all jobs there ever were.
    """
    return [
        Meter(
            name="cicd.pipeline.run.duration",
            unit="s",
            told="Duration of a pipeline run grouped by pipeline, state and result.",
            kind="histogram",
            points=list(_durations(past)),
        ),
        Meter(
            name="cicd.pipeline.run.active",
            unit="{run}",
            told="The number of pipeline runs currently active in the system by state.",
            kind="updowncounter",
            points=_counted(
                {"cicd.pipeline.name": each.name, "cicd.pipeline.run.state": _STATES[each.state]}
                for each in past
                if each.state in _STATES
            ),
        ),
        Meter(
            name="cicd.pipeline.run.errors",
            unit="{error}",
            told="The number of errors encountered in pipeline runs (eg. compile, test failures).",
            kind="counter",
            points=_counted(
                {"cicd.pipeline.name": each.name, "error.type": each.reason or ""}
                for each in past
                if each.result in ("failure", "timeout")
            ),
        ),
        Meter(
            name="cicd.system.errors",
            unit="{error}",
            told="The number of errors in a component of the CI/CD system (eg. controller, scheduler, agent).",
            kind="counter",
            points=_counted(
                {
                    "cicd.system.component": COMPONENTS.get(each.reason or "", "controller"),
                    "error.type": each.reason or "",
                }
                for each in past
                if each.result == "error"
            ),
        ),
        Meter(
            name="cicd.worker.count",
            unit="{worker}",
            told="The number of workers on the CI/CD system by state.",
            kind="updowncounter",
            points=_workers(facts),
        ),
        Meter(
            name="bnet.findings",
            unit="{finding}",
            told="What is wrong with the network, by how bad it is.",
            kind="updowncounter",
            points=_findings(findings),
        ),
        *_figures(facts),
    ]


_STATES = {"pending": "pending", "running": "executing"}


def _durations(past: Sequence[Past]) -> Iterator[Point]:
    found = defaultdict[tuple[tuple[str, str], ...], list[float]](list)
    for each in past:
        if each.result is None or each.seconds is None:
            continue
        attributes = {
            "cicd.pipeline.name": each.name,
            "cicd.pipeline.run.state": "executing",
            "cicd.pipeline.result": RESULTS.get(each.result, each.result),
        }
        if each.result in ("failure", "error", "timeout"):
            attributes["error.type"] = each.reason or ""
        found[tuple(attributes.items())].append(each.seconds)
    for named, values in sorted(found.items()):
        yield Point(attributes=dict(named), values=values)


def _counted(rows: Iterator[dict[str, str]]) -> list[Point]:
    counts = Counter(tuple(row.items()) for row in rows)
    return [Point(attributes=dict(row), value=count) for row, count in sorted(counts.items())]


def _workers(facts: Facts) -> list[Point]:
    counts = Counter[str]()
    for name, server in facts.state.servers.items():
        busy = len(facts.held(name)) >= server.slots or server.wanted != "active"
        counts["offline" if facts.is_lost(server) else "busy" if busy else "available"] += 1
    states = ("available", "busy", "offline")
    return [Point(attributes={"cicd.worker.state": state}, value=counts[state]) for state in states]


def _findings(findings: Sequence[Finding]) -> list[Point]:
    counts = Counter(each.severity for each in findings)
    return [
        Point(attributes={"bnet.finding.severity": severity}, value=counts[severity])
        for severity in ("critical", "warning")
    ]


def _figures(facts: Facts) -> Iterator[Meter]:
    """Yield the figures of machines, from each server's newest sample; of a lost one nobody knows."""
    rows = defaultdict[str, list[Point]](list)
    for name, server in facts.state.servers.items():
        beat = facts.seen[name].beat if name in facts.seen else None
        if beat is None or not beat.samples or facts.is_lost(server):
            continue
        newest, worker = beat.samples[-1], {"cicd.worker.name": name}
        for figure, value in (("cpu", newest.cpu), ("memory", newest.memory)):
            if value is not None:
                rows[figure].append(Point(attributes=worker, value=value / 100))
        for path, full in newest.disk.items():
            place = worker | {"system.filesystem.mountpoint": escaped(path)}
            rows["filesystem"].append(Point(attributes=place, value=full / 100))
    for figure, points in sorted(rows.items()):
        yield Meter(
            name=f"system.{figure}.utilization",
            unit="1",
            told=f"How much of each server's {figure} is in use.",
            kind="gauge",
            points=points,
        )
