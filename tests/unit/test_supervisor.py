"""The supervisor with real processes: how runs end, and that nothing of them is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bnet.host.runs import BOOT
from bnet.runners import supervisor
from bnet.runners.supervisor.log import Log, Masker
from bnet.runners.supervisor.rundir import publish
from bnet.runners.supervisor.system import boot_id, now, stat_fields

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

PATIENCE = 15.0  # seconds; a deadline for what should take a fraction of it
PACKAGE = Path(supervisor.__file__).parent
STUBBORN = "trap '' TERM; echo $$ >> pids; while :; do sleep 0.05; done"


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Return the condition's first true value."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"never happened: {what}")


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return stat_fields(pid)[0] not in (b"Z", b"X")
    except OSError:
        return False


class Run:
    """One run directory and the supervisor that works in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.workspace = directory / "workspace"
        self.package = PACKAGE
        self.environment: dict[str, str] = {}
        self.wrapper: list[str] = []
        self.passed: list[int] = []  # descriptors that the starter forgot to close
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, command: str | list[str], **fields: object) -> Run:
        """Write run.json and start the supervisor."""
        self.directory.mkdir(exist_ok=True)
        document = {"run": f"run-{os.getpid()}-{time.monotonic_ns()}", "job": 12, "attempt": 1, "grace": 0.3}
        document |= {"name": "test", "command": command, "later_field": {"nested": [1.5, None]}} | fields
        self.write("run.json", document)
        self.process = self.supervisor()
        return self

    def supervisor(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-I", "-S", "-c", BOOT, str(self.package.parent), str(self.directory)]
        return subprocess.Popen(
            [*self.wrapper, *argv],
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.passed,
        )

    def write(self, name: str, document: object) -> None:
        temporary = self.directory / f"{name}.new"
        temporary.write_text(json.dumps(document, indent=1) + "\n")
        temporary.rename(self.directory / name)

    def write_lease(self, seconds: float, **fields: object) -> None:
        lease = {"boot_id": boot_id(), "until": now() + seconds}
        self.write("lease.json", lease | fields)

    def ended(self) -> dict[str, Any]:
        """Wait for the supervisor and return exit.json."""
        assert self.process is not None
        assert self.process.communicate(timeout=PATIENCE)[0] == b""
        assert self.process.returncode == 0
        result: dict[str, Any] = json.loads((self.directory / "exit.json").read_text())
        return result

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def last_line(self) -> str:
        return self.log().splitlines()[-1].removeprefix("bnet: job #12 attempt 1: ")

    def pids(self, count: int) -> list[int]:
        """Wait until so many processes of the job wrote their pids."""
        file = self.workspace / "pids"

        def read() -> list[int]:
            found = file.read_text().split() if file.exists() else []
            return [int(pid) for pid in found] if len(found) >= count else []

        pids: list[int] = eventually(read, f"{count} pids")
        return pids


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path / "run")
    yield run
    if run.process and run.process.poll() is None:
        run.process.terminate()
        run.process.communicate(timeout=PATIENCE)


# -- how a run ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code", "number", "line"),
    [
        (["true"], 0, None, "success (exit 0) after "),
        ("exit 3", 3, None, "failure (exit 3) after "),
        ("kill -9 $$", 137, 9, "failure (signal 9) after "),
        ("kill -SEGV $$", 139, 11, "failure (signal 11) after "),
        (["no-such-program"], 127, None, "failure (exit 127: no-such-program: command not found) after "),
        (["./missing"], 127, None, "failure (exit 127: ./missing: no such file) after "),
        (["/etc/passwd"], 126, None, "failure (exit 126: /etc/passwd: permission denied) after "),
        (["/etc"], 126, None, "failure (exit 126: /etc: is a directory) after "),
    ],
)
def test_the_end_of_the_command_is_the_end_of_the_run(
    run: Run, command: str | list[str], code: int, number: int | None, line: str
) -> None:
    result = run.start(command).ended()
    assert (result["outcome"], result["exit_code"], result["signal"]) == ("exit", code, number)
    assert run.last_line().startswith(line)


