"""A graph in the language of Graphviz (graphviz.org/doc/info/lang.html); arrows lead to what is built later."""

from itertools import pairwise

from bnet.build.draw.facts import Drawing, Node, edges_of, span
from bnet.build.draw.theme import colour_of


def render(drawing: Drawing) -> str:
    """Return a drawing for `dot`."""
    critical = set(pairwise(drawing.critical))
    lines = [
        "digraph bnet {",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif"];',
    ]
    if drawing.title:
        lines.append(f"  label={_quoted(drawing.title)}; labelloc=t;")
    for node in drawing.nodes:
        lines.append(f"  {_quoted(node.name)} [{_attributes(node)}];")
    for node, needed in zip(drawing.nodes, edges_of(drawing.nodes), strict=True):
        for each in needed:
            name = drawing.nodes[each].name
            bold = " [penwidth=2.5]" if (name, node.name) in critical else ""
            lines.append(f"  {_quoted(name)} -> {_quoted(node.name)}{bold};")
    return "\n".join([*lines, "}"]) + "\n"


def _attributes(node: Node) -> str:
    told = [node.state or "", "" if node.seconds is None else span(node.seconds)]
    second = ", ".join(each for each in told if each)
    label = _quoted(node.name)[:-1] + (r"\n" + _quoted(second)[1:-1] if second else "") + '"'
    return f"label={label}" + (f', color="{colour_of(node.state)}"' if node.state else "")


def _quoted(text: str) -> str:
    # In a label a backslash would begin an escape, so it is doubled there and in names alike.
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\0", " ") + '"'
