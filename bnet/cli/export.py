"""`bnet export`: what a network knows of itself, for other systems."""

import os
import re
from urllib.parse import urlsplit

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import counted, out, out_json
from bnet.codec.addresses import shown
from bnet.codec.moments import parse_moment

ENDPOINT = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


@click.group()
def export() -> None:
    """Send what the network knows of itself to other systems.

    Example: bnet export otel
    """


def _endpoint(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        right = ENDPOINT.fullmatch(value) and urlsplit(value).port != 0
    except ValueError:  # it has no such port, or half a bracket
        right = False
    if not right:
        raise click.BadParameter(f"{value!r} is no address such as http://localhost:4318")
    return value


@export.command()
@click.option(
    "--endpoint",
    metavar="URL",
    default=lambda: os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318",
    callback=_endpoint,
    help="Of the collector, for OTLP over HTTP; otherwise OTEL_EXPORTER_OTLP_ENDPOINT, or http://localhost:4318.",
)
@click.option(
    "--since",
    metavar="TIME",
    help="Send again what has ended since: 2d, 2026-11-20T18:30:00Z. The same ids are the same spans.",
)
@json_option
@pass_app
def otel(app: App, endpoint: str, since: str | None, as_json: bool) -> None:
    """Send the jobs that have ended as traces, and figures, to an OpenTelemetry collector.

    What was sent is remembered: each call sends what has ended since, the first one that of a day. Headers are taken
    from OTEL_EXPORTER_OTLP_HEADERS. It needs `pip install "bnet[otel]"`.

    Example: bnet export otel --endpoint http://collector:4318
    """
    from bnet.wiring.otel import export as send

    at = None
    if since is not None:
        try:
            at = parse_moment(since, app.machine.clock.now()).timestamp()
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--since") from None
    done = send(app.machine, app.url, endpoint, at)
    if as_json:
        out_json(
            {"endpoint": shown(endpoint), "jobs": done.jobs, "spans": done.spans, "metrics": done.meters}
        )
        return
    told = f"{counted(done.jobs, 'job')} as {counted(done.spans, 'span')}, {counted(done.meters, 'metric')}"
    out(f"{told} to {shown(endpoint)}")