def test_exit_json_has_every_field_and_comes_last(run: Run) -> None:
    result = run.start("printf 'no newline'").ended()
    document = json.loads((run.directory / "run.json").read_text())
    assert list(result) == [
        *("run", "outcome", "exit_code", "signal", "reason", "message", "started_at", "finished_at"),
        *("seconds", "artifacts", "artifact_problem", "log_size"),
    ]
    assert result["run"] == document["run"]
    assert result["started_at"] <= result["finished_at"]
    assert result["started_at"].endswith("Z")
    assert 0 < result["seconds"] < 5
    assert result["log_size"] == len(run.log())
    assert run.log().startswith("no newline\nbnet: job #12 attempt 1: success")
    times = {path.name: path.lstat().st_mtime_ns for path in run.directory.iterdir()}
    assert times["exit.json"] == max(times.values())
    assert {path.name for path in run.directory.iterdir()} == {
        *("run.json", "pid.json", "phase", "log", "exit.json", "workspace"),
    }


def test_exit_json_is_never_seen_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.json").touch()
    seen: list[bool] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        seen.append((tmp_path / "exit.json").exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    assert publish(str(tmp_path), {"outcome": "exit"})
    assert seen == [False, True]  # the content before the name, the name after it
    assert json.loads((tmp_path / "exit.json").read_text()) == {"outcome": "exit"}


def test_the_job_sees_its_environment_workspace_and_no_input(run: Run) -> None:
    run.environment = {"FROM_STARTER": "a", "OVERRIDDEN": "starter"}
    names = "$FROM_STARTER $OVERRIDDEN $BNET_JOB $BNET_ATTEMPT"
    paths = "ls /proc/self/fd | wc -l; [ $PWD = $BNET_WORKSPACE ] && cat"
    command = f'echo "{names}"; {paths}; cut -d" " -f6 /proc/$$/stat; echo $$'
    run.start(command, env={"OVERRIDDEN": "Ümläut \U0001f600"}).ended()
    seen, descriptors, session, pid = run.log().splitlines()[:4]
    assert seen == "a Ümläut \U0001f600 12 1"
    assert int(descriptors) == 4  # the three, and ls reading the directory
    assert session == pid


def test_descriptors_of_the_starter_are_closed(run: Run) -> None:
    reading, writing = os.pipe()
    run.passed = [writing]
    run.start("sleep 100")
    os.close(writing)
    assert os.read(reading, 1) == b""  # blocks until nobody holds the other end
    os.close(reading)
    eventually(lambda: _text(run.directory / "phase") == "running\n", "running")


def test_ignored_signals_are_not_handed_on(run: Run) -> None:
    run.start("grep SigIgn /proc/self/status").ended()
    ordinary = (1 << 31) - 1  # the C library keeps 32 and 33 to itself
    assert int(run.log().split()[1], 16) & ordinary == 0


def test_a_broken_run_json_is_an_internal_error(run: Run) -> None:
    run.directory.mkdir()
    (run.directory / "run.json").write_text("{")
    run.process = run.supervisor()
    assert run.ended()["outcome"] == "internal"
    assert "Traceback" in (run.directory / "supervisor.err").read_text()


def test_a_bug_while_the_job_runs_leaves_no_process(run: Run, tmp_path: Path) -> None:
    run.package = tmp_path / "supervisor"
    shutil.copytree(PACKAGE, run.package, ignore=shutil.ignore_patterns("__pycache__"))
    broken = run.package / "commands.py"
    source = broken.read_text()
    broken.write_text(source.replace("self.log.write(self.masker.feed(data))", "raise RuntimeError('bug')"))
    run.start("echo $$ > pids; echo; sleep 100")
    result = run.ended()
    assert (result["outcome"], result["message"]) == ("internal", "RuntimeError: bug")
    assert run.last_line() == "internal error: RuntimeError: bug"
    assert not is_alive(run.pids(1)[0])


# -- exactly once --------------------------------------------------------------------------------------------


def test_pid_json_names_the_supervisor(run: Run) -> None:
    run.start("sleep 100")
    identity = json.loads(eventually(lambda: _text(run.directory / "pid.json"), "pid.json"))
    assert run.process is not None
    assert identity == {
        "pid": run.process.pid,
        "start": int(stat_fields(run.process.pid)[19]),
        "boot_id": boot_id(),
    }


def test_a_second_supervisor_exits_and_touches_nothing(run: Run) -> None:
    run.start("echo once >> count").ended()

    def times() -> dict[Path, int]:
        return {path: path.lstat().st_mtime_ns for path in [run.directory, *run.directory.rglob("*")]}

    before = times()
    run.process = run.supervisor()
    run.ended()
    assert times() == before


def test_of_many_supervisors_at_once_one_runs_the_job(run: Run) -> None:
    run.start("echo once >> count; sleep 0.3")
    others = [run.supervisor() for _ in range(5)]
    for other in others:
        assert other.communicate(timeout=PATIENCE)[0] == b""
        assert other.returncode == 0
    assert run.ended()["exit_code"] == 0
    assert (run.workspace / "count").read_text() == "once\n"
    assert not list(run.directory.glob(".pid.json*"))


# -- preparing -----------------------------------------------------------------------------------------------


def test_preparing_comes_before_the_command_in_the_same_workspace(run: Run) -> None:
    run.start("cat made", prepare=[["sh", "-c", "cat ../phase; echo hello > made"]]).ended()
    assert run.log().startswith("preparing\nhello\n")
    assert (run.directory / "phase").read_text() == "collecting\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["sh", "-c", "echo no branch; exit 4"], "sh -c echo no branch; exit 4 (exit 4): no branch"),
        (["no-such-tool", "x"], "no-such-tool: command not found"),
        (
            ["env", "BNET_HOME=/h", "sh", "-c", "echo gone; exit 1", "bnet", "artifact", "get", "7"],
            "bnet artifact get (exit 1): gone",
        ),
    ],
)
def test_a_failing_preparation_refuses_the_run(run: Run, argv: list[str], message: str) -> None:
    result = run.start("touch ran", prepare=[argv]).ended()
    assert (result["outcome"], result["exit_code"]) == ("refused", None)
    assert result["message"] == f"preparing failed: {message}"
    assert run.last_line() == f"refused: preparing failed: {message}"
    assert not (run.workspace / "ran").exists()


