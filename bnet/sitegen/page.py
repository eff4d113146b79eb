"""A part of the site before it is made: what decides all that is in it."""

from collections.abc import Callable, Mapping

import msgspec

LIMIT = 300_000  # bytes of a page; longer lists and logs are divided


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the site, or several that change together.

    Attributes:
        name: unlike any other; the path of its first file.
        render: makes it, given the contents of `needs`: path below the site's root -> text.
        needs: ids of contents on the hub that it takes.
        key: decides all that is in it: a part with the key that it had is what was there. "" of one that is made each
            time, and then compared.
    """

    name: str
    render: Callable[[Mapping[str, bytes]], Mapping[str, str]]
    needs: tuple[str, ...] = ()
    key: str = ""
