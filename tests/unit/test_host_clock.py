"""The clocks of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bnet.host import clock
from bnet.host.clock import SystemClock


def test_now_is_in_utc_and_has_whole_milliseconds() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert timedelta(0) <= datetime.now(UTC) - now < timedelta(seconds=5)


def test_boot_counts_the_seconds_that_were_slept() -> None:
    before = SystemClock().boot()
    SystemClock().sleep(0.05)
    assert 0.05 <= SystemClock().boot() - before < 5


def test_boot_is_monotonic_where_there_is_no_boot_time_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert abs(SystemClock().boot() - time.monotonic()) < 5


def test_a_sleep_of_less_than_nothing_returns_at_once() -> None:
    SystemClock().sleep(-3)


def test_one_boot_has_one_id() -> None:
    assert SystemClock().boot_id() == SystemClock().boot_id() != ""


def test_the_boot_id_without_proc_is_when_the_machine_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "none")
    name, _, second = SystemClock().boot_id().partition("-")
    assert name == "boot"
    assert 0 < int(second) < time.time()
