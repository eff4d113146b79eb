"""What this machine has to say of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec


class Metrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One look at the machine; what it could not tell is left out."""

    cpu_percent: float | None = None  # of all cores, between the earlier look and this one
    cpu_busy_s: float | None = None  # of all cores, since boot
    cpu_total_s: float | None = None  # busy or idle, of all cores, since boot
    load1: float | None = None
    load5: float | None = None
    load15: float | None = None
    cores: int | None = None
    memory_total: int | None = None  # bytes
    memory_used: int | None = None  # bytes that no application could have without swapping
    memory_percent: float | None = None
    disk_total: int | None = None  # bytes, of the file system that BNET_HOME is on
    disk_free: int | None = None  # bytes that this user may still write
    disk_percent: float | None = None
    net_sent: int | None = None  # bytes since boot, of all interfaces
    net_received: int | None = None  # bytes since boot, of all interfaces
    uptime_s: float | None = None
    cache_bytes: int | None = None  # that the build cache in BNET_HOME held when it was last looked at


def measure(home: Path, before: Metrics | None = None) -> Metrics:
    """Look at the machine; takes about a millisecond once psutil is imported, and never raises.

    Args:
        home: a directory on the disk whose space counts.
        before: an earlier look, of any process: without one there is no `cpu_percent`, only loads.
    """
    figures: dict[str, object] = {}
    for source in (_cpu, _load, _memory, lambda: _disk(home), _network, _uptime, lambda: _cache(home)):
        figures |= _or_nothing(source)
    now = msgspec.convert(figures, Metrics)
    if before is None:
        return now
    return msgspec.structs.replace(now, cpu_percent=_percent_between(before, now))


def disk_percent(path: Path) -> float | None:
    """Return how full the file system is that a path is on; None if it cannot be told."""
    import psutil

    try:
        return float(psutil.disk_usage(str(path)).percent)
    except OSError:
        return None


def _or_nothing(source: Callable[[], Mapping[str, object]]) -> Mapping[str, object]:
    """Leave out what a container or a platform cannot tell: no figure is worth a failed sync."""
    try:
        return source()
    except Exception:  # whatever psutil meets on an odd platform
        return {}


def _percent_between(before: Metrics, now: Metrics) -> float | None:
    if before.cpu_busy_s is None or before.cpu_total_s is None:
        return None
    if now.cpu_busy_s is None or now.cpu_total_s is None:
        return None
    passed = now.cpu_total_s - before.cpu_total_s
    busy = now.cpu_busy_s - before.cpu_busy_s
    # Counters start anew with the machine, and the kernel's run a little unevenly.
    return None if passed <= 0 or busy < 0 else round(min(100.0, 100.0 * busy / passed), 1)


def _cpu() -> dict[str, object]:
    import psutil

    times = psutil.cpu_times()
    # Linux counts the time of its guests a second time, in `user` and `nice`.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    idle = times.idle + getattr(times, "iowait", 0.0)
    return {"cpu_busy_s": round(total - idle, 2), "cpu_total_s": round(total, 2), "cores": psutil.cpu_count()}


def _load() -> dict[str, object]:
    import psutil

    load1, load5, load15 = psutil.getloadavg()
    return {"load1": round(load1, 2), "load5": round(load5, 2), "load15": round(load15, 2)}


def _memory() -> dict[str, object]:
    import psutil

    memory = psutil.virtual_memory()
    used = memory.total - memory.available
    return {"memory_total": memory.total, "memory_used": used, "memory_percent": memory.percent}


def _disk(home: Path) -> dict[str, object]:
    import psutil

    disk = psutil.disk_usage(str(home))
    return {"disk_total": disk.total, "disk_free": disk.free, "disk_percent": disk.percent}


def _network() -> dict[str, object]:
    import psutil

    network = psutil.net_io_counters()
    return {"net_sent": network.bytes_sent, "net_received": network.bytes_recv}


def _cache(home: Path) -> dict[str, object]:
    """Read what `bnet.build.upkeep` has noted; to look into the cache itself would take too long for each minute."""
    return {"cache_bytes": int((home / "cache" / "collected").read_bytes()[:20])}


def _uptime() -> dict[str, object]:
    from bnet.host.clock import SystemClock

    return {"uptime_s": round(SystemClock().boot(), 1)}
