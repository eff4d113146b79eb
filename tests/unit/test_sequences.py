"""A job's output in a terminal: coloured, and obeyed in nothing else."""

from __future__ import annotations

import pytest

from bnet.codec.sequences import Harmless

SHOWN = [
    (b"plain\tand\r\nold\rnew\n", "plain\tand\r\nold\rnew\n"),
    (b"\x1b[1;31mred\x1b[0m\n", "\x1b[1;31mred\x1b[0m\n"),
    (b"50%\r\x1b[K100%\n", "50%\r\x1b[K100%\n"),
    (b"\x1b[2J\x1b[3Agone\n", "gone\n"),
    (b"\x1b]0;a title\x07here\n", "here\n"),
    (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "link\n"),
    (b"\x1bP$q\x1b\\\x1bc\x1b(0x\n", "x\n"),
    (b"bell\x07 back\x08 \xc2\x9b2J\n", "bell\\x07 back\\x08 \\x9b2J\n"),
    ("gr\u00fcn \u202etxet\n".encode(), "gr\u00fcn \\u202etxet\n"),
    (b"\xff\n", "\\xff\n"),
    (b"cut off\x1b[3", "cut off3"),
    (b"\x1b]0;never ended\nnext\n", "\nnext\n"),
]


@pytest.mark.parametrize(("data", "shown"), SHOWN)
def test_what_a_terminal_is_given_whole_or_byte_by_byte(data: bytes, shown: str) -> None:
    assert Harmless(colours=True).feed(data, last=True) == shown
    tame = Harmless(colours=True)
    parts = [tame.feed(data[at : at + 1]) for at in range(len(data))]
    assert "".join(parts) + tame.feed(b"", last=True) == shown


def test_without_colours_they_are_left_out() -> None:
    assert Harmless(colours=False).feed(b"\x1b[31mred\x1b[0m\n", last=True) == "red\n"


def test_what_does_not_end_is_not_waited_for_long() -> None:
    tame = Harmless(colours=True)
    assert "x" in tame.feed(b"\x1b]0;" + b"x" * 5000) + tame.feed(b"x\n" + b"x" * 100)
