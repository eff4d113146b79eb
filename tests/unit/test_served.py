"""A dashboard that is kept up to date: what is told of it while the hub is away, and to whoever asks meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

from bnet.errors import BnetError, HubUnreachable
from bnet.memory import ManualClock
from bnet.wiring import served
from bnet.wiring.served import Served


class Ended(Exception):
    """Somebody has ended the process."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Served:
    monkeypatch.setattr(served, "own_directory", lambda machine, url: tmp_path)
    machine: Any = SimpleNamespace(clock=ManualClock())
    return Served(machine, "hub", 0.0, NOTES.append)


NOTES: list[str] = []


def test_while_the_hub_is_away_nobody_is_told_that_it_was_looked_at(
    made: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    NOTES.clear()
    answers: Iterator[Exception | None] = iter(
        [None, HubUnreachable("no answer"), HubUnreachable("no answer"), OSError(28, "no room"), Ended()]
    )

    def build(*_: Any) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    monkeypatch.setattr(served, "build", build)
    told: list[str] = []
    server: Any = SimpleNamespace(news=SimpleNamespace(tell=told.append))
    with pytest.raises(Ended):
        made.run(server)
    assert len(told) == 2, "once for what was there, and once for what was built"
    assert NOTES == ["no answer; it is tried again", "no room; it is tried again"], "each is said once"


def test_what_was_not_begun_in_time_is_not_done_later(made: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "PATIENCE", 0.01)
    done: list[int] = []
    with pytest.raises(HubUnreachable, match="nothing was done"):
        made.ask(lambda: done.append(1))
    made._asked.get()()
    assert done == []


def test_what_takes_too_long_may_be_done_and_that_is_said(
    made: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "PATIENCE", 1.0)
    over = Event()
    Thread(target=lambda: made._asked.get()(), daemon=True).start()
    with pytest.raises(HubUnreachable, match="not known yet whether"):
        made.ask(over.wait)
    over.set()


def test_an_error_is_raised_where_somebody_waits_for_the_answer(made: Served) -> None:
    def fail() -> None:
        raise BnetError("there is no job #9")

    Thread(target=lambda: made._asked.get()(), daemon=True).start()
    with pytest.raises(BnetError, match="no job #9"):
        made.ask(fail)
