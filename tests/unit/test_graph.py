"""The graph: in which order, who with whom, what words and changes mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnet.build.graph import Graph
from bnet.errors import Invalid
from bnet.model.tree import Package, Tree

LONG = 10_000


def graph(needs: Mapping[str, Sequence[str]], paths: Mapping[str, str] | None = None) -> Graph:
    paths = paths or {}
    packages = [
        Package(name=name, path=paths.get(name, f"packages/{name}"), dependencies=tuple(needed))
        for name, needed in needs.items()
    ]
    return Graph(Tree(packages=tuple(packages)))


SIX = graph(
    {
        "api": ["core", "client", "plugin-sdk"],
        "ui": ["client"],
        "client": ["shared", "core"],
        "plugin-sdk": ["core"],
        "core": ["shared"],
        "shared": [],
    },
    {"api": "apps/api", "ui": "apps/ui"},
)


# -- order


def test_dependencies_come_first() -> None:
    assert SIX.order() == ["shared", "core", "client", "plugin-sdk", "api", "ui"]


def test_a_tree_in_order_keeps_it() -> None:
    assert graph({"b": [], "a": [], "d": ["a"], "c": ["b"]}).order() == ["b", "a", "d", "c"]


def test_a_tree_without_packages_has_no_order() -> None:
    empty = graph({})
    assert (empty.order(), empty.select([]), empty.critical_path({})) == ([], [], [])


def test_chains_may_be_long() -> None:
    names = [f"p{number}" for number in range(LONG)]
    chain = graph({name: names[at + 1 : at + 2] for at, name in enumerate(names)})
    assert chain.order() == names[::-1]
    assert len(chain.dependencies("p0")) == len(chain.dependents(names[-1])) == LONG - 1
    assert len(chain.closure(["p0"])) == LONG
    assert len(chain.critical_path({})) == LONG


GRAPHS = st.integers(0, 12).flatmap(
    lambda count: st.tuples(
        st.permutations(range(count)),
        st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30),
    )
)


def drawn(made: tuple[list[int], list[tuple[int, int]]]) -> Graph:
    """Make a graph of numbers that depend on smaller ones, declared in any order."""
    declared, edges = made
    return graph({str(at): [str(to) for one, to in edges if one == at and to < at] for at in declared})


@given(GRAPHS)
def test_the_order_is_one_of_all_and_right(made: tuple[list[int], list[tuple[int, int]]]) -> None:
    found = drawn(made)
    order = found.order()
    assert sorted(order) == sorted(package.name for package in found.tree.packages)
    for package in found.tree.packages:
        assert all(order.index(needed) < order.index(package.name) for needed in package.dependencies)
    again = Graph(Tree(packages=tuple(sorted(found.tree.packages, key=lambda each: order.index(each.name)))))
    assert again.order() == order


@given(GRAPHS)
def test_dependents_mirror_dependencies(made: tuple[list[int], list[tuple[int, int]]]) -> None:
    found = drawn(made)
    for name in found.order():
        assert found.closure([name]) == {name, *found.dependencies(name)}
        assert all(name in found.dependents(each) for each in found.dependencies(name))
        assert all(name in found.dependencies(each) for each in found.dependents(name))
        assert set(found.dependencies(name)) == {
            far for near in found.needs(name) for far in (near, *found.dependencies(near))
        }


@given(GRAPHS, st.lists(st.integers(0, 9), min_size=12, max_size=12))
def test_no_chain_takes_longer_than_the_critical_path(
    made: tuple[list[int], list[tuple[int, int]]], took: list[int]
) -> None:
    found = drawn(made)
    seconds = {str(at): float(each) for at, each in enumerate(took)}
    longest: dict[str, float] = {}
    for name in found.order():
        longest[name] = seconds[name] + max((longest[each] for each in found.needs(name)), default=0.0)
    path = found.critical_path(seconds)
    assert sum(seconds[name] for name in path) == max(longest.values(), default=0.0)
    assert all(one in found.needs(two) for one, two in pairwise(path))


# -- neighbours


def test_what_a_package_depends_on() -> None:
    assert SIX.dependencies("api") == ["shared", "core", "client", "plugin-sdk"]
    assert SIX.dependencies("shared") == []
    assert SIX.needs("client") == ("shared", "core")


def test_what_depends_on_a_package() -> None:
    assert SIX.dependents("core") == ["client", "plugin-sdk", "api", "ui"]
    assert SIX.dependents("ui") == []
    assert SIX.needed_by("core") == ("api", "client", "plugin-sdk")


def test_a_dependency_that_is_named_twice_counts_once() -> None:
    twice = graph({"a": [], "b": ["a", "a"]})
    assert (twice.needs("b"), twice.needed_by("a"), twice.order()) == (("a",), ("b",), ["a", "b"])


# -- words


@pytest.mark.parametrize(
    ("words", "here", "meant"),
    [
        ("", ".", "shared core client plugin-sdk api ui"),
        ("api", ".", "api"),
        ("ui api", ".", "api ui"),
        ("api api", ".", "api"),
        ("*", ".", "shared core client plugin-sdk api ui"),
        ("c*", ".", "core client"),
        ("{ui,x}", ".", None),
        ("[uc]*", ".", "core client ui"),
        ("./apps/api", ".", "api"),
        ("apps/api", ".", "api"),
        ("apps/api/", ".", "api"),
        ("apps", ".", "api ui"),
        ("./apps", ".", "api ui"),
        ("./apps/*", ".", "api ui"),
        ("packages/c*", ".", "core client"),
        (".", ".", "shared core client plugin-sdk api ui"),
        (".", "apps", "api ui"),
        (".", "apps/api", "api"),
        (".", "apps/api/src/deep", "api"),
        ("./api", "apps", "api"),
        ("../ui", "apps/api", "ui"),
        ("apps/ui", "apps/api", "ui"),
        ("./apps/ui", "apps/api", None),
        ("./src", "apps/api", None),
        ("../../..", "apps/api", None),
        ("client...", ".", "shared core client"),
        ("...client", ".", "client api ui"),
        ("...client...", ".", "shared core client api ui"),
        ("./apps/ui...", ".", "shared core client ui"),
        ("...c*", ".", "core client plugin-sdk api ui"),
        ("api... !core", ".", "shared client plugin-sdk api"),
        ("!core api...", ".", "shared client plugin-sdk api"),
        ("!...core", ".", "shared"),
        ("!api... !ui", ".", ""),
        ("!ui", ".", "shared core client plugin-sdk api"),
        ("core !c*", ".", ""),
        ("!./apps", ".", "shared core client plugin-sdk"),
    ],
)
def test_what_words_mean(words: str, here: str, meant: str | None) -> None:
    if meant is None:
        with pytest.raises(Invalid, match="means no package"):
            SIX.select(words.split(), here=here)
    else:
        assert SIX.select(words.split(), here=here) == meant.split()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("cleint", "'cleint' means no package; did you mean client?"),
        ("cleint...", "'cleint...' means no package; did you mean client?"),
        ("!cleint", "'!cleint' means no package; did you mean client?"),
        ("zzz", "'zzz' means no package; there are api, ui, client, plugin-sdk, core, shared"),
        ("z*", "'z*' means no package; there are api, ui, client, plugin-sdk, core, shared"),
        ("...", "'...' means no package; there are api, ui, client, plugin-sdk, core, shared"),
        ("", "'' means no package; there are api, ui, client, plugin-sdk, core, shared"),
        ("/apps/api", "'/apps/api' means no package; did you mean ./apps/api?"),
        ("./packages/cleint", "'./packages/cleint' means no package; did you mean ./packages/client?"),
        ("UI", "'UI' means no package; did you mean ui?"),
    ],
)
def test_an_unknown_word_is_told_with_the_nearest_name(word: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        SIX.select([word])
    assert str(caught.value) == message


def test_of_many_names_none_is_listed() -> None:
    with pytest.raises(Invalid, match=r"means no package; `bnet graph` lists the 1,000 that there are$"):
        graph({f"p{number}": [] for number in range(1000)}).select(["zzz"])
    with pytest.raises(Invalid, match=r"means no package; the tree has none$"):
        graph({}).select(["zzz"])


def test_a_star_also_stands_for_the_slash_of_a_scope() -> None:
    scoped = graph({"@acme/ui": [], "@acme/api": ["@acme/ui"], "tool": []})
    assert scoped.select(["@acme/*"]) == scoped.select(["*i"]) == ["@acme/ui", "@acme/api"]
    assert scoped.select(["@acme/api..."]) == ["@acme/ui", "@acme/api"]


def test_a_name_goes_before_a_directory() -> None:
    confusing = graph({"apps": [], "web": []}, {"apps": "tools/apps", "web": "apps"})
    assert confusing.select(["apps"]) == ["apps"]
    assert confusing.select(["./apps"]) == ["web"]


def test_a_package_of_the_whole_tree_is_the_one_that_a_dot_means() -> None:
    whole = graph({"all": [], "docs": []}, {"all": ".", "docs": "docs"})
    assert whole.select(["."]) == whole.select(["."], here="src") == ["all"]
    assert whole.select(["."], here="docs") == ["docs"]


# -- changes


@pytest.mark.parametrize(
    ("paths", "affected"),
    [
        ([], ""),
        (["README.md"], ""),
        (["apps/ui/a.ts"], "ui"),
        (["packages/client/a.ts"], "client api ui"),
        (["packages/plugin-sdk/a.ts", "apps/ui/a.ts"], "plugin-sdk api ui"),
        (["packages/shared/a.ts"], "shared core client plugin-sdk api ui"),
        (["bnet.yaml"], "shared core client plugin-sdk api ui"),
        (["packages/client/bnet.yaml"], "client api ui"),
    ],
)
def test_what_a_change_affects(paths: list[str], affected: str) -> None:
    found = SIX.affected(paths, lambda package, path: path.startswith(f"{package.path}/"))
    assert found == affected.split()


# -- the longest chain


@pytest.mark.parametrize(
    ("seconds", "path"),
    [
        ({}, "shared core client api"),
        ({"shared": 1, "core": 1, "client": 1, "plugin-sdk": 5, "api": 1}, "shared core plugin-sdk api"),
        ({"ui": 60}, "shared core client ui"),
        ({"ui": 60, "unheard-of": 1e9}, "shared core client ui"),
    ],
)
def test_the_chain_that_takes_longest(seconds: dict[str, float], path: str) -> None:
    assert SIX.critical_path(seconds) == path.split()
