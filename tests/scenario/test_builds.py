"""Jobs that are packages: what their servers say of tiers and keys, and one build that many servers share."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet

LAYERS = {"base": [], "left": ["base"], "right": ["base"], "top": ["left", "right"]}


@pytest.fixture
def tree(fleet: Fleet) -> Path:
    """A tree of four packages; each build of one writes a line into a file beside the hub."""
    root = fleet.root / "tree"
    ledger = fleet.root / "built"
    (fleet.root / "store").mkdir()
    lines = [f"store: {{url: {fleet.root}/store}}", "packages:"]
    for name, needs in LAYERS.items():
        source = root / name / "src" / "a.txt"
        source.parent.mkdir(parents=True)
        source.write_text(f"{name}\n")
        inputs = " ".join(["src/a.txt", *(f"../{each}/out/all.txt" for each in needs)])
        command = f"echo {name} >> {ledger}; mkdir -p out; cat {inputs} > out/all.txt"
        lines += [f"- name: {name}", f"  path: {name}", f"  build_cmd: {command!r}", "  sources: [src/**]"]
        lines += ["  output_dir: out", f"  dependencies: {json.dumps(needs)}"]
    (root / "bnet.yaml").write_text("\n".join(lines) + "\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "tree"]):
        subprocess.run(["git", "-C", root, *words], check=True)
    return root


def submit(fleet: Fleet, tree: Path, *words: str) -> list[int]:
    said = json.loads(fleet.ok("submit", "--json", "--here", *words, cwd=tree))
    return [each["number"] for each in ([said] if isinstance(said, dict) else said)]


def show(fleet: Fleet, number: int) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(fleet.ok("show", str(number), "--json"))
    return said


def test_a_job_builds_packages_and_the_next_one_finds_them_built(fleet: Fleet, tree: Path) -> None:
    fleet.found()
    fleet.join("a")
    fleet.start("a", "--interval", "0.1")
    [first] = submit(fleet, tree, "--package", "top")
    [second] = submit(fleet, tree, "--package", "left...", "--package", "top")
    fleet.until_ended(first, second)
    one, two = show(fleet, first), show(fleet, second)
    assert (one["result"], one["packages"], one["name"]) == ("success", ["top"], "build-top")
    assert (one["build"]["total"], one["build"].get("cached", 0)) == (4, 0)
    assert {each["name"]: each["tier"] for each in one["build"]["packages"]} == dict.fromkeys(LAYERS, "full")
    assert {each["tier"] for each in two["build"]["packages"]} == {"local"} and two["build"]["cached"] == 4
    keys = [{each["name"]: each["key"] for each in said["build"]["packages"]} for said in (one, two)]
    assert keys[0] == keys[1] and all(len(key) == 64 for key in keys[0].values())
    assert sorted((fleet.root / "built").read_text().split()) == sorted(LAYERS)
    assert f"{one['build']['total']} packages, 0 of them cached" in fleet.ok("show", str(first))


def test_a_build_that_is_spread_over_two_servers_builds_each_package_once(fleet: Fleet, tree: Path) -> None:
    fleet.found()
    fleet.join_all(["a", "b"], "--slots", "1")
    numbers = submit(fleet, tree, "--package", "top", "--spread")
    for name in ("a", "b"):
        fleet.start(name, "--interval", "0.1")
    jobs = fleet.until_ended(*numbers)
    assert [job.spec.name for job in jobs.values()] == [f"build-{name}" for name in LAYERS]
    assert [[need.job for need in job.spec.needs] for job in jobs.values()] == [
        [],
        [numbers[0]],
        [numbers[0]],
        [numbers[1], numbers[2]],
    ]
    assert {job.result.result for job in jobs.values() if job.result} == {"success"}
    assert sorted((fleet.root / "built").read_text().split()) == sorted(LAYERS)
    tiers = {each["name"]: each["tier"] for each in show(fleet, numbers[-1])["build"]["packages"]}
    assert tiers.pop("top") == "full" and set(tiers.values()) <= {"local", "remote"}


def test_a_package_that_cannot_be_built_ends_its_job_as_a_failure(fleet: Fleet, tree: Path) -> None:
    (tree / "left" / "src" / "a.txt").rename(tree / "left" / "src" / "b.txt")
    fleet.found()
    fleet.join("a")
    fleet.start("a", "--interval", "0.1")
    [number] = submit(fleet, tree, "--package", "top")
    fleet.until_ended(number)
    said = show(fleet, number)
    assert (said["result"], said["exit_code"], said["build"]["failed"]) == ("failure", 1, 2)
    results = {each["name"]: each.get("result", "success") for each in said["build"]["packages"]}
    assert results == {
        "base": "success",
        "right": "success",
        "left": "failure",
        "top": "skipped",
    } or results == {
        "base": "success",
        "right": "skipped",
        "left": "failure",
        "top": "skipped",
    }


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"packages": ["a"]}, "name its source"),
        ({"packages": ["a"], "command": "make"}, "either a command or packages"),
        ({"packages": ["-a"], "source": {"snapshot": "0" * 40}}, "names no package"),
        ({"packages": ["a"], "source": {"snapshot": "0" * 40}, "sandbox": "podman"}, "bnet itself"),
        ({}, "no packages to build"),
    ],
)
def test_a_job_of_packages_that_makes_no_sense_is_refused(
    fleet: Fleet, fields: dict[str, object], says: str
) -> None:
    fleet.found()
    said = fleet.bnet("submit", "-f", "-", input=json.dumps([{"submit": fields}]).encode())
    assert said.code == 2 and says in said.err.decode()


def test_a_spread_needs_a_store(fleet: Fleet, tree: Path) -> None:
    fleet.found()
    text = (tree / "bnet.yaml").read_text()
    (tree / "bnet.yaml").write_text(text.partition("\n")[2])
    said = fleet.bnet("submit", "--here", "--package", "top", "--spread", cwd=tree)
    assert said.code == 2 and "has no shared store" in said.err.decode()
