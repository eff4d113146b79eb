"""`bnet build`: bring the packages of a source tree up to date."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json
from bnet.errors import AnswerNo
from bnet.files import write_atomic

if TYPE_CHECKING:
    from bnet.build.engine import Event, Report
    from bnet.build.package import Outcome


@click.command()
@click.argument("words", nargs=-1, metavar="[PACKAGE]...")
@click.option(
    "-j", "--jobs", type=click.IntRange(1), metavar="N", help="So many at once; otherwise the cores."
)
@click.option("--keep-going", is_flag=True, help="Build all that does not depend on what failed.")
@click.option("--force", is_flag=True, help="Run the commands, whatever is up to date or cached.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and why, and do nothing.")
@click.option("--json-to", type=click.Path(path_type=Path), metavar="FILE", help="Write JSON to a file.")
@json_option
@pass_app
def build(
    app: App,
    words: tuple[str, ...],
    jobs: int | None,
    keep_going: bool,
    force: bool,
    dry_run: bool,
    json_to: Path | None,
    as_json: bool,
) -> None:
    """Bring packages up to date, and first what they depend on; without a name, all of them.

    Example: bnet build api ./packages/ui 'plugin-*'
    """
    from bnet.build.engine import default_jobs
    from bnet.wiring.workshop import Workshop

    shop = Workshop(Path.cwd(), os.environ)
    with shop.lock(note):
        names = shop.graph.select(list(words), here=shop.here) if words else shop.graph.order()
        stood = Path.cwd()
        os.chdir(shop.root)
        show = Plain(as_json)
        made = shop.build(
            names,
            jobs=jobs or default_jobs(),
            keep_going=keep_going,
            force=force,
            dry_run=dry_run,
            told=show.told,
        )
        report = made.run(names)
    if json_to is not None:
        (stood / json_to).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(stood / json_to, json.dumps(described(report)).encode(), durable=False)
    _tell(report, dry_run, as_json)


class Plain:
    """What a build says where no terminal shows it live: each package's log as a group, when it is done."""

    def __init__(self, quiet: bool) -> None:
        """Say nothing at all, for programs, or what people want to know."""
        self.quiet = quiet

    def told(self, event: "Event") -> None:
        """Say what became of a package."""
        done = event.outcome
        if self.quiet or done is None or done.tier in ("instant", "fresh"):
            return
        note(line(done))
        if done.log is not None and done.result != "skipped":
            text = Path(done.log).read_bytes().decode(errors="replace")
            for said in text.splitlines():
                note(f"  {said}")
        for warned in done.warnings:
            note(f"  {click.style('note:', fg='yellow')} {warned}")


def line(done: "Outcome") -> str:
    """Return the line that tells of a package."""
    colour = {"success": "green", "skipped": "yellow"}.get(done.result, "red")
    word = (done.tier or "") if done.result == "success" else done.result
    took = f" {done.seconds:.2f} s" if done.tier not in (None, "instant") else ""
    return f"{click.style(done.name, bold=True)}: {click.style(word, fg=colour)}{took}; {done.reason}"


def _tell(report: "Report", dry_run: bool, as_json: bool) -> None:
    from bnet.build.instant import summary

    if as_json:
        out_json(described(report))
    elif dry_run:
        for each in report.outcomes:
            out(line(each))
    else:
        if report.trouble:
            note(f"bnet: {report.trouble}")
        note(summary(tiers_of(report), len(report.failed), report.seconds))
    if report.failed:
        names = [each.name for each in report.failed if each.result != "skipped"]
        raise AnswerNo(f"not built: {', '.join(names) or 'some packages'}")


def tiers_of(report: "Report") -> Counter[str]:
    """Return how many packages were brought up to date in each way."""
    return Counter(str(each.tier) for each in report.outcomes if each.result == "success")


def described(report: "Report") -> dict[str, Any]:
    """Return a build for programs."""
    return {
        "packages": [
            {
                "name": each.name,
                "tier": each.tier,
                "result": each.result,
                "reason": each.reason,
                "key": each.key,
                "seconds": round(each.seconds, 6),
                "exit_code": each.exit_code,
                "because": each.because,
                "saved": round(each.saved, 6),
                "log": each.log,
                "warnings": list(each.warnings),
            }
            for each in report.outcomes
        ],
        "total": len(report.outcomes),
        "cached": report.cached,
        "seconds": round(report.seconds, 6),
    }
