"""The past can be searched: through the index, over a ledger in memory and on real Git."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from worlds import NOON, Machine, World, claim, finish, in_memory, submit

from bnet.app.history import Annals, annals, moment_of, search, state_at
from bnet.errors import BnetError
from bnet.host.index import VERSION, LocalIndex
from bnet.model.command import Submit
from bnet.model.history import EventQuery, Moved, Past, Query
from bnet.rules import settle
from bnet.rules.admit import admit
from bnet.rules.change import Change
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction


@pytest.fixture
def machine(world: World) -> Machine:
    """Sees a ledger with two archived jobs, one that has finished, one that runs and one that waits."""
    machine = world.machine("s1")

    def asked(tx: Transaction) -> None:
        first = Submit(command=["make", "world"], name="first", labels={"os": "linux"}, packages=())
        second = Submit(command="echo no room left on the device", name="second", queue="night")
        admit(tx, [first, second], by="ann@example.org", facts=Facts())

    machine.ledger.transact(asked)
    for number, code in ((1, 0), (2, 3)):
        machine.ledger.transact(claim(number))
        machine.clock.seconds += 60
        machine.ledger.transact(finish(number, code=code))
    put_away(machine)
    machine.ledger.transact(submit("third", "fourth", "fifth"))
    machine.ledger.transact(claim(3))
    machine.ledger.transact(finish(3))
    machine.ledger.transact(claim(4))
    return machine


def put_away(machine: Machine) -> None:
    machine.clock.seconds += 2 * 86400
    machine.ledger.transact(settle.archive)


def numbers(machine: Machine, index: LocalIndex, *words: str, **more: object) -> list[int]:
    query = Query(words=words, **more)
    return [past.number for past in search(machine.ledger, index, query)]


@pytest.fixture
def index(tmp_path: Path) -> LocalIndex:
    return LocalIndex(tmp_path / "history.db")


# -- jobs


def test_all_jobs_are_found_the_open_ones_first_then_the_newest_end(
    machine: Machine, index: LocalIndex
) -> None:
    assert len(machine.ledger.state.jobs) == 3, "two are in the archive"
    assert numbers(machine, index) == [5, 4, 3, 2, 1]
    assert numbers(machine, index, limit=2) == [5, 4]


QUESTIONS: dict[str, tuple[tuple[str, ...], dict[str, object], list[int]]] = {
    "a word of a command": (("world",), {}, [1]),
    "a word of an open job's name": (("fourth",), {}, [4]),
    "all words have to occur": (("make", "second"), {}, []),
    "several in one text follow each other": (("left on the device",), {}, [2]),
    "and not otherwise": (("device left",), {}, []),
    "any ending": (("devi*",), {}, [2]),
    "no ending of itself": (("devi",), {}, []),
    "whatever the case": (("MAKE",), {}, [1]),
    "the words of its language are words": (("make AND world",), {}, []),
    "its signs mean nothing": (('make" OR "second', "("), {}, []),
    "signs alone ask for nothing": (("--",), {}, [5, 4, 3, 2, 1]),
    "a pattern of names": ((), {"name": "f*"}, [5, 4, 1]),
    "a server, of one that runs too": ((), {"server": "s1"}, [4, 3, 2, 1]),
    "a result": ((), {"results": ["failure", "error"]}, [2]),
    "a submitter": ((), {"submitted_by": "*@example.org"}, [2, 1]),
    "a queue": ((), {"queue": "night"}, [2]),
    "a label": ((), {"labels": {"os": "linux"}}, [1]),
    "no part of a label": ((), {"labels": {"os": "lin"}}, []),
    "since": ((), {"since": NOON.timestamp() + 90}, [5, 4, 3, 2]),
    "until": ((), {"until": NOON.timestamp() + 90}, [1]),
}


@in_memory
@pytest.mark.parametrize(("words", "more", "found"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_questions(
    machine: Machine, index: LocalIndex, words: Sequence[str], more: dict[str, object], found: list[int]
) -> None:
    assert numbers(machine, index, *words, **more) == found


def test_what_was_found_in_the_archive_can_be_had_whole(machine: Machine, index: LocalIndex) -> None:
    found = search(machine.ledger, index, Query(name="second"))
    whole = annals(machine.ledger).whole(found)
    assert whole[2].result is not None and whole[2].result.exit_code == 3


class Counting(Annals):
    """Writes down which files were read."""

    def __init__(self, machine: Machine) -> None:
        past = annals(machine.ledger)
        super().__init__(machine.hub, past.tip)
        self.read: list[str] = []

    def jobs(self, blobs: Sequence[str]) -> list[Past]:
        self.read += blobs
        return list(super().jobs(blobs))


def test_only_archive_files_that_were_never_seen_are_read(machine: Machine, index: LocalIndex) -> None:
    first = Counting(machine)
    index.search(first, [], Query())
    put_away(machine)
    second = Counting(machine)
    assert [past.number for past in index.search(second, [], Query())] == [3, 2, 1]
    assert len(first.read) == 1 and len(second.read) == 1 and first.read != second.read


def test_files_that_are_gone_leave_the_index(machine: Machine, index: LocalIndex) -> None:
    before = annals(machine.ledger)
    put_away(machine)
    assert [past.number for past in index.search(annals(machine.ledger), [], Query())] == [3, 2, 1]
    assert [past.number for past in index.search(before, [], Query(words=["third"]))] == []
    assert [past.number for past in index.search(before, [], Query())] == [2, 1]
    assert [past.number for past in index.search(before, [], Query(words=["world"]))] == [1]


def test_what_a_person_did_to_the_archive_is_not_believed(
    world: World, machine: Machine, index: LocalIndex
) -> None:
    [path] = machine.ledger.state.archive
    world.person({path: None})
    machine.ledger.refresh()
    assert numbers(machine, index) == [5, 4, 3, 2, 1]


def damage_head(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def damage_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : len(data)] = b"\x5a" * (len(data) - 4096)
    path.write_bytes(bytes(data))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def another_version(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM jobs")
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()


def without_a_table(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE jobs")
    db.close()


HARM = [damage_head, damage_middle, cut_off, another_version, without_a_table]


@in_memory
@pytest.mark.parametrize("harm", HARM)
def test_an_index_that_is_damaged_is_made_anew_without_a_word(
    machine: Machine, index: LocalIndex, tmp_path: Path, harm: object
) -> None:
    assert numbers(machine, index, "world") == [1]
    assert callable(harm)
    harm(tmp_path / "history.db")
    assert numbers(machine, index, "world") == [1]
    assert numbers(machine, index) == [5, 4, 3, 2, 1]
    with sqlite3.connect(tmp_path / "history.db") as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (2,), "and is on the disk again"
    db.close()


def test_where_it_cannot_be_written_the_answer_is_the_same(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert numbers(machine, LocalIndex(tmp_path / "file" / "history.db"), "world") == [1]
    (tmp_path / "directory").mkdir()
    assert numbers(machine, LocalIndex(tmp_path / "directory"), "world") == [1]


def test_a_build_that_was_cut_off_goes_on(machine: Machine, index: LocalIndex) -> None:
    class Dying(Annals):
        def jobs(self, blobs: Sequence[str]) -> list[Past]:
            raise KeyboardInterrupt

    past = annals(machine.ledger)
    with pytest.raises(KeyboardInterrupt):
        index.search(Dying(machine.hub, past.tip), [], Query())
    assert [each.number for each in index.search(past, [], Query())] == [2, 1]


# -- events


def told(machine: Machine, index: LocalIndex, **more: object) -> list[str]:
    query = EventQuery(**more)
    return [f"{each.verb} {each.target}" for each in index.events(annals(machine.ledger), query)]


def test_events_come_in_the_order_of_the_transactions(machine: Machine, index: LocalIndex) -> None:
    assert told(machine, index)[:4] == ["submit 1", "submit 2", "claim 1", "finish 1"]
    assert told(machine, index, job=2) == ["submit 2", "claim 2", "finish 2"]
    assert told(machine, index, limit=2) == ["finish 3", "claim 4"]
    assert told(machine, index, verb="archive") == ["archive 1-2"]
    assert told(machine, index, server="nobody") == []
    [first] = index.events(annals(machine.ledger), EventQuery(job=1, verb="claim"))
    assert first.actor == "s1" and first.fields["attempt"] == "1"


@pytest.mark.parametrize(
    "verb", ["join", "lock", "unlock", "ack", "message", "take-in", "fire", "pause-schedule"]
)
def test_what_happens_to_others_that_are_called_like_a_job_did_not_happen_to_it(
    machine: Machine, index: LocalIndex, verb: str
) -> None:
    machine.ledger.transact(lambda tx: tx.apply(Change(verb=verb, target="2")))
    assert told(machine, index, verb=verb) == [f"{verb} 2"]
    assert told(machine, index, job=2) == ["submit 2", "claim 2", "finish 2"]


@pytest.mark.parametrize("verb", ["approve", "disapprove", "prune", "forget"])
def test_what_people_say_of_a_job_happened_to_it(machine: Machine, index: LocalIndex, verb: str) -> None:
    machine.ledger.transact(lambda tx: tx.apply(Change(verb=verb, target="#2")))
    assert told(machine, index, job=2) == ["submit 2", "claim 2", "finish 2", f"{verb} 2"]


@in_memory
@pytest.mark.parametrize("seed", range(20))
def test_whatever_bytes_of_an_index_are_others_the_question_is_answered(
    machine: Machine, index: LocalIndex, tmp_path: Path, seed: int
) -> None:
    before = told(machine, index)
    assert numbers(machine, index, "world") == [1]
    path, chance = tmp_path / "history.db", random.Random(seed)
    data = bytearray(path.read_bytes())
    # Pages are mostly empty; what is written into them stands at their ends.
    used = [at for at, byte in enumerate(data) if byte]
    for _ in range(chance.choice((1, 5, 200))):
        data[chance.choice(used)] = chance.randrange(256)
    path.write_bytes(data)
    for each in search(machine.ledger, index, Query()):
        assert isinstance(each.number, int) and isinstance(each.name, str)
    for event in index.events(annals(machine.ledger), EventQuery()):
        assert isinstance(event.at, float) and isinstance(event.verb, str)
    assert all(isinstance(each.at, float) for each in index.moves(annals(machine.ledger)))
    path.unlink()
    assert told(machine, index) == before


def test_new_events_are_added_to_those_known(machine: Machine, index: LocalIndex) -> None:
    before = told(machine, index)
    machine.ledger.transact(finish(4))
    assert told(machine, index) == [*before, "finish 4"]


def test_a_commit_that_quotes_a_transaction_is_none(
    world: World, machine: Machine, index: LocalIndex
) -> None:
    before = told(machine, index)
    message = "Revert\n\nBnet-Seq: 2\nBnet-Next-Job: 2\nBnet-Nonce: 0\nBnet-Op: claim 77\n"
    world.person({"x": b""}, message=message)
    machine.ledger.refresh()
    machine.ledger.transact(finish(4))
    assert told(machine, index) == [*before, "finish 4"]


def test_after_another_history_was_adopted_the_events_are_its_own(
    world: World, machine: Machine, index: LocalIndex
) -> None:
    past = annals(machine.ledger)
    told(machine, index)
    other = world.line()[2]
    assert [each.verb for each in index.events(Annals(machine.hub, other), EventQuery())] == [
        "submit",
        "submit",
        "claim",
    ]
    assert len(index.events(past, EventQuery())) > 3


# -- the network as it was


def test_the_network_is_shown_as_it_was_at_a_commit_and_at_a_time(
    world: World, machine: Machine, index: LocalIndex
) -> None:
    third = world.line()[2]
    for text in (third, third[:12], "2026-11-20T12:00:30Z"):
        stamp, state = state_at(machine.ledger, index, text, machine.clock.now())
        assert (stamp.commit, stamp.seq) == (third, 2), text
        assert {number: job.state for number, job in state.jobs.items()} == {1: "running", 2: "pending"}


@in_memory
@pytest.mark.parametrize("text", ["2020-01-01", "tomorrow", "0123456789", "HEAD", "--all", "10y"])
def test_what_was_never_so_is_said(machine: Machine, index: LocalIndex, text: str) -> None:
    with pytest.raises(BnetError):
        state_at(machine.ledger, index, text, machine.clock.now())


DATES: dict[str, tuple[list[int], int, int | None]] = {
    "before all": ([10, 20, 30], 5, None),
    "after all": ([10, 20, 30], 99, 3),
    "between": ([10, 20, 30], 20, 2),
    "a clock that was fast": ([10, 20, 99, 30, 40, 50], 45, 5),
    "a clock that was slow": ([10, 20, 30, 40, 3, 50], 25, 2),
    "a first one that was fast": ([99, 10, 20, 30], 20, 3),
    "nothing": ([], 5, None),
}


@pytest.mark.parametrize(("dates", "at", "expected"), DATES.values(), ids=DATES.keys())
def test_the_transaction_of_a_time_whatever_single_clocks_say(
    dates: list[int], at: int, expected: int | None
) -> None:
    moves = [Moved(seq, f"c{seq}", float(date)) for seq, date in enumerate(dates, 1)]
    found = moment_of(moves, at)
    assert (None if found is None else found.seq) == expected


def test_what_is_archived_twice_is_found_once(machine: Machine, index: LocalIndex) -> None:
    [path] = machine.ledger.state.archive
    data = machine.hub.read(machine.ledger.state.tip, [path])[path]

    def again(tx: Transaction) -> None:
        tx.files[path.replace(".1.", ".2.")] = data + b"{broken\n"
        tx.apply(Change(verb="upgrade", target="x"))

    machine.ledger.transact(again)
    assert numbers(machine, index, "world") == [1]
