"""What people may count on of a run, through the whole of bnet: command line, hub, agents, processes."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from fleet import Fleet, commit_files, git, living, whole_lines, with_variable

from bnet.cli.playground import MARK

# Grandchildren of each kind that could outlive its job: deaf to SIGTERM, of another session and with an ended
# parent, without the environment that tells whose it is, and all of the latter; all keep the output open.
TREE = """\
(trap '' TERM; while :; do sleep 1; done) &
setsid sh -c '"$0" 900 & exit 0' {sleeper} &
env -i {sleeper} 900 &
env -i setsid sh -c '"$0" 900 & exit 0' {sleeper} &
echo up
{then}
"""


def sleeper(tmp_path: Path) -> Path:
    """Return a program that sleeps, and can be told by its name from all others of this machine."""
    path = tmp_path / "sleeper"
    path.symlink_to(shutil.which("sleep") or "/bin/sleep")
    return path


def called(program: Path) -> list[int]:
    """Return the pids of the processes that a program was started as."""
    found = []
    for process in living():
        try:
            if str(program) in process.cmdline()[:1]:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def boot() -> float:
    """Return the seconds of the clock that /proc/uptime shows to a shell."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def one_server(fleet: Fleet, *options: str, settings: str = "") -> None:
    fleet.found(settings=settings)
    fleet.join("build1", *(options or ("--slots", "4")))


@pytest.mark.timeout(240)
def test_cancel_and_timeouts_and_the_end_of_a_job_end_its_whole_tree(fleet: Fleet, tmp_path: Path) -> None:
    one_server(fleet)
    fleet.start("build1")
    program = sleeper(tmp_path)
    stays, ends = (TREE.format(sleeper=program, then=then) for then in ("wait", "sleep 1; exit 3"))
    numbers = fleet.submit_all(
        {"command": stays},
        {"command": stays, "timeout": 4},
        {"command": stays, "silence_timeout": 4},
        {"command": ends},
    )
    cancelled, timed, silent, left = numbers
    claim = fleet.until("it is claimed", lambda: fleet.job(cancelled).claim)
    fleet.until("its tree is up", lambda: "up\n" in fleet.log(cancelled))
    assert with_variable("BNET_RUN", claim.run)
    assert called(program)
    fleet.ok("cancel", str(cancelled))

    jobs = fleet.until_ended(*numbers, timeout=120)

    told = {number: (job.result.result, job.result.reason) for number, job in jobs.items() if job.result}
    assert told == {
        cancelled: ("cancelled", "cancel"),
        timed: ("timeout", "timeout"),
        silent: ("timeout", "silence"),
        left: ("failure", "exit"),
    }
    assert called(program) == []
    for job in jobs.values():
        assert job.result is not None and job.result.run is not None
        assert with_variable("BNET_RUN", job.result.run) == []
    assert "left-over processes were ended" in fleet.log(left)


@pytest.mark.timeout(180)
def test_an_agent_that_was_killed_finds_its_runs_again(fleet: Fleet, tmp_path: Path) -> None:
    one_server(fleet)
    fleet.start("build1")
    waits = "until [ -e {}/gate{} ]; do sleep 0.1; done; echo past the gate; exit {}"
    numbers = [fleet.submit(waits.format(tmp_path, code, code)) for code in (3, 4)]
    fleet.until_running(*numbers)
    fleet.until("both have a supervisor", lambda: len(fleet.runs_of("build1")) == 2)

    fleet.kill_agent("build1")
    supervisors = fleet.runs_of("build1")
    assert len(supervisors) == 2, "the runs did not outlive the agent"
    (tmp_path / "gate3").touch()  # this one ends while no agent is there
    fleet.until("one has ended", lambda: len(fleet.runs_of("build1")) == 1)
    fleet.start("build1")
    first = fleet.until_ended(numbers[0])[numbers[0]]
    assert fleet.job(numbers[1]).state == "running"
    assert fleet.runs_of("build1")[0] in supervisors
    (tmp_path / "gate4").touch()
    second = fleet.until_ended(numbers[1])[numbers[1]]

    assert [(job.result.exit_code, len(job.attempts)) for job in (first, second) if job.result] == [
        (3, 1),
        (4, 1),
    ]
    assert ["past the gate" in fleet.log(number) for number in numbers] == [True, True]


