"""`bnet demo`: the story is played to its end, and nothing is left of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the demo is started in: temporary files go where the test can look."""
    (tmp_path / "tmp").mkdir()
    mine = {"BNET_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(TOP)}
    return dict(os.environ) | mine


def start(environment: dict[str, str], *options: str) -> subprocess.Popen[bytes]:
    """Start a demo."""
    argv = [sys.executable, "-m", "bnet", "demo", *options]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def left_running(place: Path) -> list[str]:
    """Return the command lines of the processes that belong to a demo in a place."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline"]):
        mark = (process.info["environ"] or {}).get("PLAYGROUND_HOME", "")
        if mark.startswith(str(place)):
            found.append(" ".join(process.info["cmdline"] or []))
    return found


@pytest.mark.timeout(240)
def test_the_story_ends_as_it_should(environment: dict[str, str], tmp_path: Path) -> None:
    demo = start(environment, "--json", "--keep", "--dir", str(tmp_path / "demo"))
    out, err = demo.communicate()
    said = err.decode()
    assert demo.returncode == 0, said + out.decode()

    facts = json.loads(out)
    assert facts["good"] and all(each["met"] for each in facts["story"])
    jobs: dict[str, dict[str, Any]] = {job["name"]: job for job in facts["jobs"]}
    assert len(jobs) >= 12
    assert jobs["flaky-test"]["attempt"] == 2
    assert jobs["endless"]["result"] == "cancelled"
    assert jobs["primes"]["attempt"] == 2
    assert {job["result"] for name, job in jobs.items() if name != "endless"} == {"success"}
    assert jobs["release"]["finished_at"] > jobs["primes"]["finished_at"]

    [killed] = re.findall(r"kill -9 (\w+), in the middle of #\d+ primes", said)
    assert {killed, jobs["primes"]["server"]} == {"build1", "build2"}
    figures = facts["figures"]
    assert len(jobs) < figures["pushes"] < 12 * len(jobs)
    assert 0 <= figures["telemetry_only"] < figures["pushes"] and figures["conflicts"] >= 0

    assert Path(facts["directory"]) == tmp_path / "demo"
    log = ["git", f"--git-dir={tmp_path / 'demo' / 'hub.git'}", "log", "--format=%s", "bnet"]
    assert "finish #1 (success)" in subprocess.check_output(log, text=True)
    assert left_running(tmp_path) == []


def test_an_interrupted_demo_leaves_nothing_behind(environment: dict[str, str], tmp_path: Path) -> None:
    demo = start(environment)
    assert demo.stderr is not None
    for line in demo.stderr:
        if b"claims" in line:
            break
    time.sleep(0.5)
    demo.send_signal(signal.SIGINT)
    demo.communicate()
    assert demo.returncode == 130
    assert left_running(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_directory_with_something_in_it_is_left_alone(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    demo = start(environment, "--dir", str(tmp_path / "mine"))
    _, err = demo.communicate()
    assert demo.returncode == 2 and b"not empty" in err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter"]
