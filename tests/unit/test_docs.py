"""The documentation is true where a machine can tell: generated parts, links, commands, error messages."""

from __future__ import annotations

import re
import shlex
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
    assert documents | {"KeyFile", "Rejection", "Heartbeat", "Job"} <= asked


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


def errors_in_the_code() -> list[str]:
    """Return the first words of each message that a person can get, as far as they stand in one literal."""
    raised = re.compile(
        r"\b(?:BnetError|Illegal|AnswerNo|HubUnreachable|RefusedByPolicy|Taken|Diverged|TooNew|NoLedger|GitMissing)"
        r"\(\s*f?\"([^\"]+)\""
    )
    skipped = {"faults.py", "demo.py", "playground.py", "demo_story.py"}
    files = [path for path in sorted((TOP / "bnet").rglob("*.py")) if path.name not in skipped]
    return sorted({found for path in files for found in raised.findall(path.read_text())})


def test_each_error_message_is_in_the_operations_guide() -> None:
    told = re.sub(r"\s+", " ", (TOP / "docs/operations.md").read_text())
    missing = []
    for message in errors_in_the_code():
        # What varies is cut out; one of the pieces that do not has to be told of, by its first words.
        pieces = [piece.strip(" :;,.#()") for piece in re.split(r"\{[^}]*\}", message)]
        words = [" ".join(piece.split()[:3]) for piece in pieces if len(piece.split()) > 1]
        if words and not any(each in told for each in words):
            missing.append(message)
    assert missing == []


def test_a_page_has_nothing_of_the_machine_that_it_was_written_on() -> None:
    for page in PAGES:
        text = page.read_text()
        assert str(TOP) not in text and "/root/" not in text, named(page)
