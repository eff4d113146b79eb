"""Figures of servers that are at a threshold."""

from collections.abc import Iterable

from bnet.health.facts import Facts, Finding
from bnet.health.words import amount
from bnet.model.monitoring import HOME
from bnet.rules.thresholds import Raised, raised

_RULES = {"cpu": "cpu-busy", "memory": "memory-full", "load": "load-high", "network": "network-busy"}
_ADVICE = {
    "cpu": "what runs there: bnet status; fewer slots: bnet join --slots",
    "memory": "what runs there: bnet status; fewer slots: bnet join --slots",
    "load": "what runs there: bnet status; fewer slots: bnet join --slots",
    "network": "what runs there: bnet status",
}


def thresholds(facts: Facts) -> Iterable[Finding]:
    """Name what is at a threshold of `monitoring.yaml`; of a lost server nobody knows."""
    for name, server in facts.state.servers.items():
        beat = facts.seen[name].beat if name in facts.seen else None
        if beat is None or facts.is_lost(server):
            continue
        for each in raised(beat.samples, facts.monitoring):
            yield _found(name, each)


def _silent(server: str, each: Raised) -> Finding:
    return Finding(
        rule="disk-silent",
        about=f"{server}:{each.path}",
        severity="warning",
        text=f"the disk of {server} at {each.path} gives no answer; how full it is, is not known",
        since=each.since,
        advice=f"on {server}: see what is mounted there and whether it can be reached",
    )


def _found(server: str, each: Raised) -> Finding:
    if each.name == "silent":
        return _silent(server, each)
    disk = each.name == "disk"
    where = f"{server}:{each.path}" if disk else server
    return Finding(
        rule="disk-full" if disk else _RULES[each.name],
        about=where,
        severity="critical" if each.level == 2 else "warning",
        text=f"{_text(server, each)}; the threshold is {_value(each, each.limit)}",
        since=each.since,
        evidence={"value": each.value, "limit": each.limit},
        advice=f"on {server}: {_room(each.path) if disk else _ADVICE[each.name]}",
    )


def _text(server: str, each: Raised) -> str:
    told = _value(each, each.value)
    if each.name == "disk":
        where = "where it keeps its files" if each.path == HOME else each.path
        return f"the disk of {server} is {told} full ({where})"
    return f"{server}: {'load for each core' if each.name == 'load' else each.name} is at {told}"


def _value(each: Raised, value: float) -> str:
    if each.name == "load":
        return f"{value:g}"
    return f"{amount(value)}/s" if each.name == "network" else f"{value:g}%"


def _room(path: str) -> str:
    if path == HOME:
        return "bnet doctor; less retention.workspace_bytes in hub.yaml keeps less of reported runs"
    return "df -h, and see what takes the room there"
