"""The documents of a hub: which kind a path is of, how that is read, and whether it is in its place."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bnet.codec import layout, people
from bnet.codec.documents import Unreadable, decode
from bnet.codec.environments import read_environments
from bnet.codec.letter_paths import ask_key
from bnet.codec.monitoring import read_monitoring
from bnet.codec.notifications import read_notifications
from bnet.codec.replies import read_replies
from bnet.codec.reports import read_reports
from bnet.codec.schedules import complaint_about, read_table
from bnet.codec.sources import complaint_about_source, read_source
from bnet.errors import Invalid
from bnet.model.artifact import Kept, Shared
from bnet.model.base import Record
from bnet.model.environment import Environments, Release, Standing
from bnet.model.hub import Head, Settings
from bnet.model.job import Attempt, Claim, JobResult, JobSpec, Wanted
from bnet.model.lock import Lock
from bnet.model.message import Ask
from bnet.model.monitoring import Monitoring
from bnet.model.notices import Notices
from bnet.model.notify import Notifications
from bnet.model.reply import Replies, TakenUp
from bnet.model.report import Reports, Turns
from bnet.model.schedule import Cursor, Table
from bnet.model.server import Server
from bnet.model.source import Followed, Seen
from bnet.model.state import KeyFile, Rejection

_PARTS: dict[str, type[Record]] = {"job": JobSpec, "wanted": Wanted, "claim": Claim, "result": JobResult}

_FILES: dict[str, type[Record]] = {
    layout.HEAD: Head,
    layout.SETTINGS: Settings,
    layout.ENVIRONMENTS_FILE: Environments,
    layout.MONITORING: Monitoring,
    layout.NOTIFICATIONS: Notifications,
    layout.NOTICES: Notices,
    layout.REPLIES: Replies,
    layout.REPORTS_FILE: Reports,
    layout.TURNS: Turns,
    layout.TAKEN_UP: TakenUp,
}

# Kinds of which there are many, each with what tells from a path which one of them it is, if any.
_NAMED: dict[type[Record], Callable[[str], object]] = {
    Server: layout.server_name,
    Lock: partial(layout.named_in, layout.LOCKS),
    Table: layout.schedule_file,
    Cursor: layout.cursor_file,
    Followed: layout.source_file,
    Seen: layout.seen_file,
    Kept: layout.kept_number,
    Shared: partial(layout.named_in, layout.SHARED),
    Standing: partial(layout.named_in, layout.ENVIRONMENTS),
    Release: partial(layout.named_in, layout.RELEASES),
    Ask: ask_key,
}


def kind_of(path: str, part: tuple[int, str] | None) -> type[Record] | None:
    """Return of which kind the document at a path is, if it is one of a hub's.

    Args:
        path: in the ledger's tree.
        part: which part of which job it is, if it is one.
    """
    if part is not None:
        return _PARTS.get(part[1], Attempt)
    if path in _FILES:
        return _FILES[path]
    if path.startswith(layout.KEYS):
        return KeyFile
    if path.startswith(layout.REJECTED) and path.endswith(".yaml"):
        return Rejection
    return next((kind for kind, name_of in _NAMED.items() if name_of(path) is not None), None)


def misplaced(path: str) -> str:
    """Say why a file that is none of a hub's documents is in the way; "" where it is not."""
    if path + "/" in layout.DIRECTORIES:
        return "is a file where a directory belongs"
    if path.startswith(layout.SETTINGS + "/"):
        return "is in a directory that has taken the place of the settings"
    if path.startswith(layout.SOURCES):
        return complaint_about_source(path)
    return complaint_about(path) if path.startswith(layout.SCHEDULES) else ""


def read(path: str, kind: type[Any], data: bytes) -> tuple[Record | None, str]:
    """Return the record of a document; where it cannot be read, None and what is wrong in words."""
    try:
        if kind in _READERS:
            return _READERS[kind](path, data), ""
        record: Record = decode(kind, data)
        _agree(path, record)
    except Invalid as error:
        return None, str(error)
    except Unreadable as error:
        return None, f"cannot be read: {error}"
    return record, ""


def _plain(kind: type[Any]) -> Callable[[str, bytes], Record]:
    def read_it(path: str, data: bytes) -> Record:
        text = people.parse(data, path)
        record: Record = people.read(text, kind, {} if text.data is None else text.data)
        return record

    return read_it


# What people write, in YAML.
_READERS: Mapping[type[Record], Callable[[str, bytes], Record]] = {
    Settings: _plain(Settings),
    Rejection: _plain(Rejection),
    Environments: lambda path, data: read_environments(data, path),
    Monitoring: lambda path, data: read_monitoring(data, path),
    Notifications: lambda path, data: read_notifications(data, path),
    Reports: lambda path, data: read_reports(data, path),
    Replies: lambda path, data: read_replies(data, path),
    Table: lambda path, data: read_table(data, path, layout.schedule_file(path) or ""),
    Followed: lambda path, data: read_source(data, path, layout.source_file(path) or ""),
}


def _agree(path: str, record: Record) -> None:
    """Refuse a document whose content names another thing than its path does."""
    part = layout.job_part(path)
    says: object
    means: object
    if isinstance(record, JobSpec) and part is not None:
        says, means = record.number, part[0]
    elif isinstance(record, Attempt) and part is not None:
        says, means = f"attempts/{record.attempt}", part[1]
    elif isinstance(record, Kept):
        says, means = record.job, layout.kept_number(path)
    elif isinstance(record, Server | Lock | Shared | Standing | Release):
        says, means = record.name, _NAMED[type(record)](path)
    else:
        return
    if says != means:
        raise Unreadable(f"it is of {says}, but its path is of {means}")
