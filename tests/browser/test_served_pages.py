"""The pages of `bnet site serve` in a real browser: what can be copied, what buttons do, news as they come."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scenario"))

from fleet import Fleet  # found by the line above
from playwright.sync_api import Browser, BrowserContext, Page, expect
from showcase import make
from tabs import PATIENCE

from bnet import scaffold
from bnet.cli.playground import MARK
from bnet.host.webserver import WebServer

LIVE = scaffold.root() / "site" / "served" / "live.js"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with closing(Fleet(tmp_path / "net")) as made:
        made.root.mkdir()
        yield made


class Nobody:
    """Does nothing that is asked for."""

    def act(self, wish: bytes) -> Mapping[str, Any]:
        raise AssertionError(wish)

    def metrics(self) -> bytes:
        raise AssertionError


class Served:
    """`bnet site serve` as a process of its own."""

    def __init__(self, fleet: Fleet, *options: str) -> None:
        words = [
            sys.executable,
            "-m",
            "bnet",
            "--hub",
            fleet.url,
            "site",
            "serve",
            "--port",
            "0",
            "--every",
            "1",
        ]
        home = str(fleet.root / "person")
        env = fleet.env | {"BNET_HOME": home, MARK: home, "BNET_USER": "ann@example.invalid"}
        self.process = subprocess.Popen(
            [*words, *options], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.said = ""
        while not (found := re.search(r"http://\S+/", self.said)):
            line = self.process.stdout.readline()
            assert line, self.process.communicate()
            self.said += line
        self.url = found[0]

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)
        return self.process.returncode


def page_of(context: BrowserContext, complaints: list[str]) -> Page:
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
    return page


def test_a_person_acts_in_the_browser_and_every_tab_sees_it(fleet: Fleet, browser: Browser) -> None:
    fleet.found()
    waiting = fleet.submit("echo hi", "--name", "waiting", "--label", "gpu=none")
    served = Served(fleet)
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked: set[str] = set()
    context.on("request", lambda request: asked.add(request.url.split("/")[2]))
    try:
        tabs = [page_of(context, complaints) for _ in range(8)]  # two more than a browser has connections
        for tab in tabs:
            tab.goto(served.url)
            expect(tab.locator("h1")).to_contain_text("1 waiting")
        page = tabs[0]
        page.bring_to_front()
        page.goto(f"{served.url}jobs/0000/{waiting}.html")
        page.locator(".acts summary").click()
        page.get_by_role("button", name=f"Copy bnet cancel {waiting}", exact=True).click()
        assert page.evaluate("navigator.clipboard.readText()") == f"bnet cancel {waiting}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it fits a phone"
        page.get_by_label("Cancel: reason").fill("<b>not now</b>")
        page.get_by_role("button", name="Cancel now").click()
        expect(page.locator("#said")).to_have_text(f"#{waiting} is cancelled")
        expect(page.locator("h1")).to_contain_text("cancelled")
        expect(page.locator("main")).to_contain_text("<b>not now</b>")
        for tab in tabs[1:]:
            expect(tab.locator("h1")).to_contain_text("0 waiting")
        page.goto(f"{served.url}jobs/index.html")
        page.get_by_label("Filter these jobs").fill("waiting")
        page.locator(".acts summary").click()
        page.get_by_label("Submit: command").fill("echo \u201cfrom a page\u201d")
        page.get_by_role("button", name="Submit now").click()
        expect(page.locator("#said")).to_contain_text("submitted: #2")
        expect(page.locator("[data-state=pending]")).to_have_count(1)
        expect(
            page.locator("[data-state=pending]")
        ).to_be_hidden()  # it does not fit the filter, which is kept
        assert page.get_by_label("Filter these jobs").input_value() == "waiting"
        page.get_by_role("link", name="Show #2").click()
        expect(page.locator(".command")).to_have_text("echo \u201cfrom a page\u201d")
        assert fleet.job(2).spec.submitted_by == "ann@example.invalid"
        page.locator(".acts summary").click()
        page.get_by_role("button", name="Cancel now").wait_for()
        fleet.bnet("cancel", "2")
        expect(page.get_by_role("button", name="Run again now")).to_be_visible()  # and the list stays open
        assert served.end() == 130
        page.get_by_role("button", name="Run again now").click()
        expect(page.locator("#said")).to_contain_text("does not answer")
        assert [each for each in complaints if "ERR_" not in each] == []
        assert asked == {served.url.split("/")[2]}, "nobody else was asked"
    finally:
        context.close()
        served.process.kill()
        served.process.communicate()


def test_without_scripts_nothing_is_lost(fleet: Fleet, browser: Browser) -> None:
    fleet.found()
    fleet.submit("echo hi", "--name", "waiting")
    served = Served(fleet)
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{served.url}jobs/0000/1.html")
        page.locator(".acts summary").click()
        expect(page.get_by_text("bnet cancel 1")).to_be_visible()
        expect(page.get_by_text("- cancel: {job: 1}")).to_be_visible()
        expect(page.get_by_text("coordination/inbox/cancel-1.yaml")).to_be_visible()
        assert page.locator("button:visible").count() == 0
    finally:
        context.close()
        served.process.kill()
        served.process.communicate()


def test_beyond_this_machine_the_browser_asks_for_the_token_once(fleet: Fleet, browser: Browser) -> None:
    fleet.found()
    fleet.submit("echo hi", "--name", "waiting")
    served = Served(fleet, "--listen", "0.0.0.0")
    url = served.url.replace("0.0.0.0", "127.0.0.1")
    found = re.search(r"told this once: (\S+)", served.said)
    assert found is not None
    try:
        stranger = browser.new_context()
        assert stranger.request.get(url).status == 401
        stranger.close()
        context = browser.new_context(http_credentials={"username": "ann", "password": found[1]})
        page = page_of(context, [])
        page.goto(f"{url}jobs/0000/1.html")
        page.locator(".acts summary").click()
        page.get_by_role("button", name="Cancel now").click()
        expect(page.locator("h1")).to_contain_text("cancelled")
        context.close()
        assert served.end() == 130
        again = Served(fleet, "--listen", "0.0.0.0")
        assert found[1] not in again.said
        again.process.kill()
        again.process.communicate()
        token = fleet.root / "person" / "site-token"
        assert token.stat().st_mode & 0o777 == 0o600
    finally:
        served.process.kill()
        served.process.communicate()


def test_a_search_and_a_graph_stay_as_they_are_when_news_come(browser: Browser, tmp_path: Path) -> None:
    site, now = tmp_path / "site", datetime.now(UTC).replace(microsecond=0)
    make(site, now)
    server = WebServer(site, 0, Nobody(), script=LIVE.read_bytes())
    server.start()
    complaints: list[str] = []
    context = browser.new_context()
    try:
        found, graph = page_of(context, complaints), page_of(context, complaints)
        found.goto(f"{server.url}jobs/search.html#q=nightly")
        expect(found.locator("#search tbody tr")).to_have_count(1)
        graph.goto(f"{server.url}packages.html")
        graph.locator(".graph a.node").nth(3).click()
        graph.locator(".graph").first.get_by_role("button", name="Larger").click()
        looks = "(() => document.querySelector('.graph svg').getAttribute('viewBox'))()"
        before, chosen = graph.evaluate(looks), graph.locator(".chosen b").first.inner_text()
        page = site / "packages.html"
        page.write_text(page.read_text().replace("14 packages", "14 packages as they are now"))
        page = site / "jobs" / "search.html"
        page.write_text(re.sub('data-blocks="[^"]*"', r'data-blocks="0"', page.read_text()))
        server.news.tell(f"{now:%Y-%m-%dT%H:%M:%SZ}")
        expect(graph.locator("main")).to_contain_text("as they are now")
        expect(graph.locator(".chosen b").first).to_have_text(chosen)
        assert graph.evaluate(looks) == before
        expect(found.locator("[data-blocks='0'] output")).to_have_text("1 found")
        assert found.get_by_label("Search all jobs").input_value() == "nightly"
        assert not found.locator("#said").is_visible() and not graph.locator("#said").is_visible()
        assert complaints == []
    finally:
        context.close()
        server.close()
