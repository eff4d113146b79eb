"""What a site on the web says of itself."""

import re
import urllib.request
from datetime import datetime
from http.client import HTTPException

from bnet.errors import RepositoryUnreachable

TIMEOUT = 15.0  # seconds
_BUILT = re.compile(rb'bnetBuilt = "(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')


def built(url: str) -> datetime:
    """Return when a site was made, as its pages tell a browser.

    Args:
        url: where its overview is.

    Raises:
        RepositoryUnreachable: it did not say.
    """
    asked = f"{url.rstrip('/')}/built.js"
    try:
        # What stands between a site and its readers keeps copies for some minutes: this one is asked for anew.
        request = urllib.request.Request(asked, headers={"Cache-Control": "no-cache", "User-Agent": "bnet"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            told = _BUILT.search(answer.read(1000))
        return datetime.fromisoformat(told[1].decode()) if told else _nothing(asked)
    except (OSError, HTTPException, ValueError) as error:
        raise RepositoryUnreachable(
            f"{asked} gives no answer: {getattr(error, 'reason', '') or error}"
        ) from None


def _nothing(asked: str) -> datetime:
    raise RepositoryUnreachable(f"{asked} says nothing of when the site was made")
