"""The rows of a report: names, servers, slow and failed jobs, flaky ones, and the course of the period."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from bnet.model.history import Past, Stint
from bnet.model.report import Course, Flaky, Line, OfName, OfServer
from bnet.model.server import Server
from bnet.report.facts import BAD, GOOD, stints_of
from bnet.report.tally import middle, overlap, share_of, slot_seconds, spread, took

MOST_NAMES = 30
MOST_LINES = 10
MOST_FAILURES = 20
MOST_FLAKY = 15
MOST_JOBS = 8
MOST_SERVERS = 50
STEPS = 24
FAILED = ("failure", "timeout")  # what the command itself did; a lost server makes nothing flaky


def names(ended: Sequence[Past], before: Sequence[Past]) -> list[OfName]:
    """Return the figures of each name, those with the most runs first."""
    now, then = by_name(ended), by_name(before)
    found = []
    for name, row in now.items():
        earlier = took(then.get(name, ()))
        found.append(
            OfName(
                name=name,
                runs=len(row),
                share=share_of(row),
                took=spread(took(row)),
                share_before=share_of(then.get(name, ())),
                median_before=middle(earlier) if earlier else None,
            )
        )
    return sorted(found, key=lambda each: (-each.runs, each.name))


def by_name(ended: Iterable[Past]) -> dict[str, list[Past]]:
    """Return jobs by their names."""
    found: dict[str, list[Past]] = defaultdict(list)
    for past in ended:
        found[past.name].append(past)
    return found


def slowest(ended: Sequence[Past], before: Sequence[Past]) -> list[Line]:
    """Return the runs that took longest, each beside what its name usually takes."""
    timed = sorted((past for past in ended if past.seconds), key=lambda past: -(past.seconds or 0.0))
    usual = {name: middle(row) for name, past in by_name(before).items() if (row := took(past))}
    return [_line(past, usual.get(past.name)) for past in timed[:MOST_LINES]]


def failures(ended: Sequence[Past]) -> list[Line]:
    """Return what ended badly, the newest first."""
    bad = sorted((past for past in ended if past.result in BAD), key=lambda past: -past.key)
    return [_line(past) for past in bad[:MOST_FAILURES]]


def _line(past: Past, usual: float | None = None) -> Line:
    why = f"exit {past.exit_code}" if past.reason == "exit" and past.exit_code else past.reason or ""
    return Line(
        job=past.number,
        name=past.name,
        result=past.result or past.state,
        why="" if why in ("exit", past.result) else why[:80],
        server=past.server or "",
        at=None if past.finished is None else datetime.fromtimestamp(past.finished, UTC),
        seconds=past.seconds,
        usual=usual,
    )


def flaky(ended: Sequence[Past]) -> list[Flaky]:
    """Return what failed and passed later though nothing had changed: by attempts of a job, or jobs of a commit."""
    runs: dict[tuple[str, str], list[Past]] = defaultdict(list)
    for past in sorted(ended, key=lambda past: past.key):
        # Without a commit nobody knows what a job ran: only its own attempts are of the same thing.
        runs[past.name, past.revision or f"#{past.number}"].append(past)
    found = []
    for (name, revision), row in runs.items():
        good = next((at for at in range(len(row) - 1, -1, -1) if row[at].result == GOOD), None)
        if good is None:
            continue
        failed, jobs = 0, []
        for past in row[: good + 1]:
            times = [each for each in stints_of(past) if each.result in FAILED]
            failed += len(times)
            if times or past is row[good]:
                jobs.append(past.number)
        if failed:
            shown = "" if revision.startswith("#") else revision
            found.append(Flaky(name=name, revision=shown, failed=failed, jobs=tuple(jobs[-MOST_JOBS:])))
    return sorted(found, key=lambda each: (-each.failed, each.name))[:MOST_FLAKY]


def servers(
    stints: Sequence[Stint], there: Mapping[str, Server], begin: datetime, end: datetime, until: datetime
) -> list[OfServer]:
    """Return what each server did, the busiest first; one that has left is told of without its slots.

    Args:
        stints: all attempts that may lie in the period.
        there: the servers that there are.
        begin, end: of the period.
        until: as far as it has come.
    """
    rows: dict[str, list[Stint]] = defaultdict(list)
    for each in stints:
        if overlap(each, begin.timestamp(), end.timestamp()) or _ended_in(each, begin, end):
            rows[each.server].append(each)
    found = []
    for name in sorted(rows.keys() | there.keys()):
        row, server = rows.get(name, []), there.get(name)
        seconds = slot_seconds(row, begin.timestamp(), until.timestamp())
        room = 0.0
        if server is not None:
            room = server.slots * max(0.0, (until - max(begin, server.joined_at)).total_seconds())
        found.append(
            OfServer(
                name=name,
                slots=0 if server is None else server.slots,
                runs=sum(_ended_in(each, begin, end) for each in row),
                failed=sum(_ended_in(each, begin, end) and each.result in BAD for each in row),
                seconds=round(seconds, 1),
                busy=round(min(1.0, seconds / room), 4) if room else None,
            )
        )
    return sorted(found, key=lambda each: (-each.seconds, each.name))[:MOST_SERVERS]


def _ended_in(stint: Stint, begin: datetime, end: datetime) -> bool:
    return stint.ended is not None and begin.timestamp() <= stint.ended < end.timestamp()


def course(
    ended: Sequence[Past],
    stints: Sequence[Stint],
    slots: int,
    begin: datetime,
    end: datetime,
    until: datetime,
) -> Course:
    """Return the period in equal steps, with the work of slots as far as it has come."""
    first, step = begin.timestamp(), (end - begin).total_seconds() / STEPS
    if step <= 0:
        return Course(slots=slots)
    now = until.timestamp()
    well, badly, busy = [0] * STEPS, [0] * STEPS, [0.0] * STEPS
    for past in ended:
        at = min(STEPS - 1, int(((past.finished or first) - first) / step))
        well[at] += past.result == GOOD
        badly[at] += past.result in BAD
    for each in stints:
        if each.begun is None:
            continue
        last = now if each.ended is None else each.ended
        for at in range(
            max(0, int((each.begun - first) // step)), min(STEPS - 1, int((last - first) // step)) + 1
        ):
            busy[at] += overlap(each, first + at * step, min(now, first + (at + 1) * step)) / step
    return Course(
        begins=tuple(datetime.fromtimestamp(round(first + at * step), UTC) for at in range(STEPS)),
        well=tuple(well),
        badly=tuple(badly),
        busy=tuple(round(each, 3) for each in busy),
        slots=slots,
    )
