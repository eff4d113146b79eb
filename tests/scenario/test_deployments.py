"""A pipeline over several servers: build, dev, staging with approval, prod; the same digests; and the way back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zygote
from fleet import Fleet

EXAMPLE = Path(__file__).parents[2] / "examples" / "pipeline"
ANN, BEN, EVE = "alice@example.org", "bob@example.org", "eve@example.org"
STEPS = ["build", "test", "test", "report", "dev", "staging", "prod"]


def git(*words: str, cwd: Path) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(tree: Path, message: str) -> None:
    git("add", "-A", cwd=tree)
    git("commit", "-qm", message, cwd=tree)
    git("push", "-q", "origin", "HEAD", cwd=tree)


def as_person(fleet: Fleet, who: str, *words: str, cwd: Path | None = None) -> tuple[int, str, str]:
    env = {**os.environ, **fleet.env, "BNET_USER": who, "BNET_HUB": fleet.url}
    env["BNET_HOME"] = str(fleet.root / who.partition("@")[0])
    code, told, said = zygote.run(words, env=env, cwd=cwd or fleet.root)
    return code, told.decode(), said.decode()


def does(fleet: Fleet, who: str, *words: str, cwd: Path | None = None) -> Any:
    code, told, said = as_person(fleet, who, *words, cwd=cwd)
    assert code == 0, said
    return json.loads(told) if "--json" in words else told


@pytest.fixture
def tree(fleet: Fleet) -> Path:
    """A repository with the example in it, a hub with its environments, and three servers."""
    fleet.found()
    clone = fleet.root / "desk"
    git("clone", "-q", fleet.url, str(clone), cwd=fleet.root)
    shutil.copy(EXAMPLE / "environments.yaml", clone / "coordination" / "environments.yaml")
    commit(clone, "environments")
    bare, tree = fleet.root / "app.git", fleet.root / "app"
    git("init", "-q", "--bare", "-b", "main", str(bare), cwd=fleet.root)
    shutil.copytree(EXAMPLE, tree)
    git("init", "-q", "-b", "main", cwd=tree)
    git("remote", "add", "origin", str(bare), cwd=tree)
    commit(tree, "app")
    fleet.join_all(["a", "b", "c"], "--slots", "1")
    for server in ("a", "b", "c"):
        fleet.start(server, "--interval", "0.2")
    return tree


def released(fleet: Fleet, tree: Path) -> dict[str, int]:
    """Run the pipeline to its end, with everybody's approval; return the jobs by step."""
    made = does(fleet, ANN, "pipeline", "run", "release", "--label", "ship=yes", "--json", cwd=tree)
    assert [each["step"] for each in made["jobs"]] == STEPS
    steps = {each["step"]: each["number"] for each in made["jobs"]}
    fleet.until_ended(steps["dev"])
    does(fleet, ANN, "approve", str(steps["staging"]))
    fleet.until_ended(steps["staging"])
    for who in (ANN, BEN):
        does(fleet, who, "approve", str(steps["prod"]))
    jobs = fleet.until_ended(*steps.values())
    for step, number in steps.items():
        result = jobs[number].result
        assert result is not None
        assert result.result == ("skipped" if step == "report" else "success"), (
            step,
            result,
            fleet.log(number),
        )
    return steps


def digests(fleet: Fleet, *numbers: int) -> list[list[str]]:
    """Return what deployments found in their workspaces: lines of digests and paths."""
    return [[line for line in fleet.log(each).splitlines() if "  dist/" in line] for each in numbers]


def made(fleet: Fleet, number: int) -> list[str]:
    """Return what a build left, told in the same words from the files themselves."""
    room = fleet.root / f"of-{number}"
    does(fleet, ANN, "artifact", "get", str(number), "--output", str(room))
    files = sorted(each for each in room.rglob("*") if each.is_file())
    told = [(hashlib.sha256(each.read_bytes()).hexdigest(), each.relative_to(room)) for each in files]
    return [f"{digest}  {path}" for digest, path in told]


def there(fleet: Fleet) -> dict[str, Any]:
    told = does(fleet, ANN, "release", "list", "--json")
    return {each["environment"]: each["current"] for each in told["environments"]}


@pytest.mark.timeout(600)
def test_what_was_built_once_goes_from_one_environment_to_the_next_and_back(fleet: Fleet, tree: Path) -> None:
    first = released(fleet, tree)
    where = ("dev", "staging", "prod")
    built = made(fleet, first["build"])
    assert built and digests(fleet, *(first[each] for each in where)) == [built] * 3
    now = there(fleet)
    assert {name: each["job"] for name, each in now.items()} == {name: first[name] for name in now}
    assert now["dev"]["inputs"] == now["staging"]["inputs"] == now["prod"]["inputs"]
    assert [pin["job"] for pin in now["prod"]["inputs"]] == [first["build"]]
    assert now["prod"]["approved_by"] == [ANN, BEN]

    does(fleet, ANN, "release", "mark", "v1", "--environment", "prod")
    assert git("rev-parse", "v1^{commit}", cwd=fleet.root / "app.git") == now["prod"]["commit"]

    (tree / "app.sh").write_text("#!/bin/sh\necho second\n")
    commit(tree, "second")
    second = released(fleet, tree)
    assert made(fleet, second["build"]) != built
    assert digests(fleet, *(second[each] for each in where)) == [made(fleet, second["build"])] * 3
    kept = as_person(fleet, ANN, "artifact", "prune", str(first["build"]), "--reason", "no room")
    assert kept[0] == 2 and f"the artifacts of job #{first['build']} are still needed" in kept[2]
    assert there(fleet)["prod"]["inputs"] != now["prod"]["inputs"]

    back = does(fleet, BEN, "release", "rollback", "prod", "--reason", "orders fail", "--json")
    assert back["state"] == "pending" and back["waiting_for"] == "approval"
    for who in (ANN, BEN):
        does(fleet, who, "approve", str(back["number"]))
    fleet.until_ended(back["number"])
    again = fleet.until(
        "prod is back", lambda: there(fleet)["prod"] if there(fleet)["prod"]["rollback_of"] else None
    )
    assert (again["inputs"], again["commit"]) == (now["prod"]["inputs"], now["prod"]["commit"])
    assert digests(fleet, back["number"]) == [built], "byte for byte what was there"
    assert (again["rollback_of"], again["note"]) == (first["prod"], "orders fail")
    assert there(fleet)["staging"]["job"] == second["staging"], "nobody else is touched"
    assert "all of them were legal" in does(fleet, ANN, "audit", "verify")


