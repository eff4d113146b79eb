"""How long artifacts are kept: the ledger's list of them, what the hub's rules give up, and what pins them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.shown import escaped
from bnet.model.artifact import Gone, Kept, KeptRun
from bnet.model.base import Record
from bnet.model.environment import Pinned, Release
from bnet.model.hub import KeepRule
from bnet.model.job import Attempt, Input, Job, JobResult
from bnet.model.state import State
from bnet.rules.change import Change
from bnet.rules.deployments import pinned_jobs, standings
from bnet.rules.jobs import Illegal
from bnet.rules.transaction import Transaction

AT_ONCE = 100  # jobs whose artifacts one transaction gives up
REMEMBERED = timedelta(
    days=7
)  # how long the ledger says that something was given up, where nothing is to be deleted
TELEMETRY = "telemetry:"
STORE = "store:"


def named_by_open_jobs(tx: Transaction | State) -> Iterable[int]:
    """Yield the jobs that are open themselves, and those whose artifacts an open one will be given."""
    for job in tx.jobs.values():
        if job.result is None:
            yield job.number
            yield from (each.job for each in job.spec.inputs)


def named_by_releases(tx: Transaction | State) -> Iterable[int]:
    """Yield the jobs whose artifacts releases keep, and those that environments have or had.

    What this very transaction writes down counts: a deployment that ends is no open job any more.
    """
    if isinstance(tx, State):
        return pinned_jobs(tx.releases.values(), tx.standings.values())
    new = [each for each in tx.documents.values() if isinstance(each, Release)]
    return pinned_jobs([*tx.state.releases.values(), *new], standings(tx).values())


# What names artifacts that have to stay, however old, in words and as numbers of jobs; others are added here.
PINS: tuple[tuple[str, Callable[[Transaction | State], Iterable[int]]], ...] = (
    ("an open job", named_by_open_jobs),
    ("a release or an environment", named_by_releases),
)


def pinned(tx: Transaction | State) -> frozenset[int]:
    """Return the jobs whose artifacts may not be given up now."""
    return frozenset(number for _, pin in PINS for number in pin(tx))


def promised_on(state: State, server: str) -> list[int]:
    """Return the jobs whose artifacts have to stay, and are on the ref of one server."""
    needed, place = pinned(state), f"{TELEMETRY}{server}:"
    return sorted(
        kept.job
        for kept in state.kept.values()
        if kept.job in needed and kept.gone is None and any(run.place.startswith(place) for run in kept.runs)
    )


def given_up(kept: Kept | None, job: int, left: JobResult | Attempt | None) -> str:
    """Say that the artifacts of a job were given up, and why; "" while they are kept, or where it left none.

    Args:
        kept: what the list says of them.
        job: its number.
        left: how the job, or the attempt that is meant, ended; None where that is not known.
    """
    if kept is not None and kept.gone is not None:
        return f"the artifacts of #{job} were given up by {escaped(kept.gone.by)}: {escaped(kept.gone.why)}"
    if kept is None and left is not None and left.manifest is not None:
        return f"the artifacts of #{job} were given up and deleted"
    return ""


def check_kept(tx: Transaction, pins: Iterable[Input | Pinned], archived: Mapping[int, Job]) -> None:
    """Refuse to name artifacts that were given up; in the transaction that names them, so that none goes meanwhile.

    Args:
        tx: the transaction.
        pins: what is named.
        archived: those of the jobs that are known from the archive.

    Raises:
        Illegal: it says which, and why they were given up.
    """
    for pin in pins:
        path = layout.kept_path(pin.job)
        kept = None if path in tx.files else tx.documents.get(path) or tx.state.kept.get(pin.job)
        job = tx.jobs.get(pin.job) or archived.get(pin.job)
        text = given_up(
            kept if isinstance(kept, Kept) else None, pin.job, None if job is None else job.result
        )
        if text:
            raise Illegal(text, hint=f"`bnet history --events --job {pin.job}` says when")


def kept_now(tx: Transaction) -> dict[int, Kept]:
    """Return the list of artifacts as it is after the changes so far."""
    found = dict(tx.state.kept)
    for path, record in tx.documents.items():
        number = layout.kept_number(path)
        if number is not None and isinstance(record, Kept):
            found[number] = record
    for path, data in tx.files.items():
        number = layout.kept_number(path)
        if number is not None and data is None:
            found.pop(number, None)
    return found


def listed(tx: Transaction, job: Job, ended: Attempt, place: str) -> dict[str, Record]:
    """Return the document that lists what an attempt left; nothing, if it left nothing.

    Args:
        tx: for what earlier attempts left.
        job: the job.
        ended: the attempt, with its artifacts and the digest of their manifest.
        place: where manifest and files are.
    """
    if not ended.artifacts or ended.manifest is None:
        return {}
    path = layout.kept_path(job.number)
    before = tx.documents.get(path) or tx.state.kept.get(job.number)
    runs = before.runs if isinstance(before, Kept) else ()
    made = KeptRun(
        attempt=ended.attempt,
        server=ended.server,
        run=ended.run,
        manifest=ended.manifest,
        count=len(ended.artifacts),
        size=sum(each.size for each in ended.artifacts),
        place=place,
    )
    spec = job.spec
    return {
        path: Kept(
            job=job.number,
            name=spec.name,
            at=ended.finished_at,
            queue=spec.queue,
            labels=spec.labels,
            result=ended.result,
            runs=(*(each for each in runs if each.attempt != ended.attempt), made),
        )
    }


def rule_for(kept: Kept, rules: Sequence[KeepRule]) -> KeepRule | None:
    """Return the first rule that fits; what none fits is kept."""
    for rule in rules:
        named = fnmatchcase(kept.name, rule.name) and rule.queue in (None, kept.queue)
        if named and rule.labels.items() <= kept.labels.items():
            return rule
    return None


def outlived(
    kept: Mapping[int, Kept], rules: Sequence[KeepRule], pins: frozenset[int], now: datetime
) -> list[tuple[Kept, str]]:
    """Return what is kept no longer, oldest first, each with the reason in words.

    Args:
        kept: what is kept, by job.
        rules: the hub's.
        pins: jobs whose artifacts stay.
        now: the time.
    """
    found: list[tuple[Kept, str]] = []
    shortest = min((rule.age for rule in rules if rule.age is not None), default=None)
    if shortest is None or not any((now - each.at).total_seconds() > shortest for each in kept.values()):
        return found  # the commonest answer, before anything is sorted
    ranks = _ranks(kept.values())
    for each in sorted(kept.values(), key=lambda one: (one.at, one.job)):
        rule = rule_for(each, rules)
        if each.gone is not None or each.job in pins or rule is None or rule.age is None:
            continue
        if (now - each.at).total_seconds() > rule.age and not 0 <= ranks.get(each.job, -1) < rule.newest:
            count = f", and not among the {rule.newest} newest of {each.name}" if rule.newest else ""
            found.append((each, f"older than {rule.age / 86400:g} days{count}"))
    return found


def _ranks(kept: Iterable[Kept]) -> dict[int, int]:
    """Return the place of each success among those of its name, the newest being 0."""
    by_name: dict[str, list[Kept]] = {}
    for each in kept:
        if each.result == "success" and each.gone is None:
            by_name.setdefault(each.name, []).append(each)
    ranks: dict[int, int] = {}
    for same in by_name.values():
        same.sort(key=lambda one: (one.at, one.job), reverse=True)
        ranks.update((each.job, place) for place, each in enumerate(same))
    return ranks


def give_up(tx: Transaction, by: str) -> None:
    """Give up what the rules keep no longer; whoever does the chores deletes it afterwards."""
    for kept, why in outlived(kept_now(tx), tx.state.settings.artifacts, pinned(tx), tx.now)[:AT_ONCE]:
        tx.apply(_given_up(tx, kept, why, by))


def give_up_job(tx: Transaction, number: int, why: str, by: str) -> None:
    """Give up the artifacts of a job because somebody says so.

    Raises:
        Illegal: there are none, or something names them that needs them.
    """
    kept = kept_now(tx).get(number)
    if kept is None or kept.gone is not None:
        raise Illegal(f"no artifacts of job #{number} are kept")
    for who, pin in PINS:
        if number in pin(tx):
            raise Illegal(f"the artifacts of job #{number} are still needed: {who} names them")
    tx.apply(_given_up(tx, kept, why, by))


def _given_up(tx: Transaction, kept: Kept, why: str, by: str) -> Change:
    after = replace(kept, gone=Gone(at=tx.now, why=why, by=by))
    return Change(
        verb="prune",
        target=f"#{kept.job}",
        note=why,
        fields={"by": by, "runs": len(kept.runs)},
        documents={layout.kept_path(kept.job): after},
    )


def in_store(kept: Kept) -> list[KeptRun]:
    """Return the runs whose files somebody has to delete in the store."""
    return [each for each in kept.runs if each.place.startswith(STORE)]


def forget(tx: Transaction, cleared: Iterable[int]) -> None:
    """Take what was given up off the list.

    Args:
        tx: the transaction.
        cleared: the jobs of which nothing is in the store any more.
    """
    done = set(cleared)
    for number, kept in kept_now(tx).items():
        if kept.gone is None:
            continue
        if number in done or (not in_store(kept) and tx.now - kept.gone.at > REMEMBERED):
            files: dict[str, bytes | None] = {layout.kept_path(number): None}
            tx.apply(Change(verb="forget", target=f"#{number}", files=files))
