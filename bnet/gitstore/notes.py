"""Git notes of commits in other repositories: lines that several networks and jobs may write, each its own."""

import re
from collections.abc import Mapping

from bnet.errors import BnetError, RepositoryUnreachable
from bnet.gitstore.repo import NETWORK_TIMEOUT, Repo
from bnet.gitstore.sources import meant
from bnet.process import Completed, TimedOut

NOTES = "refs/notes/bnet"
TRIES = 5
WHO = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "bnet"), ("EMAIL", "bnet@localhost"))
}


class Notes:
    """The notes of a repository, worked on in this machine's copy of it."""

    def __init__(self, repo: Repo, address: str) -> None:
        """Keep the copy, and whose it is."""
        self._repo = Repo(repo.git_dir, {**repo.env, **WHO})
        self._address = address

    def write(self, lines: Mapping[str, Mapping[str, str]]) -> None:
        """Push lines; see `Upstreams.annotate`.

        Raises:
            RepositoryUnreachable: no answer came.
            BnetError: the repository takes no notes from here.
        """
        for _ in range(TRIES):
            before = self._fetched()
            for commit, mine in lines.items():
                self._put(commit, mine)
            after = self._tip()
            if after == before:
                return
            # By compare-and-swap: others may write notes of other jobs at the same time.
            done = self._remote("push", "--quiet", f"--force-with-lease={NOTES}:{before}", f"{after}:{NOTES}")
            if done.code == 0:
                return
            if self._there() == before:
                raise BnetError(f"it takes no notes: {meant(self._address, done.complaint)}")
        raise RepositoryUnreachable(f"others wrote notes {TRIES} times while we tried to; it is tried again")

    def _fetched(self) -> str:
        """Bring the notes as they are there into the copy, and return their tip; "" if there are none."""
        there = self._there()
        if not there:
            self._repo.out("update-ref", "-d", NOTES)
        elif there != self._tip():
            done = self._remote("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", f"+{NOTES}:{NOTES}")
            if done.code != 0:
                raise meant(self._address, done.complaint)
        return self._tip()

    def _there(self) -> str:
        done = self._remote("ls-remote", NOTES)
        if done.code != 0:
            raise meant(self._address, done.complaint)
        found = [line.split("\t") for line in done.out.decode(errors="replace").split("\n") if line]
        return next((oid for oid, name in found if name == NOTES), "")

    def _remote(self, verb: str, *words: str) -> Completed:
        options = [word for word in words if word.startswith("--")]
        rest = [word for word in words if not word.startswith("--")]
        try:
            return self._repo.git(verb, *options, "--", self._address, *rest, timeout=NETWORK_TIMEOUT)
        except TimedOut as error:
            raise RepositoryUnreachable(str(error)) from None

    def _tip(self) -> str:
        return self._repo.git("rev-parse", "--verify", "--quiet", NOTES).out.decode().strip()

    def _put(self, commit: str, mine: Mapping[str, str]) -> None:
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
            raise ValueError(f"no commit: {commit!r}")
        shown = self._repo.git("notes", f"--ref={NOTES}", "show", commit)
        before = shown.out.decode(errors="surrogateescape").splitlines() if shown.code == 0 else []
        left = [line for line in before if not line.startswith(tuple(mine))]
        after = [*left, *mine.values()]
        if sorted(after) != sorted(before):
            text = ("\n".join(after) + "\n").encode(errors="surrogateescape")
            self._repo.out("notes", f"--ref={NOTES}", "add", "--force", "--file=-", commit, input=text)
