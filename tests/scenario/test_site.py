"""The dashboard of a real network: built, brought up to date, published, by the commands that people type."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fleet import Fleet
from jsonschema import Draft202012Validator

from bnet.cli.playground import MARK


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
    homes = {each.name for each in fleet.root.glob("*/hubs/*/*") if (each / "index.html").exists()}
    assert homes == {"published"}, "what this machine serves is rewritten at any time"
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
    assert fleet.bnet("site", "publish").code == 4
    assert fleet.bnet("site", "publish", "--to", str(fleet.root / "nothing.git")).code == 2
    assert not json.dumps([each.name for each in fleet.root.iterdir()]).count('"new"')


def serving(fleet: Fleet, *options: str) -> tuple[subprocess.Popen[str], str]:
    """Start `bnet site serve` as the server build1 and return it with its address."""
    home = str(fleet.root / "build1")
    env = fleet.env | {
        "BNET_HOME": home,
        MARK: home,
        "BNET_HUB": fleet.url,
        "BNET_USER": "ann@example.invalid",
    }
    words = [sys.executable, "-m", "bnet", "site", "serve", "--port", "0", "--every", "1", *options]
    served = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert served.stdout is not None
    for line in served.stdout:
        if found := re.search(r"http://\S+", line):
            return served, found[0]
    raise AssertionError("it has ended")


def asked(url: str, body: bytes | None = None, **fields: str) -> tuple[int, bytes]:
    head = {name.replace("_", "-"): value for name, value in fields.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, head), timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_site_that_is_served_acts_tells_its_figures_and_answers_programs(fleet: Fleet) -> None:
    fleet.found()
    fleet.join("build1")
    fleet.submit("true", "--name", "first")
    served, url = serving(fleet, "--api")
    try:
        page = asked(url)[1].decode()
        found = re.search(r'bnet-mark" content="([^"]+)', page)
        assert found is not None
        act = {"Content_Type": "application/json", "X_Bnet_Mark": found[1]}
        status, told = asked(f"{url}_bnet/act", b'{"submit": {"command": "true", "name": "second"}}', **act)
        assert (status, json.loads(told)) == (200, {"jobs": [2], "said": "submitted: #2"})
        assert fleet.job(2).spec.submitted_by == "ann@example.invalid"
        assert asked(f"{url}_bnet/act", b'{"cancel": {"job": 9}}', **act)[0] == 422
        fleet.until("its page is there", lambda: asked(f"{url}jobs/0000/2.html")[0] == 200)
        file = fleet.root / "bnet.prom"
        fleet.bnet("health", "--openmetrics", str(file), home="build1")
        families = [line for line in file.read_text().splitlines() if line.startswith("# ")]
        assert [
            each for each in asked(f"{url}metrics")[1].decode().splitlines() if each[:2] == "# "
        ] == families
        token = (fleet.root / "build1" / "site-token").read_text().strip()
        document = json.loads(asked(f"{url}api/v1/openapi.json")[1])
        for path, each in document["paths"].items():
            if "get" in each:
                status, told = asked(
                    f"{url}api/v1{path.replace('{number}', '1').replace('{name}', 'build1')}"
                )
                schema = each["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                Draft202012Validator({"components": document["components"], **schema}).validate(
                    json.loads(told)
                )
                assert status == 200, path
        cancel = f"{url}api/v1/jobs/1/cancel"
        assert asked(cancel, b"{}", Content_Type="application/json")[0] == 403
        bearer = {"Content_Type": "application/json", "Authorization": f"Bearer {token}"}
        assert asked(cancel, b"{}", **bearer)[0] == 200 and fleet.job(1).wanted.cancel is not None
        (fleet.root / "hub.git").rename(fleet.root / "away.git")
        status, told = asked(f"{url}_bnet/act", b'{"submit": {"command": "true", "name": "third"}}', **act)
        assert status == 503 and b"is kept here" in told
        assert asked(url)[0] == 200, "the site stays as it was"
        (fleet.root / "away.git").rename(fleet.root / "hub.git")
        fleet.ok("sync", home="build1")
        assert [job.spec.name for job in fleet.look().state.jobs.values()].count("third") == 1
        served.send_signal(signal.SIGINT)
        assert served.wait(60) == 130
    finally:
        served.kill()
        served.communicate()
