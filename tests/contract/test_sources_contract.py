"""Sources on a ledger, over real repositories: each new commit is one job, whatever happens to whom."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xxhash
from msgspec.structs import replace
from upstream import FILE, STATE, Upstream, Watcher, commits, faults, jobs
from worlds import ALICE, BOB, MemoryWorld, World, submit

from bnet.app.steward import polling
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.faults import Call, Fault, script
from bnet.model.command import Submit
from bnet.model.job import Source
from bnet.model.source import Seen
from bnet.model.state import KeyEntry, KeyFile
from bnet.rules import polling as rules
from bnet.rules.admit import admit
from bnet.rules.jobs import Illegal
from bnet.rules.resubmit import resubmissions
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction


class Net:
    """A hub, a repository, and a source that names it."""

    def __init__(self, world: World, top: Path) -> None:
        self.world, self.top = world, top
        self.up = Upstream(top / "up.git")
        self.first = self.up.commit(message="first")

    def says(self, more: str = "", *, command: str = "make", by: str = BOB) -> None:
        """Write the source's file."""
        text = f"repository: {self.up.path}\nsubmit: {{command: {command}}}\n{more}\n"
        self.world.person({FILE: text.encode()}, by=by)

    def watcher(self, name: str = "s1") -> Watcher:
        return Watcher(self.world, self.top, name=name)

    def watched(self, more: str = "") -> Watcher:
        """Return a server that has had its first look."""
        self.says(more)
        watcher = self.watcher()
        watcher.look()
        return watcher

    def seen(self) -> Seen:
        return self.world.machine("reader").ledger.state.seen["widgets"]


@pytest.fixture
def net(tmp_path: Path) -> Net:
    """With the ledger in memory, for what does not depend on how that is kept."""
    world = MemoryWorld()
    world.begin()
    return Net(world, tmp_path)


@pytest.fixture
def each_net(world: World, tmp_path: Path) -> Net:
    return Net(world, tmp_path)


def test_what_is_there_at_the_first_look_is_taken_as_seen_and_a_new_commit_becomes_a_job(
    each_net: Net,
) -> None:
    watcher = each_net.watched("priority: {main: 2}")
    assert jobs(each_net.world) == []
    new = each_net.up.commit()
    watcher.later(60)
    assert jobs(each_net.world) == [], "its time had not come"
    watcher.later()
    [job] = jobs(each_net.world)
    assert job.source is not None
    assert (job.name, job.priority, job.submitted_by) == ("widgets", 2, BOB)
    assert (job.source.repository, job.source.commit) == (str(each_net.up.path), new)
    assert job.env == {
        "BNET_SOURCE": "widgets",
        "BNET_REF": "refs/heads/main",
        "BNET_BRANCH": "main",
        "BNET_COMMIT": new,
    }
    watcher.later()
    assert len(jobs(each_net.world)) == 1
    assert faults(each_net.world) == []


def test_first_build_makes_a_job_of_each_tip_that_is_there(net: Net) -> None:
    other = net.up.commit("next", on=net.first)
    net.watched("first: build")
    assert sorted(map(str, commits(net.world))) == sorted([net.first, other])
    assert faults(net.world) == []


@pytest.mark.parametrize("fate", ["", "before", "after", "late", "wait", "stale", "twice"])
def test_two_servers_that_see_a_commit_make_one_job(each_net: Net, fate: Fault) -> None:
    each_net.watched()
    new = each_net.up.commit()
    second = each_net.watcher("s2")

    def meanwhile(call: Call) -> None:
        second.look()

    machine = each_net.world.machine("s1", plan=script({"push": [fate]}), meanwhile=meanwhile)
    Watcher(each_net.world, each_net.top, machine).look()
    second.later()
    each_net.watcher("s3").look()
    assert commits(each_net.world) == [new]
    assert faults(each_net.world) == []


def test_a_server_that_has_lost_all_its_files_makes_no_second_job(net: Net) -> None:
    net.watched()
    new = net.up.commit()
    for name in ("s1", "s2", "s3"):
        net.watcher(name).look()
    assert commits(net.world) == [new]


