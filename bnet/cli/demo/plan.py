"""The plan of a demo: jobs as `bnet submit -f` takes them, some with a cue for what shall happen to them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnet import scaffold
from bnet.codec.submission import from_file
from bnet.errors import Invalid
from bnet.model.command import Submit

CUE = "BNET_DEMO"  # the variable in a job's env that holds its cue
_CUES = re.compile(r"(fails once)|(cancel|kill) after (\d+(?:\.\d+)?) s")


class Role(NamedTuple):
    """A server of the demo."""

    name: str
    slots: int
    labels: Mapping[str, str]

    def fits(self, job: Submit) -> bool:
        """Tell whether it has the labels that a job requires."""
        return all(self.labels.get(key) == str(value) for key, value in job.labels.items())


SERVERS = (
    Role("build1", 2, {"compiler": "yes"}),
    Role("build2", 2, {"compiler": "yes"}),
    Role("build3", 2, {"disk": "fast"}),
)


class Cue(NamedTuple):
    """What shall happen to a job, and so many seconds after it began."""

    what: str
    after: float = 0.0


def bundled() -> Path:
    """Return the plan that bnet brings along."""
    return scaffold.root() / "examples" / "demo" / "jobs.yaml"


def cues(plan: Path) -> dict[str, Cue]:
    """Return the cues of a plan, by the names of their jobs.

    Raises:
        Invalid: the plan cannot be read, or cannot be played on the demo's servers.
    """
    jobs = [job for job in from_file(plan.read_bytes(), str(plan)) if isinstance(job, Submit)]
    found = {}
    for job in jobs:
        if CUE in job.env:
            if job.name is None or job.matrix:
                raise Invalid(f"a job with {CUE} needs a name and no matrix", file=str(plan), field="env")
            found[job.name] = _cue(str(job.env[CUE]), plan)
    _castable(jobs, found, plan)
    return found


def _cue(text: str, plan: Path) -> Cue:
    match = _CUES.fullmatch(text)
    if match is None:
        right = "'fails once', 'cancel after 2 s' or 'kill after 2 s'"
        raise Invalid(f"{CUE} is {right}, not {text!r}", file=str(plan), field="env")
    return Cue(match[1] or match[2], float(match[3] or 0))


def _castable(jobs: Sequence[Submit], found: Mapping[str, Cue], plan: Path) -> None:
    """Refuse a plan with a job that no server can run, or none once the one that is killed is gone."""
    doomed = [job for job in jobs if job.name and job.name in found and found[job.name].what == "kill"]
    victims = {server.name for server in SERVERS if any(server.fits(job) for job in doomed)}
    for job in jobs:
        able = {server.name for server in SERVERS if server.fits(job)}
        if able and not any(able == {victim} for victim in victims):
            continue
        why = "may be killed in this plan" if able else "does not exist"
        have = "; ".join(f"{server.name} has {labelled(server.labels)}" for server in SERVERS)
        raise Invalid(
            f"the only server with the labels of {job.name or job.command} {why} ({have})",
            file=str(plan),
            field="labels",
        )


def labelled(labels: Mapping[str, str]) -> str:
    """Return labels as people write them."""
    return ", ".join(f"{key}={value}" for key, value in labels.items())
