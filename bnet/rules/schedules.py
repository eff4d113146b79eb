"""What people want of schedules: paused, or not any more."""

from collections.abc import Mapping

from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.shown import escaped
from bnet.model.schedule import Cursor, Entry, Pause, Table
from bnet.model.state import State
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.transaction import Transaction

MOST_NAMED = 12  # names in a message
MOST_PAUSED = 200  # of one file by commands: its cursor holds a million bytes
LONGEST_REASON = 500  # characters


def find(state: State, name: str) -> tuple[Table, Entry]:
    """Return a schedule and its file.

    Args:
        state: the ledger.
        name: in full; or, of a schedule in a file of several, the part behind the slash where that is unique.

    Raises:
        Illegal: there is none, or there are several.
    """
    everything = {full: table for table in state.schedules.values() for full in table.entries}
    found = [name] if name in everything else [full for full in everything if full.endswith(f"/{name}")]
    shown = escaped(name[:80])
    if len(found) > 1:
        raise Illegal(f"there are several schedules {shown}: {_some(found)}")
    if not found:
        raise Illegal(f"there is no schedule {shown}; the schedules are: {_some(sorted(everything))}")
    table = everything[found[0]]
    return table, table.entries[found[0]]


def cursor_of(tx: Transaction, stem: str) -> Cursor | None:
    """Return how far a file was fired, with what this transaction has done so far."""
    found = tx.documents.get(layout.cursor_path(stem)) or tx.state.cursors.get(stem)
    assert found is None or isinstance(found, Cursor)
    return found


def active_of(table: Table, cursor: Cursor) -> dict[str, Entry]:
    """Return the schedules of a file that nobody has paused."""
    paused: Mapping[str, Pause] = cursor.paused
    return {
        name: entry for name, entry in table.entries.items() if entry.paused is None and name not in paused
    }


def pause(tx: Transaction, name: str, *, by: str, reason: str) -> Change:
    """Let a schedule fire no more until it is resumed."""
    table, entry = find(tx.state, name)
    cursor = cursor_of(tx, table.stem) or Cursor(until=tx.now)
    paused = {**cursor.paused, entry.name: Pause(by=by[:200], at=tx.now, reason=reason[:LONGEST_REASON])}
    if len(paused) > MOST_PAUSED:
        path = f"{layout.SCHEDULES}{table.stem}.yaml"
        raise Illegal(f"{MOST_PAUSED} schedules of {path} are paused by commands; say `paused:` in there")
    return _said(table, replace(cursor, paused=paused), "pause", entry.name, by, reason)


def resume(tx: Transaction, name: str, *, by: str) -> Change:
    """Let a paused schedule fire again, from now on.

    Raises:
        Illegal: it is not paused, or its file says that it is.
    """
    table, entry = find(tx.state, name)
    cursor = cursor_of(tx, table.stem) or Cursor(until=tx.now)
    if entry.name not in cursor.paused:
        if entry.paused is not None:
            path = f"{layout.SCHEDULES}{table.stem}.yaml"
            raise Illegal(f"{entry.name} is paused in {path}; take `paused` out there")
        raise Illegal(f"schedule {entry.name} is not paused")
    # Without being known, it is taken for a new one: what it missed meanwhile is not made up for.
    paused = {each: said for each, said in cursor.paused.items() if each != entry.name}
    known = {each: version for each, version in cursor.known.items() if each != entry.name}
    owed = {each: row for each, row in cursor.owed.items() if each != entry.name}
    after = replace(cursor, paused=paused, known=known, owed=owed)
    return _said(table, after, "resume", entry.name, by, "")


def _said(table: Table, cursor: Cursor, verb: str, name: str, by: str, note: str) -> Change:
    path = layout.cursor_path(table.stem)
    fields: dict[str, str | int] = {"schedule": name, "by": by}
    return Change(verb=f"{verb}-schedule", target=name, note=note, fields=fields, documents={path: cursor})


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return (", ".join(names[:MOST_NAMED]) or "none") + (f" and {more} more" if more > 0 else "")
