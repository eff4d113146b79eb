"""The members of archives, one after the other, as far as they can be read."""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from bnet.compare.blobs import CHUNK, Blob, Budget, Hostile, Stream
from bnet.compare.packed import moment, packing, unpacked

LONGEST_NAME = 4096  # bytes
MOST_EXTENDED = 1_000_000  # bytes of what a tar says of a member beyond its header
MOST_DIRECTORY = 32_000_000  # bytes of a zip's table of contents
# What `zipfile` raises over what is no archive, or a damaged one, or (NotImplementedError) packed in a way that it
# does not know: that archive is compared as a whole.
_BROKEN_ZIP = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError,
    NotImplementedError, struct.error, OverflowError, IndexError, UnicodeError,
)  # fmt: skip


class Member(NamedTuple):
    """A member of an archive.

    Attributes:
        name: as it stands there.
        facts: what the archive says of it besides its content: mode, owner, time, compression, ...
        chunks: reads its content; to be called before the next member is asked for.
    """

    name: str
    facts: dict[str, str]
    chunks: Callable[[], Iterator[bytes]]


def kind_of(blob: Blob, budget: Budget) -> str:
    """Return what kind of archive something is: `zip`, `tar`, `ar`, a compressed `gzip`, `bzip2`, `xz`, or ""."""
    head = blob.head(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"!<arch>\n"):
        return "ar"
    packed = packing(head)
    if packed:
        try:
            head = Stream(unpacked(blob, budget)).read(512)
        except Hostile:
            return packed
    return "tar" if _is_header(head) else packed


def members(blob: Blob, kind: str, budget: Budget) -> Iterator[Member]:
    """Yield the members of an archive, in its order.

    Raises:
        Hostile: it is damaged.
        Limit: there is too much in it.
    """
    if kind == "zip":
        yield from _zip(blob, budget)
    elif kind == "ar":
        yield from _ar(Stream(blob.chunks(budget)), budget)
    else:
        packed = packing(blob.head(8))
        yield from _tar(Stream(unpacked(blob, budget) if packed else blob.chunks(budget)), budget)


# -- zip, and what is one: wheels, jars, ...


def _zip(blob: Blob, budget: Budget) -> Iterator[Member]:
    _check_directory(blob)
    try:
        with blob.open() as file, zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                budget.member()
                yield Member(
                    info.filename[:LONGEST_NAME],
                    _zip_facts(info),
                    partial(_inflate, archive, info, budget),
                )
    except _BROKEN_ZIP as error:
        raise Hostile(f"it is no sound zip: {error}") from error


def _check_directory(blob: Blob) -> None:
    """Refuse a table of contents that would fill the memory: zipfile reads it all at once."""
    with blob.open() as file:
        size = blob.size
        file.seek(max(0, size - 66_000))
        tail = file.read(66_000)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise Hostile("it is no sound zip: it has no table of contents")
    (length,) = struct.unpack("<I", tail[at + 12 : at + 16])
    if length > MOST_DIRECTORY:
        raise Hostile("its table of contents is too large to be looked at")


def _zip_facts(info: zipfile.ZipInfo) -> dict[str, str]:
    year, month, day, hour, minute, second = info.date_time
    names = {0: "stored", 8: "deflated"}
    level = (
        {0: "normal", 2: "maximum", 4: "fast", 6: "fastest"}[info.flag_bits & 6]
        if info.compress_type == 8
        else ""
    )
    return {
        "time": f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}",
        "mode": f"{info.external_attr >> 16:06o}",
        "method": f"{names.get(info.compress_type, f'method {info.compress_type}')} {level}".strip(),
        "packed": f"{info.compress_size} bytes",
        "system": str(info.create_system),
        "extra": info.extra[:64].hex(),
        "comment": info.comment[:64].hex(),
    }


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[bytes]:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield f"crc {info.CRC:08x}, {info.file_size} bytes".encode()  # others unpack without bounds
        return
    try:
        with archive.open(info) as file:
            while chunk := file.read(CHUNK):
                budget.spend(len(chunk))
                yield chunk
    except _BROKEN_ZIP as error:
        raise Hostile(f"{info.filename[:200]} in it cannot be read: {error}") from error


# -- tar


def _is_header(block: bytes) -> bool:
    if len(block) < 512:
        return False
    told = _number(block[148:156])
    return told is not None and told == sum(block) - sum(block[148:156]) + 8 * 32


