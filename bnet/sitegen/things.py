"""The pages of things beside jobs and servers: cache, artifacts, deployments, schedules, sources, locks, deeds."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bnet.app.told.jobs import describe_locks
from bnet.app.told.releases import describe_environments
from bnet.app.told.schedules import describe as describe_schedules
from bnet.app.told.sources import describe_sources
from bnet.codec.addresses import shown
from bnet.sitegen import cache
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.rows import moment
from bnet.sitegen.tables import Cell, Section, job, mono, name, number, state, text, when
from bnet.sitegen.theme import Theme
from bnet.sitegen.words import clipped, size

MOST = 300  # rows of one list
LONGEST = 160  # characters of a cell


class Thing(NamedTuple):
    """A page: where it goes, its title, its lists."""

    path: str
    title: str
    sections: Sequence[Section]


def parts(facts: Facts, theme: Theme) -> Iterator[Part]:
    """Yield these pages."""
    for path, title, make in (
        ("cache.html", "Cache", cache.sections),
        ("artifacts.html", "Artifacts", artifacts),
        ("schedules.html", "Schedules", schedules),
        ("sources.html", "Sources", sources),
        ("deployments.html", "Deployments", deployments),
        ("locks.html", "Locks", locks),
        ("audit.html", "Audit", audit),
    ):
        yield theme.part(path, "things.html", facts, view=Thing(path, title, make(facts)))


def locks(facts: Facts) -> list[Section]:
    """Return the named locks that somebody holds or waits for."""
    rows = [
        [name(each["name"]), number(f"{len(each['holders'])} of {each['limit']}"), text(_clip(holder["by"])),
         job(holder["job"]), when(holder["at"]), text(_clip(holder["note"])),
         number(len(each["waiters"]) + len(each["jobs"]))]
        for each in describe_locks(facts.state)
        for holder in each["holders"] or [{"by": None, "job": None, "at": None, "note": None}]
    ]  # fmt: skip
    heads = ("Lock", "Held", "By", "Job", "Since", "For", "Wait")
    return [_section("Held and waited for", heads, rows, "Nobody holds a lock or waits for one.")]


def schedules(facts: Facts) -> list[Section]:
    """Return what comes by the clock."""
    rows = []
    for each in describe_schedules(facts.state, facts.now):
        coming = each["next"][0] if each["next"] else None
        kind = "paused" if each["paused"] is not None else "error" if each["trouble"] else "active"
        why = each["paused"] or (each["trouble"] or {}).get("reason", "")
        rows.append(
            [name(each["name"]), mono(each["cron"]), text(each["timezone"]), state(kind, _clip(why)),
             when(coming and coming["at"]), job(each["job"]), state(each["job_state"]),
             text(_clip(each["description"]))]
        )  # fmt: skip
    heads = ("Schedule", "Cron", "Time zone", "State", "Next", "Last job", "It was", "About")
    about = "What fires by the clock; a file under coordination/schedules/ is one."
    return [_section("Schedules", heads, rows, "There is no schedule.", about)]


def sources(facts: Facts) -> list[Section]:
    """Return the repositories whose commits become jobs."""
    rows = []
    for each in describe_sources(facts.state):
        obstacle = each["obstacle"] or each["undelivered"]
        kind = "paused" if each["paused"] is not None else "error" if obstacle else "active"
        rows.append(
            [name(each["name"]), mono(_clip(shown(each["repository"]))), text(_clip(" ".join(each["branches"]))),
             state(kind, _clip(each["paused"] or (obstacle or {}).get("reason", ""))),
             mono((each["commit"] or "")[:10]), job(each["job"]), state(each["job_state"])]
        )  # fmt: skip
    heads = ("Source", "Repository", "Branches", "State", "Last commit", "Job", "It was")
    return [_section("Sources", heads, rows, "No repository is watched.")]


def artifacts(facts: Facts) -> list[Section]:
    """Return what jobs left and what people share."""
    kept = sorted(facts.state.kept.values(), key=lambda each: -each.job)
    rows = [
        [job(each.job), name(each.name), state(each.result), number(sum(run.count for run in each.runs)),
         number(size(sum(run.size for run in each.runs))), when(each.at),
         text("kept" if each.gone is None else _clip(f"given up by {each.gone.by}: {each.gone.why}"))]
        for each in kept
    ]  # fmt: skip
    shared = [
        [
            name(each.name),
            mono(_clip(each.file)),
            number(size(each.size)),
            text(_clip(each.by)),
            when(each.at),
        ]
        for _, each in sorted(facts.state.shared.items())
    ]
    heads = ("Job", "Name", "Result", "Files", "Size", "When", "State")
    about = "bnet artifact get NUMBER fetches the files of a job, verified."
    return [
        _section("Of jobs", heads, rows, "No job has left anything.", about),
        _section("Shared by people", ("Name", "File", "Size", "By", "When"), shared, "Nobody shares a file."),
    ]


def deployments(facts: Facts) -> list[Section]:
    """Return what is deployed where, and the releases."""
    rows, past = [], []
    for each in describe_environments(facts.state):
        now = each["current"]
        doubt = "the last attempt failed" if each["unsure"] else ""
        rows.append(
            [name(each["environment"]), job(now and now["job"]), when(now and now["at"]),
             text(_clip(now and now["by"])), mono(((now and now["commit"]) or "")[:10]), text(doubt)]
        )  # fmt: skip
        past += [
            [text(each["environment"]), job(one["job"]), state(one["result"]), when(one["at"]),
             text(_clip(one["by"])), text(_clip(one.get("note")))]
            for one in each["history"]
        ]  # fmt: skip
    releases = [
        [name(each.name), when(each.at), text(_clip(each.by)), text(each.environment), mono((each.commit or "")[:10]),
         text(_clip(each.note))]
        for each in sorted(facts.state.releases.values(), key=lambda each: each.at, reverse=True)
    ]  # fmt: skip
    return [
        _section(
            "Environments",
            ("Environment", "Job", "Since", "By", "Commit", ""),
            rows,
            "There is no environment.",
        ),
        _section(
            "Releases", ("Release", "When", "By", "From", "Commit", "Note"), releases, "No run is kept."
        ),
        _section(
            "What was deployed", ("Environment", "Job", "Result", "When", "By", "Note"), past, "Nothing was."
        ),
    ]


def audit(facts: Facts) -> list[Section]:
    """Return who did what of late, by transaction."""
    known = {past.number for past in facts.past}
    rows = []
    for each in reversed(facts.events):
        target = (
            int(each.target)
            if each.target.isascii() and each.target.isdecimal() and len(each.target) < 16
            else -1
        )
        about = " ".join(
            f"{field}={value}" for field, value in each.fields.items() if field not in ("run", "token")
        )
        rows.append(
            [number(each.seq), when(moment(each.at)), text(_clip(each.actor)), name(each.verb),
             job(target) if target in known else text(_clip(each.target)), text(_clip(about)), mono(each.commit[:10])]
        )  # fmt: skip
    heads = ("No.", "When", "Who", "Did", "What", "How", "Commit")
    about = "The newest deeds of the ledger; git log tells them all, and bnet audit verify replays them by the rules."
    return [_section("Deeds", heads, rows, "Nothing has happened yet.", about)]


def _section(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], nothing: str, about: str = ""
) -> Section:
    left_out = max(0, len(rows) - MOST)
    return Section(
        title=title, heads=heads, rows=rows[:MOST], nothing=nothing, about=about, left_out=left_out
    )


def _clip(value: object) -> str:
    return clipped("" if value is None else str(value), LONGEST)
