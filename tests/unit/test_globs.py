"""Patterns of files mean what the documentation says, as a table and beside a naive reading of it."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnet.build.globs import MOST_ALTERNATIVES, Patterns, compile_glob, expand

FILES = ["a.ts", "src/a.ts", "src/b.js", "src/deep/c.ts", "src/.env", "lib/a.ts", "srcs/a.ts", "src/[id].ts"]


@pytest.mark.parametrize(
    ("glob", "meant"),
    [
        ("**", FILES),
        (".", FILES),
        ("./", FILES),
        ("*", ["a.ts"]),
        ("*.ts", ["a.ts"]),
        ("./a.ts", ["a.ts"]),
        ("src", ["src/a.ts", "src/b.js", "src/deep/c.ts", "src/.env", "src/[id].ts"]),
        ("src/", ["src/a.ts", "src/b.js", "src/deep/c.ts", "src/.env", "src/[id].ts"]),
        ("src/**", ["src/a.ts", "src/b.js", "src/deep/c.ts", "src/.env", "src/[id].ts"]),
        ("src//deep/./c.ts", ["src/deep/c.ts"]),
        ("src/*", ["src/a.ts", "src/b.js", "src/.env", "src/[id].ts"]),
        ("*/a.ts", ["src/a.ts", "lib/a.ts", "srcs/a.ts"]),
        ("**/a.ts", ["a.ts", "src/a.ts", "lib/a.ts", "srcs/a.ts"]),
        ("**/deep/**", ["src/deep/c.ts"]),
        ("src/**/c.ts", ["src/deep/c.ts"]),
        ("src/**/a.ts", ["src/a.ts"]),
        ("src/?.ts", ["src/a.ts"]),
        ("src/[ab].*", ["src/a.ts", "src/b.js"]),
        ("src/[!a].*", ["src/b.js"]),
        ("src/[a-b].??", ["src/a.ts", "src/b.js"]),
        ("src/[[]id].ts", ["src/[id].ts"]),
        ("{src,lib}/a.ts", ["src/a.ts", "lib/a.ts"]),
        ("{lib,src/deep}", ["src/deep/c.ts", "lib/a.ts"]),
        ("{src/**,lib}/*.ts", ["src/a.ts", "src/deep/c.ts", "lib/a.ts", "src/[id].ts"]),
        ("src/{a.ts,{b,c}.js}", ["src/a.ts", "src/b.js"]),
        ("src**", []),
        ("SRC", []),
        ("nothing", []),
    ],
)
def test_what_a_pattern_means(glob: str, meant: list[str]) -> None:
    assert [path for path in FILES if Patterns([glob], ".").match(path)] == meant


@pytest.mark.parametrize(
    ("patterns", "meant"),
    [
        (["**", "!src"], ["a.ts", "lib/a.ts", "srcs/a.ts"]),
        (["**", "!src", "src/a.ts"], ["a.ts", "src/a.ts", "lib/a.ts", "srcs/a.ts"]),
        (["!src", "**"], FILES),
        (["src", "!**/*.ts"], ["src/b.js", "src/.env"]),
        ([], []),
    ],
)
def test_the_last_pattern_that_fits_decides(patterns: list[str], meant: list[str]) -> None:
    assert [path for path in FILES if Patterns(patterns, ".").match(path)] == meant


@pytest.mark.parametrize(
    ("directory", "pattern", "path", "meant"),
    [
        ("pkg", "*.ts", "pkg/a.ts", True),
        ("pkg", "*.ts", "a.ts", False),
        ("pkg", "**", "pkgs/a.ts", False),
        ("pkg", "/tsconfig.json", "tsconfig.json", True),
        ("pkg", "/tsconfig.json", "pkg/tsconfig.json", False),
        ("pkg", "/*.json", "tsconfig.json", True),
        # A directory's name is taken as it is.
        ("app/[id]", "*.ts", "app/[id]/a.ts", True),
        ("app/[id]", "*.ts", "app/i/a.ts", False),
        ("a{b,c}*", "**", "a{b,c}*/x", True),
        ("a{b,c}*", "**", "abx/x", False),
        ("a.b", "**", "axb/x", False),
    ],
)
def test_where_a_pattern_starts(directory: str, pattern: str, path: str, meant: bool) -> None:
    assert Patterns([pattern], directory).match(path) is meant


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'a"b', "a\nb", "a\\b", "ä", "a\udce4b", "a+b", "^$", "a|b", "(x)"]
)
def test_names_of_any_kind_are_letters(name: str) -> None:
    for glob in (name, f"{name}/**", "*/x", "**/x", f"{{{name},y}}/x"):
        assert Patterns([glob], ".").match(f"{name}/x"), glob
    assert not Patterns([name], ".").match("other/x")


def test_where_files_are_looked_for() -> None:
    patterns = Patterns(
        ["src/**/*.ts", "{dist,out}/x", "*.js", "!lib/**", "/top/a.json", "node_modules/x/*"], "pkg"
    )
    assert patterns.bases == ["pkg", "pkg/dist/x", "pkg/node_modules/x", "pkg/out/x", "pkg/src", "top/a.json"]
    assert Patterns(["**"], ".").bases == [""]
    assert Patterns(["**"], "a[b]").bases == ["a[b]"]


def test_patterns_that_nothing_fits_are_named_as_they_stand() -> None:
    patterns = Patterns(["dist/**", "{a,b}.txt", "!c", "/gen"], "pkg")
    assert patterns.unmatched(["pkg/dist/x"]) == ["pkg/{a,b}.txt", "gen"]
    assert patterns.unmatched(["pkg/b.txt", "gen/x"]) == ["pkg/dist/**"]
    assert patterns.literal == ["gen"]


@pytest.mark.parametrize(
    ("glob", "alternatives"),
    [
        ("a{b,c}d", ["abd", "acd"]),
        ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"]),
        ("{a,{b,c}d}", ["a", "bd", "cd"]),
        ("x{,y}", ["x", "xy"]),
        ("{a}", ["{a}"]),
        ("{a,b", ["{a,b"]),
        ("a}{b,c}", ["a}b", "a}c"]),
        ("{a,{b}", ["{a,{b}"]),
        ("[{,]{a,b}", ["[{,]a", "[{,]b"]),
    ],
)
def test_what_braces_stand_for(glob: str, alternatives: list[str]) -> None:
    assert expand(glob) == alternatives


def test_braces_are_not_written_out_without_end() -> None:
    assert len(expand("{a,b}" * 40)) <= 2 * MOST_ALTERNATIVES


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("*a" * 40 + "b", "a" * 250),
        ("**/a/" * 20 + "b", "a/" * 60 + "c"),
        ("**/*a*/" * 9 + "b", "aaa/" * 60 + "c"),
    ],
)
def test_no_pattern_takes_time_beyond_measure(glob: str, path: str) -> None:
    began = time.perf_counter()
    assert not compile_glob(glob).fullmatch(path)
    assert time.perf_counter() - began < 1


# -- beside a naive reading


def naive(glob: str, path: str) -> bool:
    """Say whether a pattern without braces means a path, by trying everything."""
    parts = [part for part in glob.split("/") if part not in ("", ".")]
    names = path.split("/")
    if not any(sign in glob for sign in "*?["):
        return names[: len(parts)] == parts

    def fits(pattern: list[str], rest: list[str]) -> bool:
        if not pattern or not rest:
            return not pattern and not rest
        if pattern[0] == "**":
            return pattern == ["**"] or any(fits(pattern[1:], rest[at:]) for at in range(len(rest)))
        return in_name(pattern[0], rest[0]) and fits(pattern[1:], rest[1:])

    return fits(parts, names)


def in_name(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(in_name(pattern[1:], name[at:]) for at in range(len(name) + 1))
    if found := re.match(r"\[(!?)([abc])\]", pattern):
        one = bool(name) and (name[0] == found[2]) is not bool(found[1])
        return one and in_name(pattern[found.end() :], name[1:])
    return bool(name) and pattern[0] in ("?", name[0]) and in_name(pattern[1:], name[1:])


PIECE = st.sampled_from(["a", "b", "ab", "*", "?", "[a]", "[!b]", "."])
SEGMENT = st.one_of(st.just("**"), st.lists(PIECE, min_size=1, max_size=4).map("".join))
GLOB = st.lists(SEGMENT, min_size=1, max_size=5).map("/".join)
PATH = st.lists(st.text("ab.", min_size=1, max_size=4), min_size=1, max_size=5).map("/".join)


@given(GLOB, PATH)
def test_as_the_naive_reading_has_it(glob: str, path: str) -> None:
    assert Patterns([glob], ".").match(path) is naive(glob, path)


@given(st.lists(st.lists(GLOB, min_size=2, max_size=3), min_size=1, max_size=2), PATH)
def test_braces_mean_any_of_their_parts(alternatives: list[list[str]], path: str) -> None:
    glob = "/".join("{" + ",".join(each) + "}" for each in alternatives)
    written_out = [""]
    for each in alternatives:
        written_out = [f"{before}/{one}" for before in written_out for one in each]
    assert Patterns([glob], ".").match(path) is any(naive(one, path) for one in written_out)


@given(st.lists(GLOB, min_size=1, max_size=3), PATH, st.sampled_from([".", "a", "a/b"]))
def test_what_is_meant_lies_in_one_of_the_places_to_look(globs: list[str], path: str, directory: str) -> None:
    patterns = Patterns(globs, directory)
    if patterns.match(path):
        assert any(base in ("", path) or path.startswith(f"{base}/") for base in patterns.bases)


@pytest.mark.parametrize(
    ("patterns", "meant"),
    [
        (["**"], None),
        (["packages/**"], None),
        (["**/package.json"], None),
        (["packages/*"], None),
        (["packages/*/package.json"], ["packages/a/package.json"]),
        (["packages/{a,b}/src/**"], ["packages/a/src/x"]),
        (["packages/[a-c]/**", "!**/x"], ["packages/a/package.json"]),
        (["other/*/package.json"], None),
        (["packages/**", "packages/a/package.json"], ["packages/a/package.json"]),
    ],
)
def test_what_a_pattern_means_inside_of_another_package(patterns: list[str], meant: list[str] | None) -> None:
    inside = Patterns(patterns, ".").into("packages/a")
    found = inside and [
        path for path in ("packages/a/package.json", "packages/a/src/x") if inside.match(path)
    ]
    assert found == meant


def test_the_way_into_another_package_begins_where_the_patterns_do() -> None:
    assert Patterns(["in/*.c"], "top").into("top/in") is not None
    assert Patterns(["in/*.c"], "to").into("top/in") is None
    assert Patterns(["/top/in/*.c"], "elsewhere").into("top/in") is not None
