"""What happens to the files of a tree, as the platform tells it."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnet.host.events.changes import Passes
    from bnet.host.events.elsewhere import Elsewhere
    from bnet.host.events.inotify import Watch


def watch_tree(root: str, passes: "Passes") -> "Watch | Elsewhere":
    """Watch a tree in the best way that the platform has.

    Args:
        root: the tree's directory.
        passes: what is not reported.

    Raises:
        BnetError: it cannot be watched.
    """
    if os.uname().sysname == "Linux":
        from bnet.host.events.inotify import Watch

        return Watch(root, passes)
    from bnet.host.events.elsewhere import Elsewhere

    return Elsewhere(root, passes)
