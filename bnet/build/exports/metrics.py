"""A build as OpenMetrics text, for a gateway or a node exporter's text file collector."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from bnet.build.engine import Report
from bnet.build.totals import Totals

# All are gauges: they tell of one build, and a collector that takes only Prometheus' own format reads them too.
_FAMILIES = {
    "bnet_build_packages": "Packages of the last build, by how they came up to date and how that ended.",
    "bnet_build_duration_seconds": "How long the last build took.",
    "bnet_build_saved_seconds": "What commands took when they last ran, and did not have to run in the last build.",
    "bnet_build_critical_path_seconds": "The longest chain of commands of which each waited for the one before.",
    "bnet_build_success": "Whether every package came up to date, and no hook of the tree failed.",
    "bnet_build_finished_timestamp_seconds": "When the last build ended.",
    "bnet_build_package_duration_seconds": "How long each package took, by how it came up to date.",
    "bnet_build_package_success": "Whether each package came up to date.",
}

_Sample = tuple[str, dict[str, str], float]


def metrics(report: Report, totals: Totals, at: datetime) -> bytes:
    """Return a build as OpenMetrics 1.0 text.

    Args:
        report: the build.
        totals: what it comes to.
        at: when it ended.
    """
    lines: list[str] = []
    samples = list(_samples(report, totals, at))
    for family, told in _FAMILIES.items():
        lines.append(f"# TYPE {family} gauge")
        if family.endswith("_seconds"):
            lines.append(f"# UNIT {family} seconds")
        lines.append(f"# HELP {family} {told}")
        lines += (_line(name, labels.items(), value) for name, labels, value in samples if name == family)
    return ("\n".join(lines) + "\n# EOF\n").encode()


def _samples(report: Report, totals: Totals, at: datetime) -> Iterator[_Sample]:
    for (tier, result), count in Counter((each.tier or "", each.result) for each in report.outcomes).items():
        yield "bnet_build_packages", {"tier": tier, "result": result}, count
    yield "bnet_build_duration_seconds", {}, report.seconds
    yield "bnet_build_saved_seconds", {}, totals.saved
    yield "bnet_build_critical_path_seconds", {}, totals.chain_seconds
    yield "bnet_build_success", {}, not report.failed and not report.complaint
    yield "bnet_build_finished_timestamp_seconds", {}, at.timestamp()
    for each in report.outcomes:
        labels = {"package": each.name, "tier": each.tier or ""}
        yield "bnet_build_package_duration_seconds", labels, each.seconds
    for each in report.outcomes:
        yield "bnet_build_package_success", {"package": each.name}, each.result == "success"


def _line(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    # No value needs escaping: names of packages and tiers hold neither quotes nor backslashes.
    inner = ",".join(f'{label}="{said}"' for label, said in labels)
    return f"{name}{f'{{{inner}}}' if inner else ''} {round(float(value), 6):.15g}"
