"""`bnet lock`: named locks, for what is not a job."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json, out_list
from bnet.cli.under import TOKEN, answering, under
from bnet.codec.durations import parse_duration
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError, Taken

if TYPE_CHECKING:
    from bnet.app.locks.hold import Hold

OWN_FAILURE = 125  # `lock run` ends with the command's own code, and with this one for its own failures
LEAST_TTL = 2.0  # seconds


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of a span of time: 90, 10m, 1h30m."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _some_seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of a span in which others can count."""
    span = _seconds(context, parameter, value)
    if span is not None and span < LEAST_TTL:
        raise click.BadParameter(f"{value} is too short; it takes {LEAST_TTL:g} s to see that it is over")
    return span


def _name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from bnet.model.base import is_name

    if not is_name(value):
        shown = escaped(value[:80])
        raise click.BadParameter(f"'{shown}' is no name; one is of a-z, 0-9, '.', '_' and '-', 64 at most")
    return value


name_argument = click.argument("name", callback=_name)


@click.group()
def lock() -> None:
    """Hold a named lock of the network: one holder at a time, or as many as `locks:` in hub.yaml says.

    Who asks first gets it first. Jobs with the same name under `locks` keep out of each other's way and of these.

    Example: bnet lock run deploy -- ./deploy.sh
    """


def _hold(app: App, name: str, ttl: float | None, why: str) -> "Hold":
    from bnet.app.locks.hold import Hold
    from bnet.app.server.standing import ttl_of

    state = app.read().state
    ttl_s = max(LEAST_TTL, ttl or ttl_of(state))
    return Hold(app.ledger, app.machine.clock, name, app.who, ttl_s=ttl_s, note=why)


def _acquire(hold: "Hold", patience_s: float | None) -> int:
    """Wait for a lock; whoever is told to end meanwhile leaves the row first."""
    with answering(_leave):
        return hold.acquire(patience_s, lambda why: note(escaped(why)))


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


@lock.command()
@name_argument
@click.option("--wait", is_flag=True, help="Wait for it, as long as it takes or --timeout says.")
@click.option("--timeout", callback=_seconds, metavar="S", help="Wait for so long at most.")
@click.option(
    "--for",
    "span",
    callback=_some_seconds,
    default="1h",
    help="How long it is held if nobody releases it (1h).",
)
@click.option("--reason", default="", help="What it is for; others see it.")
@json_option
@pass_app
def acquire(
    app: App, name: str, wait: bool, timeout: float | None, span: float, reason: str, as_json: bool
) -> None:
    """Take a lock for a time, and print its token.

    Hand the token on as BNET_LOCK_TOKEN; with it the lock is checked, extended and released.

    Example: BNET_LOCK_TOKEN=$(bnet lock acquire db --wait --for 10m) || exit; export BNET_LOCK_TOKEN
    """
    hold = _hold(app, name, None, reason)
    token = _acquire(hold, timeout if wait or timeout is not None else 0.0)
    hold.leave_for(span)
    if as_json:
        out_json({"name": name, "token": token, "seconds": span})
    else:
        out(str(token))


@lock.command()
@name_argument
@click.option("--no-wait", is_flag=True, help="End at once with 6 if it is not free.")
@click.option("--timeout", callback=_seconds, metavar="S", help="Wait for it for so long at most.")
@click.option(
    "--ttl",
    callback=_some_seconds,
    metavar="S",
    help="For how long others honour it unseen; otherwise the hub's setting.",
)
@click.option("--reason", default="", help="What it is for; others see it.")
@click.argument("command", nargs=-1, required=True)
@pass_app
def run(
    app: App,
    name: str,
    no_wait: bool,
    timeout: float | None,
    ttl: float | None,
    reason: str,
    command: tuple[str, ...],
) -> None:
    """Run a command while holding a lock; its exit code is passed on, 125 is a failure of bnet itself.

    The command is given BNET_LOCK and BNET_LOCK_TOKEN. It is ended when the lock is lost.

    Example: bnet lock run deploy --timeout 10m -- ./deploy.sh
    """
    from bnet.app.locks.guard import guard
    from bnet.app.locks.hold import Lost

    try:
        hold = _hold(app, name, ttl, reason or " ".join(command)[:200])
        _acquire(hold, 0.0 if no_wait else timeout)
    except Taken:
        raise
    except BnetError as error:
        error.exit_code = OWN_FAILURE
        raise
    try:
        with under(hold, command, app.machine.env) as program:
            code = guard(hold, program)
    except BaseException as error:
        hold.give_back()
        if isinstance(error, Lost):
            error.exit_code, error.hint = OWN_FAILURE, "the command was ended"
        raise
    said = hold.give_back()
    if said:
        note(escaped(said))
    raise SystemExit(code if code >= 0 else 128 - code)


