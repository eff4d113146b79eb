"""Jobs as a file that asks for them, in the format of the inbox."""

from collections.abc import Sequence

import msgspec

from bnet.codec import people
from bnet.model.command import Submit


def to_file(jobs: Sequence[Submit]) -> bytes:
    """Return a list of `submit` commands that `bnet submit -f` and the inbox read."""
    plain = [{"submit": msgspec.to_builtins(each)} for each in jobs]
    return people.dumped(plain)
