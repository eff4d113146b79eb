"""`bnet build` with its wishes, as a program in a tree: what it says, what it leaves, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zygote

from bnet.build.sandbox.box import available
from bnet.process import Completed, run

BNET = Path(__file__).parents[2]
CAT = "mkdir -p out && cat src/* > out/all"
MANIFEST = {"scripts": {"build": "mkdir -p dist && cat index.js > dist/index.js"}}


class Tree:
    """A tree, and bnet in it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "tree"
        self.root.mkdir()
        self.env = os.environ | {"BNET_HOME": str(root / "home"), "NO_COLOR": "1"}
        self.env |= {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org"}
        self.env |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}

    def bnet(self, *words: str, cwd: str = ".") -> Completed:
        return zygote.run(words, env=self.env, cwd=self.root / cwd)

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def declare(self, **packages: str) -> None:
        """Write a tree of packages, each with its command; `name__needs` depends on `needs`."""
        told = []
        for title, command in packages.items():
            name, *needs = title.split("__")
            self.write(f"{name}/src/a", name)
            told.append(
                {
                    "name": name,
                    "path": name,
                    "build_cmd": command,
                    "dependencies": needs,
                    "sources": ["src/**"],
                    "outputs": ["out/**"],
                }
            )
        self.write("bnet.yaml", json.dumps({"packages": told}))

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.root, env=self.env, check=True, capture_output=True)

    def files(self) -> dict[str, str]:
        found = (path for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {path.relative_to(self.root).as_posix(): path.read_text() for path in found}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def names(done: Completed) -> list[str]:
    return [each["name"] for each in json.loads(done.out)["packages"]]


class TestAffected:
    @pytest.fixture(autouse=True)
    def committed(self, tree: Tree) -> None:
        tree.declare(base=CAT, middle__base=CAT, top__middle=CAT, aside=CAT)
        tree.write(".gitignore", "out/\n")
        tree.git("init", "-q", "-b", "main")
        tree.git("add", "-A")
        tree.git("commit", "-qm", "one")

    def test_what_was_committed_since_with_its_dependents(self, tree: Tree) -> None:
        tree.git("checkout", "-qb", "work")
        tree.write("middle/src/a", "changed")
        tree.git("commit", "-qam", "two")
        assert names(tree.bnet("build", "--affected", "main", "--dry-run", "--json")) == [
            "base",
            "middle",
            "top",
        ]
        done = tree.bnet("build", "--affected", "main", "aside")
        assert (done.code, done.complaint[:24]) == (0, "0 packages up to date in")

    def test_what_is_not_committed_and_what_is_new(self, tree: Tree) -> None:
        tree.write("aside/src/new", "new")
        assert names(tree.bnet("build", "--affected", "HEAD", "--dry-run", "--json")) == ["aside"]

    def test_what_happened_on_the_other_side_is_nobody_s_change_here(self, tree: Tree) -> None:
        tree.git("checkout", "-qb", "work")
        tree.git("checkout", "-q", "main")
        tree.write("base/src/a", "theirs")
        tree.git("commit", "-qam", "theirs")
        tree.git("checkout", "-q", "work")
        tree.write("aside/src/a", "ours")
        assert names(tree.bnet("build", "--affected", "main", "--dry-run", "--json")) == ["aside"]

    @pytest.mark.parametrize("revision", ["nowhere", "--all"])
    def test_a_revision_that_is_none(self, tree: Tree, revision: str) -> None:
        done = tree.bnet("build", f"--affected={revision}")
        assert done.code == 2 and revision in done.complaint

    def test_outside_of_git(self, tree: Tree) -> None:
        shutil.rmtree(tree.root / ".git")
        done = tree.bnet("build", "--affected", "main")
        assert done.code == 2 and "not a git repository" in done.complaint
        assert tree.bnet("build").code == 0


@pytest.mark.skipif(available() is not None, reason=str(available()))
class TestStrict:
    def test_what_was_declared_is_enough(self, tree: Tree) -> None:
        tree.declare(base=CAT, top__base=f"{CAT} && cat ../base/out/all >> out/all")
        done = tree.bnet("build", "--strict")
        assert done.code == 0, done.complaint
        assert (tree.root / "top/out/all").read_text() == "topbase"

    def test_a_file_that_was_not_declared_is_named_and_nothing_is_left_of_the_build(self, tree: Tree) -> None:
        tree.declare(base=CAT, top=f"{CAT} && cat ../base/src/a >> out/all")
        done = tree.bnet("build", "--strict", "top")
        assert done.code == 1
        assert (
            "it reads base/src/a, which is neither a source of it nor a dependency's output"
            in done.err.decode()
        )
        assert not (tree.root / "top/out").exists()
        assert tree.bnet("build", "top").code == 0, "without --strict, that is nobody's business"

    def test_what_it_depends_on_by_another_alone_is_not_declared(self, tree: Tree) -> None:
        tree.declare(base=CAT, middle__base=CAT, top__middle=f"{CAT} && cat ../base/out/all >> out/all")
        done = tree.bnet("build", "--strict")
        assert (
            done.code == 1
            and "top: failure" in done.err.decode()
            and "reads base/out/all" in done.err.decode()
        )

    def test_what_is_written_elsewhere_is_named(self, tree: Tree) -> None:
        tree.declare(base=f"{CAT} && echo x > src/made && echo y > ../base.log")
        before = tree.files()
        done = tree.bnet("build", "--strict")
        assert done.code == 1 and "it writes base.log, base/src/made, which is no output" in done.err.decode()
        assert tree.files() == before

    def test_what_is_installed_is_there(self, tree: Tree) -> None:
        tree.declare(base=f"{CAT} && cat node_modules/x ../node_modules/y >> out/all")
        tree.write("base/node_modules/x", "x")
        tree.write("node_modules/y", "y")
        assert tree.bnet("build", "--strict").code == 0
        assert (tree.root / "base/out/all").read_text() == "basexy"

    def test_the_last_outputs_of_one_that_makes_use_of_them(self, tree: Tree) -> None:
        tree.declare(base="mkdir -p out && cat src/a >> out/all")
        told = json.loads((tree.root / "bnet.yaml").read_text())
        told["packages"][0]["incremental"] = True
        tree.write("bnet.yaml", json.dumps(told))
        assert tree.bnet("build", "--strict").code == 0
        tree.write("base/src/a", "2")
        assert tree.bnet("build", "--strict").code == 0
        assert (tree.root / "base/out/all").read_text() == "base2"


class TestVerify:
    def test_what_is_the_same_twice(self, tree: Tree) -> None:
        tree.declare(base=CAT, top__base=CAT)
        before = tree.files()
        done = tree.bnet("build", "--verify")
        assert done.code == 0 and done.complaint.endswith("\n2 packages built twice, the same both times")
        assert tree.files() == before

    def test_what_is_not(self, tree: Tree) -> None:
        tree.declare(
            base=CAT,
            time=f"{CAT} && pwd >> out/all && date +%s%N > out/when",
            bad="mkdir out; echo $$ > out/$$",
        )
        done = tree.bnet("build", "--verify", "time", "base")
        assert done.code == 1 and done.complaint.endswith("not the same twice: time")
        lines = done.out.decode().splitlines()
        assert lines[0] == "time: the two builds differ" and len(lines) == 3
        assert "time/out/all" in lines[1] and "time/out/when" in lines[2]
        told = json.loads(tree.bnet("build", "--verify", "--json", "bad").out)
        assert [each["name"] for each in told] == ["bad"] and "only one of the two" in told[0]["differs"][0]

    def test_what_cannot_be_built_from_nothing(self, tree: Tree) -> None:
        tree.declare(base="test -e out/all || { echo nothing there; exit 3; }")
        tree.write("base/out/all", "by hand")
        done = tree.bnet("build", "--verify")
        assert done.code == 1 and "in a clean copy of the tree" in done.complaint
        assert (tree.root / "base/out/all").read_text() == "by hand"

    @pytest.mark.parametrize("target", ["{tree}/real/a", "../beside/a"])
    def test_a_package_whose_directory_is_not_in_a_copy(self, tree: Tree, target: str) -> None:
        tree.declare(a=CAT)
        tree.write("real/a/src/a", "a")
        tree.write("real/a/out/all", "by hand")
        (tree.root / "real").rename(tree.root.parent / "beside")
        (tree.root / "real").symlink_to("../beside")
        shutil.rmtree(tree.root / "a")
        (tree.root / "a").symlink_to(target.format(tree=tree.root))
        done = tree.bnet("build", "--verify")
        assert (done.code, done.complaint.splitlines()[0]) == (
            2,
            "bnet: package a: a is a link that leads out of a copy of the tree",
        )
        assert (tree.root / "a/out/all").read_text() == "by hand"

    def test_outputs_that_are_not_in_a_copy(self, tree: Tree) -> None:
        tree.declare(a=CAT)
        told = json.loads((tree.root / "bnet.yaml").read_text())
        told["packages"][0]["outputs"] = ["out/sub/**"]
        tree.write("bnet.yaml", json.dumps(told))
        tree.write("real/sub/all", "by hand")
        (tree.root / "a/out").symlink_to(tree.root / "real")
        done = tree.bnet("build", "--verify")
        assert done.code == 2 and "package a: a/out/sub is a link that leads out" in done.complaint
        assert (tree.root / "real/sub/all").read_text() == "by hand"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--verify", "--dry-run"], "not with --dry-run"),
        (["--verify", "--strict"], "not with --strict"),
        (["--verify", "base", "--force"], "not with --force"),
        (["--verify", "--keep-going"], "not with --keep-going"),
        (["--verify", "--junit", "x.xml"], "not with --junit"),
        (["--verify", "--json-to", "x"], "--verify goes with names, --affected, -j, --log and --json"),
        (["--init", "--verify"], "--init goes alone, not with --verify"),
        (["--init", "base"], "--init goes alone, not with names"),
        (["--init", "-j", "2"], "--init goes alone, not with --jobs"),
    ],
)
def test_what_would_be_ignored_is_refused(tree: Tree, words: list[str], said: str) -> None:
    tree.declare(base=CAT)
    before = tree.files()
    done = tree.bnet("build", *words)
    assert done.code == 2 and said in done.complaint
    assert tree.files() == before


