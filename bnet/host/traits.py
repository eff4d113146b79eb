"""What kind of machine this is: the labels that jobs choose by, and how many jobs it takes."""

import os
import platform
import sys


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def labels() -> dict[str, str]:
    """Return the labels that a server gets if it is not told otherwise."""
    return {
        "os": {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform),
        "arch": platform.machine().lower() or "unknown",
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
