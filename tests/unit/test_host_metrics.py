"""What the machine says of itself."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import psutil
import pytest

from bnet.build import upkeep
from bnet.host.metrics import Metrics, measure


def test_a_first_look_has_everything_but_a_share_of_time(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / upkeep.MARK).write_text("5000\n")
    metrics = measure(tmp_path)
    assert metrics.cache_bytes == 5000
    missing = [name for name in metrics.__struct_fields__ if getattr(metrics, name) is None]
    assert missing == ["cpu_percent"]


def test_a_second_look_tells_how_busy_it_was_between(tmp_path: Path) -> None:
    busy = Metrics(cpu_busy_s=0.0, cpu_total_s=0.0)
    metrics = measure(tmp_path, busy)
    assert metrics.cpu_percent is not None
    assert 0 <= metrics.cpu_percent <= 100


@pytest.mark.parametrize(
    "before",
    [Metrics(), Metrics(cpu_busy_s=1.0), Metrics(cpu_busy_s=1e12, cpu_total_s=1e12)],
    ids=["nothing was told", "half was told", "the machine started anew"],
)
def test_no_share_of_time_is_made_up(tmp_path: Path, before: Metrics) -> None:
    assert measure(tmp_path, before).cpu_percent is None


def test_what_cannot_be_told_is_left_out_of_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError

    for name in ("cpu_times", "getloadavg", "virtual_memory", "net_io_counters"):
        monkeypatch.setattr(psutil, name, fail)
    document = msgspec.to_builtins(measure(tmp_path / "none"))
    assert set(document) == {"uptime_s"}


def test_a_machine_without_interfaces_has_no_traffic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "net_io_counters", lambda: None)
    metrics = measure(tmp_path)
    assert metrics.net_sent is None
    assert metrics.load1 is not None


def test_a_look_is_cheap(tmp_path: Path) -> None:
    measure(tmp_path)
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        measure(tmp_path)
        best = min(best, time.perf_counter() - began)
    assert best < 0.005
