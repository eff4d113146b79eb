"""A command in the foreground under a named lock."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bnet.errors import BnetError

if TYPE_CHECKING:
    from bnet.app.locks.hold import Hold

MARK = "BNET_HOLD_"  # with the holding's id: a variable of all that runs under it, whatever else they hold
TOKEN = "BNET_LOCK_TOKEN"


@contextmanager
def answering(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Answer whoever asks us to end; what `nohup` has told us to pass over stays passed over."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    asked = {number: old for number, old in before.items() if old != signal.SIG_IGN}
    for number in asked:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in asked.items():
            signal.signal(number, old)


class Command:
    """A command in the foreground, with all that it starts."""

    def __init__(self, hold: "Hold", mark: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        from bnet.process import Attached

        self._mark = mark
        own = {"BNET_LOCK": hold.name, TOKEN: str(hold.token), mark: "1"}
        try:
            self._attached = Attached(argv, env={**env, **own})
        except OSError as error:
            failure = BnetError(f"{argv[0]}: {error.strerror}")
            failure.exit_code = 127 if isinstance(error, FileNotFoundError) else 126
            raise failure from None

    def wait(self, seconds: float) -> int | None:
        return self._attached.wait(seconds)

    def end(self, grace_s: float) -> None:
        from bnet.host import processes

        processes.end(processes.find_run("1", self._mark), grace_s)
        self._attached.wait(1.0)

    def hand_on(self, number: int, frame: object) -> None:
        self._attached.signal(number)

    def interrupt(self, number: int, frame: object) -> None:
        """Hand an interrupt on, unless it came from the terminal: that has told the command already."""
        if not _has_terminal():
            self._attached.signal(number)


def _has_terminal() -> bool:
    """Tell whether what is typed at a terminal reaches us, as it then reaches all that we started."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


@contextmanager
def under(hold: "Hold", argv: Sequence[str], env: Mapping[str, str]) -> Iterator[Command]:
    """Run a command; signals are its own to answer."""
    from bnet.host.guardian import guarded

    mark = MARK + uuid.uuid4().hex
    with guarded(mark, hold.grace_s):
        program = Command(hold, mark, argv, env)
        before = signal.getsignal(signal.SIGINT)
        if before != signal.SIG_IGN:
            signal.signal(signal.SIGINT, program.interrupt)
        try:
            with answering(program.hand_on):
                yield program
        finally:
            signal.signal(signal.SIGINT, before)
