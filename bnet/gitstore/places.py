"""Repositories where a hub may be: what is in a directory or behind a URL, before there is a mirror of it."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bnet.app.hub.site import Behind, Ground, Kind
from bnet.codec.addresses import shown
from bnet.errors import BnetError, HubUnreachable
from bnet.files import move
from bnet.gitstore.hub import with_ssh
from bnet.gitstore.repo import LOCAL_TIMEOUT, NETWORK_TIMEOUT, GitMissing, Repo
from bnet.process import Completed, TimedOut, run

HEADS = "refs/heads/"
TRANSACTIONS_SEARCHED = 20

# What a hub needs that Git does not do by itself. The ledger is a branch, not to be rewritten or deleted;
# these two do not apply under refs/bnet/, where telemetry has to be. The hub is the one thing
# that cannot be had again: a power loss may not leave empty objects in it. Heartbeats leave unreachable
# commits behind; kept as loose objects for two weeks, they would make each push start a gc. A transaction is
# kept as the pack that it came as: 60 loose objects, each flushed to disk, take five times as long (measured:
# 22 ms a push instead of 102), and in that time others lose the race; a gc comes every few hundred pushes.
# (uploadpack.allowAnySHA1InWant is not needed: protocol 2, usual since Git 2.26, serves any commit.)
CONFIG = {
    "receive.denyNonFastForwards": "true",
    "receive.denyDeletes": "true",
    "core.fsync": "all",
    "core.fsyncMethod": "batch",
    "receive.unpackLimit": "1",
    "gc.autoPackLimit": "400",
    "gc.cruftPacks": "true",
    "gc.pruneExpire": "3.days.ago",
}


class GitGrounds:
    """The `Grounds` port of `bnet init` and of finding hubs, on the `git` program."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Keep the environment from `repo.environment`."""
        self._env = env

    def kind(self, path: Path) -> Kind:
        """Tell what a path is."""
        if not path.exists():
            return "absent"
        if not path.is_dir():
            return "other"
        if self.at(path) is not None:
            return "repository"
        return "other" if any(path.iterdir()) else "empty"

    def at(self, path: Path) -> Ground | None:
        """Return the repository that a directory is, itself and not by being inside of one."""
        found = self.around(path)
        return found if found is not None and os.path.samefile(found.path, path) else None

    def around(self, path: Path) -> Ground | None:
        """Return the repository that a directory is in; None if it is in none.

        Raises:
            BnetError: it is in one that Git refuses to read.
        """
        asked = ["--path-format=absolute", "--is-bare-repository", "--git-common-dir"]
        done = self._git(path, "rev-parse", *asked)
        if done.code != 0:
            if "not a git repository" in done.complaint:
                return None
            raise BnetError(f"{path}: {done.complaint}")
        bare, common = os.fsdecode(done.out).splitlines()
        git_dir = Path(common)
        top = git_dir.parent if bare == "false" and git_dir.name == ".git" else git_dir
        return Ground(path=top, git_dir=git_dir, bare=bare == "true", origin=self._origin(top))

    def _origin(self, top: Path) -> str:
        # The address that is pushed to: whoever may push there may read there, and not always the other way.
        done = self._git(top, "remote", "get-url", "--push", "origin")
        url = os.fsdecode(done.out).strip().partition("\n")[0] if done.code == 0 else ""
        if url and not is_url(url):
            url = os.path.abspath(top / os.path.expanduser(url))
        return url

    def make(self, path: Path, branch: str) -> None:
        """Make a bare repository that is nothing but a hub; where there is nothing yet, it appears whole."""
        if path.exists():
            self._init(path, path, branch)  # somebody has given that directory its owner and mode
            return
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            draft.mkdir(parents=True)
            self._init(draft, path, branch)
            move(draft, path)
        except OSError as error:
            if self.at(path) is None:  # or else another `bnet init` was first
                raise BnetError(f"cannot make {path}: {error.strerror}") from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _init(self, where: Path, path: Path, branch: str) -> None:
        done = self._git(where, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}")
        if done.code != 0 and self.at(path) is None:
            raise BnetError(f"cannot make a repository in {path}: {done.complaint}")
        for name, value in CONFIG.items():
            self._git(where, "config", name, value)

    def point_head(self, ground: Ground, branch: str) -> None:
        """Let HEAD of an empty bare repository name the ledger's branch, so that a clone checks it out."""
        if not Repo(ground.git_dir, self._env).git("for-each-ref", "--count=1").out.strip():
            Repo(ground.git_dir, self._env).git("symbolic-ref", "HEAD", HEADS + branch)

    def behind(self, url: str, branch: str) -> Behind:
        """Ask a repository for its HEAD and for one branch; one round trip.

        Raises:
            HubUnreachable: no answer.
        """
        try:
            done = self._remote(url, "ls-remote", "--symref", url, "HEAD", HEADS + branch)
        except TimedOut as error:
            raise HubUnreachable(f"{shown(url)} did not answer: {error}", hint=advice(url)) from None
        if done.code != 0:
            raise HubUnreachable(f"{shown(url)} cannot be reached: {_brief(done)}", hint=advice(url))
        head, tips = "", {}
        for line in done.out.decode(errors="replace").splitlines():
            oid, _, ref = line.partition("\t")
            if oid.startswith("ref: ") and ref == "HEAD":
                head = oid.removeprefix("ref: ").removeprefix(HEADS)
            elif ref == "HEAD" and head:
                tips[head] = oid
            elif ref.startswith(HEADS):
                tips[ref.removeprefix(HEADS)] = oid
        return Behind(head=head, tips=tips)

    def is_ledger(self, url: str, branch: str) -> bool:
        """Tell whether a branch holds a ledger, by the newest few commits alone.

        A hub's first look must not cost a clone of whatever else the repository is.
        """
        with tempfile.TemporaryDirectory(prefix="bnet-look-") as scratch:
            repo = Repo(Path(scratch), with_ssh(self._env, url))
            repo.git("init", "--quiet", "--bare", "--template=")
            depth = f"--depth={TRANSACTIONS_SEARCHED}"
            wanted = ("--quiet", "--no-tags", depth, "--filter=tree:0", url, f"{HEADS}{branch}:{HEADS}x")
            done = repo.git("fetch", *wanted, timeout=NETWORK_TIMEOUT)
            if done.code != 0:
                raise HubUnreachable(f"{shown(url)} cannot be read: {_brief(done)}", hint=advice(url))
            told = repo.git("log", "--format=%(trailers:key=Bnet-Seq,valueonly)", f"{HEADS}x")
        return bool(told.out.strip())

    def has_ledger_file(self, ground: Ground, ref: str) -> bool:
        """Tell whether a ref of a repository here holds a ledger's head document."""
        name = f"{ref}:coordination/ledger.json"
        return Repo(ground.git_dir, self._env).git("cat-file", "-e", name).code == 0

    def readable_unattended(self, url: str) -> str:
        """Read a hub as cron will, without the ssh agent of whoever is logged in; return the complaint."""
        env = {name: value for name, value in self._env.items() if not name.startswith("SSH_A")}
        try:
            done = GitGrounds(env)._remote(url, "ls-remote", url, "HEAD")
        except TimedOut as error:
            return str(error)
        return "" if done.code == 0 else _brief(done)

    def server_time(self, url: str) -> datetime | None:
        """Return what time an HTTP server says it is, to a second; None if it does not say."""
        if not url.startswith(("http://", "https://")):
            return None
        import email.utils  # 25 ms with what it takes to ask
        import urllib.error
        import urllib.request

        bare = re.sub(r"(?<=://)[^/@]*@", "", url)
        request = urllib.request.Request(f"{bare.rstrip('/')}/info/refs", method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                told = answer.headers.get("Date")
        except urllib.error.HTTPError as error:  # a refusal has a date too
            told = error.headers.get("Date")
        except (OSError, ValueError):
            return None
        try:
            return email.utils.parsedate_to_datetime(told or "").astimezone(UTC)
        except ValueError:
            return None

    def _git(self, path: Path, *arguments: str) -> Completed:
        # Git itself has to find the repository: told its directory, it no longer asks to whom that belongs.
        try:
            return run(["git", "-C", path, *arguments], env=self._env, timeout=LOCAL_TIMEOUT)
        except FileNotFoundError:
            raise GitMissing("there is no git on PATH", hint="install Git 2.34 or later") from None

    def _remote(self, url: str, *arguments: str) -> Completed:
        return run(["git", *arguments], env=with_ssh(self._env, url), cwd=Path("/"), timeout=NETWORK_TIMEOUT)


def is_url(text: str) -> bool:
    """Tell whether Git takes a text for an address and not for a path."""
    return "://" in text or (":" in text.partition("/")[0] and not os.path.exists(text))


def advice(url: str) -> str:
    """Say what to do about a hub that cannot be read."""
    if not is_url(url):
        return f"look whether the path is right; `bnet init {url}` makes a new hub there"
    if url.startswith(("http://", "https://")):
        return "look whether the address is right; Git must be able to read it without asking for a password"
    return "look whether the address is right and `git ls-remote` of it works without asking for anything"


def _brief(done: Completed) -> str:
    """Return the first line of a complaint: what Git says after it is the same for every cause."""
    return shown(re.sub(r"^(fatal|error): ", "", done.complaint.splitlines()[0]))
