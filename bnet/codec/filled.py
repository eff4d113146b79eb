"""What a template makes: paths that may be written, and documents that bnet itself can read."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping

import msgspec

from bnet.codec import kinds, layout
from bnet.codec.environments import read_environments
from bnet.codec.filling import Filler
from bnet.codec.pipelines import read_pipelines
from bnet.codec.replies import read_replies
from bnet.codec.schedules import read_table
from bnet.codec.shown import escaped
from bnet.codec.sources import read_source
from bnet.codec.submission import from_file
from bnet.codec.templates import LONGEST_PATH
from bnet.codec.tree import read_tree
from bnet.errors import Invalid
from bnet.model.base import Record, is_device
from bnet.model.environment import Environments
from bnet.model.reply import Replies
from bnet.model.schedule import Table
from bnet.model.source import Followed
from bnet.model.template import Template, Value

LONGEST_PART = 200  # bytes; file systems take 255
_FOR_HUB: tuple[type[Record], ...] = (Table, Followed, Environments, Replies)


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What a template has become.

    Attributes:
        files: texts by path.
        next: what to do then, a line each.
    """

    files: Mapping[str, bytes]
    next: tuple[str, ...]


def fill(template: Template, values: Mapping[str, Value]) -> Filled:
    """Return what a template becomes with values for its parameters.

    Raises:
        Invalid: it cannot be filled in, a path leads elsewhere, or a document that comes of it is wrong.
    """
    filler = Filler(template, values)
    made: dict[str, bytes] = {}
    for path in template.files:
        shown = template.shown[path]
        target = filler.line(path, f"the name of {shown}")
        if not target:
            continue  # left out by a condition in its name
        _check_path(target, shown)
        if target in made:
            raise Invalid(f"becomes {escaped(target)}, as another file of the template does", file=shown)
        text = filler.text(path).encode()
        made[target] = text
        _check_document(target, text, shown)
    _check_places(made, template.where)
    following = tuple(filler.line(each, f"{template.where}, `next`") for each in template.manifest.next)
    return Filled(files={path: made[path] for path in sorted(made)}, next=following)


def check_for_hub(paths: Iterable[str], where: str) -> None:
    """Refuse what is not for people to write on the ledger's branch.

    Raises:
        Invalid: one of the paths is of another kind of file.
    """
    for path in paths:
        if layout.is_machine(path) or kinds.kind_of(path, layout.job_part(path)) not in _FOR_HUB:
            raise Invalid(
                f"makes {escaped(path)}, which `--hub` does not write: it is for schedules, sources, environments "
                "and replies in coordination/",
                file=where,
            )


def _check_path(path: str, shown: str) -> None:
    parts = path.split("/")
    why = ""
    if path.startswith("/") or "\\" in path or ":" in path or ".." in parts:
        why = "leads out of the directory"
    elif not path.isprintable() or any(each != each.strip(" ") or each[-1:] in ("", ".") for each in parts):
        why = "is no path as people write them"
    elif any(map(is_device, parts)):
        why = "is a device on Windows"
    elif any(each.lower() in (".git", "git~1") for each in parts):
        why = "leads into Git's own files"
    elif any(len(each.encode()) > LONGEST_PART for each in parts) or len(path) > LONGEST_PATH:
        why = "is too long a path"
    if why:
        raise Invalid(f"becomes {escaped(path)[:200]!r}, which {why}; nothing was written", file=shown)


def _check_places(made: Mapping[str, bytes], where: str) -> None:
    """Refuse a file in whose directory's place another one is, also where é is E and an accent."""
    folded: dict[str, str] = {}
    for path in made:
        other = folded.setdefault(_folded(path), path)
        if other != path:
            raise Invalid(
                f"makes {escaped(other)} and {escaped(path)}, which are one file on some disks", file=where
            )
    for path in made:
        above = _folded(path).split("/")[:-1]
        for count in range(1, len(above) + 1):
            file = folded.get("/".join(above[:count]))
            if file is not None:
                raise Invalid(f"makes {escaped(file)} a file and a directory", file=where)


def _folded(path: str) -> str:
    """Return a path as disks compare it that know neither capitals nor in how many signs a letter is written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _check_document(path: str, text: bytes, shown: str) -> None:
    """Let bnet read what it will read, so that nothing is written that is wrong."""
    try:
        read = _reader(path)
        if read is not None:
            read(text, path)
    except Invalid as error:
        place = f"line {error.line} of the {escaped(path)}" if error.line else f"the {escaped(path)}"
        named = f'field "{error.field}": ' if error.field else ""
        raise Invalid(f"{place} that comes of it is wrong: {named}{error.message}", file=shown) from None


def _reader(path: str) -> Callable[[bytes, str], object] | None:
    if layout.is_machine(path):
        raise Invalid("is the machines' own; nobody else writes it")
    if (stem := layout.schedule_file(path)) is not None:
        return lambda text, file: read_table(text, file, stem)
    if (name := layout.source_file(path)) is not None:
        return lambda text, file: read_source(text, file, name)
    if said := kinds.misplaced(path):
        raise Invalid(said)
    if path == layout.REPLIES:
        return read_replies
    return next((read for ending, read in _READERS.items() if f"/{path}".endswith(ending)), None)


def _read_build(text: bytes, path: str) -> None:
    read_tree(text, path)
    read_pipelines(text, path)


_READERS: Mapping[str, Callable[[bytes, str], object]] = {
    "/bnet.yaml": _read_build,
    "/environments.yaml": read_environments,
    "/job.yaml": from_file,
    ".job.yaml": from_file,
}
