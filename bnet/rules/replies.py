"""What is said in a thread by itself: that nobody has acknowledged it yet, and what became of what was asked."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from bnet.codec import letter_paths, letters
from bnet.model.job import Job
from bnet.model.message import Ask, Importance
from bnet.rules.acks import missing
from bnet.rules.mail import Mail, asks, id_of, is_closed, say
from bnet.rules.transaction import Transaction

MOST_RAISED = 5  # times that a message is raised again; each pause is twice the one before
MOST_TOLD = 50  # jobs that an answer lists

# -- raising again


def raised_at(ask: Ask) -> datetime | None:
    """Return when a message is raised again, if nobody acknowledges it before; None if it never is (any more)."""
    if ask.due is None or ask.raised >= MOST_RAISED:
        return None
    # A span of years, doubled, would lead out of the calendar.
    return ask.due + timedelta(seconds=min(ask.within * (2**ask.raised - 1), 3_155_760_000.0))


def remind(tx: Transaction, mail: Mail, me: str) -> None:
    """Raise again what was not acknowledged in time: a reply to those who have not, of more weight each time."""
    for key, ask in list(asks(tx)):
        at = raised_at(ask)
        if at is None or tx.now < at or key not in mail.acked:
            continue
        names = missing(ask, mail.acked[key])
        if not names or is_closed(tx):
            continue
        count = ask.raised + 1
        level: Importance = "urgent" if count > 1 else "high"
        body = (
            f"{ask.sender} waits for {', '.join(names)} to acknowledge `{id_of(key)}`. "
            f"That was due {letters.stamp(ask.due or at)}.\n\n    bnet message ack {id_of(key)}\n"
        )
        tx.documents[letter_paths.ask_path(key)] = replace(ask, raised=count)
        subject = f"Not acknowledged: {ask.subject}"
        say(tx, key, ask, "again", subject, body, me=me, to=names, priority=level)


# -- answering


def answer(tx: Transaction, me: str) -> None:
    """Reply to each message whose command has been done, or was refused."""
    for key, ask in list(asks(tx)):
        if not ask.command or ask.answered or is_closed(tx):
            continue
        jobs = [tx.jobs.get(number) for number in ask.jobs]
        if any(job is not None and job.result is None for job in jobs):
            continue
        word, body = _outcome(ask, jobs)
        tx.documents[letter_paths.ask_path(key)] = replace(ask, answered=True)
        say(tx, key, ask, "answer", f"Re: {ask.subject} ({word})", body, me=me, to=[ask.sender])


def _outcome(ask: Ask, jobs: Sequence[Job | None]) -> tuple[str, str]:
    if ask.refused and not ask.jobs:
        return "refused", f"This was not done: {ask.refused}\n"
    if not ask.jobs:
        return "done", "This was done.\n"
    ended = [job.result for job in jobs if job is not None and job.result is not None]
    words = sorted({each.result for each in ended if each.result != "success"})
    rows = ["| job | name | result | server | seconds |", "|---|---|---|---|---|"]
    rows += [_row(number, job) for number, job in zip(ask.jobs[:MOST_TOLD], jobs, strict=False)]
    more = f"\nand {len(ask.jobs) - MOST_TOLD} more\n" if len(ask.jobs) > MOST_TOLD else ""
    more += f"\nA part of it was not done: {ask.refused}\n" if ask.refused else ""
    return ", ".join(words) or "success", "\n".join(rows) + "\n" + more


def _row(number: int, job: Job | None) -> str:
    if job is None or job.result is None:
        return f"| #{number} |  | archived |  |  |"
    result = job.result
    why = result.reason if result.exit_code is None else f"exit {result.exit_code}"
    took = "" if result.seconds is None else f"{result.seconds:.1f}"
    how = f"{result.result} ({why})"
    return f"| #{number} | {job.spec.name} | {how} | {result.server or ''} | {took} |"
