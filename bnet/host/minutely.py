"""`bnet sync` once a minute for one BNET_HOME: by cron or by a systemd timer, put in and taken out."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bnet.errors import BnetError
from bnet.host import cron, systemd
from bnet.host.home import Home
from bnet.process import Completed, TimedOut, run

Kind = Literal["cron", "systemd"]

SPREAD = 15  # seconds over which the servers of a network spread their minutely syncs
PATIENCE = 60.0  # seconds for `crontab` and `systemctl`


class Minutely:
    """The entry of one BNET_HOME."""

    def __init__(self, home: Home, path_env: str, config_home: str) -> None:
        """Keep whose entry it is.

        Args:
            home: the BNET_HOME.
            path_env: the PATH that its syncs get.
            config_home: XDG_CONFIG_HOME, or "".
        """
        import xxhash

        self._home = home
        self._path = path_env
        # From the path alone: it must be found again when nothing else of the server is left.
        self.id = xxhash.xxh3_64_hexdigest(str(home.path).encode("utf-8", "surrogateescape"))[:8]
        self._config = Path(config_home) if config_home else Path("~/.config").expanduser()

    def check(self, kind: Kind, program: Sequence[str]) -> None:
        """See whether an entry can be made, as far as that shows without making it.

        Raises:
            BnetError: it cannot; the message says why.
        """
        if kind == "cron":
            cron.install(cron.read(_run), self.id, self._line(program))
        else:
            systemd.require(self._manager())

    def install(self, kind: Kind, program: Sequence[str]) -> str | None:
        """Make or renew the entry; the other kind's is taken out, for two would only meet at the lock.

        Returns:
            What a person still has to do, if anything.
        """
        if kind == "cron":
            self._remove_units()
            cron.write(cron.install(cron.read(_run), self.id, self._line(program)), _run)
            return None
        self._remove_line()
        texts = systemd.units(self._home.path, self._path, self._argv(program))
        return systemd.install(f"bnet-{self.id}", texts, self._manager())

    def remove(self) -> list[Kind]:
        """Take the entry out, whatever kind it is, and return what was there."""
        gone: list[Kind] = []
        if self._remove_line():
            gone.append("cron")
        if self._remove_units():
            gone.append("systemd")
        return gone

    def trial(self, program: Sequence[str]) -> str:
        """Start the program as cron will, in an empty environment, and return what it complains about."""
        clean = ["/usr/bin/env", "-i", f"PATH={self._path}", f"HOME={os.path.expanduser('~')}"]
        try:
            done = run([*clean, *program, "--version"], cwd=Path("/"), timeout=PATIENCE)
        except (OSError, TimedOut) as error:
            return str(error)
        return "" if done.code == 0 else done.complaint.splitlines()[-1]

    def _argv(self, program: Sequence[str]) -> list[str]:
        return [*program, "sync", "--delay", str(int(self.id, 16) % SPREAD)]

    def _line(self, program: Sequence[str]) -> str:
        return cron.entry(self._home.path, self._path, self._argv(program), self._home.logs / "cron.log")

    def _remove_line(self) -> bool:
        if shutil.which("crontab") is None:
            return False
        before = cron.read(_run)
        after = cron.remove(before, self.id)
        if after != before:
            cron.write(after, _run)
        return after != before

    def _remove_units(self) -> bool:
        manager = self._manager()
        if not (manager.unit_dir / f"bnet-{self.id}.timer").exists():
            return False
        systemd.remove(f"bnet-{self.id}", manager)
        return True

    def _manager(self) -> systemd.Manager:
        if os.geteuid() == 0:
            return systemd.Manager(Path("/etc/systemd/system"), _run)
        return systemd.Manager(self._config / "systemd" / "user", _run, user=True)


def own_program(called_as: str) -> list[str]:
    """Return the command that starts this bnet from anywhere.

    Args:
        called_as: `sys.argv[0]`.
    """
    script = Path(shutil.which(called_as) or called_as)
    if script.name in ("bnet", "bnet.exe") and script.is_file():
        return [os.path.abspath(script)]
    return [sys.executable, "-m", "bnet"]


def _run(argv: Sequence[str], *, input: bytes | None = None) -> Completed:
    try:
        return run(argv, input=input, timeout=PATIENCE)
    except TimedOut as error:
        raise BnetError(str(error), hint="`bnet agent` needs neither cron nor systemd") from None
