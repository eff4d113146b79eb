"""Reports: their file, the periods that they compare, their figures, and what is shown of these."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bnet import scaffold
from bnet.codec.documents import Unreadable, decode
from bnet.codec.reports import read_reports
from bnet.errors import Invalid
from bnet.model.history import Brought, Past, Stint
from bnet.model.report import FORMATS, Figures, ReportFormat, ReportKind, Reports
from bnet.model.server import Server
from bnet.report import pdf as pdfs
from bnet.report.facts import Facts
from bnet.report.formats import parcel, rendered
from bnet.report.measure import measured
from bnet.report.pdf import NoPdf
from bnet.report.periods import EARLIEST, edges, moment_in
from bnet.report.words import percent

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EVIL = "<script>alert(1)</script>\x1b[31m|*=é\u4e2d\u202e"


# -- the file


def test_the_example_asks_for_nothing_and_is_right_once_it_is_uncommented() -> None:
    text = (scaffold.root() / "coordination/reports.yaml").read_text()
    assert read_reports(text.encode(), "reports.yaml") == Reports()
    lines = [line[2:] for line in text.splitlines()[1:] if re.match(r"# ([\w-]+:|  )", line)]
    assert set(read_reports("\n".join(lines).encode(), "reports.yaml").reports) == {"daily", "nightly-builds"}


@pytest.mark.parametrize(
    ("text", "line", "field", "said"),
    [
        ("- daily", 1, None, "must be a mapping from names to reports"),
        ("Daily: {}", 1, "Daily", "no name of a report"),
        ("list: {}", 1, "list", "cannot be called so"),
        ("daily: 6", 1, "daily", "must be a mapping"),
        ("daily:\n  crom: '0 6 * * *'", 2, "daily.crom", "did you mean cron?"),
        ("daily:\n  cron: 0 25 * * *", 2, "daily.cron", "no hour"),
        ("daily:\n  cron: '@daily'\n  timezone: Mars/Base", 3, "daily.timezone", "no time zone"),
        ("daily: {period: fortnight}", 1, "daily.period", "write day, week or month, or a span"),
        ("daily: {period: 5s}", 1, "daily.period", "between a minute and 366 days"),
        ("daily: {kind: full}", 1, "daily.kind", "none of"),
        ("daily: {attach: [doc], cron: '@daily'}", 1, "daily.attach[0]", "none of"),
        ("daily: {deliver: [ops]}", 1, "daily.deliver", "no `cron` says when"),
        ("daily: {keep: 0}", 1, "daily.keep", "at least 1"),
        ("\n".join(f"r{n}: {{}}" for n in range(51)), None, None, "at most 50"),
        ("{", None, None, "no valid YAML"),
    ],
)
def test_what_is_wrong_in_it_is_named(text: str, line: int | None, field: str | None, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_reports(text.encode(), "reports.yaml")
    assert said in str(caught.value)
    assert line is None or caught.value.line == line
    assert field is None or caught.value.field == field


def test_one_of_a_usual_name_begins_as_that_one_is() -> None:
    found = read_reports(b"weekly:\nmonthly: {kind: summary}\n", "reports.yaml").reports
    assert (found["weekly"].report.period, found["weekly"].report.kind) == ("week", "detailed")
    assert (found["monthly"].report.period, found["monthly"].report.kind) == ("month", "summary")


# -- periods


@pytest.mark.parametrize(
    ("end", "period", "zone", "begins"),
    [
        ("2026-11-20T12:00Z", "day", "UTC", ["2026-11-19T12:00Z", "2026-11-18T12:00Z"]),
        ("2026-11-20T12:00Z", "week", "UTC", ["2026-11-13T12:00Z", "2026-11-06T12:00Z"]),
        (
            "2026-05-31T00:00Z",
            "month",
            "UTC",
            ["2026-04-30T00:00Z", "2026-03-31T00:00Z", "2026-02-28T00:00Z"],
        ),
        ("2026-10-26T05:00Z", "day", "Europe/Berlin", ["2026-10-25T05:00Z", "2026-10-24T04:00Z"]),
        ("2026-03-30T00:30Z", "day", "Europe/Berlin", ["2026-03-29T01:00Z", "2026-03-28T01:30Z"]),
    ],
)
def test_a_period_begins_where_the_clocks_showed_the_same(
    end: str, period: str, zone: str, begins: list[str]
) -> None:
    found = edges(datetime.fromisoformat(end), period, None, zone)
    assert list(reversed(found[:-1]))[: len(begins)] == [datetime.fromisoformat(each) for each in begins]


def test_a_period_before_all_times_begins_with_them() -> None:
    assert edges(datetime(1971, 1, 2, tzinfo=UTC), "month", None, "UTC")[0] == EARLIEST
    assert edges(datetime(1, 1, 2, tzinfo=UTC), "month", None, "UTC")[0] == EARLIEST


@pytest.mark.parametrize(
    ("text", "end", "moment"),
    [
        ("2026-11-20", True, "2026-11-20T23:00Z"),
        ("2026-11-20", False, "2026-11-19T23:00Z"),
        ("2026-11-20T18:30:00Z", True, "2026-11-20T18:30Z"),
        ("2026-11-20T18:30", True, "2026-11-20T17:30Z"),
        ("2026-11-20 18:30+02:00", True, "2026-11-20T16:30Z"),
        ("2d", True, "2026-11-18T12:00Z"),
        ("9999-12-31", True, "9999-12-31T00:00Z"),
    ],
)
def test_a_day_or_a_time_is_meant_by_the_clocks_of_the_report(text: str, end: bool, moment: str) -> None:
    assert moment_in(text, NOW, "Europe/Berlin", end=end) == datetime.fromisoformat(moment)


# -- figures


def job(
    number: int,
    name: str = "unit",
    *,
    ago: float = 1.0,
    result: str = "success",
    seconds: float = 10.0,
    waited: float = 5.0,
    server: str = "s1",
    revision: str = "",
    stints: Sequence[Stint] = (),
    brought: Sequence[Brought] = (),
) -> Past:
    """Return a job that ended so many hours before noon."""
    finished = NOW.timestamp() - ago * 3600
    begun = finished - seconds
    tried = list(stints) or [Stint(server, begun, finished, result, "exit")]
    return Past(
        key=int(finished * 1000) << 20 | number,
        number=number,
        name=name,
        queue="default",
        state="finished",
        result=result,
        reason="exit",
        server=server,
        submitted_by="ann",
        submitted=begun - waited,
        finished=finished,
        seconds=seconds,
        exit_code=0 if result == "success" else 2,
        attempts=len(tried),
        labels="",
        packages="",
        revision=revision,
        begun=begun,
        stints=msgspec.json.encode(tried).decode(),
        brought=msgspec.json.encode(list(brought)).decode() if brought else "",
        built=len(brought),
        cached=sum(each.tier != "full" for each in brought),
    )


def figures(*past: Past, kind: ReportKind = "analytics", network: str = "acme", **servers: int) -> Figures:
    there = {
        name: Server(name=name, instance=name, joined_at=NOW - 99 * DAY, slots=slots)
        for name, slots in (servers or {"s1": 2}).items()
    }
    return measured(
        Facts(
            name="daily",
            kind=kind,
            timezone="UTC",
            network=network,
            by="s1",
            now=NOW,
            edges=edges(NOW, "day", None, "UTC"),
            past=past,
            servers=there,
        )
    )


def test_a_period_is_counted_beside_the_one_before() -> None:
    found = figures(
        *(job(n, seconds=n, waited=n) for n in range(1, 21)),
        job(21, result="failure"),
        job(22, result="cancelled"),
        job(30, ago=30, result="timeout"),
        job(31, ago=30 * 24),
    )
    now, before = found.now, found.earlier[-1]
    assert now.results == {"success": 20, "failure": 1, "cancelled": 1}
    assert now.share == round(20 / 21, 4), "what was cancelled is nobody's failure"
    assert now.took is not None and (now.took.median, now.took.p95, now.took.most) == (10, 19, 20)
    assert now.waited is not None and (now.waited.count, now.waited.most) == (22, 20)
    assert before.results == {"timeout": 1} and before.share == 0.0 and before.took is None
    assert len(found.earlier) == 4 and found.earlier[0].ended == 0
    assert [(each.job, each.seconds) for each in found.slowest[:2]] == [(20, 20), (19, 19)]
    assert [each.job for each in found.failures] == [21]


def test_a_median_is_the_same_figure_wherever_it_stands() -> None:
    found = figures(
        *(job(n, ago=ago, seconds=n) for n, ago in ((10, 1.0), (30, 1.0), (10, 30.0), (30, 30.0)))
    )
    [name] = found.names
    assert name.took is not None and name.took.median == name.median_before == found.slowest[0].usual == 10


def test_a_job_counts_where_it_ended_and_each_edge_belongs_to_the_later_period() -> None:
    found = figures(job(1, ago=0), job(2, ago=24), job(3, ago=24.001))
    assert (found.now.ended, found.earlier[-1].ended) == (1, 1)
    assert [each.job for each in found.slowest] == [2]


def test_slots_count_as_busy_for_as_long_as_attempts_lasted_in_the_period() -> None:
    noon = NOW.timestamp()
    over_the_edge = Stint("s1", noon - 25 * 3600, noon - 23 * 3600, "success")
    lost = Stint("s2", noon - 5 * 3600, noon - 4 * 3600, "error", "lost")
    goes_on = Stint("s1", noon - 3600, None)
    found = figures(
        job(1, ago=23, stints=[over_the_edge]), job(2, ago=3, stints=[lost, goes_on]), s1=2, s2=1, idle=1
    )
    by_name = {each.name: each for each in found.servers}
    assert by_name["s1"].seconds == 2 * 3600 and by_name["s1"].busy == round(2 / 48, 4)
    assert by_name["s2"].seconds == 3600 and by_name["s2"].failed == 1
    assert by_name["idle"].busy == 0.0
    assert found.now.busy == round(3 / 96, 4)
    assert sum(found.course.busy) == pytest.approx(3.0)


def test_a_period_that_is_not_over_counts_slots_as_far_as_it_has_come() -> None:
    goes_on = Stint("s1", NOW.timestamp() - 3600, None)
    facts = Facts(
        name="daily",
        kind="summary",
        timezone="UTC",
        network="acme",
        by="",
        now=NOW,
        edges=edges(NOW + DAY / 2, "day", None, "UTC"),
        past=[job(1, stints=[goes_on])],
        servers={"s1": Server(name="s1", instance="i", joined_at=NOW - 9 * DAY)},
    )
    found = measured(facts)
    assert found.now.busy == found.servers[0].busy == round(1 / 12, 4) and found.servers[0].seconds == 3600
    assert sum(found.course.busy) == pytest.approx(1.0)


def test_a_server_that_joined_lately_has_had_slots_only_since() -> None:
    facts = Facts(
        name="daily",
        kind="summary",
        timezone="UTC",
        network="acme",
        by="",
        now=NOW,
        edges=edges(NOW, "day", None, "UTC"),
        past=[job(1, ago=0.25, seconds=1800)],
        servers={"s1": Server(name="s1", instance="i", joined_at=NOW - timedelta(hours=1))},
    )
    assert measured(facts).now.busy == 0.5


@pytest.mark.parametrize(
    ("past", "told"),
    [
        ([job(1, result="failure", revision="c1", ago=2), job(2, revision="c1")], [("unit", 1, (1, 2))]),
        ([job(1, result="failure", revision="c1", ago=2), job(2, revision="c2")], []),
        ([job(1, revision="c1", ago=2), job(2, result="failure", revision="c1")], []),
        ([job(1, result="failure", ago=2), job(2)], []),
        (
            [
                job(
                    1,
                    stints=[
                        Stint("s1", 1.0, 2.0, "failure", "exit"),
                        Stint("s1", 3.0, 4.0, "success", "exit"),
                    ],
                )
            ],
            [("unit", 1, (1,))],
        ),
        (
            [
                job(
                    1,
                    stints=[Stint("s1", 1.0, 2.0, "error", "lost"), Stint("s1", 3.0, 4.0, "success", "exit")],
                )
            ],
            [],
        ),
    ],
    ids=["one commit", "another commit", "passed first", "no commit", "tried again", "lost"],
)
def test_flaky_is_what_failed_and_then_passed_though_nothing_had_changed(
    past: list[Past], told: list[tuple[str, int, tuple[int, ...]]]
) -> None:
    assert [(each.name, each.failed, each.jobs) for each in figures(*past).flaky] == told


def test_the_cache_spared_what_such_packages_take_less_what_restoring_took() -> None:
    built = [Brought("core", "full", 60.0), Brought("ui", "local", 1.0)]
    found = figures(
        job(1, ago=30, brought=[Brought("core", "full", 40.0), Brought("ui", "incremental", 9.0)]),
        job(2, brought=built),
        job(3, brought=[Brought("core", "remote", 2.0), Brought("new", "local", 1.0)]),
    )
    assert (found.now.packages, found.now.cached) == (4, 3)
    assert found.now.spared == (9 - 1) + (50 - 2), "what was never built here may have spared anything"


# -- what is out of the ordinary


def anomalies(*past: Past, **servers: int) -> list[tuple[str, str]]:
    return [(each.about, each.figure) for each in figures(*past, **servers).anomalies]


def row(first: int, count: int, **more: Any) -> list[Past]:
    return [job(number, **more) for number in range(first, first + count)]


def test_little_is_known_of_a_young_network_and_nothing_said() -> None:
    assert anomalies(*row(1, 50, result="failure"), *row(60, 5, seconds=9999)) == []


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        (row(1, 4, result="failure"), row(10, 12, ago=30), "0 % of 4 jobs succeeded"),
        (row(1, 5) + row(6, 1, result="failure"), row(10, 12, ago=30), ""),
        (row(1, 2, result="failure"), row(10, 12, ago=30), ""),
        (row(1, 1, result="failure") + row(2, 3, result="cancelled"), row(10, 12, ago=30), ""),
        (row(1, 4, result="failure"), row(10, 2, ago=30) + row(20, 9, ago=30, result="skipped"), ""),
        (row(1, 4, seconds=40), row(10, 12, ago=30), "takes 40 s (median of 4)"),
        (row(1, 4, seconds=14), row(10, 12, ago=30), ""),
        (row(1, 4, seconds=40), row(10, 6, ago=30) + row(20, 6, ago=30, seconds=60), ""),
        (row(1, 4, waited=300), row(10, 12, ago=30), "one job in twenty waited 5 min or longer"),
        (row(1, 4, waited=50), row(10, 12, ago=30), ""),
        (row(1, 4, waited=300), row(10, 1, ago=30), ""),
        (row(1, 2), [each for day in range(1, 5) for each in row(10 * day, 9, ago=24 * day + 3)], ""),
        (
            row(1, 2),
            [each for day in range(1, 5) for each in row(20 * day, 12, ago=24 * day + 3)],
            "2 jobs ended",
        ),
        (
            row(1, 30),
            [each for day in range(1, 5) for each in row(50 * day, 12, ago=24 * day + 3)],
            "30 jobs ended",
        ),
        (
            row(1, 4, name="other"),
            [each for day in range(1, 5) for each in row(50 * day, 1, ago=24 * day + 3)],
            "no job of this name ended",
        ),
        (row(1, 5, result="failure", server="s2") + row(6, 6), [], "5 of 5 attempts failed there"),
    ],
    ids=[
        *(
            "fails more",
            "fails a little more",
            "fails twice",
            "one failed",
            "one was judged",
            "slower",
            "a little slower",
            "always uneven",
        ),
        *(
            "waits",
            "waits less than a minute",
            "nobody waited before",
            "fewer",
            "many fewer",
            "many more",
            "missing",
            "a server",
        ),
    ],
)
def test_what_is_out_of_the_ordinary_is_named(now: list[Past], before: list[Past], told: str) -> None:
    found = figures(*now, *before, s1=1, s2=1).anomalies
    assert [each.figure for each in found] == ([told] if told else [])
    assert all(each.usual and each.rule for each in found), "each says what is usual, and by what rule"


def test_a_server_that_breaks_everything_is_named_before_all_that_it_broke() -> None:
    names = [f"job-{letter}" for letter in "abcdefghijklmn"]
    before = [each for at, name in enumerate(names) for each in row(100 + 10 * at, 9, name=name, ago=30)]
    bad = [each for at, name in enumerate(names) for each in row(10 + 3 * at, 3, name=name, result="failure")]
    found = anomalies(*before, *bad, *row(1, 6, server="s2", ago=2), s1=1, s2=1)
    assert found[0][0] == "s1" and len(found) == 12


# -- as people read it


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.mark.parametrize("kind", ["summary", "detailed", "analytics"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_report_of_nothing_and_one_of_hostile_texts_come_in_every_format(
    form: ReportFormat, kind: ReportKind
) -> None:
    assert rendered(figures(kind=kind), form)
    past = [job(1, EVIL, result="failure", server=EVIL, revision=EVIL, ago=2), job(2, EVIL, revision=EVIL)]
    made = rendered(figures(*past, kind=kind, network=EVIL), form)
    text = made.decode("latin-1")
    assert "\x1b" not in text or form == "pdf"
    assert "<script>" not in text or form in ("json", "csv")


def test_the_page_needs_nothing_else_and_holds_no_script() -> None:
    page = Page(rendered(figures(job(1, EVIL), network=EVIL), "html").decode())
    assert page.links == [] and "script" not in page.tags and "svg" in page.tags
    assert "<script>alert(1)</script>\\x1b[31m|*=é\u4e2d\\u202e" in page.said


def test_the_csv_is_one_table_of_plain_figures_and_no_formula() -> None:
    past = [job(1, "=cmd()", seconds=1.5), job(2, "=cmd()", seconds=2.5)]
    rows = list(csv.reader(io.StringIO(rendered(figures(*past), "csv").decode())))
    assert rows[0] == ["section", "row", "figure", "value"] and {len(each) for each in rows} == {4}
    assert ["By name", "'=cmd()", "Median", "1.5"] in rows
    assert ["At a glance", "succeeded", "This period", "1.0"] in rows
    assert not any(cell.startswith("=") for each in rows for cell in each)


def test_the_json_is_the_figures_themselves() -> None:
    made = figures(job(1, brought=[Brought("core", "full", 2.0)]))
    assert decode(Figures, rendered(made, "json")) == made


def test_a_kept_report_of_elsewhere_can_be_shown_or_is_no_report() -> None:
    made = figures(job(1))
    abroad = msgspec.structs.replace(made, timezone="Mars/Base")
    assert b"(UTC)" in rendered(abroad, "markdown")
    with pytest.raises(Unreadable, match="each step needs all of its figures"):
        decode(Figures, rendered(made, "json").replace(b'"badly": [', b'"badly": [1,'))


def test_markdown_takes_no_sign_of_a_name_for_its_own() -> None:
    assert "| a\\|b\\*\\_ | 1 |" in rendered(figures(job(1, "a|b*_")), "markdown").decode()


def test_without_fpdf2_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    with pytest.raises(NoPdf, match="fpdf2") as caught:
        rendered(figures(), "pdf")
    assert "bnet[pdf]" in (caught.value.hint or "")


def test_a_network_of_another_script_is_named_in_it_where_this_machine_has_a_font(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    font = next((Path(each) for each in pdfs.FONTS if Path(each).is_file()), None)
    told = [figures(job(1), network=name) for name in ("acme", "Сборка é 漢")]
    if font is not None:
        assert [b"/FontFile2" in rendered(each, "pdf") for each in told] == [False, True]
    monkeypatch.setattr(pdfs, "FONTS", ("/none.ttf",))
    assert b"/FontFile2" not in rendered(told[1], "pdf"), "then it is spelt out"


def test_a_parcel_says_what_matters_and_carries_the_files() -> None:
    made = parcel(figures(job(1), *row(9, 3, ago=30, result="failure")), ("html", "csv"))
    assert made.title == "acme: daily report, 2026-11-19 12:00 to 2026-11-20 12:00 (UTC)"
    assert made.body.startswith("1 job ended, 100 % of those that passed or failed passed; before: 3, 0 %.")
    assert [(each.name, each.kind) for each in made.attachments] == [
        ("daily-2026-11-20.html", "text/html"),
        ("daily-2026-11-20.csv", "text/csv"),
    ]


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100 %"), (0.0, "0 %"), (0.9999, "99.9 %"), (0.0001, "0.1 %"), (0.5, "50 %")]
)
def test_what_is_not_quite_all_is_not_said_to_be(share: float, said: str) -> None:
    assert percent(share) == said
