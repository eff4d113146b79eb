"""The servers behind shared stores, real ones on loopback, and things that only look like a server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import daemons
import pytest
from daemons import PATIENCE, SBIN, daemon, free_port, listens, need_root, sshd

BUCKET = "team-store"
# Before the other settings, for sshd takes the first of each. paramiko has an older name for the same exchange.
SFTP = """\
Subsystem sftp internal-sftp
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org
"""
KNOWN = ".ssh/known_hosts"
USER, PASSWORD = "builder", "correct-horse"


@dataclass(frozen=True)
class Server:
    """What is told to whoever uses a server.

    Attributes:
        url: the beginning of its stores' URLs.
        port: where it listens on the loopback.
        pid: its process.
        env: what has to be in the environment.
        files: what has to be in HOME.
    """

    url: str
    port: int
    pid: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def behind(self, port: int) -> Server:
        """Return the same server as it is reached through another port."""
        old, new = f"127.0.0.1:{self.port}", f"127.0.0.1:{port}"
        keys = self.files.get(KNOWN, "").replace(f"]:{self.port} ", f"]:{port} ")
        return Server(
            self.url.replace(old, new),
            port,
            self.pid,
            {name: value.replace(old, new) for name, value in self.env.items()},
            {**self.files, **({KNOWN: keys} if keys else {})},
        )

    def introduce(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the test know how to log in."""
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)
        for name, text in self.files.items():
            path = Path(os.environ["HOME"]) / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_text(text)
            path.chmod(0o600)


@contextmanager
def sftp(at: Path) -> Iterator[Server]:
    """Run OpenSSH's sshd."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(daemons, "SSHD", SFTP + daemons.SSHD)
            url, _ = stack.enter_context(sshd(at))
        port = int(url.rpartition(":")[2])
        (at / "shelf").mkdir()
        # paramiko looks for known hosts where everybody has them.
        config = f"Host 127.0.0.1\n  IdentityFile {at}/user_key\n"
        yield Server(
            f"sftp://root@127.0.0.1:{port}{at}/shelf",
            port,
            pid=_pid(at / "sshd.pid"),
            files={".ssh/config": config, KNOWN: (at / "known_hosts").read_text()},
        )


def _pid(path: Path) -> int:
    """Return what sshd writes down a little later than it listens."""
    deadline = time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"there is no {path}"
        time.sleep(0.01)
    return int(path.read_text())


@contextmanager
def s3(at: Path) -> Iterator[Server]:
    """Run moto's S3 server with one bucket; it lets everybody in unless `looks_at_credentials`."""
    at.mkdir()
    port = free_port()
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with daemon(argv, lambda: listens(port), at) as pid:
        ask(port, "PUT", f"/{BUCKET}")
        env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield Server(f"s3://{BUCKET}", port, pid=pid, env=env)


@contextmanager
def looks_at_credentials(port: int) -> Iterator[None]:
    """Have a running S3 server know nobody."""
    ask(port, "POST", "/moto-api/reset-auth", b"0")
    try:
        yield
    finally:
        ask(port, "POST", "/moto-api/reset-auth", b"inf")


def ask(port: int, method: str, path: str, data: bytes | None = None) -> None:
    """Send a request to the loopback, past any proxy."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, method=method)
    asked.add_header("Content-Type", "text/plain")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10).close()


@contextmanager
def webdav(at: Path) -> Iterator[Server]:
    """Run WsgiDAV, which asks for a password."""
    at.mkdir()
    (at / "shelf").mkdir()
    port = free_port()
    config = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/dav": str(at / "shelf")},
        "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
        "http_authenticator": {"domain_controller": None},
        "verbose": 1,
    }
    (at / "wsgidav.json").write_text(json.dumps(config))
    run = "from wsgidav.server.server_cli import run; run()"
    argv = [sys.executable, "-c", run, "--config", str(at / "wsgidav.json")]
    with daemon(argv, lambda: listens(port), at) as pid:
        login = f"machine 127.0.0.1 login {USER} password {PASSWORD}\n"
        yield Server(f"webdav://127.0.0.1:{port}/dav", port, pid=pid, files={".netrc": login})


@contextmanager
def silence() -> Iterator[int]:
    """Take connections at a port, and never answer."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield int(listening.getsockname()[1])


@contextmanager
def relay(port: int, most: int) -> Iterator[int]:
    """Pass on what is sent to a port of the loopback, and after so many bytes from one side cut the connection."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        ended = threading.Event()

        def accept() -> None:
            with suppress(OSError):
                while not ended.is_set():
                    here, _ = listening.accept()
                    there = socket.create_connection(("127.0.0.1", port))
                    for pair in ((here, there), (there, here)):
                        threading.Thread(target=_pump, args=(*pair, most), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listening.getsockname()[1])
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket, most: int) -> None:
    left = most
    with suppress(OSError):
        while left > 0 and (data := source.recv(min(left, 65536))):
            target.sendall(data)
            left -= len(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def small_disk(at: Path, size: str = "256k") -> Iterator[Path]:
    """Mount a file system of a few kilobytes; only root can, and not in every container."""
    need_root()
    at.mkdir()
    mounted = subprocess.run(
        [_program("mount"), "-t", "tmpfs", "-o", f"size={size}", "bnet-test", str(at)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    try:
        yield at
    finally:
        subprocess.run([_program("umount"), "--lazy", str(at)], check=True)


def make_read_only(at: Path) -> None:
    """Have a mounted file system take no more writes, not even root's."""
    subprocess.run([_program("mount"), "-o", "remount,ro", str(at)], check=True)


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}") or name


SERVERS = {"sftp": sftp, "s3": s3, "webdav": webdav}


@contextmanager
def each_once(top: Path) -> Iterator[Callable[[str], Server]]:
    """Lend what starts each kind of server once, when it is needed first."""
    with ExitStack() as stack:
        running: dict[str, Server] = {}

        def get(kind: str) -> Server:
            if kind not in running:
                running[kind] = stack.enter_context(SERVERS[kind](top / kind))
            return running[kind]

        yield get
