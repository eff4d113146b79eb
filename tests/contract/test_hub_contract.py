"""What `ports.Hub` promises, of every hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from worlds import ALICE, BOB, LEDGER, NOON, SERVERS, GitWorld, MemoryWorld, World

from bnet.codec import layout
from bnet.errors import HubUnreachable
from bnet.ports.hub import Commit, Hub, Look, Update


@pytest.fixture(params=["git", "git behind faults", "memory"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Every kind of hub there is."""
    return MemoryWorld() if request.param == "memory" else GitWorld(tmp_path, wrapped=request.param != "git")


A = layout.ROOT + "servers/a.json"
B = layout.ROOT + "servers/b.json"


def commit(parent: str | None, message: str = "m", **more: Any) -> Commit:
    files: dict[str, bytes | None] = more.pop("files", {"f": b"x"})
    return Commit(parent=parent, files=files, message=message, author="s1", at=NOON, **more)


def put(hub: Hub, parent: str | None, **more: Any) -> str:
    return hub.write([commit(parent, **more)])[0]


# -- refs


def test_an_empty_hub_shows_nothing(empty: World) -> None:
    assert empty.hub("a").look() == Look("", {})


def test_a_look_shows_the_ledger_and_each_server(world: World) -> None:
    hub = world.hub("a")
    beat = put(hub, None, kind="telemetry")
    assert hub.push([Update(hub.telemetry_ref("build-1"), "", beat)]) is None
    assert world.hub("b").look() == Look(world.tip(), {"build-1": beat})


def test_the_names_of_refs_are_the_documented_ones(world: World) -> None:
    assert (world.hub("a").ledger_ref, world.hub("a").telemetry_ref("x")) == (LEDGER, SERVERS + "x")


@pytest.mark.parametrize("old", ["", "another"], ids=["that is there already", "that has moved on"])
def test_a_push_over_a_ref_is_refused(world: World, old: str) -> None:
    hub, tip = world.hub("a"), world.tip()
    hub.fetch(tip)
    stale = put(hub, None, message="another") if old else ""
    new = put(hub, tip)
    assert hub.push([Update(LEDGER, stale, new)])
    assert world.tip() == tip


def test_of_two_pushes_from_one_tip_the_second_is_refused(world: World) -> None:
    one, two, tip = world.hub("a"), world.hub("b"), world.tip()
    for hub in (one, two):
        hub.fetch(tip)
    first, second = put(one, tip, message="one"), put(two, tip, message="two")
    assert one.push([Update(LEDGER, tip, first)]) is None
    assert two.push([Update(LEDGER, tip, second)])
    assert world.tip() == first


def test_byte_identical_commits_are_both_told_yes(world: World) -> None:
    """Trap 1: the reason for the nonce. A hub that tells them apart would be a fake of no use."""
    one, two, tip = world.hub("a"), world.hub("b"), world.tip()
    for hub in (one, two):
        hub.fetch(tip)
    same = put(one, tip)
    assert put(two, tip) == same
    assert one.push([Update(LEDGER, tip, same)]) is None
    assert two.push([Update(LEDGER, tip, same)]) is None


@pytest.mark.parametrize("stale", ["telemetry", "ledger"])
def test_updates_are_independent_of_each_other(world: World, stale: str) -> None:
    hub, tip = world.hub("a"), world.tip()
    hub.fetch(tip)
    wrong = put(hub, None, message="never pushed")
    new, beat = put(hub, tip, message="new"), put(hub, None, kind="telemetry", message="beat")
    ref = hub.telemetry_ref("s1")
    updates = [
        Update(LEDGER, wrong if stale == "ledger" else tip, new),
        Update(ref, wrong if stale == "telemetry" else "", beat),
    ]
    assert hub.push(updates)
    look = hub.look()
    assert (look.ledger == new, look.telemetry.get("s1") == beat) == (stale != "ledger", stale != "telemetry")


