"""From a request to an application of WSGI and back, within a server that has decided already who may ask."""

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def called(
    application: Application, method: str, target: str, head: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """Return what an application answers: status, fields, body; the fields of the head are named As-Such."""
    parts = urlsplit(target)
    environ: Environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),  # as PEP 3333 has it
        "QUERY_STRING": parts.query,
        "CONTENT_TYPE": head.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_ACCEPT": head.get("Accept", ""),
        "SERVER_NAME": "bnet",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.0",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    begun: list[tuple[int, dict[str, str]]] = []

    def start(status: str, fields: list[tuple[str, str]], _: object = None) -> Callable[[bytes], object]:
        begun.append((int(status[:3]), dict(fields)))
        return lambda data: None

    pieces = application(environ, start)
    try:
        data = b"".join(pieces)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    status, fields = begun[-1]
    return status, fields, data
