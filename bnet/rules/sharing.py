"""Files that people share through the store, by name."""

from collections.abc import Mapping

from bnet.codec import layout
from bnet.codec.shown import escaped
from bnet.model.artifact import Shared
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.transaction import Transaction

MOST_SHARED = 1000  # names at a time
LARGEST = 100_000_000  # bytes


def shared_now(tx: Transaction) -> dict[str, Shared]:
    """Return the shared files as they are after the changes so far."""
    found: dict[str, Shared] = dict(tx.state.shared)
    for path, record in tx.documents.items():
        if isinstance(record, Shared):
            found[layout.named_in(layout.SHARED, path) or ""] = record
    return found


def share(tx: Transaction, file: Shared, *, replace: bool) -> None:
    """Give a file that is in the store its name.

    Raises:
        Illegal: the name is somebody else's file, or there are too many.
    """
    others = shared_now(tx)
    before = others.get(file.name)
    if before is not None and before.blake3 != file.blake3 and not replace:
        raise Illegal(
            f"{file.name} is another file already, of {escaped(before.by)}; take another name, or --replace"
        )
    if before is None and len(others) >= MOST_SHARED:
        raise Illegal(
            f"{MOST_SHARED:,} files are shared already; `bnet artifact prune` removes those past their time"
        )
    tx.apply(
        Change(
            verb="share",
            target=file.name,
            fields={"by": file.by, "size": file.size},
            documents={layout.shared_path(file.name): file},
        )
    )


def unshare(tx: Transaction, name: str) -> None:
    """Take a name back; the file is deleted by whoever does the chores."""
    if name not in tx.state.shared:
        raise Illegal(f"no file {escaped(name)} is shared")
    tx.apply(Change(verb="unshare", target=name, files={layout.shared_path(name): None}))


def expire(tx: Transaction) -> None:
    """Take back the names whose time is over."""
    for name, each in _old(tx.state.shared, tx).items():
        tx.apply(
            Change(
                verb="unshare",
                target=name,
                note="its time is over",
                files={layout.shared_path(each.name): None},
            )
        )


def _old(shared: Mapping[str, Shared], tx: Transaction) -> dict[str, Shared]:
    return {name: each for name, each in shared.items() if (tx.now - each.at).total_seconds() > each.keep}
