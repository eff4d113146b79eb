"""A build of what changed leaves what a build from nothing would: random trees, random edits, compared file by file.

`BNET_BUILD_SEED=1000 BNET_BUILD_TREES=500 pytest tests/property/test_build.py` tries 500 other trees; a seed that
failed is named, and `BNET_BUILD_SEED=<seed>` begins with it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bnet.build.instant import up_to_date
from bnet.wiring.workshop import Workshop

# Taken before a test's environment is emptied.
FIRST, TREES = int(os.environ.get("BNET_BUILD_SEED", 1)), int(os.environ.get("BNET_BUILD_TREES", 4))
STEPS = 12
NAMES = [
    "a",
    "b.txt",
    "deep/c",
    "deep/er/d",
    "e f",
    "quo'te\"",
    "new\nline",
    "bytes\udcff",
    "-dash",
    "é",
    "x.log",
]
# What every command does: say that it ran, and fail where it is told to.
HEAD = 'echo {name} >> "$RAN"; test ! -e src/FAIL || exit 3; '
# The files of a place in a fixed order, as names with a NUL after each; links are files, what Git ignores is not.
LIST = "find {where} \\( -type f -o -type l \\) ! -name '*.log' -print0 2>/dev/null | LC_ALL=C sort -z"
TAR = "tar --null -T - --no-recursion --mtime=@0 --owner=0 --group=0 --mode=u=rwX,go=rX -cf {to}"
RECIPES = {
    "pack": "rm -rf dist; mkdir -p dist; " + LIST + " | " + TAR.format(to="dist/pack.tar"),
    "read": "mkdir -p dist; " + LIST + " | xargs -0 -r -n1 cat 2>/dev/null > dist/text; true",
    "copy": "mkdir -p dist; cp -RP src dist/copy; find dist/copy -name '*.log' -delete;"
    " chmod -R u=rwX,go=rX dist; ln -s copy/a dist/link; " + LIST + " | cksum > sum.txt",
    "count": "mkdir -p dist/n; " + LIST + " | tr -cd '\\0' | wc -c > dist/n/count",
    "env": 'mkdir -p dist; printf %s "$COLOUR" > dist/colour; ' + LIST + " | head -zn1 > dist/first",
    "check": LIST + " | xargs -0 -r -n1 cat >/dev/null 2>&1; true",
}


class Node:
    """A package of the model: what `bnet.yaml` will say of it."""

    def __init__(self, name: str, path: str, recipe: str) -> None:
        self.name, self.path, self.recipe = name, path, recipe
        self.needs: list[str] = []
        self.sources = ["src/**"]
        self.env: list[str] = ["COLOUR"] if recipe == "env" else []
        self.incremental = recipe == "pack"
        self.comment = 0

    @property
    def outputs(self) -> list[str]:
        if self.recipe == "check":
            return []
        return ["dist/**", "sum.txt"] if self.recipe == "copy" else ["dist/**"]


class Built(NamedTuple):
    """What a build came to."""

    tiers: dict[str, str]
    results: dict[str, str]
    keys: dict[str, str]
    ran: list[str]


class World:
    """A tree, the model that it is written from, and a person with a random hand."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.random = root / "tree", random.Random(seed)
        self.cache, self.side = root / "cache", root / "side"
        self.colour: str | None = "red"
        self.log: list[str] = []
        self.known_keys: set[str] = set()
        self.hurt = False  # a damaged file of the cache may be met again, and costs a build then
        self.saved: list[dict[str, tuple[str, Any]]] = []
        self.count = 0
        self.root.mkdir(parents=True)
        self.nodes: dict[str, Node] = {}
        for index in range(self.random.randint(2, 6)):
            self.add_node(index)
        for node in self.nodes.values():
            for _ in range(self.random.randint(1, 5)):
                self.write(self.some_path(node))
        self.declare()

    # -- the model, written down

    def add_node(self, index: int) -> None:
        name = f"p{index}"
        inner = [node.path for node in self.nodes.values() if node.path != "."]
        path = self.random.choice([f"packages/{name}", f"packages/{name}", f"libs/{name} x", name])
        if index == 0 and self.random.random() < 0.2:
            path = "."
        elif inner and self.random.random() < 0.2:
            path = f"{self.random.choice(inner)}/inner{index}"
        node = Node(name, path, self.random.choice(list(RECIPES)))
        if path != "." and self.random.random() < 0.3:
            node.sources = ["**"] if node.recipe != "copy" else ["src"]
        node.needs = [each for each in self.nodes if self.random.random() < 0.4]
        self.nodes[name] = node

    def declare(self) -> None:
        told = []
        for node in self.nodes.values():
            up = "" if node.path == "." else "../" * (node.path.count("/") + 1)
            places = ["src", *(f"{up}{self.nodes[each].path}/dist" for each in node.needs)]
            where = " ".join(f"'{place}'" for place in places)
            command = HEAD.format(name=node.name) + RECIPES[node.recipe].replace("{where}", where)
            told.append(
                {
                    "name": node.name,
                    "path": node.path,
                    "build_cmd": f"{command} # {node.comment}",
                    "dependencies": node.needs,
                    "sources": node.sources,
                    "outputs": node.outputs,
                    "env": node.env,
                    "incremental": node.incremental,
                }
            )
        text = json.dumps({"packages": told})
        if not (self.root / "bnet.yaml").exists() or (self.root / "bnet.yaml").read_text() != text:
            (self.root / "bnet.yaml").write_text(text)

    # -- places

    def node(self) -> Node:
        return self.random.choice(list(self.nodes.values()))

    def some_path(self, node: Node) -> Path:
        return self.root / node.path / "src" / self.random.choice(NAMES)

    def sources(self, node: Node | None = None) -> list[Path]:
        nodes = [node] if node else list(self.nodes.values())
        found = []
        for each in nodes:
            for at, _, names in os.walk(self.root / each.path / "src"):
                found += [Path(at, name) for name in names]
        return sorted(set(found))

    def made(self, node: Node) -> list[Path]:
        found = [self.root / node.path / "sum.txt"] if (self.root / node.path / "sum.txt").is_file() else []
        for at, folders, names in os.walk(self.root / node.path / "dist"):
            links = [name for name in folders if Path(at, name).is_symlink()]
            found += [Path(at, name) for name in [*names, *links]]
        return sorted(found)

    def write(self, path: Path, data: bytes | None = None) -> None:
        at = path.parent
        while at != self.root:
            if at.is_symlink() or at.is_file():
                at.unlink()
            at = at.parent
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        sizes = [0, 3, 3, 3, 40, 5000, 70_000]
        path.write_bytes(self.bytes(self.random.choice(sizes)) if data is None else data)

    def bytes(self, size: int) -> bytes:
        self.count += 1
        return f"{self.count:03}".encode()[:size] + bytes(self.random.choices(b"ab\n", k=max(0, size - 3)))

    # -- edits: each returns whether it did anything

    def edit_content(self) -> bool:
        paths = [path for path in self.sources() if path.is_file()]
        if not paths:
            return False
        self.write(self.random.choice(paths))
        return True

    def edit_same_size(self) -> bool:
        paths = [path for path in self.sources() if path.is_file() and not path.is_symlink()]
        if not paths:
            return False
        path = self.random.choice(paths)
        found = path.stat()
        self.write(path, self.bytes(found.st_size))
        if self.random.random() < 0.7:
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        return True

    def edit_touch(self) -> bool:
        paths = [path for path in self.sources() if path.is_file()]
        if not paths:
            return False
        when = time.time() + self.random.choice([-5e6, -3600, 0, 3600, 5e6])
        os.utime(self.random.choice(paths), (when, when))
        return True

    def edit_add(self) -> bool:
        self.write(self.some_path(self.node()))
        return True

    def edit_remove(self) -> bool:
        paths = self.sources()
        if paths:
            self.random.choice(paths).unlink()
        return bool(paths)

    def edit_rename(self) -> bool:
        paths = self.sources()
        if not paths:
            return False
        path, node = self.random.choice(paths), self.node()
        target = path.with_name(path.name + "2") if self.random.random() < 0.5 else self.some_path(node)
        if target.is_dir() or target == path or path in target.parents:
            return False
        self.write(target, b"")
        if not path.is_symlink() and not path.exists():
            return True  # what was in the way was above it
        path.rename(target)
        return True

    def edit_mode(self) -> bool:
        paths = [path for path in self.sources() if path.is_file() and not path.is_symlink()]
        if not paths:
            return False
        self.random.choice(paths).chmod(self.random.choice([0o644, 0o755, 0o600, 0o700]))
        return True

    def edit_link(self) -> bool:
        path, paths = self.some_path(self.node()), self.sources()
        target: str | Path = self.random.choice([*paths, Path("nowhere"), self.root / "libs"])
        if self.random.random() < 0.6:
            target = os.path.relpath(target, path.parent) if Path(target).is_absolute() else target
        self.write(path, b"")
        path.unlink()
        path.symlink_to(target)
        return True

    def edit_swap(self) -> bool:
        """Put a directory where a file was, or the reverse."""
        path = self.some_path(self.node())
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            self.write(path)
        else:
            self.write(path, b"")
            path.unlink()
            self.write(path / "inside")
        return True

    def edit_edge(self) -> bool:
        names = list(self.nodes)
        node = self.nodes[self.random.choice(names[1:])]
        other = self.random.choice(names[: names.index(node.name)])
        node.needs = (
            [each for each in node.needs if each != other] if other in node.needs else [*node.needs, other]
        )
        self.declare()
        return True

    def edit_command(self) -> bool:
        self.node().comment += self.random.choice([1, -1])
        self.declare()
        return True

    def edit_env(self) -> bool:
        self.colour = self.random.choice(["red", "blue", "", None])
        return True

    def edit_ignored(self) -> bool:
        places = [self.root, *(self.root / node.path for node in self.nodes.values())]
        path = self.random.choice(places) / ".gitignore"
        if path.exists() and self.random.random() < 0.3:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.random.choice(["", "# nothing\n", "*.log\n", "*.log\n!x.log\n"]))
        return True

    def edit_fail(self) -> bool:
        path = self.root / self.node().path / "src/FAIL"
        if path.exists():
            path.unlink()
        else:
            self.write(path, b"")
        return True

    def edit_output(self) -> bool:
        node = self.node()
        paths = self.made(node)
        if not paths:
            return False
        path = self.random.choice(paths)
        how = self.random.choice(["delete", "change", "mode", "link", "folder", "add", "all", "file"])
        if how == "all":
            shutil.rmtree(self.root / node.path / "dist")
        elif how == "file":
            shutil.rmtree(self.root / node.path / "dist")
            (self.root / node.path / "dist").write_text("in the way")
        elif how == "add":
            if not (self.root / node.path / "dist").is_dir():
                return False
            (self.root / node.path / "dist/more").write_bytes(self.bytes(5))
        elif how == "change" and path.is_file() and not path.is_symlink():
            found = path.stat()
            path.write_bytes(self.bytes(found.st_size) or b"?")
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        elif how == "mode" and path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode ^ 0o111)
        else:
            path.unlink()
            if how == "link":
                path.symlink_to("nowhere")
            elif how == "folder":
                path.mkdir()
                (path / "inside").write_text("x")
        return True

    def edit_nothing(self) -> bool:
        return True

    def edit_switch(self) -> bool:
        """Save this state as a branch, or go to one: everything is as it was then, but for outputs."""
        if len(self.saved) < 3 or self.random.random() < 0.2:
            self.saved.append(self.state())
            for _ in range(6):
                self.random.choice([self.edit_content, self.edit_add, self.edit_remove, self.edit_rename])()
            return True
        state = self.random.choice(self.saved)
        for path in self.sources():
            if os.fspath(path) not in state:
                path.unlink()
        for name, (kind, what) in state.items():
            if self.state_of(Path(name)) != (kind, what):
                self.write(Path(name), what if kind != "l" else b"")
                if kind == "l":
                    Path(name).unlink()
                    Path(name).symlink_to(what)
                else:
                    Path(name).chmod(0o755 if kind == "x" else 0o644)
        return True

    def edit_cache(self) -> bool:
        """Lose a part of the cache, or all of it: it is disposable."""
        paths = sorted(path for path in self.cache.glob("*s/??/*") if path.is_file())
        self.known_keys.clear()
        for path in self.random.sample(paths, min(len(paths), self.random.choice([1, 3, 1000]))):
            if self.random.random() < 0.5:
                path.unlink()
            else:
                self.hurt = True
                data = path.read_bytes()
                cut = self.random.randrange(len(data) + 1)
                path.write_bytes(self.random.choice([data[:cut], data[:cut] + b"?" + data[cut + 1 :]]))
        return True

    def edit_state(self) -> bool:
        """Lose or tear what is remembered of the tree."""
        for path in sorted(self.cache.glob("trees/*/*")):
            if path.name in ("record", "instant") and self.random.random() < 0.7:
                data = path.read_bytes()
                path.write_bytes(data[: self.random.randrange(len(data) + 1)])
        self.known_keys.clear()
        return True

    def state_of(self, path: Path) -> tuple[str, Any] | None:
        if path.is_symlink():
            return "l", os.readlink(path)
        if not path.is_file():
            return None
        return "x" if path.stat().st_mode & 0o100 else "f", path.read_bytes()

    def state(self) -> dict[str, tuple[str, Any]]:
        found = {os.fspath(path): self.state_of(path) for path in self.sources() if path.name != "FAIL"}
        return {name: what for name, what in found.items() if what is not None}

    # -- building

    def env(self, cache: Path, ran: Path) -> dict[str, str]:
        env = {"PATH": os.environ["PATH"], "BNET_CACHE": str(cache), "RAN": str(ran)}
        return env if self.colour is None else {**env, "COLOUR": self.colour}

    def build(self, *, root: Path | None = None, cache: Path | None = None, instant: bool = True) -> Built:
        """Bring the tree up to date, as `bnet build` does; without its first step if `instant` is False."""
        root, ran = root or self.root, self.side / "ran"
        self.side.mkdir(exist_ok=True)
        ran.write_text("")
        env = self.env(cache or self.cache, ran)
        os.chdir(root)
        if instant and up_to_date(env, time.perf_counter()):
            every = dict.fromkeys(self.nodes, "")
            return Built(dict.fromkeys(every, "instant"), dict.fromkeys(every, "success"), every, [])
        shop = Workshop(root, env)
        with shop.lock(print):
            names = shop.graph.order()
            options: Any = {"keep_going": True, "force": False, "dry_run": False}
            report = shop.build(names, jobs=2, told=lambda event: None, **options).run(names)
        return Built(
            {each.name: str(each.tier) for each in report.outcomes},
            {each.name: each.result for each in report.outcomes},
            {each.name: each.key for each in report.outcomes},
            ran.read_text().split(),
        )

    def from_nothing(self) -> tuple[Built, dict[str, dict[str, Any]]]:
        """Build a copy of the tree without any outputs, with an empty cache; return what there is then."""
        copy, cache = self.side / "copy", self.side / "cache"
        for path in (copy, cache):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.root, copy, symlinks=True)
        for node in self.nodes.values():
            if node.outputs:
                for name in ("dist", "sum.txt") if node.recipe == "copy" else ("dist",):
                    path = copy / node.path / name
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink(missing_ok=True)
        built = self.build(root=copy, cache=cache, instant=False)
        return built, {name: self.outputs(node, copy) for name, node in self.nodes.items()}

    def outputs(self, node: Node, root: Path) -> dict[str, Any]:
        found = {}
        here, self.root = self.root, root
        for path in self.made(node):
            kept = self.state_of(path)
            mode = None if path.is_symlink() else stat.S_IMODE(path.stat().st_mode)
            found[os.fspath(path.relative_to(root))] = (kept, mode)
        self.root = here
        return found

    def stats(self, node: Node) -> dict[str, Any]:
        found = {}
        for path in [*self.sources(node), *self.made(node)]:
            row = path.lstat()
            found[os.fspath(path)] = (row.st_mtime_ns, row.st_ctime_ns, row.st_size, row.st_mode, row.st_ino)
        return found

    # -- one step

    def step(self, edit: Callable[[], bool]) -> None:
        before = {name: self.stats(node) for name, node in self.nodes.items()}
        self.log.append(edit.__name__)
        if not edit():
            self.log[-1] += " (nothing to do it to)"
        touched = {name for name, node in self.nodes.items() if self.stats(node) != before[name]}
        built = self.build(instant=self.random.random() < 0.7)
        self.check(built, touched)
        if edit == self.edit_nothing and self.log[-2:-1] == ["edit_nothing"]:
            assert all(built.results[name] == "failure" for name in built.ran)
        again = self.build(instant=False)
        wrong = [name for name in built.results if built.results[name] != "success"]
        assert set(again.ran) <= set(wrong), "a build right after a build runs no command"
        assert again.results == built.results
        assert all(again.tiers[name] in ("instant", "fresh") for name in again.ran if name not in wrong)

    def check(self, built: Built, touched: set[str]) -> None:
        for name, tier in built.tiers.items():
            if tier == "instant":
                assert name not in touched, f"{name} is instant, and a stat of it changed"
            if tier in ("instant", "fresh", "local"):
                assert name not in built.ran, f"{name} is {tier}, and its command ran"
        assert len(built.ran) == len(set(built.ran)), "a command ran twice"
        for name in built.ran:
            assert self.hurt or built.keys[name] not in self.known_keys, (
                f"{name} was built twice from the same inputs"
            )
        clean, outputs = self.from_nothing()
        assert built.results == clean.results
        for name, node in self.nodes.items():
            if clean.results[name] == "success":
                assert self.outputs(node, self.root) == outputs[name], f"{name} ({built.tiers[name]})"
                if built.keys[name]:
                    assert built.keys[name] == clean.keys[name], f"{name} has another key"
                    if built.tiers[name] in ("full", "incremental", "local"):
                        self.known_keys.add(built.keys[name])

    def edits(self) -> list[Callable[[], bool]]:
        return [getattr(self, name) for name in sorted(dir(self)) if name.startswith("edit_")]


def live(root: Path, seed: int, steps: int = STEPS) -> None:
    """Let a world go through its edits; what goes wrong names the seed and what was done."""
    here = os.getcwd()
    world = World(root, seed)
    try:
        world.step(world.edit_nothing)
        for _ in range(steps):
            world.step(world.random.choice(world.edits()))
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(world.log)}")
        raise
    finally:
        os.chdir(here)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + TREES))
def test_a_build_of_what_changed_is_a_build_from_nothing(tmp_path: Path, seed: int) -> None:
    live(tmp_path / "w", seed)
