"""`bnet notify`: who hears of what, what was told, and who takes it on."""

from typing import Any

import click

from bnet.app.told.notices import describe_alerts, describe_deliveries, describe_silences
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.notify.look import events, preview
from bnet.cli.render import note, out, out_json, out_list
from bnet.codec.durations import parse_duration
from bnet.codec.notifications import wrong_pattern
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError
from bnet.model.notices import Notices, Silence
from bnet.notify.people import acknowledge, silence, unsilence
from bnet.rules.transaction import Transaction

LONGEST_REASON = 500


@click.group()
def notify() -> None:
    """Tell people what happens: by routes and channels of coordination/notifications.yaml, once, at the right time.

    The steward sends; secrets are in its environment or secrets.env, as BNET_NOTIFY_..., and never on the hub.

    Example: bnet notify test; bnet notify preview job.failed
    """


notify.add_command(preview)
notify.add_command(events)


@notify.command()
@click.argument("channels", nargs=-1, metavar="[CHANNEL]...")
@json_option
@pass_app
def test(app: App, channels: tuple[str, ...], as_json: bool) -> None:
    """Send a message to channels, by name or tag, from this machine; to all without a name.

    It goes out at once, whatever quiet hours and limits say, with the secrets that this machine has. Exit 1 if one
    does not take it.

    Example: bnet notify test ops
    """
    from bnet.cli.notify.trial import tried

    told = tried(app, channels)
    if as_json:
        out_json(told)
    else:
        for each in told:
            out(f"{each['channel']}: {each['reason'] or 'sent'}")
    if any(each["reason"] for each in told):
        raise AnswerNo(
            "not every channel took the message",
            hint="addresses are in coordination/notifications.yaml, secrets in secrets.env; https://github.com/caronc/apprise/wiki",
        )


@notify.command()
@json_option
@pass_app
def history(app: App, as_json: bool) -> None:
    """List what was told lately, what was given up, and what waits.

    All of it since the beginning: bnet history --events --verb notify

    Example: bnet notify history
    """
    state = app.read().state
    told = describe_deliveries(state.notices or Notices())
    rows = ([_state(each), each["at"], each["channel"], str(each["count"]), _what(each)] for each in told)
    out_list(
        told, ("STATE", "AT", "CHANNEL", "EVENTS", "WHAT"), rows, "nothing was told yet", as_json=as_json
    )


def _state(told: dict[str, Any]) -> str:
    colour = {"sent": "green", "given up": "red", "waiting": "yellow"}[told["state"]]
    return click.style(told["state"], fg=colour)


def _what(told: dict[str, Any]) -> str:
    return escaped(told["title"] + (f" ({told['reason']})" if told["reason"] else ""))


@notify.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "every", is_flag=True, help="All that is open.")
@json_option
@pass_app
def ack(app: App, keys: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Take on what was told: it is not told again, nor escalated, until it is over. Without a key, list what is open.

    Example: bnet notify ack server-lost:build2
    """
    ledger = app.read()
    open_now = (ledger.state.notices or Notices()).alerts
    if not keys and not every:
        told = describe_alerts(ledger.state.notices or Notices())
        rows = (
            [each["key"], each["priority"], each["since"], each["acked_by"], each["text"]] for each in told
        )
        shown = (list(map(escaped, row)) for row in rows)
        out_list(
            told, ("KEY", "PRIORITY", "SINCE", "TAKEN ON BY", ""), shown, "nothing is open", as_json=as_json
        )
        return
    if keys and every:
        raise click.UsageError("name keys, or --all, not both")
    done: list[str] = []

    def decide(tx: Transaction) -> None:
        wanted = keys or tuple((tx.state.notices or Notices()).alerts)
        done[:] = acknowledge(tx, wanted, app.who)

    ledger.transact(decide)
    if as_json:
        out_json({"acknowledged": done})
        return
    for key in done:
        out(f"{escaped(key)}: yours; it is told again only once it was over")
    if not done:
        note("nothing is open" if not open_now else "somebody has taken it on before")


@notify.command("silence")
@click.argument("patterns", nargs=-1, metavar="[EVENT]...")
@click.option("--for", "span", metavar="SPAN", help="For how long: 30m, 2h, 1d.")
@click.option("--reason", help="Why; the others read it.")
@click.option("--server", default="", metavar="GLOB", help="Only of such servers.")
@click.option("--job", default="", metavar="GLOB", help="Only of jobs of such names.")
@click.option("--package", default="", metavar="GLOB", help="Only of such packages.")
@click.option("--end", "ended", metavar="ID", help="End a silence.")
@json_option
@pass_app
def silence_(
    app: App,
    patterns: tuple[str, ...],
    span: str | None,
    reason: str | None,
    server: str,
    job: str,
    package: str,
    ended: str | None,
    as_json: bool,
) -> None:
    """Hear nothing of events for a while; without any, list the silences in force.

    Example: bnet notify silence 'job.*' --server build2 --for 2h --reason "new disk"
    """
    ledger = app.read()
    now = app.machine.clock.now()
    if ended is not None:
        name = ended
        ledger.transact(lambda tx: unsilence(tx, name, app.who))
        out(f"{escaped(ended)} is over")
        return
    if not patterns:
        if span or reason or server or job or package:
            raise click.UsageError("name events; '*' means all of them")
        told = describe_silences(ledger.state.notices or Notices(), now)
        rows = (
            [each["id"], each["until"], each["by"], _meant(each), escaped(each["reason"])] for each in told
        )
        out_list(told, ("ID", "UNTIL", "BY", "WHAT", "REASON"), rows, "nothing is silenced", as_json=as_json)
        return
    for pattern in patterns:
        if complaint := wrong_pattern(pattern):
            raise BnetError(complaint)
    wanted = _wanted(app, patterns, span, reason, server, job, package)
    made: list[str] = []

    def decide(tx: Transaction) -> None:
        made[:] = [silence(tx, wanted)]

    ledger.transact(decide)
    if as_json:
        out_json({"id": made[0], "until": f"{wanted.until:%Y-%m-%dT%H:%M:%SZ}"})
    else:
        out(
            f"{made[0]}: silent until {wanted.until:%Y-%m-%d %H:%M:%S} UTC; bnet notify silence --end {made[0]}"
        )


def _meant(told: dict[str, Any]) -> str:
    more = [f"{name} {told[name]}" for name in ("server", "job", "package") if told[name]]
    return escaped(" ".join([*told["events"], *more]))


def _wanted(
    app: App,
    patterns: tuple[str, ...],
    span: str | None,
    reason: str | None,
    server: str,
    job: str,
    package: str,
) -> Silence:
    from datetime import timedelta

    if span is None or not (reason or "").strip():
        raise click.UsageError("say for how long, and why: --for 2h --reason TEXT")
    try:
        seconds = parse_duration(span)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None
    if not 0 < seconds <= 366 * 86400:
        raise click.BadParameter("must be more than nothing, and a year at most", param_hint="--for")
    return Silence(
        events=patterns,
        until=app.machine.clock.now() + timedelta(seconds=seconds),
        by=app.who,
        reason=(reason or "").strip()[:LONGEST_REASON],
        server=server,
        job=job,
        package=package,
    )
