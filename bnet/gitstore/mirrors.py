"""This machine's copies of the repositories that sources name: one each, however many sources name it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from bnet.codec.addresses import check_address, shown
from bnet.errors import BnetError, Damaged, RepositoryUnreachable
from bnet.gitstore.copies import ADDRESS, Copies, none_lent, unlocked
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
# A pack each: single objects would become files by the thousand, and nobody would count them.
FETCH = ("-c", "fetch.unpackLimit=1", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
MOST_PACKS = 50
MOST_ASKED = 20  # commits off all branches that are asked for, each by a fetch
LONGEST_MESSAGE = 20_000  # bytes of a commit's message that are read
HEADS, TAGS, PEELED = "refs/heads/", "refs/tags/", "^{}"


class TooSlow(RepositoryUnreachable):
    """What is missing did not come in the time that there was."""


class Mirrors:
    """The `Upstreams` port on the `git` program. Different repositories may be worked on by different threads.

    All processes of a machine share the copies: the steward, who looks for news, and jobs, whose workspaces borrow
    the objects of what they check out.
    """

    def __init__(
        self,
        directory: Path,
        env: Mapping[str, str],
        lock: Callable[[Path], AbstractContextManager[object]] = unlocked,
        lent: Callable[[], Collection[str]] = none_lent,
        *,
        patience: float = FETCH_TIMEOUT,
    ) -> None:
        """Keep where the copies are, and how they are reached.

        Args:
            directory: of the copies.
            env: from `repo.environment`.
            lock: see `Copies`.
            lent: see `Copies`.
            patience: seconds that a fetch may take.
        """
        self._copies = Copies(directory, lock, lent)
        self._env = {"GIT_ALLOW_PROTOCOL": PROTOCOLS, **env}
        self._patience = patience

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
        with self._held(address):
            self._bring_or_renew(address, tips)

    def lend(self, address: str, commit: str, note: Callable[[Path], object]) -> Path:
        """Bring a commit with its history, and let a workspace borrow from the copy.

        Args:
            address: of the repository.
            commit: a full id.
            note: writes down durably that somebody borrows from the directory that it is given.

        Returns:
            The copy.

        Raises:
            BnetError: it is not to be had; the message says why.
        """
        with self._held(address):
            if not self._has(address, commit):
                self._bring_for_job(address, commit)
            place = self.place(address)
            note(place)
        return place

    def _bring_for_job(self, address: str, commit: str) -> None:
        if self._copies.is_slow(address, self._patience):
            raise BnetError(f"{shown(address)} took too long to copy; one job in twenty tries again")
        try:
            self._bring_or_renew(address, [commit])
        except TooSlow:
            self._copies.note_slow(address, self._patience)
            raise
        if not self._has(address, commit):
            raise BnetError(f"{shown(address)} gives no commit {commit[:10]} with its history")

    def _has(self, address: str, commit: str) -> bool:
        asked = Repo(self.place(address), self._env).git("cat-file", "-e", commit)
        return self._copies.is_of(address) and asked.code == 0

    def distrust(self, address: str, place: Path) -> None:
        """Begin a copy anew, if it is this one still: somebody found it damaged."""
        with self._held(address):
            if place == self.place(address):
                self._copies.renew(address)

    def place(self, address: str) -> Path:
        """Name the directory of a repository's copy."""
        return self._copies.place(address)

    @contextmanager
    def _held(self, address: str) -> Iterator[None]:
        check_address(address)
        with self._copies.locked(address):
            yield

    def _bring_or_renew(self, address: str, tips: Sequence[str]) -> None:
        try:
            self._bring(address, tips)
        except Damaged:
            self._copies.renew(address)
            self._bring(address, tips)
        self._copies.note_brought(address)

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
            # What no branch holds any more stays: with it is known what has been seen, and workspaces borrow it.
            # Small packs become one, large ones stay as they are, so that no job waits for long.
            with suppress(TimedOut):
                repo.git("repack", "--geometric=2", "-d", "-q", timeout=self._patience)

    def _fetch(self, repo: Repo, address: str, *words: str) -> None:
        try:
            done = repo.git(*FETCH, *words, timeout=self._patience)
        except TimedOut:
            raise TooSlow(f"{shown(address)} did not come within {self._patience:.0f} s") from None
        if done.code != 0:
            error = meant(address, done.complaint)
            if not isinstance(error, RepositoryUnreachable):
                self._examine(repo)  # with a copy that it cannot read, Git does not even ask
            raise error

    def _examine(self, repo: Repo) -> None:
        """Raise `Damaged` if a copy is; of one so large that it takes too long, nothing is known."""
        repo.out("for-each-ref", "--count=1")
        with suppress(TimedOut):
            done = repo.git("rev-list", "--all", "--quiet", "--objects", timeout=self._patience)
            if done.code != 0:
                raise Damaged(f"git rev-list: {done.complaint}")

    def _opened(self, address: str, oids: Sequence[str]) -> Repo:
        repo = Repo(self.place(address), with_ssh(self._env, address))
        kind = b"sha256" if any(len(oid) == 64 for oid in oids) else b"sha1"
        if not self._copies.is_of(address) or repo.out("rev-parse", "--show-object-format").strip() != kind:
            self._copies.renew(address)
            repo = Repo(self.place(address), repo.env)
            repo.out("init", "--quiet", "--bare", "--template=", f"--object-format={kind.decode()}")
            (repo.git_dir / ADDRESS).write_text(address)
        self._copies.clear(address)
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
            self.distrust(address, repo.git_dir)  # the next look brings it anew
            raise

    def files(self, address: str, path: str, commits: Sequence[str]) -> Mapping[str, bytes | None]:
        repo = Repo(self.place(address), self._env)
        try:
            return files_of(repo, commits, path)
        except Damaged:
            self.distrust(address, repo.git_dir)
            raise

    def annotate(self, address: str, lines: Mapping[str, Mapping[str, str]]) -> None:
        with self._held(address):
            Notes(self._opened(address, list(lines)), address).write(lines)

    def sweep(self, named: Collection[str]) -> list[str]:
        """Remove the copies of repositories that are not named any more, and return whose they were."""
        return self._copies.sweep(named)


def _some(found: Range, row: list[str], most: int, *, newest: bool) -> list[str]:
    """Return those of a ref's new commits that are told.

    Where nothing tells them from what was seen (its branch was forced elsewhere, and this copy is younger), all of
    its history seems new: only its tip is known to be.
    """
    if newest or not found.is_endless(row):
        return row[-most:] if newest else row[:most]
    return row[-1:]
