"""The real daemons behind hubs and servers, each on loopback and with files of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

# Read here because a test no longer sees it: its environment is emptied.
MUST_RUN = os.environ.get("CI") == "true"
SBIN = "/usr/sbin:/sbin"  # where daemons stand, which is not on everyone's PATH
PATIENCE = 30.0  # seconds for a daemon to answer or to end
BACKEND = Path("/usr/lib/git-core/git-http-backend")

SSHD = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {at}/host_key
PidFile {at}/sshd.pid
AuthorizedKeysFile {at}/authorized_keys
PermitRootLogin prohibit-password
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
UseDNS no
MaxStartups 100
# The default one, against quantum computers, takes a tenth of a second of computing for each login.
KexAlgorithms curve25519-sha256
"""

SSH = """\
Host 127.0.0.1
  IdentityFile {at}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {at}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""

NGINX = """\
daemon off;
worker_processes 2;
user root;
pid {at}/nginx.pid;
error_log {at}/error.log warn;
events {{ worker_connections 256; }}
http {{
  access_log {at}/access.log;
  client_body_temp_path {at}/body;
  proxy_temp_path {at}/proxy;
  fastcgi_temp_path {at}/fastcgi;
  uwsgi_temp_path {at}/uwsgi;
  scgi_temp_path {at}/scgi;
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 0;
    auth_basic "hub";
    auth_basic_user_file {at}/users;
    location ~ ^/git(/.*)$ {{
      fastcgi_pass unix:{at}/cgi.sock;
      fastcgi_param SCRIPT_FILENAME {backend};
      fastcgi_param PATH_INFO $1;
      fastcgi_param GIT_PROJECT_ROOT {root};
      fastcgi_param GIT_HTTP_EXPORT_ALL "1";
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param GIT_PROTOCOL $http_git_protocol;
    }}
  }}
}}
"""


def lack(what: str) -> None:
    """End a test whose means are missing: skipped on a person's machine, failed where it is meant to run."""
    if MUST_RUN:
        pytest.fail(f"{what}; under CI=true this test may not be left out", pytrace=False)
    pytest.skip(what)


def need(program: str, package: str) -> str:
    """Return the full path of a program, or end the test for its absence."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")
    if found is None:
        lack(f"there is no {program} here (Debian: apt install {package})")
    assert found is not None
    return found


def need_root() -> None:
    """End the test unless it is root's."""
    if os.geteuid() != 0:
        lack("only root can start this daemon")


@contextmanager
def daemon(argv: Sequence[str], answers: Callable[[], bool], at: Path) -> Iterator[int]:
    """Run a daemon in the foreground, yield its pid once it answers, and end it with its children."""
    output = at / f"{Path(argv[0]).name}.out"
    with output.open("ab") as log:
        started = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=at
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers():
            told = output.read_text(errors="replace")
            assert started.poll() is None, f"{argv[0]} ended with {started.returncode}: {told}"
            assert time.monotonic() < deadline, f"{argv[0]} does not answer: {told}"
            time.sleep(0.05)
        yield started.pid
    finally:
        started.terminate()
        try:
            started.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        # Its children (a connection's sshd, a CGI program) are in its session unless they made one.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(started.pid, signal.SIGKILL)


@contextmanager
def sshd(at: Path) -> Iterator[tuple[str, str]]:
    """Run an sshd that knows one key; yield the beginning of its URLs, and the ssh that reaches it."""
    need_root()
    program, keygen = need("sshd", "openssh-server"), need("ssh-keygen", "openssh-client")
    ssh = need("ssh", "openssh-client")
    at.mkdir()
    port = free_port()
    for name in ("host_key", "user_key"):
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-C", "bnet test", "-f", str(at / name)]
        subprocess.run(command, check=True)
    (at / "authorized_keys").write_text((at / "user_key.pub").read_text())
    kind, key, *_ = (at / "host_key.pub").read_text().split()
    (at / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    (at / "sshd_config").write_text(SSHD.format(at=at, port=port))
    (at / "ssh_config").write_text(SSH.format(at=at))
    # Compiled into Debian's sshd, which refuses to start without it; /run is empty after a boot.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with daemon([program, "-D", "-e", "-f", str(at / "sshd_config")], lambda: listens(port), at):
        yield f"ssh://root@127.0.0.1:{port}", f"{ssh} -F {shlex.quote(str(at / 'ssh_config'))}"


@contextmanager
def web(at: Path, root: Path) -> Iterator[tuple[str, str]]:
    """Run nginx, fcgiwrap and git-http-backend over the repositories below a directory.

    Yields:
        The beginning of their URLs, and the file with the user and password that every request needs.
    """
    need_root()
    nginx, cgi = need("nginx", "nginx"), need("fcgiwrap", "fcgiwrap")
    if not BACKEND.exists():
        lack(f"there is no {BACKEND} here (Debian: apt install git)")
    at.mkdir()
    port, socket_path = free_port(), at / "cgi.sock"
    (at / "users").write_text("builder:{PLAIN}correct-horse\n")
    (at / "credentials").write_text(f"http://builder:correct-horse@127.0.0.1:{port}\n")
    (at / "nginx.conf").write_text(NGINX.format(at=at, port=port, root=root, backend=BACKEND))
    with ExitStack() as stack:
        wrapped = [cgi, "-c", "4", "-s", f"unix:{socket_path}"]
        stack.enter_context(daemon(wrapped, socket_path.exists, at))
        served = [nginx, "-p", str(at), "-c", str(at / "nginx.conf"), "-e", str(at / "error.log")]
        stack.enter_context(daemon(served, lambda: listens(port), at))
        yield f"http://127.0.0.1:{port}/git", str(at / "credentials")


@contextmanager
def cron() -> Iterator[None]:
    """Have a cron daemon, the machine's own or else one until the test ends.

    Root's crontab is afterwards what it was. Where no daemon ran, nobody's entries ran either: root's are
    put away meanwhile, so that none is started by a test.
    """
    need_root()
    program, editor = need("cron", "cron"), need("crontab", "cron")
    table = Path("/var/spool/cron/crontabs/root")
    before, mode = (table.read_bytes(), table.stat()) if table.exists() else (None, None)
    with ExitStack() as stack:
        stack.callback(_restore, table, before, mode)
        if not any(each.info["name"] == "cron" for each in psutil.process_iter(["name"])):
            subprocess.run([editor, "-r"], stderr=subprocess.DEVNULL)
            at = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(daemon([program, "-f"], lambda: True, at))
        yield


def _restore(table: Path, before: bytes | None, mode: os.stat_result | None) -> None:
    """Put a crontab back, byte for byte; the directory's new time tells cron of it."""
    if before is None or mode is None:
        table.unlink(missing_ok=True)
    elif not table.exists() or table.read_bytes() != before:
        fresh = table.with_name(f"tmp.{os.getpid()}")
        fresh.write_bytes(before)
        os.chown(fresh, mode.st_uid, mode.st_gid)
        fresh.chmod(stat.S_IMODE(mode.st_mode))
        os.replace(fresh, table)
    os.utime(table.parent)


def free_port() -> int:
    """Return a port of the loopback that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether somebody takes connections at a port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
