"""The store that a hub keeps artifacts in."""

from typing import TYPE_CHECKING

from bnet.app.artifacts.clearing import sweep
from bnet.errors import BnetError
from bnet.files import read_json, write_json
from bnet.model.hub import Settings
from bnet.model.state import State

if TYPE_CHECKING:
    from bnet.ports.outside import Store
    from bnet.wiring.machine import Machine


def store_of(settings: Settings) -> "Store":
    """Return the store of a hub.

    Raises:
        BnetError: it has none.
    """
    from bnet.stores.opening import adapter

    if settings.store is None:
        raise BnetError(
            "the hub has no store for artifacts", hint="set `store:` in its hub.yaml: docs/artifacts.md"
        )
    return adapter(settings.store.url, settings.store.timeout)


def sweep_store(machine: "Machine", url: str, store: "Store", state: State) -> int:
    """Delete what has lain in a hub's store for a day and is on no list; return how many files."""
    path = machine.home.hub_dir(url) / "stray.json"
    before = {name: at for name, at in (read_json(path) or {}).items() if isinstance(at, int | float)}
    deleted, seen = sweep(store, state, before, machine.clock.now().timestamp())
    write_json(path, seen, durable=False)
    return deleted
