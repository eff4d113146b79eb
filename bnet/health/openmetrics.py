"""A network's health as OpenMetrics text, for a node exporter's text file collector."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bnet.codec.shown import escaped
from bnet.health.facts import Facts, Finding

# All are gauges, so that a collector that takes only Prometheus' own format reads them too.
_FAMILIES = {
    "bnet_healthy": "Whether nothing is wrong.",
    "bnet_looked_timestamp_seconds": "When the network was looked at; alert on it, for this file may be old.",
    "bnet_findings": "How many things are wrong, by how bad they are.",
    "bnet_finding": "Each thing that is wrong.",
    "bnet_jobs": "Jobs that are not archived yet, by state.",
    "bnet_server_up": "Whether each server was seen lately enough.",
    "bnet_server_heartbeat_age_seconds": "How long ago each server was seen.",
    "bnet_server_slots": "How many jobs each server can run at a time.",
    "bnet_server_runs": "How many jobs each server has claimed.",
    "bnet_server_cpu_ratio": "How busy each server's cores were, in its newest sample.",
    "bnet_server_memory_ratio": "How much of each server's memory is not to be had without swapping.",
    "bnet_server_load_per_core": "Each server's load of five minutes, for each core.",
    "bnet_server_network_bytes_per_second": "What each server sent and received a second.",
    "bnet_server_disk_ratio": "How full each server's disks are, by a path on them.",
}

_Sample = tuple[str, dict[str, str], float]


def openmetrics(facts: Facts, findings: Sequence[Finding]) -> bytes:
    """Return facts and verdicts as OpenMetrics 1.0 text."""
    lines: list[str] = []
    samples = [*_network(facts, findings), *_servers(facts)]
    for family, told in _FAMILIES.items():
        lines.append(f"# TYPE {family} gauge")
        if family.endswith("_seconds"):
            lines.append(f"# UNIT {family} seconds")
        lines.append(f"# HELP {family} {told}")
        lines += (_line(name, labels, value) for name, labels, value in samples if name == family)
    return ("\n".join(lines) + "\n# EOF\n").encode()


def _network(facts: Facts, findings: Sequence[Finding]) -> Iterator[_Sample]:
    yield "bnet_healthy", {}, not findings
    yield "bnet_looked_timestamp_seconds", {}, facts.now.timestamp()
    counts = Counter(each.severity for each in findings)
    for severity in ("critical", "warning"):
        yield "bnet_findings", {"severity": severity}, counts[severity]
    for each in findings:
        labels = {"rule": each.rule, "about": each.about, "severity": each.severity}
        yield "bnet_finding", labels, 1
    states = Counter(job.state for job in facts.state.jobs.values())
    for state in ("pending", "running", "finished"):
        yield "bnet_jobs", {"state": state}, states[state]


def _servers(facts: Facts) -> Iterator[_Sample]:
    for name, server in sorted(facts.state.servers.items()):
        labels, age = {"server": name}, facts.age_s(name)
        yield "bnet_server_up", labels, not facts.is_lost(server)
        if age is not None:
            yield "bnet_server_heartbeat_age_seconds", labels, age
        yield "bnet_server_slots", labels, server.slots
        yield "bnet_server_runs", labels, len(facts.held(name))
        beat = facts.seen[name].beat if name in facts.seen else None
        if beat is None or not beat.samples or facts.is_lost(server):
            continue
        newest = beat.samples[-1]
        for family, value, scale in (
            ("cpu_ratio", newest.cpu, 100),
            ("memory_ratio", newest.memory, 100),
            ("load_per_core", newest.load, 1),
            ("network_bytes_per_second", newest.network, 1),
        ):
            if value is not None:
                yield f"bnet_server_{family}", labels, value / scale
        for path, full in newest.disk.items():
            yield "bnet_server_disk_ratio", labels | {"path": path}, full / 100


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    inner = ",".join(f'{label}="{_quoted(said)}"' for label, said in labels.items())
    return f"{name}{f'{{{inner}}}' if inner else ''} {round(float(value), 6):.15g}"


def _quoted(text: str) -> str:
    return escaped(text).replace("\\", "\\\\").replace('"', '\\"')
