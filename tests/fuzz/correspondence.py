"""Targets of messages and of the past: what people write to each other, and the indexes that a machine keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from target import Target, must, scratch

from bnet.app.messages.entries import entry_of
from bnet.app.messages.post import Post
from bnet.codec import letter_paths, letters
from bnet.codec.documents import encode
from bnet.codec.replies import read_replies
from bnet.errors import Invalid
from bnet.host.index import LocalIndex
from bnet.host.letters import LetterIndex
from bnet.memory import MemoryHub, Repository
from bnet.model.history import EventQuery, Past, Query
from bnet.model.message import Ack, Ask, Attachment, Filed, Front
from bnet.ports.hub import Commit, Recorded, Stamp
from bnet.rules.acks import ack_of, missing
from bnet.rules.addressing import expected
from bnet.rules.automatic import rule_for
from bnet.rules.filing import read_filed
from bnet.rules.replies import raised_at

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "2026/11/20/hello"
PATH = letter_paths.message_path(KEY)
FRONT = Front(
    id="hello",
    sender="ann@example.invalid",
    to=("build1", "os=linux,gpu=yes", "all"),
    at="2026-11-20T12:00:00Z",
    subject="The disk is full",
    priority="high",
    thread="hello",
    in_reply_to="other",
    requires_ack="1h30m",
    command={"submit": {"name": "clean", "command": "make clean", "matrix": {"py": ["3.11"]}}},
    attachments=(Attachment(name="a.txt", size=3, blake3="0" * 64),),
)
RULES = b"""\
disk:
  match: {subject: "*disk*", from: ["*@example.invalid", "b?"], priority: [high, urgent]}
  reply: On it.
  command: {submit: {name: clean, command: make clean}}
