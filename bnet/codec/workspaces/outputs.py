"""What a package of npm makes, guessed from what it says of itself; a person looks at it and corrects it.

Outputs are removed before a build, so a directory of which it is not sure that nobody wrote it by hand is none.
"""

import json
import posixpath
import re
from collections.abc import Iterator

import msgspec

from bnet.codec.workspaces.manifest import Files

FALLBACK = "dist/**"
# Nobody keeps what is written by hand in these.
USUAL = frozenset({"dist", "build", "out", "esm", "cjs", "umd", "es", "output"})
# What some commands make wherever they are run.
TOOLS = {
    r"\bnext build\b": (".next/**", "!.next/cache/**"),
    r"\breact-scripts build\b": ("build/**",),
    r"\bdocusaurus build\b": ("build/**",),
    r"\bnuxi? (build|generate)\b": (".output/**",),
}
_JSONC = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


class Hints(msgspec.Struct, rename="camel"):
    """The fields of `package.json` that lead to what is made; nothing is wrong with one of another type here."""

    scripts: dict[str, str] | None = None
    main: object = None
    module: object = None
    types: object = None
    typings: object = None
    bin: object = None
    exports: object = None
    files: object = None


def guess(package: Hints, at: str, files: Files) -> tuple[str, ...]:
    """Return patterns of what a package's build makes.

    Args:
        package: its `package.json`.
        at: its directory, from the root of the tree.
        files: the tree's.
    """
    script = (package.scripts or {}).get("build", "")
    for tool, made in TOOLS.items():
        if re.search(tool, script):
            return made
    found = _compiled(at, files)
    said = (package.main, package.module, package.types, package.typings, package.bin, package.exports)
    for path in _texts(said):
        first, slash, _ = posixpath.normpath(path).partition("/")
        if slash and (first in USUAL or _is_empty(posixpath.join(at, first), files)):
            found.append(first)
    found += [each for path in _texts(package.files) if (each := path.strip("./*")) in USUAL]
    plain = sorted(
        {each for each in found if re.fullmatch(r"[\w@. -]+(/[\w@. -]+)*", each) and ".." not in each}
    )
    whole = [each for each in plain if not any(each.startswith(f"{other}/") for other in plain)]
    return tuple(f"{each}/**" for each in whole if each not in ("src", "node_modules", ".")) or (FALLBACK,)


def _compiled(at: str, files: Files) -> list[str]:
    """Return the directories that TypeScript is told to write to."""
    found = []
    for name in ("tsconfig.json", "tsconfig.build.json"):
        data = files.read(posixpath.normpath(posixpath.join(at, name)))
        options = _lenient(data).get("compilerOptions") if data is not None else None
        for field in ("outDir", "declarationDir"):
            path = options.get(field) if isinstance(options, dict) else None
            if isinstance(path, str):
                found.append(posixpath.normpath(path.removeprefix("${configDir}/")))
    return found


def _lenient(data: bytes) -> dict[str, object]:
    """Return what JSON with comments and trailing commas says; nothing, if that cannot be read."""
    text = _JSONC.sub(lambda match: match[1] or "", data.decode("utf-8-sig", "replace"))
    try:
        said = json.loads(_COMMA.sub(lambda match: match[1] or "", text))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _is_empty(directory: str, files: Files) -> bool:
    return not files.glob(f"{posixpath.normpath(directory)}/**")


def _texts(value: object) -> Iterator[str]:
    """Return all texts in a value, however deep."""
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            stack += each.values()
        elif isinstance(each, list | tuple):
            stack += each
