"""How full disks are is asked so that one that never answers keeps nobody waiting."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bnet.host.disks import PROGRAM, ask

# As the kernel does with a dead mount, except that it ends when it is told to, or when an answer comes.
HANGS = """
import os, pathlib, signal, time
real = os.statvfs
def statvfs(path):
    while path.endswith("dead") and not os.path.exists(path + "/back"):
        time.sleep(0.05)
    return real(path)
os.statvfs = statvfs
"""
BEYOND_KILL = """
forked = os.fork
def fork():
    pid = forked()
    if not pid:
        os.setsid()
    return pid
os.fork = fork
"""


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[str]:
    """Return a path whose disk gives no answer."""
    path = tmp_path / "dead"
    path.mkdir()
    yield str(path)
    (path / "back").touch()


def test_it_is_what_psutil_says(tmp_path: Path) -> None:
    found = ask(["/", str(tmp_path), str(tmp_path / "none"), "/proc"], tmp_path / "noted", wait_s=60)
    assert set(found.full) == {"/", str(tmp_path)} and found.silent == ()
    assert found.full["/"] == pytest.approx(psutil.disk_usage("/").percent, abs=1.0)
    assert not (tmp_path / "noted").exists()


def test_one_that_hangs_keeps_nobody_waiting_and_hides_no_other(dead: str, tmp_path: Path) -> None:
    begun = time.monotonic()
    found = ask([dead, "/"], tmp_path / "noted", wait_s=5, program=HANGS + PROGRAM)
    assert set(found.full) == {"/"} and found.silent == (dead,)
    assert time.monotonic() - begun < 60
    assert ask(["/"], tmp_path / "noted", wait_s=60).silent == (), "nobody asks for it any more"


def test_who_cannot_be_killed_is_asked_again_only_once_it_has_gone(dead: str, tmp_path: Path) -> None:
    noted, program = tmp_path / "noted", HANGS + BEYOND_KILL + PROGRAM
    assert ask([dead], noted, wait_s=5, program=program).silent == (dead,)
    [[path, who]] = json.loads(noted.read_bytes()).items()
    assert path == dead
    for _ in range(3):
        found = ask([dead, "/"], noted, wait_s=60, program="import os; os.write(1, b'0 says 1.0\\n')")
        assert found == ({"/": 1.0}, (dead,)), "no second one waits beside it"
    os.kill(who["pid"], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(who["pid"])] if psutil.pid_exists(who["pid"]) else [], timeout=60)
    assert ask([dead], noted, wait_s=60).full and json.loads(noted.read_bytes()) == {}


def test_no_figure_is_worth_a_failed_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert ask(["/"], tmp_path / "noted") == ({}, ())


@pytest.mark.parametrize("noted", [b"", b"{", b"[]", b'{"/": 3}', b'{"/": {"pid": "x"}}'])
def test_damaged_notes_are_none(noted: bytes, tmp_path: Path) -> None:
    (tmp_path / "noted").write_bytes(noted)
    assert ask(["/"], tmp_path / "noted", wait_s=60).full
