"""A view kept on disk for the next process; damaged or of another version, it is as if there were none."""

import marshal

import msgspec
import xxhash
from msgspec.structs import replace

from bnet import __version__
from bnet.codec.documents import BROKEN
from bnet.codec.view import File, View, advance
from bnet.model.base import Record
from bnet.model.environment import Environments
from bnet.model.hub import Settings
from bnet.model.monitoring import Monitoring
from bnet.model.notify import Notifications
from bnet.model.report import Reports
from bnet.model.schedule import Table
from bnet.model.source import Followed
from bnet.model.state import InboxFile, Problem, Rejection

VERSION = 6
# What people write and can be told from what it was packed as; of replies, the commands cannot.
_KINDS: tuple[type[Record], ...] = (
    Table,
    Followed,
    Settings,
    Rejection,
    Environments,
    Monitoring,
    Notifications,
    Reports,
)


def freeze(view: View, commit: str | None) -> bytes:
    """Return a view, and the commit that it is of, as bytes that begin with their own digest."""
    inbox = [(each.path, each.text, each.by, each.commit, each.problem) for each in view.inbox.values()]
    problems = [(each.path, each.message, each.commit) for each in view.problems.values()]
    # YAML is dear to parse: a table of 10,000 schedules takes seconds, and milliseconds from here; of the settings
    # alone, the parser's import takes as long as all the rest.
    written = {
        path: (_KINDS.index(type(each)), msgspec.msgpack.encode(each))
        for path, each in view.records.items()
        if type(each) in _KINDS
    }
    kept = (
        _version(),
        commit,
        dict(view.files),
        sorted(view.archive),
        inbox,
        problems,
        dict(view.restore),
        written,
    )
    body = marshal.dumps(kept)
    return xxhash.xxh3_128_digest(body) + body


def _version() -> str:
    return f"{VERSION} {__version__}"  # what is kept of a person's file is what that bnet understood of it


def is_whole(data: bytes) -> bool:
    """Tell whether this is what `freeze` has given, to whatever version of bnet."""
    return xxhash.xxh3_128_digest(data[16:]) == data[:16]


def thaw(data: bytes) -> tuple[View, str] | None:
    """Return what `freeze` was given; None for anything else."""
    # marshal may be fed nothing but what it wrote itself: the digest is looked at first.
    if not is_whole(data):
        return None
    try:
        kept = marshal.loads(data[16:])
    except (ValueError, EOFError, TypeError):
        return None  # of another Python
    if kept[0] != _version() or kept[1] is None:
        return None
    _, commit, files, archive, inbox, problems, restore, parsed = kept
    try:
        written = {
            path: msgspec.msgpack.decode(each, type=_KINDS[kind]) for path, (kind, each) in parsed.items()
        }
    except BROKEN:
        return None  # of another bnet
    changes: dict[str, File | None] = {
        path: File(data=text) for path, text in files.items() if path not in written
    }
    changes.update((path, File(data=None)) for path in archive)
    view = advance(View(), changes, lambda path: [])
    return replace(
        view,
        files=files,
        records={**view.records, **written},
        inbox={path: InboxFile(path=path, text=t, by=b, commit=c, problem=p) for path, t, b, c, p in inbox},
        problems={path: Problem(path=path, message=m, commit=c) for path, m, c in problems},
        restore=restore,
    ), commit
