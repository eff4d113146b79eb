"""Looking at a machine for the doctor: nothing is changed to find something out."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bnet import idle
from bnet.app.finding import RunSight
from bnet.codec.documents import Unreadable, decode
from bnet.errors import BnetError
from bnet.files import read_json, read_or_none, set_aside, write_atomic
from bnet.host import cron, processes
from bnet.host.home import Home
from bnet.host.lock import HostLock
from bnet.model.base import Record
from bnet.model.run import Intent
from bnet.model.telemetry import Sent
from bnet.ports import Clock
from bnet.process import TimedOut, run
from bnet.rules.leases import Observed

_FLOCK = re.compile(r"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s")
_REFUSED = "the hub refuses the push: "
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", re.MULTILINE)
_UNITS = Path("/etc/systemd/system")


class HostCheckup:
    """What can be found out about this machine and its BNET_HOME; see `app.finding.Host`."""

    def __init__(self, home: Home, env: Mapping[str, str], clock: Clock) -> None:
        """Keep where the files are, the environment, and the clock."""
        self._home = home
        self._env = env
        self._clock = clock

    def unwritable(self) -> str:
        try:
            self._home.ensure()
            probe = self._home.path / "doctor.probe"
            write_atomic(probe, b"bnet doctor\n")
            probe.unlink()
        except BnetError as error:
            return str(error)
        except OSError as error:
            return f"cannot write in {self._home.path}: {error.strerror}"
        return ""

    def disk(self) -> tuple[int, int]:
        told = os.statvfs(_existing(self._home.path))
        # A file system without a fixed number of files tells none at all.
        return told.f_bavail * told.f_frsize, told.f_favail if told.f_files else 10**9

    def unlockable(self) -> str:
        path = self._home.path / "doctor.lock"
        first, second = HostLock(path), HostLock(path)
        try:
            if not first.try_acquire():
                return ""  # another doctor has it, so they work
            if second.try_acquire():
                second.release()
                return f"the file system of {self._home.path} gives one lock to two"
        except BnetError as error:
            return str(error)
        finally:
            first.release()
        return ""

    def holder(self, lock: str) -> str | None:
        path = self._home.path / lock
        if not path.exists():
            return None
        probe = HostLock(path)
        if probe.try_acquire():
            probe.release()
            return None
        inode = path.stat().st_ino
        table = (read_or_none(Path("/proc/locks")) or b"").decode()
        for pid, number in _FLOCK.findall(table):
            if int(number) == inode and int(pid) > 0:
                words = (read_or_none(Path(f"/proc/{pid}/cmdline")) or b"").split(b"\0")
                shown = b" ".join(words).decode(errors="replace").strip()[:80]
                return f"process {pid}" + (f" ({shown})" if shown else "")
        return "another process"

    def runs(self) -> Sequence[RunSight]:
        if not self._home.runs.is_dir():
            return []
        keyed = [each for each in self._home.runs.iterdir() if re.fullmatch(r"\d+\.\d+", each.name)]
        unreported = sorted(each for each in keyed if not (each / "settled").exists())
        return [sight for each in unreported if (sight := self._run(each)) is not None]

    def _run(self, path: Path) -> RunSight | None:
        try:
            intent = decode(Intent, read_or_none(path / "run.json") or b"")
            ended = (path / "exit.json").exists()
            age = self._age(path / ("exit.json" if ended else "run.json")) or 0.0
        except Unreadable:
            return None  # never written whole, so never claimed
        pid = read_json(path / "pid.json")
        known = pid if pid is not None and pid.keys() >= {"pid", "start", "boot_id"} else None
        alive = known is not None and processes.is_alive(known["pid"], known["start"], known["boot_id"])
        return RunSight(
            key=path.name,
            phase="ended" if ended else "intended" if pid is None else "alive" if alive else "died",
            age_s=age,
            lease_s=self._lease(path),
            ttl_s=intent.ttl_s,
        )

    def _lease(self, path: Path) -> float | None:
        lease = read_json(path / "lease.json") or {}
        until = lease.get("until")
        if lease.get("boot_id") != self._clock.boot_id() or not isinstance(until, int | float):
            return None
        return until - self._clock.boot()

    def _age(self, path: Path) -> float | None:
        try:
            return max(0.0, self._clock.now().timestamp() - path.stat().st_mtime)
        except OSError:
            return None

    def schedules(self) -> Sequence[str]:
        found = ["cron"] if self._in_crontab() else []
        return [*found, "systemd"] if self._in_units() else found

    def _in_crontab(self) -> bool:
        """Tell whether a line of the crontab names this BNET_HOME; `cron.entry` writes such."""
        try:
            text = cron.read(partial(run, env={"PATH": os.defpath, **self._env}, timeout=10))
        except (BnetError, TimedOut):
            return False
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        return any(f"BNET_HOME={self._home.path}" in line.replace("'", "").replace('"', "") for line in lines)

    def _in_units(self) -> bool:
        """Tell whether a service beside a timer names this BNET_HOME; `systemd.units` writes such."""
        wanted = f'"BNET_HOME={self._home.path}"'.replace("%", "%%").encode()
        config = Path(self._env.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))
        for directory in (_UNITS, config / "systemd" / "user"):
            for unit in directory.glob("*.service"):
                if unit.with_suffix(".timer").exists() and wanted in (read_or_none(unit) or b""):
                    return True
        return False

    def which(self, program: str, path: str) -> str | None:
        return shutil.which(program, path=path or self._env.get("PATH", os.defpath))

    def broken(self) -> Sequence[Path]:
        notes: list[tuple[Path, type[Record]]] = [
            (self._home.observed_json, Observed),
            (self._home.path / "telemetry.json", Sent),
        ]
        found = [path for path, kind in notes if not _is(kind, path)]
        return found + [path for path in self._home.hubs.glob("*/hub.json") if not _is_json(path)]

    def exposed(self) -> Sequence[Path]:
        found = []
        for path in (self._home.secrets_env, self._home.server_yaml):
            if path.exists() and path.stat().st_mode & 0o077:
                found.append(path)
        return found

    def letters(self) -> tuple[int, int]:
        outbox = self._home.outbox
        return len(list(outbox.glob("*.json"))), len(list(outbox.glob("*.refused")))

    def synced_ago(self) -> float | None:
        return self._age(self._home.observed_json)

    def rests_s(self) -> float | None:
        kept = read_json(Path(idle.path_of(str(self._home.path)))) or {}
        until = kept.get("until")
        if kept.get("boot_id") != self._clock.boot_id() or not isinstance(until, int | float):
            return None
        return until - self._clock.boot()

    def last_trouble(self) -> str:
        text = (read_or_none(self._home.logs / "sync.log") or b"")[-20_000:].decode(errors="replace")
        last = _STAMP.split(text)[-1].strip()
        return last.removeprefix(_REFUSED) if last.startswith(_REFUSED) else ""

    def set_aside(self, paths: Sequence[Path]) -> None:
        for path in paths:
            set_aside(path, ".broken")


def _is(kind: type[Record], path: Path) -> bool:
    data = read_or_none(path)
    try:
        return data is None or decode(kind, data) is not None
    except Unreadable:
        return False


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (ValueError, OSError):
        return False


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
