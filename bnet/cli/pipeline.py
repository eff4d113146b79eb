"""`bnet pipeline` and `bnet approve`: steps that become jobs, and people who let them start."""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from bnet.app.submit import submit
from bnet.app.told.pipelines import describe_run, run_of, runs
from bnet.cli.context import App, absolute, json_option, pass_app
from bnet.cli.jobs import find
from bnet.cli.render import note, out, out_json, out_list, reason, seconds, table, word
from bnet.cli.submit import _pairs as pairs
from bnet.codec.pipelines import needs_of, read_pipelines
from bnet.codec.resubmission import to_file
from bnet.codec.shown import escaped
from bnet.codec.tree import FILE
from bnet.errors import BnetError, Invalid
from bnet.files import read_or_none
from bnet.model.command import ApproveJob, Command, Submit
from bnet.model.job import Job, Source
from bnet.model.pipeline import Pipeline
from bnet.rules.pipelines import Run, expand, foresee

HEADS = ("STEP", "JOB", "STATE", "SERVER", "TOOK", "")


@click.group()
def pipeline() -> None:
    """Check, show and run the pipelines of a repository's bnet.yaml.

    Example: bnet pipeline run release
    """


@pipeline.command()
@click.argument("file", default=FILE, type=click.Path(dir_okay=False))
@json_option
def check(file: str, as_json: bool) -> None:
    """Check the pipelines of a file (bnet.yaml); exit 2 with line and field where something is wrong.

    Example: bnet pipeline check
    """
    found = _read(Path(file))
    if as_json:
        out_json([{"pipeline": name, "steps": list(each.steps)} for name, each in found.items()])
        return
    for name, each in found.items():
        count = len(each.steps)
        out(f"{name}: {count} step{'' if count == 1 else 's'}, nothing wrong")
    if not found:
        note(f"{file} has no pipelines; see docs/pipelines.md")


def _read(path: Path) -> dict[str, Pipeline]:
    text = read_or_none(path)
    if text is None:
        raise Invalid("there is no such file", file=str(path))
    return read_pipelines(text, str(path))


def _one(found: Mapping[str, Pipeline], name: str | None, where: str) -> tuple[str, Pipeline]:
    """Return the pipeline that is meant: the only one, where none is named."""
    if name is None and len(found) == 1:
        return next(iter(found.items()))
    there = ", ".join(found) or "none"
    if name is None:
        raise BnetError(f"which pipeline? those of {where} are: {there}")
    if name not in found:
        raise BnetError(f"there is no pipeline {escaped(name)[:80]} in {where}; there are: {there}")
    return name, found[name]


_labels = click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    callback=pairs,
    metavar="K=V",
    help="A label that `when` may ask for.",
)
_branch = click.option("--branch", help="Of which branch; otherwise the one that is checked out.")
_tag = click.option("--tag", help="Of which tag, instead of a branch.")


@pipeline.command()
@click.argument("name", required=False, metavar="[NAME|RUN]")
@_branch
@_tag
@_labels
@click.option("--inbox", is_flag=True, help="Print the jobs as a file for the inbox.")
@json_option
@pass_app
def show(
    app: App,
    name: str | None,
    branch: str | None,
    tag: str | None,
    labels: dict[str, str],
    inbox: bool,
    as_json: bool,
) -> None:
    """Show what a pipeline of ./bnet.yaml would run; or, by the number of a job, how a run goes.

    Example: bnet pipeline show release --branch main; bnet pipeline show 41
    """
    if name is not None and name.removeprefix("#").isdecimal():
        _show_run(app, int(name.removeprefix("#")), as_json)
        return
    title, found = _one(_read(Path(FILE)), name, FILE)
    if branch is None and not tag:
        branch = _branch_here(app)
    run = Run(source=Source(), key="show", branch="" if tag else branch or "", tag=tag or "", labels=labels)
    if inbox:
        repository, _ = app.machine.repositories.checked_out(Path.cwd())
        ref = f"refs/tags/{run.tag}" if run.tag else f"refs/heads/{run.branch}"
        source = Source(repository=_public(app, repository), ref=ref)
        asked = expand(title, found, replace(run, source=source, key=uuid.uuid4().hex))
        out(to_file(asked).decode().rstrip())
        return
    told = [
        {
            "step": each.step,
            "runs": each.runs,
            "why": each.why,
            "needs": [need.step for need in needs_of(found.steps[each.step])],
            "environment": found.steps[each.step].environment,
        }
        for each in foresee(found, run)
    ]
    if as_json:
        out_json({"pipeline": title, "branch": run.branch, "tag": run.tag, "steps": told})
        return
    out(f"{title}  {escaped(found.description)}".rstrip())
    rows = [_would(each) for each in told]
    out(table(("STEP", "NEEDS", "DEPLOYS TO", "", ""), rows))


