"""What is told of builds: why, drawings, and the formats of other programs, read by readers that are not ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from workbench import Bench

from bnet.build.draw import data, dot, svg, text
from bnet.build.draw.facts import Drawing, Node, drawing_of
from bnet.build.engine import Report
from bnet.build.exports.junit import junit
from bnet.build.exports.metrics import metrics
from bnet.build.exports.trace import laid_out, trace
from bnet.build.graph import Graph
from bnet.build.outcome import Outcome
from bnet.build.totals import totals
from bnet.build.why import Explained, explain
from bnet.cli.why import described, told
from bnet.model.tree import Package, Tree
from bnet.wiring.workshop import Workshop

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
GRAPH = Graph(
    Tree(
        packages=(
            Package(name="base"),
            Package(name="left", dependencies=("base",)),
            Package(name="right", dependencies=("base",)),
            Package(name="top", dependencies=("left", "right")),
        )
    )
)
OUTCOMES = [
    Outcome(name="base", tier="full", reason="it was never built here", key="ab", begun=100.0, seconds=2.0),
    Outcome(name="left", tier="local", saved=7.0, begun=102.0, seconds=0.5, key="cd"),
    Outcome(
        name="right",
        tier="full",
        result="failure",
        exit_code=3,
        reason="it ended <badly> & so",
        begun=102.25,
        seconds=1.0,
    ),
    Outcome(name="top", result="skipped", because="right", reason="right is not up to date"),
]
REPORT = Report(OUTCOMES, 3.25, "")
SUMS = totals(REPORT, GRAPH)


def said(done: Outcome) -> str:
    return f"\x1b[31mred\x1b[0m bell \x07 of {done.name}\n"


# -- the formats of others


def test_junit_as_its_readers_take_it() -> None:
    root = ElementTree.fromstring(junit(REPORT, said, name="tree", host="", at=AT))
    (suite,) = root
    assert {
        name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time", "hostname")
    } == {
        "tests": "4",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
        "time": "3.250",
        "hostname": "localhost",
    }
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert list(cases) == ["base", "left", "right", "top"]
    (failure,) = cases["right"]
    assert (failure.tag, failure.get("message"), failure.text) == (
        "failure",
        "it ended <badly> & so",
        "red bell \\x07 of right\n",
    )
    assert [each.tag for each in cases["top"]] == ["skipped"] and not list(cases["base"])


def test_openmetrics_as_prometheus_reads_it() -> None:
    families = text_string_to_metric_families(metrics(REPORT, SUMS, AT).decode())
    samples = {
        (each.name, *sorted(each.labels.items())): each.value for one in families for each in one.samples
    }
    assert samples[("bnet_build_packages", ("result", "failure"), ("tier", "full"))] == 1
    assert samples[("bnet_build_packages", ("result", "success"), ("tier", "local"))] == 1
    assert samples[("bnet_build_packages", ("result", "skipped"), ("tier", ""))] == 1
    assert samples[("bnet_build_duration_seconds",)] == 3.25
    assert samples[("bnet_build_saved_seconds",)] == 7
    assert samples[("bnet_build_success",)] == 0
    assert samples[("bnet_build_finished_timestamp_seconds",)] == AT.timestamp()
    assert samples[("bnet_build_package_duration_seconds", ("package", "left"), ("tier", "local"))] == 0.5
    assert samples[("bnet_build_package_success", ("package", "right"))] == 0


def test_a_trace_has_a_track_for_each_worker() -> None:
    events = json.loads(trace(REPORT, SUMS, "bnet build of tree"))["traceEvents"]
    spans = {each["name"]: each for each in events if each["ph"] == "X"}
    assert {name: (each["ts"], each["dur"], each["tid"]) for name, each in spans.items()} == {
        "base": (0.0, 2e6, 1),
        "left": (2e6, 5e5, 1),
        "right": (2.25e6, 1e6, 2),
    }
    assert spans["right"]["args"]["critical"] and spans["right"]["args"]["exit_code"] == 3
    names = {each["tid"]: each["args"]["name"] for each in events if each["name"] == "thread_name"}
    assert names == {1: "worker 1", 2: "worker 2"}
    assert all({"ph", "pid", "tid", "name"} <= each.keys() for each in events)


def test_what_took_no_worker_is_on_a_track_of_its_own() -> None:
    outcomes = [Outcome(name=name, tier="instant", begun=1.0, seconds=0.5) for name in "ab"]
    assert [span.track for span in laid_out(outcomes)] == [0, 0]


def test_the_critical_path_is_of_what_ran() -> None:
    assert [each.name for each in SUMS.chain] == ["base", "right"] and SUMS.chain_seconds == 3
    assert [(each.outcome.name, each.blocked) for each in SUMS.failures] == [("right", ("top",))]
    assert dict(SUMS.tiers) == {"full": 1, "local": 1} and SUMS.saved == 7


# -- drawings

DRAWING = drawing_of(
    GRAPH,
    title="tree",
    tiers={"base": "full", "left": "fresh"},
    seconds={"base": 2.0, "left": 70.0, "right": 1.0},
)
HOSTILE = Drawing(
    (Node('a"b\\c\n<script>&amp;'), Node("\x1b[31mred", ('a"b\\c\n<script>&amp;',))), 'ti"tle <b>'
)


def test_a_graph_as_text() -> None:
    lines = text.render(DRAWING, width=80).splitlines()
    assert lines[0].startswith("4 packages · 1 full, 1 fresh · longest chain base → left")
    assert [" ".join(line.split()) for line in lines[2:]] == [
        "1 base full 2.0 s",
        "2 left fresh 1 min 10 s <- base",
        "right 1.0 s <- base",
        "3 top <- left, right",
    ]
    assert "\x1b" not in text.render(HOSTILE) and text.render(Drawing(())) == "no packages\n"


def test_a_graph_as_data() -> None:
    told = json.loads(data.render(DRAWING))
    assert told["critical_path"] == ["base", "left", "top"] or told["critical_path"] == ["base", "left"]
    base = told["packages"][0]
    assert (base["name"], base["level"], base["dependents"], base["tier"]) == (
        "base",
        0,
        ["left", "right"],
        "full",
    )


@pytest.mark.parametrize("drawing", [DRAWING, HOSTILE, Drawing(())], ids=["usual", "hostile", "empty"])
def test_a_graph_as_a_picture_is_well_formed(drawing: Drawing) -> None:
    root = ElementTree.fromstring(svg.render(drawing))
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and not list(root.iter("script"))
    shown = "".join(root.itertext())
    for node in drawing.nodes[:1]:
        assert node.name.split("\n")[0] in shown


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("drawing", [DRAWING, HOSTILE], ids=["usual", "hostile"])
def test_graphviz_takes_a_graph(drawing: Drawing) -> None:
    done = subprocess.run(
        ["dot", "-Tplain"], input=dot.render(drawing).encode(), capture_output=True, check=True, timeout=60
    )
    kinds = [line.split()[0] for line in done.stdout.decode().splitlines() if line]
    edges = sum(len(node.dependencies) for node in drawing.nodes)
    assert (kinds.count("node"), kinds.count("edge")) == (len(drawing.nodes), edges)


def test_dot_names_every_edge_once() -> None:
    lines = dot.render(DRAWING).splitlines()
    assert [line.strip() for line in lines if "->" in line] == [
        '"base" -> "left" [penwidth=2.5];',
        '"base" -> "right";',
        '"left" -> "top";' if DRAWING.critical[-1] != "top" else '"left" -> "top" [penwidth=2.5];',
        '"right" -> "top";',
    ]


# -- why


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path / "b", monkeypatch)
    tool = made.write("tools/mark", "#!/bin/sh\necho mark 1\n", 0o755)
    made.env["MODE"] = "one"
    made.declare(
        made.package("base"),
        made.package("top", dependencies=["base"], env=["MODE"], tools=[f"{tool} --version"]),
    )
    made.build()
    return made


def explained(bench: Bench, name: str = "top") -> Explained:
    shop = Workshop(bench.root, bench.env)
    with shop.lock(print):
        dry = shop.build([name], jobs=1, keep_going=True, force=False, dry_run=True, told=lambda event: None)
        return explain(dry, name)


def change_source(bench: Bench) -> None:
    bench.write("top/src/one", "2")


def add_source(bench: Bench) -> None:
    bench.write("top/src/two", "2")


def remove_source(bench: Bench) -> None:
    (bench.root / "top/src/one").unlink()
    bench.write("top/src/other", "1")


def set_mode(bench: Bench) -> None:
    (bench.root / "top/src/one").chmod(0o755)


def change_variable(bench: Bench) -> None:
    bench.env["MODE"] = "two"


def change_tool(bench: Bench) -> None:
    bench.write("tools/mark", "#!/bin/sh\necho mark 2\n", 0o755)


def change_command(bench: Bench) -> None:
    path = bench.root / "bnet.yaml"
    path.write_text(path.read_text().replace("echo top", "echo  top"))


@pytest.mark.parametrize(
    ("change", "what", "name"),
    [
        (change_source, "source", "top/src/one"),
        (add_source, "source", "top/src/two"),
        (remove_source, "source", "top/src/one"),
        (set_mode, "source", "top/src/one"),
        (change_variable, "variable", "MODE"),
        (change_tool, "tool", "mark"),
        (change_command, "field", "build_cmd"),
    ],
)
def test_the_first_thing_that_differs_is_named_from_what_to_what(
    bench: Bench, change: Any, what: str, name: str
) -> None:
    assert explained(bench).differences == [] and explained(bench).now.tier in ("fresh", "instant")
    change(bench)
    found = explained(bench)
    first = found.differences[0]
    assert first.what == what and name in first.name and first.before != first.after
    assert found.now.tier == "full" and found.last is not None and found.last.tier == "full"
    assert found.nearest is not None and found.nearest.key == found.last.key
    lines = [click.unstyle(line) for line in told(found, AT)]
    assert lines[0].startswith("top would be built: ") and name in lines[0]
    program = json.loads(json.dumps(described(found, inputs=True)))
    assert program["now"]["tier"] == "full" and program["inputs"]["env"] == {"MODE": bench.env["MODE"]}


def test_a_dependency_that_is_to_be_built_is_the_reason_and_its_own_is_told(bench: Bench) -> None:
    bench.write("base/src/one", "2")
    found = explained(bench)
    assert found.now.reason == "dependency base is to be built"
    assert [each.name for each in found.causes] == ["base"] and "base/src/one" in found.causes[0].reason


def test_the_nearest_in_the_cache_is_not_always_the_last(bench: Bench) -> None:
    bench.write("top/src/one", "2")
    bench.write("top/src/two", "2")
    bench.build()
    bench.write("top/src/one", "1")
    bench.write("top/src/two", "")
    found = explained(bench)
    assert found.nearest is not None and len(found.nearest.differences) == 1
    assert found.nearest.key != (found.last and found.last.key)
    assert "one input differs" in "\n".join(told(found, AT))


def test_a_value_that_looks_like_a_secret_is_not_shown(bench: Bench) -> None:
    bench.declare(bench.package("top", env=["API_TOKEN", "MODE"]), store=None)
    for value in ("geheim-1", "geheim-2"):
        bench.env["API_TOKEN"] = bench.env["MODE"] = value
        bench.env["MODE"] = "one"
        bench.build()
        bench.env["API_TOKEN"] = "geheim-3"
        found = explained(bench)
        assert found.now.reason == "variable API_TOKEN has another value"
        shown = "\n".join(told(found, AT)) + json.dumps(described(found, inputs=True))
        assert "geheim" not in shown and '"API_TOKEN": "(not shown)", "MODE": "one"' in shown


def test_an_entry_says_whether_a_variable_was_set(bench: Bench) -> None:
    del bench.env["MODE"]
    bench.build()
    bench.env["MODE"] = "(not set)"
    found = explained(bench)
    expected = ["variable MODE changed from (not set) to '(not set)'"]
    assert [str(each) for each in found.differences] == expected
    assert found.nearest is not None and [str(each) for each in found.nearest.differences] == expected


def test_the_value_of_a_variable_is_in_no_entry(bench: Bench) -> None:
    bench.env["MODE"] = "geheim-4711"
    bench.build()
    kept = b"".join(path.read_bytes() for path in [*bench.stored("entries"), *bench.stored("objects")])
    assert kept and b"geheim-4711" not in kept
