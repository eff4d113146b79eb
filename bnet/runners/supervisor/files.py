"""Files, read and written whole."""

import os

READ_SIZE = 65536  # bytes, the size of a Linux pipe


def read_file(path: str) -> bytes:
    """Return the bytes of a file; io.open would be slower by its layers, and /proc needs no seeking."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(descriptor, READ_SIZE):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def write_all(path: str, data: bytes, durable: bool) -> None:
    """Write a new file completely, or leave none.

    Raises:
        OSError: it could not be written; nothing stands at path then.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        if durable:
            os.fsync(descriptor)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def sync_directory(path: str) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(directory: str, name: str, data: bytes, durable: bool = False) -> None:
    """Replace a file in one step, so that a reader sees the old or the new content."""
    temporary = f"{directory}/.{name}.tmp"
    write_all(temporary, data, durable)
    os.rename(temporary, f"{directory}/{name}")
    if durable:
        sync_directory(directory)
