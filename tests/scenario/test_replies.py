"""Automatic answers over several servers, each a process: once for each message, and never for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet import Fleet, commit_files, git
from test_messages import _of_length, clone, today, told

RULES = """\
echo:
  match: {subject: "*disk*"}
  reply: The disk is being cleared.
  command:
    submit:
      name: clear
      command: >-
        @BNET@ message send --reply "$BNET_MESSAGE" --body "the disk is clear"; echo done >>@RAN@
"""


@pytest.mark.timeout(300)
def test_three_agents_follow_a_rule_once_and_its_own_answers_start_nothing(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.found()
    names = ["s1", "s2", "s3"]
    fleet.join_all(names)
    work, ran = clone(fleet, tmp_path / "work"), tmp_path / "ran"
    bnet = f"BNET_HOME={fleet.root / 'person'} BNET_HUB={fleet.url} python -m bnet"
    commit_files(
        work, {"coordination/replies.yaml": RULES.replace("@BNET@", bnet).replace("@RAN@", str(ran))}
    )
    commit_files(work, {today("full"): "---\nto: s2\nsubject: The disk is full\n---\nHelp.\n"})
    git(work, "push", "--quiet")
    for name in names:
        fleet.start(name)

    thread = fleet.until("all is said", lambda: _of_length(told(fleet, "thread", "full"), 4))

    assert [each["auto"] for each in thread] == [False, True, True, True]
    assert {each["body"].strip() for each in thread[1:3]} == {
        "The disk is being cleared.",
        "the disk is clear",
    }
    assert ran.read_text() == "done\n"
    done = [op.verb for op in fleet.history() if op.verb in ("take-up", "take-in", "claim")]
    assert sorted(done) == ["claim", "take-in", "take-up"]
    [rule] = told(fleet, "rules")
    assert (rule["name"], rule["answered"]) == ("echo", 1)
    assert "all of them were legal" in fleet.ok("audit", "verify")
