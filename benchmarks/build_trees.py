"""Trees to build: the same packages, files and commands, written down for every tool that is compared."""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import NamedTuple

LAYERS = 10
COMMAND = "mkdir -p dist && cat src/* > dist/out.txt"
WORDS = ["amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll"]
AGE_S = 3600  # sources are as old as in a checkout that has been worked in: no tool has to distrust them

DODO = """\
import json
from pathlib import Path

PACKAGES = json.loads(Path("packages.json").read_text())


def task_build():
    for name, dependencies in PACKAGES.items():
        home = f"packages/{name}"
        made = [f"packages/{each}/dist/out.txt" for each in dependencies]
        yield {
            "name": name,
            "file_dep": [str(path) for path in Path(home, "src").iterdir()] + made,
            "targets": [f"{home}/dist/out.txt"],
            "actions": [f"cd {home} && %s"],
        }
"""


class Shape(NamedTuple):
    """How large a tree is: packages, source files in each, and bytes in a file, about."""

    packages: int
    files: int = 20
    size: int = 1500

    @property
    def total(self) -> int:
        """Source files of the whole tree."""
        return self.packages * self.files


Graph = dict[str, list[str]]


def graph_of(count: int) -> Graph:
    """Return packages and their dependencies: ten layers, each package on one to three of the layer below."""
    chance, width = random.Random(count), max(1, count // LAYERS)
    names = [f"p{number:04}" for number in range(count)]
    graph: Graph = {}
    for number, name in enumerate(names):
        below = names[max(0, (number // width - 1) * width) : number // width * width]
        graph[name] = sorted(chance.sample(below, min(len(below), chance.randint(1, 3))))
    return graph


def dependents(graph: Graph, name: str) -> list[str]:
    """Return the packages that depend on one, through others too."""
    found = {name}
    for each, dependencies in graph.items():  # in order of layers, so one pass sees all
        if found & set(dependencies):
            found.add(each)
    return sorted(found - {name})


def write_tree(root: Path, shape: Shape) -> Path:
    """Write a tree, with a configuration for every tool, and commit it as a repository."""
    graph, chance = graph_of(shape.packages), random.Random(shape.total)
    for name in graph:
        source = root / "packages" / name / "src"
        source.mkdir(parents=True)
        for number in range(shape.files):
            (source / f"f{number:03}.txt").write_text(_text(chance, shape.size))
    (root / ".gitignore").write_text("dist/\n.turbo/\n.bnet/\n.doit.db*\n.ninja_*\nnode_modules\n")
    _for_bnet(root, graph)
    _for_turborepo(root, graph)
    _for_ninja(root, graph, shape)
    (root / "packages.json").write_text(json.dumps(graph))
    (root / "dodo.py").write_text(DODO % COMMAND)
    settle(root)
    return root


def settle(root: Path) -> None:
    """Let every file be an hour old and committed, as in a checkout that is worked in."""
    then = os.stat(root).st_mtime - AGE_S
    for directory, _, names in os.walk(root):
        for name in names:
            os.utime(os.path.join(directory, name), (then, then))
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "tree"]):
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0"]
        subprocess.run(["git", *identity, *words], cwd=root, check=True)


def wrong_outputs(root: Path) -> list[str]:
    """Return the packages whose output is not what their sources say: none, after a build that is right."""
    wrong = []
    for package in sorted((root / "packages").iterdir()):
        said = b"".join(path.read_bytes() for path in sorted((package / "src").iterdir()))
        made = package / "dist" / "out.txt"
        if not made.exists() or made.read_bytes() != said:
            wrong.append(package.name)
    return wrong


def _text(chance: random.Random, size: int) -> str:
    words = chance.choices(WORDS, k=chance.randint(size // 12, size // 4))
    return f"{chance.getrandbits(64):x}\n" + " ".join(words) + "\n"


def _for_bnet(root: Path, graph: Graph) -> None:
    lines = ["packages:"]
    for name, dependencies in graph.items():
        lines += [
            f"  - name: {name}",
            f"    path: packages/{name}",
            f"    build_cmd: {COMMAND}",
            f"    dependencies: [{', '.join(dependencies)}]",
            '    sources: ["src/**"]',
            "    output_dir: dist",
        ]
    (root / "bnet.yaml").write_text("\n".join(lines) + "\n")


def _for_turborepo(root: Path, graph: Graph) -> None:
    """Write workspaces, their lock file, and the one task that there is."""
    top = {"name": "tree", "private": True, "packageManager": "npm@10.9.0", "workspaces": ["packages/*"]}
    locked: dict[str, object] = {"": {"name": "tree", "workspaces": ["packages/*"]}}
    for name, dependencies in graph.items():
        package = {
            "name": name,
            "version": "1.0.0",
            "scripts": {"build": COMMAND},
            "dependencies": dict.fromkeys(dependencies, "1.0.0"),
        }
        _dump(root / "packages" / name / "package.json", package)
        locked[f"node_modules/{name}"] = {"resolved": f"packages/{name}", "link": True}
        locked[f"packages/{name}"] = {"version": "1.0.0", "dependencies": package["dependencies"]}
    task = {"dependsOn": ["^build"], "outputs": ["dist/**"]}
    _dump(root / "package.json", top)
    _dump(root / "turbo.json", {"tasks": {"build": task}})
    _dump(root / "package-lock.json", {"name": "tree", "lockfileVersion": 3, "packages": locked})


def _for_ninja(root: Path, graph: Graph, shape: Shape) -> None:
    lines = ["rule build", f"  command = cd packages/$package && {COMMAND}"]
    for name, dependencies in graph.items():
        sources = [f"packages/{name}/src/f{number:03}.txt" for number in range(shape.files)]
        made = [f"packages/{each}/dist/out.txt" for each in dependencies]
        lines.append(f"build packages/{name}/dist/out.txt: build {' '.join(sources + made)}")
        lines.append(f"  package = {name}")
    (root / "build.ninja").write_text("\n".join(lines) + "\n")


def _dump(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
