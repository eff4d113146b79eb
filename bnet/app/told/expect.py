"""What is likely to come, in the words of commands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bnet.model.job import Job
from bnet.model.state import State
from bnet.schedule.durations import Durations, Estimate
from bnet.schedule.forecast import Ahead, Forecast, fastest


def add_expected(told: Sequence[dict[str, Any]], coming: Forecast) -> None:
    """Add to described jobs what is likely to become of those that are open; None to the others."""
    for each in told:
        each["expected"] = describe_ahead(coming.jobs.get(each["number"]))


def describe_ahead(ahead: Ahead | None) -> dict[str, Any] | None:
    """Return what is likely to become of a job as an object."""
    if ahead is None:
        return None
    found = {"starts_at": _time(ahead.starts), "ends_at": _time(ahead.ends), "server": ahead.server}
    return found | (describe_estimate(ahead.estimate) if ahead.estimate is not None else {"runs": 0})


def describe_estimate(estimate: Estimate) -> dict[str, Any]:
    """Return a likely duration as an object."""
    return {
        "seconds": estimate.seconds,
        "low": estimate.low,
        "high": estimate.high,
        "runs": estimate.runs,
        "of": estimate.server,
    }


def roughly(seconds: float) -> str:
    """Return a span as precisely as anybody can foresee it."""
    for unit, size in (("s", 1), ("min", 60), ("h", 3600), ("days", 86400)):
        most = {"s": 90, "min": 90, "h": 48}.get(unit)
        if most is None or seconds < most * size:
            count = seconds / size
            return f"{count:.1f} {unit}" if count < 2 and unit != "s" else f"{max(1, round(count))} {unit}"
    raise AssertionError("the last unit has no limit")


def likely(estimate: Estimate) -> str:
    """Say how long something will take, how sure that is, and on what it rests."""
    where = f" on {estimate.server}" if estimate.server else ""
    runs = f"{estimate.runs} run{'' if estimate.runs == 1 else 's'}{where}"
    low, high = roughly(estimate.low), roughly(estimate.high)
    spread = "" if low == high else f"{low} to {high}, "
    return f"about {roughly(estimate.seconds)} ({spread}by {runs})"


def outlook(coming: Forecast, now: datetime) -> str:
    """Say when all will be done; "" if there is nothing to wait for."""
    if coming.done is None:
        return ""
    said = f"about {roughly(max(1.0, (coming.done - now).total_seconds()))} until all is done"
    doubts = []
    if coming.unknown:
        doubts.append(f"{coming.unknown} of them never ran before")
    if coming.stuck:
        doubts.append(f"without {coming.stuck} that cannot start as things are")
    return said + (f" ({', '.join(doubts)})" if doubts else "")


def start_of(ahead: Ahead, now: datetime) -> str:
    """Say when and where a waiting job is likely to start."""
    if ahead.starts is None:
        return ""
    wait = (ahead.starts - now).total_seconds()
    when = "at once" if wait < 1 else f"in about {roughly(wait)}"
    return f"starts {when}" + (f" on {ahead.server}" if ahead.server else "")


def advice(state: State, known: Durations, job: Job) -> str:
    """Name the server that is likely the fastest for a job, beside the next one; "" where nothing can be compared."""
    found = fastest(state, known, job)
    if len(found) < 2:
        return ""
    (best, here), (second, there) = found[:2]
    return f"likely fastest on {best}: {likely(here)}; next {second}: {likely(there)}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
