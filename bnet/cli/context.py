"""What every command starts from: the environment is read here, and nowhere below."""

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bnet.errors import BnetError
from bnet.host.home import Home, default_path

if TYPE_CHECKING:
    from bnet.app.ledger import Ledger
    from bnet.app.lookup import Lookup
    from bnet.wiring.machine import Machine

F = TypeVar("F", bound=Callable[..., Any])


class App:
    """One call of the command line."""

    def __init__(self, hub: str | None) -> None:
        """Keep what was said on the command line."""
        self._hub = hub

    @cached_property
    def machine(self) -> "Machine":
        """This machine, with its adapters."""
        from bnet.wiring.machine import Machine

        return Machine(Home(default_path(os.environ)), dict(os.environ), self.who)

    @cached_property
    def who(self) -> str:
        """Who acts: the address that Git would commit under where one is set, else user@host."""
        for name in ("BNET_USER", "GIT_AUTHOR_EMAIL", "EMAIL"):
            if os.environ.get(name, "").strip():
                return " ".join(os.environ[name].split())
        import getpass
        import socket

        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = str(os.getuid())
        return f"{user}@{socket.gethostname()}"

    @cached_property
    def url(self) -> str:
        """The hub that is meant: `--hub`, BNET_HUB, the hub joined, or the repository that one stands in."""
        named = self._hub or os.environ.get("BNET_HUB")
        if named:
            return absolute(named)
        identity = self.machine.identity
        if identity is not None:
            return identity.hub
        return self.machine.hub_here(Path.cwd())

    @property
    def has_hub(self) -> bool:
        """Tell whether a hub is meant at all."""
        try:
            return bool(self.url)
        except BnetError:
            return False

    @cached_property
    def ledger(self) -> "Ledger":
        """The hub's ledger, not looked at yet."""
        return self.machine.ledger(self.url)

    @cached_property
    def lookup(self) -> "Lookup":
        """Finds what commands refer to."""
        from bnet.app.lookup import Lookup

        return Lookup(self.ledger.hub, self.machine.repositories.resolve)

    def read(self) -> "Ledger":
        """Return the ledger as the hub has it now."""
        self.ledger.refresh()
        self.machine.keep(self.url, self.ledger)
        return self.ledger


def absolute(url: str) -> str:
    """Return a hub's URL; a path becomes absolute, so that cron finds it too."""
    if "://" in url or (":" in url.split("/", 1)[0] and not os.path.exists(url)):
        return url
    return os.path.abspath(os.path.expanduser(url))


def log_directory(environ: Mapping[str, str]) -> Path:
    """Return where tracebacks are kept."""
    return Home(default_path(environ)).logs


def json_option(function: F) -> F:
    """Add `--json` to a command that prints facts."""
    return click.option("as_json", "--json", is_flag=True, help="Print JSON.")(function)


pass_app = click.make_pass_decorator(App)
