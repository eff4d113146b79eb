"""A dashboard that nobody publishes any more is told of: one on the hub's branch, or one on the web."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec.monitoring import read_monitoring
from bnet.errors import BnetError, Invalid
from bnet.forges.sites import built
from bnet.gitstore.pages import PagesBranch
from bnet.gitstore.repo import environment
from bnet.gitstore.seen_site import published, tip_of
from bnet.health.facts import Facts, Finding, Site
from bnet.health.judge import judge
from bnet.health.memory import Published
from bnet.model.hub import Head
from bnet.model.monitoring import Monitoring
from bnet.model.monitoring import Site as Wanted
from bnet.model.state import State
from bnet.process import run
from bnet.wiring.health import published_site

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HUB = "11111111-2222-4333-8444-555555555555"


def told(site: Site | None, **more: Any) -> list[Finding]:
    state = State(tip="t", head=Head(format=1, hub=HUB), monitoring=Monitoring(site=Wanted(**more)))
    return judge(Facts(state=state, now=NOW, site=site))


def site(age: float, **more: Any) -> Site:
    return Site(where="the site on the branch gh-pages", tip="t", built=NOW - timedelta(seconds=age), **more)


@pytest.mark.parametrize(
    ("one", "more", "sure"),
    [
        (None, {}, None),
        (site(7200), {}, None),
        (site(7201), {}, "clocks"),
        (site(7201), {"stale_after": 86400.0}, None),
        (site(1e9), {"stale_after": 0.0}, None),
        (site(-9999, least_s=7201.0), {}, "observed"),
        (site(99999, most_s=60.0), {}, None),
        (site(99999, least_s=7201.0, most_s=8000.0), {}, "observed"),
    ],
    ids=[
        "there is none",
        "not yet",
        "by clocks",
        "as people say",
        "never",
        "seen unmoved, by a clock that is ahead",
        "seen to move, by a clock that is behind",
        "seen unmoved",
    ],
)
def test_a_site_is_stale_once_it_should_have_been_published(
    one: Site | None, more: dict[str, Any], sure: str | None
) -> None:
    found = told(one, **more)
    assert [(each.key, each.sure) for each in found] == ([] if sure is None else [("site-stale", sure)])
    assert all("gh-pages" in each.text and "ago" in each.text for each in found)


def test_a_site_that_gives_no_answer_is_told() -> None:
    found = told(Site(where="the site https://x/", said="the site https://x/ cannot be had: no route"))
    assert [each.key for each in found] == ["site-silent"] and "no route" in found[0].text
    assert told(Site(where="x", said="y"), stale_after=0.0) == []


def test_where_it_is_has_to_be_an_address() -> None:
    assert read_monitoring(b'site: {url: "https://o.github.io/n/"}', "m").site.url == "https://o.github.io/n/"
    for wrong in ("file:///etc/passwd", "https://me:secret@x/", "https://x/ y", "ftp://x/", "https://x/\\n"):
        with pytest.raises(Invalid, match=r"m:1: .*an address such as"):
            read_monitoring(f'site: {{url: "{wrong}"}}'.encode(), "m")
    with pytest.raises(Invalid, match="a branch's name"):
        read_monitoring(b"site: {branch: --upload-pack=x}", "m")


# -- on a branch


@pytest.fixture
def hub(tmp_path: Path) -> str:
    """Return the path of a hub that is a real repository."""
    run(["git", "init", "-q", "--bare", str(tmp_path / "hub.git")])
    return str(tmp_path / "hub.git")


ENV = environment({})


def publish(hub: str, at: datetime, whose: str = HUB, branch: str = "gh-pages") -> None:
    """Publish a site as `bnet site publish` does."""
    directory = Path(hub).parent / "site"
    directory.mkdir(exist_ok=True)
    (directory / "built.js").write_text(f"{at}")
    PagesBranch(Path(hub).parent / "pages.git", ENV, hub, branch).put(directory, (), whose, "ann", at)


def state(**more: Any) -> State:
    return State(tip="t", head=Head(format=1, hub=HUB), monitoring=Monitoring(site=Wanted(**more)))


@pytest.mark.parametrize("filters", ["true", "false"])
def test_a_branch_says_whose_site_it_holds_and_when_it_was_published(hub: str, filters: str) -> None:
    run(["git", "-C", hub, "config", "uploadpack.allowFilter", filters])
    assert tip_of(hub, "gh-pages", ENV) == ""
    publish(hub, NOW)
    assert published(hub, "gh-pages", tip_of(hub, "gh-pages", ENV), ENV) == (HUB, NOW)


def test_what_is_no_site_of_this_hub_is_nobodys_business(hub: str) -> None:
    assert published_site(state(), hub, ENV, None) == (None, None)
    publish(hub, NOW, whose="another")
    other, known = published_site(state(), hub, ENV, None)
    assert other is None and known is not None and known.built is None
    run(["git", "-C", hub, "update-ref", "-d", "refs/heads/gh-pages"])
    tree = run(["git", "-C", hub, "mktree"], input=b"").out.decode().strip()
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    plain = run(["git", "-C", hub, *who, "commit-tree", "-m", "docs", tree]).out.decode().strip()
    run(["git", "-C", hub, "update-ref", "refs/heads/gh-pages", plain])
    assert published_site(state(), hub, ENV, None) == (None, Published(tip=plain))


def test_a_branch_that_did_not_move_is_not_fetched_again(hub: str) -> None:
    publish(hub, NOW, branch="pages")
    found, known = published_site(state(branch="pages"), hub, ENV, None)
    assert found is not None and found.built == NOW and known is not None
    later = replace(known, built=NOW + timedelta(hours=1))
    again, _ = published_site(state(branch="pages"), hub, ENV, later)
    assert again is not None and again.built == later.built
    publish(hub, NOW + timedelta(hours=2), branch="pages")
    moved, _ = published_site(state(branch="pages"), hub, ENV, later)
    assert moved is not None and moved.built == NOW + timedelta(hours=2)


def test_a_hub_that_gives_no_answer_says_nothing_of_a_site(tmp_path: Path) -> None:
    assert published_site(state(), str(tmp_path / "none.git"), ENV, None) == (None, None)


# -- on the web


@pytest.fixture
def web() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return a web server's address, and what it answers with."""
    answer: dict[str, Any] = {"code": 200, "body": b"", "to": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer["path"] = self.path
            self.send_response(answer["code"])
            if answer["to"]:
                self.send_header("Location", answer["to"])
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/bnet/", answer
    server.shutdown()
    server.server_close()


def test_a_site_on_the_web_says_when_it_was_made(web: tuple[str, dict[str, Any]]) -> None:
    url, answer = web
    answer["body"] = b'window.bnetBuilt = "2026-11-20T12:00:00Z";\n'
    assert built(url) == NOW and answer["path"] == "/bnet/built.js"
    found, known = published_site(state(url=url), "/nowhere", ENV, None)
    assert found is not None and (found.built, known) == (NOW, None) and url in found.where


@pytest.mark.parametrize(
    ("code", "body", "to"),
    [
        (200, b"", ""),
        (200, b"<!doctype html>", ""),
        (200, b" " * 10_000_000, ""),
        (200, b'window.bnetBuilt = "2026-13-20T12:00:00Z"', ""),
        (404, b"", ""),
        (302, b"", "file:///etc/passwd"),
        (302, b"", "http://127.0.0.1:1/"),
    ],
)
def test_what_gives_no_answer_is_said(
    web: tuple[str, dict[str, Any]], code: int, body: bytes, to: str
) -> None:
    url, answer = web
    answer |= {"code": code, "body": body, "to": to}
    with pytest.raises(BnetError):
        built(url)
    found, _ = published_site(state(url=url), "/nowhere", ENV, None)
    assert found is not None and found.built is None and "cannot be had" in found.said
