"""Submissions from the command line: a file, or options."""

import re
from typing import Any

from bnet.codec import people
from bnet.codec.inbox import check_durations, parse_commands
from bnet.errors import Invalid
from bnet.model.command import Command, Submit


def from_file(text: bytes, file: str) -> list[Command]:
    """Return the jobs of a file: commands as in the inbox, or just the fields of one job.

    Raises:
        Invalid: something in it is wrong, or is no submission.
    """
    parsed = people.parse(text, file)
    if isinstance(parsed.data, dict) and parsed.data.keys() & {"command", "packages"}:
        job = people.read(parsed, Submit, parsed.data)
        check_durations(parsed, job, ())
        return [job]
    commands = parse_commands(text, file)
    for index, each in enumerate(commands):
        if not isinstance(each, Submit):
            raise parsed.invalid("is no submission; `bnet submit` takes jobs only", (index,))
    return commands


def from_fields(fields: dict[str, Any]) -> Submit:
    """Return a job from its fields, as options gave them.

    Raises:
        Invalid: one of them is wrong; the message names it.
    """
    for name, value in fields.items():
        if not _is_text(value):
            raise Invalid(f"--{_option(name)}: is no valid UTF-8 text")
    plain = {name: _plain(name, value) for name, value in fields.items()}
    text = people.Text(plain, None, "")
    try:
        job = people.read(text, Submit, plain)
        check_durations(text, job, ())
    except Invalid as error:
        field = (error.field or "").partition(".")[0].partition("[")[0]
        raise Invalid(f"--{_option(field)}: {error.message}") from None
    return job


_OPTIONS = {
    "packages": "package",
    "labels": "label",
    "locks": "lock",
    "secrets": "secret",
    "artifacts": "artifact",
    "inputs": "input",
}
_NUMBERS = ("priority", "retry", "limit", "reproduce")
_NUMBER = re.compile(r"-?[0-9]{1,15}")


def _option(field: str) -> str:
    return _OPTIONS.get(field, field.replace("_", "-"))


def _is_text(value: Any) -> bool:
    """Tell whether a document can hold a value: of bytes that are no text, Python makes half characters."""
    if isinstance(value, dict):
        return all(_is_text(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple):
        return all(map(_is_text, value))
    return not isinstance(value, str) or not re.search("[\ud800-\udfff]", value)


def _plain(field: str, value: Any) -> Any:
    """Return an option's value as YAML would have it, so that a complaint about it is the same."""
    if field in _NUMBERS and isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(name if field == "group" else "", each) for name, each in value.items()}
    return [_plain("", each) for each in value] if isinstance(value, list | tuple) else value
