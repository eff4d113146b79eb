"""Watches a tree in the way that suits the platform."""

import sys

from bnet.host.events.changes import Passes, TreeWatch


def watch_tree(root: str, passes: Passes) -> TreeWatch:
    """Begin to watch a tree.

    Args:
        root: its directory.
        passes: what is not watched.

    Raises:
        BnetError: it cannot be watched; why, and what to do, is said.
    """
    if sys.platform == "linux":
        from bnet.host.events.inotify import Watch

        return Watch(root, passes)
    else:  # noqa: RET505 (so mypy takes it for code of another platform)
        from bnet.host.events.elsewhere import Elsewhere

        return Elsewhere(root, passes)
