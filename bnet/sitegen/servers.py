"""The servers: what each is, does, and has to say of itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from bnet.sitegen.actions import Action, Actions
from bnet.sitegen.facts import Facts
from bnet.sitegen.overview import Present, ServerCard
from bnet.sitegen.page import Part
from bnet.sitegen.rows import BAD, Row, row_of
from bnet.sitegen.theme import Theme

MOST_SERVERS = 150  # with all that is known of each
MOST_RUNS = 5
MOST_OFFERED = 60  # of which the page says what may be asked for: it has 300 kB


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a server's runs of late come to: how many, which share of them succeeded."""

    runs: int
    share: float | None


class ServerView(msgspec.Struct, frozen=True, kw_only=True):
    """A server with all that is known of it."""

    card: ServerCard
    labels: Mapping[str, str]
    accept: str
    version: str
    joined: datetime
    load: str
    memory: tuple[float | None, float | None]
    free: float | None
    uptime: float | None
    running: Sequence[Row]
    recent: Sequence[Row]
    figures: Figures
    actions: Sequence[Action]


def part(facts: Facts, theme: Theme, at: Present) -> Part:
    """Return the page of the servers."""
    recent: dict[str, list[Row]] = {}
    counts: dict[str, list[bool]] = {}
    for past in facts.past:
        if past.server is None or past.finished is None:
            continue
        counts.setdefault(past.server, []).append(past.result not in BAD)
        if len(rows := recent.setdefault(past.server, [])) < MOST_RUNS:
            rows.append(row_of(past))
    running: dict[str, list[Row]] = {}
    for each in at.running:
        running.setdefault(each.row.server, []).append(each.row)
    actions = Actions(facts.new_file)
    shown = [
        _view(
            actions,
            card,
            told,
            facts,
            running.get(card.name, ()),
            recent.get(card.name, ()),
            counts.get(card.name, ()),
        )
        for card, told in zip(at.servers, at.told["servers"], strict=True)
    ]
    shown[MOST_OFFERED:] = [replace(each, actions=()) for each in shown[MOST_OFFERED:]]
    return theme.part("servers.html", "servers.html", facts, view=shown[:MOST_SERVERS], total=len(shown))


def _view(
    actions: Actions,
    card: ServerCard,
    told: Mapping[str, Any],
    facts: Facts,
    running: Sequence[Row],
    recent: Sequence[Row],
    counts: Sequence[bool],
) -> ServerView:
    beat, server = facts.beats.get(card.name), facts.state.servers[card.name]
    metrics = {} if beat is None else beat.metrics
    loads = [metrics.get(name) for name in ("load1", "load5", "load15")]
    takes = [*(f"queue {each}" for each in server.accept.queues), *server.accept.submitters]
    return ServerView(
        card=card,
        labels=server.labels,
        accept=", ".join(takes),
        version=server.version,
        joined=server.joined_at,
        load=" · ".join(f"{each:.2f}" for each in loads if each is not None),
        memory=(metrics.get("memory_used"), metrics.get("memory_total")),
        free=metrics.get("disk_free"),
        uptime=metrics.get("uptime_s"),
        running=running[:20],
        recent=recent,
        actions=list(actions.of_server(card.name, server.wanted)),
        figures=Figures(runs=len(counts), share=sum(counts) / len(counts) if counts else None),
    )
