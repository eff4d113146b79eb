"""`bnet message`: what servers, people and agents tell each other."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from bnet.cli.context import json_option
from bnet.cli.message.desk import Desk, digest, pass_desk, say_json
from bnet.cli.message.mailbox import list_messages, read, thread
from bnet.cli.render import note, out, table
from bnet.codec.letter_paths import is_key
from bnet.codec.shown import escaped
from bnet.errors import BnetError, Invalid
from bnet.model.message import IMPORTANCES, Front
from bnet.rules.automatic import MESSAGE


@click.group()
@click.pass_context
def message(ctx: click.Context) -> None:
    """Send, list, read and acknowledge messages.

    Example: bnet message send --to build2 --subject "The disk is full" --body "Please clear /tmp."
    """
    ctx.obj = Desk(ctx.obj)


@message.command()
@click.option(
    "--to", multiple=True, metavar="NAME", help="A server, an address, a label such as os=linux, or all."
)
@click.option(
    "-l", "--label", "labels", multiple=True, metavar="K=V", help="To the servers that have all of these."
)
@click.option("-s", "--subject", default="", help="In a few words.")
@click.option("-b", "--body", help="The text, in Markdown; '-' reads it from stdin.")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="Read the text from a file.")
@click.option(
    "-p", "--priority", type=click.Choice(IMPORTANCES), default="normal", help="How much it matters."
)
@click.option("--reply", metavar="ID", help="Answer this message: to its sender, in its thread.")
@click.option("--requires-ack", is_flag=True, help="Everyone addressed has to acknowledge it, within a day.")
@click.option("--within", metavar="SPAN", help="That, but within this time: 90, 10m, 4h, 2d.")
@click.option("--attach", multiple=True, type=click.Path(path_type=Path), help="A file to put beside it.")
@click.option("--command", metavar="YAML", help="To be done, as in the inbox; the answer comes as a reply.")
@json_option
@pass_desk
def send(desk: Desk, /, **fields: Any) -> None:
    """Send a message to one, several, those with a label, or all.

    While the hub is away it is kept here, and delivered once by the next `bnet message send` or `bnet sync`.

    Example: bnet message send --to build2 --subject "The disk is full" --body - --within 4h
    """
    from bnet.app.lookup import Lookup
    from bnet.app.messages.correspond import draft, reply_to
    from bnet.app.submit import send_message

    front = _front(fields, desk.who, auto=MESSAGE in desk.app.machine.env)
    if fields["reply"]:
        front = reply_to(front, desk.find(fields["reply"]).entry)
    if not front.addressed:
        raise BnetError("to whom? nobody is named", hint="--to NAME, --label K=V, --to all, or --reply ID")
    files = _attached(fields["attach"])
    ready = draft(
        front=front,
        body=_text(fields["body"], fields["file"]),
        files=files,
        digests={name: digest(data) for name, data in files.items()},
        now=desk.app.machine.clock.now(),
        chance=desk.app.machine.chance,
    )
    if not (ready.front.subject or ready.body.strip()):
        raise BnetError("there is nothing to say", hint="--subject S, --body B")
    machine = desk.app.machine
    lookup = Lookup(desk.ledger.hub, machine.repositories.resolve)
    numbers = send_message(desk.ledger, lookup, machine.outbox(), desk.app.url, ready, desk.who, told=note)
    desk.keep()
    _doubt(desk, front)
    if fields["as_json"]:
        say_json({"id": ready.front.id, "key": ready.key, "jobs": numbers})
    else:
        out("\n".join([ready.front.id, *(f"#{number}" for number in numbers)]))


def _front(fields: dict[str, Any], who: str, *, auto: bool) -> Front:
    """Return the front matter that options ask for, checked as that of a file is."""
    from bnet.codec import letters

    " ".join(
        [fields["subject"], *fields["to"], *fields["labels"]]
    ).encode()  # what is no text is told as such
    to = [*fields["to"], *([",".join(fields["labels"])] if fields["labels"] else [])]
    for each in fields["labels"]:
        if "=" not in each:
            raise BnetError(f"{each!r} is no NAME=VALUE")
    front = Front(
        sender=who,
        to=tuple(to),
        subject=fields["subject"],
        priority=fields["priority"],
        requires_ack=fields["within"] or fields["requires_ack"],
        auto=auto,
        command=None if fields["command"] is None else _command(fields["command"]),
    )
    try:
        letters.read(letters.write(msgspec.structs.replace(front, to=front.to or ("all",)), ""), "")
    except Invalid as error:
        option = {"requires_ack": "within"}.get(error.field or "", error.field or "")
        raise Invalid(f"--{option}: {error.message}" if option else error.message) from None
    return front


def _command(text: str) -> Any:
    """Return commands as YAML has them, once it is known that they are some."""
    from bnet.codec import people
    from bnet.codec.inbox import commands_of

    parsed = people.parse(text.encode(), "--command")
    commands_of(parsed, parsed.data, ())
    return tuple(parsed.data) if isinstance(parsed.data, list) else parsed.data


def _text(body: str | None, file: Path | None) -> str:
    if file is not None and body is not None:
        raise BnetError("either --body or --file")
    if body == "-":
        data = b"" if sys.stdin is None else sys.stdin.buffer.read()
    elif file is not None:
        data = file.read_bytes()
    else:
        return body or ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("is no UTF-8 text", file=str(file or "stdin")) from None


def _attached(paths: Sequence[Path]) -> dict[str, bytes]:
    from bnet.codec.letter_paths import is_file_name

    files: dict[str, bytes] = {}
    for path in paths:
        if not is_file_name(path.name) or path.name in files:
            why = "another one has it" if path.name in files else "use letters, digits, '.', '_' and '-'"
            raise BnetError(f"{path.name!r} cannot be the name of an attachment: {why}")
        files[path.name] = path.read_bytes()
    return files


def _doubt(desk: Desk, front: Front) -> None:
    """Ask whether a name that nobody has was meant for one that somebody has; people need not be known."""
    import difflib

    servers = desk.ledger.state.servers
    for name in front.addressed:
        close = difflib.get_close_matches(name, servers, n=1, cutoff=0.75)
        if close and name not in servers and "@" not in name:
            note(f"there is no server {escaped(name)}; did you mean {close[0]}?")


@message.command()
@click.argument("reference", metavar="ID")
@click.option("--note", "said", default="", help="A word along with it.")
@pass_desk
def ack(desk: Desk, reference: str, said: str) -> None:
    """Acknowledge a message that is addressed to you; exit 5 if it is not.

    While the hub is away it is kept here, and delivered once by the next `bnet message send`, `bnet message ack`
    or `bnet sync`.

    Example: bnet message ack k3f9 --note "clearing it now"
    """
    from bnet.app.lookup import Lookup
    from bnet.app.submit import send_ack
    from bnet.model.message import Nod

    found = desk.find(reference, known=True)
    entry, machine = found.entry, desk.app.machine
    if found.filed is not None:
        raise BnetError(f"{entry.id} has been filed away; it waits for nobody any more")
    if not is_key(entry.key):
        raise BnetError(f"{escaped(entry.key)} is no message")
    nod = Nod(key=entry.key, who=desk.who, note=said)
    lookup = Lookup(desk.ledger.hub, machine.repositories.resolve)
    done = send_ack(desk.ledger, lookup, machine.outbox(), desk.app.url, nod, told=note)
    desk.mark([entry.key])
    desk.keep()
    note(f"{entry.id} is acknowledged" if done else f"you have acknowledged {entry.id} before")


@message.command()
@click.option("--for", "reference", metavar="ID", help="Which of them would answer this message.")
@json_option
@pass_desk
def rules(desk: Desk, reference: str | None, as_json: bool) -> None:
    """List the rules for automatic answers (coordination/replies.yaml), and how often each has answered.

    Example: bnet message rules --for k3f9
    """
    from bnet.app.told.messages import describe_rules
    from bnet.rules.automatic import rule_for

    if reference is not None:
        found = desk.find(reference).entry
        name = rule_for(desk.ledger.state.replies, found)
        if as_json:
            say_json({"id": found.id, "rule": name or None, "auto": found.auto})
        else:
            out(name or f"none{': a machine sent it by itself' if found.auto else ''}")
        return
    rows = describe_rules(desk.refresh().state)
    desk.keep()
    if as_json:
        say_json(rows)
    elif rows:
        out(
            table(("RULE", "MESSAGES", "REPLIES", "COMMANDS", "ANSWERED"), [_rule_row(each) for each in rows])
        )
    else:
        note("there are no rules; they stand in coordination/replies.yaml on the hub")


def _rule_row(told: dict[str, Any]) -> list[str]:
    which = [f"{name} {escaped(' or '.join(wanted))}" for name, wanted in told["match"].items() if wanted]
    return [
        told["name"],
        ", ".join(which),
        "yes" if told["reply"] else "",
        " ".join(told["commands"]),
        str(told["answered"]),
    ]


@message.command()
@click.option("--older-than", metavar="SPAN", help="Instead of what hub.yaml says (retention.messages).")
@pass_desk
def archive(desk: Desk, older_than: str | None) -> None:
    """File the messages of old days away; servers do it by themselves.

    They stay readable with `bnet message read` and `list --archived`, and leave the tree.

    Example: bnet message archive --older-than 7d
    """
    from bnet.app.messages.correspond import file_old
    from bnet.codec.durations import parse_duration

    try:
        keep = None if older_than is None else parse_duration(older_than)
    except ValueError as error:
        raise BnetError(f"--older-than: {error}") from None
    desk.refresh()
    count, left = file_old(desk.ledger, desk.post, keep)
    desk.keep()
    note(f"{count} messages filed away")
    if left:
        note(f"those of {left} and later stay until the answer to a command has been sent")


for each in (list_messages, read, thread):
    message.add_command(each)