def _would(told: dict[str, Any]) -> list[str]:
    state = "runs" if told["runs"] else word("skipped")
    return [told["step"], " ".join(told["needs"]), told["environment"] or "", state, escaped(told["why"])]


def _branch_here(app: App) -> str:
    try:
        return app.machine.repositories.checked_out(Path.cwd())[1]
    except BnetError:
        return ""


def _show_run(app: App, number: int, as_json: bool) -> None:
    state = app.read().state
    job = find(app, number)
    jobs: Sequence[Job] = run_of({**state.jobs, number: job}, number)
    if not jobs:
        raise BnetError(f"#{number} is no job of a pipeline")
    told = describe_run(jobs, state, app.machine.clock.now())
    if as_json:
        out_json(told)
        return
    of = told["branch"] or told["tag"] or "a working tree"
    commit = f" ({told['commit'][:10]})" if told["commit"] else ""
    out(f"run #{told['run']} of {told['pipeline']}: {word(told['state'])}, of {escaped(of)}{commit}")
    out(table(HEADS, [_row(each) for each in told["steps"]]))


def _row(told: dict[str, Any]) -> list[str]:
    said = reason(told)
    state = word(told["result"] or told["state"]) + (f" ({said})" if said else "")
    more = told["approvals"]["text"] if told["approvals"] and told["waiting_for"] == "approval" else ""
    if told["result"] in ("skipped", "cancelled"):
        more = escaped(told["message"] or "")
    took = "" if told["seconds"] is None else seconds(told["seconds"])
    return [told["step"], f"#{told['number']}", state, told["server"] or "", took, more]


@pipeline.command("list")
@json_option
@pass_app
def list_runs(app: App, as_json: bool) -> None:
    """List the runs of which a job is open or recent.

    Example: bnet pipeline list
    """
    state, now = app.read().state, app.machine.clock.now()
    told = [
        describe_run(run_of(state.jobs, number), state, now)
        for number, _ in runs(state)
        if number in state.jobs
    ]
    rows = (
        [
            f"#{each['run']}",
            each["pipeline"],
            word(each["state"]),
            escaped(each["branch"] or each["tag"]),
            each["by"],
        ]
        for each in told
    )
    heads = ("RUN", "PIPELINE", "STATE", "OF", "BY")
    out_list(told, heads, rows, "no runs; start one with `bnet pipeline run`", as_json=as_json)


