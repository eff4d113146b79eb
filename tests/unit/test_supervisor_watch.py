"""When a supervisor ends its job before its time, as told by the clock and by the run directory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bnet.runners.supervisor.daemon import Signals
from bnet.runners.supervisor.job import Job
from bnet.runners.supervisor.system import boot_id, now
from bnet.runners.supervisor.watch import LOOK_EVERY, Stopped, Verdict, Watch

BEGIN = 1000.0  # on the boot clock
GRACE = 10.0


class Scene:
    """A run directory, and what is decided in it at a time."""

    def __init__(self, path: Path, **fields: Any) -> None:
        self.path = path
        path.mkdir(exist_ok=True)
        document = {"run": "r", "job": 1, "attempt": 1, "command": "x", "grace": GRACE} | fields
        self.write("run.json", document)
        self.job = Job(document, {}, str(path / "workspace"))
        self.watch = Watch(str(path), self.job)
        self.watch.started = self.watch.heard = BEGIN

    def write(self, name: str, content: object) -> None:
        """Put a file there as another process does: whole, and under a new inode."""
        fresh = self.path / f".{name}.new"
        fresh.write_text(content if isinstance(content, str) else json.dumps(content))
        fresh.rename(self.path / name)

    def lease(self, until: float, **more: Any) -> None:
        self.write("lease.json", {"boot_id": boot_id(), "until": until} | more)

    def at(self, seconds: float) -> Verdict | None:
        """Decide so many seconds after the beginning."""
        return self.watch.verdict(BEGIN + seconds)

    def outcome(self, seconds: float) -> str:
        found = self.at(seconds)
        return "" if found is None else found.outcome


@pytest.fixture(autouse=True)
def no_signal() -> Iterator[None]:
    """Signals are of the process; leave none behind."""
    yield
    Signals.terminated = False


@pytest.fixture
def held(tmp_path: Path) -> Scene:
    """A run that may not go on without its lease."""
    return Scene(tmp_path / "1.1", on_lost_lease="stop")


# -- the lease


def test_a_run_goes_on_until_its_lease_is_over_and_not_longer(held: Scene) -> None:
    held.lease(BEGIN + 60)
    assert [held.outcome(at) for at in (0, 30, 60)] == ["", "", ""]
    found = held.at(60.5)
    assert found is not None
    assert (found.outcome, found.text, found.reason) == ("lease", "stopped: lease lost", "lease")


def test_a_lease_that_was_renewed_is_the_one_that_counts(held: Scene) -> None:
    held.lease(BEGIN + 60)
    assert held.outcome(59) == ""
    held.lease(BEGIN + 120)
    assert [held.outcome(at) for at in (61, 120, 121)] == ["", "", "lease"]


def test_a_lease_that_was_cut_short_is_the_one_that_counts(held: Scene) -> None:
    held.lease(BEGIN + 60)
    assert held.outcome(0) == ""
    held.lease(BEGIN + 5)
    assert held.outcome(6) == "lease"


LEASES: dict[str, Any] = {
    "of another boot": {"boot_id": "another", "until": BEGIN + 60},
    "of no boot": {"until": BEGIN + 60},
    "without an end": {"boot_id": boot_id()},
}


@pytest.mark.parametrize("lease", LEASES.values(), ids=LEASES.keys())
def test_a_lease_is_over(held: Scene, lease: Any) -> None:
    held.write("lease.json", lease)
    assert held.outcome(0) == "lease"


@pytest.mark.parametrize(
    "damage", ["{", "[]", "", '{"until": "soon"}', '{"until": 1, "lease_grace": "short"}']
)
def test_a_lease_that_cannot_be_read_leaves_the_last_one_standing(held: Scene, damage: str) -> None:
    held.lease(BEGIN + 60)
    assert held.outcome(0) == ""
    held.write("lease.json", damage)
    assert [held.outcome(at) for at in (1, 60, 61)] == ["", "", "lease"]
    held.lease(BEGIN + 90)
    assert held.outcome(62) == "", "and it is read again"


def test_something_else_in_the_place_of_a_lease_leaves_the_last_one_standing(held: Scene) -> None:
    held.lease(BEGIN + 60)
    assert held.outcome(0) == ""
    (held.path / "lease.json").unlink()
    (held.path / "lease.json").mkdir()
    assert [held.outcome(at) for at in (1, 60, 61)] == ["", "", "lease"]


def test_a_lease_is_read_again_however_little_shows_that_it_is_another(held: Scene) -> None:
    path = held.path / "lease.json"
    held.lease(BEGIN + 60)
    at = path.stat().st_mtime_ns
    assert held.outcome(0) == ""
    held.lease(BEGIN + 120)
    os.utime(path, ns=(at, at))
    assert held.outcome(61) == "", "another file of the same moment"
    path.write_text(path.read_text().replace(str(BEGIN + 120), str(BEGIN + 180)))
    os.utime(path, ns=(at + 1, at + 1))
    assert held.outcome(121) == "", "the same file at another moment"


def test_a_run_without_any_lease_yet_goes_on(held: Scene) -> None:
    assert held.outcome(0) == ""
    held.lease(BEGIN + 5)
    assert held.outcome(6) == "lease"
    (held.path / "lease.json").unlink()
    assert held.outcome(7) == ""


def test_a_run_that_may_finish_asks_for_no_lease(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "1.1", on_lost_lease="finish")
    scene.lease(BEGIN - 1)
    assert scene.outcome(5) == ""


@pytest.mark.parametrize(
    ("asked", "grace"), [({"lease_grace": 3}, 3.0), ({"lease_grace": 60}, GRACE), ({}, GRACE)]
)
def test_who_lost_its_lease_has_the_shorter_grace(held: Scene, asked: dict[str, float], grace: float) -> None:
    held.lease(BEGIN - 1, **asked)
    found = held.at(0)
    assert found is not None
    assert found.grace == grace


def test_a_lost_lease_also_cuts_short_what_is_being_stopped(held: Scene) -> None:
    held.lease(BEGIN + 60)
    assert held.watch.urgent(BEGIN + 60) is None
    found = held.watch.urgent(BEGIN + 61)
    assert found is not None
    assert found.outcome == "lease"


# -- the directory


def test_a_directory_that_is_gone_ends_the_run_at_once(tmp_path: Path) -> None:
    for vanish in ("directory", "run.json", "replaced"):
        scene = Scene(tmp_path / vanish, timeout=5)
        assert scene.outcome(0) == ""
        if vanish == "run.json":
            (scene.path / "run.json").unlink()
        else:
            scene.path.rename(tmp_path / f"{vanish}.old")
        if vanish == "replaced":
            shutil.copytree(tmp_path / "replaced.old", scene.path)
        found = scene.at(6)
        assert found is not None
        assert (found.outcome, found.grace) == ("gone", 0.0)


def test_a_file_system_that_hiccups_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path / "1.1")
    stat = os.stat

    def hiccup(path: Any, *more: Any, **besides: Any) -> os.stat_result:
        if path == str(scene.path):
            raise OSError(5, "Input/output error")
        return stat(path, *more, **besides)

    monkeypatch.setattr(os, "stat", hiccup)
    assert scene.outcome(0) == ""


# -- the clock


def test_a_run_begins_with_its_watch(tmp_path: Path) -> None:
    before = now()
    scene = Scene(tmp_path / "1.1", timeout=30)
    watch = Watch(str(scene.path), scene.job)
    assert before <= watch.started == watch.heard <= now()


def test_what_ends_a_run_carries_its_verdict() -> None:
    verdict = Verdict("lease", "stopped: lease lost", 3.0, "lease")
    assert (Stopped(verdict).verdict, str(Stopped(verdict))) == (verdict, "stopped: lease lost")


def test_a_timeout_counts_from_the_beginning(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "1.1", timeout=30)
    scene.watch.heard = BEGIN + 29
    assert scene.outcome(29.9) == ""
    found = scene.at(30)
    assert found is not None
    assert (found.outcome, found.grace) == ("timeout", GRACE)
    assert found.text == found.message == "timeout: no end after 30 s; processes were stopped"


def test_silence_counts_from_the_last_output(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "1.1", silence_timeout=30, timeout=500)
    scene.watch.heard = BEGIN + 10
    assert scene.outcome(39.9) == ""
    found = scene.at(40)
    assert found is not None
    assert (found.outcome, found.grace) == ("silence", GRACE)
    assert found.text == "silence: no output for 30 s; processes were stopped"


def test_a_job_without_limits_runs_on(tmp_path: Path) -> None:
    assert Scene(tmp_path / "1.1").outcome(10**9) == ""


def test_the_directory_is_looked_at_four_times_a_second_and_the_clock_always(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "1.1", timeout=10)
    assert scene.outcome(9.8) == ""
    scene.write("stop.json", {"reason": "cancel"})
    assert scene.outcome(9.9) == "", "it is not looked at again yet"
    assert scene.outcome(10) == "timeout"
    assert scene.outcome(9.8 + LOOK_EVERY) == "stopped"
    assert LOOK_EVERY == 0.25


@pytest.mark.parametrize(
    ("fields", "pause"),
    [
        ({}, LOOK_EVERY),
        ({"timeout": 1.1}, 0.1),
        ({"silence_timeout": 0.7}, 0.2),
        ({"timeout": 9, "silence_timeout": 9}, LOOK_EVERY),
        ({"timeout": 0.5}, 0.0),
    ],
)
def test_a_supervisor_waits_no_longer_than_until_something_is_due(
    tmp_path: Path, fields: dict[str, float], pause: float
) -> None:
    scene = Scene(tmp_path / "1.1", **fields)
    scene.watch.heard = BEGIN + 0.5
    scene.at(1.0)
    assert scene.watch.pause(BEGIN + 1.0) == pytest.approx(pause)


# -- who asks for the end

STOPS: dict[str, tuple[dict[str, str], str, str, str | None]] = {
    "a person": ({"reason": "cancel", "message": "enough"}, "cancelled: enough", "cancel", "enough"),
    "a person without a word": ({"reason": "cancel"}, "cancelled", "cancel", None),
    "its server": ({"reason": "lease", "message": "m"}, "stopped: lease: m", "lease", "m"),
    "somebody": ({}, "stopped: stop", "stop", None),
}


@pytest.mark.parametrize(("asked", "text", "reason", "message"), STOPS.values(), ids=STOPS.keys())
def test_a_run_is_stopped_by(
    tmp_path: Path, asked: dict[str, str], text: str, reason: str, message: str | None
) -> None:
    scene = Scene(tmp_path / "1.1")
    scene.write("stop.json", asked)
    found = scene.at(0)
    assert found is not None
    assert (found.outcome, found.text, found.reason, found.message) == ("stopped", text, reason, message)
    assert found.grace == GRACE


@pytest.mark.parametrize("kind", ["damaged", "a directory"])
def test_a_stop_that_cannot_be_read_counts_the_third_time(tmp_path: Path, kind: str) -> None:
    scene = Scene(tmp_path / "1.1")
    if kind == "damaged":
        scene.write("stop.json", "{")
    else:
        (scene.path / "stop.json").mkdir()
    assert [scene.outcome(at) for at in (0, 1, 2)] == ["", "", "stopped"]
    found = scene.at(3)
    assert found is not None
    assert (found.reason, found.message) == ("stop", "stop.json is there but cannot be read")


def test_a_supervisor_that_is_told_to_end_stops_its_job(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "1.1")
    Signals.terminated = True
    found = scene.at(0)
    assert found is not None
    assert (found.outcome, found.reason, found.grace) == ("stopped", "terminated", GRACE)
    assert (found.text, found.message) == ("stopped: terminated", "the supervisor was told to end")


def test_the_weightier_reason_is_the_one_that_is_told(held: Scene) -> None:
    Signals.terminated = True
    held.watch = Watch(
        str(held.path),
        Job(
            {"run": "r", "job": 1, "attempt": 1, "command": "x", "timeout": 5, "on_lost_lease": "stop"},
            {},
            "w",
        ),
    )
    held.watch.started = BEGIN
    assert held.outcome(6) == "timeout"
    held.write("stop.json", {"reason": "cancel"})
    assert held.outcome(7) == "stopped"
    held.lease(BEGIN)
    assert held.outcome(8) == "lease"
