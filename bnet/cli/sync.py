"""`bnet sync` and `bnet agent`: a server's work, once and in a loop."""

import sys
from typing import TYPE_CHECKING

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out_json
from bnet.errors import BnetError, HubUnreachable, Taken

if TYPE_CHECKING:
    from bnet.app.server.cycle import Report


@click.command()
@click.option("--no-claim", is_flag=True, help="Report and observe, but take no new job.")
@click.option("--delay", type=float, default=0.0, metavar="S", help="Wait S seconds first.")
@json_option
@pass_app
def sync(app: App, no_claim: bool, delay: float, as_json: bool) -> None:
    """Do one round: report, observe, claim, start. What cron runs each minute.

    Example: bnet sync
    """
    from bnet.app.server.service import Service
    from bnet.wiring.duty import Duty

    app.machine.clock.sleep(delay)
    if app.machine.identity is None and _deliver(app):
        return
    service = Service(Duty(app.machine))
    if not service.enter():
        note("bnet: another sync or agent of this server is at work")
        return
    try:
        report = service.round(claim=not no_claim)
        service.tidy()
    except HubUnreachable as error:
        raise HubUnreachable(error.message, hint=service.waiting()) from None
    finally:
        service.leave()
    if as_json:
        out_json({name: getattr(report, name) for name in report.__struct_fields__})
    else:
        _told(report)
        if report.wait_s:
            note(f"waits {report.wait_s:.0f} s for this server's turn in the hub's push budget")


def _deliver(app: App) -> bool:
    """Deliver what waits on a machine that is no server; return whether anything did.

    Raises:
        HubUnreachable: one of the hubs did not answer; what is for the others was delivered.
    """
    from bnet.app.lookup import Lookup
    from bnet.app.submit import deliver

    outbox = app.machine.outbox()
    hubs, away = outbox.hubs(), None
    for url in hubs:
        waiting = len(outbox.letters(url))
        ledger = app.machine.ledger(url)
        try:
            ledger.refresh()
        except HubUnreachable as error:
            away = HubUnreachable(error.message, hint=f"{waiting} submission(s) wait for it here")
            continue
        refused = deliver(ledger, Lookup(ledger.hub, app.machine.repositories.resolve), outbox, url)
        for each in refused:
            note(each)
        left = len(outbox.letters(url))
        note(
            f"delivered {waiting - left - len(refused)} of {waiting} submission(s) to {app.machine.shown(url)}"
        )
        app.machine.keep(url, ledger)
    if away is not None:
        raise away
    return bool(hubs)


@click.command()
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Run N jobs, report them, and exit.")
@click.option("--idle-exit", type=float, metavar="S", help="Exit after S seconds without a job.")
@click.option(
    "--interval", type=float, metavar="S", help="Seconds between two looks; otherwise the hub's setting."
)
@pass_app
def agent(app: App, jobs: int | None, idle_exit: float | None, interval: float | None) -> None:
    """Do rounds until told to end: seconds instead of a minute from a submit to its start.

    Runs go on when the agent ends; the next sync or agent finds them again.

    Example: bnet agent --jobs 1 --idle-exit 300
    """
    from bnet.app.server.service import Agent, Service
    from bnet.wiring.duty import Duty

    service = Service(Duty(app.machine))
    if not service.enter():
        raise Taken(
            "another sync or agent of this server is at work", hint="`bnet server list` shows what it does"
        )
    worker = Agent(service, jobs=jobs, idle_exit=idle_exit, interval=interval, told=_told, failed=_failed)
    try:
        worker.run()
    finally:
        service.leave()


def _told(report: "Report") -> None:
    for said in report.lines():
        note(said)


def _failed(error: BnetError) -> None:
    note(f"bnet: {error}")
    sys.stderr.flush()
