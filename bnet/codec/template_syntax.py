"""What may stand in a template: what is not known to be harmless is refused before it runs.

Jinja2's sandbox alone has been left more than once, by way of attributes and calls (CVE-2016-10745, CVE-2019-10906,
CVE-2024-56326, CVE-2025-27516). Here are no attributes but those of `loop`, and no calls but that of `range`.
"""

from collections.abc import Iterator, Set

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from bnet.codec.people import nearest

DEEPEST = 40  # nodes of the syntax in each other; Python stops at some 90 brackets and 20 loops
DEEPEST_LOOP = 5
MOST_NODES = 10_000  # of a file: what each turn of a loop around all of them may cost

FILTERS = ("yaml", "shell", "identifier", "join", "upper", "lower")
_LOOP = {"index", "index0", "first", "last", "length", "previtem", "nextitem"}
_PLAIN = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Add,
    nodes.Sub,
    nodes.Concat,
    nodes.List,
    nodes.Tuple,
)
_WORDS: dict[type[nodes.Node], str] = {
    nodes.Call: "a call of a function",
    nodes.Getattr: "an attribute",
    nodes.Getitem: "an item of something",
    nodes.Mul: "a multiplication",
    nodes.Pow: "a power",
    nodes.Mod: "a %",
    nodes.Macro: "a macro",
    nodes.Import: "an import",
    nodes.FromImport: "an import",
    nodes.Extends: "extends",
    nodes.Block: "a block",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.Test: "a test with `is`",
}


class Unwanted(Exception):
    """Something stands in a template that may not."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def check(node: nodes.Node, names: Set[str], depth: int = 0, loops: int = 0) -> None:
    """Refuse what is not known to be harmless, and names that stand for nothing.

    Args:
        node: a template, or a part of one.
        names: what a place may be filled in with there.
        depth: in how many parts this one is.
        loops: in how many loops.

    Raises:
        Unwanted: something may not stand there.
    """
    if depth > DEEPEST:
        raise Unwanted("is nested too deeply", node.lineno)
    if isinstance(node, nodes.For):
        _check_loop(node, names, depth, loops)
        return
    inner = node.iter_child_nodes()
    if isinstance(node, nodes.Name):
        _check_name(node, names)
    elif isinstance(node, nodes.Filter):
        _check_filter(node)
    elif isinstance(node, nodes.Include):
        _check_include(node)
    elif isinstance(node, nodes.Getattr):
        _check_attribute(node, names)
        return
    elif isinstance(node, nodes.Call):
        _check_call(node)
        inner = iter(node.args)
    elif not isinstance(node, _PLAIN):
        what = _WORDS.get(type(node), f"a {type(node).__name__.lower()}")
        raise Unwanted(f"has {what}, which templates do without", node.lineno)
    for each in inner:
        check(each, names, depth + 1, loops)


def _check_name(node: nodes.Name, names: Set[str]) -> None:
    if node.name in ("range", "loop"):
        example = "range(3)" if node.name == "range" else "loop.index"
        raise Unwanted(f"names {node.name} without saying what of it; write {example}", node.lineno)
    if node.name not in names:
        known = sorted(names - {"loop"})
        there = nearest(node.name, known) if known else "; the template has none"
        raise Unwanted(f"there is no parameter {node.name}{there}", node.lineno)


def _check_filter(node: nodes.Filter) -> None:
    if node.name not in FILTERS:
        raise Unwanted(f"there is no filter {node.name}{nearest(node.name, list(FILTERS))}", node.lineno)
    if node.kwargs or node.dyn_args or node.dyn_kwargs or node.node is None:
        raise Unwanted(f"the filter {node.name} is used in a way that templates do without", node.lineno)


def _check_attribute(node: nodes.Getattr, names: Set[str]) -> None:
    of_loop = isinstance(node.node, nodes.Name) and node.node.name == "loop" and "loop" in names
    if not of_loop or node.attr not in _LOOP:
        raise Unwanted(f"has an attribute, .{node.attr}, which means nothing here", node.lineno)


def _check_call(node: nodes.Call) -> None:
    plain = not (node.kwargs or node.dyn_args or node.dyn_kwargs)
    if not plain or not isinstance(node.node, nodes.Name) or node.node.name != "range":
        raise Unwanted("calls a function; there is none but range", node.lineno)


def _check_loop(node: nodes.For, names: Set[str], depth: int, loops: int) -> None:
    if loops == DEEPEST_LOOP:
        raise Unwanted(f"has more than {DEEPEST_LOOP} loops in each other", node.lineno)
    if node.recursive:
        raise Unwanted("has a recursive loop, which templates do without", node.lineno)
    if not isinstance(node.target, nodes.Name):
        raise Unwanted("has a loop with several names; one goes over a list", node.lineno)
    check(node.iter, names, depth + 1, loops)
    inner = names | {node.target.name, "loop"}
    for each in [*node.body, *([node.test] if node.test else [])]:
        check(each, inner, depth + 1, loops + 1)
    for each in node.else_:
        check(each, names, depth + 1, loops)


def _check_include(node: nodes.Include) -> None:
    if not isinstance(node.template, nodes.Const) or not isinstance(node.template.value, str):
        raise Unwanted("includes what is only known later; write the file's name in quotes", node.lineno)
    if node.ignore_missing or not node.with_context:
        raise Unwanted("include takes a name and nothing else", node.lineno)


def bound(tree: nodes.Template) -> None:
    """Let each turn of a loop, each include, and the size of each value that is used be counted.

    Raises:
        Unwanted: too much stands in there.
    """
    if sum(1 for _ in tree.find_all(nodes.Node)) > MOST_NODES:
        raise Unwanted(f"has more than {MOST_NODES:,} places, conditions and texts between them", 1)
    _Counting().visit(tree)


class _Counting(NodeTransformer):
    # Whatever a template makes is made of names: a text becomes large by being named again and again.

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        assert isinstance(node.iter, nodes.Expr)
        node.iter = _wrapped(node.iter, "_turns")
        return node

    def visit_Include(self, node: nodes.Include) -> nodes.Include:
        assert isinstance(node.template, nodes.Const)
        node.template = _wrapped(node.template, "_step")
        return node

    def visit_Name(self, node: nodes.Name) -> nodes.Expr:
        return _wrapped(node, "_weighed") if node.ctx == "load" else node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Expr:
        return _wrapped(node, "_weighed")

    def visit_Call(self, node: nodes.Call) -> nodes.Call:
        node.args = [self.visit(each) for each in node.args]
        return node


def includes(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    """Yield which files a checked template includes, each with the line where it does."""
    for each in tree.find_all(nodes.Include):
        inner = each.template
        if isinstance(inner, nodes.Filter):
            inner = inner.node or inner
        if isinstance(inner, nodes.Const):
            yield str(inner.value), each.lineno


def _wrapped(inner: nodes.Expr, name: str) -> nodes.Filter:
    made = nodes.Filter(inner, name, [], [], None, None, lineno=inner.lineno)
    assert inner.environment is not None
    made.set_environment(inner.environment)
    return made
