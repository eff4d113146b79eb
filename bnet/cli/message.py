"""`bnet message`: what servers, people and agents tell each other."""

import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bnet.app.describe_messages import Reader, describe_entry, threads
from bnet.cli.context import App, json_option
from bnet.cli.render import age, note, out, table, word
from bnet.codec.shown import escaped
from bnet.errors import BnetError, Damaged, Invalid
from bnet.model.message import IMPORTANCES, Entry, Front

if TYPE_CHECKING:
    from bnet.app.correspond import Found
    from bnet.app.ledger import Ledger
    from bnet.app.post import Post
    from bnet.model.state import State

HEADS = ("", "ID", "FROM", "TO", "PRIORITY", "SUBJECT", "WAITS FOR", "SENT")


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

    def find(self, reference: str) -> "Found":
        """Return a message; the hub is looked at."""
        from bnet.app.correspond import find

        return find(self.refresh(), self.post, reference)

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


@click.group()
@click.pass_context
def message(ctx: click.Context) -> None:
    """Send, list, read and acknowledge messages.

    Example: bnet message send --to build2 --subject "The disk is full" --body "Please clear /tmp."
    """
    ctx.obj = Desk(ctx.obj)


def _say_json(value: object) -> None:
    # json.dumps with an indent takes a third of a second for ten thousand of them
    out(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


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
    from bnet.app.correspond import draft, reply_to
    from bnet.app.lookup import Lookup
    from bnet.app.submit import send_message

    front = _front(fields, desk.who)
    if fields["reply"]:
        front = reply_to(front, desk.find(fields["reply"]).entry)
    if not front.addressed:
        raise BnetError("to whom? nobody is named", hint="--to NAME, --label K=V, --to all, or --reply ID")
    files = _attached(fields["attach"])
    ready = draft(
        front=front,
        body=_text(fields["body"], fields["file"]),
        files=files,
        digests={name: _digest(data) for name, data in files.items()},
        now=desk.app.machine.clock.now(),
        chance=desk.app.machine.chance,
    )
    if not (ready.front.subject or ready.body.strip()):
        raise BnetError("there is nothing to say", hint="--subject S, --body B")
    machine = desk.app.machine
    lookup = Lookup(desk.ledger.hub, machine.resolve)
    numbers = send_message(desk.ledger, lookup, machine.outbox(), desk.app.url, ready, desk.who, told=note)
    desk.keep()
    _doubt(desk, front)
    if fields["as_json"]:
        _say_json({"id": ready.front.id, "key": ready.key, "jobs": numbers})
    else:
        out("\n".join([ready.front.id, *(f"#{number}" for number in numbers)]))


def _front(fields: dict[str, Any], who: str) -> Front:
    """Return the front matter that options ask for, checked as that of a file is."""
    from bnet.codec.letters import read, write

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
        command=None if fields["command"] is None else _command(fields["command"]),
    )
    try:
        read(write(msgspec.structs.replace(front, to=front.to or ("all",)), ""), "")
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


def _digest(data: bytes) -> str:
    import blake3

    return blake3.blake3(data).hexdigest()


def _doubt(desk: Desk, front: Front) -> None:
    """Ask whether a name that nobody has was meant for one that somebody has; people need not be known."""
    import difflib

    servers = desk.ledger.state.servers
    for name in front.addressed:
        close = difflib.get_close_matches(name, servers, n=1, cutoff=0.75)
        if close and name not in servers and "@" not in name:
            note(f"there is no server {escaped(name)}; did you mean {close[0]}?")


