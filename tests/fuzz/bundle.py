"""Several files in one input: a line `=== "path"` before each, with the path as JSON, so that any name fits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

HEAD = re.compile(rb'^=== ("(?:[^"\\\n]|\\.)*")\n', re.MULTILINE)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return files as one input."""
    return b"".join(
        b"=== " + json.dumps(path).encode() + b"\n" + data + b"\n" for path, data in files.items()
    )


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the files of an input; what stands before the first head is no part of any."""
    heads = list(HEAD.finditer(data))
    ends = [head.start() for head in heads[1:]] + [len(data)] * bool(heads)
    found: dict[str, bytes] = {}
    for head, end in zip(heads, ends, strict=True):
        try:
            path = json.loads(head[1])
        except ValueError:
            continue
        # The line end before the next head is not the file's.
        found[str(path)] = data[head.end() : end].removesuffix(b"\n")
    return found


def headed(kind: str, body: bytes) -> bytes:
    """Return an input of which the first line says what the rest is."""
    return kind.encode() + b"\n" + body


def split(data: bytes) -> tuple[str, bytes]:
    """Undo `headed`."""
    kind, _, body = data.partition(b"\n")
    return kind.decode(errors="replace"), body
