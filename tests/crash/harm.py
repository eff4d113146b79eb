"""What goes wrong in the soak, one kind at a time for each server, and all of them together."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from network import TTL, Network
from proxy import Weather
from server import Server, line_of, mount

from bnet.gitstore.repo import environment
from bnet.process import run

ALONE = 20.0  # seconds in which a server has to end what a killed supervisor left


class Harm:
    """Draws what goes wrong next, and brings it about."""

    def __init__(self, network: Network) -> None:
        self.network, self.chance = network, network.chance

    def happen(self) -> None:
        """Let something go wrong."""
        chance = self.chance
        if chance.random() < 0.12:
            name = chance.choice([*self._SHARED])
            getattr(self, f"_{name.replace(' ', '_')}")()
            self.network.met[name] += 1
            return
        idle = self.network.idle()
        if len(idle) <= len(self.network.servers) // 3:
            return
        server = chance.choice(idle)
        name = chance.choice([*self._ONE])
        if getattr(self, f"_{name.replace(' ', '_')}")(server) is not False:
            self.network.met[name] += 1

    _ONE = (
        *("agent killed",) * 6,
        *("git killed",) * 4,
        *("supervisor killed",) * 2,
        *("power lost",) * 3,
        *("cable pulled",) * 2,
        *("way stalls", "way cut", "way late", "asked twice") * 2,
        *("processes stopped",) * 2,
        *("disk full", "disk read only") * 2,
        "few open files",
        "home deleted",
    )
    _SHARED = (
        "hub away",
        "hub refuses",
        "document broken",
        "transaction reverted",
        "inbox nonsense",
        "job cancelled",
    )

    def _busy_for(self, server: Server, seconds: float, then: Callable[[], None]) -> None:
        server.busy = True

        def over() -> None:
            then()
            server.busy = False

        self.network.after(seconds, over)

    def _kill(self, found: list[psutil.Process]) -> None:
        for each in found:
            with contextlib.suppress(psutil.Error):
                each.kill()
                self.network.killed += 1

    def _soon(self) -> float:
        return self.chance.choice([0.0, 0.0, TTL / 4, 2.2 * TTL])

    def _agent_killed(self, server: Server) -> None:
        """Kill what keeps a server at work, and whatever that has started in its name but for runs."""
        self._kill(server.of_kind("bnet agent", "bnet sync"))
        self._busy_for(server, self._soon(), server.work)

    def _git_killed(self, server: Server) -> bool:
        found = [
            each for each in server.of_kind("git", "ssh") if "bnet" not in line_of(each).split("hub.git")[0]
        ]
        self._kill(found[:1])
        return bool(found)

    def _supervisor_killed(self, server: Server) -> bool:
        """Kill a supervisor alone; its server has to end what it left before anything else happens to it."""
        found = server.of_kind("supervisor")
        if not found or not server.of_kind("bnet agent", "bnet sync", "sleep 4"):
            return False
        victim = self.chance.choice(found)
        try:
            left = victim.children(recursive=True)
        except psutil.Error:
            return False
        self._kill([victim])

        def see() -> None:
            alive = [each for each in left if _lives(each)]
            if alive:
                self.network.met["what a supervisor left, ended by us"] += 1
                self._kill(alive)

        self._busy_for(server, ALONE, see)
        return True

    def _power_lost(self, server: Server) -> None:
        self.network.killed += server.power_off(self.chance.randrange(10**9))
        pause = self.chance.choice([1.0, TTL / 3, 2.5 * TTL])
        if pause > TTL:
            self.network.deaths.append((server.name, time.time()))

        def on() -> None:
            server.boot()
            server.work()

        self._busy_for(server, pause, on)

    def _cable_pulled(self, server: Server) -> None:
        server.box.cut()
        self._busy_for(server, self.chance.choice([5.0, TTL / 2, 2 * TTL]), server.box.plug)

    def _weather(self, server: Server, weather: Weather) -> None:
        self.network.proxy.set(weather, server.box.address)
        fair = Weather()
        self._busy_for(
            server, self.chance.uniform(5, TTL), lambda: self.network.proxy.set(fair, server.box.address)
        )

    def _way_stalls(self, server: Server) -> None:
        self._weather(server, Weather("stalls", after=self.chance.randrange(20_000)))

    def _way_cut(self, server: Server) -> None:
        self._weather(server, Weather("cut", after=self.chance.randrange(20_000)))

    def _way_late(self, server: Server) -> None:
        seconds = self.chance.choice([2.0, TTL * 0.7])
        self._weather(server, Weather("late", after=self.chance.randrange(8_000), seconds=seconds))

    def _asked_twice(self, server: Server) -> bool:
        if server.way != "http":
            return False
        self._weather(server, Weather("twice"))
        return True

    def _processes_stopped(self, server: Server) -> None:
        """Stop all that keeps a server at work, as a machine does that swaps; what it supervises goes on."""
        found = server.of_kind("bnet agent", "bnet sync", "git", "ssh")
        for each in found:
            with contextlib.suppress(psutil.Error):
                each.send_signal(signal.SIGSTOP)

        self._busy_for(server, self.chance.choice([5.0, TTL / 2, 1.5 * TTL]), server.box.go_on)

    def _disk_full(self, server: Server) -> bool:
        if server.disk != "small":
            return False
        filler = server.home / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
        self._busy_for(server, self.chance.uniform(5, TTL), lambda: filler.unlink(missing_ok=True))
        return True

    def _disk_read_only(self, server: Server) -> bool:
        """Boot a server with a disk that can only be read, for a while."""
        if server.disk != "small":
            return False
        self.network.killed += server.power_off(0)
        mount("-o", "remount,ro", str(server.home))
        server.boot()
        server.work()

        def again() -> None:
            self.network.killed += server.power_off(0)
            mount("-o", "remount,rw", str(server.home))
            server.boot()
            server.work()

        self._busy_for(server, self.chance.uniform(5, TTL), again)
        return True

    def _few_open_files(self, server: Server) -> None:
        self._kill(server.of_kind("bnet agent", "bnet sync", "sleep 4"))
        server.work(limit=self.chance.randrange(8, 48))

        def again() -> None:
            self._kill(server.of_kind("bnet agent", "bnet sync", "sleep 4"))
            server.work()

        self._busy_for(server, self.chance.uniform(5, TTL), again)

    def _home_deleted(self, server: Server) -> bool:
        """Delete all that a server knows, and let it join again under its name."""
        if server.disk == "loses":
            return False
        for each in server.home.iterdir():
            shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)

        def join() -> None:
            self._kill(server.of_kind("bnet agent", "bnet sync", "sleep 4"))
            joining = server.bnet("join", server.url, "--name", server.name, "--slots", "2", "--replace")
            self._until_joined(server, joining)

        server.busy = True
        self.network.after(2.5 * TTL, join)
        return True

    def _until_joined(self, server: Server, joining: subprocess.Popen[bytes]) -> None:
        if joining.poll() is None:
            self.network.after(2.0, lambda: self._until_joined(server, joining))
        elif joining.returncode == 0:
            server.work()
            server.busy = False
        else:
            again = server.bnet("join", server.url, "--name", server.name, "--slots", "2", "--replace")
            self.network.after(5.0, lambda: self._until_joined(server, again))

    def _hub_away(self) -> None:
        self.network.proxy.set(Weather("away"))
        self.network.after(
            self.chance.choice([5.0, TTL / 2, 1.5 * TTL]), lambda: self.network.proxy.set(Weather())
        )

    def _hub_refuses(self) -> None:
        hook = Path(self.network.fleet.url) / "hooks/pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho the hub takes nothing at present >&2\nexit 1\n")
        hook.chmod(0o755)
        self.network.after(self.chance.choice([5.0, TTL / 2]), lambda: hook.unlink(missing_ok=True))

    def _document_broken(self) -> None:
        listed = self.network.fleet.git(
            "--git-dir", self.network.fleet.url, "ls-tree", "-r", "--name-only", "bnet", "coordination/"
        )
        found = [each for each in listed.split() if "/inbox/" not in each and "/rejected/" not in each]
        if found:
            broken: bytes | None = self.chance.choice([b"", b"{", b"\xff\x00", None])
            with contextlib.suppress(AssertionError):  # it was archived meanwhile
                self.network.commit({self.chance.choice(found): broken}, "by hand")

    def _transaction_reverted(self) -> None:
        """Revert the newest transaction; a person's commit that asked for jobs would be taken back by that."""
        git = ("--git-dir", self.network.fleet.url)
        tip = self.network.fleet.git(*git, "log", "-1", "--format=%H", "--grep=^Bnet-Seq:", "bnet").strip()
        if tip != self.network.fleet.git(*git, "rev-parse", "refs/heads/bnet").strip():
            return
        tree = self.network.fleet.git(*git, "rev-parse", f"{tip}~1^{{tree}}").strip()
        who = ("-c", "user.name=ada", "-c", "user.email=ada@example.invalid")
        subject = self.network.fleet.git(*git, "log", "-1", "--format=%s", tip).strip()
        made = self.network.fleet.git(
            *who, *git, "commit-tree", tree, "-p", tip, "-m", f'Revert "{subject}"'
        ).strip()
        run(
            ["git", *git, "update-ref", "refs/heads/bnet", made, tip],
            env=environment(self.network.fleet.env),
            timeout=60,
        )

    def _inbox_nonsense(self) -> None:
        name = f"coordination/inbox/nonsense{self.chance.randrange(10**6)}.yaml"
        self.network.commit(
            {name: self.chance.choice([b"submit: [", b"\xff", b"- dance: 1", b"submit: {command: 7}"])}, "?"
        )

    def _job_cancelled(self) -> None:
        running = [job.number for job in self.network.fleet.look().state.jobs.values() if job.result is None]
        if running:
            self.network.as_person("cancel", str(self.chance.choice(running)))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
