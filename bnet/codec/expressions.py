"""Conditions of steps: a few words and signs over texts, parsed here and nowhere handed to Python.

either     = both {"or" both}
both       = negated {"and" negated}
negated    = "not" negated | compared
compared   = value [("==" | "!=" | "matches") value | ["not"] "in" "[" value {"," value} "]"]
value      = "(" either ")" | text in quotes | true | false | name
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import msgspec

LONGEST = 1000  # characters
DEEPEST = 50
PLAIN = ("branch", "tag")
SPACES = ("labels", "matrix")

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<sign>==|!=|[()\[\],])|(?P<word>[A-Za-z0-9_][\w.-]*))"""
)
_NEED = re.compile(r"needs\.(?P<name>.+)\.result")

Value = str | bool


class Wrong(ValueError):
    """A condition is none; the text says what is wrong, and at which character."""


class Text(msgspec.Struct, frozen=True):
    """A text as it stands, or true or false."""

    value: Value


class Name(msgspec.Struct, frozen=True):
    """What is looked up: `branch`, `labels.urgent`, `needs.build.result`."""

    name: str


class Call(msgspec.Struct, frozen=True):
    """An operator and what it works on."""

    sign: str
    parts: tuple["Node", ...]


Node = Text | Name | Call


@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """Return what a condition means.

    Raises:
        Wrong: it is none.
    """
    if len(text) > LONGEST:
        raise Wrong(f"is longer than {LONGEST} characters")
    reader = _Reader(text)
    found = reader.either()
    if reader.word:
        raise reader.wrong(f"expects an operator or the end, not {reader.word}")
    return found


def names(node: Node) -> Iterator[str]:
    """Yield what a condition looks up."""
    if isinstance(node, Name):
        yield node.name
    elif isinstance(node, Call):
        for part in node.parts:
            yield from names(part)


def needed(name: str) -> str | None:
    """Return the step whose result a name stands for, if it is one."""
    found = _NEED.fullmatch(name)
    return None if found is None else found["name"]


def holds(node: Node, look_up: Callable[[str], str]) -> bool:
    """Tell whether a condition holds.

    Args:
        node: from `parse`.
        look_up: name -> its value; "" for what is not there.
    """
    value = _value(node, look_up)
    return value if isinstance(value, bool) else value != ""


def fits(pattern: str, text: str) -> bool:
    """Tell whether a text fits a pattern: `*` is anything but a slash, `**` anything, `?` one sign."""
    return bool(_pattern(pattern).fullmatch(text))


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    signs = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    # Several stars in a row mean no more than one, and many of them would take long to be tried.
    spelt = [signs.get(part, re.escape(part)) for part in parts if part]
    return re.compile(
        "".join(each for at, each in enumerate(spelt) if spelt[at - 1 : at] != [each]), re.DOTALL
    )


def _value(node: Node, look_up: Callable[[str], str]) -> Value:
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Name):
        return look_up(node.name)
    return _OPERATORS[node.sign](node.parts, look_up)


def _either(parts: tuple[Node, ...], look_up: Callable[[str], str]) -> bool:
    return any(holds(part, look_up) for part in parts)


def _both(parts: tuple[Node, ...], look_up: Callable[[str], str]) -> bool:
    return all(holds(part, look_up) for part in parts)


def _not(parts: tuple[Node, ...], look_up: Callable[[str], str]) -> bool:
    return not holds(parts[0], look_up)


def _equal(parts: tuple[Node, ...], look_up: Callable[[str], str]) -> bool:
    return _value(parts[0], look_up) == _value(parts[1], look_up)


def _among(parts: tuple[Node, ...], look_up: Callable[[str], str]) -> bool:
    return _value(parts[0], look_up) in [_value(part, look_up) for part in parts[1:]]


def _matches(parts: tuple[Node, ...], look_up: Callable[[str], str]) -> bool:
    return fits(str(_value(parts[1], look_up)), str(_value(parts[0], look_up)))


_OPERATORS: Mapping[str, Callable[[tuple[Node, ...], Callable[[str], str]], bool]] = {
    "or": _either,
    "and": _both,
    "not": _not,
    "==": _equal,
    "in": _among,
    "matches": _matches,
}
_WORDS = ("and", "or", "not", "in", "matches", "true", "false")


class _Reader:
    """Goes through a condition, one word at a time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = self.end = 0
        self.kind = self.word = ""
        self.depth = 0
        self.next()

    def next(self) -> None:
        rest = self.text[self.end :]
        self.at = self.end + len(rest) - len(rest.lstrip())
        if not rest.strip():
            self.kind = self.word = ""
            return
        found = _TOKEN.match(self.text, self.end)
        if found is None:
            raise self.wrong(f"{self.text[self.at]!r} has no meaning here")
        self.kind, self.word, self.end = found.lastgroup or "", found[found.lastgroup or 0], found.end()

    def wrong(self, what: str) -> Wrong:
        return Wrong(f"at character {self.at + 1}: {what}")

    def take(self, word: str) -> bool:
        taken = self.kind != "text" and self.word == word
        if taken:
            self.next()
        return taken

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.wrong(f"expects {word!r}" + (f", not {self.word}" if self.word else ", and it ends"))

    def either(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"is nested deeper than {DEEPEST} levels")
        parts = [self.both()]
        while self.take("or"):
            parts.append(self.both())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else Call("or", tuple(parts))

    def both(self) -> Node:
        parts = [self.negated()]
        while self.take("and"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else Call("and", tuple(parts))

    def negated(self) -> Node:
        flips = 0
        while self.take("not"):
            flips += 1
        found = self.compared()
        return Call("not", (found,)) if flips % 2 else found

    def compared(self) -> Node:
        left = self.value()
        if self.take("=="):
            return Call("==", (left, self.value()))
        if self.take("!="):
            return Call("not", (Call("==", (left, self.value())),))
        if self.take("matches"):
            return Call("matches", (left, self.value()))
        if self.take("in"):
            return self.listed(left)
        if self.take("not"):
            self.expect("in")
            return Call("not", (self.listed(left),))
        return left

    def listed(self, left: Node) -> Node:
        self.expect("[")
        parts = [left, self.value()]
        while self.take(","):
            parts.append(self.value())
        self.expect("]")
        return Call("in", tuple(parts))

    def value(self) -> Node:
        if self.take("("):
            inner = self.either()
            self.expect(")")
            return inner
        kind, word = self.kind, self.word
        if kind == "text":
            self.next()
            return Text(word[1:-1])
        if kind == "word" and word in ("true", "false"):
            self.next()
            return Text(word == "true")
        if kind == "word" and word not in _WORDS:
            if not is_known(word):
                known = "branch, tag, labels.NAME, matrix.AXIS or needs.STEP.result"
                raise self.wrong(f"there is no {word}; use {known}, and quote texts")
            self.next()
            return Name(word)
        raise self.wrong("expects a value" + (f", not {word}" if word else ", and it ends"))


def is_known(name: str) -> bool:
    """Tell whether a condition may look a name up."""
    space, _, rest = name.partition(".")
    return name in PLAIN or (space in SPACES and bool(rest)) or needed(name) is not None
