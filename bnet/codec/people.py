"""YAML that people write: parsed once, checked against its type, and every complaint with its line and field."""

import difflib
import functools
import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bnet.codec.layout import DOCUMENT_LIMIT
from bnet.codec.shown import short
from bnet.errors import Invalid
from bnet.model.base import NAME_PATTERN, Record

if TYPE_CHECKING:
    from yaml import Node

R = TypeVar("R", bound=Record)
Steps = tuple[str | int, ...]


class Text:
    """A parsed YAML document that remembers on which line everything stands."""

    def __init__(self, data: object, root: "Node | None", file: str) -> None:
        self.data = data
        self.file = file
        self._root = root

    def line(self, steps: Steps) -> int | None:
        """Return the line, from 1, of the value that a row of keys and indices leads to, or of its parent."""
        if self._root is None:
            return None
        from bnet.codec.nodes import line_at

        return line_at(self._root, steps)

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
    from bnet.codec.nodes import load  # PyYAML is 14 ms, and most commands read no YAML

    data, root = load(decoded, file)
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
    from bnet.codec.nodes import dump

    return dump(plain).encode()


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
    found = None
    while errors:
        try:
            found = jsonschema.exceptions.best_match(errors)
        except TypeError:  # it orders the places of errors, and a mapping's keys may be of several types
            found = errors[0]
        # Of what is either a mapping or empty, a mapping is wrong in what it holds.
        inside = found.validator == "anyOf" and isinstance(found.instance, dict)
        errors = [each for each in found.context if each.validator != "type" or each.path] if inside else []
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
            f"{short(found.instance)} is no name: use up to 64 lower case letters, digits, '.', '_' or '-', "
            "beginning with a letter or a digit"
        ), steps
    if found.validator == "pattern" and "description" in found.schema:
        return f"must be {found.schema['description']}, not {short(found.instance)}", steps
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
        return f"must be {_kinds(value)}, not {short(instance)}"
    if rule == "anyOf":
        options = value if isinstance(value, list) else []
        kinds = [str(option.get("type", "mapping")) for option in options if isinstance(option, dict)]
        quote = " (quote it)" if isinstance(instance, bool) else ""
        return f"must be {_kinds(sorted(set(kinds)))}, not {short(instance)}{quote}"
    if rule == "minLength":
        return "must not be empty"
    if rule == "maximum":
        return f"must be at most {value}, not {short(instance)}"
    if rule == "minimum":
        return f"must be at least {value}, not {short(instance)}"
    if rule == "enum" and isinstance(value, list):
        return f"{short(instance)} is none of {', '.join(str(each) for each in value)}"
    return message[:300]


def _kinds(value: object) -> str:
    words = {"string": "a text", "integer": "a whole number", "number": "a number", "array": "a list"}
    words |= {"object": "a mapping", "mapping": "a mapping", "boolean": "true or false", "null": "empty"}
    kinds = value if isinstance(value, list) else [value]
    return " or ".join(words.get(str(kind), str(kind)) for kind in kinds)
