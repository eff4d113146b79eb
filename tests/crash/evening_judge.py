"""What the ledger and the plan of an evening say that people had to be told, and what they were told."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from evening_shown import blamed_pages, blamed_reports
from evening_work import DEDUP, ESCALATION, GROUP_WAIT, WITHIN
from listeners import Heard
from verdict import finishes

if TYPE_CHECKING:
    from evening import Evening
    from evening_work import Work
LINE = re.compile(
    r"^\S+ \S+Z (?P<priority>low|medium|high|critical) (?P<event>[a-z]+\.[a-z]+): (?P<text>.*)$"
)
ABOUT = re.compile(r"(?:over: )?(?:(#\d+) |.* did not acknowledge \S+ \((.*?)\) of |(?:the disk of )?(\w+) )")
SLACK = 3.0  # seconds: the ledger has whole ones, and a message takes its time
SETTLE = 90.0  # seconds after which a lasting trouble has been found, whoever has just become the steward
EVENTS = {"failure": "job.failed", "timeout": "job.timeout", "error": "job.error"}
MUST, MAY, NEVER = "must", "may", "never"

Key = tuple[str, str, str]  # channel, event, about what


class Ended(NamedTuple):
    """The end of a job: between which times the steward took it in, by the ledger."""

    number: int
    name: str
    result: str
    seq: int
    first: float
    last: float


class Told(NamedTuple):
    """One line of a message that came."""

    key: Key
    heard: Heard


def judge(evening: Evening, work: Work) -> list[str]:
    """Print how what was told compares with what had to be, and return what is not as the rules say."""
    fleet, blames = evening.fleet, list[str]()
    audit = fleet.bnet("audit", "verify", timeout=580)
    if audit.code != 0:
        blames.append(f"bnet audit verify: {audit.out.decode()[-2000:]}")
    print(audit.out.decode().strip().splitlines()[-1])
    jobs = {each["number"]: each for each in fleet.facts("jobs", "--all")}
    ended = finishes(fleet)
    blames += [
        f"#{number} {each['name']} has {ended[number]} results"
        for number, each in jobs.items()
        if ended[number] != 1 or each["state"] != "finished"
    ]
    asked = sorted(number for numbers in work.jobs.values() for number in numbers)
    if sorted(jobs) != asked:
        blames.append(f"asked for {asked}, and there are {sorted(jobs)}")
    events = [
        json.loads(line) for line in fleet.ok("history", "--events", "--json", "--limit", "0").splitlines()
    ]
    wanted = _of_jobs(evening, work, jobs, _ends(events, jobs))
    wanted |= _of_people(work) | _of_servers(evening) | _of_disks(evening, work)
    told = [each for heard in evening.listeners.heard for each in _lines(heard)]
    rows, found = _compared(wanted, told, evening)
    blames += found + _timely(told, evening, work)
    reports, found = blamed_reports(evening, jobs)
    blames += found + blamed_pages(evening, jobs)
    messages = Counter(each.channel for each in evening.listeners.heard)
    print(f"{len(jobs)} jobs: {dict(Counter(each['result'] for each in jobs.values()))}")
    print(
        f"{len(evening.down)} times a server was killed, {len(evening.stewards)} a steward, {len(evening.away)} the"
        f" hub was away; {max(each['seq'] for each in events)} transactions; published {evening.published} times"
    )
    print(f"messages: {dict(messages)}; reports delivered: {reports}")
    print(f"{'channel':8} {'event':24} {'had to':>7} {'could':>6} {'not':>4} {'came':>5} {'twice':>6}")
    for (channel, event), row in sorted(rows.items()):
        print(
            f"{channel:8} {event:24} {row[MUST]:7} {row[MAY]:6} {row[NEVER]:4} {row['came']:5} {row['twice']:6}"
        )
    return blames


def _lines(heard: Heard) -> list[Told]:
    found = []
    for line in heard.body.splitlines():
        match = LINE.match(line.strip())
        if match:
            found.append(Told((heard.channel, match["event"], _about(match["text"])), heard))
    return found


def _about(text: str) -> str:
    """Return what a line is about: a job's number, a message's subject, or a server."""
    match = ABOUT.match(text)
    return next(filter(None, match.groups()), "") if match else text


# -- what had to come


def _ends(events: list[dict[str, Any]], jobs: dict[int, Any]) -> list[Ended]:
    heeds = sorted((each["seq"], _seconds(each["at"])) for each in events if each["verb"] == "heed")
    end = max(_seconds(each["at"]) for each in events)
    found = []
    for each in sorted(events, key=lambda one: int(one["seq"])):
        if each["verb"] not in ("finish", "cancel") or "result" not in each["fields"]:
            continue
        number, at = int(each["target"].lstrip("#")), _seconds(each["at"])
        last = next((when for seq, when in heeds if seq > each["seq"]), end)
        found.append(
            Ended(number, jobs[number]["name"], each["fields"]["result"], each["seq"], at, max(at, last) + 1)
        )
    return found


def _of_jobs(evening: Evening, work: Work, jobs: dict[int, Any], ends: list[Ended]) -> dict[Key, str]:
    wanted: dict[Key, str] = {}
    by_name: defaultdict[str, list[Ended]] = defaultdict(list)
    for each in ends:
        by_name[each.name].append(each)
    for name in ("wheel", "muted", "taken", "pkg"):
        wanted |= _of_name(evening, work, jobs, by_name[name])
    for name, its in by_name.items():
        for each in its:
            about = f"#{each.number}"
            if each.result == "cancelled":
                wanted["hook", "job.cancelled", about] = _lost(evening, jobs, each)
            if name == "doc" and each.result == "success":
                wanted["digest", "job.succeeded", about] = _lost(evening, jobs, each)
            if name.startswith("burst") and each.result == "failure":
                wanted["mail", "job.failed", about] = _all(
                    {_of_window(its, each), _lost(evening, jobs, each)}
                )
    for number in work.jobs.get("approved", []):
        for event in ("approval.wanted", "approval.given", "approval.settled"):
            wanted["hook", event, f"#{number}"] = MUST
    return wanted


def _of_name(evening: Evening, work: Work, jobs: dict[int, Any], ends: list[Ended]) -> dict[Key, str]:
    """Follow the jobs of a name from end to end: trouble, acknowledgement, silence, the same again, and its end."""
    wanted: dict[Key, str] = {}
    before, result = list[Ended](), ""
    acked = work.acked_at if ends and ends[0].name == "taken" else None
    for each in ends:
        about = f"#{each.number}"
        if each.result == "success":
            if result in EVENTS:
                wanted["hook", "job.fixed", about] = _lost(evening, jobs, each)
            if acked is not None and each.first > acked:
                acked = None  # what was taken on is over
        elif each.result in EVENTS:
            says = {_of_window(before, each), _silenced(work, each), _lost(evening, jobs, each)}
            if acked is not None and each.first > acked + SLACK:
                says.add(NEVER)
            wanted["hook", EVENTS[each.result], about] = _all(says)
            if NEVER not in says:
                before.append(each._replace(result=_all(says)))
        result = each.result
    return wanted


def _all(says: set[str]) -> str:
    return NEVER if NEVER in says else MAY if MAY in says else MUST


def _of_window(before: list[Ended], each: Ended) -> str:
    """Say whether the same was told so shortly before that it is not told again."""
    says = set()
    for other in reversed([one for one in before if one.seq < each.seq]):
        if each.last - other.first < DEDUP - SLACK:
            says.add(NEVER)
        elif each.first - other.last > DEDUP + SLACK:
            says.add(MUST)
        else:
            says.add(MAY)
        if other.result == MUST:
            break  # what was told for certain hides what was before
    else:
        says.add(MUST)
    return says.pop() if len(says) == 1 else MAY


def _silenced(work: Work, each: Ended) -> str:
    if work.silenced is None or each.name != "muted":
        return MUST
    asked, begin, seconds = work.silenced
    if each.first > begin + SLACK and each.last < asked + seconds - SLACK:
        return NEVER
    return MUST if each.last < asked - SETTLE or each.first > begin + seconds + SLACK else MAY


def _lost(evening: Evening, jobs: dict[int, Any], each: Ended) -> str:
    """Say whether a job's end may be of no interest, since its server was away."""
    server = jobs[each.number]["server"]
    near = any(
        name == server and begin - SETTLE < each.last and each.first < end + SETTLE
        for name, begin, end in evening.down
    )
    return MAY if near else MUST


