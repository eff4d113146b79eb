"""What is said about clocks and pace, and about how a machine will be started."""

from __future__ import annotations

import http.server
import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bnet.app.hub.probes import compare_clocks, judge_pace
from bnet.gitstore.places import GitGrounds
from bnet.gitstore.repo import environment
from bnet.host.minutely import own_program
from bnet.model.hub import Settings
from bnet.model.server import Heartbeat
from bnet.ports.hub import Stamp

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def beat(seconds: float) -> Heartbeat:
    return Heartbeat(
        server="s1", instance="x", at=after(seconds), boot_id="b", nonce="n", version="1", slots=1
    )


@pytest.mark.parametrize(
    ("told", "stamp", "beats", "ok", "said"),
    [
        (None, None, [], True, "nothing on the hub is dated later"),
        (None, -9999.0, [-9999.0], True, "nothing on the hub is dated later"),
        (None, 60.0, [], True, "60 s behind build1, which does no harm"),
        (None, -60.0, [600.0], False, "600 s behind s1"),
        (0.5, 600.0, [], True, "agrees with the hub's server"),
        (-600.0, None, [], False, "600 s ahead of the hub's server"),
        (600.0, None, [], False, "600 s behind the hub's server"),
    ],
)
def test_clocks(told: float | None, stamp: float | None, beats: list[float], ok: bool, said: str) -> None:
    probe = compare_clocks(
        NOON,
        None if told is None else after(told),
        None if stamp is None else Stamp("c", 1, 1, "build1", after(stamp)),
        dict(zip(["s1"], map(beat, beats), strict=False)),
    )
    assert probe.ok is ok and said in probe.said
    assert bool(probe.mend) is not ok


@pytest.mark.parametrize(
    ("trip", "ttl", "by_cron", "ok", "said"),
    [
        (0.005, 300, False, True, "5 ms"),
        (0.005, 300, True, True, "5 ms"),
        (0.005, 60, True, False, "looks once a minute"),
        (0.005, 5, False, True, "5 ms"),
        (1.0, 10, False, False, "too short for that"),
        (1.0, 300, False, True, "--interval 4"),
    ],
)
def test_pace(trip: float, ttl: float, by_cron: bool, ok: bool, said: str) -> None:
    probe = judge_pace(trip, Settings(), ttl, by_cron=by_cron)
    assert probe.ok is ok and said in probe.said


class TestServerTime:
    @pytest.mark.parametrize("status", [200, 401, 404])
    def test_whatever_it_answers_it_says_the_time(self, status: int) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(status)
                self.end_headers()

            def date_time_string(self, timestamp: float | None = None) -> str:
                return "Fri, 20 Nov 2026 12:00:00 GMT"

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://user:secret@127.0.0.1:{server.server_port}/hub.git"
            assert GitGrounds(environment(os.environ)).server_time(url) == NOON
            server.shutdown()

    @pytest.mark.parametrize("url", ["/srv/hub.git", "git@host:hub.git", "http://127.0.0.1:9/hub.git"])
    def test_nobody_to_ask(self, url: str) -> None:
        assert GitGrounds(environment(os.environ)).server_time(url) is None


class TestOwnProgram:
    def test_the_installed_command(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script = tmp_path / "bnet"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        assert own_program(str(script)) == [str(script)]
        monkeypatch.setenv("PATH", str(tmp_path))
        assert own_program("bnet") == [str(script)]

    def test_the_module(self) -> None:
        assert own_program("/lib/bnet/__main__.py") == [sys.executable, "-m", "bnet"]
