"""WebDAV, which has no credentials in its URL and no rename in fsspec."""

import os
import random
import time
from typing import Any

import httpx
from webdav4.client import HTTPError, ResourceNotFound
from webdav4.fsspec import WebdavFileSystem

from bnet.stores.dialect import Dialect

_PAUSES = (0.05, 0.1, 0.2, 0.4)  # seconds, at most


class Webdav(Dialect):
    """WebDAV over `webdav://` (http) and `webdavs://` (https); user and password are taken from ~/.netrc."""

    def connect(self) -> tuple[Any, str]:
        scheme, _, rest = self.url.partition("://")
        host, _, base = rest.partition("/")
        secure = scheme in ("webdavs", "davs")
        netrc = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
        auth = httpx.NetRCAuth(netrc) if os.path.exists(netrc) else None
        # A retry of its own would sleep where nobody wants to wait.
        system = WebdavFileSystem(
            f"http{'s' if secure else ''}://{host}", auth=auth, timeout=self.timeout, retry=False
        )
        return system, base

    def put(self, system: Any, path: str, at: str) -> None:
        with open(path, "rb") as file:
            system.client.upload_fileobj(file, at, overwrite=True)

    def get(self, system: Any, at: str, path: str) -> None:
        try:
            system.client.download_file(at, path)  # one request; the file system's own takes four
        except ResourceNotFound as error:
            raise FileNotFoundError(at) from error

    def rename(self, system: Any, old: str, new: str) -> None:
        # The file system's own `mv` is a copy and a removal. Some servers (WsgiDAV) replace a file in two steps
        # and answer 500 when two clients do that at once; the source is still there then.
        for pause in _PAUSES:
            try:
                system.client.move(old, new, overwrite=True)
                return
            except HTTPError as error:
                if error.status_code != 500:
                    raise
            time.sleep(random.uniform(0, pause))
        system.client.move(old, new, overwrite=True)

    def close(self, system: Any) -> None:
        system.client.http.close()
