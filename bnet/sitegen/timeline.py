"""The life of a job as a line: what it waited for, and each attempt."""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from markupsafe import Markup, escape

from bnet.model.job import Job
from bnet.sitegen.words import span, visible

WIDTH = 1000
LEAST = 4.0  # of a thousand: a piece is to be seen however short it was


class Event(NamedTuple):
    """Something that happened to a job: when, what, a word more."""

    at: datetime
    what: str
    more: str = ""


class Stretch(msgspec.Struct, frozen=True):
    """A piece of time: what kind, from when to when, in words."""

    kind: str
    since: datetime
    until: datetime
    words: str


def events_of(job: Job) -> list[Event]:
    """Return what happened to a job, in the order of the times that the machines' clocks gave it."""
    spec, wanted = job.spec, job.wanted
    found = [Event(spec.submitted_at, "submitted", f"by {spec.submitted_by}")]
    found += [
        Event(each.at, "approved", f"by {each.by}. {each.note}".rstrip(". ")) for each in wanted.approvals
    ]
    if wanted.rejected is not None:
        found.append(
            Event(wanted.rejected.at, "rejected", f"by {wanted.rejected.by}: {wanted.rejected.note}")
        )
    for each in job.attempts:
        if each.started_at is not None:
            found.append(Event(each.started_at, f"attempt {each.attempt} started", f"on {each.server}"))
        found.append(
            Event(each.finished_at, f"attempt {each.attempt} ended", _ended(each.result, each.reason))
        )
    if job.claim is not None:
        found.append(
            Event(job.claim.claimed_at, f"attempt {job.claim.attempt} claimed", f"by {job.claim.server}")
        )
    if wanted.cancel is not None:
        reason = f": {wanted.cancel.reason}" if wanted.cancel.reason else ""
        found.append(Event(wanted.cancel.at, "cancel asked for", f"by {wanted.cancel.by}{reason}"))
    found.sort(key=lambda each: each.at)
    if job.result is not None:
        found.append(Event(job.result.finished_at, "ended", _ended(job.result.result, job.result.reason)))
    return found


def _ended(result: str, reason: str) -> str:
    return result if reason in ("exit", result) else f"{result}, {reason}"


def stretches(job: Job) -> list[Stretch]:
    """Return the life of a job so far in pieces: waiting, and its attempts; what goes on has no end yet."""
    at, found = job.spec.submitted_at, []
    for each in job.attempts:
        took = timedelta(seconds=each.seconds or 0.0)
        begun = max(at, each.started_at or each.finished_at - took)
        if begun > at:
            found.append(_stretch("waiting", at, begun, "waited"))
        at = max(begun, each.finished_at)
        found.append(_stretch(each.result, begun, at, f"attempt {each.attempt} on {each.server}"))
    end = (
        job.claim.claimed_at
        if job.claim is not None
        else job.result.finished_at
        if job.result is not None
        else at
    )
    if end > at and (job.claim is not None or not job.attempts):
        found.append(_stretch("waiting", at, end, "waited"))
    return found


def _stretch(kind: str, since: datetime, until: datetime, words: str) -> Stretch:
    return Stretch(kind, since, until, f"{words}, {span((until - since).total_seconds())}")


def drawn(found: list[Stretch]) -> Markup:
    """Return the pieces as a picture; the words beside it say the same."""
    if not found:
        return Markup()
    begun, whole = found[0].since, (found[-1].until - found[0].since).total_seconds()
    widths = [max(LEAST, WIDTH * (each.until - each.since).total_seconds() / (whole or 1)) for each in found]
    scale, x = WIDTH / sum(widths), 0.0
    parts = []
    for each, width in zip(found, widths, strict=True):
        title, length = escape(visible(each.words)), max(1.0, width * scale - 1.5)
        parts.append(
            f'<rect class="t-{each.kind}" x="{x:.1f}" width="{length:.1f}" height="14"><title>{title}</title></rect>'
        )
        x += width * scale
    told = escape(visible("; ".join(each.words for each in found)))
    label = f"From {begun:%Y-%m-%d %H:%M:%S} on: {told}"
    frame = f'<svg class="line" viewBox="0 0 {WIDTH} 14" preserveAspectRatio="none" role="img"'
    return Markup(f'{frame} aria-label="{label}">{"".join(parts)}</svg>')
