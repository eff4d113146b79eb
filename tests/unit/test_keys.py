"""Keys: which values are told apart, and which are shown."""

from __future__ import annotations

import pytest

from bnet.build.files import Content
from bnet.build.keys import UNSET, Inputs, differences, env_of, hidden, is_secret, key_of, listed
from bnet.model.tree import Package, Tree

PACKAGE = Package(name="p", env=("NAME",))


def inputs(**env: str) -> Inputs:
    return Inputs("{}", env_of(Tree(), PACKAGE, env), {}, b"", {})


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (inputs(), inputs(NAME="(not set)")),
        (inputs(), inputs(NAME="")),
        (inputs(NAME="\udcff"), inputs(NAME="(bytes) ff")),
        (inputs(NAME="a"), inputs(NAME="a ")),
    ],
)
def test_values_that_look_alike_are_not_the_same(one: Inputs, two: Inputs) -> None:
    assert key_of(one) != key_of(two) and hidden(one.env) != hidden(two.env)
    (found,) = differences(one, two, None, Content())
    assert (found.what, found.name) == ("variable", "NAME") and found.before != found.after
    assert "\0" not in str(found)


def said(name: str, before: str, after: str) -> str:
    one, two = (Inputs("", {name: value}, {}, b"", {}) for value in (before, after))
    return "; ".join(str(each) for each in differences(one, two, None, Content()))


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("MODE", "a", "b", "variable MODE changed from 'a' to 'b'"),
        ("MODE", UNSET, "b", "variable MODE changed from (not set) to 'b'"),
        ("MODE", "(not set)", UNSET, "variable MODE changed from '(not set)' to (not set)"),
        ("API_KEY", "a", "b", "variable API_KEY has another value"),
        ("API_KEY", UNSET, "b", "variable API_KEY changed from (not set) to another value"),
        ("API_KEY", "\0(bytes) ff", UNSET, "variable API_KEY changed from another value to (not set)"),
    ],
)
def test_what_is_said_of_a_variable(name: str, before: str, after: str, told: str) -> None:
    assert said(name, before, after) == told


def test_a_variable_that_is_asked_for_now() -> None:
    one, two = (Inputs("", env, {}, b"", {}) for env in ({}, {"A": "x", "B": UNSET}))
    assert [str(each) for each in differences(one, two, None, Content())] == [
        "variable A changed from (not asked for) to 'x'",
        "variable B changed from (not asked for) to (not set)",
    ]


def test_a_list_of_variables() -> None:
    env = {"A": "x", "B": UNSET, "C": "\0(bytes) ff", "TOKEN": "geheim", "KEY": UNSET}
    assert listed(env) == {
        "A": "x",
        "B": "(not set)",
        "C": "(bytes) ff",
        "TOKEN": "(not shown)",
        "KEY": "(not set)",
    }


@pytest.mark.parametrize(
    "name",
    [
        *(
            "GITHUB_TOKEN",
            "npm_token",
            "CLIENT_SECRET",
            "DB_PASSWORD",
            "PGPASSWD",
            "GPG_PASSPHRASE",
            "DB_PASS",
        ),
        *(
            "AWS_CREDENTIALS",
            "SSH_PRIVATE",
            "NPM_AUTH",
            "OAUTH",
            "API_KEY",
            "APIKEY",
            "KEY_1",
            "SIGNING_KEYS",
        ),
    ],
)
def test_names_that_look_like_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["MODE", "PATH", "CI", "GIT_AUTHOR_NAME", "KEYBOARD", "KEYWORDS", "NODE_ENV"]
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret(name)