def _tar(stream: Stream, budget: Budget) -> Iterator[Member]:
    extended: dict[str, str] = {}
    while True:
        block = stream.read(512)
        if len(block) < 512 or not any(block):
            return
        if not _is_header(block):
            raise Hostile("a header of it is damaged")
        size = _number(block[124:136])
        if size is None or size < 0:
            raise Hostile("a size in it is no number")
        kind = block[156:157]
        padding = -size % 512
        if kind in b"LKxg":
            if size > MOST_EXTENDED:
                raise Hostile("what it says of a member is too long")
            extended |= _extended(kind, stream.read(size))
            stream.read(padding)
            budget.member()
            continue
        budget.member()
        name = (extended.pop("path", "") or _name(block))[:LONGEST_NAME]
        size = _octets(extended.pop("size", ""), size)
        facts = _tar_facts(block, kind, extended)
        extended = {}
        body = size if kind in (b"0", b"\0", b"7") else 0
        end = stream.at + body
        yield Member(name, facts, partial(stream.exactly, body))
        for _ in stream.exactly(end - stream.at):
            pass
        stream.read(-body % 512)


def _tar_facts(block: bytes, kind: bytes, extended: dict[str, str]) -> dict[str, str]:
    at = extended.pop("mtime", "")
    seconds = float(at) if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,20})?", at) else _number(block[136:148])
    owner = extended.pop("uname", "") or _text(block[265:297])
    group = extended.pop("gname", "") or _text(block[297:329])
    facts = {
        "time": "unreadable" if seconds is None else moment(seconds),
        "mode": f"{_number(block[100:108]) or 0:04o}",
        "owner": f"{owner}:{group} ({_number(block[108:116])}:{_number(block[116:124])})",
        "type": {b"0": "file", b"\0": "file", b"5": "directory", b"2": "link", b"1": "hard link"}.get(
            kind, f"type {kind!r}"
        ),
        "link": extended.pop("linkpath", "") or _text(block[157:257]),
    }
    extended.pop("atime", None)
    return facts | {f"pax {key}": value for key, value in sorted(extended.items())[:20]}


def _name(block: bytes) -> str:
    prefix = _text(block[345:500]) if block[257:262] == b"ustar" and block[262:264] == b"00" else ""
    return f"{prefix}/{_text(block[:100])}" if prefix else _text(block[:100])


def _extended(kind: bytes, data: bytes) -> dict[str, str]:
    if kind in b"LK":
        return {"path" if kind == b"L" else "linkpath": _text(data)}
    found, at = {}, 0
    while match := re.compile(rb"([0-9]{1,7}) ").match(data, at):
        length = int(match[1])
        if length <= len(match[0]) or at + length > len(data):
            break
        key, _, value = data[match.end() : at + length - 1].partition(b"=")
        found[key[:100].decode("utf-8", "replace")] = value[:LONGEST_NAME].decode("utf-8", "replace")
        at += length
    return found


def _octets(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else otherwise


def _number(field: bytes) -> int | None:
    if field[:1] in (b"\x80", b"\xff"):
        return int.from_bytes(field[1:], "big", signed=False)
    digits = field.strip(b" \0")
    return int(digits, 8) if re.fullmatch(rb"[0-7]*", digits) and digits else 0 if not digits else None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


# -- ar, and Debian's packages


def _ar(stream: Stream, budget: Budget) -> Iterator[Member]:
    stream.read(8)
    names = b""
    while len(header := stream.read(60)) == 60:
        budget.member()
        if header[58:] != b"`\n":
            raise Hostile("a header of it is damaged")
        found = re.fullmatch(rb"([0-9]{1,10}) *", header[48:58])
        if found is None:
            raise Hostile("a size in it is no number")
        size, name = int(found[1]), header[:16].rstrip()
        if name == b"//":
            if size > MOST_EXTENDED:
                raise Hostile("its table of names is too long")
            names = stream.read(size)
        else:
            end = stream.at + size
            shown = _long_name(name, names)
            yield Member(shown, _ar_facts(header), partial(stream.exactly, size))
            for _ in stream.exactly(end - stream.at):
                pass
        stream.read(size % 2)


def _long_name(name: bytes, names: bytes) -> str:
    found = re.fullmatch(rb"/([0-9]{1,9})", name)
    if found is not None:
        name = names[int(found[1]) :].partition(b"\n")[0][:LONGEST_NAME]
    return (name.removesuffix(b"/") or name).decode("utf-8", "replace")


def _ar_facts(header: bytes) -> dict[str, str]:
    at, owner, group, mode = (
        header[a:b].decode("latin-1").strip() for a, b in ((16, 28), (28, 34), (34, 40), (40, 48))
    )
    return {
        "time": moment(int(at)) if re.fullmatch("[0-9]{1,12}", at) else at,
        "owner": f"({owner}:{group})",
        "mode": mode,
    }
