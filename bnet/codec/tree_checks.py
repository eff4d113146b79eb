"""What must hold in a source tree's build graph besides the types of its fields."""

import math
import re
from collections.abc import Collection, Sequence
from typing import Protocol

from bnet.codec import people
from bnet.codec.durations import parse_duration
from bnet.errors import Invalid
from bnet.model.tree import Hooks, Package, Tree

MOST_ALTERNATIVES = 1000  # that the braces of one pattern may stand for
LONGEST_GLOB = 4096  # characters, as of a path
MOST_SPELT = 30_000  # characters of all of its alternatives together
MOST_LISTED = 12  # names in a message
_BRACES = re.compile(r"\{[^{}]*\}?")


class Places(Protocol):
    """Where a tree was read from, so that a complaint can say it."""

    def invalid(self, message: str, steps: people.Steps = ()) -> Invalid:
        """Return the error for what stands at a row of keys and indices, as `bnet.yaml` would have them."""
        ...


def check_tree(tree: Tree, text: Places) -> None:
    """Check what no type can say.

    Args:
        tree: what was read.
        text: where it was read from, for the places of complaints.

    Raises:
        Invalid: a name stands twice, a dependency is unknown or leads back, a path leaves the tree, ...
    """
    seen: dict[str, int] = {}
    for index, package in enumerate(tree.packages):
        if package.name in seen:
            message = f"{package.name} is declared twice, first as packages[{seen[package.name]}]"
            raise text.invalid(message, ("packages", index, "name"))
        seen[package.name] = index
        _check_package(package, text, ("packages", index))
    for index, package in enumerate(tree.packages):
        _check_dependencies(package, seen, text, ("packages", index, "dependencies"))
    _check_globs(tree.sources, text, ("sources",))
    _check_hooks(tree.hooks, text, ("hooks",))
    if tree.store is not None:
        _check_words([tree.store.url], text, [("store", "url")])
        _check_duration(tree.store.timeout, text, ("store", "timeout"))
    _check_cycles(tree.packages, seen, text)
    _check_outputs(tree.packages, text)


def outputs_of(package: Package) -> tuple[str, ...]:
    """Return the patterns of what a package makes, `output_dir` among them."""
    if package.output_dir is None:
        return package.outputs
    return tuple(dict.fromkeys((*package.outputs, f"{plain(package.output_dir)}/**")))


def plain(path: str) -> str:
    """Return a path without empty parts and dots; "." for nothing else."""
    return "/".join(part for part in path.split("/") if part not in ("", ".")) or "."


# -- one package


def _check_package(package: Package, text: Places, at: people.Steps) -> None:
    if ".." in package.name or "//" in package.name or package.name.endswith("/"):
        # `api...` selects, and a name may become part of a path.
        message = f"{package.name!r} is no name: '..', '//' and a '/' at the end have another meaning"
        raise text.invalid(message, (*at, "name"))
    _check_inside(package.path, text, (*at, "path"))
    if package.output_dir is not None:
        _check_output_dir(package.output_dir, text, (*at, "output_dir"))
    _check_globs(package.sources, text, (*at, "sources"))
    _check_output_globs(package.outputs, text, (*at, "outputs"))
    _check_command(package.build_cmd, text, (*at, "build_cmd"))
    _check_hooks(package.hooks, text, (*at, "hooks"))
    _check_words(package.tools, text, [(*at, "tools", index) for index in range(len(package.tools))])
    if package.build_cmd is None and outputs_of(package):
        raise text.invalid("has outputs but no build_cmd that would make them", at)
    if package.build_cmd is None and package.hooks != Hooks():
        raise text.invalid("has hooks but no build_cmd that they would run around", (*at, "hooks"))
    if package.timeout is not None:
        _check_duration(package.timeout, text, (*at, "timeout"))


def _check_inside(path: str, text: Places, at: people.Steps) -> None:
    if path.startswith("/") or ".." in path.split("/"):
        raise text.invalid(f"{path!r} leads out of the tree; use a path inside it", at)
    if "\0" in path:
        raise text.invalid("has a NUL in it, which no path can have", at)


def _check_output_dir(path: str, text: Places, at: people.Steps) -> None:
    _check_inside(path, text, at)
    if plain(path) == ".":
        message = "is the package's own directory, where its sources are; name one inside it"
        raise text.invalid(message, at)
    if path.startswith("!") or re.search(r"[*?\[{]", path):
        raise text.invalid(f"{path!r} is a pattern; `outputs:` takes those", at)


