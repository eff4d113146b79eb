"""The scaffold is found in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnet import scaffold


def test_a_checkout_has_it_at_its_top() -> None:
    assert (scaffold.root() / "pyproject.toml").is_file()


def test_an_installed_package_carries_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bnet" / "_scaffold").mkdir(parents=True)
    monkeypatch.setattr(scaffold, "__file__", str(tmp_path / "bnet" / "scaffold.py"))
    assert scaffold.root() == tmp_path / "bnet" / "_scaffold"
