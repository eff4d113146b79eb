"""A branch that holds a site and nothing else: a forge's pages are made of it."""

import re
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from bnet.codec.addresses import check_address, shown
from bnet.errors import BnetError, Damaged, HubUnreachable, RefusedByPolicy
from bnet.gitstore.repo import NETWORK_TIMEOUT, Repo
from bnet.gitstore.sources import listed, make_repo, on_hub
from bnet.process import TimedOut

TRIES = 4
LONGEST = 400  # commits of the branch, until it is begun anew: each holds little, but they add up
ASK_TIMEOUT = 30.0  # seconds
_MARK = re.compile(rb"^Bnet-Site: ", re.MULTILINE)
# The files go there as they are, whatever people have set up for what they write.
_AS_IT_IS = ("-c", "core.autocrlf=false", "-c", "core.excludesFile=", "-c", "core.attributesFile=")


class Pushed(NamedTuple):
    """Where a site is now: the commit, and whether it had to be pushed."""

    commit: str
    moved: bool


class PagesBranch:
    """A branch of some repository, and a private repository from which it is pushed."""

    def __init__(
        self, git_dir: Path, env: Mapping[str, str], url: str, branch: str, *, of_hub: bool = False
    ) -> None:
        """Keep where it is.

        Args:
            git_dir: the private repository; made anew at need.
            env: from `repo.environment`.
            url: of the other one.
            branch: of it.
            of_hub: whether that is the hub, which is away rather than not there.
        """
        check_address(url)
        self._of_hub = of_hub
        self._url = url
        self._ref = f"refs/heads/{branch}"
        self._branch = branch
        self._repo = Repo(git_dir, env)

    def check(self) -> str:
        """Return the commit that the branch is at, "" if it is not there yet.

        Raises:
            HubUnreachable: it is the hub's, and that gives no answer.
            RepositoryUnreachable: another one's host gives none.
            BnetError: it holds something else than a site.
        """
        found = self._listed(self._ref, "refs/heads/*")
        tip = found.get(self._ref, "")
        self._make("sha256" if any(len(oid) == 64 for oid in found.values()) else "sha1")
        if tip and not self._has(tip):
            self._fetch(tip)
        if tip and not _MARK.search(self._repo.out("cat-file", "commit", tip)):
            raise BnetError(
                f"the branch {self._branch} of {shown(self._url)} holds something else than a site; "
                "nothing was changed",
                hint="name another one with --branch",
            )
        return tip

    def put(self, site: Path, without: tuple[str, ...], hub: str, who: str, at: datetime) -> Pushed:
        """Let the branch hold a directory's files, and tell where it is then.

        Args:
            site: the directory.
            without: names of files that are not for publishing.
            hub: whose site it is: its UUID.
            who: who publishes.
            at: when.

        Raises:
            HubUnreachable, RepositoryUnreachable: no answer.
            BnetError: the branch holds something else, or may not be pushed to.
        """
        try:
            return self._put(site, without, hub, who, at)
        except Damaged:  # the private repository can be had again
            shutil.rmtree(self._repo.git_dir, ignore_errors=True)
            return self._put(site, without, hub, who, at)

    def _put(self, site: Path, without: tuple[str, ...], hub: str, who: str, at: datetime) -> Pushed:
        said = ""
        for _ in range(TRIES):
            tip = self.check()
            tree = self._tree_of(site, without)
            if tip and self._repo.out("rev-parse", f"{tip}^{{tree}}").decode().strip() == tree:
                return Pushed(tip, moved=False)
            commit = self._commit(tree, tip, hub, who, at)
            said = self._push(commit, tip)
            # What the branch is at decides, whatever the push has said.
            if self._listed(self._ref).get(self._ref) == commit:
                return Pushed(commit, moved=True)
        raise RefusedByPolicy(
            f"{shown(self._url)} does not take the site: {shown(said)}", hint="may this branch be pushed to?"
        )

    def _listed(self, *patterns: str) -> Mapping[str, str]:
        if self._of_hub:
            return on_hub(self._url, patterns, self._repo.env)
        return listed(self._url, patterns, self._repo.env, ASK_TIMEOUT)

    def _make(self, algorithm: str) -> None:
        if not (self._repo.git_dir / "HEAD").exists():
            self._repo.git_dir.mkdir(parents=True, exist_ok=True)
            make_repo(self._repo.git_dir, self._repo.env, algorithm)
        # Whoever publishes does so alone on this machine: what is locked was left by one that was killed.
        (self._repo.git_dir / "index.lock").unlink(missing_ok=True)

    def _has(self, commit: str) -> bool:
        return self._repo.git("cat-file", "-e", f"{commit}^{{tree}}").code == 0

    def _fetch(self, tip: str) -> None:
        try:
            done = self._repo.git(
                "fetch",
                "--quiet",
                "--no-tags",
                "--",
                self._url,
                f"+{self._ref}:refs/there",
                timeout=NETWORK_TIMEOUT,
            )
        except TimedOut as error:
            raise HubUnreachable(f"{shown(self._url)} did not answer: {error}") from None
        if done.code != 0 or not self._has(tip):
            raise HubUnreachable(
                f"the branch {self._branch} of {shown(self._url)} cannot be fetched: {done.complaint}"
            )

    def _tree_of(self, site: Path, without: tuple[str, ...]) -> str:
        """Return the tree of a directory; an index remembers which of its files have not changed."""
        left_out = [f":(exclude,literal){name}" for name in without]
        words = (f"--work-tree={site}", *_AS_IT_IS, "add", "--all", "--force", "--", ":/", *left_out)
        self._repo.out(*words)
        return self._repo.out("write-tree").decode().strip()

    def _commit(self, tree: str, tip: str, hub: str, who: str, at: datetime) -> str:
        plain = re.sub(r"[<>\x00-\x1f]", "", who) or "bnet"
        date = f"{int(at.timestamp())} +0000"
        signed = {
            f"GIT_{role}_{what}": plain for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        signed |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        long = tip and int(self._repo.out("rev-list", "--count", tip)) >= LONGEST
        parents = ["-p", tip] if tip and not long else []
        message = f"site: the network as of {at:%Y-%m-%d %H:%M} UTC\n\nBnet-Site: {hub}\n"
        repo = Repo(self._repo.git_dir, self._repo.env | signed)
        return repo.out("commit-tree", *parents, "-m", message, tree).decode().strip()

    def _push(self, commit: str, tip: str) -> str:
        lease = f"--force-with-lease={self._ref}:{tip}"
        try:
            done = self._repo.git(
                "push", "--quiet", lease, "--", self._url, f"{commit}:{self._ref}", timeout=NETWORK_TIMEOUT
            )
        except TimedOut as error:
            return str(error)
        if done.code == 0:
            self._repo.git("update-ref", "refs/there", commit)
        return "" if done.code == 0 else done.complaint
