"""Templates as they stand on a disk or on the hub: a directory with `template.yaml`, or a single file."""

import re
from collections.abc import Mapping

from bnet.codec import people
from bnet.codec.parameters import default_of, read_value
from bnet.codec.patterns import Pattern
from bnet.codec.shown import escaped
from bnet.errors import Invalid
from bnet.model.base import is_name
from bnet.model.template import Manifest, Origin, Template

MANIFEST = "template.yaml"
ENDING = ".yaml"
PARTS = "_parts/"  # what other files include; it is not written by itself
MOST_FILES = 200
LONGEST_PATH = 400
LARGEST = 5_000_000  # bytes of all files; what comes of one can be no larger either
MOST_NEXT = 20
EXPLANATION = re.compile(r"readme(\.(md|txt|rst))?", re.IGNORECASE)


def name_of(path: str) -> str | None:
    """Return the name of the template whose manifest a path is, from where templates are; None if it is none."""
    first, slash, rest = path.partition("/")
    name = first if slash and rest == MANIFEST else first.removesuffix(ENDING) if not slash else ""
    return name if is_name(name) and (slash or first.endswith(ENDING)) else None


def read_manifest(text: bytes, file: str) -> Manifest:
    """Return what a template says of itself.

    Raises:
        Invalid: something in it is wrong; the message names line and field.
    """
    parsed = people.parse(text, file)
    if not isinstance(parsed.data, dict):
        raise parsed.invalid(
            "must be a mapping with `description` and `parameters`; docs/templates.md shows one"
        )
    manifest = people.read(parsed, Manifest, parsed.data)
    if len(manifest.next) > MOST_NEXT:
        raise parsed.invalid(f"has {len(manifest.next)} lines; at most {MOST_NEXT} are taken", ("next",))
    for name, each in manifest.parameters.items():
        at = ("parameters", name)
        if name in ("loop", "range", "true", "false", "none"):
            raise parsed.invalid(f"{name} means something else in a template; take another word", at)
        try:
            if each.pattern is not None:
                Pattern(each.pattern)
        except ValueError as error:
            raise parsed.invalid(str(error), (*at, "pattern")) from None
        if each.pattern is not None and each.type in ("flag", "integer"):
            raise parsed.invalid(f"means nothing for a parameter of type {each.type}", (*at, "pattern"))
        try:
            if each.default is not None:
                read_value(each, default_of(each))
        except ValueError as error:
            raise parsed.invalid(str(error), (*at, "default")) from None
    return manifest


def read_template(name: str, origin: Origin, where: str, found: Mapping[str, bytes]) -> Template:
    """Return a template from its files.

    Args:
        name: of it.
        origin: of which kind the place is.
        where: its directory, or its only file.
        found: content by path; of a single file by "".

    Raises:
        Invalid: something in it is wrong; the message names file, line and field.
    """
    if sum(map(len, found.values())) > LARGEST:
        raise Invalid(f"has files of more than {LARGEST:,} bytes, taken together", file=where)
    single = "" in found
    file = where if single else f"{where}/{MANIFEST}"
    manifest = read_manifest(found["" if single else MANIFEST], file)
    shown = {path: f"{file}, {escaped(path)}" for path in manifest.files}
    texts = dict(manifest.files)
    for path, data in found.items():
        if path in ("", MANIFEST) or EXPLANATION.fullmatch(path):
            continue
        said = f"{where}/{escaped(path)}"
        if path in texts:
            raise Invalid("stands among the `files` of template.yaml too", file=said)
        shown[path] = said
        texts[path] = _decoded(data, said)
    if all(path.startswith(PARTS) for path in texts):
        said = "has no files to fill in: put them under `files`" + (
            "" if single else " or beside template.yaml"
        )
        raise Invalid(said, file=file)
    if len(texts) > MOST_FILES:
        raise Invalid(f"has {len(texts)} files; a template has at most {MOST_FILES}", file=where)
    for path in texts:
        if len(path) > LONGEST_PATH or not path.isprintable():
            raise Invalid(
                f"the path {escaped(path[:80])!r} is too long or holds a control character", file=where
            )
    return Template(
        name=name,
        origin=origin,
        where=where,
        manifest=manifest,
        files={path: text for path, text in sorted(texts.items()) if not path.startswith(PARTS)},
        parts={path: text for path, text in texts.items() if path.startswith(PARTS)},
        shown=shown,
    )


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Invalid("is no UTF-8 text; a template holds nothing else", file=file, line=line) from None
