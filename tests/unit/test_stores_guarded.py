"""A store that hangs, breaks or refuses costs a build no more than its time-out, and a word."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnet.errors import StoreFailed
from bnet.model.tree import StoreMode
from bnet.stores.failures import Refused
from bnet.stores.guarded import Guarded, Patience
from bnet.stores.memory import MemoryStore


class Troubled(MemoryStore):
    """A store with something before each of its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.trouble: Callable[[str], None] = lambda _: None

    def meet(self, call: str) -> None:
        self.calls.append(call)
        self.trouble(call)

    def fetch(self, name: str, path: Path) -> bool:
        self.meet("fetch")
        return super().fetch(name, path)

    def send(self, name: str, path: Path) -> None:
        self.meet("send")
        super().send(name, path)

    def has(self, name: str) -> bool:
        self.meet("has")
        return super().has(name)

    def names(self, prefix: str) -> Iterator[str]:
        self.meet("names")
        yield from super().names(prefix)

    def delete(self, name: str) -> None:
        self.meet("delete")
        super().delete(name)


class Bench:
    """A guarded store with one blob, and what was said about it."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self.store = Troubled()
        self.store.blobs["a"] = b"blob"
        self.said: list[str] = []
        self.blob = here / "blob"
        self.blob.write_bytes(b"other")

    def guard(self, mode: StoreMode = "read-write", timeout: float = 30.0) -> Guarded:
        return Guarded(self.store, mode, timeout, self.said.append, "s3://team")

    def answers(self, guarded: Guarded) -> tuple[bool, bool, list[str]]:
        guarded.send("b", self.blob)
        answers = (guarded.fetch("a", self.here / "x"), guarded.has("a"), list(guarded.names("")))
        guarded.delete("a")
        return answers


EMPTY = (False, False, list[str]())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def raising(error: Exception, *calls: str) -> Callable[[str], None]:
    def trouble(call: str) -> None:
        if not calls or call in calls:
            raise error

    return trouble


def waiting_for(ended: threading.Event) -> Callable[[str], None]:
    def trouble(_call: str) -> None:
        ended.wait(20)

    return trouble


def test_a_sound_store_answers_as_it_does(bench: Bench) -> None:
    assert bench.answers(bench.guard()) == (True, True, ["a", "b"])
    assert bench.store.blobs == {"b": b"other"} and bench.said == []
    assert (bench.here / "x").read_bytes() == b"blob"


def test_who_may_only_read_sends_and_deletes_nothing(bench: Bench) -> None:
    assert bench.answers(bench.guard("read")) == (True, True, ["a"])
    assert bench.store.blobs == {"a": b"blob"} and bench.said == []


def test_who_may_only_write_fetches_nothing(bench: Bench) -> None:
    assert bench.answers(bench.guard("write")) == (False, True, ["a", "b"])
    assert bench.store.blobs == {"b": b"other"} and bench.said == []


def test_a_broken_store_is_reported_once_and_then_empty(bench: Bench) -> None:
    bench.store.trouble = raising(StoreFailed("it is away", hint="come back later"))
    guarded = bench.guard()
    assert bench.answers(guarded) == EMPTY == bench.answers(guarded)
    assert bench.said == ["it is away (come back later); going on without it"]
    assert bench.store.calls == ["send"]


def test_a_store_that_takes_nothing_is_still_read(bench: Bench) -> None:
    bench.store.trouble = raising(Refused("it is full"), "send")
    guarded = bench.guard()
    assert bench.answers(guarded) == (True, True, ["a"])
    guarded.send("c", bench.blob)
    assert bench.said == ["it is full; nothing more is sent to it"]
    assert bench.store.calls.count("send") == 1


def test_a_store_that_may_not_be_read_is_given_up(bench: Bench) -> None:
    bench.store.trouble = raising(Refused("no permission"), "fetch")
    guarded = bench.guard()
    assert not guarded.fetch("a", bench.here / "x")
    assert bench.answers(guarded) == EMPTY and len(bench.said) == 1


def test_a_bug_is_not_hidden(bench: Bench) -> None:
    bench.store.trouble = raising(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        bench.guard().has("a")


def test_a_hanging_store_costs_its_time_out_once(bench: Bench) -> None:
    ended = threading.Event()
    bench.store.trouble = waiting_for(ended)
    guarded = bench.guard(timeout=0.3)
    began = time.monotonic()
    assert [bench.answers(guarded) for _ in range(20)] == [EMPTY] * 20
    assert 0.25 < time.monotonic() - began < 2
    assert bench.said == [
        "the shared store s3://team has kept this build waiting for 0.3 s in all; going on without it"
    ]
    ended.set()


def test_a_slow_store_costs_its_time_out_all_in_all(bench: Bench) -> None:
    bench.store.trouble = lambda _: time.sleep(0.05)
    guarded = bench.guard(timeout=0.3)
    began = time.monotonic()
    answers = [guarded.has("a") for _ in range(30)]
    assert 0.25 < time.monotonic() - began < 1.2
    assert answers[0] and not answers[-1]
    assert len(bench.said) == 1


def test_threads_that_wait_together_spend_the_time_once(bench: Bench) -> None:
    bench.store.trouble = lambda _: time.sleep(0.2)
    guarded = bench.guard(timeout=1.0)
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(guarded.has("a"))) for _ in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert answers == [True] * 10 and bench.said == []  # 2 s of waiting in 0.2 s of the clock


def test_only_waiting_is_spent() -> None:
    patience = Patience(1.0)
    time.sleep(0.2)
    with patience.waiting() as left:
        assert left > 0.95
    with patience.waiting():
        time.sleep(0.1)
    with patience.waiting() as left:
        assert 0.7 < left < 0.95


def test_a_hanging_store_is_reported_once_by_many_threads(bench: Bench) -> None:
    ended = threading.Event()
    bench.store.trouble = waiting_for(ended)
    guarded = bench.guard(timeout=0.2)
    threads = [threading.Thread(target=guarded.has, args=("a",)) for _ in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    ended.set()
    assert len(bench.said) == 1


def test_a_download_that_comes_too_late_touches_nothing(bench: Bench) -> None:
    ended = threading.Event()
    bench.store.trouble = waiting_for(ended)
    place = bench.here / "place"
    place.mkdir()
    assert not bench.guard(timeout=0.1).fetch("a", place / "x")
    (place / "x").write_bytes(b"built here meanwhile")
    ended.set()
    for thread in threading.enumerate():
        if thread.name == "shared store":
            thread.join(10)
    assert (place / "x").read_bytes() == b"built here meanwhile"
    assert [path.name for path in place.iterdir()] == ["x"]


def test_a_directory_that_cannot_be_written_to_is_said(bench: Bench) -> None:
    (bench.here / "file").touch()
    assert not bench.guard().fetch("a", bench.here / "file" / "x")
    assert len(bench.said) == 1


def test_a_hanging_store_does_not_keep_a_process_from_ending() -> None:
    code = (
        "import time, threading\n"
        "from bnet.stores.memory import MemoryStore\n"
        "from bnet.stores.guarded import Guarded\n"
        "store = MemoryStore(); store.has = lambda name: time.sleep(60)\n"
        "print(Guarded(store, 'read', 0.1, print).has('a'))"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stdout.endswith("False\n")
    assert time.monotonic() - began < 10


def test_a_host_whose_address_nobody_tells_does_not_keep_a_process_from_ending() -> None:
    # asyncio asks for addresses in threads that Python waits for when it ends.
    code = (
        "import time\n"
        "from fsspec.asyn import get_loop\n"
        "from bnet.stores.detached import detach_lookups\n"
        "detach_lookups()\n"
        "loop = get_loop()\n"
        "loop.call_soon_threadsafe(lambda: loop.run_in_executor(None, time.sleep, 60))\n"
        "time.sleep(0.1)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 20
