"""A graph as a picture that needs no program to draw it: columns from left to right, in the order of the build."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise

from bnet.build.draw.facts import Drawing, Node, edges_of, span, summary
from bnet.build.draw.layers import Layout, lay_out
from bnet.build.draw.theme import kind_of, style

LETTER = 8.9  # pixels that a letter of a name takes at most, on average
SMALL = 7.0  # the same, of what stands below it
LONGEST = 34  # letters of a name; the middle of a longer one is left out, and its tooltip has it
GAP = 44  # pixels between columns,
ROOM = 2.5  # more for each edge between them,
WIDEST = 150  # but no more than these
EDGE = 20  # around everything
HEAD = 62  # for the title


class _Frame:
    """Pixels of a layout, below a head."""

    def __init__(self, drawing: Drawing, layout: Layout, head: int = HEAD) -> None:
        self.head = head
        self.height = 40 if any(_second(node) for node in drawing.nodes) else 28
        self.pitch = self.height + 14
        self.across = 0.0
        self.across = 0.0
        self.widths = [0.0] * layout.columns
        for node, column in zip(drawing.nodes, layout.column, strict=True):
            self.widths[column] = max(self.widths[column], _width(node))
        between = [0] * layout.columns
        for one, two, _ in layout.edges:
            for column in range(layout.column[one], layout.column[two]):
                between[column] += 1
        self.lefts = [float(EDGE)]
        for width, edges in zip(self.widths, between, strict=True):
            self.across = self.lefts[-1] + width + EDGE
            self.lefts.append(self.lefts[-1] + width + min(WIDEST, GAP + ROOM * edges))
        self.layout = layout

    def middle(self, row: float) -> float:
        """Return the height of a row's middle."""
        return self.head + EDGE + row * self.pitch + self.height / 2

    @property
    def down(self) -> float:
        """Return the height of the picture."""
        return self.head + 2 * EDGE + max(0.0, self.layout.rows * self.pitch - 14)

    def right(self, column: int) -> float:
        """Return where a column ends."""
        return self.lefts[column] + self.widths[column]


def render(drawing: Drawing) -> str:
    """Return a drawing as SVG, to be a file of its own or part of a page.

    Edges that follow from others are left out: who needs what needs a third thing needs that, too.
    """
    layout = lay_out(edges_of(drawing.nodes))
    frame = _Frame(drawing, layout)
    title, about = drawing.title or "Packages", summary(drawing)
    across = max(
        frame.lefts[-1] - GAP + EDGE, 2 * EDGE + 10.5 * len(title), 2 * EDGE + SMALL * len(about), 240
    )
    down = frame.down
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bnet-graph" role="img" '
        f'aria-label="{_safe(f"{title}: {about}")}" '
        f'width="{across:.0f}" height="{down:.0f}" viewBox="0 0 {across:.0f} {down:.0f}">',
        f"<title>{_safe(title)}</title>",
        f"<style>{style()}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
        f'<text class="title" x="{EDGE}" y="34">{_safe(title)}</text>',
        f'<text class="about" x="{EDGE}" y="56">{_safe(about)}</text>',
        *_edges(drawing, frame),
        *(_box(node, at, frame, node.name in drawing.critical) for at, node in enumerate(drawing.nodes)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def part_of_page(drawing: Drawing, links: Mapping[str, str]) -> str:
    """Return a drawing without words of its own, whose boxes are links, and which the page's style sheet dresses.

    Boxes are `a.node` in the order of the drawing; an edge says in `data-ends` which two it joins.

    Args:
        drawing: what is to be drawn.
        links: package -> where its box leads.
    """
    layout = lay_out(edges_of(drawing.nodes))
    frame = _Frame(drawing, layout, head=0)
    across, down = frame.lefts[-1] - GAP + EDGE, frame.down
    boxes = (
        f'<a class="node" href="{_safe(links[node.name])}">{_box(node, at, frame, node.name in drawing.critical)}</a>'
        for at, node in enumerate(drawing.nodes)
    )
    head = (
        f'<svg class="bnet-graph" role="group" aria-label="{_safe(summary(drawing))}" '
        f'width="{across:.0f}" height="{down:.0f}" viewBox="0 0 {across:.0f} {down:.0f}">'
    )
    return "\n".join([head, *_edges(drawing, frame), *boxes, "</svg>"])


def _edges(drawing: Drawing, frame: _Frame) -> list[str]:
    hot = set(pairwise(drawing.critical))
    found = []
    for one, two, between in frame.layout.edges:
        name = (drawing.nodes[one].name, drawing.nodes[two].name)
        found.append((name in hot, _edge(one, two, between, frame, "hot " if name in hot else "")))
    return [line for _, line in sorted(found)]  # what matters is drawn last, on top


def _edge(one: int, two: int, between: list[float], frame: _Frame, kind: str) -> str:
    layout = frame.layout
    column = layout.column[one]
    x, y = frame.right(column), frame.middle(layout.row[one])
    path = f"M{x:.1f} {y:.1f}"
    for row in [*between, layout.row[two]]:
        column += 1
        left, level = frame.lefts[column], frame.middle(row)
        end = left - 6 if column == layout.column[two] else left
        bend = (end - x) / 2
        path += f"C{x + bend:.1f} {y:.1f} {end - bend:.1f} {level:.1f} {end:.1f} {level:.1f}"
        x, y = frame.right(column), level
        if column != layout.column[two]:
            path += f"H{x:.1f}"
    tip = f"M{frame.lefts[column]:.1f} {y:.1f}l-7 -3.5v7z"
    ends = f'data-ends="{one} {two}"'
    return f'<path class="{kind}edge" {ends} d="{path}"/><path class="{kind}tip" {ends} d="{tip}"/>'


def _box(node: Node, at: int, frame: _Frame, hot: bool) -> str:
    column, second = frame.layout.column[at], _second(node)
    x, width = frame.lefts[column], frame.widths[column]
    y = frame.middle(frame.layout.row[at]) - frame.height / 2
    baseline = y + (17 if second else frame.height / 2 + 4.5)
    told = f"{node.name}: {second}" if second else node.name
    needed = f"\nneeds {', '.join(node.dependencies)}" if node.dependencies else ""
    return (
        f"<g><title>{_safe(told + needed)}</title>"
        f'<rect class="{"hot " if hot else ""}box" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{frame.height}" rx="5"/>'
        f'<rect class="is-{kind_of(node.state)}" x="{x + 4:.1f}" y="{y + 5:.1f}" width="4" '
        f'height="{frame.height - 10}" rx="2"/>'
        f'<text class="name" x="{x + 15:.1f}" y="{baseline:.1f}">{_safe(_short(node.name))}</text>'
        + (f'<text class="state" x="{x + 15:.1f}" y="{y + 32:.1f}">{_safe(second)}</text>' if second else "")
        + "</g>"
    )


def _second(node: Node) -> str:
    told = [node.state or "", "" if node.seconds is None else span(node.seconds)]
    return " · ".join(each for each in told if each)


def _width(node: Node) -> float:
    return max(LETTER * len(_short(node.name)), SMALL * len(_second(node)), 30) + 27


def _short(name: str) -> str:
    half = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"


def _safe(text: str) -> str:
    """Escape a text; what XML 1.0 cannot hold at all becomes a sign of that."""
    held = (sign if sign in "\n\t" or (sign >= " " and sign.isprintable()) else "�" for sign in text)
    return escape("".join(held))
