"""Templates: what may stand in one, what comes of it, and that everything in one has an end."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from bnet.app.templates import every, find
from bnet.cli.template import SHIPPED
from bnet.codec.filled import check_for_hub, fill
from bnet.codec.generalized import generalize
from bnet.codec.parameters import values_of
from bnet.codec.patterns import Pattern
from bnet.codec.templates import read_template
from bnet.codec.tree import read_tree
from bnet.errors import BnetError, Invalid, Taken
from bnet.host.templates import FolderShelf, walk, write_all
from bnet.model.template import Template

MANIFEST = """\
description: a trial
parameters:
  name: {type: name, default: app}
  words: {type: list, default: [a, b]}
  count: {type: integer, default: 3}
  wanted: {type: flag, default: true}
"""
REPOSITORY = "https://github.com/example/widgets"


def template(files: Mapping[str, str], manifest: str = MANIFEST) -> Template:
    found = {path: text.encode() for path, text in files.items()}
    return read_template("trial", "hub", "trial", {"template.yaml": manifest.encode(), **found})


def filled(files: Mapping[str, str], manifest: str = MANIFEST, **said: str) -> dict[str, str]:
    made = template(files, manifest)
    return {
        path: text.decode()
        for path, text in fill(made, values_of(made.manifest.parameters, said)).files.items()
    }


def refusal(files: Mapping[str, str], manifest: str = MANIFEST, **said: str) -> str:
    begun = time.process_time()
    with pytest.raises(Invalid) as caught:
        filled(files, manifest, **said)
    assert time.process_time() - begun < 20, "it ended, and late"
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("{{ name }}\n", "app\n"),
        ("{% for each in words %}\n{{ loop.index }} {{ each }}\n{% endfor %}\n", "1 a\n2 b\n"),
        ("{% for each in words %}{{ each }}{{ '' if loop.last else ', ' }}{% endfor %}", "a, b"),
        ("{% for n in range(count) %}{{ n }}{% endfor %}", "012"),
        ("{% if wanted and count > 2 %}yes{% else %}no{% endif %}", "yes"),
        ("{{ words | yaml }} {{ words | join('+') }} {{ 'it is' | shell }}", '["a", "b"] a+b \'it is\''),
        ("{{ 'my-app' | identifier | upper }}", "MY_APP"),
        ("{{ (words + ['c']) | yaml }}", '["a", "b", "c"]'),
        ('{% include "_parts/x" %}', "part of app"),
        ("${matrix.cc}", "${matrix.cc}"),
    ],
)
def test_places_are_filled_in(text: str, becomes: str) -> None:
    assert filled({"f": text, "_parts/x": "part of {{ name }}"}) == {"f": becomes}


def test_names_of_files_hold_places_too_and_an_empty_one_is_left_out() -> None:
    files = {"src/{{ name }}.txt": "x", "{% if wanted %}extra{% endif %}": "y"}
    assert filled(files) == {"src/app.txt": "x", "extra": "y"}
    assert filled(files, name="b", wanted="no") == {"src/b.txt": "x"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n{{ nam }}\n", "trial/f:2: there is no parameter nam; did you mean name?"),
        ("{% if not wanted %}\n{{ other }}{% endif %}", "trial/f:2: there is no parameter other"),
        ("{{ name | reverse }}", "trial/f:1: there is no filter reverse"),
        ("\n{{ name.__class__ }}", "trial/f:2: has an attribute, .__class__"),
        ("{{ ''.__class__.__mro__ }}", "has an attribute"),
        ("{{ name['x'] }}", "has an item of something"),
        ("{{ words.append(1) }}", "calls a function"),
        ("{{ range.__init__.__globals__ }}", "has an attribute"),
        ("{{ name | attr('format') }}", "there is no filter attr"),
        ("{{ cycler }}", "there is no parameter cycler"),
        ("{{ self }}", "there is no parameter self"),
        ("{{ range }}", "names range"),
        ("{% set x = 1 %}", "has set"),
        ("{% macro m() %}{% endmacro %}", "has a macro"),
        ("{% import 'g' as g %}", "has an import"),
        ("{% extends 'g' %}", "has extends"),
        ("{{ 'a' * 1000000000 }}", "has a multiplication"),
        ("{{ 9 ** 9 ** 9 }}", "has a power"),
        ("{{ '%999999999d' % 1 }}", "has a %"),
        ("{% for a in words recursive %}{{ loop(words) }}{% endfor %}", "recursive"),
        ("{% for a in range(1000000) %}x{% endfor %}", "trial/f:1: counts to more than 10,000"),
        ("{% for a in range(10**6) %}x{% endfor %}", "has a power"),
        ("{{ 'a' in range(99999999999999999999999) }}", "trial/f:1"),
        (
            "{% for a in range(9000) %}\n{% for b in range(9000) %}x{% endfor %}{% endfor %}",
            "trial/f:2: its loops and includes take more than 10,000 turns",
        ),
        ("{% for a in name %}x{% endfor %}", "a loop is over a list"),
        ("x\n{% include 'f' %}", "trial/f:2: includes itself: f -> f"),
        ("{% include 'nothing' %}", "trial/f:1: includes nothing, which the template does not have"),
        ("{% include name %}", "includes what is only known later"),
        ("{% include '/etc/passwd' %}", "which the template does not have"),
        ("{% include '../../g' %}", "which the template does not have"),
        ("{% for a in words %}", "trial/f:1: is no template"),
        ("{{ name + count }}", "trial/f:1: cannot be filled in"),
        ("(" * 20 + "{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "trial/f"),
        ("{{ " + "not " * 300 + "1 }}", "trial/f"),
        ("{{ name" + " | yaml" * 60 + " }}", "trial/f"),
        ("{{ name" + " | yaml" * 30 + " }}", "makes a text that is too long"),
        ("{% for a in words %}" * 30 + "{% endfor %}" * 30, "more than 5 loops in each other"),
        ("{% for a in range(9999) %}" + "x" * 1000 + "{% endfor %}", "becomes longer than 1,000,000"),
        ("{% for a in words %}{{ loop }}{% endfor %}", "names loop without saying what of it"),
        ("{{ loop.index }}", "has an attribute, .index"),
        ("x\n{{ '\\ud800' }}", "trial/f: cannot be filled in: 'utf-8' codec can't encode"),
        ("{% if 0 %}" + "{% elif 0 %}" * 9000 + "{% endif %}", "has more than 10,000 places"),
    ],
)
def test_what_may_not_stand_in_a_template_is_refused_with_file_and_line(text: str, said: str) -> None:
    assert said in refusal({"f": text, "g": "x"})


TIMES = 1000


def grown(deep: int, by: str) -> str:
    """Return loops of which each makes its one value a thousand times as large as the one before."""
    row, end = "{% for v0 in ['x' ~ name] %}", "{% endfor %}"
    for number in range(1, deep):
        each = by.join([f"v{number - 1}"] * TIMES)
        row, end = row + f"{{% for v{number} in [{each}] %}}", end + "{% endfor %}"
    return f"{row}{{% if v{deep - 1} == name %}}{{% endif %}}{end}"


@pytest.mark.parametrize(
    "text",
    [
        grown(4, " ~ "),
        grown(4, ", ").replace("[", "[[").replace("] %}", "]] %}"),
        "{% for a in range(9999) %}" + "{% if (name ~ a) | yaml == 1 %}{% endif %}" * 900 + "{% endfor %}",
    ],
)
def test_a_value_that_grows_without_being_written_has_an_end(text: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "uses values of more than 5,000,000 characters" in refusal({"f": text})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kB"


def test_files_that_include_each_other_end() -> None:
    told = refusal(
        {
            "f": "{% include '_parts/a' %}",
            "_parts/a": "{% include '_parts/b' %}",
            "_parts/b": "\n{% include '_parts/a' %}",
        }
    )
    assert "trial/_parts/b:2: includes itself: _parts/a -> _parts/b -> _parts/a" in told


def test_a_row_of_files_that_include_the_next_one_many_times_ends() -> None:
    row = {f"_parts/{n}": f"{{% include '_parts/{n + 1}' %}}" * 10 for n in range(20)}
    assert "more than 10,000 turns" in refusal({"f": "{% include '_parts/0' %}", **row, "_parts/20": "x"})


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "a//b",
        "./x",
        ".git/config",
        "a/.GIT/hooks/x",
        "c:/x",
        "a\\..\\x",
        " x",
        "x /y",
        "x./y",
        "a/./b",
        "a/nul.txt",
        "CON",
        "a/" * 300 + "x",
        "x" * 300,
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    manifest = "parameters: {where: {default: ok}}\n"
    assert "nothing was written" in refusal({"{{ where }}": "x"}, manifest, where=path)


def test_paths_in_each_others_way_are_refused() -> None:
    manifest = "parameters: {one: {default: a}, two: {default: b}}\n"
    files = {"{{ one }}": "x", "{{ two }}": "y"}
    assert "as another file of the template does" in refusal(files, manifest, two="a")
    assert "are one file on some disks" in refusal(files, manifest, two="A")
    assert "are one file on some disks" in refusal(files, manifest, one="\u00e9", two="e\u0301")
    assert "a file and a directory" in refusal(files, manifest, two="a/b")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"name": "../x"}, "--set name: '../x' is no name"),
        ({"name": "a\x1b[2J"}, "holds a control character"),
        ({"words": "a,b\nc"}, "holds a control character"),
        ({"count": "many"}, "--set count: 'many' is no whole number"),
        ({"wanted": "maybe"}, "is neither true nor false"),
        ({"nam": "x"}, "there is no such parameter; did you mean name?"),
        ({"name": "x" * 2000}, "at most 1,000"),
    ],
)
def test_a_value_that_a_parameter_may_not_be_is_refused(said: dict[str, str], told: str) -> None:
    assert told in refusal({"f": "x"}, **said)


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ("- a", "trial/template.yaml:1: must be a mapping"),
        ("describtion: x", 'field "describtion": there is no such field; did you mean description?'),
        ("parameters:\n  a: {type: colour}", "trial/template.yaml:2"),
        ("parameters:\n  a: {default: x, pattern: '(a+)+$'}", "trial/template.yaml:2: field"),
        ("parameters:\n  a: {default: X, pattern: '[a-z]+'}", "'X' does not look like [a-z]+"),
        ("parameters:\n  loop: {}", "means something else in a template"),
        ("parameters:\n  A b: {}", "trial/template.yaml"),
        ("description: x\nnext:\n" + "- x\n" * 21, 'trial/template.yaml:3: field "next": has 21 lines'),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_its_place(manifest: str, told: str) -> None:
    assert told in refusal({"f": "x"}, manifest)


def test_what_bnet_reads_is_checked_before_it_is_written() -> None:
    told = refusal({"bnet.yaml": "packages:\n  - {name: '{{ name }}', dependencies: [other]}\n"})
    assert "trial/bnet.yaml: line 2 of the bnet.yaml that comes of it is wrong" in told
    assert "coordination/jobs/0000/1/claim.json" in refusal({"coordination/jobs/0000/1/claim.json": "{}"})


def test_only_what_people_write_goes_to_the_hub() -> None:
    check_for_hub(["coordination/schedules/a.yaml", "coordination/environments.yaml"], "t")
    for path in (
        "bnet.yaml",
        "coordination/hub.yaml",
        "coordination/ledger.json",
        "coordination/schedules/a.state.json",
    ):
        with pytest.raises(Invalid, match="does not write"):
            check_for_hub([path], "t")


# -- patterns


@pytest.mark.parametrize(
    "pattern", ["[a-z][a-z0-9_]{0,3}", r"\d+\.\d*", "a?b*c+", "[^/]{2,}", "x{3}", "", "a.c"]
)
def test_a_pattern_means_what_it_means_in_python(pattern: str) -> None:
    for text in ("", "a", "a1_z", "a1_zz", "1.", "1.23", "bc", "abbcc", "ab", "a/", "xxx", "xxxx", "azc"):
        assert Pattern(pattern).fits(text) == bool(re.fullmatch(pattern, text)), text


@pytest.mark.parametrize("pattern", ["(a+)+", "a|b", "[", "a{3,1}", "*", "x{999}y{999}", "\\"])
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        Pattern(pattern)


def test_a_pattern_takes_no_longer_for_many_counts() -> None:
    begun = time.process_time()
    assert not Pattern("a*" * 499 + "b").fits("a" * 1000)
    assert time.process_time() - begun < 20


# -- on a disk


def test_all_is_written_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    files = {"a": b"1", "b": b"2", "c/d": b"#!/bin/sh\n"}
    with pytest.raises(Taken, match="b is in the way"):
        write_all(tmp_path, files, force=False)
    assert sorted(os.listdir(tmp_path)) == ["b"]
    assert write_all(tmp_path, files, force=True) == ["a", "b", "c/d"]
    assert os.access(tmp_path / "c/d", os.X_OK) and not os.access(tmp_path / "a", os.X_OK)
    assert write_all(tmp_path, files, force=False) == []


@pytest.mark.parametrize("force", [False, True])
def test_nothing_has_its_name_when_the_rest_cannot_be_written(
    force: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = os.fsync
    calls = iter(range(9))

    def full(handle: int) -> None:
        if next(calls) == 2:
            raise OSError(28, "No space left on device")
        true(handle)

    if force:
        (tmp_path / "a").write_text("mine")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as caught:
        write_all(tmp_path, {"a": b"1", "b": b"2", "c": b"3"}, force=force)
    assert caught.value.filename == str(tmp_path / "c")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a", "mine")] * force


@pytest.mark.parametrize("links", [True, False])
def test_what_comes_to_be_while_it_is_written_is_not_written_over(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = os.fsync

    def other(handle: int) -> None:
        (tmp_path / "b").write_text("theirs")
        true(handle)

    def unknown(*words: object, **others: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fsync", other)
    if not links:
        monkeypatch.setattr(os, "link", unknown)
    with pytest.raises(Taken, match="b is in the way"):
        write_all(tmp_path, {"a": b"1", "b": b"2"}, force=False)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("b", "theirs")]
    (tmp_path / "b").unlink()
    assert write_all(tmp_path, {"a": b"1", "b": b"theirs"}, force=False) == ["a"], "it is so already"


def test_a_pipe_in_the_way_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(Taken, match="a is in the way"):
        write_all(tmp_path, {"a": b"1"}, force=False)
    assert write_all(tmp_path, {"a": b"1"}, force=True) == ["a"]
    assert (tmp_path / "a").read_text() == "1"


def test_a_directory_that_may_not_be_looked_into_is_not_left_out_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut").mkdir()
    true = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return true(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        list(walk(tmp_path))
    assert list(walk(tmp_path / "nowhere")) == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "way").symlink_to(outside)
    with pytest.raises(BnetError, match="is a link"):
        write_all(inside, {"a": b"1", "way/x": b"2"}, force=True)
    (inside / "x").symlink_to(outside / "y")
    write_all(inside, {"x": b"2"}, force=True)
    assert os.listdir(outside) == [] and sorted(os.listdir(inside)) == ["way", "x"]


def test_a_template_of_nothing_is_refused() -> None:
    assert "trial/template.yaml: has no files to fill in" in refusal({"_parts/x": "x", "README.md": "x"})


def test_a_template_that_is_too_large_is_refused_before_it_is_read() -> None:
    assert "has files of more than 5,000,000 bytes" in refusal({f"f{n}": "x" * 999_999 for n in range(6)})


def test_a_link_in_a_template_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "template.yaml").write_text("description: x\n")
    (tmp_path / "bad" / "f").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match="bad/f: is a link"):
        find([FolderShelf(tmp_path, "tree")], "bad")


def test_the_first_place_with_a_name_counts(tmp_path: Path) -> None:
    for place, text in (("one", "description: first"), ("two", "description: second")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "t.yaml").write_text(f"{text}\nfiles: {{f: x}}\n")
    shelves = [FolderShelf(tmp_path / each, "tree") for each in ("none", "one", "two")]
    assert find(shelves, "t").manifest.description == "first"
    assert [each["description"] for each in every(shelves)] == ["first"]
    with pytest.raises(BnetError, match="there is no template u"):
        find(shelves, "u")


# -- those that come with bnet


def shipped() -> list[str]:
    return [each["name"] for each in every([FolderShelf(SHIPPED, "bnet")])]


def test_there_are_templates_for_each_kind() -> None:
    wanted = {
        "python-package",
        "node-monorepo",
        "c-make",
        "pipeline",
        "nightly",
        "source",
        "environments",
        "matrix-job",
    }
    assert wanted == set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_template_is_valid_with_its_defaults_and_with_the_ugliest_values(name: str) -> None:
    found = find([FolderShelf(SHIPPED, "bnet")], name)
    asked = found.manifest.parameters
    said = {"repository": REPOSITORY} if "repository" in asked else {}
    made = fill(found, values_of(asked, said))
    assert made.files, "bnet's own checks are part of filling it in"
    if found.manifest.target == "hub":
        check_for_hub(made.files, name)
    ugly = """it's: "a" # {x} [y] \\ & *z !w %v @u `t` | > ? -"""
    for key, each in asked.items():
        if (
            each.type == "text"
            and each.pattern is None
            and not each.choices
            and key not in ("repository", "ref", "cron", "timezone", "every")
        ):
            said[key] = ugly
    fill(found, values_of(asked, said))
    flags = {key: "no" for key, each in asked.items() if each.type == "flag"}
    fill(found, values_of(asked, said | flags))


