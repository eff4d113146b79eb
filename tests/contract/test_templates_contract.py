"""What comes of a template on a ledger: beside others who write there, by hand or at the same moment."""

from __future__ import annotations

import pytest
from worlds import World

from bnet.app.audit import audit
from bnet.app.templates import HubShelf, every, find, put
from bnet.errors import Invalid, Taken
from bnet.faults import Fault

PATH = "coordination/sources/widgets.yaml"
TEXT = b"repository: https://github.com/example/widgets\nsubmit: {command: make}\n"
OTHER = TEXT.replace(b"make", b"make all")


def standing(world: World) -> str:
    source = world.machine("reader").ledger.state.sources["widgets"]
    return str(source.asked.submit.command)


def test_it_is_put_there_once_and_another_text_is_in_the_way(world: World) -> None:
    ledger = world.machine("a").ledger
    assert put(ledger, "source", {PATH: TEXT}, force=False) == [PATH]
    line = len(world.line())
    assert put(ledger, "source", {PATH: TEXT}, force=False) == []
    with pytest.raises(Taken, match=r"widgets\.yaml is in the way in the hub"):
        put(ledger, "source", {PATH: OTHER}, force=False)
    assert len(world.line()) == line, "nothing was written"
    assert put(ledger, "source", {PATH: OTHER}, force=True) == [PATH]
    assert standing(world) == "make all"
    assert audit(ledger.hub, world.tip()).wrong == ()


def test_a_file_that_somebody_broke_is_in_the_way_too(world: World) -> None:
    world.person({PATH: b"repository: ["})
    ledger = world.machine("a").ledger
    with pytest.raises(Taken):
        put(ledger, "source", {PATH: TEXT}, force=False)
    put(ledger, "source", {PATH: TEXT}, force=True)
    assert standing(world) == "make"


@pytest.mark.parametrize("fate", ["", "before", "after", "late"])
def test_a_push_that_fails_is_tried_again_and_whoever_comes_second_is_told(world: World, fate: Fault) -> None:
    machine = world.machine("a", push=[fate] if fate else [])
    put(machine.ledger, "source", {PATH: TEXT}, force=False)
    with pytest.raises(Taken):
        put(world.machine("b").ledger, "source", {PATH: OTHER}, force=False)
    assert standing(world) == "make"


def test_templates_are_read_from_a_commit_and_a_broken_one_is_named(world: World) -> None:
    world.person(
        {
            "coordination/templates/one.yaml": b"description: one\nfiles: {f: x}\n",
            "coordination/templates/two/template.yaml": b"description: two\n",
            "coordination/templates/two/g": b"y",
            "coordination/templates/README.md": b"for people",
            "coordination/templates/bad/template.yaml": b"[",
            "coordination/templates/huge/template.yaml": b"description: huge\n",
            "coordination/templates/huge/f": b"x" * 1_000_001,
        }
    )
    ledger = world.machine("a").ledger
    shelf = HubShelf(ledger.hub, ledger.state.tip)
    assert [(each["name"], each["problem"] is None) for each in every([shelf])] == [
        ("bad", False),
        ("huge", False),
        ("one", True),
        ("two", True),
    ]
    assert dict(find([shelf], "two").files) == {"g": "y"}
    with pytest.raises(Invalid, match=r"coordination/templates/bad/template\.yaml:2"):
        find([shelf], "bad")
    with pytest.raises(
        Invalid, match=r"coordination/templates/huge/f: is a link or .* more than 1,000,000 bytes"
    ):
        find([shelf], "huge")
    assert ledger.state.problems == ()
