"""Admission: from a command to what it changes, or the reason why not."""

from collections.abc import Sequence

import msgspec
import xxhash

from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.codec.letter_paths import ack_path
from bnet.model.command import (
    AckMessage,
    ApproveJob,
    CancelJob,
    Command,
    DrainServer,
    NeedRef,
    PauseSchedule,
    PauseServer,
    PauseSource,
    ResumeSchedule,
    ResumeServer,
    ResumeSource,
    RetryJob,
    RollBack,
    SetPriority,
    Submit,
)
from bnet.model.job import Job, JobSpec
from bnet.model.server import Server
from bnet.model.state import KeyEntry, KeyFile
from bnet.rules import (
    acks,
    approvals,
    conditions,
    environments,
    jobs,
    keeping,
    reserved,
    schedules,
    servers,
    sources,
)
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.matrix import combinations
from bnet.rules.specs import Batch, Facts, job_spec, number_of, source_of
from bnet.rules.transaction import Transaction

MOST_JOBS = 2000  # of one file or submission, and so of one transaction's message
LARGEST_JOB = 500_000  # bytes
LARGEST_FILE = 20_000_000  # bytes of all jobs of one file: a matrix and aliases make much of little


def admit(tx: Transaction, commands: Sequence[Command], *, by: str, facts: Facts) -> list[int]:
    """Apply commands, all or none.

    Args:
        tx: what they are applied to.
        commands: in order; a later one may refer to a job of an earlier one by name.
        by: who asks.
        facts: what was looked up for them.

    Returns:
        The numbers of the jobs that were submitted, or that had the same key already.

    Raises:
        Illegal: one of them cannot be done; nothing was applied. Its `command` is that one's index.
    """
    trial = tx.fork()
    numbers: list[int] = []
    batch = Batch(trial.next_job)
    size = 0
    for index, command in enumerate(commands):
        try:
            made = _one(trial, command, by, facts, batch)
            numbers += made
            size += sum(len(encode(trial.jobs[number].spec)) for number in made if number in trial.jobs)
            if size > LARGEST_FILE:
                raise Illegal(
                    f"that is more than {LARGEST_FILE:,} bytes of jobs at once; submit them in parts"
                )
            if len(numbers) > MOST_JOBS:
                raise Illegal(f"that is more than {MOST_JOBS:,} jobs at once; submit them in parts")
        except Illegal as error:
            error.command = index
            raise
    tx.join(trial)
    return numbers


def sources_of(commands: Sequence[Command]) -> set[tuple[str, str]]:
    """Return the (repository, ref) pairs that commands need resolved to commits."""
    found = (source_of(each) for each in commands if isinstance(each, Submit))
    return {
        (each.repository, each.ref or "HEAD")
        for each in found
        if each is not None and each.repository is not None and each.commit is None
    }


def numbers_of(commands: Sequence[Command]) -> set[int]:
    """Return the job numbers that commands refer to."""
    named = CancelJob | RetryJob | SetPriority | ApproveJob | RollBack
    numbers = {each.job for each in commands if isinstance(each, named)}
    for command in commands:
        if isinstance(command, Submit):
            refs = [each.job if isinstance(each, NeedRef) else each for each in command.needs]
            refs += [each.job for each in command.inputs]
            numbers |= {number for number in map(number_of, refs) if number is not None}
    return numbers


def messages_of(commands: Sequence[Command]) -> set[str]:
    """Return the keys of the messages that commands refer to."""
    return {each.message for each in commands if isinstance(each, AckMessage)}


def _one(tx: Transaction, command: Command, by: str, facts: Facts, batch: Batch) -> list[int]:
    match command:
        case Submit():
            made = _submit(tx, command, by, facts, batch)
            batch.add(command, made)
            return made
        case RollBack():
            return _roll_back(tx, command, _job(tx, command.job, facts), by, facts)
        case RetryJob():
            return _retry(tx, _job(tx, command.job, facts), by, facts)
        case CancelJob() | SetPriority() | ApproveJob():
            _wish(tx, command, _job(tx, command.job, facts), by)
        case AckMessage():
            _acknowledge(tx, command, by, facts)
        case PauseServer():
            tx.apply(servers.wish(_server(tx, command.server), "paused", by=by, why=command.reason))
        case DrainServer():
            tx.apply(servers.wish(_server(tx, command.server), "draining", by=by, why=command.reason))
        case ResumeServer():
            tx.apply(servers.wish(_server(tx, command.server), "active", by=by, why=""))
        case PauseSchedule() | ResumeSchedule() | PauseSource() | ResumeSource():
            tx.apply(_paused_or_resumed(tx, command, by))
    return []


def _paused_or_resumed(
    tx: Transaction, command: PauseSchedule | ResumeSchedule | PauseSource | ResumeSource, by: str
) -> Change:
    match command:
        case PauseSchedule():
            return schedules.pause(tx, command.schedule, by=by, reason=command.reason)
        case ResumeSchedule():
            return schedules.resume(tx, command.schedule, by=by)
        case PauseSource():
            return sources.pause_source(tx, command.source, by=by, reason=command.reason)
        case ResumeSource():
            return sources.resume_source(tx, command.source, by=by)


def _job(tx: Transaction, number: int, facts: Facts) -> Job:
    job = tx.jobs.get(number) or facts.archived.get(number)
    if job is None:
        raise Illegal(f"there is no job #{number}")
    return job


def _server(tx: Transaction, name: str) -> Server:
    server = tx.servers.get(name)
    if server is None:
        there = ", ".join(sorted(tx.servers)) or "none"
        raise Illegal(f"there is no server {name}; the servers are: {there}")
    return server


