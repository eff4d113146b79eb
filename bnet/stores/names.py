"""The names that blobs may have."""

import re

from bnet.errors import StoreFailed

_NAME = re.compile(r"[a-z0-9._-]+(?:/[a-z0-9._-]+)*")

# Where adapters put what is still arriving. No blob can have this name: it has a letter that names have not.
INCOMING = "incoming~"


def is_name(text: str) -> bool:
    """Tell whether a blob may have this name: it never leads out of the store."""
    return _NAME.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))


def checked(name: str) -> str:
    """Return a name as it is.

    Raises:
        StoreFailed: no blob can have it.
    """
    if not is_name(name):
        raise StoreFailed(f"no blob of a shared store can have the name {name!r}")
    return name


def directory_of(prefix: str) -> str:
    """Return the deepest directory that all names with a prefix are in; "" is the store itself.

    Raises:
        StoreFailed: no name begins like this.
    """
    directory = prefix.rpartition("/")[0]
    return checked(directory) if directory else ""
