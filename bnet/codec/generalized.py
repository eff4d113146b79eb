"""A template made of what is there already: texts that stood in it become places to fill in."""

import re
from collections.abc import Mapping

import msgspec

from bnet.codec import people
from bnet.codec.filled import fill
from bnet.codec.parameters import values_of
from bnet.codec.shown import escaped
from bnet.codec.templates import EXPLANATION, MANIFEST, PARTS, read_template
from bnet.codec.tree import FILE, read_tree
from bnet.errors import BnetError, Invalid
from bnet.model.base import is_name
from bnet.model.template import Manifest, Parameter

_SIGNS = r"\{\{|\{%|\{#"
_WORD = r"\w"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new template.

    Attributes:
        files: texts by path, `template.yaml` among them.
        places: of each parameter, what it stands for by default, and how often it has been put in.
    """

    files: Mapping[str, bytes]
    places: Mapping[str, tuple[str, int]]


def generalize(name: str, source: str, found: Mapping[str, bytes], said: Mapping[str, str]) -> Made:
    """Return a template that becomes what is there, as long as nothing else is said.

    Args:
        name: of the template.
        source: what it is made from, for people.
        found: texts by path.
        said: parameter -> the text that it stands for; empty for the names of the packages in bnet.yaml.

    Raises:
        Invalid: a file is no text, or cannot stand in a template as it is.
        BnetError: nothing in there can be said differently.
    """
    texts = {path: _decoded(data, path) for path, data in found.items()}
    asked = dict(said) or _packages(found.get(FILE))
    _check_asked(asked)
    counts = dict.fromkeys(asked, 0)
    files = {_places(path, asked, counts): _places(text, asked, counts) for path, text in texts.items()}
    for each, count in counts.items():
        if not count:
            raise BnetError(f"the text of {each}, {escaped(asked[each])[:80]!r}, stands nowhere in there")
    # What means something else beside template.yaml stands in it.
    own = {
        path for path in files if path == MANIFEST or path.startswith(PARTS) or EXPLANATION.fullmatch(path)
    }
    inner = {re.sub(f"^{PARTS}", f'{{{{ "{PARTS}" }}}}', path): files.pop(path) for path in sorted(own)}
    parameters = {
        each: Parameter(type="name" if is_name(text) else "text", default=text)
        for each, text in asked.items()
    }
    manifest = people.write(Manifest(description=f"made from {source}", parameters=parameters, files=inner))
    made = {MANIFEST: manifest, **{path: text.encode() for path, text in files.items()}}
    template = read_template(name, "tree", name, made)
    if fill(template, values_of(template.manifest.parameters, {})).files != dict(found):
        raise Invalid("cannot be a template as it is", file=name)
    return Made(files=made, places={each: (asked[each], counts[each]) for each in asked})


def _check_asked(asked: Mapping[str, str]) -> None:
    if not asked:
        raise BnetError(
            "there are no packages whose names could be filled in",
            hint="say what is: --param NAME=TEXT makes each TEXT a place for the parameter NAME",
        )
    names: dict[str, str] = {}
    for name, text in asked.items():
        if not text:
            raise BnetError(f"the text of {escaped(name)} is empty", hint="--param NAME=TEXT")
        other = names.setdefault(text, name)
        if other != name:
            both = f"{escaped(other)} and {escaped(name)}"
            raise BnetError(f"{both} stand for the same text, {escaped(text)[:80]!r}; say it once")


def _packages(text: bytes | None) -> dict[str, str]:
    if text is None:
        return {}
    names = [each.name for each in read_tree(text).packages]
    if len(names) == 1:
        return {"name": names[0]}
    found: dict[str, str] = {}
    for each in names:
        base = re.sub(r"[^a-z0-9]+", "_", f"package_{each}".lower()).strip("_")[:36]
        others = (f"{base}_{number}" for number in range(2, len(names) + 2))
        found[next(name for name in (base, *others) if name not in found)] = each
    return found


def _places(text: str, asked: Mapping[str, str], counts: dict[str, int]) -> str:
    """Put places into a text, the longest words first, and keep what would mean something in a template."""
    names = {word: name for name, word in asked.items()}
    words = "|".join(re.escape(each) for each in sorted(names, key=len, reverse=True))
    # A brace before a place would be read as a part of it.
    pattern = rf"(?P<sign>{_SIGNS}|\{{(?=(?:{words})(?!{_WORD})))|(?<!{_WORD})(?P<word>{words})(?!{_WORD})"

    def put(match: re.Match[str]) -> str:
        if match["sign"]:
            return "{{ " + f'"{match["sign"]}"' + " }}"
        counts[names[match["word"]]] += 1
        return "{{ " + names[match["word"]] + " }}"

    return re.sub(pattern, put, text)


def _decoded(data: bytes, path: str) -> str:
    if b"\r" in data:
        line = data[: data.index(b"\r")].count(b"\n") + 1
        raise Invalid(
            "ends this line as Windows does; a template keeps only \\n", file=escaped(path), line=line
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Invalid("is no UTF-8 text; a template holds nothing else", file=escaped(path)) from None
