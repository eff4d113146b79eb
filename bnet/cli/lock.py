"""`bnet lock`: named locks, for what is not a job."""

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json, table
from bnet.codec.durations import parse_duration
from bnet.errors import AnswerNo, BnetError, Taken

if TYPE_CHECKING:
    from bnet.app.hold import Hold

MARK = "BNET_HOLD"  # in the environment of all that runs under a lock
OWN_FAILURE = 125  # `lock run` ends with the command's own code, and with this one for its own failures
LEAST_TTL = 2.0  # seconds


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of a span of time: 90, 10m, 1h30m."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group()
def lock() -> None:
    """Hold a named lock of the network: one holder at a time, or as many as `locks:` in hub.yaml says.

    Who asks first gets it first. Jobs with the same name under `locks` keep out of each other's way and of these.

    Example: bnet lock run deploy -- ./deploy.sh
    """


def _hold(app: App, name: str, ttl: float | None, why: str) -> "Hold":
    from bnet.app.hold import Hold
    from bnet.app.standing import ttl_of

    _check(name)
    state = app.read().state
    return Hold(
        app.ledger, app.machine.clock, name, app.who, ttl_s=max(LEAST_TTL, ttl or ttl_of(state)), note=why
    )


def _acquire(hold: "Hold", patience_s: float | None) -> int:
    """Wait for a lock; whoever is told to end meanwhile leaves the row first."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, _leave) for number in numbers}
    try:
        return hold.acquire(patience_s, note)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _check(name: str) -> None:
    from bnet.model.base import is_name

    if not is_name(name):
        raise BnetError(
            f"{name!r} is no name", hint="a name is of a-z, 0-9, '.', '_' and '-', at most 64 of them"
        )


@lock.command()
@click.argument("name")
@click.option("--wait", is_flag=True, help="Wait for it, as long as it takes or --timeout says.")
@click.option("--timeout", callback=_seconds, metavar="S", help="Wait for so long at most.")
@click.option(
    "--for", "span", callback=_seconds, default="1h", help="How long it is held if nobody releases it (1h)."
)
@click.option("--reason", default="", help="What it is for; others see it.")
@json_option
@pass_app
def acquire(
    app: App, name: str, wait: bool, timeout: float | None, span: float, reason: str, as_json: bool
) -> None:
    """Take a lock for a time, and print its token.

    Hand the token on as BNET_LOCK_TOKEN; with it the lock is checked, extended and released.

    Example: export BNET_LOCK_TOKEN=$(bnet lock acquire db --wait --for 10m)
    """
    hold = _hold(app, name, None, reason)
    token = _acquire(hold, timeout if wait or timeout is not None else 0.0)
    hold.leave_for(span)
    if as_json:
        out_json({"name": name, "token": token, "seconds": span})
    else:
        out(str(token))


@lock.command()
@click.argument("name")
@click.option("--no-wait", is_flag=True, help="End at once with 6 if it is not free.")
@click.option("--timeout", callback=_seconds, metavar="S", help="Wait for it for so long at most.")
@click.option(
    "--ttl",
    callback=_seconds,
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
    from bnet.app.hold import Lost

    try:
        hold = _hold(app, name, ttl, reason or " ".join(command)[:200])
        token = _acquire(hold, 0.0 if no_wait else timeout)
    except Taken:
        raise
    except BnetError as error:
        error.exit_code = OWN_FAILURE
        raise
    try:
        with _under(app, name, token, command) as program:
            code = hold.guard(program)
    except Lost as error:
        error.exit_code = OWN_FAILURE
        error.hint = "the command was ended"
        raise
    finally:
        hold.give_back()
    raise SystemExit(code if code >= 0 else 128 - code)


class _Command:
    """A command in the foreground, with all that it starts."""

    def __init__(self, app: App, name: str, token: int, command: tuple[str, ...]) -> None:
        from bnet.process import Attached

        self._id = uuid.uuid4().hex
        own = {"BNET_LOCK": name, "BNET_LOCK_TOKEN": str(token), MARK: self._id}
        try:
            self._attached = Attached(command, env={**app.machine.env, **own})
        except OSError as error:
            failure = BnetError(f"{command[0]}: {error.strerror}")
            failure.exit_code = 127 if isinstance(error, FileNotFoundError) else 126
            raise failure from None

    def wait(self, seconds: float) -> int | None:
        return self._attached.wait(seconds)

    def end(self, grace_s: float) -> None:
        from bnet.host import processes

        processes.end(processes.find_run(self._id, MARK), grace_s)
        self._attached.wait(1.0)

    def hand_on(self, number: int, frame: object) -> None:
        self._attached.signal(number)


@contextmanager
def _under(app: App, name: str, token: int, command: tuple[str, ...]) -> Iterator[_Command]:
    """Run a command; signals are its own to answer. An interrupt at the terminal has reached it already."""
    program = _Command(app, name, token, command)
    before = {number: signal.signal(number, program.hand_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield program
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _token(given: int | None) -> int | None:
    if given is None and os.environ.get("BNET_LOCK_TOKEN", "").isdecimal():
        return int(os.environ["BNET_LOCK_TOKEN"])
    return given


token_option = click.option(
    "--token", type=int, metavar="N", help="Whose holding; otherwise BNET_LOCK_TOKEN."
)


@lock.command()
@click.argument("name")
@token_option
@pass_app
def release(app: App, name: str, token: int | None) -> None:
    """Give a lock back that `acquire` took.

    Example: bnet lock release db --token 4711
    """
    from bnet.app.locks import release as release_lock

    release_lock(app.ledger, name, _token(token), app.who)
    note(f"lock {name} is released")


@lock.command()
@click.argument("name")
@token_option
@click.option("--for", "span", callback=_seconds, default="1h", help="How long from now on (1h).")
@pass_app
def extend(app: App, name: str, token: int | None, span: float) -> None:
    """Hold a lock for longer.

    Example: bnet lock extend db --for 30m
    """
    from bnet.app.locks import extend as extend_lock

    extend_lock(app.ledger, name, _token(token), app.who, span)


@lock.command()
@click.argument("name")
@token_option
@pass_app
def check(app: App, name: str, token: int | None) -> None:
    """Tell whether a token still holds a lock: 0 if it does, 1 if not. Without a token: whether it is free.

    Whatever is changed under a lock asks this right before, in case the lock was lost meanwhile.

    Example: bnet lock check db && ./migrate.sh
    """
    from bnet.app.describe import describe_lock

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
    from bnet.app.describe import describe_locks

    told = describe_locks(app.read().state)
    if as_json:
        out_json(told)
    elif not told:
        note("nobody holds a lock, or waits for one")
    else:
        out(
            table(("LOCK", "", "BY", "TOKEN", "SINCE", "NOTE"), [row for each in told for row in _rows(each)])
        )


def _rows(told: dict[str, Any]) -> Iterator[list[str]]:
    for kind, word in (("holders", "holds"), ("waiters", "waits")):
        for each in told[kind]:
            yield [told["name"], word, each["by"], str(each["token"]), each["at"], each["note"]]


@lock.command("break")
@click.argument("name")
@click.option("--token", type=int, metavar="N", help="Whose holding, where there are several.")
@click.option("--reason", required=True, help="Why; it is recorded.")
@pass_app
def break_lock(app: App, name: str, token: int | None, reason: str) -> None:
    """Take a lock away from its holder. A command under `lock run` is ended within seconds.

    Example: bnet lock break deploy --reason "its laptop is in a bag"
    """
    from bnet.app.locks import take_away

    by = take_away(app.ledger, name, token, app.who, reason)
    note(f"lock {name} is taken away from {by}")
