"""The files that tell others about a run: who has it, what it does, how it ended."""

import os
import time

from .files import replace_file, sync_directory, write_all
from .lean import Document, to_json
from .system import boot_id, stat_fields

EXIT_TRIES = 60  # one per second


def claim(run_dir: str) -> bool:
    """Take the run for this process by creating pid.json, which appears complete or not at all.

    Returns:
        False: another supervisor had this run already.
    """
    final, temporary = f"{run_dir}/pid.json", f"{run_dir}/.pid.json.{os.getpid()}"
    if os.path.lexists(final):
        return False
    try:
        start: int | None = int(stat_fields("self")[19])
    except OSError:
        start = None
    identity = {"pid": os.getpid(), "start": start, "boot_id": boot_id()}
    write_all(temporary, to_json(identity).encode() + b"\n", durable=True)
    try:
        os.link(temporary, final)  # unlike a rename it fails when the name is taken
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    sync_directory(run_dir)  # the run must not start a second time after a power cut
    return True


def publish(run_dir: str, document: Document) -> bool:
    """Write exit.json, for a minute if need be: without it nobody learns how the run ended."""
    data = to_json(document).encode() + b"\n"
    for _ in range(EXIT_TRIES):
        try:
            replace_file(run_dir, "exit.json", data, durable=True)
            return True
        except OSError:
            if not os.path.lexists(f"{run_dir}/run.json"):
                return False
            time.sleep(1.0)
    return False


def show_phase(run_dir: str, name: str) -> None:
    """Tell what is going on; it is only for show, so a full disk is no reason to stop."""
    try:
        replace_file(run_dir, "phase", name.encode() + b"\n")
    except OSError:
        pass


def note_error(run_dir: str) -> None:
    """Keep the traceback of the exception at hand."""
    import traceback

    try:
        write_all(f"{run_dir}/supervisor.err", os.fsencode(traceback.format_exc()), durable=False)
    except OSError:
        pass
