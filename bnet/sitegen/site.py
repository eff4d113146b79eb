"""All pages of a network."""

from collections.abc import Iterator

from bnet.sitegen import (
    commits,
    history,
    job,
    jobs,
    messages,
    overview,
    packages,
    reports,
    resources,
    search,
    servers,
    things,
)
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.theme import Theme


def parts(facts: Facts, theme: Theme) -> Iterator[Part]:
    """Yield all of a network's site, the assets and the sign of life included."""
    yield theme.assets()
    built = f'window.bnetBuilt = "{facts.now:%Y-%m-%dT%H:%M:%SZ}";\nwindow.bnetEvery = {facts.every};\n'
    yield Part(name="built.js", render=lambda _: {"built.js": built})
    # GitHub makes pages of a branch with Jekyll, unless a file of this name is there.
    yield Part(name=".nojekyll", key=theme.version, render=lambda _: {".nojekyll": ""})
    at, days = overview.present(facts), jobs.by_day(facts)
    yield theme.part("index.html", "overview.html", facts, view=overview.view(facts, at))
    yield servers.part(facts, theme, at)
    yield from resources.parts(facts, theme)
    yield messages.part(facts, theme)
    yield from packages.parts(facts, theme)
    yield from things.parts(facts, theme)
    lines = commits.lines_of(facts)
    yield from history.parts(facts, theme, days, [line for line, _ in lines])
    yield from commits.parts(facts, theme, lines)
    yield from reports.parts(facts, theme)
    yield jobs.index_part(facts, theme, at, days)
    yield from jobs.day_parts(facts, theme, days)
    yield from search.parts(facts, theme)
    yield from job.parts(facts, theme)