@message.command("list")
@click.option("--unread", is_flag=True, help="Only those that you have not read.")
@click.option(
    "--to", "whose", type=click.Choice(["me", "all"]), default="me", help="Those to you, or every one."
)
@click.option("--thread", "by_thread", is_flag=True, help="One line for each conversation.")
@click.option("--archived", is_flag=True, help="Those that have been filed away.")
@click.option("-n", "--last", type=click.IntRange(1), metavar="N", help="The newest N of them.")
@json_option
@pass_desk
def list_messages(
    desk: Desk, unread: bool, whose: str, by_thread: bool, archived: bool, last: int | None, as_json: bool
) -> None:
    """List messages, the newest last; `*` marks what you have not read.

    Example: bnet message list --unread
    """
    state = desk.refresh().state
    reader = desk.reader()
    entries, acks = _archived(desk) if archived else desk.post.ask(state.tip, lambda: _listed(desk.post))
    shown = [each for each in entries if whose == "all" or reader.is_addressed(each)]
    if unread:
        shown = [each for each in shown if reader.has_unread(each, acks.get(each.key, ()))]
    told = [describe_entry(each, acks.get(each.key, ()), state.asks.get(each.key), reader) for each in shown]
    rows = threads(told) if by_thread else told
    rows = rows[-last:] if last else rows
    if as_json:
        _say_json(rows)
    elif not rows:
        more = f"; `bnet message list --to all` shows {len(entries)}" if entries and whose == "me" else ""
        note(f"no {'unread ' if unread else ''}messages{f' to {desk.who}' if whose == 'me' else ''}{more}")
    else:
        now = desk.app.machine.clock.now()
        out(_thread_table(rows, now) if by_thread else _table(rows, now))


def _listed(post: "Post") -> tuple[list[Entry], dict[str, Any]]:
    return post.index.every(), post.index.acks()


def _archived(desk: Desk) -> tuple[list[Entry], dict[str, Any]]:
    from bnet.app.correspond import archived

    found = archived(desk.ledger)
    return [each.entry for each in found], {each.entry.key: each.acks for each in found}


def _table(rows: Sequence[dict[str, Any]], now: Any) -> str:
    cells = []
    for each in rows:
        waits = ", ".join(each["missing"][:3]) + (" ..." if len(each["missing"]) > 3 else "")
        to = ", ".join(each["to"][:3]) + (" ..." if len(each["to"]) > 3 else "")
        subject = each["subject"] or (f"({each['problem']})" if each["problem"] else "")
        cells.append(
            [
                "*" if each["unread"] else "!" if each["problem"] else "",
                each["id"],
                escaped(each["from"]),
                escaped(to),
                word(each["priority"]),
                escaped(_cut(subject)),
                escaped(waits),
                age(each["at"], now),
            ]
        )
    return table(HEADS, cells)


def _thread_table(rows: Sequence[dict[str, Any]], now: Any) -> str:
    heads = ("", "THREAD", "BEGUN BY", "MESSAGES", "SUBJECT", "LAST BY", "LAST")
    cells = [
        [
            "*" if each["unread"] else "",
            escaped(each["thread"]),
            escaped(each["from"]),
            str(each["messages"]),
            escaped(_cut(each["subject"])),
            escaped(each["last_from"]),
            age(each["last_at"], now),
        ]
        for each in rows
    ]
    return table(heads, cells)


def _cut(text: str) -> str:
    return text if len(text) <= 70 else f"{text[:67]}..."


@message.command()
@click.argument("reference", metavar="ID", required=False)
@click.option("--all", "every", is_flag=True, help="Count every message as read.")
@click.option("--save", type=click.Path(path_type=Path), metavar="DIR", help="Put its attachments there.")
@json_option
@pass_desk
def read(desk: Desk, reference: str | None, every: bool, save: Path | None, as_json: bool) -> None:
    """Read a message; the beginning of its id is enough.

    Example: bnet message read k3f9
    """
    if every:
        state, reader = desk.refresh().state, desk.reader()
        entries = desk.post.ask(state.tip, desk.post.index.every)
        new = [each.key for each in entries if reader.has_unread(each)]
        desk.mark(new)
        note(f"{len(new)} messages count as read")
    if reference is None:
        if not every:
            raise BnetError("which message?", hint="`bnet message list`")
        return
    found = desk.find(reference)
    told = desk.describe(found, desk.reader())
    if as_json:
        _say_json(told)
    else:
        _print(told, desk.app.machine.clock.now())
    desk.mark([found.entry.key])
    if save is not None:
        _save(desk, found, told["attachments"], save)


