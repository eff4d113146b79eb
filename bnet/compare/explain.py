"""Why two files differ, as a list of what differs in them, from the outermost archive to the innermost member."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import blake3

from bnet.compare.blobs import Blob, Budget, Hostile, Limit
from bnet.compare.members import Member, kind_of, members
from bnet.compare.packed import gzip_header, packing, unpacked
from bnet.compare.texts import as_text, build_id, difference, first_difference, looks_like_time

DEEPEST = 4  # archives in archives
MOST_NAMED = 200  # differences that are told of one file
LARGEST = 8_000_000  # bytes of a file between which a difference is looked for
MOST_INTO = 50  # members of an archive that are looked into
_PACKED = ("gzip", "bzip2", "xz")


class Difference(NamedTuple):
    """One thing that differs.

    Attributes:
        inside: the members that lead to it, from the outermost archive on.
        what: one word: `content`, `text`, `time`, `order`, `mode`, `owner`, `missing`, `compression`, `limit`, ...
        one, other: how it is on either side.
        lines: of a text, what differs.
    """

    inside: tuple[str, ...]
    what: str
    one: str = ""
    other: str = ""
    lines: tuple[str, ...] = ()


class Seen(NamedTuple):
    """A member as it was seen: its name and how often that came before, what the archive says of it, its digest."""

    key: tuple[str, int]
    facts: dict[str, str]
    digest: bytes


def explain(one: Blob, other: Blob, budget: Budget | None = None) -> list[Difference]:
    """Return why two files differ; nothing, if they are the same bytes."""
    found: list[Difference] = []
    with Budget() if budget is None else budget as spent:
        for each in _files(one, other, (), spent):
            if len(found) == MOST_NAMED:
                found.append(Difference((), "limit", "more differs than is told"))
                break
            found.append(each)
    return found


def _files(one: Blob, other: Blob, inside: tuple[str, ...], budget: Budget) -> Iterator[Difference]:
    try:
        if _digest(one.chunks(budget)) == _digest(other.chunks(budget)):
            return
        kinds = kind_of(one, budget), kind_of(other, budget)
        if kinds[0] != kinds[1]:
            yield Difference(inside, "kind", kinds[0] or "no archive", kinds[1] or "no archive")
        elif kinds[0] and len(inside) < DEEPEST:
            yield from _told(_archives(one, other, kinds[0], inside, budget), one, other, inside)
        else:
            yield from _contents(one, other, inside)
    except Limit as error:
        yield Difference(inside, "limit", str(error))
    except Hostile as error:
        yield Difference(inside, "damaged", str(error))
        yield from _contents(one, other, inside)


def _told(
    found: Iterable[Difference], one: Blob, other: Blob, inside: tuple[str, ...]
) -> Iterator[Difference]:
    """Yield differences, or if there are none although the files differ, where their bytes do."""
    told = False
    for each in found:
        told = True
        yield each
    if not told:
        ours, theirs = one.head(LARGEST), other.head(LARGEST)
        yield Difference(
            inside, "compression", f"the same is in both, packed otherwise {first_difference(ours, theirs)}"
        )


def _archives(
    one: Blob, other: Blob, kind: str, inside: tuple[str, ...], budget: Budget
) -> Iterator[Difference]:
    ours, theirs = packing(one.head(8)), packing(other.head(8))
    if ours != theirs:
        yield Difference(inside, "compression", ours or "none", theirs or "none")
    elif ours == "gzip":
        yield from _facts(gzip_header(one.head(512)), gzip_header(other.head(512)), inside, "gzip ")
    if kind in _PACKED:
        name = inside[-1] if inside else "content"
        inner = [budget.keep(unpacked(each, budget)) for each in (one, other)]
        yield from _files(inner[0], inner[1], (*inside, f"{name} unpacked"), budget)
        return
    yield from _members(one, other, kind, inside, budget)


def _members(
    one: Blob, other: Blob, kind: str, inside: tuple[str, ...], budget: Budget
) -> Iterator[Difference]:
    left, right = (_seen(each, kind, budget) for each in (one, other))
    ours, theirs = ({each.key: each for each in seen} for seen in (left, right))
    for key in (key for key in ours if key not in theirs):
        yield Difference((*inside, key[0]), "missing", "there", "not there")
    for key in (key for key in theirs if key not in ours):
        yield Difference((*inside, key[0]), "missing", "not there", "there")
    shared = [key for key in ours if key in theirs]
    order = [key for key in theirs if key in ours]
    if shared != order:
        place = next(at for at, (a, b) in enumerate(zip(shared, order, strict=True)) if a != b)
        yield Difference(inside, "order", f"{shared[place][0]} is next", f"{order[place][0]} is next")
    changed = [key for key in shared if ours[key].digest != theirs[key].digest]
    for key in shared:
        same = key not in set(changed[:MOST_INTO]) and ours[key].digest == theirs[key].digest
        yield from _facts(
            _comparable(ours[key].facts, same), _comparable(theirs[key].facts, same), (*inside, key[0])
        )
    into = set(changed[:MOST_INTO])
    bodies = [_bodies(each, kind, into, budget) for each in (one, other)]
    for key in changed[:MOST_INTO]:
        nothing = Blob(b"")
        yield from _files(bodies[0].get(key, nothing), bodies[1].get(key, nothing), (*inside, key[0]), budget)
    if len(changed) > MOST_INTO:
        yield Difference(inside, "limit", f"{len(changed) - MOST_INTO} further members have other contents")


def _comparable(facts: dict[str, str], same: bool) -> dict[str, str]:
    """Leave out how small a member was packed, where that follows from its content."""
    return facts if same else {name: value for name, value in facts.items() if name != "packed"}


def _facts(
    one: Mapping[str, str], other: Mapping[str, str], inside: tuple[str, ...], before: str = ""
) -> Iterator[Difference]:
    for name in dict.fromkeys([*one, *other]):
        if one.get(name, "") != other.get(name, ""):
            what = "compression" if name in ("packed", "method") else before + name
            yield Difference(inside, what, one.get(name) or "none", other.get(name) or "none")


def _seen(blob: Blob, kind: str, budget: Budget) -> list[Seen]:
    found, counts = [], dict[str, int]()
    for each in members(blob, kind, budget):
        count = counts[each.name] = counts.get(each.name, -1) + 1
        found.append(Seen((each.name, count), each.facts, _digest(each.chunks())))
    return found


def _bodies(
    blob: Blob, kind: str, wanted: set[tuple[str, int]], budget: Budget
) -> dict[tuple[str, int], Blob]:
    """Return the contents of some members."""
    found, counts = dict[tuple[str, int], Blob](), dict[str, int]()
    for each in members(blob, kind, budget) if wanted else ():
        count = counts[each.name] = counts.get(each.name, -1) + 1
        if (each.name, count) in wanted:
            found[each.name, count] = budget.keep(each.chunks())
    return found


def _contents(one: Blob, other: Blob, inside: tuple[str, ...]) -> Iterator[Difference]:
    ours, theirs = one.head(LARGEST), other.head(LARGEST)
    if ours == theirs and one.size == other.size:
        yield Difference(inside, "content", f"differs beyond the first {LARGEST:,} bytes")
        return
    lines = as_text(ours), as_text(theirs)
    if lines[0] is not None and lines[1] is not None:
        found = difference(lines[0], lines[1])
        what = "time in text" if looks_like_time(found) else "text"
        yield Difference(inside, what, lines=tuple(found))
        return
    ids = build_id(ours), build_id(theirs)
    if ids[0] != ids[1]:
        yield Difference(inside, "build id", ids[0] or "none", ids[1] or "none")
    sizes = (f"{one.size:,} bytes", f"{other.size:,} bytes")
    yield Difference(inside, "content", *sizes, lines=(first_difference(ours, theirs),))


def _digest(chunks: Iterable[bytes]) -> bytes:
    found = blake3.blake3()
    for chunk in chunks:
        found.update(chunk)
    return found.digest()


__all__ = ["Difference", "Member", "explain"]
