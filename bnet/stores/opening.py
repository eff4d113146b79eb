"""The shared store that a `bnet.yaml` names."""

from collections.abc import Callable
from pathlib import Path

from bnet.codec.durations import parse_duration
from bnet.errors import Invalid
from bnet.model.tree import SharedStore
from bnet.ports.outside import Store
from bnet.stores.failures import shown
from bnet.stores.guarded import Guarded

_LOCAL = ("file", "local")


def open_store(shared: SharedStore, said: Callable[[str], None], root: Path | None = None) -> Store:
    """Return the store, not yet connected; it is told about by `said`, once, if it does not work.

    Args:
        shared: where it is, and what may be done with it.
        said: told, in a sentence, when the store is given up.
        root: where a relative directory counts from.

    Raises:
        Invalid: its URL holds a password or a query.
    """
    timeout = parse_duration(shared.timeout)
    return Guarded(adapter(shared.url, timeout, root), shared.mode, timeout, said, shown(shared.url))


def adapter(url: str, timeout: float, root: Path | None = None) -> Store:
    """Return the store behind a URL, without its guard."""
    protocol, mark, rest = url.partition("://")
    if not mark or protocol in _LOCAL:
        from bnet.stores.directory import DirectoryStore

        return DirectoryStore((root or Path()) / Path(rest if mark else url).expanduser())
    if ":" in rest.rpartition("@")[0]:
        hint = "docs/shared-store.md says where each kind takes it from"
        raise Invalid("the URL of a shared store holds no password", field="store.url", hint=hint)
    if "?" in rest:
        raise Invalid("the URL of a shared store has no query", field="store.url")
    from bnet.stores.remote import RemoteStore

    return RemoteStore(url, timeout)
