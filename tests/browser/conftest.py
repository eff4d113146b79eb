"""One site, built once, in a real browser: from the disk, and below a path of a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from showcase import make
from tabs import PATIENCE, Watched

expect.set_options(timeout=PATIENCE)
CHROMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the pages of a network with something of everything, two directories below what is served."""
    directory = tmp_path_factory.mktemp("served") / "team" / "network"
    make(directory)
    return directory


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the system's browser: none is downloaded.

    Of a module: as long as it runs, no other test of this process could have an event loop.
    """
    program = next(filter(None, map(shutil.which, CHROMES)), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as play:
        # As root, and in containers, its own sandbox cannot be set up; what it is shown here is ours.
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """Serve it below a path of a host, as a forge does."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site.parents[1])))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/team/network"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["from a disk", "below a path"])
def watched(request: pytest.FixtureRequest, browser: Browser, site: Path) -> Iterator[Watched]:
    """Open a tab, on either."""
    base = f"file://{site}" if request.param == "from a disk" else request.getfixturevalue("served")
    context = browser.new_context(accept_downloads=True)
    tab = Watched(context, base)
    yield tab
    context.close()
    tab.check()


@pytest.fixture
def tab(browser: Browser, site: Path) -> Iterator[Watched]:
    """Open a tab on the disk alone: for what is the same on both."""
    context = browser.new_context()
    tab = Watched(context, f"file://{site}")
    yield tab
    context.close()
    tab.check()
