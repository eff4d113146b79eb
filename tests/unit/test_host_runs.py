"""The holder's own hold of its leases, and that a run begins once, under the run's id that landed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.host import processes
from bnet.host.runs import LocalRuns
from bnet.memory import ManualClock
from bnet.model.run import Intent

KEY = "1.1"
INTENT = Intent(run="r1", job=1, attempt=1, name="j", command="x", ttl_s=60.0, on_lost_lease="stop")


class Place:
    """A directory of runs in which one is intended; what is started is only written down."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock()
        self.started: list[Path] = []
        self.runs = LocalRuns(root, Path("supervisor"), "built.json", self.clock, lambda secrets: {})
        self.path = root / KEY
        self.runs.intend([INTENT])

        def start(_: processes.Sessions, argv: list[str], env: Any, errors: Path) -> None:
            self.started.append(Path(argv[-1]))

        monkeypatch.setattr(processes.Sessions, "start", start)

    @property
    def lease(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / "lease.json").read_text())
        return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path / "runs", monkeypatch)


# -- leases


def test_a_lease_says_until_when_on_which_boot_and_with_which_grace(place: Place) -> None:
    place.runs.renew(KEY, 1040.0, 10.0, revive=False)
    assert place.lease == {"boot_id": "boot-1", "until": 1040.0, "lease_grace": 10.0}


def test_a_run_without_a_lease_holds_none_and_has_lost_none(place: Place) -> None:
    assert not place.runs.holds(KEY)
    [fact] = place.runs.collect()
    assert (fact.phase, fact.lapsed) == ("intended", False)


@pytest.mark.parametrize(("at", "holds"), [(0.0, True), (40.0, True), (40.5, False)])
def test_a_lease_holds_until_its_end(place: Place, at: float, holds: bool) -> None:
    place.runs.renew(KEY, 1040.0, 10.0, revive=False)
    place.clock.seconds = at
    assert place.runs.holds(KEY) is holds
    assert [fact.lapsed for fact in place.runs.collect()] == [not holds]


def test_a_lease_of_another_boot_is_over(place: Place) -> None:
    place.runs.renew(KEY, 1040.0, 10.0, revive=False)
    place.clock.boot_name = "boot-2"
    assert not place.runs.holds(KEY)


SAYS_TOO_LITTLE = ["", "{", "[]", "{}", '{"boot_id": "boot-1"}', '{"boot_id": "boot-1", "until": "soon"}']


@pytest.mark.parametrize("text", SAYS_TOO_LITTLE)
def test_a_lease_that_says_too_little_is_over(place: Place, text: str) -> None:
    (place.path / "lease.json").write_text(text)
    assert not place.runs.holds(KEY)
    assert [fact.lapsed for fact in place.runs.collect()] == [True]


def test_a_lease_is_extended_while_it_holds(place: Place) -> None:
    place.runs.renew(KEY, 1040.0, 10.0, revive=False)
    place.clock.seconds = 40.0
    place.runs.renew(KEY, 1080.0, 10.0, revive=False)
    assert place.lease["until"] == 1080.0


@pytest.mark.parametrize("revive", [True, False])
def test_a_lease_that_ran_out_begins_anew_only_where_work_may_overlap(place: Place, revive: bool) -> None:
    place.runs.renew(KEY, 1040.0, 10.0, revive=revive)
    place.clock.seconds = 41.0
    place.runs.renew(KEY, 1080.0, 10.0, revive=revive)
    assert place.lease["until"] == (1080.0 if revive else 1040.0)
    assert place.runs.holds(KEY) is revive


def test_a_run_whose_directory_is_gone_gets_no_lease(place: Place) -> None:
    place.runs.renew("7.1", 1040.0, 10.0, revive=True)
    assert not (place.path.parent / "7.1").exists()
    assert not place.runs.holds("7.1")


# -- the start


def test_a_run_begins_under_the_id_that_landed_and_no_other(place: Place) -> None:
    place.runs.start(KEY, "r2")
    assert place.started == []
    place.runs.start(KEY, "r1")
    assert place.started == [place.path]


def test_what_has_begun_is_not_begun_again(place: Place) -> None:
    (place.path / "pid.json").write_text("{}")
    place.runs.start(KEY, "r1")
    assert place.started == []


def test_the_same_claim_decided_once_more_keeps_its_directory(place: Place) -> None:
    place.runs.renew(KEY, 1040.0, 10.0, revive=False)
    place.runs.intend([INTENT])
    assert place.lease["until"] == 1040.0


@pytest.mark.parametrize("begun", [True, False])
def test_another_claim_of_the_same_attempt_gets_a_directory_of_its_own(place: Place, begun: bool) -> None:
    (place.path / "workspace").mkdir()
    if begun:
        (place.path / "pid.json").write_text("{}")
    place.runs.intend([INTENT if begun else replace(INTENT, run="r2")])
    assert sorted(each.name for each in place.path.iterdir()) == ["run.json"]
    assert [each.name for each in place.path.parent.iterdir()] == [KEY]


def test_only_what_has_not_begun_is_forgotten(place: Place) -> None:
    (place.path / "pid.json").write_text("{}")
    place.runs.forget(KEY)
    assert place.path.exists()
    (place.path / "pid.json").unlink()
    place.runs.forget(KEY)
    assert not place.path.exists()


def test_a_stop_is_asked_for_once_in_the_words_of_the_first(place: Place) -> None:
    place.runs.stop(KEY, "cancel", "enough")
    place.runs.stop(KEY, "lease", "late")
    assert json.loads((place.path / "stop.json").read_text()) == {"reason": "cancel", "message": "enough"}


def test_what_was_settled_is_not_collected_again(place: Place) -> None:
    place.runs.settle(KEY, "reported")
    assert place.runs.collect() == []