def test_the_total_time_includes_preparing(run: Run) -> None:
    result = run.start("true", prepare=[["sleep", "100"]], timeout=0.2).ended()
    assert result["outcome"] == "timeout"


# -- the whole process tree ----------------------------------------------------------------------------------


def test_a_grandchild_that_ignores_term_is_killed(run: Run) -> None:
    grandchild = "trap '' TERM; sh -c 'echo $PPID >> pids'; while :; do sleep 0.05; done"
    result = run.start(f"({grandchild}) & echo $$ >> pids; sleep 100", timeout=0.4).ended()
    assert result["outcome"] == "timeout"
    assert result["signal"] == signal.SIGTERM  # the main process did not ignore it
    assert not any(map(is_alive, run.pids(2)))


def test_a_daemon_in_its_own_session_does_not_escape(run: Run) -> None:
    daemon = r"exec >/dev/null 2>&1; echo \$\$ >> pids; exec sleep 100"
    result = run.start(f"""setsid sh -c '(sh -c "{daemon}" &)'; sleep 0.1""").ended()
    assert result["exit_code"] == 0
    assert result["seconds"] < 2
    assert not is_alive(run.pids(1)[0])
    assert "left-over processes were ended (1)" in run.log()


def test_a_process_that_keeps_the_output_open_is_ended_after_two_seconds(run: Run) -> None:
    result = run.start("echo $$ >> pids; (trap '' TERM; sleep 100) & echo done; exit 5").ended()
    assert (result["outcome"], result["exit_code"]) == ("exit", 5)
    assert 2 <= result["seconds"] < 5
    assert run.log().splitlines()[1].startswith("bnet: job #12 attempt 1: left-over processes were ended (")


