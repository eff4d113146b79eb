"""What a hub begins with, and where it is."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bnet import scaffold
from bnet.app.hub.found import Wanted, budgets, documents, found, network_name, settings
from bnet.codec import people
from bnet.codec.schemas import shipped
from bnet.errors import Invalid
from bnet.host.clock import SystemClock
from bnet.memory import MemoryHub, Repository
from bnet.model.hub import Settings
from bnet.ports.hub import Commit, Look, Update


@pytest.mark.parametrize(
    ("url", "limited"),
    [
        ("https://github.com/team/builds", True),
        ("https://token@github.com/team/builds.git", True),
        ("git@github.com:team/builds.git", True),
        ("ssh://git@ssh.github.com:443/team/builds.git", True),
        ("https://github.example.com/team/builds", False),
        ("https://example.com/github.com/builds", False),
        ("/srv/github.com/builds.git", False),
    ],
)
def test_the_limits_of_github_are_written_down(url: str, limited: bool) -> None:
    told = budgets(url, Wanted())
    assert (told.push_budget, told.read_budget) == ((6.0, 15.0) if limited else (None, None))
    assert budgets(url, Wanted(push_budget=2.5)).push_budget == 2.5


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@host:builds.git", "builds"),
        ("https://host/team/builds/", "builds"),
        ("/srv/hub.git", "hub"),
        ("/srv/widgets/.git", "widgets"),
        ("/", "bnet"),
    ],
)
def test_a_network_is_called_like_its_repository(url: str, name: str) -> None:
    assert network_name(url) == name


def read(text: bytes) -> Settings:
    parsed = people.parse(text, "hub.yaml")
    return people.read(parsed, Settings, {} if parsed.data is None else parsed.data)


class TestSettings:
    template = (scaffold.root() / "coordination/hub.yaml").read_bytes()

    def test_as_shipped_they_are_the_defaults(self) -> None:
        assert settings(self.template, Wanted()) == self.template
        assert read(self.template) == Settings()

    @pytest.mark.parametrize("name", ["plain", 'a "b": c', "0123", "true", "\\1", "ä\n#"])
    def test_any_name_comes_through(self, name: str) -> None:
        assert read(settings(self.template, Wanted(name=name))).name == name

    def test_each_stands_where_its_default_is_shown(self) -> None:
        text = settings(self.template, Wanted(push_budget=6.0, read_budget=15.0, ttl=0.5))
        told = read(text)
        assert (told.push_budget, told.read_budget, told.ttl) == (6.0, 15.0, 0.5)
        assert len(text.splitlines()) == len(self.template.splitlines())

    def test_what_is_no_setting_is_refused(self) -> None:
        with pytest.raises(Invalid):
            settings(self.template, Wanted(push_budget=-1.0))


def test_nothing_of_the_projects_own_hub_is_copied(tmp_path: Path) -> None:
    copied = [
        "coordination/hub.yaml",
        "coordination/inbox/README.md",
        "messages/README.md",
        "specs/plan.json",
    ]
    own = [
        "coordination/inbox/todo.yaml",
        "coordination/jobs/0000/1/job.json",
        "coordination/ledger.json",
        "coordination/servers/s1.json",
        "coordination/.schemas/old.json",
        "coordination/.hub.yaml.swp",
        "messages/2026/01/01/x.md",
    ]
    for name in copied + own:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# text\n")
    made = documents(tmp_path, shipped(), "URL", "bnet", Wanted(name="n"))
    schemas = {f"coordination/.schemas/{name}" for name in shipped()}
    assert made.keys() == {*copied, *schemas, "README.md", "coordination/ledger.json"}


class Overtaken(MemoryHub):
    """A hub on which somebody else founds a network between our look and our push."""

    def push(self, updates: list[Update]) -> str | None:
        commit = Commit(
            parent=None, files={"a": b"theirs"}, message="x", author="x", at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        oid = super().write([commit])[0]
        super().push([Update(self.ledger_ref, "", oid)])
        return super().push(updates)


@pytest.mark.parametrize(("kind", "first"), [(MemoryHub, True), (Overtaken, False)])
def test_who_comes_second_knows_it(kind: type[MemoryHub], first: bool) -> None:
    hub = kind(Repository())
    made = found(hub, {"b": b"ours"}, clock=SystemClock(), chance=random.Random(), by="me")
    assert made is first
    tip: Look = hub.look()
    assert bool(hub.read(tip.ledger, ["b"])) is first


def test_a_second_founding_does_nothing() -> None:
    hub = MemoryHub(Repository())
    for first in (True, False):
        assert found(hub, {}, clock=SystemClock(), chance=random.Random(), by="me") is first


def test_the_working_directory_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    documents(scaffold.root(), shipped(), "/u", "b", Wanted())
    assert os.listdir(tmp_path) == []


def test_a_hub_that_takes_no_workflows_is_founded_without_them() -> None:
    class Strict(MemoryHub):
        def push(self, updates: Sequence[Update]) -> str | None:
            tree = self.repository.trees[updates[0].new]
            if any(path.startswith(".github/") for path in tree):
                return "refusing to allow a token to create or update workflow without `workflow` scope"
            return super().push(updates)

    for kind, there in ((Strict, False), (MemoryHub, True)):
        repository = Repository()
        files = documents(scaffold.root(), {}, "u", "bnet", Wanted())
        assert found(kind(repository), files, clock=SystemClock(), chance=random.Random(1), by="ann")
        tree = repository.trees[repository.refs["refs/heads/bnet"]]
        assert any(path.startswith(".github/") for path in tree) == there
        assert set(files) - set(tree) <= {
            f".github/workflows/{name}.yml" for name in ("health-monitor", "pages")
        }
        assert ".github/workflows/ci.yml" not in tree
