"""Snapshots of a person's working tree, made beside the repository and never in it."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bnet.errors import Invalid
from bnet.gitstore.personal import PersonRepo, find_repository
from bnet.gitstore.repo import LOCAL_TIMEOUT, GitMissing, Repo
from bnet.gitstore.snapshot import Snapshot
from bnet.gitstore.sources import make_repo
from bnet.process import Completed, TimedOut, run

LIMIT = 100_000_000  # bytes
TREE_TIMEOUT = 600.0  # seconds

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
