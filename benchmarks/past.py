"""The past: an archive of 100,000 jobs, its bytes, the index over it, and what a question costs."""

import random
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common import Row, git, human, ledger_of, network, packed_bytes

from bnet.app.history import annals, search
from bnet.cli.playground import Playground
from bnet.codec import layout
from bnet.host.index import LocalIndex
from bnet.model.history import Query
from bnet.model.job import Attempt, Job, JobResult, JobSpec, Source
from bnet.rules.transaction import archive_line

JOBS = 100_000
DAYS = 730
RUNS = 7
BEGUN = datetime(2024, 1, 1, tzinfo=UTC)
PACKAGES = ("regex", "numpy", "lxml", "cryptography", "pyyaml", "pillow", "orjson", "psutil")
QUESTIONS: dict[str, list[str]] = {
    "a rare word": ["heisenbug"],
    "a common word": ["wheel"],
    "filters": ["--result", "failure", "--server", "build3", "--since", "2025-06-01"],
    "both, as JSON": ["wheel", "--package", "numpy", "--json"],
}


def past(root: Path) -> list[Row]:
    """Two years of a busy network's archive, as its transactions make it, without running the jobs."""
    ground = network(root, 2, 2, agents=False)
    hub = Path(ground.url)
    empty = packed_bytes(hub)
    lines = _make(hub)
    packed = packed_bytes(hub) - empty
    first, last = _written(hub, DAYS // 24), _written(hub, DAYS - 1)
    rows = [
        Row(
            "archive bytes per job, on the hub", f"{packed / JOBS:.0f} B", "", f"as text {lines / JOBS:.0f} B"
        ),
        Row(
            "trees that an archiving transaction writes",
            f"{last:,} B",
            "flat",
            f"{first:,} B after a month; the largest directory has {_widest(hub)} entries",
        ),
        *_built(ground),
    ]
    return [*rows, *(_asked(ground, name, words) for name, words in QUESTIONS.items())]


def _make(hub: Path) -> int:
    """Write the archive with `git fast-import`, a transaction a day; return its bytes."""
    total, seq = 0, 1000
    with subprocess.Popen(
        ["git", "fast-import", "--quiet", "--force"], cwd=hub, stdin=subprocess.PIPE
    ) as git_:
        assert git_.stdin is not None
        parent = "from refs/heads/bnet^0\n"
        for day, jobs in _days():
            message = (
                f"build1: archive #{jobs[0].number}-{jobs[-1].number}\n\nBnet-Seq: {seq}\n"
                f"Bnet-Next-Job: {jobs[-1].number + 1}\nBnet-Nonce: {seq}\n"
                f"Bnet-Op: archive {jobs[0].number}-{jobs[-1].number} jobs={len(jobs)}\n"
            ).encode()
            who = f"build1 <build1@bnet> {int(day.timestamp()) + 90_000} +0000"
            head = f"commit refs/heads/bnet\nauthor {who}\ncommitter {who}\ndata {len(message)}\n"
            git_.stdin.write(head.encode() + message + b"\n" + parent.encode())
            for number, data in enumerate(_files(jobs), 1):
                total += len(data)
                path = layout.archive_path(day, number)
                git_.stdin.write(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
            seq, parent = seq + 1, ""
    return total


def _days() -> Iterator[tuple[datetime, list[Job]]]:
    chance = random.Random(1)
    for day in range(DAYS):
        numbers = range(JOBS * day // DAYS + 1, JOBS * (day + 1) // DAYS + 1)
        at = BEGUN + timedelta(days=day)
        yield (
            at,
            [
                _job(number, at + timedelta(seconds=index * 500), chance)
                for index, number in enumerate(numbers)
            ],
        )


def _job(number: int, at: datetime, chance: random.Random) -> Job:
    package, server = chance.choice(PACKAGES), f"build{chance.randint(1, 5)}"
    took = round(chance.lognormvariate(4, 1), 3)
    failed = chance.random() < 0.1
    message = "a heisenbug" if chance.random() < 0.0005 else "no space left on device" if failed else None
    run = f"{chance.getrandbits(128):032x}"
    done = {"server": server, "run": run, "message": message, "seconds": took, "exit_code": int(failed)}
    ended = at + timedelta(seconds=min(took, 80_000 / 200))
    result = "failure" if failed else "success"
    return Job(
        spec=JobSpec(
            number=number,
            name=f"wheel-{package}",
            command=(
                "pip",
                "wheel",
                "--no-deps",
                f"{package}=={chance.randint(1, 9)}.{chance.randint(0, 30)}",
            ),
            packages=(package,),
            submitted_by=f"person{chance.randint(1, 20)}@example.org",
            submitted_at=at - timedelta(seconds=30),
            labels={"os": "linux"},
            source=Source(
                repository="https://example.org/wheels.git",
                ref="main",
                commit=f"{chance.getrandbits(160):040x}",
            ),
            key=f"{chance.getrandbits(128):032x}.0",
        ),
        attempts=(
            Attempt(
                attempt=1,
                token=number,
                result=result,
                reason="exit",
                started_at=at,
                finished_at=ended,
                **done,
            ),
        ),
        result=JobResult(result=result, reason="exit", attempt=1, started_at=at, finished_at=ended, **done),
    )


def _files(jobs: list[Job]) -> Iterator[bytes]:
    data = b""
    for job in jobs:
        line = archive_line(job)
        if len(data) + len(line) > 256_000:
            yield data
            data = b""
        data += line
    yield data


def _written(hub: Path, day: int) -> int:
    """Return the bytes of the trees that the transaction of a day has written."""
    commit = git("rev-list", "--reverse", f"--skip={DAYS - 1 - day}", "-n1", "bnet", cwd=hub).strip()
    trees = _trees(hub, commit) - _trees(hub, f"{commit}^")
    return sum(int(git("cat-file", "-s", tree, cwd=hub)) for tree in trees)


def _trees(hub: Path, commit: str) -> set[str]:
    listed = git("ls-tree", "-r", "-d", commit, cwd=hub).splitlines()
    return {git("rev-parse", f"{commit}^{{tree}}", cwd=hub).strip(), *(line.split()[2] for line in listed)}


def _widest(hub: Path) -> int:
    paths = git("ls-tree", "-r", "-t", "--name-only", "bnet", cwd=hub).splitlines()
    counts: dict[str, int] = {}
    for path in paths:
        above = path.rpartition("/")[0]
        counts[above] = counts.get(above, 0) + 1
    return max(counts.values())


def _built(ground: Playground) -> list[Row]:
    ledger = ledger_of(ground, "person")
    begun = time.monotonic()
    ledger.refresh()
    fetched = time.monotonic() - begun
    path = ground.root / "index.db"
    begun, cpu = time.monotonic(), time.process_time()
    search(ledger, LocalIndex(path), Query(limit=1))
    took, cpu = time.monotonic() - begun, time.process_time() - cpu
    assert annals(ledger).tip
    return [
        Row(
            "index built, jobs a second",
            f"{JOBS / took:,.0f}",
            ">= 20,000",
            f"{took:.1f} s, {cpu:.1f} s of them at work; reading the ledger at first took {fetched:.1f} s",
        ),
        Row("  its size", human(path.stat().st_size), "", f"{path.stat().st_size / JOBS:.0f} B a job"),
    ]


def _asked(ground: Playground, name: str, words: list[str]) -> Row:
    ground.ok("history", "x")
    times = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(RUNS):
        begun = time.monotonic()
        ground.ok("history", *words)
        times.append(time.monotonic() - begun)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / RUNS
    return Row(
        f"  bnet history, {name}",
        f"{statistics.median(times):.2f} s",
        "<= 0.2 s",
        f"best {min(times):.2f} s; {work:.2f} s of a processor",
    )
