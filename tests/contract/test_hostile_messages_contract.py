"""Messages that somebody broke, moved or brought at a bad moment: each is named, and nothing stops."""

from __future__ import annotations

from typing import Any

import pytest
from desks import ASK, HELLO, MONTH, TODAY, WAITS, Desk, wrong
from worlds import GitWorld, World

from bnet.app.messages.correspond import find
from bnet.rules import filing
from bnet.rules.transaction import Transaction

ACKED = f"messages/{TODAY}/hello.acks/s1.json"


def test_a_tree_that_climbs_out_of_the_repository_stops_nobody(git_world: GitWorld) -> None:
    evil = git_world.git("hash-object", "-w", "--stdin", input=b"evil")
    tree = git_world.git("mktree", input=f"100644 blob {evil}\tevil.md\n".encode())
    for name in ("..", "..", "messages"):
        tree = git_world.git("mktree", input=f"040000 tree {tree}\t{name}\n".encode())
    there = git_world.git("ls-tree", git_world.tip()).splitlines()
    top = git_world.git("mktree", input="\n".join([*there, git_world.git("ls-tree", tree)]).encode() + b"\n")
    person = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    commit = git_world.git("commit-tree", top, "-p", git_world.tip(), "-m", "climb", **person)
    git_world.move(commit)
    desk = Desk(git_world)
    desk.sync()
    assert "is no message where it stands" in desk.post.problems()[0].message


def test_an_acknowledgement_in_the_place_of_a_broken_one_is_legal(two: World) -> None:
    two.person({HELLO: WAITS, ACKED: b"{"})
    desk = Desk(two)
    desk.sync()
    assert desk.ack("hello") and wrong(two) == []


def test_who_had_to_acknowledge_a_message_may_although_somebody_broke_it_since(two: World) -> None:
    two.person({HELLO: WAITS})
    desk = Desk(two)
    desk.sync()
    two.person({HELLO: b"---\nto: [\n"})
    assert desk.ack("hello") and wrong(two) == []


def test_a_reply_is_in_the_thread_of_what_it_answers_and_not_of_one_with_a_longer_name(two: World) -> None:
    two.person({HELLO: b"---\nthread: old\n---\nhi", f"messages/{TODAY}/hello-again.md": b"later"})
    desk = Desk(two)
    desk.sync()
    two.person({f"messages/{TODAY}/reply.md": b"---\nin_reply_to: hello\n---\nyes"})
    desk.sync()
    assert find(desk.ledger, desk.post, "reply").entry.thread == "old"


class Waiting(Desk):
    """A desk at which the source that commands refer to does not answer."""

    def decide(self, tx: Transaction) -> None:
        filing.file_away(tx, self.post.mail(tx.state, tx.now))


def test_a_command_that_still_waits_for_its_source_is_not_filed_away_undone(two: World) -> None:
    two.person({HELLO: ASK})
    assert Waiting(two).sync(MONTH) == []
    assert Desk(two, "s2").sync(MONTH) == ["submit #1", "take-in hello"]


@pytest.mark.parametrize(
    "then", [b"---\nto: [\n", b"quiet", None], ids=["broken", "asks for nothing", "gone"]
)
def test_an_index_that_another_process_has_led_on_does_not_decide_about_what_is_here(
    two: World, then: Any
) -> None:
    """Both use the index of one machine; the one decides on what it has read before."""
    two.person({HELLO: then, f"messages/{TODAY}/other.md": b"x"})
    desk, other = Desk(two), Desk(two)
    other.post.index = desk.post.index
    desk.sync()
    two.person({HELLO: ASK})
    other.ledger.refresh()
    other.post.bring(other.ledger.state.tip)
    state = desk.ledger.state
    assert [each.key for each in desk.post.mail(state, desk.machine.clock.now()).news] == []
    assert desk.sync() == ["submit #1", "take-in hello"]
