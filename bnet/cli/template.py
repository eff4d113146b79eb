"""`bnet template`: files with places to fill in, for a new build, pipeline, schedule or source."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bnet.app.templates import PLACES, HubShelf, Shelf, describe, every, find, put
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json, table
from bnet.codec.filled import check_for_hub, fill
from bnet.codec.generalized import generalize
from bnet.codec.parameters import missing_of, value_of, values_of
from bnet.codec.shown import escaped
from bnet.codec.templates import MOST_FILES
from bnet.errors import BnetError, HubUnreachable, Invalid, Taken
from bnet.host.templates import FolderShelf, regular, walk, write_all
from bnet.model.base import is_name
from bnet.model.template import Parameter, Template

LINES = "\n\t"
HEADS = ("TEMPLATE", "OF", "")
FOLDER = ".bnet/templates"
SHIPPED = Path(__file__).resolve().parents[1] / "templates"
LEFT_OUT = (".git", ".bnet", "node_modules", "__pycache__")
SECRET = re.compile(
    r"\.env(?!\.(example|sample|template)$)(\..*)?|secrets?\.(env|ya?ml|json)|.*\.(pem|key|p12|pfx|jks|kdbx)"
    r"|id_(rsa|dsa|ecdsa|ed25519)|\.(netrc|npmrc|pypirc|pgpass|git-credentials)|credentials(\.json)?",
    re.IGNORECASE,
)


@click.group()
def template() -> None:
    """List, show, apply and make templates: files with places that are filled in.

    They are looked for in coordination/templates/ on the hub, then in .bnet/templates/ of this tree, then among those
    that come with bnet.

    Example: bnet template apply python-package --set name=widgets
    """


@template.command("list")
@json_option
@pass_app
def list_templates(app: App, as_json: bool) -> None:
    """List the templates, with where each comes from.

    Example: bnet template list
    """
    told = every(_shelves(app))
    if as_json:
        out_json(told)
        return
    out(table(HEADS, [_row(each) for each in told]))


def _row(told: dict[str, Any]) -> list[str]:
    if told["problem"] is not None:
        return [told["name"], told["origin"], f"cannot be read: {told['problem']}"]
    return [told["name"], told["origin"], escaped(" ".join(told["description"].split()))]


@template.command()
@click.argument("name")
@json_option
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """Show a template: what may be said, and its files as they are before they are filled in.

    Example: bnet template show python-package
    """
    found = find(_shelves(app), name)
    told = describe(found)
    if as_json:
        out_json(told | {"texts": dict(found.files)})
        return
    out(f"{name}, of {PLACES[found.origin]} ({escaped(found.where)})")
    if told["description"]:
        out(escaped(told["description"]))
    rows = [_asked(each) for each in told["parameters"]]
    out(table(("PARAMETER", "TYPE", "DEFAULT", ""), rows))
    for path, text in found.files.items():
        out(f"\n--- {escaped(path)}")
        out(escaped(text, keep=LINES).rstrip("\n"))


def _asked(told: dict[str, Any]) -> list[str]:
    default = "has to be said" if told["default"] is None else escaped(told["default"])
    kind = " | ".join(told["choices"]) if told["choices"] else told["type"]
    return [told["name"], escaped(kind), default, escaped(told["help"])]


@template.command()
@click.argument("name")
@click.option("--set", "said", multiple=True, metavar="K=V", help="What a parameter is to be.")
@click.option(
    "--output", default=".", metavar="DIR", type=click.Path(file_okay=False), help="Where to; otherwise here."
)
@click.option("--hub", "to_hub", is_flag=True, help="Put the files on the hub, by one commit.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--dry-run", is_flag=True, help="Only print what would be written.")
@json_option
@pass_app
def apply(
    app: App,
    name: str,
    said: Sequence[str],
    output: str,
    to_hub: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fill in a template, and write what comes of it; nothing that is there is written over without --force.

    What bnet reads itself (bnet.yaml, schedules, sources, environments, jobs) is checked before anything is written.
    On a terminal, it asks for what has to be said and is not. Exit 6 if files are in the way.

    Example: bnet template apply nightly --set repository=https://github.com/example/widgets --hub
    """
    found = find(_shelves(app), name)
    asked = found.manifest.parameters
    filled = fill(found, values_of(asked, _answers(asked, dict(map(_pair, said)))))
    if to_hub:
        check_for_hub(filled.files, found.where)
    if dry_run:
        written = (
            list(filled.files) if to_hub else write_all(Path(output), filled.files, force=force, dry=True)
        )
    elif to_hub:
        written = put(app.ledger, name, filled.files, force=force)
    else:
        written = write_all(Path(output), filled.files, force=force)
    if as_json:
        texts = {path: text.decode() for path, text in filled.files.items()}
        out_json(_origin(found) | {"written": written, "dry_run": dry_run, "files": texts})
        return
    note(f"{name}, of {PLACES[found.origin]}")
    for path, text in filled.files.items():
        if dry_run:
            out(f"--- {escaped(path)}\n{escaped(text.decode(), keep=LINES)}".rstrip("\n"))
        else:
            out(f"{escaped(path)}: {_done(path in written, to_hub)}")
    if not dry_run:
        _say_next(found, filled.next, to_hub)


