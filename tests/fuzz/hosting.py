"""Targets of `bnet.host` and of the supervisor: what lies in a server's directories, where any job may write."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from datetime import timedelta
from pathlib import Path
from unittest import mock

from bundle import pack, unpack
from reading import EXIT, INTENT, LETTER, NOON, OBSERVED, REPORT, RUN, SENT, check_times
from target import Target, must, scratch

from bnet import idle
from bnet.app.server.decide import Left, attempt_of
from bnet.app.server.telemetry import Draft, settled
from bnet.app.submit import Outbox
from bnet.codec.documents import encode
from bnet.codec.layout import DOCUMENT_LIMIT
from bnet.errors import BnetError
from bnet.files import read_json
from bnet.host import cron, processes
from bnet.host.checkup import HostCheckup
from bnet.host.home import Home
from bnet.host.notes import LocalNotes
from bnet.host.runs import LocalRuns, parse_environment, read_build
from bnet.memory import ManualClock
from bnet.model.job import Claim, Job, JobSpec
from bnet.model.server import Heartbeat
from bnet.rules.clocks import trusted
from bnet.rules.leases import Lease, lapsed, observe
from bnet.runners.supervisor.artifacts import find_artifacts
from bnet.runners.supervisor.job import Job as Supervised
from bnet.runners.supervisor.lean import parse_object
from bnet.runners.supervisor.log import MIN_SECRET, Masker
from bnet.runners.supervisor.watch import Watch

CLAIMED = Job(
    spec=JobSpec(number=1, name="x", command="x", submitted_by="ada", submitted_at=NOON),
    claim=Claim(server="a", instance="i", attempt=1, run=RUN, token=1, ttl_s=300.0, claimed_at=NOON),
)


@contextmanager
def without_processes() -> Iterator[None]:
    """Find no processes of a run, and end none: which these are is nothing that an input may say."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(processes, "find_run", lambda run: []))
        stack.enter_context(mock.patch.object(processes, "end", lambda pids, grace_s: []))
        yield


def put(top: Path, files: dict[str, bytes]) -> None:
    """Make a directory that holds these files, as far as they can be below it."""
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir(parents=True)
    for path, data in files.items():
        try:
            place = top / path
            if place.is_absolute() and ".." not in place.parts and place.is_relative_to(top):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        except (OSError, ValueError):
            continue  # no file can be called so


def runs(data: bytes) -> None:
    """A run's directory is a run that was intended, lives, ended or died; or none, if its order is not whole."""
    home = Home(scratch() / "host")
    put(home.runs / "1.1", unpack(data))
    clock = ManualClock()
    there = LocalRuns(home.runs, Path("supervisor"), ".bnet/build.json", clock, lambda secrets: {})
    for fact in there.collect():
        check_times(fact)
        there.log_size("1.1")
        there.read_log("1.1", 0, 100)
        left = Left((), there.built("1.1"))
        if fact.exit is not None:
            there.artifacts("1.1")
            ended = attempt_of(CLAIMED, fact.exit, left)
            must(len(encode(ended)) <= DOCUMENT_LIMIT, "an attempt that is too large for a document")
    there.holds("1.1")
    there.renew("1.1", 5.0, 1.0, revive=False)
    HostCheckup(home, {}, clock).runs()


def report(data: bytes) -> None:
    """What a build says of itself is a report that fits into a document, or none."""
    path = scratch() / "build.json"
    path.write_bytes(data)
    found = read_build(path)
    if found is not None:
        ended = attempt_of(CLAIMED, EXIT, Left((), found))
        must(len(encode(ended)) <= DOCUMENT_LIMIT, "an attempt that is too large for a document")


class _Runs:
    """A run that has printed something."""

    def log_size(self, key: str) -> int:
        return 300_000

    def read_log(self, key: str, start: int, end: int) -> bytes:
        return b"x" * max(0, min(end, 300_000) - start)

    def kept(self, key: str) -> None:
        return None

    def artifacts(self, key: str) -> dict[str, bytes]:
        return {"dist/\udcff:x": b"x"}


def notes(data: bytes) -> None:
    """A note that is damaged is an empty one, and what is not can be gone on with."""
    home = scratch() / "notes-of-a-server"
    put(home, unpack(data))
    clock = ManualClock()
    kept = LocalNotes(home)
    observed, sent = kept.observed(), kept.sent()
    check_times(sent)
    lease = Lease(run=RUN, server="build1", ttl_s=300.0)
    after = observe(observed, [lease], {"build1": "x"}, boot_id="boot-1", now=clock.boot())
    lapsed(after, [lease])
    trusted(after.skews, clock.now(), clock.boot())
    kept.keep_observed(after)
    must(kept.observed() == after, "what was kept is not what was seen")
    draft = Draft(sent)
    beat = Heartbeat(server="a", instance="i", at=NOON, boot_id="b", nonce="n", version="0", slots=1)
    draft.prune(NOON + timedelta(days=30))
    _, anew = draft.commit(beat, NOON)
    kept.keep_sent(draft.landed("c" * 40, anew, NOON))
    settled(sent, "d" * 40)
    read_json(home / "observed.json")
    HostCheckup(Home(home), {}, clock).broken()


def letters(data: bytes) -> None:
    """A letter in the outbox is whole, or passed over."""
    box = scratch() / "outbox"
    box.mkdir(exist_ok=True)
    (box / "x.json").write_bytes(data)
    outbox = Outbox(box)
    outbox.hubs()
    outbox.letters("/srv/hub.git")


