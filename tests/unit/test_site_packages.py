"""From what builds told to the graph of packages, whatever they told."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from bnet.build.draw import svg
from bnet.host.runs import MOST_NEEDS, read_build
from bnet.model.job import Built
from bnet.sitegen.packages import Found, drawing_of

AT = datetime(2026, 11, 20, tzinfo=UTC)


def found(name: str, *needs: str, tier: str | None = "full", seconds: float = 1.0) -> list[Found]:
    return [Found(job=1, at=AT, built=Built(name=name, tier=tier, seconds=seconds, needs=needs))]


def test_a_package_stands_after_what_it_needs_and_the_longest_chain_is_told() -> None:
    drawing = drawing_of(
        "t",
        {"a": found("a", "c"), "b": found("b", "c", seconds=9), "c": found("c"), "d": found("d", "a", "b")},
    )
    assert [node.name for node in drawing.nodes] == ["c", "a", "b", "d"]
    assert drawing.critical == ("c", "b", "d")


@pytest.mark.parametrize("needs", [("a",), ("b",), ("gone", "b", "b")], ids=["itself", "a circle", "unknown"])
def test_what_two_builds_told_differently_is_drawn_all_the_same(needs: tuple[str, ...]) -> None:
    times = {"a": found("a", *needs), "b": found("b", "a"), "<i>": found("<i>", "b", tier=None)}
    picture = svg.part_of_page(drawing_of("t", times), {name: f"#{at}" for at, name in enumerate(times)})
    root = ElementTree.fromstring(picture)
    assert len(root.findall("a")) == 3 and not root.findall(".//i")
    ends = [each.get("data-ends", "").split() for each in root.findall("path")]
    assert all(0 <= int(end) < 3 for each in ends for end in each)


def test_a_cached_package_counts_with_what_its_command_took_last() -> None:
    times = {"a": [*found("a", seconds=7), *found("a", tier="local", seconds=0.1)]}
    [node] = drawing_of("t", times).nodes
    assert (node.tier, node.seconds) == ("local", 7)


def test_a_long_chain_is_no_deep_one() -> None:
    names = [f"p{at:04}" for at in range(3000, 0, -1)]
    times = {one: found(one, other) for one, other in pairwise(names)} | {names[-1]: found(names[-1])}
    assert [node.name for node in drawing_of("t", times).nodes] == names[::-1]


def test_what_a_build_tells_of_needs_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "build.json"
    many = [{"name": f"p{at}", "needs": ["n" * 100] * 90} for at in range(4)]
    path.write_bytes(
        msgspec.json.encode({"total": 5, "cached": 0, "packages": [*many, {"name": "z", "needs": ["a"]}]})
    )
    told = read_build(path)
    assert told is not None and sum(len(name) for each in told.packages for name in each.needs) <= MOST_NEEDS
    assert [bool(each.needs) for each in told.packages] == [True, True, False, False, True]
