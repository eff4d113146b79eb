"""The index of the past: a file of SQLite that can be deleted at any time.

Whoever uses it has it alone, by a lock of the host, so that two commands never build it twice. Anything wrong with it
(damaged, of another version, of another hub), and it is made anew; where that is not possible (no room, no right), it
is made in memory, for one question.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from bnet.errors import BnetError
from bnet.host.lock import HostLock
from bnet.model.history import JOB_VERBS, Event, EventQuery, Moved, Past, Query
from bnet.ports.indexes import Chronicle

VERSION = 2  # of the tables, and of what is put in there
PATIENCE = 60.0  # seconds for which another command may be building
FILES_AT_ONCE = 64  # archive files, after which what is done stays done

# What comes of a file that somebody else wrote into: of SQLite, of its texts, of rows that hold other things.
DAMAGED = (sqlite3.DatabaseError, UnicodeDecodeError, msgspec.ValidationError)

T = TypeVar("T")

_JOBS = [name for name in Past.__struct_fields__ if name != "text"]
_EVENT = [name for name in Event.__struct_fields__ if name != "fields"]
_MOVED = Moved.__struct_fields__
_TABLES = f"""
CREATE TABLE {{0}}.jobs(key INTEGER PRIMARY KEY, {", ".join(_JOBS[1:])});
CREATE VIRTUAL TABLE {{0}}.words USING fts5(text, content='', columnsize=0);
"""
_MORE = """
CREATE TABLE main.files(blob TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE main.moves(seq INTEGER PRIMARY KEY, commit_id, at, actor);
CREATE TABLE main.events(seq, place, verb, target, fields, PRIMARY KEY(seq, place)) WITHOUT ROWID;
CREATE INDEX main.targets ON events(target);
CREATE TABLE main.state(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


class Patience(Protocol):
    """Keeps other processes of this machine away."""

    def acquire(self, timeout_s: float) -> None:
        """Wait for it; raise `Taken` after so many seconds."""

    def release(self) -> None:
        """Give it back."""


class LocalIndex:
    """An `Index` (see `ports`) in a file."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet. Beside it stands its lock."""
        self._path = path
        self._lock: Patience = HostLock(path.with_name(path.name + ".lock"))

    def search(self, past: Chronicle, live: Iterable[Past], query: Query) -> list[Past]:
        there = list(live)

        def work(db: sqlite3.Connection) -> list[Past]:
            _read_archive(db, past)
            return _search(db, there, query)

        return self._use(work)

    def events(self, past: Chronicle, query: EventQuery) -> list[Event]:
        def work(db: sqlite3.Connection) -> list[Event]:
            _read_log(db, past)
            return _events(db, query)

        return self._use(work)

    def moves(self, past: Chronicle) -> list[Moved]:
        def work(db: sqlite3.Connection) -> list[Moved]:
            _read_log(db, past)
            found = db.execute("SELECT seq, commit_id, at FROM moves ORDER BY seq")
            return [msgspec.convert(dict(zip(_MOVED, row, strict=True)), Moved) for row in found]

        return self._use(work)

    def _use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._lock.acquire(PATIENCE)
        except (BnetError, OSError):
            return _in_memory(work)
        try:
            for _ in range(2):
                with suppress(*DAMAGED), closing(_opened(str(self._path))) as db:
                    return work(db)
                self._remove()
        except OSError:
            pass  # it can neither be used nor be removed
        finally:
            self._lock.release()
        return _in_memory(work)

    def _remove(self) -> None:
        for path in (self._path, self._path.with_name(self._path.name + "-journal")):
            path.unlink(missing_ok=True)


class _OtherVersion(sqlite3.DatabaseError):
    pass


def _in_memory(work: Callable[[sqlite3.Connection], T]) -> T:
    with closing(_opened(":memory:")) as db:
        return work(db)


def _opened(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA cache_size = -65536")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise _OtherVersion
        if version == 0:
            db.executescript(f"BEGIN;{_TABLES.format('main')}{_MORE}PRAGMA user_version = {VERSION};COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


# -- bringing it up to date


def _read_archive(db: sqlite3.Connection, past: Chronicle) -> None:
    if _state(db, "archive") == past.tip:
        return
    there = past.files()
    known = {row[0] for row in db.execute("SELECT blob FROM files")}
    if not known.issubset(there):  # the hub went back, or another one was adopted
        with _Transaction(db):
            db.execute("DELETE FROM jobs")
            db.execute("DELETE FROM files")
            db.execute("INSERT INTO words(words) VALUES('delete-all')")
        known = set()
    new = (blob for blob in there if blob not in known)
    while blobs := list(islice(new, FILES_AT_ONCE)):
        with _Transaction(db):
            _add(db, "main", past.jobs(blobs))
            db.executemany("INSERT INTO files VALUES(?)", [(blob,) for blob in blobs])
    _keep(db, "archive", past.tip)


def _add(db: sqlite3.Connection, schema: str, jobs: Iterable[Past], *, words: bool = True) -> None:
    """Add jobs that are not there yet; in their order, for which the index of words is made."""
    found = {job.key: job for job in jobs}
    ends = (min(found, default=0), max(found, default=0))
    there = {row[0] for row in db.execute(f"SELECT key FROM {schema}.jobs WHERE key BETWEEN ? AND ?", ends)}
    new = [found[key] for key in sorted(found.keys() - there)]
    rows = ([getattr(job, name) for name in _JOBS] for job in new)
    db.executemany(f"INSERT INTO {schema}.jobs VALUES({', '.join('?' * len(_JOBS))})", rows)
    if words:
        texts = ((job.key, job.text) for job in new)
        db.executemany(f"INSERT INTO {schema}.words(rowid, text) VALUES(?, ?)", texts)


def _read_log(db: sqlite3.Connection, past: Chronicle) -> None:
    before = _state(db, "log")
    if before == past.tip:
        return
    with _Transaction(db):
        if before and not past.holds(before):
            db.execute("DELETE FROM moves")
            db.execute("DELETE FROM events")
            before = ""
        last = db.execute("SELECT max(seq) FROM moves").fetchone()[0]
        seq = -1 if last is None else last
        moves, events = [], []
        for each in past.transactions(before):
            stamp = each.stamp
            if stamp.seq <= seq:
                continue  # a person's commit that quotes an older one, such as a revert
            seq = stamp.seq
            moves.append((seq, stamp.commit, stamp.at.timestamp(), stamp.actor))
            for place, op in enumerate(each.ops):
                verb, _, rest = op.partition(" ")
                target, _, fields = rest.partition(" ")
                events.append((seq, place, verb, target, fields))
        db.executemany("INSERT INTO moves VALUES(?, ?, ?, ?)", moves)
        db.executemany("INSERT INTO events VALUES(?, ?, ?, ?, ?)", events)
        _keep(db, "log", past.tip)


class _Transaction:
    """All of it or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _state(db: sqlite3.Connection, name: str) -> str:
    row = db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])


def _keep(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO state VALUES(?, ?)", (name, value))


# -- answers


def _search(db: sqlite3.Connection, live: Sequence[Past], query: Query) -> list[Past]:
    """Ask the archive and the jobs that are not in it the same question, by the same means."""
    match = _match(query.words)
    db.execute("ATTACH ':memory:' AS live")
    db.executescript(_TABLES.format("live"))
    _add(db, "live", live, words=bool(match))
    found: dict[int, Past] = {}
    for schema in ("main", "live"):
        where, values = _conditions(query)
        source, order = f"{schema}.jobs AS j", "j.key"
        if match:
            source = f"{schema}.words AS w CROSS JOIN {schema}.jobs AS j ON j.key = w.rowid"
            where, values, order = ["w.words MATCH ?", *where], [match, *values], "w.rowid"
        columns = ", ".join(f"j.{name}" for name in _JOBS)
        asked = (
            f"SELECT {columns} FROM {source} WHERE {' AND '.join(where) or '1'} ORDER BY {order} DESC LIMIT ?"
        )
        for row in db.execute(asked, [*values, -1 if query.limit is None else query.limit]):
            past = msgspec.convert(dict(zip(_JOBS, row, strict=True)), Past)
            found[past.key] = past
    db.execute("DETACH live")
    newest = sorted(found.values(), key=lambda past: -past.key)
    return newest[: query.limit]


def _match(words: Sequence[str]) -> str:
    """Return what FTS5 is asked: each word quoted, so that nothing in it is taken for its language."""
    parts = []
    for word in words:
        plain = re.sub(r"[\W_]+", " ", word).strip()
        if plain:
            parts.append(f'"{plain}"' + ("*" if word.endswith("*") else ""))
    return " AND ".join(parts)


def _conditions(query: Query) -> tuple[list[str], list[object]]:
    where: list[str] = []
    values: list[object] = []
    for name in ("name", "server", "submitted_by", "queue", "reason"):
        pattern = getattr(query, name)
        if pattern is not None:
            where.append(f"j.{name} GLOB ?")
            values.append(pattern)
    if query.results:
        where.append(f"j.result IN ({', '.join('?' * len(query.results))})")
        values += query.results
    fenced = [("labels", f"{name}={value}") for name, value in query.labels.items()]
    for column, word in [*fenced, *(("packages", each) for each in query.packages)]:
        where.append(f"instr(j.{column}, ?)")
        values.append(f"\n{word}\n")
    for sign, moment in ((">=", query.since), ("<=", query.until)):
        if moment is not None:
            where.append(f"coalesce(j.finished, j.submitted) {sign} ?")
            values.append(moment)
    if query.asked_until is not None:
        where.append("min(j.submitted, coalesce(j.finished, j.submitted)) <= ?")
        values.append(query.asked_until)
    return where, values


def _events(db: sqlite3.Connection, query: EventQuery) -> list[Event]:
    where: list[str] = []
    values: list[object] = []
    if query.job is not None:
        where.append(f"target = ? AND verb IN ({', '.join('?' * len(JOB_VERBS))})")
        values += [str(query.job), *JOB_VERBS]
    if query.server is not None:
        where.append("(actor = ? OR target = ? OR instr(' ' || fields || ' ', ?))")
        values += [query.server, query.server, f" server={query.server} "]
    for column, sign, value in (
        ("verb", "=", query.verb),
        ("at", ">=", query.since),
        ("at", "<=", query.until),
        ("seq", ">", query.after),
    ):
        if value is not None:
            where.append(f"{column} {sign} ?")
            values.append(value)
    asked = (
        "SELECT seq, commit_id, at, actor, verb, target, fields FROM moves JOIN events USING(seq)"
        f" WHERE {' AND '.join(where) or '1'} ORDER BY seq DESC, place DESC LIMIT ?"
    )
    rows = db.execute(asked, [*values, -1 if query.limit is None else query.limit]).fetchall()
    return [_event(row[:-1], row[-1]) for row in reversed(rows)]


def _event(row: Sequence[object], fields: object) -> Event:
    pairs = (word.partition("=") for word in str(fields).split(" ") if word)
    named = {name: value for name, equals, value in pairs if equals}
    return msgspec.convert(dict(zip(_EVENT, row, strict=True)) | {"fields": named}, Event)
