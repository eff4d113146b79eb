"""Files are written below a directory, whole or not at all, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bnet.errors import BnetError
from bnet.inside import write_inside


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    write_inside(tmp_path, "a/b", [b"x", b"y"], mode=0o4750)
    assert (tmp_path / "a/b").read_bytes() == b"xy" and (tmp_path / "a/b").stat().st_mode & 0o7777 == 0o750

    def refuse() -> None:
        raise BnetError("no")

    with pytest.raises(BnetError, match="no"):
        write_inside(tmp_path, "a/b", [b"z"], mode=0o600, check=refuse)
    assert (tmp_path / "a/b").read_bytes() == b"xy" and os.listdir(tmp_path / "a") == ["b"]


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "link/x", "file/x", "", ".", "dir", "a\0b"])
def test_what_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    for each in (top, outside, top / "dir"):
        each.mkdir()
    (top / "link").symlink_to(outside)
    (top / "file").write_text("x")
    with pytest.raises(BnetError):
        write_inside(top, path, [b"x"], mode=0o644)
    assert not list(outside.iterdir()) and sorted(os.listdir(top)) == ["dir", "file", "link"]


def test_a_link_in_the_files_own_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path / "target")
    write_inside(tmp_path, "x", [b"new"], mode=0o644)
    assert not (tmp_path / "x").is_symlink() and not (tmp_path / "target").exists()
