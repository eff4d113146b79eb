"""What npm, pnpm, yarn, bun, uv and pip users have already declared becomes the same tree, and a `bnet.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bnet.build.globs import Patterns
from bnet.build.lister import Lister
from bnet.codec import people
from bnet.codec.schemas import shipped
from bnet.codec.tree import read_tree
from bnet.codec.workspaces import discover
from bnet.codec.workspaces.write import write_tree
from bnet.errors import Invalid
from bnet.model.tree import Hooks, Package, SharedStore, Tree


class Memory:
    """A tree's files in a dict; what Git ignores is not among those that a pattern finds."""

    def __init__(self, files: Mapping[str, str], ignored: tuple[str, ...] = ("dist", "node_modules")) -> None:
        self.files = files
        self.ignored = ignored

    def read(self, path: str) -> bytes | None:
        text = self.files.get(path)
        return None if text is None else text.encode("utf-8", "surrogateescape")

    def glob(self, pattern: str) -> list[str]:
        meant = Patterns([pattern], ".")
        return sorted(
            path
            for path in self.files
            if meant.match(path) and not set(self.ignored).intersection(path.split("/"))
        )


class Disk:
    """The same over a directory, as a caller may have it; one stands in it."""

    def read(self, path: str) -> bytes | None:
        return Path(path).read_bytes() if Path(path).is_file() else None

    def glob(self, pattern: str) -> list[str]:
        return Lister([]).find(Patterns([pattern], ".")).paths


def found(files: Mapping[str, Any]) -> Tree:
    """Discover what files declare; a mapping is written as JSON."""
    tree = discover(
        Memory({path: text if isinstance(text, str) else json.dumps(text) for path, text in files.items()})
    )
    assert tree is not None
    return tree


def edges(tree: Tree) -> dict[str, list[str]]:
    return {package.name: list(package.dependencies) for package in tree.packages}


def npm(name: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "dependencies": dict.fromkeys(needs, "*"), "scripts": {"build": "tsc"}} | fields


# -- npm and its like

NPM = {
    "package.json": {"private": True, "workspaces": ["packages/*", "apps/web"]},
    "package-lock.json": "{}",
    "tsconfig.base.json": "{}",
    "packages/core/package.json": npm("@acme/core"),
    "packages/ui/package.json": npm("@acme/ui", "@acme/core", "react"),
    "packages/icons/package.json": {"name": "icons"},
    "packages/notes/README.md": "no package",
    "packages/ui/node_modules/x/package.json": npm("x"),
    "apps/web/package.json": npm("web", "@acme/ui", devDependencies={"icons": "^1.0.0"}),
    "apps/old/package.json": npm("old"),
}


def test_a_workspace_of_npm() -> None:
    build = "npm run build"
    assert found(NPM) == Tree(
        packages=(
            Package(
                name="web",
                path="apps/web",
                build_cmd=build,
                dependencies=("@acme/ui", "icons"),
                sources=("**", "/packages/icons/package.json", "/packages/ui/package.json"),
                outputs=("dist/**",),
            ),
            Package(name="@acme/core", path="packages/core", build_cmd=build, outputs=("dist/**",)),
            Package(name="icons", path="packages/icons"),
            Package(
                name="@acme/ui",
                path="packages/ui",
                build_cmd=build,
                dependencies=("@acme/core",),
                sources=("**", "/packages/core/package.json"),
                outputs=("dist/**",),
            ),
        ),
        sources=("package-lock.json", "tsconfig.base.json"),
    )


