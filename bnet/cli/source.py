"""`bnet source`: repositories whose new commits become jobs."""

from pathlib import Path
from typing import Any

import click

from bnet.app.steward.polling import matching
from bnet.app.submit import send
from bnet.app.told.sources import add as add_source
from bnet.app.told.sources import as_file, describe_sources
from bnet.cli.borrow import borrow, distrust
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json, out_list, word
from bnet.codec import layout
from bnet.codec.shown import escaped
from bnet.codec.sources import read_source
from bnet.errors import AnswerNo, BnetError, Invalid
from bnet.files import read_or_none
from bnet.model.base import is_name
from bnet.model.command import PauseSource, ResumeSource
from bnet.model.source import Followed

HEADS = ("SOURCE", "REPOSITORY", "REFS", "LAST JOB", "")
MOST_SHOWN = 10


@click.group()
def source() -> None:
    """Watch repositories: each new commit of their branches and tags becomes a job, once.

    Sources are files in coordination/sources/ on the ledger's branch; a commit is all it takes.

    Example: bnet source add widgets https://github.com/example/widgets --branch main -- make test
    """


source.add_command(borrow)
source.add_command(distrust)


@source.command()
@click.argument("name")
@click.argument("repository")
@click.argument("command", nargs=-1)
@click.option("--branch", "branches", multiple=True, metavar="GLOB", help="Branches; otherwise all.")
@click.option("--tag", "tags", multiple=True, metavar="GLOB", help="Tags; otherwise none.")
@click.option("--priority", multiple=True, metavar="GLOB=N", help="The priority of jobs of such branches.")
@click.option("--include", multiple=True, metavar="GLOB", help="Only commits that touch such files count.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Such files do not count.")
@click.option("--every", metavar="SPAN", help="How often it is looked at (5m).")
@click.option("--coalesce", type=click.Choice(["newest", "all"]), help="The newest of what came, or all.")
@click.option("--first", type=click.Choice(["seen", "build"]), help="What becomes of what is there now.")
@click.option("--notes", is_flag=True, help="Push results into the repository as Git notes.")
@click.option("-l", "--label", "labels", multiple=True, metavar="K=V", help="A label its server must have.")
@click.option(
    "--pipeline", metavar="NAME", help="Run this pipeline of each commit's bnet.yaml, not a command."
)
@click.option("--package", "packages", multiple=True, metavar="P", help="Build this package, not a command.")
@json_option
@pass_app
def add(
    app: App,
    /,
    name: str,
    repository: str,
    command: tuple[str, ...],
    labels: tuple[str, ...],
    packages: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    priority: tuple[str, ...],
    as_json: bool,
    **fields: Any,
) -> None:
    """Put a source on the hub. What more a job may say is written into its file.

    What is on the branches already is taken as seen, unless --first build says otherwise.

    Example: bnet source add widgets https://github.com/example/widgets --branch main --priority main=2 -- make test
    """
    if not is_name(name):
        raise Invalid(f"{escaped(name)[:80]!r} is no name: use up to 64 of a-z, 0-9, '.', '_' and '-'")
    job = _job(command, packages, labels)
    if bool(job) == bool(fields["pipeline"]):
        raise BnetError(
            "a commit becomes either a job or a pipeline",
            hint="bnet source add NAME REPOSITORY -- COMMAND, or --package, or --pipeline without labels",
        )
    said = {key: list(each) if isinstance(each, tuple) else each for key, each in fields.items() if each}
    said |= {"priority": dict(_numbered(each) for each in priority)} if priority else {}
    paths = {key: list(each) for key, each in (("include", include), ("exclude", exclude)) if each}
    said |= {"paths": paths} if paths else {}
    text = as_file({"repository": _absolute(repository), **said, **({"submit": job} if job else {})})
    try:
        found = read_source(text, "", name)
    except Invalid as error:
        raise Invalid(error.message, field=error.field) from None
    seen = _look(app, found)
    add_source(app.ledger, name, text)
    if as_json:
        out_json({"name": name, "file": layout.source_path(name), "refs": seen.get("refs")})
    else:
        note(f"{layout.source_path(name)} is on the hub; the steward's next look is the first")


