"""Every hostile input that was ever worth keeping, and a few new ones for each parser."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import corpus
import guard
import pytest
from mutation import Mutator
from target import Target, scratch
from targets import TARGETS

NEW = 60  # inputs of a seeded run, of a target with a usual share
NAMES = sorted(TARGETS)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give what targets write a place that is quick and goes away."""
    place = Path("/dev/shm")
    monkeypatch.setenv("TMPDIR", str(place if place.is_dir() else tmp_path))
    scratch()
    yield


def play(target: Target, inputs: list[bytes]) -> list[str]:
    """Feed inputs, and return what went wrong."""
    with guard.watched(bounded=False), target.alone():
        found = [guard.feed(target, data)[0] for data in inputs]
    return [crash.told for crash in found if crash is not None]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_was_ever_found_comes_back(name: str, quick: None) -> None:
    target = TARGETS[name]
    assert not play(target, [*target.seeds(), *corpus.kept(target).values()])


@pytest.mark.parametrize("name", NAMES)
def test_a_few_new_inputs_do_no_harm(name: str, quick: None) -> None:
    target = TARGETS[name]
    chance = random.Random(name)
    mutator = Mutator(chance, target.kind)
    known = [*target.seeds(), *corpus.kept(target).values()]
    count = max(10, round(NEW * min(1.0, target.share)))
    assert not play(
        target, [mutator.mutate(chance.choice(known), chance.choice(known)) for _ in range(count)]
    )


def test_each_directory_of_the_corpus_has_its_target() -> None:
    assert {path.name for path in corpus.HERE.iterdir()} <= set(TARGETS)


def test_a_parser_that_breaks_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SECONDS", 0.1)

    def breaks(data: bytes) -> None:
        raise RecursionError("deep")

    def hangs(data: bytes) -> None:
        while True:
            pass

    for feed, kind in ((breaks, "RecursionError"), (hangs, "Hang")):
        with guard.watched(bounded=False):
            crash, _ = guard.feed(Target("x", "bytes", feed, list), b"")
        assert crash is not None and crash.kind == kind


def test_a_crash_is_shrunk_to_what_makes_it() -> None:
    def breaks(data: bytes) -> None:
        if b"x" in data:
            raise ValueError(data)

    target = Target("x", "bytes", breaks, list)
    crash, _ = guard.feed(target, b"a" * 50 + b"x" + b"b" * 50)
    assert crash is not None
    assert corpus.shrunk(target, b"a" * 50 + b"x" + b"b" * 50, crash.name) == b"x"


def test_the_same_seed_makes_the_same_inputs() -> None:
    for name in NAMES:
        target = TARGETS[name]
        [first, *_] = target.seeds()
        one, two = (Mutator(random.Random("a seed"), target.kind) for _ in range(2))
        assert [one.mutate(first, first) for _ in range(20)] == [two.mutate(first, first) for _ in range(20)]