def test_a_commit_is_one_job_however_its_branches_move(net: Net) -> None:
    watcher = net.watched()
    new = net.up.commit()
    watcher.later()
    moves = [
        ("refs/heads/main", net.first),  # forced back,
        ("refs/heads/main", new),  # and forward again
        ("refs/heads/main", ""),
        ("refs/heads/main", new),  # deleted, and made again
        ("refs/heads/next", new),  # a branch of the same commit,
        ("refs/heads/old", net.first),  # and of an older one
        ("refs/heads/next", ""),
        ("refs/heads/main", ""),
        ("refs/heads/next", new),
    ]
    for ref, commit in moves:
        net.up.point(ref, commit)
        watcher.later()
    assert commits(net.world) == [new]
    assert faults(net.world) == []


def test_it_still_is_one_job_when_its_key_is_forgotten_and_another_server_looks(net: Net) -> None:
    net.watched()
    new = net.up.commit()
    net.watcher().look()
    other = net.up.commit(on=net.first, message="another way")
    net.watcher().look()
    machine = net.world.machine("s1")
    gone = machine.ledger.state.keys

    def forget(tx: Transaction) -> None:
        submit("something")(tx)
        tx.files.update(dict.fromkeys(gone))

    machine.ledger.transact(forget)
    net.up.point("refs/heads/main", new)
    net.watcher("s2").look()
    net.up.point("refs/heads/again", other)
    net.watcher("s3").look()
    assert [each for each in commits(net.world) if each] == [new, other]


@pytest.mark.parametrize("kept", [True, False])
def test_a_forced_branch_brings_no_old_history_on_a_server_without_a_copy(net: Net, kept: bool) -> None:
    old = [net.up.commit(message=f"c{place}") for place in range(4)]
    net.watched("coalesce: all")
    new = [net.up.commit(on=old[1], message="forced"), net.up.commit(message="and on")]
    if not kept:  # its tip is gone for good: what came cannot be told from what was there
        net.up.git("gc", "--quiet", "--prune=now")
    net.watcher("s2").look()
    assert commits(net.world) == (new if kept else new[-1:])


def test_a_repository_may_be_of_either_kind_of_ids_and_change_it(net: Net) -> None:
    watcher = net.watched()
    net.up.commit()
    watcher.later()
    shutil.rmtree(net.up.path)
    net.up = Upstream(net.up.path, "sha256")
    new = [net.up.commit(message=f"wide {place}") for place in range(2)][-1]
    watcher.later()
    assert commits(net.world)[1:] == [new]
    assert net.seen().obstacle is None


def test_a_branch_that_is_forced_to_a_new_commit_brings_that(net: Net) -> None:
    watcher = net.watched()
    watcher.later()
    new = net.up.commit(on="", message="all anew")
    watcher.later()
    assert commits(net.world) == [new]
    assert net.seen().past == (net.first,)


@pytest.mark.parametrize("how", ["state", "all", "hub"])
def test_what_people_put_back_makes_no_commit_come_again(each_net: Net, how: str) -> None:
    watcher = each_net.watched()
    before, tip = each_net.seen(), each_net.world.tip()
    new = each_net.up.commit()
    watcher.later()
    if how == "hub":
        each_net.world.move(tip)  # a backup
    else:
        each_net.world.person({STATE: encode(before)} | ({FILE: None} if how == "all" else {}))
    watcher.later()
    if how == "all":
        each_net.says()
    each_net.watcher("s2").look()
    watcher.later()
    assert commits(each_net.world) == [new]
    assert faults(each_net.world) == []


def test_newest_supersedes_what_still_waits_of_its_branch_and_of_no_other(net: Net) -> None:
    watcher = net.watched("branches: [main, next]")
    net.up.commit()
    net.up.commit()
    net.up.commit("next", on=net.first, message="elsewhere")
    watcher.later()
    newest = net.up.commit()
    watcher.later()
    assert len(commits(net.world)) == 3 and commits(net.world)[-1] == newest
    state = net.world.machine("reader").ledger.state
    results = [job.result.reason if job.result else job.state for _, job in sorted(state.jobs.items())]
    assert results == ["superseded", "pending", "pending"]
    assert faults(net.world) == []


