"""Where the artifacts of the hub that is meant are."""

from typing import TYPE_CHECKING

from bnet.cli.context import App

if TYPE_CHECKING:
    from bnet.app.artifacts.depot import Depot
    from bnet.ports.outside import Store


def depot_of(app: App) -> "Depot":
    """Return where the artifacts of the hub are; the ledger has been refreshed."""
    from bnet.app.artifacts.depot import Depot

    room = app.machine.home.cache / "incoming"
    return Depot(app.ledger.hub, app.ledger.hub.look(), lambda: store_of(app), room)


def store_of(app: App) -> "Store":
    """Return the hub's store; the ledger has been refreshed."""
    from bnet.wiring.stores import store_of as opened

    return opened(app.ledger.state.settings)
