"""People break things: what they broke is named, set aside and restored, and the rest goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from worlds import (
    ALICE,
    BOB,
    NOON,
    Files,
    GitWorld,
    Link,
    Machine,
    MemoryWorld,
    Module,
    World,
    claim,
    in_memory,
    nothing,
    register,
    submit,
)

from bnet.app.server.decide import take_in
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.model.hub import FORMAT, Settings
from bnet.model.job import Claim
from bnet.model.state import InboxFile
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

JOB = layout.job_dir(1)
CLAIM = JOB + "claim.json"
SERVER = layout.server_path("s1")
ODD = layout.ROOT + "jobs/0000/1/notes of mine.txt"


@pytest.fixture(params=["git", "memory"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Without the wrapper: what is read of a commit does not go through it."""
    return MemoryWorld() if request.param == "memory" else GitWorld(tmp_path)


def at_work(world: World) -> Machine:
    """A ledger with a running job, a waiting one and a server."""
    machine = world.machine("a")
    machine.ledger.transact(submit("one", "two"))
    machine.ledger.transact(register("s1"))
    machine.ledger.transact(claim(1))
    return machine


def problems(machine: Machine) -> dict[str, str]:
    return {each.path: each.message for each in machine.ledger.state.problems}


def stolen() -> bytes:
    claimed = Claim(server="thief", instance="i", attempt=1, run="r", token=99, ttl_s=1.0, claimed_at=NOON)
    return encode(claimed)


EDITS: dict[str, tuple[str, bytes | None]] = {
    "a claim edited": (CLAIM, stolen()),
    "a claim deleted": (CLAIM, None),
    "a claim broken": (CLAIM, b"{"),
    "a claim emptied": (CLAIM, b""),
    "a claim in bad UTF-8": (CLAIM, b'{"server": "\xff"}'),
    "a claim of 2 MB": (CLAIM, b" " * 2_000_000),
    "a claim of 9,999 brackets": (CLAIM, b"[" * 9_999),
    "a job deleted": (JOB + "job.json", None),
    "a job broken": (JOB + "job.json", b"<<<<<<< HEAD\n"),
    "a result made up": (
        JOB + "result.json",
        b'{"result":"success","reason":"exit","finished_at":"2026-01-01T00:00:00Z"}',
    ),
    "a claim made up": (layout.job_dir(2) + "claim.json", stolen()),
    "a job made up": (layout.job_dir(77) + "job.json", b'{"number": 77}'),
    "a note among the jobs": (ODD, b"hello"),
    "a server deleted": (SERVER, None),
    "a server renamed inside": (SERVER, b'{"name":"s2","instance":"i","joined_at":"2026-01-01T00:00:00Z"}'),
    "a server made up": (
        layout.server_path("s9"),
        b'{"name":"s9","instance":"i","joined_at":"2026-01-01T00:00:00Z"}',
    ),
    "the head deleted": (layout.HEAD, None),
}


@in_memory
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_machines_document_stays_in_force_and_is_restored(
    world: World, edit: tuple[str, bytes | None]
) -> None:
    machine = at_work(world)
    before = machine.ledger.state
    path, data = edit
    good = world.hub("a").read(before.tip, [path])
    broken = world.person({path: data, "README.md": b"and something good"})
    for each in (machine, world.machine("b")):
        each.ledger.refresh()
        state = each.ledger.state
        assert (state.jobs, state.servers, state.head) == (before.jobs, before.servers, before.head)
        assert set(problems(each)) == {path}
    landed = machine.ledger.transact(nothing)
    assert landed.commit == world.tip() != broken
    if path != layout.HEAD:  # that one goes on
        assert world.hub("a").read(world.tip(), [path]) == good
    fresh = world.machine("c")
    machine.ledger.refresh()
    assert machine.ledger.state == fresh.ledger.state
    assert (fresh.ledger.state.problems, fresh.ledger.state.restore) == ((), {})


