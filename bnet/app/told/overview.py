"""The network at a glance: what the ledger says, with what the servers say of themselves."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bnet.app.told.jobs import describe_network
from bnet.app.told.notices import unheard
from bnet.app.told.pipelines import awaited as awaited_jobs
from bnet.app.told.pipelines import describe_approvals
from bnet.app.told.releases import describe_environments, unsure
from bnet.app.told.schedules import troubles
from bnet.app.told.sources import obstacles
from bnet.codec.documents import Unreadable, decode
from bnet.model.server import Heartbeat, Server
from bnet.model.state import State
from bnet.ports.hub import Hub, Look
from bnet.rules.presence import silent_after
from bnet.rules.waiting import nobody_can

HEARTBEAT = "heartbeat.json"


def heartbeats(hub: Hub, look: Look, names: Iterable[str]) -> dict[str, Heartbeat]:
    """Return the newest heartbeat of those of some servers that have one.

    Raises:
        HubUnreachable: no answer.
    """
    present = [name for name in names if name in look.telemetry]
    with hub.exclusive():
        hub.fetch_telemetry(present)
        found = {}
        for name in present:
            data = hub.read(look.telemetry[name], [HEARTBEAT]).get(HEARTBEAT)
            try:
                if data is not None:
                    found[name] = decode(Heartbeat, data)
            except Unreadable:
                continue
    return found


def overview(state: State, hub: str, beats: Mapping[str, Heartbeat], now: datetime) -> dict[str, Any]:
    """Return the network with the servers' heartbeats and with what is wrong.

    Args:
        state: the ledger.
        hub: its URL, as people may see it.
        beats: server -> its newest heartbeat.
        now: the time by this machine. Ages inform people; leases are counted otherwise.
    """
    told = describe_network(state, hub)
    for each in told["servers"]:
        beat = beats.get(each["name"])
        age = None if beat is None else max(0.0, (now - beat.at).total_seconds())
        each |= {
            "last_seen": None
            if beat is None
            else f"{beat.at:%Y-%m-%dT%H:%M:%S}.{beat.at.microsecond // 1000:03}Z",
            "last_seen_s": None if age is None else round(age, 1),
            "silent": is_silent(state.servers[each["name"]], bool(each["jobs"]), age, state, now),
            "metrics": {} if beat is None else beat.metrics,
        }
    told["rejected"] = len(state.rejected)
    told["awaits"] = [
        {"job": job.number, "name": job.spec.name, **(describe_approvals(job) or {})}
        for job in awaited_jobs(state)
    ]
    told["environments"] = [
        {name: each[name] for name in ("environment", "current", "unsure")}
        for each in describe_environments(state)
    ]
    told["wrong"] = wrong(told, state)
    return told


def is_silent(server: Server, holds: bool, age: float | None, state: State, now: datetime) -> bool:
    """Tell whether a server should have been seen since.

    Args:
        server: its registration.
        holds: whether it runs a job, and so has to be seen within the TTL.
        age: seconds since its last heartbeat; None if there never was one.
        state: the ledger.
        now: the time.
    """
    settings, servers = state.settings, len(state.servers)
    if age is None:
        return (now - server.joined_at).total_seconds() > silent_after(settings, servers, holds=True)
    return age > silent_after(settings, servers, holds=holds)


def wrong(told: Mapping[str, Any], state: State) -> list[str]:
    """Say what needs a person, one sentence each."""
    found = []
    if not told["servers"]:
        found.append("there is no server yet; `bnet join HUB --name NAME` makes this machine one")
    for each in told["servers"]:
        if each["silent"] and each["last_seen"] is None:
            found.append(f"{each['name']} has joined and was never seen: no cron entry and no agent there?")
        elif each["silent"]:
            found.append(f"{each['name']} is silent; `bnet server remove {each['name']}` if it is gone")
    stuck = nobody_can(state.jobs, state.servers) if told["servers"] else []
    if stuck:
        named = " ".join(f"#{number}" for number in stuck[:6]) + (" ..." if len(stuck) > 6 else "")
        found.append(f"no server can run {named}; `bnet why {stuck[0]}` says why")
    found += troubles(state)
    found += unsure(state)
    found += obstacles(state)
    found += unheard(state)
    for each in told["problems"]:
        # A complaint about a person's document begins with its path and line already.
        placed = each["message"].startswith(each["path"])
        found.append(each["message"] if placed else f"{each['path']} {each['message']}")
    return found


def sentence(told: Mapping[str, Any]) -> str:
    """Say in one sentence how the network is."""
    servers, jobs = len(told["servers"]), told["jobs"]
    head = (
        f"{servers} server{'' if servers == 1 else 's'}, {jobs['running']} running, {jobs['pending']} waiting"
    )
    bad = told["wrong"]
    if not bad:
        return f"{head}; all is well"
    return f"{head}; {bad[0]}" + (f"; and {len(bad) - 1} more" if len(bad) > 1 else "")
