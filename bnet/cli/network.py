"""A network as a whole: `bnet init` makes one, `bnet status` shows it."""

import shlex
from pathlib import Path
from typing import Any

import click

from bnet.app.hub.found import WORKFLOWS, Wanted, establish
from bnet.app.hub.site import choose
from bnet.app.told.expect import add_expected, outlook
from bnet.app.told.messages import with_messages
from bnet.app.told.overview import heartbeats, overview, sentence
from bnet.cli.context import App, absolute, json_option, pass_app
from bnet.cli.message.desk import Desk
from bnet.cli.render import JOB_HEADS, age, counted, job_rows, note, out, out_json, table, word
from bnet.errors import HubUnreachable
from bnet.schedule.forecast import Forecast, forecast


@click.command()
@click.argument("target", required=False, metavar="[PATH|URL]")
@click.option("--name", help="The network's name, for people; otherwise that of the repository.")
@click.option("--branch", default="bnet", show_default=True, help="The ledger's branch.")
@click.option(
    "--push-budget", type=click.FloatRange(0, min_open=True), metavar="N", help="Pushes a minute at most."
)
@click.option(
    "--ttl", type=click.FloatRange(0, min_open=True), metavar="S", help="Seconds a claim is honoured unseen."
)
@json_option
@pass_app
def init(
    app: App,
    target: str | None,
    name: str | None,
    branch: str,
    push_budget: float | None,
    ttl: float | None,
    as_json: bool,
) -> None:
    """Make a hub: a new repository, or an orphan branch of one that exists.

    Without PATH or URL it is the repository that you stand in, or its remote `origin`. Nothing that is
    checked out is touched. Where there is a ledger already, nothing is changed.

    Example: bnet init hub.git
    """
    machine = app.machine
    site = choose(None if target is None else absolute(target), Path.cwd(), machine.grounds)
    wanted = Wanted(name=name, push_budget=push_budget, ttl=ttl)
    # A token belongs neither on the hub nor into a command that is passed on.
    shown = machine.shown(site.url).replace("***@", "")
    branch, made = establish(site, branch, wanted, machine, shown)
    machine.settle(site.url, branch)
    ledger = machine.ledger(site.url)
    ledger.refresh()
    machine.keep(site.url, ledger)
    settings = ledger.state.settings
    if as_json:
        head = ledger.state.head
        told = {"url": shown, "branch": branch, "hub": head.hub, "made": made}
        told |= {"name": settings.name, "format": head.format, "seq": head.seq}
        out_json(told | {"push_budget": settings.push_budget, "ttl": settings.ttl})
        return
    if made:
        where = f"{site.how}, branch {branch}"
        out(f"{shown} is the hub of the network {settings.name}: {where}")
        if settings.push_budget is not None:
            out(f"its host is asked for no more than {settings.push_budget:g} pushes a minute (hub.yaml)")
        if not ledger.hub.names(ledger.state.tip, WORKFLOWS):
            note("the hub takes no workflows from this token; to have them, see docs/health.md#on-github")
    else:
        out(f"{shown} is a hub already (branch {branch}); nothing was changed")
    out(_next_steps(shown, branch if _must_be_named(branch, machine, site.url) else ""))


def _must_be_named(branch: str, machine: Any, url: str) -> bool:
    """Tell whether others would look for the ledger on another branch."""
    from bnet.app.hub.whereabouts import ledger_branch

    return ledger_branch(machine.grounds.behind(url, "bnet")) != branch


def _next_steps(url: str, branch: str) -> str:
    quoted = shlex.quote(url)
    more = f" --branch {shlex.quote(branch)}" if branch else ""
    prefix = f"BNET_BRANCH={shlex.quote(branch)} " if branch else ""
    return "\n".join(
        [
            "next:",
            f"  bnet join {quoted}{more} --name NAME --cron   on each machine that shall run jobs",
            f"  {prefix}bnet --hub {quoted} submit -- COMMAND",
            f"  {prefix}bnet --hub {quoted} status",
        ]
    )


@click.command()
@json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show the network: its servers, what runs, what is wrong.

    Example: bnet status
    """
    ledger = app.ledger
    look = ledger.refresh()
    app.machine.keep(app.url, ledger)
    now, state = app.machine.clock.now(), ledger.state
    try:
        beats = heartbeats(ledger.hub, look, sorted(state.servers))
    except HubUnreachable:
        # A server began its telemetry anew between the two questions; its age is not worth a failure.
        beats = {}
    told = overview(state, app.machine.shown(app.url), beats, now)
    desk = Desk(app)
    with_messages(told, desk.post, state, desk.reader(state), now)
    coming = forecast(state, app.machine.durations(app.url, state), now)
    if as_json:
        left = None if coming.done is None else round((coming.done - now).total_seconds(), 1)
        out_json(told | {"done_in_s": left})
        return
    out(sentence(told))
    if said := outlook(coming, now):
        out(f"  {said}")
    for each in told["wrong"][1:]:
        out(f"  {each}")
    if told["servers"]:
        out("")
        out(table(SERVER_HEADS, [_server_row(each, now) for each in told["servers"]]))
    _tell_running(state, coming, now)
    if told["awaits"]:
        out("")
    for each in told["awaits"]:
        out(f"#{each['job']} {each['name']} waits for approval: {each['text']}; `bnet approve {each['job']}`")
    if told["messages"]["unread"]:
        count = counted(told["messages"]["unread"], "unread message")
        note(f"{count} to you; `bnet message list --unread`")
    if told["rejected"]:
        note(f"{told['rejected']} refused commands are kept under coordination/rejected/ with their reasons")


SERVER_HEADS = ("SERVER", "WANTED", "SEEN", "SLOTS", "RUNS", "LABELS", "WHY")


def _server_row(told: dict[str, Any], now: Any) -> list[str]:
    seen = age(told["last_seen"], now) if told["last_seen"] else "never"
    return [
        told["name"],
        word(told["wanted"]),
        click.style(seen, fg="red") if told["silent"] else seen,
        f"{len(told['jobs'])}/{told['slots']}",
        " ".join(f"#{number}" for number in told["jobs"]),
        " ".join(f"{key}={value}" for key, value in sorted(told["labels"].items())),
        told["why"],
    ]


def _tell_running(state: Any, coming: Forecast, now: Any) -> None:
    from bnet.app.told.jobs import describe_job

    running = [job for _, job in sorted(state.jobs.items()) if job.state == "running"]
    if running:
        out("")
        told = [describe_job(job, state, now) for job in running]
        add_expected(told, coming)
        out(table(JOB_HEADS, job_rows(told, now)))
