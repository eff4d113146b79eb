"""Sources that run a pipeline: each new commit becomes the jobs that its own bnet.yaml says, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from upstream import FILE, Upstream, Watcher, faults, jobs
from worlds import BOB, MemoryWorld, claim, register

from bnet.model.source import Seen

PIPELINE = """
pipelines:
  ci:
    steps:
      test: {command: make test, matrix: {cc: [gcc, clang]}}
      publish: {command: make publish, needs: [test], when: 'branch == "main"'}
"""


class Net:
    """A hub, a repository with pipelines, and a server that watches it."""

    def __init__(self, top: Path, more: str = "", *, pipeline: str = PIPELINE) -> None:
        self.world = MemoryWorld()
        self.world.begin()
        self.up = Upstream(top / "up.git")
        self.first = self.push(pipeline)
        text = f"repository: {self.up.path}\npipeline: ci\n{more}\n"
        self.world.person({FILE: text.encode()}, by=BOB)
        self.watcher = Watcher(self.world, top)
        self.watcher.look()

    def push(self, pipeline: str = PIPELINE, branch: str = "main", message: str = "a change") -> str:
        return self.up.commit(branch, message, {"bnet.yaml": pipeline, "f": message + branch})

    def names(self) -> list[str]:
        return [spec.name for spec in jobs(self.world)]

    def seen(self) -> Seen:
        return self.world.machine("reader").ledger.state.seen["widgets"]


def test_a_commit_becomes_the_jobs_of_its_own_pipeline_once(tmp_path: Path) -> None:
    net = Net(tmp_path)
    assert net.names() == []
    new = net.push(PIPELINE.replace("make test", "make check"))
    net.watcher.later()
    net.watcher.later()
    made = jobs(net.world)
    assert [spec.name for spec in made] == ["ci.test.gcc", "ci.test.clang", "ci.publish"]
    assert {spec.command for spec in made} == {"make check", "make publish"}
    assert {spec.source.commit for spec in made if spec.source} == {new}
    assert {(spec.env["BNET_BRANCH"], spec.env["BNET_COMMIT"], spec.submitted_by) for spec in made} == {
        ("main", new, BOB)
    }
    assert [spec.pipeline.branch for spec in made if spec.pipeline] == ["main"] * 3
    assert [need.job for need in made[2].needs] == [made[0].number, made[1].number]
    assert faults(net.world) == []


def test_two_servers_that_see_a_commit_make_one_run(tmp_path: Path) -> None:
    net = Net(tmp_path)
    second = Watcher(net.world, tmp_path, name="s2")
    net.push()
    for watcher in (net.watcher, second, net.watcher):
        watcher.later()
    assert len(net.names()) == 3
    assert faults(net.world) == []


def test_what_is_there_at_the_first_look_becomes_jobs_where_that_is_wanted(tmp_path: Path) -> None:
    net = Net(tmp_path, "first: build\npriority: {main: 1}")
    assert [(spec.priority, spec.source.commit) for spec in jobs(net.world) if spec.source] == [
        (1, net.first)
    ] * 3


WRONG = {
    "no file": ("", "it has no bnet.yaml"),
    "another one": ("pipelines: {nightly: {steps: {a: {command: make}}}}", "there are: nightly"),
    "a mistake": ("pipelines: {ci: {steps: {a: {comand: make}}}}", "bnet.yaml:1"),
    "no yaml": ("pipelines: {", "bnet.yaml"),
    "an environment that is not there": (
        "pipelines: {ci: {steps: {a: {command: make, environment: prod}}}}",
        "there is no environment prod",
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_a_commit_that_says_nothing_right_is_named_until_the_next_one_comes(
    tmp_path: Path, text: str, said: str
) -> None:
    net = Net(tmp_path)
    bad = net.push(text) if text else net.up.commit("main", "no file", {"f": "x"}, on="")
    for _ in range(2):
        net.watcher.later()
        obstacle = net.seen().obstacle
        assert obstacle is not None
        assert bad[:10] in obstacle.reason and said in obstacle.reason
        assert net.names() == []
    net.push()
    net.watcher.later()
    assert len(net.names()) == 3 and net.seen().obstacle is None
    assert faults(net.world) == []


def test_of_all_commits_one_that_is_wrong_holds_up_no_later_one(tmp_path: Path) -> None:
    net = Net(tmp_path, "coalesce: all")
    good = net.push(message="1")
    bad = net.push("pipelines: {", message="2")
    after = net.push(message="3")
    net.watcher.later()
    assert [spec.source.commit for spec in jobs(net.world) if spec.source] == [good] * 3 + [after] * 3
    told = net.world.hub("reader").recorded(net.world.tip())
    assert any(bad[:10] in str(each) for each in told) and net.seen().obstacle is None
    assert faults(net.world) == []


def test_the_newest_commit_ends_a_run_that_waits_and_none_that_has_begun(tmp_path: Path) -> None:
    net = Net(tmp_path)
    net.push(message="1")
    net.watcher.later()
    net.push(message="2")
    net.watcher.later()
    state = net.world.machine("reader").ledger.state
    ended = [number for number, job in state.jobs.items() if job.result is not None]
    assert ended == [1, 2, 3]
    ledger = net.world.machine("s1").ledger
    ledger.refresh()
    ledger.transact(register("s1"))
    ledger.transact(claim(4))
    net.push(message="3")
    net.watcher.later()
    state = net.world.machine("reader").ledger.state
    assert [number for number, job in sorted(state.jobs.items()) if job.result is not None] == [1, 2, 3]
    assert faults(net.world) == []
