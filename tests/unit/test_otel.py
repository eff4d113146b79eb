"""Builds and figures as an OpenTelemetry collector gets them: over HTTP, decoded, by the conventions' names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import opentelemetry.semconv._incubating.attributes.cicd_attributes as cicd
import opentelemetry.semconv._incubating.attributes.vcs_attributes as vcs
import opentelemetry.semconv._incubating.metrics.cicd_metrics as cicd_metrics
import pytest
from click.testing import CliRunner
from collectors import collecting
from msgspec.structs import replace

from bnet.cli.export import export
from bnet.errors import BnetError
from bnet.exports.meters import meters
from bnet.exports.progress import Progress, after, due
from bnet.exports.traces import span_id, spans, trace_id
from bnet.health.facts import Facts, Seen
from bnet.host.home import Home
from bnet.model.hub import Head
from bnet.model.job import Attempt, BuildReport, Built, Claim, Job, JobResult, JobSpec, Need, Source
from bnet.model.server import Heartbeat, Sample, Server
from bnet.model.state import State
from bnet.otlp.collector import Collector
from bnet.rules.past import past_of
from bnet.wiring.machine import Machine

HUB = "11111111-2222-4333-8444-555555555555"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def job(number: int = 1, result: Any = "success", reason: str = "exit", **more: Any) -> Job:
    """Return a job that waited for ten seconds and ran for a minute, the first time in vain."""
    built = (
        Built(name="core", tier="full", key="ab", seconds=40.0),
        Built(name="app", result="failure", seconds=5.0),
        Built(name="docs", result="skipped"),
    )
    report = BuildReport(total=3, cached=0, packages=built)
    ends = {"server": "a", "token": 1}
    lost = Attempt(
        attempt=1, run=f"r{number}.1", result="error", reason="lost", finished_at=at(70), seconds=60, **ends
    )
    last = Attempt(
        attempt=2,
        run=f"r{number}.2",
        result=result,
        reason=reason,
        exit_code=0,
        started_at=at(80),
        finished_at=at(140),
        seconds=60,
        build=report,
        **ends,
    )
    source = Source(
        repository="https://me:secret@forge.example/o/n.git", ref="refs/heads/main", commit="c" * 40
    )
    base = {"number": number, "name": "wheel", "submitted_by": "ann", "submitted_at": at(0), "source": source}
    how = JobResult(
        result=result,
        reason=reason,
        finished_at=at(141),
        attempt=2,
        server="a",
        seconds=60,
        message="no \x1b",
    )
    return Job(spec=JobSpec(**(base | more)), attempts=(lost, last), result=how)


# -- traces


def test_a_job_is_a_trace_of_attempts_and_packages() -> None:
    made = list(spans(HUB, job(7, "failure", needs=(Need(job=3),), retry_of=5)))
    whole, first, second, *packages = made
    assert {each.trace for each in made} == {trace_id(HUB, 7)} and len({each.id for each in made}) == len(
        made
    )
    assert (whole.parent, first.parent, second.parent) == (None, whole.id, whole.id)
    assert [each.parent for each in packages] == [second.id] * 3
    assert whole.attributes["cicd.pipeline.result"] == "failure" and whole.failed == "failure: no \\x1b"
    assert whole.attributes["vcs.repository.url.full"] == "https://***@forge.example/o/n.git"
    assert (whole.end - whole.start, second.end - second.start) == (141 * 10**9, 60 * 10**9)
    assert first.attributes["error.type"] == "lost" and first.end - first.start == 60 * 10**9
    assert whole.links == tuple((trace_id(HUB, other), span_id(HUB, other)) for other in (3, 5))
    assert [each.attributes["cicd.pipeline.task.run.result"] for each in packages] == [
        "success",
        "failure",
        "skip",
    ]
    assert [each.failed for each in packages] == [None, "failure", None]


def test_what_is_sent_twice_is_one_span_and_no_other_hubs() -> None:
    ids = [[(each.trace, each.id) for each in spans(hub, job())] for hub in (HUB, HUB, "another")]
    assert ids[0] == ids[1] and not set(ids[0]) & set(ids[2])
    assert list(spans(HUB, replace(job(), result=None))) == []


def test_an_end_before_the_beginning_is_no_time_at_all() -> None:
    early = job(submitted_at=at(9999))
    assert all(each.start <= each.end for each in spans(HUB, early))


CONVENTIONS = {
    value for module in (cicd, vcs, cicd_metrics) for name, value in vars(module).items() if name.isupper()
}
OTHERS = {"error.type", "process.exit.code", "system.filesystem.mountpoint"}


def test_names_are_those_of_the_conventions() -> None:
    named = {name for each in spans(HUB, job(1, "timeout")) for name in each.attributes}
    told = meters(*facts(), [past_of(job(1, "timeout")), past_of(job(2, "error", "lost"))])
    named |= {name for each in told for point in each.points for name in point.attributes}
    assert {name for name in named if not name.startswith("bnet.")} <= CONVENTIONS | OTHERS
    assert {each.name for each in told if each.name.startswith("cicd.")} == {
        value for value in CONVENTIONS if value.startswith("cicd.") and value in vars(cicd_metrics).values()
    }
    for enum, attribute in (
        (cicd.CicdPipelineResultValues, "cicd.pipeline.result"),
        (cicd.CicdPipelineTaskRunResultValues, "cicd.pipeline.task.run.result"),
        (cicd.CicdPipelineRunStateValues, "cicd.pipeline.run.state"),
        (cicd.CicdWorkerStateValues, "cicd.worker.state"),
    ):
        allowed = {each.value for each in enum}
        said = {
            each.attributes[attribute]
            for result in ("success", "failure", "error", "timeout", "cancelled", "skipped")
            for each in spans(HUB, job(1, result))
            if attribute in each.attributes
        }
        said |= {p.attributes[attribute] for each in told for p in each.points if attribute in p.attributes}
        assert said and said <= allowed


# -- figures


def facts() -> tuple[Facts, list[Any]]:
    servers = {name: Server(name=name, instance=name, joined_at=at(-9999)) for name in ("a", "b", "gone")}
    claim = Claim(server="b", instance="b", attempt=1, run="r", token=1, ttl_s=300, claimed_at=at(0))
    open_one = replace(job(9), result=None, attempts=(), claim=claim)
    state = State(tip="t", head=Head(format=1, hub=HUB), servers=servers, jobs={9: open_one})
    sample = Sample(at=NOW, cpu=50, memory=25, disk={"home": 75.0})
    beat = {"instance": "x", "at": NOW, "boot_id": "b", "nonce": "n", "version": "1", "slots": 1}
    seen = {name: Seen(beat=Heartbeat(server=name, samples=(sample,), **beat)) for name in ("a", "b")}
    return Facts(state=state, now=NOW, seen={**seen, "gone": Seen()}), []


def test_figures_count_all_that_is_known_of_the_past() -> None:
    past = [past_of(job(1)), past_of(job(2, "failure")), past_of(job(3)), past_of(job(4, "error", "lost"))]
    found = {each.name: each for each in meters(*facts(), past)}
    durations = {
        each.attributes["cicd.pipeline.result"]: each for each in found["cicd.pipeline.run.duration"].points
    }
    assert durations["success"].values == [60, 60] and durations["success"].buckets()[4] == 2
    assert durations["failure"].attributes["error.type"] == "exit"
    [failed] = found["cicd.pipeline.run.errors"].points
    [system] = found["cicd.system.errors"].points
    assert failed.value == 1 and system.attributes == {"cicd.system.component": "agent", "error.type": "lost"}
    workers = {each.attributes["cicd.worker.state"]: each.value for each in found["cicd.worker.count"].points}
    assert workers == {"available": 1, "busy": 1, "offline": 1}
    assert [each.value for each in found["system.cpu.utilization"].points] == [0.5, 0.5]


# -- what a collector has


def test_an_end_is_sent_until_it_is_known_to_be_there() -> None:
    past = [past_of(job(n)) for n in (1, 2, 4)] + [past_of(replace(job(3), result=None))]
    first = due(past, None, at(0).timestamp())
    assert [each.number for each in first] == [1, 2, 4] and due(past, None, at(9999).timestamp()) == []
    midway = after(past, {2, 4})
    assert midway == Progress(floor=2)
    assert [each.number for each in due(past, midway, float("inf"))] == [2, 4]
    done = after(past, set())
    assert done == Progress(floor=3, beyond=(4,)) and due(past, done, float("inf")) == []
    later = [*past[:3], past_of(job(3)), past_of(job(5))]
    assert {each.number for each in due(later, done, float("inf"))} == {3, 5}
    assert len(due(later, done, at(0).timestamp())) == 5, "people asked for it"
    assert after([], set()) == Progress(floor=1)


# -- over HTTP


@pytest.fixture
def receiver() -> Iterator[tuple[str, dict[str, Any]]]:
    with collecting() as both:
        yield both


def attributes(item: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in item.attributes}


def test_a_collector_gets_what_was_meant(receiver: tuple[str, dict[str, Any]]) -> None:
    url, got = receiver
    collector = Collector(url + "/", {"service.name": "bnet", "service.instance.id": HUB})
    meant = list(spans(HUB, job(7, "failure", needs=(Need(job=3),))))
    collector.take_spans(meant)
    [request] = got["traces"]
    [group] = request.resource_spans
    assert attributes(group.resource)["service.instance.id"] == HUB
    sent = list(group.scope_spans[0].spans)
    assert [int.from_bytes(each.trace_id, "big") for each in sent] == [each.trace for each in meant]
    assert [int.from_bytes(each.span_id, "big") for each in sent] == [each.id for each in meant]
    assert [int.from_bytes(each.parent_span_id, "big") for each in sent] == [
        each.parent or 0 for each in meant
    ]
    assert attributes(sent[0]) == dict(meant[0].attributes) and sent[0].status.code == 2
    assert (sent[0].start_time_unix_nano, sent[0].end_time_unix_nano) == (meant[0].start, meant[0].end)
    assert int.from_bytes(sent[0].links[0].trace_id, "big") == trace_id(HUB, 3)

    collector.take_meters(meters(*facts(), [past_of(job(1))]), begun=1, now=2)
    [request] = got["metrics"]
    found = {each.name: each for each in request.resource_metrics[0].scope_metrics[0].metrics}
    [point] = found["cicd.pipeline.run.duration"].histogram.data_points
    assert (point.count, point.sum, attributes(point)["cicd.pipeline.name"]) == (1, 60, "wheel")
    assert found["cicd.worker.count"].sum.aggregation_temporality == 2, "cumulative: again is the same"
    assert not found["cicd.worker.count"].sum.is_monotonic
    assert len(found["system.memory.utilization"].gauge.data_points) == 2


@pytest.mark.parametrize(
    "address", ["ftp://x", "http://", "http://[::1", "http://x:99999", "http://x/p?key=1"]
)
def test_what_is_no_address_of_a_collector_is_refused_before_anything_is_sent(address: str) -> None:
    told = CliRunner().invoke(export, ["otel", "--endpoint", address])
    assert told.exit_code == 2 and "is no address such as" in told.output


def test_a_collector_that_takes_nothing_is_said(receiver: tuple[str, dict[str, Any]]) -> None:
    url, got = receiver
    got["code"] = 400
    collector = Collector(url.replace("//", "//me:secret@"), {})
    with pytest.raises(BnetError, match=r"did not take the spans") as caught:
        collector.take_spans(list(spans(HUB, job())))
    assert "secret" not in f"{caught.value}{caught.value.hint}" and "400" in str(caught.value)
    with pytest.raises(BnetError, match="did not take the figures"):
        collector.take_meters(meters(*facts(), []), begun=1, now=2)


def test_without_the_extra_it_is_said_how_to_have_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from bnet.wiring import otel

    machine = Machine(Home(tmp_path), {}, "somebody")

    monkeypatch.delitem(sys.modules, "bnet.otlp.collector", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(BnetError, match="OpenTelemetry is not installed") as caught:
        otel.export(machine, "", "")
    assert "bnet[otel]" in (caught.value.hint or "")


def test_the_room_of_the_collector_is_the_only_one_that_knows_opentelemetry() -> None:
    top = Path(__file__).parents[2] / "bnet"
    named = [
        str(path.relative_to(top))
        for path in top.rglob("*.py")
        if "import opentelemetry" in path.read_text() or "from opentelemetry" in path.read_text()
    ]
    assert named == ["otlp/collector.py"]
