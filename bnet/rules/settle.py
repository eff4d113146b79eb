"""What is due by itself: any server may do it, and doing it twice is doing it once."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bnet.codec import layout
from bnet.model.job import Job
from bnet.model.state import KeyFile
from bnet.rules import conditions, delivery, jobs, locks
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction, archive_line
from bnet.rules.waiting import expires_at, need_state, server_conditions, usage

ARCHIVE_BATCH = 200  # finished jobs past their time that are worth a transaction's bytes
ARCHIVE_FILE = 256_000  # bytes
SLACK = timedelta(hours=1)  # how long fewer than a batch may wait for company


def expire_claims(tx: Transaction, lapsed: set[str]) -> None:
    """End the claims whose holders were seen unmoved for their whole TTL."""
    for job in list(tx.jobs.values()):
        if job.claim is not None and job.result is None and job.claim.run in lapsed:
            held = job.claim
            why = f"{held.server} was not seen to move for {held.ttl_s:.0f} s"
            tx.apply(jobs.lost(job, now=tx.now, why=why))


def expire_stakes(tx: Transaction, lapsed: set[str]) -> None:
    """End the parts in locks of those who gave no sign of life for their time."""
    for name, lock in list(tx.locks.items()):
        for stake in (*lock.holders, *lock.waiters):
            if locks.lease_of(stake) in lapsed:
                why = f"{stake.by} gave no sign of life for {stake.ttl_s:.0f} s"
                tx.apply(locks.leave(tx.locks[name], stake, "expire", why))


def skip_hopeless(tx: Transaction) -> None:
    """End pending jobs that can never start: a dependency ended otherwise, every fitting server refused."""
    taken = usage((), {})
    waiting = [job for job in tx.jobs.values() if job.result is None and job.claim is None]
    moved = True
    while moved:
        moved = False
        still = []
        for job in waiting:
            change = _hopeless(tx, job, taken)
            if change is None:
                still.append(job)
            else:
                tx.apply(change)
                moved = True
        waiting = [job for job in still if job.spec.needs]


def _hopeless(tx: Transaction, job: Job, taken: object) -> Change | None:
    for need in job.spec.needs:
        if need_state(need, tx.jobs) is False:
            why = f"#{need.job} did not end with {need.on}"
            return jobs.end_unclaimed(job, "skipped", "dependency", now=tx.now, message=why)
    if _is_dropped(job, tx):
        why = f"when: {job.spec.when}"
        return jobs.end_unclaimed(job, "skipped", "condition", now=tx.now, message=why)
    refused = jobs.refusers(job)
    if refused and all(_unfit(job, name, tx) for name in tx.servers):
        last = job.attempts[-1].message or "no server could start it"
        return jobs.end_unclaimed(job, "error", "refused", now=tx.now, message=last)
    return None


def _is_dropped(job: Job, tx: Transaction) -> bool:
    """Tell whether a job's condition does not hold, which is asked once all that it needs has ended."""
    if job.spec.when is None or not all(need_state(need, tx.jobs) for need in job.spec.needs):
        return False
    return not conditions.holds(job.spec, tx.jobs)


def _unfit(job: Job, name: str, tx: Transaction) -> bool:
    lasting = ("labels", "accept", "refused")
    found = server_conditions(job, tx.servers[name], usage((), {}))
    return any(not each.holds for each in found if each.kind in lasting)


def give_up_unclaimed(tx: Transaction) -> None:
    """End the jobs that nobody claimed in their time."""
    for job in due_to_expire(tx.jobs.values(), tx.now):
        why = f"not claimed within {job.spec.expires_after:.0f} s"
        tx.apply(jobs.end_unclaimed(job, "cancelled", "expired", now=tx.now, message=why))


def due_to_expire(open_jobs: Iterable[Job], now: datetime) -> list[Job]:
    """Return the pending jobs that have waited longer than they were meant to."""
    return [job for job in open_jobs if job.result is None and job.claim is None and now > expires_at(job)]


def archive(tx: Transaction) -> None:
    """Move finished jobs past their time into the archive, a batch at a time.

    A job that an open one needs stays, so that archiving can hide no dependency.
    """
    keep = timedelta(seconds=tx.state.settings.retention.finished)
    unfinished = [job.spec for job in tx.jobs.values() if job.result is None]
    needed = {need.job for spec in unfinished for need in spec.needs}
    needed |= {each.job for spec in unfinished for each in spec.inputs}
    old = [
        job
        for job in tx.jobs.values()
        if job.result is not None and tx.now - job.result.finished_at > keep and job.number not in needed
    ]
    oldest = min((job.result.finished_at for job in old if job.result is not None), default=tx.now)
    if len(old) < ARCHIVE_BATCH and tx.now - oldest < keep + SLACK:
        return
    by_day: dict[str, list[Job]] = {}
    for job in sorted(old, key=lambda each: each.number):
        assert job.result is not None
        by_day.setdefault(f"{job.result.finished_at:%Y-%m-%d}", []).append(job)
    delivery.note_untold(tx, old)
    taken = set(tx.state.archive)
    for moved in by_day.values():
        for change in _archive_files(moved, taken):
            tx.apply(change)


def _archive_files(moved: list[Job], taken: set[str]) -> list[Change]:
    changes = []
    batch: list[Job] = []
    lines = b""
    for job in [*moved, None]:
        line = b"" if job is None else archive_line(job)
        if batch and (job is None or len(lines) + len(line) > ARCHIVE_FILE):
            assert batch[0].result is not None
            day, number = batch[0].result.finished_at, 1
            while layout.archive_path(day, number) in taken:
                number += 1
            path = layout.archive_path(day, number)
            taken.add(path)
            changes.append(
                Change(
                    verb="archive",
                    target=f"#{batch[0].number}" + (f"-{batch[-1].number}" if len(batch) > 1 else ""),
                    fields={"jobs": len(batch)},
                    gone=tuple(each.number for each in batch),
                    files={path: lines},
                )
            )
            batch, lines = [], b""
        if job is not None:
            batch.append(job)
            lines += line
    return changes


def prune(tx: Transaction) -> None:
    """Forget rejected files and idempotency keys past their time; only beside something else to say."""
    retention = tx.state.settings.retention
    for path, rejection in tx.state.rejected.items():
        if tx.now - rejection.at > timedelta(seconds=retention.rejected):
            tx.files[path] = None
    for path, file in tx.state.keys.items():
        kept = {
            key: entry
            for key, entry in file.keys.items()
            if tx.now - entry.at <= timedelta(seconds=retention.keys)
        }
        if len(kept) < len(file.keys) and path not in tx.documents:
            tx.documents[path] = KeyFile(keys=kept)
