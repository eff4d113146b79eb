"""Small faults of a programmer, one at a time, in the syntax tree of a module."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

Node = TypeVar("Node", bound=ast.AST)

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
AROUND = 30  # signs of unchanged code that are shown before and after a change
TWINS = {"min": "max", "max": "min", "any": "all", "all": "any"}
COPIES = {"list", "dict", "set", "tuple", "frozenset", "sorted", "round", "abs"}
NOT_BELOW: dict[type[ast.AST], tuple[str, ...]] = {
    ast.AnnAssign: ("annotation",),
    ast.arg: ("annotation",),
    ast.ClassDef: ("bases", "keywords", "decorator_list"),
    ast.FunctionDef: ("args", "returns", "decorator_list"),
}
UNTOUCHED = (ast.Import, ast.ImportFrom, ast.Assert, ast.Global, ast.Nonlocal)


class Place(NamedTuple):
    """A node of a tree, and where it stands.

    Attributes:
        node: what may be changed.
        parent, field, index: it is `parent.field`, or `parent.field[index]`.
        statement: the line of the innermost statement that it is part of.
        function: the outermost function that it is part of, as `Class.method`; "" for what is done at the import.
        words: whether it only words an error.
    """

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    statement: int
    function: str
    words: bool

    def put(self, node: ast.AST) -> None:
        """Let something else stand here."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


class Mutant(NamedTuple):
    """A module with one fault in it.

    Attributes:
        path, line: where it is.
        statement: the line of the statement that has to be reached to meet it.
        function: in which; "" for what is done at the import.
        words: whether only the words of a message are others.
        old, new: what was there, and what is there now.
        tree: of the whole module; valid until the next mutant is asked for.
    """

    path: str
    line: int
    statement: int
    function: str
    words: bool
    old: str
    new: str
    tree: ast.Module

    def __str__(self) -> str:
        """Tell it in one line, of long code only the part that changed."""
        old, new = " ".join(self.old.split()), " ".join(self.new.split())
        start = max(0, _alike(old, new) - AROUND)
        end = max(0, _alike(old[start:][::-1], new[start:][::-1]) - AROUND)
        shown = [text[start : len(text) - end] for text in (old, new)]
        return f"{self.path}:{self.line}: {shown[0]}  ->  {shown[1]}"


def _alike(one: str, other: str) -> int:
    """Return with how many equal signs two texts begin."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)


def mutants_of(source: str, path: str) -> Iterator[Mutant]:
    """Yield each mutant of a module's source that is compiled to something else than the module."""
    tree = ast.parse(source)
    same = compile(tree, path, "exec")
    for place in list(_places(tree)):
        for new in _changes(place.node):
            ast.copy_location(new, place.node)
            ast.fix_missing_locations(new)
            place.put(new)
            if isinstance(place.parent, ast.Module) and isinstance(new, ast.Pass):
                pass  # who imports what is gone notices at once
            elif compile(tree, path, "exec") != same:
                line = getattr(place.node, "lineno", place.statement)
                words = place.words or _is_text(place)
                old = ast.unparse(place.node)
                yield Mutant(path, line, place.statement, place.function, words, old, ast.unparse(new), tree)
            place.put(place.node)


def _places(
    node: ast.AST, scope: str = "", inside: bool = False, statement: int = 0, words: bool = False
) -> Iterator[Place]:
    """Yield what may be changed below a node: no annotations, decorators, docstrings, bases or class bodies.

    Args:
        node: below which.
        scope: of which functions and classes it is part, down to the outermost function.
        inside: whether that is a function.
        statement: its line.
        words: whether all below it only words an error.
    """
    for field, index, child in _children(node):
        line = child.lineno if isinstance(child, ast.stmt) else statement
        wording = (
            words
            or isinstance(node, ast.JoinedStr)
            or (isinstance(node, ast.Raise) and isinstance(child, ast.Call))
        )
        yield Place(child, node, field, index, line, scope if inside else "", wording)
        if inside or not isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield from _places(child, scope, inside, line, wording)
            continue
        below = f"{scope}.{child.name}".lstrip(".")
        if isinstance(child, ast.FunctionDef):
            yield from _places(child.args, below, False, line, wording)
        yield from _places(child, below, isinstance(child, ast.FunctionDef), line, wording)


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for field, value in ast.iter_fields(node):
        if field in NOT_BELOW.get(type(node), ()):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_skipped(node, child):
                yield field, index, child


