"""`bnet report`: what a day, a week or a month came to."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from bnet.cli.context import App
from bnet.cli.render import note, out_list
from bnet.codec.crons import zone_of
from bnet.codec.shown import escaped
from bnet.files import write_atomic
from bnet.model.report import FORMATS, Figures, Ordered, ReportFormat

ENDS = {".html": "html", ".htm": "html", ".md": "markdown", ".csv": "csv", ".json": "json", ".pdf": "pdf"}
HEADS = ("REPORT", "KIND", "PERIOD", "NEXT (UTC)", "KEPT", "NEWEST (UTC)", "")
KINDS = ("summary", "detailed", "analytics")


@click.command()
@click.argument("name", metavar="daily|weekly|monthly|NAME|list")
@click.option(
    "--at", metavar="TIME", help="The period that ends then: 2026-11-20 (with that day), 2d; otherwise now."
)
@click.option("--from", "since", metavar="TIME", help="Its beginning, in place of the report's own length.")
@click.option("--to", "until", metavar="TIME", help="With --from: its end; otherwise now.")
@click.option("--timezone", metavar="ZONE", help="Whose days and times count, such as Europe/Berlin.")
@click.option("--kind", type=click.Choice(KINDS), help="How much is in it, in place of its own.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Otherwise by the ending of the file; in a terminal, Markdown.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where it goes."
)
@click.option("--kept", is_flag=True, help="The newest one that the clock made, until --at.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json; of list too.")
@click.pass_context
def report(ctx: click.Context, /, **asked: Any) -> None:
    """Report on a period: what ended and how, what took long, what is flaky, what is out of the ordinary.

    daily, weekly and monthly are always there; coordination/reports.yaml says more of these and names others, and
    makes them by the clock. `bnet report list` lists them with those that were kept.

    Example: bnet report weekly --at 2026-11-20 --output week.html
    """
    app: App = ctx.obj
    if asked["name"] == "list":
        more = [name for name, value in asked.items() if value and name not in ("name", "as_json")]
        if more:
            raise click.UsageError("list goes with --json only")
        _list(app, as_json=asked["as_json"])
        return
    form = _format(asked)
    made = _figures(app, asked["name"], asked)
    _put(made, form, asked["output"])


def _format(asked: dict[str, Any]) -> ReportFormat:
    form, output = asked["form"], asked["output"]
    if asked["as_json"]:
        if form not in (None, "json"):
            raise click.UsageError(f"--json and --format {form} do not go together")
        return "json"
    if form is None and output is not None and str(output) != "-":
        form = ENDS.get(output.suffix.lower())
        if form is None:
            raise click.BadParameter(
                f"{output.name!r} does not say which format is meant; add --format {'|'.join(FORMATS)}",
                param_hint="--output",
            )
    if form == "pdf" and str(output or "-") == "-" and sys.stdout.isatty():
        raise click.UsageError("PDF is nothing for a terminal; add --output FILE")
    found: ReportFormat = form or "markdown"
    return found


def _figures(app: App, name: str, asked: dict[str, Any]) -> Figures:
    from bnet.app import reports

    if asked["at"] and (asked["since"] or asked["until"]):
        raise click.UsageError("--at goes with the report's own length; --from and --to say another")
    if asked["until"] and not asked["since"]:
        raise click.UsageError("--to goes with --from; --at ends the report's own length")
    ledger, now = app.read(), app.machine.clock.now()
    ordered = _ordered(reports.named(ledger.state, name), asked)
    end = _moment(asked, "at", now, ordered, end=True)
    if asked["kept"]:
        if asked["since"] or asked["kind"] or asked["timezone"]:
            raise click.UsageError(
                "--kept gives what was made, and goes with --at, --format and --output only"
            )
        return reports.kept(ledger, name, end)
    if asked["since"]:
        begin = _moment(asked, "since", now, ordered, end=False)
        end = _moment(asked, "until", now, ordered, end=True)
        if begin >= end:
            raise click.BadParameter(
                f"the period begins at {begin:%Y-%m-%dT%H:%M:%SZ} and ends before it, at "
                f"{end:%Y-%m-%dT%H:%M:%SZ}",
                param_hint="--from",
            )
        ordered = replace(ordered, span=(end - begin).total_seconds())
    index = app.machine.index(app.url)
    return reports.figures(ledger, index, name, ordered, reports.edges_of(ordered, end), now, app.who)


def _ordered(ordered: Ordered, asked: dict[str, Any]) -> Ordered:
    found = ordered.report
    if asked["timezone"] is not None:
        try:
            zone_of(asked["timezone"])
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--timezone") from None
        found = replace(found, timezone=asked["timezone"])
    return replace(ordered, report=replace(found, kind=asked["kind"] or found.kind))


def _moment(asked: dict[str, Any], name: str, now: datetime, ordered: Ordered, *, end: bool) -> datetime:
    from bnet.report.periods import moment_in

    if asked[name] is None:
        return now
    option = {"since": "--from", "until": "--to"}.get(name, f"--{name}")
    try:
        return moment_in(asked[name], now, ordered.report.timezone, end=end)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _put(made: Figures, form: ReportFormat, output: Path | None) -> None:
    from bnet.report.formats import rendered

    data = rendered(made, form)
    if output is None or str(output) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    target = Path(os.path.realpath(output))  # what a link points to is written, and the link stays
    try:
        if target.exists() and not target.is_file():
            raise click.BadParameter(
                f"{output} is no file; without it, all goes to stdout", param_hint="--output"
            )
        write_atomic(target, data, mode=0o644, durable=False)
    except OSError as error:
        raise click.BadParameter(f"{output}: {error.strerror}", param_hint="--output") from None
    note(f"{escaped(str(output))}: {form}, {len(data):,} bytes")


def _list(app: App, *, as_json: bool) -> None:
    from bnet.app.told.reports import describe_reports

    told = describe_reports(app.read().state, app.machine.clock.now())
    rows = [
        [
            each["name"],
            each["kind"],
            f"{each['period']} ({each['timezone']})",
            _short(each["next"]) or "when asked for",
            str(len(each["kept"]) or ""),
            _short(each["kept"][-1]) if each["kept"] else "",
            escaped(_remark(each)),
        ]
        for each in told
    ]
    out_list(told, HEADS, rows, "", as_json=as_json)


def _short(moment: str | None) -> str:
    return "" if moment is None else moment.replace("T", " ")[:16]


def _remark(told: dict[str, Any]) -> str:
    if told["owed"]:
        tags = sorted({tag for tags in told["owed"].values() for tag in tags})
        why = f": {told['trouble']}" if told["trouble"] else ""
        return f"not sent to {', '.join(tags)} yet{why}"
    return str(told["description"])
