"""Names to paths and back, for messages: the one place that knows where one stands, and what is beside it.

A message's key is its path below `messages/` without the ending: `2026/11/20/k3f9q2d7`; the last part is its id.
"""

import re
from datetime import datetime

from bnet.codec.layout import ASKS, FILED, MESSAGES

_DAY = r"[0-9]{4}/(?:0[1-9]|1[0-2])/(?:0[1-9]|[12][0-9]|3[01])"
_ID = r"[A-Za-z0-9][A-Za-z0-9_+@-]*(?:\.[A-Za-z0-9_+@-]+)*"
_MESSAGE = re.compile(rf"{MESSAGES}({_DAY}/{_ID})\.md")
_ACK = re.compile(rf"{MESSAGES}({_DAY}/{_ID})\.acks/([^/]+)\.json")
_BESIDE = re.compile(rf"{MESSAGES}({_DAY}/{_ID})\.(acks|files)/[^/]+")
_ASK = re.compile(rf"{ASKS}({_DAY}/{_ID})\.json")
_FILED = re.compile(rf"{FILED}({_DAY})\.[0-9]+\.jsonl")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
LONGEST_ID = 80


def message_path(key: str) -> str:
    """Return the path of a message."""
    return f"{MESSAGES}{_checked(key)}.md"


def message_key(path: str) -> str | None:
    """Return the key of the message that a path is of, if it is of one."""
    found = _MESSAGE.fullmatch(path)
    return found[1] if found is not None and is_key(found[1]) else None


def is_key(text: str) -> bool:
    """Tell whether a text names the place of a message."""
    name = text.rpartition("/")[2]
    fits = re.fullmatch(f"{_DAY}/{_ID}", text) is not None
    return fits and len(name) <= LONGEST_ID and not _DEVICE.fullmatch(name)


def key_of(day: datetime, name: str) -> str:
    """Return the key of a message of a day."""
    return f"{day:%Y/%m/%d}/{name}"


def day_of(key: str) -> str:
    """Return the day under which a message stands, as `2026/11/20`."""
    return key[:10]


def ack_path(key: str, who: str) -> str:
    """Return the path of somebody's acknowledgement; what a file's name should not hold is written %xx."""
    name = re.sub(rb"[^A-Za-z0-9._@+-]", lambda sign: b"%%%02x" % sign[0][0], who.encode()).decode()
    if name.startswith(".") or _DEVICE.fullmatch(name):
        name = f"%{ord(name[0]):02x}{name[1:]}"
    return f"{MESSAGES}{_checked(key)}.acks/{name[:200]}.json"


def ack_key(path: str) -> str | None:
    """Return the key of the message whose acknowledgement a path is, if it is one."""
    found = _ACK.fullmatch(path)
    return found[1] if found is not None and is_key(found[1]) else None


def file_path(key: str, name: str) -> str:
    """Return the path of an attachment."""
    return f"{MESSAGES}{_checked(key)}.files/{name}"


def is_file_name(name: str) -> bool:
    """Tell whether a text may name an attachment on every system, and leads nowhere else."""
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9 ._+@-]{0,99}", name) is not None
    return plain and not name.endswith((".", " ")) and not _DEVICE.fullmatch(name)


def beside(path: str) -> str | None:
    """Return the key of the message that a file stands beside, as an acknowledgement or an attachment."""
    found = _BESIDE.fullmatch(path)
    return found[1] if found is not None else None


def ask_path(key: str) -> str:
    """Return the path of what became of what a message asked."""
    return f"{ASKS}{_checked(key)}.json"


def ask_key(path: str) -> str | None:
    """Return the key of the message whose `Ask` a path is, if it is one."""
    found = _ASK.fullmatch(path)
    return found[1] if found is not None and is_key(found[1]) else None


def filed_path(day: str, number: int) -> str:
    """Return the path of the n-th archive file of a day's messages."""
    return f"{FILED}{day}.{number}.jsonl"


def filed_day(path: str) -> str | None:
    """Return the day whose messages an archive file holds."""
    found = _FILED.fullmatch(path)
    return found[1] if found is not None else None


def is_misplaced(path: str) -> bool:
    """Tell whether somebody has put Markdown under messages/ where nobody reads it."""
    name = path.rpartition("/")[2].lower()
    return name.endswith(".md") and name != "readme.md" and beside(path) is None and message_key(path) is None


def _checked(key: str) -> str:
    if not is_key(key):
        raise ValueError(f"not the place of a message: {key!r}")
    return key
