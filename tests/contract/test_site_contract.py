"""The pages of a network, made from a ledger in memory and on real Git."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pytest
from msgspec.structs import replace
from worlds import Machine, World, claim, finish, in_memory, register, submit

from bnet import scaffold
from bnet.app.history import search
from bnet.app.told.telemetry import AllTold, Chunk, all_told
from bnet.codec.documents import encode
from bnet.host.index import LocalIndex
from bnet.model.artifact import Kept, KeptRun
from bnet.model.command import Submit
from bnet.model.history import Event, Query
from bnet.model.job import BuildReport, Built, Source
from bnet.model.lock import Lock, Stake
from bnet.model.message import Entry
from bnet.model.rollup import Hour, Hours, Spread
from bnet.model.server import Heartbeat
from bnet.model.state import Problem
from bnet.ports.hub import Commit, Update
from bnet.rules import settle
from bnet.rules.admit import admit
from bnet.rules.past import past_of
from bnet.rules.specs import Facts as Known
from bnet.rules.transaction import Transaction
from bnet.sitegen import jobs
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import LIMIT
from bnet.sitegen.site import parts
from bnet.wiring.site import theme_of

EVIL = "<script>alert(1)</script>\x1b[31m\x07\u202eevil\"'&"
THEME = theme_of(scaffold.root() / "site")


class Reading(HTMLParser):
    """What a page holds, as a browser takes it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "br", "hr", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"
        self.said.append(" ")

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.said).split())

    def values(self, name: str) -> list[str]:
        return [
            value or "" for _, attributes in self.tags for key, value in attributes.items() if key == name
        ]


@pytest.fixture
def machine(world: World) -> Machine:
    """Sees one server, a job that succeeded, one that failed, one that runs and one that waits."""
    machine = world.machine("s1")
    machine.ledger.transact(register("s1"))
    machine.ledger.transact(submit("first", "second", "third", "fourth"))
    for number, code in ((1, 0), (2, 3)):
        machine.ledger.transact(claim(number))
        machine.clock.seconds += 60
        machine.ledger.transact(finish(number, code=code))
    machine.ledger.transact(claim(3))
    return machine


def facts_of(machine: Machine, tmp_path: Path, **more: object) -> Facts:
    ledger = machine.ledger
    look = ledger.refresh()
    told = all_told(machine.hub, look, sorted(look.telemetry), AllTold())
    facts = Facts(
        state=ledger.state,
        hub="/srv/hub.git",
        now=machine.clock.now(),
        past=search(ledger, LocalIndex(tmp_path / "history.db"), Query()),
        beats={name: each.heartbeat for name, each in told.servers.items() if each.heartbeat is not None},
        logs={name: each.logs for name, each in told.servers.items()},
    )
    return replace(facts, **more)


def made(facts: Facts, machine: Machine) -> dict[str, str]:
    files: dict[str, str] = {}
    for part in parts(facts, THEME):
        made = part.render(machine.hub.contents(part.needs))
        assert part.name in made or part.name == "assets"
        assert files.keys().isdisjoint(made), "two parts with one file"
        files |= made
    return files


def site_of(machine: Machine, tmp_path: Path, **more: object) -> dict[str, str]:
    return made(facts_of(machine, tmp_path, **more), machine)


def html_of(site: Mapping[str, str]) -> dict[str, Reading]:
    return {path: Reading(text) for path, text in site.items() if path.endswith(".html")}


def telemetry(machine: Machine, files: Mapping[str, bytes], server: str = "s1") -> None:
    commit = Commit(
        parent=None, files=files, message="beat\n", author=server, at=machine.clock.now(), kind="telemetry"
    )
    oid = machine.hub.write([commit])[0]
    assert machine.hub.push([Update(machine.hub.telemetry_ref(server), "", oid)]) is None
    machine.hub.fetch_telemetry([server])


def test_the_overview_says_how_the_network_is(machine: Machine, tmp_path: Path) -> None:
    text = html_of(site_of(machine, tmp_path))["index.html"].text
    assert "1 server, 1 running, 1 waiting" in text
    assert "#3 third on s1" in text
    assert "#4 fourth" in text
    assert "#2 second ✕ failure exit 3" in text


def test_a_hub_with_nothing_on_it_has_a_site(world: World, tmp_path: Path) -> None:
    site = html_of(site_of(world.machine("s1"), tmp_path))
    assert "there is no server yet" in site["index.html"].text
    assert "No job has ended yet" in site["index.html"].text


