"""What the caches spared the builds: day by day, by server, by package, by build."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from bnet.model.history import Past
from bnet.model.job import Job
from bnet.sitegen.charts import Bar, bars
from bnet.sitegen.facts import Facts
from bnet.sitegen.packages import CACHED, Found, builds_of, by_tree
from bnet.sitegen.rows import moment
from bnet.sitegen.tables import Section, job, name, number, state, text, when
from bnet.sitegen.words import clipped, size, span

MOST = 200
DAYS = 28
WINDOWS = (1, 7, DAYS)  # days


class Sum(msgspec.Struct):
    """What builds come to: packages, those of them whose commands did not run, seconds that this spared."""

    built: int = 0
    cached: int = 0
    saved: float = 0.0

    def add(self, past: Past) -> None:
        """Take in a job."""
        self.built += past.built
        self.cached += past.cached
        self.saved += past.saved

    @property
    def share(self) -> str:
        """Return which share did not run, in words."""
        return f"{100 * self.cached / self.built:.0f} %" if self.built else ""


def sections(facts: Facts) -> list[Section]:
    """Return all that is known of the caches."""
    built = [past for past in facts.past if past.built and past.finished is not None]
    builds = builds_of(facts)
    lately = span(facts.state.settings.retention.finished)
    return [_days(built, facts), _servers(built, facts), _packages(builds, lately), _builds(builds, lately)]


def _days(built: Sequence[Past], facts: Facts) -> Section:
    days: dict[date, Sum] = {}
    for past in built:
        days.setdefault(moment(past.finished or 0.0).date(), Sum()).add(past)
    last = max([facts.now.date(), *days])
    shown = [last - timedelta(days=age) for age in reversed(range(DAYS))]
    rows = [
        [name(str(day)), number(days[day].built), number(days[day].cached), number(days[day].share),
         number(span(days[day].saved or None))]
        for day in reversed(shown) if day in days
    ]  # fmt: skip
    heights = [Bar(day, days[day].built, days[day].cached) if day in days else Bar(day) for day in shown]
    return Section(
        title="Day by day",
        heads=("Day", "Packages", "Cached", "Share", "Saved"),
        rows=rows,
        nothing="No job has built packages lately: bnet submit --package NAME asks for one.",
        about=f"Packages that jobs brought up to date in the last {DAYS} days; darker, those whose commands "
        "did not have to run. Saved is what these took when they ran last.",
        picture=bars("Packages by day, and those of them from a cache", heights) if rows else None,
    )


def _servers(built: Sequence[Past], facts: Facts) -> Section:
    now = facts.now.timestamp()
    sums: dict[str, list[Sum]] = {}
    for past in built:
        if past.server is not None:
            found = sums.setdefault(past.server, [Sum() for _ in WINDOWS])
            for days, each in zip(WINDOWS, found, strict=True):
                if now - (past.finished or 0.0) < days * 86400:
                    each.add(past)
    for server in facts.state.servers:
        sums.setdefault(server, [Sum() for _ in WINDOWS])
    rows = []
    for server, found in sorted(sums.items()):
        beat = facts.beats.get(server)
        held = None if beat is None else beat.metrics.get("cache_bytes")
        rows.append(
            [name(clipped(server, 64)), number(size(held)), *(number(each.share) for each in found),
             number(found[-1].built or ""), number(span(found[-1].saved or None))]
        )  # fmt: skip
    shares = [f"Cached, {'1 day' if days == 1 else f'{days} days'}" for days in WINDOWS]
    return Section(
        title="By server",
        heads=("Server", "Cache holds", *shares, "Packages", "Saved"),
        rows=rows[:MOST],
        nothing="There is no server.",
        about="A server counts what its own cache holds once a day, after a build.",
        left_out=max(0, len(rows) - MOST),
    )


def _packages(builds: Sequence[Job], lately: str) -> Section:
    rows = []
    trees = by_tree(builds)
    for title, times in sorted(trees.items()):
        for package, found in sorted(times.items(), key=lambda each: -_saved(each[1])):
            tiers = Counter(one.built.tier for one in found if one.built.tier)
            cached = sum(tiers[tier] for tier in CACHED)
            rows.append(
                [name(clipped(package, 100)), text(clipped(title, 80)), number(len(found)),
                 number(f"{100 * cached / len(found):.0f} %"), number(span(_saved(found) or None)),
                 text(", ".join(f"{clipped(tier, 20)} {count}" for tier, count in tiers.most_common(6)))]
            )  # fmt: skip
    return Section(
        title="By package",
        heads=("Package", "Of", "Times", "Cached", "Saved", "Tiers"),
        rows=rows[:MOST],
        nothing="No package was built.",
        about=f"Of the builds that ended within {lately}.",
        left_out=max(0, len(rows) - MOST),
    )


def _saved(found: Sequence[Found]) -> float:
    return sum(one.built.saved for one in found)


def _builds(builds: Sequence[Job], lately: str) -> Section:
    rows = []
    for each in reversed(builds[-MOST:]):
        assert each.result is not None and each.result.build is not None
        told = each.result.build
        share = f"{100 * told.cached / told.total:.0f} %" if told.total else ""
        rows.append(
            [job(each.number), name(each.spec.name), state(each.result.result), number(told.total),
             number(told.cached), number(share), number(told.failed), number(span(told.seconds)),
             number(span(told.saved or None)), when(each.result.finished_at)]
        )  # fmt: skip
    heads = ("Job", "Name", "Result", "Packages", "Cached", "Share", "Failed", "Took", "Saved", "When")
    return Section(
        title="Builds",
        heads=heads,
        rows=rows,
        nothing="There was no build.",
        about=f"Those that ended within {lately}.",
        left_out=max(0, len(builds) - MOST),
    )
