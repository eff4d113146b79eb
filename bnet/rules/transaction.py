"""A transaction: changes applied one after the other to a snapshot, each seeing those before it."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from bnet.codec import layout
from bnet.codec.documents import BROKEN, encode, rewrite
from bnet.codec.view import View
from bnet.model.base import Record
from bnet.model.job import Job, Wanted
from bnet.model.lock import Lock
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules.change import Change

SUBJECTS = 6  # how many targets of one verb a commit's subject names


class Transaction:
    """The snapshot that a decision is made on, and what the decision makes of it.

    Attributes:
        state: what was read; never changes.
        now: the time by the clock of whoever decides.
        seq: the number that this transaction gets, and so the token of every claim in it.
        next_job, epoch, format: of the head document afterwards.
        jobs, servers, locks: as they are after the changes so far.
    """

    def __init__(self, state: State, view: View, now: datetime) -> None:
        self.state = state
        self.now = now
        self.seq = state.head.seq + 1
        self.next_job = state.head.next_job
        self.epoch = state.head.epoch
        self.format = state.head.format
        self.jobs: dict[int, Job] = dict(state.jobs)
        self.servers: dict[str, Server] = dict(state.servers)
        self.locks: dict[str, Lock] = dict(state.locks)
        self.documents: dict[str, Record] = {}
        self.files: dict[str, bytes | None] = {}
        self.changes: list[Change] = []
        self._view = view

    def apply(self, *changes: Change) -> None:
        """Let changes happen."""
        for change in changes:
            self.jobs.update((job.number, job) for job in change.jobs)
            self.servers.update((server.name, server) for server in change.servers)
            for lock in change.locks:
                self.locks[lock.name] = lock
                if not lock.holders and not lock.waiters:
                    del self.locks[lock.name]
            for name in change.dismissed:
                del self.servers[name]
            for number in change.gone:
                del self.jobs[number]
            self.documents.update(change.documents)
            self.files.update(change.files)
            self.next_job += change.jobs_made
            self.changes.append(change)

    def fork(self) -> "Transaction":
        """Return a copy to try something on; `join` takes it over."""
        other = Transaction(self.state, self._view, self.now)
        other.jobs, other.servers = dict(self.jobs), dict(self.servers)
        other.locks = dict(self.locks)
        other.documents, other.files = dict(self.documents), dict(self.files)
        other.next_job, other.epoch, other.seq = self.next_job, self.epoch, self.seq
        other.format = self.format
        other.changes = list(self.changes)
        return other

    def join(self, other: "Transaction") -> None:
        """Take over what was tried on a fork."""
        self.jobs, self.servers, self.locks = other.jobs, other.servers, other.locks
        self.documents, self.files = other.documents, other.files
        self.next_job, self.changes = other.next_job, other.changes

    def in_force(self, path: str) -> bytes | None:
        """Return the text that a document counts as, whatever stands in its place; None if there is none."""
        return self._view.files.get(path)

    def writes(self) -> dict[str, bytes | None]:
        """Return the files that differ from the snapshot's: path -> bytes, or None for removal."""
        before = self._view.files
        files: dict[str, bytes | None] = dict(self.state.restore)
        for number in self.jobs.keys() | self.state.jobs.keys():
            old, new = self.state.jobs.get(number), self.jobs.get(number)
            if old is not new:
                self._differ(files, job_documents(old), job_documents(new))
        named = (
            (self.state.servers, self.servers, layout.server_path),
            (self.state.locks, self.locks, layout.lock_path),
        )
        for olds, news, path_of in named:
            self._replace(files, olds, news, path_of)
        files.update((path, rewrite(before.get(path), record)) for path, record in self.documents.items())
        files.update(self.files)
        head = msgspec.structs.replace(
            self.state.head, seq=self.seq, next_job=self.next_job, epoch=self.epoch, format=self.format
        )
        files[layout.HEAD] = rewrite(before.get(layout.HEAD), head)
        return files

    def _replace(
        self,
        files: dict[str, bytes | None],
        olds: Mapping[str, Record],
        news: Mapping[str, Record],
        path_of: Callable[[str], str],
    ) -> None:
        """Write those documents of one kind that are not what was read, by their names."""
        for name in olds.keys() | news.keys():
            old, new = olds.get(name), news.get(name)
            if old is not new:
                path = path_of(name)
                files[path] = None if new is None else rewrite(self._view.files.get(path), new)

    def _differ(self, files: dict[str, bytes | None], old: dict[str, Record], new: dict[str, Record]) -> None:
        before = self._view.files
        files.update((path, None) for path in old.keys() - new.keys())
        for path, record in new.items():
            if record != old.get(path):
                files[path] = rewrite(before.get(path), record)

    def message(self, actor: str, nonce: str) -> str:
        """Return the commit's message: a sentence for people, trailers for programs.

        Args:
            actor: who decided.
            nonce: makes this commit unlike any other, so that a push that says yes means ours (facts: two
                hosts that push byte-identical commits are both told 0).
        """
        restored = [
            Change(verb="restore", target=path.removeprefix(layout.ROOT)) for path in self.state.restore
        ]
        changes = [*self.changes, *restored]
        trailers = [f"Bnet-Seq: {self.seq}", f"Bnet-Next-Job: {self.next_job}", f"Bnet-Nonce: {nonce}"]
        return (
            f"{actor}: {_subject(changes)}\n\n" + "\n".join(trailers + [_op(each) for each in changes]) + "\n"
        )


def job_documents(job: Job | None) -> dict[str, Record]:
    """Return the documents that a job consists of, by path."""
    if job is None:
        return {}
    base = layout.job_dir(job.number)
    documents: dict[str, Record] = {base + "job.json": job.spec}
    if job.wanted != Wanted():
        documents[base + "wanted.json"] = job.wanted
    if job.claim is not None:
        documents[base + "claim.json"] = job.claim
    for attempt in job.attempts:
        documents[f"{base}attempts/{attempt.attempt}.json"] = attempt
    if job.result is not None:
        documents[base + "result.json"] = job.result
    return documents


def archive_line(job: Job) -> bytes:
    """Return a finished job as one line of the archive."""
    return msgspec.json.encode(job, order="deterministic") + b"\n"


def read_archive(data: bytes) -> list[Job]:
    """Return the jobs of an archive file; a line that cannot be read is passed over."""
    jobs = []
    for line in data.splitlines():
        try:
            jobs.append(msgspec.json.decode(line, type=Job))
        except BROKEN:
            continue
    return jobs


def _subject(changes: list[Change]) -> str:
    by_verb: dict[str, list[str]] = {}
    for change in changes:
        note = f" ({change.note})" if change.note else ""
        by_verb.setdefault(change.verb, []).append(change.target + note)
    text = ", ".join(f"{verb} {_some(targets)}" for verb, targets in by_verb.items())
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _some(targets: list[str]) -> str:
    if len(targets) <= SUBJECTS:
        return " ".join(targets)
    return " ".join(targets[: SUBJECTS - 1]) + f" and {len(targets) - SUBJECTS + 1} more"


def _op(change: Change) -> str:
    # A line end in a path would break the block of trailers, and the transaction would not be found again.
    words = [change.verb, _word(change.target.removeprefix("#"))]
    words += [f"{name}={_word(value)}" for name, value in change.fields.items()]
    return "Bnet-Op: " + " ".join(words)


def _word(value: str | int) -> str:
    return "".join(sign if sign.isprintable() and not sign.isspace() else "_" for sign in str(value))[:200]


__all__ = ["Transaction", "archive_line", "encode", "job_documents", "read_archive"]