def test_processes_that_end_by_themselves_in_time_are_left_alone(run: Run) -> None:
    run.start("(sleep 0.3; echo late) & echo early").ended()
    assert run.log().startswith("early\nlate\nbnet: job #12 attempt 1: success")


def test_a_process_outside_the_tree_is_found_by_its_environment(tmp_path: Path) -> None:
    name = f"mark-{tmp_path.name}-{os.getpid()}"
    marked = subprocess.Popen(["sleep", "100"], env=os.environ | {"BNET_RUN": name}, start_new_session=True)
    other = subprocess.Popen(["sleep", "100"], env=os.environ | {"BNET_RUN": name + "x"})
    script = "import sys; from bnet.runners.supervisor.tree import Tree; Tree(sys.argv[1]).tell(9, set())"
    subprocess.run([sys.executable, "-c", script, name], check=True, cwd=PACKAGE.parents[2])
    assert marked.wait(PATIENCE) == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()


def test_term_reaches_a_process_once_and_may_be_used_to_tidy_up(run: Run) -> None:
    tidy = "trap 'echo tidied; sleep 0.2; exit 7' TERM; echo $$ >> pids; while :; do sleep 0.02; done"
    run.start(tidy, grace=10)
    run.pids(1)
    run.write("stop.json", {"reason": "cancel", "message": "by Ada"})
    result = run.ended()
    assert (result["outcome"], result["exit_code"]) == ("stopped", 7)
    assert run.log().count("tidied") == 1


def test_a_stopped_process_gets_its_term(run: Run) -> None:
    run.start("echo $$ >> pids; kill -STOP $$", grace=PATIENCE)
    pid = run.pids(1)[0]
    eventually(lambda: stat_fields(pid)[0] == b"T", "stopped")
    run.write("stop.json", {"reason": "cancel"})
    assert run.ended()["signal"] == signal.SIGTERM


# -- when it must give up ------------------------------------------------------------------------------------


def test_a_run_ends_at_its_time_limit(run: Run) -> None:
    result = run.start("while :; do echo x; sleep 0.05; done", timeout=0.5, silence_timeout=0.4).ended()
    assert result["outcome"] == "timeout"
    assert 0.5 <= result["seconds"] < 2
    assert run.last_line() == "timeout: no end after 0.5 s; processes were stopped"


def test_a_silent_run_ends(run: Run) -> None:
    talk = "for i in 1 2 3 4; do echo $i; sleep 0.15; done"
    result = run.start(f"{talk}; sleep 100", silence_timeout=0.4).ended()
    assert result["outcome"] == "silence"
    assert result["seconds"] >= 0.8  # output starts the count anew
    assert run.last_line() == "silence: no output for 0.4 s; processes were stopped"


@pytest.mark.parametrize(
    ("request_", "reason", "line"),
    [
        ({"reason": "cancel", "message": "by Ada"}, "cancel", "cancelled: by Ada"),
        ({"reason": "drain"}, "drain", "stopped: drain"),
        ("not an object", "stop", "stopped: stop: stop.json is there but cannot be read"),
    ],
)
def test_stop_json_stops_the_run(run: Run, request_: object, reason: str, line: str) -> None:
    run.start("echo $$ >> pids; sleep 100")
    pids = run.pids(1)
    run.write("stop.json", request_)
    result = run.ended()
    assert (result["outcome"], result["reason"]) == ("stopped", reason)
    assert run.last_line() == line
    assert not is_alive(pids[0])


def test_a_run_that_is_stopped_before_it_starts_does_nothing(run: Run) -> None:
    run.directory.mkdir()
    run.write("stop.json", {"reason": "cancel", "message": "too late"})
    result = run.start("touch ran", prepare=[["touch", "prepared"]]).ended()
    assert (result["outcome"], result["exit_code"], result["message"]) == ("stopped", None, "too late")
    assert not list(run.workspace.iterdir())


