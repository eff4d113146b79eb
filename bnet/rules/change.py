"""A transition as a value: what it makes of which records, and how the history tells it."""

import msgspec

from bnet.model.base import Record
from bnet.model.job import Job
from bnet.model.lock import Lock
from bnet.model.server import Server


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    The commit's subject says `verb subject (note)`, its `Bnet-Op` trailer `op target key=value ...`.

    Attributes:
        verb: one word for people and programs: `claim`, `finish`, `submit`, ...
        target: what it happened to, as `#12` or a name.
        note: a word more for people.
        fields: what a program wants to know.
        jobs: the jobs as they are afterwards.
        servers: the registrations as they are afterwards.
        locks: the locks as they are afterwards; one that nobody holds or waits for is no more.
        gone: the jobs that left for the archive.
        documents: other documents as they are afterwards, None where one is removed, by path.
        files: other files, likewise.
    """

    verb: str
    target: str
    note: str = ""
    fields: dict[str, str | int] = {}
    jobs: tuple[Job, ...] = ()
    servers: tuple[Server, ...] = ()
    locks: tuple[Lock, ...] = ()
    dismissed: tuple[str, ...] = ()
    gone: tuple[int, ...] = ()
    documents: dict[str, Record] = {}
    files: dict[str, bytes | None] = {}
    jobs_made: int = 0
