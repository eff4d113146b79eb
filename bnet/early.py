"""What the paths before any import of bnet share; standard library only, and little of that."""

import os
from collections.abc import Mapping


def home_of(environ: Mapping[str, str]) -> str:
    """Return this user's BNET_HOME, "" where only `bnet.host.home` can tell."""
    if environ.get("BNET_HOME"):
        return os.path.abspath(environ["BNET_HOME"])
    if environ.get("XDG_STATE_HOME") or not environ.get("HOME"):
        return ""
    return os.path.join(environ["HOME"], ".local/state/bnet")
