"""An OpenTelemetry collector on loopback, which decodes what it gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS: dict[str, Any] = {"traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest}


@contextmanager
def collecting() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield its address, and what it got as `traces` and `metrics`; `code` says how it answers."""
    got: dict[str, Any] = {"traces": [], "metrics": [], "code": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kind = self.path.rpartition("/v1/")[2]
            if got["code"] == 200:
                got[kind].append(REQUESTS[kind].FromString(body))
            self.send_response(got["code"])
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


def spans_of(got: dict[str, Any]) -> list[Any]:
    """Return all spans that it got."""
    return [
        span
        for request in got["traces"]
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
