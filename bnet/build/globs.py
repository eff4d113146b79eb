"""Patterns of files: `*` and `?` within a name, `**` over directories, `[a-z]`, `{a,b}`; a leading ! leaves out."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

_MAGIC = re.compile(r"[*?\[{]")
MOST_ALTERNATIVES = 1000  # that the braces of one pattern may stand for; what is above stands for itself
MOST_SPELT = 30_000  # characters of all of these together, likewise


class _Glob(NamedTuple):
    """A pattern as it is used, and the directories, from where it starts, that can hold what it means."""

    regex: re.Pattern[str]
    bases: tuple[str, ...]


class _Rule(NamedTuple):
    """One pattern of a row: whether it takes or leaves out, the directory it starts in, and the rest."""

    taken: bool
    above: str
    inner: str
    glob: _Glob

    def fits(self, path: str) -> bool:
        return path.startswith(self.above) and bool(self.glob.regex.fullmatch(path, len(self.above)))

    def leads_into(self, directory: str) -> bool:
        """Tell whether it says the names of all directories on the way into one, with no `**` among them."""
        if not f"{directory}/".startswith(self.above):
            return False
        parts = [part for part in directory[len(self.above) :].split("/") if part]
        for glob in expand(self.inner):
            named = glob.split("/")
            enough = len(named) > len(parts) or (len(named) == len(parts) and not has_magic(glob))
            if enough and all(
                name != "**" and re.fullmatch(_translate_name(name), part, re.DOTALL)
                for part, name in zip(parts, named, strict=False)
            ):
                return True
        return False

    def __str__(self) -> str:
        return (self.above + self.inner).rstrip("/")


class Patterns:
    """What a row of patterns from one directory means; a path is in if the last pattern that fits it says so."""

    def __init__(self, patterns: Iterable[str], directory: str) -> None:
        """Keep patterns.

        Args:
            patterns: as people write them; with a leading /, from the root of the tree.
            directory: where the others start, from the root of the tree; "." for the root itself. Its name is
                taken as it is, whatever is in it.
        """
        self.directory = "" if directory == "." else directory
        self._rules = [_rule(pattern, directory) for pattern in patterns]

    @property
    def bases(self) -> list[str]:
        """The directories, from the root, that can hold what is meant: each pattern's part before any magic.

        A file that Git ignores counts only where a pattern leads there in letters, so these are starting points
        that nothing ignores. One that lies in another is left in, for that reason.
        """
        taken = [rule for rule in self._rules if rule.taken]
        return sorted({(rule.above + base).rstrip("/") for rule in taken for base in rule.glob.bases})

    @property
    def literal(self) -> list[str]:
        """The patterns without magic: paths from the root."""
        return [str(rule) for rule in self._rules if rule.taken and not has_magic(rule.inner)]

    def match(self, path: str) -> bool:
        """Tell whether a path, from the root of the tree, is meant."""
        found = False
        for rule in self._rules:
            if rule.taken is not found and rule.fits(path):
                found = rule.taken
        return found

    def into(self, directory: str) -> "Patterns | None":
        """Return what these patterns say of a directory that is another package's; None if they mean nothing in it.

        A `**` does not lead into other packages; a pattern that says the way does.
        """
        rules = [rule for rule in self._rules if not rule.taken or rule.leads_into(directory)]
        if not any(rule.taken for rule in rules):
            return None
        narrow = Patterns((), directory)
        narrow._rules = rules
        return narrow

    def unmatched(self, paths: Sequence[str]) -> list[str]:
        """Return the patterns that none of these paths fits."""
        return [str(rule) for rule in self._rules if rule.taken and not any(map(rule.fits, paths))]


def has_magic(glob: str) -> bool:
    """Tell whether a pattern is more than a path."""
    return bool(_MAGIC.search(glob))


def base_of(glob: str) -> str:
    """Return the part of a pattern up to its last / before any magic; "" for the root of the tree."""
    magic = _MAGIC.search(glob)
    return glob if magic is None else glob[: magic.start()].rpartition("/")[0]


def compile_glob(glob: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern; a name without magic also stands for all that is under it."""
    return _compiled(_normal(glob)).regex


@lru_cache(4096)
def compile_spelt(glob: str) -> re.Pattern[str]:
    """Return the expression of one of those that `expand` has returned: what braces are left in it are letters."""
    return re.compile(_translate(glob), re.DOTALL)


def expand(glob: str) -> list[str]:
    """Return the patterns that one with braces stands for; braces that do not close or hold no comma are letters."""
    done: list[str] = []
    todo = [(glob, 0)]
    while todo:
        text, at = todo.pop()
        others = len(todo) + len(done)
        span = None if _is_too_much(others + 2, text) else _braces(text, at)
        if span is None or _is_too_much(others + len(span[2]), text):
            done.append(text)
            continue
        start, end, parts = span
        todo += [(text[:start] + part + text[end:], start) for part in reversed(parts)]
    return done


