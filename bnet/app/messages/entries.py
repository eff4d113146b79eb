"""From a message's file to what the index keeps of it."""

from datetime import UTC, datetime

from msgspec.structs import replace

from bnet.codec import letter_paths, letters
from bnet.errors import Invalid
from bnet.model.message import Brought, Entry
from bnet.rules.refuse import printable

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def path_of(key: str) -> str:
    """Return the path of a message, or of a file that is none."""
    return letter_paths.message_path(key) if letter_paths.is_key(key) else key


def entry_of(path: str, data: bytes | None, note: str = "") -> Entry:
    """Return what the index keeps of a message's file; what it lacks is empty.

    Args:
        path: where it stands.
        data: its content, None if that is not read.
        note: why it is not.
    """
    key = letter_paths.message_key(path) or path
    if data is None:
        return broken(path, f"{path}: {note or 'cannot be read'}")
    try:
        letter = letters.read(data, path)
    except Invalid as error:
        return broken(path, str(error))
    front = letter.front
    problem = letter.problem
    if front.id and front.id != key.rpartition("/")[2]:
        problem = f"{path}: says that its id is {printable(front.id)}; its id is the file's name"
    return Entry(
        key=key,
        sender=front.sender,
        to=front.addressed,
        at=letter.at or LONG_AGO,
        subject=letters.title(letter),
        priority=front.priority,
        thread=front.thread,
        in_reply_to=front.in_reply_to,
        within=letter.within,
        command=bool(letter.commands),
        attachments=len(front.attachments),
        problem=problem,
        auto=front.auto,
    )


def broken(path: str, problem: str) -> Entry:
    """Return what the index keeps of a file that is no message, or of one that cannot be read."""
    key = letter_paths.message_key(path) or printable(path)
    problem = printable(problem.replace("\n", "; "))
    return Entry(key=key, sender="", to=(), at=LONG_AGO, problem=problem, readable=False)


def misplaced(path: str) -> Entry:
    """Return what the index keeps of a file that stands where nobody reads it."""
    where = "put it into messages/<yyyy>/<mm>/<dd>/, with a name of letters, digits, '.', '_' and '-'"
    return broken(path, f"{path}: is no message where it stands; {where}")


def completed(entry: Entry, brought: Brought | None) -> Entry:
    """Return an entry with what its file lacked, from the commit that brought it."""
    if brought is None:
        return entry
    at = brought.at if entry.at == LONG_AGO else entry.at
    return replace(entry, sender=entry.sender or brought.author, at=at)