def _done(written: bool, to_hub: bool) -> str:
    return ("on the hub" if to_hub else "written") if written else "is so already"


def _say_next(found: Template, following: Sequence[str], to_hub: bool) -> None:
    if found.manifest.target == "hub" and not to_hub:
        note("these files are for the hub's branch: commit them there, or apply the template with --hub")
    for each in following:
        note(f"next: {escaped(each)}")


def _origin(found: Template) -> dict[str, Any]:
    return {"name": found.name, "origin": found.origin, "where": found.where}


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise BnetError(f"{escaped(text)[:80]} is no NAME=VALUE")
    return key, value


def _answers(asked: dict[str, Parameter], said: dict[str, str]) -> dict[str, str]:
    """Return what was said, and on a terminal what is answered to the rest that has to be."""
    if not sys.stdin.isatty():
        return said
    for name in missing_of(asked, said):
        each = asked[name]
        while name not in said:
            answer = click.prompt(escaped(each.help) or name, prompt_suffix=f" ({name}): ", err=True)
            try:
                value_of(name, each, answer)
                said[name] = answer
            except Invalid as error:
                note(escaped(str(error)))
    return said


@template.command()
@click.argument("name")
@click.option("--from", "source", required=True, metavar="PATH", help="A bnet.yaml, or a directory.")
@click.option("--param", "params", multiple=True, metavar="K=TEXT", help="Make each TEXT a place for K.")
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where the template goes; otherwise .bnet/templates/NAME.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@json_option
def new(
    name: str, source: str, params: Sequence[str], output: str | None, force: bool, as_json: bool
) -> None:
    """Make a template of a bnet.yaml or a directory: the packages' names become parameters, or what --param says.

    With nothing said, what comes of it is what it was made from; that is tried before it is written.

    Example: bnet template new service --from services/billing --param name=billing
    """
    if not is_name(name):
        raise Invalid(f"{escaped(name)[:80]!r} is no name: use up to 64 of a-z, 0-9, '.', '_' and '-'")
    made = generalize(name, Path(source).resolve().name, _taken(Path(source)), dict(map(_pair, params)))
    target = Path(output) if output else _tree() / FOLDER / name
    if others := [path for path in walk(target) if path not in made.files]:
        listed = ", ".join(escaped(each) for each in others[:10])
        raise Taken(f"{target} holds {listed}, which would be part of the template; take it away")
    written = write_all(target, made.files, force=force)
    if as_json:
        places = {key: {"default": text, "places": count} for key, (text, count) in made.places.items()}
        out_json({"name": name, "where": str(target), "parameters": places, "written": written})
        return
    for key, (text, count) in made.places.items():
        out(f"{key}: {escaped(text)}, in {count} place{'' if count == 1 else 's'}")
    note(f"{target} is there" + ("" if output else f"; `bnet template apply {name} --dry-run` tries it"))


def _taken(source: Path) -> dict[str, bytes]:
    """Return the texts that a template is made of."""
    if not source.exists():
        raise Invalid("there is no such file or directory", file=str(source))
    base = source if source.is_dir() else source.parent
    paths = list(walk(source, LEFT_OUT)) if source.is_dir() else [source.name]
    secret = [path for path in paths if source.is_dir() and SECRET.fullmatch(path.rpartition("/")[2])]
    if secret:
        note(f"left out, for it may be a secret: {', '.join(map(escaped, secret))}")
        paths = [path for path in paths if path not in secret]
    if len(paths) > MOST_FILES:
        raise BnetError(f"{source} holds {len(paths):,} files; a template has at most {MOST_FILES}")
    found = {}
    for path in paths:
        data = regular(base / path)
        if data is None:
            raise Invalid(
                "is a link or no regular file, may not be read, or is too large for a template",
                file=str(base / path),
            )
        found[path] = data
    return found


# -- where they are looked for


def _shelves(app: App) -> list[Shelf]:
    on_hub = _on_hub(app)
    return [
        *([] if on_hub is None else [on_hub]),
        FolderShelf(_tree() / FOLDER, "tree", FOLDER),
        FolderShelf(SHIPPED, "bnet", "bnet/templates"),
    ]


def _on_hub(app: App) -> HubShelf | None:
    """Return the templates of the hub, as it is or was last known; None where no hub is meant."""
    if not app.has_hub:
        return None  # one may fill in a template where there is no network at all
    try:
        tip = app.read().state.tip
    except HubUnreachable:
        tip = app.ledger.hub.known()
        note("the hub is away; its templates are " + ("those last seen" if tip else "not looked at"))
    return HubShelf(app.ledger.hub, tip) if tip else None


def _tree() -> Path:
    """Return the tree that one stands in: its root, or where one stands."""
    here = Path.cwd()
    marks = (FOLDER, "bnet.yaml", ".git")
    return next(
        (each for each in (here, *here.parents) if any((each / mark).exists() for mark in marks)), here
    )
