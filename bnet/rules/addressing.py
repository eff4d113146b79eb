"""Whom a message is to: names, labels, or all."""

import re
from collections.abc import Iterable, Mapping

from bnet.model.server import Server

EVERYBODY = "all"
_LABELS = re.compile(r"[a-z0-9][a-z0-9._-]*=[^,]*(,[a-z0-9][a-z0-9._-]*=[^,]*)*")


def is_labels(word: str) -> bool:
    """Tell whether a word means servers by their labels: `os=linux`, `os=linux,arch=arm64` (all of them)."""
    return _LABELS.fullmatch(word) is not None


def is_meant(word: str, who: str, servers: Mapping[str, Server]) -> bool:
    """Tell whether one word of `to` means somebody, as the servers are labelled now."""
    if word in (EVERYBODY, who):
        return True
    return is_labels(word) and who in servers and _has(servers[who], word)


def is_addressed(to: Iterable[str], who: str, servers: Mapping[str, Server]) -> bool:
    """Tell whether a message is to somebody."""
    return any(is_meant(word, who, servers) for word in to)


def expected(to: Iterable[str], servers: Mapping[str, Server], sender: str) -> tuple[str, ...]:
    """Return who has to acknowledge a message: whoever is named, and the servers that are meant now.

    Of "all", that is every server: nobody knows which people there are.
    """
    names: set[str] = set()
    for word in to:
        if word == EVERYBODY or is_labels(word):
            names |= {name for name in servers if is_meant(word, name, servers)}
        else:
            names.add(word)
    return tuple(sorted(names - {sender}))


def _has(server: Server, labels: str) -> bool:
    pairs = (pair.partition("=") for pair in labels.split(","))
    return all(server.labels.get(key) == value for key, _, value in pairs)
