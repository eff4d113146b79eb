"""What the last build of a tree found: kept on this machine, disposable, and believed only when it is whole."""

import contextlib
from pathlib import Path

import msgspec
import xxhash

from bnet.build.files import Content
from bnet.build.keys import Inputs
from bnet.codec.documents import BROKEN
from bnet.files import read_or_none, write_atomic
from bnet.model.tree import Tree

MAGIC = b"bnet tree 1\n"  # another layout is another number; an unknown one is no record at all


class Watched(msgspec.Struct, frozen=True, array_like=True):
    """Paths, joined, and their stamps: while they are the same, so is what was found by way of them.

    `young` says that one of them may have changed once more without its stamp showing it.
    """

    paths: bytes = b""
    stamps: bytes = b""
    young: bool = False


class Tool(msgspec.Struct, frozen=True, array_like=True):
    """What a tool printed, and the executable that did; asked again if that is another, or `again` is set."""

    path: str
    stamp: bytes
    said: str
    again: bool = False


class Made(msgspec.Struct, frozen=True, array_like=True):
    """A package as it was last brought up to date.

    Attributes:
        declared: digest of what in the configuration says where its files are.
        key, inputs: what it was made from.
        produced: digest of its outputs, or its key where it has none: what its dependents' keys are made of.
        sources, outputs: the files.
        source_places, output_places: where they were looked for.
        seconds: how long its command took when it last ran.
        tier, reason: how it was brought up to date, and why so.
        at: when, as RFC 3339.
    """

    declared: bytes
    key: bytes
    inputs: Inputs
    produced: bytes
    sources: Content
    outputs: Content
    source_places: Watched
    output_places: Watched
    seconds: float
    tier: str
    reason: str
    at: str

    @property
    def young(self) -> bool:
        """Whether any of its files may have changed once more without a stamp that shows it."""
        files = self.sources.young or self.outputs.young
        return bool(files or self.source_places.young or self.output_places.young)


class Unmade(msgspec.Struct, frozen=True, kw_only=True):
    """A package whose last build left nothing that counts.

    Attributes:
        why: in words.
        sources: the paths of its sources then, each with a NUL after it.
        places: where they were looked for, likewise.
    """

    why: str
    sources: bytes = b""
    places: bytes = b""


class Record(msgspec.Struct):
    """What is known of a tree.

    Attributes:
        config: xxh3 of the content of `bnet.yaml`; `tree` is what it said.
        tree: parsed, so that it need not be again.
        tools: command -> what it said.
        made: package -> how it was left.
        unmade: package -> why nothing is known of its last build.
        hook_due: whether the tree's last hook has failed since something was built.
    """

    config: bytes = b""
    tree: Tree | None = None
    tools: dict[str, Tool] = {}
    made: dict[str, Made] = {}
    unmade: dict[str, Unmade] = {}
    hook_due: bool = False


def load(path: Path) -> Record:
    """Return what is known; nothing, where the file is missing, torn, altered, or of another version."""
    data = read_or_none(path)
    if data is not None and data.startswith(MAGIC) and data[-8:] == xxhash.xxh3_64_digest(data[:-8]):
        with contextlib.suppress(*BROKEN):
            return msgspec.msgpack.decode(data[len(MAGIC) : -8], type=Record)
    return Record()


def save(path: Path, record: Record) -> None:
    """Keep what is known, whole or not at all."""
    body = MAGIC + msgspec.msgpack.encode(record)
    write_atomic(path, body + xxhash.xxh3_64_digest(body), durable=False, mode=0o600)
