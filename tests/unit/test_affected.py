"""`bnet build --affected`: what Git says of a work tree, and which packages that means."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bnet.build.reach import Reach
from bnet.errors import BnetError
from bnet.model.tree import Package, Tree
from bnet.wiring.workshop import Workshop


class Repository:
    """A tree in a repository, as one test needs it."""

    def __init__(self, root: Path, env: dict[str, str]) -> None:
        self.root = root
        self.env = env
        self.root.mkdir(parents=True)
        self.git("init", "-q")

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True)

    def write(self, path: str, text: str = "") -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def link(self, path: str, target: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).unlink(missing_ok=True)
        (self.root / path).symlink_to(target)

    def declare(self, *packages: dict[str, object], **more: object) -> None:
        self.write("bnet.yaml", json.dumps({"packages": packages, **more}))

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "one", "--allow-empty")

    def affected(self, revision: str = "HEAD") -> list[str]:
        return Workshop(self.root, self.env).affected(revision)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    env = {**os.environ, "BNET_CACHE": str(tmp_path / "cache")}
    return Repository(tmp_path / "tree", env)


@pytest.fixture
def submodule(repository: Repository, tmp_path: Path) -> Repository:
    """A tree with a submodule in `libs/sub`, and packages in and around it."""
    library = Repository(tmp_path / "library", repository.env)
    library.write("src/a.c", "1")
    library.commit()
    repository.git("submodule", "add", "-q", str(library.root), "libs/sub")
    repository.declare(
        {"name": "it", "path": "libs/sub"},
        {"name": "inside", "path": "libs/sub/src"},
        {"name": "user", "path": "user", "sources": ["**", "/libs/sub/src/*.c"]},
        {"name": "all-c", "path": "all", "sources": ["/libs/**/*.c"]},
        {"name": "above", "path": "above", "dependencies": ["it"]},
        {"name": "beside", "path": "libs", "sources": ["*.md", "/libs/other/**"]},
        {"name": "without", "path": "without", "sources": ["/libs/**", "!/libs/sub/**"]},
    )
    repository.commit()
    assert repository.affected() == []
    return repository


TOUCHED = ["it", "inside", "user", "all-c", "above"]


class TestRepositoriesInside:
    def test_a_file_of_a_submodule_changed(self, submodule: Repository) -> None:
        submodule.write("libs/sub/src/a.c", "2")
        assert submodule.affected() == TOUCHED

    def test_a_file_of_a_submodule_is_new(self, submodule: Repository) -> None:
        submodule.git("config", "diff.ignoreSubmodules", "all")
        submodule.write("libs/sub/src/new.c", "2")
        assert submodule.affected() == TOUCHED

    def test_a_submodule_stands_at_another_commit(self, submodule: Repository) -> None:
        inner = Repository.__new__(Repository)
        inner.root = submodule.root / "libs/sub"
        inner.write("src/a.c", "2")
        inner.git("commit", "-qam", "two")
        assert submodule.affected() == TOUCHED
        submodule.commit()
        assert submodule.affected() == []
        assert submodule.affected("HEAD~1") == TOUCHED

    def test_a_submodule_is_gone(self, submodule: Repository) -> None:
        submodule.git("rm", "-qf", "libs/sub")
        assert submodule.affected() == TOUCHED

    def test_a_repository_that_git_does_not_know(self, repository: Repository) -> None:
        repository.declare(
            {"name": "nest", "path": "nest"},
            {"name": "deep", "path": "nest/deep"},
            {"name": "other", "path": "other"},
        )
        repository.commit()
        repository.write("nest/deep/a")
        subprocess.run(["git", "init", "-q", "nest"], cwd=repository.root, check=True)
        assert repository.affected() == ["nest", "deep"]


class TestLinks:
    def test_the_file_behind_a_source_changed(self, repository: Repository) -> None:
        repository.declare({"name": "p", "path": "p"}, {"name": "q", "path": "q"})
        repository.write("common/x", "1")
        repository.link("p/x", "../common/x")
        repository.link("q/x", "../common/y")
        repository.commit()
        repository.write("common/x", "2")
        assert repository.affected() == ["p"]

    def test_a_link_on_the_way_leads_elsewhere(self, repository: Repository) -> None:
        repository.declare({"name": "p", "path": "p"})
        repository.write("one/x", "1")
        repository.write("two/x", "2")
        repository.link("now", "one")
        repository.link("p/x", "../now/x")
        repository.commit()
        assert repository.affected() == []
        repository.link("now", "two")
        assert repository.affected() == ["p"]

    def test_the_file_behind_it_is_gone_or_outside_of_the_tree(self, repository: Repository) -> None:
        repository.write("outside", "1")
        repository.write("tree/bnet.yaml", '{"packages": [{"name": "p", "path": "p"}, {"name": "all"}]}')
        repository.link("tree/p/x", "../../outside")
        repository.commit()
        repository.root /= "tree"
        assert repository.affected() == []
        (repository.root.parent / "outside").unlink()
        assert repository.affected() == ["p", "all"]

    def test_a_package_behind_a_link(self, repository: Repository) -> None:
        repository.declare(
            {"name": "p", "path": "p", "sources": ["src/**"]},
            {"name": "q", "path": "q"},
            {"name": "r", "path": "r"},
        )
        repository.write("real/p/src/a", "1")
        repository.link("p", "real/p")
        repository.link("q/inner", "../real/p")
        repository.link("r/self", "self")
        repository.commit()
        repository.write("real/p/src/a", "2")
        assert repository.affected() == ["p"], "no ** leads through a link"


class TestWhatCounts:
    def test_a_new_file_that_only_this_clone_or_this_user_ignores(
        self, repository: Repository, tmp_path: Path
    ) -> None:
        repository.declare(
            {"name": "p", "path": "p", "outputs": ["dist/**"], "build_cmd": "true"},
            {"name": "q", "path": "q"},
            {"name": "r", "path": "r"},
        )
        repository.write(".gitignore", "*.log\n")
        repository.commit()
        (tmp_path / "mine").write_text("dist/\nnode_modules/\n*.local\n")
        repository.git("config", "core.excludesFile", str(tmp_path / "mine"))
        repository.write(".git/info/exclude", "*.tmp\n")
        for path in ("p/dist/made", "p/a.log", "p/node_modules/x/a", "q/a.tmp", "r/a.local"):
            repository.write(path)
        assert repository.affected() == ["q", "r"]

    def test_no_history_in_common(self, repository: Repository) -> None:
        repository.declare({"name": "p"})
        repository.commit()
        repository.git("branch", "-q", "there")
        repository.git("checkout", "-q", "--orphan", "here")
        repository.write("a", "a root of its own")
        repository.commit()
        with pytest.raises(BnetError, match=r"^there and HEAD have no history in common$"):
            repository.affected("there")


@pytest.mark.parametrize(
    ("source", "path", "meant"),
    [
        ("**", "p/sub/", True),
        ("src/**", "p/sub/", False),
        ("sub", "p/sub/", True),
        ("s*/a/*.c", "p/sub/", True),
        ("s*", "p/sub/", False),
        ("*.c", "p/sub/", False),
        ("{src,sub}/a", "p/sub/", True),
        ("sub/a/b", "p/sub/a/b/c/", True),
        ("/*/sub/*", "p/sub/", True),
        ("**", "q/", False),
        ("**", "p/node_modules/", False),
        ("node_modules/x/*", "p/node_modules/", True),
        ("node_modules/x/*", "p/node_modules/x/a", True),
        ("**", "p/node_modules/x/a", False),
        ("**", "p/node_modules", True),
        ("**", "p/link/a", False),
        ("link/**", "p/link/a", True),
        ("**", "p/link", True),
        ("**", "p/out/a", False),
    ],
)
def test_what_a_path_is_to_a_package(source: str, path: str, meant: bool) -> None:
    package = Package(name="p", path="p", sources=(source,), outputs=("out/**",))
    assert Reach(Tree(packages=(package,)), ["p/link"]).has(package, path) is meant


def test_the_sources_of_the_tree_are_everyone_s() -> None:
    package = Package(name="p", path="p", outputs=("out/**",))
    reach = Reach(Tree(packages=(package,), sources=("libs/*/x",)))
    assert reach.has(package, "libs/sub/") and not reach.has(package, "libs/sub/x/")
    assert reach.has(package, "libs/sub/x")
