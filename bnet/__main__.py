"""`python -m bnet`, and the `bnet` command."""

import gc
import os
import sys
import time


def main() -> None:
    """Run the command line."""
    began = time.perf_counter()
    _open_missing()
    words = sys.argv[1:]
    if words == ["build"]:
        from bnet.build.instant import up_to_date

        if up_to_date(os.environ, began):
            return
    if len(words) == 3 and words[:2] == ["sync", "--delay"] and words[2].isdigit():
        # As in cron's entries: each server waits a little of its own, so that they do not come all at once.
        time.sleep(int(words[2]))
        words = sys.argv[1:] = ["sync"]
    if words == ["sync"]:
        from bnet.idle import nothing_to_do

        if nothing_to_do(os.environ):
            return

    from bnet.cli.errors import guarded

    # Most of what a command makes are its modules, which stay: looking among them every 700 objects for what
    # could go takes a tenth of the time of a short one.
    gc.set_threshold(50_000)
    guarded()


def _open_missing() -> None:
    """Let the standard streams be something, where the caller closed them (`bnet sync >&-`).

    A lock or a pipe that got one of their numbers would be mistaken for a terminal by what is started later.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


if __name__ == "__main__":
    main()
