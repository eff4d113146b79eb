"""Which copies of repositories the workspaces of runs borrow objects from: a line in the directory of each run."""

from pathlib import Path

from bnet.files import read_or_none, write_atomic

BORROWS = "borrows"  # beside the workspace, where a job that tidies up does not meet it


def note(run: Path, place: Path) -> None:
    """Write down durably that a run's workspace borrows from a copy; as long as its directory is there."""
    write_atomic(run / BORROWS, f"{place}\n".encode("utf-8", "surrogateescape"))


def lent(runs: Path) -> set[str]:
    """Return the names of the copies from which some workspace borrows; a BNET_HOME may have several paths."""
    noted = (read_or_none(path) or b"" for path in runs.glob(f"*/{BORROWS}"))
    return {Path(each.decode("utf-8", "surrogateescape").removesuffix("\n")).name for each in noted}