def _of_people(work: Work) -> dict[Key, str]:
    wanted: dict[Key, str] = {}
    for subject, at in work.posted.items():
        late = work.answered[subject] - at - WITHIN
        says = NEVER if late < 0 else MAY if late < SETTLE else MUST
        wanted["mail", "message.unacknowledged", subject] = says
        wanted["mail", "message.acknowledged", subject] = says
        boss = NEVER if late < ESCALATION else MAY if late < ESCALATION + SETTLE else MUST
        wanted["boss", "message.unacknowledged", subject] = boss
        wanted["boss", "message.acknowledged", subject] = boss
    return wanted


def _of_servers(evening: Evening) -> dict[Key, str]:
    """A server that was away for long was lost once for each time and came back; no other one was ever lost."""
    wanted: dict[Key, str] = {}
    for name in "abcd":
        times = [end - begin for server, begin, end in evening.down if server == name]
        long = any(each > SETTLE for each in times)
        for event in ("server.lost", "server.back"):
            wanted["watch", event, name] = MUST if long else NEVER
    return wanted


def _of_disks(evening: Evening, work: Work) -> dict[Key, str]:
    wanted: dict[Key, str] = {}
    for name in "abcd":
        begin, end = [*work.full, evening.begun + evening.seconds][:2]
        away = sum(
            max(0.0, min(end, until) - max(begin, since))
            for server, since, until in evening.down
            if server == name
        )
        says = MUST if end - begin - away > 2 * SETTLE else MAY
        wanted["watch", "disk.warning", name] = wanted["watch", "disk.ok", name] = says
    return wanted


