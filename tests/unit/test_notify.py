"""What is told of a network, to whom and when: as the rules say, whatever comes."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from bnet.app.steward.telling import noticed
from bnet.app.told.notices import describe_deliveries, unheard
from bnet.cli.notify.look import preview
from bnet.codec.documents import encode
from bnet.codec.notifications import read_notifications
from bnet.errors import Invalid
from bnet.health import judge
from bnet.health.facts import Finding
from bnet.model.base import Result
from bnet.model.events import ABSENT, EVENTS, KINDS, means_any
from bnet.model.history import Event as Happened
from bnet.model.hub import Head
from bnet.model.job import Job, JobResult, JobSpec
from bnet.model.notices import Event, Notices, Silence, Wrong
from bnet.model.notify import Notifications
from bnet.model.state import State
from bnet.notify import found, happened
from bnet.notify.intake import escalated, pruned, take_in
from bnet.notify.outbox import Message, Outcome, due, settled
from bnet.notify.preview import example, ways
from bnet.notify.quiet import has_room, is_quiet, spend
from bnet.notify.sweep import swept
from bnet.notify.wording import worded

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ONE = "channels: {ops: {urls: 'json://localhost/a', tags: [team]}, boss: {urls: 'json://localhost/b'}}\n"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def config(text: str) -> Notifications:
    return read_notifications((ONE + text).encode(), "notifications.yaml")


def wants(route: str = "", rest: str = "") -> Notifications:
    return config(f"routes: [{{name: all, to: [ops], group_wait: 0{', ' + route if route else ''}}}]\n{rest}")


def failed(name: str = "wheel", number: int = 1, **more: object) -> Event:
    given = {
        "text": f"#{number} {name}: failure",
        "key": f"job:{name}",
        "action": "trigger",
        "number": number,
        "seq": 1,
    }
    return msgspec.convert(
        {"name": "job.failed", "at": NOON, "priority": "high", "job": name} | given | more, Event
    )


def fixed(name: str = "wheel") -> Event:
    return replace(failed(name), name="job.fixed", action="resolve", priority="medium")


def lost(server: str = "b") -> Event:
    key = f"server-lost:{server}"
    text = f"{server} is gone"
    return Event(
        name="server.lost", at=NOON, priority="critical", text=text, key=key, action="trigger", server=server
    )


class Desk:
    """The rules in a row, as the steward calls them, with a clock that is set."""

    def __init__(self, wanted: Notifications) -> None:
        self.config, self.notices, self.seq = wanted, Notices(), 0
        self.sent: list[Message] = []

    def take(self, *events: Event, at: float = 0) -> Desk:
        self.seq += 1
        self.notices = take_in(self.notices, events, self.config, after(at), self.seq)
        return self

    def send(self, *, at: float = 0, fails: str = "", urls: tuple[int, ...] = ()) -> list[Message]:
        """Send what is due; to some addresses, or to all, it fails."""
        self.seq += 1
        self.notices = escalated(self.notices, self.config, after(at), self.seq)
        self.notices = swept(self.notices, self.config, after(at))
        messages = due(self.notices, self.config, after(at))
        for each in messages:
            bad = dict.fromkeys(urls or each.urls, fails) if fails else {}
            outcome = Outcome(
                channel=each.channel, parcels=dict(each.parcels), urls=each.urls, title="t", failed=bad
            )
            self.notices = settled(self.notices, outcome, self.config, "s1", after(at))
        self.sent += messages
        return messages

    def names(self, *, at: float = 0) -> list[list[str]]:
        return [[event.name for event in each.events] for each in self.send(at=at)]


# -- events


def test_every_event_has_a_name_of_its_own_and_an_alias_is_nobody_elses() -> None:
    assert len(KINDS) == len(EVENTS)
    assert not {also for each in EVENTS for also in each.also} & set(KINDS)
    assert not any(means_any(name) for name in ABSENT)


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("job.failed", "job.failed", True),
        ("build.failed", "job.failed", True),  # as BuildNet calls it
        ("resource.disk.low", "disk.critical", True),
        ("resource.*", "memory.warning", True),
        ("node.failed", "server.lost", True),
        ("daemon.*", "server.back", True),
        ("*.critical", "server.lost", True),
        ("*.critical", "deployment.failed", True),
        ("*.critical", "job.failed", False),
        ("server.*", "job.failed", False),
        ("job.*", "job.stuck", True),
    ],
)
def test_patterns_mean_names_aliases_and_priorities(pattern: str, name: str, meant: bool) -> None:
    wanted = wants(f"events: ['{pattern}']")
    [way] = ways(example(name, NOON), wanted, Notices(), NOON)
    assert bool(way.channels) == meant, way.why


def test_every_verdict_of_health_is_an_event_and_has_an_end() -> None:
    import ast
    import inspect

    rules = set[str]()
    for rule in judge.RULES:
        tree = ast.parse(inspect.getsource(sys.modules[rule.__module__]))
        rules |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in found.RULES
        }
        keywords = [node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "rule"]
        literal = {each.value.value for each in keywords if isinstance(each.value, ast.Constant)}
        assert literal <= set(found.RULES), literal - set(found.RULES)
    assert rules == set(found.RULES)
    for name in found.RULES.values():
        for each in [name + end for end in ("warning", "critical")] if name.endswith(".") else [name]:
            assert each in KINDS and found.over(each) in KINDS


def op(verb: str, target: str, seq: int = 5, **fields: str) -> Happened:
    return Happened(
        seq=seq, commit="c", at=NOON.timestamp(), actor="b", verb=verb, target=target, fields=fields
    )


def job(number: int, result: str | None = None) -> Job:
    spec = JobSpec(
        number=number,
        name="wheel",
        command="x",
        submitted_by="you",
        submitted_at=NOON,
        labels={"os": "linux"},
    )
    ended = msgspec.convert(
        {"result": result or "error", "reason": "exit", "finished_at": NOON, "server": "b"}, JobResult
    )
    return Job(spec=spec, result=ended if result else None)


@pytest.mark.parametrize(
    ("each", "job_is", "before", "name", "action"),
    [
        (op("submit", "1"), job(1), None, "job.submitted", "tell"),
        (op("claim", "1", server="b"), job(1), None, "job.started", "tell"),
        (
            op("finish", "1", result="success", reason="exit"),
            job(1, "success"),
            None,
            "job.succeeded",
            "resolve",
        ),
        (
            op("finish", "1", result="success", reason="exit"),
            job(1, "success"),
            "timeout",
            "job.fixed",
            "resolve",
        ),
        (
            op("finish", "1", result="failure", exit_code="2"),
            job(1, "failure"),
            None,
            "job.failed",
            "trigger",
        ),
        (op("finish", "1", result="error", reason="lost"), None, None, "job.error", "trigger"),
        (op("requeue", "1", result="error", reason="lost"), job(1), None, "job.lost", "tell"),
        (op("cancel", "1", by="x"), job(1), None, None, None),
        (op("cancel", "1", result="cancelled", by="x"), job(1, "cancelled"), None, "job.cancelled", "tell"),
        (op("deploy", "live", job="3", result="failure"), None, None, "deployment.failed", "trigger"),
        (op("pause", "b", by="x"), None, None, "server.paused", "tell"),
        (op("leave", "b", by="x"), None, None, "server.left", "tell"),
        (op("break", "deploy", by="x"), None, None, "lock.broken", "tell"),
        (op("reject", "a.yaml", by="x"), None, None, "command.rejected", "tell"),
        (op("notify", "ops"), None, None, None, None),
        (op("finish", "x y"), None, None, None, None),
    ],
)
def test_what_a_transaction_did_becomes_an_event(
    each: Happened, job_is: Job | None, before: Result | None, name: str | None, action: str | None
) -> None:
    state = State(tip="", head=Head(format=1, hub=""), jobs={} if job_is is None else {1: job_is})
    told = list(happened.happened([each], state, lambda job, number: before))
    assert [(one.name, one.action) for one in told] == ([] if name is None else [(name, action)])


@pytest.mark.parametrize(
    ("result", "reason", "why"),
    [("failure", "exit", "exit 143"), ("cancelled", "cancel", "cancel"), ("timeout", "silence", "silence")],
)
def test_what_was_ended_says_why_and_not_with_which_code(result: str, reason: str, why: str) -> None:
    each = op("finish", "1", result=result, reason=reason, exit_code="143")
    [told] = happened.happened([each], State(tip="", head=Head(format=1, hub="")), lambda job, number: None)
    assert told.text == f"#1: {result} ({why})"


def test_what_a_silence_kept_back_is_told_when_it_is_over_and_still_so() -> None:
    wrong, desk = {"server-lost:b": lost()}, Desk(wants())
    silence = Silence(events=("*",), until=after(60), by="x", reason="y")
    desk.notices = replace(desk.notices, silences={"s1": silence})
    for at, told in ((0, []), (59, []), (61, [["server.lost"]]), (90, [])):
        desk.take(*found.changes(desk.notices, wrong, {"b"}, after(at)), at=at)
        desk.notices = replace(desk.notices, standing=found.standing(wrong, desk.config))
        assert desk.names(at=at) == told


def test_what_a_silence_takes_out_of_the_outbox_is_told_when_it_is_over_and_still_so() -> None:
    wrong, desk = {"server-lost:b": lost()}, Desk(wants("dedup: 0"))
    told = []
    for at in (0, 30, 61):
        desk.take(*found.changes(desk.notices, wrong, {"b"}, after(at)), at=at)
        desk.notices = replace(desk.notices, standing=found.standing(wrong, desk.config))
        if not at:  # before it is sent
            silence = Silence(events=("*",), until=after(60), by="x", reason="y")
            desk.notices = replace(desk.notices, silences={"s1": silence})
        told.append(desk.names(at=at))
    assert told == [[], [], [["server.lost"]]]


def test_what_became_worse_under_a_silence_is_told_when_that_is_over() -> None:
    full = Event(
        name="disk.warning", at=NOON, priority="high", text="x", key="d", action="trigger", server="b"
    )
    desk = Desk(wants("dedup: 0")).take(full)
    desk.send()
    worse = {"d": replace(full, name="disk.critical", priority="critical")}
    silence = Silence(events=("disk.critical",), until=after(60), by="x", reason="y")
    desk.notices = replace(desk.notices, silences={"s1": silence})
    was = desk.notices
    desk.take(*found.changes(desk.notices, worse, {"b"}, after(9)), at=9)
    assert desk.send(at=9) == [] and desk.notices == was, "nor is it written down at each look"
    desk.take(*found.changes(desk.notices, worse, {"b"}, after(61)), at=61)
    assert desk.names(at=61) == [["disk.critical"]]


def test_the_end_of_what_only_a_newer_bnet_knows_is_told_in_its_own_words() -> None:
    notices = Notices(standing={"moon:b": Wrong(event="moon.dark")})
    assert list(found.changes(notices, {}, (), NOON)) == []


def test_what_is_found_wrong_and_what_happened_are_both_told_when_one_transaction_takes_them_in() -> None:
    desk, wrong = Desk(wants("group_by: [key]")), {"server-lost:b": lost()}
    happened_too = [failed("wheel", seq=2), failed("docs", seq=2)]
    desk.notices = noticed(Notices(), happened_too, wrong, desk.config, NOON, 7, {"b"})
    told = sorted(event.key for each in desk.notices.outbox.values() for event in each.events)
    assert told == ["job:docs", "job:wheel", "server-lost:b"]


def test_a_trouble_that_is_over_is_told_as_over_once() -> None:
    wrong, desk = {"server-lost:b": lost()}, Desk(wants())
    desk.take(*found.changes(desk.notices, wrong, {"b"}, NOON))
    desk.notices = replace(desk.notices, standing=found.standing(wrong, desk.config))
    assert desk.names() == [["server.lost"]]
    desk.take(*found.changes(desk.notices, {}, {"b"}, after(10)), at=10)
    desk.notices = replace(desk.notices, standing={})
    [message] = desk.send(at=10)
    assert [(each.name, each.text) for each in message.events] == [("server.back", "b is seen again")]
    assert not desk.notices.alerts and not list(found.changes(desk.notices, {}, {"b"}, after(20)))


def test_very_much_that_stays_wrong_is_told_once_and_not_again_and_again() -> None:
    wrong = [
        Finding(rule="job-stuck", about=str(number), severity="warning", text="x") for number in range(1000)
    ]
    desk = Desk(wants("dedup: 0", "limits: {minute: 1000, hour: 10000}"))
    state = State(tip="", head=Head(format=1, hub=""))
    for at in range(0, 3600, 60):
        now_wrong = found.signals(wrong, state, after(at))
        desk.take(*found.changes(desk.notices, now_wrong, (), after(at)), at=at)
        desk.take(*(failed(f"other-{at}-{number}") for number in range(20)), at=at)
        desk.notices = replace(desk.notices, standing=found.standing(now_wrong, desk.config))
        desk.send(at=at)
    desk.send(at=3700)
    stuck = [event for each in desk.sent for event in each.events if event.name == "job.stuck"]
    assert len({event.key for event in stuck}) == len(stuck) and len(desk.notices.alerts) == 300


def test_a_lost_server_that_was_removed_is_not_said_to_be_back() -> None:
    notices = Notices(standing={"server-lost:b": Wrong(event="server.lost", server="b")})
    [event] = found.changes(notices, {}, {"a"}, NOON)
    assert (event.name, event.text, event.action) == ("server.left", "b was removed", "resolve")


def test_what_no_route_asks_for_is_not_even_remembered() -> None:
    assert not found.standing({"server-lost:b": lost()}, wants("events: [job.failed]"))
    assert found.standing({"server-lost:b": lost()}, wants("events: [server.back]")) == {
        "server-lost:b": Wrong(event="server.lost", server="b")
    }


# -- routes


@pytest.mark.parametrize(
    ("route", "why"),
    [
        ("events: [job.fixed]", "is none of its events"),
        ("priority: critical", "its priority is high, and critical is asked for"),
        ("labels: {os: linux}", ""),
        ("labels: {os: mac}", "the job has no label os=mac"),
        ("packages: ['co*']", ""),
        ("packages: [lib]", "is of no package that is asked for"),
        ("servers: ['b*']", ""),
        ("servers: [c]", "is of no server that is asked for"),
        ("jobs: ['wheel-*']", "is of no job that is asked for"),
    ],
)
def test_a_route_takes_what_all_of_it_applies_to(route: str, why: str) -> None:
    event = failed(labels={"os": "linux"}, packages=["core"], server="b1")
    [way] = ways(event, wants(route), Notices(), NOON)
    assert way.why == why and way.channels == (() if why else ("ops",))


def test_a_channel_hears_an_event_once_however_many_routes_lead_there() -> None:
    wanted = config(
        "routes: [{name: a, to: [team], group_wait: 0}, {name: b, to: [ops, boss], group_wait: 0}]"
    )
    sent = Desk(wanted).take(failed()).send()
    assert [(each.channel, each.routes) for each in sent] == [("boss", ("b",)), ("ops", ("a",))]


def test_the_same_is_told_again_after_the_window_and_counted_meanwhile() -> None:
    desk = Desk(wants("dedup: 1m"))
    told = [desk.take(failed(number=at), at=at).names(at=at) for at in (0, 30, 59, 61)]
    assert told == [[["job.failed"]], [], [], [["job.failed"]]]
    assert desk.notices.alerts["job:wheel"].count == 4


def test_what_fails_again_after_it_was_mended_is_news_also_within_the_window() -> None:
    desk = Desk(wants("dedup: 1h"))
    came = (failed(), fixed(), failed(), failed())
    told = [desk.take(each, at=at).names(at=at) for at, each in enumerate(came)]
    assert told == [[["job.failed"]], [["job.fixed"]], [["job.failed"]], []]


def test_events_of_a_group_come_as_one_message_after_a_while() -> None:
    wanted = config("routes: [{name: all, to: [ops], group_wait: 15, group_by: [event]}]")
    desk = Desk(wanted).take(failed("a"), failed("b"), lost())
    desk.take(failed("c"), at=10)
    assert desk.send(at=14) == []
    assert desk.names(at=15) + desk.names(at=15) == [["job.failed"] * 3, ["server.lost"]]


def test_who_takes_it_on_stops_repetitions_until_it_is_over() -> None:
    desk = Desk(wants("dedup: 0"))
    desk.take(failed()).send()
    alert = replace(desk.notices.alerts["job:wheel"], acked_by="you")
    desk.notices = replace(desk.notices, alerts={"job:wheel": alert})
    assert desk.take(failed(), at=400).names(at=400) == []
    assert desk.take(fixed(), at=500).names(at=500) == [["job.fixed"]]
    assert desk.take(failed(), at=900).names(at=900) == [["job.failed"]]


def test_what_waits_is_not_told_once_somebody_has_taken_it_on() -> None:
    desk = Desk(config("routes: [{name: all, to: [ops], group_wait: 60}]")).take(failed())
    alert = replace(desk.notices.alerts["job:wheel"], acked_by="you")
    desk.notices = replace(desk.notices, alerts={"job:wheel": alert})
    assert desk.send(at=61) == [] and not desk.notices.outbox


def test_a_trouble_of_which_nothing_is_heard_any_more_is_forgotten() -> None:
    desk = Desk(wants()).take(failed(), lost())
    desk.notices = replace(desk.notices, standing=found.standing({"server-lost:b": lost()}, desk.config))
    assert set(pruned(desk.notices, desk.config, after(31 * 86400)).alerts) == {"server-lost:b"}


def test_the_end_is_told_to_those_who_heard_of_the_beginning() -> None:
    desk = Desk(wants("events: [job.failed]"))
    desk.take(failed()).send()
    assert desk.take(fixed(), at=9).names(at=9) == [["job.fixed"]]
    assert desk.take(fixed(), at=19).names(at=19) == []


def test_a_lost_server_silences_its_jobs_and_no_others() -> None:
    desk = Desk(wants())
    desk.take(lost("b")).send()
    desk.take(failed("a", server="b"), failed("b", server="c"), at=1)
    assert [each.job for message in desk.send(at=1) for each in message.events] == ["b"]
    waiting = Desk(config("routes: [{name: all, to: [ops], group_wait: 15}]"))
    waiting.take(failed("a", server="b")).take(lost("b"), at=5)
    assert waiting.names(at=20) == [["server.lost"]], "it was found out while the message waited"


# -- time


@pytest.mark.parametrize(
    ("at", "quiet"),
    [
        ("2026-11-20T20:59:59Z", False),
        ("2026-11-20T21:00:00Z", True),  # 22:00 in Berlin in winter
        ("2026-07-20T20:00:00Z", True),  # and in summer
        ("2026-11-21T06:59:59Z", True),
        ("2026-11-21T07:00:00Z", False),
        ("2026-10-25T00:30:00Z", True),  # 02:30 there, twice
        ("2026-10-25T01:30:00Z", True),
    ],
)
def test_quiet_hours_are_by_the_clocks_of_their_zone(at: str, quiet: bool) -> None:
    wanted = config("quiet: {start: '22:00', end: '08:00', zone: Europe/Berlin}")
    assert is_quiet(wanted.quiet, datetime.fromisoformat(at)) == quiet


def test_what_quiet_hours_held_comes_as_one_message_and_what_cannot_wait_comes_at_once() -> None:
    desk = Desk(wants("", "quiet: {start: '11:00', end: '13:00'}\nlimits: {minute: 1000}"))
    for at in range(5):
        desk.take(failed(f"job-{at}"), replace(fixed(f"job-{at}"), key=f"other-{at}"), at=at)
        assert desk.send(at=at) == []
    desk.take(lost(), at=10)
    assert desk.names(at=10) == [["server.lost"]]
    [digest] = desk.send(at=3601)
    assert digest.count == 10 and digest.held
    assert desk.send(at=3700) == [] and not desk.notices.outbox


def test_no_more_messages_than_the_limit_and_the_rest_as_one() -> None:
    desk = Desk(wants("group_by: [key]", "limits: {minute: 2, hour: 4}"))
    for at in range(10):
        desk.take(failed(f"job-{at}"), at=at).send(at=at)
    assert [each.count for each in desk.sent] == [1, 1]
    desk.send(at=60)
    assert desk.sent[-1].count == 8 and desk.sent[-1].held
    for at in range(100, 3500, 100):
        desk.take(failed(f"late-{at}"), at=at).send(at=at)
    assert len(desk.sent) == 4, "the hour's limit"
    desk.send(at=3600)
    assert len(desk.sent) == 5 and sum(each.count for each in desk.sent) == 44


def test_limits_are_counted_by_the_clocks_minute_and_hour() -> None:
    wanted = wants("", "limits: {minute: 1, hour: 2}").limits
    first = spend(None, NOON)
    assert not has_room(first, wanted, after(59)) and has_room(first, wanted, after(60))
    second = spend(first, after(60))
    assert not has_room(second, wanted, after(3599)) and has_room(second, wanted, after(3600))


def test_a_clock_that_jumps_back_holds_nothing_for_long() -> None:
    desk = Desk(wants()).take(failed(), at=30 * 86400)
    assert desk.names(at=0) == [["job.failed"]]


def test_ten_thousand_events_end_in_few_messages_and_a_bounded_document() -> None:
    desk = Desk(wants("group_by: [key]", "limits: {minute: 1, hour: 2}"))
    for start in range(0, 10_000, 1000):
        desk.take(
            *(failed(f"job-{number}" * 5, number) for number in range(start, start + 1000)), at=start / 100
        )
        desk.send(at=start / 100)
        assert len(encode(desk.notices)) < 900_000
    for at in range(100, 8000, 60):
        desk.send(at=at)
    assert len(desk.sent) <= 4
    assert sum(each.count for each in desk.sent) == 10_000 and not desk.notices.outbox


def test_many_groups_of_many_events_end_in_a_bounded_document_too() -> None:
    desk = Desk(wants("group_by: [job], dedup: 0", "quiet: {start: '11:00', end: '13:00'}"))
    for turn in range(30):
        names = (f"{number:03}" + "x" * 60 for number in range(400))
        desk.take(*(failed(name, text="y" * 300) for name in names), at=turn)
    assert len(encode(desk.notices)) < 900_000
    assert sum(each.count for each in desk.notices.outbox.values()) == 12_000


def test_escalation_goes_on_until_somebody_takes_it_on() -> None:
    desk = Desk(wants("escalate: [{after: 10m, to: [boss]}, {after: 1h}]"))
    desk.take(failed())
    told = [(at, each.channel, each.step) for at in range(0, 8000, 60) for each in desk.send(at=at)]
    assert told == [(0, "ops", 0), (600, "boss", 1), (3600, "ops", 2)]
    ends = desk.take(fixed(), at=8000).send(at=8000)
    assert {each.channel for each in ends} == {"ops", "boss"}, "who heard of it hears that it is over"
    calm = Desk(desk.config).take(failed())
    calm.send()
    alert = replace(calm.notices.alerts["job:wheel"], acked_by="you")
    calm.notices = replace(calm.notices, alerts={"job:wheel": alert})
    assert [each for at in range(0, 8000, 60) for each in calm.send(at=at)] == []


def test_escalation_waits_for_the_end_of_a_silence_and_of_quiet_hours() -> None:
    desk = Desk(wants("escalate: [{after: 10m, to: [boss]}]", "quiet: {start: '12:05', end: '13:00'}"))
    desk.take(failed()).send()
    silence = Silence(events=("job.*",), until=after(1800), by="x", reason="y")
    desk.notices = replace(desk.notices, silences={"s1": silence})
    told = [(at, each.channel) for at in range(0, 8000, 600) for each in desk.send(at=at)]
    assert told == [(3600, "boss")]


def test_escalation_does_not_come_at_once_where_the_next_steward_has_an_earlier_time() -> None:
    desk = Desk(wants("escalate: [{after: 10m, to: [boss]}]")).take(failed())
    desk.send()
    assert desk.send(at=-20) == []


def test_where_no_channel_works_escalation_counts_from_the_beginning() -> None:
    desk = Desk(wants("escalate: [{after: 10m, to: [boss]}]")).take(failed())
    told = []
    for at in range(0, 1000, 60):
        channels = [each.channel for each in due(desk.notices, desk.config, after(at))]
        told += [
            (at, each.channel) for each in desk.send(at=at, fails="is down" if channels != ["boss"] else "")
        ]
    assert (600, "boss") in told or (660, "boss") in told


# -- failures


def test_a_channel_that_fails_is_tried_later_and_later_then_given_up_with_a_record() -> None:
    desk = Desk(wants("", "give_up_after: 1h")).take(failed())
    tries = [at for at in range(0, 10_000, 10) if desk.send(at=at, fails="answers 429")]
    assert tries == [0, 30, 90, 210, 450, 930, 1890, 3810]
    assert not desk.notices.outbox
    [given_up] = desk.notices.history
    assert (given_up.failed, given_up.tries, given_up.count) == ("answers 429", 8, 1)
    assert desk.notices.troubles["ops"].failures == 8


def test_what_gathered_while_a_channel_failed_comes_as_one() -> None:
    desk = Desk(wants()).take(failed("a"))
    desk.send(fails="is down")
    desk.take(failed("b"), lost(), at=5)
    assert desk.send(at=29) == []
    [message] = desk.send(at=95)
    assert message.count == 3 and not desk.notices.troubles


def test_of_several_addresses_only_those_that_failed_are_tried_again() -> None:
    two = (
        "channels: {ops: {urls: ['json://a', 'json://b']}}\nroutes: [{name: all, to: [ops], group_wait: 0}]\n"
    )
    desk = Desk(read_notifications(two.encode(), "f")).take(failed())
    desk.send(fails="is down", urls=(1,))
    state = State(tip="", head=Head(format=1, hub=""), notices=desk.notices, notifications=desk.config)
    assert unheard(state) == [
        "channel ops does not work since 2026-11-20T12:00:00Z: address 2 did not take 1 event"
    ]
    assert describe_deliveries(desk.notices)[-1]["reason"] == "address 2 did not take it"
    assert desk.notices.sent == 1 and not desk.notices.troubles
    assert desk.send(at=29) == []
    assert [each.urls for each in desk.send(at=30, fails="is down", urls=(1,))] == [(1,)]
    assert [each.urls for each in desk.send(at=90)] == [(1,)]
    assert not desk.notices.outbox and desk.notices.history[-1].failed == ""


def test_where_people_took_out_the_address_that_failed_the_others_hear_nothing_again() -> None:
    one = "channels: {ops: {urls: 'json://a'}}\nroutes: [{name: all, to: [ops], group_wait: 0}]\n"
    desk = Desk(read_notifications(one.replace("'json://a'", "['json://a', 'json://b']").encode(), "f"))
    desk.take(failed()).send(fails="is down", urls=(1,))
    desk.config = read_notifications(one.encode(), "f")
    assert desk.send(at=60) == [] and not desk.notices.outbox


def test_an_address_that_is_dead_for_long_costs_the_others_nothing_and_the_document_little() -> None:
    two = "channels: {ops: {urls: ['json://a', 'json://b'], limits: {minute: 1000, hour: 10000}}}\n"
    desk = Desk(read_notifications((two + "routes: [{name: all, to: [ops], group_wait: 0}]\n").encode(), "f"))
    got = 0
    for at in range(300):
        for each in desk.take(failed(f"job-{at}"), at=at * 20).send(at=at * 20, fails="is down", urls=(1,)):
            got += each.count if 0 in each.urls else 0
    assert got == 300 and len(desk.notices.outbox) == 1


def test_a_full_outbox_keeps_what_cannot_wait_apart_from_what_does() -> None:
    desk = Desk(wants("group_by: [key]", "quiet: {start: '11:00', end: '13:00'}"))
    desk.take(*(failed(f"job-{number}") for number in range(200)), lost())
    assert desk.names() == [["server.lost"]]


def test_what_comes_while_a_message_is_under_way_is_another_message() -> None:
    desk = Desk(wants("group_by: [event]")).take(failed("a"))
    [message] = due(desk.notices, desk.config, NOON)
    desk.take(failed("b"))
    outcome = Outcome(channel="ops", parcels=dict(message.parcels), urls=message.urls, title="t")
    desk.notices = settled(desk.notices, outcome, desk.config, "s1", NOON)
    desk.notices = settled(desk.notices, outcome, desk.config, "s2", NOON)  # another one says the same late
    [rest] = desk.notices.outbox.values()
    assert [each.job for each in rest.events] == ["b"] and rest.count == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no such channel any more"),
        ("channels: {ops: {urls: 'json://a', enabled: false}}", "the channel is off"),
    ],
)
def test_a_channel_that_is_gone_holds_nothing_and_what_waited_for_it_is_not_lost_unseen(
    text: str, why: str
) -> None:
    desk = Desk(wants()).take(failed("a"), failed("b"))
    desk.config = read_notifications(text.encode(), "f")
    assert desk.send() == [] and not desk.notices.outbox
    assert [(each.failed, each.count) for each in desk.notices.history] == [(why, 2)]


# -- words


def said(text: str, *events: Event, **more: object) -> tuple[str, str]:
    wanted = read_notifications(f"channels: {{ops: {{urls: 'json://localhost', {text}}}}}".encode(), "f")
    message = Message(
        channel="ops",
        parcels={},
        routes=("r",),
        events=events or (failed(),),
        count=len(events) or 1,
        urls=(0,),
    )
    return worded(replace(message, **more), wanted.channels["ops"], "net")


def test_a_message_says_what_happened_and_how_to_take_it_on() -> None:
    title, body = said("format: text")
    assert title == "[net] high: job.failed: #1 wheel: failure"
    assert body.endswith("to take it on: bnet notify ack job:wheel")
    assert (
        said("format: text", lost(), failed(), held=True)[0]
        == "[net] critical: 2 events: job.failed, server.lost"
    )


@pytest.mark.parametrize(
    ("channel", "title", "body"),
    [
        (
            'title: "{{ event }} of {{ job }}", body: "{{ priority }} {{ number }}"',
            "job.failed of wheel",
            "high 1",
        ),
        ('body: "{% for each in lines %}{{ loop.index }} {% endfor %}"', None, "1 "),
        ('format: html, body: "<b>{{ text }}</b>"', None, "<b>#1 wheel: failure</b>"),
    ],
)
def test_a_channel_has_words_of_its_own(channel: str, title: str | None, body: str) -> None:
    told = said(channel)
    assert told[1] == body and title in (None, told[0])


def test_what_people_wrote_is_shown_escaped() -> None:
    nasty = failed("<b>x</b>", text="#1 <script>alert(1)</script> \x1b[2J\nBcc: you")
    title, body = said("format: html", nasty)
    assert "<script>" not in body and "\x1b" not in title + body and "\n" not in title
    assert "<script>" not in said('format: html, body: "{{ text }} {{ lines | join }}"', nasty)[1]
    # Where a service knows no titles, the title becomes a part of the body; where it does, it is shown as it is.
    for channel in ("format: html", 'format: html, title: "{{ text }} & more"'):
        told, _ = said(channel, nasty)
        assert "<" not in told and "&lt;" not in told and "script" in told


def test_a_label_without_a_value_previews_nothing() -> None:
    done = CliRunner().invoke(preview, ["job.failed", "--label", "linux"])
    assert done.exit_code == 2 and "'linux' is no NAME=VALUE" in done.output


@pytest.mark.parametrize(
    "template", ["{{ nothing }}", "{{ text.__class__ }}", "{% for x in 5 %}{% endfor %}", "{{ "]
)
def test_a_template_that_is_none_is_refused_in_the_file(template: str) -> None:
    with pytest.raises(Invalid, match="body"):
        said(f'body: "{template}"')
