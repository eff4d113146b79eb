"""A collector that takes OTLP over HTTP, as opentelemetry-exporter-otlp-proto-http speaks it.

Spans and points are made as they are, not by a tracer: a tracer draws ids by chance, and these follow from jobs.
"""

import logging
from collections.abc import Mapping, Sequence

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from bnet import __version__
from bnet.codec.addresses import shown
from bnet.errors import RepositoryUnreachable
from bnet.exports.meters import BOUNDS, Meter, Point
from bnet.exports.traces import Span

SCHEMA = "https://opentelemetry.io/schemas/1.37.0"
TIMEOUT = 10.0  # seconds for a request with its repetitions
LONGEST_CAUSE = 200  # the cause of causes stands at the end
_CUMULATIVE = AggregationTemporality.CUMULATIVE


class Collector:
    """A collector at an address."""

    def __init__(self, endpoint: str, about: Mapping[str, str]) -> None:
        """Keep where it is.

        Args:
            endpoint: its base address; `/v1/traces` and `/v1/metrics` are below.
            about: the resource's attributes. Headers, certificates and proxies are those of the variables that
                OpenTelemetry names.
        """
        base = endpoint.rstrip("/")
        self._where = shown(base)
        self._resource = Resource({"service.version": __version__, **about}, SCHEMA)
        self._scope = InstrumentationScope("bnet", __version__, SCHEMA)
        self._heard = _Heard()
        self._spans = OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=TIMEOUT)
        self._metrics = OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=TIMEOUT)

    def take_spans(self, spans: Sequence[Span]) -> None:
        """Send spans.

        Raises:
            RepositoryUnreachable: it is not known to have them.
        """
        made = [self._span(each) for each in spans]
        with self._heard:
            if self._spans.export(made) is not SpanExportResult.SUCCESS:
                raise self._lost("spans")

    def take_meters(self, meters: Sequence[Meter], *, begun: int, now: int) -> None:
        """Send figures.

        Args:
            meters: those that have a value.
            begun: since when counts count, in nanoseconds since 1970.
            now: likewise.

        Raises:
            RepositoryUnreachable: it is not known to have them.
        """
        made = [_metric(each, begun, now) for each in meters if each.points]
        scoped = ScopeMetrics(self._scope, made, SCHEMA)
        data = MetricsData([ResourceMetrics(self._resource, [scoped], SCHEMA)])
        with self._heard:
            if self._metrics.export(data) is not MetricExportResult.SUCCESS:
                raise self._lost("figures")

    def _lost(self, what: str) -> RepositoryUnreachable:
        return RepositoryUnreachable(
            f"the collector {self._where} did not take the {what}: {shown(self._heard.why) or 'no answer'}",
            hint="nothing is lost: the next export sends them again",
        )

    def _span(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(span.trace, span.id),
            parent=None if span.parent is None else _context(span.trace, span.parent),
            resource=self._resource,
            attributes=span.attributes,
            links=[Link(_context(trace, each)) for trace, each in span.links],
            kind=SpanKind.SERVER if span.parent is None else SpanKind.INTERNAL,
            status=Status() if span.failed is None else Status(StatusCode.ERROR, span.failed),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=self._scope,
        )


class _Heard(logging.Handler):
    """What the exporter writes of a failure instead of raising it; nobody else has to hear it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.why = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep why the first try failed: of the last one only that it was the last is said."""
        cause = record.getMessage().partition(" encountered while")[0].removeprefix("Transient error ")
        self.why = self.why or cause[-LONGEST_CAUSE:]

    def __enter__(self) -> None:
        self.why = ""
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self)
        logger.propagate = False

    def __exit__(self, *error: object) -> None:
        logging.getLogger("opentelemetry").removeHandler(self)


def _context(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _metric(meter: Meter, begun: int, now: int) -> Metric:
    data: Histogram | Sum | Gauge
    if meter.kind == "histogram":
        data = Histogram([_stretched(each, begun, now) for each in meter.points], _CUMULATIVE)
    else:
        points = [
            NumberDataPoint(dict(each.attributes), begun if meter.kind != "gauge" else now, now, each.value)
            for each in meter.points
        ]
        data = Gauge(points) if meter.kind == "gauge" else Sum(points, _CUMULATIVE, meter.kind == "counter")
    return Metric(meter.name, meter.told, meter.unit, data)


def _stretched(point: Point, begun: int, now: int) -> HistogramDataPoint:
    values = point.values
    return HistogramDataPoint(
        attributes=dict(point.attributes),
        start_time_unix_nano=begun,
        time_unix_nano=now,
        count=len(values),
        sum=sum(values),
        bucket_counts=point.buckets(),
        explicit_bounds=BOUNDS,
        min=min(values),
        max=max(values),
    )