def test_signals_to_the_supervisor(run: Run) -> None:
    run.start("echo $$ >> pids; sleep 100")
    pids = run.pids(1)
    assert run.process is not None
    run.process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(0.3)
    run.process.terminate()
    result = run.ended()
    assert (result["outcome"], result["reason"]) == ("stopped", "terminated")
    assert not is_alive(pids[0])


@pytest.mark.parametrize("fields", [{}, {"boot_id": "another boot", "until": 1e12}])
def test_a_lost_lease_stops_the_run(run: Run, fields: dict[str, object]) -> None:
    run.directory.mkdir()
    run.write_lease(0.6)
    started = time.monotonic()
    run.start("echo $$ >> pids; sleep 100", on_lost_lease="stop")
    pids = run.pids(1)
    if fields:
        run.write_lease(100, **fields)
    assert run.ended()["outcome"] == "lease"
    assert fields or time.monotonic() - started >= 0.6
    assert run.last_line() == "stopped: lease lost"
    assert not is_alive(pids[0])


def test_a_renewed_lease_keeps_the_run(run: Run) -> None:
    run.directory.mkdir()
    run.write_lease(0.5)
    run.start("echo $$ >> pids; sleep 1", on_lost_lease="stop")
    run.pids(1)
    run.write_lease(100)
    assert run.ended()["exit_code"] == 0


def test_a_run_may_finish_without_its_lease(run: Run) -> None:
    run.directory.mkdir()
    run.write_lease(-100)
    assert run.start("sleep 0.4", on_lost_lease="finish").ended()["exit_code"] == 0


def test_a_lease_lost_while_a_stop_waits_cuts_the_grace(run: Run) -> None:
    run.start(STUBBORN, grace=100, on_lost_lease="stop")
    run.pids(1)
    run.write("stop.json", {"reason": "cancel"})
    run.write_lease(0.3, lease_grace=0.1)
    result = run.ended()
    assert (result["outcome"], result["signal"]) == ("stopped", signal.SIGKILL)


@pytest.mark.parametrize("vanish", [shutil.rmtree, lambda path: path.rename(f"{path}-away")])
def test_nothing_runs_on_when_the_directory_is_gone(run: Run, vanish: Callable[[Path], None]) -> None:
    run.start(STUBBORN, grace=100)
    pids = run.pids(1)
    vanish(run.directory)
    assert run.process is not None
    assert run.process.communicate(timeout=PATIENCE)[0] == b""
    assert not is_alive(pids[0])
    assert not run.directory.exists()
    assert not list(run.directory.parent.rglob("exit.json"))


# -- the log -------------------------------------------------------------------------------------------------

SECRETS = [b"hunter2hunter3", b"hunter2hux", b"ter2hu-inner", b"aaaaaab", b"prefix", b"prefix-long", b"short"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"x hunter2hunter3 y", b"x *** y"),
        (b"hunter2hunter2hunter3!", b"hunter2***!"),
        (b"hunter2hux hunter2hu", b"*** hunter2hu"),
        (b"aaaaaaaaab", b"aaa***"),
        (b"hunter2hunter3hunter3hunter2hux", b"***hunter3***"),
        (b"prefix-long prefix-lo", b"*** ***-lo"),
        (b"short is shown", b"short is shown"),
        (b"hunter2hu-inner", b"hun***"),
    ],
)
def test_secrets_are_masked_wherever_reads_split_them(text: bytes, shown: bytes) -> None:
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            masker = Masker(SECRETS)
            parts = [masker.feed(text[:first]), masker.feed(text[first:second]), masker.feed(text[second:])]
            assert b"".join([*parts, masker.feed(b"", final=True)]) == shown, (first, second)


def test_only_what_may_begin_a_secret_is_held_back() -> None:
    masker = Masker([b"password"])
    assert masker.feed(b"Name: ") == b"Name: "
    assert masker.feed(b"pass") == b""
    assert masker.feed(b"ed") == b"passed"


