"""What a build is asked for, and what becomes of each package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from bnet.errors import BnetError

Tier = Literal["instant", "fresh", "local", "remote", "incremental", "full"]
Result = Literal["success", "failure", "timeout", "error", "skipped"]
CACHED: tuple[Tier, ...] = ("instant", "fresh", "local", "remote")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a package.

    Attributes:
        name: the package's.
        tier: how it was, or with `--dry-run` would be, brought up to date; None if it was not tried.
        result, exit_code: how that ended; an exit code only of its command.
        reason: why this tier, or what went wrong.
        key: of what it is made from; "" if that is not known.
        seconds: how long it took; begun: when that began, on the monotonic clock.
        saved: the seconds that its command took when it last ran, if it did not now.
        log: the file with what the command printed, replayed or new.
        because: the package whose failure made this one impossible.
        warnings: what a person should know.
    """

    name: str
    tier: Tier | None = None
    result: Result = "success"
    exit_code: int | None = None
    reason: str = ""
    key: str = ""
    seconds: float = 0.0
    begun: float = 0.0
    saved: float = 0.0
    log: str | None = None
    because: str | None = None
    warnings: tuple[str, ...] = ()


class Failed(BnetError):
    """A package could not be built; what its command said is in its log."""

    exit_code = 1

    def __init__(
        self, message: str, result: Result, exit_code: int | None = None, *, log: Path | None = None
    ) -> None:
        """Keep how it ended, and where that is logged, if not where the package's own log is."""
        super().__init__(message)
        self.result: Result = result
        self.code = exit_code
        self.log = log


class Wishes(NamedTuple):
    """What a call of `bnet build` asks for besides packages.

    Attributes:
        force: run the commands, whatever is known.
        dry_run: only say what would be done.
        env: the environment.
        strict: run a command so that it sees only what was declared.
    """

    force: bool
    dry_run: bool
    env: Mapping[str, str]
    strict: bool
