"""Jobs as a file that asks for them, in the format of the inbox."""

from collections.abc import Sequence

import msgspec
import yaml

from bnet.model.command import Submit


def to_file(jobs: Sequence[Submit]) -> bytes:
    """Return a list of `submit` commands that `bnet submit -f` and the inbox read."""
    plain = [{"submit": msgspec.to_builtins(each)} for each in jobs]
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100).encode()
