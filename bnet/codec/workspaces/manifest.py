"""The files in which other tools declare packages: read, checked against a type, and complaints with a place."""

import json
import re
import tomllib
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from bnet.codec import people
from bnet.errors import Invalid
from bnet.model.tree import Package

T = TypeVar("T")

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "str": "a text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`(?: - at `([^`]*)`)?")


class Files(Protocol):
    """A tree's files, as whoever reads manifests sees them; nothing outside the tree is reached through it."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content; None if there is no such file.

        Args:
            path: from the root of the tree.
        """
        ...

    def glob(self, pattern: str) -> list[str]:
        """Return the files that a pattern means, sorted; none that Git ignores.

        Args:
            pattern: as in `bnet.build.globs`, from the root of the tree.
        """
        ...


class Manifest(NamedTuple):
    """A file that declares a package: its name and its text."""

    file: str
    text: str

    @property
    def directory(self) -> str:
        """Its directory, from the root of the tree."""
        return self.file.rpartition("/")[0] or "."

    def line(self, field: str) -> int | None:
        """Return the line in which a dotted field most likely stands."""
        at, found = 0, False
        for key in field.split("."):
            match = re.compile(rf"(?<![\w/-]){re.escape(key)}(?![\w/-])").search(self.text, at)
            if match is not None:
                at, found = match.start(), True
        return self.text.count("\n", 0, at) + 1 if found else None

    def invalid(self, message: str, field: str | None = None) -> Invalid:
        """Return the error that points at a field, or at the whole file."""
        line = None if field is None else self.line(field)
        return Invalid(message, file=self.file, line=line, field=field)


class Member(NamedTuple):
    """A package that a manifest declares.

    Attributes:
        package: without its dependencies.
        manifest: where from.
        needs: the manifest of what it depends on -> the field that says so.
    """

    package: Package
    manifest: Manifest
    needs: dict[str, str]


def read_json(file: str, data: bytes, kind: type[T]) -> tuple[Manifest, T]:
    """Return a JSON manifest and what it says.

    Raises:
        Invalid: it is no JSON, or a field that matters has another type.
    """
    manifest = Manifest(file, _decoded(file, data))
    return manifest, _converted(manifest, _parsed(manifest, json.loads, "JSON"), kind)


def read_toml(file: str, data: bytes, kind: type[T]) -> tuple[Manifest, T]:
    """Return a TOML manifest and what it says.

    Raises:
        Invalid: it is no TOML, or a field that matters has another type.
    """
    manifest = Manifest(file, _decoded(file, data))
    return manifest, _converted(manifest, _parsed(manifest, tomllib.loads, "TOML"), kind)


def read_yaml(file: str, data: bytes, kind: type[T]) -> tuple[Manifest, T]:
    """Return a YAML manifest and what it says.

    Raises:
        Invalid: it is no YAML, or a field that matters has another type.
    """
    parsed = people.parse(data, file)
    manifest = Manifest(file, _decoded(file, data))
    return manifest, _converted(manifest, {} if parsed.data is None else parsed.data, kind)


def _decoded(file: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Invalid("is no UTF-8 text", file=file, line=line) from None


def _parsed(manifest: Manifest, parse: Callable[[str], object], what: str) -> object:
    try:
        return parse(manifest.text)
    except json.JSONDecodeError as error:
        told, line = error.msg, error.lineno
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*?)(?: \((?:at line (\d+).*|at end of document)\))?", str(error))
        told, number = (found[1], found[2]) if found else (str(error), None)
        line = int(number) if number else manifest.text.count("\n") + 1
    except RecursionError:
        raise Invalid("is nested too deeply", file=manifest.file) from None
    except ValueError as error:  # a number of more digits than Python reads
        raise Invalid(f"is no valid {what}: {error}", file=manifest.file) from None
    raise Invalid(f"is no valid {what}: {told}", file=manifest.file, line=line)


def _converted(manifest: Manifest, data: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(data, kind)
    except UnicodeEncodeError:  # JSON can spell half a character, and no text can hold it
        raise manifest.invalid("holds a character that is none") from None
    except msgspec.ValidationError as error:
        found = _EXPECTED.fullmatch(str(error))
        if found is None:
            raise manifest.invalid(str(error)) from None
        wanted = " or ".join(
            dict.fromkeys(_WORDS.get(each, each) for each in found[1].split(" | ") if each != "null")
        )
        got = _WORDS.get(found[2], found[2])
        field = re.sub(r"\[[^]]*\]", "", (found[3] or "$").removeprefix("$").removeprefix(".")) or None
        where = "a value in it " if found[3] and found[3].endswith("[...]") else ""
        raise manifest.invalid(f"{where}must be {wanted}, not {got}", field) from None