def _is_too_much(count: int, text: str) -> bool:
    return count > MOST_ALTERNATIVES or count * len(text) > MOST_SPELT


def _normal(glob: str) -> str:
    return "/".join(part for part in glob.split("/") if part not in ("", "."))


def _rule(pattern: str, directory: str) -> _Rule:
    taken, bare = not pattern.startswith("!"), pattern.removeprefix("!")
    above = "" if directory == "." or bare.startswith("/") else f"{directory}/"
    inner = _normal(bare)
    return _Rule(taken, above, inner, _compiled(inner))


@lru_cache(4096)
def _compiled(glob: str) -> _Glob:
    globs = expand(glob)
    return _Glob(re.compile("|".join(map(_translate, globs)), re.DOTALL), tuple(map(base_of, globs)))


def _braces(text: str, at: int) -> tuple[int, int, list[str]] | None:
    """Find the first braces from an index on: where they begin, where they end, and what is between the commas."""
    pairs = _pairs(text, at)
    while (start := _outside_class(text, at)) >= 0:
        cuts = pairs.get(start, ())
        if len(cuts) > 2:
            parts = [text[one + 1 : two] for one, two in pairwise(cuts)]
            return start, cuts[-1] + 1, parts
        at = start + 1
    return None


def _pairs(text: str, at: int) -> dict[int, list[int]]:
    """Return for each { that is closed where it, its own commas and its } are; in one pass, for there may be many."""
    found: dict[int, list[int]] = {}
    opened: list[list[int]] = []
    for index in range(at, len(text)):
        sign = text[index]
        if sign == "{":
            opened.append([index])
        elif opened and sign in ",}":
            opened[-1].append(index)
            if sign == "}":
                cuts = opened.pop()
                found[cuts[0]] = cuts
    return found


def _outside_class(text: str, at: int) -> int:
    """Return where the first { from an index on is that is not in a class; -1 if there is none."""
    while at < len(text):
        if text[at] == "{":
            return at
        at = 1 + (_end_of_class(text, at) or at if text[at] == "[" else at)
    return -1


def _translate(glob: str) -> str:
    """Return the expression of a pattern without braces.

    What stands between two `**` is taken where it first fits, and in a name what stands between two `*`: nothing is
    tried twice then, and no pattern takes time beyond measure. The first fit is as good as any, for such a piece is
    of so many names, or letters, and no more. (The standard library's fnmatch does the same.)
    """
    glob = _normal(glob)  # braces may have left empty parts
    if not has_magic(glob):
        return re.escape(glob) + "(?:/.*)?" if glob else ".+"
    runs: list[list[str]] = [[]]
    for part in glob.split("/"):
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_translate_name(part))
    if len(runs) == 1:
        return "/".join(runs[0])
    first, *middle, final = ("/".join(run) for run in runs)
    out = f"{first}/" if first else ""
    out += "".join(f"(?>(?:[^/]+/)*?{run}/)" for run in middle if run)
    return out + (f"(?:[^/]+/)*{final}" if final else ".+")


def _translate_name(part: str) -> str:
    """Return the expression of one name."""
    pieces = [""]
    at = 0
    while at < len(part):
        if part[at] == "*":
            pieces.append("")
        elif part[at] == "?":
            pieces[-1] += "[^/]"
        elif part[at] == "[" and (end := _end_of_class(part, at)):
            pieces[-1] += _class(part[at + 1 : end])
            at = end
        else:
            pieces[-1] += re.escape(part[at])
        at += 1
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, final = pieces
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle if piece) + "[^/]*" + final


def _end_of_class(glob: str, at: int) -> int:
    """Return where a class such as `[a-z]` that begins at an index ends; 0 if it does not, within a name."""
    first = at + 2 if glob[at + 1 : at + 2] in ("!", "^") else at + 1
    end = glob.find("]", first + 1)
    return 0 if end < 0 or "/" in glob[at:end] else end


def _class(inner: str) -> str:
    negated = inner[:1] in ("!", "^")
    body = (inner[1:] if negated else inner).replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
    body = (
        body.replace("]", "\\]")
        .replace("&&", "&\\&")
        .replace("~~", "~\\~")
        .replace("||", "|\\|")
        .replace("--", "-\\-")
    )
    try:
        re.compile(f"[{body}]")
    except re.error:
        return re.escape(f"[{inner}]")
    return f"(?!/)[{'^' if negated else ''}{body}]"
