"""The doctor's checks of the network: this server in it, and what people and jobs have to wait for."""

import shlex
from collections.abc import Sequence
from datetime import timedelta

from bnet.app.doctor.finding import Finding, Visit, bad, good, open_
from bnet.app.server.telemetry import settled
from bnet.app.told.messages import overdue_line
from bnet.app.told.notices import unheard
from bnet.app.told.sources import obstacles
from bnet.codec import layout
from bnet.model.job import Job
from bnet.model.server import Server
from bnet.model.state import Problem, State
from bnet.rules.leases import default_ttl
from bnet.rules.waiting import accepts

LEAST_TTL_WITH_CRON = 180.0  # seconds: a holder has to be seen every third of it, and cron comes each minute
RECENT = timedelta(days=1)


def broken_by_people(visit: Visit) -> Finding:
    """Is a document that people write set aside because it cannot be read?"""
    found = [each for each in _problems(visit) if not layout.is_machine(each.path)]
    if visit.state is None:
        return open_("nothing is known of the ledger")
    if found:
        first = found[0]
        seen = f" (what broke it: git show {first.commit[:10]})" if first.commit else ""
        return bad(
            _told(found),
            f"mend {shlex.quote(first.path)} on the hub's branch and commit it{seen}; or bnet doctor --repair "
            "(puts the last readable text back, and keeps this one in coordination/rejected/)",
        )
    return good("every document that people write can be read")


def broken_by_machines(visit: Visit) -> Finding:
    """Is a document that only transactions may write broken, or changed by hand?"""
    found = [each for each in _problems(visit) if layout.is_machine(each.path)]
    if visit.state is None:
        return open_("nothing is known of the ledger")
    if found:
        return bad(
            _told(found), "bnet doctor --repair, or bnet sync (any transaction restores it from the history)"
        )
    return good("every document that machines write is as they wrote it")


def settings(visit: Visit) -> Finding:
    """Were there settings once that are gone? Whoever deletes a directory may not have meant them."""
    ledger, state = visit.patient.ledger, visit.state
    if ledger is None or state is None:
        return open_("nothing is known of the ledger")
    if ledger.hub.read(state.tip, [layout.SETTINGS]):
        return good(f"{layout.SETTINGS} is there")
    for commit, _ in ledger.hub.older(state.tip, layout.SETTINGS):
        return open_(
            f"{layout.SETTINGS} is gone, and the defaults are in force",
            f"if that was not meant, commit it again: git show {commit[:10]}:{layout.SETTINGS}",
        )
    return good("there has never been a hub.yaml, and the defaults are in force")


def rejected(visit: Visit) -> Finding:
    """Was a file of the inbox refused in the last day?"""
    state = visit.state
    if state is None:
        return open_("nothing is known of the ledger")
    now = visit.patient.clock.now()
    found = [
        (path, each)
        for path, each in sorted(state.rejected.items())
        if now - each.at <= RECENT and each.file.startswith("inbox/")
    ]
    if found:
        path, first = found[-1]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return bad(
            f"{first.file} of {first.by} was refused: {first.reason}{more}",
            f"its text is in {path} on the hub; commit it to coordination/inbox/ again, mended",
        )
    return good("no file of the inbox was refused in the last day")


def messages(visit: Visit) -> Finding:
    """Was a message not acknowledged in time, or cannot be read?"""
    post, state = visit.patient.post, visit.state
    if post is None or state is None:
        return open_("nothing is known of the ledger")
    now = visit.patient.clock.now()
    late, broken = post.overdue(state, now), post.problems()
    if late:
        more = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
        name = late[0][0].rpartition("/")[2]
        return bad(
            overdue_line(*late[0], now) + more, f"bnet message read {name}, then: bnet message ack {name}"
        )
    if broken:
        first = shlex.quote(broken[0].path)
        return bad(
            _told(broken), f"mend {first} on the hub's branch and commit it; its text is kept as it is"
        )
    return good("every message can be read, and was acknowledged in time where that was asked for")


def sources(visit: Visit) -> Finding:
    """Does something come of every source, and do results get back to it?"""
    if visit.state is None:
        return open_("nothing is known of the ledger")
    found = list(obstacles(visit.state))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return bad(found[0] + more, "bnet source check (says it of each; it is tried again by itself)")
    return good(f"nothing stands in the way of {len(visit.state.sources)} source(s)")


def notifications(visit: Visit) -> Finding:
    """Do people hear of what they want to be told?"""
    if visit.state is None:
        return open_("nothing is known of the ledger")
    found = unheard(visit.state, visit.patient.clock.now())
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return bad(
            found[0] + more,
            "bnet notify history; once mended: bnet notify test (it is tried again by itself)",
        )
    routes = len(visit.state.notifications.routes)
    return good(
        f"nothing stands in the way of {routes} route(s)" if routes else "nobody wants to be told of anything"
    )


