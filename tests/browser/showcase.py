"""A network with something of everything, for looking at its pages: six servers, three trees, a fortnight of jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from showcase_jobs import EVIL, PEOPLE, SERVERS, Jobs
from showcase_servers import beat, days, server

from bnet import scaffold
from bnet.codec.documents import encode
from bnet.codec.reports import read_reports
from bnet.codec.schedules import read_table
from bnet.codec.sources import read_source
from bnet.forges.newfile import new_file
from bnet.host.webroot import Webroot
from bnet.model.artifact import Kept, KeptRun
from bnet.model.environment import Deployment, Standing
from bnet.model.history import Event, Past
from bnet.model.hub import FORMAT, Head, Settings
from bnet.model.job import (
    Job,
)
from bnet.model.lock import Lock, Stake
from bnet.model.message import Ack, Ask, Entry
from bnet.model.state import State
from bnet.report import facts as report
from bnet.report.measure import measured
from bnet.report.periods import edges
from bnet.rules.past import past_of
from bnet.rules.transaction import archive_line
from bnet.schedule.durations import Durations, gathered
from bnet.sitegen.facts import Facts
from bnet.sitegen.site import parts
from bnet.wiring.site import theme_of


class Showcase:
    """Makes the facts; the same ones for the same time."""

    def __init__(self, now: datetime) -> None:
        """Begin at a time."""
        self.now = now
        self.jobs = Jobs(now)
        self.contents = self.jobs.contents

    def facts(self) -> Facts:
        """Return all that the pages are made of."""
        now, jobs = self.now, {job.number: job for job in (*self.jobs.ended(), *self.jobs.open())}
        lately = {
            n: job for n, job in jobs.items() if job.result is None or self._age(job) < timedelta(days=1)
        }
        self.contents["archive"] = b"".join(archive_line(job) for n, job in jobs.items() if n not in lately)
        past = [past_of(job, "" if n in lately else "archive") for n, job in jobs.items()]
        past.sort(key=lambda each: -each.key)
        letters, bodies = self._letters()
        newest = max(lately)
        servers = {name: server(now, name) for name in SERVERS}
        stake = Stake(
            id="i", by="job 12", token=1, ttl_s=300.0, at=now - timedelta(minutes=4), note="one board"
        )
        run = KeptRun(
            attempt=1, server="atlas", run="r", manifest="0" * 64, count=3, size=48_000_000, place="store"
        )
        deployed = Deployment(
            job=newest, commit="0f3a9c1d" * 5, by=PEOPLE[0], at=now - timedelta(hours=5), result="success"
        )
        state = State(
            tip="t",
            head=Head(format=FORMAT, hub="6f1a", seq=4711, next_job=newest + 1),
            settings=Settings(name="workshop"),
            servers=servers,
            jobs=lately,
            locks={"test-board": Lock(name="test-board", holders=(stake,), waiters=(stake,))},
            kept={newest - 9: Kept(job=newest - 9, name="package", at=now, runs=(run,))},
            standings={"production": Standing(name="production", current=deployed, history=(deployed,))},
            asks={letters[0].key: _ask(letters[0])},
            reports=read_reports(REPORTS, "reports.yaml").reports,
            schedules={"nightly": read_table(SCHEDULE, "nightly.yaml", "nightly")},
            sources={"shop": read_source(SOURCE, "shop.yaml", "shop")},
        )
        return Facts(
            state=state,
            hub="https://git.example.org/team/network.git",
            now=now,
            beats={name: beat(now, name) for name in SERVERS if name != "fjord"},
            past=past,
            logs=self.jobs.logs,
            days={name: self._days(name) for name in SERVERS if name != "fjord"},
            durations=gathered(Durations(), jobs.values()),
            letters=letters,
            acks={letters[0].key: [Ack(who="atlas", at=now)]},
            bodies=bodies,
            events=list(self._events(jobs)),
            new_file=new_file("https://git.example.org/team/network.git", "bnet", FORGE),
            reports={("weekly", self._report(past)): "report weekly"},
        )

    def read(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return contents, as a hub does."""
        return {oid: self.contents[oid] for oid in oids if oid in self.contents}

    def _report(self, past: Sequence[Past]) -> datetime:
        """Make a report of the last week; return where it ends."""
        end = self.now.replace(hour=6, minute=0, second=0)
        ends = edges(end, "week", None, "UTC")
        servers = {name: server(self.now, name) for name in SERVERS}
        made = measured(
            report.Facts(
                name="weekly", kind="analytics", timezone="UTC", network="workshop", by="atlas", now=end,
                edges=ends, past=past, servers=servers,
            )
        )  # fmt: skip
        self.contents["report weekly"] = encode(made)
        return end

    def _age(self, job: Job) -> timedelta:
        assert job.result is not None
        return self.now - job.result.finished_at

    def _days(self, name: str) -> dict[str, str]:
        files = days(self.now, name)
        self.contents |= {f"{name} {day}": data for day, data in files.items()}
        return {day: f"{name} {day}" for day in files}

    def _letters(self) -> tuple[list[Entry], dict[str, str]]:
        told = (
            (
                "Maintenance on Sunday",
                "high",
                "The hub moves to another disk on Sunday, 08:00 UTC.\nNothing has to be done.",
            ),
            ("dune was slow today", "normal", "Its disk is nearly full; I took 40 GB off."),
            (EVIL, "urgent", EVIL),
        )
        letters, bodies = [], {}
        for place, (subject, priority, body) in enumerate(told):
            key = f"2026/11/{place + 10}/m{place}"
            at = self.now - timedelta(hours=40 - 9 * place)
            letters.append(
                Entry(
                    key=key,
                    sender=PEOPLE[place],
                    to=("all",),
                    at=at,
                    subject=subject,
                    priority=priority,
                    thread=key,
                )
            )
            bodies[key] = body
        return letters, bodies

    def _events(self, jobs: Mapping[int, Job]) -> Iterator[Event]:
        for seq, number in enumerate(sorted(jobs)[-80:], 4600):
            verb = ("submit", "claim", "finish")[seq % 3]
            fields = {"result": "success"} if verb == "finish" else {"attempt": "1"}
            yield Event(
                seq=seq,
                commit=hashlib.sha1(str(seq).encode()).hexdigest(),
                at=self.now.timestamp() - 60 * (4700 - seq),
                actor=SERVERS[seq % 6],
                verb=verb,
                target=str(number),
                fields=fields,
            )


def _ask(letter: Entry) -> Ask:
    return Ask(
        sender=letter.sender, by=letter.sender, at=letter.at, subject=letter.subject, thread=letter.thread,
        expects=("atlas", "borealis"),
    )  # fmt: skip


SCHEDULE = b"""
cron: '30 2 * * *'
timezone: Europe/Berlin
description: all of it, from nothing
submit: {name: nightly, command: make}
"""
REPORTS = b"""
weekly: {kind: analytics, period: week, cron: "0 6 * * 1", deliver: [team], description: what the week came to}
"""
FORGE = {"BNET_FORGE": "https://gitea:token@git.example.org"}
SOURCE = b"""
repository: https://git.example.org/team/shop.git
branches: [main, 'release/*']
submit: {name: build, command: make}
"""


def make(directory: Path, now: datetime | None = None) -> Facts:
    """Write the pages of such a network into a directory, and return what they were made of."""
    show = Showcase(now or datetime.now(UTC).replace(microsecond=0))
    facts, theme = show.facts(), theme_of(scaffold.root() / "site")
    Webroot(directory).put(parts(facts, theme), show.read)
    return facts


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
