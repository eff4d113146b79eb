"""The jobs of the showcase: a fortnight of commits, with logs and builds, and what runs and waits now."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from bnet.app.told.telemetry import Chunk
from bnet.model.job import (
    ApprovalRule,
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


class Jobs:
    """Makes them; the same ones for the same time."""

    def __init__(self, now: datetime) -> None:
        """Begin at a time."""
        self.now = now
        self.chance = random.Random(7)
        self.contents: dict[str, bytes] = {}
        self.logs: dict[str, dict[str, list[Chunk]]] = {}
        self.number = 0

    def ended(self) -> Iterator[Job]:
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

    def open(self) -> Iterator[Job]:
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
            ("deploy", {"approval": ApprovalRule(count=1), "packages": ("web",), "command": ()}),
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
