"""A machine in namespaces: processes, a network and a boot of its own, which can be cut off and lose power."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

NET = "10.77.0"
HUB = f"{NET}.1"
BRIDGE = "bnet0"
PATIENCE = 20.0  # seconds
# The first process of a machine: whoever is left without a parent becomes its child, and has to be buried by it.
INIT = """\
import os, time
while True:
    try:
        os.wait()
    except ChildProcessError:
        time.sleep(0.05)
"""


def lay_network() -> None:
    """Make the bridge that all machines hang on, with the hub's address; in a network namespace of ours."""
    for words in (
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"addr add {HUB}/16 dev {BRIDGE}",
        f"link set {BRIDGE} up",
    ):
        _ip(words)


class Box:
    """One machine. What it has in common with others is the files, and what the bridge carries."""

    def __init__(self, name: str, number: int, at: Path, env: Mapping[str, str]) -> None:
        """Name it; it is off.

        Args:
            name: of the machine.
            number: from 1; its address and its end of a cable.
            at: a directory for what belongs to the machine and is not on its disk.
            env: what its commands are given.
        """
        self.name = name
        self.address = f"{NET}.{number + 10}"
        self.env = dict(env)
        self._at = at
        self._cable = f"veth{number}"
        self._init: int | None = None
        self._shell: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        at.mkdir(parents=True, exist_ok=True)

    @property
    def is_on(self) -> bool:
        return self._init is not None

    def power_on(self) -> None:
        """Boot: a new boot id, no processes, the cable plugged in."""
        boot = self._at / "boot_id"
        boot.write_text(f"{uuid.uuid4()}\n")
        begin = (
            f"mount --bind {shlex.quote(str(boot))} /proc/sys/kernel/random/boot_id"
            f" && exec {sys.executable} -c {shlex.quote(INIT)}"
        )
        space = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        argv = ["unshare", *space, "--propagation", "slave", "sh", "-c", begin]
        self._shell = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._init = self._first_process(self._shell)
        _ip(f"link add {self._cable} type veth peer name eth0 netns {self._init}")
        _ip(f"link set {self._cable} master {BRIDGE} up")
        for words in ("link set lo up", f"addr add {self.address}/16 dev eth0", "link set eth0 up"):
            subprocess.run(["nsenter", "-t", str(self._init), "--net", "ip", *words.split()], check=True)

    @staticmethod
    def _first_process(shell: subprocess.Popen[bytes]) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for each in psutil.Process(shell.pid).children():
                if INIT in each.cmdline():
                    return each.pid
            time.sleep(0.01)
        raise AssertionError("a machine does not start")

    def power_off(self) -> None:
        """Cut the power: every process is gone at once."""
        if self._init is None or self._shell is None:
            return
        os.kill(self._init, signal.SIGKILL)
        for each in self._started:  # one that was stopped with its command would keep that from being buried
            each.kill()
            each.wait(PATIENCE)
        self._started.clear()
        self._shell.wait(PATIENCE)
        self._init = self._shell = None
        subprocess.run(["ip", "link", "del", self._cable], capture_output=True)

    def cut(self) -> None:
        """Pull the cable: what is sent is lost without a word."""
        if self.is_on:
            _ip(f"link set {self._cable} down")

    def plug(self) -> None:
        """Plug the cable in again."""
        if self.is_on:
            _ip(f"link set {self._cable} up")

    def start(self, argv: Sequence[str], log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command on it."""
        assert self._init is not None, f"{self.name} is off"
        inside = ["nsenter", "-t", str(self._init), "--net", "--mount", "--pid", "--", *argv]
        with (log or Path(os.devnull)).open("ab") as output:
            begun = subprocess.Popen(
                inside,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started = [*(each for each in self._started if each.poll() is None), begun]
        return begun

    def go_on(self) -> None:
        """Let what was stopped go on."""
        for pid in [each.pid for each in self._started] + [each.pid for each in self.processes()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def processes(self) -> list[psutil.Process]:
        """Return what runs on it, but for the first process."""
        if self._init is None:
            return []
        try:
            space = os.readlink(f"/proc/{self._init}/ns/pid")
        except OSError:
            return []
        found = []
        for pid in psutil.pids():
            try:
                if pid != self._init and os.readlink(f"/proc/{pid}/ns/pid") == space:
                    found.append(psutil.Process(pid))
            except (OSError, psutil.Error):
                continue
        return found


def _ip(words: str) -> None:
    done = subprocess.run(["ip", *words.split()], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {words}: {done.stderr.strip()}"
