"""Which firings become jobs: each once, none for the past, and after an absence what the schedule asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.codec.schedules import read_table
from bnet.codec.view import View
from bnet.errors import Invalid
from bnet.model.command import PauseSchedule, ResumeSchedule, Submit
from bnet.model.hub import Head
from bnet.model.schedule import Cursor, Table
from bnet.model.state import KeyFile, State
from bnet.rules import firing, schedules
from bnet.rules.admit import admit
from bnet.rules.agenda import Agenda
from bnet.rules.firing import fire, fired_submissions, next_due
from bnet.rules.jobs import Illegal
from bnet.rules.legal.firings import schedule_faults
from bnet.rules.resubmit import resubmissions
from bnet.rules.specs import Facts, Unresolved
from bnet.rules.transaction import Transaction

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def table(text: str, stem: str = "s") -> Table:
    return replace(
        read_table(text.encode(), f"coordination/schedules/{stem}.yaml", stem), by="ann@example.org"
    )


def one(cron: str = "0 * * * *", **fields: Any) -> str:
    rows = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return f"cron: '{cron}'\nsubmit: {{command: make}}\n{rows}"


class Net:
    """A ledger and a clock; `tick` is what a server does in a sync."""

    def __init__(self, *tables: Table, now: datetime = NOON) -> None:
        self.now = now
        self.agenda = Agenda()
        self.facts = Facts()
        schedules = {each.stem: each for each in tables}
        self.state = State(tip="t", head=Head(format=1, hub="h", next_job=1), schedules=schedules)

    def edit(self, *tables: Table) -> None:
        self.state = replace(self.state, schedules={each.stem: each for each in tables})

    def does(self, *commands: Any) -> None:
        tx = self.begin()
        admit(tx, list(commands), by="bob", facts=Facts())
        self.take(tx)

    def begin(self) -> Transaction:
        return Transaction(self.state, View(), self.now)

    def take(self, tx: Transaction) -> None:
        cursors, keys = dict(self.state.cursors), dict(self.state.keys)
        for path, record in tx.documents.items():
            stem = layout.cursor_file(path)
            if isinstance(record, Cursor) and stem is not None:
                cursors[stem] = record
            elif isinstance(record, KeyFile):
                keys[path] = record
        for path in tx.files:
            cursors.pop(layout.cursor_file(path) or "", None)
        head = replace(self.state.head, seq=tx.seq, next_job=tx.next_job)
        before, fired, rewound = self.state, [], []
        for each in tx.changes:
            if each.verb == "fire":
                fired.append((each.target, str(each.fields["at"]), str(each.fields["zone"])))
            if "rewound" in each.fields:
                rewound.append(each.target)
        self.state = replace(self.state, cursors=cursors, keys=keys, jobs=tx.jobs, head=head)
        assert list(schedule_faults(before, self.state, fired, rewound)) == [], "the audit agrees"

    def tick(self, now: datetime | None = None) -> list[str]:
        """Let a server sync at a time, and return what happened."""
        self.now = now or self.now
        tx = self.begin()
        fire(tx, self.agenda, self.facts)
        assert not tx.documents or tx.changes, "a document alone would not be written"
        self.take(tx)
        return [f"{each.verb} {each.target} {each.fields.get('at', '')}".strip() for each in tx.changes]

    def fires(self, now: datetime) -> list[str]:
        """Let a server sync, and return the times on the wall that became jobs."""
        return [each.rpartition(" ")[2] for each in self.tick(now) if each.startswith("fire")]


def begun(*tables: Table) -> Net:
    net = Net(*tables)
    net.tick()
    return net


# -- once each


def test_each_firing_becomes_a_job_once_whoever_looks_and_how_often() -> None:
    net = begun(table(one()))
    assert net.fires(NOON + HOUR - timedelta(seconds=1)) == []
    assert net.fires(NOON + HOUR) == ["2026-11-20T13:00"]
    assert net.fires(NOON + HOUR) == []
    assert net.fires(NOON + 1.5 * HOUR) == []
    assert net.fires(NOON + 2 * HOUR + timedelta(seconds=40)) == ["2026-11-20T14:00"]
    assert [job.spec.name for job in net.state.jobs.values()] == ["s", "s"]


def test_its_job_says_whose_it_is_and_for_when() -> None:
    net = begun(table(one()))
    net.tick(NOON + HOUR + timedelta(seconds=5))
    [job] = net.state.jobs.values()
    assert job.spec.submitted_by == "ann@example.org", "who wrote the file: servers accept jobs by submitter"
    assert job.spec.key == "schedule:s:2026-11-20T13:00@UTC"
    assert job.spec.env == {"BNET_SCHEDULE": "s", "BNET_SCHEDULED_AT": "2026-11-20T13:00:00Z"}


def test_nothing_is_fired_twice_after_a_cursor_was_set_back() -> None:
    net = begun(table(one(missed="all")))
    old = net.state.cursors
    net.tick(NOON + HOUR)
    net.state = replace(net.state, cursors=old)
    assert net.fires(NOON + HOUR) == ["2026-11-20T13:00"], "it is decided again"
    assert len(net.state.jobs) == 1, "and is the job that it was"


def test_where_nothing_is_due_nothing_is_written() -> None:
    net = begun(table(one()), table(one("0 0 1 1 *"), "yearly"))
    assert net.tick(NOON + timedelta(minutes=59)) == []


# -- nothing for the past


def test_a_new_schedule_does_not_fire_for_the_past() -> None:
    net = Net(table(one(missed="all", missed_within="30d")))
    assert net.tick() == ["schedule s"]
    assert net.fires(NOON + HOUR) == ["2026-11-20T13:00"]


def test_an_edited_schedule_does_not_fire_for_the_past_and_the_others_of_its_file_do() -> None:
    both = "a: {cron: 0 * * * *, submit: {command: x}}\nb: {cron: '%s', submit: {command: %s}}\n"
    net = begun(table(both % ("0 * * * *", "x")))
    net.edit(table(both % ("30 * * * *", "x")))
    assert net.tick(NOON + HOUR) == ["submit #1", "fire s/a 2026-11-20T13:00", "schedule s"]
    assert net.fires(NOON + 1.5 * HOUR) == ["2026-11-20T13:30"]
    net.edit(table(both % ("30 * * * *", "y")))
    assert net.fires(NOON + 2.5 * HOUR) == ["2026-11-20T14:00", "2026-11-20T14:30"], (
        "only its command is another"
    )


def test_a_resumed_schedule_does_not_fire_for_the_past() -> None:
    net = begun(table(one(missed="all")))
    net.does(PauseSchedule(schedule="s", reason="disk"))
    assert net.fires(NOON + HOUR) == []
    assert net.state.cursors["s"].paused["s"].reason == "disk"
    net.now = NOON + 3 * HOUR
    net.does(ResumeSchedule(schedule="s"))
    assert net.fires(NOON + 3 * HOUR) == []
    assert net.fires(NOON + 4 * HOUR) == ["2026-11-20T16:00"]


def test_one_that_its_file_pauses_does_not_fire_nor_for_the_past_afterwards() -> None:
    net = begun(table(one(missed="all", paused="why")))
    assert net.fires(NOON + HOUR) == []
    with pytest.raises(Illegal, match=r"is paused in coordination/schedules/s\.yaml"):
        net.does(ResumeSchedule(schedule="s"))
    net.edit(table(one(missed="all")))
    assert net.fires(NOON + 2 * HOUR) == []
    assert net.fires(NOON + 3 * HOUR) == ["2026-11-20T15:00"]


def test_a_file_that_is_gone_and_comes_back_is_new() -> None:
    net = begun(table(one(missed="all")))
    net.edit()
    assert net.tick(NOON + HOUR) == ["unschedule s"]
    assert net.state.cursors == {}
    net.edit(table(one(missed="all")))
    assert net.fires(NOON + 3 * HOUR) == []


# -- none awake for a day


@pytest.mark.parametrize(
    ("fields", "fired"),
    [
        ({"missed": "skip"}, []),
        ({"missed": "once"}, ["2026-11-21T12:00"]),
        ({"missed": "once", "missed_within": "20m"}, []),
        ({"missed": "all"}, [f"2026-11-{20 + h // 24}T{h % 24:02}:00" for h in range(13, 37)]),
        ({"missed": "all", "missed_within": "2h"}, ["2026-11-21T11:00", "2026-11-21T12:00"]),
    ],
)
def test_after_a_day_without_servers(fields: dict[str, str], fired: list[str]) -> None:
    net = begun(table(one(**fields)))
    woken = NOON + DAY + timedelta(minutes=30)
    assert net.fires(woken) == fired
    assert net.tick(woken) == [], "what was passed over is over"
    assert net.fires(NOON + DAY + HOUR) == ["2026-11-21T13:00"]


def test_one_that_comes_on_time_stands_for_those_before_it() -> None:
    for missed, count in (("skip", 1), ("once", 1), ("all", 24)):
        net = begun(table(one(missed=missed)))
        assert len(net.fires(NOON + DAY)) == count


def test_a_yearly_one_that_is_too_late_is_passed_over_once() -> None:
    net = begun(table(one("0 0 1 12 *")))
    late = datetime(2026, 12, 5, tzinfo=UTC)
    assert net.tick(late) == ["miss s"]
    assert net.tick(late) == []
    assert next_due(net.state, net.agenda) == datetime(2027, 12, 1, tzinfo=UTC).timestamp()


def test_what_is_made_up_for_has_a_bound() -> None:
    net = begun(table(one("* * * * *", missed="all")))
    assert len(net.fires(NOON + DAY)) == firing.MOST_MADE_UP


# -- clocks


def test_a_clock_that_was_a_year_ahead_does_not_skip_a_year() -> None:
    net = begun(table(one(missed="all")))
    net.tick(NOON + 365 * DAY)
    fired = len(net.state.jobs)
    assert "schedule s" in net.tick(NOON + timedelta(minutes=30)), "the cursor is set back"
    assert len(net.state.jobs) == fired, "and nothing fires for the past"
    assert net.fires(NOON + HOUR) == ["2026-11-20T13:00"]


def test_a_clock_that_was_years_behind_repeats_nothing() -> None:
    net = begun(table(one(missed="all")))
    net.fires(NOON + HOUR)
    net.tick(datetime(1971, 1, 1, tzinfo=UTC))
    net.tick(NOON + HOUR + timedelta(minutes=5))
    keys = [job.spec.key for job in net.state.jobs.values()]
    assert keys.count("schedule:s:2026-11-20T13:00@UTC") == 1


def test_clocks_that_differ_by_minutes_are_no_matter() -> None:
    net = begun(table(one()))
    assert net.fires(NOON + HOUR + timedelta(minutes=4)) == ["2026-11-20T13:00"]
    assert net.tick(NOON + HOUR - timedelta(minutes=4)) == []
    assert net.tick(NOON + HOUR) == []


def test_an_edit_that_a_clock_behind_takes_in_sets_nothing_back() -> None:
    net = begun(table(one()))
    assert net.fires(NOON + HOUR + timedelta(minutes=2)) == ["2026-11-20T13:00"]
    net.edit(table(one(timezone="Europe/Berlin")))
    net.tick(NOON + HOUR)  # `take` asks the audit
    assert net.state.cursors["s"].until == NOON + HOUR + timedelta(minutes=2)


# -- keys


FIRING = "schedule:s:2026-11-20T13:00@UTC"
OWN = {"BNET_SCHEDULE": "s", "BNET_SCHEDULED_AT": "2026-11-20T13:00:00Z"}


@pytest.mark.parametrize(
    ("key", "env"),
    [
        ("schedule:", {}),
        (FIRING, {}),
        (FIRING, OWN),  # of the next hour
        (FIRING, OWN | {"BNET_SCHEDULED_AT": "2026-11-20T11:00:00Z"}),
        (FIRING, OWN | {"BNET_SCHEDULED_AT": "2026-11-20T11:00:00"}),
        ("schedule:s:2026-11-20T11:00@Mars/Base", OWN | {"BNET_SCHEDULED_AT": "2026-11-20T11:00:00Z"}),
        ("schedule:s\x1b[31m", OWN | {"BNET_SCHEDULED_AT": "9999"}),
    ],
)
def test_nobody_takes_the_place_of_a_firing(key: str, env: dict[str, str | int | float]) -> None:
    net = begun(table(one()))
    with pytest.raises(Illegal, match=r"the key schedule:\S* is one of schedules") as caught:
        net.does(Submit(command="true", key=key, env=env))
    assert caught.value.message.isprintable()
    assert net.fires(NOON + HOUR) == ["2026-11-20T13:00"]
    [job] = net.state.jobs.values()
    assert job.spec.submitted_by == "ann@example.org"


def test_a_firing_that_an_adopted_hub_has_lost_is_asked_for_again_under_its_key() -> None:
    net = begun(table(one()))
    net.fires(NOON + HOUR)
    [again] = resubmissions(list(net.state.jobs.values()), {}, "adopt")
    fresh = begun(table(one()))
    fresh.now = NOON + HOUR
    fresh.does(again)
    fresh.fires(NOON + HOUR)
    assert [job.spec.key for job in fresh.state.jobs.values()] == [FIRING]


def test_the_matrix_of_a_firing_that_an_adopted_hub_has_lost_is_made_once() -> None:
    rows = "cron: '0 * * * *'\nsubmit: {command: make, matrix: {cc: [gcc, clang]}}\n"
    net = begun(table(rows))
    net.fires(NOON + HOUR)
    again = resubmissions(list(net.state.jobs.values()), {}, "adopt")
    for fires_first in (False, True):
        fresh = begun(table(rows))
        fresh.now = NOON + HOUR
        if fires_first:
            fresh.fires(NOON + HOUR)
        fresh.does(*again)
        fresh.fires(NOON + HOUR)
        assert [job.spec.env["BNET_MATRIX_CC"] for job in fresh.state.jobs.values()] == ["gcc", "clang"]


# -- spread, and many at once


def test_spread_delays_by_the_name_and_always_alike() -> None:
    rows = "".join(f"n{i}: {{cron: '0 * * * *', spread: 10m, submit: {{command: x}}}}\n" for i in range(50))
    entries = table(rows).entries.values()
    delays = [each.delay for each in entries]
    assert min(delays) < 100 and max(delays) > 500 and len(set(delays)) > 40 and max(delays) < 600
    net = begun(table(rows))
    net.fires(NOON + timedelta(minutes=30))
    at_once = len(net.fires(NOON + HOUR))
    assert at_once == delays.count(0)
    assert len(net.fires(NOON + HOUR + timedelta(minutes=5))) == sum(0 < each <= 300 for each in delays)
    assert len(net.fires(NOON + HOUR + timedelta(minutes=10))) == sum(each > 300 for each in delays)


def test_more_than_fit_into_a_transaction_go_into_the_next_and_are_not_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(firing, "MOST_FIRED", 7)
    rows = "".join(
        f"n{i:02}: {{cron: '0 * * * *', missed: skip, submit: {{command: x}}}}\n" for i in range(10)
    )
    net = begun(table(rows, "a"), table(rows, "b"))
    counts = [len(net.fires(NOON + HOUR + minutes * timedelta(minutes=9))) for minutes in range(5)]
    assert counts == [7, 7, 6, 0, 0]
    assert len({job.spec.key for job in net.state.jobs.values()}) == 20
    assert next_due(net.state, net.agenda) == (NOON + 2 * HOUR).timestamp()


# -- what cannot become a job


WITH_SOURCE = "cron: 0 * * * *\nsubmit: {command: make, source: 'https://example.org/x.git@main'}\n"
PAIR = ("https://example.org/x.git", "main")


def test_a_firing_whose_repository_is_silent_waits_and_comes_once_it_answers() -> None:
    net = begun(table(WITH_SOURCE))
    net.facts = Facts(commits={PAIR: Unresolved("no answer", again=True)})
    assert net.tick(NOON + HOUR) == ["wait s 2026-11-20T13:00"]
    assert next_due(net.state, net.agenda) is None
    assert net.tick(NOON + HOUR) == []
    assert [each.command for each in fired_submissions(net.state, net.agenda, net.now)] == ["make"]
    net.facts = Facts(commits={PAIR: "1" * 40})
    assert net.fires(NOON + 2 * HOUR) == ["2026-11-20T13:00", "2026-11-20T14:00"]
    assert not net.state.cursors["s"].owed


def test_one_that_waited_too_long_is_told_and_given_up() -> None:
    net = begun(table(WITH_SOURCE + "missed: skip\nmissed_within: 1h\n"))
    net.facts = Facts(commits={PAIR: Unresolved("no answer", again=True)})
    net.tick(NOON + HOUR)
    net.tick(NOON + 2 * HOUR + timedelta(minutes=1))
    assert "does not answer: no answer" in net.state.cursors["s"].trouble["s"].reason
    assert net.state.cursors["s"].owed == {"s": (NOON + 2 * HOUR,)}


def test_one_that_cannot_become_a_job_is_told_and_harms_no_other() -> None:
    bad = "a: {cron: 0 * * * *, submit: {command: x, needs: [nobody]}}\n"
    net = begun(table(bad + "b: {cron: 0 * * * *, submit: {command: x}}\n"))
    assert net.tick(NOON + HOUR) == ["refuse s/a 2026-11-20T13:00", "submit #1", "fire s/b 2026-11-20T13:00"]
    assert "there is no job named nobody" in net.state.cursors["s"].trouble["s/a"].reason
    net.edit(table(bad.replace("0 *", "30 *") + "b: {cron: 0 * * * *, submit: {command: x}}\n"))
    net.tick(NOON + 2 * HOUR)
    assert net.state.cursors["s"].trouble == {}, "an edit takes the word back"


def test_its_cursor_stays_a_document_that_can_be_read() -> None:
    stem = "s" * 64
    rows = "".join(
        f"n{i:05}{'x' * 10}: {{cron: 0 * * * *, submit: {{command: x, needs: [{'y' * 30}]}}}}\n"
        for i in range(4100)
    )
    net = begun(table(rows, stem))
    for _ in range(6):
        net.tick(NOON + HOUR)
    for name in list(net.state.schedules[stem].entries)[: schedules.MOST_PAUSED]:
        net.does(PauseSchedule(schedule=name, reason="r" * 5000))
    with pytest.raises(Illegal, match="are paused by commands"):
        net.does(PauseSchedule(schedule=f"{stem}/n04000{'x' * 10}"))
    cursor = net.state.cursors[stem]
    assert len(cursor.trouble) == firing.MOST_TROUBLED
    assert len(encode(cursor)) < layout.DOCUMENT_LIMIT
    with pytest.raises(Invalid, match="too many for one file"):
        table(rows + rows.replace("n0", "m0"), stem)


# -- by name


def test_a_schedule_is_named_in_full_or_by_what_is_unique() -> None:
    rows = "a: {cron: 0 * * * *, submit: {command: x}}\n"
    net = begun(table(rows, "one"), table(rows + rows.replace("a:", "b:"), "two"))
    net.does(PauseSchedule(schedule="b"))
    assert list(net.state.cursors["two"].paused) == ["two/b"]
    with pytest.raises(Illegal, match="there are several schedules a: one/a, two/a"):
        net.does(PauseSchedule(schedule="a"))
    with pytest.raises(Illegal, match="there is no schedule c; the schedules are: one/a, two/a, two/b"):
        net.does(PauseSchedule(schedule="c"))
    with pytest.raises(Illegal, match=r"there is no schedule x\\x1b\[31m; "):
        net.does(PauseSchedule(schedule="x\x1b[31m"))
    with pytest.raises(Illegal, match="schedule one/a is not paused"):
        net.does(ResumeSchedule(schedule="one/a"))


# -- the memory of computed times


def test_an_agenda_that_was_kept_knows_the_same_and_a_damaged_one_nothing() -> None:
    net = begun(table(one()))
    due = next_due(net.state, net.agenda)
    kept = Agenda()
    kept.thaw(net.agenda.freeze("2026a"), "2026a")
    assert next_due(net.state, kept) == due == (NOON + HOUR).timestamp()
    assert not kept.moved, "nothing was computed anew"
    broken = Agenda()
    for data in (b"", net.agenda.freeze()[:-1], b"x" * 40, net.agenda.freeze("of an older database")):
        broken.thaw(data)
    assert next_due(net.state, broken) == due
    assert broken.moved