@pytest.mark.timeout(600)
def test_who_may_not_what_waits_and_what_is_missing(fleet: Fleet, tree: Path) -> None:
    made = does(fleet, ANN, "pipeline", "run", "--label", "ship=yes", "--key", "k", "--json", cwd=tree)
    assert (
        does(fleet, ANN, "pipeline", "run", "--label", "ship=yes", "--key", "k", "--json", cwd=tree) == made
    )
    steps = {each["step"]: each["number"] for each in made["jobs"]}
    fleet.until_ended(steps["dev"])
    code, _, said = as_person(fleet, EVE, "approve", str(steps["staging"]))
    assert code == 5 and "eve@example.org may not approve" in said
    assert f"`bnet approve {steps['staging']}`" in does(fleet, ANN, "status")
    assert "waits for approval" in does(fleet, ANN, "why", str(steps["staging"]))
    assert f"#{steps['staging']}" in does(fleet, ANN, "pipeline", "show", str(made["run"]))
    does(fleet, BEN, "approve", str(steps["staging"]), "--reject", "not today")
    ended = fleet.until_ended(steps["staging"], steps["prod"])
    assert [job.result and job.result.reason for job in ended.values()] == ["rejected", "dependency"]

    git("checkout", "-qb", "feature", cwd=tree)
    git("push", "-q", "origin", "feature", cwd=tree)
    code, _, said = as_person(fleet, ANN, "pipeline", "run", cwd=tree)
    assert code == 5 and "environment staging takes branches main, release/*; this is branch feature" in said

    git("checkout", "-q", "main", cwd=tree)
    (tree / "app.sh").write_text("#!/bin/sh\necho second\n")
    commit(tree, "second")
    again = does(fleet, ANN, "pipeline", "run", "--json", cwd=tree)
    fleet.until_ended(*(each["number"] for each in again["jobs"] if each["step"] == "dev"))
    for server in ("a", "b", "c"):
        fleet.stop(server)
        git("update-ref", "-d", f"refs/bnet/servers/{server}", cwd=Path(fleet.url))
    code, _, said = as_person(fleet, ANN, "release", "rollback", "dev")
    assert code == 1 and f"missing: dist/app.sh of #{steps['build']}" in said


@pytest.mark.timeout(600)
def test_what_is_deployed_from_the_store_stays_there_and_what_is_lost_there_does_not_come_back(
    fleet: Fleet, tree: Path
) -> None:
    store = fleet.root / "store"
    store.mkdir()
    rule = "artifacts: [{age: 0}]\n"  # of what nothing names, nothing stays
    fleet.configure(f"store: {{url: {store}, small: 0}}\n{rule}")
    first = released(fleet, tree)
    built = made(fleet, first["build"])
    assert digests(fleet, first["dev"], first["prod"]) == [built] * 2
    does(fleet, ANN, "release", "mark", "v1", "--environment", "prod")
    (tree / "app.sh").write_text("#!/bin/sh\necho second\n")
    commit(tree, "second")
    second = released(fleet, tree)
    assert set(fleet.look().state.kept) >= {first["build"], second["build"]}

    [artifact] = fleet.job(first["build"]).result.artifacts
    blob = store / artifact.place.removeprefix("store:")
    content = blob.read_bytes()
    for change, said in (
        (lambda: blob.write_bytes(b"x" + content[1:]), "what is kept has the blake3"),
        (blob.unlink, "it is not in the store"),
    ):
        change()
        code, _, told = as_person(fleet, ANN, "release", "rollback", "prod")
        assert code == 1 and f"missing: dist/app.sh of #{first['build']} ({said}" in told, told
    does(fleet, ANN, "release", "mark", "v2", "--environment", "prod")
    blob.write_bytes(content)
    back = does(fleet, BEN, "release", "rollback", "prod", "--to", "v1", "--json")
    for who in (ANN, BEN):
        does(fleet, who, "approve", str(back["number"]))
    fleet.until_ended(back["number"])
    assert digests(fleet, back["number"]) == [built]
    code, _, told = as_person(fleet, ANN, "artifact", "prune", str(second["build"]), "--reason", "room")
    assert code == 2 and "still needed" in told
    assert "all of them were legal" in does(fleet, ANN, "audit", "verify")
