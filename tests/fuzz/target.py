"""What a target is: a parser's own entry point, fed with an input, of which only documented errors may come out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mutation import Kind


class Target(NamedTuple):
    """A parser.

    Attributes:
        name: of the target, and of its directory in the corpus.
        kind: by what structure its inputs are mutated.
        feed: takes an input; whatever it raises is a crash, for it catches itself what is documented.
        seeds: sound inputs, made by the project's own encoders where there are such.
        share: how many inputs it gets beside others; the dear ones get fewer.
        alone: entered while inputs are fed, to stand in for what is no parser's business.
    """

    name: str
    kind: Kind
    feed: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    share: float = 1.0
    alone: Callable[[], AbstractContextManager[object]] = nullcontext


class Broken(AssertionError):
    """What was read does not hold what it must."""


def must(holds: bool, what: str) -> None:
    """See that something holds; an `assert` could be optimized away."""
    if not holds:
        raise Broken(what)


@cache
def scratch() -> Path:
    """Return this process's own directory, which is removed with the process's others."""
    _kept.append(tempfile.TemporaryDirectory(prefix="bnet-fuzz-"))
    return Path(_kept[0].name).resolve()


_kept: list[tempfile.TemporaryDirectory[str]] = []
