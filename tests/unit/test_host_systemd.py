"""The units of systemd, and what is said to it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bnet.errors import BnetError
from bnet.host import systemd
from bnet.host.systemd import Manager, units
from bnet.process import Completed


class Systemd:
    """Notes what it is told, and fails on request."""

    def __init__(self, failing: str = "nothing") -> None:
        self.told: list[str] = []
        self._failing = failing

    def __call__(self, argv: Sequence[str], *, input: bytes | None = None) -> Completed:
        self.told.append(" ".join(argv))
        return Completed(1, b"", b"access denied") if self._failing in argv else Completed(0, b"", b"")


TEXTS = units(Path("/h"), "/usr/bin", ["/usr/bin/bnet", "sync"])


def manager(tmp_path: Path, run: Systemd, *, user: bool = False) -> Manager:
    return Manager(unit_dir=tmp_path / "units", run=run, user=user, running=tmp_path)


def test_the_service_says_all_that_matters() -> None:
    assert units(Path("/h 1"), "/usr/bin:/a%b", ["/o p t/bnet", "sync", 'a"\\b', "$HOME"]).service == (
        "[Unit]\nDescription=bnet sync for /h 1\n\n[Service]\nType=oneshot\nKillMode=process\n"
        'Environment="BNET_HOME=/h 1" "PATH=/usr/bin:/a%%b"\n'
        'ExecStart=":/o p t/bnet" "sync" "a\\"\\\\b" "$HOME"\n'
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    tool = tmp_path / "my $tool%"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    texts = units(tmp_path / "a b%c", '/usr/bin:/a"b', [str(tool), "sync", "$NO", "100%"])
    (tmp_path / "bnet-x.service").write_text(texts.service)
    (tmp_path / "bnet-x.timer").write_text(texts.timer)
    argv = [
        "systemd-analyze",
        "verify",
        "--man=no",
        str(tmp_path / "bnet-x.timer"),
        str(tmp_path / "bnet-x.service"),
    ]
    finished = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "bnet-x" not in finished.stderr


def test_installing_for_root_writes_the_units_and_starts_the_timer(tmp_path: Path) -> None:
    told = Systemd()
    assert systemd.install("bnet-x", TEXTS, manager(tmp_path, told)) is None
    assert told.told == ["systemctl daemon-reload", "systemctl enable --now bnet-x.timer"]
    assert (tmp_path / "units" / "bnet-x.service").read_text() == TEXTS.service
    assert (tmp_path / "units" / "bnet-x.timer").read_text() == TEXTS.timer


def test_installing_for_a_user_outlasts_the_login(tmp_path: Path) -> None:
    told = Systemd()
    assert systemd.install("bnet-x", TEXTS, manager(tmp_path, told, user=True)) is None
    assert told.told == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now bnet-x.timer",
        "loginctl enable-linger",
    ]


def test_a_user_who_may_not_linger_is_told_what_that_means(tmp_path: Path) -> None:
    advice = systemd.install("bnet-x", TEXTS, manager(tmp_path, Systemd("enable-linger"), user=True))
    assert advice is not None
    assert "stops when you log out" in advice


def test_removing_takes_all_of_it_away_and_may_be_repeated(tmp_path: Path) -> None:
    systemd.install("bnet-x", TEXTS, manager(tmp_path, Systemd()))
    told = Systemd()
    systemd.remove("bnet-x", manager(tmp_path, told))
    systemd.remove("bnet-x", manager(tmp_path, told))
    assert told.told == ["systemctl disable --now bnet-x.timer", "systemctl daemon-reload"]
    assert list((tmp_path / "units").iterdir()) == []


def test_a_machine_that_systemd_does_not_run_is_pointed_to_cron(tmp_path: Path) -> None:
    there_is_none = Manager(unit_dir=tmp_path / "units", run=Systemd(), running=tmp_path / "none")
    with pytest.raises(BnetError, match="not run by systemd") as caught:
        systemd.install("bnet-x", TEXTS, there_is_none)
    assert "--cron" in (caught.value.hint or "")
    assert not (tmp_path / "units").exists()


def test_a_refusal_of_systemd_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(BnetError, match=r"`systemctl enable --now bnet-x\.timer` failed: access denied"):
        systemd.install("bnet-x", TEXTS, manager(tmp_path, Systemd("enable")))


def test_a_unit_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "units").touch()
    with pytest.raises(BnetError, match=r"cannot write .*units"):
        systemd.install("bnet-x", TEXTS, manager(tmp_path, Systemd()))
