"""This machine's copies of the repositories that sources name: one each, however many sources name it."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import xxhash

from bnet.codec.addresses import check_address
from bnet.errors import BnetError, Damaged, RepositoryUnreachable
from bnet.gitstore.hub import with_ssh
from bnet.gitstore.notes import Notes
from bnet.gitstore.repo import Repo
from bnet.gitstore.sources import PROTOCOLS, listed, meant
from bnet.ports import Fresh, News
from bnet.process import TimedOut

LOOK_TIMEOUT = 60.0  # seconds
FETCH_TIMEOUT = 3600.0  # of a large repository's first time
MOST_PACKS = 50
LONGEST_MESSAGE = 20_000  # bytes of a commit's message that are read
ADDRESS = "bnet-address"  # a file in a copy: whose it is
HEADS, TAGS, PEELED = "refs/heads/", "refs/tags/", "^{}"


class Mirrors:
    """The `Upstreams` port on the `git` program. Different repositories may be worked on by different threads."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        """Keep where the copies are, and the environment from `repo.environment`."""
        self._directory = directory
        self._env = {"GIT_ALLOW_PROTOCOL": PROTOCOLS, **env}

    def refs(self, address: str, *, tags: bool) -> Mapping[str, str]:
        patterns = [f"{HEADS}*", *([f"{TAGS}*"] if tags else [])]
        told = listed(address, patterns, with_ssh(self._env, address), LOOK_TIMEOUT)
        kinds = (HEADS, TAGS) if tags else (HEADS,)
        # A name that is no UTF-8 cannot be written into a document. Of an annotated tag, what it tags counts.
        return {
            ref: told.get(ref + PEELED, oid)
            for ref, oid in told.items()
            if ref.startswith(kinds) and not ref.endswith(PEELED) and "\ufffd" not in ref
        }

    def bring(self, address: str, tips: Sequence[str]) -> None:
        check_address(address)
        try:
            self._bring(address, tips)
        except Damaged:
            shutil.rmtree(self.place(address), ignore_errors=True)
            self._bring(address, tips)

    def place(self, address: str) -> Path:
        """Name the directory of a repository's copy."""
        return self._directory / f"{xxhash.xxh3_64_hexdigest(address.encode())}.git"

    def _bring(self, address: str, tips: Sequence[str]) -> None:
        repo = self._opened(address)
        if not _missing(repo, tips):
            return
        wanted = [f"+{kind}*:{kind}*" for kind in (HEADS, TAGS)]
        self._fetch(repo, address, "--prune", address, *wanted)
        for tip in _missing(repo, tips):
            # Off all branches again since the look: most hosts give it all the same.
            try:
                self._fetch(repo, address, address, tip)
            except RepositoryUnreachable:
                raise
            except BnetError:
                continue
        if sum(1 for _ in (repo.git_dir / "objects" / "pack").glob("*.pack")) > MOST_PACKS:
            # What no branch holds any more stays: with it is known what has been seen.
            repo.git("repack", "-a", "-d", "-k", "-q", timeout=FETCH_TIMEOUT)

    def _fetch(self, repo: Repo, address: str, *words: str) -> None:
        try:
            done = repo.git(
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *words, timeout=FETCH_TIMEOUT
            )
        except TimedOut as error:
            raise RepositoryUnreachable(str(error)) from None
        if done.code != 0:
            # With a copy that it cannot read, Git does not even ask.
            repo.out("for-each-ref", "--count=1")
            repo.out("rev-list", "--all", "--quiet", "--objects")
            raise meant(address, done.complaint)

    def _opened(self, address: str) -> Repo:
        place = self.place(address)
        repo = Repo(place, with_ssh(self._env, address))
        if not (place / ADDRESS).is_file():
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            repo.out("init", "--quiet", "--bare", "--template=")
            (place / ADDRESS).write_text(address)
        # One process at a time works here: what a killed one left locked is in the way for ever.
        for pattern in ("*.lock", "refs/**/*.lock", "objects/info/*.lock"):
            for path in place.glob(pattern):
                path.unlink(missing_ok=True)
        return repo

    def news(
        self, address: str, old: str, new: str, known: Sequence[str], *, most: int, newest: bool, paths: bool
    ) -> News | None:
        repo = Repo(self.place(address), self._env)
        if _missing(repo, [new]):
            return None
        if repo.git("cat-file", "-e", f"{new}^{{commit}}").code != 0:
            return News(())  # a tag of a file or a tree: nothing to run in
        asked = "\n".join([new, *(f"^{each}" for each in dict.fromkeys(known) if each != new)])
        told = repo.out(
            "rev-list", "--topo-order", "--reverse", "--ignore-missing", "--stdin", input=asked.encode()
        )
        oids = [] if new in known else told.decode().split()
        chosen = oids[-most:] if newest else oids[:most]
        contains = not old or repo.git("merge-base", "--is-ancestor", old, new).code == 0
        touched = _touched(repo, chosen) if paths else {}
        messages = _messages(repo, chosen)
        fresh = [Fresh(oid, messages.get(oid, ""), touched.get(oid, ())) for oid in chosen]
        return News(fresh, whole=len(chosen) == len(oids), contains_old=contains)

    def annotate(self, address: str, lines: Mapping[str, Mapping[str, str]]) -> None:
        check_address(address)
        Notes(self._opened(address), address).write(lines)

    def sweep(self, named: Collection[str]) -> list[str]:
        """Remove the copies of repositories that are not named any more, and return whose they were."""
        gone = []
        for place in self._directory.glob("*.git"):
            address = (place / ADDRESS).read_text() if (place / ADDRESS).is_file() else ""
            if address not in named:
                shutil.rmtree(place, ignore_errors=True)
                gone.append(address)
        return gone


def _missing(repo: Repo, oids: Sequence[str]) -> list[str]:
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    told = repo.out("cat-file", "--batch-check=%(objectname)", input=asked).decode().splitlines()
    return [line.split(" ", 1)[0] for line in told if line.endswith(" missing")]


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
    coming = list(oids)
    for entry in told.split(b"\0"):
        name = entry.decode(errors="surrogateescape")
        if name in coming:
            # In the order asked; one that changes nothing may be left out.
            del coming[: coming.index(name) + 1]
            current = found[name] = []
        elif name:
            current.append(name)
    return found
