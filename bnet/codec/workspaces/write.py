"""A tree written down as `bnet.yaml`, for people to go on from."""

from decimal import Decimal
from typing import Any

import msgspec
import yaml

from bnet.codec.durations import parse_duration
from bnet.model.tree import Hooks, Package, SharedStore, Tree

SCHEMA = "bnet.schema.json"
_HEAD = """\
# yaml-language-server: $schema={schema}
# What this tree is made of: `bnet build` brings its packages up to date, `bnet why PACKAGE` says what it did.
"""
_PACKAGES = """\
# path: its directory. build_cmd: run there, once all of its dependencies are up to date.
# sources: what it is made of; without them, every file in path that Git does not ignore.
# outputs: what it makes, and nothing else: they are removed before a build.
"""


def write_tree(tree: Tree, *, schema: str = SCHEMA) -> bytes:
    """Return a tree as `bnet.yaml`; `bnet.codec.tree.read_tree` makes the same tree of it.

    Args:
        tree: checked and settled, as `read_tree` and `discover` return it.
        schema: where an editor finds the schema: a URL, or a path from the file.
    """
    parts = [_HEAD.format(schema=schema)]
    if tree.sources:
        parts.append("# Every package depends on these.\n" + _dumped({"sources": list(tree.sources)}))
    for name, value in (
        ("env", list(tree.env)),
        ("hooks", _hooks(tree.hooks)),
        ("store", _store(tree.store)),
        ("pipelines", msgspec.to_builtins(tree.pipelines)),
        ("pipeline", msgspec.to_builtins(tree.pipeline)),
    ):
        if value:
            parts.append(_dumped({name: value}))
    packages = [_dumped([_package(package)]) for package in tree.packages]
    parts.append(
        _PACKAGES + ("packages:\n" + "\n".join(map(_indented, packages)) if packages else "packages: []\n")
    )
    return "\n".join(parts).encode()


def _package(package: Package) -> dict[str, Any]:
    """Return the fields that are not as they are by default."""
    return {"name": package.name} | {
        name: value
        for name, value in (
            ("path", None if package.path == "." else package.path),
            ("build_cmd", _plain(package.build_cmd)),
            ("dependencies", list(package.dependencies)),
            ("sources", None if package.sources == ("**",) else list(package.sources)),
            ("outputs", list(package.outputs)),
            ("env", list(package.env)),
            ("tools", list(package.tools)),
            ("hooks", _hooks(package.hooks)),
            ("timeout", _span(package.timeout)),
            ("incremental", package.incremental or None),
            ("cache", None if package.cache else False),
        )
        if value is not None and (value != [] or name == "sources")
    }


def _plain(command: str | tuple[str, ...] | None) -> str | list[str] | None:
    return list(command) if isinstance(command, tuple) else command


def _hooks(hooks: Hooks) -> dict[str, str] | None:
    given = {"pre_build": hooks.pre_build, "post_build": hooks.post_build}
    return {name: command for name, command in given.items() if command is not None} or None


def _store(store: SharedStore | None) -> dict[str, Any] | None:
    if store is None:
        return None
    fields: dict[str, Any] = {"url": store.url}
    if store.mode != "read-write":
        fields["mode"] = store.mode
    if parse_duration(store.timeout) != parse_duration(SharedStore(url="-").timeout):
        fields["timeout"] = _span(store.timeout)
    return fields


def _span(value: float | str | None) -> str | int | None:
    """Return a span of time as people write it, and exactly."""
    if value is None:
        return None
    seconds = parse_duration(value)
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    # What a text such as 1.5 means is read from it again; an exponent is none of that.
    return int(seconds) if seconds == int(seconds) else format(Decimal(repr(seconds)), "f")


def _dumped(value: object) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line.strip() else line for line in text.split("\n"))


class _Dumper(yaml.SafeDumper):
    """Lists on one line, everything else on lines of its own, a text of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # PyYAML writes a block only of what it can; all else it quotes whatever the style. The ends of lines that YAML
    # has besides the usual one are escaped, so that `_indented` meets none.
    plain = all(line.isprintable() for line in text.split("\n"))
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=("|" if "\n" in text else None) if plain else '"'
    )


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    flow = not any(isinstance(each, dict) for each in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flow)


def _mapping(dumper: yaml.SafeDumper, values: dict[str, Any]) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", values, flow_style=False)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
_Dumper.add_representer(dict, _mapping)
