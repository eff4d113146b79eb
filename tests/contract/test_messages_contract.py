"""Messages on a hub: what one asks happens once, whoever commits, reverts, or comes at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desks import ASK, HELLO, MONTH, TODAY, WAITS, Desk, lookup, paths_of, wrong
from worlds import ALICE, NOON, GitWorld, Link, World, claim, finish, in_memory, nothing

from bnet.app.messages.correspond import archived, file_old, find
from bnet.app.server.decide import readable_commands, take_in
from bnet.app.submit import Letter, Outbox, deliver, send_ack, send_draft
from bnet.codec import layout, letter_paths
from bnet.codec.documents import encode
from bnet.errors import BnetError, HubUnreachable, RefusedByPolicy
from bnet.faults import Call, Fault
from bnet.model.message import Ack, Nod
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.replies import MOST_RAISED
from bnet.rules.transaction import Transaction

# -- a request by a plain commit


def test_a_commands_answer_comes_into_its_thread(two: World) -> None:
    two.person({HELLO: ASK}, by=ALICE)
    desk = Desk(two)
    assert desk.sync() == ["submit #1", "take-in hello"]
    assert desk.ledger.state.jobs[1].spec.submitted_by == ALICE
    assert desk.sync() == [], "while the job waits, there is no answer"
    desk.does(claim(1), finish(1))
    [told] = desk.sync()
    assert told.startswith("message hello.answer-")
    assert desk.thread("hello") == ["Please.", "Re: Please. (success)"]
    assert desk.sync() == [] and Desk(two, "s2").sync() == []
    assert wrong(two) == []


def test_a_command_that_cannot_be_done_is_answered_with_the_reason_and_stays_where_it_is(two: World) -> None:
    two.person({HELLO: b"---\ncommand: {cancel: {job: 7}}\n---\n"})
    desk = Desk(two)
    assert [each.partition(".")[0] for each in desk.sync()] == ["take-in hello", "message hello"]
    found = find(desk.ledger, desk.post, desk.listed()[-1])
    assert b"there is no job #7" in (found.text or b"")
    assert desk.sync() == [] and wrong(two) == []


def test_two_servers_at_once_take_it_in_once(two: World) -> None:
    two.person({HELLO: ASK})
    other = Desk(two, "s2")
    ran: list[Sequence[str]] = []
    desk = Desk(
        two, "s1", meanwhile=lambda call: ran.append(other.sync()) if not ran else None, push=["wait"]
    )
    assert desk.sync() == [] and len(ran) == 1 and "take-in hello" in ran[0]
    assert desk.names() == ["greet"]


@pytest.mark.parametrize("fault", ["before", "after", "late", "twice"])
def test_a_push_that_goes_wrong_makes_no_second_job_and_no_second_answer(two: World, fault: Any) -> None:
    two.person({HELLO: ASK})
    desk = Desk(two, "s1", push=[fault, "", fault])
    for _ in range(3):
        try:
            desk.sync(1.0)
        except HubUnreachable:
            continue
    Desk(two, "s2").sync()
    desk.ledger.refresh()
    assert desk.names() == ["greet"]
    desk.does(claim(1), finish(1))
    desk.sync()
    Desk(two, "s2").sync()
    assert len(desk.thread("hello")) == 2


def test_reverts_of_all_kinds_do_nothing_again(two: World) -> None:
    two.person({HELLO: ASK})
    desk = Desk(two)
    before = two.tip()
    desk.sync()
    desk.does(claim(1), finish(1))
    desk.sync()
    taken = dict(desk.ledger.state.asks)
    reverted: dict[str, Any] = dict.fromkeys(paths_of(two, layout.ASKS, layout.JOBS))
    two.person(reverted, message=f'Revert "take in"\n\n{before}')
    assert desk.sync() == [], "it is restored, and nothing is done"
    two.person({HELLO: None})
    two.person({HELLO: ASK})
    assert Desk(two, "s2").sync() == []
    desk.ledger.refresh()
    assert desk.ledger.state.asks == taken and desk.names() == ["greet"]
    assert wrong(two) == []


def test_a_message_that_was_mended_is_taken_in_then(two: World) -> None:
    two.person({HELLO: b"---\ncommand: {submit: {comand: x}}\n---\n"})
    desk = Desk(two)
    assert desk.sync() == [] and desk.listed() == ["hello!"]
    assert "did you mean command" in desk.post.problems()[0].message
    two.person({HELLO: ASK}, by="bob@example.invalid")
    assert desk.sync() == ["submit #1", "take-in hello"] and desk.listed() == ["hello"]
    assert desk.ledger.state.jobs[1].spec.submitted_by == "bob@example.invalid", "who wrote what is done"


DAMAGE: dict[str, tuple[str, Any, str]] = {
    "no end of the front matter": (HELLO, b"---\nto: s1\n", "has no end"),
    "a conflict": (HELLO, b"---\n<<<<<<< HEAD\nto: a\n=======\n---\n", "no valid YAML"),
    "a list": (HELLO, b"---\n- a\n---\n", "is no mapping"),
    "bytes that are no text": (HELLO, b"---\nto: s1\n---\n\xff\xfe", "is no UTF-8 text"),
    "another type": (HELLO, b"---\npriority: 3\n---\n", "priority"),
    "a time without a zone": (HELLO, b"---\nat: 2026-11-20 12:00\n---\n", "is no time with a zone"),
    "an alias bomb": (HELLO, b"---\na: &a [x,x]\nb: &b [*a,*a]\nto: *b\n---\n", "must be"),
    "nobody": (HELLO, b"---\nto: []\n---\n", "names a server"),
    "too large": (HELLO, b"x" * 1_000_001, "bytes"),
    "a misspelt field": (HELLO, b"---\nsubjct: S\n---\n", "did you mean subject"),
    "another id": (HELLO, b"---\nid: other\n---\n", "its id is the file's name"),
    "no day": ("messages/hello.md", b"hi", "is no message where it stands"),
    "a day that is none": ("messages/2026/13/40/hello.md", b"hi", "is no message where it stands"),
    "an odd name": (f"messages/{TODAY}/my message.md", b"hi", "is no message where it stands"),
    "a device": (f"messages/{TODAY}/nul.md", b"hi", "is no message where it stands"),
    "control characters": (f"messages/{TODAY}/a\x1b[2J\n.md", b"hi", "is no message where it stands"),
    "a broken acknowledgement": (f"messages/{TODAY}/hello.acks/s1.json", b"{", "is no acknowledgement"),
    "somebody else's acknowledgement": (
        f"messages/{TODAY}/hello.acks/s1.json",
        encode(Ack(who="s2", at=NOON)),
        "is no acknowledgement",
    ),
}


@in_memory
@pytest.mark.parametrize(("path", "data", "said"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_named_and_stops_nothing(two: World, path: str, data: bytes, said: str) -> None:
    two.person({path: data, f"messages/{TODAY}/fine.md": ASK})
    desk = Desk(two)
    assert desk.sync() == ["submit #1", "take-in fine"]
    [problem] = desk.post.problems()
    assert said in problem.message and problem.message.isprintable()
    assert "fine" in desk.listed() and wrong(two) == []
    two.person({path: None})
    desk.sync()
    assert desk.listed()[0] == "fine" and desk.post.problems() == []


def test_a_link_and_a_whole_directory_that_goes_are_survived(git_world: GitWorld) -> None:
    git_world.person({HELLO: Link("/etc/passwd"), f"messages/{TODAY}/waits.md": WAITS})
    desk = Desk(git_world)
    desk.sync()
    assert set(desk.listed()) == {"hello!", "waits"}
    git_world.person({"messages": None})
    assert desk.sync(86400.0) == [], "what is gone is not raised again"
    assert desk.listed() == []


def test_what_a_plain_file_lacks_is_from_its_path_and_its_commit(two: World) -> None:
    two.person({HELLO: b"# Good morning\n\nAll well."}, by=ALICE)
    two.person({HELLO: b"# Good evening\n\nAll well."}, by="bob@example.invalid")
    desk = Desk(two)
    entry = find(desk.ledger, desk.post, "hel").entry
    assert (entry.id, entry.sender, entry.at) == ("hello", ALICE, NOON)
    assert (entry.to, entry.subject, entry.asks) == (("all",), "Good evening", False)


# -- sending


def test_a_message_that_was_sent_is_there_once_whatever_became_of_the_push(two: World) -> None:
    desk = Desk(two, "s2", push=["after", "before"])
    ready = desk.draft(command={"submit": {"name": "greet", "command": "true"}})
    for _ in range(3):
        try:
            send_draft(desk.ledger, lookup(desk), ready, "s2")
        except HubUnreachable:
            continue
    assert desk.listed() == [ready.front.id] and desk.names() == ["greet"]
    assert desk.ledger.state.asks[ready.key].jobs == (1,) and wrong(two) == []


def test_a_message_whose_command_cannot_be_done_is_not_sent(two: World) -> None:
    desk = Desk(two)
    with pytest.raises(Illegal, match="there is no job #9"):
        desk.send(command={"cancel": {"job": 9}})
    assert desk.listed() == [] and desk.ledger.state.asks == {}


def test_too_much_is_refused(two: World) -> None:
    desk = Desk(two)
    with pytest.raises(Illegal, match="at most 256,000"):
        desk.send(body="x" * 256_000)


# -- acknowledging


def test_two_who_acknowledge_at_once_both_have(two: World) -> None:
    two.person({HELLO: WAITS})
    Desk(two).sync()
    other = Desk(two, "s2")
    ran: list[bool] = []
    desk = Desk(
        two,
        "s1",
        meanwhile=lambda call: ran.append(other.ack("hello", "too")) if not ran else None,
        push=["wait"],
    )
    assert desk.ack("hello") and ran == [True]
    found = find(desk.ledger, desk.post, "hello")
    assert {(each.who, each.note) for each in found.acks} == {("s1", ""), ("s2", "too")}
    assert not desk.ack("hello"), "once is enough"
    assert desk.sync(3600.0) == [] and wrong(two) == []


@pytest.mark.parametrize("fault", ["before", "after", "late"])
def test_an_acknowledgement_is_made_once_and_in_its_makers_name_whatever_became_of_the_push(
    two: World, tmp_path: Path, fault: Any
) -> None:
    two.person({HELLO: WAITS})
    outbox, nod = Outbox(tmp_path), Nod(key=f"{TODAY}/hello", who="carol@example.invalid", note="seen")
    two.person({HELLO: WAITS.replace(b"[s1, s2]", b"carol@example.invalid")})
    pushed: list[str] = []

    def plan(call: Call) -> Fault:
        """From the first push on, the hub is away."""
        pushed.extend([call] if call == "push" else [])
        return fault if call == "push" else "before" if pushed else ""

    desk = Desk(two, "s1", plan=plan)
    with pytest.raises(HubUnreachable) as caught:
        send_ack(desk.ledger, lookup(desk), outbox, "hub", nod)
    assert "delivers it, once" in (caught.value.hint or "")
    [_] = outbox.letters("hub")
    other = Desk(two, "s1")
    assert deliver(other.ledger, lookup(other), outbox, "hub") == []
    assert outbox.letters("hub") == []
    assert not send_ack(other.ledger, lookup(other), outbox, "hub", nod), "once is enough"
    assert [(each.who, each.note) for each in find(other.ledger, other.post, "hello").acks] == [
        (nod.who, "seen")
    ]
    assert wrong(two) == []


def test_an_acknowledgement_that_came_too_late_to_be_refused_at_once_is_set_aside(
    two: World, tmp_path: Path
) -> None:
    two.person({HELLO: WAITS})
    desk, outbox = Desk(two), Outbox(tmp_path)
    for key in (f"{TODAY}/hello", f"{TODAY}/gone"):
        outbox.put(Letter(hub="hub", by="eve", acks=(Nod(key=key, who="eve"),)))
    refused = deliver(desk.ledger, lookup(desk), outbox, "hub")
    assert [each.partition(" refused: ")[0] for each in refused] == ["the acknowledgement of eve was"] * 2
    assert outbox.letters("hub") == [] and wrong(two) == []


def test_who_is_not_addressed_may_not_acknowledge(two: World) -> None:
    sent = Desk(two, "s1").send(["s2"], requires_ack="1h")
    with pytest.raises(RefusedByPolicy, match="is addressed to s2, not to s1"):
        Desk(two, "s1").ack(sent.front.id)
    assert Desk(two, "s2").ack(sent.front.id)


def test_what_nobody_acknowledges_is_raised_again_by_whoever_looks_and_by_one_alone(two: World) -> None:
    two.person({HELLO: WAITS})
    desk, other = Desk(two, "s1"), Desk(two, "s2")
    desk.sync()
    other.machine.clock.sleep(0)
    assert desk.sync(599.0) == []
    assert len(desk.sync(2.0)) == 1 and other.sync(601.0) == []
    desk.ack("hello")
    subjects = [entry for entry in desk.post.index.every() if entry.in_reply_to == "hello"]
    assert [(each.to, each.priority) for each in subjects] == [(("s1", "s2"), "high")]
    assert len(other.sync(600.0)) == 1, "and again, to those who are left"
    assert len(desk.listed()) == 3
    last = [each for each in desk.post.index.every() if each.in_reply_to == "hello"][-1]
    assert (last.to, last.priority) == (("s2",), "urgent")
    for _ in range(20):
        desk.sync(86400.0 / 2)
    assert len(desk.thread("hello")) == 1 + MOST_RAISED
    assert [names for _, _, names in desk.post.overdue(desk.ledger.state, desk.machine.clock.now())] == [
        ["s2"]
    ]
    assert wrong(two) == []


# -- filing away


def test_a_day_that_is_long_over_leaves_the_tree_and_stays_readable(two: World) -> None:
    two.person({HELLO: ASK, f"messages/{TODAY}/broken.md": b"---\n"})
    desk = Desk(two)
    desk.sync()
    sent = desk.send(["s2"], "text", requires_ack=True)
    Desk(two, "s2").ack(sent.front.id)
    assert not any(each.startswith("file") for each in desk.sync(MONTH)), "an answer is still to come"
    desk.does(claim(1), finish(1))
    assert f"file {TODAY}" in desk.sync()
    left = paths_of(two, "messages", layout.ASKS)
    assert all(TODAY not in path for path in left)
    again = find(desk.ledger, desk.post, sent.front.id)
    assert (
        again.filed is not None
        and [each.who for each in again.acks] == ["s2"]
        and b"text" in (again.text or b"")
    )
    assert {each.entry.id for each in archived(desk.ledger)} == {"hello", "broken", sent.front.id}
    assert desk.sync() == [] and wrong(two) == []


def test_what_a_revert_brings_back_from_the_archive_is_not_done_again(two: World) -> None:
    two.person({HELLO: ASK})
    desk = Desk(two)
    desk.sync()
    desk.does(claim(1), finish(1))
    desk.sync()
    desk.sync(MONTH)
    filed = paths_of(two, layout.FILED)
    assert len(filed) == 1
    two.person({HELLO: ASK, filed[0]: None}, message='Revert "file"')
    for other in (desk, Desk(two, "s2")):
        assert all("submit" not in each and "take-in" not in each for each in other.sync(MONTH))
    assert desk.names() == ["greet"] and paths_of(two, layout.FILED)[0] == filed[0]
    assert HELLO not in paths_of(two, "messages")
    assert [each.entry.id for each in archived(desk.ledger)].count("hello") == 1
    assert wrong(two) == []


def test_a_message_of_a_day_that_is_over_for_good_is_not_sent(two: World) -> None:
    desk = Desk(two)
    ready = desk.draft()
    desk.send()
    assert file_old(desk.ledger, desk.post, 0.0)[0] == 0, "the day is not over"
    desk.sync(MONTH)
    with pytest.raises(Illegal, match="have been filed away"):
        send_draft(desk.ledger, lookup(desk), ready, "s1")
    with pytest.raises(BnetError, match="there is no message"):
        find(desk.ledger, desk.post, "nothing-like-it")


# -- acknowledgements by the inbox

INBOX = "coordination/inbox/ack.yaml"
TO_ALICE = f"---\nto: {ALICE}\nrequires_ack: 10m\n---\nhi".encode()
NOTED = f"- ack: {{message: {TODAY}/hello, note: seen}}".encode()


def take(desk: Desk) -> list[str]:
    """Take the inbox in, as a sync does; return the reasons why files of it were refused."""

    def decide(tx: Transaction) -> None:
        facts = lookup(desk)(tx.state, readable_commands(tx.state.inbox))
        for file in tx.state.inbox:
            take_in(tx, file, facts)

    desk.does(decide)
    return [each.reason for each in desk.ledger.state.rejected.values()]


def test_a_message_is_acknowledged_by_a_file_of_the_inbox_once_and_in_its_authors_name(two: World) -> None:
    two.person({HELLO: TO_ALICE})
    desk = Desk(two)
    desk.sync()
    two.person({INBOX: NOTED}, by=ALICE)
    assert take(desk) == []
    [found] = find(desk.ledger, desk.post, "hello").acks
    assert (found.who, found.note) == (ALICE, "seen")
    two.person({INBOX: NOTED.replace(b"seen", b"again")}, by=ALICE)
    assert take(desk) == []
    assert list(find(desk.ledger, desk.post, "hello").acks) == [found]
    assert wrong(two) == []


@in_memory
@pytest.mark.parametrize(
    ("text", "by", "why"),
    [
        (NOTED, "bob@example.invalid", f"is addressed to {ALICE}, not to bob@example.invalid"),
        (b"ack: {message: 2026/01/01/gone}", ALICE, "there is no message 2026/01/01/gone"),
        (b"ack: {message: ../../etc/passwd}", ALICE, "there is no message"),
        (NOTED.replace(b"seen", b"x" * 1001), ALICE, "at most 1,000 are kept"),
    ],
)
def test_an_acknowledgement_that_is_nobodys_to_make_is_refused(
    two: World, text: bytes, by: str, why: str
) -> None:
    two.person({HELLO: TO_ALICE, INBOX: text}, by=by)
    desk = Desk(two)
    [reason] = take(desk)
    assert why in reason and not find(desk.ledger, desk.post, "hello").acks and wrong(two) == []


@in_memory
def test_a_file_of_the_inbox_covers_no_acknowledgement_by_somebody_else(two: World) -> None:
    two.person({HELLO: TO_ALICE, INBOX: NOTED}, by="bob@example.invalid")
    files = {f"{ACKS}{ALICE}.json": encode(Ack(who=ALICE, at=NOON)), INBOX: None}
    Desk(two).does(lambda tx: tx.apply(Change(verb="forge", target="x", files=files)))
    [told] = wrong(two)
    assert f"was acknowledged for {ALICE} by s1" in told


# -- the audit


def forged(path: str, data: bytes | None) -> Any:
    return lambda tx: tx.apply(Change(verb="forge", target="x", files={path: data}))


def forged_ask(**fields: Any) -> Any:
    from msgspec.structs import replace

    def decide(tx: Transaction) -> None:
        [(key, ask)] = tx.state.asks.items()
        path = letter_paths.ask_path(key)
        if not fields:
            tx.apply(Change(verb="forge", target="x", files={path: None}))
        else:
            tx.apply(Change(verb="forge", target="x", documents={path: replace(ask, **fields)}))

    return decide


ACKS = f"messages/{TODAY}/hello.acks/"
FORGERIES: dict[str, tuple[Any, str]] = {
    "another text": (forged(HELLO, b"other"), "was changed or removed after it had been sent"),
    "no text": (forged(HELLO, None), "was changed or removed after it had been sent"),
    "in another's name": (
        forged(f"{ACKS}s2.json", encode(Ack(who="s2", at=NOON))),
        "was acknowledged for s2 by s1",
    ),
    "what was asked forgotten": (forged_ask(), "is forgotten"),
    "another deadline": (forged_ask(within=1.0), "what it asked for has changed"),
    "raised at once": (forged_ask(raised=5), "out of turn"),
    "answered without a command": (forged_ask(answered=True), "before its command was done"),
}


@in_memory
@pytest.mark.parametrize(("decide", "said"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forgery_is_named(two: World, decide: Any, said: str) -> None:
    two.person({HELLO: WAITS})
    desk = Desk(two)
    desk.sync()
    assert wrong(two) == []
    desk.does(decide)
    [told] = wrong(two)
    assert said in told


def test_who_is_not_addressed_and_does_it_all_the_same_is_named(two: World) -> None:
    two.person({HELLO: b"---\nto: s2\n---\nhi"})
    Desk(two).does(forged(f"{ACKS}s1.json", encode(Ack(who="s1", at=NOON))))
    [told] = wrong(two)
    assert "to whom it was not addressed" in told
    assert Desk(two).sync(timedelta(days=1).total_seconds()) == []
    Desk(two).does(nothing)
