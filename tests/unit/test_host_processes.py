"""Real processes: started, recognised, found and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnet.errors import BnetError
from bnet.host import processes
from bnet.host.clock import boot_id
from bnet.host.processes import end, find_run, is_alive, spawn_detached, start_time

PATH_ONLY = {"PATH": "/usr/bin:/bin"}


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def gone(pid: int) -> bool:
    return start_time(pid) is None


@pytest.fixture
def run() -> Iterator[str]:
    """The id of a run; whatever of it is left at the end is killed."""
    name = str(uuid.uuid4())
    yield name
    for pid in find_run(name):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def spawn(run: str, tmp_path: Path) -> Callable[..., int]:
    """Starts a detached process of the run, in an empty directory."""

    def start(*argv: str, **more: str) -> int:
        env = {**PATH_ONLY, "BNET_RUN": run, **more}
        return spawn_detached(argv, env, tmp_path, tmp_path / "stderr")

    return start


class TestIsAlive:
    def test_this_process_is(self) -> None:
        start = start_time(os.getpid())
        assert start is not None
        assert is_alive(os.getpid(), start, boot_id())

    def test_a_number_that_was_given_to_another_process_is_not(self) -> None:
        start = start_time(os.getpid())
        assert start is not None
        assert not is_alive(os.getpid(), start - 1, boot_id())

    def test_nothing_is_after_a_reboot(self) -> None:
        start = start_time(os.getpid())
        assert start is not None
        assert not is_alive(os.getpid(), start, "another-boot")

    def test_a_zombie_is_not(self) -> None:
        with subprocess.Popen(["sleep", "100"]) as child:
            start = start_time(child.pid)
            assert start is not None
            child.kill()
            assert eventually(lambda: not is_alive(child.pid, start, boot_id()))

    def test_a_process_with_parentheses_in_its_name_is_understood(self, tmp_path: Path) -> None:
        odd = tmp_path / "a) Z 1 (b"
        odd.symlink_to("/bin/sleep")
        with subprocess.Popen([odd, "100"]) as child:
            start = start_time(child.pid)
            assert start is not None
            assert is_alive(child.pid, start, boot_id())
            child.kill()

    def test_psutil_tells_the_same_where_there_is_no_proc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(processes, "_HAS_PROC", False)
        with subprocess.Popen(["sleep", "100"]) as child:
            start = start_time(child.pid)
            assert start is not None
            assert is_alive(child.pid, start, boot_id())
            child.kill()
            assert eventually(lambda: not is_alive(child.pid, start, boot_id()))
        assert start_time(child.pid) is None


class TestFindRun:
    def test_finds_every_process_of_the_run_and_no_other(self, spawn: Callable[..., int], run: str) -> None:
        leader = spawn("sh", "-c", "sleep 100 & setsid sleep 100 & sleep 100; true")
        assert eventually(lambda: len(find_run(run)) == 4)
        assert leader in find_run(run)
        assert find_run(run[:-1]) == []

    def test_leaves_out_the_one_who_asks(self) -> None:
        code = "import os; from bnet.host.processes import find_run; print(find_run('r1'), os.getpid())"
        env = {**os.environ, "BNET_RUN": "r1"}
        told = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert told.stdout.startswith("[] ")

    def test_psutil_finds_the_same_where_there_is_no_proc(
        self, spawn: Callable[..., int], run: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leader = spawn("sleep", "100")
        monkeypatch.setattr(processes, "_HAS_PROC", False)
        assert find_run(run) == [leader]


class TestEnd:
    def test_a_process_that_obeys_is_not_waited_for_longer_than_it_takes(
        self, spawn: Callable[..., int]
    ) -> None:
        pid = spawn("sleep", "100")
        began = time.monotonic()
        assert end([pid], grace_s=30) == []
        assert time.monotonic() - began < 10
        assert eventually(lambda: gone(pid))

    def test_a_process_that_does_not_obey_is_killed_after_the_grace(
        self, spawn: Callable[..., int], tmp_path: Path
    ) -> None:
        pid = spawn("sh", "-c", "trap '' TERM; touch ready; while true; do sleep 0.05; done")
        assert eventually((tmp_path / "ready").exists)
        began = time.monotonic()
        assert end([pid], grace_s=0.3) == []
        assert time.monotonic() - began >= 0.3
        assert eventually(lambda: gone(pid))

    def test_a_child_that_nobody_reaps_counts_as_ended(self) -> None:
        with subprocess.Popen(["sleep", "100"]) as child:
            began = time.monotonic()
            assert end([child.pid], grace_s=30) == []
            assert time.monotonic() - began < 10

    def test_those_that_have_gone_already_are_nobody(self, spawn: Callable[..., int]) -> None:
        pid = spawn("true")
        assert eventually(lambda: gone(pid))
        assert end([pid, 2**22 + 1], grace_s=30) == []

    def test_those_that_may_not_be_signalled_survive(
        self, spawn: Callable[..., int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_pid: int, _number: int) -> None:
            raise PermissionError

        pid = spawn("sleep", "100")
        monkeypatch.setattr(processes, "_KILL_S", 0.05)
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", refuse)
            assert end([pid], grace_s=0.05) == [pid]


class TestSpawnDetached:
    def test_it_leads_a_session_of_its_own(self, spawn: Callable[..., int]) -> None:
        pid = spawn("sleep", "100")
        assert os.getsid(pid) == os.getpgid(pid) == pid

    def test_it_is_no_child_of_ours_so_that_no_zombie_is_left(self, spawn: Callable[..., int]) -> None:
        pid = spawn("sleep", "100")
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)

    def test_it_outlives_the_one_that_started_it(self, run: str, tmp_path: Path) -> None:
        code = f"""if True:
            from pathlib import Path
            from bnet.host.processes import spawn_detached
            env = {{"PATH": "/usr/bin:/bin", "BNET_RUN": "{run}"}}
            print(spawn_detached(["sleep", "100"], env, Path("/"), Path("{tmp_path}/stderr")))"""
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert find_run(run) == [int(told.stdout)]

    def test_it_gets_the_directory_the_environment_and_nothing_else(
        self, spawn: Callable[..., int], run: str, tmp_path: Path
    ) -> None:
        spawn("sh", "-c", "pwd >told.new; env | sort >>told.new; mv told.new told", FOO="b a r")
        assert eventually((tmp_path / "told").exists)
        lines = (tmp_path / "told").read_text().splitlines()
        assert lines[0] == str(tmp_path.resolve())
        theirs = [line for line in lines[1:] if not line.startswith(("_=", "PWD=", "OLDPWD=", "SHLVL="))]
        assert theirs == [f"BNET_RUN={run}", "FOO=b a r", "PATH=/usr/bin:/bin"]

    def test_it_inherits_no_file_but_stderr(self, spawn: Callable[..., int], tmp_path: Path) -> None:
        leaked = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(leaked, True)
        pid = spawn("sleep", "100")
        os.close(leaked)
        # What the program's loader opens is closed again, and may be gone when it is looked at.
        assert eventually(
            lambda: _files(pid) == {"0": "/dev/null", "1": "/dev/null", "2": str(tmp_path / "stderr")}
        )

    def test_its_stderr_is_appended(self, spawn: Callable[..., int], tmp_path: Path) -> None:
        (tmp_path / "stderr").write_text("before\n")
        spawn("sh", "-c", "echo lost; echo kept >&2")
        assert eventually(lambda: (tmp_path / "stderr").read_text() == "before\nkept\n")

    def test_signals_have_their_usual_meaning(self, spawn: Callable[..., int]) -> None:
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            pid = spawn("sleep", "100")
        finally:
            signal.signal(signal.SIGINT, old)
        status = Path(f"/proc/{pid}/status").read_text()
        masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
        assert int(masks["SigIgn"], 16) == int(masks["SigBlk"], 16) == 0

    def test_a_parent_without_stdin_and_stdout_can_start_it(self, run: str, tmp_path: Path) -> None:
        code = f"""if True:
            import os
            from pathlib import Path
            from bnet.host.processes import spawn_detached
            env = {{"PATH": "/usr/bin:/bin", "BNET_RUN": "{run}"}}
            for fd in (0, 1, 2): os.close(fd)
            pid = spawn_detached(["sleep", "100"], env, Path("/"), Path("{tmp_path}/stderr"))
            Path("{tmp_path}/told").write_text(str(pid))"""
        subprocess.run([sys.executable, "-c", code], check=True)
        pid = int((tmp_path / "told").read_text())
        # What the program's loader opens is closed again, and may be gone when it is looked at.
        assert eventually(
            lambda: _files(pid) == {"0": "/dev/null", "1": "/dev/null", "2": str(tmp_path / "stderr")}
        )

    @pytest.mark.parametrize(
        ("program", "cwd", "says"),
        [
            ("no-such-program", ".", "No such file"),
            ("/etc/passwd", ".", "Permission"),
            ("true", "none", "none"),
        ],
    )
    def test_what_cannot_be_started_is_said(self, tmp_path: Path, program: str, cwd: str, says: str) -> None:
        with pytest.raises(BnetError, match=f"cannot start {program}: .*{says}"):
            spawn_detached([program], PATH_ONLY, tmp_path / cwd, tmp_path / "stderr")


def _files(pid: int) -> dict[str, str]:
    """Return what a process has open."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found