# -- made of what is there


def test_a_template_that_is_made_becomes_what_it_was_made_from() -> None:
    text = b"packages:\n  - {name: core, path: libs/core, build_cmd: 'echo {{x}} ${#a} {% core_x'}\n"
    made = generalize("mine", "bnet.yaml", {"bnet.yaml": text}, {})
    assert made.places == {"name": ("core", 2)}
    found = read_template("mine", "tree", "mine", made.files)
    again = fill(found, values_of(found.manifest.parameters, {"name": "other"}))
    [package] = read_tree(again.files["bnet.yaml"]).packages
    assert (package.name, package.path, package.build_cmd) == (
        "other",
        "libs/other",
        "echo {{x}} ${#a} {% core_x",
    )


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": "about billing\n", "f": "a"},
        {"template.yaml": "a: billing\n"},
        {"_parts/billing/x": "x", "billing_parts/_parts/y": "y"},
        {"f": "{billing} {{billing}} ${billing} {{{billing}}} {%billing%} {#billing {{{{billing {billing_x}"},
        {"{{ billing }}/{billing}": "x", "{{ name }}": "y"},
        {"f": "\u00e9billing billing\u00e9 billing\u2028\x0c\x85"},
        {"billing": "#!/bin/sh\n", "e": ""},
    ],
)
def test_whatever_stands_there_becomes_itself_again(files: dict[str, str]) -> None:
    found = {path: text.encode() for path, text in files.items()}
    made = generalize("mine", "d", found, {"name": "billing"})
    template = read_template("mine", "tree", "mine", made.files)
    for name in ("billing", "orders"):
        again = fill(template, values_of(template.manifest.parameters, {"name": name})).files
        assert again == {
            re.sub(r"\bbilling\b", name, path): re.sub(r"\bbilling\b", name, text).encode()
            for path, text in files.items()
        }


