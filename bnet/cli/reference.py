"""The generated parts of the documentation: `python -m bnet.cli.reference > docs/commands.md`.

Other pages hold tables between `<!-- generated: NAME -->` and `<!-- end -->`;
`python -m bnet.cli.reference docs/format.md ...` fills them anew. Of a table, the columns that follow from
the code are replaced, and what people wrote into the columns after them is kept, row by row.
"""

import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from bnet.app.told.hub import in_force
from bnet.cli.main import VERBS, cli
from bnet.cli.render import seconds
from bnet.model import (
    artifact,
    command,
    environment,
    hub,
    job,
    lock,
    message,
    monitoring,
    notices,
    notify,
    pipeline,
    reply,
    report,
    rollup,
    run,
    schedule,
    server,
    source,
    state,
    template,
    tree,
)
from bnet.model.base import NAME_PATTERN, Seconds

TABLES: dict[str, type[msgspec.Struct]] = {
    kind.__name__: kind
    for module in (
        artifact,
        hub,
        job,
        lock,
        server,
        state,
        command,
        run,
        tree,
        schedule,
        source,
        message,
        monitoring,
        notices,
        notify,
        reply,
        report,
        rollup,
        pipeline,
        environment,
        template,
    )
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
}
FLEETS = (2, 4, 10, 20, 50)
GITHUB = hub.Settings(push_budget=6.0, read_budget=15.0)
_WORDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "datetime": "time",
    "Submit": "[job](job-fields.md)",
    "Pipeline": "[pipeline](pipelines.md#pipeline)",
    "Any": "anything",
}
_DESCRIBED = {
    typing.get_args(kind)[1].description: word
    for kind, word in ((Seconds, "seconds"), (command.Duration, "span"), (command.Text, "text"))
}
_BLOCK = re.compile(r"(<!-- generated: ([A-Za-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = """\
# Commands

Made from the command line itself by `python -m bnet.cli.reference > docs/commands.md`; do not edit.

`bnet [--hub URL] COMMAND ...`. Which hub is meant: `--hub`, else `BNET_HUB`, else the hub that this
`BNET_HOME` has joined, else the repository that one stands in (its remote `origin` if that is a hub, else
itself). Results go to stdout, progress and messages to stderr. Every command has `--help`; with `--json` it
prints facts for programs. Times are RFC 3339 in UTC, durations seconds.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | it was done, and the answer is no: a job failed, something is unhealthy |
| 2 | the request is wrong; the message says what would be right |
| 3 | a bug in bnet; the message names the file with the traceback |
| 4 | the hub cannot be reached, after retries; nothing was lost |
| 5 | refused by policy |
| 6 | held or taken by another: a lock, a name |
| 130 | interrupted |

| variable | meaning |
|---|---|
| `BNET_HOME` | this server's directory; otherwise the platform's place for state (`~/.local/state/bnet`) |
| `BNET_HUB` | which hub, a URL or path |
| `BNET_BRANCH` | the ledger's branch, where a hub is met for the first time and it is not the usual one |
| `BNET_USER` | who asks; otherwise `GIT_AUTHOR_EMAIL`, `EMAIL`, or user@host |
| `NO_COLOR`, `CLICOLOR_FORCE` | never colour, always colour |
"""


def commands() -> str:
    """Return the reference of all commands as Markdown."""
    parts = [_HEAD]
    for path, found in _walk():
        parts.append(_section(path, found))
    return "\n".join(parts)


def _walk() -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(cli, info_name="bnet")
    for verb in VERBS:
        found = cli.get_command(ctx, verb)
        assert found is not None
        yield f"bnet {verb}", found
        if isinstance(found, click.Group):
            for name, inner in found.commands.items():
                if not inner.hidden:
                    yield f"bnet {verb} {name}", inner


def _section(path: str, found: click.Command) -> str:
    text, _, example = inspect.cleandoc(found.help or "").partition("Example:")
    usage = [path, *found.collect_usage_pieces(click.Context(found, info_name=path))]
    lines = [f"## {path}", "", f"`{' '.join(usage)}`", "", text.strip()]
    options = [each for each in found.params if isinstance(each, click.Option)]
    if options:
        lines += ["", "| option | |", "|---|---|"]
        lines += [f"| {_spelt(each)} | {_cell(each.help or '')}{_default(each)} |" for each in options]
    if example:
        lines += ["", "```", example.strip(), "```"]
    return "\n".join(lines) + "\n"


def _spelt(option: click.Option) -> str:
    if option.is_flag:
        value = ""
    elif isinstance(option.type, click.Choice):
        value = " " + "|".join(map(str, option.type.choices))
    else:
        value = " " + (option.metavar or option.type.name.split()[0].upper())
    more = " (may be repeated)" if option.multiple else ""
    return _cell(", ".join(f"`{name}{value}`" for name in option.opts)) + more


def _default(option: click.Option) -> str:
    return f" Default: `{option.default}`." if option.show_default else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def filled(text: str) -> str:
    """Return a page with its generated parts made anew.

    Raises:
        KeyError: it asks for a part that there is not.
    """
    return _BLOCK.sub(lambda found: found[1] + "\n".join(_part(found[2], found[0])) + "\n" + found[3], text)


def _part(name: str, before: str) -> list[str]:
    if name == "intervals":
        return _intervals()
    return _fields(TABLES[name], before)


def _intervals() -> list[str]:
    """Return what is in force for fleets of several sizes, with GitHub's limits and with none."""
    heads = ["servers", "hub", "TTL", "heartbeat while a job runs", "holder gives up at"]
    heads += ["least pause between two pushes", "agent looks every"]
    rows = [heads, ["---"] * len(heads)]
    for name, settings in (("6 pushes a minute", GITHUB), ("no limit", hub.Settings())):
        for size in FLEETS:
            spans = in_force(settings, size)
            shown = [spans[key] for key in ("ttl", "heartbeat", "holder_gives_up", "push_gap", "agent")]
            rows.append([str(size), name, *(seconds(each) if each else "none" for each in shown)])
    return [_row(each) for each in rows]


def _fields(kind: type[msgspec.Struct], before: str) -> list[str]:
    kept = {cells[0]: cells[3:] for cells in map(_cells, before.splitlines()) if len(cells) > 3}
    heads = kept.get("field", ["what"])
    rows = [["field", "type", "default", *heads], ["---"] * (3 + len(heads))]
    for each in msgspec.structs.fields(kind):
        cells = [f"`{each.encode_name}`", _cell(_type(each.type)), _default_of(each)]
        rows.append(cells + kept.get(cells[0], [""] * len(heads)))
    return [_row(each) for each in rows]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(line: str) -> list[str]:
    return [each.strip() for each in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []


def _default_of(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if callable(field.default_factory) else None
    if isinstance(value, msgspec.Struct):
        return "see there"
    plain = msgspec.to_builtins(value)
    if plain is None or plain == "":
        return "none"
    if plain in ([], (), {}):
        return "empty"
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return f"`{_cell(msgspec.json.encode(plain).decode())}`"


def _type(kind: Any) -> str:
    """Say in words what a field takes."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _annotated(inner)
    if origin is Literal:
        return " | ".join(f"`{each}`" for each in inner)
    if origin in (types.UnionType, typing.Union):
        return " | ".join(dict.fromkeys(_type(each) for each in inner if each is not type(None)))
    if origin is tuple:
        one = _type(inner[0])
        return f"list of ({one})" if " | " in one else f"list of {one}"
    if origin is dict:
        return f"{_type(inner[0])} → {_type(inner[1])}"
    return _WORDS.get(kind.__name__, f"[{kind.__name__}](#{kind.__name__.lower()})")


def _annotated(inner: Sequence[Any]) -> str:
    meta = next(each for each in inner[1:] if isinstance(each, msgspec.Meta))
    if meta.pattern == NAME_PATTERN:
        return "name"
    if meta.description in _DESCRIBED:
        return _DESCRIBED[meta.description]
    words = [_type(inner[0])]
    for word, bound in (("from", meta.ge), ("above", meta.gt), ("to", meta.le)):
        words += [] if bound is None else [f"{word} {bound}"]
    return " ".join(words)


def main(arguments: Sequence[str]) -> None:
    """Print the command reference, or fill the pages that are named."""
    for name in arguments:
        page = Path(name)
        page.write_text(filled(page.read_text()))
    if not arguments:
        sys.stdout.write(commands())


if __name__ == "__main__":
    main(sys.argv[1:])
