"""What people want of sources: paused, or not any more."""

from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.shown import escaped
from bnet.model.schedule import Pause
from bnet.model.source import Followed, Seen
from bnet.model.state import State
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.transaction import Transaction

LONGEST_REASON = 500  # characters


def find_source(state: State, name: str) -> Followed:
    """Return a source.

    Raises:
        Illegal: there is none of that name.
    """
    found = state.sources.get(name)
    if found is None:
        there = ", ".join(sorted(state.sources)) or "none"
        raise Illegal(f"there is no source {escaped(name)[:80]}; the sources are: {there}")
    return found


def seen_of(tx: Transaction, name: str) -> Seen:
    """Return what was seen of a source, with what this transaction has done so far."""
    found = tx.documents.get(layout.seen_path(name)) or tx.state.seen.get(name) or Seen()
    assert isinstance(found, Seen)
    return found


def paused_because(source: Followed, seen: Seen) -> str | None:
    """Return why a source is not looked at, by a command or by its file; None if it is."""
    return source.asked.paused if seen.paused is None else seen.paused.reason


def pause_source(tx: Transaction, name: str, *, by: str, reason: str) -> Change:
    """Let a source be looked at no more until it is resumed."""
    source = find_source(tx.state, name)
    paused = Pause(by=by[:200], at=tx.now, reason=reason[:LONGEST_REASON])
    return _said("pause", source.name, replace(seen_of(tx, name), paused=paused), by, reason)


def resume_source(tx: Transaction, name: str, *, by: str) -> Change:
    """Let a paused source be looked at again.

    Raises:
        Illegal: it is not paused, or its file says that it is.
    """
    source, seen = find_source(tx.state, name), seen_of(tx, name)
    if seen.paused is None:
        if source.asked.paused is not None:
            raise Illegal(f"{name} is paused in {layout.source_path(name)}; take `paused` out there")
        raise Illegal(f"source {name} is not paused")
    return _said("resume", name, replace(seen, paused=None), by, "")


def _said(verb: str, name: str, seen: Seen, by: str, note: str) -> Change:
    fields: dict[str, str | int] = {"source": name, "by": by}
    path = layout.seen_path(name)
    return Change(verb=f"{verb}-source", target=name, note=note, fields=fields, documents={path: seen})
