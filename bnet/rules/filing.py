"""From the tree into the archive: a day's messages, all at once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from bnet.codec import letter_paths
from bnet.codec.documents import BROKEN
from bnet.model.message import Ask, Filed
from bnet.rules.change import Change
from bnet.rules.mail import Mail, Stored, asks, closed_days
from bnet.rules.transaction import Transaction

FILE_BYTES = 256_000  # of an archive file


def day_to_file(days: Iterable[str], keep: float, now: datetime) -> str:
    """Return the oldest of some days if it is over for so many seconds; "" if there is none."""
    before = f"{now - timedelta(days=1, seconds=min(keep, 3_155_760_000.0)):%Y/%m/%d}"
    oldest = min(days, default="")
    return oldest if oldest and oldest <= before else ""


def file_away(tx: Transaction, mail: Mail) -> bool:
    """Move a day's messages out of the tree into the archive, all at once; False if one still waits for its answer.

    Whatever comes under that day later is too late to ask for anything: by that, what was filed and comes back
    through a revert is not done again.
    """
    day = mail.due
    mine = {key: ask for key, ask in asks(tx) if letter_paths.day_of(key) == day}
    waiting = any(letter_paths.day_of(each.key) == day and each.key not in mine for each in mail.news)
    if not day or waiting or any(ask.command and not ask.answered for ask in mine.values()):
        return False
    lines = [_line(tx, each, mine) for each in mail.stored if each.text and each.key not in mail.known]
    there = {each.key for each in mail.stored if each.text}
    lines += [Filed(key=key, text="", ask=ask) for key, ask in mine.items() if key not in there]
    files: dict[str, bytes | None] = {}
    for each in mail.stored:
        files |= dict.fromkeys((letter_paths.message_path(each.key), *each.beside))
    files |= {letter_paths.ask_path(key): None for key in mine}
    for key in mine:
        tx.documents.pop(letter_paths.ask_path(key), None)
    if lines or day not in closed_days(tx.state.filed):
        files |= _archive_files(day, lines, tx.state.filed)
    fields: dict[str, str | int] = {"messages": len(there)}
    tx.apply(Change(verb="file", target=day, note=f"{len(there)} messages", fields=fields, files=files))
    return True


def _line(tx: Transaction, each: Stored, mine: Mapping[str, Ask]) -> Filed:
    text = each.text.decode(errors="replace")
    return Filed(key=each.key, text=text, acks=each.acks, ask=mine.get(each.key), commit=tx.state.tip)


def _archive_files(day: str, lines: Sequence[Filed], taken: Iterable[str]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    there, number, batch = set(taken), 0, b""
    for line in [*(msgspec.json.encode(each, order="deterministic") + b"\n" for each in lines), b""]:
        if not line or (batch and len(batch) + len(line) > FILE_BYTES):
            number += 1
            while letter_paths.filed_path(day, number) in there:
                number += 1
            files[letter_paths.filed_path(day, number)] = batch
            batch = b""
        batch += line
    return files


def read_filed(data: bytes) -> list[Filed]:
    """Return the messages of an archive file; a line that cannot be read is passed over."""
    found = []
    for line in data.splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Filed))
        except BROKEN:
            continue
    return found
