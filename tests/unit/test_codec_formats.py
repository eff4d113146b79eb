"""Formats are taken one after the other, each step on what the one before it made."""

from __future__ import annotations

import pytest

from bnet.codec import formats
from bnet.model.hub import FORMAT


def test_there_is_a_step_to_every_format() -> None:
    assert formats.NEWEST == FORMAT
    assert sorted(formats.UPGRADES) == list(range(2, FORMAT + 1))


def test_each_step_sees_what_the_one_before_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formats.UPGRADES, 2, lambda files: {"b": files["a"] + b"2", "a": None})
    monkeypatch.setitem(formats.UPGRADES, 3, lambda files: {"c": b"".join(files.values())})
    assert formats.upgraded({"a": b"1"}, 1, 3) == {"a": None, "b": b"12", "c": b"12"}
    assert formats.upgraded({"a": b"1"}, 1, 1) == {}
