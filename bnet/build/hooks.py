"""The hooks of a tree: before the first package that is built, and after the last."""

import threading

from bnet.build.commands import Commands
from bnet.build.outcome import Failed
from bnet.errors import BnetError
from bnet.model.tree import Hooks


class TreeHooks:
    """The hooks of one build.

    Attributes:
        due: whether something was built since the last hook went well.
    """

    def __init__(self, hooks: Hooks, commands: Commands, due: bool) -> None:
        """Keep the parts.

        Args:
            hooks: the tree's.
            commands: what runs them.
            due: whether builds before this one have left the last hook to be run.
        """
        self.due = due
        self._hooks = hooks
        self._commands = commands
        self._ran = False
        self._failed: BnetError | None = None
        self._lock = threading.Lock()

    def before(self) -> None:
        """Run the first hook, once, before the first package that is built.

        Raises:
            Failed: it did, now or for a package before.
        """
        with self._lock:
            if self._failed is not None:
                raise self._failed
            if not self._ran and self._hooks.pre_build:
                try:
                    self._commands.run_hook("pre_build", self._hooks.pre_build)
                except BnetError as error:
                    self._failed = error
                    raise
            self._ran = True
            self.due = bool(self._hooks.post_build)

    def after(self) -> str:
        """Run the last hook if it is due; return what went wrong with it."""
        if not self.due or not self._hooks.post_build:
            self.due = False
            return ""
        try:
            self._commands.run_hook("post_build", self._hooks.post_build)
        except Failed as error:
            return f"{error}; its log is {error.log}"
        self.due = False
        return ""
