"""The hub behind a URL, with a private bare mirror of its ledger on this machine."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from bnet.codec.addresses import shown
from bnet.codec.layout import ROOT
from bnet.codec.view import Changes
from bnet.errors import Damaged, HubUnreachable
from bnet.gitstore import objects
from bnet.gitstore.repo import NETWORK_TIMEOUT, SSH_OPTIONS, Repo
from bnet.model.message import Brought
from bnet.ports.hub import Commit, Look, Recorded, Stamp, Update
from bnet.process import Completed, TimedOut, run

KNOWN = "refs/bnet/known"
FETCHED = "refs/bnet/fetched"
TELEMETRY = "refs/bnet/telemetry/"
MOST_PACKS = 100
MEND = "`bnet doctor --repair` makes this machine's copy of the hub anew; so does `bnet sync`"
_ADVICE = ("hint:", "Please make sure you have", "and the repository exists")
_NOISE = ("To ", "error: failed to push some refs", "error: hook declined to update")
NO_ROOM = re.compile("No space left on device|Disk quota exceeded|File too large|died of signal 25")
CHECKED_OUT = "(branch is currently checked out)"  # of which Git says a dozen lines
LOST_RACE = b"(stale info)"  # the usual answer to a push that came too late; it needs no explanation
ABBREVIATED = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:.+")


class RemoteHub:
    """A `Hub` (see `ports`) that is a Git repository anywhere Git reaches: a path, ssh, https."""

    def __init__(
        self,
        url: str,
        branch: str,
        mirror: Path,
        env: Mapping[str, str],
        *,
        prefix: str = "refs/bnet/servers/",
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        """Open the private mirror, and make it if there is none that is sound.

        Args:
            url: where the hub is.
            branch: the ledger's branch there.
            mirror: the private bare repository; disposable.
            env: from `repo.environment`.
            prefix: of the telemetry refs, with a final slash.
            lock: keeps other processes off the mirror; may be entered again while it is held.
        """
        self.url = url
        self.ledger_ref = f"refs/heads/{branch}"
        self.telemetry_prefix = prefix
        self._repo = Repo(mirror, with_ssh(env, url), mend=MEND)
        self._lock = lock or nullcontext()
        self.last_told = ""
        self._recent: tuple[str, dict[str, tuple[str, str]]] = ("", {})
        with self._lock:
            if not (mirror / "HEAD").is_file():
                self._make()

    def _make(self) -> None:
        shutil.rmtree(self._repo.git_dir, ignore_errors=True)
        if not self._repo.git_dir.is_dir():
            self._repo.git_dir.unlink(missing_ok=True)
        self._repo.git_dir.parent.mkdir(parents=True, exist_ok=True)
        self._repo.out("init", "--quiet", "--bare", "--template=")

    def remake(self) -> None:
        """Throw a damaged mirror away and begin with an empty one; what it knew is on the hub."""
        self._make()

    def sweep(self) -> None:
        """Remove lock files; call it with the host's lock held, when each of them is a killed process's."""
        for pattern in ("*.lock", "refs/**/*.lock", "objects/info/*.lock"):
            for path in self._repo.git_dir.glob(pattern):
                path.unlink(missing_ok=True)

    def exclusive(self) -> AbstractContextManager[object]:
        return self._lock

    def telemetry_ref(self, server: str) -> str:
        return self.telemetry_prefix + server

    def look(self) -> Look:
        told = self._remote(*self._look_words()).decode(errors="replace")
        self.last_told = told
        refs: dict[str, str] = {}
        for line in told.split("\n"):  # a name may hold what only Python takes for the end of a line
            oid, _, ref = line.partition("\t")
            refs[ref] = oid
        ledger = refs.pop(self.ledger_ref, "")
        cut = len(self.telemetry_prefix)
        telemetry = {ref[cut:]: oid for ref, oid in refs.items() if ref.startswith(self.telemetry_prefix)}
        return Look(ledger, telemetry)

    def _look_words(self) -> tuple[str, ...]:
        return "ls-remote", self.url, self.ledger_ref, self.telemetry_prefix + "*"

    def question(self) -> tuple[list[str], dict[str, str]]:
        """Return how `look` asks the hub, as a program's arguments and environment."""
        return ["git", *self._look_words()], self._repo.env

    def fetch(self, tip: str) -> None:
        if not tip or self._has(tip):
            return
        self._fetch([f"+{self.ledger_ref}:{FETCHED}"])

    def fetch_telemetry(self, servers: Sequence[str]) -> None:
        self._fetch([f"+{self.telemetry_prefix}{name}:{TELEMETRY}{name}" for name in servers])

    def fetch_commit(self, ref: str) -> None:
        """Bring one more ref of the hub into the mirror, under its own name."""
        self._fetch([f"+{ref}:{ref}"])

    def _fetch(self, refspecs: Sequence[str]) -> None:
        if refspecs:
            self._remote("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self.url, *refspecs)

    def _remote(self, *arguments: str) -> bytes:
        try:
            done = self._repo.git(*arguments, timeout=NETWORK_TIMEOUT)
        except TimedOut as error:
            raise HubUnreachable(f"the hub {shown(self.url)} did not answer: {error}") from None
        if done.code != 0:
            self._check_sound(done if arguments[0] == "fetch" else None)
            words = _line(done.complaint)
            if NO_ROOM.search(words):
                raise HubUnreachable(
                    f"what the hub has cannot be written here: {words}", hint="free some room"
                )
            raise HubUnreachable(f"the hub {shown(self.url)} cannot be reached: {words}")
        return done.out

    def _check_sound(self, failed: Completed | None) -> None:
        """Tell a mirror that is damaged from a hub that does not answer, after a command that failed.

        Args:
            failed: if it was a fetch, which reads and writes objects.
        """
        # With a mirror that it cannot read, Git does not even ask the hub, or cannot use the answer.
        self._repo.out("for-each-ref", "--count=1")
        if failed is not None:
            # What no ref leads to can be in the way all the same, of an object that comes.
            objects = re.escape(f"{self._repo.git_dir}/objects/")
            if re.search(rf"{objects}\S+ is (corrupt|empty)|{objects}\S+\) is corrupt", failed.complaint):
                raise Damaged(f"the mirror of the hub is damaged: {failed.complaint}", hint=MEND)
            self._check_complete(["--all"])

    def _check_complete(self, commits: Sequence[str]) -> None:
        if not commits:
            return
        # What is missing here cannot be sent, and no answer of the hub is about that.
        with suppress(TimedOut):
            done = self._repo.git("rev-list", "--objects", "--quiet", *commits)
            if done.code != 0:
                raise Damaged(f"the mirror of the hub is damaged: {done.complaint}", hint=MEND)

    def _has(self, commit: str) -> bool:
        return bool(commit) and self._repo.git("cat-file", "-e", f"{commit}^{{commit}}").code == 0

    def known(self) -> str:
        return self._repo.git("rev-parse", "--verify", "--quiet", f"{KNOWN}^{{commit}}").out.decode().strip()

    def accept(self, tip: str) -> None:
        self._repo.out("update-ref", KNOWN, tip)

    def contains(self, tip: str, commit: str) -> bool:
        if not tip or not commit or tip == commit:
            return bool(tip and commit)
        done = self._repo.git("merge-base", "--is-ancestor", commit, tip)
        if done.code and done.err and self._has(tip) and self._has(commit):
            # Git says no, or gives up, where it could not read what lies between the two.
            raise Damaged(f"the mirror of the hub is damaged: {done.complaint}", hint=MEND)
        return done.code == 0

    def newest_transaction(self, tip: str) -> Stamp | None:
        return objects.newest_transaction(self._repo, tip)

    def recorded(self, tip: str, after: str = "") -> Sequence[Recorded]:
        return objects.recorded(self._repo, tip, after)

    def expand(self, word: str) -> str:
        if not re.fullmatch("[0-9a-f]{4,64}", word):
            return ""
        found = self._repo.git("rev-parse", "--verify", "--quiet", f"{word}^{{commit}}")
        return found.out.decode().strip() if found.code == 0 else ""

    def changes(self, old: str | None, new: str, under: str = ROOT) -> Changes:
        return objects.changes(self._repo, old, new, under)

    def origin(self, tip: str, path: str) -> tuple[str, str]:
        if self._recent[0] != tip:
            self._recent = tip, objects.recent_origins(self._repo, tip)
        return self._recent[1].get(path) or objects.origin(self._repo, tip, path)

    def brought(self, tip: str, paths: Sequence[str]) -> Mapping[str, Brought]:
        return objects.brought(self._repo, tip, paths)

    def older(self, tip: str, path: str) -> Iterator[tuple[str, bytes]]:
        return objects.older(self._repo, tip, path)

    def read(self, tip: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        return objects.read_paths(self._repo, tip, paths)

    def names(self, tip: str, under: str) -> list[str]:
        listed = self._repo.out("ls-tree", "-r", "-z", "--name-only", "--full-tree", tip, "--", under)
        return [name.decode(errors="replace") for name in listed.split(b"\0") if name]

    def blobs(self, tip: str, under: str) -> Mapping[str, str]:
        return objects.blobs(self._repo, tip, under)

    def contents(self, oids: Sequence[str], limit: int = 1 << 30) -> Mapping[str, bytes]:
        return objects.read_blobs(self._repo, dict.fromkeys(oids), limit)

    def write(self, commits: Sequence[Commit]) -> list[str]:
        if any(each.like for each in commits):
            # A push leaves out what the hub holds under an unrelated commit only where a bitmap shows it:
            # a history begun anew over 140 kB of logs then sends 174 bytes (measured, git 2.39).
            self._repo.git("repack", "-a", "-d", "-q", "--write-bitmap-index", timeout=600)
        try:
            return objects.write_commits(self._repo, commits)
        except Damaged:
            # A mirror that was made anew has the ledger, but not the telemetry that is gone on from.
            bases = {base for each in commits for base in (each.parent, each.like) if base}
            missing = [base for base in bases if not self._has(base)]
            if not missing:
                raise
            self._fetch(missing)
        return objects.write_commits(self._repo, commits)

    def push(self, updates: Sequence[Update]) -> str | None:
        leases = [f"--force-with-lease={each.ref}:{each.old}" for each in updates]
        refspecs = [f"{each.new}:{each.ref}" for each in updates]
        try:
            done = self._repo.git(
                "push", "--quiet", "--porcelain", *leases, self.url, *refspecs, timeout=NETWORK_TIMEOUT
            )
        except TimedOut as error:
            return str(error)
        if done.code == 0:
            return None
        if LOST_RACE not in done.out:
            self._check_complete([each.new for each in updates if each.new])
        return _said(done.complaint, done.out)

    def maintain_if_due(self) -> None:
        """Pack the mirror when it has become many small files; every write is a pack of its own."""
        packs = sum(1 for _ in (self._repo.git_dir / "objects" / "pack").glob("*.pack"))
        if packs > MOST_PACKS:
            with self._lock:
                self._repo.git("repack", "-a", "-d", "-q", timeout=600)
                self._repo.git("prune-packed", "-q")


def with_ssh(env: Mapping[str, str], url: str) -> dict[str, str]:
    """Return an environment in which ssh runs unattended, with the options of the user's own `core.sshCommand`."""
    own = env.get("GIT_SSH_COMMAND") or ""
    if not own and is_ssh(url):
        own = run(["git", "config", "--get", "core.sshCommand"], env=env).out.decode().strip()
    return {**env, "GIT_SSH_COMMAND": f"{own or 'ssh'} {SSH_OPTIONS}"}


def is_ssh(url: str) -> bool:
    """Tell whether Git reaches a URL through ssh."""
    return url.startswith(("ssh://", "git+ssh://")) or bool(ABBREVIATED.fullmatch(url))


def _line(complaint: str) -> str:
    """Return what Git says of a remote in one line, without the advice that fits nobody."""
    lines = [line.strip() for line in shown(complaint).splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line and not line.startswith(_ADVICE)))


def _said(complaint: str, porcelain: bytes) -> str:
    """Put together in one line what people need to see: the hub's own words, and the refs that it refused."""
    printed = [line.split("\t") for line in porcelain.decode(errors="replace").split("\n")]
    refused = [f"{words[1].rpartition(':')[2]} {words[2]}" for words in printed if words[0] == "!"]
    if any(CHECKED_OUT in each for each in refused):
        return f"{'; '.join(refused)}: check out another branch there, or make a bare repository the hub"
    lines = (line.strip().removeprefix("remote:").strip() for line in shown(complaint).splitlines())
    words = (line for line in lines if line and not line.startswith((*_ADVICE, *_NOISE)))
    return "; ".join(dict.fromkeys([*words, *refused]))
