"""What `bnet.yaml` may say, and what people are told when it is wrong."""

from __future__ import annotations

import time

import pytest

from bnet.codec.tree import read_tree
from bnet.errors import Invalid
from bnet.model.tree import Hooks, Package, SharedStore, Tree

WHOLE = """\
packages:
  - name: "@acme/core"
    path: ./packages//core/
    build_cmd: npm run build
    dependencies: [shared]
    sources: ["src/**", "!src/**/*.test.ts", /tsconfig.json]
    outputs: [types/**]
    output_dir: ./dist/
    env: [NODE_ENV]
    tools: [node --version]
    hooks: {pre_build: npm run clean, post_build: npm run check}
    timeout: 1h30m
    incremental: true
    cache: false
  - name: shared
    build_cmd: [make, "-C", shared]
sources: [/package-lock.json]
env: [CI]
hooks: {pre_build: npm ci}
store: {url: "s3://builds/acme", mode: read, timeout: 2m}
"""


def test_every_field_is_read_and_short_forms_are_written_out() -> None:
    core = Package(
        name="@acme/core",
        path="packages/core",
        build_cmd="npm run build",
        dependencies=("shared",),
        sources=("src/**", "!src/**/*.test.ts", "/tsconfig.json"),
        outputs=("types/**", "dist/**"),
        env=("NODE_ENV",),
        tools=("node --version",),
        hooks=Hooks(pre_build="npm run clean", post_build="npm run check"),
        timeout=5400.0,
        incremental=True,
        cache=False,
    )
    assert read_tree(WHOLE.encode()) == Tree(
        packages=(core, Package(name="shared", build_cmd=("make", "-C", "shared"))),
        sources=("/package-lock.json",),
        env=("CI",),
        hooks=Hooks(pre_build="npm ci"),
        store=SharedStore(url="s3://builds/acme", mode="read", timeout=120.0),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "packages: []", "\ufeffpackages: []\r\n", "{}"])
def test_a_tree_may_have_no_packages_yet(text: str) -> None:
    assert read_tree(text.encode()) == Tree()


def package(line: str) -> str:
    return f"packages:\n  - name: core\n    build_cmd: make\n    {line}\n"


