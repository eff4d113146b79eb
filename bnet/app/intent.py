"""From a job to what a supervisor is told to do."""

from typing import NamedTuple

from bnet import __version__
from bnet.model.hub import ArtifactStore
from bnet.model.job import Job, JobSpec, Source
from bnet.model.run import Intent, Origin

SMALL = 1_000_000  # bytes of a run's artifacts that Git takes
BUILT = ".bnet/build.json"  # in the workspace: what a build of packages says of itself

# One commit without its history, and all of it where a host does not serve single commits.
_FETCH = (
    'git init -q . && (git fetch -q --depth=1 -- "$1" "$2" || git fetch -q -- "$1" "+refs/*:refs/bnet/*") '
    '&& git -c advice.detachedHead=false checkout -q --detach "$3" '
    '|| { echo "$2 of $1 cannot be fetched; what Git says of it stands above"; exit 1; }'
)


class Builder(NamedTuple):
    """How runs call bnet: the words that start it, the cache that all runs of a server share, and its BNET_HOME."""

    argv: tuple[str, ...]
    cache: str
    home: str = ""


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
    sandbox, command = _sandboxed(spec, inner, workspace, builder.cache if spec.packages else workspace)
    return Intent(
        run=job.claim.run,
        job=job.number,
        attempt=job.claim.attempt,
        name=spec.name,
        command=command,
        ttl_s=job.claim.ttl_s,
        on_lost_lease=spec.on_lost_lease,
        prepare=(*_source(spec.source, hub_url), *_inputs(spec, builder), *sandbox),
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


def _source(source: Source | None, hub_url: str) -> tuple[tuple[str, ...], ...]:
    if source is None:
        return ()
    if source.snapshot is not None:
        url, ref, oid = hub_url, f"refs/bnet/sources/{source.snapshot}", source.snapshot
    else:
        url, ref, oid = source.repository or "", source.commit or "", source.commit or ""
    return (("sh", "-c", _FETCH, "fetch-source", url, ref, oid),)


def _inputs(spec: JobSpec, builder: Builder) -> tuple[tuple[str, ...], ...]:
    """Return the commands that put other jobs' artifacts into the workspace; a run's environment names no home.

    `-P`: what stands in the workspace is the job's, and no part of bnet.
    """
    python, *rest = builder.argv
    argv = ("env", f"BNET_HOME={builder.home}", python, "-P", *rest, "artifact", "get", "--quiet")
    return tuple((*argv, str(each.job), "--output", each.into, "--inside", ".") for each in spec.inputs)


def _sandboxed(
    spec: JobSpec, command: str | tuple[str, ...], workspace: str, besides: str
) -> tuple[tuple[tuple[str, ...], ...], str | tuple[str, ...]]:
    """Return the steps that show whether the sandbox is there, and the command within it.

    Args:
        spec: which sandbox.
        command: what is run in it.
        workspace: what it may write to.
        besides: what else.
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
    wrap += ("--bind-try", besides, besides)
    wrap += ("--bind", workspace, workspace, "--chdir", workspace, "--unshare-net", "--die-with-parent", "--")
    return ((*wrap, "true"),), (*wrap, *inner)
