"""Templates: files with places that are filled in, and what may be said for each of those."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from bnet.model.command import Strict

ParameterType = Literal["text", "name", "integer", "flag", "list"]
Origin = Literal["hub", "tree", "bnet"]
Value = str | int | bool | tuple[str, ...]
"""What a parameter stands for once it has been checked."""

ParameterName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z][a-z0-9_]{0,39}(?!\n)$",
        description="a parameter's name: lower case letters, digits and '_'",
    ),
]


class Parameter(Strict, frozen=True, kw_only=True):
    """Something that whoever applies a template may say.

    Attributes:
        type: `text` is one line, `name` a name as jobs have it, `list` texts with commas between them.
        default: what it is where nothing is said; without one, it has to be said.
        pattern: what a text, or each of a list, has to look like as a whole: characters, classes and counts.
        choices: the texts that it may be.
        help: for people.
    """

    type: ParameterType = "text"
    default: str | int | bool | tuple[str | int, ...] | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    help: str = ""


class Manifest(Strict, frozen=True, kw_only=True):
    """`template.yaml`, or a template that is a single file.

    Attributes:
        description: what comes of it, for people.
        target: `hub` for files of the ledger's branch, which `--hub` commits.
        parameters: by name; a place `{{ name }}` in a file is filled in with one.
        files: what is made, text by path, beside the files of the directory.
        next: what to do then, a line each; places are filled in here too.
    """

    description: str = ""
    target: Literal["tree", "hub"] = "tree"
    parameters: dict[ParameterName, Parameter] = {}
    files: dict[str, str] = {}
    next: tuple[str, ...] = ()


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template as it was found.

    Attributes:
        name: of it.
        origin: of which kind the place is where it was found: the hub, the tree, or bnet itself.
        where: that place, for messages.
        manifest: what it says of itself.
        files: texts by path, as they are before anything is filled in.
        parts: texts by path that others include, and that are not written by themselves.
        shown: how messages name each of them.
    """

    name: str
    origin: Origin
    where: str
    manifest: Manifest
    files: Mapping[str, str]
    parts: Mapping[str, str]
    shown: Mapping[str, str]
