"""What a build says when it is over, to people and to programs."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.render import note, span

if TYPE_CHECKING:
    from bnet.build.engine import Report
    from bnet.build.outcome import Outcome
    from bnet.build.totals import Failure, Totals

SHORT = 1.0  # seconds; nobody asks where the time of a shorter build went
SLOWEST = 5
LONGEST = 6  # packages of the critical path that are named
MOST = 12  # names in a list


def tell(report: "Report", totals: "Totals") -> None:
    """Say what a build comes to; the line with its outcome is the last one."""
    from bnet.build.instant import summary

    if report.seconds >= SHORT:
        for title, text in _times(totals):
            note(_wrapped(f"{title:<14} ", text))
    for failure in totals.failures:
        note(_failed(failure))
    if totals.left:
        note(
            f"not tried after that: {_some(totals.left)}; --keep-going builds what does not depend on a failure"
        )
    if report.trouble:
        note(f"bnet: {report.trouble}")
    note(summary(totals.tiers, len(report.failed), report.seconds))


def _times(totals: "Totals") -> Iterable[tuple[str, str]]:
    if len(totals.slowest) > 1:
        yield "slowest", ", ".join(_took(each) for each in totals.slowest[:SLOWEST])
    if len(totals.chain) > 1:
        yield "critical path", _chain(totals)
    if totals.saved >= SHORT:
        yield "saved", f"{span(totals.saved)} of commands that did not have to run"


def _chain(totals: "Totals") -> str:
    """Return the critical path; of a long one, the packages that took longest."""
    took, chain = span(totals.chain_seconds), totals.chain
    if len(chain) <= LONGEST:
        return f"{' > '.join(map(_took, chain))}: {took} in all"
    worst = sorted(chain, key=lambda each: -each.seconds)[:SLOWEST]
    return f"{took}, {len(chain)} packages one after the other; the slowest of them {', '.join(map(_took, worst))}"


def _failed(failure: "Failure") -> str:
    done = failure.outcome
    title = f"{click.style(done.name, bold=True)}: {click.style(done.result, fg='red')}; {done.reason}"
    lines = [f"{title}" + (f"; its log is {done.log}" if done.log else "")]
    if failure.blocked:
        lines.append(_wrapped("  not built because of it: ", _some(failure.blocked)))
    return "\n".join(lines)


def _took(done: "Outcome") -> str:
    return f"{done.name} {span(done.seconds)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {more} more" if more > 0 else "")


def _wrapped(head: str, text: str) -> str:
    width = max(40, shutil.get_terminal_size((110, 24)).columns)
    indent = " " * (len(head) if len(head) * 2 < width else 4)
    return textwrap.fill(
        text,
        width,
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def described(report: "Report", totals: "Totals") -> dict[str, Any]:
    """Return a build for programs."""
    began = min((each.begun for each in report.outcomes if each.begun), default=0.0)
    blocked = {each.outcome.name: list(each.blocked) for each in totals.failures}
    return {
        "packages": [
            {
                "name": each.name,
                "tier": each.tier,
                "result": each.result,
                "reason": each.reason,
                "key": each.key,
                "needs": list(totals.needs[each.name]),
                "began": round(each.begun - began, 6) if each.begun else None,
                "seconds": round(each.seconds, 6),
                "exit_code": each.exit_code,
                "because": each.because,
                "blocked": blocked.get(each.name, []),
                "saved": round(each.saved, 6),
                "log": each.log,
                "warnings": list(each.warnings),
            }
            for each in report.outcomes
        ],
        "total": len(report.outcomes),
        "cached": report.cached,
        "failed": len(report.failed),
        "tiers": dict(totals.tiers),
        "seconds": round(report.seconds, 6),
        "saved": round(totals.saved, 6),
        "slowest": [each.name for each in totals.slowest[:SLOWEST]],
        "critical_path": {
            "packages": [each.name for each in totals.chain],
            "seconds": round(totals.chain_seconds, 6),
        },
        "trouble": report.trouble,
        "complaint": report.complaint,
    }
