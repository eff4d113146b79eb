"""Servers that are not seen, seen too rarely, or come and go."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise

from bnet.health.facts import Beat, Certainty, Facts, Finding, Seen, Severity, after
from bnet.health.words import numbers, span
from bnet.model.server import Server
from bnet.rules.leases import BEAT_SHARE
from bnet.rules.presence import silent_after, ttl_of

SLOW_SHARE = 1.25  # of the pause between two heartbeats, and then ...
CRON_S = 60.0  # ... the minute that cron takes to look
OFTEN = 3  # times in a day that a server went away, and it counts as flapping
DAY = timedelta(days=1)


def lost(facts: Facts) -> Iterable[Finding]:
    """Name the servers that should have been seen since."""
    gone = [each for each in facts.state.servers.values() if facts.is_lost(each)]
    for server in gone:
        yield _lost(server, facts, alone=len(gone) < len(facts.state.servers))


def _lost(server: Server, facts: Facts, *, alone: bool) -> Finding:
    name, seen = server.name, facts.seen.get(server.name, Seen())
    age, held = facts.age_s(name), facts.held(name)
    severity: Severity = "critical" if held or server.wanted == "active" else "warning"
    if seen.beat is None or age is None:
        return Finding(
            rule="server-lost",
            about=name,
            severity=severity,
            text=f"{name} has joined and was never seen",
            since=server.joined_at,
            evidence={"age_s": None, "wanted": server.wanted, "jobs": len(held)},
            advice=f"on {name}: bnet doctor; or, if it is gone for good: bnet server remove {name}",
        )
    limit = facts.silent_after(name)
    sure: Certainty = "observed" if seen.least_s > limit else "clocks"
    doubt = "" if sure == "observed" or alone or len(facts.state.servers) < 2 else _DOUBT
    holding = f"; it holds {numbers(held)}" if held else ""
    return Finding(
        rule="server-lost",
        about=name,
        severity=severity,
        text=f"{name} was last seen {span(age)} ago{holding}{doubt}",
        since=after(facts.time, -age),
        sure=sure,
        evidence={"age_s": round(age, 1), "after_s": limit, "wanted": server.wanted, "jobs": len(held)},
        advice=f"on {name}: bnet doctor; or, if it is gone for good: bnet server remove {name}",
    )


_DOUBT = "; no server was seen, so it may be the hub, or this machine's clock"


def slow(facts: Facts) -> Iterable[Finding]:
    """Name the servers whose heartbeat is late, and that are not lost yet."""
    settings, servers = facts.state.settings, facts.state.servers
    for server in servers.values():
        age, held = facts.age_s(server.name), facts.held(server.name)
        pause = (
            ttl_of(settings, len(servers)) * BEAT_SHARE if held else float(settings.intervals.idle_heartbeat)
        )
        if age is None or facts.is_lost(server) or age <= pause * SLOW_SHARE + CRON_S:
            continue
        yield Finding(
            rule="server-slow",
            about=server.name,
            severity="warning",
            text=f"{server.name} was last seen {span(age)} ago, and is to be seen every {span(pause)}",
            since=after(facts.time, pause - age),
            sure="observed" if facts.seen[server.name].least_s >= age else "clocks",
            evidence={"age_s": round(age, 1), "pause_s": pause, "jobs": len(held)},
            advice=f"on {server.name}: bnet doctor (is it overloaded, or its way to the hub?)",
        )


def flapping(facts: Facts) -> Iterable[Finding]:
    """Name the servers that went away again and again in the last day.

    Gaps are between two heartbeats of one clock, so that no clocks are compared. A server says itself when it
    came back; what its ref still holds counts too, for an older bnet does not.
    """
    settings, count = facts.state.settings, len(facts.state.servers)
    limits = {holds: silent_after(settings, count, holds=holds) for holds in (True, False)}
    for name, seen in facts.seen.items():
        if seen.beat is None or name not in facts.state.servers:
            continue
        newest = Beat(seen.beat.at, seen.beat.boot_id, bool(seen.beat.runs))
        beats = [each for each in (newest, *seen.earlier) if newest.at - each.at <= DAY]
        told = [each for each in seen.beat.returns if newest.at - each.at <= DAY]
        gaps = len(
            {
                later.at
                for later, before in _pairs(beats)
                if (later.at - before.at).total_seconds() > limits[before.holds]
            }
            | {each.at for each in told if not each.boot}
        )
        boots = len(
            {later.at for later, before in _pairs(beats) if later.boot_id != before.boot_id}
            | {each.at for each in told if each.boot}
        )
        lost_runs = _lost_runs(name, facts)
        worst = max((gaps, "was silent"), (boots, "was started anew"), (len(lost_runs), "lost what it ran"))
        if worst[0] >= OFTEN:
            yield Finding(
                rule="server-flapping",
                about=name,
                severity="warning",
                text=f"{name} {worst[1]} {worst[0]} times in a day",
                evidence={"gaps": gaps, "boots": boots, "lost_runs": len(lost_runs)},
                advice=f"bnet server pause {name} --reason flapping, and see what its system log says",
            )


def _pairs(beats: Sequence[Beat]) -> Iterable[tuple[Beat, Beat]]:
    return pairwise(beats)


def _lost_runs(name: str, facts: Facts) -> list[str]:
    return [
        attempt.run
        for job in facts.state.jobs.values()
        for attempt in job.attempts
        if attempt.server == name and attempt.reason == "lost" and facts.time - attempt.finished_at <= DAY
    ]
