"""`bnet server`: the machines of the network."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click
import msgspec

from bnet.app.submit import send
from bnet.app.told.jobs import by_name, describe_server
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out_list, word
from bnet.codec.shown import escaped
from bnet.codec.sizes import size_text
from bnet.errors import BnetError
from bnet.model.command import Command, DrainServer, PauseServer, ResumeServer
from bnet.model.rollup import Hour, Spread
from bnet.rules.rollup import KEPT

if TYPE_CHECKING:
    from bnet.app.hub.leave import Left


@click.group()
def server() -> None:
    """List, pause, drain, resume and remove servers.

    Example: bnet server pause build2 --reason "disk is full"
    """


@server.command("list")
@json_option
@pass_app
def list_servers(app: App, as_json: bool) -> None:
    """List the servers of the network.

    Example: bnet server list --json
    """
    state = app.read().state
    told = [describe_server(each, state) for each in by_name(state.servers)]
    nothing = "no servers; make one with `bnet join HUB --name NAME`"
    out_list(told, HEADS, map(server_row, told), nothing, as_json=as_json)


@server.command()
@click.argument("name", required=False)
@click.option(
    "--days",
    type=click.IntRange(1, KEPT.days),
    default=1,
    show_default=True,
    help="Of how many days; a server keeps 14.",
)
@json_option
@pass_app
def metrics(app: App, name: str | None, days: int, as_json: bool) -> None:
    """Print a server's figures hour by hour: the mean, and the most of it in brackets.

    Counted from the newest hour that it has told of; without a name, of this machine.

    Example: bnet server metrics build2 --days 3
    """
    from bnet.app.told.figures import hours_told

    name, ledger = _name(app, name), app.machine.ledger(app.url)
    look = ledger.refresh()
    app.machine.keep(app.url, ledger)
    if name not in ledger.state.servers:
        raise BnetError(f"there is no server {escaped(name)}", hint="`bnet server list` shows them")
    hours = hours_told(ledger.hub, look, name, timedelta(days=days))
    nothing = f"{name} has told no figures of a whole hour yet"
    told = [msgspec.to_builtins(each) for each in hours]
    out_list(told, HOUR_HEADS, map(hour_row, hours), nothing, as_json=as_json)


HOUR_HEADS = ("HOUR", "CPU", "MEMORY", "LOAD", "NETWORK", "RUNS", "DISKS")


def hour_row(told: Hour) -> list[str]:
    """Return the cells of an hour."""
    disks = (f"{escaped(path)} {_figure(each, '%')}" for path, each in sorted(told.disk.items()))
    return [
        f"{told.hour:%Y-%m-%d %H:%M}",
        _figure(told.cpu, "%"),
        _figure(told.memory, "%"),
        _figure(told.load),
        "" if told.network is None else f"{size_text(round(told.network.mean))}/s",
        _figure(told.runs),
        ", ".join(disks),
    ]


def _figure(told: Spread | None, unit: str = "") -> str:
    return "" if told is None else f"{told.mean:.3g}{unit} ({told.most:.3g})"


HEADS = ("SERVER", "WANTED", "SLOTS", "RUNS", "LABELS", "WHY")


def server_row(told: dict[str, object]) -> list[str]:
    """Return the cells of one server."""
    labels = told["labels"]
    assert isinstance(labels, dict) and isinstance(told["jobs"], list)
    return [
        str(told["name"]),
        word(str(told["wanted"])),
        f"{len(told['jobs'])}/{told['slots']}",
        " ".join(f"#{number}" for number in told["jobs"]),
        " ".join(f"{key}={value}" for key, value in labels.items()),
        str(told["why"]),
    ]


def _name(app: App, name: str | None) -> str:
    if name is not None:
        return name
    identity = app.machine.identity
    if identity is None:
        raise BnetError("which server? this machine is none", hint="name one; `bnet server list` shows them")
    return identity.name


def _wish(app: App, command: Command, done: str) -> None:
    send(app.ledger, app.lookup, [command], app.who)
    note(done)


@server.command()
@click.argument("name", required=False)
@click.option("--reason", default="", help="Shown until it is resumed.")
@pass_app
def pause(app: App, name: str | None, reason: str) -> None:
    """Let a server claim nothing until it is resumed; what it runs goes on.

    Example: bnet server pause build2 --reason "disk is full"
    """
    name = _name(app, name)
    _wish(app, PauseServer(server=name, reason=reason), f"{name} is paused")


@server.command()
@click.argument("name", required=False)
@click.option("--reason", default="", help="Shown until it is resumed.")
@pass_app
def drain(app: App, name: str | None, reason: str) -> None:
    """Let a server finish what it runs and claim nothing more; its agent exits then.

    Example: bnet server drain build2
    """
    name = _name(app, name)
    _wish(app, DrainServer(server=name, reason=reason), f"{name} is draining")


@server.command()
@click.argument("name", required=False)
@pass_app
def resume(app: App, name: str | None) -> None:
    """Let a paused or draining server claim again.

    Example: bnet server resume build2
    """
    name = _name(app, name)
    _wish(app, ResumeServer(server=name), f"{name} is active")


@server.command()
@click.argument("name", required=False)
@click.option("--force", is_flag=True, help="End the jobs that run here; others take them over.")
@pass_app
def leave(app: App, name: str | None, force: bool) -> None:
    """Take this machine out of its network, with its cron entry or timer.

    Example: bnet server leave
    """
    from bnet.app.hub.leave import leave as leave_network
    from bnet.wiring.duty import Duty

    machine = app.machine
    me = machine.identity
    if me is None:
        raise BnetError("this machine has joined no network", hint="`bnet server remove NAME` is for others")
    if name not in (None, me.name):
        raise BnetError(
            f"this machine is {me.name}, not {name}",
            hint=f"on {name} itself: `bnet server leave`; if that is dead: `bnet server remove {name}`",
        )
    with machine.undisturbed():
        left = leave_network(Duty(machine).node(), machine.outbox(), by=app.who, force=force)
        entries = machine.minutely().remove()
        machine.drop_identity()
    _tell_left(me.name, left)
    if entries:
        note(f"the {' and '.join(entries)} entry is taken out")


@server.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Do not wait to see that it is silent.")
@pass_app
def remove(app: App, name: str, force: bool) -> None:
    """Take a dead machine out of the network; what it ran goes to others.

    It is watched for as long as its claims are honoured, and stays if it moves.

    Example: bnet server remove build2
    """
    from bnet.app.hub.leave import remove as remove_server
    from bnet.cli.join import Waiting

    me = app.machine.identity
    if me is not None and me.hub == app.url and me.name == name:
        raise BnetError(f"{name} is this machine", hint="`bnet server leave`")
    left = remove_server(app.ledger, name, by=app.who, force=force, progress=Waiting(name))
    app.machine.keep(app.url, app.ledger)
    _tell_left(name, left)


def _tell_left(name: str, left: "Left") -> None:
    note(f"{name} is out of the network" if left.registered else f"{name} was out of the network already")
    if left.ended:
        note(f"taken from it: {' '.join(f'#{number}' for number in left.ended)}")
    if not left.telemetry:
        note("its telemetry ref could not be deleted; its owner may have pushed again")
    for each in left.notes:
        note(each)
