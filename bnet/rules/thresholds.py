"""When a figure is told: after so many samples at a threshold, until so many below it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from bnet.model.monitoring import Monitoring, Threshold
from bnet.model.server import Sample

Level = Literal[0, 1, 2]  # well, warning, critical
NAMES = ("cpu", "memory", "load", "network")
_SILENT = Threshold(warning=1.0)


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that is at a threshold.

    Attributes:
        name: `cpu`, `memory`, `load`, `network`, `disk`, or `silent` of a disk that gives no answer.
        path: of a disk.
        level: 1 for a warning, 2 for what is critical.
        since: the first of the samples that raised it.
        value: the newest.
        limit: the threshold.
    """

    name: str
    path: str = ""
    level: Level
    since: datetime
    value: float
    limit: float


def raised(samples: Sequence[Sample], wanted: Monitoring) -> list[Raised]:
    """Return the figures that are to be told, from samples, the oldest first."""
    found = []
    for name, path, threshold in watched(wanted):
        row = [(each.at, value) for each in samples if (value := _value(each, name, path)) is not None]
        level, begun = _level([value for _, value in row], threshold, wanted.raise_after, wanted.clear_after)
        limit = threshold.critical if level == 2 else threshold.warning
        if level and limit is not None:
            since, value = row[begun][0], row[-1][1]
            found.append(Raised(name=name, path=path, level=level, since=since, value=value, limit=limit))
    return found


def unsure(samples: Sequence[Sample], wanted: Monitoring) -> bool:
    """Tell whether the newest sample is the beginning of another answer, so that the next one should come soon."""
    now = {(each.name, each.path): each.level for each in raised(samples, wanted)}
    return any(
        _reached(value, threshold) != now.get((name, path), 0)
        for name, path, threshold in watched(wanted)
        if samples and (value := _value(samples[-1], name, path)) is not None
    )


def watched(wanted: Monitoring) -> Iterator[tuple[str, str, Threshold]]:
    """Yield what has a threshold: the figure's name, a disk's path, and that."""
    for name in NAMES:
        yield name, "", getattr(wanted, name)
    for path, threshold in wanted.disks.items():
        yield "disk", path, threshold
        yield "silent", path, _SILENT


def _value(sample: Sample, name: str, path: str) -> float | None:
    if name == "disk":
        return sample.disk.get(path)
    if name == "silent":
        return 1.0 if path in sample.silent else 0.0 if path in sample.disk else None
    value: float | None = getattr(sample, name)
    return value


def _reached(value: float, threshold: Threshold) -> Level:
    if threshold.critical is not None and value >= threshold.critical:
        return 2
    return 1 if threshold.warning is not None and value >= threshold.warning else 0


def _level(
    values: Sequence[float], threshold: Threshold, raise_after: int, clear_after: int
) -> tuple[Level, int]:
    """Return the level after some values, and the place of the value from which on it has been so."""
    level: Level = 0
    begun = 0
    reached = [_reached(value, threshold) for value in values]
    for end in range(1, len(reached) + 1):
        up = min(reached[max(0, end - raise_after) : end]) if end >= raise_after else 0
        down = max(
            reached[max(0, end - clear_after) : end]
        )  # of fewer, one of those that raised it is among them
        if up > level:
            level, begun = up, end - raise_after
        elif down < level:
            level, begun = down, end - clear_after
    return level, begun
