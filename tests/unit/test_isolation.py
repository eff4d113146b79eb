"""A test cannot reach anything of the person who runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def test_the_default_home_of_bnet_is_a_trap() -> None:
    assert Path(os.environ["BNET_HOME"]).is_file()


def test_git_has_an_identity_and_no_protocol_to_the_outside(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "r"], check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=tmp_path / "r", check=True)
    told = subprocess.run(
        ["git", "log", "-1", "--format=%an <%ae> %D"],
        cwd=tmp_path / "r",
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip() == "Test Person <test@example.invalid> HEAD -> main"


@pytest.mark.parametrize("url", ["https://example.invalid/x", "git://127.0.0.1/x", "ext::sh -c true"])
def test_git_refuses_protocols_that_no_test_needs(url: str) -> None:
    finished = subprocess.run(["git", "ls-remote", url], capture_output=True, text=True, check=False)
    assert "not allowed" in finished.stderr


def test_git_reaches_nobody_by_http_but_the_loopback() -> None:
    finished = subprocess.run(
        ["git", "ls-remote", "http://192.0.2.1/x"], capture_output=True, text=True, check=False, timeout=20
    )
    assert "127.0.0.1 port 9" in finished.stderr
