"""`bnet.yaml`: read, and checked as a whole."""

from msgspec.structs import replace

from bnet.codec import people
from bnet.codec.durations import parse_duration
from bnet.codec.tree_checks import check_tree, outputs_of, plain
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
    return settled(tree)


def settled(tree: Tree) -> Tree:
    """Return a checked tree with its short forms written out: spans in seconds, `output_dir` as outputs."""
    store = tree.store
    if store is not None:
        store = replace(store, timeout=parse_duration(store.timeout))
    return replace(tree, packages=tuple(_settled(package) for package in tree.packages), store=store)


def _settled(package: Package) -> Package:
    timeout = None if package.timeout is None else parse_duration(package.timeout)
    outputs = outputs_of(package)
    return replace(package, path=plain(package.path), outputs=outputs, output_dir=None, timeout=timeout)
