"""What one commit of the ledger says, parsed."""

from collections.abc import Mapping

import msgspec

from bnet.model.artifact import Kept, Shared
from bnet.model.base import Moment, Record
from bnet.model.environment import Environments, Release, Standing
from bnet.model.hub import Head, Settings
from bnet.model.job import Job
from bnet.model.lock import Lock
from bnet.model.message import Ask
from bnet.model.monitoring import Monitoring
from bnet.model.notices import Notices
from bnet.model.notify import Notifications
from bnet.model.reply import Replies, TakenUp
from bnet.model.report import Ordered, Turn
from bnet.model.schedule import Cursor, Table
from bnet.model.server import Server
from bnet.model.source import Followed, Seen


class KeyEntry(Record, frozen=True, kw_only=True):
    """One idempotency key: the jobs that it became, and when."""

    jobs: tuple[int, ...]
    at: Moment


class KeyFile(Record, frozen=True, kw_only=True):
    """`keys/<2 hex>.json`: the keys whose digest starts so."""

    keys: dict[str, KeyEntry] = {}


class InboxFile(Record, frozen=True, kw_only=True):
    """A file that somebody dropped in, with the author and the commit that brought it.

    `problem` says why its text was not read; a path that is no UTF-8 holds surrogates, as in `os.fsdecode`.
    """

    path: str
    text: bytes
    by: str
    commit: str
    problem: str = ""


class Rejection(Record, frozen=True, kw_only=True):
    """`rejected/<name>.yaml`: a refused file, where it was wrong, and its text."""

    file: str
    reason: str
    by: str
    commit: str
    at: Moment
    text: str
    line: int | None = None
    field: str | None = None


class Problem(Record, frozen=True, kw_only=True):
    """A document that is set aside: what is wrong with it, and the commit that made it so."""

    path: str
    message: str
    commit: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The network as one commit of the ledger has it.

    `jobs` holds open jobs and those finished lately; older ones are in the files named by `archive`.
    `kept` lists artifacts by their jobs, `shared` the files that people share, by name.
    `schedules` holds people's files of schedules by stem, `cursors` what was fired of each.
    `environments` are people's settings of where things are deployed to, `standings` what is deployed there.
    `monitoring` says what people want to know of the network's health, `notifications` what they want to be told and
    where; `notices` is what was told, None before anything was.
    `sources` holds the sources in force by name, `seen` what was seen of each.
    `asks` is what messages asked for, by their keys; days whose messages have gone are in the files named by `filed`.
    `replies` holds the rules for automatic answers, `taken_up` since when each applies.
    `reports` holds what people want reported by name, `turns` how far each was made, `reported` the kept ones.
    `restore` lists machine documents that a commit by hand changed: what the next transaction writes back.
    """

    tip: str
    head: Head
    settings: Settings = Settings()
    servers: Mapping[str, Server] = {}
    jobs: Mapping[int, Job] = {}
    keys: Mapping[str, KeyFile] = {}
    locks: Mapping[str, Lock] = {}
    kept: Mapping[int, Kept] = {}
    shared: Mapping[str, Shared] = {}
    inbox: tuple[InboxFile, ...] = ()
    rejected: Mapping[str, Rejection] = {}
    schedules: Mapping[str, Table] = {}
    cursors: Mapping[str, Cursor] = {}
    environments: Environments = Environments()
    monitoring: Monitoring = Monitoring()
    notifications: Notifications = Notifications()
    notices: Notices | None = None
    standings: Mapping[str, Standing] = {}
    releases: Mapping[str, Release] = {}
    sources: Mapping[str, Followed] = {}
    seen: Mapping[str, Seen] = {}
    archive: frozenset[str] = frozenset()
    asks: Mapping[str, Ask] = {}
    filed: frozenset[str] = frozenset()
    reports: Mapping[str, Ordered] = {}
    turns: Mapping[str, Turn] = {}
    reported: frozenset[str] = frozenset()
    replies: Replies = Replies()
    taken_up: TakenUp = TakenUp()
    problems: tuple[Problem, ...] = ()
    restore: Mapping[str, bytes | None] = {}
