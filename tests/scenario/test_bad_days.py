"""Days on which something is away, full, refused, torn or there twice: nothing is lost, and people are told what."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import zygote
from fleet import Fleet, git

from bnet.cli.playground import MARK
from bnet.host.lock import HostLock
from bnet.model.job import Job

PATIENCE = 60.0  # seconds for one command on a busy machine


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def says(self) -> str:
        """All that it said, which may hold no traceback."""
        text = self.out + self.err
        assert "Traceback" not in text and "a bug in bnet" not in text, text
        return text


class Day:
    """A hub, one server on it, and somebody who submits."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.root = fleet.root
        self.hub = fleet.root / "hub.git"
        self.away = fleet.root / "away.git"

    def begin(self, settings: str = "ttl: 600\n") -> None:
        self.fleet.found(settings=settings)
        self.fleet.join("a", "--slots", "5")

    def start(self, *words: str, home: str = "person", before: str = "", **env: str) -> subprocess.Popen[str]:
        """Start a command, in an interpreter in which something was changed before."""
        code = (
            ["-c", f"{before}\nfrom bnet.cli.errors import guarded\nguarded()"] if before else ["-m", "bnet"]
        )
        path = str(self.root / home)
        return subprocess.Popen(
            [sys.executable, *code, *words],
            env={**self.fleet.env, "BNET_HOME": path, MARK: path, "BNET_HUB": self.fleet.url, **env},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def bnet(self, *words: str, home: str = "person", before: str = "", **env: str) -> Said:
        if not before:
            path = str(self.root / home)
            whole = {**self.fleet.env, "BNET_HOME": path, MARK: path, "BNET_HUB": self.fleet.url, **env}
            code, told, said = zygote.run(words, env=whole, cwd=self.root)
            return Said(code, told.decode(), said.decode())
        process = self.start(*words, home=home, before=before, **env)
        out, err = process.communicate(timeout=PATIENCE)
        return Said(process.returncode, out, err)

    def sync(self, home: str = "a", before: str = "", **env: str) -> Said:
        return self.bnet("sync", home=home, before=before, **env)

    def ok(self, home: str = "a") -> None:
        said = self.sync(home)
        assert said.code == 0, said.says

    def until_ended(self, *numbers: int) -> dict[int, Job]:
        """Sync until jobs have ended, as cron would."""

        def ended() -> dict[int, Job] | None:
            self.ok()
            jobs = self.fleet.look().state.jobs
            found = {number: jobs[number] for number in numbers}
            return found if all(each.result is not None for each in found.values()) else None

        return self.fleet.until(f"{numbers} have ended", ended)

    def names(self) -> list[str]:
        """Return the names of all jobs, in the order of their numbers."""
        return [job["name"] for _, job in sorted(self.fleet.jobs().items())]

    def letters(self, home: str = "person") -> int:
        return len(list((self.root / home / "outbox").glob("*.json")))

    def hook(self, name: str, body: str) -> Path:
        hook = self.hub / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{body}\n")
        hook.chmod(0o755)
        return hook

    @contextlib.contextmanager
    def redirected(self, url: str) -> Iterator[None]:
        """Let Git find the hub somewhere else, as when its name leads to another machine."""
        config = Path(self.fleet.env["GIT_CONFIG_GLOBAL"])
        before = config.read_text()
        config.write_text(f'{before}[url "{url}"]\n\tinsteadOf = {self.fleet.url}\n')
        try:
            yield
        finally:
            config.write_text(before)


@contextlib.contextmanager
def like(template: Path, begin: Callable[[Day], object]) -> Iterator[Day]:
    """A day like the first one that began so: copied from it, to the same place, for paths are in it."""
    root = template.with_name("day")
    if template.exists():
        shutil.copytree(template, root, symlinks=True)
    made = Day(Fleet(root))
    try:
        if not template.exists():
            root.mkdir()
            begin(made)
            shutil.copytree(root, template, symlinks=True)
        yield made
    finally:
        made.fleet.close()
        shutil.rmtree(root)


@pytest.fixture
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """A hub with one server."""
    with like(tmp_path_factory.getbasetemp() / "morning", Day.begin) as made:
        yield made


@pytest.fixture
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """A day on which a job has run."""

    def begin(made: Day) -> None:
        made.begin()
        made.until_ended(made.fleet.submit("true"))

    with like(tmp_path_factory.getbasetemp() / "evening", begin) as made:
        yield made


@contextlib.contextmanager
def listening(*, answer: bool = False) -> Iterator[int]:
    """A port on which something accepts, and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for each in held:
                each.close()
            thread.join(10)


# -- a hub that is away


def moved(day: Day) -> contextlib.AbstractContextManager[object]:
    @contextlib.contextmanager
    def gone() -> Iterator[None]:
        day.hub.rename(day.away)
        try:
            yield
        finally:
            day.away.rename(day.hub)

    return gone()


def closed_http(day: Day) -> contextlib.AbstractContextManager[object]:
    return day.redirected("http://127.0.0.1:9/hub.git")


def closed_ssh(day: Day) -> contextlib.AbstractContextManager[object]:
    return day.redirected("ssh://127.0.0.1:9/hub.git")


@pytest.mark.parametrize("leave", [moved, closed_http, closed_ssh])
def test_while_the_hub_is_away_runs_go_on_and_what_was_asked_is_kept(
    day: Day, leave: Callable[[Day], contextlib.AbstractContextManager[object]]
) -> None:
    done = day.root / "done"
    number = day.fleet.submit(f"until [ -e {day.root}/go ]; do sleep 0.05; done; touch {done}")
    day.ok()
    with leave(day):
        said = day.sync()
        assert said.code == 4 and "1 running here and go on" in said.says
        assert len(said.err.splitlines()) == 2, "one line that says what is wrong, one that says what waits"
        (day.root / "go").touch()
        day.fleet.until("the run went on by itself", done.exists)
        day.fleet.until("its end waits", lambda: "1 ended and wait to be reported" in day.sync().says)
        for name in ("first", "second"):
            said = day.bnet("submit", "--name", name, "--", "true")
            assert said.code == 4 and "the submission is kept here" in said.says
        said = day.bnet("sync")
        assert said.code == 4 and "2 submission(s) wait" in said.says
        assert day.bnet("jobs").code == day.bnet("status").code == day.bnet("wait", "1").code == 4
        assert day.letters() == 2
    assert day.until_ended(number)[number].attempts[0].exit_code == 0
    said = day.bnet("sync")
    assert said.code == 0 and "delivered 2 of 2 submission(s)" in said.says
    assert day.names()[1:] == ["first", "second"]
    assert day.letters() == 0
    day.until_ended(2, 3)
    assert len(day.fleet.jobs()) == 3


def test_the_next_submission_brings_those_before_it_in_their_order(day: Day) -> None:
    with moved(day):
        day.bnet("submit", "--name", "first", "--", "true")
        day.bnet("submit", "--name", "second", "--needs", "first", "--", "true")
        day.bnet("submit", "--name", "never", "--needs", "nobody", "--", "true")
    said = day.bnet("submit", "--name", "third", "--needs", "second", "--", "true")
    assert said.code == 0 and "there is no job named nobody" in said.says
    assert day.names() == ["first", "second", "third"]
    assert day.letters() == 0
    assert len(list((day.root / "person" / "outbox").glob("*.refused"))) == 1
    assert day.bnet("submit", "--name", "fourth", "--", "true").says.count("nobody") == 0


def test_a_server_delivers_what_was_submitted_from_it(day: Day) -> None:
    with moved(day):
        assert day.bnet("submit", "--name", "kept", "--", "true", home="a").code == 4
    day.ok()
    day.ok()
    assert day.names() == ["kept"]


def test_a_submission_that_was_killed_is_delivered_once(day: Day) -> None:
    before = "import os, bnet.app.submit as s\ns.send = lambda *_, **__: os._exit(9)"
    assert day.bnet("submit", "--name", "killed", "--", "true", before=before).code == 9
    before = (
        "import os, bnet.app.submit as s\nreal = s.send\n"
        "def send(*a, **k):\n    real(*a, **k)\n    os._exit(9)\ns.send = send"
    )
    assert day.bnet("submit", "--name", "landed", "--", "true", before=before).code == 9
    assert day.letters() > 0
    assert day.bnet("sync").code == 0
    assert day.names() == ["killed", "landed"]


def test_a_hub_that_accepts_and_never_answers(day: Day) -> None:
    number = day.fleet.submit("sleep 600")
    day.ok()
    short = "import bnet.gitstore.hub as h, bnet.gitstore.places as p\nh.NETWORK_TIMEOUT = p.NETWORK_TIMEOUT = 1.0"
    with listening() as port, day.redirected(f"http://127.0.0.1:{port}/hub.git"):
        said = day.sync(before=short)
        assert said.code == 4 and "did not answer" in said.says and "1 running here" in said.says
        said = day.bnet("submit", "--name", "later", "--", "true", before=short)
        assert said.code == 4 and "did not answer" in said.says and "is kept here" in said.says
    day.ok()
    assert day.fleet.job(number).state == "running"
    assert day.bnet("sync").code == 0 and day.names()[1:] == ["later"]


def test_an_agent_outlives_an_absence(day: Day) -> None:
    day.fleet.start("a", "--interval", "0.1")
    first = day.fleet.submit("true")
    day.fleet.until_ended(first)
    log = day.root / "a.log"
    with moved(day):
        day.fleet.until("the agent noticed", lambda: "cannot be reached" in log.read_text())
    second = day.fleet.submit("true")
    day.fleet.until_ended(second)
    assert "Traceback" not in log.read_text()


# -- a hub that refuses


@pytest.mark.parametrize("hook", ["pre-receive", "update"])
def test_a_hook_that_refuses_is_quoted_and_runs_go_on(day: Day, hook: str) -> None:
    number = day.fleet.submit("echo hi")
    day.ok()
    planted = day.hook(hook, "echo 'no pushes on Fridays' >&2; exit 1")
    run = day.root / "a" / "runs" / f"{number}.1" / "exit.json"
    day.fleet.until("the run has ended", run.exists)
    for said in (day.sync(), day.bnet("submit", "--name", "kept", "--", "true")):
        assert said.code == 5
        line = said.says.splitlines()[0]
        assert "the hub refuses the push: no pushes on Fridays" in line and "declined" in line
        assert "bnet doctor" in said.err
    doctor = day.bnet("doctor", home="a")
    assert doctor.code == 1 and "no pushes on Fridays" in doctor.says
    planted.unlink()
    day.until_ended(number)
    assert day.bnet("sync").code == 0 and day.names()[1:] == ["kept"]


def test_an_agent_waits_for_a_hub_that_refuses(day: Day) -> None:
    planted = day.hook("pre-receive", "exit 1")
    day.fleet.start("a", "--interval", "0.1")
    log = day.root / "a.log"
    day.fleet.until("the agent said so", lambda: log.exists() and "refuses the push" in log.read_text())
    planted.unlink()
    day.fleet.until_ended(day.fleet.submit("true"))


def test_a_branch_that_is_checked_out_is_said_in_one_line(fleet: Fleet, tmp_path: Path) -> None:
    work = tmp_path / "work"
    for words in (["init", "-q", work], ["-C", work, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], check=True)
    day = Day(Fleet(fleet.root, url=str(work)))
    day.fleet.init()
    subprocess.run(["git", "-C", work, "checkout", "-q", "bnet"], check=True)
    said = day.bnet("submit", "--", "true")
    assert said.code == 5
    assert "branch is currently checked out): check out another branch there" in said.says.splitlines()[0]
    subprocess.run(["git", "-C", work, "checkout", "-q", "main"], check=True)
    assert day.bnet("sync").code == 0
    assert len(day.fleet.jobs()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_hub_of_another_user_that_may_only_be_read(day: Day, tmp_path: Path) -> None:
    config = Path(day.fleet.env["GIT_CONFIG_GLOBAL"])
    config.write_text(f"{config.read_text()}[safe]\n\tdirectory = *\n")
    for path in [day.root, *day.root.parents, tmp_path, *tmp_path.parents, config.parent]:
        if path.stat().st_uid == 0 and str(path).startswith(str(Path(tmp_path.anchor) / "tmp")):
            path.chmod(path.stat().st_mode | 0o055)
    home = tmp_path / "nobody"
    home.mkdir()
    os.chown(home, 65534, 65534)
    become = "import os, sys\nos.setgroups([])\nos.setgid(65534)\nos.setuid(65534)"
    wanted = f"{become}\nimport re, bnet.cli.main, yaml, msgspec"
    probe = subprocess.run(
        [sys.executable, "-c", wanted], env=day.fleet.env, cwd=day.root, capture_output=True
    )
    if probe.returncode != 0:
        pytest.skip("nobody may not read this interpreter or checkout")
    said = day.bnet("submit", "--", "true", before=become, BNET_HOME=str(home), HOME=str(home))
    assert said.code == 5 and "the hub refuses the push" in said.says
    assert "the hub's files may not be written by this user" in said.says


# -- a ledger that is not what it was


def test_a_hub_from_yesterdays_backup_is_given_back_what_it_lost(day: Day) -> None:
    ref = day.fleet.git("-C", str(day.hub), "symbolic-ref", "HEAD").strip()
    yesterday = day.fleet.git("-C", str(day.hub), "rev-parse", ref).strip()
    number = day.fleet.submit("true")
    day.until_ended(number)
    newest = day.fleet.git("-C", str(day.hub), "rev-parse", ref).strip()
    day.fleet.git("-C", str(day.hub), "update-ref", ref, yesterday)
    day.ok()
    day.fleet.git("-C", str(day.hub), "merge-base", "--is-ancestor", newest, ref)
    assert day.fleet.jobs()[number]["result"] == "success"


def test_a_ledger_that_went_another_way_freezes_decisions_but_no_run(day: Day) -> None:
    ref = day.fleet.git("-C", str(day.hub), "symbolic-ref", "HEAD").strip()
    yesterday = day.fleet.git("-C", str(day.hub), "rev-parse", ref).strip()
    done = day.root / "done"
    day.fleet.submit(f"until [ -e {day.root}/go ]; do sleep 0.05; done; touch {done}")
    day.ok()
    day.fleet.git("-C", str(day.hub), "update-ref", ref, yesterday)
    assert day.bnet("submit", "--name", "other", "--", "true", home="stranger").code == 0
    said = day.sync()
    assert said.code == 1 and "has diverged" in said.says and "bnet hub adopt" in said.says
    assert "jobs go on, nothing new is decided" in said.says
    (day.root / "go").touch()
    day.fleet.until("the run went on by itself", done.exists)
    said = day.bnet("submit", "--name", "kept", "--", "true", home="a")
    assert said.code == 1 and "is kept here" in said.says
    assert day.bnet("doctor", home="a").code == 1
    assert day.bnet("hub", "adopt", "--yes", home="a").code == 0
    day.ok()
    day.ok()
    assert {"other", "kept"} <= set(day.names())


def test_a_newer_format_says_which_and_leaves_runs_alone(day: Day) -> None:
    done = day.root / "done"
    day.fleet.submit(f"until [ -e {day.root}/go ]; do sleep 0.05; done; touch {done}")
    day.ok()
    newer = (
        "import bnet.model.hub as m\nm.FORMAT = 2\nimport bnet.codec.formats as f\n"
        "f.UPGRADES[2] = lambda files: {}\nf.NEWEST = 2"
    )
    for home in ("a", "person"):
        assert day.bnet("sync" if home == "a" else "jobs", home=home, before=newer).code == 0
    assert day.bnet("hub", "upgrade", before=newer).code == 0
    for said in (day.sync(), day.bnet("jobs"), day.bnet("submit", "--", "true")):
        assert said.code == 2 and "this hub has format 2; this bnet understands up to 1" in said.says
        assert "upgrade bnet" in said.says
    (day.root / "go").touch()
    day.fleet.until("the run went on by itself", done.exists)


# -- a machine that is full


@pytest.fixture
def small_disk(day: Day) -> Iterator[Path]:
    """A server's BNET_HOME on a file system of 4 MB."""
    home, kept = day.root / "a", day.root / "a.kept"
    home.rename(kept)
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", home], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("nothing may be mounted here")
    try:
        shutil.copytree(kept, home, dirs_exist_ok=True)
        yield home
    finally:
        day.fleet.close()
        subprocess.run(["umount", "--lazy", home], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def test_a_full_disk_stops_nothing_for_good(day: Day, small_disk: Path) -> None:
    first = day.fleet.submit(f"until [ -e {day.root}/go ]; do sleep 0.05; done")
    day.ok()
    filler = fill(small_disk)
    second = day.fleet.submit("true")
    said = day.sync()
    assert said.code in (2, 4) and "No space left on device" in said.says
    said = day.bnet("submit", "--", "true", home="a")
    assert said.code == 2 and "No space left on device" in said.says and str(small_disk) in said.says
    assert day.bnet("doctor", home="a").code == 1
    (day.root / "go").touch()
    filler.unlink()
    jobs = day.until_ended(first, second)
    assert [len(job.attempts) for job in jobs.values()] == [1, 1]
    assert len(day.fleet.jobs()) == 2


def test_an_agent_waits_for_room(day: Day, small_disk: Path) -> None:
    day.fleet.start("a", "--interval", "0.1")
    log = day.root / "a.log"
    day.fleet.until_ended(day.fleet.submit("true"))
    filler = fill(small_disk)
    number = day.fleet.submit("true")
    day.fleet.until("the agent noticed", lambda: "No space left" in log.read_text())
    filler.unlink()
    day.fleet.until_ended(number)
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("blocks", [0, 1, 4, 16])
def test_a_limit_on_the_size_of_files(day: Day, blocks: int) -> None:
    number = day.fleet.submit("true")
    # Python would cut off the bytecode that it keeps, for all that come after.
    limit = (
        "import os, resource, sys\n"
        "sys.dont_write_bytecode, os.environ['PYTHONDONTWRITEBYTECODE'] = True, '1'\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({blocks * 512}, {blocks * 512}))"
    )
    for said in (day.sync(before=limit), day.bnet("submit", "--name", "x", "--", "true", before=limit)):
        # 5: a hub at a path stores under our limit, and says that it could not.
        assert said.code in (0, 1, 2, 4, 5), said.says
        assert said.code == 0 or "too large" in said.says or "signal" in said.says, said.says
    day.until_ended(number)
    assert day.bnet("submit", "--name", "y", "--", "true").code == 0
    assert len([name for name in day.names() if name == "x"]) <= 1


@pytest.mark.parametrize("most", [4, 8])
def test_a_limit_on_open_files(day: Day, most: int) -> None:
    limit = f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most}))"
    ends_all_the_same(day, limit, "Too many open files")


