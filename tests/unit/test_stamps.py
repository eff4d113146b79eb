"""Stamps: what a file may have for times, and what is told from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bnet.build.stamps import SIZE, digest_now, digest_of, stamp


@pytest.mark.parametrize("year", [1600, 1900, 2100, 2262, 2263, 2400])
def test_a_time_beyond_what_is_kept_is_no_time_to_rely_on(tmp_path: Path, year: int) -> None:
    path = tmp_path / "file"
    path.touch()
    seconds = (year - 1970) * 31_556_952
    os.utime(path, (seconds, seconds))
    if abs(os.stat(path).st_mtime - seconds) > 1:
        pytest.skip("this file system does not keep such times")
    row = stamp(str(path))
    assert len(row) == SIZE and row == stamp(str(path))
    kept = 1678 < year < 2262
    assert (digest_now([os.fsencode(path)]) == digest_of(row)) is kept or year == 2262
