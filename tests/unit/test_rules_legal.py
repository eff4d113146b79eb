"""What the audit names: all that no rule makes of a ledger, and nothing that one does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.model.hub import Head
from bnet.model.job import Attempt, Cancel, Group, Job, JobResult, JobSpec, Need, RetryRule, Wanted
from bnet.model.server import Server
from bnet.model.state import KeyEntry, KeyFile, State
from bnet.rules import jobs
from bnet.rules.legal.transitions import Made, faults

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
S1 = Server(name="s1", instance="i1", joined_at=NOW, slots=2)
S2 = replace(S1, name="s2", instance="i2")
HEAD = Head(format=1, hub="h", epoch=1, seq=4, next_job=10)
NEXT = replace(HEAD, seq=5)


def job(number: int = 1, **more: Any) -> Job:
    base = {"number": number, "name": "j", "command": "x", "submitted_by": "ann"}
    return Job(spec=JobSpec(**(base | {"submitted_at": NOW, "retry": (RetryRule(limit=0),)} | more)))


def held(one: Job, by: Server = S1, token: int = 3, run: str = "") -> Job:
    run = run or f"r{one.number}"
    [after] = jobs.claim(one, by, run=run, token=token, ttl_s=60.0, now=NOW).jobs
    return after


def attempt(one: Job, result: Any = "success", reason: str = "exit", **more: Any) -> Attempt:
    claim = one.claim
    assert claim is not None
    base: dict[str, Any] = {
        "attempt": claim.attempt,
        "server": claim.server,
        "run": claim.run,
        "token": claim.token,
        "exit_code": 0 if reason == "exit" else None,
    }
    return Attempt(result=result, reason=reason, finished_at=NOW, **(base | more))


def over(one: Job, *how: str, **more: Any) -> Job:
    [after] = jobs.end_attempt(one, attempt(one, *how, **more)).jobs
    return after


def unclaimed(one: Job, result: Any, reason: str, at: datetime = NOW, message: str = "") -> Job:
    [after] = jobs.end_unclaimed(one, result, reason, now=at, message=message).jobs
    return after


def cancelled(one: Job, *, superseded: bool = False) -> Job:
    [after] = jobs.cancel(one, by="ann", reason="enough", now=NOW, superseded=superseded).jobs
    return after


def state(*there: Job, head: Head = HEAD, **more: Any) -> State:
    base: dict[str, Any] = {
        "tip": "t",
        "head": head,
        "servers": {"s1": S1, "s2": S2},
        "jobs": {each.number: each for each in there},
    }
    return State(**(base | more))


def blames(
    before: State, after: State, archived: Mapping[int, Job] | None = None, **more: Any
) -> list[tuple[str, str]]:
    """Judge a transaction of the first server, which is the next one unless told otherwise."""
    base: dict[str, Any] = {
        "actor": "s1",
        "seq": after.head.seq,
        "next_job": after.head.next_job,
        "adopts": False,
        "claimed": [],
    }
    found = faults(before, after, Made(**(base | more)), archived or {})
    return [(each.target, each.text) for each in found]


def judged(old: Job | None, new: Job | None, *besides: Job, **more: Any) -> list[str]:
    """Judge what became of one job."""
    before = [each for each in (old, *besides) if each is not None]
    after = [each for each in (new, *besides) if each is not None]
    return [text for _, text in blames(state(*before), state(*after, head=NEXT), **more)]


# -- numbers


def test_the_next_transaction_is_legal() -> None:
    assert blames(state(), state(head=NEXT)) == []


HEADS: dict[str, tuple[Head, dict[str, Any], str]] = {
    "a number is left out": (replace(NEXT, seq=6), {}, "transaction 6 of epoch 1 follows 4"),
    "a number is used again": (HEAD, {}, "transaction 4 of epoch 1 follows 4"),
    "an epoch begins by itself": (replace(NEXT, epoch=2), {}, "transaction 5 of epoch 2 follows 4"),
    "the file has another number": (replace(NEXT, seq=9), {"seq": 5}, "not those of the commit's message"),
    "the file has another next job": (NEXT, {"next_job": 11}, "not those of the commit's message"),
    "a job's number comes again": (replace(NEXT, next_job=9), {}, "the next job's number goes back to 9"),
}


@pytest.mark.parametrize(("head", "made", "text"), HEADS.values(), ids=HEADS.keys())
def test_numbers_only_grow_by_one(head: Head, made: dict[str, Any], text: str) -> None:
    [(target, found)] = blames(state(), state(head=head), **made)
    assert target == "ledger.json"
    assert text in found


@pytest.mark.parametrize(
    ("epoch", "seq", "legal"),
    [(2, 5, True), (2, 1_005, True), (1, 1_005, False), (2, 4, False), (0, 9, False)],
)
def test_an_adoption_begins_an_epoch_above_all_numbers(epoch: int, seq: int, legal: bool) -> None:
    found = blames(state(), state(head=replace(HEAD, epoch=epoch, seq=seq)), adopts=True)
    assert found == ([] if legal else [("ledger.json", ADOPTION)])


ADOPTION = "an adoption that does not begin a new epoch above all numbers"


# -- keys

K1, K2 = KeyEntry(jobs=(1,), at=NOW), KeyEntry(jobs=(2,), at=NOW)
KEYS: dict[str, tuple[dict[str, KeyFile], bool]] = {
    "it stays": ({"k": KeyFile(keys={"a": K1, "b": K2})}, True),
    "one comes beside it": ({"k": KeyFile(keys={"a": K1, "b": K2, "c": K2})}, True),
    "it is forgotten": ({"k": KeyFile(keys={"b": K2})}, True),
    "its file goes": ({}, True),
    "it stands for another job": ({"k": KeyFile(keys={"a": K2, "b": K2})}, False),
}


@pytest.mark.parametrize(("after", "legal"), KEYS.values(), ids=KEYS.keys())
def test_a_key_stands_for_the_same_jobs_as_long_as_it_is_known(
    after: dict[str, KeyFile], legal: bool
) -> None:
    before = {"k": KeyFile(keys={"a": K1, "b": K2})}
    found = blames(state(keys=before), state(keys=after, head=NEXT))
    assert found == ([] if legal else [("k", "a key stands for other jobs than before")])


# -- jobs that come and go


def test_a_finished_job_may_leave_for_the_archive_as_it_is() -> None:
    done = over(held(job()))
    assert judged(done, None, archived={1: done}) == []
    assert judged(done, None) == ["has left without a line in the archive"]
    other = replace(done, spec=replace(done.spec, name="k"))
    assert judged(done, None, archived={1: other}) == ["what was asked for has changed"]
    assert judged(job(), None, archived={1: job()}) == ["is in the archive without a result"]


@pytest.mark.parametrize(("number", "legal"), [(9, False), (10, True), (11, True), (12, False)])
def test_a_new_job_has_a_number_that_was_free(number: int, legal: bool) -> None:
    after = state(job(number), head=replace(NEXT, next_job=12))
    text = "is new under a number that was not free (the next was 10)"
    assert blames(state(), after) == ([] if legal else [(f"#{number}", text)])


def test_an_adoption_may_bring_jobs_of_any_number() -> None:
    after = state(job(3), head=replace(HEAD, seq=1_000, epoch=2))
    assert blames(state(), after, adopts=True) == []


def test_faults_are_told_in_the_order_of_the_jobs() -> None:
    there = [job(number) for number in (12, 3, 7)]
    assert [target for target, _ in blames(state(*there), state(head=NEXT))] == ["#3", "#7", "#12"]


# -- what a job may become

ONE, DONE = job(), over(held(job()))
RETRIED = job(retry=(RetryRule(limit=9),))
LOST_ONCE = over(held(RETRIED), "error", "lost")
BECOMES: dict[str, tuple[Job, Job]] = {
    "nothing else": (ONE, job()),
    "its holder's result": (held(ONE), DONE),
    "lost": (held(ONE), over(held(ONE), "error", "lost")),
    "tried again": (held(RETRIED), LOST_ONCE),
    "tried again at once": (held(RETRIED), held(LOST_ONCE, token=5, run="again")),
    "claimed for the second time": (LOST_ONCE, held(LOST_ONCE, token=5, run="again")),
    "moved forward": (ONE, replace(ONE, wanted=Wanted(priority=1))),
    "moved forward and claimed": (ONE, held(replace(ONE, wanted=Wanted(priority=1)), token=5)),
    "moved forward and ended": (held(ONE), replace(DONE, wanted=Wanted(priority=1))),
    "cancelled": (ONE, cancelled(ONE)),
    "cancelled while it runs": (held(ONE), cancelled(held(ONE))),
    "cancelled, and found lost then": (held(RETRIED), over(cancelled(held(RETRIED)), "error", "lost")),
    "found lost, and cancelled then": (held(RETRIED), cancelled(LOST_ONCE)),
    "tried again at once, and cancelled then": (
        held(RETRIED),
        cancelled(held(LOST_ONCE, token=5, run="again")),
    ),
    "superseded": (ONE, cancelled(ONE, superseded=True)),
}


@pytest.mark.parametrize(("old", "new"), BECOMES.values(), ids=BECOMES.keys())
def test_a_job_may_become(old: Job, new: Job) -> None:
    assert judged(old, new) == []


NO_RULE = "has become what no rule makes of it"
FORGED: dict[str, tuple[Job, Job, str]] = {
    "another command": (ONE, job(command="y"), "what was asked for has changed"),
    "another result": (
        DONE,
        replace(DONE, result=JobResult(result="failure", reason="exit", finished_at=NOW)),
        "has changed after it had finished",
    ),
    "a wish after its end": (
        DONE,
        replace(DONE, wanted=Wanted(priority=1)),
        "has changed after it had finished",
    ),
    "another past": (
        LOST_ONCE,
        replace(LOST_ONCE, attempts=(replace(LOST_ONCE.attempts[0], message="m"),)),
        "an attempt that had ended has changed",
    ),
    "less of a past": (LOST_ONCE, replace(LOST_ONCE, attempts=()), "an attempt that had ended has changed"),
    "the result of another run": (held(ONE), over(held(ONE, run="other")), NO_RULE),
    "the result of a run that nobody claimed": (ONE, DONE, NO_RULE),
    "a result beside a live claim": (held(ONE), replace(DONE, claim=held(ONE).claim), NO_RULE),
    "a claim without its end": (held(ONE), held(ONE, S1, token=5, run="other"), NO_RULE),
    "a claim that is gone": (held(ONE), ONE, NO_RULE),
    "a claim under another token": (ONE, held(ONE, token=3), NO_RULE),
    "tried again against its rules": (
        held(ONE),
        replace(LOST_ONCE, spec=ONE.spec),
        NO_RULE,
    ),
    "two ends of one claim": (
        held(RETRIED),
        replace(LOST_ONCE, attempts=LOST_ONCE.attempts * 2),
        NO_RULE,
    ),
    "an end under another token": (
        held(ONE),
        over(held(ONE), token=4),
        "attempt 1 was ended under another token than its claim's",
    ),
    "an end under another server's name": (
        held(ONE),
        over(held(ONE), server="s2"),
        "attempt 1 was ended under another token than its claim's",
    ),
    "an end under another number": (
        held(ONE),
        over(held(ONE), attempt=2),
        "attempt 2 was ended under another token than its claim's",
    ),
}


@pytest.mark.parametrize(("old", "new", "text"), FORGED.values(), ids=FORGED.keys())
def test_no_rule_makes(old: Job, new: Job, text: str) -> None:
    assert judged(old, new) == [text]


def test_only_the_holder_reports_an_end_and_anyone_a_loss() -> None:
    for how, legal in (
        (("success", "exit"), False),
        (("timeout", "timeout"), False),
        (("error", "lost"), True),
    ):
        ended = over(held(ONE, S2), *how)
        assert judged(held(ONE, S2), ended, actor="s2") == []
        text = f"attempt 1 of s2 was ended by s1 ({how[1]})"
        assert judged(held(ONE, S2), ended, actor="s1") == ([] if legal else [text])


# -- ends of what nobody runs

FAILED = over(held(job(2)), "failure", "exit", exit_code=1)
NEEDY = job(needs=(Need(job=2), Need(job=3)))
WEEK = timedelta(days=7)
REFUSED = over(held(job(retry=())), "error", "refused")
DUE: dict[str, tuple[Job, Job, tuple[Job, ...], bool]] = {
    "a wish": (ONE, cancelled(ONE), (), True),
    "a wish that nobody had": (ONE, unclaimed(ONE, "cancelled", "cancel"), (), False),
    "a wish of newer work": (
        ONE,
        unclaimed(replace(ONE, wanted=cancelled(ONE, superseded=True).wanted), "cancelled", "cancel"),
        (),
        False,
    ),
    "newer work": (ONE, cancelled(ONE, superseded=True), (), True),
    "newer work that is not there": (ONE, unclaimed(ONE, "cancelled", "superseded"), (), False),
    "newer work, where a person wished it": (
        ONE,
        unclaimed(replace(ONE, wanted=cancelled(ONE).wanted), "cancelled", "superseded"),
        (),
        False,
    ),
    "a need that failed": (
        NEEDY,
        unclaimed(NEEDY, "skipped", "dependency", message="m"),
        (FAILED, job(3)),
        True,
    ),
    "a need that is open": (NEEDY, unclaimed(NEEDY, "skipped", "dependency"), (job(2), job(3)), False),
    "a need that was met": (
        NEEDY,
        unclaimed(NEEDY, "skipped", "dependency"),
        (over(held(job(2))), job(3)),
        False,
    ),
    "its time": (ONE, unclaimed(ONE, "cancelled", "expired", NOW + WEEK + timedelta(seconds=1)), (), True),
    "its time, too early": (ONE, unclaimed(ONE, "cancelled", "expired", NOW + WEEK), (), False),
    "that all refused": (REFUSED, unclaimed(REFUSED, "error", "refused"), (), True),
    "that all refused, and nobody did": (ONE, unclaimed(ONE, "error", "refused"), (), False),
    "boredom": (ONE, unclaimed(ONE, "cancelled", "boredom"), (), False),
    "boredom, where some refused": (REFUSED, unclaimed(REFUSED, "cancelled", "boredom"), (), False),
}


@pytest.mark.parametrize(("old", "new", "besides", "legal"), DUE.values(), ids=DUE.keys())
def test_a_job_ends_without_a_server_for(old: Job, new: Job, besides: tuple[Job, ...], legal: bool) -> None:
    assert new.result is not None
    text = f"was ended as {new.result.reason}, which was not so"
    assert judged(old, new, *besides) == ([] if legal else [text])


def test_a_need_counts_as_it_was_and_as_it_is() -> None:
    ended = unclaimed(NEEDY, "skipped", "dependency")
    before = state(NEEDY, FAILED, job(3))
    assert blames(before, state(ended, job(3), head=NEXT), archived={2: FAILED}) == [], "it left just now"
    met = over(held(job(2)))
    found = blames(state(NEEDY, met, job(3)), state(ended, job(3), head=NEXT), archived={2: met})
    assert found == [("#1", "was ended as dependency, which was not so")], "it was met, and left just now"
    before = state(NEEDY, held(job(2)), job(3))
    assert blames(before, state(ended, FAILED, job(3), head=NEXT)) == [], "it failed just now"


def test_an_end_that_is_not_due_is_not_hidden_by_an_attempt_that_ended_too() -> None:
    [new] = jobs.end_unclaimed(LOST_ONCE, "cancelled", "boredom", now=NOW).jobs
    assert judged(held(RETRIED), new) == ["was ended as boredom, which was not so"]


# -- claims

DEPLOY = Group(name="g", limit=1)


def claims(*new: Job, there: tuple[Job, ...] = (), order: tuple[int, ...] = (), **more: Any) -> list[Any]:
    before = [replace(each, claim=None) for each in new]
    base = {"actor": "s1", "claimed": list(order)}
    return blames(state(*there, *before), state(*there, *new, head=NEXT), **(base | more))


def test_a_claim_is_made_by_its_server_for_itself() -> None:
    assert claims(held(ONE, token=5)) == []
    assert claims(held(ONE, S2, token=5)) == [("#1", "was claimed for s2 by s1")]
    stranger = replace(S1, instance="i9")
    text = "was claimed by s1, which was not a server with that instance"
    assert claims(held(ONE, stranger, token=5)) == [("#1", text)]
    gone = replace(S1, name="s9")
    text = "was claimed by s9, which was not a server with that instance"
    assert claims(held(ONE, gone, token=5), actor="s9") == [("#1", text)]


HINDERED: dict[str, tuple[Job, tuple[Job, ...], str]] = {
    "a lock": (job(locks=("db",)), (held(job(2, locks=("db",)), S2),), "lock db is held by #2"),
    "a group": (
        job(group=DEPLOY),
        (held(job(2, group=DEPLOY), S2),),
        "group g: 1 running, at most 1 may",
    ),
    "a need": (
        job(needs=(Need(job=2),)),
        (job(2),),
        "needs #2 to end with success: it is pending",
    ),
    "a time": (job(not_before=NOW + WEEK), (), "not before 2026-11-27T12:00:00Z"),
    "labels": (job(labels={"os": "mac"}), (), "lacks os=mac"),
    "slots": (ONE, (held(job(2)), held(job(3))), "0 of 2 slots free"),
}


@pytest.mark.parametrize(("one", "there", "text"), HINDERED.values(), ids=HINDERED.keys())
def test_a_claim_is_named_that_was_made_in_spite_of(one: Job, there: tuple[Job, ...], text: str) -> None:
    assert claims(held(one, token=5), there=there) == [("#1", f"was claimed although s1: {text}")]


def test_claims_of_one_transaction_are_judged_one_after_the_other() -> None:
    three = [held(job(number), token=5) for number in (1, 2, 3)]
    [(target, text)] = claims(*three, order=(3, 1, 2))
    assert (target, text) == ("#2", "was claimed although s1: 0 of 2 slots free")
    [(target, _)] = claims(*three, order=(3, 2))
    assert target == "#1", "what the message does not name comes last"


def test_what_ended_in_the_same_transaction_hinders_no_claim() -> None:
    before = held(job(2, locks=("db",)))
    one = held(job(1, locks=("db",)), token=5)
    found = blames(state(replace(one, claim=None), before), state(one, over(before), head=NEXT), claimed=[1])
    assert found == []


def test_a_need_that_was_met_in_the_same_transaction_hinders_no_claim() -> None:
    needy = job(needs=(Need(job=2),))
    claimed, met = held(needy, token=5), over(held(job(2)))
    assert blames(state(needy, held(job(2))), state(claimed, met, head=NEXT)) == []
    assert blames(state(needy, met), state(claimed, head=NEXT), archived={2: met}) == [], "it left then"


def test_a_job_may_be_claimed_in_the_transaction_that_it_is_new_in() -> None:
    after = state(held(job(10), token=5), head=replace(NEXT, next_job=11))
    assert blames(state(), after) == []


def test_each_claim_by_nobody_is_named() -> None:
    gone = replace(S1, name="s9")
    two = [held(job(number), gone, token=5) for number in (1, 2)]
    assert [target for target, _ in claims(*two, actor="s9")] == ["#1", "#2"]


def test_a_claim_that_was_there_before_is_not_judged_again() -> None:
    there = (held(job(1, labels={"os": "mac"}), S2), held(job(2)))
    assert blames(state(*there), state(*there, head=NEXT), actor="s9") == []
    wished = replace(there[0], wanted=Wanted(cancel=Cancel(by="a", at=NOW)))
    assert blames(state(*there), state(wished, there[1], head=NEXT), actor="s9") == []
