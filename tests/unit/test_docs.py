"""The documentation is true where a machine can tell: generated parts, links, commands, error messages."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import click
import pytest

from bnet.cli import reference
from bnet.cli.main import cli

TOP = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in (*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("examples/**/*.md"))
    if "node_modules" not in page.parts
)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    return page.relative_to(TOP).as_posix()


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_command_reference_is_up_to_date() -> None:
    told = "run python -m bnet.cli.reference > docs/commands.md"
    assert (TOP / "docs/commands.md").read_text() == reference.commands(), told


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_generated_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert reference.filled(text) == text, f"run python -m bnet.cli.reference {named(page)}"


def test_the_format_has_a_table_for_each_document() -> None:
    asked = set(re.findall(r"<!-- generated: (\w+) -->", (TOP / "docs/format.md").read_text()))
    documents = {"Head", "Settings", "Server", "JobSpec", "Wanted", "Claim", "Attempt", "JobResult"}
    assert documents | {"KeyFile", "Rejection", "Heartbeat", "Job", "Schedule", "Cursor"} <= asked


def test_the_build_configuration_has_a_table_for_each_part_of_it() -> None:
    asked = re.findall(r"<!-- generated: (\w+) -->", (TOP / "docs/build-configuration.md").read_text())
    assert {"Tree", "Package", "Hooks", "SharedStore"} == set(asked)


def test_what_people_wrote_into_a_table_survives_the_filling() -> None:
    rows = "| field | a | b | what |\n| `cancel` | x | x | kept \\| whole |"
    page = f"<!-- generated: Wanted -->\n{rows}\n<!-- end -->\n"
    made = reference.filled(page)
    assert "| `cancel` | [Cancel](#cancel) | none | kept \\| whole |" in made
    assert "| `priority` | whole number from 1 to 10 | none |  |" in made
    assert reference.filled(made) == made


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{named(page)}: {link}"
        assert not anchor or anchor in anchors(target), f"{named(page)}: {link}"


def shown_commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for kind, block in FENCED.findall(page.read_text()):
            for line in block.splitlines():
                if kind == "console" and line.startswith("$ "):
                    found.append((named(page), line[2:]))
    return found


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_commands_that_are_shown_can_be_parsed(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        del words[0]
    if not words or words[0] != "bnet":
        return
    context = click.Context(cli, info_name="bnet")
    command, rest = cli, words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        inner = command.get_command(context, rest[0])
        assert inner is not None, f"{page}: {line}"
        command, rest = inner, rest[1:]
    if command is not cli:
        command.make_context("bnet", list(rest), parent=context)


# -- error messages


PLAYS = {"faults.py", "memory.py", "playground.py"}
CLICK = {"UsageError", "BadParameter", "BadOptionUsage", "ClickException"}
PLACED = {"Invalid"}  # shown with file, line and field, for which the guide has one row
VARIES = "\0"


def parsed() -> dict[Path, ast.Module]:
    paths = [
        path
        for path in sorted((TOP / "bnet").rglob("*.py"))
        if path.name not in PLAYS and path.parent.name != "demo"
    ]
    return {path: ast.parse(path.read_text()) for path in paths}


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def kinds(trees: Iterable[ast.Module]) -> set[str]:
    """Return the names of the errors that are for people: `BnetError`, and whatever is derived from it."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found, before = {"BnetError"}, set()
    while found != before:
        before = set(found)
        found |= {each.name for each in classes if any(name_of(base) in found for base in each.bases)}
    return found


def texts(node: ast.expr) -> list[str]:
    """Return what a text may be, a mark for each part that varies; nothing for what is put together elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(each.value if isinstance(each, ast.Constant) else VARIES for each in node.values)]
    if isinstance(node, ast.IfExp):
        return [*texts(node.body), *texts(node.orelse)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        ends = texts(node.right) or [VARIES]
        return [one + other for one in texts(node.left) or [VARIES] for other in ends]
    return []


def messages() -> dict[str, str]:
    """Return each message of an error that a person can get, and of each usage error: text -> where it stands."""
    trees = parsed()
    wanted = (kinds(trees.values()) | CLICK) - PLACED
    found = {}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and name_of(node.func) in wanted:
                where = f"{path.relative_to(TOP)}:{node.lineno}"
                found.update({text: where for text in texts(node.args[0]) if len(words_of(text)) > 1})
    return found


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]{2,}", text.replace(VARIES, " "))


def told_of() -> list[re.Pattern[str]]:
    """Return the messages in the tables of the operations guide; `...` stands for anything."""
    guide = (TOP / "docs/operations.md").read_text()
    rows = guide[guide.index("## Error messages") :].splitlines()
    column = "\n".join(row.split(" | ")[0] for row in rows if row.startswith("| "))
    quoted = [one or other for one, other in re.findall(r"``\s(.+?)\s``|`([^`]+)`", column)]
    return [
        re.compile(".*".join(map(re.escape, each.split("..."))), re.DOTALL)
        for each in quoted
        if words_of(each.replace("...", VARIES))
    ]


def test_each_error_message_is_in_the_operations_guide() -> None:
    told = told_of()
    missing = {
        text.replace(VARIES, "..."): where
        for text, where in messages().items()
        if not any(each.match(text) for each in told)
    }
    assert missing == {}


def test_the_messages_are_really_looked_for() -> None:
    found = messages()
    assert len(found) > 120
    for text in (
        "the hub has no ledger yet",  # an error derived in another file
        f"the shared store {VARIES} is not there",  # one of an adapter
        f"{VARIES} is no NAME=VALUE",  # of the command line
        "the hub lost part of its ledger and did not take it back; it is tried again",  # on a line of its own
    ):
        assert text in found
    assert not any(each.match("something else has happened") for each in told_of())


def test_a_page_has_nothing_of_the_machine_that_it_was_written_on() -> None:
    for page in PAGES:
        text = page.read_text()
        assert str(TOP) not in text and "/root/" not in text, named(page)
