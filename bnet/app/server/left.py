"""What a run that has ended left behind: its files by digest, a manifest of them, and where they came from."""

import hashlib
from collections.abc import Callable

from bnet.app.server.decide import Left
from bnet.app.server.provenance import MANIFEST, PROVENANCE, manifest_of, provenance_of
from bnet.app.server.telemetry import artifact_path, run_path
from bnet.model.artifact import Listed
from bnet.model.run import RunFact
from bnet.ports.machine import Runs
from bnet.rules.keeping import TELEMETRY


def left_by(fact: RunFact, runs: Runs, digest: Callable[[bytes], str]) -> Left:
    """Return what a run left; what it left in Git is read, what is in the store is only listed.

    Args:
        fact: a run that has ended.
        runs: where its files are.
        digest: the blake3 of bytes, in hex.
    """
    assert fact.exit is not None
    built = runs.built(fact.key)
    stored = runs.kept(fact.key)
    if stored is not None:
        return Left(stored.artifacts, built, stored.manifest or None, stored.place)
    contents = runs.artifacts(fact.key)
    found = [each for each in fact.exit.artifacts if each.path in contents]
    if not found:
        return Left((), built)
    origin = fact.intent.origin
    server = "" if origin is None else origin.server
    files = tuple(
        Listed(
            path=each.path,
            size=each.size,
            mode=each.mode,
            blake3=digest(contents[each.path]),
            sha256=hashlib.sha256(contents[each.path]).hexdigest(),
        )
        for each in found
    )
    place = f"{TELEMETRY}{server}:"
    artifacts = tuple(each.at(place + artifact_path(fact.key, each.path)) for each in files)
    if origin is None:
        return Left(artifacts, built)  # begun by an older bnet
    provenance = provenance_of(fact.intent, fact.exit, files)
    manifest = manifest_of(fact.intent, fact.exit, files, digest(provenance))
    papers = {MANIFEST: manifest, PROVENANCE: provenance}
    return Left(artifacts, built, digest(manifest), place + run_path(fact.key), papers)
