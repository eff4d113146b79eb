"""Artifacts over several servers: handed on, verified, kept in a store, compared, given up."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet import Fleet


def agents(fleet: Fleet, *names: str) -> None:
    fleet.join_all(names)
    for name in names:
        fleet.start(name)


@pytest.mark.timeout(240)
def test_what_one_server_made_is_in_the_workspace_of_another_before_its_command_runs(fleet: Fleet) -> None:
    fleet.found()
    fleet.join("s1", "--label", "role=make")
    fleet.join("s2", "--label", "role=use")
    making = "mkdir -p out/bin; echo tool >out/bin/tool; chmod 750 out/bin/tool; echo more >out/notes.txt"
    used = "find in -type f -printf '%P %m\\n' | sort; cat in/out/bin/tool"
    made, taken = fleet.submit_all(
        {"name": "make", "command": making, "artifacts": ["out/**"], "labels": {"role": "make"}},
        {
            "name": "use",
            "command": used,
            "inputs": [{"job": "make", "into": "in"}],
            "labels": {"role": "use"},
        },
    )
    assert [need.job for need in fleet.job(taken).spec.needs] == [made], "what is put in is waited for"
    for name in ("s1", "s2"):
        fleet.start(name)
    ended = fleet.until_ended(made, taken)
    assert [ended[each].result.result for each in (made, taken)] == ["success", "success"], fleet.log(taken)  # type: ignore[union-attr]
    assert "out/bin/tool 750\nout/notes.txt 644\ntool\n" in fleet.log(taken)

    there = fleet.root / "dist"
    fleet.ok("artifact", "get", str(made), "*.txt", "--output", str(there))
    assert [path.name for path in there.rglob("*.*")] == ["notes.txt"]
    assert "2 artifacts of #1 (attempt 1 on s1)" in fleet.ok("artifact", "verify", f"#{made}.1")
    missing = fleet.bnet("artifact", "get", str(made), "*.whl")
    assert missing.code == 2 and b"nothing matches *.whl; there is out/bin/tool" in missing.err
    assert fleet.bnet("artifact", "get", "12x").code == 2
    assert "all of them were legal" in fleet.ok("audit", "verify")


@pytest.mark.timeout(240)
def test_an_input_does_not_follow_a_link_out_of_the_workspace(fleet: Fleet, tmp_path: Path) -> None:
    fleet.found()
    agents(fleet, "s1")
    outside = tmp_path / "outside"
    outside.mkdir()
    fleet.ok("submit", "--name", "make", "--artifact", "a", "--", "echo x >a")
    tree = tmp_path / "tree"
    tree.mkdir()
    fleet.git("init", "--quiet", str(tree))
    (tree / "in").symlink_to(outside)
    fleet.ok("submit", "--here", "--input", "make:in", "--", "true", cwd=tree)
    ended = fleet.until_ended(2)[2]
    assert ended.result is not None and ended.result.reason == "refused"
    assert "is no directory, or is a link" in fleet.log(2) and not list(outside.iterdir())