# -- how it compares


def _compared(
    wanted: dict[Key, str], told: list[Told], evening: Evening
) -> tuple[dict[tuple[str, str], Counter[str]], list[str]]:
    rows: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    blames, came = [], defaultdict(list)
    for each in told:
        came[each.key].append(each.heard.at)
    for key, says in wanted.items():
        rows[key[:2]][says] += 1
    for key in wanted.keys() | came.keys():
        says, times = wanted.get(key, NEVER), sorted(came[key])
        row, most = rows[key[:2]], 1
        row["came"] += bool(times)
        if key[1] in ("server.lost", "server.back"):
            most = sum(server == key[2] and end - begin > SETTLE for server, begin, end in evening.down)
        if says == MUST and len(times) < most:
            blames.append(f"{' '.join(key)}: had to be told {most} times, and was {len(times)} times")
        if says == NEVER and times:
            blames.append(f"{' '.join(key)}: was told, and should not have been")
        twice = max(0, len(times) - most)
        row["twice"] += twice
        near = sum(times[0] - SLACK < at < times[-1] for at in evening.stewards) if times else 0
        if says != NEVER and twice > near:
            blames.append(
                f"{' '.join(key)}: was told {len(times)} times, with {near} stewards killed meanwhile"
            )
    return dict(rows), blames


def _timely(told: list[Told], evening: Evening, work: Work) -> list[str]:
    """Return what came at a time when it should not have, or in more messages than it should have."""
    blames, (begin, end) = list[str](), evening.quiet
    in_quiet = {id(each.heard): each.heard for each in told if each.key[0] == "digest"}.values()
    blames += [
        f"digest: {each.title} came in quiet hours"
        for each in in_quiet
        if begin + SLACK < each.at < end - SLACK
    ]
    held = [each for each in in_quiet if each.body.startswith("Held until now") and each.at >= end - SLACK]
    if not held:
        blames.append("digest: what quiet hours held did not come as one message")
    first: dict[str, float] = {}
    for each in told:
        channel, event, about = each.key
        if event == "message.unacknowledged":
            if channel == "mail":
                first.setdefault(about, each.heard.at)
            elif each.heard.at < first.get(about, evening.begun) + ESCALATION - SLACK:
                blames.append(f"boss: {about} came too early")
            elif not re.search("not acknowledged", each.heard.title):
                blames.append(f"boss: {each.heard.title} does not say why it came")
    lines = [each for each in told if each.key[:2] == ("mail", "job.failed")]
    bursts = {each.heard.at: each for each in lines}
    if 2 * len(bursts) > len(lines):
        blames.append(f"mail: {len(lines)} failures that came in bursts were told in {len(bursts)} messages")
    for at, each in bursts.items():
        stamp = next(match[0] for match in [re.search(r"\d{4}-\S+ \S+Z", each.heard.body)] if match)
        if at < _seconds(stamp.replace(" ", "T")) + GROUP_WAIT - 1:
            blames.append(f"mail: {each.heard.title} did not wait for more of its group")
    return blames


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
