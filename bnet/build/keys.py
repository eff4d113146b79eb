"""Keys: what a package is made of, in a digest; and which part of it was the first to differ."""

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from blake3 import blake3

from bnet.build.files import Content
from bnet.codec.documents import BROKEN
from bnet.model.tree import Package, Tree

FORMAT = "bnet-build-2"  # another meaning of keys is another format, and no old entry is taken for a new one
PLATFORM = f"{sys.platform}-{platform.machine()}"
ABSENT = "(not set)"
UNSET = f"\0{ABSENT}"  # in place of a value; none has a NUL in it
OUTPUT = "the output of dependency"
NOT_ASKED = "(not asked for)"  # what was not declared then, or is not now
SOME_VALUE = "another value"  # of a variable, where its own is not shown
_SECRET = re.compile(
    r"token|secret|passw|passphrase|credential|private|(?:auth|key|pass)s?(?![a-z])", re.IGNORECASE
)


class Inputs(msgspec.Struct, frozen=True, array_like=True):
    """Everything that a package's key is made of.

    Attributes:
        recipe: its command, hooks and directory, as text.
        env: variable -> value, for those that count; what stands for none or for bytes begins with a NUL.
        tools: command -> what it printed.
        sources: digest of all source files: names, kinds and contents.
        dependencies: package -> digest of its outputs.
        platform: operating system and processor.
    """

    recipe: str
    env: dict[str, str]
    tools: dict[str, str]
    sources: bytes
    dependencies: dict[str, bytes]
    platform: str = PLATFORM


class Difference(NamedTuple):
    """The first input that differed: what kind, which one, from what, to what."""

    what: str
    name: str
    before: str
    after: str

    def __str__(self) -> str:
        named = f"{self.what} {self.name}".strip()
        if self.before and self.after:
            return f"{named} changed from {self.before} to {self.after}"
        return f"{named} {self.after or self.before}"


def recipe_of(package: Package) -> str:
    """Return what is done, as text; what it is done with is not in it."""
    told = {
        "path": package.path,
        "build_cmd": package.build_cmd,
        "hooks": package.hooks,
        "outputs": package.outputs,
    }
    return msgspec.json.encode(told).decode()


def env_of(tree: Tree, package: Package, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that count, with the values that they have now."""
    return {name: _as_text(env.get(name, UNSET)) for name in sorted({*tree.env, *package.env})}


def _as_text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"\0(bytes) {os.fsencode(value).hex()}"
    return value


def is_secret(name: str) -> bool:
    """Tell whether a variable's name says that its value is nobody's business."""
    return bool(_SECRET.search(name))


def shown(name: str, value: str) -> str:
    """Return a variable's value as people see it in a sentence."""
    if is_secret(name) and value != UNSET:
        return SOME_VALUE
    return value[1:] if value.startswith("\0") else repr(value)


def listed(env: Mapping[str, str]) -> dict[str, str]:
    """Return variables with their values as people see them in a list."""
    return {
        name: "(not shown)" if is_secret(name) and value != UNSET else value.removeprefix("\0")
        for name, value in env.items()
    }


def hidden(env: Mapping[str, str]) -> dict[str, str]:
    """Return variables with digests in place of values, which may be nobody's business."""
    return {name: blake3(value.encode()).hexdigest()[:16] for name, value in env.items()}


def digest_of(content: Content) -> bytes:
    """Return the digest of files: their names, kinds and contents, and nothing else about them."""
    return blake3(b"\0".join((content.paths, content.kinds.encode(), content.digests))).digest()


def key_of(inputs: Inputs) -> bytes:
    """Return the key under which outputs made from these inputs are kept."""
    return blake3(FORMAT.encode() + msgspec.msgpack.encode(inputs, order="deterministic")).digest()


def difference(before: Inputs, after: Inputs, old: Content | None, new: Content) -> Difference | None:
    """Return the first thing that differs between two builds of a package; None if nothing does (`differences`)."""
    return next(differences(before, after, old, new), None)


def differences(before: Inputs, after: Inputs, old: Content | None, new: Content) -> Iterator[Difference]:
    """Yield what differs between two builds of a package.

    Args:
        before, after: the inputs of the two.
        old: the sources of the first, where they are known file by file.
        new: those of the second.
    """
    if before.platform != after.platform:
        yield Difference("the platform", "", before.platform, after.platform)
    if before.recipe != after.recipe:
        yield from _recipes(before.recipe, after.recipe)
    yield from _variables(before.env, after.env)
    for name in sorted(before.tools.keys() | after.tools.keys()):
        one, two = before.tools.get(name), after.tools.get(name)
        if one != two:
            yield Difference("tool", name, _said(one), _said(two))
    if before.sources != after.sources:
        yield from _files(old, new)
    for name in sorted(before.dependencies.keys() | after.dependencies.keys()):
        one_digest, two_digest = before.dependencies.get(name), after.dependencies.get(name)
        if one_digest is None or two_digest is None:
            yield Difference("dependency", name, "", "was added" if one_digest is None else "was removed")
        elif one_digest != two_digest:
            yield Difference(OUTPUT, name, one_digest.hex()[:12], two_digest.hex()[:12])


def _variables(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        one, two = (shown(name, env[name]) if name in env else NOT_ASKED for env in (before, after))
        yield of_variable(name, one, two)


def of_variable(name: str, before: str, after: str) -> Difference:
    """Return how a variable differs, of which both values are as `shown`."""
    if before == after == SOME_VALUE:
        return Difference("variable", name, "", f"has {SOME_VALUE}")
    return Difference("variable", name, before, after)


def _said(value: str | None) -> str:
    return NOT_ASKED if value is None else repr(value.strip())


def _recipes(before: str, after: str) -> Iterator[Difference]:
    one, two = _fields_of(before), _fields_of(after)
    changed = [name for name in two if one.get(name) != two[name]]
    for name in changed:
        yield Difference("field", name, repr(one.get(name)), repr(two[name]))
    if not changed:
        yield Difference("the configuration", "", "", "changed")


def _fields_of(recipe: str) -> dict[str, object]:
    """Return what a recipe says; nothing, if it is none: an entry of the shared store may say anything."""
    try:
        found = msgspec.json.decode(recipe)
    except BROKEN:
        return {}
    return found if isinstance(found, dict) else {}


def _files(old: Content | None, new: Content) -> Iterator[Difference]:
    if old is None:
        yield Difference("the sources", "", "", "differ")
        return
    one, two = old.table(), new.table()
    words = {"f": "a file", "x": "an executable file", "l": "a link", "?": "something else"}
    for path in sorted(one.keys() | two.keys()):
        before, after = one.get(path), two.get(path)
        if before == after:
            continue
        if before is None or after is None:
            yield Difference("source", path, "", "was added" if before is None else "was removed")
        elif before[0] != after[0]:
            yield Difference("source", path, words[before[0]], words[after[0]])
        else:
            yield Difference("source", path, before[1].hex()[:12], after[1].hex()[:12])
    if one == two:
        yield Difference("the sources", "", "", "are the same files in another order")
