"""What a transaction may do to the list of artifacts: derived once more from the rules, and compared."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from bnet.model.artifact import Kept, KeptRun
from bnet.model.job import Attempt, Job
from bnet.model.state import State
from bnet.rules.keeping import pinned
from bnet.rules.legal.transitions import Fault


def kept_faults(before: State, after: State, archived: Mapping[int, Job]) -> Iterator[Fault]:
    """Yield what is wrong with what a transaction made of the list of artifacts.

    Args:
        before, after: the ledger.
        archived: the jobs in the archive files that it has added.
    """
    for number in sorted(before.kept.keys() | after.kept.keys()):
        old, new = before.kept.get(number), after.kept.get(number)
        if old is new or old == new:
            continue
        job = after.jobs.get(number) or archived.get(number)
        text = _wrong(old, new, job)
        given_up = old is not None and new is not None and old.gone is None and new.gone is not None
        if given_up and number in pinned(after):
            text = "were given up although a release or an open job needs them"
        if text:
            yield Fault(f"artifacts of #{number}", text)
    for number, job in after.jobs.items():
        was = before.jobs.get(number)
        for attempt in job.attempts[0 if was is None else len(was.attempts) :]:
            if attempt.manifest is not None and not _lists(after.kept.get(number), attempt):
                yield Fault(
                    f"artifacts of #{number}", f"attempt {attempt.attempt} left some that are not listed"
                )


def _wrong(old: Kept | None, new: Kept | None, job: Job | None) -> str:
    if new is None:
        return "" if old is not None and old.gone is not None else "were forgotten before they were given up"
    if old is not None and old.gone is not None and new.gone is None:
        return "were given up and are listed as kept again"
    known = () if old is None else old.runs
    if new.runs[: len(known)] != known:
        return "have changed"
    if old is not None and new.runs == known and replace(new, gone=old.gone) != old:
        return "are told of differently"
    made = {} if job is None else {each.attempt: each for each in job.attempts}
    for run in new.runs[len(known) :]:
        attempt = made.get(run.attempt)
        if attempt is None or not _is_of(run, attempt):
            return f"list an attempt {run.attempt} that did not leave them"
    return ""


def _lists(kept: Kept | None, attempt: Attempt) -> bool:
    return kept is not None and any(_is_of(run, attempt) for run in kept.runs)


def _is_of(run: KeptRun, attempt: Attempt) -> bool:
    return (
        (run.server, run.run, run.manifest, run.count)
        == (attempt.server, attempt.run, attempt.manifest, len(attempt.artifacts))
        and run.attempt == attempt.attempt
        and run.size == sum(each.size for each in attempt.artifacts)
    )
