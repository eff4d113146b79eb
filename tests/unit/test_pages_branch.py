"""A branch that holds a site: what else is there is left alone, publishers follow each other, kills cost nothing."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bnet.errors import BnetError, HubUnreachable, RefusedByPolicy
from bnet.gitstore import pages
from bnet.gitstore.pages import PagesBranch
from bnet.gitstore.repo import environment

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def git(repository: Path, *words: str, input: str | None = None) -> str:
    done = subprocess.run(
        ["git", "--git-dir", str(repository), *words], input=input, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "hub.git")], check=True)
    return tmp_path / "hub.git"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site" / "jobs").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("one\r\n")
    (tmp_path / "site" / "jobs" / "1.html").write_text("job")
    (tmp_path / "site" / ".bnet-site.json").write_text("{}")
    return tmp_path / "site"


def branch(hub: Path, home: str = "a", name: str = "gh-pages") -> PagesBranch:
    return PagesBranch(hub.parent / home, environment(os.environ), str(hub), name)


def put(to: PagesBranch, site: Path) -> pages.Pushed:
    return to.put(site, (".bnet-site.json",), "the-hub", "ann@example.org", NOON)


def test_a_site_goes_onto_a_branch_of_its_own_as_it_is(hub: Path, site: Path) -> None:
    (site / ".gitignore").write_text("*.html\n")
    done = put(branch(hub), site)
    assert done.moved
    assert git(hub, "rev-parse", "gh-pages") == done.commit
    assert git(hub, "ls-tree", "-r", "--name-only", "gh-pages").split() == [
        ".gitignore",
        "index.html",
        "jobs/1.html",
    ]
    assert git(hub, "cat-file", "-s", "gh-pages:index.html") == "5", "no line end was changed"


def test_what_did_not_change_is_not_pushed(hub: Path, site: Path) -> None:
    first = put(branch(hub), site)
    assert put(branch(hub), site) == (first.commit, False)


def test_the_next_one_follows_and_loses_what_is_gone(hub: Path, site: Path) -> None:
    first = put(branch(hub), site)
    (site / "jobs" / "1.html").unlink()
    second = put(branch(hub), site)
    assert git(hub, "rev-parse", "gh-pages^") == first.commit
    assert git(hub, "ls-tree", "-r", "--name-only", second.commit) == "index.html"


def test_another_machine_goes_on_from_what_is_there(hub: Path, site: Path) -> None:
    first = put(branch(hub, "a"), site)
    (site / "index.html").write_text("two")
    second = put(branch(hub, "b"), site)
    (site / "index.html").write_text("three")
    third = put(branch(hub, "a"), site)
    assert git(hub, "rev-list", "gh-pages").split() == [third.commit, second.commit, first.commit]


def test_a_branch_with_anything_else_is_left_alone(hub: Path, site: Path) -> None:
    tree = git(hub, "mktree", input="")
    theirs = git(hub, "commit-tree", "-m", "mine", tree)
    git(hub, "update-ref", "refs/heads/gh-pages", theirs)
    with pytest.raises(BnetError, match="holds something else than a site"):
        put(branch(hub), site)
    assert git(hub, "rev-parse", "gh-pages") == theirs


def test_somebody_who_is_faster_is_followed(hub: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(branch(hub), site)
    other = site.parent / "other"
    other.mkdir()
    (other / "index.html").write_text("theirs")
    (site / "index.html").write_text("ours")
    slow, push = branch(hub, "a"), PagesBranch._push
    raced: list[str] = []

    def late(self: PagesBranch, commit: str, tip: str) -> str:
        if not raced:
            raced.append("")
            raced[0] = put(branch(hub, "b"), other).commit
        return push(self, commit, tip)

    monkeypatch.setattr(PagesBranch, "_push", late)
    done = put(slow, site)
    assert git(hub, "rev-parse", "gh-pages^") == raced[0]
    assert git(hub, "show", f"{done.commit}:index.html") == "ours"


def test_what_a_kill_left_behind_does_not_stop_the_next(hub: Path, site: Path) -> None:
    put(branch(hub), site)
    (hub.parent / "a" / "index.lock").touch()
    (site / "index.html").write_text("two")
    assert put(branch(hub), site).moved


def test_a_damaged_private_repository_is_made_anew(hub: Path, site: Path) -> None:
    put(branch(hub), site)
    (hub.parent / "a" / "index").write_bytes(b"zzz")
    (site / "index.html").write_text("two")
    assert put(branch(hub), site).moved


def test_the_branch_is_begun_anew_before_it_is_long(
    hub: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LONGEST", 2)
    for text in ("1", "2", "3"):
        (site / "index.html").write_text(text)
        put(branch(hub), site)
    assert git(hub, "rev-list", "--count", "gh-pages") == "1"


def test_a_hub_that_refuses_says_so(hub: Path, site: Path) -> None:
    (hub / "hooks").mkdir(exist_ok=True)
    (hub / "hooks" / "update").write_text("#!/bin/sh\necho no pages here >&2\nexit 1\n")
    (hub / "hooks" / "update").chmod(0o755)
    with pytest.raises(RefusedByPolicy, match="does not take the site"):
        put(branch(hub), site)


def test_a_hub_that_is_away_says_so(tmp_path: Path, site: Path) -> None:
    with pytest.raises((HubUnreachable, BnetError)):
        put(branch(tmp_path / "nowhere.git"), site)


def test_the_names_of_people_do_not_break_a_commit(hub: Path, site: Path) -> None:
    branch(hub).put(site, (), "the-hub", "<\x00\n>", NOON)
    assert (
        git(hub, "log", "-1", "--format=%an %ad", "--date=unix", "gh-pages")
        == f"bnet {int(NOON.timestamp())}"
    )
