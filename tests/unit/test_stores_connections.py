"""How many connections a store is given, and when they are made again."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bnet.errors import StoreFailed
from bnet.stores import connections
from bnet.stores.connections import AT_ONCE, Connections
from bnet.stores.dialect import Dialect


class System:
    """A file system that may break."""

    async_impl = False
    broken = False


class Counted(Dialect):
    def __init__(self) -> None:
        super().__init__("memory://x", 1)
        self.made: list[System] = []
        self.closed: list[System] = []

    def connect(self) -> tuple[Any, str]:
        self.made.append(System())
        return self.made[-1], ""

    def close(self, system: System) -> None:
        self.closed.append(system)


@pytest.fixture
def dialect(monkeypatch: pytest.MonkeyPatch) -> Counted:
    made = Counted()
    monkeypatch.setattr(connections, "dialect_of", lambda _url, _timeout: made)
    return made


def work(_: Dialect, system: System, _base: str) -> System:
    if system.broken:
        raise EOFError
    return system


def test_a_connection_is_used_again(dialect: Counted) -> None:
    pool = Connections("memory://x", 1)
    assert pool.use(work) is pool.use(work)


def test_no_more_threads_than_a_server_takes_use_it_at_once(dialect: Counted) -> None:
    pool = Connections("memory://x", 1)
    gate = threading.Barrier(AT_ONCE)
    threads = [
        threading.Thread(target=pool.use, args=(lambda *_: gate.wait(10),)) for _ in range(3 * AT_ONCE)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(dialect.made) == AT_ONCE


def test_an_old_connection_that_broke_is_replaced_and_a_new_one_is_not(dialect: Counted) -> None:
    pool = Connections("memory://x", 1)
    old = pool.use(work)
    old.broken = True
    new = pool.use(work)
    assert new is not old and old in dialect.closed

    def breaks(_: Dialect, system: System, _base: str) -> None:
        raise EOFError

    with pytest.raises(EOFError):
        pool.use(breaks)
    assert len(dialect.made) == 3 and new in dialect.closed


def test_what_is_missing_or_forbidden_is_no_reason_to_connect_again(dialect: Counted) -> None:
    pool = Connections("memory://x", 1)
    for error in (FileNotFoundError(), PermissionError(), StoreFailed("no")):

        def refuses(_: Dialect, system: System, _base: str, error: Exception = error) -> None:
            raise error

        for _ in range(3):
            with pytest.raises(type(error)):
                pool.use(refuses)
    assert len(dialect.made) == 1
