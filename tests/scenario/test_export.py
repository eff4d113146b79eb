"""A network's jobs at an OpenTelemetry collector: each end once, whatever the collector does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from collectors import collecting, spans_of
from fleet import Fleet


@pytest.fixture
def receiver() -> Iterator[tuple[str, dict[str, Any]]]:
    with collecting() as both:
        yield both


def test_each_end_is_sent_once_and_again_where_that_was_not_heard(
    fleet: Fleet, receiver: tuple[str, dict[str, Any]]
) -> None:
    url, got = receiver
    fleet.found()
    fleet.join_all(["a"])
    fleet.start("a")
    number = fleet.submit("exit 3")
    fleet.until("the job has ended", lambda: fleet.job(number).result)

    got["code"] = 400
    refused = fleet.bnet("export", "otel", "--endpoint", url)
    assert refused.code == 4 and refused.err.count(b"\n") == 2 and b"400" in refused.err, refused.err
    got["code"] = 200
    told = fleet.facts("export", "otel", "--endpoint", url)
    assert (told["jobs"], told["spans"]) == (1, 2) and told["metrics"] >= 5
    names = [each.name for each in spans_of(got)]
    assert names[0].startswith("RUN ") and names[1:] == ["attempt"]
    assert fleet.facts("export", "otel", "--endpoint", url)["jobs"] == 0
    assert fleet.facts("export", "otel", "--endpoint", url, "--since", "1d")["jobs"] == 1
    ids = [(each.trace_id, each.span_id) for each in spans_of(got)]
    assert ids[:2] == ids[2:], "what is sent again is the same"

    assert fleet.bnet("export", "otel", "--endpoint", "localhost:4318").code == 2
    assert fleet.bnet("export", "otel", "--endpoint", url, "--since", "soon").code == 2
