"""Where this machine keeps copies of repositories, and how its processes keep out of each other's way in them."""

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import xxhash

from bnet.errors import Taken

ADDRESS = "bnet-address"  # a file in a copy: whose it is
SLOW = 20  # jobs that do without a copy that took too long to bring, before one tries again

# What a killed process left: locks, which are in the way for ever, and what it had fetched so far.
_LEFT = ("*.lock", "refs/**/*.lock", "objects/info/*.lock", "objects/pack/tmp_*")


def unlocked(path: Path) -> AbstractContextManager[object]:
    """Lock nothing: for who is alone."""
    return nullcontext(path)


def none_lent() -> Collection[str]:
    """Name no copy as lent."""
    return ()


class Copies:
    """A directory of bare repositories, one for each address.

    A workspace may borrow a copy's objects, by its path. Then that copy stays where it is, even if it is damaged:
    a new one is begun beside it, and the last that was begun is the one in use.
    """

    def __init__(
        self,
        directory: Path,
        lock: Callable[[Path], AbstractContextManager[object]],
        lent: Callable[[], Collection[str]],
    ) -> None:
        """Keep where they are.

        Args:
            directory: theirs alone.
            lock: gives the lock of a file's name; raises `Taken` if another process keeps it.
            lent: gives the names of the copies that workspaces borrow from.
        """
        self._directory = directory
        self._lock = lock
        self._lent = lent

    @contextmanager
    def locked(self, address: str) -> Iterator[None]:
        """Keep all others from a repository's copy.

        Raises:
            Taken: another process works on it.
        """
        with self._locked(_stem(address)):
            yield

    @contextmanager
    def _locked(self, stem: str) -> Iterator[None]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Beside the copy, and never removed: who waits for a file that is gone waits for another lock.
        with self._lock(self._directory / f"{stem}.lock"):
            yield

    def place(self, address: str) -> Path:
        """Name the directory of a repository's copy."""
        return self._places(_stem(address))[-1]

    def is_of(self, address: str) -> bool:
        """Tell whether there is a copy of a repository."""
        return _address(self.place(address)) == address

    def clear(self, address: str) -> None:
        """Remove what a killed process left in a copy; only under its lock."""
        for pattern in _LEFT:
            for path in self.place(address).glob(pattern):
                path.unlink(missing_ok=True)

    def renew(self, address: str) -> None:
        """Begin a copy anew; only under its lock. What workspaces borrow from stays beside it."""
        stem = _stem(address)
        places = self._places(stem)
        if places[-1].is_dir() and any(places[-1].iterdir()):
            (self._directory / f"{stem}.{_generation(places[-1]) + 1}.git").mkdir(mode=0o700)
            self._remove(places)

    def sweep(self, named: Collection[str]) -> list[str]:
        """Remove what nobody needs, but for that on which another process is at work; return whose copies went.

        Args:
            named: the addresses whose copies are needed.
        """
        gone = []
        for stem in sorted({path.name.partition(".")[0] for path in self._directory.glob("*.git")}):
            try:
                with self._locked(stem):
                    *old, last = self._places(stem)
                    address = _address(last)
                    self._remove(old)
                    # The last goes last: without it, one that was set aside would be in use again.
                    if address not in named and self._places(stem) == [last] and self._remove([last]):
                        self._slow(stem).unlink(missing_ok=True)
                        gone.append(address)
            except Taken:
                continue
        return gone

    def _remove(self, places: Collection[Path]) -> bool:
        """Remove copies from which nobody borrows; tell whether that is all of them."""
        lent = self._lent()
        unlent = [place for place in places if place.name not in lent]
        for place in unlent:
            shutil.rmtree(place, ignore_errors=True)
        return len(unlent) == len(places)

    def _places(self, stem: str) -> list[Path]:
        """Return the directories of a copy in the order in which they were begun."""
        return sorted(self._directory.glob(f"{stem}.*git"), key=_generation) or [
            self._directory / f"{stem}.git"
        ]

    # -- copies that take too long

    def note_slow(self, address: str, patience: float) -> None:
        """Write down that a copy did not come in so many seconds."""
        self._slow(_stem(address)).write_text(f"{SLOW} {patience}")

    def note_brought(self, address: str) -> None:
        """Take that back."""
        self._slow(_stem(address)).unlink(missing_ok=True)

    def is_slow(self, address: str, patience: float) -> bool:
        """Tell whether a job with no more patience than another one had does without.

        Such jobs are counted, and no clock is asked: a clock may be wrong.
        """
        path = self._slow(_stem(address))
        try:
            left, had = path.read_text().split()
            if int(left) <= 0 or patience > float(had):
                return False
        except (FileNotFoundError, ValueError):
            return False
        path.write_text(f"{int(left) - 1} {had}")
        return True

    def _slow(self, stem: str) -> Path:
        return self._directory / f"{stem}.slow"


def _stem(address: str) -> str:
    return xxhash.xxh3_64_hexdigest(address.encode())


def _generation(place: Path) -> int:
    number = place.name.split(".")[1]
    return int(number) if number.isdecimal() else 0


def _address(place: Path) -> str:
    try:
        return (place / ADDRESS).read_text()
    except (OSError, UnicodeDecodeError):
        return ""
