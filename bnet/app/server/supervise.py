"""What a run's environment holds."""

from collections.abc import Mapping

_WITHHELD = ("GIT_", "BNET_")


def run_environment(
    outer: Mapping[str, str], path: str, secrets: Mapping[str, str], asked: tuple[str, ...]
) -> dict[str, str]:
    """Return the environment that a run's supervisor starts in.

    Args:
        outer: of the sync or agent; under cron it holds next to nothing.
        path: the PATH of the person who joined, so that cron runs what the person could run.
        secrets: all that this server has.
        asked: the names of those that the job asks for; it gets no others.
    """
    env = {name: value for name, value in outer.items() if not name.startswith(_WITHHELD)}
    env["PATH"] = path or outer.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    env["GIT_TERMINAL_PROMPT"] = "0"
    env.setdefault("LANG", "C.UTF-8")
    return env | {name: secrets[name] for name in asked if name in secrets}
