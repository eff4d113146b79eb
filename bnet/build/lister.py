"""Which files there are: what patterns mean, less what Git ignores."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bnet.build.files import Unreadable, printable
from bnet.build.globs import Patterns
from bnet.build.stamps import ABSENT, stamp

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec
    from pathspec.pattern import RegexPattern

# What no pattern means unless it leads there in letters, as for what Git ignores.
NEVER = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", ".bnet"})
IGNORE = ".gitignore"
_P = TypeVar("_P", bound="RegexPattern")
_NEGATED = re.compile(r"\[\^(?!/\])((?:\\.|[^\\\]])+)\]")
_STARS = re.compile(r"(?:\[\^/\]\*){2,}")
_TO_NEXT_STAR = re.compile(r"\[\^/\]\*((?:\[(?:\\.|[^\\\]/])+\]|\\[^/]|[^][\\/()*+?|^$])+)(?=\[\^/\]\*)")


class Listing(NamedTuple):
    """What a package's patterns find.

    Attributes:
        paths: files and links, from the root of the tree, sorted.
        places: directories and ignore files that were looked at: while none has another stamp, the same is found.
    """

    paths: list[str]
    places: list[str]


class Lister:
    """Finds files in one tree; it stands in the tree's root, and keeps the ignore files that it has read."""

    def __init__(self, inner: Sequence[str]) -> None:
        """Keep the directories of packages: what is in one belongs to no other's patterns by accident."""
        self.inner = tuple(sorted({path for path in inner if path != "."}))
        self._packages = frozenset(self.inner)
        self._ignores: dict[str, tuple[bytes, GitIgnoreSpec | None]] = {}

    def find(self, patterns: Patterns, *, besides: Patterns | None = None, ignoring: bool = True) -> Listing:
        """List what patterns mean.

        Args:
            patterns: which files.
            besides: which of them not: a package's outputs are none of its sources.
            ignoring: whether what Git ignores is left out.
        """
        found: set[str] = set()
        places: dict[str, None] = {}
        walked: set[tuple[str, Patterns]] = set()
        # The deepest first: what lies in a directory that a pattern names is all looked at from there.
        for base in reversed(patterns.bases):
            meant = self._meant_in(base, patterns)
            if meant is not None and os.path.isdir(base or ".") and not os.path.islink(base or "."):
                self._walk(base, meant, besides, ignoring, found, places, walked)
            elif meant is not None:
                places[place_of(_above(base))] = None
                if os.path.lexists(base) and meant.match(base) and not (besides and besides.match(base)):
                    found.add(base)
        return Listing(sorted(found), list(places))

    def _meant_in(self, base: str, patterns: Patterns) -> Patterns | None:
        """Return what patterns mean in a directory that some of them name: less, if that is another package's."""
        above = base
        while above and above != patterns.directory:
            if above in self._packages:
                return patterns.into(above)
            above = above.rpartition("/")[0]
        return patterns

    def _walk(
        self,
        base: str,
        patterns: Patterns,
        besides: Patterns | None,
        ignoring: bool,
        found: set[str],
        places: dict[str, None],
        walked: set[tuple[str, Patterns]],
    ) -> None:
        rules = self._rules_above(base, places) if ignoring else ()
        if rules and _ignored(f"{base}/", rules):
            rules = ()  # a pattern, or a package, names it in letters
        # What lies in a directory that a pattern of outputs names is meant.
        anything = not ignoring and base not in ("", *self._packages)
        stack = [(base, rules, patterns)]
        while stack:
            directory, above, patterns = stack.pop()
            if (directory, patterns) in walked:
                continue
            walked.add((directory, patterns))
            places[place_of(directory)] = None
            own = self._rules_of(directory) if ignoring else ()
            if ignoring and self._ignores[directory][0] != ABSENT:
                places[_ignore_file(directory)] = None
            rules = (*above, *own)
            prefix = f"{directory}/" if directory else ""
            for entry in _entries(directory or "."):
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    inside = patterns if anything else self._inside(entry.name, path, rules, patterns)
                    if inside is not None:
                        stack.append((path, rules, inside))
                elif (
                    patterns.match(path)
                    and not (besides and besides.match(path))
                    and not (rules and _ignored(path, rules))
                ):
                    found.add(path)

    def _inside(self, name: str, path: str, rules: "_Rules", patterns: Patterns) -> Patterns | None:
        """Return what is looked for in a directory; None for one that is not entered."""
        if name in NEVER or _ignored(f"{path}/", rules):
            return None
        return patterns.into(path) if path in self._packages else patterns

    def _rules_above(self, base: str, places: dict[str, None]) -> "_Rules":
        rules: _Rules = ()
        at = ""
        for part in base.split("/") if base else []:
            places[_ignore_file(at)] = None  # not the directory, in which outputs come and go
            rules = (*rules, *self._rules_of(at))
            at = f"{at}/{part}" if at else part
        return rules

    def _rules_of(self, directory: str) -> "_Rules":
        path = _ignore_file(directory)
        there = stamp(path)
        known = self._ignores.get(directory)
        if known is None or known[0] != there:
            known = self._ignores[directory] = (there, None if there == ABSENT else _read_ignore(path))
        return () if known[1] is None else ((f"{directory}/" if directory else "", known[1]),)


_Rules = tuple[tuple[str, "GitIgnoreSpec"], ...]


def _ignore_file(directory: str) -> str:
    return f"{directory}/{IGNORE}" if directory else IGNORE


def place_of(directory: str) -> str:
    """Return the path whose stamp is the directory's own, also where a link leads to it."""
    return f"{directory}/." if os.path.islink(directory) else directory or "."


def _above(path: str) -> str:
    """Return the nearest directory above that exists: as long as it is the same, so is what is missing in it."""
    while path and not os.path.isdir(path := path.rpartition("/")[0] or "."):
        pass
    return path or "."


def _entries(directory: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except OSError as error:
        raise Unreadable(f"{printable(directory)}: {error.strerror}") from None


def _read_ignore(path: str) -> "GitIgnoreSpec | None":
    if os.path.islink(path):
        return None  # Git does not follow it either
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return None
    from pathspec import GitIgnoreSpec  # 30 ms, paid only where there is something to ignore

    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error):
        # Of one line, such as `!` alone: for Git that one means nothing, and the rest does.
        spec = GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])
    return GitIgnoreSpec(map(_bounded, spec.patterns)) if any(line.count("*") > 2 for line in lines) else spec


def _bounded(pattern: _P) -> _P:
    """Return a pattern that takes no time beyond measure, however many stars are in a name: as in `globs`.

    pathspec would try each star with each length, for each length of those before it. And what is not in a class,
    such as `[!a]`, is no / for Git.
    """
    regex = pattern.regex
    if regex is None:  # a comment, or nothing
        return pattern
    text = _STARS.sub("[^/]*", _NEGATED.sub(r"[^\1/]", regex.pattern))
    return type(pattern)(re.compile(_TO_NEXT_STAR.sub(r"(?>[^/]*?\1)", text)), pattern.include)


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _ignored(path: str, rules: _Rules) -> bool:
    """Tell whether Git would ignore a path; the file nearest to it has the last word."""
    for directory, spec in reversed(rules):
        said = spec.check_file(path[len(directory) :]).include
        if said is not None:
            return said
    return False
