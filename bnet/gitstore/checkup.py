"""Looking at Git, at a hub and at its mirror from outside, for the doctor and for people."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from bnet.errors import HubUnreachable
from bnet.files import put_away
from bnet.gitstore.hub import is_ssh, with_ssh
from bnet.gitstore.repo import NETWORK_TIMEOUT, Repo
from bnet.process import Completed, TimedOut, run

_WORSE = re.compile(r"^(?:error|fatal|missing|broken).*", re.MULTILINE)
LOCKS = ("*.lock", "refs/**/*.lock", "objects/info/*.lock")


class GitCheckup:
    """What can be found out about one hub and the private mirror of it; see `app.doctor.finding.Git`."""

    def __init__(self, url: str | None, mirror: Path | None, env: Mapping[str, str]) -> None:
        """Keep where things are.

        Args:
            url: of the hub, if one is meant.
            mirror: its private copy, if there is one.
            env: from `repo.environment`.
        """
        self.url = url
        self.mirror = mirror
        self._env = env

    def version(self) -> tuple[int, ...] | None:
        try:
            told = run(["git", "--version"], env=self._env, timeout=10)
        except (OSError, TimedOut):
            return None
        found = re.search(rb"(\d+)\.(\d+)(?:\.(\d+))?", told.out)
        return None if found is None else tuple(int(each) for each in found.groups() if each is not None)

    def path(self) -> str | None:
        if self.url is None or is_ssh(self.url):
            return None
        path = self.url.removeprefix("file://")
        return path if "://" not in path and os.path.isdir(path) else None

    def disowned(self) -> bool:
        return b"dubious ownership" in self._in_hub("rev-parse", "--git-dir").err

    def size(self) -> int | None:
        """Return the bytes that the hub's objects take, if it is a directory here that may be read."""
        if self.path() is None:
            return None
        return _size(self._in_hub("count-objects", "-v"))

    def mirror_size(self) -> int | None:
        """Return the bytes that the mirror's objects take: the hub has them all, and perhaps more."""
        if self.mirror is None or not self.mirror.is_dir():
            return None
        return _size(Repo(self.mirror, self._env).git("count-objects", "-v"))

    def _in_hub(self, *arguments: str) -> Completed:
        return run(["git", "-C", self.path() or "/", *arguments], env=self._env, timeout=60)

    def refs(self) -> int:
        """Return how many refs the hub has.

        Raises:
            HubUnreachable: it gave no answer.
        """
        url = self.url or ""
        try:
            told = run(
                ["git", "ls-remote", "--refs", url], env=with_ssh(self._env, url), timeout=NETWORK_TIMEOUT
            )
        except TimedOut as error:
            raise HubUnreachable(f"the hub {url} did not answer: {error}") from None
        if told.code != 0:
            raise HubUnreachable(f"the hub {url} cannot be reached: {told.complaint}")
        return told.out.count(b"\n")

    def unsound(self) -> str:
        if self.mirror is None or not self.mirror.is_dir():
            return ""
        empty = [each for each in (self.mirror / "objects").rglob("*") if _is_empty_file(each)]
        if empty:
            return f"{empty[0].name} is empty"
        arguments = ("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        try:
            told = Repo(self.mirror, self._env).git(*arguments, timeout=60)
        except TimedOut:
            return ""  # too large to be looked at in a minute; it is made anew when it fails
        found = _WORSE.findall(f"{told.err.decode(errors='replace')}\n{told.out.decode(errors='replace')}")
        if told.code == 0 and not found:
            return ""
        return found[0] if found else told.complaint.splitlines()[-1]

    def stale_locks(self) -> list[Path]:
        if self.mirror is None:
            return []
        return sorted(path for pattern in LOCKS for path in self.mirror.glob(pattern))

    def sweep(self) -> None:
        for path in self.stale_locks():
            path.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        assert self.mirror is not None
        return put_away(self.mirror, ".broken")

    def count(self, tip: str, without: str = "") -> int:
        """Return how many commits of the mirror a history has, not counting those of another one."""
        excluded = [f"^{without}"] if without else []
        assert self.mirror is not None
        told = Repo(self.mirror, self._env).out("rev-list", "--count", tip, *excluded)
        return int(told)

    def keep(self, commit: str, name: str) -> str:
        """Keep a history in the mirror that nothing else refers to any more; return the ref."""
        ref = f"refs/bnet/before/{name}"
        assert self.mirror is not None
        Repo(self.mirror, self._env).out("update-ref", ref, commit)
        return ref


def _size(told: Completed) -> int | None:
    kilobytes = re.findall(r"^(?:size|size-pack): (\d+)$", told.out.decode(), re.MULTILINE)
    return sum(map(int, kilobytes)) * 1024 if kilobytes else None


def _is_empty_file(path: Path) -> bool:
    return path.is_file() and path.stat().st_size == 0
