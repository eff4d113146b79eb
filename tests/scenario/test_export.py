"""A network's jobs at an OpenTelemetry collector: each end once, whatever the collector does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fleet import Fleet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@pytest.fixture
def receiver() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the address of a collector, and what it got; `code` says how it answers."""
    got: dict[str, Any] = {"spans": [], "code": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if got["code"] == 200 and self.path.endswith("/v1/traces"):
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    got["spans"] += [each for scope in group.scope_spans for each in scope.spans]
            self.send_response(got["code"])
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


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
    names = [each.name for each in got["spans"]]
    assert names[0].startswith("RUN ") and names[1:] == ["attempt"]
    assert fleet.facts("export", "otel", "--endpoint", url)["jobs"] == 0
    assert fleet.facts("export", "otel", "--endpoint", url, "--since", "1d")["jobs"] == 1
    ids = [(each.trace_id, each.span_id) for each in got["spans"]]
    assert ids[:2] == ids[2:], "what is sent again is the same"

    assert fleet.bnet("export", "otel", "--endpoint", "localhost:4318").code == 2
    assert fleet.bnet("export", "otel", "--endpoint", url, "--since", "soon").code == 2
