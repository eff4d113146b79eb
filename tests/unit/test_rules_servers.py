"""What can happen to a server's registration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.errors import Taken
from bnet.model.server import Server
from bnet.rules import servers
from bnet.rules.jobs import Illegal

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BEFORE = Server(name="s1", instance="one", joined_at=NOW, wanted="paused", why="disk", by="alice", slots=2)
LATER = Server(name="s1", instance="one", joined_at=NOW + timedelta(days=1), slots=4)


def test_a_new_server_joins_as_it_is() -> None:
    change = servers.register(LATER, None)
    assert (change.verb, change.servers) == ("join", (LATER,))


@pytest.mark.parametrize(
    ("instance", "replace_other", "verb"), [("one", False, "update"), ("two", True, "replace")]
)
def test_what_people_wished_of_a_server_outlives_its_registration(
    instance: str, replace_other: bool, verb: str
) -> None:
    change = servers.register(replace(LATER, instance=instance), BEFORE, replace_other=replace_other)
    [after] = change.servers
    assert (change.verb, after.slots, after.instance) == (verb, 4, instance)
    assert (after.wanted, after.why, after.by, after.joined_at) == ("paused", "disk", "alice", NOW)


def test_a_name_belongs_to_one_instance() -> None:
    with pytest.raises(Taken, match="s1 belongs to another") as caught:
        servers.register(replace(LATER, instance="two"), BEFORE)
    assert caught.value.exit_code == 6
    assert "--replace" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("wanted", "verb", "why"),
    [("active", "resume", ""), ("paused", "pause", "full"), ("draining", "drain", "full")],
)
def test_a_wish_keeps_its_reason_until_it_is_over(wanted: Any, verb: str, why: str) -> None:
    change = servers.wish(BEFORE, wanted, by="bob", why="full")
    [after] = change.servers
    assert (change.verb, change.note, after.wanted, after.why, after.by) == (verb, why, wanted, why, "bob")
    assert after.slots == 2


@pytest.mark.parametrize(("holds", "words"), [(1, "1 job$"), (2, "2 jobs$")])
def test_a_server_does_not_leave_with_jobs(holds: int, words: str) -> None:
    with pytest.raises(Illegal, match=words):
        servers.dismiss(BEFORE, by="bob", holds=holds)


def test_a_server_leaves() -> None:
    change = servers.dismiss(BEFORE, by="bob", holds=0)
    assert (change.verb, change.dismissed) == ("leave", ("s1",))


def test_a_change_of_a_server_tells_programs() -> None:
    about = {"instance": "one", "slots": 4, "formats": LATER.formats}
    assert servers.register(LATER, None).fields == about
    assert servers.register(LATER, BEFORE).fields == about
    assert servers.wish(BEFORE, "paused", by="bob", why="full").fields == {"by": "bob"}
    left = servers.dismiss(BEFORE, by="bob", holds=0)
    assert (left.target, left.fields) == ("s1", {"by": "bob"})
