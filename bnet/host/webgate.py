"""Who may ask the server of the dashboard, and for what: decided by the head of a request alone."""

import hmac
import ipaddress
import os
import secrets
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

SAFE = ("GET", "HEAD")
MARK = "X-Bnet-Mark"
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class Head(Protocol):
    """The head of a request."""

    def get_all(self, name: str, /) -> list[str] | None:
        """Return the values of a field, of any case."""


class Refusal(NamedTuple):
    """Why a request is not answered: the status, in words, and fields for the answer."""

    status: int
    why: str
    fields: Mapping[str, str] = {}


class Gate:
    """What a request has to show.

    Attributes:
        mark: what the pages that this process sends carry, and give back with whatever changes something; no page
            of somebody else can read it.
        run: of this process; what an earlier one sent is out of date.
        token: what everybody has to know; "" where there is none.
        closed: whether it takes the token to look, too; otherwise it is good for programs that change something.
    """

    def __init__(
        self, names: frozenset[str] = LOCAL, *, addresses: bool = False, token: str = "", closed: bool = True
    ) -> None:
        """Take the names of this server; with `addresses`, any address is one: none of them is a name to rebind."""
        self.mark = secrets.token_urlsafe(24)
        self.run = secrets.token_hex(4)
        self.token = token
        self.closed = closed
        self._names = frozenset(_name_in(name) or name.lower() for name in names) - {""}
        self._addresses = addresses

    def refusal(self, method: str, head: Head) -> Refusal | None:
        """Return why a request is refused; None for one that is not."""
        return self._named(head) or self._known(head) or self._own(method, head)

    def foreign(self, owner: Callable[[], int | None]) -> Refusal | None:
        """Refuse another user of this machine, whom its loopback lets through; with a token, that decides.

        Args:
            owner: tells whose process asks; None where nobody knows.
        """
        if self.closed and self.token:
            return None
        uid = owner()
        if uid is None or uid in (0, os.getuid()):
            return None
        return Refusal(403, "this is served to another user of this machine; --with-token lets others in")

    def _named(self, head: Head) -> Refusal | None:
        """A page of somebody else's may let a browser look up its own name as our address, and read the answers."""
        hosts = head.get_all("Host") or []
        name = _name_in(hosts[0]) if len(hosts) == 1 else ""
        if name in self._names or (self._addresses and _is_address(name)):
            return None
        there = ", ".join(sorted(self._names))
        return Refusal(421, f"this server goes by other names: {there}; --name gives it one more")

    def _known(self, head: Head) -> Refusal | None:
        if not (self.token and self.closed) or self._has_token(head, "basic", "bearer"):
            return None
        fields = {"WWW-Authenticate": 'Basic realm="bnet", charset="UTF-8"'}
        return Refusal(401, "this takes the token of this server: as the password, whatever the name", fields)

    def _has_token(self, head: Head, *schemes: str) -> bool:
        given = head.get_all("Authorization") or [""]
        scheme, _, value = given[0].strip().partition(" ")
        if scheme.lower() not in schemes or len(given) > 1 or not self.token:
            return False
        if scheme.lower() == "basic":
            try:
                value = b64decode(value, validate=True).decode(errors="replace").partition(":")[2]
            except (NoBase64, ValueError):
                return False
        return hmac.compare_digest(value.strip().encode(errors="replace"), self.token.encode())

    def _own(self, method: str, head: Head) -> Refusal | None:
        """Refuse what a page of somebody else's lets a browser ask for, who sends the token along by itself."""
        site = (head.get_all("Sec-Fetch-Site") or ["same-origin"])[0]
        if method in SAFE:
            leads = (head.get_all("Sec-Fetch-Mode") or ["navigate"])[0] == "navigate"
            if site in ("same-origin", "none") or leads:
                return None
            return Refusal(403, "this is for pages of this server")
        origins = head.get_all("Origin") or []
        hosts = [f"{scheme}://{host}" for scheme in ("http", "https") for host in head.get_all("Host") or []]
        if site not in ("same-origin", "none") or any(each not in hosts for each in origins):
            return Refusal(403, "this was asked for by a page of somebody else")
        given = (head.get_all(MARK) or [""])[0]
        if hmac.compare_digest(given.encode(errors="replace"), self.mark.encode()):
            return None
        if self._has_token(head, "bearer"):  # no browser sends that by itself
            return None
        why = "this lacks the mark of a page that this server has sent (load it again), or its token"
        return Refusal(403, why)


def _name_in(host: str) -> str:
    """Return the name in a field `Host`, without port and brackets; "" if it is none."""
    host = host.strip().lower()
    if host.startswith("["):
        name, closed, port = host[1:].partition("]")
        fits = bool(closed) and (not port or (port[0] == ":" and port[1:].isdecimal()))
        return name if fits else ""
    name, _, port = host.partition(":")
    return name if not port or port.isdecimal() else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_local(address: str) -> bool:
    """Tell whether nobody but this machine reaches an address."""
    return address == "localhost" or (_is_address(address) and ipaddress.ip_address(address).is_loopback)
