"""The life of a job as a line: what it waited for, and each attempt."""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from markupsafe import Markup

from bnet.model.job import Job
from bnet.sitegen.words import span

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
        box = Markup('<rect class="t-{}" x="{}" width="{}" height="14"><title>{}</title></rect>')
        parts.append(box.format(each.kind, f"{x:.1f}", f"{max(1.0, width * scale - 1.5):.1f}", each.words))
        x += width * scale
    label = Markup("From {} on: {}").format(
        f"{begun:%Y-%m-%d %H:%M:%S}", "; ".join(each.words for each in found)
    )
    picture = Markup(
        '<svg class="line" viewBox="0 0 {} 14" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    )
    return picture.format(WIDTH, label, Markup("").join(parts))
