"""A network's builds and figures, sent to an OpenTelemetry collector."""

from hashlib import sha256
from typing import NamedTuple

from bnet.app.history import annals, search
from bnet.codec.documents import Unreadable, decode, encode
from bnet.errors import BnetError
from bnet.exports.meters import meters
from bnet.exports.progress import Progress, after, due
from bnet.exports.traces import SECOND, nanoseconds, spans
from bnet.files import read_or_none, write_atomic
from bnet.model.history import Query
from bnet.wiring.health import examined
from bnet.wiring.machine import Machine

FIRST_S = 86400.0  # of the past, where nothing was ever sent
AT_ONCE = 50  # jobs in a request: some 5,000 spans if all are builds of a hundred packages


class Exported(NamedTuple):
    """What was sent."""

    jobs: int
    spans: int
    meters: int


def export(machine: Machine, url: str, endpoint: str, since: float | None = None) -> Exported:
    """Send the jobs that have ended since the last time, and the figures of now.

    A job is sent at least once, and what is sent again has the same ids. What was sent where is written down after
    each request that was taken.

    Args:
        machine: this one.
        url: of the hub.
        endpoint: of the collector.
        since: seconds since 1970; what has ended later is sent again. Without it, the first time, that of a day.

    Raises:
        BnetError: the hub or the collector gives no answer, or OpenTelemetry is not installed.
    """
    try:
        from bnet.otlp.collector import Collector
    except ImportError as error:
        raise BnetError(
            f"OpenTelemetry is not installed here ({error.name})", hint='pip install "bnet[otel]"'
        ) from None
    facts, findings = examined(machine, url)
    ledger = machine.ledger(url)
    ledger.refresh()
    head, now = ledger.state.head, machine.clock.now()
    past = search(ledger, machine.index(url), Query())
    path = machine.home.hub_dir(url) / f"otel.{sha256(endpoint.encode()).hexdigest()[:16]}.json"
    known = _known(read_or_none(path))
    if since is None:
        since = now.timestamp() - FIRST_S if known is None else float("inf")
    collector = Collector(
        endpoint,
        {
            "service.name": "bnet",
            "service.namespace": ledger.state.settings.name or "bnet",
            "service.instance.id": head.hub,
        },
    )
    wanted = due(past, known, since)
    still, count = {each.number for each in wanted}, 0
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        whole = {**annals(ledger).whole(some), **ledger.state.jobs}
        made = [span for each in some if each.number in whole for span in spans(head.hub, whole[each.number])]
        if made:
            collector.take_spans(made)
        still -= {each.number for each in some}
        count += len(made)
        write_atomic(path, encode(after(past, still)), durable=False)
    if not wanted:
        write_atomic(path, encode(after(past, still)), durable=False)
    told = meters(facts, findings, past)
    begun = min((each.submitted for each in past), default=now.timestamp())
    collector.take_meters(told, begun=max(0, int(begun)) * SECOND, now=nanoseconds(now))
    return Exported(len(wanted), count, sum(bool(each.points) for each in told))


def _known(data: bytes | None) -> Progress | None:
    try:
        return None if data is None else decode(Progress, data)
    except Unreadable:
        return None
