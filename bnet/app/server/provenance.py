"""What is written down beside a run's artifacts: a manifest, and where they came from as an in-toto statement.

The statement is https://in-toto.io/Statement/v1 with the predicate https://slsa.dev/provenance/v1 (SLSA 1.0).
"""

import msgspec

from bnet.codec.documents import encode
from bnet.model.artifact import Listed, Manifest
from bnet.model.job import JobSpec, Source
from bnet.model.run import Intent, RunExit

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = (
    "https://bnet.invalid/buildtypes/job/v1"  # docs/format.md, "Artifacts", says what its parameters are
)
MANIFEST, PROVENANCE = "manifest.json", "provenance.json"


def manifest_of(intent: Intent, ended: RunExit, files: tuple[Listed, ...], provenance: str) -> bytes:
    """Return the manifest of a run's files; the same run gives the same bytes.

    Args:
        intent: what the run was told to do; it has an origin.
        ended: how it ended.
        files: what it left.
        provenance: the blake3 of the statement beside it.
    """
    assert intent.origin is not None
    return encode(
        Manifest(
            job=intent.job,
            name=intent.name,
            attempt=intent.attempt,
            run=intent.run,
            server=intent.origin.server,
            finished_at=ended.finished_at,
            provenance=provenance,
            files=tuple(sorted(files, key=lambda each: each.path)),
        )
    )


def provenance_of(intent: Intent, ended: RunExit, files: tuple[Listed, ...]) -> bytes:
    """Return the statement on how a run's files were made."""
    origin = intent.origin
    assert origin is not None
    spec = origin.spec
    metadata: dict[str, object] = {"invocationId": intent.run, "finishedOn": ended.finished_at}
    if ended.started_at is not None:
        metadata["startedOn"] = ended.started_at
    statement = {
        "_type": STATEMENT,
        "subject": [
            {"name": each.path, "digest": {"sha256": each.sha256}}
            for each in sorted(files, key=lambda each: each.path)
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _asked(spec),
                "internalParameters": {"job": spec.number, "attempt": intent.attempt, "queue": spec.queue},
                "resolvedDependencies": _taken(spec, origin.hub),
            },
            "runDetails": {
                "builder": {
                    "id": f"urn:uuid:{origin.hub}#{origin.server}",
                    "version": {"bnet": origin.version},
                },
                "metadata": metadata,
            },
        },
    }
    return msgspec.json.format(msgspec.json.encode(statement, order="deterministic"), indent=2) + b"\n"


def _asked(spec: JobSpec) -> dict[str, object]:
    """Return what whoever submitted the job decides."""
    names = ("command", "packages", "source", "env", "matrix", "sandbox", "image", "inputs", "artifacts")
    told: dict[str, object] = msgspec.to_builtins(spec)
    return {"name": spec.name, "submittedBy": spec.submitted_by} | {
        name: told[name] for name in names if name in told
    }


def _taken(spec: JobSpec, hub: str) -> list[dict[str, object]]:
    """Return what the build took in, as resource descriptors."""
    found = [] if spec.source is None else [_source(spec.source, hub)]
    return found + [{"uri": f"urn:uuid:{hub}#job-{each.job}", "name": each.into} for each in spec.inputs]


def _source(source: Source, hub: str) -> dict[str, object]:
    if source.snapshot is not None:
        return {"uri": f"urn:uuid:{hub}#source", "digest": {"gitCommit": source.snapshot}}
    ref = f"@{source.ref}" if source.ref else ""
    found: dict[str, object] = {"uri": f"git+{source.repository}{ref}"}
    return found | ({"digest": {"gitCommit": source.commit}} if source.commit else {})
