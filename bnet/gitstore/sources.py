"""Where the trees of jobs come from: refs of other repositories, and the snapshots that the hub keeps."""

import difflib
import os
import re
import tempfile
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from bnet.codec.addresses import check_address, shown
from bnet.errors import BnetError, HubUnreachable, Invalid, RepositoryUnreachable
from bnet.gitstore.repo import NETWORK_TIMEOUT, Repo
from bnet.process import TimedOut

SNAPSHOTS = "refs/bnet/sources/"
RESOLVE_TIMEOUT = 15.0  # seconds
AT_ONCE = 200  # refs deleted in one push: their names stand in its arguments

PROTOCOLS = "file:git:http:https:ssh"
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SNAPSHOT = re.compile(re.escape(SNAPSHOTS) + f"({_OID.pattern})")

# The rules of git-check-ref-format(1).
_NO_REF = re.compile(r"^$|^@$|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|[/.]$|\.lock(/|$)")


_AWAY = "its host cannot be reached"
_BUSY = "its host does not serve it at the moment"
# What Git and ssh print (in English, see `repo.environment`), and what that means. It decides nothing but
# what people read and whether another try is worth it.
_MEANINGS = (
    ("dubious ownership|unsafe repository", "it belongs to another user of its machine"),
    (r"host key verification failed", "this machine does not know the ssh key of its host"),
    (r"permission denied|authentication failed|access denied|not authorized|error: 403", "no permission"),
    (r"could not read (username|password)", "no permission, or there is no such repository"),
    (r"transport '.*' not allowed", "the Git of this machine may not use such addresses"),
    (r"error: (429|5\d\d)|early eof|operation too slow", _BUSY),
    (r"could ?n.t resolve|connection (refused|timed out|reset|closed)|unable to connect", _AWAY),
    (r"failed to connect|network is unreachable|no route to host|timed out", _AWAY),
    (r"not appear to be a git|repository .*not found|does not exist", "there is no repository"),
)


def resolve(repository: str, ref: str, env: Mapping[str, str]) -> str:
    """Return the commit that a ref of a repository is.

    Args:
        repository: an absolute path, `user@host:path`, or a URL of http, https, ssh, git or file.
        ref: a branch, a tag (of an annotated one, what it tags), a full ref, HEAD, or a full commit id, which
            is returned as it is.
        env: from `repo.environment`.

    Raises:
        RepositoryUnreachable: no answer came; it may be tried again.
        BnetError: it cannot be resolved; the message says why, and what would be right.
    """
    check_address(repository)
    if _OID.fullmatch(ref.lower()):
        return ref.lower()
    if _NO_REF.search(ref):
        raise Invalid(
            f"{ref!r} is no name of a ref",
            hint="name a branch, a tag, a full ref or all digits of a commit id",
        )
    names = (
        [ref]
        if ref == "HEAD" or ref.startswith("refs/")
        else [f"refs/{kind}{ref}" for kind in ("heads/", "tags/", "")]
    )
    refs = listed(repository, [*names, *(f"{name}^{{}}" for name in names)], env, RESOLVE_TIMEOUT)
    found = {name: refs.get(f"{name}^{{}}", refs[name]) for name in names if name in refs}
    if not found:
        raise _no_such_ref(repository, ref, env)
    if len(set(found.values())) > 1:
        raise Invalid(
            f"{ref!r} is more than one ref of {shown(repository)}", hint=f"write one of: {', '.join(found)}"
        )
    return next(iter(found.values()))


def _no_such_ref(repository: str, ref: str, env: Mapping[str, str]) -> BnetError:
    there = listed(repository, ["refs/heads/*", "refs/tags/*"], env, RESOLVE_TIMEOUT)
    names = sorted({re.sub(r"^refs/(heads|tags)/|\^\{\}$", "", name) for name in there})
    where = shown(repository)
    if not names:
        return Invalid(f"{where} is empty: it has no branch and no tag", hint="push a commit to it first")
    if re.fullmatch(r"[0-9a-fA-F]{4,63}", ref):
        return Invalid(
            f"{where} has no branch or tag {ref!r}; if it is a commit id, all 40 digits are needed: "
            "Git looks up no abbreviations from afar",
            hint="`git rev-parse` in a clone prints them",
        )
    if ref == "HEAD":
        return Invalid(f"the HEAD of {where} is a branch that does not exist", hint="name a branch")
    near = difflib.get_close_matches(re.sub(r"^refs/(heads|tags)/", "", ref), names, 3) or names[:3]
    return Invalid(
        f"{where} has no ref {ref!r}", hint=f"it has {len(names)}, for instance: {', '.join(near)}"
    )


