"""What the pages offer, taken by the real inbox: each action, as a file and as what `bnet site serve` is sent."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command as Click
from click import Context, Group
from worlds import ALICE, NOON, World, claim, finish, in_memory, register

from bnet.app.audit import audit
from bnet.app.lookup import Lookup
from bnet.app.server.decide import readable_commands, take_in
from bnet.app.submit import Outbox
from bnet.app.wish import Wishes
from bnet.cli.main import cli
from bnet.codec.inbox import parse_commands
from bnet.errors import BnetError, HubUnreachable
from bnet.forges.newfile import new_file
from bnet.model.command import Submit
from bnet.model.job import Job, Source
from bnet.model.message import Entry
from bnet.model.state import State
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.sitegen.actions import Action, Actions

KEY = "2026/11/20/hello"
BUILT = Source(repository="/srv/widgets.git", ref="main", commit="a" * 40)


def asked(tx: Transaction) -> None:
    jobs = [
        Submit(command="true", name="ended"),
        Submit(command="true", name="runs"),
        Submit(command="true", name="waits", approvals=1),
        Submit(name="built", packages=("core", "web/*"), labels={"os": "linux"}, source=BUILT),
    ]
    admit(tx, jobs, by=ALICE, facts=Facts())


@pytest.fixture
def network(world: World) -> World:
    ledger = world.machine("s1").ledger
    for decide in (register("s1"), register("s2"), asked, claim(1), finish(1), claim(2)):
        ledger.transact(decide)
    world.person({f"messages/{KEY}.md": f"---\nto: {ALICE}\nrequires_ack: 1h\n---\nhi".encode()})
    return world


def offered(state: State, link: str = "") -> Iterator[Action]:
    actions = Actions(new_file(link, "bnet", {}))
    for number in (1, 2, 3, 4):
        yield from actions.of_job(state.jobs[number])
    yield from actions.of_server("s1", "active")
    yield from actions.of_server("s2", "paused")
    yield from actions.of_message(
        Entry(key=KEY, sender="s1", to=(ALICE,), at=NOON, subject="", thread="hello")
    )
    yield from actions.of_all()


TITLES = [
    *("Run again", "Cancel", "Approve", "Disapprove", "Cancel", "Cancel", "Build"),
    *("Pause", "Drain", "Resume", "Acknowledge", "Submit"),
]


@in_memory
def test_each_action_is_taken_by_the_inbox(network: World) -> None:
    look = Lookup(network.hub("s1"), lambda repository, ref: "b" * 40)
    tip = network.tip()
    state = network.machine("reader").ledger.state
    found = list(offered(state))
    assert [each.title for each in found] == TITLES
    for each in found:
        network.move(tip)
        assert parse_commands(each.text.encode(), each.path) == parse_commands(each.command.encode(), "")
        network.person({each.path: each.text.encode()}, by=ALICE)
        machine = network.machine(f"s1 {each.path} {each.title}")

        def decide(tx: Transaction) -> None:
            for file in tx.state.inbox:
                take_in(tx, file, look(tx.state, readable_commands(tx.state.inbox)))

        landed = machine.ledger.transact(decide)
        assert machine.ledger.state.rejected == {} and landed.tx.changes, each.title
    assert found


# -- done at once, as `bnet site serve` does it


def wishes(world: World, tmp_path: Path, by: str = ALICE, name: str = "web") -> Wishes:
    machine = world.machine(name, actor=by)
    lookup = Lookup(machine.hub, lambda repository, ref: "b" * 40)
    return Wishes(machine.ledger, lookup, Outbox(tmp_path), "hub", by, by)


SAID = [
    *("submitted: #5", "#2 is asked to end; its server stops it"),
    "#3: 1 of 1 approvals (alice@example.invalid); it can start",
    *("#3 is rejected", "#3 is cancelled", "#4 is cancelled", "submitted: #5", "s1 is paused"),
    *("s1 is draining", "s2 is active", "hello is acknowledged", "submitted: #5"),
]


def test_each_action_is_done_by_one_transaction_in_the_name_of_who_asks(
    network: World, tmp_path: Path
) -> None:
    tip = network.tip()
    for number, each in enumerate(offered(network.machine("reader").ledger.state)):
        network.move(tip)
        before = len(network.line())
        done = wishes(network, tmp_path, name=f"web{number}").do(each.command.encode())
        assert done.said == SAID[number]
        state = network.machine(f"reader{number}").ledger.state
        assert len(network.line()) == before + 1
        assert [state.jobs[made].spec.submitted_by for made in done.jobs] == [ALICE] * len(done.jobs)
        hub = network.hub(f"auditor{number}")
        hub.fetch(network.tip())
        stamp = hub.newest_transaction(network.tip())
        assert stamp is not None and stamp.actor == ALICE
        assert audit(hub, network.tip()).wrong == ()


@in_memory
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "holds no command"),
        (b"\xff", "UTF-8"),
        (b"[]", "holds no command"),
        (b'[{"cancel": {"job": 2}}, {"cancel": {"job": 3}}]', "one at a time"),
        (b'{"cancel": {"job": "2; rm -rf /"}}', "whole number"),
        (b'{"cancel": {"job": 99}}', "there is no job #99"),
        (b'{"retry": {"job": 2}}', "only a finished job"),
        (b'{"pause": {"server": "s9"}}', "there is no server s9"),
        (b'{"ack": {"message": "../../x"}}', "there is no message"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    network: World, tmp_path: Path, text: bytes, why: str
) -> None:
    tip = network.tip()
    with pytest.raises(BnetError, match=why):
        wishes(network, tmp_path).do(text)
    assert network.tip() == tip and list(tmp_path.iterdir()) == []


@in_memory
def test_a_job_that_is_asked_for_twice_over_a_hub_that_does_not_answer_is_one(
    network: World, tmp_path: Path
) -> None:
    machine = network.machine("far", actor=ALICE, push=["after"], look=["", *["before"] * 9])
    lookup = Lookup(machine.hub, lambda repository, ref: "b" * 40)
    ask = Wishes(machine.ledger, lookup, Outbox(tmp_path), "hub", ALICE, ALICE)
    with pytest.raises(HubUnreachable) as told:
        ask.do(b'{"submit": {"command": "true", "name": "once"}}')
    assert "the submission is kept here" in (told.value.hint or "")
    wishes(network, tmp_path).do(b'{"submit": {"command": "true", "name": "other"}}')
    names = [job.spec.name for job in network.machine("reader").ledger.state.jobs.values()]
    assert names.count("once") == 1 and names.count("other") == 1


def found_in(group: Group, words: list[str]) -> tuple[Click, list[str]]:
    inner = group.get_command(Context(group), words[0])
    assert inner is not None, words
    return found_in(inner, words[1:]) if isinstance(inner, Group) else (inner, words[1:])


@in_memory
def test_each_command_is_one_of_bnets(network: World) -> None:
    assert isinstance(cli, Group)
    for each in offered(network.machine("reader").ledger.state):
        words = shlex.split(each.shell)
        assert words[0] == "bnet"
        command, rest = found_in(cli, words[1:])
        command.make_context(command.name, rest, resilient_parsing=False)


@in_memory
def test_what_more_than_its_packages_decided_is_not_offered_to_be_built(network: World) -> None:
    from msgspec.structs import replace

    job = network.machine("reader").ledger.state.jobs[4]

    def titles(job: Job) -> list[str]:
        return [each.title for each in Actions(new_file("", "", {})).of_job(job)]

    assert "Build" in titles(job)
    assert "Build" not in titles(replace(job, spec=replace(job.spec, env={"A": "secret"})))


@in_memory
def test_a_text_that_is_no_plain_one_is_the_same_in_the_file(network: World) -> None:
    job = network.machine("reader").ledger.state.jobs[4]
    from msgspec.structs import replace

    evil = "a\u2028b: {}\n#'\"\u202e\x07ü"
    job = replace(job, spec=replace(job.spec, packages=(evil,)))
    [built] = [each for each in Actions(new_file("", "", {})).of_job(job) if each.title == "Build"]
    [command] = parse_commands(built.text.encode(), "")
    assert isinstance(command, Submit) and command.packages == (evil,)
    assert [command] == parse_commands(built.command.encode(), "")
    assert built.command.isascii() and built.command.isprintable()