def check(site: Mapping[str, str]) -> None:
    """Assert what has to hold of every page."""
    assert "index.html" in site
    pages = html_of(site)
    ids = {path: page.values("id") for path, page in pages.items()}
    anchors = {path: set(each) for path, each in ids.items()}
    for path, page in pages.items():
        assert len(site[path].encode()) < LIMIT, path
        assert page.open == [], f"{path} does not close {page.open}"
        assert len(ids[path]) == len(anchors[path]), f"{path}: an id twice"
        for link in page.values("href") + page.values("src"):
            assert "://" not in link and not link.startswith(("/", "javascript:", "data:")), f"{path}: {link}"
            target, _, anchor = link.partition("#")
            there = _joined(PurePosixPath(path).parent, target.partition("?")[0]) if target else path
            assert there in site, f"{path}: {link} leads nowhere"
            # A server that has left is on no page any more; its page is near enough.
            if anchor and not anchor.startswith("server-"):
                assert anchor in anchors[there], f"{path}: {link} leads nowhere"
        names = {name for _, attributes in page.tags for name in attributes}
        assert not {each for each in names if each.startswith("on")} and "style" not in names, path
        assert not any(tag == "style" for tag, _ in page.tags), path
        assert all(attributes.get("src") for tag, attributes in page.tags if tag == "script"), path
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels.count(1) == 1 and levels[0] == 1, f"{path}: {levels}"
        assert all(after - before <= 1 for before, after in pairwise(levels)), f"{path}: {levels}"
        tables = sum(tag == "table" for tag, _ in page.tags)
        assert tables == sum(tag == "caption" for tag, _ in page.tags), f"{path}: a table without caption"


def _joined(here: PurePosixPath, target: str) -> str:
    parts: list[str] = []
    for part in (*here.parts, *PurePosixPath(target).parts):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def test_every_page_is_whole_leads_somewhere_and_asks_nobody(machine: Machine, tmp_path: Path) -> None:
    check(site_of(machine, tmp_path))


@in_memory
def test_what_anybody_wrote_is_shown_and_does_nothing(world: World, tmp_path: Path) -> None:
    machine = world.machine("s1")

    def asked(tx: Transaction) -> None:
        admit(tx, [Submit(command=EVIL, name="evil")], by=EVIL, facts=Known())

    machine.ledger.transact(register("s1"))
    machine.ledger.transact(asked)
    letter = Entry(
        key="2026/11/20/x", sender=EVIL, to=("all",), at=machine.clock.now(), subject=EVIL, thread="x"
    )
    facts = facts_of(machine, tmp_path, letters=[letter])
    state = replace(facts.state, problems=(Problem(path="a\udc80b", message=EVIL),))
    site = made(replace(facts, state=state, hub=EVIL), machine)
    check(site)
    for path, text in site.items():
        if path.endswith(".html"):
            assert "<script>alert" not in text, path
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text), path
    assert "<script>alert(1)</script>\\x1b[31m\\x07\\u202eevil" in html_of(site)["index.html"].text


def test_a_ref_of_telemetry_with_anything_in_it_does_not_stop_the_site(
    machine: Machine, tmp_path: Path
) -> None:
    telemetry(
        machine,
        {
            "heartbeat.json": b"{",
            "runs/0000/1.1/log/000000000000": b"half",
            "runs/0000/1.1/log/x": b"",
            "runs/zzz": b"",
            "runs/0000/2.1/log": b"no directory",
            "runs/0000/9.9/log/000000000007": b"of nobody",
        },
    )
    check(site_of(machine, tmp_path))


def test_nothing_but_the_sign_of_life_and_what_tells_the_time_changes_with_the_time(
    machine: Machine, tmp_path: Path
) -> None:
    before = site_of(machine, tmp_path)
    machine.clock.seconds += 5
    after = site_of(machine, tmp_path)
    changed = {path for path in before if before[path] != after[path]}
    assert {"built.js", "index.html"} <= changed <= {"built.js", "index.html", "jobs/index.html"}


def test_a_page_with_the_same_key_is_the_same_page(machine: Machine, tmp_path: Path) -> None:
    def keyed() -> dict[str, tuple[str, Mapping[str, str]]]:
        found = parts(facts_of(machine, tmp_path), THEME)
        return {
            each.name: (each.key, each.render(machine.hub.contents(each.needs))) for each in found if each.key
        }

    before = keyed()
    machine.ledger.transact(finish(3))
    machine.ledger.transact(submit("fifth"))
    machine.clock.seconds += 86400
    after = keyed()
    for path in before.keys() & after.keys():
        assert before[path][0] != after[path][0] or before[path][1] == after[path][1], path


