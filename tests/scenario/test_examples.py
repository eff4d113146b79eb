"""The examples, built by three servers that share a store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from fleet import Fleet

EXAMPLES = Path(__file__).parents[2] / "examples"
OUTSIDE = dict(os.environ)
SERVERS = ["a", "b", "c"]


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let package managers reach their registries as whoever runs the tests does; nothing else is different."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name)
    for name, value in OUTSIDE.items():
        if name.lower() in (
            "http_proxy",
            "https_proxy",
            "no_proxy",
            "node_extra_ca_certs",
            "ssl_cert_file",
        ) or (name.lower().startswith("npm_config_")):
            monkeypatch.setenv(name, value)
    settings = Path(OUTSIDE.get("HOME", "/"), ".npmrc")
    if settings.is_file():
        monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(settings))


def checkout(fleet: Fleet, name: str) -> Path:
    """Return a repository with an example in it, whose servers share a store."""
    tree, store = fleet.root / name, fleet.root / "store"
    store.mkdir()
    left_out = shutil.ignore_patterns("node_modules", "dist", "build", ".bnet")
    shutil.copytree(EXAMPLES / name, tree, ignore=left_out)
    with (tree / "bnet.yaml").open("a") as file:
        file.write(f"\nstore: {{url: {store}}}\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "tree"]):
        subprocess.run(["git", "-C", tree, *words], check=True)
    return tree


def build(fleet: Fleet, name: str, target: str, timeout: float) -> dict[str, str]:
    """Build an example spread over three servers, then all of it in one job; return the server of each package."""
    tree = checkout(fleet, name)
    fleet.found()
    fleet.join_all(SERVERS, "--slots", "1")
    said = json.loads(fleet.ok("submit", "--json", "--here", "--package", target, "--spread", cwd=tree))
    for server in SERVERS:
        fleet.start(server, "--interval", "0.1")
    jobs = fleet.until_ended(*(each["number"] for each in said), timeout=timeout)
    for job in jobs.values():
        assert job.result is not None
        if job.result.result != "success":
            pytest.fail(fleet.ok("logs", str(job.number)))
    last = json.loads(fleet.ok("submit", "--json", "--here", "--package", target, cwd=tree))["number"]
    fleet.until_ended(last)
    built = json.loads(fleet.ok("show", str(last), "--json"))["build"]
    assert {each["tier"] for each in built["packages"]} <= {"local", "remote"} and built["cached"] == built[
        "total"
    ]
    return {str(job.spec.name).removeprefix("build-"): job.attempts[-1].server for job in jobs.values()}


@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("make")), reason="there is no C compiler, or no make"
)
def test_the_c_project(fleet: Fleet) -> None:
    assert set(build(fleet, "cproject", "tests", 120)) == {"lib", "tool", "tests"}


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
@pytest.mark.usefixtures("registries")
def test_the_monorepo(fleet: Fleet) -> None:
    servers = build(fleet, "monorepo", "api", 400)
    assert set(servers) == {"shared", "core", "client", "plugin-sdk", "ui", "api"}
    assert len(set(servers.values())) > 1, "nobody built it alone"
