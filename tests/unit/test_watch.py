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
from typing import Any

import pytest

from bnet.build.watch import ROUNDS
from bnet.process import Completed, run

PATIENCE = 30.0  # seconds; what is waited for takes a fraction of one
P = {"name": "p", "path": "p", "outputs": ["out"]}
COMMAND = "mkdir -p out && cat src/* > out/all"


class Watched:
    """A tree of two packages, `top` of which depends on `base`, and a watch of it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "tree"
        self.env = os.environ | {"BNET_HOME": str(root / "home"), "NO_COLOR": "1"}
        self.log = root / "log"
        self.write("base/src/a", "a")
        self.write("top/src/a", "t")
        base: dict[str, Any] = {"name": "base", "path": "base", "build_cmd": COMMAND}
        top: dict[str, Any] = {
            "name": "top",
            "path": "top",
            "build_cmd": f"{COMMAND}; cat ../base/out/all >> out/all",
        }
        top["dependencies"] = ["base"]
        told = [package | {"sources": ["src/**"], "outputs": ["out/**"]} for package in (base, top)]
        self.declare(*told)
        self.process: subprocess.Popen[bytes] | None = None

    def declare(self, *packages: dict[str, object], path: str = "bnet.yaml") -> None:
        """Let these be the packages of the tree."""
        self.write(path, json.dumps({"packages": packages}))

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def read(self, path: str = "top/out/all") -> str | None:
        try:
            return (self.root / path).read_text()
        except FileNotFoundError:
            return None

    def start(self, *words: str) -> None:
        """Let it watch, and wait until it knows that the tree is up to date."""
        self.begin(*words)
        self.until(self.answers)

    def begin(self, *words: str) -> None:
        """Let it watch."""
        command = [sys.executable, "-m", "bnet", "watch", *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.env, cwd=self.root, stdout=log, stderr=log)

    def calm(self) -> bool:
        """Tell whether it waits: all that it had to do is done."""
        assert self.process is not None
        ticks = Path(f"/proc/{self.process.pid}/stat")
        before = ticks.read_text().split()[13:17]
        time.sleep(1)
        return ticks.read_text().split()[13:17] == before

    def until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def until_made(self, text: str) -> None:
        """Wait until this is what the last package is made of."""
        self.until(lambda: self.read() == text)

    def build(self, *words: str) -> Completed:
        return run([sys.executable, "-m", "bnet", "build", *words], env=self.env, cwd=self.root, timeout=60)

    def answers(self) -> bool:
        """Tell whether a build with nothing to do asks the watch, and looks at no file."""
        if not next((self.root.parent / "home/cache/trees").glob("*/watch.sock"), None):
            return False
        done = run([sys.executable, "-c", LOOK], env=self.env, cwd=self.root, timeout=60)
        return done.out.split() == [b"socket.connect"]

    def answers_after_builds(self) -> bool:
        """Tell whether it answers once somebody has built, which may take two builds where files are young."""
        return self.build().code == 0 and self.answers()

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
    tree.until_made("tb")
    tree.write("base/src/new", "n")
    tree.until_made("tbn")
    (tree.root / "base/src/new").unlink()
    tree.until_made("tb")
    tree.until(tree.answers)
    assert tree.build().complaint.startswith("2 packages up to date (2 instant)")


def test_editors_that_replace_files(tree: Watched) -> None:
    tree.start()
    for number in range(3):
        tree.write("base/src/.a.swp", f"{number}")
        (tree.root / "base/src/.a.swp").rename(tree.root / "base/src/a")
        tree.until_made(f"t{number}")


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
        tree.until_made(made)


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
    tree.until_made("tmended")


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


# -- what failed


def test_a_package_that_failed_is_built_when_its_source_is_mended(tree: Watched) -> None:
    tree.declare({"name": "p", "path": "p", "sources": ["s"], "outputs": ["out"], "build_cmd": "sh s > out"})
    tree.write("p/s", "exit 1")
    tree.begin()
    tree.until(lambda: "p: failure" in tree.log.read_text())
    tree.until(tree.calm)
    tree.write("p/s", "echo well")
    tree.until(lambda: tree.read("p/out") == "well\n")
    tree.until(tree.answers)


def test_a_package_that_failed_is_built_when_a_source_comes_in_a_new_directory(tree: Watched) -> None:
    package = {"name": "p", "path": "p", "sources": ["src/**"], "outputs": ["out"]}
    tree.declare(package | {"build_cmd": "cat src/new/s > out"})
    tree.write("p/src/other", "")
    tree.begin()
    tree.until(lambda: "p: failure" in tree.log.read_text())
    tree.until(tree.calm)
    (tree.root / "p/src/new").mkdir()
    tree.until(tree.calm)
    tree.write("p/src/new/s", "well")
    tree.until(lambda: tree.read("p/out") == "well")


def test_a_package_whose_source_could_not_be_read_is_built_when_it_can(tree: Watched) -> None:
    tree.declare({"name": "p", "path": "p", "sources": ["*"], "outputs": ["out"], "build_cmd": "cat s > out"})
    tree.write("p/s", "well")
    os.mkfifo(tree.root / "p/pipe")
    tree.begin()
    tree.until(lambda: "p: error" in tree.log.read_text())
    tree.until(tree.calm)
    (tree.root / "p/pipe").unlink()
    tree.until(lambda: tree.read("p/out") == "well")


def test_a_package_that_fails_is_not_tried_again_for_what_it_writes_beside_its_sources(tree: Watched) -> None:
    tree.write("p/s", "echo x >> ../../runs; date +%N > beside; mkdir -p more; date +%N > more/one; exit 1")
    failing = {"name": "p", "path": "p", "sources": ["s"], "outputs": ["out"], "build_cmd": "sh s"}
    well = {"name": "w", "path": "w", "sources": ["s"], "outputs": ["out"], "build_cmd": "cp s out"}
    tree.write("w/s", "")
    tree.declare(failing, well)
    tree.begin()
    tree.until(lambda: tree.read("../runs") is not None)
    tree.until(tree.calm)
    assert tree.read("../runs") == "x\n"
    tree.write("w/s", "saved")
    tree.until(lambda: tree.read("w/out") == "saved" and tree.read("../runs") == "x\nx\n")
    tree.until(tree.calm)
    assert tree.read("../runs") == "x\nx\n"


def test_a_package_that_changes_its_own_sources_is_named_and_waits_for_the_next_save(tree: Watched) -> None:
    command = "echo x >> ../../runs; date +%N > src/stamp; cat src/s > out"
    tree.declare(
        {"name": "p", "path": "p", "sources": ["src/*"], "outputs": ["out"], "build_cmd": command},
        {"name": "w", "path": "w", "sources": ["s"], "outputs": ["out"], "build_cmd": "cp s out"},
    )
    tree.write("p/src/s", "one")
    tree.write("w/s", "")
    tree.begin()
    said = "not built until something is saved, for it changes its own sources: p\n"
    tree.until(lambda: said in tree.log.read_text())
    tree.until(tree.calm)
    assert tree.read("../runs") == "x\n" * ROUNDS
    assert not tree.answers()
    tree.write("p/src/s", "two")
    tree.until(lambda: tree.log.read_text().count(said) == 2)
    assert tree.read("p/out") == "two"
    tree.until(tree.calm)
    assert tree.read("../runs") == "x\n" * 2 * ROUNDS


def test_what_was_saved_while_the_configuration_was_broken_is_built_afterwards(tree: Watched) -> None:
    tree.start()
    good = (tree.root / "bnet.yaml").read_text()
    tree.write("bnet.yaml", "{")
    tree.until(lambda: "is no valid YAML" in tree.log.read_text())
    tree.write("base/src/a", "meanwhile")
    tree.until(tree.calm)
    assert not tree.answers()
    tree.write("bnet.yaml", good)
    tree.until_made("tmeanwhile")


# -- what is not where it seems to be


def test_the_target_of_a_source_that_is_a_link(tree: Watched) -> None:
    tree.declare(P | {"sources": ["x"], "build_cmd": "cat x > out"})
    tree.write("common/x", "one")
    (tree.root / "p").mkdir()
    (tree.root / "p/x").symlink_to("../common/x")
    tree.start()
    tree.write("common/x", "two")
    tree.until(lambda: tree.read("p/out") == "two")
    tree.until(tree.answers)


def test_the_target_of_a_link_outside_of_the_tree(tree: Watched) -> None:
    tree.declare(P | {"sources": ["x"], "build_cmd": "cat x > out"})
    tree.write("../common", "one")
    (tree.root / "p").mkdir()
    (tree.root / "p/x").symlink_to("../../common")
    tree.start()
    tree.write("../common", "two")
    tree.build()
    assert tree.read("p/out") == "two"
    tree.until(tree.answers_after_builds)


@pytest.mark.parametrize("before", ["late", ""])
def test_a_tool_that_comes_earlier_in_the_path(tree: Watched, before: str) -> None:
    tree.env["PATH"] = f"{tree.root.parent}/early:{tree.root.parent}/late:/usr/bin:/bin"
    tree.declare(P | {"tools": ["mytool"], "sources": [], "build_cmd": "(mytool || echo none) > out"})
    (tree.root / "p").mkdir()

    def put(directory: str) -> None:
        tree.write(f"../{directory}/.new", f"#!/bin/sh\necho {directory}")
        (tree.root.parent / directory / ".new").chmod(0o755)
        (tree.root.parent / directory / ".new").rename(tree.root.parent / directory / "mytool")

    for directory in ("early", "late"):
        (tree.root.parent / directory).mkdir()
    if before:
        put(before)
    tree.start()
    assert tree.read("p/out") == f"{before or 'none'}\n"
    put("early")
    tree.build()
    assert tree.read("p/out") == "early\n"
    tree.until(tree.answers_after_builds)


def test_sources_in_a_directory_that_is_not_watched(tree: Watched) -> None:
    tree.declare(P | {"sources": ["/node_modules/left/*"], "build_cmd": "cat ../node_modules/left/* > out"})
    tree.write("node_modules/left/a", "one")
    (tree.root / "p").mkdir()
    tree.start()
    tree.write("node_modules/left/a", "two")
    tree.build()
    assert tree.read("p/out") == "two"
    tree.write("node_modules/left/b", "three")
    tree.build()
    assert tree.read("p/out") == "twothree"
    tree.until(tree.answers_after_builds)


def test_outputs_in_a_directory_that_is_not_watched(tree: Watched) -> None:
    command = "mkdir -p node_modules/.cache; cp s node_modules/.cache/made"
    tree.declare(
        {
            "name": "p",
            "path": "p",
            "sources": ["s"],
            "output_dir": "node_modules/.cache",
            "build_cmd": command,
        }
    )
    tree.write("p/s", "one")
    tree.start()
    shutil.rmtree(tree.root / "p/node_modules")
    tree.build()
    assert tree.read("p/node_modules/.cache/made") == "one"
    tree.until(tree.answers_after_builds)
    (tree.root / "p/node_modules/.cache/made").write_text("other")
    tree.build()
    assert tree.read("p/node_modules/.cache/made") == "one"


def test_a_package_in_a_directory_that_a_link_leads_to(tree: Watched) -> None:
    tree.declare(P | {"path": "lp", "sources": ["s"], "build_cmd": "cat s > out"})
    tree.write("real/p/s", "one")
    (tree.root / "lp").symlink_to("real/p")
    tree.start()
    tree.write("real/p/s", "two")
    tree.until(lambda: tree.read("real/p/out") == "two")
    tree.until(tree.answers)


def test_a_package_whose_directory_is_moved_away(tree: Watched) -> None:
    tree.declare(P | {"path": "x/p", "sources": ["s"], "build_cmd": "cat s > out"})
    tree.write("x/p/s", "one")
    tree.start()
    (tree.root / "x").rename(tree.root / "x_")
    assert tree.build().code != 0
    (tree.root / "x_").rename(tree.root / "x")
    tree.write("x/p/s", "two")
    tree.until(lambda: tree.read("x/p/out") == "two")


def test_outputs_whose_directory_is_moved_away(tree: Watched) -> None:
    command = "mkdir -p x/y && cat ../src/s > x/y/all"
    tree.declare(P | {"sources": ["/src/*"], "outputs": ["x/y/*"], "build_cmd": command})
    tree.write("src/s", "one")
    (tree.root / "p").mkdir()
    tree.start()
    (tree.root / "p/x").rename(tree.root / "p/x_")
    tree.until(lambda: tree.read("p/x/y/all") == "one")
    tree.until(tree.answers)


@pytest.mark.parametrize("where", ["conf/real.yaml", "../real.yaml"])
def test_a_configuration_that_is_a_link(tree: Watched, where: str) -> None:
    (tree.root / "bnet.yaml").unlink()
    tree.declare(P | {"sources": [], "build_cmd": "echo one > out"}, path=where)
    (tree.root / "bnet.yaml").symlink_to(where)
    (tree.root / "p").mkdir()
    tree.start()
    tree.declare(P | {"sources": [], "build_cmd": "echo two > out"}, path=where)
    if where.startswith("../"):
        tree.build()
    tree.until(lambda: tree.read("p/out") == "two\n")
    tree.until(tree.answers_after_builds)


# -- other builds of the same tree


def test_a_watch_answers_for_what_another_build_has_left(tree: Watched) -> None:
    tree.begin("base")
    tree.until(lambda: tree.read("base/out/all") == "a")
    tree.until(tree.calm)
    tree.build()
    tree.until(tree.answers_after_builds)
    tree.write("top/src/a", "saved")
    tree.build()
    assert tree.read() == "saveda"


def test_builds_back_to_back_do_not_keep_a_watch_from_answering(tree: Watched) -> None:
    packages = [
        {"name": f"p{at}", "path": f"p{at}", "outputs": ["out"], "sources": ["s"], "build_cmd": "cat s > out"}
        for at in range(30)
    ]
    for package in packages:
        tree.write(f"{package['path']}/s", "one")
    tree.declare(*packages)
    tree.begin()
    tree.until(tree.answers_after_builds)
    shutil.rmtree(tree.root / "p7")
    tree.write("p7/s", "two")
    tree.until(tree.answers_after_builds)
    assert tree.read("p7/out") == "two"
