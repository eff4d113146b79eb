"""The servers of the showcase: what each is, what it said last, and a fortnight of its hours."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from showcase_jobs import SERVERS

from bnet.codec.documents import encode
from bnet.model.rollup import Hour, Hours, Spread
from bnet.model.server import Heartbeat, Server


def server(now: datetime, name: str) -> Server:
    """Return a server."""
    more = {"ember": {"wanted": "paused", "why": "the disk is being replaced", "by": "ann@example.org"}}
    return Server(
        name=name,
        instance="i",
        joined_at=now - timedelta(days=60),
        slots=4 if name == "atlas" else 2,
        labels={"os": "linux", "arch": "amd64" if name < "d" else "arm64"},
        version="0.6.0",
        **more.get(name, {}),
    )


def beat(now: datetime, name: str) -> Heartbeat:
    """Return what it said last."""
    at = SERVERS.index(name)
    metrics = {
        "cpu_percent": 12.0 + 17 * at,
        "load1": 0.4 + at,
        "load5": 0.5 + at,
        "load15": 0.3 + at,
        "cores": 8,
        "memory_total": 16e9,
        "memory_used": 4e9 + 2e9 * at,
        "memory_percent": 25.0 + 12 * at,
        "disk_total": 500e9,
        "disk_free": 400e9 - 90e9 * at,
        "disk_percent": 20.0 + 18 * at,
        "uptime_s": 86400.0 * 9,
        "cache_bytes": 1.2e9 * (at + 1),
    }
    return Heartbeat(
        server=name,
        instance="i",
        at=now - timedelta(seconds=20 + 15 * at),
        boot_id="b",
        nonce="0",
        version="0.6.0",
        slots=2,
        metrics=metrics,
    )


def days(now: datetime, name: str) -> dict[str, bytes]:
    """Return the files of a server's hours, by day."""
    found: dict[str, list[Hour]] = {}
    for each in _hours(now, name):
        found.setdefault(f"{each.hour:%Y-%m-%d}", []).append(each)
    return {day: encode(Hours(hours=tuple(of))) for day, of in found.items()}


def _hours(now: datetime, name: str) -> Iterator[Hour]:
    """Yield a fortnight of a server's hours, with a gap in it."""
    place, chance = SERVERS.index(name), random.Random(name)
    begin = now.replace(minute=0, second=0, microsecond=0)
    for age in range(14 * 24, 0, -1):
        if name == "dune" and 90 < age < 110:
            continue
        at, work = begin - timedelta(hours=age), max(0.0, math.sin((begin.hour - age) / 24 * 2 * math.pi))

        def told(mean: float, high: float) -> Spread:
            return Spread(mean=round(mean, 2), most=round(min(high, mean * 1.3 + 0.2), 2), samples=12)

        yield Hour(
            hour=at,
            samples=12,
            cpu=told(8 + 60 * work * chance.uniform(0.5, 1) + 3 * place, 100),
            memory=told(25 + 12 * place + 8 * work, 100),
            load=told(0.1 + 1.1 * work * chance.uniform(0.5, 1), 9),
            network=told(2e5 + 4e6 * work, 1e9),
            runs=told(2 * work, 4),
            disk={
                "home": told(20 + 18 * place + (14 * 24 - age) / 40, 100),
                "/srv": told(40 + place, 100),
            },
        )