@pipeline.command()
@click.argument("name", required=False)
@_branch
@_tag
@_labels
@click.option("--source", metavar="REPO@REF", help="Of this repository, instead of the one here.")
@click.option("--here", is_flag=True, help="In a snapshot of the working tree here, as it is.")
@click.option("--key", help="The same key twice is one run.")
@json_option
@pass_app
def run(
    app: App,
    name: str | None,
    branch: str | None,
    tag: str | None,
    labels: dict[str, str],
    source: str | None,
    here: bool,
    key: str | None,
    as_json: bool,
) -> None:
    """Submit the jobs of a pipeline, all of them or none.

    It is read from the commit that it runs: of the repository's branch as it was pushed, or with --here of the
    working tree.

    Example: bnet pipeline run release --branch main
    """
    key = uuid.uuid4().hex if key is None else f"pipeline:{key}"
    if here:
        if source or branch or tag:
            raise BnetError(
                "--here is the working tree as it is, and goes with none of --source, --branch, --tag"
            )
        title, jobs = _of_tree(app, name, labels, key)
    else:
        title, jobs = _of_repository(app, name, labels, key, source, branch, tag)
    numbers = submit(app.ledger, app.lookup, app.machine.outbox(), app.url, jobs, app.who, note)
    app.machine.keep(app.url, app.ledger)
    told = [find(app, number) for number in numbers]
    first = told[0].spec.pipeline
    started = numbers[0] if first is None else first.run
    if as_json:
        steps = {job.number: job.spec.pipeline.step for job in told if job.spec.pipeline is not None}
        out_json(
            {
                "pipeline": title,
                "run": started,
                "jobs": [{"number": n, "step": steps.get(n)} for n in numbers],
            }
        )
        return
    out("\n".join(f"#{job.number} {job.spec.name}" for job in told))
    note(f"run #{started} of {title}; `bnet pipeline show {started}` tells how it goes")


def _of_tree(app: App, name: str | None, labels: Mapping[str, str], key: str) -> tuple[str, list[Command]]:
    title, found = _one(_read(Path(FILE)), name, FILE)
    made = expand(title, found, Run(source=Source(), key=key, branch=_branch_here(app), labels=labels))
    return title, app.machine.repositories.with_snapshot(app.url, [*made], Path.cwd())


def _of_repository(
    app: App,
    name: str | None,
    labels: Mapping[str, str],
    key: str,
    source: str | None,
    branch: str | None,
    tag: str | None,
) -> tuple[str, list[Command]]:
    if source is not None:
        repository, at, ref = source.rpartition("@")
        if not at or ":" in ref or not repository:
            repository, ref = source, ""
        repository, current = absolute(repository), ref
    else:
        repository, current = app.machine.repositories.checked_out(Path.cwd())
    branch = branch or ("" if tag else current)
    if not branch and not tag:
        raise BnetError("of which branch? none is checked out here", hint="name one: --branch, or --tag")
    ref = f"refs/tags/{tag}" if tag else branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    commit, text = app.machine.repositories.file_of(repository, ref, FILE)
    where = f"{app.machine.shown(repository)} at {commit[:10]}"
    if text is None:
        raise BnetError(f"there is no {FILE} in {where}")
    title, found = _one(read_pipelines(text, FILE), name, where)
    run = Run(
        source=Source(repository=_public(app, repository), ref=ref, commit=commit),
        key=key,
        branch=ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else "",
        tag=ref.removeprefix("refs/tags/") if ref.startswith("refs/tags/") else "",
        labels=labels,
    )
    made: list[Submit] = expand(title, found, run)
    return title, [*made]


def _public(app: App, repository: str) -> str:
    """Return an address as it may stand on the hub: servers have credentials of their own."""
    return app.machine.shown(repository).replace("***@", "")


@click.command()
@click.argument("number", type=int)
@click.option("--reject", "why", metavar="REASON", help="End the job instead, and say why.")
@click.option("--note", "said", default="", help="For the people who read the log.")
@pass_app
def approve(app: App, number: int, why: str | None, said: str) -> None:
    """Let a job start that waits for approval; exit 5 if that is not yours to say.

    Example: bnet approve 12; bnet approve 12 --reject "the tests of build 11 are red"
    """
    from bnet.app.approve import approve as say
    from bnet.rules.approvals import lacking, told

    if why is not None and not why.strip():
        raise BnetError("why is it rejected? --reject takes a reason")
    news = say(app.ledger, app.lookup, ApproveJob(job=number, note=said, reject=why), app.who)
    job = find(app, number)
    if why is not None:
        note(f"#{number} is rejected")
    elif not news:
        note(f"#{number} has your approval already: {told(job)}")
    else:
        note(f"#{number}: {told(job)}" + ("" if lacking(job) else "; it can start"))
