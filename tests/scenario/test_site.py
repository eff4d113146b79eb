"""The dashboard of a real network: built, brought up to date, published, by the commands that people type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fleet import Fleet


@pytest.mark.timeout(300)
def test_a_network_is_shown_and_brought_up_to_date(fleet: Fleet) -> None:
    fleet.found()
    fleet.join("build1", "--slots", "2")
    fleet.start("build1")
    first = fleet.submit("printf '\\033[31m<script>alert(1)</script>\\n'; exit 3", "--name", "loud")
    fleet.until_ended(first)
    out = fleet.root / "public"
    told = fleet.facts("site", "build", "--output", str(out))
    assert told["output"] == str(out)
    assert told["pages"] == told["written"] > 10
    page = out / "jobs" / "0000" / f"{first}.html"
    fleet.until("its log is there", lambda: "&lt;script&gt;alert(1)" in _built(fleet, out, page))
    assert "<script>alert" not in page.read_text()
    assert '<span class="f1">' in page.read_text()
    assert "1 server, 0 running, 0 waiting" in (out / "index.html").read_text()
    before = page.stat().st_mtime_ns
    second = fleet.submit("echo fine", "--name", "quiet")
    fleet.until_ended(second)
    told = fleet.facts("site", "build", "--output", str(out))
    assert 0 < told["written"] < told["pages"]
    assert page.stat().st_mtime_ns == before
    assert (out / "jobs" / "0000" / f"{second}.html").exists()


def _built(fleet: Fleet, out: Path, page: Path) -> str:
    fleet.ok("site", "build", "--output", str(out))
    return page.read_text()


def test_a_site_is_published_beside_the_ledger_which_it_leaves_alone(fleet: Fleet) -> None:
    fleet.found()
    told = fleet.facts("site", "publish")
    assert told["pushed"] is True
    assert fleet.git("--git-dir", fleet.url, "rev-parse", "gh-pages").strip() == told["commit"]
    ledger = fleet.git("--git-dir", fleet.url, "rev-parse", "bnet")
    refused = fleet.bnet("site", "publish", "--branch", "bnet")
    assert refused.code == 2
    assert b"holds something else than a site" in refused.err
    assert fleet.git("--git-dir", fleet.url, "rev-parse", "bnet") == ledger


def test_what_stands_in_the_way_is_named(fleet: Fleet) -> None:
    fleet.found()
    full = fleet.root / "full"
    full.mkdir()
    (full / "thesis").touch()
    done = fleet.bnet("site", "build", "--output", str(full))
    assert (done.code, done.err.decode().splitlines()[0]) == (
        2,
        f"bnet: {full} is not empty, and no site was built there",
    )
    assert fleet.bnet("site", "publish", "--branch", "a..b").code == 2
    (fleet.root / "hub.git").rename(fleet.root / "away.git")
    assert fleet.bnet("site", "build", "--output", str(fleet.root / "new")).code == 4
    assert not json.dumps([each.name for each in fleet.root.iterdir()]).count('"new"')
