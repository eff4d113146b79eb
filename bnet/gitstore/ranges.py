"""Which commits are new: those in the history of some and not in that of others, found by one walk for all refs."""

from collections.abc import Collection, Sequence

from bnet.gitstore.repo import Repo
from bnet.ports.outside import Fresh

LONGEST_MESSAGE = 20_000  # bytes of a commit's message that are read


class Range:
    """The commits in the histories of some tips that are in none of those of others.

    Attributes:
        missing: the tips that are not there.
    """

    def __init__(self, repo: Repo, tips: Sequence[str], known: Collection[str]) -> None:
        """Walk once.

        Args:
            repo: where.
            tips: ids; of those that are no commits (a tag of a file) there is nothing.
            known: ids of commits; those that are not there leave out nothing.
        """
        self._repo = repo
        kinds = _kinds(repo, tips)
        self.missing = {tip for tip in tips if kinds[tip] == "missing"}
        self._known = frozenset(known)
        self._parents: dict[str, list[str]] = {}
        wanted = [tip for tip in dict.fromkeys(tips) if kinds[tip] == "commit" and tip not in self._known]
        if wanted:
            asked = "".join(f"{each}\n" for each in (*wanted, *(f"^{each}" for each in self._known)))
            options = ("--topo-order", "--parents", "--ignore-missing", "--stdin")
            for line in repo.out("rev-list", *options, input=asked.encode()).decode().splitlines():
                oid, *parents = line.split()
                self._parents[oid] = parents
        self._place = {oid: place for place, oid in enumerate(self._parents)}

    def reached(self, tip: str) -> list[str]:
        """Return those in the history of one tip, parents first."""
        found, coming = set(), [tip]
        while coming:
            oid = coming.pop()
            if oid in self._parents and oid not in found:
                found.add(oid)
                coming += self._parents[oid]
        return sorted(found, key=self._place.__getitem__, reverse=True)

    def is_endless(self, row: Sequence[str]) -> bool:
        """Tell whether commits go back to the beginning of history although some of what is known is not here."""
        return any(not self._parents[oid] for oid in row) and bool(missing(self._repo, sorted(self._known)))

    def contains(self, old: str, new: str) -> bool:
        """Tell whether a tip's history has the commit that its ref was on; "" is in every one."""
        if not old or old == new:
            return True
        if any(old in self._parents[oid] for oid in self.reached(new)):
            return True
        return self._repo.git("merge-base", "--is-ancestor", old, new).code == 0


class Told:
    """What some commits say, and what they touch if that is asked."""

    def __init__(self, repo: Repo, oids: Collection[str], *, paths: bool) -> None:
        """Read all of them at once."""
        ordered = sorted(oids)
        self._messages = _messages(repo, ordered)
        self._touched = _touched(repo, ordered) if paths else {}

    def fresh(self, oids: Sequence[str]) -> list[Fresh]:
        """Return some of them."""
        return [Fresh(oid, self._messages.get(oid, ""), self._touched.get(oid, ())) for oid in oids]


def missing(repo: Repo, oids: Sequence[str]) -> list[str]:
    """Return those of some objects that are not there."""
    return [oid for oid, kind in _kinds(repo, oids).items() if kind == "missing"]


def _kinds(repo: Repo, oids: Sequence[str]) -> dict[str, str]:
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    told = repo.out("cat-file", "--batch-check=%(objectname) %(objecttype)", input=asked).decode()
    return {oid: kind for oid, _, kind in (line.partition(" ") for line in told.splitlines())}


def _messages(repo: Repo, oids: Sequence[str]) -> dict[str, str]:
    if not oids:
        return {}
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    told = repo.out("log", "-z", "--no-walk=unsorted", "--format=%H%n%B", "--stdin", input=asked)
    found = {}
    for entry in told.split(b"\0"):
        oid, _, message = entry.partition(b"\n")
        found[oid.decode()] = message[:LONGEST_MESSAGE].decode(errors="replace")
    return found


def _touched(repo: Repo, oids: Sequence[str]) -> dict[str, list[str]]:
    """Return the files that each of some commits changes; of a merge, all that it brings to its first parent."""
    if not oids:
        return {}
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    options = ("-r", "-z", "--root", "--name-only", "--no-renames", "-m", "--first-parent")
    told = repo.out("diff-tree", "--stdin", *options, input=asked)
    found: dict[str, list[str]] = {}
    current: list[str] = []
    coming = set(oids)
    for entry in told.split(b"\0"):
        name = entry.decode(errors="surrogateescape")
        if name in coming:
            coming.discard(name)
            current = found[name] = []
        elif name:
            current.append(name)
    return found
