"""YAML as PyYAML reads and writes it, set up for what people mean, and bounded."""

import re

import yaml

from bnet.codec.shown import short
from bnet.errors import Invalid

MOST_NODES = 200_000
MOST_CHARACTERS = 10_000_000
DEEPEST = 100


class Loader(yaml.CSafeLoader):
    """Plain values as people mean them: `on`, `no`, 12:30:45, 3.10 and 010 are texts, kept as written.

    A field that takes a number makes one of such a text (`read` converts by the field's type).
    """

    yaml_implicit_resolvers = {}  # pyyaml keeps a table per class


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"-?[1-9][0-9]{0,17}|0", "-0123456789"),
    ("null", r"null|Null|NULL|~|", "nN~"),
):
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(f"^(?:{_pattern})$"),
        [*_first, *(("",) if _tag == "null" else ())],
    )


def _whole(loader: Loader, node: yaml.ScalarNode) -> int:
    """Return a number that stands under `!!int`: `0xfff...` and `1:59:59...` may mean one that nobody can print."""
    number: int = loader.construct_yaml_int(node)
    if number.bit_length() > 64:
        raise yaml.constructor.ConstructorError(None, None, "is too large a number", node.start_mark)
    return number


Loader.add_constructor("tag:yaml.org,2002:int", _whole)

_SIGN = re.compile(
    r"[:\[{,-]\s+([*@`%&!])"
)  # after what begins a value, one that means something else in YAML


def load(text: str, file: str) -> tuple[object, yaml.Node | None]:
    """Return what a document holds, and its nodes, which know their lines.

    Args:
        text: one YAML document.
        file: its name, for messages.

    Raises:
        Invalid: it is no YAML, or grows out of bounds when its aliases are followed.
    """
    loader = Loader(text)
    try:
        _nested(text, file)
        root = loader.get_single_node()
        if root is not None:
            _bounded(root, file)
        return (None if root is None else loader.construct_document(root)), root
    except yaml.YAMLError as error:
        raise _syntax(error, file, text) from None
    # What PyYAML's constructors raise for a tag that its value does not fit: `!!timestamp x`, `!!bool x`, `!!int ""`.
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise Invalid(f"holds a value that cannot be read: {error}", file=file) from None
    finally:
        loader.dispose()


def line_at(root: yaml.Node, steps: tuple[str | int, ...]) -> int | None:
    """Return the line, from 1, of the value that a row of keys and indices leads to, or of its parent."""
    node = root
    for step in steps:
        inner = _child(node, step)
        if inner is None:
            break
        node = inner
    return _line(node.start_mark)


def dump(plain: object) -> str:
    """Return a value of plain types as YAML that reads as the same value."""
    text: str
    try:
        text = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    except UnicodeEncodeError:  # half of a pair of UTF-16, which libyaml does not write
        text = yaml.dump(plain, Dumper=_SlowDumper, sort_keys=False, allow_unicode=True, width=100)
    return text


class _SlowDumper(yaml.SafeDumper):
    """Writes out what ends a line for YAML alone, such as U+0085, which would be read as a line end."""


class _Dumper(yaml.CSafeDumper):
    """Does the same in C."""


def _text(dumper: yaml.SafeDumper | yaml.CSafeDumper, text: str) -> yaml.Node:
    plain = all(line.isprintable() for line in text.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_SlowDumper.add_representer(str, _text)
_Dumper.add_representer(str, _text)


def _nested(text: str, file: str) -> None:
    # libyaml composes by recursion in C and overflows its stack; its events come from a loop, and tell first.
    depth = 0
    for event in yaml.parse(text, Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise Invalid(
                    f"is nested deeper than {DEEPEST} levels", file=file, line=_line(event.start_mark)
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _bounded(root: yaml.Node, file: str) -> None:
    sizes: dict[int, tuple[int, int]] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> tuple[int, int]:
        key = id(node)
        if key in open_nodes:
            raise Invalid("refers to itself through an alias", file=file, line=_line(node.start_mark))
        if key not in sizes:
            _unrepeated(node, file)
            open_nodes.add(key)
            inner = [size(each) for each in _children(node)]
            own = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
            sizes[key] = 1 + sum(each[0] for each in inner), own + sum(each[1] for each in inner)
            open_nodes.discard(key)
        return sizes[key]

    nodes, characters = size(root)
    if nodes > MOST_NODES:
        raise Invalid(f"holds more than {MOST_NODES:,} values once its aliases are followed", file=file)
    if characters > MOST_CHARACTERS:
        said = f"holds more than {MOST_CHARACTERS:,} characters once its aliases are followed"
        raise Invalid(said, file=file)


def _unrepeated(node: yaml.Node, file: str) -> None:
    # PyYAML lets the last one win, and a command would be lost without a word.
    seen: set[object] = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise Invalid(f"{short(key.value)} stands here twice", file=file, line=_line(key.start_mark))
            seen.add(key.value)


def _line(mark: object) -> int | None:
    line = getattr(mark, "line", None)
    return line + 1 if isinstance(line, int) else None


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [inner for pair in node.value for inner in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    return None


def _syntax(error: yaml.YAMLError, file: str, text: str) -> Invalid:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = _line(mark)
    written = text.splitlines()[line - 1] if line is not None and line <= len(text.splitlines()) else ""
    if begun := _SIGN.search(written):
        problem += f"; a text that begins with {begun[1]} stands in quotes"
    return Invalid(f"is no valid YAML: {problem}", file=file, line=line)
