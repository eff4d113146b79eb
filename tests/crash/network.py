"""The network of the soak: the hub, the ways to it, its servers, and what is due when."""

from __future__ import annotations

import contextlib
import heapq
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import rooms  # noqa: F401  before `daemons` and its like
from box import HUB
from daemons import sshd, web
from fleet import Fleet
from proxy import Proxy, Weather
from server import Server

from bnet.gitstore.repo import environment
from bnet.process import run

TTL = 60.0  # seconds
PORTS = (22, 80)


class Network:
    """The hub, its servers and the ways between them; what was done to them, and what is due when."""

    def __init__(self, root: Path, chance: random.Random, servers: int, stack: contextlib.ExitStack) -> None:
        self.root, self.chance = root, chance
        self.fleet = Fleet(root)
        self.fleet.found(settings=f"ttl: {TTL:g}\nread_budget: 4\n")
        ssh_url, command = stack.enter_context(sshd(root / "sshd"))
        web_url, credentials = stack.enter_context(web(root / "web", root))
        ports = [int(url.split(":")[2].split("/")[0]) for url in (ssh_url, web_url)]
        self.proxy = Proxy(HUB, dict(zip(PORTS, ports, strict=True)))
        with (root / "sshd/ssh_config").open("a") as config:
            config.write(_known_as(root / "sshd", ports[0]))
        _log_commands(root / "sshd/authorized_keys", root / "commands")
        Path(credentials).write_text(f"http://builder:correct-horse@{HUB}\n")
        (root / ".gitconfig").write_text(f"[credential]\n\thelper = store --file={credentials}\n")
        env = self.fleet.env | {"GIT_SSH_COMMAND": command, "HOME": str(root)}
        ways = {"ssh": f"ssh://root@{HUB}{root}/hub.git", "http": f"http://{HUB}/git/hub.git"}
        self.servers = [Server(number, root, ways, env) for number in range(1, servers + 1)]
        self.met: Counter[str] = Counter()
        self.killed = 0
        self.deaths: list[tuple[str, float]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []

    def begin(self) -> None:
        """Have all servers join and work."""
        for each in self.servers:
            each.boot()
            assert each.bnet("join", each.url, "--name", each.name, "--slots", "2").wait() == 0, (
                each.log.read_text()
            )
            each.work()

    def idle(self) -> list[Server]:
        """Return the servers to which nothing is happening."""
        return [each for each in self.servers if each.box.is_on and not each.busy]

    # -- time

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._later, (time.monotonic() + seconds, len(self._later), then))

    def pass_time(self, until: float) -> None:
        """Wait, and do what falls due meanwhile."""
        while self._later and self._later[0][0] <= until:
            at, _, then = heapq.heappop(self._later)
            time.sleep(max(0.0, at - time.monotonic()))
            then()
        time.sleep(max(0.0, until - time.monotonic()))

    # -- people

    def as_person(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command of somebody who is at no server."""
        env = self.fleet.env | {"BNET_HOME": str(self.root / "person"), "BNET_HUB": self.fleet.url}
        nothing = subprocess.DEVNULL
        argv = [sys.executable, "-m", "bnet", *words]
        return subprocess.Popen(argv, env=env, cwd=self.root, stdin=nothing, stdout=nothing, stderr=nothing)

    def commit(self, changes: dict[str, bytes | None], message: str) -> None:
        """Commit to the ledger's branch as a person does who pushes."""
        hub, index = self.fleet.url, self.root / "index"
        env = {**environment(self.fleet.env), "GIT_INDEX_FILE": str(index), "GIT_DIR": hub}

        def git(*words: str, given: bytes | None = None) -> str:
            done = run(["git", *words], env=env, input=given, timeout=60)
            assert done.code == 0, done.complaint
            return done.out.decode().strip()

        while True:
            tip = git("rev-parse", "refs/heads/bnet")
            git("read-tree", tip)
            for path, data in changes.items():
                if data is None:
                    git("update-index", "--force-remove", path)
                else:
                    blob = git("hash-object", "-w", "--stdin", given=data)
                    git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
            who = ("-c", "user.name=ada", "-c", "user.email=ada@example.invalid")
            made = git(*who, "commit-tree", git("write-tree"), "-p", tip, "-m", message)
            moved = run(["git", "update-ref", "refs/heads/bnet", made, tip], env=env, timeout=60)
            if moved.code == 0:
                return

    # -- the end

    def calm(self) -> None:
        """Let what was begun come to its end, and have all servers at work."""
        while self._later:
            self.pass_time(self._later[0][0])
        self.proxy.set(Weather())
        for each in self.servers:
            self.proxy.set(Weather(), each.box.address)

    def close(self) -> None:
        """Switch everything off."""
        for each in self.servers:
            each.box.power_off()
            if each.losing is not None:
                each.losing.power_off()
            if each.disk == "small":
                subprocess.run(["umount", "-l", str(each.home)])
        self.proxy.close()
        self.fleet.close()


def _log_commands(keys: Path, log: Path) -> None:
    """Have whoever logs in with a key write down what they want of the hub."""
    told = f'command="echo $SSH_ORIGINAL_COMMAND >>{log}; exec sh -c \\"$SSH_ORIGINAL_COMMAND\\"" '
    keys.write_text(told + keys.read_text())


def pushes(root: Path) -> int:
    """Return how many pushes reached the hub."""
    by_ssh = (root / "commands").read_text().count("git-receive-pack")
    by_http = (root / "web/access.log").read_text().count("/git-receive-pack HTTP")
    return by_ssh + by_http


def _known_as(at: Path, port: int) -> str:
    return f"""
Host {HUB}
  Port {PORTS[0]}
  HostKeyAlias [127.0.0.1]:{port}
  IdentityFile {at}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {at}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""
