"""From the files of the ledger to a state: what changed is parsed, what did not is kept."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from bnet.codec import layout
from bnet.codec.kinds import kind_of, misplaced, read
from bnet.codec.letter_paths import ask_key
from bnet.model.artifact import Kept, Shared
from bnet.model.base import Record
from bnet.model.environment import Environments, Release, Standing
from bnet.model.hub import Head, Settings
from bnet.model.job import Attempt, Claim, Job, JobResult, JobSpec, Wanted
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
from bnet.model.state import InboxFile, KeyFile, Problem, Rejection, State

Older = Callable[[str], Iterable[tuple[str, bytes]]]
"""path -> (commit, content) of its earlier versions, newest first."""


class File(msgspec.Struct, frozen=True):
    """A file of a commit; `data` is None for what is not read: a symlink, a submodule, a huge file."""

    data: bytes | None
    note: str = ""
    commit: str = ""
    author: str = ""


Changes = Mapping[str, File | None]
"""path -> its new content, or None where it is gone."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger at one commit: its files as bytes, the records in them, and the state that they make.

    A view is never changed; `advance` gives the next one and shares with it all that stayed the same.
    """

    files: Mapping[str, bytes] = {}
    records: Mapping[str, Record] = {}
    parts: Mapping[int, Mapping[str, Record]] = {}
    jobs: Mapping[int, Job] = {}
    inbox: Mapping[str, InboxFile] = {}
    archive: frozenset[str] = frozenset()
    problems: Mapping[str, Problem] = {}
    restore: Mapping[str, bytes | None] = {}


def advance(view: View, changes: Changes, older: Older) -> View:
    """Return the view after some files changed.

    A document of a machine that cannot be read is replaced by its newest readable version, which `restore`
    then asks the next transaction to write back; one of a person is set aside under `problems`, and the
    settings that were last readable stay in force.
    """
    draft = _Draft(view, older)
    for path, file in changes.items():
        draft.put(path, file)
    return draft.finish()


def overlay(
    view: View,
    changes: Changes,
    older: Older,
    kept: Mapping[str, bytes],
    broken_by: Mapping[str, str],
    undone: Mapping[str, bytes | None],
) -> View:
    """Return the view after commits that were no transactions: of these, machine documents are not believed.

    Args:
        view: as the newest transaction left it.
        changes: what such commits did since.
        older: finds earlier versions.
        kept: the machine documents among them, as the newest transaction left them.
        broken_by: path -> the commit that changed it last, of these.
        undone: what goes back with these, path -> content: files of the inbox that were taken in, and refusals.
    """
    told = {
        path: file for path, file in changes.items() if not layout.is_machine(path) and path not in undone
    }
    forged = [path for path in changes if layout.is_machine(path)]
    seen = advance(view, told, older)
    restore = {path: view.files.get(path, kept.get(path)) for path in forged} | dict(undone)
    problems = {
        path: Problem(
            path=path, message="was changed by hand and is restored", commit=broken_by.get(path, "")
        )
        for path in restore
    }
    return msgspec.structs.replace(
        seen, restore={**seen.restore, **restore}, problems={**seen.problems, **problems}
    )


def state_of(view: View, tip: str, seq: int, next_job: int) -> State:
    """Return the state that a view means.

    Args:
        view: the documents.
        tip: the commit that they are of.
        seq: the newest transaction's number, from its trailer.
        next_job: the next job's number, from the same trailer.
    """
    replies = view.records.get(layout.REPLIES, Replies())
    taken_up = view.records.get(layout.TAKEN_UP, TakenUp())
    assert isinstance(replies, Replies) and isinstance(taken_up, TakenUp)
    monitoring = view.records.get(layout.MONITORING, Monitoring())
    assert isinstance(monitoring, Monitoring)
    notifications = view.records.get(layout.NOTIFICATIONS, Notifications())
    notices = view.records.get(layout.NOTICES)
    assert isinstance(notifications, Notifications) and isinstance(notices, Notices | None)
    reports = view.records.get(layout.REPORTS_FILE, Reports())
    turns = view.records.get(layout.TURNS, Turns())
    assert isinstance(reports, Reports) and isinstance(turns, Turns)
    head = view.records.get(layout.HEAD, Head(format=0, hub=""))
    settings = view.records.get(layout.SETTINGS, Settings())
    environments = view.records.get(layout.ENVIRONMENTS_FILE, Environments())
    assert (
        isinstance(head, Head) and isinstance(settings, Settings) and isinstance(environments, Environments)
    )
    return State(
        tip=tip,
        head=msgspec.structs.replace(head, seq=max(seq, head.seq), next_job=max(next_job, head.next_job)),
        settings=settings,
        servers={record.name: record for record in view.records.values() if isinstance(record, Server)},
        jobs=view.jobs,
        keys={path: record for path, record in view.records.items() if isinstance(record, KeyFile)},
        locks={record.name: record for record in view.records.values() if isinstance(record, Lock)},
        kept={record.job: record for record in view.records.values() if isinstance(record, Kept)},
        shared={record.name: record for record in view.records.values() if isinstance(record, Shared)},
        inbox=tuple(view.inbox[path] for path in sorted(view.inbox)),
        rejected={path: record for path, record in view.records.items() if isinstance(record, Rejection)},
        schedules={record.stem: record for record in view.records.values() if isinstance(record, Table)},
        cursors={
            layout.cursor_file(path) or "": record
            for path, record in view.records.items()
            if isinstance(record, Cursor)
        },
        environments=environments,
        monitoring=monitoring,
        notifications=notifications,
        notices=notices,
        standings={record.name: record for record in view.records.values() if isinstance(record, Standing)},
        releases={record.name: record for record in view.records.values() if isinstance(record, Release)},
        sources={record.name: record for record in view.records.values() if isinstance(record, Followed)},
        seen={
            layout.seen_file(path) or "": record
            for path, record in view.records.items()
            if isinstance(record, Seen)
        },
        archive=frozenset(path for path in view.archive if path.startswith(layout.ARCHIVE)),
        asks={
            ask_key(path) or "": record for path, record in view.records.items() if isinstance(record, Ask)
        },
        filed=frozenset(path for path in view.archive if path.startswith(layout.FILED)),
        reports=reports.reports,
        turns=turns.turns,
        reported=frozenset(path for path in view.archive if path.startswith(layout.REPORTS)),
        replies=replies,
        taken_up=taken_up,
        problems=tuple(view.problems[path] for path in sorted(view.problems)),
        restore=view.restore,
    )


class _Draft:
    def __init__(self, view: View, older: Older) -> None:
        self.files = dict(view.files)
        self.records = dict(view.records)
        self.parts = dict(view.parts)
        self.jobs = dict(view.jobs)
        self.inbox = dict(view.inbox)
        self.archive = set(view.archive)
        self.problems = dict(view.problems)
        self.restore = dict(view.restore)
        self.older = older
        self.touched: set[int] = set()

    def put(self, path: str, file: File | None) -> None:
        for known in (self.problems, self.restore, self.inbox, self.files, self.records):
            known.pop(path, None)
        part = layout.job_part(path)
        if part is not None:
            self._touch(part[0]).pop(part[1], None)
        if path.startswith((layout.ARCHIVE, layout.FILED, layout.REPORTS)):
            (self.archive.discard if file is None else self.archive.add)(path)
            return
        if file is None:
            return
        self.problems.pop(path.rpartition("/")[0], None)  # a file that was in its directory's place is gone
        if path.startswith(layout.INBOX):
            self._put_inbox(path, file)
            return
        kind = kind_of(path, part)
        if kind is not None:
            self._put_document(path, file, kind)
        else:
            message = misplaced(path)
            if message:
                self.problems[path] = Problem(path=path, message=file.note or message, commit=file.commit)

    def _touch(self, number: int) -> dict[str, Record]:
        parts = self.parts.get(number, {})
        if number not in self.touched:
            parts = dict(parts)
            self.parts[number] = parts
            self.touched.add(number)
        assert isinstance(parts, dict)
        return parts

    def _put_inbox(self, path: str, file: File) -> None:
        if layout.is_explanation(path):
            return
        self.inbox[path] = InboxFile(
            path=path, text=file.data or b"", by=file.author, commit=file.commit, problem=file.note
        )

    def _put_document(self, path: str, file: File, kind: type[Any]) -> None:
        data, message = file.data, file.note
        record = None
        if data is not None:
            record, message = read(path, kind, data)
        if record is None:
            self.problems[path] = Problem(path=path, message=message, commit=file.commit)
            data, record = self._earlier(path, kind)
            if layout.is_machine(path):
                self.restore[path] = data
        elif isinstance(record, Table | Followed):
            record = msgspec.structs.replace(record, by=author_of(file.author))
        if record is not None and data is not None:
            self.files[path] = data
            part = layout.job_part(path)
            if part is None:
                self.records[path] = record
            else:
                self._touch(part[0])[part[1]] = record

    def _earlier(self, path: str, kind: type[Any]) -> tuple[bytes | None, Record | None]:
        for _, data in self.older(path):
            record, _ = read(path, kind, data)
            if record is not None:
                return data, record
        return None, None

    def finish(self) -> View:
        for number in self.touched:
            job = _assemble(self.parts[number])
            if not self.parts[number]:
                del self.parts[number]
            if job is None:
                self.jobs.pop(number, None)
            else:
                self.jobs[number] = job
        return View(
            files=self.files,
            records=self.records,
            parts=self.parts,
            jobs=self.jobs,
            inbox=self.inbox,
            archive=frozenset(self.archive),
            problems=self.problems,
            restore=self.restore,
        )


def author_of(address: str) -> str:
    """Return who wrote a document, from a commit's address; a transaction's has the word bnet at its end."""
    return address.removesuffix("@bnet")


def _assemble(parts: Mapping[str, Record]) -> Job | None:
    spec = parts.get("job")
    if not isinstance(spec, JobSpec):
        return None
    attempts: list[Attempt] = []
    while isinstance(attempt := parts.get(f"attempts/{len(attempts) + 1}"), Attempt):
        attempts.append(attempt)
    wanted, claim, result = parts.get("wanted"), parts.get("claim"), parts.get("result")
    return Job(
        spec=spec,
        wanted=wanted if isinstance(wanted, Wanted) else Wanted(),
        claim=claim if isinstance(claim, Claim) else None,
        attempts=tuple(attempts),
        result=result if isinstance(result, JobResult) else None,
    )