@pytest.mark.parametrize("most", [0, 6])
def test_a_limit_on_processes(day: Day, most: int) -> None:
    ends_all_the_same(day, NO_MORE.format(most=most), "Resource temporarily unavailable")


NO_MORE = """
import os, subprocess
begun, begin = 0, subprocess.Popen.__init__
def init(self, *args, **options):
    global begun
    begun += 1
    if begun > {most}:
        raise BlockingIOError(11, os.strerror(11))
    begin(self, *args, **options)
subprocess.Popen.__init__ = init
"""


def ends_all_the_same(day: Day, limit: str, words: str) -> None:
    """Sync and submit under a limit: each does it, or says what is in its way; afterwards all goes on, once."""
    number = day.fleet.submit("true")
    for said in (day.sync(before=limit), day.bnet("submit", "--name", "x", "--", "true", before=limit)):
        assert said.code == 0 or (said.code in (1, 2, 4) and words in said.says), said
    day.until_ended(number)
    assert day.bnet("submit", "--name", "y", "--", "true").code == 0
    assert len([name for name in day.names() if name == "x"]) <= 1


# -- a BNET_HOME that is not what it was


def test_a_home_that_cannot_be(day: Day) -> None:
    (day.root / "file").write_text("x")
    for home in ("file", "file/x"):
        for words in (["sync"], ["jobs"], ["submit", "--", "true"], ["join", day.fleet.url, "--name", "b"]):
            said = day.bnet(*words, home=home)
            assert said.code == 2 and "set BNET_HOME to a directory that you may write to" in said.says
    assert day.names() == []


