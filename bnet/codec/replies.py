"""The rules for automatic answers: a mapping from names to rules."""

from typing import Any

from bnet.codec import people
from bnet.codec.inbox import commands_of
from bnet.model.base import is_name
from bnet.model.reply import Match, Replies, ReplyRule, Rule

MOST_RULES = 200


def read_replies(text: bytes, file: str) -> Replies:
    """Return the rules of a file.

    Args:
        text: YAML.
        file: its name, for messages.

    Raises:
        Invalid: something in it is wrong; the message names line and field, and what would be right.
    """
    parsed = people.parse(text, file)
    if parsed.data is None:
        return Replies()  # nothing but comments
    if not isinstance(parsed.data, dict):
        raise parsed.invalid("must be a mapping from names to rules, as in disk: {match: ..., reply: ...}")
    if len(parsed.data) > MOST_RULES:
        raise parsed.invalid(f"holds {len(parsed.data):,} rules; at most {MOST_RULES} are read")
    return Replies(rules={str(name): _rule(parsed, name, each) for name, each in parsed.data.items()})


def _rule(parsed: people.Text, name: Any, data: Any) -> Rule:
    steps: people.Steps = (str(name),)
    if not is_name(str(name)):
        said = "use up to 64 lower case letters, digits, '.', '_' or '-'"
        raise parsed.invalid(f"{str(name)[:80]!r} is no name for a rule: {said}", steps)
    written = people.read(parsed, ReplyRule, data, steps)
    if written.match == Match():
        raise parsed.invalid('matches nothing; for every message write {subject: "*"}', (*steps, "match"))
    if not written.reply.strip() and not written.command:
        raise parsed.invalid("has neither a `reply` nor a `command`", steps)
    inner = (*steps, "command")
    commands = commands_of(parsed, data["command"], inner) if written.command else []
    return Rule(match=written.match, reply=written.reply, commands=tuple(commands))
