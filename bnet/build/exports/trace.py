"""A build as a Chrome trace, which Perfetto and chrome://tracing open: one track for each worker."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bnet.build.engine import Report
from bnet.build.outcome import Outcome
from bnet.build.totals import Totals

PROCESS = 1
UNTOUCHED = 0  # the track of packages that needed no worker; those of workers count from 1


class Span(NamedTuple):
    """When a package was worked on, in whole nanoseconds of the monotonic clock, and by which worker."""

    outcome: Outcome
    begin: int
    end: int
    track: int


def trace(report: Report, totals: Totals, name: str) -> bytes:
    """Return a build in the trace event format's JSON, times in microseconds since its first event.

    Args:
        report: the build.
        totals: what it comes to; packages of its critical path are marked.
        name: what the process is called in the viewer.
    """
    spans = laid_out(report.outcomes)
    zero = min((span.begin for span in spans), default=0)
    critical = {each.name for each in totals.chain}
    titles = {UNTOUCHED: "untouched"} | {
        span.track: f"worker {span.track}" for span in spans if span.track != UNTOUCHED
    }
    events = [_named("process_name", UNTOUCHED, name)]
    for track in sorted({span.track for span in spans}):
        events.append(_named("thread_name", track, titles[track]))
        events.append(_meta("thread_sort_index", track, {"sort_index": track}))
    events += [_event(span, zero, span.outcome.name in critical) for span in spans]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}).encode()


def laid_out(outcomes: Iterable[Outcome]) -> list[Span]:
    """Return when each package was worked on, on the lowest track that is free by then.

    What the engine settles at a glance is on a track of its own, for it does so while all workers are busy.
    """
    free: list[int] = []  # when each worker has ended
    found: list[Span] = []
    for each in sorted((each for each in outcomes if each.begun), key=lambda each: each.begun):
        begin, end = round(each.begun * 1e9), round((each.begun + each.seconds) * 1e9)
        if each.tier == "instant":
            found.append(Span(each, begin, end, UNTOUCHED))
            continue
        at = _first_free(free, begin)
        free[at : at + 1] = [end]
        found.append(Span(each, begin, end, at + 1))
    return found


def _first_free(free: Sequence[int], begin: int) -> int:
    return next((at for at, ended in enumerate(free) if ended <= begin), len(free))


def _event(span: Span, zero: int, critical: bool) -> dict[str, Any]:
    done = span.outcome
    told = {
        "result": done.result,
        "tier": done.tier,
        "reason": done.reason,
        "key": done.key,
        "exit_code": done.exit_code,
        "critical": critical,
    }
    return {
        "name": done.name,
        "cat": done.tier or done.result,
        "ph": "X",
        "ts": (span.begin - zero) / 1000,
        "dur": (span.end - span.begin) / 1000,
        "pid": PROCESS,
        "tid": span.track,
        "args": {name: value for name, value in told.items() if value not in (None, "")},
    }


def _named(what: str, track: int, name: str) -> dict[str, Any]:
    return _meta(what, track, {"name": name})


def _meta(what: str, track: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": PROCESS, "tid": track, "args": args}
