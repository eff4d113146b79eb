"""Target of templates: a hostile one, values for its parameters, and what comes of both."""

from __future__ import annotations

from bundle import pack, unpack
from reading import check_error
from target import Target, must

from bnet.app.templates import describe
from bnet.cli.template import FOLDER, SHIPPED
from bnet.codec.filled import check_for_hub, fill
from bnet.codec.filling import LONGEST_ALL
from bnet.codec.generalized import generalize
from bnet.codec.parameters import values_of
from bnet.codec.templates import MANIFEST, read_template
from bnet.errors import BnetError
from bnet.inside import parts_of

SAID = "said/"  # files of an input that are values of parameters
FROM = "from/"  # files of an input of which a template is made


def template(data: bytes) -> None:
    """A template is filled in within bounds and with paths that stay below, or `BnetError` says what is wrong."""
    files = unpack(data)
    said = {
        path.removeprefix(SAID): text.decode(errors="replace")
        for path, text in files.items()
        if path.startswith(SAID)
    }
    inside = {path: text for path, text in files.items() if not path.startswith((SAID, FROM))}
    if "" in inside or MANIFEST in inside:
        _fill(inside, said)
    source = {path.removeprefix(FROM): text for path, text in files.items() if path.startswith(FROM)}
    if source:
        _make(source, said)


def _fill(files: dict[str, bytes], said: dict[str, str]) -> None:
    try:
        found = read_template("trial", "hub", FOLDER, files)
        describe(found)
        made = fill(found, values_of(found.manifest.parameters, said))
    except BnetError as error:
        check_error(error)
        return
    must(sum(map(len, made.files.values())) <= 4 * LONGEST_ALL, "more than is allowed")
    for path, text in made.files.items():
        must("/".join(parts_of(path)) == path and path.isprintable(), "a path that leads elsewhere")
        must(".git" not in path.lower().split("/"), "a path of Git's own")
        text.decode()
    try:
        check_for_hub(made.files, FOLDER)
    except BnetError as error:
        check_error(error)


def _make(source: dict[str, bytes], said: dict[str, str]) -> None:
    try:
        made = generalize("trial", "d", source, said)
    except BnetError as error:
        check_error(error)
        must("cannot be a template as it is" not in str(error), "it becomes something else")
        return
    found = read_template("trial", "tree", "trial", made.files)
    again = fill(found, values_of(found.manifest.parameters, {}))
    must(dict(again.files) == source, "it becomes something else")


def _templates() -> list[bytes]:
    shipped = []
    for path in sorted(SHIPPED.iterdir()):
        inner = sorted(path.iterdir()) if path.is_dir() else []
        files = {each.name: each.read_bytes() for each in inner} or {"": path.read_bytes()}
        shipped.append(pack({**files, f"{SAID}repository": b"/srv/x.git", f"{SAID}name": b"x"}))
    manifest = b"""\
parameters:
  name: {type: name, default: app, choices: [app, b]}
  words: {type: list, default: [a, b], pattern: "[a-z]{1,3}\\\\d*"}
  count: {type: integer, default: 3}
  wanted: {type: flag, default: true}
files: {"coordination/schedules/{{ name }}.yaml": "cron: '@daily'\\nsubmit: {command: {{ name | yaml }}}\\n"}
next: ["{{ words | join(' ') }}"]
"""
    text = b"""\
{% for each in words + ["x" ~ count] if each != "b" %}
{{ loop.index }}{{ "" if loop.last else loop.nextitem | upper }}{% include "_parts/x" %}
{% for n in range(count) %}{{ n + 1 }}{% else %}none{% endfor %}
{% endfor %}
{% if wanted and not count > 2 or name in words %}{{ [name, words] | yaml }}{% elif 1 %}{{ "{{" }}{% endif %}
"""
    source = b"packages:\n  - {name: core, path: libs/core, build_cmd: 'echo {core} {{x}} ${#a} {% core_x'}\n"
    return [
        *shipped,
        pack({"template.yaml": manifest, "src/{{ name }}.txt": text, "_parts/x": b"{{ name | identifier }}"}),
        pack({f"{FROM}bnet.yaml": source, f"{FROM}README.md": b"core", f"{FROM}_parts/core": b""}),
        pack({f"{FROM}{{{{x/core": b"{{core}}{core", f"{SAID}name": b"core", f"{SAID}x": b"x"}),
    ]


TARGETS = (Target("template", "files", template, _templates, 0.5),)