def test_all_makes_a_job_of_every_commit_in_their_order_and_of_very_many_some_at_each_look(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "MOST_ALL", 3)
    watcher = net.watched("coalesce: all")
    new = [net.up.commit(message=str(number)) for number in range(7)]
    side = net.up.commit("side", on=new[1], message="aside")
    for _ in range(4):
        watcher.later()
    assert sorted(map(str, commits(net.world))) == sorted([*new, side])
    assert [each for each in commits(net.world) if each != side] == new
    assert all(job.result is None for job in net.world.machine("reader").ledger.state.jobs.values())
    assert faults(net.world) == []


FILTERED = [
    ("paths: {include: ['src/**']}", {"src/a/b.c": "x"}, "a change", True),
    ("paths: {include: ['src/**']}", {"docs/a.md": "x"}, "a change", False),
    ("paths: {exclude: ['docs/**', '*.md']}", {"docs/a.md": "x", "README.md": "y"}, "a change", False),
    ("paths: {exclude: ['docs/**']}", {"docs/a.md": "x", "f": "y"}, "a change", True),
    ("paths: {include: ['ü b/**']}", {'ü b/"c\t.txt': "x"}, "a change", True),
    ("", {"f": "x"}, "typo [skip bnet]", False),
    ("", {"f": "x"}, "typo\n\n[SKIP BNET]", False),
    ("skip: ['[ci skip]']", {"f": "x"}, "typo [skip bnet]", True),
    ("skip: []", {"f": "x"}, "typo [skip bnet]", True),
]


@pytest.mark.parametrize("coalesce", ["newest", "all"])
@pytest.mark.parametrize(("more", "files", "message", "counts"), FILTERED)
def test_which_commits_count(
    net: Net, coalesce: str, more: str, files: dict[str, str], message: str, counts: bool
) -> None:
    watcher = net.watched(f"coalesce: {coalesce}\n{more}")
    new = net.up.commit(message=message, files=files)
    watcher.later()
    assert commits(net.world) == ([new] if counts else [])
    assert net.seen().refs == {"refs/heads/main": new}
    watcher.later()
    assert faults(net.world) == []


def test_the_newest_stands_for_those_before_it(net: Net) -> None:
    watcher = net.watched("paths: {include: [src/**]}")
    net.up.commit(files={"src/a": "x"})
    newest = net.up.commit(files={"docs": "x"})
    net.up.commit(files={"src/a": "y"}, message="not this one [skip bnet]")
    watcher.later()
    assert commits(net.world) == [newest]


def test_a_merge_touches_what_it_brings_to_its_branch(net: Net) -> None:
    watcher = net.watched("paths: {include: [src/**]}\nbranches: [main]")
    side = net.up.commit("side", on=net.first, files={"src/a": "x"})
    net.up.commit(files={"docs": "x"})
    tree = net.up.git("merge-tree", "--write-tree", "main", "side")
    merge = net.up.git("commit-tree", tree, "-p", "main", "-p", side, "-m", "merge")
    net.up.point("refs/heads/main", merge)
    watcher.later()
    assert commits(net.world) == [merge]


def test_tags_stand_for_the_commit_that_they_are_of(net: Net) -> None:
    watcher = net.watched("tags: ['v*']")
    net.up.commit()
    new = net.up.commit()
    net.up.git("tag", "-a", "-m", "release", "v1", new)
    net.up.git("tag", "other", new)
    blob = net.up.git("rev-parse", f"{new}:f")
    net.up.git("tag", "v0-of-a-file", blob)
    watcher.later()
    assert commits(net.world) == [new]
    assert jobs(net.world)[0].env["BNET_TAG"] == "v1"
    assert faults(net.world) == []


