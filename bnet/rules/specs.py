"""From a submission to the job that it means: names, needs, sources and times made exact."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from bnet.codec.durations import parse_duration
from bnet.model.base import Result, is_name
from bnet.model.command import NeedRef, Submit
from bnet.model.job import ApprovalRule, Group, Job, JobSpec, Need, Part, Source
from bnet.rules.inputs import check_reproduce, with_inputs
from bnet.rules.jobs import Illegal
from bnet.rules.matrix import cell_env, cell_name, fill
from bnet.rules.retries import retry_rules
from bnet.rules.transaction import Transaction


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What admission needs to know that is not in the snapshot; looked up before it decides.

    Attributes:
        archived: number -> job, of the archived jobs that commands refer to.
        commits: (repository, ref) -> the commit that it is, or the reason why nobody knows.
        letters: key -> message, of those that commands refer to and that are there.
    """

    archived: Mapping[int, Job] = {}
    commits: Mapping[tuple[str, str], "str | Unresolved"] = {}
    letters: Mapping[str, "Addressed"] = {}


class Addressed(msgspec.Struct, frozen=True):
    """A message: to whom it is, and the paths of its acknowledgements."""

    to: tuple[str, ...]
    acks: tuple[str, ...] = ()


class Unresolved(msgspec.Struct, frozen=True):
    """A source's ref that could not be resolved, and why; `again`: nobody answered, so it may yet be."""

    why: str
    again: bool = False


def source_of(command: Submit) -> Source | None:
    """Return the source that a command names; `REPOSITORY@REF` is short for its two fields."""
    if not isinstance(command.source, str):
        return command.source
    repository, at, ref = command.source.rpartition("@")
    if at and repository and ":" not in ref:
        return Source(repository=repository, ref=ref)
    return Source(repository=command.source, ref="HEAD")


def slug(command: str | Sequence[str]) -> str:
    """Return a name for a job that was given none, from the beginning of its command."""
    words = command if isinstance(command, str) else " ".join(command)
    name = re.sub(r"[^a-z0-9._]+", "-", words.lower()).strip("-._")[:40].rstrip("-._")
    return name if is_name(name) else "job"


class Batch:
    """What the commands that are admitted together have become so far.

    Attributes:
        first: the number of the first job that is new.
        made: the jobs of each, by its step of a pipeline or else by its name; `needs` looks here first.
        runs: the first job of each pipeline's run, by the pipeline's name.
    """

    def __init__(self, first: int = 1) -> None:
        """Begin with nothing."""
        self.first = first
        self.made: dict[str, list[int]] = {}
        self.runs: dict[str, int] = {}

    def add(self, command: Submit, numbers: Sequence[int]) -> None:
        """Remember what a submission has become."""
        part = command.pipeline
        name = command.name if part is None else part.step
        if name is not None:
            self.made[name] = list(numbers)
        if part is not None:
            self.runs.setdefault(part.name, numbers[0])


def job_spec(
    tx: Transaction,
    command: Submit,
    by: str,
    facts: Facts,
    number: int,
    cell: Mapping[str, str],
    batch: Batch | None = None,
) -> JobSpec:
    """Return the job that a submission means for one cell of its matrix.

    Args:
        tx: for the jobs that it needs.
        command: the submission.
        by: who asks.
        facts: what was looked up.
        number: the job's own.
        cell: axis -> value.
        batch: what was admitted together with it.

    Raises:
        Illegal: something in it cannot be.
    """
    batch = batch or Batch()
    group = Group(name=command.group) if isinstance(command.group, str) else command.group
    if group is not None and not is_name(group.name):
        raise Illegal(f"group {group.name!r} is no name")
    guarded = bool(command.locks) or group is not None
    check_reproduce(command)
    needs = tuple(need for each in command.needs for need in _needs(tx, each, facts, batch))
    asked = [(each, _needs(tx, each.job, facts, batch)) for each in command.inputs]
    inputs, needs = with_inputs(asked, needs)
    return JobSpec(
        number=number,
        name=_name(command, cell),
        command=_command(command),
        packages=command.packages,
        submitted_by=by,
        submitted_at=tx.now,
        queue=command.queue,
        priority=command.priority,
        labels={key: fill(str(value), cell) for key, value in command.labels.items()},
        needs=needs,
        source=_source(command, facts),
        env=_env(command, cell),
        secrets=command.secrets,
        sandbox=command.sandbox,
        image=command.image,
        timeout=_seconds(command.timeout),
        silence_timeout=_seconds(command.silence_timeout),
        retry=retry_rules(command.retry),
        group=group,
        supersede=command.supersede,
        locks=command.locks,
        artifacts=command.artifacts,
        inputs=inputs,
        reproduce=command.reproduce,
        matrix=dict(cell),
        not_before=_moment(command.not_before),
        expires_after=parse_duration(command.expires_after),
        on_lost_lease=command.on_lost_lease or ("stop" if guarded else "finish"),
        key=command.key,
        when=command.when,
        approval=_approval(command.approvals),
        environment=command.environment,
        pipeline=_part(command.pipeline, batch, number),
    )


def _approval(wanted: int | ApprovalRule | None) -> ApprovalRule | None:
    rule = ApprovalRule(count=wanted) if isinstance(wanted, int) else wanted
    if rule is None or not rule.count:
        return None
    few = 0 < len(set(rule.by)) < rule.count
    if few and not any(each.startswith("*") for each in rule.by):
        raise Illegal(f"approvals: {rule.count} are asked for, and only {len(set(rule.by))} may give one")
    return rule


