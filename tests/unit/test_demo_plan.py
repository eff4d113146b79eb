"""The plans of demos: what may stand in them, and that the ones we ship are sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bnet.cli.demo.plan import Cue, bundled, cues
from bnet.codec.submission import from_file
from bnet.errors import Invalid
from bnet.model.command import Submit

WHEELS = bundled().parents[1] / "wheels"


def plan(tmp_path: Path, text: str) -> Path:
    """Write a plan."""
    path = tmp_path / "jobs.yaml"
    path.write_text(text)
    return path


def submissions(path: Path) -> list[Submit]:
    """Return the jobs of a plan."""
    return [job for job in from_file(path.read_bytes(), str(path)) if isinstance(job, Submit)]


@pytest.mark.parametrize("path", [bundled(), WHEELS / "jobs.yaml"], ids=["demo", "wheels"])
def test_what_we_ship_has_all_of_the_story(path: Path) -> None:
    assert sorted(cue.what for cue in cues(path).values()) == ["cancel", "fails once", "kill"]
    jobs = submissions(path)
    assert len(jobs) >= 12 and sum(len(job.needs) for job in jobs) >= 3
    assert any(job.labels for job in jobs)


def test_the_wheels_are_built_from_what_is_fetched() -> None:
    built = {str(job.env["PIN"]) for job in submissions(WHEELS / "jobs.yaml") if "PIN" in job.env}
    fetched = set(re.findall(r"^(\S+==\S+) --hash=", (WHEELS / "requirements.txt").read_text(), re.M))
    assert built == fetched


def test_a_cue_says_what_and_when(tmp_path: Path) -> None:
    job = "- submit: {name: a, command: x, env: {BNET_DEMO: cancel after 2.5 s}}"
    assert cues(plan(tmp_path, job)) == {"a": Cue("cancel", 2.5)}


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        ("{name: a, command: x, env: {BNET_DEMO: explode}}", "not 'explode'"),
        ("{command: x, env: {BNET_DEMO: fails once}}", "needs a name"),
        ("{name: a, command: x, labels: {gpu: yes}}", "does not exist"),
        ("{name: a, command: x, labels: {disk: fast}, env: {BNET_DEMO: kill after 1 s}}", "may be killed"),
    ],
)
def test_what_cannot_be_played_is_refused(tmp_path: Path, job: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=re.escape(complaint)):
        cues(plan(tmp_path, f"- submit: {job}"))
