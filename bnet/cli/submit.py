"""`bnet submit`: ask for jobs."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bnet.app.submit import submit as submit_jobs
from bnet.app.told.expect import advice, likely, roughly, start_of
from bnet.cli.context import App, json_option
from bnet.cli.jobs import find, foresee, print_new
from bnet.cli.render import note
from bnet.codec.submission import from_fields, from_file
from bnet.errors import AnswerNo, BnetError
from bnet.model.command import Command, Submit


def _pairs(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for each in value:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each!r} is no NAME=VALUE")
        pairs[name] = text
    return pairs


def _axes(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, list[str]]:
    return {name: text.split(",") for name, text in _pairs(ctx, param, value).items()}


def _group(ctx: click.Context, param: click.Parameter, value: str | None) -> object:
    if value is None:
        return None
    name, colon, limit = value.partition(":")
    return {"name": name, "limit": limit} if colon else name


def _inputs(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[dict[str, str], ...]:
    split = [each.partition(":") for each in value]
    return tuple({"job": job, "into": into} if colon else {"job": job} for job, colon, into in split)


class _Submit(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Say of an option that is none that it may belong to the job's command."""
        separated = "--" in args
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if separated:
                raise
            advice = f"{error.message} Of the job's own command, put it after a --: bnet submit -- make -j8"
            raise click.NoSuchOption(error.option_name, advice, error.possibilities, ctx) from None


@click.command(cls=_Submit)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "-f", "--file", type=click.Path(path_type=Path), help="Read jobs from a YAML file ('-': stdin)."
)
@click.option("--name", help="The job's name; otherwise made from the command.")
@click.option("--queue", help="Which queue.")
@click.option("-p", "--priority", type=click.IntRange(1, 10), help="1 is first; 5 is usual.")
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    callback=_pairs,
    metavar="K=V",
    help="A label its server must have.",
)
@click.option(
    "--needs", multiple=True, metavar="JOB", help="A job, by number or name, that must succeed first."
)
@click.option(
    "--package", "packages", multiple=True, metavar="P", help="Build this package of the tree, not a command."
)
@click.option("--spread", is_flag=True, help="One job for each package, so that servers share the build.")
@click.option("--source", metavar="REPO@REF", help="Run in a checkout of this repository.")
@click.option("--here", is_flag=True, help="Run in a snapshot of the working tree here, as it is.")
@click.option("-e", "--env", multiple=True, callback=_pairs, metavar="K=V", help="An environment variable.")
@click.option(
    "--secret", "secrets", multiple=True, metavar="NAME", help="A secret of the server's secrets.env."
)
@click.option("--timeout", metavar="SPAN", help="End it after this long: 90, 10m, 1h30m.")
@click.option("--silence-timeout", metavar="SPAN", help="End it after this long without output.")
@click.option("--retry", metavar="N", help="Try again up to N times, whatever failed.")
@click.option(
    "--group", callback=_group, metavar="NAME[:LIMIT]", help="At most LIMIT (1) of a group run at a time."
)
@click.option(
    "--supersede", type=click.Choice(["none", "waiting", "running"]), help="Cancel older jobs of the group."
)
@click.option("--lock", "locks", multiple=True, metavar="NAME", help="A lock to hold while it runs.")
@click.option(
    "--artifact", "artifacts", multiple=True, metavar="GLOB", help="Files to keep, as in 'dist/*.whl'."
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    callback=_inputs,
    metavar="JOB[:DIR]",
    help="Put that job's artifacts into DIR of the workspace first.",
)
@click.option("--reproduce", metavar="N", help="Build it on N servers; fail unless all make the same.")
@click.option(
    "--matrix", multiple=True, callback=_axes, metavar="AXIS=A,B", help="One job for each combination."
)
@click.option("--not-before", metavar="TIME", help="RFC 3339, as in 2026-12-24T18:00:00Z.")
@click.option("--expires-after", metavar="SPAN", help="Give up if no server takes it in time (7d).")
@click.option(
    "--on-lost-lease", type=click.Choice(["finish", "stop"]), help="When its server is cut off from the hub."
)
@click.option("--sandbox", type=click.Choice(["none", "bubblewrap", "podman"]), help="What to run it in.")
@click.option("--image", help="The container image, for podman.")
@click.option("--key", help="The same key twice is one job.")
@click.option("--follow", is_flag=True, help="Print its log until it ends; exit 1 unless it succeeds.")
@json_option
@click.pass_context
def submit(ctx: click.Context, /, **fields: Any) -> None:
    """Ask for a job. Several words are run as they are; a single text is run by sh.

    With --package, a package's own command is what is run, and nothing that is up to date or cached is built.

    Example: bnet submit --name wheel --label os=linux -- pip wheel regex
    """
    app: App = ctx.obj
    command, file = fields.pop("command"), fields.pop("file")
    here, follow, as_json = fields.pop("here"), fields.pop("follow"), fields.pop("as_json")
    spreads = fields.pop("spread")
    commands = _commands(
        command, file, {name: value for name, value in fields.items() if value not in (None, (), {})}
    )
    if spreads:
        commands = _spread(commands)
    if here:
        commands = app.machine.repositories.with_snapshot(app.url, commands, Path.cwd())
    outbox = app.machine.outbox()
    numbers = submit_jobs(app.ledger, app.lookup, outbox, app.url, commands, app.who, told=note)
    app.machine.keep(app.url, app.ledger)
    if not follow or as_json:
        print_new(app, numbers, as_json)
        _foretell(app, numbers)
    if follow:
        _follow(app, numbers)