@pytest.mark.parametrize("data", [b"{", None], ids=["broken", "deleted"])
def test_the_commit_that_broke_a_machines_document_is_named(world: World, data: bytes | None) -> None:
    machine = at_work(world)
    broken = world.person({CLAIM: data})
    world.person({"README.md": b"later"})
    machine.ledger.refresh()
    assert [each.commit for each in machine.ledger.state.problems] == [broken]


FUTURE = {
    "a lock": layout.ROOT + "locks/deploy.json",
    "what a schedule fired": layout.ROOT + "schedules/nightly.state.json",
    "what a source saw": layout.ROOT + "sources/app.state.json",
    "the steward's cursor": layout.ROOT + "notify.state.json",
    "a day of metrics": layout.ROOT + "metrics/2026/11/20.jsonl",
    "a day of the archive": layout.ROOT + "archive/2026/11/20.1.jsonl",
}


@in_memory
@pytest.mark.parametrize("data", [b"broken by hand", None], ids=["edited", "deleted"])
@pytest.mark.parametrize("path", FUTURE.values(), ids=FUTURE.keys())
def test_a_machines_document_of_any_kind_comes_back(world: World, path: str, data: bytes | None) -> None:
    machine = world.machine("a")

    def put(tx: Transaction) -> None:
        submit("x")(tx)
        tx.files[path] = b'{"good": 1}\n'

    machine.ledger.transact(put)
    world.person({path: data})
    machine.ledger.refresh()
    machine.ledger.transact(submit("y"))
    assert world.hub("a").read(world.tip(), [path]) == {path: b'{"good": 1}\n'}


# -- settings


BAD_SETTINGS: dict[str, bytes] = {
    "no YAML": b"name: [",
    "a wrong type": b"ttl: soon",
    "a tab": b"name:\n\tx",
    "bad UTF-8": b"name: \xff",
    "UTF-16": "name: x".encode("utf-16"),
    "2 MB": b"#" * 2_000_000,
    "a list": b"- a",
    "merge marks": b"<<<<<<< HEAD\nname: a\n=======\nname: b\n>>>>>>> x\n",
    "a bomb of aliases": b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % ((c + 1, c + 1, *([c] * 10)))
        for c in range(97, 105)
    ),
    "a loop of aliases": b"name: &a [*a]",
    "a deep nest": b"name: " + b"[" * 5000,
    "a NUL": b"name: a\0b",
    "no text": b"\0\xff\xfe",
    "refs without an end": b"telemetry_prefix: refs/bnet/servers",
    "refs that Git forbids": b"telemetry_prefix: refs/bnet/../",
    "no refs": b"telemetry_prefix: ''",
    "a tag of Python": b"name: !!python/object/apply:os.system [ls]",
    "a bad timestamp": b"name: !!timestamp foo",
    "a bad bool": b"name: !!bool foo",
    "an empty int": b'ttl: !!int ""',
}


