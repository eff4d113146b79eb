"""This machine's copies of the repositories that sources name: one each, however many sources name it."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import xxhash

from bnet.codec.addresses import check_address
from bnet.errors import BnetError, Damaged, RepositoryUnreachable
from bnet.gitstore.hub import with_ssh
from bnet.gitstore.notes import Notes
from bnet.gitstore.objects import files_of
from bnet.gitstore.ranges import Range, Told, missing
from bnet.gitstore.repo import Repo
from bnet.gitstore.sources import PROTOCOLS, listed, meant
from bnet.ports.outside import News
from bnet.process import TimedOut

LOOK_TIMEOUT = 60.0  # seconds
FETCH_TIMEOUT = 3600.0  # of a large repository's first time
MOST_PACKS = 50
MOST_ASKED = 20  # commits off all branches that are asked for, each by a fetch
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
        repo = self._opened(address, tips)
        if not missing(repo, tips):
            return
        wanted = [f"+{kind}*:{kind}*" for kind in (HEADS, TAGS)]
        self._fetch(repo, address, "--prune", address, *wanted)
        for tip in missing(repo, tips)[:MOST_ASKED]:
            # Off all branches since it was seen: most hosts give it all the same.
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

    def _opened(self, address: str, oids: Sequence[str]) -> Repo:
        place = self.place(address)
        repo = Repo(place, with_ssh(self._env, address))
        kind = b"sha256" if any(len(oid) == 64 for oid in oids) else b"sha1"
        if not (place / ADDRESS).is_file() or repo.out("rev-parse", "--show-object-format").strip() != kind:
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            repo.out("init", "--quiet", "--bare", "--template=", f"--object-format={kind.decode()}")
            (place / ADDRESS).write_text(address)
        # One process at a time works here: what a killed one left locked is in the way for ever.
        for pattern in ("*.lock", "refs/**/*.lock", "objects/info/*.lock"):
            for path in place.glob(pattern):
                path.unlink(missing_ok=True)
        return repo

    def news(
        self,
        address: str,
        moves: Sequence[tuple[str, str]],
        known: Sequence[str],
        *,
        most: int,
        newest: bool,
        paths: bool,
    ) -> Sequence[News | None]:
        repo = Repo(self.place(address), self._env)
        try:
            found = Range(repo, [new for _, new in moves], known)
            rows = [found.reached(new) for _, new in moves]
            chosen = [_some(found, row, most, newest=newest) for row in rows]
            told = Told(repo, {oid for row in chosen for oid in row}, paths=paths)
            return [
                None
                if new in found.missing
                else News(
                    told.fresh(some), whole=len(some) == len(row), contains_old=found.contains(old, new)
                )
                for (old, new), row, some in zip(moves, rows, chosen, strict=True)
            ]
        except Damaged:
            shutil.rmtree(self.place(address), ignore_errors=True)  # the next look brings it anew
            raise

    def files(self, address: str, path: str, commits: Sequence[str]) -> Mapping[str, bytes | None]:
        repo = Repo(self.place(address), self._env)
        try:
            return files_of(repo, commits, path)
        except Damaged:
            shutil.rmtree(self.place(address), ignore_errors=True)
            raise

    def annotate(self, address: str, lines: Mapping[str, Mapping[str, str]]) -> None:
        check_address(address)
        Notes(self._opened(address, list(lines)), address).write(lines)

    def sweep(self, named: Collection[str]) -> list[str]:
        """Remove the copies of repositories that are not named any more, and return whose they were."""
        gone = []
        for place in self._directory.glob("*.git"):
            address = (place / ADDRESS).read_text() if (place / ADDRESS).is_file() else ""
            if address not in named:
                shutil.rmtree(place, ignore_errors=True)
                gone.append(address)
        return gone


def _some(found: Range, row: list[str], most: int, *, newest: bool) -> list[str]:
    """Return those of a ref's new commits that are told.

    Where nothing tells them from what was seen (its branch was forced elsewhere, and this copy is younger), all of
    its history seems new: only its tip is known to be.
    """
    if newest or not found.is_endless(row):
        return row[-most:] if newest else row[:most]
    return row[-1:]
