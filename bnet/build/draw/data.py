"""A graph as data, for programs."""

import msgspec

from bnet.build.draw.facts import Drawing, edges_of, levels_of


class Package(msgspec.Struct, frozen=True):
    """A package: its neighbours, how many have to be built before it one after the other, and its last build."""

    name: str
    dependencies: list[str]
    dependents: list[str]
    level: int
    tier: str | None
    result: str | None
    seconds: float | None


class Graph(msgspec.Struct, frozen=True):
    """All packages, dependencies first, and the chain that takes longest."""

    packages: list[Package]
    critical_path: list[str]


def described(drawing: Drawing) -> Graph:
    """Return a drawing as data."""
    edges = edges_of(drawing.nodes)
    users: list[list[str]] = [[] for _ in edges]
    for node, needed in zip(drawing.nodes, edges, strict=True):
        for each in needed:
            users[each].append(node.name)
    packages = [
        Package(
            node.name,
            [drawing.nodes[each].name for each in needed],
            users[at],
            level,
            node.tier,
            node.result,
            node.seconds,
        )
        for at, (node, needed, level) in enumerate(zip(drawing.nodes, edges, levels_of(edges), strict=True))
    ]
    return Graph(packages, list(drawing.critical))


def render(drawing: Drawing) -> str:
    """Return a drawing as JSON, with a line end."""
    return msgspec.json.format(msgspec.json.encode(described(drawing)), indent=2).decode() + "\n"