def test_a_secret_reaches_the_job_but_not_the_log(run: Run) -> None:
    run.environment = {"TOKEN": "correct horse\n", "PIN": "1234"}
    echo = 'printf "correct"; sleep 0.2; echo " horse"; echo "$TOKEN" $PIN; [ "$TOKEN" ] && no-such "$TOKEN"'
    secrets = ["TOKEN", "PIN", "ABSENT"]
    result = run.start(echo, secrets=secrets, prepare=[["sh", "-c", "echo $TOKEN"]]).ended()
    assert result["exit_code"] == 127
    assert run.log().startswith("***\n***\n***\n 1234\n")
    assert "horse" not in run.log()


def test_a_secret_is_masked_in_messages(run: Run) -> None:
    run.environment = {"TOKEN": "s3cr3t-value"}
    result = run.start("true", secrets=["TOKEN"], prepare=[["sh", "-c", "echo s3cr3t-value; exit 1"]]).ended()
    assert result["message"] == "preparing failed: sh -c echo ***; exit 1 (exit 1): ***"


def test_output_appears_promptly_and_in_order(run: Run) -> None:
    run.start("echo out; echo err >&2; echo out; sleep 100")
    eventually(lambda: _text(run.directory / "log") == "out\nerr\nout\n", "output")
    assert (run.directory / "phase").read_text() == "running\n"


def test_a_long_log_keeps_head_and_tail(run: Run) -> None:
    limit = 40_000
    result = run.start("seq -w 0 99999", log_limit=limit).ended()
    whole = "".join(f"{number:05d}\n" for number in range(100_000)).encode()
    pieces = {path.name: path.read_bytes() for path in run.directory.glob("log*")}
    head = pieces.pop("log")
    assert head == whole[: limit // 2]
    assert len(pieces) == 2
    first, second = sorted(pieces)
    assert int(first[4:]) + len(pieces[first]) == int(second[4:])
    tail = pieces[first] + pieces[second]
    assert int(first[4:]) > limit // 2
    assert (len(first), len(head + tail) <= limit) == (len("log.") + 12, True)
    assert (whole + tail[len(whole) - int(first[4:]) :]).endswith(tail)
    assert int(first[4:]) + len(tail) == result["log_size"]
    assert b"bnet: job #12 attempt 1: success (exit 0) after" in tail.splitlines()[-1]


def test_what_a_full_disk_does_not_take_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(str(tmp_path), 1 << 20)
    log.write(b"before")
    write, full = os.write, OSError(28, "No space left on device")

    def refuse(descriptor: int, data: bytes) -> int:
        raise full

    monkeypatch.setattr(os, "write", refuse)
    log.write(b"lost 1")
    log.write(b"lost 2")
    monkeypatch.setattr(os, "write", write)
    log.write(b"after")
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"log": b"before", "log.000000000018": b"after"}
    assert (log.size, log.lost) == (23, 12)


def test_a_job_survives_a_limit_on_file_sizes(run: Run) -> None:
    run.wrapper = ["sh", "-c", 'ulimit -f 16; exec "$0" "$@"']
    result = run.start("seq 20000; exit 3").ended()
    assert (result["outcome"], result["exit_code"]) == ("exit", 3)
    last = max(run.directory.glob("log.*")).read_text().splitlines()[-1]
    assert "failure (exit 3)" in last
    assert "the disk did not take" in last


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "none", disk]).returncode:
        pytest.skip("cannot mount a tmpfs")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_on_a_full_disk_the_job_ends_and_its_end_is_recorded_once_there_is_room(
    run: Run, small_disk: Path, tmp_path: Path
) -> None:
    run.directory = small_disk / "run"
    run.start(f"seq 100000; touch {tmp_path}/done; exit 3")
    eventually((tmp_path / "done").exists, "the end of the job")
    time.sleep(0.3)
    assert not (run.directory / "exit.json").exists()
    (run.directory / "log").unlink()
    result = run.ended()
    assert (result["outcome"], result["exit_code"]) == ("exit", 3)


