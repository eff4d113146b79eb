"""Automatic answers: once for each message, whoever is awake; never for ever; by the rules as people have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from desks import HELLO, MONTH, TODAY, Desk, paths_of, wrong
from msgspec.structs import replace
from worlds import ALICE, BOB, World, claim, finish

from bnet.app.messages.correspond import find
from bnet.codec import layout, letter_paths
from bnet.rules import automatic
from bnet.rules.automatic import MOST_IN_THREAD
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction

THANKS = b"thanks:\n  match: {subject: '*disk*'}\n  reply: Somebody looks at it.\n"
CLEAN = (
    b"clean:\n  match: {subject: '*DISK*', from: '*@example.invalid'}\n"
    b"  command: {submit: {name: clean, command: rm -r tmp}}\n"
)
EVERYTHING = b"echo:\n  match: {subject: '*'}\n  reply: Echo.\n"
FULL = b"---\nsubject: The disk is full\n---\nHelp.\n"


def verbs(done: Sequence[str]) -> list[str]:
    return [each.partition(".")[0] for each in done]


def test_a_message_is_answered_once_by_one_of_all_who_are_awake(two: World) -> None:
    two.person({layout.REPLIES: THANKS})
    two.person({HELLO: FULL})
    other = Desk(two, "s2")
    ran: list[Sequence[str]] = []
    desk = Desk(
        two, "s1", meanwhile=lambda call: ran.append(other.sync()) if not ran else None, push=["wait"]
    )
    assert desk.sync() == [] and verbs(ran[0]) == ["take-up replies", "take-in hello", "message hello"]
    assert desk.thread("hello") == ["The disk is full", "Re: The disk is full"]
    answer = find(desk.ledger, desk.post, desk.listed()[-1]).entry
    assert (answer.sender, answer.to, answer.auto) == ("s2", (ALICE,), True)
    assert desk.sync(60.0) == other.sync(60.0) == [] and wrong(two) == []


def test_a_rule_asks_for_a_job_in_its_authors_name_and_the_answer_comes_into_the_thread(two: World) -> None:
    two.person({layout.REPLIES: CLEAN}, by=BOB)
    two.person({HELLO: FULL})
    desk = Desk(two)
    assert verbs(desk.sync()) == ["take-up replies", "submit #1", "take-in hello"]
    spec = desk.ledger.state.jobs[1].spec
    assert (spec.submitted_by, spec.env["BNET_MESSAGE"]) == (BOB, f"{TODAY}/hello")
    desk.does(claim(1), finish(1))
    assert verbs(desk.sync()) == ["message hello"]
    assert desk.thread("hello")[1:] == ["Re: The disk is full (success)"]
    assert desk.sync() == [] and wrong(two) == []


def test_a_rule_that_answers_itself_comes_to_an_end(two: World) -> None:
    two.person({layout.REPLIES: EVERYTHING, f"messages/{TODAY}/old.md": FULL})
    desk = Desk(two)
    desk.sync()
    two.person({HELLO: FULL})
    for _ in range(5):
        desk.sync(60.0)
    assert len(desk.listed()) == 3, "what was there before is none of its business"
    for count in range(2 * MOST_IN_THREAD):
        two.person({f"messages/{TODAY}/r{count}.md": b"---\nthread: hello\n---\nSomebody's machine."})
        desk.sync(60.0)
        Desk(two, "s2").sync(60.0)
    assert len(desk.thread("hello")) == 1 + 2 * MOST_IN_THREAD + MOST_IN_THREAD
    assert desk.sync() == [] and wrong(two) == []


def test_many_at_once_in_one_thread_are_answered_no_oftener(two: World) -> None:
    two.person({layout.REPLIES: EVERYTHING})
    two.person({f"messages/{TODAY}/r{count}.md": b"---\nthread: t\n---\nx" for count in range(9)})
    desk = Desk(two)
    desk.sync()
    assert desk.sync() == [] and len(desk.thread("t")) == 9 + MOST_IN_THREAD


def test_what_came_while_nobody_was_awake_is_answered_and_what_was_before_the_rule_is_not(two: World) -> None:
    two.person({f"messages/{TODAY}/before.md": FULL})
    two.person({layout.REPLIES: THANKS})
    two.person({HELLO: FULL})
    desk = Desk(two)
    desk.sync()
    two.person({layout.REPLIES: THANKS + EVERYTHING})
    desk.sync()
    assert [each.rule for each in desk.ledger.state.asks.values()] == ["thanks"]
    two.person({f"messages/{TODAY}/later.md": b"---\nsubject: Hello\n---\n"})
    desk.sync()
    assert sorted(each.rule for each in desk.ledger.state.asks.values()) == ["echo", "thanks"]
    two.person({layout.REPLIES: None})
    desk.sync()
    assert desk.ledger.state.taken_up.since == {}


def test_reverts_and_edits_by_hand_make_no_second_answer(two: World) -> None:
    two.person({layout.REPLIES: THANKS})
    two.person({HELLO: FULL})
    desk = Desk(two)
    desk.sync()
    answer = next(path for path in paths_of(two, "messages") if ".auto-" in path)
    asks = dict.fromkeys(paths_of(two, layout.ASKS))
    two.person({**asks, layout.TAKEN_UP: None, answer: None}, message="Revert")
    two.person({HELLO: None})
    two.person({HELLO: FULL.replace(b"Help", b"HELP")})
    assert desk.sync(60.0) == Desk(two, "s2").sync(60.0) == []
    assert [each.rule for each in desk.ledger.state.asks.values()] == ["thanks"]
    assert desk.listed() == ["hello"] and wrong(two) == []


def test_after_another_history_was_adopted_nothing_of_before_is_answered(two: World) -> None:
    two.person({layout.REPLIES: THANKS, HELLO: FULL})
    desk = Desk(two)
    desk.does(lambda tx: automatic.take_up(tx, {"thanks": "f" * 40}))
    assert verbs(desk.sync()) == ["take-up replies"]
    assert desk.sync() == [] and desk.listed() == ["hello"]
    assert desk.ledger.state.taken_up.since["thanks"] != "f" * 40


def forged(**fields: Any) -> Any:
    def decide(tx: Transaction) -> None:
        [ask] = tx.state.asks.values()
        other = replace(ask, answered=False, **fields)
        tx.documents[letter_paths.ask_path(f"{TODAY}/other")] = other
        tx.apply(Change(verb="forge", target="x"))

    return decide


def test_the_audit_knows_which_rules_there_are_and_when_they_have_said_enough(two: World) -> None:
    two.person({layout.REPLIES: THANKS})
    two.person({HELLO: FULL})
    desk = Desk(two)
    desk.sync()
    desk.does(forged(rule="none"))
    [told] = wrong(two)
    assert "the rule none, which there is not" in told


BROKEN = {
    "no mapping": (b"- a\n", "must be a mapping"),
    "no match": (b"a: {match: {}, reply: x}\n", "matches nothing"),
    "nothing to do": (b"a: {match: {to: all}}\n", "has neither a `reply` nor a `command`"),
    "a misspelt field": (b"a: {match: {subjekt: x}, reply: x}\n", "did you mean subject"),
    "no name": (b"'a b': {match: {to: all}, reply: x}\n", "is no name for a rule"),
    "a broken command": (b"a: {match: {to: all}, command: {submit: {comand: x}}}\n", "did you mean command"),
    "no YAML": (b"a: [\n", "no valid YAML"),
    "no text": (b"\xff", "no UTF-8"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_rules_are_named_and_followed_once_they_are_mended(two: World, text: bytes, said: str) -> None:
    two.person({layout.REPLIES: THANKS})
    desk = Desk(two)
    desk.sync()
    two.person({layout.REPLIES: text, HELLO: FULL}, by=BOB)
    assert desk.sync() == []
    [problem] = desk.ledger.state.problems
    assert said in problem.message and problem.path == layout.REPLIES
    two.person({layout.REPLIES: THANKS})
    assert verbs(desk.sync()) == ["take-in hello", "message hello"] and wrong(two) == []


def test_a_rule_that_cannot_do_what_it_says_tells_why(two: World) -> None:
    two.person({layout.REPLIES: b"a: {match: {to: all}, command: {cancel: {job: 9}}, reply: On it.}\n"})
    two.person({HELLO: FULL})
    desk = Desk(two)
    assert verbs(desk.sync()) == ["take-up replies", "take-in hello", "message hello", "message hello"]
    assert desk.thread("hello")[1:] == ["Re: The disk is full (refused)", "Re: The disk is full"]
    desk.sync(MONTH)
    assert desk.sync() == [] and wrong(two) == []


@pytest.mark.parametrize("sender", ["", "x" * 250, "a\\nb"])
def test_an_answer_to_whoever_has_no_proper_name_can_be_read(two: World, sender: str) -> None:
    two.person({layout.REPLIES: THANKS})
    two.person({HELLO: f'---\nfrom: "{sender}"\nsubject: disk\n---\n'.encode()})
    desk = Desk(two)
    desk.sync()
    assert len(desk.listed()) == 2 and desk.post.problems() == []
