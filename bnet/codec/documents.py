"""JSON documents: one spelling for each value, and no field of a newer bnet lost in a rewrite."""

from typing import Any, TypeVar

import msgspec

from bnet.model.base import Record

R = TypeVar("R", bound=msgspec.Struct)

_decoders: dict[type, msgspec.json.Decoder[Any]] = {}

# What msgspec raises for bytes that are no document of a type: for text that is no UTF-8, and for what is nested
# deep, it has no errors of its own.
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Unreadable(ValueError):
    """The bytes are no document of the type that their path promises; the text says where."""


def encode(record: Record) -> bytes:
    """Return the canonical bytes of a record: sorted keys, two spaces, a final newline."""
    return _spell(msgspec.to_builtins(record))


def rewrite(before: bytes | None, record: Record) -> bytes:
    """Return the bytes of a record that replaces a document, with the fields that this bnet does not know.

    Args:
        before: the document as it stands, or None.
        record: its new content.
    """
    if before is None:
        return encode(record)
    try:
        return _spell(_merged(msgspec.json.decode(before, type=dict[str, object]), record))
    except BROKEN:
        return encode(record)


def _merged(old: dict[str, object], record: msgspec.Struct) -> dict[str, object]:
    fields = {field.encode_name: getattr(record, field.name) for field in msgspec.structs.fields(record)}
    new = {name: value for name, value in old.items() if name not in fields}
    new |= msgspec.to_builtins(record)
    for name, value in fields.items():
        inner = old.get(name)
        if name in new and isinstance(value, msgspec.Struct) and isinstance(inner, dict):
            new[name] = _merged(inner, value)
    return new


def decode(kind: type[R], data: bytes) -> R:
    """Return the record that a document holds; fields that are not known are passed over.

    Raises:
        Unreadable: it is no JSON, or a field has the wrong type.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        record: R = decoder.decode(data)
    except BROKEN as error:
        raise Unreadable(str(error)) from None
    return record


def _spell(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2) + b"\n"
