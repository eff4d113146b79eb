"""Other repositories, beyond their refs: a file of a commit, and tags that are put there."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bnet.codec.addresses import check_address, shown
from bnet.errors import BnetError, RefusedByPolicy, RepositoryUnreachable
from bnet.gitstore.repo import NETWORK_TIMEOUT, Repo
from bnet.gitstore.sources import listed, make_repo, resolve
from bnet.process import TimedOut

ASK_TIMEOUT = 15.0  # seconds


class Found(NamedTuple):
    """A file of a repository, and the commit that it is of; no content where there is no such file."""

    commit: str
    data: bytes | None


def file_at(repository: str, ref: str, path: str, env: Mapping[str, str]) -> Found:
    """Return a file as a ref of a repository has it.

    Args:
        repository, ref: as for `resolve`.
        path: of the file, from the root of the tree.
        env: from `repo.environment`.

    Raises:
        BnetError: the ref cannot be resolved, or its commit cannot be fetched.
    """
    commit = resolve(repository, ref, env)
    with _fetched(repository, ref, commit, env) as repo:
        done = repo.git("cat-file", "blob", f"{commit}:{path}")
        return Found(commit, done.out if done.code == 0 else None)


@contextmanager
def _fetched(repository: str, ref: str, commit: str, env: Mapping[str, str]) -> Iterator[Repo]:
    """Fetch one commit, without its history, into a repository that is not kept."""
    check_address(repository)
    with tempfile.TemporaryDirectory(prefix="bnet-") as scratch:
        repo = make_repo(Path(scratch), env, "sha1" if len(commit) == 40 else "sha256")
        # A host may serve no single commits: then the ref, and in the end all of them.
        for what in ((commit,), (ref,), ("+refs/*:refs/there/*",)):
            depth = () if what[0].startswith("+") else ("--depth=1",)
            try:
                done = repo.git("fetch", "--quiet", *depth, "--", repository, *what, timeout=NETWORK_TIMEOUT)
            except TimedOut:
                raise RepositoryUnreachable(f"{shown(repository)} did not answer in time") from None
            if done.code == 0 and repo.git("cat-file", "-e", f"{commit}^{{commit}}").code == 0:
                yield repo
                return
        raise BnetError(f"{commit[:10]} of {shown(repository)} cannot be fetched: {shown(done.complaint)}")


def put_tag(
    repository: str, commit: str, name: str, message: str, env: Mapping[str, str], *, by: str, sign: bool
) -> bool:
    """Put an annotated tag on a commit of a repository; False if it is there already.

    Args:
        repository: where.
        commit: in full.
        name: of the tag.
        message: what it says.
        env: from `repo.environment`.
        by: the tagger's address.
        sign: whether to sign it, by the key that the user's Git is set up with.

    Raises:
        BnetError: another commit has that tag, it cannot be signed, or the repository does not take it.
    """
    ref = f"refs/tags/{name}"
    if _is_there(repository, ref, commit, env):
        return False
    with _fetched(repository, commit, commit, env) as repo:
        # The tagger's name stands before the address, and may hold neither its brackets nor a line end.
        who = "".join(sign for sign in by if sign.isprintable() and sign not in "<>").strip() or "bnet"
        person = (f"user.name={who}", f"user.email={who}")
        settings = [word for each in person for word in ("-c", each)]
        done = repo.git(*settings, "tag", "-s" if sign else "-a", "-m", message, "--", name, commit)
        if done.code != 0:
            hint = "`git tag -s` has to work here: user.signingKey, gpg.format" if sign else None
            raise BnetError(f"the tag {name} cannot be made: {done.complaint}", hint=hint)
        try:
            pushed = repo.git(
                "push",
                "--quiet",
                f"--force-with-lease={ref}:",
                "--",
                repository,
                f"{ref}:{ref}",
                timeout=NETWORK_TIMEOUT,
            )
        except TimedOut:
            pushed = None
    # What the repository holds decides, whatever the push has said.
    if not _is_there(repository, ref, commit, env):
        said = "it did not answer" if pushed is None else shown(pushed.complaint)
        raise RefusedByPolicy(
            f"{shown(repository)} does not take the tag {name}: {said}", hint="--no-tag leaves it out"
        )
    return True


def _is_there(repository: str, ref: str, commit: str, env: Mapping[str, str]) -> bool:
    refs = listed(repository, [ref, f"{ref}^{{}}"], env, ASK_TIMEOUT)
    there = refs.get(f"{ref}^{{}}", refs.get(ref))
    if there is not None and there != commit:
        raise BnetError(
            f"the tag {ref.removeprefix('refs/tags/')} of {shown(repository)} is on {there[:10]} already"
        )
    return there is not None


def branch_here(git_dir: Path, env: Mapping[str, str]) -> str:
    """Return the branch that is checked out; "" if none is."""
    done = Repo(git_dir, env).git("symbolic-ref", "--quiet", "HEAD")
    ref = done.out.decode(errors="replace").strip() if done.code == 0 else ""
    return ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else ""
