"""This machine's index of messages, in SQLite; and which of them have been read here."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from bnet.files import append_lines, read_or_none
from bnet.model.message import Ack, Entry
from bnet.ports.hub import Acked
from bnet.ports.indexes import LettersLost

VERSION = 2
PATIENCE = 30.0  # seconds that one process waits for another's change
AT_ONCE = 500  # values in one question; SQLite allows 32,766, older ones 999
_TABLES = """
CREATE TABLE shows (tip TEXT NOT NULL);
INSERT INTO shows VALUES ('');
CREATE TABLE entries (path TEXT PRIMARY KEY, key TEXT, id TEXT, thread TEXT, at REAL, asks INTEGER, broken INTEGER,
    data BLOB);
CREATE INDEX by_id ON entries (id);
CREATE INDEX by_thread ON entries (thread);
CREATE INDEX by_key ON entries (key);
CREATE INDEX by_asks ON entries (key) WHERE asks;
CREATE INDEX by_broken ON entries (key) WHERE broken;
CREATE TABLE acks (path TEXT PRIMARY KEY, key TEXT, data BLOB);
CREATE INDEX acks_by_key ON acks (key);
"""
# What comes of a file that somebody else wrote into: of SQLite, of its texts, of a table without its one row.
DAMAGED = (sqlite3.DatabaseError, msgspec.DecodeError, UnicodeDecodeError, TypeError)
_ORDER = "ORDER BY at, key"
_entries = msgspec.msgpack.Decoder(Entry)
_acks = msgspec.msgpack.Decoder(Ack)
_encode = msgspec.msgpack.encode


class LetterIndex:
    """The `Letters` port on a file; one that is damaged or of another version is begun anew."""

    def __init__(self, path: Path | None) -> None:
        """Keep where the file is; None for one in memory. Its directory is there."""
        self._path = path
        self._open: sqlite3.Connection | None = None
        self._file: int | None = None

    def tip(self) -> str:
        with self._db() as db:
            return str(db.execute("SELECT tip FROM shows").fetchone()[0])

    @contextmanager
    def still(self) -> Iterator[str]:
        with self._db() as db:
            db.execute("BEGIN")
            shown = str(db.execute("SELECT tip FROM shows").fetchone()[0])
        try:
            yield shown
        finally:
            # A question that found it damaged has closed it.
            if self._open is not None and self._open.in_transaction:
                self._open.execute("ROLLBACK")

    def alone(self) -> "LetterIndex":
        self.close()
        return LetterIndex(None)

    def advance(
        self, old: str, new: str, *, gone: Sequence[str], put: Sequence[Entry], acks: Sequence[Acked]
    ) -> bool:
        with self._db() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                if old and db.execute("SELECT tip FROM shows").fetchone()[0] != old:
                    return False
                if old:
                    db.executemany("DELETE FROM entries WHERE path = ?", ((path,) for path in gone))
                    db.executemany("DELETE FROM acks WHERE path = ?", ((path,) for path in gone))
                else:
                    db.execute("DELETE FROM entries")
                    db.execute("DELETE FROM acks")
                rows = ((_path(each), *_columns(each)) for each in put)
                db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
                told = ((each.path, each.key, _encode(each.ack)) for each in acks)
                db.executemany("INSERT OR REPLACE INTO acks VALUES (?, ?, ?)", told)
                db.execute("UPDATE shows SET tip = ?", (new,))
                db.execute("COMMIT")
                return True
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def every(self) -> list[Entry]:
        return self._found(f"SELECT data FROM entries {_ORDER}")

    def some(self, keys: Sequence[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for part in _parts(keys):
            marks = ",".join("?" * len(part))
            listed = self._found(f"SELECT data FROM entries WHERE key IN ({marks})", *part)
            found.update((each.key, each) for each in listed)
        return found

    def named(self, beginning: str) -> list[Entry]:
        where = "WHERE id >= ? AND id < ?"
        return self._found(f"SELECT data FROM entries {where} {_ORDER}", beginning, beginning + "\U0010ffff")

    def thread(self, thread: str) -> list[Entry]:
        return self._found(f"SELECT data FROM entries WHERE thread = ? {_ORDER}", thread)

    def asking(self) -> list[str]:
        with self._db() as db:
            return [key for (key,) in db.execute("SELECT key FROM entries WHERE asks ORDER BY key")]

    def broken(self) -> list[Entry]:
        return self._found("SELECT data FROM entries WHERE broken ORDER BY key")

    def acks(self, keys: Sequence[str] | None = None) -> dict[str, list[Ack]]:
        found: dict[str, list[Ack]] = {}
        with self._db() as db:
            for part in [None] if keys is None else _parts(keys):
                where = "" if part is None else f"WHERE key IN ({','.join('?' * len(part))})"
                for key, data in db.execute(f"SELECT key, data FROM acks {where}", part or []):
                    found.setdefault(key, []).append(_acks.decode(data))
        for acks in found.values():
            acks.sort(key=lambda each: (each.at, each.who))
        return found

    def oldest_day(self) -> str | None:
        with self._db() as db:
            # A key begins with its year, and what is no message with "messages/".
            found = db.execute("SELECT min(key) FROM entries WHERE key >= '0' AND key < ':'").fetchone()
            return None if found[0] is None else str(found[0])[:10]

    def close(self) -> None:
        """Let go of the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _found(self, question: str, *values: str) -> list[Entry]:
        with self._db() as db:
            return [_entries.decode(data) for (data,) in db.execute(question, values)]

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        """Give the database.

        Raises:
            LettersLost: whatever is wrong with the file, it is removed, and the next question finds it empty.
        """
        if self._open is None:
            self._open = self._opened()
        try:
            yield self._open
        except DAMAGED as error:
            if _is_taken(error):
                self.close()
            else:
                self._discard()
            raise LettersLost(f"the index of messages in BNET_HOME cannot be used: {error}") from None

    def _opened(self) -> sqlite3.Connection:
        for _ in range(2):
            db = None
            try:
                self._file = self._inode()
                db = sqlite3.connect(self._path or ":memory:", timeout=PATIENCE, isolation_level=None)
                self._prepare(db)
                self._file = self._inode()
                return db
            except DAMAGED as error:
                if db is not None:
                    db.close()
                if _is_taken(error):
                    break
                self._discard()
        return self._in_memory()

    @staticmethod
    def _prepare(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA synchronous = NORMAL")
        if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            db.execute("SELECT tip FROM shows").fetchone()
            return
        db.execute("BEGIN IMMEDIATE")
        for name in ("shows", "entries", "acks"):
            db.execute(f"DROP TABLE IF EXISTS {name}")
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")

    def _in_memory(self) -> sqlite3.Connection:
        """Return a database for this process alone, where the disk takes none."""
        db = sqlite3.connect(":memory:", isolation_level=None)
        self._prepare(db)
        return db

    def _discard(self) -> None:
        self.close()
        # Another process may have done so, and begun anew.
        if self._path is not None and self._inode() == self._file:
            for ending in ("", "-journal", "-wal", "-shm"):
                with suppress(OSError):
                    self._path.with_name(self._path.name + ending).unlink(missing_ok=True)

    def _inode(self) -> int | None:
        try:
            return None if self._path is None else self._path.stat().st_ino
        except OSError:
            return None


def _is_taken(error: Exception) -> bool:
    """Tell a file that another process works on from one that is damaged."""
    return "locked" in str(error)


class ReadMarks:
    """Which messages have been read on this machine: a file with a key a line, to which is only added."""

    def __init__(self, path: Path) -> None:
        """Keep the file; its directory is there."""
        self._path = path

    def all(self) -> frozenset[str]:
        """Return the keys of the messages that were read."""
        data = read_or_none(self._path) or b""
        return frozenset(data.decode(errors="replace").split("\n"))

    def add(self, keys: Sequence[str]) -> None:
        """Note that messages have been read."""
        known = self.all()
        new = [key for key in keys if key not in known]
        if new:
            append_lines(self._path, new)


def _path(entry: Entry) -> str:
    """Return the path of an entry's file; of what is no message, the key is that."""
    from bnet.codec.letter_paths import is_key, message_path

    return message_path(entry.key) if is_key(entry.key) else entry.key


def _columns(entry: Entry) -> tuple[object, ...]:
    at = entry.at.timestamp()
    return entry.key, entry.id, entry.thread, at, entry.asks, bool(entry.problem), _encode(entry)


def _parts(keys: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), AT_ONCE):
        yield list(keys[start : start + AT_ONCE])