TWO = {"packages/a/package.json": npm("a"), "packages/b/package.json": npm("b", "a")}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"package.json": {"workspaces": ["packages/*"]}}, "a b"),
        ({"package.json": {"workspaces": {"packages": ["packages/*"]}}}, "a b"),
        ({"package.json": {"workspaces": ["./packages/*/"]}}, "a b"),
        ({"package.json": {"workspaces": ["packages/**"]}}, "a b"),
        ({"package.json": {"workspaces": ["**"]}}, "a b"),
        ({"package.json": {"workspaces": ["packages/{a,c}"]}}, "a"),
        ({"package.json": {"workspaces": ["packages/*", "!packages/b"]}}, "a"),
        ({"package.json": {}, "pnpm-workspace.yaml": "packages: ['packages/*', '!**/b']"}, "a"),
        ({"package.json": {}, "pnpm-workspace.yaml": "packages:\n  - .\n  - packages/b\n"}, "b"),
        ({"package.json": '\ufeff{\r\n "workspaces": ["packages/a"]}'}, "a"),
    ],
)
def test_where_members_are(files: dict[str, Any], names: str) -> None:
    assert [package.name for package in found(TWO | files).packages] == names.split()


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({}, "npm run build"),
        ({"package-lock.json": "{}"}, "npm run build"),
        ({"yarn.lock": ""}, "yarn run build"),
        ({"pnpm-lock.yaml": ""}, "pnpm run build"),
        ({"pnpm-workspace.yaml": "packages: ['packages/*']"}, "pnpm run build"),
        ({"bun.lockb": ""}, "bun run build"),
        ({"package.json": {"workspaces": ["packages/*"], "packageManager": "yarn@4.1.0"}}, "yarn run build"),
        ({"package.json": {"workspaces": ["packages/*"], "packageManager": "corn@1"}}, "npm run build"),
    ],
)
def test_who_runs_the_script(files: dict[str, Any], command: str) -> None:
    tree = found(TWO | {"package.json": {"workspaces": ["packages/*"]}} | files)
    assert {package.build_cmd for package in tree.packages} == {command}
    assert set(tree.sources) == files.keys() - {"package.json", "pnpm-workspace.yaml"}


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"dependencies": {"a": "^1.0.0"}}, ["a"]),
        ({"devDependencies": {"a": "*"}}, ["a"]),
        ({"optionalDependencies": {"a": "*"}}, ["a"]),
        ({"peerDependencies": {"a": "*"}}, ["a"]),
        ({"dependencies": {"a": "*"}, "devDependencies": {"a": "*"}}, ["a"]),
        ({"dependencies": {"a": "workspace:^"}}, ["a"]),
        ({"dependencies": {"a": "catalog:"}}, ["a"]),
        ({"dependencies": {"alias": "workspace:a@*"}}, ["a"]),
        ({"dependencies": {"alias": "file:../a"}}, ["a"]),
        ({"dependencies": {"alias": "link:../a/"}}, ["a"]),
        ({"dependencies": {"a": "npm:other@1"}}, []),
        ({"dependencies": {"a": "https://example.org/a.tgz"}}, []),
        ({"dependencies": {"a": "file:../../elsewhere"}}, []),
        ({"dependencies": {"react": "18"}}, []),
        ({"dependencies": {"b": "*"}}, []),
        ({"dependencies": None}, []),
    ],
)
def test_what_a_member_depends_on(fields: dict[str, Any], needs: list[str]) -> None:
    files = TWO | {
        "package.json": {"workspaces": ["packages/*"]},
        "packages/b/package.json": {"name": "b"} | fields,
    }
    assert edges(found(files))["b"] == needs


def test_a_member_without_a_name_is_called_by_its_directory() -> None:
    files = {
        "package.json": {"workspaces": ["x/*"]},
        "x/tool/package.json": {},
        "x/b/package.json": npm("b", "tool"),
    }
    assert edges(found(files)) == {"b": ["tool"], "tool": []}


def test_one_package_without_a_workspace() -> None:
    alone = Package(name="site", build_cmd="npm run build", outputs=("dist/**",))
    assert found({"package.json": npm("site", "react")}) == Tree(packages=(alone,))
    assert discover(Memory({"package.json": '{"name": "scripts"}'})) is None
    assert discover(Memory({})) is None