rest: {match: {to: all}, reply: Hm.}
"""


def message(data: bytes) -> None:
    """A message is read, or is a problem in words; what is written of it is read as the same."""
    entry = entry_of(PATH, data)
    must(entry.problem.isprintable() and len(entry.problem) < 100_000, "a problem that cannot be shown")
    must(entry.readable or bool(entry.problem), "unreadable without a word")
    expected(entry.to, {}, entry.sender)
    rule_for(read_replies(RULES, "replies.yaml"), entry)
    try:
        letter = letters.read(data, PATH)
    except Invalid:
        must(not entry.readable, "listed, and not readable")
        return
    again = letters.read(letters.write(letter.front, letter.body), PATH)
    must(again.front == letter.front and again.within == letter.within, "written otherwise than read")
    must(again.body.split() == letter.body.split(), "another text than was read")


def acknowledgement(data: bytes) -> None:
    """An acknowledgement is of whom its path says, or it is none."""
    for who in ("s1", "ann@example.invalid"):
        path = letter_paths.ack_path(KEY, who)
        ack = ack_of(path, data)
        must(ack is None or letter_paths.ack_path(KEY, ack.who) == path, "of somebody else")


def filed(data: bytes) -> None:
    """Lines of the archive of messages are read, or passed over."""
    for line in read_filed(data):
        if letter_paths.is_key(line.key):
            entry_of(letter_paths.message_path(line.key), line.text.encode())
        if line.ask is not None:
            raised_at(line.ask)
            missing(line.ask, [each.who for each in line.acks])


def replies(data: bytes) -> None:
    """Rules are read, or `Invalid` names a place."""
    try:
        found = read_replies(data, "replies.yaml")
    except Invalid as error:
        must(len(str(error)) < 100_000, "a complaint longer than what it is about")
        return
    name = rule_for(found, entry_of(PATH, letters.write(FRONT, "")))
    must(not name or name in found.rules, "a rule that there is not")


def _post(index: LetterIndex) -> tuple[Post, str]:
    repository = Repository()
    files = {PATH: letters.write(FRONT, "Help."), letter_paths.ack_path(KEY, "s1"): ACKS[0]}
    tip = repository.put(Commit(parent=None, files=dict(files), message="x", author="ann", at=NOON))
    return Post(MemoryHub(repository), index), tip


def letter_index(data: bytes) -> None:
    """Whatever stands in the index of messages, a question is answered."""
    path = scratch() / "messages.db"
    path.write_bytes(data)
    post, tip = _post(LetterIndex(path))
    try:
        post.ask(
            tip, lambda: (post.index.every(), post.index.acks(), post.index.asking(), post.index.broken())
        )
        post.ask(tip, lambda: (post.index.named("h"), post.index.thread("hello"), post.index.oldest_day()))
    finally:
        if isinstance(post.index, LetterIndex):
            post.index.close()


def _letter_indexes() -> list[bytes]:
    path = scratch() / "seed.db"
    path.unlink(missing_ok=True)
    index = LetterIndex(path)
    post, tip = _post(index)
    post.bring(tip)
    index.close()
    return [path.read_bytes(), b""]


class Annals:
    """A past of two jobs and a transaction."""

    tip = "a" * 40

    def files(self) -> list[str]:
        return ["b" * 40]

    def jobs(self, blobs: object) -> list[Past]:
        return [_past(number) for number in (1, 2)]

    def holds(self, commit: str) -> bool:
        return commit == self.tip

    def transactions(self, after: str) -> list[Recorded]:
        stamp = Stamp(self.tip, 1, 3, "s1", NOON)
        return [] if after else [Recorded(stamp, [], ["submit 1 by=ann", "claim 1 server=s1"])]


def _past(number: int) -> Past:
    return Past(
        key=number,
        number=number,
        name=f"wheel{number}",
        queue="default",
        state="finished",
        result="success",
        reason="exit",
        server="s1",
        submitted_by="ann",
        submitted=1.0,
        finished=2.5,
        seconds=1.5,
        exit_code=0,
        attempts=1,
        labels="\nos=linux\n",
        packages="",
        text="wheel make",
        blob="b" * 40,
    )


def history_index(data: bytes) -> None:
    """Whatever stands in the index of the past, a question is answered with what its types say."""
    path = scratch() / "history.db"
    path.write_bytes(data)
    index, past = LocalIndex(path), Annals()
    for each in index.search(past, [_past(3)], Query(words=("wheel*",), labels={"os": "linux"})):
        must(isinstance(each.number, int) and isinstance(each.name, str), "a row of other types")
    index.search(past, [], Query(since=1.0, name="wheel*", limit=1))
    for event in index.events(past, EventQuery(job=1)):
        must(isinstance(event.at, float) and isinstance(event.verb, str), "an event of other types")
    index.moves(past)


def _history_indexes() -> list[bytes]:
    path = scratch() / "seed-history.db"
    path.unlink(missing_ok=True)
    index = LocalIndex(path)
    index.search(Annals(), [], Query())
    index.events(Annals(), EventQuery())
    return [Path(path).read_bytes(), b""]


ACKS = [encode(Ack(who="s1", at=NOON, note="seen")), encode(Ack(who="ann@example.invalid", at=NOON))]
ASK = Ask(sender="ann", by="ann", at=NOON, expects=("s1",), within=60.0, due=NOON, command=True, jobs=(1,))
FILED = Filed(key=KEY, text=letters.write(FRONT, "x").decode(), acks=(Ack(who="s1", at=NOON),), ask=ASK)

TARGETS = (
    Target(
        "message", "yaml", message, lambda: [letters.write(FRONT, "# Help\n"), b"plain", b"---\n---\n"], 0.4
    ),
    Target("acknowledgement", "json", acknowledgement, lambda: ACKS, 12.0),
    Target("filed", "bytes", filed, lambda: [encode(FILED).replace(b"\n", b"") + b"\n"], 4.0),
    Target("replies", "yaml", replies, lambda: [RULES], 0.6),
    Target("letters", "bytes", letter_index, _letter_indexes, 0.3),
    Target("history", "bytes", history_index, _history_indexes, 0.3),
)