# -- artifacts -----------------------------------------------------------------------------------------------

TREE = """
mkdir -p dist/a/b .hidden; printf 12345 > dist/x.whl; printf 123 > dist/a/b/y.whl; chmod 640 dist/x.whl
echo > dist/readme; echo > dist/.dot.whl; echo > .hidden/z.whl; mkdir dist/dir.whl; mkfifo dist/pipe.whl
ln -s /etc/passwd dist/link.whl; ln -s /etc etc; ln -s dist again
"""


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (["dist/*.whl"], ["dist/x.whl"]),
        (["**/*.whl"], ["dist/a/b/y.whl", "dist/x.whl"]),
        (["./dist/**", "dist/*.whl"], ["dist/a/b/y.whl", "dist/readme", "dist/x.whl"]),
        (["**/**/b/*"], ["dist/a/b/y.whl"]),
        ([".hidden/*"], [".hidden/z.whl"]),
        (["dist/[q-z]*"], ["dist/readme", "dist/x.whl"]),
    ],
)
def test_artifacts_are_the_files_that_match(run: Run, patterns: list[str], paths: list[str]) -> None:
    result = run.start(TREE, artifacts=patterns, artifact_limit=1000).ended()
    assert [artifact["path"] for artifact in result["artifacts"]] == paths
    assert result["artifact_problem"] is None
    kept = run.directory / "artifacts"
    assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()) == paths


def test_an_artifact_has_size_and_mode_and_costs_no_space(run: Run) -> None:
    result = run.start(TREE, artifacts=["dist/x.whl"]).ended()
    assert result["artifacts"] == [{"path": "dist/x.whl", "size": 5, "mode": "0640"}]
    assert (run.directory / "artifacts/dist/x.whl").samefile(run.workspace / "dist/x.whl")


@pytest.mark.parametrize("pattern", ["etc/passwd", "again/*.whl", "dist/link.whl", "etc/**", "dist", "no/*"])
def test_links_are_not_followed_and_a_pattern_without_a_file_is_a_problem(run: Run, pattern: str) -> None:
    result = run.start(TREE, artifacts=[pattern]).ended()
    assert (result["exit_code"], result["artifacts"]) == (0, [])
    assert result["artifact_problem"] == f"nothing matches {pattern}"
    assert f"bnet: job #12 attempt 1: artifacts: nothing matches {pattern}\n" in run.log()


@pytest.mark.parametrize("pattern", ["../run.json", "/etc/passwd", "a/../../*", ""])
def test_a_pattern_cannot_lead_out_of_the_workspace(run: Run, pattern: str) -> None:
    result = run.start("true", artifacts=[pattern]).ended()
    assert result["artifacts"] == []
    assert result["artifact_problem"] == f"{pattern!r} does not lead into the workspace"


def test_a_workspace_that_became_a_link_yields_nothing(run: Run) -> None:
    result = run.start("cd ..; rm -r workspace; ln -s /etc workspace", artifacts=["passwd"]).ended()
    assert result["artifacts"] == []
    assert result["artifact_problem"] == "the workspace is no longer a directory"


def test_artifacts_over_the_limit_are_not_kept(run: Run) -> None:
    result = run.start(TREE, artifacts=["**/*.whl"], artifact_limit=7).ended()
    assert (result["outcome"], result["exit_code"], result["artifacts"]) == ("exit", 0, [])
    assert result["artifact_problem"] == (
        "2 artifacts of 8 bytes are over the limit of 7 bytes; none was kept; "
        "the largest: dist/x.whl 5, dist/a/b/y.whl 3"
    )
    assert not (run.directory / "artifacts").exists()


def test_a_failed_run_keeps_what_there_is(run: Run) -> None:
    result = run.start("echo > report; exit 1", artifacts=["report", "dist/*"]).ended()
    assert [artifact["path"] for artifact in result["artifacts"]] == ["report"]
    assert result["artifact_problem"] is None


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
