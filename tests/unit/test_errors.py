"""Errors for people say where, what and what next, and carry the exit code of the command line."""

from __future__ import annotations

import pytest

from bnet.errors import AnswerNo, BnetError, HubUnreachable, Invalid, RefusedByPolicy, Taken


@pytest.mark.parametrize(
    ("kind", "code"),
    [(AnswerNo, 1), (BnetError, 2), (Invalid, 2), (HubUnreachable, 4), (RefusedByPolicy, 5), (Taken, 6)],
)
def test_each_kind_has_its_exit_code(kind: type[BnetError], code: int) -> None:
    assert kind("no").exit_code == code


def test_an_error_keeps_its_hint_out_of_its_message() -> None:
    error = BnetError("the disk is full", hint="make room")
    assert (str(error), error.hint) == ("the disk is full", "make room")


@pytest.mark.parametrize(
    ("file", "line", "field", "text"),
    [
        ("inbox/x.yaml", 3, "priority", 'inbox/x.yaml:3: field "priority": must be 1 to 10, not 99'),
        ("inbox/x.yaml", None, "priority", 'inbox/x.yaml: field "priority": must be 1 to 10, not 99'),
        ("inbox/x.yaml", 3, None, "inbox/x.yaml:3: must be 1 to 10, not 99"),
        (None, 3, "priority", 'field "priority": must be 1 to 10, not 99'),
        (None, None, None, "must be 1 to 10, not 99"),
    ],
)
def test_an_invalid_document_is_named_as_far_as_it_is_known(
    file: str | None, line: int | None, field: str | None, text: str
) -> None:
    error = Invalid("must be 1 to 10, not 99", file=file, line=line, field=field)
    assert str(error) == text