def _job(command: tuple[str, ...], packages: tuple[str, ...], labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the template of the job that is meant; nothing if none is."""
    job: dict[str, Any] = {"command": command[0] if len(command) == 1 else list(command)} if command else {}
    job |= {"packages": list(packages)} if packages else {}
    return job | ({"labels": dict(_pair(each) for each in labels)} if labels else {})


def _absolute(repository: str) -> str:
    return str(Path(repository).resolve()) if Path(repository).is_dir() else repository


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise BnetError(f"{escaped(text)[:80]} is no NAME=VALUE")
    return key, value


def _numbered(text: str) -> tuple[str, int | str]:
    glob, number = _pair(text)
    return glob, int(number) if number.isascii() and number.isdecimal() and len(number) < 4 else number


def _look(app: App, found: Followed) -> dict[str, Any]:
    """Look at a source's repository from here, and say what of it is meant."""
    from bnet.wiring.upstreams import upstreams

    try:
        refs = upstreams(app.machine).refs(found.asked.repository, tags=bool(found.asked.tags))
    except BnetError as error:
        note(f"not looked at from here: {error}; what counts is whether the servers can read it")
        return {"refs": None, "problem": str(error)}
    names = sorted(matching(found, refs))
    if not names:
        note(f"of {len(refs)} branches and tags, none is meant by its patterns")
    return {"refs": len(names), "names": names}


@source.command("list")
@json_option
@pass_app
def list_sources(app: App, as_json: bool) -> None:
    """List the sources, with the newest job of each, and what stands in the way.

    Example: bnet source list
    """
    told = describe_sources(app.read().state)
    nothing = "no sources; `bnet source add` makes one, see docs/sources.md"
    out_list(told, HEADS, map(_row, told), nothing, as_json=as_json)


def _row(told: dict[str, Any]) -> list[str]:
    job = "" if told["job"] is None else f"#{told['job']} {word(told['job_state'])}"
    refs = str(told["refs"]) if told["looked_at"] else ""
    return [told["name"], escaped(told["repository"]), refs, job, _remark(told)]


def _remark(told: dict[str, Any]) -> str:
    if told["paused"] is not None:
        by = f" ({told['paused_by']})" if told["paused_by"] else ""
        return f"{word('paused')}: {escaped(told['paused'] or 'no reason given')}{escaped(by)}"
    for found in (told["obstacle"], told["undelivered"]):
        if found is not None:
            return escaped(f"since {found['since']}: {found['reason']}")
    if not told["looked_at"]:
        return "not looked at yet"
    return escaped(told["description"])


@source.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; shown until it is resumed.")
@pass_app
def pause(app: App, name: str, reason: str) -> None:
    """Let a source be looked at no more until it is resumed.

    Example: bnet source pause widgets --reason "the build servers move"
    """
    if not reason.strip():
        raise BnetError("say why: --reason TEXT; it is recorded")
    send(app.ledger, app.lookup, [PauseSource(source=name, reason=reason)], app.who)
    note(f"{name} is paused")


@source.command()
@click.argument("name")
@pass_app
def resume(app: App, name: str) -> None:
    """Let a paused source be looked at again; what came meanwhile counts.

    Example: bnet source resume widgets
    """
    send(app.ledger, app.lookup, [ResumeSource(source=name)], app.who)
    note(f"{name} is looked at again")


@source.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@json_option
@pass_app
def check(app: App, file: str | None, as_json: bool) -> None:
    """Check a source's file before it is committed; without FILE, what is wrong with those on the hub.

    Of a file, its repository is looked at too. Exit 2 if the file is wrong, with line and field; exit 1 if one on
    the hub is, or nothing comes of it.

    Example: bnet source check widgets.yaml
    """
    if file is None:
        _check_hub(app, as_json)
        return
    path, text = Path(file), read_or_none(Path(file))
    if text is None:
        told = "without a file, `bnet source check` looks at the sources that are on the hub"
        raise Invalid("there is no such file", file=file, hint=told)
    name = path.name.removesuffix(".yaml")
    if not path.name.endswith(".yaml") or not is_name(name):
        raise Invalid(
            "must be named <name>.yaml, the name in lower case letters, digits, '.', '_' or '-'", file=file
        )
    found = read_source(text, file, name)
    seen = _look(app, found)
    if as_json:
        out_json({"name": name, "repository": found.asked.repository, **seen})
        return
    out(f"{file}: nothing wrong" + ("" if seen["refs"] is None else f"; it means {_counted(seen['refs'])}"))
    for each in seen.get("names", [])[:MOST_SHOWN]:
        out(f"  {escaped(each)}")
    if (seen["refs"] or 0) > MOST_SHOWN:
        out(f"  and {seen['refs'] - MOST_SHOWN} more")


def _counted(refs: int) -> str:
    return f"{refs} branch or tag" if refs == 1 else f"{refs} branches and tags"


def _check_hub(app: App, as_json: bool) -> None:
    state = app.read().state
    wrong = [each for each in state.problems if each.path.startswith(layout.SOURCES)]
    told = describe_sources(state)
    stuck = [each for each in told if each["obstacle"] is not None and each["paused"] is None]
    if as_json:
        found = [{"path": each.path, "message": each.message} for each in wrong]
        out_json(found + [{"path": each["file"], "message": each["obstacle"]["reason"]} for each in stuck])
    else:
        for problem in wrong:
            placed = problem.message.startswith(problem.path)
            out(problem.message if placed else f"{problem.path} {problem.message}")
        for each in stuck:
            out(f"{each['name']}: {_remark(each)}")
    if wrong or stuck:
        raise AnswerNo(f"{len(wrong)} files of sources are wrong, {len(stuck)} sources come to nothing")
    if not as_json:
        out(f"{len(told)} source{'' if len(told) == 1 else 's'}, nothing wrong")
