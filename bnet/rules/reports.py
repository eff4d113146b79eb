"""Reports that come by the clock: which is due, what is written down of it, and where it has yet to be sent.

Of firings that nobody was awake for, the newest one is made up for: the periods of those before it are in the ledger,
and `bnet report NAME --at TIME` gives them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.model.report import Figures, Ordered, Owed, Turn, Turns
from bnet.model.state import State
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction
from bnet.rules.wallclock import moments

AHEAD = timedelta(minutes=15)  # a turn further in the future was written by a wrong clock
REACHES = tuple(timedelta(hours=hours) for hours in (1, 24, 960, 9600))
GIVEN_UP = timedelta(days=2)  # after which a report that gets nowhere is not tried any more
TARGET = "reports/"  # of changes


class Firing(msgspec.Struct, frozen=True):
    """A report that is due: its name, and the time that it is for."""

    name: str
    at: datetime


def due(state: State, now: datetime) -> list[Firing]:
    """Return the reports whose time has come."""
    found = []
    for name, ordered in sorted(state.reports.items()):
        turn = state.turns.get(name)
        if turn is None or ordered.times is None or not _is_known(ordered, turn, now):
            continue
        at = _newest(ordered, turn.until, now)
        if at is not None:
            found.append(Firing(name, at))
    return found


def is_stale(state: State, now: datetime) -> bool:
    """Tell whether there are reports that are new, edited, or no more, so that this is to be written down."""
    timed = {name: each for name, each in state.reports.items() if each.times is not None}
    if timed.keys() != state.turns.keys():
        return True
    return any(not _is_known(each, state.turns[name], now) for name, each in timed.items())


def next_due(state: State, now: datetime) -> datetime | None:
    """Return when the next report comes; None if none does."""
    coming = [
        next(moments(each.times, each.report.timezone, now), None)
        for each in state.reports.values()
        if each.times is not None
    ]
    return min((each for each in coming if each is not None), default=None)


def rest_until_due(state: State, now: datetime) -> float | None:
    """Return for how many seconds, at least one, no report comes; None if none ever does."""
    coming = next_due(state, now)
    return None if coming is None else max(1.0, (coming - now).total_seconds())


def _is_known(ordered: Ordered, turn: Turn, now: datetime) -> bool:
    return turn.version == ordered.version and turn.until <= now + AHEAD


def _newest(ordered: Ordered, until: datetime, now: datetime) -> datetime | None:
    """Return the newest firing after one time and until another; a look further back costs more."""
    assert ordered.times is not None
    for reach in REACHES:
        since, newest = max(until, now - reach), None
        for at in moments(ordered.times, ordered.report.timezone, since):
            if at > now:
                break
            newest = at
        if newest is not None or since == until:
            return newest
    return None


def take_up(tx: Transaction) -> None:
    """Write down that reports are new, edited or no more: each counts from then on."""
    turns = dict(_turns(tx))
    for name, ordered in tx.state.reports.items():
        turn = turns.get(name)
        if ordered.times is None or (turn is not None and _is_known(ordered, turn, tx.now)):
            continue
        # What a wrong clock has made before its time would stand in the way of what comes then.
        early = [at for at in kept_of(tx.state, name) if at > tx.now + AHEAD]
        rewound = bool(early) or (turn is not None and turn.until > tx.now + AHEAD)
        files: dict[str, bytes | None] = {layout.report_path(name, at): None for at in early}
        owed = {} if turn is None else _without(turn.owed, early)
        turns[name] = Turn(version=ordered.version, until=tx.now, owed=owed)
        fields: dict[str, str | int] = {"rewound": 1} if rewound else {}
        tx.apply(Change(verb="expect", target=TARGET + name, fields=fields, files=files))
    for name in turns.keys() - {name for name, each in tx.state.reports.items() if each.times is not None}:
        del turns[name]
        tx.apply(Change(verb="forget-report", target=TARGET + name))
    _write(tx, turns)


def keep(tx: Transaction, firing: Firing, figures: Figures) -> None:
    """Keep a report, unless another server has meanwhile; of its elders, those that are too many go."""
    ordered, turns = tx.state.reports.get(firing.name), dict(_turns(tx))
    turn = turns.get(firing.name)
    if ordered is None or turn is None or turn.version != ordered.version or turn.until >= firing.at:
        return
    path = layout.report_path(firing.name, firing.at)
    old = kept_of(tx.state, firing.name)
    files: dict[str, bytes | None] = {path: encode(figures)}
    gone = old[: max(0, len(old) + 1 - ordered.report.keep)]
    files |= {layout.report_path(firing.name, at): None for at in gone}
    owed = _without(turn.owed, gone)
    if ordered.report.deliver:
        owed[stamp(firing.at)] = Owed(to=ordered.report.deliver, since=tx.now)
    turns[firing.name] = replace(turn, until=firing.at, owed=owed)
    fields: dict[str, str | int] = {"at": stamp(firing.at), "jobs": figures.now.ended}
    tx.apply(Change(verb="report", target=TARGET + firing.name, fields=fields, files=files))
    _write(tx, turns)


def _without(owed: Mapping[str, Owed], gone: Iterable[datetime]) -> dict[str, Owed]:
    keys = {stamp(at) for at in gone}
    return {key: each for key, each in owed.items() if key not in keys}


def is_over(owed: Owed, key: str, now: datetime) -> bool:
    """Tell whether a report was to be sent for so long that it is given up."""
    return now - (owed.since or _time_of(key)) > GIVEN_UP


def delivered(tx: Transaction, name: str, key: str, before: Owed, outcomes: Mapping[str, str]) -> None:
    """Write down how the sending of a report went.

    Args:
        tx: the transaction.
        name, key: of the report.
        before: where it had to be sent.
        outcomes: each address that this means -> what went wrong, "" where nothing did.
    """
    turns = dict(_turns(tx))
    turn = turns.get(name)
    if turn is None or turn.owed.get(key) != before:
        return  # another one has tried as well
    left = tuple(target for target, why in outcomes.items() if why)
    trouble = "; ".join(dict.fromkeys(outcomes[target] for target in left))[:300]
    over = bool(left) and is_over(before, key, tx.now)
    owed = {at: each for at, each in turn.owed.items() if at != key}
    if left and not over:
        owed[key] = replace(before, to=left, trouble=trouble)
    if owed == turn.owed:
        return
    sent = [target for target in outcomes if target not in left]
    verb = "deliver" if sent or not left else "undelivered"
    fields: dict[str, str | int] = {"at": key, "to": ",".join(sent or left or before.to)}
    note = "given up: " + trouble[:100] if over else trouble[:100] if left else ""
    tx.apply(Change(verb=verb, target=TARGET + name, note=note, fields=fields))
    turns[name] = replace(turn, owed=owed)
    _write(tx, turns)


def kept_of(state: State, name: str) -> list[datetime]:
    """Return the times that the kept reports of a name are for, the oldest first."""
    found = (layout.report_of(path) for path in state.reported)
    return sorted(each[1] for each in found if each is not None and each[0] == name)


def stamp(at: datetime) -> str:
    """Return the key of what is owed: the time of a kept report."""
    return f"{at:%Y-%m-%dT%H:%MZ}"


def _time_of(key: str) -> datetime:
    return datetime.strptime(f"{key}+0000", "%Y-%m-%dT%H:%MZ%z")


def _turns(tx: Transaction) -> Mapping[str, Turn]:
    written = tx.documents.get(layout.TURNS)
    return written.turns if isinstance(written, Turns) else tx.state.turns


def _write(tx: Transaction, turns: Mapping[str, Turn]) -> None:
    if turns != _turns(tx):
        tx.documents[layout.TURNS] = Turns(turns=dict(turns))
