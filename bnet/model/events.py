"""The events that people may be told of: one list, by which every other place goes."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from bnet.model.notify import FIGURES, LEVELS, Level


class Kind(msgspec.Struct, frozen=True):
    """A kind of event.

    Attributes:
        name: dotted; its first part is a family.
        priority: how much such an event matters.
        what: when it comes, in a few words.
        also: names that other systems have for it, by which routes may name it too.
    """

    name: str
    priority: Level
    what: str
    also: tuple[str, ...] = ()


def _high(figure: str) -> tuple[str, ...]:
    return (f"resource.{figure}.{'low' if figure == 'disk' else 'high'}",)


EVENTS: tuple[Kind, ...] = (
    Kind("job.submitted", "low", "a job was asked for", ("task.created",)),
    Kind("job.started", "low", "a server has claimed it", ("build.started", "job.running")),
    Kind(
        "job.succeeded", "medium", "it ended well", ("build.completed", "job.completed", "worker.completed")
    ),
    Kind("job.cached", "low", "it ended well, and all of it came from a cache", ("build.cached",)),
    Kind("job.failed", "high", "it ended with a failure", ("build.failed",)),
    Kind("job.timeout", "high", "it took too long, or was silent for too long"),
    Kind("job.error", "high", "it was lost, refused, or its artifacts could not be kept", ("worker.error",)),
    Kind(
        "job.fixed",
        "medium",
        "it ended well after one of its name had not",
        ("build.completed", "job.completed"),
    ),
    Kind("job.retried", "low", "an attempt ended badly, and another one follows"),
    Kind("job.lost", "medium", "the server of an attempt is gone, and another attempt follows"),
    Kind("job.cancelled", "low", "somebody ended it, or it expired, or newer work took its place"),
    Kind("job.skipped", "low", "a condition or a dependency did not hold"),
    Kind("job.stuck", "high", "it runs for much longer than such jobs do"),
    Kind("job.moving", "low", "it is stuck no more"),
    Kind("job.failing", "high", "the last ones of a name all failed", ("quality.drop",)),
    Kind("job.mended", "medium", "that is over"),
    Kind("package.failing", "high", "a package failed several times in a row"),
    Kind("package.mended", "medium", "that is over"),
    Kind("queue.stalled", "critical", "jobs wait that a server could take"),
    Kind("queue.unservable", "high", "jobs wait that no server can take"),
    Kind("queue.moving", "medium", "that is over"),
    Kind("approval.wanted", "high", "a job waits for people to approve it", ("worker.waiting_input",)),
    Kind("approval.given", "low", "somebody has"),
    Kind("approval.refused", "medium", "somebody has not"),
    Kind("approval.settled", "low", "it waits no more"),
    Kind("deployment.succeeded", "medium", "something was deployed", ("deploy.completed",)),
    Kind("deployment.failed", "critical", "a deployment ended with anything else", ("deploy.failed",)),
    Kind("release.made", "medium", "a good run is kept", ("release.created",)),
    Kind("release.dropped", "low", "it is kept no more"),
    Kind("server.joined", "medium", "a server is new", ("node.joined", "agent.registered")),
    Kind("server.replaced", "high", "another machine took its name over"),
    Kind("server.left", "medium", "it was taken out of the network", ("node.left",)),
    Kind("server.lost", "critical", "it is not seen any more", ("node.failed", "daemon.stopped")),
    Kind("server.back", "medium", "it is seen again", ("daemon.started", "node.recovered")),
    Kind("server.slow", "medium", "its heartbeats are late"),
    Kind("server.flapping", "high", "it comes and goes"),
    Kind("server.steady", "low", "it is slow, or flaps, no more"),
    Kind("server.paused", "medium", "it takes no jobs: paused or draining", ("worker.paused",)),
    Kind("server.resumed", "medium", "it takes jobs again"),
    Kind("clock.wrong", "high", "a server's clock is far off"),
    Kind("clock.right", "low", "that is over"),
    *(
        Kind(f"{each}.warning", "high", "a figure is at this threshold of a server", _high(each))
        for each in FIGURES
    ),
    *(Kind(f"{each}.critical", "critical", "likewise", _high(each)) for each in FIGURES),
    *(Kind(f"{figure}.ok", "low", "that is over") for figure in FIGURES),
    Kind("disk.silent", "high", "a file system does not answer a server"),
    Kind("message.sent", "low", "somebody wrote a message", ("comment.created", "mention.created")),
    Kind("message.unacknowledged", "high", "nobody, or not everybody, acknowledged one in time"),
    Kind("message.acknowledged", "low", "all have, or it is not waited for any more"),
    Kind("lock.broken", "medium", "somebody took a named lock away"),
    Kind("lock.expired", "low", "its holder was not seen any more"),
    Kind("source.failing", "high", "a watched repository cannot be read, or its results not be told"),
    Kind("source.working", "low", "that is over"),
    Kind("document.broken", "high", "a file on the hub cannot be read, and is set aside"),
    Kind("document.mended", "low", "that is over"),
    Kind("command.rejected", "medium", "a command of the inbox was refused"),
    Kind("alert.acknowledged", "low", "somebody has taken on what was told"),
    Kind("hub.budget", "medium", "more is pushed than the budget has"),
    Kind("hub.large", "high", "the hub is too large, or has too many refs"),
    Kind("hub.diverged", "critical", "the hub has another history than was known; nothing is decided"),
    Kind("hub.ok", "low", "that is over"),
    Kind("site.stale", "medium", "the dashboard was not published for long"),
    Kind("site.fresh", "low", "that is over"),
    Kind("hub.adopted", "critical", "a person took another history for the ledger"),
    Kind("hub.upgraded", "medium", "the hub has another format"),
)
KINDS: Mapping[str, Kind] = {each.name: each for each in EVENTS}

# Names of other systems for what does not happen here, and what to write or know instead.
ABSENT: Mapping[str, str] = {
    "plugin.loaded": "bnet loads no plug-ins; what a network is made of changes by commits",
    "cost.spike": "bnet knows no costs; its reports name anomalies",
}


def names_of(kind: Kind, priority: Level) -> tuple[str, ...]:
    """Return all names that an event answers to: `*.critical` means every event of that priority."""
    return (kind.name, *kind.also, f"{kind.name.partition('.')[0]}.{priority}")


@lru_cache(4096)
def fits(name: str, priority: Level, patterns: tuple[str, ...]) -> bool:
    """Tell whether an event is among those that patterns mean."""
    kind = KINDS.get(name, Kind(name, priority, ""))
    names = names_of(kind, priority)
    return any(fnmatchcase(each, pattern) for pattern in patterns for each in names)


def means_any(pattern: str) -> bool:
    """Tell whether a pattern means an event of the list, whatever its priority."""
    return any(fits(each.name, level, (pattern,)) for each in EVENTS for level in LEVELS)
