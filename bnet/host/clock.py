"""The one place that asks what time it is."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's clocks: the time of day for people, the time since boot for leases."""

    def now(self) -> datetime:
        """Tell the time of day.

        Returns:
            The time in UTC, cut to milliseconds, which is what documents carry.
        """
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def boot(self) -> float:
        """Tell how long this boot has lasted, sleep included where the platform can say so.

        Returns:
            Seconds; they compare only with seconds of the same `boot_id`.
        """
        # CLOCK_MONOTONIC stops while a laptop sleeps, and a lease must not last longer for that.
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    def boot_id(self) -> str:
        """Name this boot of the machine; another boot has another name."""
        return boot_id()

    def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: how long; nothing to wait for if it is not positive.
        """
        if seconds > 0:
            time.sleep(seconds)


def boot_id() -> str:
    """Name this boot of the machine.

    Returns:
        The kernel's UUID on Linux, elsewhere the second at which the machine started.
    """
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        import psutil  # 17 ms, and not needed on Linux

        return f"boot-{int(psutil.boot_time())}"


def zones_stamp() -> str:
    """Name the machine's database of time zones as it is: an update of that replaces files in its directory."""
    import zoneinfo  # 4 ms

    found = (os.stat(path).st_mtime_ns for path in zoneinfo.TZPATH if os.path.isdir(path))
    return " ".join(map(str, found))
