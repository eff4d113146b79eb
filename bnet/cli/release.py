"""`bnet release`: what is deployed where, good runs that are kept, and the way back."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from msgspec.structs import replace

from bnet.app.submit import send
from bnet.app.told.releases import (
    absent,
    chosen,
    describe_environments,
    describe_release,
    describe_standing,
    pinned_by,
)
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.depot import depot_of
from bnet.cli.jobs import find, print_new
from bnet.cli.render import age, note, out, out_json, table, word
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError
from bnet.model.base import is_name
from bnet.model.command import RollBack
from bnet.model.environment import Pinned, Standing
from bnet.model.job import Job
from bnet.rules.approvals import lacking
from bnet.rules.approvals import told as approvals_told
from bnet.rules.deployments import pins as pins_of
from bnet.rules.environments import find as find_environment
from bnet.rules.releases import drop as unkeep
from bnet.rules.releases import mark as keep
from bnet.rules.releases import of_branch, of_environment

MOST_LISTED = 20


@click.group()
def release() -> None:
    """Show what is deployed where, keep good runs, and go back to them.

    Example: bnet release rollback prod
    """


@release.command("list")
@json_option
@pass_app
def list_releases(app: App, as_json: bool) -> None:
    """List the environments with what is there, and the releases that are kept.

    Example: bnet release list
    """
    state, now = app.read().state, app.machine.clock.now()
    there = describe_environments(state)
    kept = [describe_release(each) for _, each in sorted(state.releases.items())]
    if as_json:
        out_json({"environments": there, "releases": kept})
        return
    if there:
        out(
            table(
                ("ENVIRONMENT", "HAS", "ARTIFACTS OF", "COMMIT", "SINCE", ""),
                [_standing(each, now) for each in there],
            )
        )
    if there and kept:
        out("")
    if kept:
        rows = [
            [
                each["name"],
                _jobs(each["jobs"]),
                (each["commit"] or "")[:10],
                each["tag"] or "",
                age(each["at"], now),
                each["by"],
            ]
            for each in kept
        ]
        out(table(("RELEASE", "ARTIFACTS OF", "COMMIT", "TAG", "MARKED", "BY"), rows))
    if not there and not kept:
        note("no environments and no releases; see docs/pipelines.md")


def _standing(told: dict[str, Any], now: Any) -> list[str]:
    current = told["current"]
    unsure = "" if told["unsure"] is None else f"#{told['unsure']} failed after that"
    if current is None:
        return [told["environment"], "nothing", "", "", "", unsure]
    back = f"rolled back to #{current['rollback_of']}" if current["rollback_of"] else ""
    return [
        told["environment"],
        f"#{current['job']}",
        _jobs(current["inputs"]),
        (current["commit"] or "")[:10],
        age(current["at"], now),
        "; ".join(filter(None, [back, unsure])),
    ]


def _jobs(inputs: list[dict[str, Any]]) -> str:
    return " ".join(f"#{each['job']}" for each in inputs)


@release.command()
@click.argument("name")
@json_option
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """Show a release, or what an environment has and had, with the artifacts' digests.

    Example: bnet release show prod
    """
    state = app.read().state
    kept = state.releases.get(name)
    if kept is not None:
        told = describe_release(kept)
        pins: tuple[Pinned, ...] = kept.jobs
    else:
        find_environment(state, name)
        standing = state.standings.get(name, Standing(name=name))
        told = describe_standing(standing)
        pins = () if standing.current is None else standing.current.inputs
    jobs = pinned_by(state, app.ledger, pins)
    told |= {"artifacts": _artifacts(pins, jobs)}
    if as_json:
        out_json(told)
        return
    (_tell_release if kept is not None else _tell_standing)(told, app.machine.clock.now())
    for each in told["artifacts"][:MOST_LISTED]:
        out(f"  {each['path']} of #{each['job']} ({each['size']:,} bytes, blake3 {each['blake3'][:16]})")
    if len(told["artifacts"]) > MOST_LISTED:
        out(f"  and {len(told['artifacts']) - MOST_LISTED} more")


def _artifacts(pins: tuple[Pinned, ...], jobs: Mapping[int, Job]) -> list[dict[str, Any]]:
    return [
        {"job": pin.job, "path": each.path, "size": each.size, "blake3": each.blake3}
        for pin in pins
        if (job := jobs.get(pin.job)) is not None and job.result is not None
        for each in job.result.artifacts
    ]


def _tell_release(told: dict[str, Any], now: Any) -> None:
    out(f"{told['name']}: marked {age(told['at'], now)} by {escaped(told['by'])}")
    of = f"environment {told['environment']}" if told["environment"] else f"branch {told['branch']}"
    rows = [("of", of), ("commit", told["commit"]), ("tag", told["tag"]), ("note", told["note"])]
    for head, text in rows:
        if text:
            out(f"  {head:<8} {escaped(text)}")


def _tell_standing(told: dict[str, Any], now: Any) -> None:
    current = told["current"]
    out(
        f"{told['environment']}: " + ("nothing was deployed yet" if current is None else f"#{current['job']}")
    )
    rows = [
        [
            f"#{each['job']}",
            word(each["result"]),
            _jobs(each["inputs"]),
            (each["commit"] or "")[:10],
            age(each["at"], now),
            escaped(each["by"]),
            ", ".join(map(escaped, each["approved_by"])),
            f"back to #{each['rollback_of']}" if each["rollback_of"] else "",
        ]
        for each in told["history"][:MOST_LISTED]
    ]
    if rows:
        out(table(("DEPLOYMENT", "RESULT", "ARTIFACTS OF", "COMMIT", "WHEN", "BY", "APPROVED BY", ""), rows))


@release.command()
@click.argument("name")
@click.option("--environment", metavar="NAME", help="Of what this environment has now.")
@click.option("--branch", help="Of the newest good run of this branch.")
@click.option("--tag", metavar="TAG", help="The tag's name; otherwise the release's.")
@click.option("--no-tag", is_flag=True, help="Put no tag into the repository.")
@click.option("--sign", is_flag=True, help="Sign the tag, by the key that Git is set up with.")
@click.option("--note", "said", default="", help="For people; the tag's message.")
@json_option
@pass_app
def mark(
    app: App,
    name: str,
    environment: str | None,
    branch: str | None,
    tag: str | None,
    no_tag: bool,
    sign: bool,
    said: str,
    as_json: bool,
) -> None:
    """Keep a good run: its artifacts are not pruned, and its commit gets a tag in its repository.

    Example: bnet release mark v1.4 --environment prod
    """
    if not is_name(name):
        raise BnetError(
            f"{escaped(name)[:80]!r} is no name: use lower case letters, digits, '.', '_' and '-'"
        )
    if (environment is None) == (branch is None):
        raise BnetError("a release is of one thing: --environment NAME, or --branch NAME")
    if no_tag and (tag or sign):
        raise BnetError("--no-tag leaves nothing to name or sign")
    state, now = app.read().state, app.machine.clock.now()
    if environment is not None:
        found = of_environment(state, environment, name, app.who, now)
    else:
        found = of_branch(state, branch or "", name, app.who, now)
    wanted = None if no_tag or found.repository is None or found.commit is None else tag or name
    if sign and wanted is None:
        raise BnetError("there is no commit of a repository to put a signed tag on")
    found = replace(found, tag=wanted, note=said)
    made = pinned_by(state, app.ledger, found.jobs)
    _make_sure(app, found.jobs, made, f"{name} cannot be kept", "keep a run whose artifacts are all there")
    # The tag comes first: whoever is stopped in between does it again, and finds the tag there.
    if wanted is not None:
        assert found.repository is not None and found.commit is not None
        app.machine.repositories.put_tag(
            found.repository, found.commit, wanted, said or f"release {name}", sign=sign
        )
    app.ledger.transact(lambda tx: keep(tx, found, made))
    told = describe_release(app.ledger.state.releases[name])
    if as_json:
        out_json(told)
    else:
        tagged = "" if wanted is None else f", tag {wanted}"
        out(
            f"{name}: {_jobs(told['jobs']) or 'no artifacts'}, commit {(told['commit'] or 'none')[:10]}{tagged}"
        )


@release.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; it is recorded.")
@pass_app
def drop(app: App, name: str, reason: str) -> None:
    """Keep a release no longer: its artifacts may be pruned from now on. Its tag stays in the repository.

    Example: bnet release drop v0.9 --reason "nobody runs it any more"
    """
    if not reason.strip():
        raise BnetError("say why: --reason TEXT; it is recorded")
    app.ledger.transact(lambda tx: unkeep(tx, name, app.who, reason))
    note(f"release {escaped(name)} is kept no longer")


def _make_sure(app: App, pins: Sequence[Pinned], jobs: Mapping[int, Job], what: str, hint: str) -> None:
    """Stop where something of what is named is missing; say what could not be looked at.

    Raises:
        AnswerNo: it says what, and why.
    """
    lost, unsure = absent(app.ledger.state, pins, jobs, depot_of(app))
    if lost:
        raise AnswerNo(f"{what}; missing: {'; '.join(map(escaped, lost[:MOST_LISTED]))}", hint=hint)
    for each in unsure[:MOST_LISTED]:
        note(f"not looked at: {escaped(each)}; the server that needs it makes sure of it")


@release.command()
@click.argument("environment")
@click.option(
    "--to",
    metavar="RELEASE|JOB",
    help="A release, or a deployment's number; otherwise what was there before.",
)
@click.option("--reason", default="", help="Why, for people.")
@json_option
@pass_app
def rollback(app: App, environment: str, to: str | None, reason: str, as_json: bool) -> None:
    """Deploy earlier artifacts again: the same step with the same inputs, as a new job.

    It needs the environment's approvals and its lock, like any deployment. Exit 1 if something of the
    artifacts is no longer there; what is missing is said.

    Example: bnet release rollback prod --reason "orders fail"
    """
    state = app.read().state
    find_environment(state, environment)
    number = chosen(state, environment, to)
    old = find(app, number)
    standing = state.standings.get(environment, Standing(name=environment))
    remembered = {pin.job: pin for each in standing.history if each.job == number for pin in each.inputs}
    asked = pinned_by(state, app.ledger, [Pinned(job=each.job, digest="") for each in old.spec.inputs])
    pins = [remembered.get(pin.job, pin) for pin in pins_of(old.spec.inputs, asked, state.standings)]
    hint = f"`bnet release show {environment}` lists what else was there"
    _make_sure(app, pins, asked, f"#{number} cannot be deployed again", hint)
    [new] = send(
        app.ledger, app.lookup, [RollBack(environment=environment, job=number, reason=reason)], app.who
    )
    print_new(app, [new], as_json)
    job = find(app, new)
    if lacking(job):
        note(f"it waits for {approvals_told(job)}: `bnet approve {new}`")
