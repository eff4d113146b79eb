"""`bnet health`: whether the network is well, judged from the hub alone."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo
from bnet.files import write_atomic
from bnet.health.facts import Facts, Finding
from bnet.health.openmetrics import openmetrics

REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
COLOURS = {"critical": "red", "warning": "yellow"}


def _repository(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not REPOSITORY.fullmatch(value):
        raise click.BadParameter(f"{value} is no OWNER/NAME of a repository")
    return value


@click.command()
@click.option(
    "--issues",
    metavar="OWNER/NAME",
    callback=_repository,
    help="Keep one issue for each finding in a repository on GitHub, through `gh`.",
)
@click.option(
    "--openmetrics",
    "metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it as OpenMetrics text too, for a node exporter's text file collector.",
)
@json_option
@pass_app
def health(app: App, issues: str | None, metrics: Path | None, as_json: bool) -> None:
    """Judge the network from its hub: servers, jobs, queues, clocks, budgets.

    Exit 1 if anything is wrong. `bnet doctor` looks at this machine instead. How sure a verdict is, is said with it:
    who is silent is known for certain only where this machine has looked before.

    Example: bnet health --json
    """
    from bnet.wiring.health import examined

    facts, findings = examined(app.machine, app.url)
    if as_json:
        out_json(_told(facts, findings))
    else:
        for each in findings:
            out(
                f"{click.style(each.severity, fg=COLOURS[each.severity])} {escaped(each.key)}: {escaped(each.text)}"
            )
            out(f"      {escaped(_since(each))}{escaped(each.advice)}")
        out(_sentence(facts, findings))
    if metrics is not None:
        # The collector runs as somebody else, and reads whatever is there at any moment.
        write_atomic(metrics.absolute(), openmetrics(facts, findings), mode=0o644, durable=False)
    if issues is not None:
        _keep(app, issues, findings)
    if findings:
        raise click.exceptions.Exit(AnswerNo.exit_code)


def _keep(app: App, repository: str, findings: list[Finding]) -> None:
    from bnet.wiring.issues import kept_issues

    for did, number, key in kept_issues(app.machine, repository, findings):
        note(escaped(f"bnet: issue #{number} {did}: {key}"))


def _told(facts: Facts, findings: list[Finding]) -> dict[str, Any]:
    return {
        "healthy": not findings,
        "at": _moment(facts.now),
        "servers": len(facts.state.servers),
        "findings": [
            {"key": each.key}
            | {name: getattr(each, name) for name in each.__struct_fields__}
            | {"since": _moment(each.since)}
            for each in findings
        ],
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _since(found: Finding) -> str:
    doubt = {"clocks": ", by the clocks of two machines", "estimate": ", by what is usual"}.get(
        found.sure, ""
    )
    return f"since {_moment(found.since)}{doubt}; " if found.since is not None else ""


def _sentence(facts: Facts, findings: list[Finding]) -> str:
    servers = len(facts.state.servers)
    head = f"{servers} server{'' if servers == 1 else 's'}"
    if not findings:
        return f"{head}; healthy"
    critical = sum(each.severity == "critical" for each in findings)
    return f"{head}; not healthy: {critical} critical, {len(findings) - critical} to be looked at"
