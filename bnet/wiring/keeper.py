"""A process that brings the files of one ended run into the hub's store: `python -m bnet.wiring.keeper RUN_DIR`."""

import hashlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import blake3

from bnet.app.artifacts.depot import CHUNK
from bnet.app.server.provenance import MANIFEST, PROVENANCE, manifest_of, provenance_of
from bnet.codec.documents import decode, encode
from bnet.errors import BnetError, StoreFailed, Taken
from bnet.files import write_atomic
from bnet.host.clock import SystemClock
from bnet.host.lock import HostLock
from bnet.host.uploads import KEPT
from bnet.model.artifact import Listed
from bnet.model.run import Intent, KeptFiles, RunExit
from bnet.ports.machine import Clock
from bnet.ports.outside import Store
from bnet.rules.keeping import STORE
from bnet.stores.opening import adapter

LONGEST_PAUSE = 60.0  # seconds between two tries


class Stopped(Exception):
    """The run was asked to end meanwhile."""


class Upload:
    """The way of one run's files into a store; begun again it goes on where it was."""

    def __init__(self, path: Path, store: Store, clock: Clock) -> None:
        """Read what is to be done.

        Args:
            path: the run's directory.
            store: where the files go.
            clock: for the patience with a store that does not answer.
        """
        self._path = path
        self._store = store
        self._clock = clock
        self._intent = decode(Intent, (path / "run.json").read_bytes())
        self._exit = decode(RunExit, (path / "exit.json").read_bytes())
        assert self._intent.store is not None and self._intent.origin is not None
        self._patience = self._intent.store.patience
        self._base = f"artifacts/{self._intent.origin.hub}/{self._intent.run}/"

    def run(self) -> KeptFiles:
        """Bring all files there, and return how it went."""
        try:
            files = tuple(self._listed(each.path, each.mode) for each in self._exit.artifacts)
            for each in files:
                self._bring(each.blake3, self._path / "artifacts" / each.path)
            provenance = provenance_of(self._intent, self._exit, files)
            manifest = manifest_of(self._intent, self._exit, files, _digest(provenance))
            for name, data in ((PROVENANCE, provenance), (MANIFEST, manifest)):
                write_atomic(self._path / name, data)
                self._bring(name, self._path / name)
        except Stopped:
            return KeptFiles(
                problem="asked to end while its artifacts were brought to the store", stopped=True
            )
        except StoreFailed as error:
            hint = f" ({error.hint})" if error.hint else ""
            return KeptFiles(problem=f"{error.message}{hint}")
        except OSError as error:
            return KeptFiles(problem=f"an artifact could not be read: {error.strerror}")
        artifacts = tuple(each.at(self._at(each.blake3)) for each in files)
        return KeptFiles(artifacts=artifacts, manifest=_digest(manifest), place=f"{STORE}{self._base}")

    def _at(self, name: str) -> str:
        return f"{STORE}{self._base}{name}"

    def _listed(self, path: str, mode: str) -> Listed:
        ours, theirs, size = blake3.blake3(), hashlib.sha256(), 0
        for chunk in _chunks(self._path / "artifacts" / path):
            ours.update(chunk)
            theirs.update(chunk)
            size += len(chunk)
        return Listed(path=path, size=size, mode=mode, blake3=ours.hexdigest(), sha256=theirs.hexdigest())

    def _bring(self, name: str, path: Path) -> None:
        """Put a file into the store and read it back, for as long as patience lasts.

        Raises:
            StoreFailed: it lasts no more.
            Stopped: the run was asked to end.
        """
        wanted = blake3.blake3()
        for chunk in _chunks(path):
            wanted.update(chunk)
        begun, pause = self._clock.boot(), 1.0
        while True:
            if (self._path / "stop.json").exists():
                raise Stopped
            try:
                # What a killed upload has left there is whole, and perhaps right.
                if self._is_there(self._base + name, wanted.digest()):
                    return
                self._store.send(self._base + name, path)
                if self._is_there(self._base + name, wanted.digest()):
                    return
                raise StoreFailed(f"the store does not give back what it was given as {name}")
            except StoreFailed:
                if self._clock.boot() - begun >= self._patience:
                    raise
            self._clock.sleep(random.uniform(0, pause))
            pause = min(LONGEST_PAUSE, pause * 2)

    def _is_there(self, name: str, digest: bytes) -> bool:
        with TemporaryDirectory(prefix="back-", dir=self._path) as room:
            path, found = Path(room) / "blob", blake3.blake3()
            if not self._store.fetch(name, path):
                return False
            for chunk in _chunks(path):
                found.update(chunk)
        return found.digest() == digest


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _digest(data: bytes) -> str:
    return blake3.blake3(data).hexdigest()


def main(run_dir: str) -> int:
    """Bring the files of a run to the store, unless another process does; return the exit code."""
    path = Path(run_dir)
    lock = HostLock(path / "keeper.lock")
    try:
        lock.acquire(timeout_s=0.0)
    except Taken:
        return 0
    if (path / KEPT).exists():
        return 0
    intent = decode(Intent, (path / "run.json").read_bytes())
    assert intent.store is not None
    try:
        done = Upload(path, adapter(intent.store.url, intent.store.timeout), SystemClock()).run()
    except BnetError as error:
        done = KeptFiles(problem=error.message)
    write_atomic(path / KEPT, encode(done))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
