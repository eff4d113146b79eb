"""One page of each kind of the showcase: for pictures, and for whatever is to hold of every page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# What is folded up is to be looked at as well.
OPEN = "for (const each of document.querySelectorAll('details.acts')) each.open = true"


def kinds(site: Path) -> Mapping[str, Path]:
    """Return one page of each kind, by a name for it."""
    jobs = sorted(
        site.glob("jobs/0*/[0-9]*.html"), key=lambda each: int(each.name.partition(".")[0].split("-")[0])
    )
    own = [each for each in jobs if "-" not in each.name]
    return {
        **{each.stem: each for each in sorted(site.glob("*.html"))},
        "jobs": site / "jobs" / "index.html",
        "search": site / "jobs" / "search.html",
        "day": sorted(site.glob("jobs/days/*.html"))[-2],
        "job-that-failed": [each for each in own if "t-failure" in each.read_text()][-1],
        "job-that-waits": own[-4],
        "job-to-approve": next(each for each in reversed(own) if "Disapprove" in each.read_text()),
        "job-that-runs": next(each for each in own if "with its whole process tree" in each.read_text()),
        "log": next(each for each in jobs if each.name.endswith("-1.html")),
        "server": site / "servers" / "dune.html",
        "year": sorted(site.glob("history/*.html"))[-1],
        "commits": max(site.glob("commits/*.html"), key=lambda each: each.stat().st_size),
        "report": next(site.glob("reports/weekly/*.html")),
    }
