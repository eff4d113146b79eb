"""`bnet.yaml`: read, and checked as a whole."""

from collections.abc import Sequence

from msgspec.structs import replace

from bnet.codec import people
from bnet.codec.durations import parse_duration
from bnet.model.tree import Package, Tree

FILE = "bnet.yaml"


def read_tree(text: bytes, file: str = FILE) -> Tree:
    """Return the tree that a file declares.

    Args:
        text: the file's content.
        file: its name, for messages.

    Raises:
        Invalid: something in it is wrong; the message names line and field, and what would be right.
    """
    parsed = people.parse(text, file)
    data = {} if parsed.data is None else parsed.data
    if not isinstance(data, dict):
        raise parsed.invalid("must be a mapping with `packages:` in it")
    tree = people.read(parsed, Tree, data)
    check_tree(tree, parsed)
    return replace(tree, packages=tuple(_settled(package) for package in tree.packages))


def check_tree(tree: Tree, text: people.Text) -> None:
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
            raise text.invalid(f"{package.name} is declared twice", ("packages", index, "name"))
        seen[package.name] = index
        _check_package(package, text, ("packages", index))
    for index, package in enumerate(tree.packages):
        _check_dependencies(package, list(seen), text, ("packages", index, "dependencies"))
    _check_globs(tree.sources, text, ("sources",))
    if tree.store is not None:
        _check_duration(tree.store.timeout, text, ("store", "timeout"))
    _check_cycles(tree.packages, seen, text)


def _settled(package: Package) -> Package:
    """Write the short forms out: `output_dir` as outputs, `path` without a trailing slash or dots."""
    outputs = package.outputs
    if package.output_dir is not None:
        outputs = (*outputs, f"{_normal(package.output_dir)}/**")
    timeout = None if package.timeout is None else parse_duration(package.timeout)
    return replace(package, path=_normal(package.path), outputs=outputs, output_dir=None, timeout=timeout)


def _normal(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", ".")) or "."


def _check_package(package: Package, text: people.Text, at: people.Steps) -> None:
    _check_inside(package.path, text, (*at, "path"))
    if package.output_dir is not None:
        _check_inside(package.output_dir, text, (*at, "output_dir"))
        if _normal(package.output_dir) == ".":
            message = "is the package's own directory, where its sources are; name one inside it"
            raise text.invalid(message, (*at, "output_dir"))
    _check_globs(package.sources, text, (*at, "sources"))
    _check_globs(package.outputs, text, (*at, "outputs"))
    for index, glob in enumerate(package.outputs):
        if glob.startswith("/"):
            message = "begins with /; outputs are named from the package's own directory"
            raise text.invalid(f"{glob!r} {message}", (*at, "outputs", index))
        if glob in ("*", "**", "**/*"):
            raise text.invalid(f"{glob!r} would take the sources for outputs", (*at, "outputs", index))
    if isinstance(package.build_cmd, tuple) and not package.build_cmd:
        raise text.invalid("must not be empty", (*at, "build_cmd"))
    if package.build_cmd is None and package.outputs:
        raise text.invalid("has outputs but no build_cmd that would make them", at)
    if package.timeout is not None:
        _check_duration(package.timeout, text, (*at, "timeout"))


def _check_inside(path: str, text: people.Text, at: people.Steps) -> None:
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise text.invalid(f"{path!r} leads out of the tree; use a path inside it", at)


def _check_globs(globs: Sequence[str], text: people.Text, at: people.Steps) -> None:
    for index, glob in enumerate(globs):
        bare = glob.removeprefix("!").removeprefix("/")
        if not bare or ".." in bare.split("/") or bare.startswith("/") or "\0" in bare:
            raise text.invalid(f"{glob!r} is no pattern of files inside the tree", (*at, index))


def _check_duration(value: float | str, text: people.Text, at: people.Steps) -> None:
    try:
        parse_duration(value)
    except ValueError as error:
        raise text.invalid(str(error), at) from None


def _check_dependencies(package: Package, names: list[str], text: people.Text, at: people.Steps) -> None:
    for index, wanted in enumerate(package.dependencies):
        if wanted not in names:
            said = f"{package.name} depends on {wanted}, which is no package here"
            raise text.invalid(f"{said}{people.nearest(wanted, names)}", (*at, index))


def _check_cycles(packages: Sequence[Package], index: dict[str, int], text: people.Text) -> None:
    """Refuse a package that depends on itself, by way of others or not; by a loop, for chains may be long."""
    done: set[str] = set()
    for package in packages:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, bool]] = [(package.name, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                done.add(name)
                on_path.discard(path.pop())
            elif name in on_path:
                around = " -> ".join([*path[path.index(name) :], name])
                at = ("packages", index[path[-1]], "dependencies")
                raise text.invalid(f"these packages depend on each other in a circle: {around}", at)
            elif name not in done:
                path.append(name)
                on_path.add(name)
                stack.append((name, True))
                stack += [(each, False) for each in packages[index[name]].dependencies]
