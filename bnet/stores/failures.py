"""What went wrong with a store, in words, and without anything that is secret."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from bnet.errors import StoreFailed

_LONGEST = 300  # characters of a library's message that are worth showing
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG}
)
_HTTP_REFUSALS = frozenset({401, 403, 405, 413, 507})
_USER = re.compile(r"(?<=://)[^\s/'\"]*@")
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"]*")


class Refused(StoreFailed):
    """The store answers, and does not do it: no permission, read-only, or full."""


def shown(url: str) -> str:
    """Return a URL for people: without user, password and query."""
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.partition("?")[0].rpartition("@")[2] if mark else url


@contextmanager
def failures(store: str, doing: str) -> Iterator[None]:
    """Make whatever is raised inside a `StoreFailed`.

    Args:
        store: the store as people know it.
        doing: what is being done, after "cannot".
    """
    try:
        yield
    except StoreFailed:
        raise
    # Not narrower: each library behind fsspec has errors of its own, often without a common base.
    except Exception as error:
        kind = Refused if _is_refusal(error) else StoreFailed
        raise kind(f"the shared store {store} cannot {doing}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Return an error's reason in one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    line = next((line.strip() for line in str(text).splitlines() if line.strip()), type(error).__name__)
    return _QUERY.sub(r"\1", _USER.sub("", line))[:_LONGEST]


def _is_refusal(error: Exception) -> bool:
    if isinstance(error, OSError):
        return isinstance(error, PermissionError) or error.errno in _REFUSALS
    return getattr(error, "status_code", None) in _HTTP_REFUSALS
