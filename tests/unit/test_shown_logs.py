"""Of a log that is larger than any that bnet keeps, the end is shown, and how much was left out."""

from __future__ import annotations

import pytest

from bnet.app.told.telemetry import Chunk
from bnet.sitegen.logs import MOST, lines_of, text_of


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({0: 10}, [(0, 10)]),
        ({0: MOST}, [(0, MOST)]),
        ({0: MOST + 5}, [(5, MOST)]),
        ({0: 10, 100: MOST}, [(100, MOST)]),
        ({0: 10, 100: MOST - 4}, [(6, 4), (90, MOST - 4)]),
        ({0: 10, 10: MOST - 4}, [(6, MOST)]),
        ({0: MOST, 2 * MOST: MOST, 5 * MOST: 7}, [(2 * MOST + 7, MOST - 7), (2 * MOST, 7)]),
    ],
)
def test_the_end_of_a_log_is_shown(sizes: dict[int, int], shown: list[tuple[int, int]]) -> None:
    chunks = [Chunk(offset, f"{offset}") for offset in sizes]
    contents = {f"{offset}": b"x" * size for offset, size in sizes.items()}
    found = text_of(chunks, contents)
    assert [(cut, len(text)) for cut, text in found] == shown
    end = max(offset + size for offset, size in sizes.items())
    assert sum(cut + len(text) for cut, text in found) == end, "each byte is shown, or said to be left out"
    assert any("not kept" in line.html for line in lines_of(found)) == any(cut for cut, _ in found)


def test_what_is_not_read_at_all_is_passed_over() -> None:
    assert text_of([Chunk(0, "a"), Chunk(3, "b")], {"b": b"yes"}) == [(3, "yes")]
