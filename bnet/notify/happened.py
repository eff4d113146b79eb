"""From what transactions did to events."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from bnet.model import history
from bnet.model.base import Result
from bnet.model.events import KINDS
from bnet.model.job import Job
from bnet.model.notices import Action, Event
from bnet.model.state import State

LONGEST_TEXT = 300  # characters
MOST_PACKAGES = 50  # of a job

Before = Callable[[str, int], Result | None]
"""How the job of a name ended that was the last one before a number; None where there was none."""

_ENDS: Mapping[str, str] = {
    "failure": "job.failed",
    "timeout": "job.timeout",
    "error": "job.error",
    "cancelled": "job.cancelled",
    "skipped": "job.skipped",
}
BAD = ("failure", "timeout", "error")

# verb -> event, and what it says; `{target}` and `{by}` are filled in. Jobs have words of their own.
_PLAIN: Mapping[str, tuple[str, str]] = {
    "join": ("server.joined", "{target} has joined"),
    "replace": ("server.replaced", "another machine has taken over the name {target}"),
    "leave": ("server.left", "{target} has left, as {by} wanted"),
    "remove": ("server.left", "{target} was removed by {by}"),
    "pause": ("server.paused", "{target} was paused by {by}"),
    "drain": ("server.paused", "{target} takes no more jobs, as {by} wanted"),
    "resume": ("server.resumed", "{target} takes jobs again, as {by} wanted"),
    "break": ("lock.broken", "the lock {target} was taken away by {by}"),
    "expire": ("lock.expired", "a holder of the lock {target} was not seen any more"),
    "message": ("message.sent", "message {target} by {by}"),
    "mark": ("release.made", "release {target}"),
    "drop": ("release.dropped", "release {target} was dropped by {by}"),
    "reject": ("command.rejected", "{target} of {by} was refused (coordination/rejected/ says why)"),
    "adopt": ("hub.adopted", "another history is the ledger now (epoch {target})"),
    "upgrade": ("hub.upgraded", "the hub has format {target} now"),
    "ack-alert": ("alert.acknowledged", "{by} has acknowledged {target}"),
}
_OF_JOBS = {
    "submit": ("job.submitted", "was submitted"),
    "claim": ("job.started", "runs"),
    "approve": ("approval.given", "was approved"),
    "disapprove": ("approval.refused", "was not approved"),
}


def happened(events: Iterable[history.Event], state: State, before: Before) -> Iterator[Event]:
    """Yield what people may want to be told of what transactions did, in its order.

    Args:
        events: what they did.
        state: the network now.
        before: how earlier jobs ended.
    """
    for each in events:
        if each.verb in _PLAIN:
            yield _plain(each)
        elif each.verb == "deploy":
            yield _deployed(each)
        elif each.verb in (*_OF_JOBS, "finish", "requeue", "cancel") and each.target.isdigit():
            found = _of_job(each, state.jobs.get(int(each.target)), before)
            if found is not None:
                yield found


def _plain(each: history.Event) -> Event:
    name, words = _PLAIN[each.verb]
    by = each.fields.get("by", each.actor)
    server = each.target if name.startswith("server.") else ""
    text = words.format(target=each.target, by=by)
    return _event(each, name, text, f"{each.verb}:{each.target}:{each.seq}", server=server)


def _deployed(each: history.Event) -> Event:
    result = each.fields.get("result", "success")
    job = each.fields.get("job", "")
    good = result == "success"
    name = "deployment.succeeded" if good else "deployment.failed"
    text = f"{each.target}: deployment #{job} ended with {result}"
    number = int(job) if job.isdigit() else None
    action: Action = "resolve" if good else "trigger"
    return _event(each, name, text, f"deployment:{each.target}", action=action, number=number)


def _of_job(each: history.Event, job: Job | None, before: Before) -> Event | None:
    number, result = int(each.target), each.fields.get("result")
    what = f"#{number}" if job is None else f"#{number} {job.spec.name}"
    key, action = f"{each.verb}:{number}:{each.seq}", "tell"
    if each.verb == "requeue":
        name = "job.lost" if each.fields.get("reason") == "lost" else "job.retried"
        words = f"{what}: attempt {each.fields.get('attempt')} ended ({each.fields.get('reason')}); it is tried again"
    elif each.verb in _OF_JOBS:
        name, said = _OF_JOBS[each.verb]
        words = (
            f"{what} {said} by {each.fields.get('by', each.actor)}"
            if each.verb != "claim"
            else f"{what} runs"
        )
    elif result is None:
        return None  # it was asked to end, and will
    elif result == "success":
        name, action = _succeeded(job, before), "resolve"
        words = f"{what} ended well" + (", after it had not" if name == "job.fixed" else "")
    else:
        name = _ENDS.get(result, "job.error")
        action = "trigger" if result in BAD else "tell"
        words = f"{what}: {result} ({_why(each, job)})"
    if job is not None and action != "tell":
        key = f"job:{job.spec.name}"
    ran = each.verb in ("claim", "finish", "requeue")
    server = each.fields.get("server") or (_server_of(job) if ran else "")
    words += f" on {server}" if server else ""
    return _event(each, name, words, key, action=action, number=number, job=job, server=server)


def _succeeded(job: Job | None, before: Before) -> str:
    if job is None or job.result is None:
        return "job.succeeded"
    if before(job.spec.name, job.number) in BAD:
        return "job.fixed"
    build = job.result.build
    return (
        "job.cached" if build is not None and build.total and build.cached == build.total else "job.succeeded"
    )


def _why(each: history.Event, job: Job | None) -> str:
    why = each.fields.get("reason", "")
    if why == "exit":  # what was ended has a code too, and that is only its signal's
        return f"exit {each.fields.get('exit_code')}"
    said = None if job is None or job.result is None else job.result.message
    return f"{why}: {said}" if said else why


def _server_of(job: Job | None) -> str:
    if job is None:
        return ""
    if job.result is not None:
        return job.result.server or ""
    return job.claim.server if job.claim is not None else job.attempts[-1].server if job.attempts else ""


def _event(
    each: history.Event,
    name: str,
    text: str,
    key: str,
    *,
    action: str = "tell",
    number: int | None = None,
    job: Job | None = None,
    server: str = "",
) -> Event:
    built: tuple[str, ...] = ()
    if job is not None:
        report = None if job.result is None else job.result.build
        built = (*job.spec.packages, *(() if report is None else (one.name for one in report.packages)))
    return Event(
        name=name,
        at=datetime.fromtimestamp(each.at, UTC),
        priority=KINDS[name].priority,
        text=text[:LONGEST_TEXT],
        key=key[:LONGEST_TEXT],
        action="trigger" if action == "trigger" else "resolve" if action == "resolve" else "tell",
        number=number,
        job="" if job is None else job.spec.name,
        server=server,
        labels={} if job is None else dict(job.spec.labels),
        packages=tuple(dict.fromkeys(built))[:MOST_PACKAGES],
        seq=each.seq,
    )
