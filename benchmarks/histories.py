"""What stays behind: bytes per job, a month of telemetry, and a real hub's month done again as bnet does it."""

import csv
import random
import shutil
import subprocess
import time
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common import Row, disk_bytes, git, human, ledger_of, network, packed_bytes
from msgspec.structs import replace

from bnet.app.server.telemetry import Draft
from bnet.model.command import Submit
from bnet.model.run import Intent, RunExit, RunFact
from bnet.model.server import Heartbeat
from bnet.model.telemetry import Sent
from bnet.ports.hub import Update
from bnet.rules.admit import admit
from bnet.rules.change import Change
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

JOBS = 400
DAYS = 30
BEATS = 40  # a day
TRACE = Path(__file__).parent / "data" / "hub-trace.csv"


def growth(root: Path) -> list[Row]:
    """The hub's bytes before and after some hundred finished jobs, collected both times."""
    ground = network(root, 2, 8)
    hub = Path(ground.url)
    before = packed_bytes(hub)
    file = root / "jobs.yaml"
    file.write_text(
        "".join(f"- submit: {{name: job{number}, command: ['echo', 'done']}}\n" for number in range(JOBS))
    )
    ground.ok("submit", "-f", str(file))
    ground.until_finished(list(range(1, JOBS + 1)))
    for name in list(ground.agents):
        ground.stop(name)
    loose = disk_bytes(hub / "objects") - before
    packed = packed_bytes(hub) - before
    return [
        Row(
            "growth of the hub per finished job",
            f"{packed / JOBS:.0f} B",
            "",
            f"before its gc {loose / JOBS:.0f} B",
        ),
    ]


class _Logs:
    """Runs that print: the port that telemetry reads logs from."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def log_size(self, key: str) -> int:
        return len(self.texts[key])

    def read_log(self, key: str, start: int, end: int) -> bytes:
        return self.texts[key][start:end]

    def artifacts(self, key: str) -> dict[str, bytes]:
        return {}


def telemetry(root: Path) -> list[Row]:
    """A month of one server's telemetry: 40 pushes a day, each with some kilobytes of new log."""
    ground = network(root, 1, 1, agents=False)
    hub_path = Path(ground.url)
    git("config", "receive.autogc", "false", cwd=hub_path)
    hub = ledger_of(ground, "build1").hub
    chance, logs, sent = random.Random(1), _Logs(), Sent()
    ref = hub.telemetry_ref("month")
    begun, fresh, total, sizes = datetime(2026, 1, 1, tzinfo=UTC), 0, 0, []
    base = disk_bytes(hub_path / "objects")
    for beat in range(DAYS * BEATS):
        now = begun + timedelta(days=beat / BEATS)
        key = f"{beat // 4 + 1}.1"
        text = "".join(
            f"{now} step {chance.getrandbits(64):x} compiled unit {n}\n" for n in range(60)
        ).encode()
        logs.texts[key] = logs.texts.get(key, b"") + text
        fresh += len(zlib.compress(text))
        draft = Draft(sent)
        draft.add_run(_fact(key, now, ended=beat % 4 == 3), logs, now)
        draft.prune(now)
        commit, anew = draft.commit(_heartbeat(now, beat), now)
        oid = hub.write([commit])[0]
        total += _pack_bytes(ground.root / "build1", oid, sent.tip)
        said = hub.push([Update(ref, sent.tip, oid)])
        assert said is None, said
        sent = draft.landed(oid, anew, now)
        if beat % (BEATS * 10) == BEATS * 10 - 1:
            sizes.append(_after_gc(hub_path, root / "copy"))
    loose = disk_bytes(hub_path / "objects") - base
    return [
        Row(
            "telemetry of a month, sent", human(total), "", f"new log text in it, compressed: {human(fresh)}"
        ),
        Row("  sent / new", f"{total / fresh:.2f}", "little more than 1", f"{DAYS * BEATS} pushes"),
        Row("  on the hub before its gc", human(loose)),
        Row("  after its gc, day 10, 20, 30", " · ".join(map(human, sizes)), "flat"),
    ]


def _pack_bytes(home: Path, new: str, old: str) -> int:
    """Return the size of the pack that a push makes: the very command, with the hub's old tip excluded."""
    [mirror] = home.glob("hubs/*/mirror.git")
    asked = f"{new}\n" + (f"^{old}\n" if old else "")
    words = ["git", "pack-objects", "--revs", "--thin", "--stdout", "-q", "--delta-base-offset"]
    return len(
        subprocess.run(words, cwd=mirror, input=asked.encode(), capture_output=True, check=True).stdout
    )


def _after_gc(hub: Path, copy: Path) -> int:
    """Return what a hub would hold after its collection, from a copy, so that the original goes on as it is."""
    git("clone", "-q", "--mirror", "--no-local", str(hub), str(copy), cwd=hub)
    size = packed_bytes(copy)
    shutil.rmtree(copy)
    return size