def test_a_hub_that_is_away_is_unreachable_and_a_push_says_why(git_world: GitWorld) -> None:
    hub, tip = git_world.hub("a"), git_world.tip()
    hub.fetch(tip)
    new = put(hub, tip)
    git_world.bare.rename(git_world.top / "away.git")
    with pytest.raises(HubUnreachable):
        hub.look()
    with pytest.raises(HubUnreachable):
        hub.fetch("2" * 40)
    assert hub.push([Update(LEDGER, tip, new)])


def test_telemetry_is_read_after_it_was_fetched(world: World) -> None:
    one, two = world.hub("a"), world.hub("b")
    beat = put(one, None, kind="telemetry", files={"heartbeat.json": b"{}"})
    one.push([Update(one.telemetry_ref("s1"), "", beat)])
    two.fetch_telemetry(["s1"])
    assert two.read(beat, ["heartbeat.json"]) == {"heartbeat.json": b"{}"}
    two.fetch_telemetry([])


# -- what is known


def test_what_was_accepted_is_known_until_another_is(world: World) -> None:
    hub, tip = world.hub("a"), world.tip()
    assert hub.known() == ""
    hub.fetch(tip)
    hub.accept(tip)
    assert hub.known() == tip == world.hub("a").known()
    assert world.hub("b").known() == ""


def test_a_commit_contains_itself_and_its_ancestors_alone(world: World) -> None:
    old = world.tip()
    new = world.person({"f": b""})
    hub = world.hub("a")
    hub.fetch(new)
    other = put(hub, old, message="a side line")
    rows = [
        (new, new),
        (new, old),
        (old, new),
        (new, other),
        (new, "3" * 40),
        ("3" * 40, old),
        ("", old),
        (new, ""),
    ]
    assert [hub.contains(*row) for row in rows] == [True, True, False, False, False, False, False, False]


# -- transactions in history


def seq_of(world: World) -> tuple[int, int] | None:
    hub, tip = world.hub("a"), world.tip()
    hub.fetch(tip)
    found = hub.newest_transaction(tip)
    return None if found is None else (found.seq, found.next_job)


def stamp(seq: int, next_job: int = 7) -> str:
    return f"Bnet-Seq: {seq}\nBnet-Next-Job: {next_job}\nBnet-Nonce: n{seq}\n"


def test_a_history_without_transactions_has_no_newest_one(empty: World) -> None:
    empty.person({"f": b""}, parent=None)
    assert seq_of(empty) is None


def test_the_newest_transaction_tells_who_and_when(world: World) -> None:
    hub, tip = world.hub("a"), world.tip()
    hub.fetch(tip)
    new = put(hub, tip, message="s1: something\n\n" + stamp(4))
    found = hub.newest_transaction(new)
    assert found is not None
    assert (found.commit, found.seq, found.next_job, found.actor, found.at) == (new, 4, 7, "s1", NOON)


QUOTES = {
    "says nothing": "by hand",
    "quotes an older one as its last paragraph": "again\n\n" + stamp(2),
    "quotes a newer one in the middle": "look:\n\n" + stamp(99) + "\nwhat was that?\n",
    "mentions the word": "why is Bnet-Seq: 98 missing?",
}


@pytest.mark.parametrize("message", QUOTES.values(), ids=QUOTES.keys())
def test_a_persons_commit_on_top_is_passed_over_where_it(world: World, message: str) -> None:
    world.person({"f": b"1"}, message="s1: a\n\n" + stamp(2))
    world.person({"f": b"2"}, message="s1: b\n\n" + stamp(3))
    world.person({"f": b"3"}, message=message)
    assert seq_of(world) == (3, 7)


def test_a_persons_commit_that_quotes_the_newest_transaction_is_none(world: World) -> None:
    original = world.person({"f": b"a"}, message="s1: a\n\n" + stamp(2))
    world.person({"f": b"b"}, message="s1: a\n\n" + stamp(2))
    hub = world.hub("a")
    hub.fetch(world.tip())
    found = hub.newest_transaction(world.tip())
    assert found is not None and found.commit == original


def test_the_newest_transaction_is_found_below_many_commits_by_hand(world: World) -> None:
    world.person({"f": b"a"}, message="s1: a\n\n" + stamp(2))
    for n in range(25):
        world.person({"f": b"%d" % n})
    assert seq_of(world) == (2, 7)