@in_memory
@pytest.mark.parametrize("bad", BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_broken_settings_leave_the_last_readable_ones_in_force(world: World, bad: bytes) -> None:
    machine = world.machine("a")
    good = Settings(name="office", ttl=60.0)
    world.person({layout.SETTINGS: b"name: office\nttl: 60\n"})
    machine.ledger.refresh()
    broken = world.person({layout.SETTINGS: bad}, by=BOB)
    machine.ledger.refresh()
    machine.ledger.transact(submit("one"))
    for each in (machine, world.machine("b")):
        assert each.ledger.state.settings == good
        assert [(p.path, p.commit) for p in each.ledger.state.problems] == [(layout.SETTINGS, broken)]
    assert world.hub("a").read(world.tip(), [layout.SETTINGS]) == {layout.SETTINGS: bad}, (
        "it is theirs to mend"
    )
    world.person({layout.SETTINGS: b"name: lab\n"})
    machine.ledger.refresh()
    assert (machine.ledger.state.settings, machine.ledger.state.problems) == (Settings(name="lab"), ())


def test_settings_that_were_never_readable_are_the_defaults(world: World) -> None:
    world.person({layout.SETTINGS: b"name: ["})
    machine = world.machine("a")
    assert machine.ledger.state.settings == Settings()
    assert set(problems(machine)) == {layout.SETTINGS}


def test_deleted_settings_are_the_defaults(world: World) -> None:
    world.person({layout.SETTINGS: b"name: office\n"})
    world.person({layout.SETTINGS: None})
    machine = world.machine("a")
    assert (machine.ledger.state.settings, problems(machine)) == (Settings(), {})


# -- the inbox


def take_all(tx: Transaction) -> None:
    for file in tx.state.inbox:
        take_in(tx, file, Facts())


def taken(world: World, files: Files) -> Machine:
    """Drop files into the inbox, let one server take them in, and another look at what there is to do."""
    machine = world.machine("a")
    world.person({layout.INBOX + name: content for name, content in files.items()})
    machine.ledger.refresh()
    machine.ledger.transact(take_all)
    again = world.machine("b")
    assert again.ledger.state.inbox == (), "it would be taken in again, by each server and each sync"
    assert again.ledger.transact(take_all).commit is None
    assert again.ledger.state == machine.ledger.state
    return again


SUBMIT = b"- submit: {command: make, name: job}\n"


@pytest.mark.parametrize(
    "data", [SUBMIT, SUBMIT.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + SUBMIT], ids=["LF", "CRLF", "BOM"]
)
def test_a_file_of_the_inbox_is_taken_once(world: World, data: bytes) -> None:
    machine = taken(world, {"x.yaml": data})
    [job] = machine.ledger.state.jobs.values()
    assert (job.spec.name, job.spec.submitted_by) == ("job", ALICE)


@pytest.mark.parametrize(
    "name",
    [
        "with space.yaml",
        "ümlaut.yaml",
        'quote".yaml',
        "tab\t.yaml",
        "line\nend.yaml",
        "*.yaml",
        "a/b/c.yaml",
        "-rf.yaml",
        "bad\udcff.yaml",
        "x\nBnet-Seq: 999\n.yaml",
        ("ü" * 120) + ".yaml",
        "UPPER.YAML",
        "..yaml",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("data", [SUBMIT, b"{"], ids=["good", "broken"])
def test_a_file_of_any_name_is_taken_once(world: World, name: str, data: bytes) -> None:
    if "\udcff" in name and not isinstance(world, GitWorld):
        pytest.skip("names are bytes in Git alone")
    machine = taken(world, {name: data})
    state = machine.ledger.state
    assert len(state.jobs) + len(state.rejected) + len(state.problems) == 1
    assert state.head.seq == len(state.jobs) + len(state.rejected)


BAD_COMMANDS: dict[str, bytes] = {
    "no YAML": b"{",
    "bad UTF-8": b"- cancel: {job: \xff}",
    "an unknown verb": b"- destroy: {job: 1}",
    "an unknown job": b"- cancel: {job: 99}",
    "nothing": b"",
    "a number": b"12",
    "a deep nest": b"[" * 5000,
    "a bad timestamp": b"- cancel: {job: !!timestamp foo}",
    "a bad bool": b"- cancel: {job: !!bool foo}",
    "an empty int": b'- cancel: {job: !!int ""}',
    "a need that is a digit but no number": "- submit: {command: x, needs: ['²']}".encode(),
    "a need of 5,000 digits": b"- submit: {command: x, needs: ['" + b"9" * 5000 + b"']}",
    "a set": b"!!set {a, b}",
    "controls": b'- cancel: {job: 1, reason: "\x07"}',
}


@in_memory
@pytest.mark.parametrize("data", BAD_COMMANDS.values(), ids=BAD_COMMANDS.keys())
def test_commands_that_cannot_be_done_are_set_aside_with_the_reason(world: World, data: bytes) -> None:
    machine = taken(world, {"x.yaml": data, "y.yaml": SUBMIT})
    state = machine.ledger.state
    assert len(state.jobs) == 1
    [rejection] = state.rejected.values()
    assert rejection.reason
    assert (rejection.file, rejection.by) == ("inbox/x.yaml", ALICE)
    assert problems(machine) == {}


def test_files_that_are_refused_together_are_each_kept(world: World) -> None:
    names = {"x.yaml": b"{", "x.yml": b"[", "a/x.yaml": b"{", "a-x.yaml": b"["}
    machine = taken(world, names)
    assert {each.file for each in machine.ledger.state.rejected.values()} == {
        f"inbox/{name}" for name in names
    }


def test_a_file_of_2_mb_is_refused_for_its_size(world: World) -> None:
    machine = taken(world, {"x.yaml": b"#" * 2_000_000})
    [rejection] = machine.ledger.state.rejected.values()
    assert "1,000,000" in rejection.reason


@pytest.mark.parametrize("name", ["README.md", "readme", ".gitkeep", ".gitattributes"])
def test_what_explains_the_inbox_stays_in_it(world: World, name: str) -> None:
    taken(world, {name: b"drop commands here\n"})
    assert world.hub("a").read(world.tip(), [layout.INBOX + name])


def test_a_person_may_change_a_file_before_it_is_taken(world: World) -> None:
    machine = world.machine("a")
    world.person({layout.INBOX + "x.yaml": b"{"}, by=ALICE)
    second = world.person({layout.INBOX + "x.yaml": SUBMIT}, by=BOB)
    machine.ledger.refresh()
    assert machine.ledger.state.inbox == (
        InboxFile(path=layout.INBOX + "x.yaml", text=SUBMIT, by=BOB, commit=second),
    )


def reverted(world: World) -> None:
    """Revert the newest transaction, as `git revert` does."""
    hub, (before, after) = world.hub("a"), world.line()[-2:]
    paths = sorted(hub.changes(before, after))
    world.person({path: hub.read(before, paths).get(path) for path in paths})


@pytest.mark.parametrize("data", [SUBMIT, b"{"], ids=["done", "refused"])
def test_a_file_that_a_revert_brings_back_is_not_taken_again(world: World, data: bytes) -> None:
    machine = taken(world, {"x.yaml": data})
    before = machine.ledger.state
    reverted(world)
    machine.ledger.refresh()
    assert layout.INBOX + "x.yaml" in problems(machine)
    # By whoever comes next, who may have nothing to do with the inbox.
    machine.ledger.transact(submit("another"))
    again = world.machine("c")
    assert (again.ledger.state.inbox, again.ledger.state.problems) == ((), ())
    again.ledger.transact(take_all)
    state = again.ledger.state
    assert (state.rejected, state.jobs.keys() - before.jobs.keys()) == (
        before.rejected,
        {before.head.next_job},
    )


def test_the_same_text_may_come_again_by_itself(world: World) -> None:
    machine = taken(world, {"x.yaml": SUBMIT})
    world.person({layout.INBOX + "x.yaml": SUBMIT})
    machine.ledger.refresh()
    machine.ledger.transact(take_all)
    assert [job.spec.name for job in machine.ledger.state.jobs.values()] == ["job", "job"]


def test_a_new_command_counts_although_its_commit_breaks_something(world: World) -> None:
    machine = taken(world, {"x.yaml": b"- submit: {command: make, name: first}\n"})
    world.person({layout.INBOX + "x.yaml": SUBMIT, layout.HEAD: b"{"})
    machine.ledger.refresh()
    machine.ledger.transact(take_all)
    assert [job.spec.name for job in machine.ledger.state.jobs.values()] == ["first", "job"]


# -- what only Git can hold


ODDITIES: Mapping[str, Files] = {
    "settings that are a link": {layout.SETTINGS: Link("/etc/passwd")},
    "settings that are a submodule": {layout.SETTINGS: Module()},
    "settings that are a directory": {layout.SETTINGS + "/x": b""},
    "a command that is a link": {layout.INBOX + "x.yaml": Link("../../hub.yaml")},
    "a command that is a submodule": {layout.INBOX + "x.yaml": Module()},
    "a claim that is a link": {CLAIM: Link("job.json")},
    "a claim that is a submodule": {CLAIM: Module()},
    "a claim that is a directory": {CLAIM: None, CLAIM + "/x": b""},
    "a server that is a link": {SERVER: Link("/dev/zero")},
    "an unknown file that is huge": {layout.ROOT + "movie.mp4": b"x" * 2_000_000},
    "unknown files in bad UTF-8": {layout.ROOT + "a\udcff": b"\xff", layout.ROOT + "jobs/a\udcff": b"\xff"},
    "a name with an end of line": {
        layout.ROOT + "jobs/a\nb.json": b"{}",
        layout.SERVERS + "a\nb.json": b"{}",
    },
    "a device's name": {layout.SERVERS + "con.json": b"{}"},
    "a path that climbs": {layout.ROOT + "jobs/0000/1/attempts/..json": b"{}"},
    "a rejection that is broken": {layout.REJECTED + "a b.1.yaml": b"{"},
    "a rejection in bad UTF-8": {layout.REJECTED + "x.yaml": b"\xff"},
    "keys that are broken": {layout.KEYS + "00.json": b"{"},
    "two names that differ in case": {layout.SERVERS + "S1.json": b"{}", layout.ROOT + "HUB.yaml": b"{"},
}


@pytest.mark.parametrize("files", ODDITIES.values(), ids=ODDITIES.keys())
def test_nothing_that_a_person_commits_stops_the_network(git_world: GitWorld, files: Files) -> None:
    machine = at_work(git_world)
    before = machine.ledger.state
    git_world.person(files)
    machine.ledger.refresh()
    assert (machine.ledger.state.jobs, machine.ledger.state.servers) == (before.jobs, before.servers)

    def decide(tx: Transaction) -> None:
        take_all(tx)
        submit("three")(tx)

    machine.ledger.transact(decide)
    fresh = git_world.machine("b")
    assert fresh.ledger.state == machine.ledger.state
    assert sorted(fresh.ledger.state.jobs) == [1, 2, 3]
    assert fresh.ledger.state.jobs[1].claim is not None
    assert fresh.ledger.state.inbox == ()
    assert fresh.ledger.transact(decide).tx.seq == before.head.seq + 2


NAMED = [
    "settings that are a link",
    "settings that are a submodule",
    "a claim that is a link",
    "a claim that is a submodule",
    "a server that is a link",
    "a rejection that is broken",
]


@pytest.mark.parametrize("case", NAMED)
def test_what_cannot_be_read_is_named(git_world: GitWorld, case: str) -> None:
    machine = at_work(git_world)
    git_world.person(ODDITIES[case])
    machine.ledger.refresh()
    assert set(problems(machine)) == set(ODDITIES[case])


@pytest.mark.parametrize("content", [Link("../hub.yaml"), Module()], ids=["a link", "a submodule"])
def test_a_command_that_is_no_file_is_refused_for_that(git_world: GitWorld, content: Link | Module) -> None:
    machine = taken(git_world, {"x.yaml": content, "y.yaml": SUBMIT})
    [rejection] = machine.ledger.state.rejected.values()
    assert "is a" in rejection.reason
    assert len(machine.ledger.state.jobs) == 1


@pytest.mark.parametrize(
    "instead", [Link("elsewhere"), Module(), b"a file"], ids=["a link", "a submodule", "a file"]
)
def test_the_whole_directory_comes_back(git_world: GitWorld, instead: bytes | Link | Module) -> None:
    machine = at_work(git_world)
    before = machine.ledger.state
    gone = dict.fromkeys(
        git_world.git("ls-tree", "-r", "--name-only", git_world.tip(), "coordination/").split()
    )
    git_world.person({**gone, "coordination": instead})
    machine.ledger.refresh()
    machine.ledger.transact(submit("three"))
    fresh = git_world.machine("b").ledger.state
    assert sorted(fresh.jobs) == [1, 2, 3]
    assert (fresh.jobs[1], fresh.servers, fresh.head.format) == (before.jobs[1], before.servers, FORMAT)
    assert fresh == machine.ledger.state
