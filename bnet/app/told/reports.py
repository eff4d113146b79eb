"""Reports as plain objects."""

from datetime import datetime
from typing import Any

from bnet.app.reports import named
from bnet.codec.reports import USUAL
from bnet.model.state import State
from bnet.rules.reports import kept_of
from bnet.rules.wallclock import moments


def describe_reports(state: State, now: datetime) -> list[dict[str, Any]]:
    """Return all reports, the usual ones first, with when each comes and what was kept of it."""
    return [
        describe_report(state, name, now) for name in [*USUAL, *sorted(state.reports.keys() - USUAL.keys())]
    ]


def describe_report(state: State, name: str, now: datetime) -> dict[str, Any]:
    """Return one report; `owed` is what was not sent yet, by the time that it is for."""
    ordered, turn = named(state, name), state.turns.get(name)
    asked, owed = ordered.report, {} if turn is None else turn.owed
    coming = None if ordered.times is None else next(moments(ordered.times, asked.timezone, now), None)
    return {
        "name": name,
        "kind": asked.kind,
        "period": asked.period,
        "timezone": asked.timezone,
        "cron": asked.cron,
        "next": None if coming is None else _time(coming),
        "kept": [_time(at) for at in kept_of(state, name)],
        "deliver": list(asked.deliver),
        "owed": {at: list(each.to) for at, each in owed.items()},
        "trouble": next((each.trouble for each in owed.values() if each.trouble), ""),
        "description": asked.description,
    }


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