def _fact(key: str, now: datetime, *, ended: bool) -> RunFact:
    job, attempt = map(int, key.split("."))
    intent = Intent(
        run=key, job=job, attempt=attempt, name="job", command="x", ttl_s=300, on_lost_lease="finish"
    )
    if not ended:
        return RunFact(intent=intent, phase="alive")
    return RunFact(
        intent=intent, phase="ended", exit=RunExit(run=key, outcome="exit", finished_at=now, exit_code=0)
    )


def _heartbeat(now: datetime, nonce: int) -> Heartbeat:
    figures = {"load1": nonce % 7 / 3, "memory_percent": 40.0 + nonce % 11}
    return Heartbeat(
        server="month",
        instance="x",
        at=now,
        boot_id="b",
        nonce=f"{nonce:032x}",
        version="1",
        slots=2,
        metrics=figures,
    )


def replay(root: Path) -> list[Row]:
    """30 busy days of a real hub: what its commits were for, as bnet does that.

    A refreshed aggregate or dashboard file is none of bnet's commits (they are made from the ledger when looked
    at); a heartbeat is a push of the server's own ref, at most as often as an idle or a working server beats; jobs
    and messages are transactions, and what came within one cycle of the same server is one.
    """
    rows = list(csv.DictReader(TRACE.open()))
    start = _busiest(rows)
    month = [row for row in rows if start <= int(row["unix_time"]) < start + DAYS * 86400]
    kinds = Counter(row["kind"] for row in month)
    ground = network(root, 3, 1, agents=False)
    hub_path = Path(ground.url)
    ledger = ledger_of(ground, "build1")
    ledger.refresh()
    before_bytes, before = packed_bytes(hub_path), int(git("rev-list", "--all", "--count", cwd=hub_path))
    beats: dict[str, tuple[float, Sent]] = {}
    begun = time.monotonic()
    for minute, events in _minutes(month):
        said = [
            row for row in events if row["kind"] in ("job", "message", "message-status", "other", "status")
        ]
        if said:
            ledger.refresh()
            ledger.transact(lambda tx, some=said: _transact(tx, some))
        for server in {row["server"] for row in events if row["server"].startswith("build")}:
            last, sent = beats.get(server, (0.0, Sent()))
            if minute * 60 - last >= 100:  # a third of the usual TTL, as a working server beats
                beats[server] = (minute * 60, _beat(ledger.hub, server, sent, minute))
    took = time.monotonic() - begun
    made = int(git("rev-list", "--all", "--count", cwd=hub_path)) - before
    lines = sum(int(row["lines_added"]) for row in month)
    replayed = packed_bytes(hub_path) - before_bytes
    return [
        Row(
            "replay of 30 days of a real hub: its commits",
            f"{len(month)}",
            "",
            " ".join(f"{n} {k}" for k, n in kinds.most_common(4)),
        ),
        Row(
            "  ledger commits of bnet",
            f"{ledger.landed}",
            "",
            f"and {made - ledger.landed} telemetry commits kept; {took:.0f} s",
        ),
        Row(
            "  lines that it wrote", f"{lines:,}", "", "its objects are not in the trace; a line is some 40 B"
        ),
        Row(
            "  bytes of bnet on the hub, packed",
            human(replayed),
            "",
            f"the original's lines, at 40 B: {human(lines * 40)}",
        ),
    ]


def _busiest(rows: list[dict[str, str]]) -> int:
    times = [int(row["unix_time"]) for row in rows]
    return max(
        range(times[0], times[-1] - DAYS * 86400 + 1, 86400),
        key=lambda at: sum(at <= t < at + DAYS * 86400 for t in times),
    )


def _minutes(month: list[dict[str, str]]) -> list[tuple[int, list[dict[str, str]]]]:
    grouped: dict[int, list[dict[str, str]]] = {}
    for row in month:
        grouped.setdefault(int(row["unix_time"]) // 60, []).append(row)
    return sorted(grouped.items())


def _transact(tx: Transaction, rows: list[dict[str, str]]) -> None:
    for row in rows:
        if row["kind"] == "job":
            admit(tx, [Submit(command="make", name="replayed")], by=row["server"], facts=Facts())
        else:
            # As long a text as the original wrote, under the name that a message has.
            at = datetime.fromtimestamp(int(row["unix_time"]), UTC)
            path = f"messages/{at:%Y/%m/%d}/{row['unix_time']}-{tx.seq}.md"
            text = "".join(
                f"line {n} of {row['kind']} by {row['server']}\n"
                for n in range(min(400, int(row["lines_added"])))
            )
            tx.apply(Change(verb="message", target=row["kind"], files={path: text.encode()}))


def _beat(hub, server: str, sent: Sent, minute: int) -> Sent:
    now = datetime.fromtimestamp(minute * 60, UTC)
    draft = Draft(sent)
    commit, anew = draft.commit(_heartbeat(now, minute), now)
    # One private copy stands in for those of all servers, and keeps the newest commit of each kind.
    oid = hub.write([replace(commit, kind=f"telemetry-{server}")])[0]
    assert hub.push([Update(hub.telemetry_ref(server), sent.tip, oid)]) is None
    return draft.landed(oid, anew, now)
