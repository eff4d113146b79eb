"""One command of the inbox, done at once as the command line does it, and what is said of it afterwards."""

from collections.abc import Callable
from typing import NamedTuple

from bnet.app.approve import approve
from bnet.app.ledger import Ledger
from bnet.app.lookup import Lookup
from bnet.app.messages.acknowledge import NotAddressed
from bnet.app.submit import Outbox, send, send_ack, submit
from bnet.codec.inbox import parse_commands
from bnet.codec.letter_paths import is_key
from bnet.errors import BnetError, Invalid
from bnet.model.command import (
    AckMessage,
    ApproveJob,
    CancelJob,
    Command,
    DrainServer,
    PauseServer,
    ResumeServer,
    Submit,
)
from bnet.model.message import Nod
from bnet.rules.approvals import lacking, told


class Done(NamedTuple):
    """What became of it: the jobs that it made, and a sentence."""

    jobs: list[int]
    said: str


class Wishes:
    """Does what is wished for, by transactions of the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        lookup: Lookup,
        outbox: Outbox,
        hub: str,
        by: str,
        reader: str,
        news: Callable[[str], object] = str,
    ) -> None:
        """Take what it takes, and who asks.

        Args:
            ledger, lookup, outbox: as for `submit`.
            hub: the ledger's.
            by: who asks.
            reader: as whom they acknowledge messages, unless one is to them alone: this server, where this is one.
            news: called with a sentence for each older letter of the outbox that was refused.
        """
        self._ledger = ledger
        self._lookup = lookup
        self._outbox = outbox
        self._hub = hub
        self._by = by
        self._reader = reader
        self._news = news

    def do(self, text: bytes) -> Done:
        """Do what a text asks for: one command, as in a file of the inbox.

        Raises:
            Invalid: it is none, or more than one.
            BnetError: it cannot be done, for what its own command would say.
        """
        [command, *more] = parse_commands(text, "the request")
        if more:
            raise Invalid("holds more than one command; ask for one at a time", file="the request")
        if isinstance(command, Submit):
            numbers = submit(
                self._ledger, self._lookup, self._outbox, self._hub, [command], self._by, self._news
            )
            return Done(numbers, f"submitted: {_listed(numbers)}")
        if isinstance(command, ApproveJob):
            return Done([], self._approved(command))
        if isinstance(command, AckMessage):
            return Done([], self._acknowledged(command))
        numbers = send(self._ledger, self._lookup, [command], self._by)
        return Done(numbers, self._said(command, numbers))

    def _approved(self, command: ApproveJob) -> str:
        news = approve(self._ledger, self._lookup, command, self._by)
        if command.reject is not None:
            return f"#{command.job} is rejected"
        if not news:
            return f"#{command.job} has your approval already"
        job = self._ledger.state.jobs[command.job]
        return f"#{command.job}: {told(job)}" + ("" if lacking(job) else "; it can start")

    def _acknowledged(self, command: AckMessage) -> str:
        if not is_key(command.message):
            raise BnetError(f"there is no message {command.message}")
        try:
            done = self._nod(command, self._reader)
        except NotAddressed:
            if self._reader == self._by:
                raise
            done = self._nod(command, self._by)
        name = command.message.rpartition("/")[2]
        return f"{name} is acknowledged" if done else f"{name} was acknowledged before"

    def _nod(self, command: AckMessage, who: str) -> bool:
        nod = Nod(key=command.message, who=who, note=command.note)
        return send_ack(self._ledger, self._lookup, self._outbox, self._hub, nod, self._news)

    def _said(self, command: Command, numbers: list[int]) -> str:
        match command:
            case CancelJob():
                job = self._ledger.state.jobs.get(command.job)
                if job is None or job.result is not None:
                    return f"#{command.job} is cancelled"
                return f"#{command.job} is asked to end; its server stops it"
            case PauseServer():
                return f"{command.server} is paused"
            case DrainServer():
                return f"{command.server} is draining"
            case ResumeServer():
                return f"{command.server} is active"
        return f"submitted: {_listed(numbers)}" if numbers else "done"


def _listed(numbers: list[int]) -> str:
    return " ".join(f"#{number}" for number in numbers[:20]) + (" …" if len(numbers) > 20 else "")
