"""Finding a hub that nobody named, and the ledger's branch in one that is not known yet."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bnet.app.hub.site import Behind, Ground
from bnet.errors import BnetError

USUAL = "bnet"  # the branch that `bnet init` makes in a repository with other content
WAYS = (
    "name one with --hub or BNET_HUB, let this machine join one (`bnet join`), stand in a repository that "
    "has one, or make one with `bnet init`"
)


class Looker(Protocol):
    """Looks at repositories."""

    def around(self, path: Path) -> Ground | None:
        """Return the repository that a directory is in; None if it is in none."""

    def behind(self, url: str, branch: str) -> Behind:
        """Ask a repository for its HEAD and for one branch.

        Raises:
            HubUnreachable: no answer.
        """

    def has_ledger_file(self, ground: Ground, ref: str) -> bool:
        """Tell whether a ref of a repository here holds a ledger's head document."""


def hub_here(here: Path, looker: Looker, is_known: Callable[[str], bool]) -> str:
    """Return the hub of the repository that one stands in: its remote `origin` if that is one, else itself.

    Args:
        here: where one stands.
        looker: looks at it.
        is_known: tells whether a URL has been found to be a hub before; then nobody is asked.

    Raises:
        BnetError: there is none.
        HubUnreachable: the remote does not answer, and may be one.
    """
    ground = looker.around(here)
    if ground is None:
        raise BnetError("no hub is named, and this is no Git repository", hint=WAYS)
    if ground.origin and (is_known(ground.origin) or _is_hub(ground, looker)):
        return ground.origin
    itself = str(ground.path)
    if is_known(itself) or any(
        looker.has_ledger_file(ground, ref) for ref in (f"refs/heads/{USUAL}", "HEAD")
    ):
        return itself
    raise BnetError(f"no hub is named, and {itself} is none and has none as its remote `origin`", hint=WAYS)


def _is_hub(ground: Ground, looker: Looker) -> bool:
    behind = looker.behind(ground.origin, USUAL)
    # A hub that is nothing else has its ledger on the default branch; what was cloned of that is here.
    return USUAL in behind.tips or looker.has_ledger_file(
        ground, f"refs/remotes/origin/{behind.head or 'HEAD'}"
    )


def ledger_branch(behind: Behind) -> str:
    """Return the branch that holds a hub's ledger."""
    return USUAL if USUAL in behind.tips or behind.head not in behind.tips else behind.head
