"""`bnet hub`: the repository that a network shares, as a thing of its own."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from bnet.app.hub.adopt import Survey
from bnet.app.ledger import Diverged, Ledger
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json, seconds
from bnet.errors import BnetError
from bnet.model.job import Job

SHOWN = 5  # commits and jobs that are named one by one


@click.group()
def hub() -> None:
    """Show the hub, take it to a newer format, accept what became of it.

    Example: bnet hub show
    """


@hub.command()
@json_option
@pass_app
def show(app: App, as_json: bool) -> None:
    """Show where the hub is, what it holds, and which settings are in force.

    Example: bnet hub show --json
    """
    from bnet.app.told.hub import describe_hub

    ledger = app.read()
    look = app.machine.checkup(app.url)
    told = describe_hub(ledger.state, app.machine.place(app.url).branch, app.url)
    told |= {"commits": look.count(ledger.state.tip), "refs": look.refs(), "bytes": look.size()}
    if as_json:
        out_json(told)
        return
    rows = [(name, value) for name, value in told.items() if name not in ("settings", "in_force")]
    rows += [(f"{name} in force", _span(value)) for name, value in told["in_force"].items()]
    out("\n".join(f"{name.replace('_', ' '):<26} {'-' if value is None else value}" for name, value in rows))
    out("settings (coordination/hub.yaml):")
    out("\n".join(f"  {name:<24} {value}" for name, value in _flat(told["settings"])))


def _span(value: float | None) -> str:
    return "any" if value is None else seconds(value)


def _flat(settings: dict[str, Any], above: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{above}{name}.")
        else:
            rows.append((above + name, "-" if value is None else value))
    return rows


@hub.command()
@click.option("--to", type=int, metavar="N", help="The format; otherwise the newest that this bnet knows.")
@pass_app
def upgrade(app: App, to: int | None) -> None:
    """Take the hub to a newer format, once every server understands it.

    Example: bnet hub upgrade
    """
    from bnet.app.hub.upgrade import upgrade as upgrade_hub

    before, after = upgrade_hub(app.read(), to)
    if before == after:
        note(f"the hub has format {after} already; there is nothing to do")
    else:
        note(f"the hub has format {after} now (it had {before})")


@hub.command()
@click.option("--yes", is_flag=True, help="Do it without asking.")
@pass_app
def adopt(app: App, yes: bool) -> None:
    """Accept a hub whose ledger has diverged from the one known here.

    Shows both histories first. What only the one known here has is kept as a file to submit again.

    Example: bnet hub adopt
    """
    from bnet.app.hub.adopt import adopt as adopt_hub
    from bnet.app.hub.adopt import keep, survey

    theirs = app.ledger
    tip = _diverged(app, theirs)
    if tip is None:
        note("the hub's ledger continues the one known here; there is nothing to adopt")
        return
    ours = app.machine.ledger(app.url)
    found = survey(ours, theirs, tip)
    checkup = app.machine.checkup(app.url)
    out(_both(found, checkup.count(found.ours.tip, tip), checkup.count(tip, found.ours.tip)))
    if not yes and not _agreed():
        raise BnetError("nothing was changed")
    path = keep(found.unfinished, app.machine.home.path, found.epoch)
    ref = checkup.keep(found.ours.tip, f"epoch-{found.epoch}")
    epoch = adopt_hub(theirs, found)
    app.machine.keep(app.url, theirs)
    note(f"epoch {epoch} has begun; the other servers accept it at their next sync")
    note(f"the history that was known here stays in {checkup.mirror} as {ref}")
    if path is not None:
        note(f"submit again what was not finished: bnet submit -f {path}")
    if found.left_out:
        note(
            f"not in there, for what they depend on is gone; run their pipelines again: {_jobs(found.left_out)}"
        )


def _diverged(app: App, ledger: Ledger) -> str | None:
    """Return the hub's tip if it is no continuation of what is known here."""
    try:
        ledger.refresh()
    except Diverged:
        tip = ledger.hub.look().ledger
        with ledger.hub.exclusive():
            ledger.hub.fetch(tip)
        return tip
    app.machine.keep(app.url, ledger)
    return None


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise BnetError("nothing was changed: this asks for a decision", hint="bnet hub adopt --yes")
    return click.confirm("Accept the hub's ledger and begin a new epoch on it?", err=True)


def _both(found: Survey, here: int, there: int) -> str:
    """Return both histories side by side, and what accepting the hub's would do."""
    ours, theirs = found.ours, found.theirs
    unfinished = [job for job in found.lost if job.result is None]
    lines = [
        f"known here: {ours.tip[:10]}  epoch {ours.head.epoch}, seq {ours.head.seq}, "
        f"{here} commits that the hub does not have",
        f"on the hub: {theirs.tip[:10]}  epoch {theirs.head.epoch}, seq {theirs.head.seq}, "
        f"{there} commits that are not known here",
    ]
    if ours.head.hub != theirs.head.hub:
        lines.append(f"these are two networks: {ours.head.hub} here, {theirs.head.hub} on the hub")
    lines.append(f"jobs that only the ledger known here has: {len(found.lost)}")
    lines.append(f"of them not finished: {_jobs(unfinished)}")
    lines.append(f"jobs that run in the hub's ledger, and would end as lost: {_jobs(found.claims)}")
    lines.append(
        f"accepting the hub's ledger begins epoch {found.epoch} on it; the unfinished jobs are written to a "
        "file to submit again"
    )
    if found.left_out:
        lines.append(f"left out of it, for they depend on others of these: {_jobs(found.left_out)}")
    return "\n".join(lines)


def _jobs(jobs: Sequence[Job]) -> str:
    named = " ".join(f"#{job.number} {job.spec.name}" for job in jobs[:SHOWN])
    more = f" and {len(jobs) - SHOWN} more" if len(jobs) > SHOWN else ""
    return f"{len(jobs)}" + (f" ({named}{more})" if jobs else "")
