"""Keys: what a package is made of, in a digest; and which part of it was the first to differ."""

import platform
import sys
from typing import NamedTuple

import msgspec
from blake3 import blake3

from bnet.build.files import Content
from bnet.model.tree import Package, Tree

FORMAT = "bnet-build-1"  # another meaning of keys is another format, and no old entry is taken for a new one
PLATFORM = f"{sys.platform}-{platform.machine()}"
ABSENT = "(not set)"
OUTPUT = "the output of dependency"


class Inputs(msgspec.Struct, frozen=True, array_like=True):
    """Everything that a package's key is made of.

    Attributes:
        recipe: its command, hooks and directory, as text.
        env: variable -> value, for those that count.
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


def env_of(tree: Tree, package: Package, env: dict[str, str]) -> dict[str, str]:
    """Return the variables that count, with the values that they have now."""
    return {name: env.get(name, ABSENT) for name in sorted({*tree.env, *package.env})}


def digest_of(content: Content) -> bytes:
    """Return the digest of files: their names, kinds and contents, and nothing else about them."""
    return blake3(b"\0".join((content.paths, content.kinds.encode(), content.digests))).digest()


def key_of(inputs: Inputs) -> bytes:
    """Return the key under which outputs made from these inputs are kept."""
    return blake3(FORMAT.encode() + msgspec.msgpack.encode(inputs, order="deterministic")).digest()


def difference(before: Inputs, after: Inputs, old: Content | None, new: Content) -> Difference | None:
    """Return the first thing that differs between two builds of a package; None if nothing does.

    Args:
        before, after: the inputs of the two.
        old: the sources of the first, where they are known file by file.
        new: those of the second.
    """
    if before.platform != after.platform:
        return Difference("the platform", "", before.platform, after.platform)
    if before.recipe != after.recipe:
        return _recipes(before.recipe, after.recipe)
    for what, one, two in (("variable", before.env, after.env), ("tool", before.tools, after.tools)):
        for name in sorted(one.keys() | two.keys()):
            if one.get(name) != two.get(name):
                return Difference(what, name, _said(one.get(name)), _said(two.get(name)))
    if before.sources != after.sources:
        return _files(old, new)
    for name in sorted(before.dependencies.keys() | after.dependencies.keys()):
        one_digest, two_digest = before.dependencies.get(name), after.dependencies.get(name)
        if one_digest is None or two_digest is None:
            return Difference("dependency", name, "", "was added" if one_digest is None else "was removed")
        if one_digest != two_digest:
            told = (one_digest.hex()[:12], two_digest.hex()[:12])
            return Difference(OUTPUT, name, *told)
    return None


def _said(value: str | None) -> str:
    return ABSENT if value is None else repr(value.strip()) if value != ABSENT else ABSENT


def _recipes(before: str, after: str) -> Difference:
    one, two = msgspec.json.decode(before), msgspec.json.decode(after)
    for name in two:
        if one.get(name) != two[name]:
            return Difference("field", name, repr(one.get(name)), repr(two[name]))
    return Difference("the configuration", "", "", "changed")


def _files(old: Content | None, new: Content) -> Difference:
    if old is None:
        return Difference("the sources", "", "", "differ")
    one, two = old.table(), new.table()
    words = {"f": "a file", "x": "an executable file", "l": "a link"}
    for path in sorted(one.keys() | two.keys()):
        before, after = one.get(path), two.get(path)
        if before == after:
            continue
        if before is None or after is None:
            return Difference("source", path, "", "was added" if before is None else "was removed")
        if before[0] != after[0]:
            return Difference("source", path, words[before[0]], words[after[0]])
        return Difference("source", path, before[1].hex()[:12], after[1].hex()[:12])
    return Difference("the sources", "", "", "are the same files in another order")
