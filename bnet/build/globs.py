"""Patterns of files: `*` and `?` within a name, `**` over directories, `[a-z]`, `{a,b}`; a leading ! leaves out."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_MAGIC = re.compile(r"[*?\[{]")


class Patterns:
    """What a row of patterns from one directory means; a path is in if the last pattern that fits it says so."""

    def __init__(self, patterns: Iterable[str], directory: str) -> None:
        """Keep patterns.

        Args:
            patterns: as people write them; with a leading /, from the root of the tree.
            directory: where the others start, from the root of the tree; "." for the root itself.
        """
        self._rules = [_rule(pattern, directory) for pattern in patterns]

    @property
    def bases(self) -> list[str]:
        """The directories, from the root, that can hold what is meant: each pattern's part before any magic.

        A file that Git ignores counts only where a pattern leads there in letters, so these are starting points
        that nothing ignores. One that lies in another is left in, for that reason.
        """
        return sorted({base_of(glob) for taken, glob, _ in self._rules if taken})

    @property
    def literal(self) -> list[str]:
        """The patterns without magic: paths from the root."""
        return [glob for taken, glob, _ in self._rules if taken and not _MAGIC.search(glob)]

    def match(self, path: str) -> bool:
        """Tell whether a path, from the root of the tree, is meant."""
        found = False
        for taken, _, regex in self._rules:
            if taken is not found and regex.fullmatch(path):
                found = taken
        return found

    def unmatched(self, paths: Sequence[str]) -> list[str]:
        """Return the patterns that none of these paths fits."""
        return [glob for taken, glob, regex in self._rules if taken and not any(map(regex.fullmatch, paths))]


def base_of(glob: str) -> str:
    """Return the part of a pattern up to its last / before any magic; "" for the root of the tree."""
    magic = _MAGIC.search(glob)
    return glob if magic is None else glob[: magic.start()].rpartition("/")[0]


def _rule(pattern: str, directory: str) -> tuple[bool, str, re.Pattern[str]]:
    taken, bare = not pattern.startswith("!"), pattern.removeprefix("!")
    if bare.startswith("/"):
        glob = bare[1:]
    else:
        glob = bare if directory == "." else f"{directory}/{bare}"
    glob = "/".join(part for part in glob.split("/") if part not in ("", "."))
    return taken, glob, compile_glob(glob)


@lru_cache(4096)
def compile_glob(glob: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern; a name without magic also stands for all that is under it."""
    return re.compile(_translate(glob) + ("" if _MAGIC.search(glob) else "(?:/.*)?"), re.DOTALL)


def _translate(glob: str) -> str:
    out, at, depth = "", 0, 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/") and (at == 0 or glob[at - 1] == "/"):
            out, at = out + "(?:[^/]+/)*", at + 3
        elif rest == "**" and (at == 0 or glob[at - 1] == "/"):
            out, at = out + ".+", at + 2
        elif rest[0] == "*":
            out, at = out + "[^/]*", at + 1
        elif rest[0] == "?":
            out, at = out + "[^/]", at + 1
        elif rest[0] == "[" and (end := _end_of_class(glob, at)):
            out, at = out + _class(glob[at + 1 : end]), end + 1
        elif rest[0] == "{" and "}" in rest:
            out, at, depth = out + "(?:", at + 1, depth + 1
        elif rest[0] == "," and depth:
            out, at = out + "|", at + 1
        elif rest[0] == "}" and depth:
            out, at, depth = out + ")", at + 1, depth - 1
        else:
            out, at = out + re.escape(rest[0]), at + 1
    return out + ")" * depth


def _end_of_class(glob: str, at: int) -> int:
    """Return where a class such as `[a-z]` that begins at an index ends; 0 if it does not."""
    first = at + 2 if glob[at + 1 : at + 2] in ("!", "^") else at + 1
    return max(0, glob.find("]", first + 1))


def _class(inner: str) -> str:
    negated = inner[:1] in ("!", "^")
    body = (inner[1:] if negated else inner).replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
    body = body.replace("]", "\\]").replace("&&", "&\\&").replace("~~", "~\\~").replace("||", "|\\|")
    try:
        re.compile(f"[{body}]")
    except re.error:
        return re.escape(f"[{inner}]")
    return f"(?!/)[{'^' if negated else ''}{body}]"
