"""A directory that a site is written into: only what changed is, and what is not the site's is never touched."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

import msgspec

from bnet.errors import BnetError
from bnet.files import read_or_none, write_atomic
from bnet.host.lock import HostLock

LIST = ".bnet-site.json"
LOCK = ".bnet-site.lock"
AT_ONCE = 256  # parts whose contents are in memory together: 64 MB if all have the longest log


class Made(Protocol):
    """A part of the site before it is made; see `sitegen.page`."""

    @property
    def name(self) -> str: ...
    @property
    def render(self) -> Callable[[Mapping[str, bytes]], Mapping[str, str]]: ...
    @property
    def needs(self) -> tuple[str, ...]: ...
    @property
    def key(self) -> str: ...


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A part as it was written: the key of its content, and the bytes of its files by their paths."""

    key: str
    files: dict[str, int]


class _List(msgspec.Struct, frozen=True):
    parts: dict[str, Kept]


class Done(NamedTuple):
    """What a build came to: how many files the site has, and how many of them were written or deleted."""

    pages: int
    written: int
    deleted: int


class Webroot:
    """The directory, while nobody else writes into it."""

    def __init__(self, path: Path) -> None:
        """Name it; nothing is made yet."""
        self.path = path
        self._top = str(path)

    def put(self, parts: Iterable[Made], contents: Callable[[Sequence[str]], Mapping[str, bytes]]) -> Done:
        """Let the directory hold these parts.

        Args:
            parts: all of the site.
            contents: gets what they need.

        Raises:
            BnetError: the directory holds something else.
            Taken: another process writes into it.
        """
        self._begin()
        with HostLock(self.path / LOCK):
            return self._put(list(parts), self._known(), contents)

    def _begin(self) -> None:
        """Make the directory, unless it holds a site already."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = {each.name for each in self.path.iterdir()}
        except (FileExistsError, NotADirectoryError):
            raise BnetError(f"{self.path} is no directory", hint="name one that is to be made") from None
        if LIST not in names and names - {LOCK}:
            raise BnetError(
                f"{self.path} is not empty, and no site was built there",
                hint="name a directory that is to be made; nothing was changed",
            )

    def _known(self) -> dict[str, Kept]:
        data = read_or_none(self.path / LIST)
        if data is None:
            self._keep({})  # from now on, what is in there is a site, however this build ends
            return {}
        try:
            return msgspec.json.decode(data, type=_List).parts
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}  # all is compared, and nothing deleted

    def _put(
        self,
        parts: Sequence[Made],
        known: Mapping[str, Kept],
        contents: Callable[[Sequence[str]], Mapping[str, bytes]],
    ) -> Done:
        stale = [part for part in parts if not self._is_there(part, known.get(part.name))]
        names = {part.name for part in stale}
        now = {part.name: known[part.name] for part in parts if part.name not in names}
        if any(name in known for name in names):
            self._keep({**{name: Kept("", each.files) for name, each in known.items()}, **now})
        written = 0
        for start in range(0, len(stale), AT_ONCE):
            batch = stale[start : start + AT_ONCE]
            found = contents(list(dict.fromkeys(oid for part in batch for oid in part.needs)))
            for part in batch:
                files = {path: text.encode("utf-8", "replace") for path, text in part.render(found).items()}
                written += sum(self._write(path, data) for path, data in files.items())
                now[part.name] = Kept(part.key, {path: len(data) for path, data in files.items()})
        made = {path for each in now.values() for path in each.files}
        gone = sorted(filter(_is_below, {path for each in known.values() for path in each.files} - made))
        for path in gone:
            self._delete(path)
        if stale or gone:
            self._keep(now)
        return Done(len(made), written, len(gone))

    def _is_there(self, part: Made, kept: Kept | None) -> bool:
        if not part.key or kept is None or kept.key != part.key:
            return False
        try:
            # No pathlib here: of ten thousand pages nearly all are looked at, and are as they were.
            return all(os.stat(f"{self._top}/{path}").st_size == size for path, size in kept.files.items())
        except (OSError, ValueError):  # the list may have been published, and changed there
            return False

    def _check_real(self, name: str) -> None:
        """See that what is between the top and a file are directories of the site's own, and nobody's elsewhere."""
        for parent in PurePosixPath(name).parents[:-1]:
            if os.path.islink(self.path / parent):
                raise BnetError(
                    f"{self.path / parent} is a link, and what it leads to is not the site's",
                    hint="put it away; `bnet site build` makes the directory anew",
                )

    def _write(self, name: str, data: bytes) -> bool:
        self._check_real(name)
        path = self.path / name
        if read_or_none(path) == data:
            return False
        try:
            write_atomic(path, data, durable=False)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data, durable=False)
        return True

    def _delete(self, name: str) -> None:
        self._check_real(name)
        path = self.path / name
        with suppress(OSError):
            path.unlink(missing_ok=True)
            while (path := path.parent) != self.path:
                path.rmdir()  # which fails where something is left in it

    def _keep(self, parts: dict[str, Kept]) -> None:
        write_atomic(self.path / LIST, msgspec.json.encode(_List(parts)), durable=False)


def _is_below(path: str) -> bool:
    """Tell whether a path of the list stays in the directory: it may have been published, and changed there."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path
