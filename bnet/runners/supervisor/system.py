"""What the system tells: the time, the boot, and processes."""

import time

from .files import read_file

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # counts suspended time, as a lease must


def now() -> float:
    """Return the seconds of the clock that leases and time-outs use."""
    return time.clock_gettime(_CLOCK)


def boot_id() -> str | None:
    """Return what changes with each boot, or None where the system does not tell."""
    try:
        return read_file("/proc/sys/kernel/random/boot_id").decode().strip()
    except OSError:
        return None


def stat_fields(pid: int | str) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third on; the second may hold spaces and parentheses.

    Raises:
        OSError: there is no such process, or no /proc.
    """
    return read_file(f"/proc/{pid}/stat").rpartition(b")")[2].split()
