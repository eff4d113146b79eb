"""New commits of sources become jobs, each one once.

What was seen of a source is a document of the ledger, so a transaction that deals with a commit also says so, and
of two servers that have seen it one is told to decide again. The key of each job names source and commit: should
that document ever say less than happened, it still is one job.
"""

from collections.abc import Mapping, Sequence

import msgspec
import xxhash
from msgspec.structs import replace

from bnet.codec import layout
from bnet.model.source import Followed, Obstacle, Seen
from bnet.model.state import KeyFile
from bnet.rules import jobs
from bnet.rules.admit import admit
from bnet.rules.arrivals import Move, submissions, weight
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.reserved import SOURCE, SOURCES
from bnet.rules.sources import LONGEST_REASON, paused_because, seen_of
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

MOST_ARRIVED = 500  # jobs that one transaction makes of commits; the next one goes on
MOST_PAST = 1000
MOST_BYTES = 700_000  # of the refs of one source: what was seen of it is a document, and holds a million


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a source's repository.

    Attributes:
        source: as it was in force.
        base: what had been seen of it, which the moves are counted from.
        refs: those that are meant, ref -> commit; None where there was no answer.
        moves: of those, the ones that brought something.
        trouble: why there was no answer, or nothing can come of it.
    """

    source: Followed
    base: Seen
    refs: Mapping[str, str] | None = None
    moves: tuple[Move, ...] = ()
    trouble: str = ""


def poll(tx: Transaction, sights: Sequence[Sight], facts: Facts, who: str) -> None:
    """Take in what was seen of sources, and forget those that are no more.

    Args:
        tx: what it is applied to.
        sights: one for each source that was looked at.
        facts: what was looked up for the jobs.
        who: the server that looked.
    """
    for name in sorted(tx.state.seen.keys() - tx.state.sources.keys()):
        tx.apply(Change(verb="forget-source", target=name, files={layout.seen_path(name): None}))
    limit = tx.next_job + MOST_ARRIVED
    for sight in sights:
        name = sight.source.name
        source, seen = tx.state.sources.get(name), seen_of(tx, name)
        if source is None or source != sight.source or seen != sight.base:
            continue  # edited, paused or dealt with meanwhile: the next look is at what is so then
        if paused_because(source, seen) is not None:
            continue
        said = len(tx.changes)
        after = _after(tx, sight, facts, who, limit)
        if after != seen:
            tx.documents[layout.seen_path(name)] = after
        if after != seen and len(tx.changes) == said:
            trouble = after.obstacle.reason[:120] if after.obstacle is not None else ""
            tx.apply(Change(verb="look", target=name, note=trouble, fields={"refs": len(after.refs)}))


def _after(tx: Transaction, sight: Sight, facts: Facts, who: str, limit: int) -> Seen:
    """Return what has been seen once a look is dealt with, as far as there are job numbers below a limit."""
    base, source = sight.base, sight.source
    if sight.refs is None or sum(len(ref) + 60 for ref in sight.refs) > MOST_BYTES:
        many = f"{len(sight.refs or ()):,} branches and tags are too many for one source; name fewer"
        return replace(base, obstacle=_obstacle(tx, base, sight.trouble or many, who))
    refs, trouble, known = dict(sight.refs), sight.trouble, {*base.refs.values(), *base.past}
    gone = [oid for ref, oid in base.refs.items() if ref not in sight.refs]
    whole = True
    for move in sight.moves:
        move = replace(move, commits=tuple(each for each in move.commits if each not in known))
        why, upto = _arrive(tx, source, move, facts, limit - tx.next_job)
        trouble = trouble or why
        before = base.refs.get(move.ref)
        if upto:
            refs[move.ref] = upto
            gone += [move.left] if move.left else []
        elif before is None:
            refs.pop(move.ref, None)  # as new at the next look as it is now
            whole = False
        else:
            refs[move.ref] = before
    past = [*(each for each in base.past if each not in gone), *dict.fromkeys(gone)]
    return replace(
        base,
        # A first look that had no room for all goes on as one.
        repository=source.asked.repository if whole or base.repository else "",
        patterns=source.refs,
        refs=refs,
        past=tuple(past[-MOST_PAST:]),
        obstacle=_obstacle(tx, base, trouble, who) if trouble else None,
    )


def _obstacle(tx: Transaction, base: Seen, reason: str, who: str) -> Obstacle:
    """Return what stands in the way; one that was there already has stood there since then."""
    reason = reason[:LONGEST_REASON]
    if base.obstacle is not None and base.obstacle.reason == reason:
        return base.obstacle
    since = tx.now if base.obstacle is None else base.obstacle.at
    return Obstacle(at=since, by=who, reason=reason)


def _arrive(tx: Transaction, source: Followed, move: Move, facts: Facts, room: int) -> tuple[str, str]:
    """Let a ref's commits become jobs.

    Returns:
        Why not all of them did, and the commit that is dealt with: "" for none.
    """
    dealt = ""
    for commit in move.commits:
        trial = tx.fork()
        try:
            made = submissions(source, move, commit)
            if any(_is_known(tx, each.key or "") for each in made):
                dealt = commit
                continue
            if weight(made) > room and room < MOST_ARRIVED:
                break  # the next transaction goes on
            room -= weight(made)
            numbers = admit(trial, made, by=source.by or "unknown", facts=facts)
        except Illegal as error:
            why = f"commit {commit[:10]} cannot become a job: {error.message}"
            if source.asked.submit is not None or commit == move.commits[-1]:
                return why, dealt
            # What is wrong is in the commit itself, and a later one may have mended it.
            tx.apply(Change(verb="look", target=source.name, note=why[:120], fields={"commit": commit}))
            dealt = commit
            continue
        fields: dict[str, str | int] = {"commit": commit, "ref": move.ref}
        fields["jobs"] = ",".join(map(str, numbers[:20]))
        shown = " ".join(f"#{number}" for number in numbers[:10])
        trial.apply(Change(verb="arrive", target=source.name, note=shown, fields=fields))
        if source.asked.coalesce == "newest":
            _supersede(trial, source, move.ref, numbers)
        tx.join(trial)
        dealt = commit
    return "", move.upto if not move.commits or dealt == move.commits[-1] else dealt


def _is_known(tx: Transaction, key: str) -> bool:
    path = layout.key_path(xxhash.xxh3_64_hexdigest(key.encode()))
    known = tx.documents.get(path) or tx.state.keys.get(path)
    return isinstance(known, KeyFile) and key in known.keys


def _supersede(tx: Transaction, source: Followed, ref: str, made: Sequence[int]) -> None:
    """End what still waits of the same ref: only the newest counts. A pipeline that has begun goes on."""
    of_ref = [
        job
        for job in tx.jobs.values()
        if (job.spec.key or "").startswith(SOURCES) and job.number not in made
        if (job.spec.env.get(SOURCE), job.spec.env.get("BNET_REF")) == (source.name, ref)
    ]
    begun = {part.run for job in of_ref if job.state != "pending" and (part := job.spec.pipeline) is not None}
    for job in of_ref:
        part = job.spec.pipeline
        if job.state == "pending" and (part is None or part.run not in begun):
            why = f"superseded by #{made[0]}"
            tx.apply(jobs.cancel(job, by=source.by or "unknown", reason=why, now=tx.now, superseded=True))