def test_names_of_branches_may_be_odd(net: Net) -> None:
    names = ["ü/日本", "a$(touch)`b`;|", "quote'\"", "${matrix.os}", "zero\u200bwidth", "%s"]
    watcher = net.watched()
    new = {net.up.commit(name, on=net.first, message=name): name for name in names}
    other = net.up.commit(on=net.first, message="bytes")
    net.up.git("update-ref", b"refs/heads/bad\xff".decode(errors="surrogateescape"), other)
    net.up.point("refs/heads/main", net.first)
    watcher.later()
    found = {spec.source.commit: spec.env["BNET_BRANCH"] for spec in jobs(net.world) if spec.source}
    assert found == new
    assert faults(net.world) == []


def test_several_sources_of_one_repository_are_one_question_and_a_job_each(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FILE.replace("widgets", "gadgets")
    net.world.person({other: f"repository: {net.up.path}\nsubmit: {{command: x}}\ntags: ['*']".encode()})
    watcher = net.watched()
    new = net.up.commit()
    net.up.git("tag", "v1", new)
    asked = []
    real = watcher.mirrors.refs

    def counted(address: str, *, tags: bool) -> object:
        asked.append((address, tags))
        return real(address, tags=tags)

    monkeypatch.setattr(watcher.mirrors, "refs", counted)
    watcher.later()
    assert asked == [(str(net.up.path), True)]
    assert sorted(spec.name for spec in jobs(net.world)) == ["gadgets", "widgets"]
    assert faults(net.world) == []


# -- bad days


def test_a_repository_that_is_away_is_named_asked_less_often_and_the_others_go_on(net: Net) -> None:
    other = Upstream(net.top / "other.git")
    other.commit()
    text = f"repository: {other.path}\nsubmit: {{command: x}}".encode()
    net.world.person({FILE.replace("widgets", "gadgets"): text})
    watcher = net.watched()
    away = net.up.path.rename(net.top / "away.git")
    for _ in range(4):
        other.commit()
        watcher.later()
    assert len(jobs(net.world)) == 4
    obstacle = net.seen().obstacle
    assert obstacle is not None and "there is no repository" in obstacle.reason and obstacle.by == "s1"
    said = [message for message in _subjects(net.world) if "look widgets" in message]
    assert len(said) == 2, "the first look, and once that it is away"
    away.rename(net.up.path)
    new = net.up.commit()
    watcher.later()
    assert new not in commits(net.world), "it was asked four times in vain, and rests"
    watcher.later(3600)
    assert new in commits(net.world)
    assert net.seen().obstacle is None
    assert faults(net.world) == []


def _subjects(world: World) -> list[str]:
    hub, tip = world.hub("auditor"), world.tip()
    hub.fetch(tip)
    return [op for each in hub.recorded(tip) for op in each.ops]


def test_a_template_that_cannot_be_holds_its_commits_until_it_is_mended(net: Net) -> None:
    watcher = net.watched()
    net.world.person({FILE: f"repository: {net.up.path}\nsubmit: {{command: x, needs: [nothing]}}".encode()})
    new = net.up.commit()
    watcher.later()
    watcher.later()
    assert jobs(net.world) == []
    obstacle = net.seen().obstacle
    assert obstacle is not None and "there is no job named nothing" in obstacle.reason
    assert new[:10] in obstacle.reason
    net.says()
    watcher.later()
    assert commits(net.world) == [new]
    assert net.seen().obstacle is None
    assert faults(net.world) == []


def test_a_broken_file_is_named_and_what_was_there_before_goes_on(net: Net) -> None:
    watcher = net.watched()
    commit = net.world.person({FILE: b"repository: x\nsubmit: {command: make}\n"}, by=ALICE)
    new = net.up.commit()
    watcher.later()
    [problem] = watcher.machine.ledger.state.problems
    assert problem.message.startswith(f'{FILE}:1: field "repository": ') and problem.commit == commit
    assert commits(net.world) == [new]
    assert jobs(net.world)[0].submitted_by == BOB


def test_a_source_that_is_taken_away_is_forgotten_and_anew_begins_with_what_is_there(net: Net) -> None:
    watcher = net.watched()
    net.world.person({FILE: None})
    net.up.commit()
    watcher.later()
    assert not net.world.machine("reader").ledger.state.seen
    net.says()
    watcher.later()
    assert jobs(net.world) == []
    new = net.up.commit()
    watcher.later()
    assert commits(net.world) == [new]
    assert faults(net.world) == []


def test_branches_that_are_meant_only_after_an_edit_are_taken_as_seen(net: Net) -> None:
    watcher = net.watched("branches: [main]")
    old = net.up.commit("next", on=net.first, message="old")
    net.says("branches: [main, next]")
    new = net.up.commit()
    watcher.later()
    assert commits(net.world) == [new], "what was meant before goes on"
    assert old not in commits(net.world)
    newer = net.up.commit("next")
    watcher.later()
    assert commits(net.world) == [new, newer]


def test_a_repository_that_has_moved_goes_on_and_another_one_begins_with_what_is_there(net: Net) -> None:
    watcher = net.watched()
    net.up.path = net.up.path.rename(net.top / "moved.git")
    new = net.up.commit()
    net.says()
    watcher.later()
    assert commits(net.world) == [new]
    net.up = Upstream(net.top / "other.git")
    net.up.commit(message="another history")
    net.says()
    watcher.later()
    assert commits(net.world) == [new]
    newer = net.up.commit()
    watcher.later()
    assert commits(net.world) == [new, newer]
    assert faults(net.world) == []


def test_first_build_goes_on_where_one_transaction_had_no_room(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_ARRIVED", 2)
    tips = [net.first, *(net.up.commit(f"b{number}", on=net.first) for number in range(4))]
    watcher = net.watched("first: build")
    for _ in range(3):
        watcher.look()
    assert sorted(map(str, commits(net.world))) == sorted(set(tips))
    assert faults(net.world) == []


def test_an_edit_between_the_look_and_the_transaction_lets_the_next_look_decide(net: Net) -> None:
    net.watched()
    new = net.up.commit()
    told: list[bool] = []

    def meanwhile(call: Call) -> None:
        if not told:
            told.append(True)
            net.says(command="other")

    machine = net.world.machine("s1", plan=script({"push": ["wait"]}), meanwhile=meanwhile)
    watcher = Watcher(net.world, net.top, machine)
    watcher.look()
    watcher.later()
    assert commits(net.world) == [new]
    assert jobs(net.world)[0].command == "other"


def test_what_comes_while_it_is_paused_counts_afterwards(net: Net) -> None:
    from bnet.model.command import PauseSource, ResumeSource

    watcher = net.watched()
    ledger = watcher.machine.ledger
    ledger.transact(
        lambda tx: admit(tx, [PauseSource(source="widgets", reason="x")], by=ALICE, facts=Facts()) and None
    )
    new = net.up.commit()
    watcher.later()
    assert jobs(net.world) == []
    ledger.refresh()
    ledger.transact(lambda tx: admit(tx, [ResumeSource(source="widgets")], by=ALICE, facts=Facts()) and None)
    watcher.later()
    assert commits(net.world) == [new]
    net.says("paused: the disk")
    net.up.commit()
    watcher.later()
    assert len(jobs(net.world)) == 1
    assert faults(net.world) == []


def again(name: str, commit: str, **more: Any) -> Submit:
    """Return what asks again for the job of a commit, as `bnet hub adopt` writes it."""
    env: dict[str, str | int | float] = {"BNET_SOURCE": name, "BNET_COMMIT": commit}
    source = Source(repository="https://example.org/w", commit=commit)
    return replace(Submit(command="true", key=f"source:{name}:{commit}", env=env, source=source), **more)


def asks(net: Net, *commands: Submit) -> None:
    ledger = net.world.machine("s1").ledger
    ledger.refresh()
    ledger.transact(lambda tx: admit(tx, commands, by=ALICE, facts=Facts()) and None)


@pytest.mark.parametrize(
    "more",
    [
        {"env": {}},
        {"env": {"BNET_SOURCE": "widgets", "BNET_COMMIT": "b" * 40}},
        {"env": {"BNET_SOURCE": "gadgets", "BNET_COMMIT": "a" * 40}},
        {"source": None},
        {"source": Source(repository="https://example.org/w", commit="b" * 40)},
        {"key": "source:"},
        {"key": "source:\x1b[31m"},
    ],
)
def test_nobody_else_may_take_its_keys(net: Net, more: dict[str, Any]) -> None:
    with pytest.raises(Illegal, match=r"the key source:\S* is one of sources") as caught:
        asks(net, again("widgets", "a" * 40, **more))
    assert caught.value.message.isprintable()


def test_a_commit_that_an_adopted_hub_has_lost_is_asked_for_again_under_its_key(net: Net) -> None:
    watcher = net.watched()
    new = net.up.commit()
    asks(net, again("widgets", new, source=Source(repository=str(net.up.path), commit=new)))
    watcher.later()
    assert commits(net.world) == [new], "the source finds it dealt with"
    assert net.seen().refs == {"refs/heads/main": new}
    assert faults(net.world) == []


@pytest.mark.parametrize("first", ["the person", "the source"])
def test_the_matrix_of_a_commit_that_an_adopted_hub_has_lost_runs_once(net: Net, first: str) -> None:
    matrix = "submit: {command: make, matrix: {cc: [gcc, clang], opt: ['0', '2']}}"
    net.world.person({FILE: f"repository: {net.up.path}\n{matrix}\n".encode()}, by=BOB)
    watcher = net.watcher()
    watcher.look()
    before = net.world.tip()
    new = net.up.commit()
    watcher.later()
    lost = net.world.machine("reader").ledger.state.jobs
    assert len(lost) == 4
    again = resubmissions(list(lost.values()), {}, "adopted-1")

    hub = Net.__new__(Net)  # the ledger as it was before that, for servers that know nothing else
    hub.world, hub.top, hub.up = MemoryWorld(), net.top, net.up
    hub.world.repository = net.world.repository
    net.world.move(before)
    late = hub.watcher("s9")
    acts: list[Callable[[], object]] = [lambda: asks(hub, *again), late.later]
    for act in acts if first == "the person" else acts[::-1]:
        act()
    asks(hub, *again)
    late.later()
    assert commits(hub.world) == [new] * 4
    assert sorted(spec.env["BNET_MATRIX_CC"] + spec.env["BNET_MATRIX_OPT"] for spec in jobs(hub.world)) == [
        "clang0",
        "clang2",
        "gcc0",
        "gcc2",
    ]
    assert faults(hub.world) == []


# -- what the audit finds


def test_the_audit_finds_commits_that_came_twice_or_from_nowhere(net: Net) -> None:
    from bnet.rules.change import Change

    watcher = net.watched()
    ledger = watcher.machine.ledger
    key = f"source:widgets:{net.first}"
    path = layout.key_path(xxhash.xxh3_64_hexdigest(key.encode()))

    def taken(tx: Transaction) -> None:
        numbers = admit(tx, [Submit(command="true")], by=ALICE, facts=Facts())
        tx.documents[path] = KeyFile(keys={key: KeyEntry(jobs=tuple(numbers), at=tx.now)})

    ledger.transact(taken)
    assert f"commit {net.first[:10]} has a key, and nothing is said of it" in faults(net.world)[-1]

    def says(name: str, commit: str) -> None:
        ledger.refresh()
        change = Change(verb="arrive", target=name, fields={"commit": commit})
        ledger.transact(lambda tx: tx.apply(change))

    says("widgets", net.first)
    assert "although it had been seen" in faults(net.world)[-1]
    says("gadgets", "b" * 40)
    assert "there is no such source" in faults(net.world)[-1]
    says("widgets", "b" * 40)
    assert "without a new key" in faults(net.world)[-1]

    def forgets(tx: Transaction) -> None:
        submit("x")(tx)
        tx.documents[STATE] = Seen(repository="x")

    ledger.refresh()
    ledger.transact(forgets)
    assert "has changed, and nothing is said of it" in faults(net.world)[-1]
    net.says("paused: x")
    says("widgets", "c" * 40)
    assert "although it is paused" in faults(net.world)[-1]
