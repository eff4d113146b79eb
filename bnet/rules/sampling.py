"""Samples of a machine's figures, the newest few, as its heartbeats carry them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from bnet.model.monitoring import Monitoring
from bnet.model.server import Sample
from bnet.model.telemetry import Sampled
from bnet.rules.thresholds import raised, unsure

PAUSE_S = 60.0  # between two samples ...
REST_S = 600.0  # ... and of a server that has nothing to do
KEPT = 12  # more than it takes to raise and clear; a heartbeat carries all of them
OLDEST = timedelta(days=1)

Figures = Mapping[str, float | None]


def due(before: Sampled, boot_id: str, now_s: float) -> bool:
    """Tell whether it is time for a sample."""
    return boot_id != before.boot_id or now_s - before.taken_s >= PAUSE_S


def rest_s(before: Sampled, wanted: Monitoring, now_s: float) -> float:
    """Return for how many seconds an idle server needs no sample."""
    pause = PAUSE_S if unsure(before.samples, wanted) or told(before, wanted) != before.told else REST_S
    return before.taken_s + pause - now_s


def sampled(
    before: Sampled,
    figures: Figures,
    disks: Mapping[str, float],
    *,
    at: datetime,
    boot_id: str,
    now_s: float,
    silent: Sequence[str] = (),
    runs: int = 0,
) -> Sampled:
    """Add a sample.

    Args:
        before: those before it.
        figures: as `host/metrics.py` gives them.
        disks: path -> percent that is full.
        silent: paths whose disk gave no answer.
        at: the time of day.
        boot_id: of this boot.
        now_s: seconds on the boot-time clock.
        runs: how many jobs run here.
    """
    load, cores = figures.get("load5"), figures.get("cores")
    busy = _rate(before, figures, boot_id, "cpu_busy_s", _passed(before, figures, "cpu_total_s"))
    passed = now_s - before.taken_s
    sent, received = (_rate(before, figures, boot_id, name, passed) for name in ("net_sent", "net_received"))
    sample = Sample(
        at=at,
        cpu=None if busy is None else round(min(100.0, 100.0 * busy), 1),
        memory=figures.get("memory_percent"),
        load=None if load is None or not cores else round(load / cores, 2),
        network=None if sent is None or received is None else round(sent + received),
        disk={path: round(value, 1) for path, value in disks.items()},
        silent=tuple(silent),
        runs=runs,
    )
    kept = [each for each in before.samples if timedelta(0) <= at - each.at <= OLDEST]
    counters = {name: figures.get(name) for name in _COUNTERS}
    return replace(
        before,
        boot_id=boot_id,
        taken_s=now_s,
        counters={name: value for name, value in counters.items() if value is not None},
        samples=(*kept, sample)[-KEPT:],
    )


_COUNTERS = ("cpu_busy_s", "cpu_total_s", "net_sent", "net_received")


def _passed(before: Sampled, figures: Figures, name: str) -> float | None:
    old, new = before.counters.get(name), figures.get(name)
    return None if old is None or new is None else new - old


def _rate(before: Sampled, figures: Figures, boot_id: str, name: str, passed: float | None) -> float | None:
    """Return how much a counter grew for each of what passed; None where it began anew meanwhile."""
    grown = _passed(before, figures, name)
    if boot_id != before.boot_id or grown is None or passed is None or passed <= 0 or grown < 0:
        return None
    return grown / passed


def told(known: Sampled, wanted: Monitoring) -> tuple[str, ...]:
    """Return which figures are at which level: when that changes, it is worth a heartbeat of its own."""
    return tuple(f"{each.name}:{each.path}:{each.level}" for each in raised(known.samples, wanted))