def _part(part: Part | None, batch: Batch, number: int) -> Part | None:
    return (
        None if part is None else msgspec.structs.replace(part, run=batch.runs.setdefault(part.name, number))
    )


def _name(command: Submit, cell: Mapping[str, str]) -> str:
    name = command.name or slug(("build", *command.packages) if command.packages else command.command)
    name += cell_name(cell)
    if not is_name(name):
        raise Illegal(
            f"{name!r} is no name for a job: use up to 64 lower case letters, digits, '.', '_' and '-'"
        )
    return name


def _command(command: Submit) -> str | tuple[str, ...]:
    words = command.command
    if command.packages:
        _check_packages(command)
        return ()
    if not words or (isinstance(words, str) and not words.strip()) or words[0] == "":
        raise Illegal("the command is empty, and there are no packages to build")
    if "\0" in (words if isinstance(words, str) else "".join(words)):
        raise Illegal("the command holds a NUL character")
    return words


def _check_packages(command: Submit) -> None:
    if command.command:
        raise Illegal("a job has either a command or packages; give the packages' own commands in bnet.yaml")
    if command.source is None:
        raise Illegal("packages are built in a tree: name its source, or submit the tree at hand with --here")
    if command.sandbox == "podman":
        raise Illegal(
            "packages are built by bnet itself, which the image lacks; use sandbox: bubblewrap or none"
        )
    for word in command.packages:
        if word.startswith("-") or not word.isprintable() or not word:
            raise Illegal(f"packages: {word!r} names no package")


def _env(command: Submit, cell: Mapping[str, str]) -> dict[str, str]:
    env = cell_env(cell) | {name: fill(str(value), cell) for name, value in command.env.items()}
    for name, value in env.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or "\0" in value:
            raise Illegal(f"env: {name!r} is no name of an environment variable, or its value holds a NUL")
    return env


def _needs(tx: Transaction, each: int | str | NeedRef, facts: Facts, batch: Batch) -> list[Need]:
    ref = each if isinstance(each, NeedRef) else NeedRef(job=each)
    number = number_of(ref.job)
    name = str(ref.job)
    if isinstance(ref.job, str) and name in batch.made:
        return [Need(job=number, on=ref.on, name=name) for number in batch.made[name]]
    if number is None:
        return [Need(job=number, on=ref.on, name=name) for number in _numbered(tx, name)]
    if number in tx.jobs:
        return [Need(job=number, on=ref.on)]
    old = facts.archived.get(number)
    if old is None or old.result is None:
        raise Illegal(f"needs: there is no job #{number}")
    result: Result = old.result.result
    return [Need(job=number, on=ref.on, result=result)]


def number_of(ref: int | str) -> int | None:
    """Return the number that a reference to a job is; None for a name."""
    # `isdigit` is true of "²", and `int` refuses that and more than 4,300 digits.
    if isinstance(ref, int):
        return ref
    return int(ref) if re.fullmatch(r"[0-9]{1,15}", ref) else None


def _numbered(tx: Transaction, name: str) -> list[int]:
    same = [job.spec for job in tx.jobs.values() if job.spec.name == name]
    if not same:
        cells = [
            job.spec for job in tx.jobs.values() if job.spec.matrix and job.spec.name.startswith(name + ".")
        ]
        newest = max((spec.submitted_at for spec in cells), default=None)
        same = [spec for spec in cells if spec.submitted_at == newest]
    else:
        same = [max(same, key=lambda spec: spec.number)]
    if not same:
        raise Illegal(f"needs: there is no job named {name[:80]} among the open and recent ones")
    return [spec.number for spec in same]


def _source(command: Submit, facts: Facts) -> Source | None:
    source = source_of(command)
    if source is None:
        return None
    _check_source(source)
    if source.commit is not None or source.snapshot is not None:
        return source
    if source.repository is None:
        raise Illegal("source: name a repository (and a ref), or a snapshot")
    found = facts.commits.get((source.repository, source.ref or "HEAD"), Unresolved("it was not looked up"))
    if isinstance(found, Unresolved):
        raise Illegal(f"source: {source.repository}@{source.ref or 'HEAD'} cannot be resolved: {found.why}")
    return msgspec.structs.replace(source, commit=found)


def _check_source(source: Source) -> None:
    for oid in (source.commit, source.snapshot):
        if oid is not None and not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", oid):
            raise Illegal(f"source: {oid!r} is no full commit id")
    for text in (source.repository or "", source.ref or ""):
        # `-` begins an option of Git's, `name::` a helper program of the submitter's choice.
        if text.startswith("-") or re.match(r"[A-Za-z0-9+.-]*::", text) or not text.isprintable():
            raise Illegal(f"source: {text!r} is no address of a repository and no ref")


def _seconds(value: float | str | None) -> float | None:
    return None if value is None else parse_duration(value)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Illegal(f"not_before: {text!r} is no time; write for instance 2026-12-24T18:00:00Z") from None
    if moment.tzinfo is None:
        raise Illegal(f"not_before: {text!r} names no time zone; end it with Z or, say, +01:00")
    if not 1970 < moment.year < 9000:
        raise Illegal(f"not_before: {text!r} is too far away")
    return moment.astimezone(UTC)
