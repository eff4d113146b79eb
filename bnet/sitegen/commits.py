"""Commits by job: what became of each commit of a branch, in a grid."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from bnet.model.history import Past
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.rows import job_path, moment
from bnet.sitegen.theme import Theme
from bnet.sitegen.words import SIGNS, clipped

MOST_LINES = 40  # branches that have a page, those with the newest jobs
MOST_COMMITS = 60  # of each: with sixteen columns, 150 kB
MOST_NAMES = 16
SHORT = 10  # digits of a commit


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job of a commit: of several, the newest, and how many there were."""

    kind: str
    number: int
    times: int

    @property
    def sign(self) -> str:
        """What stands in the cell."""
        return SIGNS.get(self.kind, "·")

    @property
    def href(self) -> str:
        """Where the page of the job is, from the root."""
        return job_path(self.number)


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A row: a commit, when its first job was submitted, by whom, and a cell for each column."""

    short: str
    at: datetime
    by: str
    cells: Sequence[Cell | None]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A branch of a repository: where its page is, how many commits were built, when last, and how that went."""

    path: str
    repository: str
    branch: str
    commits: int
    at: datetime
    kinds: Sequence[str]


def lines_of(facts: Facts) -> list[tuple[Line, list[Past]]]:
    """Return the branches of which commits were built, the newest first, each with its jobs."""
    found: dict[tuple[str, str], list[Past]] = {}
    for past in facts.past:
        if past.revision:
            found.setdefault((past.source, past.branch), []).append(past)
    lines = []
    for (repository, branch), jobs in found.items():
        digest = hashlib.blake2b(
            f"{repository}\0{branch}".encode("utf-8", "replace"), digest_size=5
        ).hexdigest()
        newest = max(jobs, key=lambda past: past.submitted)
        line = Line(
            path=f"commits/{digest}.html",
            repository=repository,
            branch=branch or "no branch",
            commits=len({past.revision for past in jobs}),
            at=moment(newest.submitted),
            kinds=[past.result or past.state for past in jobs if past.revision == newest.revision][
                :MOST_NAMES
            ],
        )
        lines.append((line, jobs))
    return sorted(lines, key=lambda each: each[0].at, reverse=True)[:MOST_LINES]


def parts(facts: Facts, theme: Theme, lines: Sequence[tuple[Line, list[Past]]]) -> Iterator[Part]:
    """Yield a page for each of these branches."""
    for line, jobs in lines:
        yield _part(facts, theme, line, jobs)


def _part(facts: Facts, theme: Theme, line: Line, jobs: Sequence[Past]) -> Part:
    names, commits = grid(jobs)
    digest = hashlib.blake2b(
        repr((line, names, commits)).encode("utf-8", "replace"), digest_size=12
    ).hexdigest()

    def render(_: Mapping[str, bytes]) -> Mapping[str, str]:
        network = facts.state.settings.name
        shown = {"line": line, "names": names, "commits": commits, "here": "history.html"}
        return {line.path: theme.render("commits.html", line.path, network, **shown)}

    return Part(name=line.path, render=render, key=f"{theme.version}:{digest}")


def grid(jobs: Sequence[Past]) -> tuple[list[str], list[Commit]]:
    """Return the columns, the commonest names, and the rows, the newest commits first."""
    rows: dict[str, list[Past]] = {}
    for past in sorted(jobs, key=lambda past: past.number):
        rows.setdefault(past.revision, []).append(past)
    # A commit is as old as its first job: asking again does not make it newer.
    newest = sorted(rows.values(), key=lambda row: -row[0].submitted)[:MOST_COMMITS]
    common = Counter(name for row in newest for name in {past.name for past in row})
    names = sorted(sorted(common), key=lambda name: -common[name])[:MOST_NAMES]
    commits = [
        Commit(
            short=clipped(row[0].revision, SHORT + 1).removesuffix("…"),
            at=moment(row[0].submitted),
            by=row[0].submitted_by,
            cells=[_cell([past for past in row if past.name == name]) for name in names],
        )
        for row in newest
    ]
    return names, commits


def _cell(runs: Sequence[Past]) -> Cell | None:
    if not runs:
        return None
    return Cell(kind=runs[-1].result or runs[-1].state, number=runs[-1].number, times=len(runs))
