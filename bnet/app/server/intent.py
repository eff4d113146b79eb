"""From a job to what a supervisor is told to do."""

from typing import NamedTuple

from bnet import __version__
from bnet.model.hub import ArtifactStore
from bnet.model.job import Job, JobSpec
from bnet.model.run import Intent, Origin
from bnet.rules.reserved import COMMIT, SOURCE

SMALL = 1_000_000  # bytes of a run's artifacts that Git takes
BUILT = ".bnet/build.json"  # in the workspace: what a build of packages says of itself

PATIENCE = 300.0  # seconds that a job waits for a repository to come into this server's copy of it
PART = 4  # of a job's own time, that is a quarter at most: to wait for the copy, to fetch, and for the job itself

# A checkout that could not read or write a file says so, and ends with 0 all the same.
_WHOLE = "! git ls-files --deleted | grep -q ."
# One commit without its history, and all of it where a host does not serve single commits.
_FETCH = (
    'git init -q --object-format="$4" . '
    '&& (git fetch -q --depth=1 -- "$1" "$2" || git fetch -q -- "$1" "+refs/*:refs/bnet/*") '
    f'&& git -c advice.detachedHead=false checkout -q -f --detach "$3" && {_WHOLE} '
    '|| { echo "$2 of $1 cannot be fetched; what Git says of it stands above"; exit 1; }'
)
# A repository of the workspace's own that borrows the objects of the server's copy. How long abbreviated ids are
# must not depend on how much that has: versions of packages are made of them.
_BORROW = f"""
fetch() {{ {_FETCH}; }}
url=$1 oid=$3 kind=$4 workspace=$5 patience=$6
shift 6
instead() {{
    echo "this server's copy of $url is not used: the commit is fetched by itself, without history"
    rm -rf .git
    fetch "$url" "$oid" "$oid" "$kind"
}}
copy=$("$@" borrow --workspace="$workspace" --patience="$patience" -- "$url" "$oid") || {{ instead; exit 0; }}
git init -q --object-format="$kind" . &&
    printf '%s/objects\\n' "$copy" > .git/objects/info/alternates &&
    git config core.abbrev 7 &&
    git -c advice.detachedHead=false checkout -q --detach "$oid" &&
    {_WHOLE} && exit 0
instead
"$@" distrust -- "$url" "$copy"
exit 0
"""


class Builder(NamedTuple):
    """How runs call bnet, and what all runs of a server share.

    Attributes:
        argv: the words that start it.
        cache: the build cache.
        home: its BNET_HOME.
        copies: the directory of its copies of repositories; without it, each run fetches what it needs.
    """

    argv: tuple[str, ...]
    cache: str
    home: str = ""
    copies: str = ""


def intent_of(
    job: Job,
    hub_url: str,
    workspace: str,
    builder: Builder,
    hub: str = "",
    store: ArtifactStore | None = None,
) -> Intent:
    """Return the intent of the attempt that a job's live claim stands for.

    Args:
        job: a job with a claim.
        hub_url: where snapshots are fetched from.
        workspace: the directory that the attempt will run in.
        builder: for a job that is packages, or takes others' artifacts.
        hub: the hub's id, for the provenance of what the run leaves.
        store: where it goes if it is too large for Git.
    """
    assert job.claim is not None
    spec = job.spec
    inner, env = spec.command, spec.env
    if spec.packages:
        # A package that is made once more to be compared may not come out of the cache of who made it first.
        force = ("--force",) if spec.reproduce > 1 else ()
        inner = (*builder.argv, "build", *force, "--json-to", BUILT, "--", *spec.packages)
        env = {"BNET_CACHE": builder.cache} | env
    besides = builder.cache if spec.packages else workspace
    copies = builder.copies if _shares(spec, builder) else ""
    sandbox, command = _sandboxed(spec, inner, workspace, besides, copies)
    return Intent(
        run=job.claim.run,
        job=job.number,
        attempt=job.claim.attempt,
        name=spec.name,
        command=command,
        ttl_s=job.claim.ttl_s,
        on_lost_lease=spec.on_lost_lease,
        prepare=(*_source(spec, hub_url, workspace, builder), *_inputs(spec, builder), *sandbox),
        env=env,
        secrets=spec.secrets,
        timeout=spec.timeout,
        silence_timeout=spec.silence_timeout,
        artifacts=spec.artifacts,
        artifact_limit=SMALL if store is None else max(store.limit, store.small),
        origin=Origin(hub=hub, server=job.claim.server, version=__version__, spec=spec)
        if spec.artifacts
        else None,
        store=store if spec.artifacts else None,
    )


