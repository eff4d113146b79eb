"""Who reads and writes messages at the command line, and what of."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bnet.app.told.messages import Reader, describe_entry
from bnet.cli.context import App
from bnet.cli.render import out
from bnet.errors import HubUnreachable, Invalid

if TYPE_CHECKING:
    from bnet.app.ledger import Ledger
    from bnet.app.messages.correspond import Found
    from bnet.app.messages.post import Post
    from bnet.model.state import State


class Desk:
    """Who reads and writes here, and what of."""

    def __init__(self, app: App) -> None:
        """Keep what the command line said."""
        self.app = app

    @cached_property
    def who(self) -> str:
        """Who that is: the server that this machine has joined the hub as, else whoever would submit."""
        identity = self.app.machine.identity
        return identity.name if identity is not None and identity.hub == self.app.url else self.app.who

    @cached_property
    def ledger(self) -> "Ledger":
        """The hub's ledger, on which they act under their own name."""
        return self.app.machine.ledger(self.app.url, self.who)

    @cached_property
    def post(self) -> "Post":
        """The messages on it."""
        return self.app.machine.post(self.app.url)

    def refresh(self) -> "Ledger":
        """Look at the hub."""
        self.ledger.refresh()
        self.keep()
        return self.ledger

    def keep(self) -> None:
        """Keep the snapshot for the next process."""
        self.app.machine.keep(self.app.url, self.ledger)

    def reader(self, state: "State | None" = None) -> Reader:
        """Return who reads, with what they have read."""
        servers = (state or self.ledger.state).servers
        return Reader(self.who, servers, self.app.machine.marks(self.app.url).all())

    def mark(self, keys: Sequence[str]) -> None:
        """Note that messages have been read."""
        self.app.machine.marks(self.app.url).add(keys)

    def find(self, reference: str, *, known: bool = False) -> "Found":
        """Return a message; the hub is looked at.

        Args:
            reference: an id, the beginning of one, or a key.
            known: whether what is known here will do while the hub is away.

        Raises:
            BnetError: there is none, or several; the hub is away.
        """
        from bnet.app.messages.correspond import find

        try:
            self.refresh()
        except HubUnreachable:
            tip = self.ledger.hub.known()
            if not known or not tip:
                raise
            self.ledger.load(tip)
        return find(self.ledger, self.post, reference)

    def describe(self, found: "Found", reader: Reader) -> dict[str, Any]:
        """Return a message with its text as one object."""
        from bnet.codec.letters import read

        entry = found.entry
        ask = self.ledger.state.asks.get(entry.key) if found.filed is None else found.filed.ask
        told = describe_entry(entry, found.acks, ask, reader)
        text = (found.text or b"").decode(errors="replace")
        try:
            letter = read(found.text or b"", "")
        except Invalid:
            return told | {"body": text, "attachments": [], "archived": found.filed is not None}
        attached = [msgspec.to_builtins(each) for each in letter.front.attachments]
        return told | {"body": letter.body, "attachments": attached, "archived": found.filed is not None}


pass_desk = click.make_pass_decorator(Desk)


def say_json(value: object) -> None:
    """Print a value."""
    # json.dumps with an indent takes a third of a second for ten thousand of them
    out(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def digest(data: bytes) -> str:
    """Return the blake3 of an attachment, in hex."""
    import blake3

    return blake3.blake3(data).hexdigest()
