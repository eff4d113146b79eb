"""`bnet history`: what became of jobs, what happened, and how the network was."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.context import App, json_option
from bnet.cli.render import JOB_HEADS, job_rows, note, out, out_json, seconds, table, word
from bnet.codec.moments import parse_moment

if TYPE_CHECKING:
    from bnet.model.history import Event, Past

RESULTS = ("success", "failure", "error", "timeout", "cancelled", "skipped")
_FILTERS = ("words", "name", "queue", "results", "reason", "by", "labels", "packages", "server")
_TIMES = ("since", "until")
_UNTOLD = ("run", "token", "instance")  # of an event: numbers for programs


def _labels(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    for each in value:
        if "=" not in each.strip("="):
            raise click.BadParameter(f"{each!r} is no NAME=VALUE")
    return {name: text for name, _, text in (each.partition("=") for each in value)}


@click.command()
@click.argument("words", nargs=-1)
@click.option("--name", metavar="GLOB", help="Only jobs of this name; * stands for anything.")
@click.option("--server", metavar="GLOB", help="Only what was run by it; of events: what it did.")
@click.option(
    "--result", "results", multiple=True, type=click.Choice(RESULTS), help="Only those; repeatable."
)
@click.option("--reason", metavar="GLOB", help="Only those that ended for it: lost, silence, expired, ...")
@click.option("--by", metavar="GLOB", help="Only what they submitted, as in '*@example.org'.")
@click.option("--queue", metavar="GLOB", help="Only of this queue.")
@click.option("-l", "--label", "labels", multiple=True, callback=_labels, metavar="K=V", help="Only with it.")
@click.option("--package", "packages", multiple=True, metavar="P", help="Only what built this package.")
@click.option("--since", metavar="TIME", help="Only what ended since: 2026-11-20, 2d.")
@click.option("--until", metavar="TIME", help="Only what ended by then.")
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="The newest N; 0 for all."
)
@click.option("--events", is_flag=True, help="What the transactions did, not what became of jobs.")
@click.option("--job", type=int, metavar="N", help="With --events: what happened to this job.")
@click.option("--verb", metavar="V", help="With --events: only these, as in claim or finish.")
@click.option("--at", metavar="TIME|COMMIT", help="The network as it was then.")
@json_option
@click.pass_context
def history(ctx: click.Context, /, **asked: Any) -> None:
    """Search all jobs that there ever were; or see what happened, or how the network was.

    Each of the WORDS has to occur in a job's name, command, labels, submitter, source, server, messages or
    artifacts; "several words" in one argument in this order, and word* with any ending.

    With --json, jobs are an array as of `bnet jobs`, and events are JSON lines.

    Example: bnet history wheel --result failure --since 7d; bnet history --events --job 12
    """
    app: App = ctx.obj
    _check(asked)
    for name in _TIMES:
        if asked[name] is not None:
            asked[name] = _seconds(app, name, asked[name])
    if asked["at"] is not None:
        _at(app, asked["at"], asked["as_json"])
    elif asked["events"]:
        _events(app, asked)
    else:
        _jobs(app, asked)


def _check(asked: dict[str, Any]) -> None:
    """Refuse what does not go together, rather than pass over it."""
    named = [name for name in (*_FILTERS, *_TIMES, "job", "verb") if asked[name] not in (None, (), {})]
    if asked["at"] is not None and (named or asked["events"]):
        raise click.UsageError("--at shows the whole network, and goes with no other choice but --json")
    if asked["events"]:
        wrong = [name for name in named if name not in ("server", "job", "verb", *_TIMES)]
        if wrong:
            raise click.UsageError("--events goes with --job, --server, --verb, --since, --until and --limit")
    elif asked["job"] is not None or asked["verb"] is not None:
        raise click.UsageError("--job and --verb go with --events; `bnet show N` shows one job")


def _seconds(app: App, name: str, text: str) -> float:
    try:
        return parse_moment(text, app.machine.clock.now(), end=name == "until").timestamp()
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"--{name}") from None


# -- jobs


def _jobs(app: App, asked: dict[str, Any]) -> None:
    from bnet.app.history import annals, search
    from bnet.model.history import Query

    ledger = app.read()
    limit = asked["limit"] or None
    query = Query(
        **{name: asked[name] for name in ("words", "name", "server", "queue", "reason", "results")},
        **{name: asked[name] for name in ("labels", "packages", "since", "until")},
        submitted_by=asked["by"],
        limit=None if limit is None else limit + 1,
    )
    found = search(ledger, app.machine.index(app.url), query)
    shown = found[:limit]
    if asked["as_json"]:
        from bnet.app.told.jobs import describe_job

        known = {**annals(ledger).whole(shown), **ledger.state.jobs}
        now = app.machine.clock.now()
        out_json([describe_job(known[past.number], ledger.state, now) for past in shown])
    elif shown:
        out(table(("JOB", "NAME", "STATE", "SERVER", "TOOK", "ENDED", "BY"), [_row(past) for past in shown]))
    else:
        note("no job is like that")
    if len(found) > len(shown) and not asked["as_json"]:
        note(f"these are the newest {limit}; --limit 0 lists all")


def _row(past: "Past") -> list[str]:
    failed = past.result == "failure" and past.reason == "exit"
    why = f"exit {past.exit_code}" if failed else past.reason
    told = f" ({why})" if why not in (None, "exit", past.result) else ""
    return [
        f"#{past.number}",
        past.name,
        word(past.result or past.state) + told,
        past.server or "",
        "" if past.seconds is None else seconds(past.seconds),
        "" if past.finished is None else _time(past.finished),
        _plain(past.submitted_by),
    ]


# -- events


def _events(app: App, asked: dict[str, Any]) -> None:
    from bnet.app.history import annals
    from bnet.model.history import EventQuery

    ledger = app.read()
    query = EventQuery(
        **{name: asked[name] for name in ("job", "server", "verb", "since", "until")},
        limit=asked["limit"] or None,
    )
    found = app.machine.index(app.url).events(annals(ledger), query)
    if asked["as_json"]:
        for event in found:
            out(json.dumps(_described(event)))
    elif found:
        width = max(len(_plain(event.actor)) for event in found)
        for event in found:
            out(f"{_time(event.at)}  {event.seq:>6}  {_plain(event.actor):<{width}}  {_told(event)}")
    else:
        note("nothing like that has happened")


def _described(event: "Event") -> dict[str, Any]:
    at = datetime.fromtimestamp(event.at, UTC).isoformat().replace("+00:00", "Z")
    head = {"at": at, "seq": event.seq, "commit": event.commit, "actor": event.actor}
    return head | {"verb": event.verb, "target": event.target, "fields": dict(event.fields)}


def _told(event: "Event") -> str:
    """Return an event as people read it: a job's number under its sign, and no identifiers."""
    target = f"#{event.target}" if event.target.replace("-", "").isdecimal() else event.target
    fields = [f"{name} {value}" for name, value in event.fields.items() if name not in _UNTOLD]
    return _plain(f"{event.verb} {target}" + (f" ({', '.join(fields)})" if fields else ""))


