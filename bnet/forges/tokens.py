"""Which forges this server has a token for: each is good for one host, and sent to no other."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

Kind = Literal["github", "gitlab", "gitea"]

BEGIN = "BNET_FORGE"  # begins the names in secrets.env
KINDS: dict[str, Kind] = {"github": "github", "gitlab": "gitlab", "gitea": "gitea"}
KNOWN: dict[str, Kind] = {"github.com": "github", "gitlab.com": "gitlab", "codeberg.org": "gitea"}
_SHORT = re.compile(r"(?:[^@/]+@)?([A-Za-z0-9._-]+):(?!//)(.+)")


class Forge(NamedTuple):
    """A forge: its kind, where it is (`https://host:port`), its host as addresses have it, and the token."""

    kind: Kind
    base: str
    host: str
    token: str


class Project(NamedTuple):
    """A repository as a forge knows it: the host with its port where the address has one, and the path."""

    host: str
    path: str


def forges_in(secrets: Mapping[str, str]) -> list[Forge]:
    """Return the forges that a server's secrets name: `BNET_FORGE...=https://KIND:TOKEN@HOST`.

    What is no such address is passed over here, and named by the doctor.
    """
    found = (_forge(value) for name, value in secrets.items() if name.startswith(BEGIN))
    return [forge for forge in found if forge is not None]


def _forge(value: str) -> Forge | None:
    try:
        parts = urlsplit(value)
        host = _host(parts.hostname, parts.port)
    except ValueError:
        return None
    if parts.scheme not in ("https", "http") or not parts.password or not host:
        return None
    kind = KNOWN.get(host) or KINDS.get(parts.username or "")
    token = unquote(parts.password)
    if kind is None or not token.isprintable():
        return None
    return Forge(kind, f"{parts.scheme}://{host}", host, token)


def project_of(address: str) -> Project | None:
    """Return what a repository's address names on a forge; None for a path on this machine."""
    if "://" in address:
        try:
            parts = urlsplit(address)
            # Of ssh the port is ssh's own, and says nothing of where the forge answers.
            host = _host(parts.hostname, parts.port if parts.scheme in ("http", "https") else None)
        except ValueError:
            return None
        path = parts.path if parts.scheme in ("http", "https", "ssh", "git") else ""
    else:
        short = _SHORT.fullmatch(address)
        host, path = (short[1].lower(), short[2]) if short else ("", "")
    path = path.strip("/").removesuffix(".git")
    if {".", ".."} & set(path.split("/")):
        return None
    return Project(host, path) if host and re.fullmatch(r"[\w.~+-]+(/[\w.~+-]+)+", path, re.ASCII) else None


def _host(name: str | None, port: int | None) -> str:
    return (name or "").lower() + (f":{port}" if port is not None else "")
