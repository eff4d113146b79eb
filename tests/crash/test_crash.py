"""The means of the crash tests are what they claim to be; a sample of the kills themselves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import free_port, need
from power import LosingDisk
from proxy import Proxy, Weather

from bnet.files import write_atomic

KILLS = Path(__file__).with_name("kills.py")


@pytest.fixture(scope="module")
def namespaces() -> None:
    """End a test where no machine can be made: in most containers, and for all but root."""
    need("unshare", "util-linux")
    space = ["--net", "--mount", "--pid", "--fork", "--mount-proc"]
    asked = ["unshare", *space, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if subprocess.run(asked, capture_output=True).returncode != 0:
        pytest.skip("this system lets us make no namespaces")


@pytest.fixture
def losing(tmp_path: Path, namespaces: None) -> Iterator[LosingDisk]:
    need("fusermount3", "fuse3")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("this system lets us make no file system (/dev/fuse)")
    disk = LosingDisk(tmp_path / "backing", tmp_path / "disk")
    disk.power_on()
    try:
        yield disk
    finally:
        disk.power_off()


def test_what_was_flushed_outlives_a_power_loss_and_little_else_does(losing: LosingDisk) -> None:
    for number in range(20):
        write_atomic(losing.mount / f"safe{number}", b"x" * 100)
    for number in range(20):
        (losing.mount / f"hasty{number}").write_bytes(b"x" * 100)
    assert len(list(losing.mount.iterdir())) == 40
    losing.power_off(seed=1)
    losing.power_on()
    left = {path.name: path.read_bytes() for path in losing.mount.iterdir()}
    assert all(left.get(f"safe{number}") == b"x" * 100 for number in range(20))
    hasty = [data for name, data in left.items() if name.startswith("hasty")]
    assert 0 < len(hasty) < 20, "some names were lost"
    assert any(len(data) < 100 for data in hasty), "some contents were lost, or torn"


def test_without_a_power_loss_all_is_kept(losing: LosingDisk) -> None:
    (losing.mount / "hasty").write_bytes(b"x")
    with (losing.mount / "hasty").open("ab") as file:
        file.write(b"y")
    losing.power_off()
    losing.power_on()
    assert (losing.mount / "hasty").read_bytes() == b"xy"


@pytest.mark.parametrize("where", [("alone", "rename", "2"), ("tree", "write", "3"), ("power", "fsync", "4")])
def test_a_claim_that_is_killed(namespaces: None, where: tuple[str, str, str], tmp_path: Path) -> None:
    how, call, n = where
    strace = need("strace", "strace")
    if subprocess.run([strace, "-qq", "-o", os.devnull, "true"], capture_output=True).returncode != 0:
        pytest.skip("this system lets us trace no process")
    argv = [sys.executable, str(KILLS), "--scene", "claim", "--how", how, "--at", call, n]
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kills, 0 promises broken" in done.stdout


@pytest.fixture
def echo() -> Iterator[int]:
    """Serve connections that answer with what they were told, in capitals, once that has ended; the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    heard.append(whole(client))
                    client.sendall(heard[-1].upper())

        heard.clear()
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


heard: list[bytes] = []


def ask(port: int, words: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)
        return whole(client)


def whole(end: socket.socket) -> bytes:
    return b"".join(iter(lambda: end.recv(4096), b""))


def test_the_weather_on_the_way(echo: int) -> None:
    port = free_port()
    proxy = Proxy("127.0.0.1", {port: echo})
    try:
        assert ask(port, b"fair") == b"FAIR"
        proxy.set(Weather("away"))
        with pytest.raises(OSError):
            ask(port, b"away")
        proxy.set(Weather())
        proxy.set(Weather("cut", after=6), "127.0.0.1")
        assert ask(port, b"cuts") == b"CU"
        proxy.set(Weather("stalls", after=6), "127.0.0.1")
        with pytest.raises(TimeoutError):
            ask(port, b"stall")
        proxy.set(Weather("late", seconds=0.2), "127.0.0.1")
        assert ask(port, b"late") == b"LATE"
        proxy.set(Weather("twice"), "127.0.0.1")
        assert ask(port, b"twice") == b"TWICE"
        while heard.count(b"twice") < 2:
            threading.Event().wait(0.01)
        assert proxy.met == {"away": 1, "cut": 1, "stalls": 1, "late": 1, "twice": 1}
    finally:
        proxy.close()
