"""Automatic answers: which rule a message meets, since when rules apply, and how it is kept from going on for ever.

What a machine says by itself is answered by no rule, and in one conversation rules speak a few times at most: a rule
that answers itself, or two that answer each other, come to an end.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from msgspec.structs import replace

from bnet.codec import layout
from bnet.model.command import Command, Submit
from bnet.model.message import Ask, Entry
from bnet.model.reply import Replies, Rule, TakenUp
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction

MOST_IN_THREAD = 5  # messages of one conversation that rules deal with
MESSAGE = "BNET_MESSAGE"  # of a rule's jobs: the message that they are about


def rule_for(replies: Replies, entry: Entry) -> str:
    """Return the first rule that a message meets; "" if none does, or none may."""
    if entry.auto or not entry.readable:
        return ""
    return next((name for name, rule in replies.rules.items() if _meets(rule, entry)), "")


def is_exhausted(asks: Iterable[Ask], thread: str) -> bool:
    """Tell whether rules have said all that they may in a conversation."""
    return sum(bool(ask.rule) and ask.thread == thread for ask in asks) >= MOST_IN_THREAD


def _meets(rule: Rule, entry: Entry) -> bool:
    match = rule.match
    return (
        _fits(match.sender, [entry.sender])
        and _fits(match.to, entry.to)
        and _fits(match.subject, [entry.subject])
        and _fits(match.priority, [entry.priority])
    )


def _fits(wanted: str | tuple[str, ...], words: Iterable[str]) -> bool:
    patterns = (wanted,) if isinstance(wanted, str) else wanted
    if not patterns:
        return True
    folded = [word.casefold() for word in words]
    return any(fnmatchcase(word, each.casefold()) for each in patterns for word in folded)


def told_of(commands: Iterable[Command], key: str) -> tuple[Command, ...]:
    """Return the commands of a rule, of which each job is told which message it is about."""
    return tuple(
        replace(each, env={**each.env, MESSAGE: key}) if isinstance(each, Submit) else each
        for each in commands
    )


def applies_since(replies: Replies, taken_up: TakenUp, lost: Iterable[str], written: str) -> dict[str, str]:
    """Return for each rule the commit up to which messages are none of its business.

    Args:
        replies: the rules.
        taken_up: what is written down of that.
        lost: commits among these that are not in this history any more: another one was adopted.
        written: the commit that brought the rules as they are.
    """
    gone = set(lost)
    known = {name: commit for name, commit in taken_up.since.items() if commit not in gone}
    return {name: known.get(name, written) for name in replies.rules}


def take_up(tx: Transaction, since: Mapping[str, str] | None) -> None:
    """Write down since when rules apply, before one is followed: what was there before is answered by none."""
    if since is None or since == tx.state.taken_up.since:
        return
    tx.documents[layout.TAKEN_UP] = TakenUp(since=dict(since))
    names = " ".join(sorted(since)) or "none"
    tx.apply(Change(verb="take-up", target="replies", note=names[:60], fields={"rules": len(since)}))
