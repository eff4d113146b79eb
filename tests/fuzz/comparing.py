"""Targets of `bnet.compare`: archives of anybody, whose members are read and never unpacked to a name of theirs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

from target import Target, must

from bnet.compare.blobs import Blob, Budget
from bnet.compare.explain import MOST_NAMED, explain

FILES = {"a.py": b"x = 1\n", "b/c.txt": b"hello\nworld 2026-11-20 12:00:00\n"}


def compared(data: bytes) -> None:
    """Two archives, one after the other, are compared within bounds, whatever they are."""
    half = len(data) // 2
    for one, other in ((data, _zip()), (data[:half], data[half:]), (_tar(), data)):
        found = explain(Blob(one), Blob(other), Budget(2_000_000, 300))
        must(
            bool(found) == (one != other),
            "files that differ are not called the same, nor the other way round",
        )
        must(len(found) <= MOST_NAMED + 1, "the list of differences is bounded")
        for each in found:
            must(
                len(each.inside) <= 12 and all(len(line) < 300 for line in each.lines),
                "what is told is short",
            )


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in FILES.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return made.getvalue()


def _tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in FILES.items():
            info = tarfile.TarInfo(name + "x" * 120)
            info.size, info.mtime = len(text), 1.5e9 + 0.25
            archive.addfile(info, io.BytesIO(text))
    return made.getvalue()


def _ar() -> bytes:
    header = f"{'a.o/':<16}{0:<12}{0:<6}{0:<6}{100644:<8}{4:<10}`\n".encode()
    return b"!<arch>\n" + header + b"\x7fELF"


TARGETS = (
    Target(
        "compare",
        "bytes",
        compared,
        lambda: [
            _zip(),
            _tar(),
            _ar(),
            gzip.compress(_tar(), mtime=1),
            bz2.compress(_tar()),
            lzma.compress(_tar()),
            b"text\n" * 9,
        ],
        0.4,
    ),
)