def _token(given: int | None) -> int | None:
    told = os.environ.get(TOKEN)
    if given is not None or told is None:
        return given
    if not told.isdecimal():
        # Where `acquire` has failed, `export BNET_LOCK_TOKEN=$(bnet lock acquire db)` goes on without a word.
        raise BnetError(f"{TOKEN} is set to '{escaped(told[:80])}', which is no token", hint=f"unset {TOKEN}")
    return int(told)


token_option = click.option(
    "--token", type=int, metavar="N", help="Whose holding; otherwise BNET_LOCK_TOKEN."
)


@lock.command()
@name_argument
@token_option
@pass_app
def release(app: App, name: str, token: int | None) -> None:
    """Give a lock back that `acquire` took.

    Example: bnet lock release db --token 4711
    """
    from bnet.app.locks.outside import release as release_lock

    release_lock(app.ledger, name, _token(token), app.who)
    note(f"lock {name} is released")


@lock.command()
@name_argument
@token_option
@click.option("--for", "span", callback=_some_seconds, default="1h", help="How long from now on (1h).")
@pass_app
def extend(app: App, name: str, token: int | None, span: float) -> None:
    """Hold a lock for longer.

    Example: bnet lock extend db --for 30m
    """
    from bnet.app.locks.outside import extend as extend_lock

    extend_lock(app.ledger, name, _token(token), app.who, span)


@lock.command()
@name_argument
@token_option
@pass_app
def check(app: App, name: str, token: int | None) -> None:
    """Tell whether a token still holds a lock: 0 if it does, 1 if not. Without a token: whether it is free.

    Whatever is changed under a lock asks this right before, in case the lock was lost meanwhile.

    Example: bnet lock check db && ./migrate.sh
    """
    from bnet.app.told.jobs import describe_lock

    token = _token(token)
    told = describe_lock(name, app.read().state)["holders"]
    if token is None:
        if told:
            raise AnswerNo(f"lock {name} is held by {', '.join(each['by'] for each in told)}")
        note(f"lock {name} is free")
    elif token not in [each["token"] for each in told]:
        now = ", ".join(f"{each['by']} (token {each['token']})" for each in told) or "nobody"
        raise AnswerNo(f"token {token} does not hold lock {name}; it is held by {now}")


@lock.command("list")
@json_option
@pass_app
def list_locks(app: App, as_json: bool) -> None:
    """List the locks that somebody holds or waits for, jobs included.

    Example: bnet lock list
    """
    from bnet.app.told.jobs import describe_locks

    told = describe_locks(app.read().state)
    rows = (row for each in told for row in _rows(each))
    out_list(told, HEADS, rows, "nobody holds a lock, or waits for one", as_json=as_json)


HEADS = ("LOCK", "", "BY", "TOKEN", "SINCE", "NOTE")


def _rows(told: dict[str, Any]) -> Iterator[list[str]]:
    for kind, word in (("holders", "holds"), ("waiters", "waits")):
        for each in told[kind]:
            yield [
                told["name"],
                word,
                escaped(each["by"]),
                str(each["token"]),
                each["at"],
                escaped(each["note"]),
            ]


@lock.command("break")
@name_argument
@click.option("--token", type=int, metavar="N", help="Whose holding, where there are several.")
@click.option("--reason", required=True, help="Why; it is recorded.")
@pass_app
def break_lock(app: App, name: str, token: int | None, reason: str) -> None:
    """Take a lock away from its holder. A command under `lock run` is ended within seconds.

    Example: bnet lock break deploy --reason "its laptop is in a bag"
    """
    from bnet.app.locks.outside import take_away

    if not reason.strip():
        raise BnetError("the reason is empty; whoever holds the lock will want to know it")
    by = take_away(app.ledger, name, token, app.who, reason)
    note(f"lock {name} is taken away from {escaped(by)}")
