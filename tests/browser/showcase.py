"""A network with something of everything, for looking at its pages: six servers, three trees, a fortnight of jobs."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bnet import scaffold
from bnet.app.told.telemetry import Chunk
from bnet.codec.documents import encode
from bnet.codec.schedules import read_table
from bnet.codec.sources import read_source
from bnet.host.webroot import Webroot
from bnet.model.artifact import Kept, KeptRun
from bnet.model.environment import Deployment, Standing
from bnet.model.history import Event
from bnet.model.hub import FORMAT, Head, Settings
from bnet.model.job import (
    Artifact,
    Attempt,
    BuildReport,
    Built,
    Claim,
    Group,
    Job,
    JobResult,
    JobSpec,
    Need,
    Source,
)
from bnet.model.lock import Lock, Stake
from bnet.model.message import Ack, Entry
from bnet.model.rollup import Hour, Hours, Spread
from bnet.model.server import Heartbeat, Server
from bnet.model.state import State
from bnet.rules.past import past_of
from bnet.rules.transaction import archive_line
from bnet.schedule.durations import Durations, gathered
from bnet.sitegen.facts import Facts
from bnet.sitegen.site import parts
from bnet.wiring.site import theme_of

EVIL = "<script>alert(1)</script>"
SERVERS = ("atlas", "borealis", "cirrus", "dune", "ember", "fjord")
TREES = {
    "https://git.example.org/team/shop.git": {
        "shared": (),
        "config": (),
        "icons": (),
        "core": ("shared", "config"),
        "theme": ("icons", "shared"),
        "auth": ("core",),
        "catalogue": ("core",),
        "search": ("catalogue",),
        "payment": ("core", "auth"),
        "ui": ("theme", "core"),
        "web": ("ui", "search", "payment"),
        "mobile": ("ui", "auth", "catalogue"),
        "docs": ("web",),
        "e2e": ("web", "mobile"),
    },
    "https://git.example.org/team/wheels.git": {
        "numerics": (),
        "bindings": ("numerics",),
        "wheel-linux": ("bindings",),
        "wheel-macos": ("bindings",),
        EVIL: ("wheel-linux",),
    },
}
NAMES = ("build", "unit", "lint", "e2e", "package")
PEOPLE = ("ann@example.org", "bob@example.org", "carol-with-a-long-name@engineering.example.org")
DAYS, COMMITS = 14, 4  # a day


class Showcase:
    """Makes the facts; the same ones for the same time."""

    def __init__(self, now: datetime) -> None:
        """Begin at a time."""
        self.now = now
        self.chance = random.Random(7)
        self.contents: dict[str, bytes] = {}
        self.logs: dict[str, dict[str, list[Chunk]]] = {}
        self.number = 0

    def facts(self) -> Facts:
        """Return all that the pages are made of."""
        now, jobs = self.now, {job.number: job for job in (*self._ended(), *self._open())}
        lately = {
            n: job for n, job in jobs.items() if job.result is None or self._age(job) < timedelta(days=1)
        }
        self.contents["archive"] = b"".join(archive_line(job) for n, job in jobs.items() if n not in lately)
        past = [past_of(job, "" if n in lately else "archive") for n, job in jobs.items()]
        past.sort(key=lambda each: -each.key)
        letters, bodies = self._letters()
        newest = max(lately)
        servers = {name: self._server(name) for name in SERVERS}
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
            schedules={"nightly": read_table(SCHEDULE, "nightly.yaml", "nightly")},
            sources={"shop": read_source(SOURCE, "shop.yaml", "shop")},
        )
        return Facts(
            state=state,
            hub="https://git.example.org/team/network.git",
            now=now,
            beats={name: self._beat(name, jobs) for name in SERVERS if name != "fjord"},
            past=past,
            logs=self.logs,
            days={name: self._days(name) for name in SERVERS if name != "fjord"},
            durations=gathered(Durations(), jobs.values()),
            letters=letters,
            acks={letters[0].key: [Ack(who="atlas", at=now)]},
            bodies=bodies,
            events=list(self._events(jobs)),
        )

    def read(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return contents, as a hub does."""
        return {oid: self.contents[oid] for oid in oids if oid in self.contents}

    def _age(self, job: Job) -> timedelta:
        assert job.result is not None
        return self.now - job.result.finished_at

    # -- jobs

    def _ended(self) -> Iterator[Job]:
        for age in range(DAYS * COMMITS, 0, -1):
            at = self.now - timedelta(hours=age * 24 / COMMITS - 2, minutes=self.chance.randint(0, 50))
            commit = hashlib.sha1(str(age).encode()).hexdigest()
            tree = list(TREES)[age % 3 == 0]
            for place, name in enumerate(NAMES if age % 3 else NAMES[:3]):
                if self.chance.random() < 0.06:
                    continue
                yield self._job(name, at + timedelta(minutes=3 * place), tree, commit)

    def _job(self, name: str, at: datetime, tree: str, commit: str) -> Job:
        self.number += 1
        chance, server = self.chance, SERVERS[self.chance.randrange(5)]
        odds = {"unit": 0.12, "e2e": 0.25}.get(name, 0.03)
        result, reason, code = ("failure", "exit", 1) if chance.random() < odds else ("success", "exit", 0)
        if result == "failure" and chance.random() < 0.2:
            result, reason, code = "timeout", "timeout", None
        seconds = {"build": 240, "unit": 95, "lint": 14, "e2e": 410, "package": 130}[name] * chance.uniform(
            0.6, 1.7
        )
        begun = at + timedelta(seconds=chance.uniform(2, 90))
        end = begun + timedelta(seconds=seconds)
        build = self._built(tree, result != "success") if name == "build" else None
        spec = JobSpec(
            number=self.number,
            name=name,
            command=f"make {name}",
            submitted_by=PEOPLE[self.number % 3],
            submitted_at=at,
            packages=("...",) if build else (),
            labels={"os": "linux"},
            source=Source(
                repository=tree, ref="main" if int(commit[:2], 16) % 4 else "release/2.4", commit=commit
            ),
            artifacts=("dist/**",) if name == "package" else (),
        )
        left = (
            Artifact(path="dist/shop.tar.zst", size=4_200_000, mode="0644", blake3="ab" * 32, place="store"),
        )
        files = left if name == "package" and result == "success" else ()
        message = (
            None if result == "success" else "the command ended with 1" if code else "longer than 10 min"
        )
        common = {
            "result": result,
            "reason": reason,
            "finished_at": end,
            "exit_code": code,
            "seconds": round(seconds, 1),
            "started_at": begun,
            "message": message,
            "artifacts": files,
            "build": build,
        }
        attempts = [Attempt(attempt=1, server=server, run="r", token=1, **common)]
        if self.number % 17 == 0:
            lost = {
                "result": "error",
                "reason": "lost",
                "finished_at": begun,
                "message": "dune was not seen for 5 min",
            }
            attempts.insert(0, Attempt(attempt=1, server="dune", run="q", token=1, started_at=at, **lost))
            attempts[1] = Attempt(attempt=2, server=server, run="r", token=1, **common)
        self._log(self.number, len(attempts), server, name, result)
        ended = JobResult(attempt=len(attempts), server=server, run="r", **common)
        return Job(spec=spec, attempts=tuple(attempts), result=ended)

    def _built(self, tree: str, bad: bool) -> BuildReport:
        found, failed = [], set[str]()
        for name, needs in TREES[tree].items():
            ran = self.chance.random()
            tier = "full" if ran < 0.3 else "incremental" if ran < 0.4 else "remote" if ran < 0.6 else "fresh"
            result = "success"
            if failed & set(needs):
                tier, result = None, "skipped"
            elif bad and name in ("payment", "wheel-macos"):
                tier, result = "full", "failure"
            if result != "success":
                failed.add(name)
            took = 4 + 11 * (len(name) % 7)
            built = tier in ("full", "incremental")
            found.append(
                Built(
                    name=name,
                    tier=tier,
                    result=result,
                    needs=needs,
                    seconds=took if built else 0.04,
                    saved=0.0 if built or tier is None else took,
                )
            )
        cached = sum(each.tier in ("fresh", "remote") for each in found)
        return BuildReport(
            total=len(found),
            cached=cached,
            failed=len(failed),
            seconds=200.0,
            packages=tuple(found),
            saved=sum(each.saved for each in found),
        )

    def _open(self) -> Iterator[Job]:
        now, tree = self.now, next(iter(TREES))
        for place, (name, server) in enumerate((("build", "atlas"), ("unit", "borealis"), ("e2e", "dune"))):
            self.number += 1
            claim = Claim(
                server=server,
                instance="i",
                attempt=1,
                run="r",
                token=9,
                ttl_s=300.0,
                claimed_at=now - timedelta(seconds=50 + 140 * place),
            )
            self._log(self.number, 1, server, name, "running")
            yield Job(spec=self._spec(name, tree, 4), claim=claim)
        first = self.number - 2
        for name, more in (
            ("package", {"needs": (Need(job=first),)}),
            ("firmware-of-the-test-board", {"locks": ("test-board",)}),
            ("docs", {"labels": {"os": "plan9"}}),
            ("nightly", {"group": Group(name="nightly"), "priority": 8}),
        ):
            self.number += 1
            yield Job(spec=self._spec(name, tree, 2, **more))
        self.number += 1
        yield Job(spec=self._spec("evil", EVIL, 1, command=EVIL, note=EVIL + "\x1b[31m\u202e"))

    def _spec(self, name: str, tree: str, minutes: float, **more: object) -> JobSpec:
        fields = {
            "number": self.number,
            "name": name,
            "command": f"make {name}",
            "submitted_by": PEOPLE[self.number % 3],
            "submitted_at": self.now - timedelta(minutes=minutes),
            "source": Source(repository=tree, ref="main", commit="c0ffee" * 6),
        }
        return JobSpec(**(fields | more))

    def _log(self, number: int, attempt: int, server: str, name: str, result: str) -> None:
        lines = [
            "::group::Fetching the sources",
            "from https://git.example.org/team/shop.git",
            "done in 1.3 s",
            "::endgroup::",
        ]
        lines += [f"\x1b[32m✓\x1b[0m {name}/unit_{at:03} \x1b[2m({at % 9 * 7} ms)\x1b[0m" for at in range(40)]
        if result in ("failure", "timeout"):
            lines += [
                "\x1b[1;31merror:\x1b[0m payment/rates.c:214: undefined reference to `rate_of'",
                "make: *** [unit] Error 1",
            ]
        lines += [f"a line as long as it gets, of {number}: " + "one two three four " * 12]
        if number % 40 == 0:
            lines += [f"compiling module {at} of 6000, with some words around it" for at in range(6000)]
        data = ("\n".join(lines) + "\n").encode()
        blob = hashlib.sha1(data).hexdigest()
        self.contents[blob] = data
        self.logs.setdefault(server, {})[f"{number}.{attempt}"] = [Chunk(0, blob)]

    # -- servers

    def _server(self, name: str) -> Server:
        more = {"ember": {"wanted": "paused", "why": "the disk is being replaced", "by": "ann@example.org"}}
        return Server(
            name=name,
            instance="i",
            joined_at=self.now - timedelta(days=60),
            slots=4 if name == "atlas" else 2,
            labels={"os": "linux", "arch": "amd64" if name < "d" else "arm64"},
            version="0.6.0",
            **more.get(name, {}),
        )

    def _beat(self, name: str, jobs: Mapping[int, Job]) -> Heartbeat:
        at = SERVERS.index(name)
        metrics = {
            "cpu_percent": 12.0 + 17 * at,
            "load1": 0.4 + at,
            "load5": 0.5 + at,
            "load15": 0.3 + at,
            "cores": 8,
            "memory_total": 16e9,
            "memory_used": 4e9 + 2e9 * at,
            "memory_percent": 25.0 + 12 * at,
            "disk_total": 500e9,
            "disk_free": 400e9 - 90e9 * at,
            "disk_percent": 20.0 + 18 * at,
            "uptime_s": 86400.0 * 9,
            "cache_bytes": 1.2e9 * (at + 1),
        }
        return Heartbeat(
            server=name,
            instance="i",
            at=self.now - timedelta(seconds=20 + 15 * at),
            boot_id="b",
            nonce="0",
            version="0.6.0",
            slots=2,
            metrics=metrics,
        )

    def _days(self, name: str) -> dict[str, str]:
        days: dict[str, list[Hour]] = {}
        for each in self._hours(name):
            days.setdefault(f"{each.hour:%Y-%m-%d}", []).append(each)
        self.contents |= {f"{name} {day}": encode(Hours(hours=tuple(of))) for day, of in days.items()}
        return {day: f"{name} {day}" for day in days}

    def _hours(self, name: str) -> Iterator[Hour]:
        """Yield a fortnight of a server's hours, with a gap in it."""
        place, chance = SERVERS.index(name), random.Random(name)
        begin = self.now.replace(minute=0, second=0, microsecond=0)
        for age in range(14 * 24, 0, -1):
            if name == "dune" and 90 < age < 110:
                continue
            at, work = begin - timedelta(hours=age), max(0.0, math.sin((begin.hour - age) / 24 * 2 * math.pi))

            def told(mean: float, high: float) -> Spread:
                return Spread(mean=round(mean, 2), most=round(min(high, mean * 1.3 + 0.2), 2), samples=12)

            yield Hour(
                hour=at,
                samples=12,
                cpu=told(8 + 60 * work * chance.uniform(0.5, 1) + 3 * place, 100),
                memory=told(25 + 12 * place + 8 * work, 100),
                load=told(0.1 + 1.1 * work * chance.uniform(0.5, 1), 9),
                network=told(2e5 + 4e6 * work, 1e9),
                runs=told(2 * work, 4),
                disk={
                    "home": told(20 + 18 * place + (14 * 24 - age) / 40, 100),
                    "/srv": told(40 + place, 100),
                },
            )

    # -- the rest

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


SCHEDULE = b"""
cron: '30 2 * * *'
timezone: Europe/Berlin
description: all of it, from nothing
submit: {name: nightly, command: make}
"""
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