def registered(visit: Visit) -> Finding:
    """Is this server in the network, and is it this machine?"""
    me, state = visit.patient.identity, visit.state
    if me is None or state is None:
        return open_("not joined" if me is None else "nothing is known of the ledger")
    mine = state.servers.get(me.name)
    if mine is None:
        return bad(f"{me.name} is not in the network", f"bnet join {shlex.quote(me.hub)} --name {me.name}")
    if mine.instance != me.instance:
        return bad(
            f"another machine has joined as {me.name} (instance {mine.instance[:8]}, not {me.instance[:8]})",
            f"bnet join {shlex.quote(me.hub)} --name ANOTHER_NAME",
        )
    return good(f"{me.name} is registered, with {mine.slots} slot(s)")


def twin(visit: Visit) -> Finding:
    """Does a copy of this machine report under its name?"""
    me, look = visit.patient.identity, visit.look
    if me is None or look is None:
        return open_("not joined" if me is None else "the hub does not answer")
    tip = look.telemetry.get(me.name, "")
    if tip and settled(visit.patient.notes.sent(), tip) is None:
        return bad(
            f"somebody else reports as {me.name}: a copy of this machine, or its notes were deleted",
            f"on the copy: bnet join {shlex.quote(me.hub)} --name ANOTHER_NAME; without one, it passes",
        )
    return good(f"nobody else reports as {me.name}")


def wanted(visit: Visit) -> Finding:
    """Is this server meant to take jobs?"""
    me, state = visit.patient.identity, visit.state
    mine = None if me is None or state is None else state.servers.get(me.name)
    if mine is None:
        return open_("not joined" if me is None else "nothing is known of this server")
    if mine.wanted != "active":
        by = f" by {mine.by}" if mine.by else ""
        why = f": {mine.why}" if mine.why else ""
        return open_(f"{mine.name} is {mine.wanted}{by}{why}", f"bnet server resume {mine.name}")
    return good(f"{mine.name} takes jobs")


def ttl(visit: Visit) -> Finding:
    """Are leases long enough for how often this server syncs?"""
    state = visit.state
    if state is None:
        return open_("nothing is known of the ledger")
    settings = state.settings
    seconds = settings.ttl or default_ttl(len(state.servers), settings.push_budget)
    by = visit.patient.host.schedules() if visit.patient.identity is not None else ()
    if by and seconds < LEAST_TTL_WITH_CRON:
        return bad(
            f"leases last {seconds:g} s, too short for a sync each minute by {' and '.join(by)}",
            f"set `ttl: 180` or more in {layout.SETTINGS} on the hub, or run `bnet agent` instead",
        )
    return good(f"leases last {seconds:g} s")


def hopeless(visit: Visit) -> Finding:
    """Does a job wait for something that no server has?"""
    state = visit.state
    if state is None:
        return open_("nothing is known of the ledger")
    servers = [*state.servers.values()]
    waiting = [job for job in state.jobs.values() if job.state == "pending"]
    stuck = {job.number: why for job in waiting if (why := _missing(job, servers))}
    if not stuck:
        return good(f"for each of {len(waiting)} waiting job(s) there is a server that fits")
    told = ", ".join(f"#{number} needs {why}" for number, why in list(stuck.items())[:5])
    more = f" and {len(stuck) - 5} more" if len(stuck) > 5 else ""
    return bad(
        f"no server can ever run {told}{more}", f"bnet why {next(iter(stuck))} (says what each server lacks)"
    )


def _missing(job: Job, servers: Sequence[Server]) -> str:
    """Return what a job needs and no server has; "" if one fits."""
    fits = [each for each in servers if _has(each, job.spec.labels)]
    if any(accepts(each, job) for each in fits):
        return ""
    if fits:
        return f"a server that accepts queue {job.spec.queue} from {job.spec.submitted_by}"
    wants = job.spec.labels.items()
    nowhere = [
        f"{key}={value}" for key, value in wants if not any(_has(each, {key: value}) for each in servers)
    ]
    together = " with ".join(f"{key}={value}" for key, value in wants) or "a server"
    return " and ".join(nowhere) or together


def _has(server: Server, labels: dict[str, str]) -> bool:
    return all(server.labels.get(key) == value for key, value in labels.items())


def _problems(visit: Visit) -> Sequence[Problem]:
    state: State | None = visit.state
    return () if state is None else state.problems


def _told(problems: Sequence[Problem]) -> str:
    shown = [_line(each) + (f" (commit {each.commit[:10]})" if each.commit else "") for each in problems[:3]]
    more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(shown).replace("\n", " ") + more


def _line(problem: Problem) -> str:
    # A complaint about a text begins with its file and line, other ones go on from its name.
    return (
        problem.message if problem.message.startswith(problem.path) else f"{problem.path} {problem.message}"
    )
