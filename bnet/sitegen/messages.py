"""What people and servers have told each other."""

from collections.abc import Sequence

import msgspec

from bnet.model.message import Ack, Entry
from bnet.rules.acks import missing
from bnet.sitegen.actions import Action, Actions
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.theme import Theme

MOST = 60  # of the newest
LONGEST = 2_500  # characters of one; bnet message read shows all of it


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message: what its index says, its text, who has taken note of it and who should have."""

    entry: Entry
    body: str
    acks: Sequence[Ack]
    missing: Sequence[str]
    cut: bool
    actions: Sequence[Action]


def part(facts: Facts, theme: Theme) -> Part:
    """Return the page of the newest messages."""
    actions = Actions(facts.new_file)
    shown = [_message(each, facts, actions) for each in list(reversed(facts.letters))[:MOST]]
    return theme.part("messages.html", "messages.html", facts, view=shown, total=len(facts.letters))


def _message(entry: Entry, facts: Facts, actions: Actions) -> Message:
    body, acks, ask = (
        facts.bodies.get(entry.key, ""),
        facts.acks.get(entry.key, ()),
        facts.state.asks.get(entry.key),
    )
    waits = [] if ask is None else list(missing(ask, [each.who for each in acks]))
    return Message(
        entry=entry,
        body=body[:LONGEST],
        cut=len(body) > LONGEST,
        acks=acks[:20],
        missing=waits[:20],
        actions=list(actions.of_message(entry)) if waits else (),
    )
