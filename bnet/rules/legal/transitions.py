"""Whether a transaction was legal: what it made of the ledger is derived once more from the rules, and compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from bnet.model.job import Attempt, Job, JobResult
from bnet.model.lock import Lock, Stake
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules import conditions, jobs, locks
from bnet.rules.jobs import Illegal
from bnet.rules.legal.deployments import deployment_faults, is_ruled, wrong_verdicts
from bnet.rules.legal.firings import schedule_faults
from bnet.rules.legal.sources import source_faults
from bnet.rules.waiting import expires_at, need_state, server_conditions, shared_conditions, usage


class Made(msgspec.Struct, frozen=True):
    """Who made a transaction, and what its message says of it.

    Attributes:
        actor: the server, or the person, under whose name it was made.
        seq, next_job: its numbers.
        adopts: whether it takes over a ledger that went another way, above all numbers of both.
        claimed: the jobs that it claims, in that order.
        fired: the firings of schedules that it made jobs of: name, time on the wall, time zone.
        rewound: the files of schedules whose cursor it sets back, and the reports: they were ahead of the time.
        arrived: the commits of sources that it made jobs of: source, commit.
        dropped: the releases that are kept no longer.
        sources: the sources to which it says that anything happened.
    """

    actor: str
    seq: int
    next_job: int
    adopts: bool
    claimed: Sequence[int]
    fired: Sequence[tuple[str, str, str]] = ()
    rewound: Sequence[str] = ()
    arrived: Sequence[tuple[str, str]] = ()
    dropped: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()


class Fault(msgspec.Struct, frozen=True):
    """Something that the rules do not allow: to what it happened, and what it is."""

    target: str
    text: str


def faults(before: State, after: State, made: Made, archived: Mapping[int, Job]) -> Iterator[Fault]:
    """Yield what is wrong with a transaction; nothing, if the rules lead from the one state to the other.

    Args:
        before: what it was decided on: the ledger at its parent, hand edits included.
        after: what it made of that.
        made: who made it.
        archived: the jobs in the archive files that it has added.
    """
    yield from _numbers(before, after, made)
    for number in sorted(before.jobs.keys() | after.jobs.keys()):
        old, new = before.jobs.get(number), after.jobs.get(number)
        if old is new or old == new:
            continue
        text = _what_is_wrong(old, new or archived.get(number), new is None, before, after, made)
        if text:
            yield Fault(f"#{number}", text)
    yield from _claims(before, after, made)
    for name in sorted(before.locks.keys() | after.locks.keys()):
        was, now = before.locks.get(name, Lock(name=name)), after.locks.get(name, Lock(name=name))
        yield from (Fault(f"lock {name}", text) for text in _lock_faults(was, now, after, made))
    for target, text in schedule_faults(before, after, made.fired, made.rewound):
        yield Fault(target, text)
    for target, text in deployment_faults(before, after, archived, made.dropped):
        yield Fault(target, text)
    for target, text in source_faults(before, after, made.arrived, made.sources):
        yield Fault(target, text)
    for path, file in before.keys.items():
        kept = after.keys[path].keys if path in after.keys else {}
        if any(kept[key] != entry for key, entry in file.keys.items() if key in kept):
            yield Fault(path, "a key stands for other jobs than before")


def _numbers(before: State, after: State, made: Made) -> Iterator[Fault]:
    if made.adopts:
        if after.head.epoch <= before.head.epoch or made.seq <= before.head.seq:
            yield Fault("ledger.json", "an adoption that does not begin a new epoch above all numbers")
    elif made.seq != before.head.seq + 1 or after.head.epoch != before.head.epoch:
        yield Fault(
            "ledger.json", f"transaction {made.seq} of epoch {after.head.epoch} follows {before.head.seq}"
        )
    if (after.head.seq, after.head.next_job) != (made.seq, made.next_job):
        yield Fault("ledger.json", "its numbers are not those of the commit's message")
    if made.next_job < before.head.next_job:
        yield Fault("ledger.json", f"the next job's number goes back to {made.next_job}")


def _what_is_wrong(
    old: Job | None, new: Job | None, gone: bool, before: State, after: State, made: Made
) -> str:
    if new is None:
        return "has left without a line in the archive"
    if gone and new.result is None:
        return "is in the archive without a result"
    return "" if new == old else _changed(old, new, before, after, made)


def _changed(old: Job | None, new: Job, before: State, after: State, made: Made) -> str:
    if old is None:
        if not before.head.next_job <= new.number < made.next_job and not made.adopts:
            return f"is new under a number that was not free (the next was {before.head.next_job})"
        if not is_ruled(new.spec, before):
            return f"deploys to {new.spec.environment} without what that asks for"
        old = Job(spec=new.spec)
    if old.spec != new.spec:
        return "what was asked for has changed"
    if old.result is not None:
        return "has changed after it had finished"
    if new.attempts[: len(old.attempts)] != old.attempts:
        return "an attempt that had ended has changed"
    ended = new.attempts[len(old.attempts) :]
    if not _is_reachable(old, new, ended, made):
        return "has become what no rule makes of it"
    wrong = [
        _wrong_end(old, ended, made),
        _wrong_result(new, ended, before, after),
        wrong_verdicts(old, new),
    ]
    return "; ".join(filter(None, wrong))


def _is_reachable(old: Job, new: Job, ended: Sequence[Attempt], made: Made) -> bool:
    """Tell whether the rules lead from one to the other; a wish may have come before an end, or after it."""
    for wish_first in (True, False):
        try:
            job = replace(old, wanted=new.wanted) if wish_first else old
            for attempt in ended:
                job = jobs.end_attempt(job, attempt).jobs[0]
            if _finished_or_claimed(replace(job, wanted=new.wanted), new, made) == new:
                return True
        except Illegal:
            continue
    return False


def _finished_or_claimed(job: Job, new: Job, made: Made) -> Job:
    claim, result = new.claim, new.result
    if claim is not None and claim != job.claim:
        holder = Server(name=claim.server, instance=claim.instance, joined_at=claim.claimed_at)
        made_so = jobs.claim(
            job, holder, run=claim.run, token=made.seq, ttl_s=claim.ttl_s, now=claim.claimed_at
        )
        return made_so.jobs[0]
    if result is not None and job.result is None:
        return jobs.end_unclaimed(
            job, result.result, result.reason, now=result.finished_at, message=result.message or ""
        ).jobs[0]
    return job


def _wrong_end(old: Job, ended: Sequence[Attempt], made: Made) -> str:
    """Say what is wrong with who ended an attempt: all may find that its holder is lost, and nobody else anything."""
    for attempt in ended:
        held = old.claim
        if held is None or (held.token, held.server, held.attempt) != (
            attempt.token,
            attempt.server,
            attempt.attempt,
        ):
            return f"attempt {attempt.attempt} was ended under another token than its claim's"
        if attempt.reason != "lost" and made.actor != held.server:
            return f"attempt {attempt.attempt} of {held.server} was ended by {made.actor} ({attempt.reason})"
    return ""


def _wrong_result(new: Job, ended: Sequence[Attempt], before: State, after: State) -> str:
    result = new.result
    if result is None or (ended and result.attempt is not None):
        return ""
    return "" if _is_due(new, result, before, after) else f"was ended as {result.reason}, which was not so"


def _is_due(job: Job, result: JobResult, before: State, after: State) -> bool:
    known = {**before.jobs, **after.jobs}
    if result.reason == "cancel":
        return job.wanted.cancel is not None and not job.wanted.cancel.superseded
    if result.reason == "superseded":
        return job.wanted.cancel is not None and job.wanted.cancel.superseded
    if result.reason == "dependency":
        return any(need_state(need, known) is False for need in job.spec.needs)
    if result.reason == "condition":
        return not conditions.holds(job.spec, known) and all(
            need_state(each, known) for each in job.spec.needs
        )
    if result.reason == "rejected":
        return job.wanted.rejected is not None
    if result.reason == "expired":
        return result.finished_at > expires_at(job)
    return result.reason == "refused" and bool(jobs.refusers(job))


def _claims(before: State, after: State, made: Made) -> Iterator[Fault]:
    """Judge the claims of a transaction in their order, each beside those before it."""
    known = {**before.jobs, **after.jobs}
    new = [job for job in after.jobs.values() if _is_new_claim(before.jobs.get(job.number), job)]
    order = {number: at for at, number in enumerate(made.claimed)}
    new.sort(key=lambda job: order.get(job.number, len(order)))
    taken = usage(_without(after.jobs.values(), {job.number for job in new}), after.locks)
    for job in new:
        claim = job.claim
        assert claim is not None
        server = after.servers.get(claim.server)
        target = f"#{job.number}"
        if made.actor != claim.server:
            yield Fault(target, f"was claimed for {claim.server} by {made.actor}")
        if server is None or server.instance != claim.instance:
            yield Fault(target, f"was claimed by {claim.server}, which was not a server with that instance")
            continue
        unclaimed = replace(job, claim=None)
        conditions = shared_conditions(unclaimed, known, taken, after.settings, claim.claimed_at)
        for each in [*conditions, *server_conditions(unclaimed, server, taken)]:
            if not each.holds:
                yield Fault(target, f"was claimed although {claim.server}: {each.text}")
        taken.take(job, claim.server)


def _is_new_claim(old: Job | None, new: Job) -> bool:
    return new.claim is not None and new.result is None and (old is None or old.claim != new.claim)


def _lock_faults(old: Lock, new: Lock, after: State, made: Made) -> Iterator[str]:
    """Yield what is wrong with what became of a lock: holders come from the head of the row, and keep their token."""
    before = {each.id: each for each in (*old.holders, *old.waiters)}
    granted = [each for each in new.holders if each.id not in {held.id for held in old.holders}]
    for each in new.holders:
        held = before.get(each.id)
        if each in granted and each.token != made.seq:
            yield f"was given to {each.by} with the token {each.token}, not this transaction's {made.seq}"
        elif each not in granted and held is not None and held.token != each.token:
            yield f"the token of {each.by} has changed from {held.token} to {each.token}"
    running = len(locks.jobs_with(new.name, after.jobs.values()))
    if granted and len(new.holders) + running > locks.limit_of(new.name, after.settings):
        yield f"was given to {granted[-1].by} although it had no room"
    row = [each.id for each in old.waiters if each in new.waiters]
    if granted and any(each.id in row for each in old.waiters[: _place(old, granted[-1])]):
        yield f"was given to {granted[-1].by} before others who had asked earlier"
    if [each.id for each in new.waiters][: len(row)] != row:
        yield "the order of those who wait has changed"


def _place(lock: Lock, stake: Stake) -> int:
    return next((at for at, each in enumerate(lock.waiters) if each.id == stake.id), len(lock.waiters))


def _without(listed: Iterable[Job], numbers: set[int]) -> list[Job]:
    return [job for job in listed if job.number not in numbers]
