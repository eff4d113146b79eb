"""Putting a changed module's code into the module that is already imported, wherever else its functions are known."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType

Line = tuple[str, int]
RECORD = "__reached__"


def plant(module: ModuleType, code: CodeType, *, constants: bool) -> None:
    """Let the functions of a module do what the code of a changed one says.

    Args:
        module: as imported; its functions stay the objects that they are, so whoever imported them has the change.
        code: of the whole changed module.
        constants: whether the module's own statements, and the defaults of arguments, may have changed too.
    """
    codes = dict(_codes(code))
    for name, function in functions_of(module):
        function.__code__ = codes[name]
    if constants:
        _plant_constants(module, code)


def functions_of(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Yield the functions and methods that a module defines, by their qualified names."""
    for owner in [module, *vars(module).values()]:
        if owner is module or (isinstance(owner, type) and owner.__module__ == module.__name__):
            for value in list(vars(owner).values()):
                function = _plain(value)
                if function is not None and function.__module__ == module.__name__:
                    yield function.__qualname__, function


def _plain(value: object) -> FunctionType | None:
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, staticmethod | classmethod | functools.cached_property):
        value = value.func if isinstance(value, functools.cached_property) else value.__func__
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    return value if isinstance(value, FunctionType) else None


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each.co_qualname, each
            yield from _codes(each)


def _plant_constants(module: ModuleType, code: CodeType) -> None:
    """Run the changed module beside the one that is there, and take over the plain values that differ."""
    changed = ModuleType(module.__name__)
    changed.__file__ = module.__file__
    exec(code, vars(changed))
    for name, new in vars(changed).items():
        old = vars(module).get(name)
        if (
            name.startswith("__")
            or isinstance(new, type | FunctionType | ModuleType)
            or repr(new) == repr(old)
        ):
            continue
        for each in list(sys.modules.values()):
            if vars(each).get(name) is old:
                setattr(each, name, new)
    defaults = dict(functions_of(changed))
    for name, function in functions_of(module):
        function.__defaults__ = defaults[name].__defaults__
        function.__kwdefaults__ = defaults[name].__kwdefaults__


def record(module: ModuleType, source: str, path: str, reached: Callable[[Line], None]) -> None:
    """Let a module's functions tell each statement that is about to be done."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            _instrument(node, path)
    vars(module)[RECORD] = reached
    plant(module, compile(ast.fix_missing_locations(tree), path, "exec"), constants=False)


def _instrument(function: ast.FunctionDef, path: str) -> None:
    for node in ast.walk(function):
        for _, listed in ast.iter_fields(node):
            if not isinstance(listed, list) or not listed or not isinstance(listed[0], ast.stmt):
                continue
            told: list[ast.stmt] = []
            for statement in listed:
                if not _is_told(statement):
                    told.append(_telling(path, statement.lineno))
                told.append(statement)
            listed[:] = told


def _is_told(statement: ast.stmt) -> bool:
    # What was put in, by a walk over the function around this one; or a docstring, which has to stay the first.
    if not isinstance(statement, ast.Expr):
        return False
    call = statement.value
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == RECORD:
        return True
    return isinstance(call, ast.Constant)


def _telling(path: str, line: int) -> ast.stmt:
    where = ast.Tuple([ast.Constant(path), ast.Constant(line)], ast.Load())
    return ast.Expr(ast.Call(ast.Name(RECORD, ast.Load()), [where], []))