# -- the network as it was


def _at(app: App, text: str, as_json: bool) -> None:
    from bnet.app.history import state_at
    from bnet.app.told.jobs import describe_job, describe_network

    ledger = app.read()
    now = app.machine.clock.now()
    stamp, state = state_at(ledger, app.machine.index(app.url), text, now)
    told = describe_network(state, app.machine.shown(app.url))
    open_jobs = [
        describe_job(job, state, stamp.at) for _, job in sorted(state.jobs.items()) if job.result is None
    ]
    at = stamp.at.isoformat().replace("+00:00", "Z")
    if as_json:
        head = {"at": at, "commit": stamp.commit, "actor": stamp.actor}
        out_json(head | told | {"open_jobs": open_jobs})
        return
    counts = told["jobs"]
    out(
        f"the network after transaction {stamp.seq}, commit {stamp.commit[:12]}, which {_plain(stamp.actor)} made at "
        f"{_time(stamp.at.timestamp())}: {counts['running']} running, {counts['pending']} waiting"
    )
    if told["servers"]:
        out("")
        out(table(("SERVER", "WANTED", "SLOTS", "RUNS", "WHY"), [_server(each) for each in told["servers"]]))
    if open_jobs:
        out("")
        out(table(JOB_HEADS, job_rows(open_jobs, stamp.at)))


def _server(told: dict[str, Any]) -> list[str]:
    runs = " ".join(f"#{number}" for number in told["jobs"])
    return [
        told["name"],
        word(told["wanted"]),
        f"{len(told['jobs'])}/{told['slots']}",
        runs,
        _plain(told["why"]),
    ]


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _plain(text: str) -> str:
    """Return a text in which no sign moves the cursor."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
