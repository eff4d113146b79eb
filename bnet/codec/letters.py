"""A message's file: front matter in YAML between two lines of ---, then Markdown; read as people write it."""

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from bnet.codec import people
from bnet.codec.durations import parse_duration
from bnet.codec.inbox import commands_of
from bnet.codec.layout import DOCUMENT_LIMIT
from bnet.errors import Invalid
from bnet.model.command import Command
from bnet.model.message import Front

ACK_WITHIN = 86400.0  # seconds, where `requires_ack: true` does not say
MOST_TO = 200  # names that a message may be addressed to
LONGEST_SUBJECT = 500  # characters
LONGEST_NAME = 200  # characters of a name that a message is addressed to
_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t]*\r?\n")
_END = re.compile(rb"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_TEXTS = ("id", "from", "at", "subject", "thread", "in_reply_to", "requires_ack")
_FIELDS = [field.encode_name for field in msgspec.structs.fields(Front)]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message's file as it was read.

    Attributes:
        front: what stands before the text, whatever it lacks.
        body: the text.
        within: for how many seconds it waits for acknowledgements; 0 if it asks for none.
        commands: that it carries.
        at: when, if it says so.
        problem: of a field that seems to be misspelt.
    """

    front: Front
    body: str
    within: float = 0.0
    commands: tuple[Command, ...] = ()
    at: datetime | None = None
    problem: str = ""


def read(data: bytes, file: str) -> Letter:
    """Return what a message's file says.

    Args:
        data: UTF-8; without front matter, all of it is the text.
        file: its name, for complaints.

    Raises:
        Invalid: something in it is wrong; the message names line and field.
    """
    if len(data) > DOCUMENT_LIMIT:
        raise Invalid(f"is {len(data):,} bytes long; at most {DOCUMENT_LIMIT:,} are read", file=file)
    front, rest = _parted(data, file)
    try:
        body = rest.decode("utf-8-sig").replace("\r\n", "\n").lstrip("\n")
    except UnicodeDecodeError as error:
        line = data[: len(data) - len(rest) + error.start].count(b"\n") + 1
        raise Invalid("is no UTF-8 text; save it as UTF-8", file=file, line=line) from None
    text = people.parse(front, file)
    if not isinstance(text.data, dict | None):
        raise text.invalid("the front matter is no mapping; write for instance `subject: The disk is full`")
    fields = _plain(text.data or {})
    read_front = people.read(text, Front, fields)
    _bounded(text, read_front)
    return Letter(
        front=read_front,
        body=body,
        within=_within(text, read_front.requires_ack),
        commands=() if not read_front.command else tuple(commands_of(text, fields["command"], ("command",))),
        at=_moment(text, read_front.at),
        problem=_misspelt(text, fields),
    )


def write(front: Front, body: str) -> bytes:
    """Return a message's file."""
    plain = people.dumped(msgspec.to_builtins(front))
    return b"---\n" + plain + b"---\n\n" + body.rstrip("\n").encode() + b"\n"


def stamp(moment: datetime) -> str:
    """Return a time as a message has it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def title(letter: Letter) -> str:
    """Return the subject of a message, in one line; or what comes nearest to one: the first line of its text."""
    first = letter.body.strip().partition("\n")[0].lstrip("#").strip()
    return one_line(letter.front.subject) or first[:100]


def one_line(text: str) -> str:
    """Return a text without line ends, as the subject of a message."""
    return " ".join(text.split())


def _parted(data: bytes, file: str) -> tuple[bytes, bytes]:
    """Return the front matter, with the line that begins it, and the text after it."""
    begin = _BEGIN.match(data)
    if begin is None:
        return b"", data
    end = _END.search(data, begin.end())
    if end is None:
        said = "the front matter that begins here has no end; put a line of --- after its last field"
        raise Invalid(said, file=file, line=1)
    return data[: end.start()], data[end.end() :]


def _plain(fields: Mapping[object, object]) -> dict[object, object]:
    """Return the fields that say anything; a number for a text is taken as written."""
    kept = {name: value for name, value in fields.items() if value is not None}
    for name in _TEXTS:
        if isinstance(kept.get(name), int | float) and not isinstance(kept[name], bool):
            kept[name] = str(kept[name])
    return kept


def _bounded(text: people.Text, front: Front) -> None:
    if len(front.addressed) > MOST_TO:
        raise text.invalid(f"names {len(front.addressed)} of at most {MOST_TO}; use a label or all", ("to",))
    if not front.addressed or any(not 0 < len(each.strip()) <= LONGEST_NAME for each in front.addressed):
        raise text.invalid("names a server, an address, a label such as os=linux, or all", ("to",))
    if len(front.subject) > LONGEST_SUBJECT:
        raise text.invalid(f"must have at most {LONGEST_SUBJECT} characters", ("subject",))


def _within(text: people.Text, wish: bool | float | str) -> float:
    if isinstance(wish, bool):
        return ACK_WITHIN if wish else 0.0
    try:
        return max(1.0, parse_duration(wish))
    except ValueError as error:
        raise text.invalid(f"{error}; or true", ("requires_ack",)) from None


def _moment(text: people.Text, at: str) -> datetime | None:
    if not at:
        return None
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is not None and 1971 <= moment.year <= 8999:
            return moment.astimezone(UTC)
    except ValueError:
        pass
    raise text.invalid(f"{at[:40]!r} is no time with a zone, as in 2026-12-24T18:00:00Z", ("at",))


def _misspelt(text: people.Text, fields: Mapping[object, object]) -> str:
    """Say which field seems to be meant by one that there is not; others are somebody else's business."""
    for name in fields:
        if isinstance(name, str) and name not in _FIELDS:
            close = difflib.get_close_matches(name.lower(), _FIELDS, n=1, cutoff=0.75)
            if close:
                return str(text.invalid(f"there is no such field; did you mean {close[0]}?", (name,)))
    return ""
