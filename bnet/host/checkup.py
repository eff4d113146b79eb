"""Looking at a machine for the doctor: nothing is changed to find something out."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bnet import idle
from bnet.app.doctor.finding import RunSight
from bnet.app.submit import Letter
from bnet.codec.documents import Unreadable, decode
from bnet.codec.frozen import is_whole
from bnet.errors import BnetError
from bnet.files import put_away, read_json, read_or_none, write_atomic
from bnet.host import cron, processes
from bnet.host.home import Home
from bnet.host.lock import HostLock
from bnet.model.base import Record
from bnet.model.run import Intent
from bnet.model.telemetry import Sent
from bnet.ports.machine import Clock
from bnet.process import TimedOut, run
from bnet.rules.leases import Observed

_FLOCK = re.compile(r"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s")
_REFUSED = "the hub refuses the push: "
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", re.MULTILINE)
_UNITS = Path("/etc/systemd/system")
_HUB = re.compile(r"[0-9a-f]{16}")  # as `Home.hub_dir` names them


class HostCheckup:
    """What can be found out about this machine and its BNET_HOME; see `app.doctor.finding.Host`."""

    def __init__(self, home: Home, env: Mapping[str, str], clock: Clock) -> None:
        """Keep where the files are, the environment, and the clock."""
        self._home = home
        self._env = env
        self._clock = clock

    def unwritable(self) -> str:
        # Without its directories, of which one may have a file in its place: that is another finding.
        try:
            self._home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self._home.path / "doctor.probe"
            write_atomic(probe, b"bnet doctor\n")
            probe.unlink()
        except OSError as error:
            return f"cannot write in BNET_HOME {self._home.path}: {error.strerror}"
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
        unreported = sorted(each for each in self._keyed() if not (each / "settled").exists())
        return [sight for each in unreported if (sight := self._run(each)) is not None]

    def _run(self, path: Path) -> RunSight | None:
        try:
            intent = decode(Intent, read_or_none(path / "run.json") or b"")
            ended = (path / "exit.json").exists()
            age = self._age(path / ("exit.json" if ended else "run.json")) or 0.0
        except Unreadable:
            return None  # never written whole, so never claimed
        pid = read_json(path / "pid.json")
        alive = _is_alive(pid)
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
        home = self._home
        places = [home.hubs, home.runs, home.outbox, home.cache, home.logs]
        hubs = [path for path in _inside(home.hubs) if _HUB.fullmatch(path.name)]
        notes = [(home.path / name, sound) for name, sound in _NOTES.items()]
        notes += [(hub / name, sound) for hub in hubs for name, sound in _HUB_NOTES.items()]
        notes += [(path, _is_letter) for path in _inside(home.outbox) if path.suffix == ".json"]
        notes += [(home.logs / name, _is_any) for name in ("sync.log", "cron.log", "bug.log")]
        found = [path for path in [*places, *hubs] if os.path.lexists(path) and not path.is_dir()]
        found += [path for path, sound in notes if os.path.lexists(path) and not _reads(path, sound)]
        return [*self.jammed(), *found, *(path for path in self._keyed() if not self._is_run(path))]

    def jammed(self) -> Sequence[Path]:
        locks = (self._home.path / name for name in ("sync.lock", "mirror.lock", "doctor.lock"))
        return [path for path in locks if os.path.lexists(path) and not path.is_file()]

    def _keyed(self) -> list[Path]:
        return [each for each in _inside(self._home.runs) if re.fullmatch(r"\d+\.\d+", each.name)]

    def _is_run(self, path: Path) -> bool:
        """Tell whether a run's directory can be told from its intent; a reported one is not looked at again."""
        if not path.is_dir():
            return False
        if (path / "settled").exists() or not any(path.iterdir()):
            return True
        # A supervisor that lives still writes there.
        return _reads(path / "run.json", _is(Intent)) or _is_alive(read_json(path / "pid.json"))

    def exposed(self) -> Sequence[Path]:
        found = []
        for path in (self._home.secrets_env, self._home.server_yaml):
            if path.exists() and path.stat().st_mode & 0o077:
                found.append(path)
        return found

    def letters(self) -> tuple[int, int]:
        endings = [path.suffix for path in _inside(self._home.outbox)]
        return endings.count(".json"), endings.count(".refused") + endings.count(".broken")

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

    def set_aside(self, path: Path) -> Path:
        return put_away(path, ".broken")

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        lock = HostLock(self._home.sync_lock)
        free = lock.try_acquire()
        try:
            yield free
        finally:
            if free:
                lock.release()


def _is_alive(pid: Mapping[str, Any] | None) -> bool:
    """Tell whether the supervisor lives of which `pid.json` tells."""
    return bool(processes.is_noted_alive(pid or {}))


def _reads(path: Path, sound: Callable[[bytes], object]) -> bool:
    """Tell whether a file can be read as what it should be."""
    try:
        return sound(path.read_bytes()) is not False
    except PermissionError:
        raise  # whoever may read it may find it sound
    except (Unreadable, ValueError, OSError, RecursionError):
        return False


def _is(kind: type[Record]) -> Callable[[bytes], object]:
    return lambda data: decode(kind, data)


def _is_object(data: bytes) -> bool:
    return isinstance(json.loads(data), dict)


def _is_any(data: bytes) -> bool:
    return True


_is_letter = _is(Letter)
_NOTES: Mapping[str, Callable[[bytes], object]] = {
    "observed.json": _is(Observed),
    "telemetry.json": _is(Sent),
    "idle.json": _is_object,
}
_HUB_NOTES: Mapping[str, Callable[[bytes], object]] = {
    "hub.json": _is_object,
    "sources.json": _is_object,
    "snapshot": is_whole,
}


def _inside(directory: Path) -> list[Path]:
    """Return what is in a directory, in order; nothing if it is none."""
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
