"""The Grafana dashboard asks for what `bnet health --openmetrics` writes, and Grafana can read it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bnet import scaffold
from bnet.health.facts import Facts, Finding, Seen
from bnet.health.openmetrics import openmetrics
from bnet.model.hub import Head
from bnet.model.server import Heartbeat, Sample, Server
from bnet.model.state import State

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads((scaffold.root() / "examples/grafana/bnet.json").read_text())
    return found


@pytest.fixture(scope="module")
def written() -> dict[str, set[str]]:
    """Return the metrics that are written, and the labels of each."""
    sample = Sample(at=NOW, cpu=1, memory=1, load=1, network=1, disk={"home": 1.0})
    beat = Heartbeat(
        server="a", instance="a", at=NOW, boot_id="b", nonce="n", version="1", slots=1, samples=(sample,)
    )
    server = Server(name="a", instance="a", joined_at=NOW)
    state = State(tip="t", head=Head(format=1, hub="h"), servers={"a": server})
    told = Facts(state=state, now=NOW, seen={"a": Seen(beat=beat)})
    finding = Finding(rule="r", about="a", severity="warning", text="t")
    families = text_string_to_metric_families(openmetrics(told, [finding]).decode())
    return {family.name: {name for each in family.samples for name in each.labels} for family in families}


def test_it_asks_for_what_is_written_by_labels_that_are_there(
    dashboard: dict[str, Any], written: dict[str, set[str]]
) -> None:
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [each["query"]["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    named = set()
    for expression in asked:
        for metric, inner in re.findall(r"\b(bnet_\w+)(?:\{([^}]*)\})?", expression):
            named.add(metric)
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inner))
            assert labels <= written[metric] | {"job"}, expression
    assert named == set(written), "each is shown"
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            [metric, *_] = re.findall(r"bnet_\w+", target["expr"])
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= written[metric]


def test_it_has_the_shape_that_grafana_knows(dashboard: dict[str, Any]) -> None:
    plugins.register_default_plugins()
    read = Dashboard.from_json(dashboard)
    again = json.loads(JSONEncoder(sort_keys=True).encode(read))
    assert list(_lost(dashboard, again)) == [], "a field that Grafana's own model does not know is misspelt"


def _lost(meant: Any, read: Any, where: str = "") -> Any:
    """Yield the places of what was meant and not read."""
    if isinstance(meant, dict) and isinstance(read, dict):
        for name, value in meant.items():
            if name in read:
                yield from _lost(value, read[name], f"{where}/{name}")
            else:
                yield f"{where}/{name}"
    elif isinstance(meant, list) and isinstance(read, list) and len(meant) == len(read):
        for place, (one, other) in enumerate(zip(meant, read, strict=True)):
            yield from _lost(one, other, f"{where}/{place}")
    elif meant != read:
        yield where


def test_its_panels_lie_beside_each_other(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 for each in panels)
    for one, other in combinations([each["gridPos"] for each in panels], 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )


def test_it_is_tied_to_nobodys_data_source(dashboard: dict[str, Any]) -> None:
    text = json.dumps(dashboard)
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {"bnet", "${datasource}"}
    assert {each["name"] for each in dashboard["templating"]["list"]} == {"datasource", "job", "server"}
