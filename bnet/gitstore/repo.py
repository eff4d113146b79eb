"""The one gateway to the `git` program: how it is called, in what environment, with what patience."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from bnet.errors import BnetError, Damaged
from bnet.process import Completed, TimedOut, run

LOCAL_TIMEOUT = 120.0  # seconds
NETWORK_TIMEOUT = 120.0

# What of the caller's environment a Git process may see. Everything that begins with GIT_ stays out: under a
# hook or `git rebase --exec` such variables point at somebody else's repository.
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "XDG_CONFIG_HOME")
_KEPT_PREFIXES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "SSL_CERT", "KRB5")
_KEPT_GIT = (
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_ALLOW_PROTOCOL",
)

# Each of these has bitten: hooks of the user run on our pushes, gc detaches and races, signing asks for a
# pass phrase, a dead peer holds a connection for ever, a power loss leaves empty objects.
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsync": "all",
    "core.fsyncMethod": "batch",
    "core.quotePath": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.writeCommitGraph": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "push.followTags": "false",
    "push.gpgSign": "false",
    "commit.gpgSign": "false",
    "log.showSignature": "false",
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "30",
    "fastimport.unpackLimit": "1",
}
SSH_OPTIONS = "-oBatchMode=yes -oConnectTimeout=15 -oServerAliveInterval=15 -oServerAliveCountMax=3"


class GitMissing(BnetError):
    """There is no `git` to call."""


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which Git runs unattended.

    Args:
        outer: the caller's environment; a few names of it are kept.

    No terminal, no prompt, no password helper with a window, messages in English, and none of the caller's
    repository variables.
    """
    env = {name: outer[name] for name in (*_KEPT, *_KEPT_GIT) if name in outer}
    env |= {name: value for name, value in outer.items() if name.lower().startswith(_KEPT_PREFIXES)}
    env.setdefault("PATH", os.defpath)
    # Without a HOME, Git finds no configuration and ssh no key; the password database knows it under cron too.
    env.setdefault("HOME", os.path.expanduser("~"))
    env["GIT_CONFIG_COUNT"] = str(len(_CONFIG))
    for index, (name, value) in enumerate(_CONFIG.items()):
        env |= {f"GIT_CONFIG_KEY_{index}": name, f"GIT_CONFIG_VALUE_{index}": value}
    return env | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }


class Repo:
    """A repository on this machine, worked on through plumbing commands alone."""

    def __init__(self, git_dir: Path, env: Mapping[str, str], *, mend: str | None = None) -> None:
        """Keep where the repository is, the environment from `environment`, and what helps if it is damaged."""
        self.git_dir = git_dir
        self.env = dict(env)
        self.mend = mend

    def git(self, *arguments: str, input: bytes | None = None, timeout: float = LOCAL_TIMEOUT) -> Completed:
        """Run a Git command to its end, whatever its exit code.

        Raises:
            TimedOut: it did not end in time, and was killed with its children.
            GitMissing: there is no `git`.
        """
        try:
            return run(
                ["git", f"--git-dir={self.git_dir}", *arguments],
                env=self.env,
                input=input,
                timeout=timeout,
            )
        except FileNotFoundError:
            raise GitMissing("there is no git on PATH", hint="install Git 2.34 or later") from None

    def out(self, *arguments: str, input: bytes | None = None) -> bytes:
        """Run a local Git command that has to succeed, and return what it printed.

        Raises:
            Damaged: it did not succeed.
        """
        try:
            done = self.git(*arguments, input=input)
        except TimedOut as error:
            raise Damaged(str(error), hint=self.mend) from None
        if done.code != 0:
            raise Damaged(f"git {shlex.join(arguments[:3])}: {done.complaint}", hint=self.mend)
        return done.out