def test_a_server_that_has_told_its_figures_is_shown_with_them(machine: Machine, tmp_path: Path) -> None:
    beat = Heartbeat(
        server="s1",
        instance="i",
        at=machine.clock.now(),
        boot_id="b",
        nonce="0",
        version="1",
        slots=1,
        metrics={"load1": 1.0, "cores": 4, "memory_percent": 41.5, "disk_percent": None},
    )
    telemetry(machine, {"heartbeat.json": encode(beat)})
    page = html_of(site_of(machine, tmp_path))["index.html"]
    assert "CPU 25 %" in page.text
    assert "Memory 42 %" in page.text


# -- the pages of jobs


def test_a_job_that_has_ended_is_told_with_its_log(machine: Machine, tmp_path: Path) -> None:
    log = b"\x1b[31mred\x1b[0m\n<b>no tag</b>\n"
    telemetry(machine, {"runs/0000/2.1/log/000000000000": log[:7], "runs/0000/2.1/log/000000000007": log[7:]})
    page = html_of(site_of(machine, tmp_path))["jobs/0000/2.html"]
    assert "#2 second ✕ failure exit 3" in page.text
    assert "1 red 2 <b>no tag</b>" in page.text
    assert ("span", {"class": "f1"}) in page.tags
    assert {"L1", "L2"} <= set(page.values("id"))


def test_a_job_that_waits_says_why(machine: Machine, tmp_path: Path) -> None:
    def asked(tx: Transaction) -> None:
        admit(tx, [Submit(command="true", name="elsewhere", labels={"os": "plan9"})], by=EVIL, facts=Known())

    machine.ledger.transact(asked)
    page = html_of(site_of(machine, tmp_path))["jobs/0000/5.html"]
    assert "Why it waits" in page.text
    assert "plan9" in page.text


def test_a_log_of_another_server_for_the_same_run_is_not_taken_for_the_jobs(
    machine: Machine, tmp_path: Path
) -> None:
    telemetry(machine, {"runs/0000/1.1/log/000000000000": b"mine\n"})
    telemetry(machine, {"runs/0000/1.1/log/000000000000": b"a lie\n"}, "s2")
    page = html_of(site_of(machine, tmp_path))["jobs/0000/1.html"]
    assert "mine" in page.text
    assert "a lie" not in page.text


LONG = {
    "many short lines": b"x\n" * 120_000,
    "a line of a million characters": b"<" * 1_000_000,
    "noise": bytes(range(256)) * 1000,
    "colours without end": b"\x1b[1;31;44mx" * 20_000,
    "groups that never end": b"::group::<b>\n&\n" * 9_000,
    "a log without a line end": b"tail",
}


@in_memory
@pytest.mark.parametrize("log", LONG.values(), ids=LONG)
def test_no_page_of_a_log_is_too_large_whatever_is_in_it(world: World, tmp_path: Path, log: bytes) -> None:
    machine = world.machine("s1")
    machine.ledger.transact(submit("first"))
    machine.ledger.transact(claim(1))
    machine.ledger.transact(finish(1))
    telemetry(
        machine,
        {"runs/0000/1.1/log/000000000000": log[:65536], "runs/0000/1.1/log/000000999999": log[65536:]},
    )
    site = site_of(machine, tmp_path)
    check(site)
    for path, text in site.items():
        if path.endswith(".html"):
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", text), path


def test_an_archived_job_keeps_its_page(machine: Machine, tmp_path: Path) -> None:
    machine.ledger.transact(finish(3))
    machine.clock.seconds += 3 * 86400
    machine.ledger.transact(settle.archive)
    assert 2 not in machine.ledger.state.jobs
    page = html_of(site_of(machine, tmp_path))["jobs/0000/2.html"]
    assert "#2 second ✕ failure exit 3" in page.text


def test_a_day_of_many_jobs_is_divided(machine: Machine, tmp_path: Path) -> None:
    facts = facts_of(machine, tmp_path)
    past = next(each for each in facts.past if each.finished)
    wide = replace(
        past, submitted_by="&" * 5000, name="n" * 64, reason="&" * 500, result="error", server="s" * 64
    )
    many = [replace(wide, key=past.key + at) for at in range(1000)]
    found = {}
    for part in jobs.day_parts(facts, THEME, jobs.by_day(replace(facts, past=many))):
        found |= part.render({})
    assert set(found) == {f"jobs/days/2026-11-20{page}.html" for page in ("", ".2", ".3", ".4")}
    assert all(len(text.encode()) < LIMIT for text in found.values())


def test_refs_that_have_not_moved_are_not_read_again(machine: Machine) -> None:
    telemetry(machine, {"runs/0000/1.1/log/000000000000": b"log"})
    look = machine.ledger.refresh()
    first = all_told(machine.hub, look, ["s1", "absent"], AllTold())
    assert list(first.servers) == ["s1"]
    assert all_told(machine.hub, look, ["s1"], first).servers["s1"] is first.servers["s1"]
    older = replace(first, version=first.version - 1)
    assert all_told(machine.hub, look, ["s1"], older).servers["s1"] is not first.servers["s1"]


