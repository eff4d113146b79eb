"""Jobs as traces: a job is the run of a pipeline, its attempts are tasks, and the packages of a build tasks in these.

The names are those of OpenTelemetry's conventions for CI/CD (opentelemetry.io/docs/specs/semconv/cicd). Ids follow
from the hub's and the job's, so that what is sent twice is one span.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256

import msgspec

from bnet.codec.addresses import shown
from bnet.codec.shown import escaped
from bnet.model.job import Attempt, Built, Job, JobResult

Value = str | int | float | bool
RESULTS: Mapping[str, str] = {
    "success": "success",
    "failure": "failure",
    "error": "error",
    "timeout": "timeout",
    "cancelled": "cancellation",
    "skipped": "skip",
}
FAILED = ("failure", "error", "timeout")
SECOND = 1_000_000_000  # in nanoseconds


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in which something was done.

    Attributes:
        trace, id, parent: what names it: 128, 64 and 64 bits; a trace's first span has no parent.
        name: of few different ones.
        start, end: nanoseconds since 1970.
        attributes: by the conventions' names, or beginning with `bnet.` where they have none.
        failed: what there is to be said of it if it failed; None if it did not.
        links: other spans that it follows from, by trace and id.
    """

    trace: int
    id: int
    parent: int | None = None
    name: str
    start: int
    end: int
    attributes: Mapping[str, Value]
    failed: str | None = None
    links: tuple[tuple[int, int], ...] = ()


def trace_id(hub: str, number: int) -> int:
    """Return the id of a job's trace."""
    return _bits(16, hub, number)


def span_id(hub: str, number: int, *part: str | int) -> int:
    """Return the id of a span: the job's own, or of what part of it."""
    return _bits(8, hub, number, *part)


def _bits(size: int, *words: str | int) -> int:
    digest = sha256("\0".join(map(str, ("bnet", *words))).encode()).digest()
    return int.from_bytes(digest[:size], "big") or 1  # zero is no id


def spans(hub: str, job: Job) -> Iterator[Span]:
    """Yield the spans of a job that has ended.

    Args:
        hub: its UUID.
        job: with its result.
    """
    result = job.result
    if result is None:
        return
    number, spec = job.number, job.spec
    others = [each.job for each in spec.needs] + ([] if spec.retry_of is None else [spec.retry_of])
    whole = _stretch(spec.submitted_at, result.finished_at)
    yield Span(
        trace=trace_id(hub, number),
        id=span_id(hub, number),
        name=f"RUN {spec.name}",
        start=whole[0],
        end=whole[1],
        attributes=_of_job(job, result),
        failed=_failure(result),
        links=tuple((trace_id(hub, other), span_id(hub, other)) for other in others),
    )
    for attempt in job.attempts:
        yield from _attempt(hub, job, attempt)


def _of_job(job: Job, result: JobResult) -> dict[str, Value]:
    spec = job.spec
    found: dict[str, Value] = {
        "cicd.pipeline.name": spec.name,
        "cicd.pipeline.run.id": str(job.number),
        "cicd.pipeline.action.name": "RUN",
        "cicd.pipeline.result": RESULTS[result.result],
        "bnet.job.reason": result.reason,
        "bnet.job.queue": spec.queue,
        "bnet.job.priority": job.priority,
        "bnet.job.submitted_by": escaped(spec.submitted_by),
        "bnet.job.attempts": len(job.attempts),
    }
    if result.result in FAILED:
        found["error.type"] = result.reason
    if spec.pipeline is not None:
        found |= {"bnet.pipeline.name": spec.pipeline.name, "bnet.pipeline.run": spec.pipeline.run}
    source = spec.source
    if source is not None and source.repository is not None:
        found["vcs.repository.url.full"] = escaped(shown(source.repository))
    if source is not None and source.commit is not None:
        found["vcs.ref.head.revision"] = source.commit
    if source is not None and source.ref is not None:
        ref = source.ref
        found["vcs.ref.head.name"] = escaped(ref.removeprefix("refs/heads/").removeprefix("refs/tags/"))
        found["vcs.ref.head.type"] = "tag" if ref.startswith("refs/tags/") else "branch"
    return found


def _attempt(hub: str, job: Job, attempt: Attempt) -> Iterator[Span]:
    number, place = job.number, attempt.attempt
    begun = attempt.started_at
    start, end = _stretch(attempt.finished_at if begun is None else begun, attempt.finished_at)
    if begun is None and attempt.seconds is not None:
        start = end - int(attempt.seconds * SECOND)
    attributes: dict[str, Value] = {
        "cicd.pipeline.task.name": job.spec.name,
        "cicd.pipeline.task.run.id": attempt.run,
        "cicd.pipeline.task.run.result": RESULTS[attempt.result],
        "cicd.worker.id": attempt.server,
        "cicd.worker.name": attempt.server,
        "bnet.attempt": place,
        "bnet.attempt.reason": attempt.reason,
    }
    if attempt.exit_code is not None:
        attributes["process.exit.code"] = attempt.exit_code
    if attempt.result in FAILED:
        attributes["error.type"] = attempt.reason
    yield Span(
        trace=trace_id(hub, number),
        id=span_id(hub, number, "attempt", place),
        parent=span_id(hub, number),
        name="attempt",
        start=start,
        end=end,
        attributes=attributes,
        failed=_failure(attempt),
    )
    for built in () if attempt.build is None else attempt.build.packages:
        yield _package(hub, number, attempt, built, start)


def _package(hub: str, number: int, attempt: Attempt, built: Built, start: int) -> Span:
    """Return a package's span: how long it took is known, when it was begun is not, so it begins with its attempt."""
    attributes: dict[str, Value] = {
        "cicd.pipeline.task.name": escaped(built.name),
        "cicd.pipeline.task.run.id": escaped(f"{attempt.run}/{built.name}"),
        "cicd.pipeline.task.run.result": RESULTS.get(built.result, "error"),
        "cicd.pipeline.task.type": "build",
        "bnet.package.key": escaped(built.key),
    }
    if built.tier is not None:
        attributes["bnet.package.tier"] = escaped(built.tier)
    failed = built.result in FAILED
    if failed:
        attributes["error.type"] = built.result
    return Span(
        trace=trace_id(hub, number),
        id=span_id(hub, number, "attempt", attempt.attempt, "package", built.name),
        parent=span_id(hub, number, "attempt", attempt.attempt),
        name="package",
        start=start,
        end=start + int(max(0.0, min(built.seconds, 1e9)) * SECOND),
        attributes=attributes,
        failed=built.result if failed else None,
    )


def _failure(ended: Attempt | JobResult) -> str | None:
    if ended.result not in FAILED:
        return None
    return escaped(f"{ended.result}: {ended.message or ended.reason}")[:1000]


def _stretch(begun: datetime, ended: datetime) -> tuple[int, int]:
    """Return both in nanoseconds since 1970; two clocks may say that the end came first."""
    end = nanoseconds(ended)
    return min(nanoseconds(begun), end), end


def nanoseconds(at: datetime) -> int:
    """Return a time as OpenTelemetry counts it: from 1970 on, to the microsecond."""
    return max(0, round(at.timestamp() * 1_000_000)) * 1000