OUTPUTS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "nothing said": ({}, {}, ["dist/**"]),
    "main": ({"main": "./build/index.js"}, {}, ["build/**"]),
    "main and types": (
        {"main": "cjs/a.js", "module": "esm/a.js", "types": "./cjs/a.d.ts"},
        {},
        ["cjs/**", "esm/**"],
    ),
    "exports": (
        {
            "exports": {
                ".": {"import": "./dist/a.js", "types": "./types/a.d.ts"},
                "./package.json": "./package.json",
            }
        },
        {},
        ["dist/**", "types/**"],
    ),
    "bin": ({"bin": {"tool": "out/cli.js"}}, {}, ["out/**"]),
    "files": ({"files": ["build", "README.md", "esm/**"]}, {}, ["build/**", "esm/**"]),
    "main at the top": ({"main": "index.js"}, {}, ["dist/**"]),
    "main among the sources": ({"main": "src/index.js"}, {"src/index.js": ""}, ["dist/**"]),
    "main in a directory that nobody has": ({"main": "lib/index.js"}, {}, ["lib/**"]),
    "main in a directory with files by hand": ({"main": "lib/index.js"}, {"lib/index.js": ""}, ["dist/**"]),
    "outDir": ({}, {"tsconfig.json": {"compilerOptions": {"outDir": "./lib"}}}, ["lib/**"]),
    "outDir over files": (
        {"main": "lib/index.js"},
        {"tsconfig.json": {"compilerOptions": {"outDir": "lib"}}, "lib/old.js": ""},
        ["lib/**"],
    ),
    "outDir with comments": (
        {},
        {
            "tsconfig.json": '{ // "outDir": "no"\n "compilerOptions": {"outDir": "lib", /* "x" */ "a": "//b",},}'
        },
        ["lib/**"],
    ),
    "outDir for builds": (
        {},
        {"tsconfig.build.json": {"compilerOptions": {"outDir": "${configDir}/lib"}}},
        ["lib/**"],
    ),
    "outDir and declarationDir": (
        {},
        {"tsconfig.json": {"compilerOptions": {"outDir": "dist/js", "declarationDir": "dist/types"}}},
        ["dist/js/**", "dist/types/**"],
    ),
    "outDir inside another": (
        {"main": "dist/a.js"},
        {"tsconfig.json": {"compilerOptions": {"outDir": "dist/js"}}},
        ["dist/**"],
    ),
    "outDir elsewhere": ({}, {"tsconfig.json": {"compilerOptions": {"outDir": "../../dist/a"}}}, ["dist/**"]),
    "outDir here": ({}, {"tsconfig.json": {"compilerOptions": {"outDir": "."}}}, ["dist/**"]),
    "a broken tsconfig": ({}, {"tsconfig.json": "{"}, ["dist/**"]),
    "fields of odd types": ({"main": False, "files": "dist", "exports": [None, 1]}, {}, ["dist/**"]),
    "a path that climbs": ({"main": "../other/a.js", "types": "/etc/a.d.ts"}, {}, ["dist/**"]),
    "Next": ({"scripts": {"build": "next build"}}, {}, [".next/**", "!.next/cache/**"]),
    "Create React App": ({"scripts": {"build": "CI=1 react-scripts build"}}, {}, ["build/**"]),
}


@pytest.mark.parametrize(("fields", "files", "outputs"), OUTPUTS.values(), ids=OUTPUTS.keys())
def test_what_a_member_makes(fields: dict[str, Any], files: dict[str, Any], outputs: list[str]) -> None:
    inner = {f"p/{path}": text for path, text in files.items()}
    tree = found({"package.json": {"workspaces": ["p"]}, "p/package.json": npm("p") | fields} | inner)
    assert list(tree.packages[0].outputs) == outputs


# -- Python

UV = """\
[project]
name = "acme"
dependencies = ["acme-core"]
[tool.uv.sources]
acme-core = { workspace = true }
other = { path = "libs/other" }
[tool.uv.workspace]
members = ["libs/*"]
exclude = ["libs/old"]
"""
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


def project(name: str, *needs: str, more: str = HATCH) -> str:
    return f'[project]\nname = "{name}"\nversion = "1"\ndependencies = {json.dumps(list(needs))}\n{more}'


def test_a_workspace_of_uv() -> None:
    files = {
        "pyproject.toml": UV,
        "uv.lock": "",
        "libs/core/pyproject.toml": project("acme.core", "requests>=2"),
        "libs/http/pyproject.toml": project("acme_http", "Acme_Core[fast]>=1; python_version > '3'", "other"),
        "libs/other/pyproject.toml": project("other-name"),
        "libs/old/pyproject.toml": project("old"),
        "elsewhere/pyproject.toml": project("elsewhere"),
    }
    build = "uv build --wheel --out-dir dist"
    wheel = ("dist/*.whl",)
    assert found(files) == Tree(
        packages=(
            Package(name="acme", dependencies=("acme.core",)),
            Package(name="acme.core", path="libs/core", build_cmd=build, outputs=wheel),
            Package(
                name="acme_http",
                path="libs/http",
                build_cmd=build,
                dependencies=("acme.core", "other-name"),
                outputs=wheel,
            ),
            Package(name="other-name", path="libs/other", build_cmd=build, outputs=wheel),
        ),
        sources=("uv.lock",),
    )


