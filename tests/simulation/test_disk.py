"""The disk of the simulation: what a power loss leaves."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from disk import Disk


def flush(disk: Disk, path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    disk.flushed(handle)
    os.close(handle)


def found_after_losses(tmp_path: Path, write: Callable[[Disk, Path], object]) -> set[bytes | None]:
    """What a file may hold after a power loss, None where it is missing."""
    found: set[bytes | None] = set()
    for seed in range(60):
        disk = Disk(tmp_path / str(seed))
        path = disk.root / "file"
        write(disk, path)
        disk.lose_power(random.Random(seed))
        found.add(path.read_bytes() if path.exists() else None)
    return found


def test_what_was_flushed_with_its_name_stays(tmp_path: Path) -> None:
    def write(disk: Disk, path: Path) -> None:
        path.write_bytes(b"safe")
        flush(disk, path)
        flush(disk, disk.root)

    assert found_after_losses(tmp_path, write) == {b"safe"}


def test_what_was_not_flushed_may_be_anything_that_it_was(tmp_path: Path) -> None:
    found = found_after_losses(tmp_path, lambda disk, path: path.write_bytes(b"new"))
    assert {None, b"new", b""} < found and all(each is None or b"new".startswith(each) for each in found)


def test_a_rename_is_seen_or_not(tmp_path: Path) -> None:
    def write(disk: Disk, path: Path) -> None:
        path.write_bytes(b"old")
        disk.all_flushed()
        (disk.root / "temporary").write_bytes(b"new")
        flush(disk, disk.root / "temporary")
        os.rename(disk.root / "temporary", path)

    assert found_after_losses(tmp_path, write) == {b"old", b"new"}
