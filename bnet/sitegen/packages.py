"""The packages of the trees that were built of late: what depends on what, and how each was brought up to date."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median

import msgspec
from markupsafe import Markup

from bnet.build.draw import svg
from bnet.build.draw.facts import Drawing, Node, summary
from bnet.codec.addresses import shown
from bnet.model.job import Built, Job
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.rows import job_path
from bnet.sitegen.theme import Theme
from bnet.sitegen.words import clipped, span

PATH = "packages.html"
MOST = 150  # packages of all trees together
MOST_TREES = 20
LARGEST = 100_000  # bytes of pictures that the page has room for
LONGEST = 100  # characters of a name
CACHED = ("instant", "fresh", "local", "remote")  # tiers in which the command was not run


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a package was brought up to date, or could not be: by which job, when, and how."""

    job: int
    at: datetime
    built: Built


Times = Mapping[str, Sequence[Found]]  # package -> its times, the newest last


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A package as a line of a list; `anchor` is its place on the page."""

    anchor: str
    name: str
    last: Built
    job: int
    at: datetime
    times: int
    cached: float
    typical: str
    needs: Sequence[str]

    @property
    def href(self) -> str:
        """Where the page of the job is that built it last, from the root."""
        return job_path(self.job)


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A source tree: what it is called, its packages, the picture of them, and where that is as a file."""

    title: str
    rows: Sequence[Row]
    left_out: int
    told: str
    picture: Markup
    file: str


def builds_of(facts: Facts) -> list[Job]:
    """Return the jobs in the ledger that have built packages, in the order of their numbers."""
    return [
        each for _, each in sorted(facts.state.jobs.items()) if each.result is not None and each.result.build
    ]


def parts(facts: Facts, theme: Theme) -> Iterator[Part]:
    """Yield the page of the packages, and each picture as a file."""
    trees, drawings = list[Tree](), dict[str, Drawing]()
    room, left = MOST, LARGEST
    for at, (title, times) in enumerate(sorted(by_tree(builds_of(facts)).items())[:MOST_TREES], 1):
        names = sorted(times)[:room]
        room -= len(names)
        rows = [_row(name, times[name], f"p{at}-{place}") for place, name in enumerate(names)]
        drawing = drawing_of(title, {name: times[name] for name in names})
        picture = svg.part_of_page(drawing, {row.name: f"#{row.anchor}" for row in rows})
        file = f"packages/{at}.svg"
        drawings[file] = drawing
        fits = bool(names) and len(picture.encode()) <= left
        left -= len(picture.encode()) if fits else 0
        trees.append(
            Tree(
                title=clipped(title, LONGEST),
                rows=rows,
                left_out=len(times) - len(names),
                told=summary(drawing),
                picture=Markup(picture) if fits else Markup(),  # each text in it was escaped
                file=file,
            )
        )
    lately = span(facts.state.settings.retention.finished)
    yield theme.part(PATH, "packages.html", facts, view=trees, lately=lately)
    for file, drawing in drawings.items():
        yield _picture(file, drawing, theme)


def _picture(file: str, drawing: Drawing, theme: Theme) -> Part:
    digest = hashlib.blake2b(repr(drawing).encode("utf-8", "replace"), digest_size=12).hexdigest()
    return Part(name=file, render=lambda _: {file: svg.render(drawing)}, key=f"{theme.version}:{digest}")


def by_tree(builds: Sequence[Job]) -> dict[str, dict[str, list[Found]]]:
    """Return what was built of each source tree, by the tree's address and the package's name."""
    found: dict[str, dict[str, list[Found]]] = {}
    for each in builds:
        assert each.result is not None and each.result.build is not None
        source = each.spec.source
        tree = found.setdefault(shown((source and source.repository) or "working trees"), {})
        for built in each.result.build.packages:
            one = Found(job=each.number, at=each.result.finished_at, built=built)
            tree.setdefault(built.name, []).append(one)
    return found


def _row(name: str, times: Sequence[Found], anchor: str) -> Row:
    last = times[-1]
    ran = [one.built.seconds for one in times if one.built.tier not in CACHED and one.built.tier]
    return Row(
        anchor=anchor,
        name=name,
        last=last.built,
        job=last.job,
        at=last.at,
        times=len(times),
        cached=sum(one.built.tier in CACHED for one in times) / len(times),
        typical=span(median(ran)) if ran else "",
        needs=last.built.needs,
    )


def drawing_of(title: str, times: Times) -> Drawing:
    """Return what is to be drawn of a tree: of each package the last time, and how long its command took then."""
    last = {name: found[-1].built for name, found in times.items()}
    took = {name: _seconds(found) for name, found in times.items()}
    nodes = tuple(
        Node(name, last[name].needs, last[name].tier, last[name].result, took[name]) for name in _order(last)
    )
    return Drawing(nodes, title, tuple(_longest(nodes)))


def _seconds(found: Sequence[Found]) -> float | None:
    """Return how long a package's command took when it ran last; None if it never did lately."""
    ran = [one.built.seconds for one in found if one.built.tier not in CACHED and one.built.tier]
    return ran[-1] if ran else None


def _order(last: Mapping[str, Built]) -> list[str]:
    """Return packages after what they need; two builds may disagree so that there is a circle: it is cut."""
    done: dict[str, None] = {}
    begun: set[str] = set()
    for name in sorted(last):
        stack = [(name, False)]
        while stack:
            at, leaving = stack.pop()
            if leaving:
                done[at] = None
            elif at not in begun:
                begun.add(at)
                stack.append((at, True))
                stack += [(each, False) for each in sorted(last[at].needs, reverse=True) if each in last]
    return list(done)


def _longest(nodes: Sequence[Node]) -> list[str]:
    """Return the chain of packages whose commands take longest one after another."""
    best: dict[str, float] = {}
    before: dict[str, str] = {}
    for node in nodes:
        needed = max((each for each in node.dependencies if each in best), key=best.__getitem__, default=None)
        best[node.name] = (node.seconds or 0.0) + (0.0 if needed is None else best[needed])
        if needed is not None:
            before[node.name] = needed
    if not any(best.values()):
        return []
    chain = [max(best, key=best.__getitem__)]
    while chain[-1] in before:
        chain.append(before[chain[-1]])
    return chain[::-1]