def test_the_recorded_transactions_come_parents_first_with_what_they_say(world: World) -> None:
    hub, tip = world.hub("a"), world.tip()
    hub.fetch(tip)
    one = put(
        hub,
        tip,
        message="s1: a\n\n" + stamp(4) + "Bnet-Op: claim 5 attempt=1\nBnet-Op: finish 6 result=success\n",
    )
    by_hand = put(hub, one, message="by hand")
    two = put(hub, by_hand, message="s1: b\n\n" + stamp(5))
    found = [
        (each.stamp.commit, each.stamp.seq, list(each.parents), list(each.ops)) for each in hub.recorded(two)
    ]
    assert found[-2:] == [
        (one, 4, [tip], ["claim 5 attempt=1", "finish 6 result=success"]),
        (two, 5, [by_hand], []),
    ]
    assert found[0][2] == []


def test_of_the_recorded_transactions_those_after_a_commit_can_be_had_alone(world: World) -> None:
    hub, tip = world.hub("a"), world.tip()
    hub.fetch(tip)
    one = put(hub, tip, message="s1: a\n\n" + stamp(4))
    two = put(hub, one, message="s1: b\n\n" + stamp(5))
    assert [each.stamp.commit for each in hub.recorded(two, one)] == [two]
    assert [each.stamp.commit for each in hub.recorded(two, two)] == []


def test_the_beginning_of_an_id_stands_for_its_commit(world: World) -> None:
    hub, tip = world.hub("a"), world.tip()
    hub.fetch(tip)
    assert [hub.expand(word) for word in (tip, tip[:9])] == [tip, tip]
    assert [hub.expand(word) for word in ("HEAD", "0" * 40, "--all", "", "x y")] == [""] * 5


def test_contents_are_listed_and_read_by_their_ids(world: World) -> None:
    hub = world.hub("a")
    world.person({"d/a": b"one", "d/e/b": b"two", "d/e/c": b"one", "e": b"three"})
    hub.fetch(world.tip())
    found = hub.blobs(world.tip(), "d/")
    assert sorted(found) == ["d/a", "d/e/b", "d/e/c"] and found["d/a"] == found["d/e/c"] != found["d/e/b"]
    assert hub.contents([found["d/e/b"], found["d/a"]]) == {found["d/a"]: b"one", found["d/e/b"]: b"two"}
    assert hub.blobs(world.tip(), "nowhere/") == {} and hub.contents([]) == {}


# -- documents


def changed(world: World, old: str | None) -> dict[str, bytes | str | None]:
    """Path -> content, None where it is gone, or the note of what is not read."""
    hub = world.hub("a")
    hub.fetch(world.tip())
    found = hub.changes(old, world.tip())
    return {path: None if file is None else file.note or file.data for path, file in found.items()}


def test_changes_are_the_documents_that_differ(world: World) -> None:
    old = world.person({A: b"1", B: b"1", "README.md": b"1"})
    world.person({A: b"2", B: None, layout.SETTINGS: b"{}", "README.md": b"2", "messages/1.md": b""})
    assert changed(world, old) == {A: b"2", B: None, layout.SETTINGS: b"{}"}
    assert set(changed(world, None)) == {A, layout.SETTINGS, layout.HEAD}
    assert changed(world, world.tip()) == {}


def test_a_huge_document_is_not_read_and_said_to_be(world: World) -> None:
    old = world.tip()
    world.person({A: b"x" * 2_000_000, B: b"x" * 1_000_000})
    found = changed(world, old)
    assert "1,000,000" in str(found[A])
    assert found[B] == b"x" * 1_000_000


def test_of_the_archive_and_metrics_only_the_names_are_read(world: World) -> None:
    old = world.tip()
    world.person(
        {layout.ARCHIVE + "2026/11/20.1.jsonl": b"{}", layout.ROOT + "metrics/2026/11/20.jsonl": b"{}"}
    )
    hub = world.hub("a")
    hub.fetch(world.tip())
    assert [file and file.data for file in hub.changes(old, world.tip()).values()] == [None, None]


