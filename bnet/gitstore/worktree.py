"""Snapshots of a person's working tree, made beside the repository and never in it."""

import configparser
import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bnet.errors import BnetError, HubUnreachable, Invalid
from bnet.gitstore.repo import LOCAL_TIMEOUT, GitMissing, Repo
from bnet.gitstore.sources import SNAPSHOTS, check_address, make_repo, on_hub, shown
from bnet.process import Completed, TimedOut, run

if TYPE_CHECKING:
    import git

LIMIT = 100_000_000  # bytes
TREE_TIMEOUT = 600.0  # seconds
PUSH_TIMEOUT = 3600.0  # a stalled one is ended much earlier, by ssh and HTTP themselves (see `repo`)

# The person's own settings count, as for their own `git add`, except for what writes into their repository or
# starts something there, what makes success a matter of taste, and the wait for a disk that keeps nothing.
_SETTINGS = (
    "core.fsmonitor=false",
    "core.splitIndex=false",
    "core.untrackedCache=false",
    "core.fsync=none",
    "core.safecrlf=false",
    "add.ignoreErrors=false",
    "diff.ignoreSubmodules=dirty",
)
# No name and no time: the same tree is the same commit, whoever submits it and whenever.
_WHO = "bnet <bnet@localhost> 946684800 +0000"


class Person(NamedTuple):
    """Who works in a repository, by its configuration; "" for what is not set."""

    name: str
    email: str