def _foretell(app: App, numbers: list[int]) -> None:
    """Say when what was asked for is likely to be done, where there is something to go by."""
    now, coming, state = app.machine.clock.now(), foresee(app), app.ledger.state
    ahead = [coming.jobs[number] for number in numbers if number in coming.jobs]
    ends = [each.ends for each in ahead if each.ends is not None and each.estimate is not None]
    if len(numbers) == 1 and ends:
        if (estimate := ahead[0].estimate) is not None:
            note(f"{start_of(ahead[0], now)}; takes {likely(estimate)}")
        if said := advice(state, app.machine.durations(app.url, state), find(app, numbers[0])):
            note(said)
    elif ends:
        unsure = f" ({len(numbers) - len(ends)} of them not foreseen)" if len(ends) < len(numbers) else ""
        note(f"all of them done in about {roughly((max(ends) - now).total_seconds())}{unsure}")


def _commands(command: tuple[str, ...], file: Path | None, fields: dict[str, Any]) -> list[Command]:
    if file is not None:
        if command or fields:
            raise BnetError("with -f, everything about a job stands in the file")
        if str(file) != "-":
            return from_file(file.read_bytes(), str(file))
        return from_file(b"" if sys.stdin is None else sys.stdin.buffer.read(), "stdin")
    if command:
        fields = {"command": command[0] if len(command) == 1 else list(command), **fields}
    elif not fields.get("packages"):
        raise BnetError("there is nothing to run", hint="bnet submit -- COMMAND, or bnet submit -f FILE")
    return [from_fields(fields)]


def _spread(commands: list[Command]) -> list[Command]:
    from bnet.app.spread import spread
    from bnet.wiring.workshop import Workshop

    job = commands[0]
    if len(commands) > 1 or not isinstance(job, Submit) or not job.packages:
        raise BnetError("--spread is for packages: bnet submit --package NAME --spread --here")
    shop = Workshop(Path.cwd(), os.environ, note)
    return [*spread(job, shop.graph, shop.graph.select(list(job.packages), here=shop.here))]


def _follow(app: App, numbers: list[int]) -> None:
    from bnet.cli.logs import print_log

    bad = []
    for number in numbers:
        print_log(app, number, True, None)
        result = find(app, number).result
        if result is None or result.result != "success":
            bad.append(f"#{number} ended with {result.result if result else 'nothing'}")
    if bad:
        raise AnswerNo("; ".join(bad))
