"""The dashboard of a large network: what a build costs, a build after one job, and what a reader is sent.

python benchmarks/site.py
"""

import gzip
import json
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import past
from common import Row, ledger_of, network, print_table

from bnet.cli.playground import Playground
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.model.command import Submit
from bnet.model.job import Attempt, Job
from bnet.model.server import Heartbeat, Server
from bnet.ports.hub import Commit, Update
from bnet.rules import jobs, servers
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

JOBS, SERVERS, LINES, DAYS = 10_000, 50, 100_000, 30
NOW = datetime.now(UTC)  # pages are about the present


def main() -> None:
    """Make the network and print the table."""
    with tempfile.TemporaryDirectory(prefix="bnet-site-") as directory:
        ground = network(Path(directory), 0, 1, agents=False)
        _populate(ground)
        ground.ok("status")  # the copy of the hub, and the snapshot of it, are there from here on
        print_table(list(_rows(ground, Path(directory) / "out")))


def _rows(ground: Playground, out: Path) -> Iterator[Row]:
    told, took, work = _build(ground, out)
    yield Row(
        "full build", f"{took:.1f} s", "<= 10 s", f"{work:.1f} s of a processor; {told['pages']:,} files"
    )
    told, took, work = _build(ground, out)
    yield Row(
        "build after nothing", f"{took:.2f} s", "", f"{work:.2f} s of a processor; {told['written']} written"
    )
    _one_more(ground)
    told, took, work = _build(ground, out)
    yield Row(
        "build after one job",
        f"{took:.2f} s",
        "<= 1 s",
        f"{work:.2f} s of a processor; {told['written']} written",
    )
    sizes = {path: path.stat().st_size for path in out.rglob("*.html")}
    largest = max(sizes, key=lambda path: sizes[path])
    yield Row("largest page", f"{sizes[largest]:,} B", "< 300,000 B", largest.relative_to(out).as_posix())
    sent = [out / "index.html", *(out / "assets").glob("*"), out / "built.js"]
    total = sum(
        len(gzip.compress(path.read_bytes())) for path in sent if path.name not in ("log.js", "filter.js")
    )
    yield Row("the overview over the wire, with gzip", f"{total:,} B", "<= 60,000 B")


def _build(ground: Playground, out: Path) -> tuple[dict[str, int], float, float]:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    told = json.loads(ground.ok("site", "build", "--output", str(out), "--json"))
    took, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return told, took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _populate(ground: Playground) -> None:
    """Register servers, write an archive of a month, and logs onto the servers' refs."""
    ledger = ledger_of(ground, "person")
    ledger.refresh()

    def decide(tx: Transaction) -> None:
        for number in range(1, SERVERS + 1):
            server = Server(name=f"build{number}", instance=f"i{number}", joined_at=NOW, slots=4)
            tx.apply(servers.register(server, None))

    ledger.transact(decide)
    made = _archive(Path(ground.url), ledger.state.head.seq)
    per_job, chance = LINES // JOBS, random.Random(2)
    for number in range(1, SERVERS + 1):
        name = f"build{number}"
        beat = Heartbeat(
            server=name, instance=f"i{number}", at=NOW, boot_id="b", nonce="0", version="1", slots=4,
            metrics={"load1": 2.0, "cores": 4, "memory_percent": 40.0, "disk_percent": 60.0},
        )  # fmt: skip
        files: dict[str, bytes | None] = {"heartbeat.json": encode(beat)}
        for job in made:
            if job.result is not None and job.result.server == name:
                text = "".join(
                    f"[{at}] compiling unit {chance.getrandbits(40):x}.c ok\n" for at in range(per_job)
                )
                files[f"runs/{job.number // 100:04}/{job.number}.1/log/000000000000"] = text.encode()
        commit = Commit(parent=None, files=files, message="beat\n", author=name, at=NOW, kind="telemetry")
        said = ledger.hub.push([Update(ledger.hub.telemetry_ref(name), "", ledger.hub.write([commit])[0])])
        assert said is None, said


def _archive(hub: Path, seq: int) -> list[Job]:
    chance, made = random.Random(1), []
    with subprocess.Popen(
        ["git", "fast-import", "--quiet", "--force"], cwd=hub, stdin=subprocess.PIPE
    ) as git:
        assert git.stdin is not None
        parent = "from refs/heads/bnet^0\n"
        for day in range(DAYS):
            at = NOW - timedelta(days=DAYS + 1 - day)
            numbers = range(JOBS * day // DAYS + 1, JOBS * (day + 1) // DAYS + 1)
            found = [
                past._job(number, at + timedelta(seconds=place * 60), chance)
                for place, number in enumerate(numbers)
            ]
            found = [_on(job, f"build{chance.randint(1, SERVERS)}") for job in found]
            made += found
            seq += 1
            trailers = f"Bnet-Seq: {seq}\nBnet-Next-Job: {numbers[-1] + 1}\nBnet-Nonce: {seq}\n"
            message = f"build1: archive\n\n{trailers}".encode()
            who = f"build1 <build1@bnet> {int(at.timestamp()) + 80_000} +0000"
            head = f"commit refs/heads/bnet\nauthor {who}\ncommitter {who}\ndata {len(message)}\n"
            git.stdin.write(head.encode() + message + b"\n" + parent.encode())
            for number, data in enumerate(past._files(found), 1):
                path = layout.archive_path(at, number)
                git.stdin.write(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
            parent = ""
    return made


def _on(job: Job, server: str) -> Job:
    from msgspec.structs import replace

    assert job.result is not None
    attempts = tuple(replace(each, server=server) for each in job.attempts)
    return replace(job, attempts=attempts, result=replace(job.result, server=server))


def _one_more(ground: Playground) -> None:
    """Let one job be asked for, run, and end."""
    ledger = ledger_of(ground, "person")
    ledger.refresh()
    number = ledger.state.head.next_job

    def asked(tx: Transaction) -> None:
        admit(tx, [Submit(command="true", name="one-more")], by="ann@example.org", facts=Facts())

    def claimed(tx: Transaction) -> None:
        tx.apply(
            jobs.claim(tx.jobs[number], tx.servers["build1"], run="r", token=tx.seq, ttl_s=300.0, now=tx.now)
        )

    def ended(tx: Transaction) -> None:
        done = {"result": "success", "reason": "exit", "exit_code": 0, "finished_at": tx.now}
        tx.apply(
            jobs.end_attempt(
                tx.jobs[number],
                Attempt(attempt=1, server="build1", run="r", token=tx.jobs[number].claim.token, **done),
            )
        )

    for decide in (asked, claimed, ended):
        ledger.transact(decide)


if __name__ == "__main__":
    main()
