"""Commits by job: rows, columns, and what stands where they meet."""

from __future__ import annotations

from datetime import UTC, datetime

from bnet.model.history import Past
from bnet.model.hub import FORMAT, Head
from bnet.model.job import BuildReport, Built, Job, JobResult, JobSpec, Source
from bnet.model.state import State
from bnet.rules.past import past_of
from bnet.sitegen.commits import MOST_COMMITS, MOST_NAMES, grid, lines_of
from bnet.sitegen.facts import Facts

AT = datetime(2026, 11, 20, tzinfo=UTC)


def past(number: int, name: str, commit: str, result: str | None = "success", **more: object) -> Past:
    fields = {
        "key": number,
        "number": number,
        "name": name,
        "queue": "default",
        "state": "finished" if result else "running",
        "result": result,
        "reason": None,
        "server": None,
        "submitted_by": "ann",
        "submitted": float(number),
        "finished": None,
        "seconds": None,
        "exit_code": None,
        "attempts": 1,
        "labels": "",
        "packages": "",
        "revision": commit,
        "branch": "main",
        "source": "r",
    }
    return Past(**(fields | more))


def signs(jobs: list[Past]) -> tuple[list[str], dict[str, list[str]]]:
    names, rows = grid(jobs)
    return names, {
        row.short: [f"{each.kind} #{each.number} {each.times}" if each else "" for each in row.cells]
        for row in rows
    }


def test_the_newest_run_of_a_commit_stands_in_its_cell() -> None:
    jobs = [
        past(1, "unit", "aa"),
        past(2, "lint", "aa"),
        past(3, "unit", "bb", None),
        past(9, "unit", "aa", "failure"),
    ]
    assert signs(jobs) == (
        ["unit", "lint"],
        {"bb": ["running #3 1", ""], "aa": ["failure #9 2", "success #2 1"]},
    )


def test_asking_again_makes_no_commit_newer_and_the_grid_is_bounded() -> None:
    jobs = [past(at, f"n{at}", f"{at:04}") for at in range(1, 100)] + [past(200, "n1", "0001")]
    names, rows = grid(jobs)
    assert (len(names), len(rows)) == (MOST_NAMES, MOST_COMMITS)
    assert rows[0].short == "0099"


def test_a_branch_of_each_repository_has_a_page_of_its_own() -> None:
    jobs = [past(1, "unit", "aa"), past(2, "unit", "aa", source="s"), past(3, "unit", "", source="s")]
    jobs.append(past(4, "unit", "cc", branch="next"))
    facts = Facts(state=State(tip="t", head=Head(format=FORMAT, hub="h")), hub="h", now=AT, past=jobs)
    lines = [line for line, _ in lines_of(facts)]
    assert [(line.repository, line.branch) for line in lines] == [("r", "next"), ("s", "main"), ("r", "main")]
    assert len({line.path for line in lines}) == 3


def test_a_search_of_the_past_knows_the_commit_and_what_the_cache_spared() -> None:
    build = BuildReport(total=3, cached=2, saved=7.5, packages=(Built(name="core"),))
    source = Source(repository="https://ann:secret@example.org/r.git", ref="refs/heads/main", commit="c0")
    spec = JobSpec(number=1, name="n", submitted_by="a", submitted_at=AT, source=source)
    found = past_of(
        Job(spec=spec, result=JobResult(result="success", reason="exit", finished_at=AT, build=build))
    )
    assert (found.source, found.branch, found.revision) == ("https://***@example.org/r.git", "main", "c0")
    assert (found.built, found.cached, found.saved, found.packages) == (3, 2, 7.5, "\ncore\n")
