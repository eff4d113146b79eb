"""Runs whose files go to a store: the process that brings them there, begun again until it has said how it went."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from bnet.codec.documents import Unreadable, decode
from bnet.errors import BnetError
from bnet.files import read_json, read_or_none, write_json
from bnet.host import processes
from bnet.model.run import Intent, KeptFiles, RunExit
from bnet.ports.machine import Clock

KEPT = "kept.json"
PAUSE = 10.0  # seconds between two beginnings of one that dies at once


class Uploads:
    """Starts a process for each run with files for the store; it works beside all syncs, and outlives them."""

    def __init__(
        self,
        module: str,
        environment: Callable[[], Mapping[str, str]],
        clock: Clock,
        sessions: processes.Sessions,
    ) -> None:
        """Keep what is needed.

        Args:
            module: what is run, with the run's directory as its argument.
            environment: gives its environment, in which a store's credentials are.
            clock: for pauses.
            sessions: starts it.
        """
        self._module = module
        self._environment = environment
        self._clock = clock
        self._sessions = sessions

    def settled(self, path: Path, intent: Intent, ended: RunExit) -> RunExit | None:
        """Return how a run ended once its files are where they are kept; None while they are on their way.

        Args:
            path: its directory.
            intent: what it was told.
            ended: how it ended by itself.
        """
        if not for_store(intent, ended):
            return ended
        kept = read_kept(path)
        if kept is None:
            self._go_on(path)
            return None
        if kept.stopped:
            return replace(ended, outcome="stopped", artifacts=(), message=kept.problem)
        return replace(ended, artifacts=(), artifact_problem=kept.problem) if kept.problem else ended

    def _go_on(self, path: Path) -> None:
        note = read_json(path / "keeper.json") or {}
        if processes.is_noted_alive(note):
            return
        begun, now = note.get("begun"), self._clock.boot()
        if isinstance(begun, int | float) and 0 <= now - begun < PAUSE:
            return
        argv = [sys.executable, "-P", "-m", self._module, str(path)]
        try:
            pid = self._sessions.start(argv, dict(self._environment()), path / "keeper.err")
        except (BnetError, OSError):
            return  # the next look tries again
        start, boot = processes.start_time(pid), self._clock.boot_id()
        write_json(
            path / "keeper.json", {"pid": pid, "start": start, "boot_id": boot, "begun": now}, durable=False
        )


def for_store(intent: Intent, ended: RunExit) -> bool:
    """Tell whether a run's files are more than Git is to take."""
    return (
        intent.store is not None
        and ended.outcome == "exit"
        and sum(each.size for each in ended.artifacts) > intent.store.small
    )


def read_kept(path: Path) -> KeptFiles | None:
    """Return what became of a run's files on the way to the store; None while nobody has said so."""
    try:
        return decode(KeptFiles, read_or_none(path / KEPT) or b"")
    except Unreadable:
        return None
