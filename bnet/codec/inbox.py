"""A file of the inbox: one command or a list of them, each one verb with its fields."""

from bnet.codec import people
from bnet.codec.durations import parse_duration
from bnet.model.command import VERBS, Command, Submit

DURATIONS = ("timeout", "silence_timeout", "expires_after")


def parse_commands(text: bytes, file: str) -> list[Command]:
    """Return the commands of a file, in order.

    Args:
        text: YAML (or JSON, which is YAML).
        file: its name, for messages.

    Raises:
        Invalid: something in it is wrong; the message names line and field.
    """
    parsed = people.parse(text, file)
    return commands_of(parsed, parsed.data, ())


def commands_of(parsed: people.Text, data: object, steps: people.Steps) -> list[Command]:
    """Return the commands in a part of a text: one, or a list of them.

    Args:
        parsed: the text, for the place of an error.
        data: what is at `steps`.
        steps: the keys that lead to it.

    Raises:
        Invalid: something in it is wrong; the message names line and field.
    """
    entries = data if isinstance(data, list) else [data]
    if not entries or data is None:
        raise parsed.invalid(f"holds no command; begin with one of {', '.join(VERBS)}", steps)
    return [
        _command(parsed, entry, (*steps, n) if isinstance(data, list) else steps)
        for n, entry in enumerate(entries)
    ]


def _command(text: people.Text, entry: object, steps: people.Steps) -> Command:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise text.invalid("a command is one verb with its fields, as in - cancel: {job: 12}", steps)
    [(verb, fields)] = entry.items()
    kind = VERBS.get(verb) if isinstance(verb, str) else None
    if kind is None:
        raise text.invalid(f"there is no command {verb!r}{people.nearest(str(verb), list(VERBS))}", steps)
    command: Command = people.read(text, kind, fields, (*steps, verb))
    if isinstance(command, Submit):
        check_durations(text, command, (*steps, verb))
    return command


def check_durations(text: people.Text, command: Submit, steps: people.Steps) -> None:
    """Refuse spans of time that are none, each with its place."""
    for field in DURATIONS:
        value = getattr(command, field)
        try:
            if value is not None:
                parse_duration(value)
        except ValueError as error:
            raise text.invalid(str(error), (*steps, field)) from None
