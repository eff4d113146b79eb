"""Whether commits of sources became jobs as they may: of sources that were looked at, each commit once."""

from collections.abc import Iterator, Sequence

from bnet.codec import layout
from bnet.model.source import Followed, Seen
from bnet.model.state import State
from bnet.rules.polling import MOST_PAST
from bnet.rules.reserved import COMMIT, SOURCE, source_and_commit
from bnet.rules.sources import paused_because


def source_faults(
    before: State, after: State, arrived: Sequence[tuple[str, str]], spoken_of: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a transaction's commits of sources: the source, or its file, and the fault.

    Args:
        before, after: the ledger.
        arrived: source and commit of each that became jobs, as its message says.
        spoken_of: the sources to which, as it says, anything happened.
    """
    new = _new_keys(before, after)
    for name, commit in arrived:
        text = _wrong_arrival(before, name, commit)
        if not text and (name, commit) not in new:
            text = f"commit {commit[:10]} became a job without a new key that makes it one"
        if text:
            yield name, text
    silent = {of for of, jobs in new.items() if not _say_it(after, of, jobs)}
    for name, commit in sorted(silent - set(arrived)):
        yield name, f"commit {commit[:10]} has a key, and nothing is said of it"
    for name in sorted(before.seen.keys() | after.seen.keys()):
        old, now = before.seen.get(name), after.seen.get(name)
        if old == now:
            continue
        if name not in spoken_of:
            yield layout.seen_path(name), "has changed, and nothing is said of it"
        elif now is None and name in before.sources:
            yield layout.seen_path(name), "is gone, so that its commits could come again"
        elif old is not None and now is not None and not _kept(old, now):
            yield layout.seen_path(name), "has forgotten a commit that it had seen last"


def _say_it(after: State, of: tuple[str, str], numbers: Sequence[int]) -> bool:
    """Tell whether jobs name their commit, as those do that an adopted hub had lost and somebody asks for again."""
    jobs = [after.jobs.get(number) for number in numbers]
    return all(job and (job.spec.env.get(SOURCE), job.spec.env.get(COMMIT)) == of for job in jobs)


def _new_keys(before: State, after: State) -> dict[tuple[str, str], tuple[int, ...]]:
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for path, file in after.keys.items():
        known = before.keys.get(path)
        for key in file.keys if known is None else file.keys.keys() - known.keys.keys():
            of = source_and_commit(key)
            if of is not None:
                found[of] = (*found.get(of, ()), *file.keys[key].jobs)
    return found


def _wrong_arrival(before: State, name: str, commit: str) -> str:
    source: Followed | None = before.sources.get(name)
    if source is None:
        return f"commit {commit[:10]} became a job, and there is no such source"
    seen = before.seen.get(name, Seen())
    if paused_because(source, seen) is not None:
        return f"commit {commit[:10]} became a job although it is paused"
    if not seen.repository and source.asked.first == "seen":
        return f"commit {commit[:10]} became a job at the first look"
    if commit in seen.past or commit in seen.refs.values():
        return f"commit {commit[:10]} became a job although it had been seen"
    return ""


def _kept(old: Seen, now: Seen) -> bool:
    """Tell whether what is known of refs that are gone stays: each is among the past, unless that is full."""
    gone = {oid for ref, oid in old.refs.items() if ref not in now.refs}
    return gone <= {*now.past, *now.refs.values()} or len(now.past) == MOST_PAST