def _wish(tx: Transaction, command: CancelJob | SetPriority | ApproveJob, job: Job, by: str) -> None:
    if isinstance(command, CancelJob):
        tx.apply(jobs.cancel(job, by=by, reason=command.reason, now=tx.now))
    elif isinstance(command, SetPriority):
        tx.apply(jobs.set_priority(job, command.priority, by=by))
    elif command.reject is not None:
        tx.apply(approvals.reject(job, by=by, reason=command.reject, now=tx.now))
    elif (change := approvals.approve(job, by=by, note=command.note, now=tx.now)) is not None:
        tx.apply(change)


def _acknowledge(tx: Transaction, command: AckMessage, by: str, facts: Facts) -> None:
    key, found = command.message, facts.letters.get(command.message)
    if found is None:
        raise Illegal(f"there is no message {key}; what was filed away waits for nobody")
    if ack_path(key, by) in found.acks:
        return
    if not acks.may_acknowledge(found.to, tx.state.asks.get(key), by, tx):
        raise Illegal(f"the message {key} is addressed to {', '.join(found.to) or 'nobody'}, not to {by}")
    acks.acknowledge(tx, key, (), who=by, note=command.note)


def _roll_back(tx: Transaction, command: RollBack, job: Job, by: str, facts: Facts) -> list[int]:
    spec = environments.again(tx, command.environment, job, by=by, reason=command.reason)
    _enter(tx, Job(spec=spec), facts)
    return [spec.number]


def _submit(tx: Transaction, command: Submit, by: str, facts: Facts, batch: Batch) -> list[int]:
    if command.key == "":
        raise Illegal("the key is empty; all jobs with one key are one job")
    reserved.check_key(command, tx.now)
    path, known = _keys(tx, command.key or "")
    if command.key is not None and command.key in known.keys:
        _check_whole(command, known.keys[command.key].jobs[0], batch)
        return list(known.keys[command.key].jobs)
    whole = reserved.whole_key(command.key or "")
    all_of_it = _keys(tx, whole)[1].keys.get(whole)
    if all_of_it is not None and all_of_it.jobs[0] < batch.first:
        return list(all_of_it.jobs)  # its source or schedule has made all of the matrix meanwhile
    _check_whole(command, tx.next_job, batch)
    made: list[JobSpec] = []
    ruled = environments.with_rules(tx, command)
    for index, cell in enumerate(combinations(command.matrix)):
        spec = job_spec(tx, ruled, by, facts, tx.next_job + index, cell, batch)
        conditions.check(spec)
        made.append(environments.promoted(tx, spec))
        if len(encode(made[-1])) > LARGEST_JOB:
            raise Illegal(f"the job is over {LARGEST_JOB:,} bytes; put what it needs into its source")
    for spec in made:
        _enter(tx, Job(spec=spec), facts)
    numbers = [spec.number for spec in made]
    if command.key is not None:
        entry = KeyEntry(jobs=tuple(numbers), at=tx.now)
        tx.documents[path] = KeyFile(keys={**known.keys, command.key: entry})
    _supersede(tx, made, by)
    return numbers


def _keys(tx: Transaction, key: str) -> tuple[str, KeyFile]:
    """Return the file that a key would be in, and what that holds."""
    path = layout.key_path(xxhash.xxh3_64_hexdigest(key.encode()))
    known = tx.documents.get(path) or tx.state.keys.get(path) or KeyFile()
    assert isinstance(known, KeyFile)
    return path, known


def _check_whole(command: Submit, number: int, batch: Batch) -> None:
    """Refuse a pipeline's run of which some steps were submitted before and others were not."""
    begun = None if command.pipeline is None else batch.runs.get(command.pipeline.name)
    if begun is not None and (begun < batch.first) != (number < batch.first):
        raise Illegal(
            f"a run with this key was submitted before with other steps: it began with #{min(begun, number)}"
        )


def _enter(tx: Transaction, job: Job, facts: Facts) -> None:
    keeping.check_kept(tx, job.spec.inputs, facts.archived)
    tx.apply(
        Change(
            verb="submit",
            target=f"#{job.number}",
            note=job.spec.name,
            fields={"by": job.spec.submitted_by, "name": job.spec.name},
            jobs=(job,),
            jobs_made=1,
        )
    )


def _retry(tx: Transaction, job: Job, by: str, facts: Facts) -> list[int]:
    if job.result is None:
        raise Illegal(f"job #{job.number} is {job.state}; only a finished job can be retried")
    spec = msgspec.structs.replace(
        environments.repeated(tx, job.spec),
        number=tx.next_job,
        submitted_by=by,
        submitted_at=tx.now,
        retry_of=job.number,
        key=None,
        needs=(),
        when=None,
        not_before=None,
    )
    _enter(tx, Job(spec=spec), facts)
    return [spec.number]


def _supersede(tx: Transaction, made: Sequence[JobSpec], by: str) -> None:
    if not made or made[0].supersede == "none" or made[0].group is None:
        return
    newest = {spec.number for spec in made}
    for old in list(tx.jobs.values()):
        same = old.spec.group is not None and old.spec.group.name == made[0].group.name
        hit = old.state == "pending" or (old.state == "running" and made[0].supersede == "running")
        if same and hit and old.number not in newest and old.wanted.cancel is None:
            why = f"superseded by #{made[0].number}"
            tx.apply(jobs.cancel(old, by=by, reason=why, now=tx.now, superseded=True))