class TestWhereTheCacheIs:
    def test_it_is_no_directory(self, tree: Tree) -> None:
        tree.declare(base=CAT)
        (tree.root / "file").touch()
        for said, place in [
            ("/dev/null", "/dev/null"),
            (f"{tree.root}/file", f"{tree.root}/file"),
            (f"{tree.root}/file", "file/below"),
        ]:
            tree.env["BNET_CACHE"] = place
            done = tree.bnet("build")
            assert (done.code, done.complaint) == (2, f"bnet: BNET_CACHE: {said} is no directory")
        assert not (tree.root / "base/out").exists()

    def test_its_size_is_none(self, tree: Tree) -> None:
        tree.declare(base=CAT)
        tree.env["BNET_CACHE_SIZE"] = "much"
        done = tree.bnet("build")
        assert done.code == 2 and "BNET_CACHE_SIZE: 'much' is no size" in done.complaint
        assert not (tree.root / "base/out").exists()

    def test_a_dry_run_removes_nothing_from_it(self, tree: Tree) -> None:
        tree.declare(base=CAT)
        assert tree.bnet("build").code == 0
        entries = tree.root.parent / "home/cache/entries"
        before = sorted(entries.rglob("*"))
        for mark in (tree.root.parent / "home/cache").glob("*"):
            if mark.is_file() and mark.name != "version":
                mark.unlink()  # so that a look at the bounds is due
        tree.env["BNET_CACHE_SIZE"] = "1"
        assert tree.bnet("build", "--dry-run").code == 0
        assert sorted(entries.rglob("*")) == before
        assert tree.bnet("build", "--force").code == 0
        assert sorted(entries.rglob("*")) != before


