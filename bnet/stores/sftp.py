"""SFTP as OpenSSH's client would do it: known hosts only, keys from the agent or the usual files.

fsspec's own connects to anyone who answers (`AutoAddPolicy`), and what such a server holds is run in the end.
"""

import errno
import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from bnet.stores.dialect import Dialect

_KEEPALIVE = 30  # seconds


class _Known(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's file system on a connection that is verified."""

    cachable = False

    def _connect(self) -> None:
        timeout = self.ssh_kwargs["timeout"]
        settings = _settings(self.host)
        self.client = paramiko.SSHClient()
        try:
            for file in _known_hosts(settings):
                self.client.load_system_host_keys(file)
            self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            self.client.connect(
                settings.get("hostname", self.host),
                port=self.ssh_kwargs["port"] or int(settings.get("port", 22)),
                username=self.ssh_kwargs["username"] or settings.get("user") or getpass.getuser(),
                key_filename=[file for file in settings.get("identityfile", ()) if os.path.exists(file)],
                timeout=timeout,
                banner_timeout=timeout,
                auth_timeout=timeout,
                channel_timeout=timeout,
            )
            self.client.get_transport().set_keepalive(_KEEPALIVE)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(timeout)
        except BaseException:
            self.client.close()  # otherwise its thread stays
            raise


class Sftp(Dialect):
    """`sftp://[user@]host[:port]/path`; ~/.ssh/config is heeded as far as paramiko knows it."""

    def connect(self) -> tuple[Any, str]:
        url = urlsplit(self.url)
        user = unquote(url.username) if url.username else None
        system = _Known(url.hostname, port=url.port, username=user, timeout=self.timeout)
        return system, url.path

    def put(self, system: Any, path: str, at: str) -> None:
        with _refusals():
            size = os.path.getsize(path)
            system.ftp.put(path, at, confirm=False)
            # What the server says to each packet is not looked at, so this is how a full disk is seen.
            kept = system.ftp.stat(at).st_size
            if kept != size:
                raise OSError(
                    errno.ENOSPC, f"the server kept {kept} of {size} bytes; its disk is probably full"
                )

    def rename(self, system: Any, old: str, new: str) -> None:
        with _refusals():
            system.ftp.posix_rename(old, new)

    def get(self, system: Any, at: str, path: str) -> None:
        system.ftp.get(at, path)

    def make_directory(self, system: Any, at: str) -> None:
        try:
            with _refusals():
                system.ftp.mkdir(at)
        except FileNotFoundError:
            self.make_directory(system, at.rstrip("/").rpartition("/")[0])
            self.make_directory(system, at)
        except OSError:
            if not system.isdir(at):  # otherwise it is there, or somebody else was faster
                raise

    def close(self, system: Any) -> None:
        system.client.close()


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell the answer that the server cannot do it, which is a refusal, from a connection that broke."""
    try:
        yield
    except OSError as error:
        if error.errno is None and str(error) == "Failure":
            raise PermissionError(errno.EPERM, "the server cannot do it, and does not say why") from error
        raise


def _settings(host: str) -> Any:
    config = Path.home() / ".ssh" / "config"
    return paramiko.SSHConfig.from_path(config).lookup(host) if config.exists() else {}


def _known_hosts(settings: Any) -> list[str]:
    named = settings.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2").split()
    named += settings.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts").split()
    return [file for each in named if os.path.exists(file := os.path.expanduser(each)) and file != os.devnull]
