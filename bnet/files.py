"""The one gateway to files that must be whole: written under another name, flushed, then renamed."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_atomic(path: Path, data: bytes, *, durable: bool = True, mode: int = 0o644) -> None:
    """Write a file so that a reader sees its old or its new content, never a part, even after a power loss.

    Args:
        path: its name.
        data: its content.
        durable: wait until the disk has it; leave out for what can be made again.
        mode: its permissions.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # a full disk says so to a handle, and people ask for the name
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Wait until the disk has the names in a directory."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(path: Path, target: Path) -> None:
    """Give a file that was written whole its own name, in place of one that had it; the directory is made at need."""
    try:
        os.replace(path, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)


def read_or_none(path: Path) -> bytes | None:
    """Return a file's content; None if there is no such file, or a directory in its place."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def set_aside(path: Path, ending: str) -> None:
    """Keep a file under another name, in place of the one that had it."""
    os.replace(path, path.with_name(path.name + ending))


def put_away(path: Path, ending: str) -> Path:
    """Keep a file or directory under another name, which nothing else has had; return that."""
    target, count = path.with_name(path.name + ending), 2
    while os.path.lexists(target):
        target, count = path.with_name(f"{path.name}.{count}{ending}"), count + 1
    os.rename(path, target)
    return target


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; None if it is missing or is no such thing."""
    data = read_or_none(path)
    try:
        value = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """Write a JSON file, whole or not at all."""
    write_atomic(path, json.dumps(value, sort_keys=True).encode() + b"\n", durable=durable)


def append_lines(path: Path, lines: Sequence[str]) -> None:
    """Add lines to a file, in one write, so that what several processes add is not mixed; for what may be lost."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, "".join(f"{line}\n" for line in lines).encode())
    finally:
        os.close(handle)