POETRY = """\
[tool.poetry]
name = "app"
[tool.poetry.dependencies]
python = "^3.11"
renamed = {path = "../core", develop = true}
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""


@pytest.mark.parametrize(
    ("app", "needs"),
    [
        (project("app"), []),
        (project("app", "core"), ["core"]),
        (project("app", "core @ file:///${PROJECT_ROOT}/../core"), ["core"]),
        (project("app", "core @ {root:uri}/../core"), ["core"]),
        (project("app", more="[project.optional-dependencies]\nfast = ['core']\n"), ["core"]),
        (project("app", more='[build-system]\nrequires = ["core"]\n'), ["core"]),
        (project("app", "app[all]", "requests"), []),
        (project("app", "core", more="[tool.uv.sources]\ncore = {git = 'https://example.org/core'}\n"), []),
        (project("app", "core", more="[tool.uv.sources]\ncore = {path = '../elsewhere'}\n"), []),
        (project("app", "x", more="[tool.uv.sources]\nx = [{path = '../core', marker = 'a'}]\n"), ["core"]),
        (POETRY, ["core"]),
    ],
)
def test_what_a_project_depends_on(app: str, needs: list[str]) -> None:
    tree = found({"app/pyproject.toml": app, "core/pyproject.toml": project("core")})
    assert edges(tree) == {"app": needs, "core": []}


@pytest.mark.parametrize(
    ("more", "command", "sources"),
    [
        (HATCH, "python -m build --wheel --outdir dist", ["**"]),
        (
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
            "python -m build --wheel --outdir dist",
            ["**", "!build/**", "!**/*.egg-info/**"],
        ),
        ("", None, ["**"]),
        (f"{HATCH}[tool.uv]\npackage = false\n", None, ["**"]),
        (f"{HATCH}[tool.uv]\n", "uv build --wheel --out-dir dist", ["**"]),
        (f"{HATCH}[tool.poetry]\npackage-mode = false\n", None, ["**"]),
    ],
)
def test_how_a_project_is_built(more: str, command: str | None, sources: list[str]) -> None:
    [package] = found({"pyproject.toml": project("alone", more=more)}).packages
    assert (package.build_cmd, list(package.sources)) == (command, sources)
    assert package.outputs == (("dist/*.whl",) if command else ())


def test_projects_that_only_tests_use_are_left_out() -> None:
    files = {
        "pyproject.toml": "[tool.ruff]\nline-length = 100\n",
        "core/pyproject.toml": project("core"),
        "tests/fixtures/broken/pyproject.toml": "[[[",
        "core/vendor/x/pyproject.toml": project("x"),
    }
    assert edges(found(files)) == {"core": []}


# -- both


def test_a_tree_of_both_kinds() -> None:
    files = NPM | {"poetry.lock": "", "py/core/pyproject.toml": project("@acme/core".removeprefix("@acme/"))}
    files |= {"py/icons/pyproject.toml": project("icons", "core")}
    tree = found(files)
    assert edges(tree) == {
        "web": ["@acme/ui", "icons"],
        "@acme/core": [],
        "icons": [],
        "@acme/ui": ["@acme/core"],
        "core": [],
        "py/icons": ["core"],
    }
    assert tree.sources == ()
    assert tree.packages[1].sources == ("**", "/package-lock.json", "/tsconfig.base.json")
    assert tree.packages[-1].sources == ("**", "/poetry.lock")


# -- what is wrong

JS = {"package.json": {"workspaces": ["p/*"]}}
ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "no JSON": ({"package.json": '{\n "name": x}'}, "package.json:2: is no valid JSON: Expecting value"),
    "no mapping": ({"package.json": "[]"}, "package.json: must be a mapping, not a list"),
    "no UTF-8": ({"package.json": '{\n"name": "\udcff"}'}, "package.json:2: is no UTF-8 text"),
    "nested deeply": ({"package.json": "[" * 100_000}, "package.json: is nested too deeply"),
    "no member": (
        {"package.json": '{\n  "workspaces": ["p/*"]\n}'},
        'package.json:2: field "workspaces": none of these patterns leads to a package.json',
    ),
    "a member elsewhere": (
        {"package.json": '{\n\n"workspaces": {"packages": [\n"../p"]}}'},
        "package.json:3: field \"workspaces.packages\": '../p' leads out of the tree",
    ),
    "members as a text": (
        {"package.json": '{"workspaces": "p/*"}'},
        'package.json:1: field "workspaces": must be a mapping or a list, not a text',
    ),
    "a member that is broken": (
        JS | {"p/a/package.json": '{\n "name": "a",\n}'},
        "p/a/package.json:3: is no valid JSON: Expecting property name enclosed in double quotes",
    ),
    "a name that is none": (
        JS | {"p/a/package.json": '{\n "name": 5}'},
        'p/a/package.json:2: field "name": must be a text, not a number',
    ),
    "a name with a space": (
        JS | {"p/a/package.json": '{\n "name": "a b"}'},
        "p/a/package.json:2: field \"name\": 'a b' cannot be used: a package's name has up to 128 letters, "
        "digits, '@', '/', '.', '_' and '-'",
    ),
    "a version that is none": (
        JS | {"p/a/package.json": '{"name": "a",\n "devDependencies": {"b": 1}}'},
        'p/a/package.json:2: field "devDependencies": a value in it must be a text, not a number',
    ),
    "a name twice": (
        JS | {"p/a/package.json": npm("x"), "p/b/package.json": '{\n"name": "x"}'},
        'p/b/package.json:2: field "name": x is declared twice, first as packages[0]',
    ),
    "one name for two projects": (
        {
            "x/pyproject.toml": '[project]\nname = "My.Pkg_A"\n',
            "y/pyproject.toml": '[tool.poetry]\n# ours\nname = "MY-pkg-a"\n',
        },
        "y/pyproject.toml:3: field \"tool.poetry.name\": 'MY-pkg-a' is the name of x/pyproject.toml already, "
        "as 'My.Pkg_A'",
    ),
    "the same name for two projects": (
        {"x/pyproject.toml": '[project]\nname = "a"\n', "y/pyproject.toml": '[project]\nname = "a"\n'},
        "y/pyproject.toml:2: field \"project.name\": 'a' is the name of x/pyproject.toml already",
    ),
    "a circle": (
        JS
        | {
            "p/a/package.json": npm("a", "b"),
            "p/b/package.json": '{"name": "b",\n "devDependencies": {\n  "zod": "*",\n  "a": "*"}}',
        },
        'p/b/package.json:4: field "devDependencies.a": these packages depend on each other in a circle: a -> b -> a',
    ),
    "pnpm's file is broken": (
        {"package.json": {}, "pnpm-workspace.yaml": "packages:\n\t- x"},
        "pnpm-workspace.yaml:2: is no valid YAML: found character that cannot start any token",
    ),
    "pnpm's file is of another type": (
        {"package.json": {}, "pnpm-workspace.yaml": "# ours\npackages: {a: b}"},
        'pnpm-workspace.yaml:2: field "packages": must be a list, not a mapping',
    ),
    "no TOML": (
        {"pyproject.toml": "[project]\nname = x\n"},
        "pyproject.toml:2: is no valid TOML: Invalid value",
    ),
    "TOML that stops": (
        {"pyproject.toml": '[project]\nname = "x'},
        "pyproject.toml:2: is no valid TOML: Unterminated string",
    ),
    "a project of another type": (
        {"a/pyproject.toml": '[project]\nname = "a"\ndependencies = "b"\n'},
        'a/pyproject.toml:3: field "project.dependencies": must be a list, not a text',
    ),
    "a uv member elsewhere": (
        {"pyproject.toml": '[tool.uv.workspace]\nmembers = ["../x"]'},
        "pyproject.toml:2: field \"tool.uv.workspace.members\": '../x' leads out of the tree",
    ),
    "a circle of projects": (
        {
            "a/pyproject.toml": project("a", "b"),
            "b/pyproject.toml": '[project]\nname = "b"\n\ndependencies = ["a"]\n',
        },
        'b/pyproject.toml:4: field "project.dependencies": '
        "these packages depend on each other in a circle: a -> b -> a",
    ),
}


@pytest.mark.parametrize(("files", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_what_is_wrong_is_said_with_its_place(files: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as caught:
        found(files)
    assert str(caught.value) == message


# -- written down

WRITTEN = """\
# yaml-language-server: $schema=bnet.schema.json
# What this tree is made of: `bnet build` brings its packages up to date, `bnet why PACKAGE` says what it did.

