"""What a word on the command line means: a package's name, a pattern of names, or a directory."""

import posixpath
from collections.abc import Sequence
from fnmatch import fnmatchcase

from bnet.build.globs import compile_glob, has_magic
from bnet.model.tree import Package

MOST_LISTED = 12


def meant(word: str, packages: Sequence[Package], here: str) -> list[str]:
    """Return the names of the packages that a word means; none if it means none.

    Args:
        word: a name; else a pattern of names, in which `*` also stands for a `/`; else a directory or a pattern of
            directories: that of a package, else one with packages in it.
        packages: what there is.
        here: where directories start, from the root of the tree; they may also start at the root itself.
    """
    names = [package.name for package in packages]
    if word in names:
        return [word]
    if has_magic(word) and (found := [name for name in names if fnmatchcase(name, word)]):
        return found
    for start in dict.fromkeys((here,) if word.startswith(".") else (here, ".")):
        if word and (found := _at(posixpath.normpath(posixpath.join(start, word)), packages)):
            return found
    return _around(here, packages) if word == "." else []


def instead(word: str, packages: Sequence[Package]) -> str:
    """Return what to write instead of a word that means nothing, as the end of a sentence."""
    import difflib  # 3 ms, paid only for a message

    names = [package.name for package in packages]
    words = {package.path.lower(): f"./{package.path}" for package in packages if package.path != "."}
    words |= {name.lower(): name for name in names}
    if close := difflib.get_close_matches(word.lower(), words, n=1):
        return f"; did you mean {words[close[0]]}?"
    if len(names) > MOST_LISTED:
        return f"; `bnet graph` lists the {len(names):,} that there are"
    return f"; there are {', '.join(names)}" if names else "; the tree has none"


def _at(directory: str, packages: Sequence[Package]) -> list[str]:
    """Return the packages of a directory, else those below it."""
    if has_magic(directory):
        regex = compile_glob(directory)
        return [package.name for package in packages if regex.fullmatch(package.path)]
    found = [package.name for package in packages if package.path == directory]
    below = "" if directory == "." else f"{directory}/"
    return found or [package.name for package in packages if package.path.startswith(below)]


def _around(directory: str, packages: Sequence[Package]) -> list[str]:
    """Return the packages of the nearest directory above that is one's."""
    while directory not in ("", "."):
        directory = posixpath.dirname(directory)
        if found := [package.name for package in packages if package.path == (directory or ".")]:
            return found
    return []
