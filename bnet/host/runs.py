"""Runs on this machine: a directory each, a detached supervisor each, found again after anything."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from bnet.codec.documents import BROKEN, Unreadable, decode, encode
from bnet.errors import BnetError
from bnet.files import read_json, read_or_none, sync_directory, write_atomic, write_json
from bnet.host import processes
from bnet.host.uploads import Uploads, read_kept
from bnet.model.job import BuildReport, Built
from bnet.model.run import Intent, KeptFiles, RunExit, RunFact
from bnet.ports.machine import Clock

LEFTOVER_GRACE_S = 2.0
MOST_SAID = 16_000_000  # bytes of what a build says of itself
MOST_LISTED = 100  # packages of it that its result lists
MOST_NEEDS = 20_000  # characters of names that these need: the document is to stay small
# Nothing is left to tidy up at the end, and taking the interpreter down takes milliseconds.
BOOT = (
    "import os, sys; sys.path.append(sys.argv.pop(1)); "
    "from supervisor.run import main; os._exit(main(sys.argv))"
)


class LocalRuns:
    """The `Runs` port on a directory of run directories."""

    def __init__(
        self,
        root: Path,
        supervisor: Path,
        built: str,
        clock: Clock,
        environment: Callable[[tuple[str, ...]], Mapping[str, str]],
        keeper: tuple[str, Callable[[], Mapping[str, str]]] | None = None,
    ) -> None:
        """Keep what is needed.

        Args:
            root: the directory that holds a `<job>.<attempt>` directory for each run.
            supervisor: the package that carries out one run.
            built: where in its workspace a build of packages says what it did.
            clock: for leases.
            environment: gives a run's environment, with the secrets that it asks for by name.
            keeper: the module that brings files to a store, and what gives its environment.
        """
        self.root = root
        self.supervisor = supervisor
        self.clock = clock
        self.built_path = built
        self.environment = environment
        self._sessions = processes.Sessions()
        self._uploads = None if keeper is None else Uploads(*keeper, clock, self._sessions)

    def collect(self) -> list[RunFact]:
        self._sessions.reap()
        facts = [self._fact(path) for path in self._directories() if not (path / "settled").exists()]
        return [fact for fact in facts if fact is not None]

    def _directories(self) -> list[Path]:
        try:
            names = [each.name for each in os.scandir(self.root) if "." in each.name.strip(".")]
        except FileNotFoundError:
            return []
        keyed = [tuple(map(int, name.split("."))) for name in names if _is_key(name)]
        return [self.root / f"{job}.{attempt}" for job, attempt in sorted(keyed)]

    def _fact(self, path: Path) -> RunFact | None:
        try:
            intent = decode(Intent, read_or_none(path / "run.json") or b"")
        except Unreadable:
            return None  # never written whole, so never claimed
        lapsed = self._lapsed(path)
        ended = self._exit(path)
        if ended is not None:
            return self._ended(path, intent, ended, lapsed)
        if not (path / "pid.json").exists():
            return RunFact(intent=intent, phase="intended", lapsed=lapsed)
        if self._is_alive(path, intent.run):
            step = (read_or_none(path / "phase") or b"").decode(errors="replace").strip()
            return RunFact(intent=intent, phase="alive", step=step, lapsed=lapsed)
        ended = self._exit(path)  # it may have ended between the two looks
        if ended is not None:
            return self._ended(path, intent, ended, lapsed)
        self._bury(path, intent)
        return RunFact(intent=intent, phase="died", lapsed=lapsed)

    def _ended(self, path: Path, intent: Intent, ended: RunExit, lapsed: bool) -> RunFact:
        """Return a run that has ended; it counts as alive until its files are where they are kept."""
        settled = ended if self._uploads is None else self._uploads.settled(path, intent, ended)
        if settled is None:
            return RunFact(intent=intent, phase="alive", step="storing", lapsed=lapsed)
        return RunFact(intent=intent, phase="ended", lapsed=lapsed, exit=settled)

    def _is_alive(self, path: Path, run: str) -> bool:
        alive = processes.is_noted_alive(read_json(path / "pid.json") or {})
        # Where the disk lost what was in it, what the run left in its processes' environment still tells.
        return bool(processes.find_run(run)) if alive is None else alive

    def _bury(self, path: Path, intent: Intent) -> None:
        """End what a dead supervisor left running, and give its log a last line."""
        left = processes.find_run(intent.run)
        if left:
            processes.end(left, LEFTOVER_GRACE_S)
        mark = path / "buried"
        if not mark.exists():
            last = sorted(path.glob("log*"))[-1:] or [path / "log"]
            with contextlib.suppress(OSError), last[0].open("ab") as log:
                log.write(
                    f"\nbnet: job #{intent.job} attempt {intent.attempt}: lost: processes vanished\n".encode()
                )
            with contextlib.suppress(OSError):
                mark.touch()

    def _exit(self, path: Path) -> RunExit | None:
        data = read_or_none(path / "exit.json")
        if data is None:
            return None
        with contextlib.suppress(Unreadable):
            return decode(RunExit, data)
        return None

    def _lapsed(self, path: Path) -> bool:
        lease = read_json(path / "lease.json")
        if lease is None:
            return (path / "lease.json").exists()  # torn by a power loss: it says nothing any more
        try:
            return not (lease["boot_id"] == self.clock.boot_id() and self.clock.boot() <= lease["until"])
        except (KeyError, TypeError):
            return True

    def intend(self, intents: Sequence[Intent]) -> None:
        for intent in intents:
            self._intend(intent)
        if intents:
            sync_directory(self.root)

    def _intend(self, intent: Intent) -> None:
        path = self.root / f"{intent.job}.{intent.attempt}"
        before = read_or_none(path / "run.json")
        if before == encode(intent) and not (path / "pid.json").exists():
            return  # the same claim, decided once more
        if before is not None:
            self._replace(path, intent)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path / "run.json", encode(intent), mode=0o600)

    def _replace(self, path: Path, intent: Intent) -> None:
        # The same attempt under another run: of a claim that was lost with a ledger, or never landed.
        shutil.move(path, self.root / f".{path.name}.{intent.run[:8]}.old")
        shutil.rmtree(self.root / f".{path.name}.{intent.run[:8]}.old", ignore_errors=True)

    def start(self, key: str, run: str) -> None:
        path = self.root / key
        if (path / "pid.json").exists():
            return
        intent = decode(Intent, (path / "run.json").read_bytes())
        if intent.run != run:
            return  # another process of ours has written its own intent over the one that landed
        # Imported rather than run as a script: of a main script Python keeps no compiled form (10 ms).
        argv = [sys.executable, "-I", "-S", "-c", BOOT, str(self.supervisor.parent), str(path)]
        env = self.environment(intent.secrets)
        try:
            lacking = [name for name in intent.secrets if name not in env]
            if lacking:
                raise BnetError(f"this server's secrets.env does not have {', '.join(lacking)}")
            odd = [name for name, value in env.items() if "\0" in value]
            if odd:
                raise BnetError(f"on this server the value of {', '.join(odd)} holds a NUL character")
            self._sessions.start(argv, env, path / "supervisor.err")
        except BnetError as error:
            # Given back rather than tried again here for ever: another server may be able to.
            refused = RunExit(
                run=intent.run, outcome="refused", finished_at=self.clock.now(), message=str(error)
            )
            write_atomic(path / "exit.json", encode(refused))

    def renew(self, key: str, until: float, grace: float, *, revive: bool) -> None:
        if not revive and self._lapsed(self.root / key):
            return
        lease = {"boot_id": self.clock.boot_id(), "until": until, "lease_grace": grace}
        # One run's directory may be gone or damaged, by its own job for instance; the others go on.
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            write_json(self.root / key / "lease.json", lease, durable=False)

    def holds(self, key: str) -> bool:
        path = self.root / key
        return (path / "lease.json").exists() and not self._lapsed(path)

    def stop(self, key: str, reason: str, message: str) -> None:
        path = self.root / key / "stop.json"
        with contextlib.suppress(FileNotFoundError):
            if not path.exists():
                write_json(path, {"reason": reason, "message": message}, durable=False)

    def settle(self, key: str, note: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            write_atomic(self.root / key / "settled", note.encode(), durable=False)

    def forget(self, key: str) -> None:
        if not (self.root / key / "pid.json").exists():
            shutil.rmtree(self.root / key, ignore_errors=True)

    def log_size(self, key: str) -> int:
        return max((start + size for start, size, _ in self._segments(key)), default=0)

    def read_log(self, key: str, start: int, end: int) -> bytes:
        pieces = b""
        for first, size, path in self._segments(key):
            low, high = max(start, first), min(end, first + size)
            if low < high and (not pieces or low == start + len(pieces)):
                with path.open("rb") as log:
                    log.seek(low - first)
                    pieces += log.read(high - low)
        return pieces

    def _segments(self, key: str) -> list[tuple[int, int, Path]]:
        """Return (offset in the whole output, size, file) of what is kept of a log, in order."""
        found = []
        for path in (self.root / key).glob("log*"):
            offset = _offset(path.name)
            if offset is None:
                continue
            with contextlib.suppress(OSError):
                if path.is_file():
                    found.append((offset, path.stat().st_size, path))
        return sorted(found)

    def kept(self, key: str) -> KeptFiles | None:
        return read_kept(self.root / key)

    def artifacts(self, key: str) -> dict[str, bytes]:
        base = self.root / key / "artifacts"
        if not base.is_dir() or self.kept(key) is not None:
            return {}
        files = [path for path in base.rglob("*") if path.is_file() and not path.is_symlink()]
        return {path.relative_to(base).as_posix(): path.read_bytes() for path in files}

    def built(self, key: str) -> BuildReport | None:
        return read_build(self.root / key / "workspace" / self.built_path)

    def ended_since(self, known: set[str]) -> bool:
        """Tell whether a run has an end that was not there before; cheap enough for many times a second."""
        for each in os.scandir(self.root):
            if each.name not in known and os.path.exists(f"{each.path}/exit.json"):
                return True
        return False


def read_build(path: Path) -> BuildReport | None:
    """Return what a build said of itself; None for anything but a sound answer: any job may write there."""
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.read(MOST_SAID), type=BuildReport)
    except (OSError, *BROKEN):
        return None
    slowest = sorted(found.packages, key=lambda each: (each.result == "success", -each.seconds))
    listed = _within([each for each in slowest if _is_brief(each)][:MOST_LISTED])
    failed = sum(each.result != "success" for each in found.packages)
    return replace(found, packages=listed, failed=failed)


def _within(listed: list[Built]) -> tuple[Built, ...]:
    """Return packages without what they need where there is no room for it."""
    found, room = [], MOST_NEEDS
    for each in listed:
        names = sum(map(len, each.needs))
        found.append(each if names <= room else replace(each, needs=()))
        room -= names if names <= room else 0
    return tuple(found)


def _is_brief(each: Built) -> bool:
    """Tell whether a hundred of such fit into a document."""
    words = len(each.tier or "") + len(each.result)
    return len(each.name) <= 128 and len(each.key) <= 64 and words <= 64


def _offset(name: str) -> int | None:
    """Return where a piece of a log begins, by its file's name; None for what a job has put beside it."""
    digits = name.removeprefix("log.")
    return 0 if name == "log" else int(digits) if digits.isdecimal() and digits != name else None


def _is_key(name: str) -> bool:
    job, _, attempt = name.partition(".")
    return job.isdecimal() and attempt.isdecimal()


def parse_environment(text: str) -> dict[str, str]:
    """Return the variables of an environment file: `NAME=value` a line, `#` begins a comment line."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            found[name.removeprefix("export ").strip()] = value.strip().strip("\"'")
    return found
