"""The mailbox of `bnet message`: what there is, what it says, and what was said in one conversation."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnet.app.told.messages import Reader, describe_entry, threads
from bnet.cli.context import json_option
from bnet.cli.message.desk import Desk, digest, pass_desk, say_json
from bnet.cli.render import age, note, out, table, word
from bnet.codec.shown import escaped
from bnet.errors import BnetError, Damaged
from bnet.model.message import Ack, Ask, Entry
from bnet.rules.acks import missing

if TYPE_CHECKING:
    from bnet.app.messages.correspond import Found
    from bnet.app.messages.post import Post

HEADS = ("", "ID", "FROM", "TO", "PRIORITY", "SUBJECT", "WAITS FOR", "SENT")


@click.command("list")
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
    about = [(each, acks.get(each.key, ()), state.asks.get(each.key)) for each in shown]
    told = [describe_entry(*each, reader) for each in about] if as_json or by_thread else []
    rows = (threads(told) if by_thread else told)[-(last or 0) :]
    now = desk.app.machine.clock.now()
    if as_json:
        say_json(rows)
    elif not shown:
        more = f"; `bnet message list --to all` shows {len(entries)}" if entries and whose == "me" else ""
        note(f"no {'unread ' if unread else ''}messages{f' to {desk.who}' if whose == 'me' else ''}{more}")
    elif by_thread:
        out(_thread_table(rows, now))
    else:
        out(table(HEADS, [_row(*each, reader, now) for each in about[-(last or 0) :]]))


def _listed(post: "Post") -> tuple[list[Entry], dict[str, Any]]:
    return post.index.every(), post.index.acks()


def _archived(desk: Desk) -> tuple[list[Entry], dict[str, Any]]:
    from bnet.app.messages.correspond import archived

    found = archived(desk.ledger)
    return [each.entry for each in found], {each.entry.key: each.acks for each in found}


def _row(entry: Entry, acks: Sequence[Ack], ask: Ask | None, reader: Reader, now: datetime) -> list[str]:
    absent = [] if ask is None else missing(ask, [each.who for each in acks])
    return [
        "*" if reader.has_unread(entry, acks) else "!" if entry.problem else "",
        entry.id,
        escaped(entry.sender),
        escaped(_first(entry.to)),
        word(entry.priority),
        escaped(_cut(entry.subject or (f"({entry.problem})" if entry.problem else ""))),
        escaped(_first(absent)),
        age(entry.at, now),
    ]


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


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


@click.command()
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
        say_json(told)
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
        if data is None or digest(data) != each["blake3"]:
            what = "is not there any more" if data is None else "is not what was sent: its digest is another"
            raise Damaged(f"the attachment {each['name']} {what}; it was not written")
        write_atomic(directory / each["name"], data)
        note(f"{directory / each['name']}")


@click.command()
@click.argument("reference", metavar="ID")
@json_option
@pass_desk
def thread(desk: Desk, reference: str, as_json: bool) -> None:
    """Read the conversation that a message is in, oldest first.

    Example: bnet message thread k3f9
    """
    from bnet.app.messages.correspond import archived, whole

    found = desk.find(reference)
    name, state = found.entry.thread, desk.ledger.state
    entries = desk.post.ask(state.tip, lambda: desk.post.index.thread(name))
    parts = whole(desk.ledger, entries, desk.post)
    if found.filed is not None:
        parts = [each for each in archived(desk.ledger) if each.entry.thread == name] + parts
    reader = desk.reader()
    told = [desk.describe(each, reader) for each in parts]
    if as_json:
        say_json(told)
    else:
        now = desk.app.machine.clock.now()
        for index, each in enumerate(told):
            if index:
                out("\n" + "-" * 72)
            _print(each, now)
    desk.mark([each.entry.key for each in parts])