def listed(address: str, patterns: Sequence[str], env: Mapping[str, str], timeout: float) -> dict[str, str]:
    """Return some refs of a repository, name -> id; one round trip.

    Args:
        address: where it is.
        patterns: as for `git ls-remote`, which finds names that end so as well.
        env: from `repo.environment`.
        timeout: seconds.

    Raises:
        RepositoryUnreachable: no answer came; it may be tried again.
        BnetError: there is none, or it may not be read.
    """
    check_address(address)
    # No directory of its own: a remote or a setting of the repository around us must mean nothing here.
    nowhere = Repo(Path(os.devnull), {"GIT_ALLOW_PROTOCOL": PROTOCOLS, **env})
    try:
        done = nowhere.git("ls-remote", "--", address, *patterns, timeout=timeout)
    except TimedOut:
        raise RepositoryUnreachable(f"{shown(address)} did not answer within {timeout:.0f} s") from None
    if done.code != 0:
        raise meant(address, done.complaint)
    # No `splitlines`: a name may hold what ends a line for Python, such as U+2028, and nothing that does for Git.
    lines = (line.split("\t", 1) for line in done.out.decode(errors="replace").split("\n") if line)
    return {name: oid for oid, name in lines}


def meant(address: str, complaint: str) -> BnetError:
    """Return the error for what Git says of a repository: whether another try is worth it, and the reason."""
    said = " ".join(shown(complaint).split())
    for pattern, words in _MEANINGS:
        if re.search(pattern, said, re.IGNORECASE):
            kind = RepositoryUnreachable if words in (_AWAY, _BUSY) else BnetError
            return kind(f"{shown(address)}: {words}", hint=f"Git says: {said}")
    return BnetError(f"{shown(address)} cannot be read: {said}")


def on_hub(hub_url: str, patterns: Sequence[str], env: Mapping[str, str]) -> dict[str, str]:
    """Return some refs of the hub, name -> id; see `listed`.

    Raises:
        HubUnreachable: they could not be read; it may be tried again.
    """
    try:
        return listed(hub_url, patterns, env, NETWORK_TIMEOUT)
    except BnetError as error:
        raise HubUnreachable(f"the hub cannot be reached: {error}", hint=error.hint) from None


def outdated(
    refs: Mapping[str, str], *, named: Set[str], first_seen: Mapping[str, float], now: float, keep: float
) -> dict[str, str]:
    """Return the refs of snapshots that may be deleted, name -> id.

    Args:
        refs: the hub's refs; what is no snapshot's is passed over.
        named: ids of the snapshots that jobs still need.
        first_seen: ref -> when it was seen first. A ref that is missing was seen just now: it may belong to
            a job whose transaction is still on its way.
        now: the time, in seconds on the same clock as `first_seen`.
        keep: seconds for which a snapshot stays although no job names it.
    """
    found = {}
    for ref, oid in refs.items():
        match = _SNAPSHOT.fullmatch(ref)
        if match and match[1] not in named and now - first_seen.get(ref, now) >= keep:
            found[ref] = oid
    return found


def delete(hub_url: str, refs: Mapping[str, str], env: Mapping[str, str]) -> list[str]:
    """Delete snapshots' refs on the hub, each only if it still is what was seen.

    Args:
        hub_url: where the hub is.
        refs: name -> id, as `outdated` returns them.
        env: from `repo.environment`.

    Returns:
        The names of those that the hub no longer has.

    Raises:
        HubUnreachable: it is not known which are gone; it may be tried again.
    """
    check_address(hub_url)
    for ref in refs:
        if not _SNAPSHOT.fullmatch(ref):
            raise ValueError(f"{ref} is no snapshot")
    pairs = list(refs.items())
    for start in range(0, len(pairs), AT_ONCE):
        _delete_some(hub_url, pairs[start : start + AT_ONCE], env)
    left = on_hub(hub_url, [f"{SNAPSHOTS}*"], env) if refs else {}
    return [ref for ref in refs if ref not in left]


def _delete_some(hub_url: str, pairs: Sequence[tuple[str, str]], env: Mapping[str, str]) -> None:
    leases = [f"--force-with-lease={ref}:{oid}" for ref, oid in pairs]
    with tempfile.TemporaryDirectory(prefix="bnet-") as scratch:
        repo = make_repo(Path(scratch), env, "sha1" if len(pairs[0][1]) == 40 else "sha256")
        try:
            # Its outcome is what the hub holds afterwards; one ref that has moved keeps no other from going.
            repo.git(
                "push",
                "--quiet",
                *leases,
                "--",
                hub_url,
                *(f":{ref}" for ref, _ in pairs),
                timeout=NETWORK_TIMEOUT,
            )
        except TimedOut as error:
            raise HubUnreachable(f"the hub {shown(hub_url)} did not answer: {error}") from None


def make_repo(directory: Path, env: Mapping[str, str], algorithm: str) -> Repo:
    """Make a bare repository that will not be kept, so its objects need not be durable.

    Args:
        directory: where; it is made if it is missing.
        env: from `repo.environment`.
        algorithm: `sha1` or `sha256`.
    """
    repo = Repo(directory, {"GIT_ALLOW_PROTOCOL": PROTOCOLS, **env})
    done = repo.git("init", "--quiet", "--bare", "--template=", f"--object-format={algorithm}")
    if done.code != 0:
        raise BnetError(
            f"{directory}: no repository can be made there: {done.complaint}", hint="is the disk full?"
        )
    return repo
