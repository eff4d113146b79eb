"""The ledger's history is linearizable: in memory in each schedule of the simulation, here on real Git."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from pathlib import Path

import pytest
from linear import Operation, Traced, disorder

from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.gitstore.hub import RemoteHub
from bnet.gitstore.repo import environment
from bnet.host.clock import SystemClock
from bnet.model.command import Submit
from bnet.model.hub import FORMAT, Head
from bnet.ports.hub import Commit, Update
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction


def op(begun: float, ended: float, seq: int, *, wrote: bool = False) -> Operation:
    return Operation("x", begun, ended, seq, wrote)


@pytest.mark.parametrize(
    ("history", "sound"),
    [
        ([op(0, 1, 1, wrote=True), op(2, 3, 1)], True),
        ([op(0, 1, 1, wrote=True), op(0.5, 3, 0)], True),
        ([op(0, 1, 1, wrote=True), op(2, 3, 0)], False),
        ([op(0, 1, 2, wrote=True), op(2, 3, 1, wrote=True)], False),
        ([op(0, 5, 2, wrote=True), op(2, 3, 1, wrote=True)], True),
        ([op(0, 5, 1, wrote=True), op(2, 3, 1, wrote=True)], False),
        ([op(0, 1, 3), op(2, 3, 2)], False),
    ],
    ids=[
        "seen after",
        "not yet seen",
        "stale",
        "in reverse",
        "overlapping",
        "one number twice",
        "back in time",
    ],
)
def test_a_history_is_judged(history: list[Operation], sound: bool) -> None:
    assert (disorder(history) == []) == sound


def test_concurrent_transactions_on_real_git_are_in_one_order(tmp_path: Path) -> None:
    bare = tmp_path / "hub.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--template=", bare], check=True)
    history: list[Operation] = []

    def ledger(name: str) -> Traced:
        hub = RemoteHub(str(bare), "bnet", tmp_path / name, environment(os.environ))
        found = Traced(hub, SystemClock(), name, random.Random(name))
        found.time, found.note = time.monotonic, history.append
        return found

    first = ledger("founder")
    head = {layout.HEAD: encode(Head(format=FORMAT, hub="11111111-2222-4333-8444-555555555555"))}
    trailers = "bnet: init\n\nBnet-Seq: 0\nBnet-Next-Job: 1\nBnet-Nonce: 0\n"
    commit = Commit(parent=None, files=head, message=trailers, author="bnet", at=first.clock.now())
    assert first.hub.push([Update(first.hub.ledger_ref, "", first.hub.write([commit])[0])]) is None

    def ask(tx: Transaction) -> None:
        admit(tx, [Submit(command="true")], by="x", facts=Facts())

    def work(name: str) -> None:
        mine = ledger(name)
        for _ in range(5):
            mine.refresh()
            mine.transact(ask)

    threads = [threading.Thread(target=work, args=(f"s{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.seq for each in history if each.wrote) == list(range(1, 21))
    assert disorder(history) == []
