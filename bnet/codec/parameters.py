"""What is said for the parameters of a template: texts from the command line become values that are checked."""

import re
from collections.abc import Mapping

from bnet.codec.patterns import Pattern
from bnet.codec.people import nearest
from bnet.errors import Invalid
from bnet.model.base import is_name
from bnet.model.template import Parameter, Value

LONGEST_VALUE = 1000  # characters
MOST_LISTED = 100
FLAGS = {"true": True, "yes": True, "false": False, "no": False}


def values_of(parameters: Mapping[str, Parameter], said: Mapping[str, str]) -> dict[str, Value]:
    """Return the value of each parameter.

    Raises:
        Invalid: one is said that there is not, is not what it may be, or has to be said; the message names it.
    """
    for name in said:
        if name not in parameters:
            there = nearest(name, list(parameters)) if parameters else "; it has none"
            raise Invalid(f"--set {name[:80]}: there is no such parameter{there}")
    missing = missing_of(parameters, said)
    if missing:
        asked = " ".join(f"--set {each}=..." for each in missing)
        raise Invalid(f"say what {_listed(missing)} {'is' if len(missing) == 1 else 'are'}: {asked}")
    return {name: value_of(name, each, said.get(name)) for name, each in parameters.items()}


def missing_of(parameters: Mapping[str, Parameter], said: Mapping[str, str]) -> list[str]:
    """Return the parameters that have to be said and are not."""
    return [name for name, each in parameters.items() if each.default is None and name not in said]


def value_of(name: str, asked: Parameter, said: str | None) -> Value:
    """Return a parameter's value.

    Args:
        name: of it.
        asked: what it may be.
        said: what was said, None for its default.

    Raises:
        Invalid: it may not be that.
    """
    try:
        return read_value(asked, default_of(asked) if said is None else said)
    except ValueError as error:
        raise Invalid(f"--set {name}: {error}") from None


def default_of(asked: Parameter) -> str:
    """Return a default as it would be said."""
    default = asked.default
    if isinstance(default, bool):
        return str(default).lower()
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def read_value(asked: Parameter, said: str) -> Value:
    """Return what a text means for a parameter.

    Raises:
        ValueError: it may not be that.
    """
    if len(said) > LONGEST_VALUE:
        raise ValueError(f"has {len(said):,} characters; at most {LONGEST_VALUE:,} are taken")
    if not said.isprintable():
        raise ValueError(f"{said[:60]!r} holds a control character; it is one line of text")
    if asked.type == "list":
        items = tuple(each.strip() for each in said.split(",") if each.strip())
        if len(items) > MOST_LISTED:
            raise ValueError(f"lists {len(items)} texts; at most {MOST_LISTED} are taken")
        for each in items:
            _check(asked, each)
        return items
    _check(asked, said)
    if asked.type == "flag":
        if said.lower() not in FLAGS:
            raise ValueError(f"{said[:60]!r} is neither true nor false")
        return FLAGS[said.lower()]
    if asked.type == "integer":
        if not re.fullmatch("-?[0-9]{1,15}", said):
            raise ValueError(f"{said[:60]!r} is no whole number")
        return int(said)
    return said


def _check(asked: Parameter, text: str) -> None:
    if asked.type == "name" and not is_name(text):
        raise ValueError(
            f"{text[:80]!r} is no name: use up to 64 lower case letters, digits, '.', '_' or '-', "
            "beginning with a letter or a digit"
        )
    if asked.choices and text not in asked.choices:
        raise ValueError(f"{text[:80]!r} is none of {', '.join(asked.choices)}")
    if asked.pattern is not None and not Pattern(asked.pattern).fits(text):
        raise ValueError(f"{text[:80]!r} does not look like {asked.pattern}")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
