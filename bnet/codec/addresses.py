"""Addresses of repositories: which are used, and how they are shown."""

import re

from bnet.errors import Invalid

# What is none of these would be a transport helper (`ext::sh -c ...` runs what it likes), an option of Git or
# ssh, or a path that means another thing in another directory.
_ADDRESS = re.compile(
    r"""
      /.*
    | file:///.*
    | (?: https? | git | ssh )://
      (?: [\w.~%+][^@/]* @ )?  (?: [a-z0-9][a-z0-9._-]* | \[[0-9a-f:.]+\] )  (?: :\d+ )?  /.*
    | (?: \w[\w.+-]* @ )?  [a-z0-9][a-z0-9._-]* : (?! : | // | - ) .+
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_SECRET = re.compile(r"(?<!ssh)://[^@/\s]+@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_address(address: str) -> None:
    """Let nothing pass that Git could take for an option or a program to run.

    Raises:
        Invalid: it is no address of a repository that bnet uses.
    """
    if _CONTROL.search(address) or not _ADDRESS.fullmatch(address):
        raise Invalid(
            f"{shown(address)!r} is no address of a repository",
            hint="write an absolute path, user@host:path, or a URL of https, http, ssh, git or file",
        )


def shown(address: str) -> str:
    """Return an address, or a text with addresses, as people may see it: without passwords and tokens."""
    return _SECRET.sub("://***@", address)