def _print(told: dict[str, Any], now: Any) -> None:
    lines = [("id", told["key"]), ("from", told["from"]), ("to", ", ".join(told["to"]))]
    lines += [("at", f"{told['at']} ({age(told['at'], now)})"), ("subject", told["subject"])]
    if told["priority"] != "normal":
        lines.append(("priority", word(told["priority"])))
    if told["thread"] != told["id"]:
        lines.append(("thread", told["thread"]))
    for each in told["acks"]:
        said = f": {each['note']}" if each["note"] else ""
        lines.append(("acknowledged", f"by {each['who']} {age(each['at'], now)}{said}"))
    if told["missing"]:
        lines.append(("waits for", f"{', '.join(told['missing'])}, due {told['due']}"))
    if told["command"]:
        jobs = " ".join(f"#{number}" for number in told["jobs"])
        done = "not taken in yet" if not jobs and not told["answered"] else jobs or "done"
        lines.append(("command", f"refused: {told['refused']}" if told["refused"] else done))
    for each in told["attachments"]:
        lines.append(("attached", f"{each['name']} ({each['size']:,} bytes, blake3 {each['blake3'][:12]})"))
    if told["problem"]:
        lines.append(("problem", told["problem"]))
    if told["archived"]:
        lines.append(("archived", "yes"))
    for name, value in lines:
        plain = value if name == "priority" else escaped(value)
        out(f"{click.style(f'{name:<14}', bold=True)}{plain}")
    out("")
    out(escaped(told["body"].rstrip("\n"), keep="\n\t"))


def _save(desk: Desk, found: "Found", attached: Sequence[dict[str, Any]], directory: Path) -> None:
    """Write attachments, each only if it is what the message says it is."""
    from bnet.codec.letter_paths import file_path, is_file_name
    from bnet.files import write_atomic

    tip = desk.ledger.state.tip if found.filed is None else found.filed.commit
    directory.mkdir(parents=True, exist_ok=True)
    for each in attached:
        if not is_file_name(each["name"]):
            raise Damaged(f"{escaped(each['name'])} is no name for a file; it was not written")
        path = file_path(found.entry.key, each["name"])
        data = desk.ledger.hub.read(tip, [path]).get(path)
        if data is None or _digest(data) != each["blake3"]:
            what = "is not there any more" if data is None else "is not what was sent: its digest is another"
            raise Damaged(f"the attachment {each['name']} {what}; it was not written")
        write_atomic(directory / each["name"], data)
        note(f"{directory / each['name']}")


@message.command()
@click.argument("reference", metavar="ID")
@click.option("--note", "said", default="", help="A word along with it.")
@pass_desk
def ack(desk: Desk, reference: str, said: str) -> None:
    """Acknowledge a message that is addressed to you; exit 5 if it is not.

    Example: bnet message ack k3f9 --note "clearing it now"
    """
    from bnet.app.correspond import acknowledge

    found = desk.find(reference)
    if found.filed is not None:
        raise BnetError(f"{found.entry.id} has been filed away; it waits for nobody any more")
    done = acknowledge(desk.ledger, desk.post, found.entry.key, desk.who, said)
    desk.mark([found.entry.key])
    desk.keep()
    note(f"{found.entry.id} is acknowledged" if done else f"you have acknowledged {found.entry.id} before")


@message.command()
@click.argument("reference", metavar="ID")
@json_option
@pass_desk
def thread(desk: Desk, reference: str, as_json: bool) -> None:
    """Read the conversation that a message is in, oldest first.

    Example: bnet message thread k3f9
    """
    from bnet.app.correspond import archived, whole

    found = desk.find(reference)
    name, state = found.entry.thread, desk.ledger.state
    entries = desk.post.ask(state.tip, lambda: desk.post.index.thread(name))
    parts = whole(desk.ledger, entries, desk.post)
    if found.filed is not None:
        parts = [each for each in archived(desk.ledger) if each.entry.thread == name] + parts
    reader = desk.reader()
    told = [desk.describe(each, reader) for each in parts]
    if as_json:
        _say_json(told)
    else:
        now = desk.app.machine.clock.now()
        for index, each in enumerate(told):
            if index:
                out("\n" + "-" * 72)
            _print(each, now)
    desk.mark([each.entry.key for each in parts])


@message.command()
@click.option("--older-than", metavar="SPAN", help="Instead of what hub.yaml says (retention.messages).")
@pass_desk
def archive(desk: Desk, older_than: str | None) -> None:
    """File the messages of old days away; servers do it by themselves.

    They stay readable with `bnet message read` and `list --archived`, and leave the tree.

    Example: bnet message archive --older-than 7d
    """
    from bnet.app.correspond import file_old
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
