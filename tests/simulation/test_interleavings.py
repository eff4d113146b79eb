"""The turns of events that the design was made for, one by one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import weather
from computer import Computer
from people import by_hand
from stage import Stage, stage
from world import TTL

from bnet.app.lookup import all_archived
from bnet.memory import MemoryHub


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as world:
        yield world


def test_an_answer_after_two_thirds_of_the_ttl_starts_nothing(network: Stage) -> None:
    network.server("s1")
    number = network.submit(on_lost_lease="stop")
    network.script.fates["push of s1"] = [weather.SLOW] * 1
    [job] = network.ends(number)
    assert job.result is not None and job.result.result == "success"
    began = [at for at, key, _ in network.starts if key.startswith(f"{number}.")]
    assert len(began) == 1


def test_a_claim_whose_heartbeat_was_refused_is_given_up_before_another_takes_it(network: Stage) -> None:
    first = network.server("s1")
    number = network.submit(on_lost_lease="stop")
    first.mute = True
    network.until(lambda: network.is_running(number))
    network.server("s2")
    network.until(lambda: not network.is_running(number))
    given_up = network.now
    network.until(lambda: len(network.job(number).attempts) > 0 or network.job(number).result is not None)
    assert network.now >= given_up
    first.mute = False
    network.ends(number)


def test_a_server_that_never_beat_is_seen_to_be_gone(network: Stage) -> None:
    first = network.server("s1")
    number = network.submit()
    first.mute = True
    network.until(lambda: network.job(number).claim is not None)
    taken_at = network.now
    first.down()
    first.identity = None
    network.server("s2")
    [job] = network.ends(number)
    assert [each.server for each in job.attempts] == ["s1", "s2"]
    assert TTL * 0.95 < network.now - taken_at < 4 * TTL


@pytest.mark.parametrize("policy", ["finish", "stop"])
def test_an_outage_longer_than_the_ttl_declares_nobody_dead(network: Stage, policy: str) -> None:
    network.lengths = 4 * TTL
    for name in ("s1", "s2", "s3"):
        network.server(name)
    numbers = [network.submit(on_lost_lease=policy) for _ in range(4)]
    network.until(lambda: all(network.is_running(each) for each in numbers))
    network.away = True
    network.past(2.5 * TTL)
    network.away = False
    found = network.ends(*numbers)
    losses = [each.message for job in found for each in job.attempts if each.reason == "lost"]
    assert [each for each in losses if each and "was not seen to move" in each] == []
    assert bool(losses) == (policy == "stop"), "who may not go on unseen has stopped by itself"


def test_a_fleet_that_shrinks_leaves_no_job_behind(network: Stage) -> None:
    network.lengths = 30.0
    fleet = [network.server(f"s{number}") for number in range(1, 5)]
    numbers = [network.submit() for _ in range(8)]
    network.until(lambda: all(network.is_running(each) for each in numbers))
    for each in fleet[1:]:
        each.down()
        each.identity = None
    found = network.ends(*numbers)
    assert {job.result.server for job in found if job.result} == {"s1"} | {
        each.attempts[0].server for each in found if len(each.attempts) == 1
    }


def test_the_same_server_may_claim_its_lost_job_again(network: Stage) -> None:
    only = network.server("s1")
    number = network.submit(on_lost_lease="stop")
    network.until(lambda: network.is_running(number))
    only.lose_power()
    [job] = network.ends(number)
    assert [(each.server, each.reason) for each in job.attempts] == [("s1", "lost"), ("s1", "exit")]


def strike_after(network: Stage, whom: str, effects: int) -> None:
    """Kill a process at one of its effects from now on."""
    left = [effects]

    def strikes(name: str) -> str:
        if name != whom:
            return ""
        left[0] -= 1
        return weather.KILLED if left[0] == 0 else ""

    network.script.strikes = strikes


@pytest.mark.parametrize("effects", range(1, 40))
def test_a_sync_killed_at_each_of_its_effects_starts_the_job_once(network: Stage, effects: int) -> None:
    network.server("s1")
    number = network.submit(on_lost_lease="stop")
    strike_after(network, "s1", effects)
    [job] = network.ends(number)
    assert job.result is not None and job.result.result in ("success", "failure")
    assert len(network.starts) == len([each for each in job.attempts if each.started_at])


def test_a_server_whose_home_was_deleted_works_on(network: Stage) -> None:
    network.lengths = 2 * TTL
    first = network.server("s1")
    number = network.submit()
    network.until(lambda: network.is_running(number))
    first.lose_home()
    [job] = network.ends(number)
    assert len(job.attempts) == 2


def clone(network: Stage, original: Computer) -> Computer:
    place = original.home.with_name("clone")
    copy = Computer(network, original.name, original.identity, place, host="clone")
    shutil.rmtree(place)
    shutil.copytree(original.home, place)
    copy.disk.all_flushed()
    copy.known = original.known
    copy.rate, copy.wall, copy.period = 1.0, 0.0, 5.0
    network.witness.copied.add(original.name)
    network.servers.append(copy)
    copy.begin()
    return copy


def test_of_a_server_and_its_copy_one_stops(network: Stage) -> None:
    original = network.server("s1", slots=1)
    network.past(20)
    clone(network, original)
    numbers = [network.submit() for _ in range(6)]
    network.ends(*numbers)
    network.past(60)
    begun_on = [host for at, _, host in network.starts if at > 60]
    assert network.faults["Taken"] > 0
    assert len(set(begun_on)) == 1


def test_a_transaction_that_is_reverted_by_hand_happens_all_the_same(network: Stage) -> None:
    network.server("s1")
    number = network.submit()
    network.until(lambda: network.job(number).claim is not None)
    for _ in range(5):
        by_hand(network, weather.REVERT)
        network.past(8)
    [job] = network.ends(number)
    assert len(job.attempts) == 1


def test_a_need_that_is_in_the_archive_by_now(network: Stage) -> None:
    network.server("s1")
    first = network.submit()
    network.ends(first)
    network.edit_settings("ttl: 60\nretention: {finished: 1}\n")
    network.past(4000)
    network.submit(name="another")  # archiving waits for something to be said
    network.until(lambda: first not in network.witness.state.jobs, patience=4000)
    second = network.submit(needs=(first,))
    [job] = network.ends(second)
    assert job.spec.needs[0].result is not None
    assert first in {
        each.number for each in all_archived(MemoryHub(network.repository), network.witness.state)
    }


def test_a_clock_a_day_ahead_decides_nothing_of_time(network: Stage) -> None:
    wrong = network.server("s1", slots=1)
    network.server("s2", slots=1)
    first, *others = [network.submit() for _ in range(6)]
    network.ends(first, *others)  # each has seen the other act
    wrong.wall = 86400.0
    later = (wrong.clock.now() - timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
    waiting = network.submit(not_before=later)
    network.past(200)
    assert network.job(waiting).state == "pending"
    assert first in network.witness.state.jobs
    assert network.witness.blames == []


def test_a_server_that_claims_is_not_replaced_even_if_its_heartbeats_are_refused(network: Stage) -> None:
    network.lengths = 3 * TTL
    mute = network.server("s1")
    mute.mute = True
    first = network.submit(on_lost_lease="stop")
    network.until(lambda: network.is_running(first))
    network.replace_server(mute)
    network.past(TTL * 0.8)
    second = network.submit(on_lost_lease="stop")
    network.until(lambda: network.is_running(second))
    network.past(TTL)
    assert network.faults["Taken"] == 1
    assert mute.identity is not None
    assert network.witness.state.servers["s1"].instance == mute.identity.instance
    mute.mute = False
    network.ends(first, second)
