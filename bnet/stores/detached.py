"""Threads that Python does not wait for when it ends."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from fsspec.asyn import get_loop

T = TypeVar("T")


class Detached(ThreadPoolExecutor):
    """A thread for each call, however long it takes."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()

        future.set_running_or_notify_cancel()  # from now on nobody can cancel it, which would make `set_result` raise

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # it is raised again where the future is asked
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future


def detach_lookups() -> None:
    """Let the process end while fsspec's loop still looks up a host's address, which asyncio leaves to threads."""
    loop = get_loop()
    loop.call_soon_threadsafe(loop.set_default_executor, Detached(1))
