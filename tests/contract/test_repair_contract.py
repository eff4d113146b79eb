"""`bnet doctor --repair`: each kind of damage to a ledger is found, explained, and mended by one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml
from worlds import (
    ALICE,
    BOB,
    Files,
    GitWorld,
    Link,
    MemoryWorld,
    Module,
    World,
    claim,
    finish,
    register,
    submit,
)

from bnet.app.audit import audit
from bnet.app.doctor.examine import CHECKS, examine
from bnet.app.doctor.finding import Finding, Patient
from bnet.app.doctor.repair import mend_hub
from bnet.app.ledger import Ledger
from bnet.codec import layout
from bnet.faults import Call
from bnet.gitstore.checkup import GitCheckup
from bnet.host.checkup import HostCheckup
from bnet.host.home import Home
from bnet.host.notes import LocalNotes
from bnet.memory import ManualClock
from bnet.model.hub import Settings
from bnet.ports.hub import Commit, Update

LOOKED_AT = ("ledger", "growth", "leftovers", "documents", "machine-documents", "inbox")
GOOD = b"name: office\nttl: 60\n"
JOB = layout.job_dir(1)
SERVER = layout.server_path("s1")
INBOX = layout.INBOX[:-1]
REJECTED = layout.REJECTED[:-1]
OLD_REJECTION = layout.REJECTED + "old.1.yaml"


@pytest.fixture(params=["memory", "git"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return at_work(MemoryWorld() if request.param == "memory" else GitWorld(tmp_path))


@pytest.fixture
def memory() -> World:
    return at_work(MemoryWorld())


@pytest.fixture
def git_world(tmp_path: Path) -> GitWorld:
    world = GitWorld(tmp_path)
    at_work(world)
    return world


def at_work(world: World) -> World:
    """A ledger with settings, a server, and a job of each state."""
    world.begin()
    ledger = world.machine("s1").ledger
    for decide in (register("s1"), submit("one", "two", "three"), claim(1), finish(1), claim(2)):
        ledger.transact(decide)
    world.person({layout.SETTINGS: GOOD, layout.INBOX + "README.md": b"drop commands here\n"})
    return world


def patient(ledger: Ledger, home: Path) -> Patient:
    clock = ManualClock()
    return Patient(
        home=home,
        url="the hub",
        identity=None,
        identity_problem="",
        host=HostCheckup(Home(home), {}, clock),
        git=GitCheckup(None, None, {}),
        ledger=ledger,
        ledger_problem="",
        clock=clock,
        notes=LocalNotes(home),
    )


def doctor(world: World, home: Path) -> dict[str, Finding]:
    """Return what a machine finds that has never seen this hub before: nothing but the hub tells it."""
    ledger = world.machine(f"doctor {len(world.line())}", fresh=False).ledger
    found = examine(patient(ledger, home), {name: CHECKS[name] for name in LOOKED_AT})
    return {each.check: each for each in found}


def wrong(found: dict[str, Finding]) -> set[str]:
    return {name for name, each in found.items() if each.ok is False}


def repaired(ledger: Ledger, home: Path) -> list[str]:
    """Repair, and return what was told of it."""
    told = list(mend_hub(patient(ledger, home)))
    assert all("\n" not in line for line in told)
    return told


def rejections(world: World) -> list[dict[str, object]]:
    hub, tip = world.hub("a"), world.tip()
    hub.fetch(tip)
    names = [name for name in hub.names(tip, layout.REJECTED) if name != OLD_REJECTION]
    return [yaml.safe_load(text) for text in hub.read(tip, names).values()]


def goes_on(world: World) -> None:
    """Audit the history, and let the job that waits be run."""
    ledger = world.machine("s1").ledger
    assert audit(ledger.hub, world.tip()).wrong == ()
    for decide in (claim(3), finish(3)):
        ledger.transact(decide)
    states = {number: job.state for number, job in world.machine("a").ledger.state.jobs.items()}
    assert states == {1: "finished", 2: "running", 3: "finished"}


def is_mended(world: World, home: Path, files: Files, check: str, named: str) -> list[str]:
    """Do damage; see it found, mended by one transaction, and gone; return what was told."""
    broken = world.person(files, by=BOB)
    found = doctor(world, home)
    assert wrong(found) == {check}
    assert named in found[check].text and broken[:10] in found[check].text
    assert "bnet doctor --repair" in found[check].advice
    before = world.line()
    told = repaired(world.machine("a", actor=ALICE).ledger, home)
    assert world.line() == [*before, world.tip()], "one commit, on top of what was there"
    assert wrong(doctor(world, home)) == set()
    again = world.machine("a", actor=ALICE).ledger
    assert repaired(again, home) == []
    assert len(world.line()) == len(before) + 1, "nothing is left to be mended"
    assert again.state.settings == Settings(name="office", ttl=60.0)
    goes_on(world)
    return told


# -- machines' documents


BY_MACHINES: dict[str, tuple[str, Files]] = {
    "the head deleted": ("ledger.json", {layout.HEAD: None}),
    "the head emptied": ("ledger.json", {layout.HEAD: b""}),
    "the head without its fields": ("ledger.json", {layout.HEAD: b"{}"}),
    "a head of another format": ("ledger.json", {layout.HEAD: b'{"format": 99, "hub": "x"}'}),
    "a head with lower numbers": ("ledger.json", {layout.HEAD: b'{"format": 1, "hub": "x", "next_job": 1}'}),
    "a head with CRLF": ("ledger.json", {layout.HEAD: b'{\r\n  "format": 1,\r\n  "hub": "x"\r\n}\r\n'}),
    "a head with a byte order mark": ("ledger.json", {layout.HEAD: b'\xef\xbb\xbf{"format": 1, "hub": "x"}'}),
    "a job under another number": (
        "jobs/0000/9/job.json",
        {layout.job_dir(9) + "job.json": b'{"number": 1}'},
    ),
    "a job in another bucket": ("jobs/0007/1/job.json", {layout.JOBS + "0007/1/job.json": b'{"number": 1}'}),
    "a result taken away": ("jobs/0000/1/result.json", {JOB + "result.json": None}),
    "half a job": ("jobs/0000/1/job.json", {JOB + "job.json": b'{"number": 1, "na'}),
    "a huge job": ("jobs/0000/1/job.json", {JOB + "job.json": b" " * 2_000_000}),
    "a server taken away": ("servers/s1.json", {SERVER: None}),
    "a server whose name differs in case": ("servers/S1.json", {layout.SERVERS + "S1.json": b"{}"}),
    "notes among the servers": ("servers/notes.txt", {layout.SERVERS + "notes.txt": b"mine"}),
    "a day of the archive made up": (
        "archive/2026/01/01.1.jsonl",
        {layout.ARCHIVE + "2026/01/01.1.jsonl": b"{"},
    ),
    "keys made up": ("keys/zz.json", {layout.KEYS + "zz.json": b"{"}),
    "a file in the archive's place": ("coordination/archive ", {layout.ARCHIVE[:-1]: b"x"}),
}


@pytest.mark.parametrize("damage", BY_MACHINES.values(), ids=BY_MACHINES.keys())
def test_what_a_machine_wrote_is_restored(memory: World, tmp_path: Path, damage: tuple[str, Files]) -> None:
    named, files = damage
    [told] = is_mended(memory, tmp_path, files, "machine-documents", named)
    assert told.startswith(
        f"restored coordination/{named.strip().removeprefix('coordination/')} from the history"
    )
    assert rejections(memory) == []


IN_GIT: dict[str, Files | Callable[[Iterable[str]], Files]] = {
    "all of it deleted": lambda paths: dict.fromkeys(each for each in paths if layout.is_machine(each)),
    "a submodule in the jobs' place": {layout.JOBS[:-1]: Module()},
    "a link in the servers' place": {layout.SERVERS[:-1]: Link("/etc")},
    "a submodule in a job's place": {JOB[:-1]: Module()},
    "a link in a server's place": {SERVER: Link("/dev/zero")},
}


@pytest.mark.parametrize("damage", IN_GIT.values(), ids=IN_GIT.keys())
def test_what_only_git_can_hold_is_restored_too(
    git_world: GitWorld, tmp_path: Path, damage: Files | Callable[[Iterable[str]], Files]
) -> None:
    paths = git_world.git("ls-tree", "-r", "--name-only", git_world.tip()).split()
    files = damage(paths) if callable(damage) else damage
    [told] = is_mended(git_world, tmp_path, files, "machine-documents", min(files))
    assert told.startswith("restored ")


def test_a_transaction_that_was_reverted_is_restored(world: World, tmp_path: Path) -> None:
    result = JOB + "result.json"
    claimed = b'{"server": "s1", "instance": "i", "attempt": 1, "run": "r", "token": 3, "ttl_s": 9, '
    claimed += b'"claimed_at": "2026-01-01T00:00:00Z"}'
    undone: Files = {result: None, JOB + "attempts/1.json": None, JOB + "claim.json": claimed}
    [told] = is_mended(world, tmp_path, undone, "machine-documents", result)
    assert told.startswith("restored coordination/jobs/0000/1/attempts/1.json, ")


# -- people's documents


BROKEN = b"name: office\nttl: soon\n"
BY_PEOPLE: dict[str, tuple[str, bytes, str]] = {
    "settings that are no YAML": (layout.SETTINGS, b"ttl: [\n", "put back the last readable text of"),
    "settings of a wrong type": (layout.SETTINGS, BROKEN, "put back the last readable text of"),
    "settings in bad UTF-8": (layout.SETTINGS, b"name: \xff", "put back the last readable text of"),
    "huge settings": (layout.SETTINGS, b"#" * 2_000_000, "put back the last readable text of"),
    "a file in the inbox's place": (INBOX, b"- submit: {command: make}\n", "took away"),
    "a file in the place of what was refused": (REJECTED, b"mine", "took away"),
}


@pytest.mark.parametrize("damage", BY_PEOPLE.values(), ids=BY_PEOPLE.keys())
def test_what_a_person_broke_is_put_back_and_kept(
    memory: World, tmp_path: Path, damage: tuple[str, bytes, str]
) -> None:
    path, text, done = damage
    under = {} if path != INBOX else {layout.INBOX + "README.md": None}
    [told] = is_mended(memory, tmp_path, {**under, path: text}, "documents", path)
    [kept] = rejections(memory)
    assert told.startswith(f"{done} {path}; what stood there is kept in coordination/rejected/")
    assert (kept["file"], kept["by"]) == (path.removeprefix(layout.ROOT), BOB)
    assert kept["text"] == text[:20_000].decode(errors="replace") and kept["reason"]


def test_the_reason_is_kept_with_its_line(memory: World, tmp_path: Path) -> None:
    broken = memory.person({layout.SETTINGS: BROKEN}, by=BOB)
    repaired(memory.machine("a").ledger, tmp_path)
    [kept] = rejections(memory)
    assert (kept["line"], kept["commit"]) == (2, broken)
    assert str(kept["reason"]).startswith('field "ttl": must be')
    hub = memory.hub("a")
    assert hub.read(memory.tip(), [layout.SETTINGS]) == {layout.SETTINGS: GOOD}


def test_settings_that_were_never_readable_are_taken_away(tmp_path: Path) -> None:
    world = MemoryWorld()
    world.begin()
    world.person({layout.SETTINGS: b"{"})
    [told] = repaired(world.machine("a").ledger, tmp_path)
    assert told.startswith(f"took away {layout.SETTINGS}")
    assert world.machine("b").ledger.state.settings == Settings()


def test_a_rejection_that_was_broken_is_as_it_was(memory: World, tmp_path: Path) -> None:
    good = b"file: inbox/x.yaml\nreason: r\nby: me\ncommit: c\nat: 2026-11-01T12:00:00Z\ntext: x\n"
    memory.person({OLD_REJECTION: good})
    memory.person({OLD_REJECTION: b"<<<<<<< HEAD\n"})
    found = doctor(memory, tmp_path)
    assert wrong(found) == {"documents"} and OLD_REJECTION in found["documents"].text
    [told] = repaired(memory.machine("a").ledger, tmp_path)
    assert told.startswith(f"put back the last readable text of {OLD_REJECTION}")
    assert memory.hub("a").read(memory.tip(), [OLD_REJECTION]) == {OLD_REJECTION: good}


ODD: dict[str, tuple[str, Files]] = {
    "settings that are a link": (layout.SETTINGS, {layout.SETTINGS: Link("/etc/passwd")}),
    "an inbox that is a link": (INBOX, {layout.INBOX + "README.md": None, INBOX: Link("elsewhere")}),
}


@pytest.mark.parametrize("damage", ODD.values(), ids=ODD.keys())
def test_what_is_no_text_at_all_is_put_back_too(
    git_world: GitWorld, tmp_path: Path, damage: tuple[str, Files]
) -> None:
    path, files = damage
    [told] = is_mended(git_world, tmp_path, files, "documents", path)
    assert path in told and "is a" in str(rejections(git_world)[0]["reason"])


def test_both_kinds_at_once_take_one_transaction(world: World, tmp_path: Path) -> None:
    world.person({layout.SETTINGS: b"{", SERVER: None, layout.HEAD: b"", layout.REJECTED + "x.yaml": b"{"})
    before = world.line()
    told = repaired(world.machine("a").ledger, tmp_path)
    assert [line.split(" ")[0] for line in told] == ["restored", "put", "took"]
    assert world.line() == [*before, world.tip()]
    assert wrong(doctor(world, tmp_path)) == set()
    goes_on(world)


# -- what is left alone


STRANGERS: dict[str, Files] = {
    "nothing": {},
    "a note": {layout.ROOT + "README.txt": b"call Bob"},
    "a huge file": {layout.ROOT + "movie.mp4": b"x" * 2_000_000},
    "settings in capitals": {layout.ROOT + "HUB.yaml": b"{"},
    "settings that are gone": {layout.SETTINGS: None},
    "a file elsewhere": {"Makefile": b"all:"},
}


@pytest.mark.parametrize("files", STRANGERS.values(), ids=STRANGERS.keys())
def test_what_is_no_damage_is_left_alone(memory: World, tmp_path: Path, files: Files) -> None:
    tip = memory.person(files)
    assert wrong(doctor(memory, tmp_path)) == set()
    assert repaired(memory.machine("a").ledger, tmp_path) == []
    assert memory.tip() == tip


def test_links_and_submodules_that_nobody_reads_are_left_alone(git_world: GitWorld, tmp_path: Path) -> None:
    tip = git_world.person({layout.ROOT + "a": Link("hub.yaml"), "coordination/notes/x": Module()})
    assert wrong(doctor(git_world, tmp_path)) == set()
    assert repaired(git_world.machine("a").ledger, tmp_path) == []
    assert git_world.tip() == tip


def test_what_a_person_mends_meanwhile_is_theirs(memory: World, tmp_path: Path) -> None:
    better = b"name: lab\n"
    memory.person({layout.SETTINGS: BROKEN})
    mended: list[str] = []

    def meanwhile(call: Call) -> None:
        mended.append(memory.person({layout.SETTINGS: better}))

    machine = memory.machine("a", meanwhile=meanwhile, push=["wait"])
    assert repaired(machine.ledger, tmp_path) == []
    assert mended == [memory.tip()]
    assert memory.machine("b").ledger.state.settings == Settings(name="lab")


# -- the hub's refs


def test_a_hub_from_a_backup_is_given_back_what_it_lost(world: World, tmp_path: Path) -> None:
    ledger = world.machine("a").ledger
    whole = world.tip()
    world.move(world.line()[2])
    [told] = repaired(ledger, tmp_path)
    assert told.startswith("gave the hub back")
    assert world.tip() == whole


def test_a_ledger_that_went_another_way_is_left_to_a_person(world: World, tmp_path: Path) -> None:
    ledger = world.machine("a").ledger
    world.move(world.line()[2])
    other = world.person({layout.SETTINGS: b"{", layout.HEAD: b""})
    [told] = repaired(ledger, tmp_path)
    assert "bnet hub adopt" in told
    assert world.tip() == other


def test_telemetry_of_nobody_is_deleted(world: World, tmp_path: Path) -> None:
    hub = world.hub("left")
    now = ManualClock().now()
    [tip] = hub.write([Commit(parent=None, files={"x": b"{}"}, message="x", author="x", at=now, kind="x")])
    for name in ("gone", "_probe-000000000001", "s1"):
        assert hub.push([Update(hub.telemetry_ref(name), "", tip)]) is None
    found = doctor(world, tmp_path)
    assert wrong(found) == {"leftovers"} and "_probe-000000000001, gone" in found["leftovers"].text
    before = world.tip()
    [told] = repaired(world.machine("a").ledger, tmp_path)
    assert told.startswith("deleted the telemetry of _probe-000000000001, gone")
    assert dict(hub.look().telemetry) == {"s1": tip} and world.tip() == before


def test_a_hub_without_a_ledger_is_told_of(tmp_path: Path) -> None:
    [told] = repaired(MemoryWorld().machine("a", fresh=False).ledger, tmp_path)
    assert "the hub has no ledger yet" in told
