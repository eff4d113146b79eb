"""What people do about what they are told: take it on, or want to hear nothing for a while."""

from collections.abc import Sequence

from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError
from bnet.model.notices import Notices, Silence
from bnet.notify.intake import MOST_SILENCES
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction


def acknowledge(tx: Transaction, keys: Sequence[str], by: str) -> list[str]:
    """Take troubles on, by their keys or unique beginnings of them; return those that nobody had.

    Raises:
        AnswerNo: there is no such trouble, or several are meant.
    """
    notices = tx.state.notices or Notices()
    alerts, fresh = dict(notices.alerts), []
    for word in keys:
        key = _meant(word, notices)
        if not alerts[key].acked_by:
            alerts[key] = replace(alerts[key], acked_by=by, acked_at=tx.now)
            fresh.append(key)
    if fresh:
        changes = [Change(verb="ack-alert", target=key, fields={"by": by}) for key in fresh]
        _keep(tx, replace(notices, alerts=alerts), changes)
    return fresh


def _meant(word: str, notices: Notices) -> str:
    if word in notices.alerts:
        return word
    found = [key for key in notices.alerts if key.startswith(word)]
    if len(found) != 1:
        told = "several open troubles begin so" if found else "no open trouble is called so"
        raise AnswerNo(f"{escaped(word)}: {told}", hint="`bnet notify ack` without a key lists them")
    return found[0]


def silence(tx: Transaction, wanted: Silence) -> str:
    """Begin a silence, and return its name.

    Raises:
        BnetError: there are too many.
    """
    notices = tx.state.notices or Notices()
    kept = {name: each for name, each in notices.silences.items() if each.until > tx.now}
    if len(kept) >= MOST_SILENCES:
        raise BnetError(
            f"there are {len(kept)} silences already", hint="`bnet notify silence --end ID` ends one"
        )
    name = f"s{tx.seq}"
    note = f"{' '.join(wanted.events)} until {wanted.until:%Y-%m-%dT%H:%M:%SZ}: {wanted.reason}"
    change = Change(verb="silence", target=name, note=note[:200], fields={"by": wanted.by})
    _keep(tx, replace(notices, silences={**kept, name: wanted}), [change])
    return name


def unsilence(tx: Transaction, name: str, by: str) -> None:
    """End a silence.

    Raises:
        AnswerNo: there is none of that name.
    """
    notices = tx.state.notices or Notices()
    if name not in notices.silences:
        raise AnswerNo(f"there is no silence {escaped(name)}", hint="`bnet notify silence` lists them")
    kept = {each: record for each, record in notices.silences.items() if each != name}
    change = Change(verb="unsilence", target=name, fields={"by": by})
    _keep(tx, replace(notices, silences=kept), [change])


def _keep(tx: Transaction, notices: Notices, changes: list[Change]) -> None:
    tx.apply(replace(changes[0], documents={layout.NOTICES: notices}), *changes[1:])