def _source(spec: JobSpec, hub_url: str, workspace: str, builder: Builder) -> tuple[tuple[str, ...], ...]:
    source = spec.source
    if source is None:
        return ()
    if source.snapshot is not None:
        url, ref, oid = hub_url, f"refs/bnet/sources/{source.snapshot}", source.snapshot
    else:
        url, ref, oid = source.repository or "", source.commit or "", source.commit or ""
    told = ("fetch-source", url, ref, oid, "sha256" if len(oid) == 64 else "sha1")
    if not _shares(spec, builder):
        return (("sh", "-c", _FETCH, *told),)
    given = (PATIENCE, *(each / PART for each in (spec.timeout, spec.silence_timeout) if each is not None))
    call = (*_bnet(builder), "source")
    return (("sh", "-c", _BORROW, *told, workspace, f"{min(given):.1f}", *call),)


def _shares(spec: JobSpec, builder: Builder) -> bool:
    """Tell whether a job borrows from the server's copy: it is of a source's commit, and can see what is outside.

    One that is tried again, or deployed again, has another key or none; its environment says the same.
    """
    commit = spec.source.commit if spec.source is not None and spec.source.snapshot is None else None
    of_source = commit is not None and spec.env.get(SOURCE) and spec.env.get(COMMIT) == commit
    return bool(builder.copies and of_source and spec.sandbox != "podman")


def _bnet(builder: Builder) -> tuple[str, ...]:
    """Return the words that start bnet in a workspace; a run's environment names no home.

    `-P`: what stands in the workspace is the job's, and no part of bnet.
    """
    python, *rest = builder.argv
    return ("env", f"BNET_HOME={builder.home}", python, "-P", *rest)


def _inputs(spec: JobSpec, builder: Builder) -> tuple[tuple[str, ...], ...]:
    """Return the commands that put other jobs' artifacts into the workspace."""
    argv = (*_bnet(builder), "artifact", "get", "--quiet")
    return tuple((*argv, str(each.job), "--output", each.into, "--inside", ".") for each in spec.inputs)


def _sandboxed(
    spec: JobSpec, command: str | tuple[str, ...], workspace: str, besides: str, copies: str
) -> tuple[tuple[tuple[str, ...], ...], str | tuple[str, ...]]:
    """Return the steps that show whether the sandbox is there, and the command within it.

    Args:
        spec: which sandbox.
        command: what is run in it.
        workspace: what it may write to.
        besides: what else.
        copies: what it has to see wherever it stands; "" for nothing.
    """
    if spec.sandbox == "none":
        return (), command
    inner = ("sh", "-c", command) if isinstance(command, str) else command
    if spec.sandbox == "podman":
        image = spec.image or "docker.io/library/debian:stable-slim"
        names = [
            f"--env={name}" for name in (*spec.env, *spec.secrets, "BNET_JOB", "BNET_ATTEMPT", "BNET_RUN")
        ]
        mount = ("--volume", f"{workspace}:{workspace}", "--workdir", workspace)
        return (("podman", "image", "inspect", "--format", "{{.Id}}", image),), (
            *("podman", "run", "--rm", *names, *mount, image),
            *inner,
        )
    wrap: tuple[str, ...] = (
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--tmpfs",
        "/tmp",
    )
    if copies:
        wrap += ("--ro-bind-try", copies, copies)
    wrap += ("--bind-try", besides, besides)
    wrap += ("--bind", workspace, workspace, "--chdir", workspace, "--unshare-net", "--die-with-parent", "--")
    return ((*wrap, "true"),), (*wrap, *inner)
