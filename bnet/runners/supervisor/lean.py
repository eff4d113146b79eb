"""What is needed of modules that are dear to import, from the C modules underneath them."""

TYPE_CHECKING = False  # mypy takes it for true; typing.TYPE_CHECKING would have to be imported
if TYPE_CHECKING:
    import signal as signal
    from typing import Any
else:
    import _signal as signal  # noqa: F401 (the others take it from here)

Document = dict[str, "Any"]


class _ScanRules:
    """What json.JSONDecoder passes to the C scanner by default."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def parse_object(data: bytes) -> Document:
    """Return the JSON object in data.

    Raises:
        ValueError: data is not one JSON object in UTF-8.
    """
    from _json import make_scanner

    text = data.decode("utf-8").strip()
    try:
        value, end = make_scanner(_ScanRules)(text, 0)  # type: ignore[arg-type]  # typeshed wants the whole JSONDecoder
    except StopIteration as error:
        raise ValueError("not a JSON document") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if end != len(text) or not isinstance(value, dict):
        raise ValueError("not one JSON object")
    return value


def to_json(value: object) -> str:
    """Return a value of plain types as JSON in ASCII."""
    from _json import encode_basestring_ascii

    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_json(key)}: {to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(to_json, value)) + "]"
    return encode_basestring_ascii(str(value))