LETTERS = "letters, digits, '@', '/', '.', '_' and '-'"
CIRCLE = """\
packages:
  - {name: a, dependencies: [b]}
  - name: b
    dependencies:
      - d
      - c
  - {name: c, dependencies: [d, b]}
  - name: d
"""
ERRORS = {
    # types
    "a list": ("[]", 1, None, "must be a mapping with `packages:` in it"),
    "a text": ("hello", 1, None, "must be a mapping with `packages:` in it"),
    "packages as a mapping": ("packages: {core: {}}", 1, "packages", "must be a list, not {'core': {}}"),
    "a package as a text": ("packages: [core]", 1, "packages[0]", "must be a mapping, not 'core'"),
    "no name": ("packages:\n  - path: x\n", 2, "packages[0]", "'name' is missing"),
    "a number for a name": ("packages: [{name: 5}]", 1, "packages[0].name", "must be a text, not 5"),
    "a name with a space": (
        'packages: [{name: "a b"}]',
        1,
        "packages[0].name",
        f"must be a package's name: {LETTERS}, not 'a b'",
    ),
    "a name with a line end": (
        'packages: [{name: "a\\n"}]',
        1,
        "packages[0].name",
        f"must be a package's name: {LETTERS}, not 'a\\n'",
    ),
    "a name that climbs": (
        "packages: [{name: a/../b}]",
        1,
        "packages[0].name",
        "'a/../b' is no name: '..', '//' and a '/' at the end have another meaning",
    ),
    "a name like a selection": (
        "packages: [{name: api...}]",
        1,
        "packages[0].name",
        "'api...' is no name: '..', '//' and a '/' at the end have another meaning",
    ),
    "an unknown field": (
        package("dependecies: []"),
        4,
        "packages[0].dependecies",
        "there is no such field; did you mean dependencies?",
    ),
    "an unknown field of the tree": (
        "package: []",
        1,
        "package",
        "there is no such field; did you mean packages?",
    ),
    "an unknown hook": (
        package("hooks: {prebuild: x}"),
        4,
        "packages[0].hooks.prebuild",
        "there is no such field; did you mean pre_build?",
    ),
    "one dependency as a text": (
        package("dependencies: shared"),
        4,
        "packages[0].dependencies",
        "must be a list, not 'shared'",
    ),
    "a number in a command": (
        package("tools: [1]"),
        4,
        "packages[0].tools[0]",
        "must be a text, not 1",
    ),
    "yes for true": (package("cache: yes"), 4, "packages[0].cache", "must be true or false, not 'yes'"),
    "a variable with its value": (
        package("env: [A=1]"),
        4,
        "packages[0].env[0]",
        "must be the name of a variable, not 'A=1'",
    ),
    "a mode that is none": (
        "store: {url: x, mode: rw}",
        1,
        "store.mode",
        "'rw' is none of read, read-write, write",
    ),
    # names and edges
    "a name twice": (
        "packages:\n  - name: a\n  - name: b\n  - name: a\n",
        4,
        "packages[2].name",
        "a is declared twice, first as packages[0]",
    ),
    "an unknown dependency": (
        "packages:\n  - name: shared\n  - name: b\n    dependencies: [shared, sharde]\n",
        4,
        "packages[1].dependencies[1]",
        "b depends on sharde, which is no package here; did you mean shared?",
    ),
    "an unknown dependency like none": (
        "packages:\n  - {name: shared, dependencies: [zzz]}\n",
        2,
        "packages[0].dependencies[0]",
        "shared depends on zzz, which is no package here; it is one of shared",
    ),
    "a package that depends on itself": (
        "packages:\n  - {name: a, dependencies: [a]}\n",
        2,
        "packages[0].dependencies[0]",
        "a depends on itself",
    ),
    "a circle": (
        CIRCLE,
        7,
        "packages[2].dependencies[1]",
        "these packages depend on each other in a circle: b -> c -> b",
    ),
    # paths
    "a path that climbs": (
        package("path: ../other"),
        4,
        "packages[0].path",
        "'../other' leads out of the tree; use a path inside it",
    ),
    "a path that climbs later": (
        package("path: a/../../b"),
        4,
        "packages[0].path",
        "'a/../../b' leads out of the tree; use a path inside it",
    ),
    "a path from the root": (
        package("path: /usr"),
        4,
        "packages[0].path",
        "'/usr' leads out of the tree; use a path inside it",
    ),
    "a path with a NUL": (
        package('path: "a\\0b"'),
        4,
        "packages[0].path",
        "has a NUL in it, which no path can have",
    ),
    "a pattern that climbs": (
        package("sources: [src, ../x/**]"),
        4,
        "packages[0].sources[1]",
        "'../x/**' leads out; a pattern with a leading / starts at the tree's root",
    ),
    "a pattern that climbs in braces": (
        package('sources: ["{a,..}/x"]'),
        4,
        "packages[0].sources[0]",
        "'{a,..}/x' leads out; a pattern with a leading / starts at the tree's root",
    ),
    "a pattern that climbs of the tree": (
        "sources: ['!../x', a]",
        1,
        "sources[0]",
        "'!../x' leads out; a pattern with a leading / starts at the tree's root",
    ),
    "an empty pattern": (package("sources: ['']"), 4, "packages[0].sources[0]", "must not be empty"),
    "a pattern of nothing": (
        package("sources: ['!']"),
        4,
        "packages[0].sources[0]",
        "'!' is no pattern of files",
    ),
    "too many braces": (
        package('sources: ["' + "{a,b}" * 10 + '"]'),
        4,
        "packages[0].sources[0]",
        "its braces stand for more than 1,000 patterns",
    ),
    "sources that only leave out": (
        package("sources: ['!a']"),
        4,
        "packages[0].sources[0]",
        'only leaves out, so that nothing is meant; begin with what is meant, for instance "**"',
    ),
    # outputs
    "its own directory as output": (
        package("output_dir: ."),
        4,
        "packages[0].output_dir",
        "is the package's own directory, where its sources are; name one inside it",
    ),
    "its own directory as output in other letters": (
        package("output_dir: .//./"),
        4,
        "packages[0].output_dir",
        "is the package's own directory, where its sources are; name one inside it",
    ),
    "an output directory elsewhere": (
        package("output_dir: ../dist"),
        4,
        "packages[0].output_dir",
        "'../dist' leads out of the tree; use a path inside it",
    ),
    "a pattern for an output directory": (
        package("output_dir: dist/*"),
        4,
        "packages[0].output_dir",
        "'dist/*' is a pattern; `outputs:` takes those",
    ),
    "all as output": (
        package("outputs: [./**]"),
        4,
        "packages[0].outputs[0]",
        "'./**' would take the sources for outputs",
    ),
    "the directory as output": (
        package("outputs: [dist, .]"),
        4,
        "packages[0].outputs[1]",
        "'.' would take the sources for outputs",
    ),
    "an output at the root": (
        package("outputs: [/dist]"),
        4,
        "packages[0].outputs[0]",
        "'/dist' begins with /; outputs are named from the package's own directory",
    ),
    "outputs without a command": (
        "packages:\n  - name: a\n    output_dir: dist\n",
        2,
        "packages[0]",
        "has outputs but no build_cmd that would make them",
    ),
    "hooks without a command": (
        "packages:\n  - name: a\n    hooks: {pre_build: ./generate}\n",
        3,
        "packages[0].hooks",
        "has hooks but no build_cmd that they would run around",
    ),
    "an output of two": (
        "packages:\n"
        "  - {name: a, path: lib, build_cmd: make, output_dir: dist}\n"
        "  - {name: b, build_cmd: make, outputs: [x, ./lib/dist/**]}\n",
        3,
        "packages[1].outputs[1]",
        "lib/dist/** is an output of a already; one package makes a file",
    ),
    # commands
    "no command": (package("tools: ['']"), 4, "packages[0].tools[0]", "must not be empty"),
    "a list without a command": (
        "packages: [{name: a, build_cmd: []}]",
        1,
        "packages[0].build_cmd",
        "must not be empty",
    ),
    "a list with an empty command": (
        "packages: [{name: a, build_cmd: ['', x]}]",
        1,
        "packages[0].build_cmd",
        "must not be empty",
    ),
    "a blank hook": (
        package("hooks: {pre_build: ' '}"),
        4,
        "packages[0].hooks.pre_build",
        "must not be empty",
    ),
    "a command with a NUL": (
        'packages: [{name: a, build_cmd: [x, "a\\0"]}]',
        1,
        "packages[0].build_cmd[1]",
        "has a NUL in it, which no command can have",
    ),
    # time
    "a time that is none": (
        package("timeout: soon"),
        4,
        "packages[0].timeout",
        "'soon' is no span of time; write seconds or for instance 90s, 10m, 1h30m, 2d",
    ),
    "no time at all": (
        package("timeout: 0"),
        4,
        "packages[0].timeout",
        "must be more than 0 seconds; leave it out for no limit",
    ),
    "a store without patience": (
        "store: {url: x, timeout: 0s}",
        1,
        "store.timeout",
        "must be more than 0 seconds; leave it out for no limit",
    ),
    # YAML
    "a tab": (
        "packages:\n\t- name: a\n",
        2,
        None,
        "is no valid YAML: found character that cannot start any token",
    ),
    "two documents": ("packages: []\n---\n{}\n", 2, None, "is no valid YAML: but found another document"),
    "a field twice": ("packages: []\nenv: []\npackages: []\n", 3, None, "'packages' stands here twice"),
    "too deep": ("packages: " + "[" * 200, 1, None, "is nested deeper than 100 levels"),
    "a value that holds itself": ("packages: &a [*a]", 1, None, "refers to itself through an alias"),
    "an object of Python": (
        "packages: !!python/object/apply:os.system [true]",
        1,
        None,
        "is no valid YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.system'; a text that begins with ! stands in quotes",
    ),
}


