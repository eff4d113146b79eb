"""`bnet watch` as a program: what is saved is built, and a build with nothing to do looks at no file meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnet.process import Completed, run

PATIENCE = 30.0  # seconds; what is waited for takes a fraction of one
COMMAND = "mkdir -p out && cat src/* > out/all"


class Watched:
    """A tree of two packages, `top` of which depends on `base`, and a watch of it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "tree"
        self.env = os.environ | {"BNET_HOME": str(root / "home"), "NO_COLOR": "1"}
        self.log = root / "log"
        self.write("base/src/a", "a")
        self.write("top/src/a", "t")
        base = {"name": "base", "path": "base", "build_cmd": COMMAND}
        top = {"name": "top", "path": "top", "build_cmd": f"{COMMAND}; cat ../base/out/all >> out/all"}
        top["dependencies"] = ["base"]  # type: ignore[assignment]
        told = [package | {"sources": ["src/**"], "outputs": ["out/**"]} for package in (base, top)]
        self.write("bnet.yaml", json.dumps({"packages": told}))
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def read(self, path: str = "top/out/all") -> str | None:
        try:
            return (self.root / path).read_text()
        except FileNotFoundError:
            return None

    def start(self) -> None:
        """Let it watch, and wait until it knows that the tree is up to date."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bnet", "watch"], env=self.env, cwd=self.root, stdout=log, stderr=log
            )
        self.until(self.answers)

    def until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def build(self, *words: str) -> Completed:
        return run([sys.executable, "-m", "bnet", "build", *words], env=self.env, cwd=self.root, timeout=60)

    def answers(self) -> bool:
        """Tell whether a build with nothing to do asks the watch, and looks at no file."""
        if not next((self.root.parent / "home/cache/trees").glob("*/watch.sock"), None):
            return False
        done = run([sys.executable, "-c", LOOK], env=self.env, cwd=self.root, timeout=60)
        return done.out.split() == [b"socket.connect"]

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


# Prints of a build with nothing to do whether it asks a watch, and how many files it looks at then.
LOOK = """
import os, sys, time
from bnet.build import instant

def count(paths):
    print(len(paths))
    return b""

sys.addaudithook(lambda event, _: event == "socket.connect" and print(event))
instant.digest_now = count
instant.up_to_date(os.environ, time.perf_counter())
"""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_what_is_saved_is_built_and_what_depends_on_it(tree: Watched) -> None:
    tree.start()
    assert tree.read() == "ta"
    tree.write("base/src/a", "b")
    tree.until(lambda: tree.read() == "tb")
    tree.write("base/src/new", "n")
    tree.until(lambda: tree.read() == "tbn")
    (tree.root / "base/src/new").unlink()
    tree.until(lambda: tree.read() == "tb")
    tree.until(tree.answers)
    assert tree.build().complaint.startswith("2 packages up to date (2 instant)")


def test_editors_that_replace_files(tree: Watched) -> None:
    tree.start()
    for number in range(3):
        tree.write("base/src/.a.swp", f"{number}")
        (tree.root / "base/src/.a.swp").rename(tree.root / "base/src/a")
        tree.until(lambda number=number: tree.read() == f"t{number}")  # type: ignore[misc]


def test_another_branch_and_back(tree: Watched) -> None:
    def git(*words: str) -> None:
        named = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *named, *words], cwd=tree.root, check=True, capture_output=True)

    tree.write(".gitignore", "out/\n")
    git("init", "-qb", "main")
    git("add", "-A")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "other")
    shutil.rmtree(tree.root / "base/src")
    tree.write("base/src/z", "other")
    git("add", "-A")
    git("commit", "-qm", "two")
    tree.start()
    for branch, made in [("main", "ta"), ("other", "tother"), ("main", "ta")]:
        git("checkout", "-q", branch)
        tree.until(lambda made=made: tree.read() == made)  # type: ignore[misc]


def test_a_thousand_files_at_once(tree: Watched) -> None:
    tree.start()
    for number in range(1000):
        tree.write(f"base/src/n{number:04}", f"{number} ")
    tree.until(lambda: (tree.read() or "").endswith(" 999 "))
    tree.until(tree.answers)
    assert tree.read() == "ta" + "".join(f"{number} " for number in range(1000))


def test_what_fails_is_tried_again_once_it_is_mended(tree: Watched) -> None:
    tree.start()
    good = (tree.root / "bnet.yaml").read_text()
    tree.write("bnet.yaml", good.replace("cat ../base", "cat ../nowhere"))
    tree.until(lambda: "top: failure" in tree.log.read_text())
    tree.write("bnet.yaml", "{")
    tree.until(lambda: "bnet.yaml:2: is no valid YAML" in tree.log.read_text())
    tree.write("base/src/a", "mended")
    tree.write("bnet.yaml", good)
    tree.until(lambda: tree.read() == "tmended")


def test_outputs_that_somebody_removes_come_back(tree: Watched) -> None:
    tree.start()
    shutil.rmtree(tree.root / "base/out")
    tree.until(lambda: tree.read("base/out/all") == "a")


def test_a_build_beside_a_watch_that_was_killed_looks_for_itself(tree: Watched) -> None:
    tree.start()
    assert tree.process is not None
    tree.process.kill()
    tree.process.wait()
    tree.write("base/src/a", "unwatched")
    assert tree.build().code == 0
    assert tree.read() == "tunwatched"


def test_a_build_while_the_watch_does_not_answer(tree: Watched) -> None:
    tree.start()
    assert tree.process is not None
    tree.process.send_signal(signal.SIGSTOP)
    tree.write("base/src/a", "unheard")
    assert tree.build().code == 0
    assert tree.read() == "tunheard"
    tree.process.send_signal(signal.SIGCONT)
    tree.until(tree.answers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(tree: Watched, number: int) -> None:
    tree.start()
    assert tree.process is not None
    tree.process.send_signal(number)
    assert tree.process.wait(PATIENCE) in (0, 130)
    assert "Traceback" not in tree.log.read_text()
    assert not list((tree.root.parent / "home/cache/trees").glob("*/watch.sock"))


def test_it_ends_with_its_tree(tree: Watched) -> None:
    tree.start()
    shutil.rmtree(tree.root)
    assert tree.process is not None
    assert tree.process.wait(PATIENCE) == 0, tree.log.read_text()
    assert tree.log.read_text().endswith(" is gone\n")
    assert "Traceback" not in tree.log.read_text()