def test_a_home_that_is_deleted_while_a_job_runs(day: Day) -> None:
    day.fleet.start("a", "--interval", "0.1")
    number = day.fleet.submit("sleep 600")
    day.fleet.until_running(number)
    shutil.rmtree(day.root / "a", ignore_errors=True)
    shutil.rmtree(day.root / "a", ignore_errors=True)
    log = day.root / "a.log"
    said = day.sync()
    assert said.code == 2 and ("has not joined" in said.says or "No such file" in said.says)
    day.fleet.stop("a")
    assert "a bug in bnet" not in log.read_text()


IDENTITY = [
    ("name: [", "server.yaml:2: is no valid YAML"),
    ("", "server.yaml: must be a mapping"),
    ("[1, 2]", "server.yaml:1: must be a mapping"),
    ("\x01", "server.yaml"),
    ("slots=many", "server.yaml:{}: field \"slots\": must be a whole number, not 'many'"),
    ("slots=-2", 'server.yaml:{}: field "slots": must be at least 0, not -2'),
    ("name=..", "field \"name\": '..' is no name"),
    ("hub=''", 'field "hub": must not be empty'),
    ("acept={queues: [fast]}", 'field "acept": there is no such field; did you mean accept?'),
]


@pytest.mark.parametrize(("change", "message"), IDENTITY, ids=[each[0] for each in IDENTITY])
def test_a_server_yaml_that_was_broken_by_hand(day: Day, change: str, message: str) -> None:
    path = day.root / "a" / "server.yaml"
    before = path.read_text()
    field, equals, value = change.partition("=")
    if equals:
        lines = [line for line in before.splitlines() if not line.startswith(f"{field}:")]
        path.write_text("\n".join([*lines, f"{field}: {value}"]) + "\n")
    else:
        path.write_text(f"{change}\n")
    shown = message.replace("{}", str(len(path.read_text().splitlines())))
    for words in (["sync"], ["agent"], ["jobs"]):
        said = day.bnet(*words, home="a", BNET_HUB="")
        assert said.code == 2 and shown in said.says and str(path) in said.says
    assert day.bnet("doctor", home="a").code == 1
    path.write_text(before)
    day.ok()


