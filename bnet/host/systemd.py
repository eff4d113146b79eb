"""A systemd timer that runs a command each minute, for root or for a user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bnet.errors import BnetError
from bnet.files import write_atomic
from bnet.host.command import Run, checked

_RUNNING = Path("/run/systemd/system")  # made by systemd as pid 1: see sd_booted(3)


class Units(msgspec.Struct, frozen=True):
    """The texts of a service and of the timer that starts it."""

    service: str
    timer: str


class Manager(msgspec.Struct, frozen=True):
    """Which systemd is spoken to, and how."""

    unit_dir: Path  # /etc/systemd/system, or ~/.config/systemd/user
    run: Run
    user: bool = False
    running: Path = _RUNNING  # exists while systemd runs the machine


def units(home: Path, path_env: str, argv: Sequence[str]) -> Units:
    """Write the two units.

    Args:
        home: the BNET_HOME that the command works for.
        path_env: its PATH; systemd's own is short.
        argv: the command, such as `bnet sync`, its program with its full path.
    """
    # KillMode: the runs that a sync starts must outlive it. The colon keeps systemd from expanding $NAME.
    service = f"""\
[Unit]
Description=bnet sync for {_specifiers(str(home))}

[Service]
Type=oneshot
KillMode=process
Environment={_quoted(f"BNET_HOME={home}")} {_quoted(f"PATH={path_env}")}
ExecStart={" ".join(_quoted(word) for word in (f":{argv[0]}", *argv[1:]))}
"""
    timer = f"""\
[Unit]
Description=bnet sync each minute for {_specifiers(str(home))}

[Timer]
OnCalendar=minutely
AccuracySec=1s
RandomizedDelaySec=5s

[Install]
WantedBy=timers.target
"""
    return Units(service=service, timer=timer)


def install(name: str, texts: Units, manager: Manager) -> str | None:
    """Write the units and start the timer, now and at each boot.

    Args:
        name: the units' name without its ending, such as `bnet-1f0c`.
        texts: their texts.
        manager: the systemd that shall run them.

    Returns:
        What a person still has to do, if anything.

    Raises:
        BnetError: this machine is not run by systemd, or systemd refuses.
    """
    require(manager)
    try:
        manager.unit_dir.mkdir(parents=True, exist_ok=True)
        write_atomic(manager.unit_dir / f"{name}.service", texts.service.encode())
        write_atomic(manager.unit_dir / f"{name}.timer", texts.timer.encode())
    except OSError as error:
        raise BnetError(f"cannot write {error.filename}: {error.strerror}", hint="use --cron") from error
    _systemctl(manager, "daemon-reload")
    _systemctl(manager, "enable", "--now", f"{name}.timer")
    return _linger(manager) if manager.user else None


def remove(name: str, manager: Manager) -> None:
    """Stop the timer and delete the units; nothing happens if there are none.

    Args:
        name: the name that they were installed with.
        manager: the systemd that runs them.

    Raises:
        BnetError: this machine is not run by systemd, or systemd refuses.
    """
    files = [manager.unit_dir / f"{name}.{kind}" for kind in ("timer", "service")]
    if not any(file.exists() for file in files):
        return
    require(manager)
    _systemctl(manager, "disable", "--now", f"{name}.timer")
    for file in files:
        file.unlink(missing_ok=True)
    _systemctl(manager, "daemon-reload")


def require(manager: Manager) -> None:
    """See that this machine is run by systemd.

    Raises:
        BnetError: it is not.
    """
    if not manager.running.is_dir():
        raise BnetError("this machine is not run by systemd", hint="use --cron, or keep `bnet agent` running")


def _systemctl(manager: Manager, *words: str) -> None:
    scope = ["--user"] if manager.user else []
    checked(manager.run, ["systemctl", *scope, *words], hint="use --cron, or keep `bnet agent` running")


def _linger(manager: Manager) -> str | None:
    """Keep the user's timers running after logout; only an administrator may allow it on some machines."""
    try:
        checked(manager.run, ["loginctl", "enable-linger"], hint="")
    except BnetError as error:
        return f"the timer stops when you log out ({error}); ask root for `loginctl enable-linger YOU`"
    return None


def _specifiers(text: str) -> str:
    """Double the % that would start a specifier (systemd.unit(5)), and keep a line a line."""
    return text.replace("%", "%%").replace("\n", " ")


def _quoted(word: str) -> str:
    """Quote one word as in systemd.syntax(7)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("%", "%%") + '"'
