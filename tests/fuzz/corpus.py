"""The inputs that are kept: each reaches something of its own, and is as small as it was found."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import guard
from target import Target
from xxhash import xxh3_64_hexdigest

HERE = Path(__file__).parent / "corpus"
LARGEST = 6_000  # bytes of an input that is kept for what it reaches
PATIENCE_S = 8.0
_CODE = str(Path(__file__).parents[2] / "bnet") + "/"

Edge = tuple[CodeType, int, int]


def kept(target: Target) -> dict[str, bytes]:
    """Return a target's inputs by name."""
    directory = HERE / target.name
    return (
        {path.name: path.read_bytes() for path in sorted(directory.iterdir())} if directory.is_dir() else {}
    )


def keep(target: Target, data: bytes, prefix: str = "") -> Path:
    """Keep an input under the digest of its content."""
    path = HERE / target.name / (prefix + xxh3_64_hexdigest(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def reached(target: Target, data: bytes) -> set[Edge]:
    """Return the steps from line to line of bnet's code that an input leads to."""
    found: set[Edge] = set()

    def enter(frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(_CODE):
            return None
        before = 0

        def step(frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
            nonlocal before
            if event == "line":
                found.add((frame.f_code, before, frame.f_lineno))
                before = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        guard.feed(target, data)
    finally:
        sys.settrace(None)
    return found


def chosen(target: Target, inputs: Iterable[bytes], most: int) -> list[bytes]:
    """Return those of some inputs that reach something which no smaller one does, the most telling first.

    Args:
        target: what they are fed to.
        inputs: any number.
        most: so many at most.
    """
    known = set().union(*(reached(target, each) for each in target.seeds()))
    telling: list[tuple[int, bytes]] = []
    for data in sorted(set(inputs), key=lambda each: (len(each), each)):
        new = reached(target, data) - known if len(data) <= LARGEST else set()
        if new:
            known |= new
            telling.append((len(new), data))
    telling.sort(key=lambda each: -each[0])
    return [data for _, data in telling[:most]]


def shrunk(target: Target, data: bytes, name: str) -> bytes:
    """Return a smaller input that goes wrong in the same way, as far as that is found in a few seconds."""
    size, until = len(data) // 2, time.monotonic() + PATIENCE_S
    while size and time.monotonic() < until:
        at = 0
        while at < len(data) and time.monotonic() < until:
            less = data[:at] + data[at + size :]
            crash, _ = guard.feed(target, less)
            if crash is not None and crash.name == name:
                data = less
            else:
                at += size
        size //= 2
    return data
