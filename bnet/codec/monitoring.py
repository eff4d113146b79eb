"""`monitoring.yaml`: read, and checked as a whole."""

from bnet.codec import people
from bnet.codec.people import Steps, Text
from bnet.model.monitoring import Monitoring, Threshold

PERCENT = 100.0
MOST_DISKS = 20


def read_monitoring(text: bytes, file: str) -> Monitoring:
    """Return what a file wants to be told of.

    Raises:
        Invalid: something in it is wrong; the message names line and field.
    """
    parsed = people.parse(text, file)
    found = people.read(parsed, Monitoring, {} if parsed.data is None else parsed.data)
    if len(found.disk) > MOST_DISKS:
        raise parsed.invalid(f"names more than {MOST_DISKS} paths", ("disk",))
    for name in ("cpu", "memory"):
        _check(parsed, getattr(found, name), (name,), PERCENT)
    for path, each in found.disk.items():
        _check(parsed, each, ("disk", path), PERCENT)
    for name in ("load", "network", "hub"):
        _check(parsed, getattr(found, name), (name,), None)
    return found


def _check(parsed: Text, threshold: Threshold, at: Steps, most: float | None) -> None:
    warning, critical = threshold.warning, threshold.critical
    for name, value in (("warning", warning), ("critical", critical)):
        if most is not None and value is not None and value > most:
            raise parsed.invalid(f"is in percent: at most {most:g}, not {value:g}", (*at, name))
    if warning is not None and critical is not None and warning > critical:
        raise parsed.invalid(f"is above what is critical, {critical:g}", (*at, "warning"))
