"""Templates over a real hub: applied by several people at once, brought by a commit, and hostile ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import zygote
from lab import TOP, Said
from test_schedules import Net

REPOSITORY = "repository=https://github.com/example/widgets"
OWN = """\
description: \"a \\e[2Jclear one\"
target: hub
parameters: {name: {type: name}}
files:
  "coordination/schedules/{{ name }}.yaml": "cron: '@daily'\\nsubmit: {command: make}\\n"
"""


@pytest.fixture
def net(tmp_path: Path) -> Net:
    return Net(tmp_path)


def test_two_people_apply_one_template_at_once_and_it_is_there_once(net: Net) -> None:
    words = ("template", "apply", "nightly", "--hub", "--set", REPOSITORY)
    started = [net.start(name, *words) for name in ("a", "b", "c")]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]
    assert [each[2] for each in ended] == [0, 0, 0], ended
    assert sorted(each[0].split(": ")[1].strip() for each in ended) == [
        "is so already",
        "is so already",
        "on the hub",
    ]
    assert set(net.listed()) == {"nightly"}
    other = net.bnet("a", *words[:-1], "repository=https://github.com/example/other")
    assert other.code == 6 and "coordination/schedules/nightly.yaml is in the way" in other.err
    net.ok("a", *words[:-1], "repository=https://github.com/example/other", "--force")
    net.ok("a", "template", "apply", "environments", "--hub")
    net.ok("a", "template", "apply", "source", "--hub", "--set", REPOSITORY)
    assert net.ok("me", "audit", "verify").out.endswith("all of them were legal\n")


def test_a_template_that_a_commit_brings_to_the_hub_counts_before_those_of_bnet(net: Net) -> None:
    net.commits("coordination/templates/nightly.yaml", OWN)
    [told] = [each for each in net.ok("me", "template", "list", "--json").json if each["name"] == "nightly"]
    assert told["origin"] == "hub"
    shown = net.ok("me", "template", "list").out
    assert "\x1b[2J" not in shown and "\\x1b[2J" in shown
    missing = net.bnet("me", "template", "apply", "nightly", "--hub")
    assert missing.code == 2 and "--set name=..." in missing.err
    net.ok("me", "template", "apply", "nightly", "--hub", "--set", "name=weekly")
    assert set(net.listed()) == {"weekly"}
    assert net.ok("me", "doctor").code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("files: {'../../evil': x}", "leads out of the directory"),
        ("files: {.git/hooks/post-commit: x}", "leads into Git's own files"),
        ("files: {f: '{{ [].__class__.__base__.__subclasses__() }}'}", "template"),
        ("files: {f: '{% for a in range(1000000) %}x{% endfor %}'}", "counts to more than 10,000"),
        ("files: {f: '{% include \"f\" %}'}", "includes itself: f -> f"),
        ("files: {f: 1", "is no valid YAML"),
    ],
)
def test_a_hostile_template_writes_nothing_and_says_where(net: Net, text: str, said: str) -> None:
    net.commits("coordination/templates/evil.yaml", text)
    target = net.top / "target"
    told = net.bnet("me", "template", "apply", "evil", "--output", str(target))
    assert told.code == 2 and said in told.err and "coordination/templates/evil.yaml" in told.err, told.err
    assert not target.exists() and not (net.top / "evil").exists()
    listed = {each["name"]: each for each in net.ok("me", "template", "list", "--json").json}
    assert "evil" in listed and listed["pipeline"]["problem"] is None


def test_a_link_on_the_hub_is_no_file_of_a_template(net: Net) -> None:
    net.commits("coordination/templates/evil/template.yaml", "description: x")
    (net.clone / "coordination/templates/evil/f").symlink_to("/etc/passwd")
    for words in (["add", "."], ["commit", "-q", "-m", "link"], ["push", "-q"]):
        subprocess.run(["git", "-C", str(net.clone), *words], check=True, capture_output=True)
    told = net.bnet("me", "template", "apply", "evil", "--dry-run")
    assert told.code == 2 and "coordination/templates/evil/f: is a link" in told.err


def test_a_new_template_holds_what_is_there_and_neither_secrets_nor_what_an_older_one_left(net: Net) -> None:
    place = net.top / "billing"
    place.mkdir()
    for name, text in (
        ("README.md", "# billing\n"),
        ("Makefile", "billing:\n\techo {billing}\n"),
        (".env", "TOKEN=hunter2\n"),
        (".git", "gitdir: /x\n"),
    ):
        (place / name).write_text(text)
    words = ("template", "new", "service", "--from", "billing", "--param", "name=billing")
    told = net.ok("me", *words)
    assert "left out, for it may be a secret: .env" in told.err
    applied = net.ok("me", "template", "apply", "service", "--set", "name=orders", "--dry-run")
    assert applied.out == "--- Makefile\norders:\n\techo {orders}\n--- README.md\n# orders\n"
    (place / "Makefile").unlink()
    refused = net.bnet("me", *words, "--force")
    assert refused.code == 6 and "holds Makefile, which would be part of the template" in refused.err
    (net.top / ".bnet/templates/service/Makefile").unlink()
    net.ok("me", *words, "--force")
    elsewhere = net.ok("me", *words, "--output", "elsewhere")
    assert "apply" not in elsewhere.err, "it is not looked for there"


def test_without_any_hub_the_templates_of_the_tree_and_of_bnet_are_there(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "bnet.yaml").write_text("packages:\n  - {name: billing, path: billing}\n")

    def bnet(*words: str) -> Said:
        env = {**os.environ, "BNET_HOME": str(tmp_path / "home"), "PYTHONPATH": str(TOP)}
        code, out, err = zygote.run(words, env=env, cwd=tree)
        return Said(code, out.decode(), err.decode())

    assert bnet("template", "new", "service", "--from", "bnet.yaml").code == 0
    assert bnet("template", "show", "service").out.startswith(
        "service, of this tree (.bnet/templates/service)\n"
    )
    made = bnet("template", "apply", "service", "--set", "name=orders", "--output", "new")
    assert made.code == 0, made.err
    assert (tree / "new/bnet.yaml").read_text() == "packages:\n  - {name: orders, path: orders}\n"
    taken = bnet("template", "apply", "service", "--set", "name=other", "--output", "new")
    assert taken.code == 6 and "bnet.yaml is in the way" in taken.err
    assert bnet("template", "apply", "pipeline", "--output", "p").code == 0
    assert bnet("pipeline", "check", "p/bnet.yaml").code == 0
