"""What a build comes to: what took long, what the cache spared, what failed and what that kept from being built."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bnet.build.engine import Report
from bnet.build.graph import Graph
from bnet.build.outcome import Outcome

RUN = ("full", "incremental")  # the tiers in which a package's command runs


class Failure(NamedTuple):
    """A package that could not be built, and the packages that therefore were not tried."""

    outcome: Outcome
    blocked: tuple[str, ...]


class Totals(NamedTuple):
    """What a build comes to.

    Attributes:
        tiers: how many packages came up to date in each way.
        slowest: those whose command ran, the slowest first.
        chain: the critical path of this build: of all chains of packages whose commands ran, each waiting for the
            one before it, the one that took longest.
        chain_seconds: how long that was; more cores would not have made it shorter.
        saved: seconds that commands took when they last ran and did not have to run now.
        failures: what failed, in the order of the graph.
        left: packages that were not tried after a failure, though they do not depend on it.
        needs: of each package, what it depends on itself.
    """

    tiers: Mapping[str, int]
    slowest: Sequence[Outcome]
    chain: Sequence[Outcome]
    chain_seconds: float
    saved: float
    failures: Sequence[Failure]
    left: Sequence[str]
    needs: Mapping[str, Sequence[str]]


def totals(report: Report, graph: Graph) -> Totals:
    """Add up a build of the packages of a graph."""
    ran = {each.name: each for each in report.outcomes if has_run(each)}
    path = graph.critical_path({name: each.seconds for name, each in ran.items()})
    chain = [ran[name] for name in path if name in ran]
    blocked: dict[str, list[str]] = {}
    for each in report.outcomes:
        if each.result == "skipped":
            blocked.setdefault(each.because or "", []).append(each.name)
    return Totals(
        tiers=Counter(str(each.tier) for each in report.outcomes if each.result == "success"),
        slowest=sorted(ran.values(), key=lambda each: -each.seconds),
        chain=chain,
        chain_seconds=sum(each.seconds for each in chain),
        saved=sum(each.saved for each in report.outcomes if each.tier not in RUN),
        failures=[
            Failure(each, tuple(blocked.get(each.name, ())))
            for each in report.failed
            if each.result != "skipped"
        ],
        left=blocked.get("", ()),
        needs={each.name: graph.needs(each.name) for each in report.outcomes},
    )


def has_run(outcome: Outcome) -> bool:
    """Tell whether a package's command was run, well or not."""
    return outcome.tier in RUN and outcome.result != "skipped"
