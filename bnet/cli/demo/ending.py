"""The end of a demo: the table, the story's verdicts, the figures, and what to try next."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bnet.cli.demo.story import Story, Verdict
from bnet.cli.demo.tape import Figures
from bnet.cli.render import out, out_json, table, word
from bnet.host.minutely import own_program

HEADS = ("JOB", "NAME", "SERVER", "ATTEMPT", "RESULT", "SECONDS")


class Ending:
    """What is to be said when all jobs have ended; the agents need not live for it."""

    def __init__(self, root: Path, story: Story, seconds: float) -> None:
        """Take the facts."""
        self.root = root
        self.seconds = seconds
        self.branch = story.tape.branch
        self.hub = story.ground.url
        self.jobs: list[dict[str, Any]] = story.ground.facts("jobs", "--all")
        self.verdicts: Sequence[Verdict] = story.verdicts()
        self.figures: Figures = story.tape.figures(root)
        self.cut = next(
            (each.number for each in story.parts.values() if each.cue and each.cue.what == "kill"), 1
        )

    @property
    def good(self) -> bool:
        """Tell whether every expectation was met."""
        return all(verdict.met for verdict in self.verdicts)

    def print(self, called: str, *, kept: bool, as_json: bool) -> None:
        """Print it for people or for programs."""
        if as_json:
            out_json(self._facts(kept))
            return
        marks = {True: click.style("yes", fg="green"), False: click.style("NO ", fg="red", bold=True)}
        story = "\n".join(f"  {marks[verdict.met]}  {verdict.text}" for verdict in self.verdicts)
        jobs = table(HEADS, [_row(job) for job in self.jobs])
        out("\n" + "\n\n".join([jobs, story, self._sums(), self._next(called, kept)]))

    def _facts(self, kept: bool) -> dict[str, Any]:
        return {
            "good": self.good,
            "seconds": round(self.seconds, 1),
            "directory": str(self.root) if kept else None,
            "jobs": self.jobs,
            "story": [verdict._asdict() for verdict in self.verdicts],
            "figures": self.figures._asdict() | {"pushes_per_job": self._per_job()},
        }

    def _per_job(self) -> float:
        return round(self.figures.pushes / max(1, len(self.jobs)), 2)

    def _sums(self) -> str:
        took, silent, again = self.figures
        lines = (
            (f"{len(self.jobs)} jobs", f"in {self.seconds:.1f} s, the making of the network included"),
            (
                f"{took} pushes",
                f"{self._per_job()} a job: {took - silent} with decisions, {silent} of telemetry alone",
            ),
            (f"{again} conflicts", "decisions that were made again because another server was first"),
        )
        width = max(len(head) for head, _ in lines)
        return "\n".join(f"{head:>{width}}  {text}" for head, text in lines)

    def _next(self, called: str, kept: bool) -> str:
        here = os.uname().nodename.lower()
        if not kept:
            return _listing(
                "Nothing is left of it. Next:",
                {
                    **_alias(),
                    f"{called} --keep": "keeps the network, to look around in",
                    "bnet init ~/hub.git": "a hub of your own; a forge's URL does as well",
                    f"bnet join ~/hub.git --name {here}": "makes this machine a server",
                },
            )
        root, hub = shlex.quote(str(self.root)), shlex.quote(self.hub)
        return _listing(
            f"It is kept in {self.root}. Look around:",
            {
                **_alias(),
                f"export BNET_HOME={root}/person BNET_HUB={hub}": "",
                "bnet jobs --all": "what the hub knows",
                f"bnet show {self.cut}": "both attempts of the job that was cut off",
                f"bnet logs {self.cut} --attempt 1": "how far the first one came",
                f"git -C {hub} log {self.branch}": "each decision is a commit",
                f"BNET_HOME={root}/build1 bnet agent --jobs 1 &": "a server goes to work again ...",
                "bnet submit --follow -- uname -a": "... for a job of yours",
                f"rm -r {root}": "",
            },
        )


def _alias() -> dict[str, str]:
    """Return what makes `bnet` work where it is not on PATH."""
    own = own_program(sys.argv[0])
    return {} if shutil.which("bnet") == own[0] else {f"alias bnet={shlex.quote(shlex.join(own))}": ""}


def _row(job: Mapping[str, Any]) -> list[str]:
    took = "" if job["seconds"] is None else f"{job['seconds']:.1f}"
    return [
        f"#{job['number']}",
        job["name"],
        job["server"] or "",
        f"{job['attempt'] or '':>7}",
        word(job["result"]),
        f"{took:>7}",
    ]


def _listing(head: str, lines: Mapping[str, str]) -> str:
    width = max(len(command) for command, comment in lines.items() if comment)
    shown = [f"  {command:<{width}}  # {text}" if text else f"  {command}" for command, text in lines.items()]
    return "\n".join([head, "", *shown])