def _is_skipped(parent: ast.AST, child: ast.AST) -> bool:
    if isinstance(child, UNTOUCHED):
        return True
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True  # a docstring
    if isinstance(parent, ast.ClassDef):
        return not isinstance(child, ast.FunctionDef)
    return isinstance(child, ast.Assign) and isinstance(parent, ast.Module) and _is_for_types(child)


def _is_for_types(assigned: ast.Assign) -> bool:
    name = assigned.targets[0]
    return isinstance(assigned.value, ast.Subscript) or (isinstance(name, ast.Name) and name.id == "__all__")


def _is_text(place: Place) -> bool:
    node = place.node
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return isinstance(place.parent, ast.JoinedStr) or " " in node.value


def _with(node: Node, **fields: object) -> Node:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _without(node: Node, field: str) -> Iterator[Node]:
    listed = getattr(node, field)
    for index in range(len(listed)):
        yield _with(node, **{field: [*listed[:index], *listed[index + 1 :]]})


# -- what may go wrong, by the kind of node


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    for kind, change in CHANGES:
        if isinstance(node, kind):
            yield from change(node)


def _compare(node: ast.Compare) -> Iterator[ast.AST]:
    for index, op in enumerate(node.ops):
        for other in COMPARISONS[type(op)]:
            yield _with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])


def _bool_op(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for other in _without(node, "values"):
        yield other if len(other.values) > 1 else other.values[0]


def _unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


def _binary(node: ast.BinOp | ast.AugAssign) -> Iterator[ast.AST]:
    other = OPERATORS.get(type(node.op))
    if other is not None:
        yield _with(node, op=other())


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, str):
        yield ast.Constant(value + "~" if value else "~")
    elif isinstance(value, bytes):
        yield ast.Constant(value + b"~")


def _choice(node: ast.If | ast.IfExp | ast.While) -> Iterator[ast.AST]:
    if not isinstance(node.test, ast.Constant):
        yield _with(node, test=ast.Constant(False))
        if not isinstance(node, ast.While):
            yield _with(node, test=ast.Constant(True))


def _filter(node: ast.comprehension) -> Iterator[ast.AST]:
    for other in _without(node, "ifs"):
        yield other
        yield _with(node, ifs=[*other.ifs, ast.Constant(False)])


def _call(node: ast.Call) -> Iterator[ast.AST]:
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            yield _with(node, keywords=[*node.keywords[:index], *node.keywords[index + 1 :]])
    if isinstance(node.func, ast.Name):
        if node.func.id in TWINS:
            yield _with(node, func=ast.Name(TWINS[node.func.id], ast.Load()))
        if node.func.id in COPIES and node.args and not isinstance(node.args[0], ast.GeneratorExp):
            yield node.args[0]


def _literal(node: ast.List | ast.Tuple | ast.Set) -> Iterator[ast.AST]:
    is_read = not isinstance(node, ast.List | ast.Tuple) or isinstance(node.ctx, ast.Load)
    if is_read and len(node.elts) > 1:
        yield from _without(node, "elts")


def _dict(node: ast.Dict) -> Iterator[ast.AST]:
    for index in range(len(node.keys)):
        keys, values = list(node.keys), list(node.values)
        del keys[index], values[index]
        yield _with(node, keys=keys, values=values)


def _statement(node: ast.stmt) -> Iterator[ast.AST]:
    yield ast.Pass()


def _return(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(None)


def _jump(node: ast.Break | ast.Continue) -> Iterator[ast.AST]:
    yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()


def _match(node: ast.Match) -> Iterator[ast.AST]:
    if len(node.cases) > 1:
        yield from _without(node, "cases")


def _handler(node: ast.ExceptHandler) -> Iterator[ast.AST]:
    yield _with(node, body=[ast.Raise(None, None)])


DELETED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break)
CHANGES: list[tuple[type[ast.AST] | tuple[type[ast.AST], ...], Callable[..., Iterator[ast.AST]]]] = [
    (ast.Compare, _compare),
    (ast.BoolOp, _bool_op),
    (ast.UnaryOp, _unary),
    ((ast.BinOp, ast.AugAssign), _binary),
    (ast.Constant, _constant),
    ((ast.If, ast.IfExp, ast.While), _choice),
    (ast.comprehension, _filter),
    (ast.Call, _call),
    ((ast.List, ast.Tuple, ast.Set), _literal),
    (ast.Dict, _dict),
    (DELETED, _statement),
    (ast.Return, _return),
    ((ast.Break, ast.Continue), _jump),
    (ast.Match, _match),
    (ast.ExceptHandler, _handler),
]
