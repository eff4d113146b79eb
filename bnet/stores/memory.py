"""The shared store in memory, for tests."""

from collections.abc import Iterator
from pathlib import Path

from bnet.stores.failures import failures
from bnet.stores.landing import landing
from bnet.stores.names import checked, directory_of


class MemoryStore:
    """A dict; each of its steps is atomic among threads."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.blobs: dict[str, bytes] = {}

    def fetch(self, name: str, path: Path) -> bool:
        data = self.blobs.get(checked(name))
        if data is None:
            return False
        with failures("in memory", f"read {name}"), landing(path) as arriving:
            arriving.write_bytes(data)
        return True

    def send(self, name: str, path: Path) -> None:
        with failures("in memory", f"write {name}"):
            self.blobs[checked(name)] = path.read_bytes()

    def has(self, name: str) -> bool:
        return checked(name) in self.blobs

    def names(self, prefix: str) -> Iterator[str]:
        directory_of(prefix)
        yield from [name for name in tuple(self.blobs) if name.startswith(prefix)]

    def delete(self, name: str) -> None:
        self.blobs.pop(checked(name), None)
