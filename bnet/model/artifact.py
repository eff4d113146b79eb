"""What is known of the files that runs left: what they are, where they came from, and how long they stay."""

from typing import Annotated

import msgspec

from bnet.model.base import Moment, Name, Record, Result, Seconds
from bnet.model.job import Artifact

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class Listed(Record, frozen=True, kw_only=True):
    """A file of a run: its path in the workspace, its bytes, its mode in octal, and two digests."""

    path: str
    size: int
    mode: str
    blake3: Digest
    sha256: Digest

    def at(self, place: str) -> Artifact:
        """Return it as a result names it, with the place where its bytes are."""
        return Artifact(path=self.path, size=self.size, mode=self.mode, blake3=self.blake3, place=place)


class Manifest(Record, frozen=True, kw_only=True):
    """`manifest.json` beside a run's artifacts; the ledger names it by its blake3.

    Attributes:
        format: of this document.
        job, name, attempt, run, server: whose files these are.
        finished_at: when the run ended.
        provenance: the blake3 of `provenance.json` beside it.
        files: in the order of their paths.
    """

    format: int = 1
    job: int
    name: Name
    attempt: int
    run: str
    server: Name
    finished_at: Moment
    provenance: Digest
    files: tuple[Listed, ...] = ()


class KeptRun(Record, frozen=True, kw_only=True):
    """The files of one attempt: who made them, how many, how large, the manifest's blake3, and where all that is."""

    attempt: int
    server: Name
    run: str
    manifest: Digest
    count: int
    size: int
    place: str


class Kept(Record, frozen=True, kw_only=True):
    """`artifacts/<bucket>/<number>.json`: the artifacts of a job that are kept, and by what the rules tell it.

    Attributes:
        job, name, queue, labels: of the job.
        at: when its last attempt ended that left something.
        result: how that attempt ended.
        runs: what each attempt left.
        gone: when and why they were given up; they are deleted from then on.
    """

    job: int
    name: Name
    at: Moment
    queue: Name = "default"
    labels: dict[str, str] = {}
    result: Result = "success"
    runs: tuple[KeptRun, ...] = ()
    gone: "Gone | None" = None


class Gone(Record, frozen=True, kw_only=True):
    """That artifacts were given up: when, why, and by whom."""

    at: Moment
    why: str
    by: str


class Shared(Record, frozen=True, kw_only=True):
    """`artifacts/files/<name>.json`: a file that somebody shares by the store, until it is old enough."""

    name: Name
    file: str
    size: int
    mode: str
    blake3: Digest
    sha256: Digest
    by: str
    at: Moment
    keep: Seconds
    place: str
