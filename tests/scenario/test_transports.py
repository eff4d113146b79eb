"""One story, told over each way in which Git reaches a hub."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import blake3
import pytest
from daemons import sshd, web
from fleet import Fleet, with_variable


def bare(path: Path) -> Path:
    """Make the empty repository that somebody has to make on a remote host before `bnet init`."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    return path


@pytest.fixture
def by_path(tmp_path: Path) -> Iterator[Fleet]:
    yield Fleet(tmp_path / "net")


@pytest.fixture
def by_ssh(tmp_path: Path) -> Iterator[Fleet]:
    hub = bare(tmp_path / "hub.git")
    with sshd(tmp_path / "sshd") as (url, command):
        fleet = Fleet(tmp_path / "net", f"{url}{hub}")
        fleet.env["GIT_SSH_COMMAND"] = command
        fleet.poll = 2.0  # each look is a login
        yield fleet


@pytest.fixture
def by_http(tmp_path: Path, isolated_environment: Path) -> Iterator[Fleet]:
    bare(tmp_path / "served" / "hub.git")
    with web(tmp_path / "web", tmp_path / "served") as (url, credentials):
        with (isolated_environment / ".gitconfig").open("a") as config:
            config.write(f"[credential]\n\thelper = store --file={credentials}\n")
        yield Fleet(tmp_path / "net", f"{url}/hub.git")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("way", ["by_path", "by_ssh", "by_http"])
def test_a_network_lives_behind(way: str, request: pytest.FixtureRequest) -> None:
    fleet: Fleet = request.getfixturevalue(way)
    fleet.root.mkdir(exist_ok=True)
    try:
        a_story(fleet)
    finally:
        fleet.close()


def a_story(fleet: Fleet) -> None:
    fleet.init("--name", "story")
    fleet.join("build1", "--slots", "2", "--label", "role=builder")
    fleet.join("build2", "--slots", "2", "--label", "role=tester")
    assert fleet.facts("status")["name"] == "story"

    # A job with an artifact, and one that needs it and may run on the other server alone.
    making = "echo making; mkdir -p out/deep; head -c 20000 /dev/zero | tr '\\0' x >out/deep/made.bin"
    made = fleet.submit(making, "--name", "make", "--artifact", "out/**/*.bin", "--label", "role=builder")
    checked = fleet.submit("echo checked $BNET_JOB", "--needs", "make", "--label", "role=tester")
    assert fleet.facts("show", str(checked))["waiting_for"] == "dependencies"

    # The first one by syncs alone, as cron would; the other server has nothing to take yet.
    assert fleet.sync("build2").code == 0
    assert fleet.job(made).state == "pending"
    assert fleet.sync("build1").code == 0
    assert fleet.job(made).state == "running"
    fleet.until("a later sync reports the end", lambda: reported(fleet, made))

    # The rest by agents.
    fleet.start("build1")
    fleet.start("build2")
    waited = fleet.bnet("wait", str(made), str(checked), "--timeout", "60")
    assert waited.code == 0, waited.complaint + fleet.last_words()
    found = fleet.facts("show", str(made)), fleet.facts("show", str(checked))
    assert [(each["result"], each["server"]) for each in found] == [
        ("success", "build1"),
        ("success", "build2"),
    ]
    assert fleet.log(made).startswith("making\n")
    assert fleet.log(checked).startswith(f"checked {checked}\n")
    the_artifact_is_on_the_hub(fleet, found[0]["artifacts"])

    # A job that fails, and one that is cancelled while it runs.
    failing = fleet.submit("echo on stderr >&2; exit 7")
    sleeping = fleet.submit("sleep 600")
    fleet.until_running(sleeping)
    run = fleet.until("it has a claim", lambda: fleet.job(sleeping).claim).run
    fleet.until("its processes are there", lambda: with_variable("BNET_RUN", run))
    assert fleet.bnet("cancel", str(sleeping), "--reason", "had enough").code == 0
    waited = fleet.bnet("wait", str(failing), str(sleeping), "--timeout", "60")
    assert waited.code == 1, waited.complaint + fleet.last_words()
    after = fleet.jobs()
    assert (after[failing]["result"], after[failing]["exit_code"]) == ("failure", 7)
    assert (after[sleeping]["result"], after[sleeping]["message"]) == ("cancelled", "had enough")
    assert "on stderr" in fleet.log(failing)
    fleet.until("nothing of it is left", lambda: not with_variable("BNET_RUN", run))

    told = fleet.facts("status")
    assert told["jobs"] == {"pending": 0, "running": 0, "finished": 4}
    assert sorted(each["name"] for each in told["servers"]) == ["build1", "build2"]
    assert [op.seq for op in fleet.history()] == sorted(op.seq for op in fleet.history())


def reported(fleet: Fleet, number: int) -> bool:
    """Do one more sync, and tell whether it was the one that reported a job's end."""
    assert fleet.sync("build1").code == 0
    return fleet.job(number).state == "finished"


def the_artifact_is_on_the_hub(fleet: Fleet, artifacts: list[dict[str, object]]) -> None:
    """Fetch an artifact with nothing but Git, from the place that the ledger names."""
    content = b"x" * 20000
    [told] = artifacts
    assert (told["path"], told["size"]) == ("out/deep/made.bin", len(content))
    assert told["blake3"] == blake3.blake3(content).hexdigest()
    kind, server, path = str(told["place"]).split(":", 2)
    assert kind == "telemetry"
    fleet.git("init", "--quiet", "fetched")
    fleet.git("-C", "fetched", "fetch", "--quiet", fleet.url, f"refs/bnet/servers/{server}")
    blob = fleet.git("-C", "fetched", "rev-parse", f"FETCH_HEAD:{path}").strip()
    assert blob == hashlib.sha1(b"blob 20000\0" + content).hexdigest()
