"""Sources: what people write of repositories that are watched, what that means, and what was seen of them so far."""

from typing import Annotated, Literal

import msgspec

from bnet.model.base import Moment, Name, Record
from bnet.model.command import Duration, Strict, Submit
from bnet.model.job import Priority
from bnet.model.schedule import Pause

Glob = Annotated[str, msgspec.Meta(min_length=1, max_length=250, description="a pattern such as release/*")]


class PathFilter(Strict, frozen=True, kw_only=True):
    """Which files matter: a commit counts if it touches one that is included and not excluded.

    Attributes:
        include: patterns; without any, every file.
        exclude: patterns of what does not matter.
    """

    include: tuple[Glob, ...] = ()
    exclude: tuple[Glob, ...] = ()


class Upstream(Strict, frozen=True, kw_only=True):
    """A repository whose new commits become jobs.

    Attributes:
        repository: its address, without a password or token in it.
        submit: the job, as in the inbox, but for its source and key.
        pipeline: instead of that, the pipeline of the bnet.yaml of each commit.
        branches: patterns of the branches; one that begins with ! leaves out. Without these and tags, all.
        tags: likewise of the tags.
        priority: pattern of a branch or tag -> priority; the first that fits counts.
        paths: which files matter.
        every: how often it is looked at: seconds, or for instance 5m.
        coalesce: newest (of what came since the last look, and of what still waits), or all.
        skip: words in a commit's message by which it makes no job.
        first: what becomes of that which is there at the first look: it is taken as seen, or built.
        notes: whether results are pushed into the repository as Git notes.
        status: whether results are told to the forge, where a server has a token for it.
        paused: why it is not looked at at present.
        description: for people.
    """

    repository: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    submit: Submit | None = None
    pipeline: Name | None = None
    branches: tuple[Glob, ...] | None = None
    tags: tuple[Glob, ...] = ()
    priority: dict[Glob, Priority] = {}
    paths: PathFilter = PathFilter()
    every: Duration = 300.0
    coalesce: Literal["newest", "all"] = "newest"
    skip: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=100)], ...] = ("[skip bnet]",)
    first: Literal["seen", "build"] = "seen"
    notes: bool = False
    status: bool = True
    paused: str | None = None
    description: str = ""


class Followed(Record, frozen=True, kw_only=True):
    """A source in force.

    Attributes:
        name: of its file.
        asked: what that says.
        every: seconds between two looks.
        refs: a digest of all that says which refs are meant.
        by: who wrote it.
    """

    name: Name
    asked: Upstream
    every: float
    refs: str
    by: str = ""


class Obstacle(Record, frozen=True, kw_only=True):
    """Why nothing comes of a source at present, or nothing comes back to it: since when, found by which server."""

    at: Moment
    by: str
    reason: str


class Seen(Record, frozen=True, kw_only=True):
    """`sources/<name>.state.json`: what was seen last of a source.

    Attributes:
        repository: where; "" before the first look.
        patterns: the digest of the patterns that counted then.
        refs: ref -> the commit that was dealt with last.
        past: commits that a ref was on which then was deleted, or went another way; the newest ones.
        paused: by a command.
        obstacle: why nothing comes of it.
        undelivered: why results do not reach it; its time is the earliest end that was not told.
    """

    repository: str = ""
    patterns: str = ""
    refs: dict[str, str] = {}
    past: tuple[str, ...] = ()
    paused: Pause | None = None
    obstacle: Obstacle | None = None
    undelivered: Obstacle | None = None
