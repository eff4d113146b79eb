"""`bnet lock` between real processes: agents, people, jobs; some are killed, some lose what they hold."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import Fleet, whole_lines

from bnet.cli.playground import MARK
from bnet.host import processes

# Says when it has begun and ended, and how often it lived in between.
SPAN = "echo begin $0 >>{file}; n=0; while [ $n -lt {ticks} ]; do sleep 0.1; n=$((n+1)); done; echo end $0 >>{file}"


class Site:
    """A hub, and people who run commands under locks of it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.file = fleet.root / "spans"
        self.begun: list[subprocess.Popen[bytes]] = []

    def start(self, who: str, *words: str, ttl: str = "6s", lock: str = "db") -> subprocess.Popen[bytes]:
        home = str(self.fleet.root / who)
        env = self.fleet.env | {"BNET_HOME": home, "BNET_HUB": self.fleet.url, "BNET_USER": who, MARK: home}
        argv = [sys.executable, "-m", "bnet", "lock", "run", lock, "--ttl", ttl, "--", *words]
        process = subprocess.Popen(
            argv, env=env, cwd=self.fleet.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.begun.append(process)
        return process

    def span(self, who: str, ticks: int, **more: str) -> subprocess.Popen[bytes]:
        """Begin something that takes so many tenths of a second."""
        return self.start(who, "sh", "-c", SPAN.format(file=self.file, ticks=ticks), who, **more)

    def held_by(self, who: str) -> bool:
        lock = self.fleet.look().state.locks.get("db")
        return lock is not None and [each.by for each in lock.holders] == [who]

    def row(self) -> list[str]:
        lock = self.fleet.look().state.locks.get("db")
        return [] if lock is None else [each.by for each in lock.waiters]

    def until_held_by(self, who: str) -> None:
        self.fleet.until(f"{who} holds it", lambda: self.held_by(who))

    def said(self) -> list[str]:
        return whole_lines(self.file)

    def is_legal(self) -> None:
        told = self.fleet.bnet("audit", "verify")
        assert told.code == 0, told.out.decode()

    def close(self) -> None:
        for each in self.begun:
            each.kill()
            each.communicate()
        for home in self.fleet.root.iterdir():
            self.fleet.kill(home.name)


@pytest.fixture
def site(fleet: Fleet) -> Iterator[Site]:
    fleet.found()
    made = Site(fleet)
    yield made
    made.close()


def test_five_take_turns_and_none_is_inside_with_another(site: Site) -> None:
    asking = [site.span(f"p{n}", 3) for n in range(5)]
    assert [each.wait(90) for each in asking] == [0] * 5
    said = [line.split() for line in site.said()]
    assert len(said) == 10
    for begin, end in zip(said[::2], said[1::2], strict=True):
        assert (begin[0], end[0], begin[1]) == ("begin", "end", end[1])
    state = site.fleet.look().state
    assert state.locks == {}
    assert not site.fleet.look().hub.look().telemetry, "no sign of life is left over"
    site.is_legal()


def test_the_exit_code_is_the_commands_and_the_token_is_its_to_check(site: Site) -> None:
    bnet = f"{sys.executable} -m bnet"
    done = site.start("ann", "sh", "-c", f"{bnet} lock check db && echo $BNET_LOCK $BNET_LOCK_TOKEN; exit 7")
    out, _ = done.communicate(timeout=60)
    assert (done.returncode, out.split()) == (7, [b"db", b"1"])
    late = site.fleet.bnet("lock", "check", "db", "--token", "1")
    assert late.code == 1 and b"token 1 does not hold lock db; it is held by nobody" in late.err
    assert site.start("ann", "no-such-program").wait(60) == 127
    assert site.fleet.look().state.locks == {}


def test_a_holder_that_is_killed_is_followed_after_its_time(site: Site) -> None:
    first = site.start("ann", "sleep", "60")
    site.until_held_by("ann")
    [before] = site.fleet.look().state.locks["db"].holders
    site.fleet.kill("ann")
    first.wait(10)
    assert site.span("bob", 1).wait(60) == 0
    assert site.said() == ["begin bob", "end bob"]
    stale = site.fleet.bnet("lock", "check", "db", "--token", str(before.token))
    assert stale.code == 1, "whoever comes back and goes on is refused"
    site.is_legal()


def test_a_command_whose_lock_is_broken_is_ended_with_all_that_it_started(site: Site) -> None:
    trap = f"trap '' TERM; (sh -c 'sleep 77' & wait) & echo $! >{site.fleet.root}/pid; wait"
    first = site.start("ann", "sh", "-c", trap)
    site.until_held_by("ann")
    site.fleet.ok("lock", "break", "db", "--reason", "it hangs")
    _, err = first.communicate(timeout=30)
    assert first.returncode == 125 and b"lock db (token 1) was taken away" in err
    pid = int((site.fleet.root / "pid").read_text())
    assert processes.start_time(pid) is None
    [op] = [op for op in site.fleet.history() if op.verb == "break"]
    assert op.fields["reason"] == "it_hangs"


def pid_in(file: Path) -> int | None:
    return int(file.read_text()) if file.exists() and file.read_text().strip() else None


@pytest.mark.parametrize("how", ["diverged", "hangs"])
def test_a_command_is_ended_in_time_although_the_hub_tells_nothing_of_the_lock(site: Site, how: str) -> None:
    first = site.start("ann", "sleep", "600", ttl="6s")
    site.until_held_by("ann")
    if how == "diverged":
        site.fleet.ok("lock", "acquire", "other")
        git = ["git", "-C", site.fleet.url]
        other = subprocess.check_output(
            [*git, "commit-tree", "bnet^{tree}", "-p", "bnet~3", "-m", "another way"], env=site.fleet.env
        )
        subprocess.check_call([*git, "update-ref", "refs/heads/bnet", other.strip()], env=site.fleet.env)
        _, err = first.communicate(timeout=60)
    else:
        with (site.fleet.root / "ann" / "mirror.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # as a fetch beside that takes for ever
            _, err = first.communicate(timeout=60)
    assert first.returncode == 125 and b"the hub saw nothing of its holder for 4 s" in err
    assert not processes.find_run(str(site.fleet.root / "ann"), MARK)


def test_what_ran_under_a_lock_is_ended_when_only_its_holder_is_killed(site: Site) -> None:
    file = site.fleet.root / "pid"
    first = site.start("ann", "sh", "-c", f"trap '' TERM HUP; (echo $$ >{file}; sleep 600) & wait")
    site.until_held_by("ann")
    pid = site.fleet.until("it runs", lambda: pid_in(file))
    first.kill()
    site.fleet.until("it was ended", lambda: processes.start_time(pid) is None)
    assert first.stdout is not None and first.stdout.read() == b"", "nobody keeps its output open"


def test_a_lock_that_is_lost_ends_what_runs_under_a_second_one_as_well(site: Site) -> None:
    file = site.fleet.root / "pid"
    inner = [sys.executable, "-m", "bnet", "lock", "run", "inner", "--ttl", "60s", "--"]
    first = site.start("ann", *inner, "sh", "-c", f"trap '' TERM; echo $$ >{file}; while :; do sleep 1; done")
    pid = site.fleet.until("it runs", lambda: pid_in(file))
    site.fleet.ok("lock", "break", "db", "--reason", "it hangs")
    assert first.wait(60) == 125
    assert processes.start_time(pid) is None


def test_whoever_waits_under_nohup_stays_in_the_row(site: Site) -> None:
    site.span("ann", 30)
    site.until_held_by("ann")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        waiting = site.start("bob", "true")
    finally:
        signal.signal(signal.SIGHUP, before)
    site.fleet.until("bob waits", lambda: site.row() == ["bob"])
    waiting.send_signal(signal.SIGHUP)
    assert waiting.wait(60) == 0


@pytest.mark.parametrize("token", ["", "abc", "-1"])
def test_a_token_that_is_none_is_never_taken_for_no_token(site: Site, token: str) -> None:
    site.fleet.env["BNET_LOCK_TOKEN"] = token
    for verb in ("check", "release", "extend"):
        told = site.fleet.bnet("lock", verb, "db")
        assert told.code == 2 and b"BNET_LOCK_TOKEN is set to '" in told.err


def test_requests_that_are_wrong_say_so_and_play_with_no_terminal(site: Site) -> None:
    fleet = site.fleet
    for verb in (["check"], ["acquire"], ["release"], ["extend"], ["break", "--reason", "x"]):
        told = fleet.bnet("lock", *verb, "a\x1b[31m")
        assert told.code == 2 and rb"'a\x1b[31m' is no name" in told.err
    assert fleet.bnet("lock", "acquire", "db", "--for", "0").code == 2
    fleet.env["BNET_USER"] = "e\x1b[31mve"
    fleet.ok("lock", "acquire", "db", "--reason", "r\x1b[31m" + "x" * 100_000)
    fleet.env["BNET_USER"] = "bob"
    assert fleet.bnet("lock", "break", "db", "--reason", " ").code == 2
    refused, listed = fleet.bnet("lock", "acquire", "db"), fleet.bnet("lock", "list")
    assert refused.code == 6 and rb"held by e\x1b[31mve" in refused.err
    broken = fleet.bnet("lock", "break", "db", "--reason", "\x1b[31m")
    assert b"\x1b" not in refused.err + listed.out + broken.err + broken.out
    assert len(listed.out) < 1000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_whoever_waits_and_is_interrupted_leaves_the_row(
    site: Site, number: signal.Signals, code: int
) -> None:
    site.span("ann", 40)
    site.until_held_by("ann")
    waiting = site.start("bob", "true")
    site.fleet.until("bob waits", lambda: site.row() == ["bob"])
    waiting.send_signal(number)
    assert waiting.wait(30) == code
    assert site.row() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_the_commands_to_answer(site: Site, number: signal.Signals) -> None:
    waits = f"trap 'exit 9' TERM INT; echo begin >> {site.file}; while :; do sleep 0.1; done"
    first = site.start("ann", "sh", "-c", waits)
    site.fleet.until("it has begun", lambda: site.said() == ["begin"])
    first.send_signal(number)
    assert first.wait(30) == 9
    assert site.fleet.look().state.locks == {}


def test_jobs_and_people_keep_out_of_each_others_way(site: Site) -> None:
    fleet = site.fleet
    fleet.join("a", "--slots", "2")
    span = SPAN.replace("$0", "job").format(file=site.file, ticks=10)
    [first] = fleet.submit_all({"command": span, "locks": ["db"]})
    fleet.sync("a")
    fleet.until_running(first)
    told = json.loads(fleet.ok("lock", "list", "--json"))
    assert [(each["name"], [one["job"] for one in each["holders"]]) for each in told] == [("db", [first])]
    refused = fleet.bnet("lock", "acquire", "db")
    assert refused.code == 6 and f"job #{first}".encode() in refused.err
    fleet.start("a", "--interval", "0.3")
    asked = site.span("ann", 10)
    fleet.until("ann waits", lambda: "db" in fleet.look().state.locks)
    [second] = fleet.submit_all({"command": span, "locks": ["db"]})
    fleet.until_ended(first, second)
    assert asked.wait(60) == 0
    assert site.said() == ["begin job", "end job", "begin ann", "end ann", "begin job", "end job"]
    site.is_legal()


def test_a_lock_that_is_held_for_a_time(site: Site) -> None:
    fleet = site.fleet
    token = fleet.ok("lock", "acquire", "db", "--for", "10m", "--reason", "migration").strip()
    assert fleet.bnet("lock", "acquire", "db").code == 6
    told = json.loads(fleet.ok("status", "--json"))["locks"]
    assert [(each["name"], each["limit"], each["holders"][0]["note"]) for each in told] == [
        ("db", 1, "migration")
    ]
    assert fleet.bnet("lock", "check", "db").code == 1 and fleet.bnet("lock", "check", "other").code == 0
    fleet.ok("lock", "check", "db", "--token", token)
    fleet.ok("lock", "extend", "db", "--token", token, "--for", "20m")
    fleet.ok("lock", "release", "db", "--token", token)
    again = fleet.bnet("lock", "release", "db", "--token", token)
    assert again.code == 6 and b"is not held by token" in again.err


def test_a_counting_lock(site: Site) -> None:
    site.fleet.configure("locks: {db: {limit: 2}}\n")
    tokens = [site.fleet.ok("lock", "acquire", "db").strip() for _ in range(2)]
    third = site.fleet.bnet("lock", "acquire", "db", "--timeout", "1s")
    assert third.code == 6 and len(set(tokens)) == 2
    which = site.fleet.bnet("lock", "break", "db", "--reason", "x")
    assert which.code == 2 and b"several holders" in which.err
    site.fleet.ok("lock", "break", "db", "--token", tokens[0], "--reason", "x")
    assert site.fleet.bnet("lock", "acquire", "db").code == 0
    site.is_legal()
