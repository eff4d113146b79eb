"""Conditions of steps: what they mean, and where a mistake in one is."""

from __future__ import annotations

import pytest

from bnet.codec.expressions import DEEPEST, LONGEST, Wrong, fits, holds, names, parse

VALUES = {
    "branch": "release/1.4",
    "labels.ship": "yes",
    "matrix.py": "3.11",
    "needs.build-x.1.result": "failure",
}

MEANS = {
    'branch == "release/1.4"': True,
    "branch == 'main'": False,
    'branch != "main"': True,
    'branch matches "release/*"': True,
    'branch matches "release"': False,
    'branch matches "**"': True,
    "tag": False,
    "branch": True,
    "not tag": True,
    "not not tag": False,
    'labels.ship in ["yes", "now"]': True,
    'labels.ship not in ["yes", "now"]': False,
    'needs.build-x.1.result == "failure"': True,
    'tag == "v1" or branch == "release/1.4" and matrix.py == "3.11"': True,
    '(tag == "v1" or branch == "release/1.4") and matrix.py == "3.12"': False,
    "true and not false": True,
    'branch == tag or labels.nothing == ""': True,
    "  tag  ==  ''  ": True,
}


@pytest.mark.parametrize(("text", "answer"), MEANS.items())
def test_what_a_condition_means(text: str, answer: bool) -> None:
    assert holds(parse(text), lambda name: VALUES.get(name, "")) is answer


WRONG = {
    "": "at character 1: expects a value, and it ends",
    "branch =": "at character 8: '=' has no meaning here",
    'branch == "main': "at character 11: '\"' has no meaning here",
    "branch ==": "at character 10: expects a value, and it ends",
    "branch == main": "at character 11: there is no main; use branch, tag",
    "brnch": "at character 1: there is no brnch",
    "needs.build": "at character 1: there is no needs.build",
    "labels.": "at character 1: there is no labels.",
    '(branch == "a"': "at character 15: expects ')', and it ends",
    'branch in "a"': "at character 11: expects '[', not \"a\"",
    "branch in []": "at character 12: expects a value, not ]",
    'branch "a"': 'at character 8: expects an operator or the end, not "a"',
    "not": "at character 4: expects a value, and it ends",
    "and": "at character 1: expects a value, not and",
    "__import__('os')": "at character 1: there is no __import__",
    "branch; tag": "at character 7: ';' has no meaning here",
    "tag " * LONGEST: f"is longer than {LONGEST} characters",
    "(" * (DEEPEST + 1): f"nested deeper than {DEEPEST} levels",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_a_mistake_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse(text)
    assert said in str(caught.value)


def test_each_text_that_is_cut_off_is_read_or_refused() -> None:
    whole = '(tag == "v1" or branch matches "r/*") and not labels.a in ["x", \'y\']'
    for end in range(len(whole)):
        try:
            parse(whole[:end])
        except Wrong:
            continue


def test_what_a_condition_asks_for() -> None:
    assert list(names(parse("tag or labels.a == needs.b.result"))) == ["tag", "labels.a", "needs.b.result"]


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        ("main", "main", True),
        ("main", "maine", False),
        ("release/*", "release/1/2", False),
        ("release/**", "release/1/2", True),
        ("v?", "v1", True),
        ("v.", "v1", False),
        ("*" * 500 + "a", "b" * 500, False),
    ],
)
def test_patterns(pattern: str, text: str, answer: bool) -> None:
    assert fits(pattern, text) is answer
