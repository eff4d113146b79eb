"""What the scenarios share: a fleet that is gone when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fleet import Fleet


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of this directory."""
    config.addinivalue_line("markers", "slow: takes minutes, most of them waiting for somebody's clock")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Yield a fleet without hub or servers; whatever it starts is ended."""
    with closing(Fleet(tmp_path / "net")) as made:
        made.root.mkdir()
        yield made