def test_what_is_known_of_a_job_and_its_log_decides_its_key(machine: Machine, tmp_path: Path) -> None:
    def key(facts: Facts) -> str:
        return next(part.key for part in parts(facts, THEME) if part.name == "jobs/0000/1.html")

    facts = facts_of(machine, tmp_path)
    first = facts.state.jobs[1]
    assert first.result is not None
    other = replace(first, result=replace(first.result, message="another end, on a hub that was set back"))
    changed = {
        "the job": replace(facts, state=replace(facts.state, jobs={**facts.state.jobs, 1: other})),
        "a log": replace(facts, logs={"s1": {"1.1": [Chunk(0, "0" * 40)]}}),
        "more of it": replace(facts, logs={"s1": {"1.1": [Chunk(0, "0" * 40), Chunk(5, "1" * 40)]}}),
        "that of another server": replace(facts, logs={"s2": {"1.1": [Chunk(0, "0" * 40)]}}),
    }
    keys = {name: key(each) for name, each in changed.items()} | {"as it was": key(facts)}
    assert len(set(keys.values())) == len(keys)
    assert key(replace(facts, now=facts.now + timedelta(days=1))) == keys["as it was"]


# -- the other pages


def test_every_page_is_whole_where_there_is_something_of_everything(machine: Machine, tmp_path: Path) -> None:
    facts = facts_of(machine, tmp_path)
    now, state = facts.now, facts.state
    core = Built(name="core", tier="full", seconds=3.0, needs=("ui", EVIL, "gone"))
    ui = Built(name="ui", tier="local", needs=("core",), saved=4.0)
    evil = Built(name=EVIL, tier=EVIL, result="failure", needs=(EVIL,))
    report = BuildReport(total=3, cached=1, failed=1, saved=4.0, packages=(core, evil, ui))
    source = Source(repository=f"https://ann:secret@{EVIL}", ref=EVIL, commit=EVIL)
    first = state.jobs[1]
    assert first.result is not None
    built = replace(
        first, result=replace(first.result, build=report), spec=replace(first.spec, source=source)
    )
    hours = Hours(
        hours=(
            Hour(
                hour=now.replace(minute=0, second=0, microsecond=0),
                disk={EVIL: Spread(mean=1e308, most=-1.0)},
            ),
        )
    )
    telemetry(
        machine, {"metrics/2026-11-20.json": encode(hours), "metrics/2026-11-19.json": b"{", "metrics/x": b""}
    )
    told = all_told(machine.hub, machine.ledger.refresh(), ["s1"], AllTold()).servers["s1"]
    past = [past_of(built) if each.number == 1 else each for each in facts.past]
    run = KeptRun(attempt=1, server="s1", run="r", manifest="0" * 64, count=2, size=5000, place=EVIL)
    kept = Kept(job=1, name="first", at=now, runs=(run,))
    stake = Stake(id="i", by=EVIL, token=1, ttl_s=60.0, at=now, note=EVIL)
    lock = Lock(name="gpu", holders=(stake,), waiters=(replace(stake, id="j"),))
    event = Event(seq=1, commit="0" * 40, at=1e300, actor=EVIL, verb="claim", target="1", fields={"by": EVIL})
    letter = Entry(
        key="2026/11/20/x", sender=EVIL, to=(EVIL,), at=now, subject=EVIL, thread="x", priority="urgent"
    )
    state = replace(state, jobs={**state.jobs, 1: built}, kept={1: kept}, locks={"gpu": lock})
    full = replace(facts, state=state, events=[event], letters=[letter], bodies={"2026/11/20/x": EVIL * 9000})
    full = replace(full, past=past, days={"s1": told.days})
    site = made(full, machine)
    check(site)
    pages = html_of(site)
    assert "core ✓ success full 1 0 % 3.0 s #1" in pages["packages.html"].text
    assert "Day by day" in pages["cache.html"].text
    assert "The last fourteen days" in pages["servers/s1.html"].text
    [commits] = [page for path, page in pages.items() if path.startswith("commits/")]
    assert "first" in commits.text
    assert not [path for path, text in site.items() if "ann:secret" in text]
    assert "#1 first ✓ success 2 5.0 kB" in pages["artifacts.html"].text
    assert "gpu 1 of 1" in pages["locks.html"].text
    assert "claim #1" in pages["audit.html"].text
    assert "urgent" in pages["messages.html"].text
    assert all("<script>alert" not in text for path, text in site.items() if path.endswith(".html"))
