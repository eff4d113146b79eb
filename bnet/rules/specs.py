"""From a submission to the job that it means: names, needs, sources, retry rules and times made exact."""

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from bnet.codec.durations import parse_duration
from bnet.model.base import Result, is_name
from bnet.model.command import NeedRef, Retry, Submit
from bnet.model.job import ApprovalRule, Group, Job, JobSpec, Need, Part, RetryRule, Source
from bnet.rules.inputs import check_reproduce, with_inputs
from bnet.rules.jobs import Illegal
from bnet.rules.transaction import Transaction

MOST_COMBINATIONS = 256
LONGEST_VALUE = 200  # characters of a matrix's value
LOST_TWICE = RetryRule(limit=2, reasons=("lost",))
ANY_FAILURE = range(1, 256)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What admission needs to know that is not in the snapshot; looked up before it decides.

    Attributes:
        archived: number -> job, of the archived jobs that commands refer to.
        commits: (repository, ref) -> the commit that it is, or the reason why nobody knows.
    """

    archived: Mapping[int, Job] = {}
    commits: Mapping[tuple[str, str], "str | Unresolved"] = {}


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


def combinations(matrix: Mapping[str, Sequence[str | int | float]]) -> list[dict[str, str]]:
    """Return one cell for each combination of a matrix's values; without a matrix, one empty cell.

    Raises:
        Illegal: there are too many, or none.
    """
    rows = [[(axis, str(value)) for value in values] for axis, values in matrix.items()]
    cells = [dict(each) for each in itertools.islice(itertools.product(*rows), MOST_COMBINATIONS + 1)]
    if len(cells) > MOST_COMBINATIONS:
        raise Illegal(f"the matrix has more than {MOST_COMBINATIONS} combinations")
    if not cells:
        raise Illegal("the matrix has an axis without values, and so no job")
    return cells


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
        labels={key: _fill(str(value), cell) for key, value in command.labels.items()},
        needs=needs,
        source=_source(command, facts),
        env=_env(command, cell),
        secrets=command.secrets,
        sandbox=command.sandbox,
        image=command.image,
        timeout=_seconds(command.timeout),
        silence_timeout=_seconds(command.silence_timeout),
        retry=_retry_rules(command.retry),
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
    return None if part is None else msgspec.structs.replace(part, run=batch.runs.get(part.name, number))


def _name(command: Submit, cell: Mapping[str, str]) -> str:
    name = command.name or slug(("build", *command.packages) if command.packages else command.command)
    for axis, value in cell.items():
        if len(value) > LONGEST_VALUE:  # it is filled in wherever the command names it
            raise Illegal(f"matrix: a value of axis {axis} is longer than {LONGEST_VALUE} characters")
        if not re.search("[a-z0-9]", value.lower()):
            raise Illegal(f"matrix: {value!r} of axis {axis} has no letter or digit to name its job by")
        name += "." + re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-")
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
    env = {
        f"BNET_MATRIX_{axis.upper().replace('-', '_').replace('.', '_')}": each for axis, each in cell.items()
    }
    env |= {name: _fill(str(value), cell) for name, value in command.env.items()}
    for name, value in env.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or "\0" in value:
            raise Illegal(f"env: {name!r} is no name of an environment variable, or its value holds a NUL")
    return env


def _fill(text: str, cell: Mapping[str, str]) -> str:
    return re.sub(r"\$\{matrix\.([a-z0-9._-]+)\}", lambda found: cell.get(found[1], found[0]), text)


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


def _retry_rules(retry: int | Sequence[Retry] | None) -> tuple[RetryRule, ...]:
    if retry is None:
        return (LOST_TWICE,)
    if isinstance(retry, int):
        return (RetryRule(limit=retry),)
    rules = [
        RetryRule(limit=each.limit, exit_codes=_codes(each.exit_code), reasons=_reasons(each.reason))
        for each in retry
    ]
    covered = any(rule.reasons and "lost" in rule.reasons for rule in rules)
    return tuple(rules) if covered else (*rules, LOST_TWICE)


def _codes(code: int | str | Sequence[int | str] | None) -> tuple[int, ...] | None:
    if code is None:
        return None
    codes: list[int] = []
    for each in [code] if isinstance(code, int | str) else code:
        span = re.fullmatch(r"(-?\d{1,4})(?:-(\d{1,4}))?", str(each))
        if each == "*":
            codes += ANY_FAILURE
        elif span is None or not 0 <= int(span[2] or span[1]) - int(span[1]) <= 255:
            raise Illegal(f"retry: {each!r} is no exit code; write a number, a span such as 64-78, or '*'")
        else:
            codes += range(int(span[1]), int(span[2] or span[1]) + 1)
    return tuple(dict.fromkeys(codes))


def _reasons(reason: str | Sequence[str] | None) -> tuple[str, ...] | None:
    known = ("lost", "timeout", "silence", "artifacts", "internal", "exit")
    reasons = None if reason is None else (reason,) if isinstance(reason, str) else tuple(reason)
    for each in reasons or ():
        if each not in known:
            raise Illegal(f"retry: {each!r} is no reason; the reasons are {', '.join(known)}")
    return reasons