# Every package depends on these.
sources: [package-lock.json, tsconfig.base.json]

# path: its directory. build_cmd: run there, once all of its dependencies are up to date.
# sources: what it is made of; without them, every file in path that Git does not ignore.
# outputs: what it makes, and nothing else: they are removed before a build.
packages:
  - name: web
    path: apps/web
    build_cmd: npm run build
    dependencies: ['@acme/ui', icons]
    sources: ['**', /packages/icons/package.json, /packages/ui/package.json]
    outputs: [dist/**]

  - name: '@acme/core'
    path: packages/core
    build_cmd: npm run build
    outputs: [dist/**]

  - name: icons
    path: packages/icons

  - name: '@acme/ui'
    path: packages/ui
    build_cmd: npm run build
    dependencies: ['@acme/core']
    sources: ['**', /packages/core/package.json]
    outputs: [dist/**]
"""


def test_what_is_found_is_written_for_people() -> None:
    assert write_tree(found(NPM)).decode() == WRITTEN


def test_a_script_of_several_lines_stays_one() -> None:
    tree = Tree(packages=(Package(name="a", build_cmd="set -e\n\nmake all\nmake install\n", timeout=5400.0),))
    text = write_tree(tree).decode()
    assert "    build_cmd: |\n      set -e\n\n      make all\n      make install\n    timeout: 90m\n" in text
    assert read_tree(text.encode()) == tree


ODD = st.one_of(
    st.sampled_from(
        ["no", "on", "~", "null", "1", "010", "0x1f", "1.5", "12:30", "- a", "a: b", "# a", "*a", "'", "%"]
    ),
    st.sampled_from(
        ["a\nb", "a\n\n b\n", "\ta\n", "a \nb", "a\u2028b\n", "a\x85b\nc", "\ufeff\n", "x" * 300, "a b " * 60]
    ),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
)
TEXT = ODD.filter(lambda text: bool(text.strip()))
GLOB = ODD.filter(
    lambda text: (
        text[0] not in "!/" and not {"..", "{", ","} & set(text.replace("/", "")) and ".." not in text
    )
)
OUTPUT = GLOB.filter(lambda text: bool(set(text) - set("*./ ")))
PATH = ODD.map(lambda text: text.replace("/", "").replace(".", "")).filter(bool)
SPAN = st.one_of(st.none(), st.integers(1, 10**8).map(float), st.floats(1e-9, 1e8))
HOOKS = st.builds(Hooks, pre_build=st.none() | TEXT, post_build=st.none() | TEXT)
NAMES = st.lists(st.from_regex(r"[A-Za-z0-9@][A-Za-z0-9@/_-]{0,20}", fullmatch=True), unique=True, max_size=4)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    packages = []
    names = [name for name in draw(NAMES) if "//" not in name and not name.endswith("/")]
    for at, name in enumerate(names):
        command = draw(st.none() | TEXT | st.lists(TEXT, min_size=1).map(tuple))
        packages.append(
            Package(
                name=name,
                path=f"{at}{draw(PATH)}",
                build_cmd=command,
                dependencies=tuple(draw(st.lists(st.sampled_from(names[:at]), max_size=2))) if at else (),
                sources=draw(st.just(("**",)) | st.lists(GLOB).map(tuple)),
                outputs=() if command is None else tuple(draw(st.lists(OUTPUT, max_size=2, unique=True))),
                env=tuple(draw(st.lists(st.sampled_from(["CI", "NO", "y", "_"])))),
                tools=tuple(draw(st.lists(TEXT, max_size=2))),
                hooks=Hooks() if command is None else draw(HOOKS),
                timeout=draw(SPAN),
                incremental=draw(st.booleans()),
                cache=draw(st.booleans()),
            )
        )
    store = st.builds(
        SharedStore,
        url=TEXT,
        mode=st.sampled_from(["read", "write", "read-write"]),
        timeout=SPAN.filter(bool),
    )
    return Tree(
        packages=tuple(packages),
        sources=tuple(draw(st.lists(GLOB, max_size=3))),
        env=tuple(draw(st.lists(st.sampled_from(["CI", "no"])))),
        hooks=draw(HOOKS),
        store=draw(st.none() | store),
    )


@given(trees())
def test_what_is_written_reads_back_as_the_same_tree(tree: Tree) -> None:
    assert read_tree(write_tree(tree)) == tree


@given(trees())
def test_what_is_written_fits_the_schema(tree: Tree) -> None:
    text = write_tree(tree)
    data = yaml.load(text, yaml.CBaseLoader)  # only whether it is YAML for others as well
    assert isinstance(data, dict)
    validator = jsonschema.Draft202012Validator(json.loads(shipped()["tree.json"]))
    validator.validate(people.parse(text, "bnet.yaml").data)


# -- on a disk


def test_files_of_a_real_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, text in NPM.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text if isinstance(text, str) else json.dumps(text))
    monkeypatch.chdir(tmp_path)
    assert discover(Disk()) == found(NPM)