def test_the_origin_is_the_last_commit_that_changed_a_path(world: World) -> None:
    world.person({A: b"1"}, by=ALICE)
    second = world.person({A: b"2"}, by=BOB)
    world.person({B: b"1"}, by=ALICE)
    hub = world.hub("a")
    hub.fetch(world.tip())
    assert hub.origin(world.tip(), A) == (second, BOB)


@pytest.mark.parametrize("name", ["*.yaml", "[ab].yaml", "a?.yaml", "with space.yaml", ":(top)x.yaml"])
def test_the_origin_of_an_odd_name_is_its_own(world: World, name: str) -> None:
    path = layout.INBOX + name
    first = world.person({path: b"1"}, by=ALICE)
    for other in ("a.yaml", "b.yaml", "az.yaml"):
        world.person({layout.INBOX + other: b"1"}, by=BOB)
    hub = world.hub("a")
    hub.fetch(world.tip())
    assert hub.origin(world.tip(), path) == (first, ALICE)


def test_older_versions_come_newest_first_and_without_the_present_one(world: World) -> None:
    first = world.person({A: b"one"})
    second = world.person({A: b"two"})
    world.person({B: b"something else"})
    third = world.person({A: b"one"})
    world.person({A: b"now"})
    hub = world.hub("a")
    hub.fetch(world.tip())
    assert list(hub.older(world.tip(), A)) == [(third, b"one"), (second, b"two"), (first, b"one")]


def test_older_versions_of_a_removed_document_are_all_that_it_had(world: World) -> None:
    first = world.person({A: b"one"})
    world.person({A: None})
    hub = world.hub("a")
    hub.fetch(world.tip())
    assert list(hub.older(world.tip(), A)) == [(first, b"one")]
    assert list(hub.older(world.tip(), B)) == []


ODD_PATHS = [
    "dir/plain",
    "dir/with space.txt",
    "dir/ümlaut",
    'dir/"quoted"',
    "dir/tab\there",
    "dir/line\nend",
    "dir/*",
]


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_file_is_read_whatever_it_is_called(world: World, path: str) -> None:
    world.person({path: b"content", "dir/other": b"other"})
    hub = world.hub("a")
    hub.fetch(world.tip())
    assert hub.read(world.tip(), [path, "dir/other"]) == {path: b"content", "dir/other": b"other"}


def test_what_is_no_file_is_left_out_of_a_reading(world: World) -> None:
    world.person({"dir/file": b"1"})
    hub = world.hub("a")
    hub.fetch(world.tip())
    assert hub.read(world.tip(), ["dir", "nowhere", "dir/file", "dir/file/below"]) == {"dir/file": b"1"}
    assert hub.read(world.tip(), []) == {}


@pytest.mark.parametrize("under", ["runs/0000/1.1/", "runs/0000/1.1"])
def test_names_are_those_under_a_directory(world: World, under: str) -> None:
    world.person({"runs/0000/1.1/log/0": b"", "runs/0000/1.1/a b": b"", "runs/0000/1.10/log/0": b""})
    hub = world.hub("a")
    hub.fetch(world.tip())
    assert sorted(hub.names(world.tip(), under)) == ["runs/0000/1.1/a b", "runs/0000/1.1/log/0"]


# -- writing


CONTENTS = [b"", b"\0\xff\n\r\n", b"no end of line", b"data 3\nfrom x\n" * 3, b"x" * 300_000]


def test_what_is_written_is_read_again(world: World) -> None:
    hub = world.hub("a")
    files: dict[str, bytes | None] = {f"dir/{n}": data for n, data in enumerate(CONTENTS)}
    oid = put(hub, None, files=files)
    assert hub.read(oid, list(files)) == files


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_file_is_written_and_removed_whatever_it_is_called(world: World, path: str) -> None:
    hub = world.hub("a")
    there = put(hub, None, files={path: b"1", "f": b""})
    assert hub.read(there, [path]) == {path: b"1"}
    gone = put(hub, there, files={path: None})
    assert hub.read(gone, [path, "f"]) == {"f": b""}


