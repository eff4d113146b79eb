"""What is written is read as the same, for every kind of document; and any JSON or YAML at all is read or refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import guard
import msgspec
import pytest
from bundle import headed, pack, split, unpack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import MACHINE_KINDS, PEOPLE_KINDS, document, inbox, persons_document, tree

from bnet.codec import people
from bnet.codec.documents import decode, encode, rewrite
from bnet.model.base import Record

FEW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a field's type, with what msgspec demands of them beside it."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return records(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return PLAIN
    if origin is Annotated:
        return _demanded(arguments[0], next(each for each in arguments[1:] if isinstance(each, msgspec.Meta)))
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if str(origin) == "typing.Literal":
        return st.sampled_from(arguments)
    if arguments:
        return st.one_of(*(values(each) for each in arguments))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: st.integers(-(2**70), 2**70),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        bytes: st.binary(max_size=20),
        type(None): st.none(),
        datetime: TIMES,
    }
    return plain[kind]


def _demanded(kind: Any, meta: msgspec.Meta) -> st.SearchStrategy[Any]:
    if kind is datetime:
        return TIMES
    if meta.pattern is not None:
        return st.from_regex(meta.pattern, fullmatch=False).filter(lambda text: len(text) < 200)
    if kind is int:
        return st.integers(_bound(meta.ge), _bound(meta.le))
    if kind is float:
        least = 0.0 if meta.ge is None else float(meta.ge)
        most = None if meta.le is None else float(meta.le)
        return st.floats(least, most, exclude_min=meta.gt is not None, allow_nan=False, allow_infinity=False)
    return values(kind).filter(
        lambda value: not isinstance(value, str) or len(value) >= (meta.min_length or 0)
    )


def _bound(value: float | None) -> int | None:
    return None if value is None else int(value)


def records(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Return a strategy for records of a type."""
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(
        kind, **{each.name: _field(kind, hints[each.name]) for each in msgspec.structs.fields(kind)}
    )


def _field(kind: type[msgspec.Struct], hint: Any) -> st.SearchStrategy[Any]:
    # What refers to itself ends after one step.
    return st.none() if kind in get_args(hint) else values(hint)


@pytest.mark.parametrize("name", sorted(MACHINE_KINDS))
def test_a_document_is_read_as_it_was_written(name: str) -> None:
    kind = MACHINE_KINDS[name]

    @FEW
    @given(records(kind), st.dictionaries(TEXT, PLAIN, max_size=3))
    def check(record: Record, unknown: dict[str, object]) -> None:
        data = encode(record)
        assert decode(kind, data) == record
        more = json.dumps(
            {f"newer {name}": value for name, value in unknown.items()} | json.loads(data)
        ).encode()
        kept = json.loads(rewrite(more, record))
        assert decode(kind, rewrite(more, record)) == record
        assert all(kept[f"newer {name}"] == value for name, value in unknown.items())

    check()


@pytest.mark.parametrize("name", sorted(PEOPLE_KINDS))
def test_what_people_may_edit_is_read_as_it_was_written(name: str) -> None:
    kind = PEOPLE_KINDS[name]

    @FEW
    @given(records(kind))
    def check(record: Record) -> None:
        text = people.parse(people.write(record), "x.yaml")
        assert people.read(text, kind, text.data) == record

    check()


@FEW
@given(st.sampled_from(sorted(MACHINE_KINDS)), PLAIN | st.dictionaries(TEXT, PLAIN))
def test_any_json_is_a_document_or_unreadable(name: str, value: object) -> None:
    document(headed(name, json.dumps(value).encode()))


@FEW
@given(PLAIN, st.sampled_from(sorted(PEOPLE_KINDS)))
def test_any_yaml_is_read_or_refused(value: object, name: str) -> None:
    text = people.dumped(value)
    persons_document(headed(name, text))
    inbox(text)
    tree(text)


@FEW
@given(
    st.dictionaries(
        TEXT.filter(bool), st.binary(max_size=30).filter(lambda data: b"\n===" not in data), max_size=4
    )
)
def test_files_of_an_input_are_what_was_packed(files: dict[str, bytes]) -> None:
    assert unpack(pack(files)) == files


@FEW
@given(TEXT.filter(lambda text: "\n" not in text), st.binary(max_size=30))
def test_a_head_is_taken_off_again(name: str, body: bytes) -> None:
    assert split(headed(name, body)) == (name, body)


def test_the_bounds_of_an_input_are_those_that_are_told() -> None:
    assert (guard.SECONDS, guard.GROWTH) == (2.0, 64 << 20)