def _check_globs(globs: Sequence[str], text: Places, at: people.Steps) -> None:
    for index, glob in enumerate(globs):
        bare = glob.removeprefix("!").removeprefix("/")
        if not bare or bare.startswith("/") or "\0" in bare:
            raise text.invalid(f"{glob!r} is no pattern of files", (*at, index))
        if ".." in re.split(r"[/{,}]", bare):
            message = f"{glob!r} leads out; a pattern with a leading / starts at the tree's root"
            raise text.invalid(message, (*at, index))
        alternatives = math.prod(braces.count(",") + 1 for braces in _BRACES.findall(glob))
        if alternatives > MOST_ALTERNATIVES:
            message = f"its braces stand for more than {MOST_ALTERNATIVES:,} patterns"
            raise text.invalid(message, (*at, index))
        if len(glob) > LONGEST_GLOB or alternatives * len(glob) > MOST_SPELT:
            raise text.invalid("is too long a pattern, with all that its braces stand for", (*at, index))
    if globs and all(glob.startswith("!") for glob in globs):
        message = 'only leaves out, so that nothing is meant; begin with what is meant, for instance "**"'
        raise text.invalid(message, (*at, 0))


def _check_output_globs(globs: Sequence[str], text: Places, at: people.Steps) -> None:
    _check_globs(globs, text, at)
    for index, glob in enumerate(globs):
        if glob.removeprefix("!").startswith("/"):
            message = "begins with /; outputs are named from the package's own directory"
            raise text.invalid(f"{glob!r} {message}", (*at, index))
        if set(plain(glob).split("/")) <= {"*", "**", "."}:
            raise text.invalid(f"{glob!r} would take the sources for outputs", (*at, index))


def _check_command(command: str | Sequence[str] | None, text: Places, at: people.Steps) -> None:
    if command is None:
        return
    words = [command] if isinstance(command, str) else list(command)
    if not words or not words[0].strip():
        raise text.invalid("must not be empty", at)
    steps = [at] if isinstance(command, str) else [(*at, index) for index in range(len(words))]
    _check_words(words, text, steps)


def _check_hooks(hooks: Hooks, text: Places, at: people.Steps) -> None:
    _check_command(hooks.pre_build, text, (*at, "pre_build"))
    _check_command(hooks.post_build, text, (*at, "post_build"))


def _check_words(words: Sequence[str], text: Places, steps: Sequence[people.Steps]) -> None:
    for word, at in zip(words, steps, strict=True):
        if "\0" in word:
            raise text.invalid("has a NUL in it, which no command can have", at)


def _check_duration(value: float | str, text: Places, at: people.Steps) -> None:
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise text.invalid(str(error), at) from None
    if seconds == 0:
        raise text.invalid("must be more than 0 seconds; leave it out for no limit", at)


# -- all of them


def _check_dependencies(package: Package, names: Collection[str], text: Places, at: people.Steps) -> None:
    for index, wanted in enumerate(package.dependencies):
        if wanted not in names:
            said = f"{package.name} depends on {wanted}, which is no package here"
            raise text.invalid(said + _nearest(wanted, list(names)), (*at, index))


def _nearest(word: str, words: list[str]) -> str:
    said = people.nearest(word, words)
    # With nothing near, it lists what there is.
    return said if "did you mean" in said or len(words) <= MOST_LISTED else ""


def _check_cycles(packages: Sequence[Package], index: dict[str, int], text: Places) -> None:
    """Refuse a package that depends on itself, by way of others or not; by a loop, for chains may be long."""
    done: set[str] = set()
    for package in packages:
        path: dict[str, None] = {}
        stack: list[tuple[str, bool]] = [(package.name, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                done.add(name)
                del path[name]
            elif name in path:
                raise _circle(list(path), name, packages, index, text)
            elif name not in done:
                path[name] = None
                stack.append((name, True))
                stack += [(each, False) for each in packages[index[name]].dependencies]


def _circle(
    path: list[str], name: str, packages: Sequence[Package], index: dict[str, int], text: Places
) -> Invalid:
    last = packages[index[path[-1]]]
    at = ("packages", index[last.name], "dependencies", last.dependencies.index(name))
    if name == last.name:
        return text.invalid(f"{name} depends on itself", at)
    around = " -> ".join([*path[path.index(name) :], name])
    return text.invalid(f"these packages depend on each other in a circle: {around}", at)


def _check_outputs(packages: Sequence[Package], text: Places) -> None:
    """Refuse two packages with the same pattern of outputs; others that overlap are found when files are there."""
    makers: dict[str, str] = {}
    for index, package in enumerate(packages):
        for each, glob in enumerate(outputs_of(package)):
            if glob.startswith("!"):
                continue
            whole = plain(f"{package.path}/{glob}")
            maker = makers.setdefault(whole, package.name)
            if maker != package.name:
                field = ("outputs", each) if each < len(package.outputs) else ("output_dir",)
                message = f"{whole} is an output of {maker} already; one package makes a file"
                raise text.invalid(message, ("packages", index, *field))