def idle_note(data: bytes) -> None:
    """A note that all is at rest is whole, or a sync is done."""
    home = scratch() / "idle"
    if not home.is_dir():
        (home / "outbox").mkdir(parents=True)
        (home / "server.yaml").touch()
        Path(idle.path_of(str(home))).parent.mkdir(parents=True, exist_ok=True)
    Path(idle.path_of(str(home))).write_bytes(data)
    idle.nothing_to_do({"BNET_HOME": str(home)})


@contextmanager
def without_a_hub() -> Iterator[None]:
    """Run nothing of what a note asks to be run."""
    done = subprocess.CompletedProcess(["git"], 0, b"")
    with mock.patch.object(subprocess, "run", lambda *words, **options: done):
        yield


def environment(data: bytes) -> None:
    """A file of secrets gives names and values, and a crontab keeps its other lines."""
    text = data.decode(errors="surrogateescape")
    for name in parse_environment(text):
        must("=" not in name and "\n" not in name, "a name that is none")
    try:
        taken_out = cron.remove(text, "1f0c")
        put_in = cron.install(taken_out, "1f0c", "* * * * * x")
        must(cron.remove(put_in, "1f0c").rstrip("\n") == taken_out.rstrip("\n"), "another line was touched")
    except BnetError:
        pass


def asked_of_a_run(data: bytes) -> None:
    """A supervisor goes by what is asked of it; what it cannot read is as if it were not there yet."""
    files = unpack(data)
    with suppress(ValueError):
        parse_object(files.get("run.json", b""))
    top = scratch() / "run"
    put(top, {**files, "run.json": encode(INTENT)})
    watch = Watch(str(top), Supervised(json.loads(encode(INTENT)), {}, str(top)))
    for seconds in range(4):
        watch.verdict(watch.started + seconds)
        watch.urgent(watch.started + seconds)
        watch.pause(watch.started + seconds)


def artifacts(data: bytes) -> None:
    """Patterns of artifacts find files of the workspace in bounded time, or say what is wrong."""
    top = scratch() / "workspace"
    if not top.is_dir():
        deep = top.joinpath(*["a"] * 24)
        deep.mkdir(parents=True)
        for path in (top / "x.txt", top / "a/b.whl", deep / "z"):
            path.touch()
        (top / "link").symlink_to("/")
    patterns = data.decode(errors="surrogateescape").split("\n")[:20]
    found, _ = find_artifacts(str(top), patterns, must_match=True)
    must(all(os.path.isfile(top / path) and ".." not in path for path in found), "a file that is not there")


def masked(data: bytes) -> None:
    """No secret is shown, wherever a read ended, and nothing else is hidden."""
    secrets, _, text = data.partition(b"\n\n")
    held = secrets.split(b"\n")[:5]
    whole = Masker(held).feed(text, final=True)
    pieces, masker = [], Masker(held)
    for at in range(0, len(text), 7):
        pieces.append(masker.feed(text[at : at + 7]))
    must(b"".join([*pieces, masker.feed(b"", final=True)]) == whole, "it depends on where a read ends")
    for secret in held:
        must(len(secret) < MIN_SECRET or b"*" in secret or secret not in whole, "a secret is shown")


def _runs() -> list[bytes]:
    lease = {"boot_id": "boot-1", "until": 2000.0, "lease_grace": 5.0}
    alive = {
        "run.json": encode(INTENT),
        "pid.json": b'{"pid": 1, "start": 5, "boot_id": "boot-1"}',
        "lease.json": json.dumps(lease).encode(),
        "phase": b"running\n",
        "log": b"one\n",
        "log.000000000004": b"two\n",
    }
    built = {"workspace/.bnet/build.json": encode(REPORT), "artifacts/dist/a.whl": b"x"}
    return [
        pack(alive),
        pack({**alive, **built, "exit.json": encode(EXIT)}),
        pack({"run.json": encode(INTENT)}),
    ]


def _asked() -> list[bytes]:
    lease = {"boot_id": "x", "until": 1e12, "lease_grace": 5.0}
    stop = {"reason": "cancel", "message": "because"}
    order = {"run.json": encode(INTENT), "lease.json": json.dumps(lease).encode()}
    return [pack({**order, "stop.json": json.dumps(stop).encode()}), pack(order)]


def _idle() -> list[bytes]:
    home = scratch() / "idle-seed"
    home.mkdir(exist_ok=True)
    (home / "server.yaml").touch()
    with redirect_stderr(io.StringIO()):
        return [idle.note(["git", "ls-remote"], {"A": "b"}, "refs", 1e12, "boot", str(home))]


TARGETS = (
    Target("runs", "files", runs, _runs, 0.5, without_processes),
    Target("report", "json", report, lambda: [encode(REPORT)], 5.0),
    Target(
        "notes",
        "files",
        notes,
        lambda: [pack({"observed.json": encode(OBSERVED), "telemetry.json": encode(SENT)})],
        1.0,
    ),
    Target("letters", "json", letters, lambda: [encode(LETTER)], 2.0),
    Target("idle", "json", idle_note, _idle, 2.0, without_a_hub),
    Target(
        "environment",
        "text",
        environment,
        lambda: [
            b"# c\nTOKEN='x'\nexport A=b\n",
            b"0 * * * * x\n# >>> bnet 1f0c >>>\nx\n# <<< bnet 1f0c <<<\n",
        ],
        8.0,
    ),
    Target("asked", "files", asked_of_a_run, _asked, 0.8),
    Target("artifacts", "text", artifacts, lambda: [b"dist/**\n*.txt\na/*.whl\n**/z", b"**/a/**/a/*"], 0.4),
    Target(
        "masked", "text", masked, lambda: [b"secret-1\nsecret-2\n\nsay secret-1 and secret-secret-2"], 8.0
    ),
)
