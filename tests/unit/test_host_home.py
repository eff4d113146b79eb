"""Where a server's files are."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from bnet.errors import BnetError
from bnet.host.home import Home, default_path


def test_the_layout_is_that_of_the_design(tmp_path: Path) -> None:
    home = Home(tmp_path)
    names = {
        home.server_yaml: "server.yaml",
        home.secrets_env: "secrets.env",
        home.hubs: "hubs",
        home.observed_json: "observed.json",
        home.runs: "runs",
        home.run_dir(12, 2): "runs/12.2",
        home.outbox: "outbox",
        home.cache: "cache",
        home.logs: "logs",
        home.sync_lock: "sync.lock",
        home.mirror_lock: "mirror.lock",
    }
    assert {str(path.relative_to(tmp_path)) for path in names} == set(names.values())


def test_each_hub_has_a_directory_of_its_own_that_stays_the_same(tmp_path: Path) -> None:
    first = Home(tmp_path).hub_dir("git@example.invalid:team/hub.git")
    assert first == tmp_path / "hubs" / "46916d2200179438"
    assert first != Home(tmp_path).hub_dir("git@example.invalid:team/hub")


def test_directories_are_made_for_the_owner_alone_and_only_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "state" / "bnet")
    home.ensure()
    home.ensure()
    for path in (home.path, home.hubs, home.runs, home.outbox, home.cache, home.logs):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_file_in_the_way_is_said() -> None:
    with pytest.raises(BnetError, match=r"cannot make .*this-test-did-not-choose-a-BNET_HOME"):
        Home(Path(os.environ["BNET_HOME"])).ensure()


@pytest.mark.parametrize("chosen", ["/srv/one", "/srv/two/../one"])
def test_bnet_home_is_taken_first(chosen: str) -> None:
    assert default_path({"BNET_HOME": chosen}) == Path("/srv/one")


def test_a_relative_bnet_home_counts_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_path({"BNET_HOME": "here"}) == tmp_path / "here"


@pytest.mark.parametrize("environ", [{}, {"BNET_HOME": ""}])
def test_else_it_is_the_platforms_place_for_state(environ: dict[str, str]) -> None:
    path = default_path(environ)
    assert path.name == "bnet"
    assert path.is_relative_to(os.environ["HOME"])


def test_without_a_home_the_user_database_knows_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert default_path({}).is_relative_to(pwd.getpwuid(os.getuid()).pw_dir)


def test_a_user_without_any_home_has_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(BnetError, match="no home directory"):
        default_path({})
