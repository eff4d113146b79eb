"""What differs between the protocols that fsspec speaks: a dialect takes its file systems as they are.

These have no types, therefore `Any`.
"""

from collections.abc import Iterator
from typing import Any

from bnet.stores.names import INCOMING


class Dialect:
    """What most protocols have in common: directories, and puts that others see grow.

    Attributes:
        whole: a put is seen whole or not at all, so that no rename is needed; there are no directories.
    """

    whole = False

    def __init__(self, url: str, timeout: float) -> None:
        """Keep the URL, and how long an answer may take in seconds."""
        self.url = url
        self.timeout = timeout

    def connect(self) -> tuple[Any, str]:
        """Return a file system of its own, and the store's place in it."""
        from fsspec.core import url_to_fs

        made, base = url_to_fs(self.url, skip_instance_cache=True, **self.options())
        return made, str(base)

    def options(self) -> dict[str, Any]:
        """Return what fsspec is told besides the URL."""
        return {}

    def put(self, system: Any, path: str, at: str) -> None:
        """Write a local file; the directory that it goes to is there."""
        system.put_file(path, at)

    def get(self, system: Any, at: str, path: str) -> None:
        """Read into a local file."""
        system.get_file(at, path)

    def is_file(self, system: Any, at: str) -> bool:
        """Tell whether there is a file, as the server knows it now."""
        system.invalidate_cache()
        try:
            return bool(system.info(at)["type"] == "file")
        except FileNotFoundError:
            return False

    def rename(self, system: Any, old: str, new: str) -> None:
        """Move a file in one step, in place of one that may be there."""
        system.mv(old, new)

    def make_directory(self, system: Any, at: str) -> None:
        """Make a directory and those above it, where they are missing."""
        system.makedirs(at, exist_ok=True)

    def files(self, system: Any, at: str) -> Iterator[str]:
        """Yield the files below a directory, which may be missing, as the file system names them."""
        todo = [at]
        while todo:
            directory = todo.pop()
            try:
                found = system.ls(directory, detail=True)
            except FileNotFoundError:
                continue  # it was never there, or is gone by now
            for each in found:
                if each["type"] != "directory":
                    yield str(each["name"])
                elif not str(each["name"]).rstrip("/").endswith(f"/{INCOMING}"):
                    todo.append(str(each["name"]))

    def is_there(self, system: Any, base: str) -> bool:
        """Tell whether the store itself is there, as far as it has to be before the first blob."""
        return True

    def close(self, system: Any) -> None:
        """End the connection."""
