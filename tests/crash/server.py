"""One server of the soak: a machine, its disk, its way to the hub, and what keeps it at work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
from box import Box
from power import LosingDisk


class Server:
    """One server: a machine, its disk, how it reaches the hub and how it is kept at work."""

    def __init__(self, number: int, root: Path, ways: Mapping[str, str], env: Mapping[str, str]) -> None:
        self.name = f"s{number}"
        self.disk = {1: "loses", 2: "loses", 3: "loses", 4: "small", 5: "small"}.get(number, "sound")
        self.way = "http" if number in (2, 5, 7, 10) else "ssh"
        self.by_cron = number in (6, 7, 8)
        self.url = ways[self.way]
        self.home = root / self.name
        self.losing = LosingDisk(root / "disks" / self.name, self.home) if self.disk == "loses" else None
        self.box = Box(
            self.name,
            number,
            root / "boxes" / self.name,
            {**env, "BNET_HOME": str(self.home), "BNET_HUB": self.url},
        )
        self.log = root / f"{self.name}.log"
        self.busy = False
        if self.disk == "small":
            self.home.mkdir()
            mount("-t", "tmpfs", "-o", "size=200m", "tmpfs", str(self.home))

    def boot(self) -> None:
        """Switch it on; what keeps it at work is not started yet."""
        if self.losing is not None:
            self.losing.power_on()
        self.box.power_on()

    def power_off(self, seed: int) -> int:
        """Cut its power, and have its disk lose what it may; return how many processes that killed."""
        killed = len(self.box.processes())
        self.box.power_off()
        if self.losing is not None:
            self.losing.power_off(seed)
        return killed

    def bnet(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command on it."""
        return self.box.start([sys.executable, "-m", "bnet", *words], self.log)

    def work(self, limit: int | None = None) -> None:
        """Start its agent, or what does a sync now and then; with a limit, with so few open files."""
        bnet = f"{sys.executable} -m bnet"
        command = (
            f"while :; do {bnet} sync; sleep 4; done" if self.by_cron else f"exec {bnet} agent --interval 3"
        )
        bound = [] if limit is None else ["prlimit", f"--nofile={limit}"]
        self.box.start([*bound, "sh", "-c", command], self.log)

    def of_kind(self, *words: str) -> list[psutil.Process]:
        """Return its processes whose command line has one of some words."""
        return [each for each in self.box.processes() if any(word in line_of(each) for word in words)]


def mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"mount {' '.join(words)}: {done.stderr.strip()}"


def line_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
