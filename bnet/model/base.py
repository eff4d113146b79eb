"""What every record shares: immutability, the names of things, and the closed sets of words."""

import re
from datetime import datetime
from typing import Annotated, Literal

import msgspec

State = Literal["pending", "running", "finished"]
Result = Literal["success", "failure", "error", "timeout", "cancelled", "skipped"]
Wish = Literal["active", "paused", "draining"]
OnLostLease = Literal["finish", "stop"]
NeedOn = Literal["success", "failure", "always"]
Supersede = Literal["none", "waiting", "running"]
Sandbox = Literal["none", "bubblewrap", "podman"]

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}(?!\n)$"  # in Python `$` alone lets a line end pass
Name = Annotated[
    str, msgspec.Meta(pattern=NAME_PATTERN, description="lower case letters, digits, '.', '_' and '-'")
]
# One without a zone cannot be compared with the others, and a single one in the ledger would stop every server.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3_155_760_000, description="seconds, at most 100 years")]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document, or a part of one; equal by value, never changed in place."""


def is_name(text: str) -> bool:
    """Tell whether a text may name a server, a job, a lock or a queue, and so become part of a path.

    Windows reserves its device names in every directory, with any ending; a hub must be readable there.
    """
    return bool(_NAME.fullmatch(text)) and not is_device(text) and not text.endswith(".")


def is_device(text: str) -> bool:
    """Tell whether Windows takes a file's name for a device's."""
    return bool(_DEVICE.fullmatch(text.lower()))


def is_server_name(text: str) -> bool:
    """Tell whether a text may name a server: its telemetry ref ends in it (git-check-ref-format(1))."""
    return is_name(text) and ".." not in text and not text.endswith(".lock")
