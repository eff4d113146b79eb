"""No page is larger than it may be, whatever its names are and however many there are of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from bnet import scaffold
from bnet.codec.documents import encode
from bnet.model.hub import FORMAT, Head
from bnet.model.job import BuildReport, Built, Job, JobResult, JobSpec, Source
from bnet.model.rollup import Hour, Hours, Spread
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules.past import past_of
from bnet.sitegen import commits, history, packages, resources
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import LIMIT
from bnet.sitegen.site import parts
from bnet.wiring.site import theme_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
THEME = theme_of(Path(scaffold.root()) / "site")
LONG = "&" * 60


@pytest.fixture(scope="module")
def facts() -> Facts:
    """Return a network of long names that a browser is sent as five times as many letters."""
    jobs = {}
    for number in range(1, 701):
        built = tuple(
            Built(
                name=f"{number}.{at}{LONG}",
                tier="full",
                needs=tuple(f"{number}.{each}{LONG}" for each in range(at)),
            )
            for at in range(5)
        )
        spec = JobSpec(
            number=number,
            name=f"{'n' * 60}{number % 150}",
            submitted_by=LONG,
            submitted_at=NOW,
            source=Source(repository=LONG, ref=f"{LONG}{number % 2}", commit=f"{number // 7:040}"),
        )
        result = JobResult(
            result="failure",
            reason=LONG,
            finished_at=NOW,
            server="s",
            build=BuildReport(total=5, cached=0, packages=built),
        )
        jobs[number] = Job(spec=spec, result=result)
    servers = {"s": Server(name="s", instance="i", joined_at=NOW)}
    state = State(tip="t", head=Head(format=FORMAT, hub="h"), jobs=jobs, servers=servers)
    return Facts(
        state=state, hub="h", now=NOW, past=[past_of(job) for job in jobs.values()], days={"s": {"d": "d"}}
    )


def test_pages_of_lists_and_pictures_stay_within_the_limit(facts: Facts) -> None:
    lines = commits.lines_of(facts)
    made = [*packages.parts(facts, THEME), *commits.parts(facts, THEME, lines)]
    made += history.parts(facts, THEME, {}, [line for line, _ in lines])
    made += [part for part in parts(facts, THEME) if part.name == "cache.html"]
    pages = {path: text for part in made for path, text in part.render({}).items() if path.endswith(".html")}
    assert {"packages.html", "cache.html", "history.html"} < set(pages)
    assert {path: len(text.encode()) for path, text in pages.items() if len(text.encode()) >= LIMIT} == {}


def test_so_does_a_server_that_has_told_of_each_hour(facts: Facts) -> None:
    told = Spread(mean=1234.567, most=99999.999)
    hours = tuple(
        Hour(
            hour=NOW - timedelta(hours=at), cpu=told, memory=told, load=told, network=told, runs=told,
            disk={f"{LONG}{disk}": told for disk in range(20)},
        )
        for at in range(400)
    )  # fmt: skip
    [part] = resources.parts(replace(facts, days={"s": {"d": "d"}}), THEME)
    [page] = part.render({"d": encode(Hours(hours=hours))}).values()
    assert len(page.encode()) < LIMIT
