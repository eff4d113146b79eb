"""From a sound input to a hostile one: by its structure where it has one, by its bytes as well."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec
import yaml
from bundle import headed, pack, split, unpack

Kind = Literal["bytes", "text", "json", "yaml", "msgpack", "files", "headed-json", "headed-yaml"]

LONGEST = 1 << 15  # bytes of an input; what needs more than that has seeds of its own
RAW = "\ue000"  # stands around what is written into a document as it is, quotes or not

# Numbers, times, names and texts that have been trouble to somebody.
WEIRD: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    0.5,
    -0.0,
    1e308,
    5e-324,
    "",
    " ",
    "\0",
    ".",
    "..",
    "../../x",
    "/etc/passwd",
    "a/../b",
    "a//b/",
    "con",
    "nul.json",
    "-rf",
    "--upload-pack=x",
    "ext::sh -c x",
    "\u202e\u2066right to left",
    "\u2028\u2029\x85",
    "e\u0301\u0327\ufeff",
    "\U0001f4a5" * 20,
    "\ud800",
    "\udcff",
    "²",
    "١٢",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "0x10",
    "1_000",
    "on",
    "null",
    "*",
    "**",
    "[!",
    "{a,b}",
    "${matrix.a}",
    "1" * 400,
    "9" * 5000,
    "a" * 300,
    "x" * 5000,
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-23:59",
    "2026-11-20T12:00:00",
    "2026-02-30T12:00:00Z",
    "2026-11-20T12:00:00.123456789+05:30",
    "2026-11-20",
    "10y",
    "1h30m",
    "99999999w",
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"b": {"c": {}}}},
    [{}, [], "", 0, None],
    ["a"] * 300,
)
JSON_RAW = (
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "1" * 5000,
    "-0",
    "01",
    "1.",
    '"\\ud800"',
    '"\\u0000"',
    "[" * 3000,
)
YAML_RAW = (
    "!!python/object/apply:os.system [x]",
    "!!python/name:os.system",
    "!!timestamp 2020-01-01 00:00:00",
    "!!timestamp 2020-01-01",
    "!!timestamp 0001-01-01T00:00:00+23:59",
    "!!timestamp x",
    "!!float .nan",
    "!!float -.inf",
    "!!float 1e999",
    "!!int 0x" + "f" * 4000,
    "!!int 1" + ":59" * 3000,
    "!!int ''",
    "!!bool x",
    "!!binary =",
    "!!binary aGVsbG8=",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!pairs [a: 1]",
    "!!str [a]",
    "!!map [a]",
    "!!null x",
    "!unknown x",
    "&a [*a]",
    "&a {x: *a}",
    "*nowhere",
    "{? [a, b] : c}",
    "{? {a: b} : c, null: d, 1: e, true: f, 1.5: g}",
    "{<<: {a: b}}",
    "{<<: x}",
    "{a: 1, a: 2}",
    "{null: 1, 1: 2, a: 3}",
    "[&a [x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c], *d,*d,*d,*d]",
    "[&a " + "x" * 2000 + ", " + ",".join(["*a"] * 400) + "]",
    '"\\uD800"',
    '"\\x00"',
    "2026-11-20T12:00:00",
    "12:30:45",
    "[" * 200,
    "{a: " * 120,
)
TOKENS = (
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n",
    b"\t",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\x1b[31m",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"'",
    b"\\",
    b":",
    b": ",
    b",",
    b"- ",
    b"#",
    b"*",
    b"**",
    b"?",
    b"!",
    b"&a ",
    b"*a",
    b"<<",
    b"%",
    b"=",
    b"/",
    b"..",
    b"../",
    b"~",
    b"9" * 30,
    b"1e999",
    b"-1",
    b"\xff\xff\xff\xff",
    b"---\n",
    b"...\n",
    b"Bnet-Seq: 99999999999999\nBnet-Next-Job: 1\n",
)


class Mutator:
    """Makes inputs out of inputs; the same ones for the same random numbers."""

    def __init__(self, chance: random.Random, kind: Kind) -> None:
        self.chance = chance
        self._by_kind: dict[str, Callable[[bytes], bytes]] = {
            "bytes": self._bytes,
            "text": self._bytes,
            "json": self._json,
            "yaml": self._yaml,
            "msgpack": self._msgpack,
            "files": self._files,
            "headed-json": lambda data: self._headed(data, self._json),
            "headed-yaml": lambda data: self._headed(data, self._yaml),
        }
        self._mutate = self._by_kind[kind]

    def mutate(self, data: bytes, other: bytes) -> bytes:
        """Return a changed input.

        Args:
            data: what to begin with.
            other: another input of the same target, of which parts may be taken.
        """
        for _ in range(self.chance.choice((1, 1, 1, 2, 2, 3, 5))):
            data = self._mutate(data) if self.chance.random() < 0.85 else self._spliced(data, other)
            data = data[:LONGEST]
        return data

    # -- bytes

    def _bytes(self, data: bytes) -> bytes:
        at, end = sorted(self.chance.randint(0, len(data)) for _ in range(2))
        way = self.chance.randrange(9)
        if way == 0 and data:
            at = min(at, len(data) - 1)
            return data[:at] + bytes([data[at] ^ 1 << self.chance.randrange(8)]) + data[at + 1 :]
        if way == 1:
            return data[:at]
        if way == 2:
            return data[:at] + data[end:]
        if way == 3:
            return data[:at] + data[at:end] * self.chance.choice((2, 3, 10, 100)) + data[end:]
        if way == 4:
            return (
                data[:at]
                + self.chance.choice(TOKENS) * self.chance.choice((1, 1, 1, 2, 50, 2000))
                + data[at:]
            )
        if way == 5:
            return data[:at] + self.chance.randbytes(self.chance.choice((1, 2, 4, 16))) + data[at:]
        if way == 6:
            return data.replace(b"\n", b"\r\n") if self.chance.random() < 0.5 else b"\xef\xbb\xbf" + data
        if way == 7:
            lines = data.split(b"\n")
            self.chance.shuffle(lines)
            return b"\n".join(lines)
        return data[:at] + self.chance.choice(TOKENS) + data[end:]

    def _spliced(self, data: bytes, other: bytes) -> bytes:
        at, start = self.chance.randint(0, len(data)), self.chance.randint(0, len(other))
        return data[:at] + other[start:] if self.chance.random() < 0.3 else self._bytes(data)

    # -- values

    def _json(self, data: bytes) -> bytes:
        if self.chance.random() < 0.15:
            return self._bytes(data)
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return self._bytes(data)
        return self._spelt(self._changed(value), JSON_RAW)

    def _yaml(self, data: bytes) -> bytes:
        if self.chance.random() < 0.2:
            return self._bytes(data)
        try:
            # libyaml composes by recursion in C, and deep nesting ends the process.
            if _depth(yaml.parse(data, Loader=yaml.CBaseLoader)) > 100:
                return self._bytes(data)
            value = yaml.load(data, Loader=yaml.CBaseLoader)
            if _spread(value, {}) > LONGEST:
                return self._bytes(data)
        # A loader that builds texts alone has no end of its own for what refers to itself.
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            return self._bytes(data)
        return self._spelt(self._changed(value), YAML_RAW)

    def _spelt(self, value: object, raw: tuple[str, ...]) -> bytes:
        """Return a value as JSON, in which some texts are tokens that no value would be written as."""
        try:
            text = json.dumps(value, ensure_ascii=self.chance.random() < 0.5, skipkeys=True)[:LONGEST]
        except (ValueError, RecursionError):
            return b"null"
        text = re.sub(rf'"(?:{RAW}|\\ue000)"', lambda _: self.chance.choice(raw), text)
        return text.encode(errors="surrogatepass")

    def _changed(self, value: Any) -> Any:
        """Change one thing in a value of plain types, wherever it is."""
        if not isinstance(value, dict | list) or not value or self.chance.random() < 0.05:
            return self._other(value)
        if isinstance(value, dict):
            return self._changed_mapping(value)
        at = self.chance.randrange(len(value))
        way = self.chance.random()
        if way < 0.1:
            return value[:at] + value[at + 1 :]
        if way < 0.2:
            return value[:at] + [value[at]] * self.chance.choice((2, 3, 50)) + value[at:]
        if way < 0.25:
            return self.chance.sample(value, len(value))
        return [*value[:at], self._changed(value[at]), *value[at + 1 :]]

    def _changed_mapping(self, value: dict[Any, Any]) -> dict[Any, Any]:
        key = self.chance.choice(list(value))
        way = self.chance.random()
        if way < 0.08:
            return {name: each for name, each in value.items() if name != key}
        if way < 0.16:
            return {**value, str(self.chance.choice(WEIRD))[:200]: value[key]}
        if way < 0.22:
            other = str(self.chance.choice(WEIRD))[:200]
            return {(other if name == key else name): each for name, each in value.items()}
        if way < 0.27:
            return {**value, key: value[self.chance.choice(list(value))]}
        return {**value, key: self._changed(value[key])}

    def _other(self, value: object) -> object:
        way = self.chance.random()
        if way < 0.2:
            return RAW
        if way < 0.3 and isinstance(value, int | float):
            return value * self.chance.choice((-1, 2, 10**6, 10**40, 0))
        if way < 0.4 and isinstance(value, str) and value:
            at = self.chance.randint(0, len(value))
            return value[:at] + str(self.chance.choice(WEIRD))[:500] + value[at:]
        if way < 0.45:
            times = self.chance.choice((2, 40, 2000))
            return (value * times)[:LONGEST] if isinstance(value, str) else [value] * 40
        if way < 0.5:
            deep: object = value
            for _ in range(self.chance.choice((1, 5, 120, 900))):
                deep = [deep] if self.chance.random() < 0.5 else {"a": deep}
            return deep
        return self.chance.choice(WEIRD)

    def _msgpack(self, data: bytes) -> bytes:
        if self.chance.random() < 0.25:
            return self._bytes(data)
        try:
            return msgspec.msgpack.encode(self._changed_packed(msgspec.msgpack.decode(data)))
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
            return self._bytes(data)

    def _changed_packed(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return self._bytes(value) if self.chance.random() < 0.7 else self._changed("")
        if isinstance(value, list) and value and self.chance.random() < 0.9:
            at = self.chance.randrange(len(value))
            return [*value[:at], self._changed_packed(value[at]), *value[at + 1 :]]
        changed = self._changed(value)
        return 0.5 if changed == RAW else changed

    # -- several in one

    def _headed(self, data: bytes, inner: Callable[[bytes], bytes]) -> bytes:
        kind, body = split(data)
        return self._bytes(data) if self.chance.random() < 0.05 else headed(kind, inner(body))

    def _files(self, data: bytes) -> bytes:
        files = unpack(data)
        if not files or self.chance.random() < 0.05:
            return self._bytes(data)
        path = self.chance.choice(list(files))
        way = self.chance.random()
        if way < 0.05:
            del files[path]
        elif way < 0.12:
            files[self._renamed(path)] = files.pop(path)
        elif way < 0.17:
            files[self._renamed(path)] = files[path]
        elif way < 0.2:
            files[path] = files[self.chance.choice(list(files))]
        else:
            files[path] = self._by_kind[_kind_of(path)](files[path])
        return pack(files)

    def _renamed(self, path: str) -> str:
        parts = path.split("/")
        at = self.chance.randrange(len(parts))
        way = self.chance.random()
        if way < 0.4:
            parts[at] = str(self.chance.choice(WEIRD))[:200]
        elif way < 0.6:
            parts.insert(at, self.chance.choice(("..", ".", "", "x", "0000", "9" * 20)))
        elif way < 0.8:
            parts[at] += self.chance.choice((".json", ".yaml", "\n", "\0", " ", "1", "\u2028", "."))
        else:
            del parts[at]
        return "/".join(parts) or "x"


def _kind_of(path: str) -> str:
    for ending, kind in ((".json", "json"), (".yaml", "yaml"), (".yml", "yaml"), (".msgpack", "msgpack")):
        if path.endswith(ending):
            return kind
    return "bytes"


def _depth(events: Iterable[yaml.Event]) -> int:
    """Return how deep a document's mappings and lists lie in one another."""
    depth = deepest = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        deepest = max(deepest, depth)
    return deepest


def _spread(value: object, known: dict[int, float]) -> float:
    """Return how many values one has when all that is referred to is written out; what has no end has inf."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = float("inf")  # until it is known, it is in itself
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_spread(part, known) for part in parts)
    return known[id(value)]
