"""This process itself: let go of the starter, listen to signals."""

import os

from .lean import signal


def close_inherited() -> None:
    """Close all but the three standard descriptors, so that no pipe or lock of the starter stays open."""
    for name in os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:  # the one that listed the directory
                pass
    while (null := os.open("/dev/null", os.O_RDWR)) <= 2:  # one of the three was closed
        pass
    os.close(null)


def detach() -> None:
    """Let go of the starter's terminal and standard descriptors."""
    try:
        os.setsid()
    except PermissionError:  # it leads a session or group already
        pass
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)


class Signals:
    """What signals say to this process."""

    terminated = False

    @classmethod
    def listen(cls) -> int:
        """Take over the signals.

        Returns:
            A descriptor that becomes readable with each of them.
        """
        reading, writing = os.pipe()
        for descriptor in (reading, writing):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, cls._ignore)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, cls._terminate)
        return reading

    @staticmethod
    def _ignore(_number: int, _frame: object) -> None:
        """Do nothing: unlike SIG_IGN this keeps the status of children, and writes to the wake-up pipe."""

    @classmethod
    def _terminate(cls, _number: int, _frame: object) -> None:
        cls.terminated = True