@pytest.mark.parametrize(("text", "line", "field", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_what_is_wrong_is_said_with_its_place(text: str, line: int, field: str | None, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_tree(text.encode())
    place = f"bnet.yaml:{line}: " + (f'field "{field}": ' if field else "")
    assert str(caught.value) == place + message


def test_aliases_do_not_grow_out_of_bounds() -> None:
    text = "".join(f"x{at}: &x{at} [{', '.join([f'*x{at - 1}'] * 9)}]\n" for at in range(1, 12))
    began = time.perf_counter()
    with pytest.raises(Invalid, match="holds more than 200,000 values once its aliases are followed"):
        read_tree(("x0: &x0 [a]\n" + text).encode())
    assert time.perf_counter() - began < 5


def test_of_many_names_none_is_listed() -> None:
    text = "packages:\n" + "".join(f"  - name: p{number}\n" for number in range(100))
    with pytest.raises(Invalid, match=r"is no package here$"):
        read_tree(f"{text}  - {{name: x, dependencies: [zzz]}}\n".encode())


@pytest.mark.parametrize("chained", [True, False], ids=["in a chain", "all on one"])
def test_thousands_of_packages_are_checked_in_no_time(chained: bool) -> None:
    packages = "".join(
        f"- {{name: p{at}, dependencies: [p{at - 1 if chained else 0}]}}\n" for at in range(1, 10_000)
    )
    began = time.perf_counter()
    tree = read_tree(f"packages:\n- name: p0\n{packages}".encode())
    assert len(tree.packages) == 10_000
    assert time.perf_counter() - began < 20