# Stands before the real git on PATH, and kills bnet before (or after) the call whose number is asked for.
KILLER = """\
#!/bin/sh
count=$(($(cat "{at}/count") + 1))
echo "$count" >"{at}/count"
read -r aim when <"{at}/aim"
[ "$count" = "$aim" ] || exec {git} "$@"
[ "$when" = before ] || {git} "$@"
kill -9 "$PPID"
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_sync_that_is_killed_between_any_two_steps_leaves_nothing_stuck(
    fleet: Fleet, tmp_path: Path
) -> None:
    one_server(fleet, "--slots", "3")
    at = tmp_path / "killer"
    at.mkdir()
    (at / "git").write_text(KILLER.format(at=at, git=shutil.which("git")))
    (at / "git").chmod(0o755)
    ran = tmp_path / "ran"
    ran.mkdir()
    command = f"echo $BNET_RUN >>{ran}/$BNET_JOB"
    mirrors = fleet.root / "build1" / "hubs"

    def sync(calls: int, when: str) -> int:
        """Sync, killed at one of its calls of Git; return 0 if it has not so many."""
        (at / "count").write_text("0\n")
        (at / "aim").write_text(f"{calls} {when}\n")
        env = fleet.env | {
            "BNET_HOME": str(fleet.root / "build1"),
            MARK: str(fleet.root / "build1"),
            "PATH": f"{at}:{fleet.env['PATH']}",
        }
        done = subprocess.run([sys.executable, "-m", "bnet", "sync"], env=env, capture_output=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
        return done.returncode

    def wait_for_one_more() -> None:
        numbers.extend(fleet.submit_all({"command": command}))

    numbers: list[int] = []
    for calls in range(1, 100):
        wait_for_one_more()
        if sync(calls, random.choice(["before", "after"])) == 0:
            break
        assert fleet.sync("build1").code == 0, "the next sync does not go on"
    assert calls > 5, "it is not the steps of a sync that were cut"
    begun = time.monotonic()
    assert fleet.sync("build1").code == 0
    took = time.monotonic() - begun
    for _ in range(8):
        wait_for_one_more()
        killed_after(fleet, random.uniform(0.1, 1.2) * took)

    # And what a Git leaves that dies while it changes a reference.
    [mirror] = mirrors.glob("*/mirror.git")
    for name in ("packed-refs.lock", "refs/bnet/known.lock", "not-made-anew"):
        (mirror / name).touch()

    # What a person sees then: one more sync works, and after a few of them all is done.
    fleet.until(
        "syncs finish the rest",
        lambda: (
            fleet.sync("build1").code == 0
            and all(fleet.job(number).state == "finished" for number in numbers)
        ),
    )
    assert list(mirror.rglob("*.lock")) == []
    assert (mirror / "not-made-anew").exists(), "a lock was taken for damage, and all was fetched again"
    for number in numbers:
        job = fleet.job(number)
        assert job.result is not None and job.result.result == "success"
        assert len(job.attempts) == 1
        assert whole_lines(ran / str(number)) == [job.result.run]
    assert len(fleet.claims()) == len(numbers)


def killed_after(fleet: Fleet, seconds: float) -> None:
    """Begin a sync, and kill it with its Git after a while; the runs that it started go on.

    So does the hub's end of a push, which is another machine's as a rule, until it has landed or not.
    """
    home = str(fleet.root / "build1")
    begun = psutil.Popen(
        [sys.executable, "-m", "bnet", "sync"],
        env=fleet.env | {"BNET_HOME": home, MARK: home},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        begun.wait(seconds)
    except psutil.TimeoutExpired:
        begun.suspend()
        hubs: list[psutil.Process] = []
        for git_here in children(begun, but="supervisor"):
            with contextlib.suppress(psutil.NoSuchProcess):
                git_here.suspend()
            found = children(git_here)
            hubs += [each for each in found if "-pack" in command_of(each)]
            for process in (git_here, *(each for each in found if each not in hubs)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        begun.kill()
        begun.wait()
        assert not psutil.wait_procs(hubs, timeout=60)[1], "the hub waits for one who is dead"


def children(process: psutil.Process, but: str = "\0") -> list[psutil.Process]:
    """Return the children of a process, but for those with a word in their command."""
    try:
        return [each for each in process.children() if but not in command_of(each)]
    except psutil.NoSuchProcess:
        return []


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("agent", ["alive", "dead"])
def test_a_deleted_home_ends_its_processes_and_the_job_runs_again(
    fleet: Fleet, tmp_path: Path, agent: str
) -> None:
    fleet.found(settings="ttl: 6\n")
    fleet.join("build1", "--slots", "1")
    fleet.join("build2", "--slots", "1")
    fleet.start("build1")
    gate = tmp_path / "gate"
    number = fleet.submit(f"echo $BNET_RUN >>{tmp_path}/ran; until [ -e {gate} ]; do sleep 0.1; done")
    [run] = fleet.until_written(tmp_path / "ran")
    assert with_variable("BNET_RUN", run)

    if agent == "dead":
        fleet.kill_agent("build1")
    fleet.until("the home is gone", lambda: gone(fleet.root / "build1"))
    fleet.until("its processes end", lambda: not with_variable("BNET_RUN", run))
    gate.touch()
    fleet.start("build2")
    job = fleet.until_ended(number)[number]

    assert job.result is not None and job.result.result == "success"
    assert [each.reason for each in job.attempts] == ["lost", "exit"]
    assert whole_lines(tmp_path / "ran") == [run, job.result.run]
    if agent == "dead":
        assert job.result.server == "build2"


def gone(directory: Path) -> bool:
    """Delete a directory into which somebody may be writing; tell whether it worked."""
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


@pytest.mark.timeout(240)
def test_retries_follow_the_exit_code(fleet: Fleet, tmp_path: Path) -> None:
    one_server(fleet)
    fleet.start("build1")
    rules = [{"limit": 2, "exit_code": 75}]
    numbers = fleet.submit_all(
        {"command": "[ $BNET_ATTEMPT = 3 ] || exit 75", "retry": rules},
        {"command": "exit 75", "retry": rules},
        {"command": "exit 9", "retry": rules},
        {"command": "exit 9"},
        {"command": "kill -9 $$", "retry": 1},
    )
    jobs = fleet.until_ended(*numbers)
    told = [
        (job.result.result, [each.exit_code for each in job.attempts]) for job in jobs.values() if job.result
    ]
    assert told == [
        ("success", [75, 75, 0]),
        ("failure", [75, 75, 75]),
        ("failure", [9]),
        ("failure", [9]),
        ("failure", [137, 137]),
    ]


@pytest.mark.timeout(240)
def test_group_limits_and_locks_are_never_exceeded(fleet: Fleet, tmp_path: Path) -> None:
    fleet.found()
    names = ["build1", "build2", "build3"]
    fleet.join_all(names, "--slots", "4")
    file = tmp_path / "said"
    command = f"echo $BNET_JOB start >>{file}; sleep 0.5; echo $BNET_JOB end >>{file}"
    pairs = fleet.submit_all(*[{"command": command, "group": {"name": "pair", "limit": 2}}] * 8)
    alone = fleet.submit_all(*[{"command": command, "locks": ["disk"]}] * 3)
    alone += fleet.submit_all(*[{"command": command, "locks": ["disk", "network"]}] * 3)
    others = fleet.submit_all(*[{"command": command, "locks": ["network"]}] * 2)
    for name in names:
        fleet.start(name)
    fleet.until_ended(*pairs, *alone, *others, timeout=120)

    events = [
        (int(number), 1 if what == "start" else -1) for number, what in map(str.split, whole_lines(file))
    ]
    assert len(events) == 2 * 16
    assert most_at_a_time(events, pairs) == 2
    assert most_at_a_time(events, alone) == 1
    assert most_at_a_time(events, [*others, *alone[3:]]) == 1
    # By the ledger, claim by claim, it was the same; what ends in a commit makes room in that very commit.
    claims = fleet.claims()
    changes = sorted(
        [(each.begun, 1, each.job) for each in claims] + [(each.ended or 0, -1, each.job) for each in claims],
        key=lambda change: change[:2],
    )
    ledger = [(number, change) for _, change, number in changes]
    assert most_at_a_time(ledger, pairs) == 2
    assert most_at_a_time(ledger, alone) == 1


def most_at_a_time(events: list[tuple[int, int]], numbers: list[int]) -> int:
    """Return how many of some jobs ran at a time, from +1 for each start and -1 for each end."""
    now = most = 0
    for number, change in events:
        if number in numbers:
            now += change
            most = max(most, now)
    return most


@pytest.mark.timeout(180)
def test_a_matrix_is_one_job_for_each_combination_and_can_be_needed_as_a_whole(
    fleet: Fleet, tmp_path: Path
) -> None:
    one_server(fleet)
    command = f"echo $BNET_MATRIX_OS $BNET_MATRIX_PY >>{tmp_path}/cells"
    cells = fleet.submit_all(
        {"name": "test", "command": command, "matrix": {"os": ["bookworm", "sid"], "py": [3.11, "3.12"]}}
    )
    after = fleet.submit(f"echo all >>{tmp_path}/cells", "--needs", "test")
    assert len(cells) == 4
    fleet.start("build1")
    fleet.until_ended(*cells, after)
    lines = whole_lines(tmp_path / "cells")
    assert sorted(lines[:4]) == ["bookworm 3.11", "bookworm 3.12", "sid 3.11", "sid 3.12"]
    assert lines[4:] == ["all"]
    names = [fleet.job(number).spec.name for number in cells]
    assert names == ["test.bookworm.3-11", "test.bookworm.3-12", "test.sid.3-11", "test.sid.3-12"]


@pytest.mark.timeout(180)
def test_jobs_start_in_the_order_of_their_priority(fleet: Fleet, tmp_path: Path) -> None:
    one_server(fleet, "--slots", "1")
    command = f"echo $BNET_JOB >>{tmp_path}/order"
    numbers = fleet.submit_all(*({"command": command, "priority": each} for each in (9, 5, 1, 5, 10)))
    fleet.ok("priority", str(numbers[4]), "2")
    fleet.start("build1")
    fleet.until_ended(*numbers)
    order = [numbers.index(int(line)) for line in whole_lines(tmp_path / "order")]
    assert order == [2, 4, 1, 3, 0]


@pytest.mark.timeout(180)
def test_times_are_kept(fleet: Fleet, tmp_path: Path) -> None:
    one_server(fleet)
    fleet.start("build1")
    later = datetime.now(UTC) + timedelta(seconds=8)
    early = fleet.submit(
        f"date +%s.%N >>{tmp_path}/at", "--not-before", later.isoformat().replace("+00:00", "Z")
    )
    begun = boot()
    hopeless = fleet.submit("true", "--expires-after", "3", "--label", "cpu=nobody-has-this")
    assert fleet.facts("show", str(early))["waiting_for"] == "time"
    ended = fleet.until_ended(hopeless, early)
    assert boot() - begun > 3
    told = {number: (job.result.result, job.result.reason) for number, job in ended.items() if job.result}
    assert told == {hopeless: ("cancelled", "expired"), early: ("success", "exit")}
    [at] = whole_lines(tmp_path / "at")
    assert float(at) >= later.timestamp()


@pytest.mark.timeout(180)
def test_newer_work_supersedes_older_work_of_its_group(fleet: Fleet) -> None:
    one_server(fleet)
    fleet.start("build1")
    group = {"command": "sleep 600", "group": {"name": "main", "limit": 1}}
    [running] = fleet.submit_all(group)
    fleet.until_running(running)
    [waiting] = fleet.submit_all(group)
    [newer] = fleet.submit_all(group | {"supersede": "waiting"})
    assert fleet.job(waiting).state == "finished"
    assert (fleet.job(running).state, fleet.job(newer).state) == ("running", "pending")
    [newest] = fleet.submit_all(group | {"supersede": "running", "command": "true"})
    jobs = fleet.until_ended(running, waiting, newer, newest)
    told = [(job.result.result, job.result.reason) for job in jobs.values() if job.result]
    assert told == [("cancelled", "superseded")] * 3 + [("success", "exit")]


@pytest.mark.timeout(180)
def test_secrets_are_given_to_jobs_that_ask_and_appear_nowhere_on_the_hub(
    fleet: Fleet, tmp_path: Path
) -> None:
    one_server(fleet)
    secret = "s3cret-" + "".join(random.choices("abcdefghijkmnpqrstuvwxyz", k=12))
    (fleet.root / "build1" / "secrets.env").write_text(f"TOKEN={secret}\nOTHER={secret}-other\n")
    fleet.start("build1")
    command = f"echo got $TOKEN, other $OTHER.; printf %s $TOKEN >{tmp_path}/given; exit 3"
    asked, unasked = fleet.submit(command, "--secret", "TOKEN"), fleet.submit("echo got $TOKEN.")
    fleet.until_ended(asked, unasked)
    assert (tmp_path / "given").read_text() == secret
    assert fleet.log(asked).startswith("got ***, other .\n")
    assert fleet.log(unasked).startswith("got .\n")
    hub = Path(fleet.url)
    objects = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"], cwd=hub, capture_output=True, check=True
    ).stdout
    assert b"got ***" in objects, "the log is not among the objects that were searched"
    assert secret.encode() not in objects


@pytest.mark.timeout(180)
def test_jobs_run_in_a_snapshot_or_at_a_ref(fleet: Fleet, tmp_path: Path) -> None:
    one_server(fleet)
    tree = tmp_path / "tree"
    git(tmp_path, "init", "--quiet", str(tree))
    commit_files(tree, {"kept.txt": "old\n", ".gitignore": "ignored.txt\n"})
    git(tree, "branch", "release")
    commit_files(tree, {"kept.txt": "committed\n"})
    for name, text in {"kept.txt": "as it is\n", "new.txt": "new\n", "ignored.txt": "no\n"}.items():
        (tree / name).write_text(text)
    before = git(tree, "status", "--porcelain")

    env = fleet.env | {"BNET_HOME": str(fleet.root / "person"), "BNET_HUB": fleet.url}
    words = ["submit", "--here", "--json", "--", "head -9 *.txt; rm kept.txt"]
    done = subprocess.run(
        [sys.executable, "-m", "bnet", *words], env=env, cwd=tree, capture_output=True, check=True
    )
    here = int(json.loads(done.stdout)["number"])
    at_ref = fleet.submit("cat kept.txt", "--source", f"{tree}@release")
    assert git(tree, "status", "--porcelain") == before
    # What was meant is what stood there at submission.
    git(tree, "branch", "--force", "release", "HEAD")
    (tree / "new.txt").write_text("newer\n")
    fleet.start("build1")
    jobs = fleet.until_ended(here, at_ref)

    assert [job.result.result for job in jobs.values() if job.result] == ["success"] * 2, fleet.log(here)
    assert fleet.log(at_ref).startswith("old\n")
    assert fleet.log(here).startswith("==> kept.txt <==\nas it is\n\n==> new.txt <==\nnew\n")
    assert "ignored" not in fleet.log(here)
    assert (tree / "kept.txt").read_text() == "as it is\n"


@pytest.mark.timeout(180)
def test_a_draining_agent_finishes_its_job_and_exits_and_a_paused_server_stays_so(
    fleet: Fleet, tmp_path: Path
) -> None:
    one_server(fleet, "--slots", "1")
    pid = fleet.start("build1")
    gate = tmp_path / "gate"
    last = fleet.submit(f"until [ -e {gate} ]; do sleep 0.1; done")
    fleet.until_running(last)
    fleet.ok("server", "drain", "build1")
    later = fleet.submit("true")
    rounds_pass(fleet, "build1")  # in which a hasty agent would exit
    assert psutil.pid_exists(pid)
    gate.touch()
    fleet.until("the agent exits", lambda: not fleet.marked("build1"))
    assert fleet.until_ended(last)[last].result.result == "success"
    assert fleet.job(later).state == "pending"

    fleet.ok("server", "pause", "build1", "--reason", "disk is full")
    for _ in range(2):
        fleet.start("build1")
        rounds_pass(fleet, "build1")
        assert fleet.marked("build1"), "a paused agent keeps looking"
        assert fleet.job(later).state == "pending"
        fleet.stop("build1")
    [told] = fleet.facts("server", "list")
    assert (told["wanted"], told["why"]) == ("paused", "disk is full")
    fleet.start("build1")
    fleet.ok("server", "resume", "build1")
    fleet.until_ended(later)


def rounds_pass(fleet: Fleet, name: str, rounds: int = 3) -> None:
    """Wait until an agent has looked at the hub a few times more: each look is written down."""
    observed = fleet.root / name / "observed.json"

    def looked_at() -> float:
        return float(json.loads(observed.read_bytes())["looked_at"])

    for _ in range(rounds):
        before = looked_at()
        fleet.until(f"{name} looks once more", lambda before=before: looked_at() > before)


@pytest.mark.timeout(180)
def test_a_one_shot_agent_runs_one_job_and_exits(fleet: Fleet) -> None:
    one_server(fleet, "--slots", "4")
    numbers = fleet.submit_all(*[{"command": "echo one"}] * 3)
    done = fleet.bnet("agent", "--jobs", "1", home="build1")
    assert done.code == 0, done.complaint
    states = Counter(fleet.job(number).state for number in numbers)
    assert states == {"finished": 1, "pending": 2}
    assert fleet.job(numbers[0]).state == "finished"
    assert fleet.log(numbers[0]).startswith("one\n")


@pytest.mark.timeout(180)
def test_an_agent_starts_a_job_within_two_seconds(fleet: Fleet, tmp_path: Path) -> None:
    one_server(fleet)
    fleet.start("build1")
    took = []
    for number in range(1, 8):
        asked = fleet.submit(f"cat /proc/uptime >>{tmp_path}/started")
        submitted = boot()
        line = fleet.until_written(tmp_path / "started", number)[-1]
        took.append(float(line.split()[0]) - submitted)
        fleet.until_ended(asked)
    assert statistics.median(took) < 2, took
