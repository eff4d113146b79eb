"""The hub as a plain object: what `bnet hub show --json` prints."""

from typing import Any

import msgspec

from bnet.model.hub import Settings
from bnet.model.state import State
from bnet.rules.leases import BEAT_SHARE, GRACE_SHARE, HOLDER_SHARE, beat_gap, default_ttl


def describe_hub(state: State, branch: str, url: str) -> dict[str, Any]:
    """Return where the hub is, how far its ledger is, and what is in force on it.

    Args:
        state: its ledger.
        branch: where that is.
        url: of the hub.
    """
    head, settings = state.head, state.settings
    return {
        "url": url,
        "branch": branch,
        "name": settings.name,
        "hub": head.hub,
        "tip": state.tip,
        "format": head.format,
        "epoch": head.epoch,
        "seq": head.seq,
        "next_job": head.next_job,
        "servers": len(state.servers),
        "settings": whole(settings),
        "in_force": in_force(settings, len(state.servers)),
    }


def in_force(settings: Settings, servers: int) -> dict[str, float]:
    """Return the spans in seconds that follow from the settings for a fleet of some size."""
    ttl = settings.ttl or default_ttl(servers, settings.push_budget)
    reading = 0.0 if settings.read_budget is None else servers / settings.read_budget
    return {
        "ttl": ttl,
        "heartbeat": ttl * BEAT_SHARE,
        "holder_gives_up": ttl * HOLDER_SHARE,
        "grace": ttl * GRACE_SHARE,
        "push_gap": beat_gap(servers, settings.push_budget),
        "agent": max(settings.intervals.agent, reading),
        "progress": settings.intervals.progress,
        "idle_heartbeat": settings.intervals.idle_heartbeat,
    }


def whole(record: msgspec.Struct) -> dict[str, Any]:
    """Return all of a record's fields, those with their default too."""
    return {name: _plain(getattr(record, name)) for name in record.__struct_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return whole(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
