"""Keys that are bnet's own: a firing of a schedule, or a commit of a source, becomes a job once under them.

A job of somebody else under such a key would be the one job of that firing or commit. One that says in its
environment what it is of may have it: that is how `bnet submit` asks again for what an adopted hub has lost.
"""

from datetime import datetime

from bnet.codec.shown import escaped
from bnet.model.command import Submit
from bnet.rules.jobs import Illegal
from bnet.rules.specs import source_of
from bnet.rules.wallclock import on_the_wall

SCHEDULES, SOURCES = "schedule:", "source:"  # begin the keys of each
CELL = "#"  # ends a key of these, before a number that the job of a matrix had
SCHEDULE, SCHEDULED_AT = "BNET_SCHEDULE", "BNET_SCHEDULED_AT"  # in the environment of a firing's job
SOURCE, COMMIT = "BNET_SOURCE", "BNET_COMMIT"  # of a commit's


def firing_key(name: str, at: datetime, timezone: str) -> str:
    """Return the key under which a firing becomes a job once: it names what the clocks show, and where."""
    return f"{SCHEDULES}{name}:{on_the_wall(at, timezone)}@{timezone}"


def commit_key(name: str, commit: str) -> str:
    """Return the key under which a commit of a source becomes a job once; `/` and a step follow for a pipeline's."""
    return f"{SOURCES}{name}:{commit}"


def cell_key(key: str, number: int) -> str:
    """Return the key of one job of a matrix that is asked for again by itself: under the whole's, it is known too."""
    return f"{key}{CELL}{number}"


def whole_key(key: str) -> str:
    """Return the key of a whole matrix for that of one of its jobs, where it is bnet's own; any other as it is."""
    return key.partition(CELL)[0] if key.startswith((SCHEDULES, SOURCES)) else key


def source_and_commit(key: str) -> tuple[str, str] | None:
    """Return the source and the commit that a key stands for; None for another's key."""
    words = whole_key(key).partition("/")[0].split(":")
    return (words[1], words[2]) if key.startswith(SOURCES) and len(words) == 3 else None


def check_key(asked: Submit, now: datetime) -> None:
    """See that nobody takes the place of a firing or a commit.

    Raises:
        Illegal: the key is one of bnet's own, and this is no job of what that names.
    """
    key = asked.key or ""
    for begin, whose, is_of in ((SCHEDULES, "schedules", _is_firing), (SOURCES, "sources", _is_commit)):
        if key.startswith(begin) and not is_of(asked, whole_key(key), now):
            shown = escaped(key[:80])
            raise Illegal(f"the key {shown} is one of {whose}, as all that begin with {begin}; take another")


def _is_firing(asked: Submit, key: str, now: datetime) -> bool:
    """Tell whether a job is of the firing that its key names, which was due by now."""
    try:
        at = datetime.fromisoformat(str(asked.env.get(SCHEDULED_AT, "")))
        return at <= now and key == firing_key(str(asked.env.get(SCHEDULE, "")), at, key.rpartition("@")[2])
    except (ValueError, TypeError, OverflowError):
        return False  # no time, none with a zone, or no such time zone


def _is_commit(asked: Submit, key: str, now: datetime) -> bool:
    """Tell whether a job is of the commit that its key names, and has that checked out."""
    commit, source = str(asked.env.get(COMMIT, "")), source_of(asked)
    return (
        source is not None
        and source.commit == commit
        and key.partition("/")[0] == commit_key(str(asked.env.get(SOURCE, "")), commit)
    )
