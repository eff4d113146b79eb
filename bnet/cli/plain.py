"""What a build says of each package that is done with; where no terminal shows it live, as it comes."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bnet.cli.render import note, span

if TYPE_CHECKING:
    from bnet.build.engine import Event
    from bnet.build.outcome import Outcome

LogWish = Literal["all", "new", "failed", "none"]
UNTOUCHED = ("instant", "fresh")
_COLOUR = r"\[[0-9;:]*m"
# Everything a terminal would obey but colours: a log must not move the cursor or clear the screen.
_CONTROLS = re.compile(
    rf"\x1b(?!{_COLOUR})(?:\[[0-?]*[ -/]*[@-~]?|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")


class Story:
    """What is to be said of a package: its line, and its log if that is wanted."""

    def __init__(
        self, log: LogWish, logs: Callable[[str], Path], *, brief: bool = False, grouped: bool = False
    ) -> None:
        """Keep what is wanted.

        Args:
            log: whose logs are shown: of all packages, of those built now, of those that failed, of none.
            logs: name of a package -> where its last log is.
            brief: leave out a line that says no more than that all went well.
            grouped: fold logs as GitHub Actions does.
        """
        self.log = log
        self.logs = logs
        self.brief = brief
        self.grouped = grouped

    def of(self, done: "Outcome") -> str:
        """Return what to say of a package; "" for nothing."""
        if done.result == "skipped":
            return ""  # the summary says it, under what failed
        said = printed(self._log(done))
        warned = [f"  {click.style('note:', fg='yellow')} {each}" for each in done.warnings]
        expected = done.tier in UNTOUCHED or self.brief
        if expected and done.result == "success" and not said and not warned:
            return ""
        return "\n".join([*self._titled(line(done), said, done.result == "success"), *warned])

    def _titled(self, title: str, said: str, folded: bool) -> list[str]:
        if not said:
            return [title]
        if self.grouped:
            # What failed is not folded: it is what people came for.
            return [f"::group::{click.unstyle(title)}", said, "::endgroup::"] if folded else [title, said]
        return [title, *(f"  {each}".rstrip() for each in said.split("\n"))]

    def _log(self, done: "Outcome") -> str:
        from bnet.build.totals import has_run

        wanted = {
            "all": True,
            "new": has_run(done),
            "failed": done.result != "success",
            "none": False,
        }
        return log_of(done, self.logs) if wanted[self.log] else ""


class Plain:
    """Says of each package what there is to say when it is done with."""

    def __init__(self, story: Story) -> None:
        """Keep what is said."""
        self.story = story

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def told(self, event: "Event") -> None:
        """Say what became of a package."""
        if event.outcome is not None and (said := self.story.of(event.outcome)):
            note(said)


class Silent(Plain):
    """Says nothing, where a program reads the result, or nothing is done."""

    def __init__(self) -> None:
        """Keep nothing."""

    def told(self, event: "Event") -> None:
        """Say nothing."""


def line(done: "Outcome") -> str:
    """Return the line that tells of a package."""
    colour = {"success": "green", "skipped": "yellow"}.get(done.result, "red")
    word = (done.tier or "") if done.result == "success" else done.result
    took = f" {span(done.seconds)}" if done.seconds and done.tier != "instant" else ""
    return f"{click.style(done.name, bold=True)}: {click.style(word, fg=colour)}{took}; {done.reason}"


def log_of(done: "Outcome", logs: Callable[[str], Path]) -> str:
    """Return what a package's command printed, now or when its outputs were made; "" if that is not kept."""
    if done.log is None and done.tier not in UNTOUCHED:
        return ""
    with suppress(OSError):
        return Path(done.log or logs(done.name)).read_bytes().decode(errors="replace")
    return ""


def printed(text: str) -> str:
    """Return a log as it may be shown: what overwrote itself as it ended up, and no controls but colours."""
    text = _OVERWRITTEN.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("", text).strip("\n")