@pytest.mark.parametrize(
    "words", [["build"], ["build", "base"], ["build", "--dry-run"], ["build", "--verify"]]
)
def test_in_a_directory_that_was_removed(tree: Tree, words: list[str]) -> None:
    tree.declare(base=CAT)
    (tree.root / "gone").mkdir()
    line = f'cd gone && rmdir ../gone && exec "{sys.executable}" -m bnet {" ".join(words)}'
    done = run(["sh", "-c", line], env=tree.env | {"PYTHONPATH": str(BNET)}, cwd=tree.root, timeout=100)
    assert (done.code, done.out) == (2, b"")
    assert done.complaint == "bnet: the directory that this was started in: No such file or directory"


@pytest.mark.parametrize("path", ["base/src/a", "bnet.yaml"])
def test_a_file_of_a_year_beyond_what_is_kept(tree: Tree, path: str) -> None:
    tree.declare(base=CAT)
    os.utime(tree.root / path, (13_569_465_600, 13_569_465_600))
    for _ in range(2):
        done = tree.bnet("build")
        assert done.code == 0, done.complaint
    tree.write("base/src/a", "changed")
    os.utime(tree.root / path, (13_569_465_601, 13_569_465_601))
    assert tree.bnet("build").code == 0
    assert (tree.root / "base/out/all").read_text() == "changed"


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
class TestManifests:
    @pytest.fixture(autouse=True)
    def workspace(self, tree: Tree) -> None:
        tree.write("package.json", json.dumps({"private": True, "workspaces": ["packages/*"]}))
        tree.write("packages/a/package.json", json.dumps({"name": "a", **MANIFEST}))
        tree.write(
            "packages/b/package.json", json.dumps({"name": "b", "dependencies": {"a": "*"}, **MANIFEST})
        )
        for name in ("a", "b"):
            tree.write(f"packages/{name}/index.js", name)

    def test_they_are_enough(self, tree: Tree) -> None:
        tree.git("init", "-q")
        done = tree.bnet("build", "--json", "./packages/b", "--dry-run", cwd="packages")
        assert done.code == 2, "a path is from where one stands"
        done = tree.bnet("build", "--json", cwd="packages/b")
        assert done.code == 0 and names(done) == ["a", "b"]
        assert {each["tier"] for each in json.loads(tree.bnet("build", "--json").out)["packages"]} <= {
            "instant",
            "fresh",
        }
        tree.write("packages/a/index.js", "changed")
        told = json.loads(tree.bnet("build", "--json", cwd="packages/b").out)["packages"]
        assert {each["name"]: each["tier"] for each in told} == {"a": "full", "b": "full"}
        assert not (tree.root / "bnet.yaml").exists()

    def test_written_down_they_say_the_same(self, tree: Tree) -> None:
        assert tree.bnet("build").code == 0
        done = tree.bnet("build", "--init")
        assert done.code == 0 and "2 packages" in done.complaint
        assert "# yaml-language-server: $schema=bnet.schema.json" in (tree.root / "bnet.yaml").read_text()
        assert json.loads((tree.root / "bnet.schema.json").read_text())["title"]
        told = json.loads(tree.bnet("build", "--json").out)["packages"]
        assert {each["tier"] for each in told} <= {"instant", "fresh"}
        again = tree.bnet("build", "--init")
        assert again.code == 2 and "is there already" in again.complaint

    def test_a_manifest_that_cannot_be_read(self, tree: Tree) -> None:
        tree.write("packages/a/package.json", "{")
        done = tree.bnet("build")
        assert done.code == 2 and done.complaint.startswith(
            "bnet: packages/a/package.json:1: is no valid JSON"
        )


def test_where_nothing_says_what_to_build(tree: Tree) -> None:
    done = tree.bnet("build")
    assert done.code == 2 and "there is no bnet.yaml in" in done.complaint


def test_outside_of_git_nothing_is_looked_for_far_below(tree: Tree) -> None:
    tree.write("far/below/pyproject.toml", "[project]\nname = 'far'\n")
    assert tree.bnet("build", "--dry-run").code == 2
    tree.git("init", "-q")
    done = tree.bnet("build", "--dry-run", "--json")
    assert done.code == 0 and names(done) == ["far"]