class PersonRepo(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that a person works in.

    Attributes:
        root: the top of the work tree; None in a bare repository.
        git_dir: what Git keeps for this work tree.
        remotes: name -> the URL that is fetched from, as it is written.
        user: who works there.
    """

    root: Path | None
    git_dir: Path
    remotes: Mapping[str, str]
    user: Person


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A tree as a commit without parents, in a temporary repository.

    Attributes:
        oid: of the commit; the same for the same tree.
        subdirectory: the directory that was asked for, seen from the top of the tree; "" for the top itself.
        files: how many it holds.
        new_files: how many of them differ from the last commit.
        new_bytes: how large those are in the work tree.
        submodules: paths of the nested repositories, of which it holds no files but the id of a commit.
        warnings: what Git had to say, such as a directory that may not be read and so is left out.
        store: the temporary repository; it borrows from the person's what that has already.
    """

    oid: str
    subdirectory: str
    files: int
    new_files: int
    new_bytes: int
    submodules: tuple[str, ...]
    warnings: tuple[str, ...]
    store: Repo

    @property
    def ref(self) -> str:
        """The snapshot's name on a hub."""
        return SNAPSHOTS + self.oid

    def push(self, hub_url: str) -> bool:
        """See to it that the hub has this snapshot, and tell whether it had to be sent.

        Call it again once the job's transaction has landed: a snapshot that the hub has had for long may have
        been deleted just before that. With nothing to send it is one `ls-remote`.

        Raises:
            HubUnreachable: no answer came; it may be tried again.
            BnetError: the hub does not take it.
        """
        check_address(hub_url)
        said = ""
        # First only what the hub lacks is sent; to a hub that does not understand this, all of it.
        for lean in (True, False):
            refs = on_hub(hub_url, [self.ref, "refs/heads/*"], self.store.env)
            if refs.get(self.ref) == self.oid:
                return said != ""
            assumed = self._assume(list(refs.values()) if lean else [])
            said = self._send(hub_url)
            if not said:
                return True
            if not assumed:
                break
        if on_hub(hub_url, [self.ref], self.store.env).get(self.ref) == self.oid:
            return True
        raise BnetError(f"the hub {shown(hub_url)} does not take the snapshot: {shown(said)}")

    def _assume(self, tips: Sequence[str]) -> bool:
        """Make Git leave out what is in the trees of the hub's branches; tell whether we have any of them.

        By itself it does so only for the parents of what is sent, and a snapshot has none; but where a clone
        is shallow, it looks at all the trees. So the temporary repository is made to look like a shallow one
        with these tips (measured: 4 objects are sent instead of 304).
        """
        asked = "".join(f"{oid}\n" for oid in tips).encode()
        told = self.store.git("cat-file", "--batch-check=%(objectname) %(objecttype)", input=asked)
        words = [line.split() for line in told.out.decode().splitlines()]
        ours = sorted({oid for oid, kind in words if kind == "commit"})
        (self.store.git_dir / "shallow").write_text("".join(f"{oid}\n" for oid in ours))
        return bool(ours)

    def _send(self, hub_url: str) -> str:
        """Push, and return what was said if it failed."""
        lease = f"--force-with-lease={self.ref}:"
        refspec = f"{self.oid}:{self.ref}"
        try:
            done = self.store.git("push", "--quiet", lease, "--", hub_url, refspec, timeout=PUSH_TIMEOUT)
        except TimedOut as error:
            raise HubUnreachable(f"the hub {shown(hub_url)} did not take the snapshot: {error}") from None
        return done.complaint if done.code != 0 else ""


def find_repository(path: Path) -> PersonRepo | None:
    """Return the repository that a directory is in; None if it is in none.

    Args:
        path: a directory anywhere in it; a submodule and a linked work tree are found as such.

    Raises:
        BnetError: there is no such directory, or the repository is broken.
    """
    try:
        import git  # takes 60 ms, and starts `git version`
    except ImportError as error:
        raise GitMissing(f"GitPython cannot be used: {error}", hint="install Git 2.34 or later") from None
    try:
        with git.Repo(path.resolve(strict=True), search_parent_directories=True, expand_vars=False) as found:
            return _read_repository(found)
    except git.InvalidGitRepositoryError:
        _refuse_broken_link(path.resolve())
        return None
    except (OSError, ValueError, configparser.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Invalid(
            f"it cannot be looked at: {reason}", file=str(path), hint="see what `git status` says"
        ) from None


def _read_repository(found: "git.Repo") -> PersonRepo:
    own, whole = found.config_reader("repository"), found.config_reader()
    urls = {each.name: own.get_values(f'remote "{each.name}"', "url", "")[0] for each in found.remotes}
    return PersonRepo(
        root=None if found.working_tree_dir is None else Path(found.working_tree_dir),
        git_dir=Path(found.git_dir),
        remotes={name: str(url) for name, url in urls.items() if url},
        user=Person(*(str(whole.get("user", key, fallback="")) for key in ("name", "email"))),
    )


def _refuse_broken_link(directory: Path) -> None:
    """Give up where a file `.git` leads nowhere, as Git does: the tree was meant to be in a repository."""
    for each in (directory, *directory.parents):
        if (each / ".git").is_file():
            raise Invalid(
                "it leads to a repository that is not there",
                file=str(each / ".git"),
                hint="try `git worktree repair`",
            )


@contextlib.contextmanager
def snapshot(directory: Path, env: Mapping[str, str], *, limit: int = LIMIT) -> Iterator[Snapshot]:
    """Take a snapshot of the whole work tree that a directory is in, as `git add -A` sees it.

    What is tracked or not ignored is taken as it is on disk, conflict markers included. Nothing of the
    person's repository changes: Git works on a copy of the index, which keeps what is known of unchanged
    files, and writes into an object directory of ours. (It may renew the time stamps of objects and shared
    indexes that it uses, as every Git command does.) A directory outside of any repository is taken itself,
    without what its `.gitignore` names.

    Submodules and other nested repositories are recorded as gitlinks: the id of the commit that is checked
    out, none of their files. Of files under Git LFS only the pointers are taken. What sparse checkouts and
    `git update-index --assume-unchanged` hide from Git is taken from the index.

    Args:
        directory: anywhere in the work tree.
        env: from `repo.environment`.
        limit: the most bytes in files that differ from the last commit.

    Yields:
        The snapshot; it can be pushed until the block ends.

    Raises:
        BnetError: it cannot be taken; the message names the file, and what helps.
    """
    found = find_repository(directory)
    root = _root_of(directory, found)
    with contextlib.ExitStack() as stack:
        try:
            scratch = tempfile.TemporaryDirectory(prefix="bnet-snapshot-", ignore_cleanup_errors=True)
            work = _Work(root, found is not None, Path(stack.enter_context(scratch)), env)
            taken = _take(work, directory, limit)
        except OSError as error:
            raise Invalid(
                f"no snapshot can be taken: {error.strerror}",
                file=error.filename,
                hint="is there room where TMPDIR points to, and may you read the work tree?",
            ) from None
        yield taken


def _root_of(directory: Path, found: PersonRepo | None) -> Path:
    top = directory.resolve()
    if not top.is_dir():
        raise Invalid("it is no directory", file=str(directory))
    if found is None:
        return top
    if found.root is None:
        raise Invalid("a bare repository has no work tree", file=str(directory), hint="go to a clone of it")
    root = found.root.resolve()
    if top.is_relative_to(found.git_dir.resolve()) or not top.is_relative_to(root):
        raise Invalid(
            "it is a part of Git's own files", file=str(directory), hint=f"go to the work tree, {root}"
        )
    return root


class _Work:
    """A work tree, with an index and an object directory of ours."""

    def __init__(self, root: Path, tracked: bool, scratch: Path, env: Mapping[str, str]) -> None:
        """Prepare them.

        Args:
            root: the top of the work tree.
            tracked: whether it belongs to a repository.
            scratch: a new directory.
            env: from `repo.environment`.
        """
        self.root = root
        # Should TMPDIR be inside the work tree, then this keeps us out of the snapshot.
        (scratch / ".gitignore").write_text("*\n")
        git_dir, common, algorithm = _places(root, tracked, env)
        self.store = make_repo(scratch / "store.git", env, algorithm)
        ours = {
            "GIT_INDEX_FILE": str(scratch / "index"),
            "GIT_OBJECT_DIRECTORY": f"{self.store.git_dir}/objects",
        }
        self._repo = Repo(git_dir or self.store.git_dir, {**env, **ours, "GIT_WORK_TREE": str(root)})
        if git_dir is not None and common is not None:
            borrowed = os.fsencode(common / "objects") + b"\n"
            (self.store.git_dir / "objects/info/alternates").write_bytes(borrowed)
            with contextlib.suppress(FileNotFoundError):
                # With its times: a file that is as young as the index may have changed since ("racy Git").
                shutil.copy2(git_dir / "index", scratch / "index")

    def git(self, *arguments: str, input: bytes | None = None) -> Completed:
        """Run a command that has to succeed, at the top of the work tree."""
        settings = [word for each in _SETTINGS for word in ("-c", each)]
        try:
            done = self._repo.git(
                "-C", str(self.root), *settings, *arguments, input=input, timeout=TREE_TIMEOUT
            )
        except TimedOut as error:
            raise Invalid(
                str(error), file=str(self.root), hint="a snapshot is for what builds need"
            ) from None
        if done.code != 0:
            raise Invalid(
                f"no snapshot can be taken: {done.complaint}",
                file=str(self.root),
                hint="repair what Git names, or let .gitignore name it",
            )
        return done


def _places(root: Path, tracked: bool, env: Mapping[str, str]) -> tuple[Path | None, Path | None, str]:
    """Return a work tree's Git directory, the one that all its work trees share, and the hash algorithm.

    Git itself has to find the repository once: where it is told the directory, it no longer asks to whom that
    belongs, and a stranger's configuration would run programs as us.
    """
    asked = ("--path-format=absolute", "--absolute-git-dir", "--git-common-dir", "--show-object-format")
    try:
        done = run(["git", "-C", root, "rev-parse", *asked], env=env, timeout=LOCAL_TIMEOUT)
    except FileNotFoundError:
        raise GitMissing("there is no git on PATH", hint="install Git 2.34 or later") from None
    lines = done.out.splitlines()
    if not tracked:
        if done.code == 0:  # seen with GIT_OBJECT_DIRECTORY set, as in some hooks
            raise Invalid(
                "Git finds a repository there, GitPython does not",
                file=str(root),
                hint="unset the variables that begin with GIT_",
            )
        return None, None, "sha1"
    if done.code != 0 or len(lines) != 3:
        raise Invalid(f"Git does not work there: {done.complaint}", file=str(root))
    return Path(os.fsdecode(lines[0])), Path(os.fsdecode(lines[1])), lines[2].decode()


def _take(work: _Work, directory: Path, limit: int) -> Snapshot:
    new = _new_files(work)
    if sum(new.values()) > limit:
        raise _too_large(work.root, new, limit)
    # Into one pack, not a file each: 20,000 new ones take 2.5 s instead of 5, and are sent in 0.3 s, not 2.
    added = work.git("-c", "core.bigFileThreshold=1", "add", "--all", "--sparse", "--no-warn-embedded-repo")
    tree = work.git("write-tree", "--missing-ok").out.decode().strip()
    commit = f"tree {tree}\nauthor {_WHO}\ncommitter {_WHO}\n\nA working tree, by bnet submit --here\n"
    oid = work.git("hash-object", "-t", "commit", "-w", "--stdin", input=commit.encode()).out.decode().strip()
    entries = [entry for entry in work.git("ls-files", "--stage", "-z").out.split(b"\0") if entry]
    nested = [entry.partition(b"\t")[2] for entry in entries if entry.startswith(b"160000 ")]
    inside = directory.resolve().relative_to(work.root).as_posix()
    return Snapshot(
        oid=oid,
        subdirectory="" if inside == "." else inside,
        files=len(entries) - len(nested),
        new_files=len(new),
        new_bytes=sum(new.values()),
        submodules=tuple(path.decode(errors="replace") for path in nested),
        warnings=tuple(added.err.decode(errors="replace").splitlines()),
        store=work.store,
    )


def _new_files(work: _Work) -> dict[str, int]:
    """Return the files that differ from the last commit, path -> size; nothing is stored for that yet."""
    options = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=dirty")
    sizes = {}
    for entry in work.git("status", *options).out.split(b"\0")[:-1]:
        path = os.fsdecode(entry[3:])  # behind two letters and a space
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # deleted ones
            found = (work.root / path).lstat()
            if not stat.S_ISDIR(found.st_mode):
                sizes[path] = found.st_size
    return sizes


def _too_large(root: Path, sizes: Mapping[str, int], limit: int) -> Invalid:
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:5]
    named = ", ".join(f"{_shown_path(path)} ({sizes[path] / 1e6:,.1f} MB)" for path in largest)
    return Invalid(
        f"{sum(sizes.values()) / 1e6:,.1f} MB in {len(sizes):,} files are not in the last commit, "
        f"and a snapshot takes {limit / 1e6:,.1f} MB at most; the largest: {named}",
        file=str(root),
        hint="let .gitignore name what is no source, or allow more",
    )


def _shown_path(path: str) -> str:
    return path.encode(errors="surrogateescape").decode(errors="replace")
