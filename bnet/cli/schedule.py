"""`bnet schedule`: jobs that come by the clock."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from bnet.app.submit import send, submit
from bnet.app.told.schedules import all_firings, asked, describe, describe_one, firings, newest_jobs
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json, table, word
from bnet.codec import layout
from bnet.codec.schedules import read_table
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError, Invalid
from bnet.files import read_or_none
from bnet.model.base import is_name
from bnet.model.command import PauseSchedule, ResumeSchedule
from bnet.rules.reserved import SCHEDULE
from bnet.rules.schedules import find

HEADS = ("SCHEDULE", "CRON", "ZONE", "NEXT", "LAST JOB", "")
MOST_NEXT = 1000


@click.group()
def schedule() -> None:
    """List, check, pause and run the schedules of the network.

    They are files in coordination/schedules/ on the ledger's branch; a commit is all it takes.

    Example: bnet schedule next -n 5
    """


@schedule.command("list")
@json_option
@pass_app
def list_schedules(app: App, as_json: bool) -> None:
    """List the schedules, with when each comes next and the last job that it became.

    Example: bnet schedule list --json
    """
    state = app.read().state
    told = describe(state, app.machine.clock.now())
    if as_json:
        out_json([each | {"next": (each["next"] or [None])[0]} for each in told])
    elif not told:
        note("no schedules; they are files in coordination/schedules/, see docs/schedules.md")
    else:
        out(table(HEADS, [_row(each) for each in told]))


def _row(told: dict[str, Any]) -> list[str]:
    job = "" if told["job"] is None else f"#{told['job']} {word(told['job_state'])}"
    return [told["name"], escaped(told["cron"]), told["timezone"], _next(told), job, _remark(told)]


def _next(told: dict[str, Any]) -> str:
    if told["paused"] is not None:
        return word("paused")
    return _shown(told["next"][0]) if told["next"] else "never"


def _shown(firing: dict[str, Any]) -> str:
    """Return when a firing comes, by the clocks where it counts."""
    return str(firing["local"]).replace("T", " ", 1)


def _remark(told: dict[str, Any]) -> str:
    if told["trouble"] is not None:
        return escaped(f"could not fire: {told['trouble']['reason']}")
    if told["paused"] is not None:
        by = f" ({told['paused_by']})" if told["paused_by"] else ""
        return escaped(f"{told['paused'] or 'no reason given'}{by}")
    return escaped(told["description"])


@schedule.command()
@click.argument("name")
@json_option
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """Show one schedule: its job, its next firings, and why it does not fire.

    Example: bnet schedule show nightly
    """
    state, now = app.read().state, app.machine.clock.now()
    there, entry = find(state, name)
    told = describe_one(there, entry, state, newest_jobs(state), now, 5) | {"submit": asked(entry)}
    if as_json:
        out_json(told)
        return
    rows = [
        ("file", f"{told['file']}, by {escaped(told['by'])}"),
        (
            "comes",
            f"{escaped(entry.cron)} in {entry.timezone}"
            + (f", {entry.delay} s later" if entry.delay else ""),
        ),
        ("missed", f"{entry.missed}, within {entry.within:g} s"),
        ("job", escaped(json.dumps(asked(entry)))),
        ("last", "" if told["job"] is None else f"#{told['job']} {told['job_state']}"),
        ("paused", "" if told["paused"] is None else _remark(told | {"trouble": None})),
        ("trouble", "" if told["trouble"] is None else _remark(told)),
        (
            "",
            ""
            if told["known"] or told["paused"] is not None
            else "it is new, and fires from the next sync on",
        ),
        ("next", "; ".join(_shown(each) for each in told["next"])),
    ]
    out(f"{entry.name}  {escaped(entry.description)}".rstrip())
    for head, text in rows:
        if text:
            out(f"  {head:<8} {text}")


@schedule.command("next")
@click.argument("name", required=False)
@click.option(
    "-n", "count", type=click.IntRange(1, MOST_NEXT), default=10, show_default=True, help="How many."
)
@json_option
@pass_app
def next_firings(app: App, name: str | None, count: int, as_json: bool) -> None:
    """Print the next firings, of one schedule or of all, in order.

    Example: bnet schedule next -n 3 nightly
    """
    state, now = app.read().state, app.machine.clock.now()
    if name is None:
        coming = list(islice(all_firings(state, now), count))
    else:
        told = describe_one(*find(state, name), state, newest_jobs(state), now, count)
        coming = told["next"]
        if told["paused"] is not None:
            note(f"{told['name']} is paused: {_remark(told | {'trouble': None})}")
    if as_json:
        out_json(coming)
        return
    if coming:
        rows = [[_shown(each), each["at"], each["schedule"]] for each in coming]
        out(table(("LOCAL", "UTC", "SCHEDULE"), rows))
    elif name is None:
        note("nothing comes")


@schedule.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; shown until it is resumed.")
@pass_app
def pause(app: App, name: str, reason: str) -> None:
    """Let a schedule fire no more until it is resumed.

    Example: bnet schedule pause nightly --reason "until the release"
    """
    if not reason.strip():
        raise BnetError("say why: --reason TEXT; it is recorded")
    send(app.ledger, app.lookup, [PauseSchedule(schedule=name, reason=reason)], app.who)
    note(f"{name} is paused")


@schedule.command()
@click.argument("name")
@pass_app
def resume(app: App, name: str) -> None:
    """Let a paused schedule fire again, from now on.

    Example: bnet schedule resume nightly
    """
    send(app.ledger, app.lookup, [ResumeSchedule(schedule=name)], app.who)
    there, entry = find(app.ledger.state, name)
    if entry.paused is not None:
        note(f"{name} stays paused: {layout.SCHEDULES}{there.stem}.yaml says so as well")
    else:
        note(f"{name} fires again from the next time on")


@schedule.command()
@click.argument("name")
@json_option
@pass_app
def run(app: App, name: str, as_json: bool) -> None:
    """Submit the job of a schedule now; its next firing comes all the same.

    Example: bnet schedule run nightly
    """
    state = app.read().state
    _, entry = find(state, name)
    last = entry.name.rpartition("/")[2]
    job = replace(
        entry.submit,
        name=entry.submit.name or (last if is_name(last) else None),
        env={**entry.submit.env, SCHEDULE: entry.name},
    )
    numbers = submit(app.ledger, app.lookup, app.machine.outbox(), app.url, [job], app.who, note)
    if as_json:
        out_json({"schedule": entry.name, "jobs": numbers})
    else:
        out(" ".join(f"#{number}" for number in numbers))


@schedule.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@click.option(
    "-n", "count", type=click.IntRange(1, 100), default=3, show_default=True, help="How many firings."
)
@json_option
@pass_app
def check(app: App, file: str | None, count: int, as_json: bool) -> None:
    """Check a file of schedules before it is committed; without FILE, what is wrong with those on the hub.

    Exit 2 if the file is wrong, with line and field; exit 1 if one on the hub is.

    Example: bnet schedule check nightly.yaml
    """
    if file is None:
        _check_hub(app, as_json)
        return
    path = Path(file)
    text = read_or_none(path)
    if text is None:
        raise Invalid("there is no such file", file=file)
    stem = path.name.removesuffix(".yaml")
    if not path.name.endswith(".yaml") or not is_name(stem):
        raise Invalid(
            "must be named <name>.yaml, the name in lower case letters, digits, '.', '_' or '-'", file=file
        )
    entries = read_table(text, file, stem).entries.values()
    now = app.machine.clock.now()
    told: list[dict[str, Any]] = [
        {"name": each.name, "next": list(islice(firings(each, now), count))} for each in entries
    ]
    if as_json:
        out_json(told)
        return
    out(f"{file}: {len(told)} schedule{'' if len(told) == 1 else 's'}, nothing wrong")
    for row in told[:20]:
        out(f"  {row['name']}: {'; '.join(map(_shown, row['next'])) or 'never comes'}")


def _check_hub(app: App, as_json: bool) -> None:
    state = app.read().state
    wrong = [each for each in state.problems if each.path.startswith(layout.SCHEDULES)]
    if as_json:
        out_json([{"path": each.path, "message": each.message, "commit": each.commit} for each in wrong])
    for each in () if as_json else wrong:
        said = each.message if each.message.startswith(each.path) else f"{each.path} {each.message}"
        out(escaped(said, keep="\n"))
    count = sum(len(each.entries) for each in state.schedules.values())
    if wrong:
        raise AnswerNo(f"{len(wrong)} of the files of schedules are wrong; {count} schedules are in force")
    if not as_json:
        out(f"{count} schedule{'' if count == 1 else 's'}, nothing wrong")
