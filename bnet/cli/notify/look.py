"""What may be told, and what would become of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import click

from bnet.app.told.notices import describe_event
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json, out_list
from bnet.codec.notifications import urls_of, wrong_pattern
from bnet.codec.shown import escaped
from bnet.errors import BnetError
from bnet.model.events import EVENTS, KINDS
from bnet.model.notices import Event, Notices
from bnet.model.notify import Level
from bnet.notify.outbox import Message
from bnet.notify.preview import Way, example, ways
from bnet.notify.wording import worded

if TYPE_CHECKING:
    from bnet.app.ledger import Ledger

BACK = 300  # transactions that are looked at
NEWEST = 20  # events of them that are shown


@click.command()
@json_option
def events(as_json: bool) -> None:
    """List the events that there are, with their priorities and the names that other systems have for them.

    Example: bnet notify events
    """
    told = [
        {"event": each.name, "priority": each.priority, "what": each.what, "also": list(each.also)}
        for each in EVENTS
    ]
    rows = ([each.name, each.priority, each.what, " ".join(each.also)] for each in EVENTS)
    out_list(told, ("EVENT", "PRIORITY", "WHEN", "ALSO CALLED"), rows, "", as_json=as_json)


def _labels(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    for each in value:
        if "=" not in each.strip("="):
            raise click.BadParameter(f"{each!r} is no NAME=VALUE")
    return {name: text for name, _, text in (each.partition("=") for each in value)}


@click.command()
@click.argument("event", required=False)
@click.option("--server", default="", help="Of this server.")
@click.option("--job", default="", help="Of a job of this name.")
@click.option("--package", "packages", multiple=True, help="Of a job that builds this.")
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    callback=_labels,
    metavar="K=V",
    help="Of a job with this label.",
)
@click.option("--priority", type=click.Choice(get_args(Level)), help="As if it mattered so much.")
@json_option
@pass_app
def preview(
    app: App,
    event: str | None,
    server: str,
    job: str,
    packages: tuple[str, ...],
    labels: dict[str, str],
    priority: Level | None,
    as_json: bool,
) -> None:
    """Show what would be told, by which route, and why not otherwise: of an event by name, or of the newest ones.

    Nothing is sent.

    Example: bnet notify preview job.failed --server build2 --label os=linux
    """
    ledger = app.read()
    now, state = app.machine.clock.now(), ledger.state
    if event is None:
        found = _recent(app, ledger)
    elif event not in KINDS:
        raise BnetError(
            wrong_pattern(event) or f"{event} means several events; `bnet notify events` lists them"
        )
    else:
        found = [
            example(
                event,
                now,
                server=server,
                job=job,
                packages=packages,
                labels=labels,
                priority=priority,
            )
        ]
    notices = state.notices or Notices()
    told = [(each, ways(each, state.notifications, notices, now)) for each in found]
    if as_json:
        out_json([_described(each, row) for each, row in told])
        return
    if not state.notifications.routes:
        note("there are no routes yet; coordination/notifications.yaml on the hub's branch holds them")
    for each, row in told:
        out(f"{each.name} ({each.priority}): {escaped(each.text)}")
        for way in row:
            out(f"  {_line(way)}")
    if not told:
        note("nothing has happened lately that could be told")
    elif event is not None:
        _show(app, told[0][0], told[0][1])


def _recent(app: App, ledger: "Ledger") -> list[Event]:
    from bnet.notify.found import signals
    from bnet.notify.happened import happened
    from bnet.wiring.notify import LocalNetwork

    network = LocalNetwork(app.machine, app.url, ledger)
    state, now = ledger.state, app.machine.clock.now()
    past = list(happened(network.events(max(0, state.head.seq - BACK)), state, network.before()))
    findings, _ = network.health()
    return [*past[-NEWEST:], *signals(findings, state, now).values()]


def _line(way: Way) -> str:
    if not way.channels:
        return f"{way.route}: no: {escaped(way.why)}"
    return f"{way.route}: to {', '.join(way.channels)}" + (f"; {escaped(way.why)}" if way.why else "")


def _show(app: App, event: Event, row: list[Way]) -> None:
    """Show the message itself, as the first channel would get it."""
    state = app.ledger.state
    channel = next((name for way in row for name in way.channels), None)
    if channel is None:
        return
    settings = state.notifications.channels[channel]
    urls = tuple(range(len(urls_of(settings))))
    message = Message(channel=channel, parcels={}, routes=(), events=(event,), count=1, urls=urls)
    title, body = worded(message, settings, state.settings.name)
    out(f"\n{escaped(title)}\n\n{escaped(body, chr(10))}")


def _described(event: Event, row: list[Way]) -> dict[str, Any]:
    told = [{"route": each.route, "channels": list(each.channels), "why": each.why} for each in row]
    return describe_event(event) | {"routes": told}
