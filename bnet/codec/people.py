"""YAML that people write: parsed once, checked against its type, and every complaint with its line and field."""

import difflib
import functools
import math
import re
from collections.abc import Hashable
from typing import TypeVar

import msgspec
import yaml

from bnet.codec.layout import DOCUMENT_LIMIT
from bnet.errors import Invalid
from bnet.model.base import NAME_PATTERN, Record

R = TypeVar("R", bound=Record)
Steps = tuple[str | int, ...]

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


class Text:
    """A parsed YAML document that remembers on which line everything stands."""

    def __init__(self, data: object, root: yaml.Node | None, file: str) -> None:
        self.data = data
        self.file = file
        self._root = root

    def line(self, steps: Steps) -> int | None:
        """Return the line, from 1, of the value that a row of keys and indices leads to, or of its parent."""
        node = self._root
        for step in steps:
            inner = _child(node, step)
            if inner is None:
                break
            node = inner
        return None if node is None else _line(node.start_mark)

    def invalid(self, message: str, steps: Steps = ()) -> Invalid:
        """Return the error that points at a place in this text."""
        return Invalid(message, file=self.file, line=self.line(steps), field=dotted(steps) or None)


def parse(text: bytes, file: str) -> Text:
    """Parse one YAML document.

    Args:
        text: UTF-8, with or without a byte order mark, any line ends.
        file: its name, for messages.

    Raises:
        Invalid: it is too large, no UTF-8, no YAML, or grows out of bounds when its aliases are followed.
    """
    if len(text) > DOCUMENT_LIMIT:
        raise Invalid(f"is {len(text):,} bytes long; at most {DOCUMENT_LIMIT:,} are read", file=file)
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise Invalid("is no UTF-8 text; save it as UTF-8", file=file, line=line) from None
    loader = Loader(decoded)
    try:
        _nested(decoded, file)
        root = loader.get_single_node()
        if root is not None:
            _bounded(root, file)
        data = None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        raise _syntax(error, file, decoded) from None
    # What PyYAML's constructors raise for a tag that its value does not fit: `!!timestamp x`, `!!bool x`, `!!int ""`.
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise Invalid(f"holds a value that cannot be read: {error}", file=file) from None
    finally:
        loader.dispose()
    return Text(data, root, file)


def read(text: Text, kind: type[R], data: object, steps: Steps = ()) -> R:
    """Return a part of a text as a record.

    Args:
        text: where the data is from, for the place of an error.
        kind: the record's type.
        data: the mapping at `steps`.
        steps: the keys and indices that lead to it.

    Raises:
        Invalid: the data does not fit the type; the message says what would.
    """
    try:
        return msgspec.convert(data, kind, strict=False)
    except msgspec.ValidationError as error:
        message, inner = _explain(kind, data, str(error))
        raise text.invalid(message, steps + inner) from None


def write(record: Record) -> bytes:
    """Return a record as YAML for people: fields in the order of their declaration, texts quoted at need."""
    plain = msgspec.to_builtins(record)
    return dumped(plain)


def dumped(plain: object) -> bytes:
    """Return a value of plain types as YAML that reads as the same value."""
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


class _Dumper(yaml.SafeDumper):
    """Writes out what ends a line for YAML alone, such as U+0085, which would be read as a line end."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    plain = all(line.isprintable() for line in text.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def dotted(steps: Steps) -> str:
    """Return `needs[0].on` for a row of keys and indices."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def nearest(word: str, words: list[str]) -> str:
    """Return `; did you mean X?` for a misspelt word, or what there is to choose from."""
    close = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {close[0]}?" if close else f"; it is one of {', '.join(sorted(words))}"


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
                raise Invalid(f"{_short(key.value)} stands here twice", file=file, line=_line(key.start_mark))
            seen.add(key.value)


def _line(mark: object) -> int | None:
    line = getattr(mark, "line", None)
    return line + 1 if isinstance(line, int) else None


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [inner for pair in node.value for inner in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
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


@functools.cache
def schema_of(kind: Hashable) -> dict[str, object]:
    """Return the JSON Schema of a record's type, the one that editors are given."""
    return msgspec.json.schema(kind)


def _explain(kind: type, data: object, fallback: str) -> tuple[str, Steps]:
    """Say in words why data does not fit, and where; msgspec names no key of a mapping, jsonschema does."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema_of(kind))
    errors = list(validator.iter_errors(data))
    # A text where a number is wanted was read as one (`Loader`): it is to blame only where nothing else is.
    errors = [
        each for each in errors if not _stands_for_a_number(each.instance, each.validator_value)
    ] or errors
    try:
        found = jsonschema.exceptions.best_match(errors)
    except TypeError:  # it orders the places of errors, and a mapping's keys may be of several types
        found = errors[0]
    if found is None:
        return fallback, ()
    steps = tuple(found.absolute_path)
    if found.validator == "additionalProperties" and isinstance(found.instance, dict):
        known = list(found.schema.get("properties", {}))
        unknown = next(str(name) for name in found.instance if name not in known)
        return f"there is no such field{nearest(unknown, known)}", (*steps, unknown)
    if found.validator == "required":
        return found.message.replace("is a required property", "is missing"), steps
    if found.validator == "pattern" and found.validator_value == NAME_PATTERN:
        return (
            f"{_short(found.instance)} is no name: use up to 64 lower case letters, digits, '.', '_' or '-', "
            "beginning with a letter or a digit"
        ), steps
    if found.validator == "pattern" and "description" in found.schema:
        return f"must be {found.schema['description']}, not {_short(found.instance)}", steps
    return _worded(found.validator, found.validator_value, found.instance, found.message), steps


def _stands_for_a_number(value: object, wanted: object) -> bool:
    """Say whether a text was taken as a number by its field, whose type in the schema is one or has one in it."""
    if not isinstance(value, str):
        return False
    try:
        number = msgspec.convert(value, float, strict=False)
    except msgspec.ValidationError:
        return False
    return math.isfinite(number) and (
        "number" in str(wanted) or ("integer" in str(wanted) and number % 1 == 0)
    )


def _worded(rule: str, value: object, instance: object, message: str) -> str:
    if rule == "type":
        return f"must be {_kinds(value)}, not {_short(instance)}"
    if rule == "anyOf":
        options = value if isinstance(value, list) else []
        kinds = [str(option.get("type", "mapping")) for option in options if isinstance(option, dict)]
        quote = " (quote it)" if isinstance(instance, bool) else ""
        return f"must be {_kinds(sorted(set(kinds)))}, not {_short(instance)}{quote}"
    if rule == "minLength":
        return "must not be empty"
    if rule == "maximum":
        return f"must be at most {value}, not {_short(instance)}"
    if rule == "minimum":
        return f"must be at least {value}, not {_short(instance)}"
    if rule == "enum" and isinstance(value, list):
        return f"{_short(instance)} is none of {', '.join(str(each) for each in value)}"
    return message[:300]


def _kinds(value: object) -> str:
    words = {"string": "a text", "integer": "a whole number", "number": "a number", "array": "a list"}
    words |= {"object": "a mapping", "mapping": "a mapping", "boolean": "true or false", "null": "empty"}
    kinds = value if isinstance(value, list) else [value]
    return " or ".join(words.get(str(kind), str(kind)) for kind in kinds)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
