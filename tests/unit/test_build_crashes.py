"""A build that is killed at any of its steps: whatever it left, the next one is right."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workbench import Bench

from bnet.build import upkeep
from bnet.build.cache import Cache

# Steps that change what is on disk; Python tells of them just before they are done.
STEPS = frozenset(
    {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.utime"}
)
COMMAND = "mkdir -p dist/deep; cat src/* > dist/all; for x in $(cat src/*); do echo $x > dist/deep/$x; done"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path / "b", monkeypatch)
    made.declare(
        made.package("a", build_cmd=COMMAND),
        made.package(
            "b",
            build_cmd=f"{COMMAND}; cat ../a/dist/all >> dist/all; ln -s all dist/link",
            dependencies=["a"],
        ),
    )
    return made


def killed(work: Callable[[], object], at: int) -> bool:
    """Do some work in a process that is killed in its step of that number; tell whether it came so far."""
    child = os.fork()
    if child == 0:
        left = at

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            writes = (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            )
            if event in STEPS or writes:
                left -= 1
                if left == -1:  # a file is there by then, and nothing is in it yet
                    with contextlib.suppress(OSError, TypeError):
                        if writes:
                            os.open(arguments[0], arguments[2], 0o600)
                    os.kill(os.getpid(), 9)

        try:
            sys.addaudithook(audit)
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (-9, 0)
    return code == -9


def outputs(bench: Bench) -> dict[str, str]:
    found = {}
    for path in sorted(bench.root.glob("*/dist/**/*")):
        name = path.relative_to(bench.root).as_posix()
        found[name] = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else "/"
    return found


def stray(bench: Bench) -> list[Path]:
    """Return what is neither source nor output nor configuration."""
    parts = {"src", "dist", "bnet.yaml"}
    return [
        path
        for path in bench.root.rglob("*")
        if path.is_file() and parts.isdisjoint(path.relative_to(bench.root).parts)
    ]


def check(bench: Bench, wanted: dict[str, str]) -> None:
    bench.build()
    assert outputs(bench) == wanted
    assert stray(bench) == []
    assert upkeep.verify(Cache(bench.cache)) == []
    for path in bench.root.glob("*/dist"):
        shutil.rmtree(path)
    bench.build()
    assert outputs(bench) == wanted, "what is in the cache is as right"


@pytest.mark.timeout(300)
def test_while_it_builds_and_keeps(bench: Bench) -> None:
    bench.build()
    wanted = outputs(bench)
    assert len(wanted) == 7
    at = 0
    while True:
        shutil.rmtree(bench.cache)
        for path in bench.root.glob("*/dist"):
            shutil.rmtree(path)
        if not killed(bench.build, at):
            break
        check(bench, wanted)
        at += 1
    assert at > 30, "so many steps it has"


@pytest.mark.timeout(300)
def test_while_it_restores(bench: Bench) -> None:
    bench.build()
    wanted = outputs(bench)
    bench.write("a/src/one", "2 3")
    bench.build()
    assert outputs(bench) != wanted
    other = outputs(bench)
    at = 0
    while True:
        bench.write("a/src/one", "1")
        if not killed(bench.build, at):
            break
        check(bench, wanted)
        bench.write("a/src/one", "2 3")
        check(bench, other)
        at += 1
    assert at > 15, "so many steps it has"
