"""From a job to what a supervisor is told to do."""

from bnet.model.job import Job, JobSpec, Source
from bnet.model.run import Intent

# One commit without its history, and all of it where a host does not serve single commits.
_FETCH = (
    'git init -q . && (git fetch -q --depth=1 -- "$1" "$2" || git fetch -q -- "$1" "+refs/*:refs/bnet/*") '
    '&& git -c advice.detachedHead=false checkout -q --detach "$3" '
    '|| { echo "$2 of $1 cannot be fetched; what Git says of it stands above"; exit 1; }'
)


def intent_of(job: Job, hub_url: str, workspace: str) -> Intent:
    """Return the intent of the attempt that a job's live claim stands for.

    Args:
        job: a job with a claim.
        hub_url: where snapshots are fetched from.
        workspace: the directory that the attempt will run in.
    """
    assert job.claim is not None
    spec = job.spec
    sandbox, command = _sandboxed(spec, workspace)
    return Intent(
        run=job.claim.run,
        job=job.number,
        attempt=job.claim.attempt,
        name=spec.name,
        command=command,
        ttl_s=job.claim.ttl_s,
        on_lost_lease=spec.on_lost_lease,
        prepare=(*_source(spec.source, hub_url), *sandbox),
        env=spec.env,
        secrets=spec.secrets,
        timeout=spec.timeout,
        silence_timeout=spec.silence_timeout,
        artifacts=spec.artifacts,
    )


def _source(source: Source | None, hub_url: str) -> tuple[tuple[str, ...], ...]:
    if source is None:
        return ()
    if source.snapshot is not None:
        url, ref, oid = hub_url, f"refs/bnet/sources/{source.snapshot}", source.snapshot
    else:
        url, ref, oid = source.repository or "", source.commit or "", source.commit or ""
    return (("sh", "-c", _FETCH, "fetch-source", url, ref, oid),)


def _sandboxed(spec: JobSpec, workspace: str) -> tuple[tuple[tuple[str, ...], ...], str | tuple[str, ...]]:
    """Return the steps that show whether the sandbox is there, and the command within it."""
    if spec.sandbox == "none":
        return (), spec.command
    inner = ("sh", "-c", spec.command) if isinstance(spec.command, str) else spec.command
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
    wrap += ("--bind", workspace, workspace, "--chdir", workspace, "--unshare-net", "--die-with-parent", "--")
    return ((*wrap, "true"),), (*wrap, *inner)
