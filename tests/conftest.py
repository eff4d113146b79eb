"""What every test gets: an environment of its own, from which nothing real can be reached by mistake."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

GIT_CONFIG = """\
[user]
\tname = Test Person
\temail = test@example.invalid
[init]
\tdefaultBranch = main
[commit]
\tgpgSign = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[protocol]
\tallow = never
[protocol "file"]
\tallow = always
[protocol "ssh"]
\tallow = always
[protocol "http"]
\tallow = always
"""

# Taken from the caller's environment; all else starts empty, so that a test passes or fails for everyone.
INHERITED = frozenset({"PATH", "TMPDIR", "VIRTUAL_ENV", "COVERAGE_PROCESS_START", "HYPOTHESIS_PROFILE"})

# Without the bytecode of a tree that has changed, each of some thousand commands would compile it anew.
DEAR = frozenset({"PYTHONDONTWRITEBYTECODE"})


def pytest_configure() -> None:
    """Let an interrupt be one for what the tests start, also where they run in a shell's background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what may take longest, by its `timeout` mark: all else is done beside it, and none is left over."""
    items.sort(key=_allowed, reverse=True)


def _allowed(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0


def is_inherited(name: str) -> bool:
    """Tell whether a test sees the variable `name` of whoever runs the tests."""
    return name in INHERITED or (name.startswith(("PYTEST_", "PYTHON")) and name not in DEAR)


@pytest.fixture(autouse=True)
def isolated_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the test an environment without anything of the person who runs it.

    Returns:
        The test's HOME, an empty directory but for `.gitconfig` and the trap of `BNET_HOME`.
    """
    home = tmp_path_factory.mktemp("home")
    config = home / ".gitconfig"
    config.write_text(GIT_CONFIG)
    # A regular file: a test that forgets to choose its own BNET_HOME fails instead of sharing one.
    trap = home / "this-test-did-not-choose-a-BNET_HOME"
    trap.touch()
    for name in [name for name in os.environ if not is_inherited(name)]:
        monkeypatch.delenv(name)
    settings = {
        "HOME": str(home),
        "BNET_HOME": str(trap),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:ssh:http",
        # Nobody listens on port 9, so HTTP goes to the loopback or nowhere.
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "127.0.0.1,localhost,::1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return home
