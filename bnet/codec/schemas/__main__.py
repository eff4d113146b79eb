"""`python -m bnet.codec.schemas [--check]`: write the schemas anew, or tell whether they are up to date."""

import sys

from bnet.codec.schemas import HERE, build, shipped


def main(arguments: list[str]) -> int:
    """Do what the command line asks, and return its exit code."""
    made, old = build(), shipped()
    stale = sorted(name for name in made.keys() | old.keys() if made.get(name) != old.get(name))
    if "--check" in arguments:
        if stale:
            sys.stderr.write(f"not up to date: {', '.join(stale)}; run python -m bnet.codec.schemas\n")
        return 1 if stale else 0
    for name in stale:
        if name in made:
            (HERE / name).write_bytes(made[name])
        else:
            (HERE / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
