"""A graph as text: one line a package, those that can be built at the same time together."""

from bnet.build.draw.facts import Drawing, Node, edges_of, levels_of, span, summary


def render(drawing: Drawing, *, width: int = 100) -> str:
    """Return a drawing as lines of text, each with a line end.

    Args:
        drawing: what to draw.
        width: columns at most, where names allow it.
    """
    if not drawing.nodes:
        return "no packages\n"
    levels = levels_of(edges_of(drawing.nodes))
    order = sorted(range(len(levels)), key=lambda at: (levels[at], at))
    number = len(str(max(levels) + 1))
    name = max(len(node.name) for node in drawing.nodes)
    state = max(len(_state(node)) for node in drawing.nodes)
    lines = [summary(drawing), ""]
    before = -1
    for at in order:
        node, level = drawing.nodes[at], levels[at]
        head = str(level + 1) if level != before else ""
        before = level
        line = f"{head:>{number}}  {node.name:<{name}}"
        if state:
            line += f"  {_state(node):<{state}}"
        lines.append((line + _needs(node, width - len(line))).rstrip())
    return "".join(f"{_shown(line)}\n" for line in lines)


def _state(node: Node) -> str:
    told = [node.state or "", "" if node.seconds is None else span(node.seconds)]
    return " ".join(each for each in told if each)


def _needs(node: Node, room: int) -> str:
    """Return what a node depends on, as much of it as there is room for."""
    names = node.dependencies
    if not names:
        return ""
    for count in range(len(names), 0, -1):
        more = len(names) - count
        told = f"  <- {', '.join(names[:count])}" + (f" and {more} more" if more else "")
        if len(told) <= room:
            return told
    return f"  <- {len(names)} packages" if len(names) > 1 else f"  <- {names[0]}"


def _shown(line: str) -> str:
    # A name from elsewhere must not move the cursor.
    return "".join(sign if sign.isprintable() else "�" for sign in line)
