"""Automatic answers: what people write of them, what that means, and since when it does."""

from typing import Annotated, Any

import msgspec

from bnet.model.base import Record
from bnet.model.command import Command, Strict
from bnet.model.message import Importance

Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Match(Strict, frozen=True, kw_only=True, rename={"sender": "from"}):
    """Which messages are meant: those to which all of it applies, whatever their case; of a list, one has to.

    Attributes:
        from, sender: who says so; * stands for anything.
        to: a word of those that it is addressed to; * stands for anything.
        subject: its subject, or first line; * stands for anything.
        priority: how much it matters.
    """

    sender: Pattern | tuple[Pattern, ...] = ()
    to: Pattern | tuple[Pattern, ...] = ()
    subject: Pattern | tuple[Pattern, ...] = ()
    priority: Importance | tuple[Importance, ...] = ()


class ReplyRule(Strict, frozen=True, kw_only=True):
    """What is done about a message.

    Attributes:
        match: which messages.
        reply: what is answered, in Markdown.
        command: what is done, as in the inbox, one or a list; its answer comes as a reply.
    """

    match: Match
    reply: Annotated[str, msgspec.Meta(max_length=20_000)] = ""
    command: dict[str, Any] | tuple[dict[str, Any], ...] | None = None


class Rule(Record, frozen=True, kw_only=True):
    """A rule as it is in force: its commands have been read."""

    match: Match
    reply: str = ""
    commands: tuple[Command, ...] = ()


class Replies(Record, frozen=True, kw_only=True):
    """`replies.yaml`: the rules by their names, in their order."""

    rules: dict[str, Rule] = {}


class TakenUp(Record, frozen=True, kw_only=True):
    """`messages/replies.json`: since when rules apply.

    Attributes:
        since: name of a rule -> the commit up to which messages are none of its business.
    """

    since: dict[str, str] = {}