def test_each_package_has_a_parameter_of_its_own() -> None:
    names = ["a-b", "a.b", "x" * 50 + "1", "x" * 50 + "2"]
    text = "packages:\n" + "".join(f"  - {{name: {each}, path: p{n}}}\n" for n, each in enumerate(names))
    made = generalize("mine", "d", {"bnet.yaml": text.encode()}, {})
    assert [text for text, _ in made.places.values()] == names


@pytest.mark.parametrize(
    ("data", "said", "told"),
    [
        (b"billing", {"a": ""}, "the text of a is empty"),
        (b"billing", {"a": "billing", "b": "billing"}, "a and b stand for the same text, 'billing'"),
        (b"x\nbilling\r\n", {"a": "billing"}, "f:2: ends this line as Windows does"),
        (b"\x89PNG", {"a": "billing"}, "f: is no UTF-8 text"),
    ],
)
def test_what_cannot_become_a_template_is_refused(data: bytes, said: dict[str, str], told: str) -> None:
    with pytest.raises(BnetError, match=re.escape(told)):
        generalize("mine", "d", {"f": data}, said)


def test_a_text_that_stands_nowhere_cannot_become_a_parameter() -> None:
    with pytest.raises(BnetError, match="stands nowhere in there"):
        generalize("mine", "d", {"f": b"x"}, {"name": "billing"})
    with pytest.raises(BnetError, match="no packages whose names"):
        generalize("mine", "d", {"f": b"x"}, {})
