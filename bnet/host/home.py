"""Where things are on a server's disk (section 7 of the design)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from bnet.errors import BnetError

ELSEWHERE = "set BNET_HOME to a directory that you may write to"


class Home:
    """One server's directory, `BNET_HOME`; of what is in it, only names are known here."""

    def __init__(self, path: Path) -> None:
        """Name the directory; nothing is made yet.

        Args:
            path: the directory, absolute.
        """
        self.path = path

    @property
    def server_yaml(self) -> Path:
        """Who this server is, and what it accepts."""
        return self.path / "server.yaml"

    @property
    def secrets_env(self) -> Path:
        """What jobs may be given and nobody else may read."""
        return self.path / "secrets.env"

    @property
    def hubs(self) -> Path:
        """The directory of what is known of each hub."""
        return self.path / "hubs"

    @property
    def observed_json(self) -> Path:
        """What was seen of the other servers, and when on this machine's clock."""
        return self.path / "observed.json"

    @property
    def runs(self) -> Path:
        """The directory of run directories."""
        return self.path / "runs"

    @property
    def outbox(self) -> Path:
        """Submissions of which it is not known yet whether they landed."""
        return self.path / "outbox"

    @property
    def cache(self) -> Path:
        """Artifacts and snapshots that can be had again."""
        return self.path / "cache"

    @property
    def logs(self) -> Path:
        """What bnet itself has to say when nobody watches."""
        return self.path / "logs"

    @property
    def sync_lock(self) -> Path:
        """Held by the sync or agent that works for this server."""
        return self.path / "sync.lock"

    @property
    def steward_lock(self) -> Path:
        """Held by the process that does chores for the network, while this server is the steward."""
        return self.path / "steward.lock"

    @property
    def repositories(self) -> Path:
        """The directory of copies of other repositories; they can be had again."""
        return self.path / "repositories"

    @property
    def mirror_lock(self) -> Path:
        """Held for a moment by whoever writes to a mirror."""
        return self.path / "mirror.lock"

    def hub_dir(self, url: str) -> Path:
        """Name the directory of a hub; its mirror is `mirror.git` in there.

        Args:
            url: the hub's URL or path, exactly as this server knows it.
        """
        import xxhash

        return self.hubs / xxhash.xxh3_64_hexdigest(url.encode("utf-8", "surrogateescape"))

    def run_dir(self, number: int, attempt: int) -> Path:
        """Name the directory of one attempt of a job."""
        return self.runs / f"{number}.{attempt}"

    def ensure(self) -> None:
        """Make the directories that are missing, for their owner only.

        Raises:
            BnetError: something is in the way, or it is not allowed.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for directory in (self.path, self.hubs, self.runs, self.outbox, self.cache, self.logs):
                directory.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError as error:
            inside = Path(error.filename).parent == self.path
            raise BnetError(
                f"cannot make {error.filename}: a file is in its place",
                hint="`bnet doctor --repair` renames what is in the way in BNET_HOME"
                if inside
                else ELSEWHERE,
            ) from error
        except OSError as error:
            raise BnetError(
                f"cannot make {error.filename}: {error.strerror}",
                hint=ELSEWHERE,
            ) from error


def default_path(environ: Mapping[str, str]) -> Path:
    """Tell which home is meant when none is named.

    Args:
        environ: the environment; `BNET_HOME` is taken from here. (platformdirs itself looks at the process's
            own for `XDG_STATE_HOME` and `HOME`, and without a `HOME` into the user database.)

    Returns:
        `BNET_HOME`, or the platform's place for state; absolute.

    Raises:
        BnetError: this user has no home directory at all.
    """
    if chosen := environ.get("BNET_HOME"):
        return Path(os.path.abspath(chosen))
    import platformdirs  # 8 ms

    # Where nobody knows a home, newer versions raise and older ones leave the "~" as it is.
    with contextlib.suppress(RuntimeError):
        path = Path(platformdirs.user_state_dir("bnet", appauthor=False))
        if path.is_absolute():
            return path
    raise BnetError(
        "there is no home directory to keep this server's files in",
        hint="set BNET_HOME to a directory, or HOME",
    )
