"""A forge on this machine: repositories over HTTP, and the part of three forges' APIs that sets statuses."""

from __future__ import annotations

import json
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "s3cr3t-token"
ROUTES = {
    "github": r"/api/v3/repos/(?P<path>.+)/statuses/(?P<commit>[0-9a-f]{40})",
    "gitea": r"/api/v1/repos/(?P<path>.+)/statuses/(?P<commit>[0-9a-f]{40})",
    "gitlab": r"/api/v4/projects/(?P<path>[^/]+)/statuses/(?P<commit>[0-9a-f]{40})",
}
TOKENS = {
    "github": ("Authorization", f"Bearer {TOKEN}"),
    "gitea": ("Authorization", f"token {TOKEN}"),
    "gitlab": ("PRIVATE-TOKEN", TOKEN),
}
STATES = {
    "github": {"pending", "success", "failure", "error"},
    "gitea": {"pending", "success", "failure", "error", "warning"},
    "gitlab": {"pending", "running", "success", "failed", "canceled"},
}


class Forge:
    """The server, with what it was told: (kind, path, commit, body)."""

    def __init__(self, top: Path) -> None:
        self.told: list[tuple[str, str, str, dict[str, Any]]] = []
        self.refuses = 0
        handler = partial(Handler, forge=self, directory=str(top))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Handler(SimpleHTTPRequestHandler):
    """Files for Git's dumb protocol; statuses are judged as the forges judge them."""

    def __init__(self, *args: Any, forge: Forge, **more: Any) -> None:
        self.forge = forge
        super().__init__(*args, **more)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code = self.forge.refuses or self._judged(body)
        self.send_response(code)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def _judged(self, body: dict[str, Any]) -> int:
        for kind, route in ROUTES.items():
            found = re.fullmatch(route, self.path)
            if found is None:
                continue
            name, value = TOKENS[kind]
            if self.headers.get(name) != value:
                return 401
            if body["state"] not in STATES[kind] or not body.get("name" if kind == "gitlab" else "context"):
                return 422
            self.forge.told.append((kind, found["path"], found["commit"], body))
            return 201
        return 404

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