def test_a_commit_changes_its_parents_tree(world: World) -> None:
    hub = world.hub("a")
    first = put(hub, None, files={"a": b"1", "b": b"1", "c/d": b"1"})
    second = put(hub, first, files={"a": b"2", "b": None, "e": b"2", "never/there": None})
    assert hub.read(second, ["a", "b", "c/d", "e"]) == {"a": b"2", "c/d": b"1", "e": b"2"}
    assert hub.contains(second, first)


def test_removing_a_directory_removes_what_is_in_it(world: World) -> None:
    hub = world.hub("a")
    first = put(hub, None, files={"runs/1/a": b"", "runs/1/b/c": b"", "runs/10/a": b""})
    second = put(hub, first, files={"runs/1": None})
    assert hub.names(second, "runs") == ["runs/10/a"]


def test_a_commit_without_parent_may_begin_with_anothers_tree(world: World) -> None:
    hub = world.hub("a")
    first = put(hub, None, files={"a": b"1", "b": b"1"})
    second = put(hub, None, files={"b": b"2"}, like=first)
    assert hub.read(second, ["a", "b"]) == {"a": b"1", "b": b"2"}
    assert not hub.contains(second, first)


def test_commits_that_are_written_together_know_nothing_of_each_other(world: World) -> None:
    hub = world.hub("a")
    one, two = hub.write([commit(None, "one", files={"a": b""}), commit(None, "two", files={"b": b""})])
    assert not hub.contains(two, one)
    assert hub.read(two, ["a", "b"]) == {"b": b""}


def test_nothing_to_write_writes_nothing(world: World) -> None:
    assert list(world.hub("a").write([])) == []


def test_equal_commits_have_equal_ids_and_any_difference_another(world: World) -> None:
    hub = world.hub("a")
    first = put(hub, None, message="bütterfly 🦋\n\nx: y\n")
    assert put(world.hub("b"), None, message="bütterfly 🦋\n\nx: y\n") == first
    assert put(hub, None, message="another") != first
    assert put(hub, first, files={}) != first


# -- what a killed process leaves


def test_a_sweep_removes_the_locks_of_killed_processes(git_world: GitWorld) -> None:
    hub = git_world.remote("a")
    tip = git_world.tip()
    hub.fetch(tip)
    hub.accept(tip)
    mirror = git_world.top / "a" / "mirror.git"
    for name in ("HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "index.lock"):
        (mirror / name).touch()
    for name in ("refs/bnet/known.lock", "refs/bnet/fetched.lock", "refs/bnet/written/ledger.lock"):
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / name).touch()
    (mirror / "objects/info").mkdir(exist_ok=True)
    (mirror / "objects/info/commit-graph.lock").touch()
    hub.sweep()
    assert list(mirror.rglob("*.lock")) == []
    hub.accept(put(hub, tip))


@pytest.mark.parametrize("lock", ["refs/bnet/written/ledger.lock", "refs/bnet/known.lock"])
def test_without_a_sweep_such_a_lock_stops_the_mirror(git_world: GitWorld, lock: str) -> None:
    hub = git_world.remote("a")
    hub.fetch(git_world.tip())
    path = git_world.top / "a" / "mirror.git" / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(Exception, match="lock"):
        hub.accept(put(hub, git_world.tip()))
    hub.sweep()
    hub.accept(put(hub, git_world.tip()))


def test_a_mirror_that_is_made_anew_goes_on(git_world: GitWorld) -> None:
    hub, tip = git_world.remote("a"), git_world.tip()
    hub.fetch(tip)
    hub.accept(tip)
    hub.remake()
    assert hub.known() == ""
    hub.fetch(tip)
    assert hub.read(tip, [layout.HEAD])


def test_a_mirror_that_is_packed_goes_on(git_world: GitWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, tip = git_world.remote("a"), git_world.tip()
    hub.fetch(tip)
    hub.accept(tip)
    new = put(hub, put(hub, tip))
    monkeypatch.setattr("bnet.gitstore.hub.MOST_PACKS", 0)
    hub.maintain_if_due()
    assert hub.known() == tip
    assert hub.contains(new, tip)
