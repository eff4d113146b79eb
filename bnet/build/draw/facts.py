"""What a drawing shows, however it is drawn."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bnet.build.graph import Graph


class Node(NamedTuple):
    """A package in a drawing.

    Attributes:
        name: the package's.
        dependencies: names; those that are not drawn before this node are passed over.
        tier: how it was brought up to date, if it was.
        result: how that ended.
        seconds: how long it took.
    """

    name: str
    dependencies: tuple[str, ...] = ()
    tier: str | None = None
    result: str | None = None
    seconds: float | None = None

    @property
    def state(self) -> str | None:
        """The one word on how it is: its tier, or its result where that is not success."""
        return self.tier or self.result if self.result in (None, "success") else self.result


class Drawing(NamedTuple):
    """What is to be drawn.

    Attributes:
        nodes: dependencies first, each name once.
        title: what it is a drawing of.
        critical: the names of the chain that takes longest, from its beginning; may be empty.
    """

    nodes: tuple[Node, ...]
    title: str = ""
    critical: tuple[str, ...] = ()


def drawing_of(
    graph: Graph,
    names: Iterable[str] | None = None,
    *,
    title: str = "",
    tiers: Mapping[str, str | None] | None = None,
    results: Mapping[str, str | None] | None = None,
    seconds: Mapping[str, float | None] | None = None,
) -> Drawing:
    """Return the drawing of a graph, or of some of its packages.

    Args:
        graph: of a tree.
        names: which packages; otherwise all.
        title: what it is a drawing of.
        tiers, results, seconds: package -> what is known of its last build.
    """
    wanted = set(graph.order() if names is None else names)
    took = {name: each for name, each in (seconds or {}).items() if each is not None and name in wanted}
    nodes = tuple(
        Node(name, graph.needs(name), (tiers or {}).get(name), (results or {}).get(name), took.get(name))
        for name in graph.order()
        if name in wanted
    )
    critical = tuple(name for name in graph.critical_path(took) if name in wanted) if took else ()
    return Drawing(nodes, title, critical)


def edges_of(nodes: Sequence[Node]) -> list[list[int]]:
    """Return for each node the indices of what it depends on, of what is drawn before it."""
    index: dict[str, int] = {}
    found = []
    for at, node in enumerate(nodes):
        found.append(sorted({index[name] for name in node.dependencies if name in index}))
        index[node.name] = at
    return found


def levels_of(edges: Sequence[Sequence[int]]) -> list[int]:
    """Return for each node how many others at least are built one after the other before it."""
    levels: list[int] = []
    for needed in edges:
        levels.append(1 + max((levels[each] for each in needed), default=-1))
    return levels


def span(seconds: float) -> str:
    """Return a time for people: `0.04 s`, `3.2 s`, `2 min 5 s`, `1 h 1 min`."""
    if seconds < 9.95:
        return f"{seconds:.2f} s" if seconds < 0.095 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small, units = (whole // 60, whole % 60, ("min", "s"))
    if large >= 60:
        large, small, units = (large // 60, large % 60, ("h", "min"))
    return f"{large} {units[0]} {small} {units[1]}" if small else f"{large} {units[0]}"


def summary(drawing: Drawing) -> str:
    """Return one line on a drawing: how many packages, in which states, and the chain that takes longest."""
    count = len(drawing.nodes)
    told = [f"{count:,} package{'' if count == 1 else 's'}"]
    states = Counter(node.state for node in drawing.nodes if node.state)
    if states:
        told.append(", ".join(f"{many:,} {state}" for state, many in states.most_common()))
    if drawing.critical:
        seconds = {node.name: node.seconds or 0.0 for node in drawing.nodes}
        took = sum(seconds.get(name, 0.0) for name in drawing.critical)
        chain = drawing.critical
        named = " → ".join(chain if len(chain) <= 5 else (*chain[:2], "…", *chain[-2:]))
        told.append(f"longest chain {named} ({span(took)})")
    return " · ".join(told)
