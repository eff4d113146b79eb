"""A server's `secrets.env`: credentials that leave it for nobody."""

import re
from pathlib import Path

from bnet.files import read_or_none
from bnet.forges.tokens import BEGIN, forges_in
from bnet.host.runs import parse_environment


def secrets_in(path: Path) -> dict[str, str]:
    """Return what a `secrets.env` holds, by name; nothing if there is none."""
    return parse_environment(_text(path))


def wrong_forges(path: Path) -> list[int]:
    """Return the lines of a `secrets.env` that should name a forge, and do not."""
    lines = enumerate(_text(path).splitlines(), 1)
    meant = {number: line for number, line in lines if re.match(rf"\s*(export\s+)?{BEGIN}", line)}
    return [number for number, line in meant.items() if not forges_in(parse_environment(line))]


def _text(path: Path) -> str:
    return (read_or_none(path) or b"").decode(errors="replace")
