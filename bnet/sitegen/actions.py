"""What a reader of a page may ask for: as a command, and as a file of the inbox that a forge lets them commit."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bnet.codec import people
from bnet.codec.layout import INBOX
from bnet.model.command import (
    VERBS,
    AckMessage,
    ApproveJob,
    CancelJob,
    Command,
    DrainServer,
    PauseServer,
    ResumeServer,
    RetryJob,
    Submit,
)
from bnet.model.job import Job, Source
from bnet.model.message import Entry
from bnet.rules.approvals import lacking

_NAMES = {kind: verb for verb, kind in VERBS.items()}
_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
NewFile = Callable[[str, str], str]


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be asked for.

    Attributes:
        title: what it is, in a word or two.
        does: what happens then.
        shell: the command that asks for it.
        command: what the inbox takes, as JSON on one line.
        path: of the file of the inbox.
        text: of that file.
        href: where a forge makes it; "" if none does.
        ask: the field that a person may fill in.
        must: whether they have to.
    """

    title: str
    does: str
    shell: str
    command: str
    path: str
    text: str
    href: str
    ask: str = ""
    must: bool = False

    @property
    def host(self) -> str:
        """Where the forge is."""
        return self.href.split("/")[2] if self.href else ""


def quoted(words: Sequence[str]) -> str:
    """Return words as a shell takes them."""
    return " ".join(
        word if _PLAIN.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'" for word in words
    )


class Actions:
    """Offers what may be asked for."""

    def __init__(self, new_file: NewFile) -> None:
        """Take what knows the forge."""
        self._new_file = new_file
        self.key = new_file("x", "")  # a page with links of another forge, or another branch, is made anew

    def of_job(self, job: Job) -> Iterator[Action]:
        """Yield what may be asked for of a job."""
        number = job.number
        if job.state == "pending" and lacking(job) and not job.attempts:
            yield self._offer(
                "Approve", "lets it start", ApproveJob(job=number), ["approve", str(number)], ask="note"
            )
            reason = "not approved"
            yield self._offer(
                "Disapprove", "ends it instead", ApproveJob(job=number, reject=reason),
                ["approve", str(number), "--reject", reason], ask="reject", must=True,
            )  # fmt: skip
        if job.result is None:
            does = "ends it" if job.claim is None else "ends it, with its whole process tree"
            yield self._offer("Cancel", does, CancelJob(job=number), ["cancel", str(number)], ask="reason")
        else:
            yield self._offer(
                "Run again", "as a new job, of the same commit", RetryJob(job=number), ["retry", str(number)]
            )
        if (built := _newest(job)) is not None:
            assert isinstance(built.source, Source)
            words = [*_options("--package", built.packages), "--source", _at(built.source)]
            words += _options("--label", [f"{name}={value}" for name, value in built.labels.items()])
            does = f"these packages, at the newest commit of {built.source.ref}"
            yield self._offer("Build", does, built, ["submit", "--name", job.spec.name, *words])

    def of_server(self, name: str, wanted: str) -> Iterator[Action]:
        """Yield what may be asked for of a server."""
        if wanted != "active":
            yield self._offer(
                "Resume", "lets it take jobs again", ResumeServer(server=name), ["server", "resume", name]
            )
            return
        yield self._offer(
            "Pause", "it takes no jobs; what runs goes on", PauseServer(server=name),
            ["server", "pause", name], ask="reason",
        )  # fmt: skip
        yield self._offer(
            "Drain", "it takes no more jobs, and its agent ends then", DrainServer(server=name),
            ["server", "drain", name], ask="reason",
        )  # fmt: skip

    def of_message(self, entry: Entry) -> Iterator[Action]:
        """Yield what may be asked for of a message."""
        yield self._offer(
            "Acknowledge", "in your own name, if it is addressed to you", AckMessage(message=entry.key),
            ["message", "ack", entry.id], ask="note",
        )  # fmt: skip

    def of_all(self) -> Iterator[Action]:
        """Yield what may be asked for of the network."""
        yield self._offer(
            "Submit", "a job that runs this command", Submit(command="echo hello"),
            ["submit", "--", "echo", "hello"], ask="command", must=True,
        )  # fmt: skip

    def _offer(
        self, title: str, does: str, command: Command, words: Sequence[str], ask: str = "", must: bool = False
    ) -> Action:
        verb, fields = _NAMES[type(command)], msgspec.to_builtins(command)
        text, path = _text(verb, fields), f"{INBOX}{_file_name(verb, fields)}.yaml"
        return Action(
            title=title,
            does=does,
            shell=quoted(["bnet", *words]),
            command=json.dumps({verb: fields}),
            path=path,
            text=text,
            href=self._new_file(path, text),
            ask=ask,
            must=must,
        )


def _text(verb: str, fields: Mapping[str, Any]) -> str:
    """Return a file of the inbox; most are one line, put together without the writer of YAML, which takes long."""
    values = fields.values()
    if all(
        type(each) is int or (type(each) is str and each.isascii() and each.isprintable()) for each in values
    ):
        inner = ", ".join(f"{name}: {json.dumps(value)}" for name, value in fields.items())
        return f"- {verb}: {{{inner}}}\n"
    return people.dumped([{verb: fields}]).decode()


def _file_name(verb: str, fields: Mapping[str, Any]) -> str:
    about = str(fields.get("job") or fields.get("server") or fields.get("message") or "job")
    return f"{verb}-{re.sub(r'[^A-Za-z0-9._-]', '-', about)}"


def _newest(job: Job) -> Submit | None:
    """Return a job of the same packages at the newest commit; None where more than that decided what it was."""
    spec, source = job.spec, job.spec.source
    bound = spec.env or spec.secrets or spec.inputs or spec.pipeline or spec.environment or spec.matrix
    if bound or not spec.packages or source is None or not source.repository or not source.ref:
        return None
    newest = Source(repository=source.repository, ref=source.ref)
    return Submit(name=spec.name, packages=spec.packages, source=newest, labels=dict(spec.labels))


def _at(source: Source) -> str:
    return f"{source.repository}@{source.ref}"


def _options(name: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (name, value)]