def damage(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what may be left of a file."""
    for at in (0, len(data) // 3):
        yield f"cut off at {at}", data[:at]
        yield f"a wrong byte at {at}", data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
    yield "zeros", bytes(len(data))
    yield "an empty object", b"{}"
    with contextlib.suppress(ValueError):
        plain = json.loads(data)
        yield (
            "other types",
            json.dumps({name: "x" if isinstance(plain[name], int) else 7 for name in plain}).encode(),
        )


@pytest.mark.parametrize(
    "name", ["observed.json", "telemetry.json", "idle.json", "hubs/*/snapshot", "hubs/*/hub.json"]
)
def test_notes_that_were_torn_are_notes_that_were_lost(evening: Day, name: str) -> None:
    day = evening
    day.ok()
    [path] = (day.root / "a").glob(name)
    sound = path.read_bytes()
    assert len(sound) > 10
    for what, data in damage(sound):
        path.write_bytes(data)
        said = day.sync()
        assert said.code == 0, f"{what}: {said.says}"
        assert day.bnet("jobs", home="a").code == 0, what
    day.until_ended(day.fleet.submit("true"))


TORN = (b"", b"{}", b"[]", b"\xff{", b'{"pid": "x", "start": null, "boot_id": 3, "until": "x"}')


@pytest.mark.parametrize("name", ["pid.json", "lease.json", "phase", "stop.json"])
def test_a_run_with_torn_notes_ends_all_the_same(day: Day, name: str) -> None:
    command = f"until [ -e {day.root}/go ]; do sleep 0.05; done"
    numbers = day.fleet.submit_all(*[{"command": command, "retry": 2}] * len(TORN))
    day.ok()
    for number, data in zip(numbers, TORN, strict=True):
        run = day.root / "a" / "runs" / f"{number}.1"
        day.fleet.until("the run has begun", (run / "pid.json").exists)
        (run / name).write_bytes(data)
    day.ok()
    (day.root / "go").touch()
    jobs = day.until_ended(*numbers)
    for number, data in zip(numbers, TORN, strict=True):
        result = jobs[number].result
        assert result is not None and result.result in ("success", "cancelled", "error"), data


MIRROR: Sequence[tuple[str, Callable[[Path], object]]] = [
    ("HEAD is empty", lambda mirror: (mirror / "HEAD").write_bytes(b"")),
    ("config is garbage", lambda mirror: (mirror / "config").write_text("[[[")),
    ("config is empty", lambda mirror: (mirror / "config").write_bytes(b"")),
    ("packed-refs is garbage", lambda mirror: (mirror / "packed-refs").write_text("garbage\n")),
    ("what is known is garbage", lambda mirror: (mirror / "refs/bnet/known").write_text("garbage")),
    ("what is known is empty", lambda mirror: (mirror / "refs/bnet/known").write_bytes(b"")),
    ("what is known is not there", lambda mirror: (mirror / "refs/bnet/known").write_text("1" * 40 + "\n")),
    ("packs are cut off", lambda mirror: cut_off(mirror, "*.pack")),
    ("indexes are cut off", lambda mirror: cut_off(mirror, "*.idx")),
    ("packs are gone", lambda mirror: shutil.rmtree(mirror / "objects" / "pack")),
    ("objects are gone", lambda mirror: shutil.rmtree(mirror / "objects")),
    ("refs are gone", lambda mirror: shutil.rmtree(mirror / "refs")),
    ("it is a file", lambda mirror: (shutil.rmtree(mirror), mirror.write_text("x"))),
    ("it is gone", lambda mirror: shutil.rmtree(mirror)),
    ("all is gone", lambda mirror: shutil.rmtree(mirror.parents[1])),
    ("locks are left", lambda mirror: leave_locks(mirror)),
    ("what lies between is gone", lambda mirror: lose_the_middle(mirror)),
    ("what comes is there, and empty", lambda mirror: empty_objects(mirror)),
]


def cut_off(mirror: Path, pattern: str) -> None:
    for path in (mirror / "objects" / "pack").glob(pattern):
        path.chmod(0o600)
        os.truncate(path, 40)


def empty_objects(mirror: Path) -> None:
    """As a power loss may after a fetch: the names of what came are there, and neither contents nor refs."""
    for oid in git(
        mirror.parents[3] / "hub.git", "rev-list", "--objects", "--no-object-names", "bnet"
    ).split():
        place = mirror / "objects" / oid[:2] / oid[2:]
        if subprocess.run(
            ["git", f"--git-dir={mirror}", "cat-file", "-e", oid], capture_output=True
        ).returncode:
            place.parent.mkdir(exist_ok=True)
            place.touch()


def lose_the_middle(mirror: Path) -> None:
    """As a power loss may: an old tip is known again, the newest one is there, and one between them is not."""
    for pack in (mirror / "objects" / "pack").glob("*.pack"):
        data = pack.read_bytes()
        pack.unlink()
        pack.with_suffix(".idx").unlink()
        subprocess.run(["git", f"--git-dir={mirror}", "unpack-objects", "-q"], input=data, check=True)
    commits = git(mirror, "rev-list", "refs/bnet/known").split()
    (mirror / "refs/bnet/known").write_text(commits[-1] + "\n")
    (mirror / "objects" / commits[1][:2] / commits[1][2:]).unlink()


def leave_locks(mirror: Path) -> None:
    for name in ("HEAD", "config", "packed-refs", "shallow", "refs/bnet/known", "refs/bnet/written/ledger"):
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / f"{name}.lock").touch()


@pytest.mark.parametrize("hurt", [each[1] for each in MIRROR], ids=[each[0] for each in MIRROR])
def test_a_damaged_mirror_is_made_anew_without_a_word(evening: Day, hurt: Callable[[Path], object]) -> None:
    day = evening
    for home, moved_on in (("a", False), ("person", True), ("a", True)):
        [mirror] = (day.root / home).glob("hubs/*/mirror.git")
        if moved_on:
            day.fleet.ask("true")
        hurt(mirror)
        done = day.sync() if home == "a" else day.bnet("submit", "--", "true")
        assert done.code == 0, (home, moved_on, done.says)
    day.until_ended(*day.fleet.look().state.jobs)


def test_an_agent_whose_mirror_is_damaged_meanwhile_goes_on(day: Day) -> None:
    day.fleet.start("a", "--interval", "0.1")
    day.fleet.until_ended(day.fleet.submit("true"))
    for hurt in (lambda mirror: cut_off(mirror, "*.pack"), shutil.rmtree, leave_locks):
        [mirror] = (day.root / "a").glob("hubs/*/mirror.git")
        with contextlib.suppress(FileNotFoundError):
            hurt(mirror)
        day.fleet.until_ended(day.fleet.submit("true"))


# -- odd places to start from


def test_with_next_to_no_environment(day: Day) -> None:
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": day.fleet.env["PYTHONPATH"]}
    home = str(day.root / "a")
    number = day.fleet.submit("true")
    for env in ({**bare, "BNET_HOME": home}, {**bare, "BNET_HOME": home, "HOME": "/nonexistent"}):
        done = subprocess.run(
            [sys.executable, "-m", "bnet", "sync"], env=env, cwd="/", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    day.until_ended(number)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "| head -1", "| true"])
def test_with_streams_that_are_closed(day: Day, closed: str) -> None:
    number = day.fleet.submit("echo hi")
    env = {**day.fleet.env, "BNET_HUB": day.fleet.url, "BNET_HOME": str(day.root / "a")}
    for words in ("sync", "jobs", "jobs --json", "status", f"show {number}", "submit -- true", "--help"):
        script = f'{{ "{sys.executable}" -m bnet {words}; echo $? >code; }} {closed}'
        done = subprocess.run(["sh", "-c", script], env=env, cwd=day.root, capture_output=True, text=True)
        assert (day.root / "code").read_text() == "0\n", done.stderr
        assert "Traceback" not in done.stderr and "a bug in bnet" not in done.stderr
    day.until_ended(number)


def test_with_another_character_set(day: Day) -> None:
    said = day.bnet("submit", "--label", "os=süß", "--", "echo ünïcode", LC_ALL="C")
    assert said.code == 0, said.says
    for env in ({"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}):
        for words in (["show", "1"], ["jobs"], ["why", "1"], ["status"], ["show", "1", "--json"]):
            said = day.bnet(*words, **env)
            assert said.code == 0, said.says
    assert day.fleet.job(1).spec.command == "echo ünïcode"


def test_in_a_directory_that_is_gone(day: Day) -> None:
    env = {**day.fleet.env, "BNET_HOME": str(day.root / "a")}
    bnet = f'"{sys.executable}" -m bnet'
    script = f"mkdir gone; cd gone; rmdir ../gone; {bnet} --hub {day.fleet.url} submit -- true"
    script += f" && {bnet} sync && {bnet} jobs"
    done = subprocess.run(["sh", "-c", script], env=env, cwd=day.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    script = f"mkdir gone; cd gone; rmdir ../gone; BNET_HOME=here {bnet} jobs"
    done = subprocess.run(["sh", "-c", script], env=env, cwd=day.root, capture_output=True, text=True)
    assert done.returncode == 2 and "directory" in done.stderr and "Traceback" not in done.stderr


def test_within_a_hook_of_somebodys_repository(day: Day) -> None:
    work = day.root / "work"
    subprocess.run(["git", "init", "-q", work], check=True)
    hook = work / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f'#!/bin/sh\n"{sys.executable}" -m bnet submit --name from-hook -- true && "$BN" -m bnet sync\n'
    )
    hook.chmod(0o755)
    env = {**day.fleet.env, "BNET_HOME": str(day.root / "a"), "BNET_HUB": day.fleet.url, "BN": sys.executable}
    (work / "file").write_text("x")
    subprocess.run(["git", "add", "file"], cwd=work, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "x"], cwd=work, env=env, check=True)
    told = subprocess.run(["git", "status", "--porcelain"], cwd=work, check=True, capture_output=True)
    assert told.stdout == b"" and day.names() == ["from-hook"]
    listed = subprocess.run(["git", "ls-files"], cwd=work, check=True, capture_output=True)
    assert listed.stdout == b"file\n"


# -- two at once


def test_a_second_sync_ends_at_once_and_says_so(day: Day) -> None:
    (day.root / "a" / "idle.json").unlink(missing_ok=True)
    with HostLock(day.root / "a" / "sync.lock"):
        said = day.sync()
        assert said.code == 0 and "another sync or agent of this server is at work" in said.says
        said = day.bnet("agent", home="a")
        assert said.code == 6 and "another sync or agent" in said.says
    day.ok()


def test_submitting_beside_an_agent(day: Day) -> None:
    day.fleet.start("a", "--interval", "0.05")
    started = [day.start("submit", "--", "true", home="a") for _ in range(4)]
    for process in started:
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out + err
    day.fleet.until_ended(1, 2, 3, 4)


def test_a_second_server_of_one_name(day: Day) -> None:
    said = day.bnet("join", day.fleet.url, "--name", "a", home="b")
    assert said.code == 6 and "--replace" in said.says
    assert not (day.root / "b" / "server.yaml").exists()


ELSEWHERE = (
    "import bnet.host.clock as c, bnet.host.processes as p\n"
    "c.boot_id = p.current_boot_id = lambda: 'another-boot'"
)


def test_a_copy_of_a_server_touches_nothing(day: Day) -> None:
    number = day.fleet.submit("sleep 600")
    day.ok()
    shutil.copytree(day.root / "a", day.root / "copy", ignore=shutil.ignore_patterns("*.lock"))
    with day.redirected("/nowhere"):
        day.sync()  # what the original said last, it says again with another commit
    day.fleet.submit("true", "--label", "os=plan9")
    day.fleet.stop_idle = None
    day.bnet("cancel", str(number))
    day.until_ended(number)
    refs = day.fleet.git("-C", str(day.hub), "for-each-ref")
    for words in (["sync"], ["agent"]):
        said = day.bnet(*words, home="copy", before=ELSEWHERE)
        assert said.code == 6 and "one is a copy of the other" in said.says
    assert day.fleet.git("-C", str(day.hub), "for-each-ref") == refs
    day.ok()


def test_a_copy_does_not_take_over_from_an_idle_server(fleet: Fleet) -> None:
    """An idle server beats far less often than its leases last."""
    day = Day(fleet)
    day.begin("ttl: 1\n")
    day.ok()
    shutil.copytree(day.root / "a", day.root / "copy", ignore=shutil.ignore_patterns("*.lock"))
    day.until_ended(day.fleet.submit("true"))
    refs = day.fleet.git("-C", str(day.hub), "for-each-ref")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        assert day.sync("copy", before=ELSEWHERE).code == 6
    assert day.fleet.git("-C", str(day.hub), "for-each-ref") == refs


def test_a_server_that_lost_its_notes_in_a_reboot_goes_on_by_itself(fleet: Fleet) -> None:
    day = Day(fleet)
    day.begin("ttl: 1\nintervals: {idle_heartbeat: 1}\n")
    day.until_ended(day.fleet.submit("true"))
    for name in ("telemetry.json", "observed.json", "idle.json"):
        (day.root / "a" / name).write_bytes(b"{torn")

    def alone() -> bool:
        said = day.sync(before=ELSEWHERE)
        assert said.code in (0, 6) and said.says is not None
        return said.code == 0

    day.fleet.until("nobody else is there", alone)


# -- jobs that cannot be


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["no-such-command", "--x"], 127, "no-such-command"),
        (["sh -c 'exit 127'"], 127, "exit 127"),
        (["/nonexistent/program", "x"], 127, "/nonexistent/program"),
        (["/etc/passwd", "x"], 126, "ermission denied"),
    ],
    ids=["in no PATH", "by a shell", "no file", "no program"],
)
def test_a_command_that_does_not_exist(day: Day, command: list[str], code: int, words: str) -> None:
    number = day.fleet.submit(command, "--name", "x")
    result = day.until_ended(number)[number].result
    assert result is not None and (result.result, result.exit_code) == ("failure", code)
    last = day.bnet("logs", str(number)).out.splitlines()[-1]
    assert f"failure (exit {code}" in last and words in last
    assert day.bnet("wait", str(number)).code == 1


def test_a_source_that_is_gone_is_refused_by_each_server_and_then_for_good(day: Day) -> None:
    source = day.root / "src"
    subprocess.run(["git", "init", "-q", source], check=True)
    subprocess.run(["git", "-C", source, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    number = day.fleet.submit("true", "--source", f"{source}@main")
    shutil.rmtree(source)
    job = day.until_ended(number)[number]
    assert job.result is not None and (job.result.result, job.result.reason) == ("error", "refused")
    assert "cannot be fetched" in (job.result.message or "")
    assert "sh -c" not in (job.result.message or "")
    assert "does not appear to be a git repository" in day.bnet("logs", str(number)).out


def test_a_secret_that_no_program_can_be_given(day: Day) -> None:
    (day.root / "a" / "secrets.env").write_bytes(b"TOKEN=a\0b\nOTHER=\xff\n")
    first = day.fleet.submit("true", "--secret", "TOKEN")
    second = day.fleet.submit("true", "--secret", "OTHER")
    jobs = day.until_ended(first, second)
    result = jobs[first].result
    assert result is not None and result.reason == "refused" and "NUL" in (result.message or "")
    other = jobs[second].result
    assert other is not None and other.result == "success"


# -- Ctrl-C


@pytest.mark.parametrize(
    "words", [["wait", "1"], ["logs", "-f", "1"], ["submit", "--follow", "--", "sleep 600"]]
)
def test_an_interrupted_command_ends_with_130(day: Day, words: list[str]) -> None:
    day.fleet.submit("echo begun; sleep 600")
    day.ok()
    process = day.start(*words)
    day.fleet.poll = 0.005  # its looks are short, and are told by the processes that they are
    day.fleet.until("it waits", lambda: waits(process.pid))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "Traceback" not in err


def waits(pid: int) -> bool:
    """Tell whether a process sleeps between two looks, by the second one that it takes."""
    seen = _looks.setdefault(pid, set())
    with contextlib.suppress(OSError):
        seen.update(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return len(seen) >= 3


_looks: dict[int, set[str]] = {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_agent_ends_well_and_its_runs_go_on(day: Day, number: signal.Signals) -> None:
    job = day.fleet.submit("sleep 600")
    process = day.start("agent", home="a")
    day.fleet.until_running(job)
    pid = day.root / "a" / "runs" / f"{job}.1" / "pid.json"
    day.fleet.until("it runs", pid.exists)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and "Traceback" not in err
    day.ok()
    assert day.fleet.job(job).state == "running"
