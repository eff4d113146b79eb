"""From jobs to what a search of the past knows of them."""

from collections.abc import Iterable, Iterator

import msgspec

from bnet.codec.addresses import shown
from bnet.model.history import Brought, Past, Stint
from bnet.model.job import BuildReport, Job, Source

OPEN_AT = 1 << 42  # milliseconds; later than any end: what is still open comes before what has ended
NUMBER_BITS = 20  # of a key; jobs that end in one millisecond are told apart by so much of their numbers
LONGEST_TEXT = 4_000  # characters in which words are looked for


def past_of(job: Job, blob: str = "") -> Past:
    """Return a job as a search knows it.

    Args:
        job: open, finished or archived.
        blob: the archive file that it is in, by its content's id.
    """
    spec, result, claim = job.spec, job.result, job.claim
    finished = None if result is None else result.finished_at.timestamp()
    at = OPEN_AT if finished is None else max(0, min(int(finished * 1000), OPEN_AT - 1))
    server = claim.server if claim is not None else None if result is None else result.server
    packages, source = dict.fromkeys(spec.packages), spec.source or Source()
    build = BuildReport(total=0, cached=0) if result is None or result.build is None else result.build
    packages |= dict.fromkeys(each.name for each in build.packages)
    stints = [*_stints(job)]
    return Past(
        key=at << NUMBER_BITS | job.number & (1 << NUMBER_BITS) - 1,
        number=job.number,
        name=spec.name,
        queue=spec.queue,
        state=job.state,
        result=None if result is None else result.result,
        reason=None if result is None else result.reason,
        server=server,
        submitted_by=spec.submitted_by,
        submitted=spec.submitted_at.timestamp(),
        finished=finished,
        seconds=None if result is None else result.seconds,
        exit_code=None if result is None else result.exit_code,
        attempts=len(job.attempts),
        labels=fenced(f"{name}={value}" for name, value in spec.labels.items()) if spec.labels else "",
        packages=fenced(packages) if packages else "",
        source=shown(source.repository or ""),
        branch=(source.ref or "").removeprefix("refs/heads/"),
        revision=source.commit or "",
        built=build.total,
        cached=build.cached,
        saved=build.saved,
        text=" ".join(_texts(job))[:LONGEST_TEXT],
        blob=blob,
        begun=min((each.begun for each in stints if each.begun is not None), default=None),
        stints=msgspec.json.encode(stints).decode() if stints else "",
        brought=_brought(build) if build.packages else "",
    )


def _stints(job: Job) -> Iterator[Stint]:
    for each in job.attempts:
        begun = None if each.started_at is None else each.started_at.timestamp()
        yield Stint(each.server, begun, each.finished_at.timestamp(), each.result, each.reason)
    if job.claim is not None and job.result is None:
        yield Stint(job.claim.server, job.claim.claimed_at.timestamp())


def _brought(build: BuildReport) -> str:
    found = [Brought(each.name, each.tier or "", each.seconds) for each in build.packages]
    return msgspec.json.encode([each for each in found if each.tier]).decode()


def fenced(words: Iterable[str]) -> str:
    """Return words in one text in which each can be found as a whole, by the line ends around it."""
    return "\n" + "\n".join(words) + "\n"


def _texts(job: Job) -> Iterator[str]:
    """Yield what people may remember of a job."""
    spec = job.spec
    yield spec.name
    yield spec.command if isinstance(spec.command, str) else " ".join(spec.command)
    yield spec.submitted_by
    yield from spec.packages
    for name, value in (*spec.labels.items(), *spec.matrix.items()):
        yield f"{name} {value}"
    if spec.source is not None:
        yield from (each for each in (spec.source.repository, spec.source.ref, spec.source.commit) if each)
    if spec.group is not None:
        yield spec.group.name
    yield from spec.locks
    if job.wanted.cancel is not None:
        yield job.wanted.cancel.reason
    for attempt in job.attempts:
        yield attempt.server
        if attempt.message:
            yield attempt.message
    if job.result is not None:
        yield from (each.path for each in job.result.artifacts)
        if job.result.message and (not job.attempts or job.result.message != job.attempts[-1].message):
            yield job.result.message
