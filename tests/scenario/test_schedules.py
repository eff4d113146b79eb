"""Schedules over real servers: two awake at a firing, a network at rest, and the commands of people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zygote
from lab import TOP, Said

FILE = "coordination/schedules/nightly.yaml"


class Net:
    """A hub, servers with a BNET_HOME each, and a person's clone."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.ok("me", "init", str(top / "hub.git"))
        self.clone = top / "clone"
        subprocess.run(["git", "clone", "-q", str(top / "hub.git"), str(self.clone)], check=True)

    def env(self, name: str) -> dict[str, str]:
        env = {**os.environ, "BNET_HOME": str(self.top / name), "PYTHONPATH": str(TOP)}
        return env | {"BNET_HUB": str(self.top / "hub.git")}

    def start(self, name: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bnet", *words],
            env=self.env(name),
            cwd=self.top,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def bnet(self, name: str, *words: str) -> Said:
        code, out, err = zygote.run(words, env=self.env(name), cwd=self.top)
        return Said(code, out.decode(), err.decode())

    def ok(self, name: str, *words: str) -> Said:
        said = self.bnet(name, *words)
        assert said.code == 0, said.err
        return said

    def commits(self, path: str, text: str) -> None:
        """Change a file as a person does."""

        def git(*words: str) -> None:
            subprocess.run(["git", "-C", str(self.clone), *words], check=True, capture_output=True)

        git("pull", "-q", "--rebase")
        place = self.clone / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        git("add", path)
        git("commit", "-q", "-m", "by hand")
        git("push", "-q")

    def listed(self) -> dict[str, Any]:
        return {each["name"]: each for each in self.ok("me", "schedule", "list", "--json").json}


@pytest.fixture
def net(tmp_path: Path) -> Net:
    return Net(tmp_path)


def test_two_servers_at_rest_fire_once_in_the_minute(net: Net) -> None:
    for name in ("a", "b"):
        net.ok(name, "join", str(net.top / "hub.git"), "--name", name)
    net.commits(FILE, "cron: '* * * * *'\nsubmit: {command: 'echo $BNET_SCHEDULE $BNET_SCHEDULED_AT'}\n")
    while datetime.now(UTC).second > 45:  # so that what follows is over before the minute is
        time.sleep(1)
    for name in ("a", "b", "a", "b"):
        net.ok(name, "sync")
    note = json.loads((net.top / "a" / "idle.json").read_text())
    left = 60 - datetime.now(UTC).timestamp() % 60
    in_note = note["until"] - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert left - 8 <= in_note <= left, "it rests until just before the firing"
    time.sleep(60.2 - time.time() % 60)
    both = [net.start(name, "sync") for name in ("a", "b")]
    for each in both:
        _, err = each.communicate(timeout=60)
        assert each.returncode == 0, err
    [job] = net.ok("me", "jobs", "--all", "--json").json
    assert job["name"] == "nightly"
    while net.ok("me", "show", "1", "--json").json["state"] != "finished":
        net.ok("a", "sync")
        net.ok("b", "sync")
    logged = net.ok("me", "logs", "1").out
    assert logged.startswith("nightly 20")
    assert net.listed()["nightly"]["job"] == 1
    assert net.ok("me", "audit", "verify").out.endswith("all of them were legal\n")


def test_people_look_check_pause_and_run(net: Net) -> None:
    net.ok("a", "join", str(net.top / "hub.git"), "--name", "a")
    assert "no schedules" in net.ok("me", "schedule", "list").err
    table = (
        "x: {cron: '@daily', submit: {command: 'true'}}\ny: {cron: '@hourly', submit: {command: 'true'}}\n"
    )
    net.commits("coordination/schedules/t.yaml", table)
    net.ok("a", "sync")
    assert list(net.listed()) == ["t/x", "t/y"]
    firings = net.ok("me", "schedule", "next", "-n", "3", "y", "--json").json
    assert [each["schedule"] for each in firings] == ["t/y"] * 3
    everything = net.ok("me", "schedule", "next", "-n", "30", "--json").json
    assert sorted(everything, key=lambda each: each["at"]) == everything and len(everything) == 30
    assert {each["schedule"] for each in everything} == {"t/x", "t/y"}
    net.ok("me", "schedule", "pause", "x", "--reason", "the disk\x1b[31m is full")
    shown = net.ok("me", "schedule", "list").out
    assert "the disk\\x1b[31m is full" in shown, "what could play with a terminal is shown escaped"
    net.commits("coordination/inbox/r.yaml", "resume_schedule: {schedule: t/x}\n")
    net.commits("coordination/inbox/s.yaml", "resume_schedule: {schedule: t/z}\n")
    net.ok("a", "sync")
    assert net.listed()["t/x"]["paused"] is None
    assert net.ok("me", "status", "--json").json["rejected"] == 1
    assert net.ok("me", "schedule", "run", "x", "--json").json == {"schedule": "t/x", "jobs": [1]}
    assert net.ok("me", "schedule", "show", "x", "--json").json["submit"] == {"command": "true"}


def test_a_broken_file_is_told_everywhere_and_the_others_go_on(net: Net) -> None:
    net.ok("a", "join", str(net.top / "hub.git"), "--name", "a")
    net.commits(FILE, "cron: '@daily'\nsubmit: {command: 'true'}\n")
    net.commits("coordination/schedules/other.yaml", "cron: '@daily'\nsubmit: {command: 'true'}\n")
    net.ok("a", "sync")
    net.commits(FILE, "cron: '@daily'\nsubmit: {command: 'true'}\ntimezone: Mars\n")
    said = "nightly.yaml:3: field \"timezone\": 'Mars' is no time zone"
    checked = net.bnet("me", "schedule", "check")
    assert checked.code == 1 and said in checked.out
    assert said in net.ok("me", "status").out
    assert said in net.bnet("a", "doctor").out
    assert list(net.listed()) == ["nightly", "other"]
    local = net.bnet("me", "schedule", "check", str(net.clone / FILE))
    assert local.code == 2 and 'field "timezone"' in local.err
    net.commits("coordination/schedules/Bad Name.yaml", "cron: '@daily'\nsubmit: {command: 'true'}\n")
    assert "is no file of schedules" in net.ok("me", "status").out
    net.ok("a", "doctor", "--repair")
    net.ok("a", "sync")
    assert net.ok("me", "schedule", "check").out == "2 schedules, nothing wrong\n"
