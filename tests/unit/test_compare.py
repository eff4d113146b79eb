"""Why two files differ: what is told of archives of each kind, and what hostile ones cost."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from bnet.compare.blobs import Blob, Budget
from bnet.compare.explain import Difference, explain
from bnet.compare.texts import build_id

Files = dict[str, bytes]
FILES: Files = {"a.py": b"x = 1\n", "b/c.txt": b"hello\nworld\n"}


def zipped(
    files: Files, at: tuple[int, ...] = (2020, 1, 1, 0, 0, 0), level: int = 6, mode: int = 0o644
) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, at)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=level)
    return made.getvalue()


def tarred(
    files: Files, at: float = 1.6e9, owner: str = "root", mode: int = 0o644, kind: int = tarfile.PAX_FORMAT
) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=kind) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uname, info.mode = len(data), at, owner, mode
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def ar(files: Files, at: int = 0) -> bytes:
    parts = [b"!<arch>\n"]
    for name, data in files.items():
        parts.append(
            f"{name:<16}{at:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
            + data
            + b"\n" * (len(data) % 2)
        )
    return b"".join(parts)


def packed(data: bytes, at: int = 0, level: int = 9) -> bytes:
    return gzip.compress(data, compresslevel=level, mtime=at)


def told(one: bytes, other: bytes) -> list[tuple[str, str]]:
    return [("/".join(each.inside), each.what) for each in explain(Blob(one), Blob(other))]


ROW = bytes(range(256))
CHANGED: Files = {**FILES, "b/c.txt": b"hello\nthere\n"}
TURNED: Files = dict(reversed(FILES.items()))
BUILT = (b"built 2026-11-20 12:00:01\n", b"built 2026-11-21 09:30:59\n")


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (b"same", b"same", []),
        (b"a\nb\n", b"a\nc\n", [("", "text")]),
        (*BUILT, [("", "time in text")]),
        (b"\0\1\2", b"\0\1\3", [("", "content")]),
        (zipped(FILES), zipped(CHANGED), [("b/c.txt", "text")]),
        (zipped(FILES), zipped(TURNED), [("", "order")]),
        (zipped(FILES), zipped(FILES, (2021, 1, 1, 0, 0, 0)), [("a.py", "time"), ("b/c.txt", "time")]),
        (zipped({"a": b"1"}), zipped({"a": b"1"}, mode=0o755), [("a", "mode")]),
        (zipped({"a": ROW * 90}), zipped({"a": ROW * 90}, level=0), [("a", "compression")]),
        (zipped({"a": b"1"}), zipped({"a": b"1", "b": b"2"}), [("b", "missing")]),
        (tarred(FILES), tarred(CHANGED), [("b/c.txt", "text")]),
        (tarred({"a": b"1"}), tarred({"a": b"1"}, at=1.7e9), [("a", "time")]),
        (tarred({"a": b"1"}), tarred({"a": b"1"}, at=1.6e9 + 0.5), [("a", "time")]),
        (tarred({"a": b"1"}), tarred({"a": b"1"}, owner="you"), [("a", "owner")]),
        (tarred({"x" * 300: b"1"}), tarred({"x" * 300: b"1"}, mode=0o600), [("x" * 300, "mode")]),
        (
            tarred({"x" * 300: b"1"}, kind=tarfile.GNU_FORMAT),
            tarred({"x" * 300: b"2"}, kind=tarfile.GNU_FORMAT),
            [("x" * 300, "text")],
        ),
        (packed(b"x", at=1), packed(b"x", at=1_600_000_000), [("", "gzip time")]),
        (packed(tarred(FILES)), packed(tarred(TURNED)), [("", "order")]),
        (packed(b"a\n"), packed(b"b\n"), [("content unpacked", "text")]),
        (packed(tarred(FILES)), packed(tarred(FILES), level=1), [("", "gzip compression")]),
        (bz2.compress(tarred(FILES)), bz2.compress(tarred(CHANGED)), [("b/c.txt", "text")]),
        (lzma.compress(tarred(FILES)), lzma.compress(tarred(CHANGED)), [("b/c.txt", "text")]),
        (lzma.compress(tarred(FILES)), lzma.compress(tarred(FILES), preset=0), [("", "compression")]),
        (bz2.compress(tarred(FILES)), lzma.compress(tarred(FILES)), [("", "compression")]),
        (ar({"a": b"1"}), ar({"a": b"1"}, at=5), [("a", "time")]),
        (
            ar({"data.tar.gz": packed(tarred(FILES))}),
            ar({"data.tar.gz": packed(tarred(CHANGED))}),
            [("data.tar.gz/b/c.txt", "text")],
        ),
        (zipped(FILES), tarred(FILES), [("", "kind")]),
    ],
)  # fmt: skip
def test_what_is_told_of_two_files(one: bytes, other: bytes, found: list[tuple[str, str]]) -> None:
    assert told(one, other) == found


def test_a_text_shows_what_changed_and_a_time_is_called_one() -> None:
    [each] = explain(Blob(BUILT[0]), Blob(BUILT[1]))
    assert each.lines == ("-built 2026-11-20 12:00:01", "+built 2026-11-21 09:30:59")


def test_a_build_id_is_found() -> None:
    note = struct.pack("<III", 4, 20, 3) + b"GNU\0" + bytes(range(20))
    assert build_id(b"\x7fELF\x02\x01" + bytes(100) + note) == bytes(range(20)).hex()
    assert build_id(b"\x7fELF" + b"GNU\0" * 50) == ""


def bomb(data: int = 40_000_000) -> bytes:
    return zipped({"bomb": bytes(data)}, level=9)


def many(count: int) -> Files:
    return {f"f{number}": b"" for number in range(count)}


HOSTILE: dict[str, tuple[Callable[[], bytes], Callable[[], bytes]]] = {
    "a zip bomb": (bomb, lambda: bomb(40_000_001)),
    "a gzip bomb": (lambda: packed(bytes(40_000_000)), lambda: packed(bytes(40_000_001))),
    "bombs in bombs": (lambda: packed(packed(bytes(60_000_000))), lambda: packed(packed(bytes(60_000_001)))),
    "an xz bomb": (lambda: lzma.compress(bytes(40_000_000)), lambda: lzma.compress(bytes(40_000_001))),
    "very many members": (lambda: zipped(many(3_000)), lambda: zipped(many(3_001))),
    "a torn zip": (lambda: zipped(FILES), lambda: zipped(FILES)[:-30]),
    "a torn gzip": (lambda: packed(tarred(FILES)), lambda: packed(tarred(FILES))[:-9]),
    "a torn tar": (lambda: tarred(FILES), lambda: tarred(CHANGED)[:1800]),
    "a huge size": (lambda: ar({"a": b"1"}), lambda: ar({"a": b"1"}).replace(b"1         `", b"9999999999`")),
    "no table of contents": (lambda: zipped(FILES), lambda: b"PK\3\4" + b"x" * 99 + b"PK\5\6" + b"\xff" * 18),
    "a long extended header": (lambda: tarred(FILES), lambda: _with_sum(b"././@LongLink", b"L", 8 << 30)),
}  # fmt: skip


def _with_sum(name: bytes, kind: bytes, size: int) -> bytes:
    block = bytearray(512)
    block[: len(name)], block[124:136], block[156:157] = name, b"%011o\0" % size, kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_cost_little_and_are_named(name: str) -> None:
    one, other = (make() for make in HOSTILE[name])
    begun = time.process_time()
    found = explain(Blob(one), Blob(other), Budget(20_000_000, 1_000))
    assert time.process_time() - begun < 10
    assert found and {each.what for each in found} & {"limit", "damaged", "kind", "compression", "missing"}, (
        found
    )


def test_members_lead_nowhere() -> None:
    one, other = ({"../../etc/passwd": data, "/abs\x1b[31m": data} for data in (b"1", b"2"))
    assert {each.inside[0] for each in explain(Blob(tarred(one)), Blob(tarred(other)))} == set(one)


def test_the_comparison_ends_after_so_many_differences() -> None:
    one, other = (zipped(many(300), at) for at in ((2020, 1, 1, 0, 0, 0), (2021, 1, 1, 0, 0, 0)))
    found: list[Any] = explain(Blob(one), Blob(other))
    assert len(found) == 201 and found[-1] == Difference((), "limit", "more differs than is told")
    assert zlib.crc32(one) != zlib.crc32(other)
