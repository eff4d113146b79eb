"""Where templates are looked for, what there is, and the putting of what comes of one on the hub."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from msgspec.structs import replace

from bnet.app.ledger import Ledger
from bnet.codec import layout
from bnet.codec.parameters import default_of
from bnet.codec.people import nearest
from bnet.codec.shown import escaped
from bnet.codec.templates import ENDING, MANIFEST, MOST_FILES, name_of, read_template
from bnet.errors import BnetError, Invalid, Taken
from bnet.model.template import Origin, Parameter, Template
from bnet.ports.hub import Hub
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction

PLACES: dict[Origin, str] = {"hub": "the hub", "tree": "this tree", "bnet": "bnet itself"}


class Shelf(Protocol):
    """A place where templates are."""

    origin: Origin
    where: str

    def paths(self) -> Sequence[str]:
        """Return the names of the files there, from that place."""

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of files; what is no regular file, or too large, is left out."""


class HubShelf:
    """The templates on the hub."""

    origin: Origin = "hub"
    where = layout.TEMPLATES.rstrip("/")

    def __init__(self, hub: Hub, tip: str) -> None:
        """Keep where they are read from: a commit of the private copy."""
        self._hub, self._tip = hub, tip

    def paths(self) -> Sequence[str]:
        """Return the names of the files there."""
        found = self._hub.names(self._tip, layout.TEMPLATES)
        return [path.removeprefix(layout.TEMPLATES) for path in found]

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of files."""
        oids = {path: self._regular[path] for path in paths if path in self._regular}
        contents = self._hub.contents(list(oids.values()), layout.DOCUMENT_LIMIT)
        return {path: contents[oid] for path, oid in oids.items() if oid in contents}

    @cached_property
    def _regular(self) -> Mapping[str, str]:
        found = self._hub.blobs(self._tip, layout.TEMPLATES)
        return {path.removeprefix(layout.TEMPLATES): oid for path, oid in found.items()}


def every(shelves: Sequence[Shelf]) -> list[dict[str, Any]]:
    """Return all templates as plain objects, by name; of two with one name the one that counts."""
    told: dict[str, dict[str, Any]] = {}
    for shelf in shelves:
        listed = shelf.paths()
        for name in _names(listed) - told.keys():
            try:
                told[name] = describe(_load(shelf, name, listed))
            except Invalid as error:
                told[name] = {"name": name, "origin": shelf.origin, "problem": escaped(str(error))}
    return [told[name] for name in sorted(told)]


def find(shelves: Sequence[Shelf], name: str) -> Template:
    """Return a template, from the first place that has one of that name.

    Raises:
        Invalid: it cannot be read; the message names file, line and field.
        BnetError: there is none.
    """
    known: list[str] = []
    for shelf in shelves:
        listed = shelf.paths()
        there = _names(listed)
        if name in there:
            return _load(shelf, name, listed)
        known += there
    there_are = nearest(name, sorted(known)) if known else ""
    raise BnetError(f"there is no template {escaped(name)[:80]}{there_are}", hint="bnet template list")


def _names(listed: Sequence[str]) -> set[str]:
    return {name for path in listed if (name := name_of(path)) is not None}


def _load(shelf: Shelf, name: str, listed: Sequence[str]) -> Template:
    single = name + ENDING
    folder = f"{name}/"
    if f"{folder}{MANIFEST}" not in listed:
        wanted = {single: ""}
        where = f"{shelf.where}/{single}"
    else:
        wanted = {path: path.removeprefix(folder) for path in listed if path.startswith(folder)}
        where = f"{shelf.where}/{name}"
        if single in listed:
            raise Invalid(f"is there beside {single}; take one of them away", file=where)
    if len(wanted) > MOST_FILES + 1:
        raise Invalid(f"has {len(wanted)} files; a template has at most {MOST_FILES}", file=where)
    found = shelf.read(list(wanted))
    for path in wanted:
        if path not in found:
            limit = layout.DOCUMENT_LIMIT
            raise Invalid(
                f"is a link or no regular file, may not be read, or has more than {limit:,} bytes",
                file=f"{shelf.where}/{escaped(path)}",
            )
    return read_template(name, shelf.origin, where, {wanted[path]: found[path] for path in wanted})


def describe(template: Template) -> dict[str, Any]:
    """Return a template as a plain object."""
    manifest = template.manifest
    return {
        "name": template.name,
        "origin": template.origin,
        "where": template.where,
        "description": manifest.description,
        "target": manifest.target,
        "parameters": [_described(name, each) for name, each in manifest.parameters.items()],
        "files": list(template.files),
        "problem": None,
    }


def _described(name: str, asked: Parameter) -> dict[str, Any]:
    return {
        "name": name,
        "type": asked.type,
        "default": None if asked.default is None else default_of(asked),
        "pattern": asked.pattern,
        "choices": list(asked.choices),
        "help": asked.help,
    }


def put(ledger: Ledger, name: str, files: Mapping[str, bytes], *, force: bool) -> list[str]:
    """Put what came of a template on the hub, by one transaction; return the files that are new or have changed.

    Args:
        ledger: the hub's.
        name: of the template.
        files: texts by path, which have been checked.
        force: whether what has other texts there is replaced.

    Raises:
        Taken: files are in the way; the message names them, and nothing was written.
    """
    written: list[str] = []

    def decide(tx: Transaction) -> None:
        there = {path: tx.in_force(path) for path in files}
        broken = {each.path for each in tx.state.problems}
        written[:] = [path for path in files if path in broken or there[path] != files[path]]
        in_the_way(
            [path for path in written if path in broken or there[path] is not None], "the hub", force=force
        )
        if written:
            change = Change(verb="apply-template", target=name, fields={"files": len(written)})
            tx.apply(replace(change, files={path: files[path] for path in written}))

    ledger.refresh()
    ledger.transact(decide)
    return written


def in_the_way(paths: Sequence[str], where: str, *, force: bool) -> None:
    """Refuse to write over files that have another text, unless that is what was asked for.

    Raises:
        Taken: the message names them.
    """
    if paths and not force:
        listed = ", ".join(escaped(each) for each in paths[:10]) + (
            f" and {len(paths) - 10} more" if len(paths) > 10 else ""
        )
        raise Taken(
            f"{listed} {'is' if len(paths) == 1 else 'are'} in the way in {where}; nothing was written",
            hint="--force writes over what is there, --dry-run shows what would be written",
        )
