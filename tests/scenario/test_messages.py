"""Messages over several servers, each a process: asked by a commit, answered, raised, acknowledged at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet, commit_files, git

CAROL = "carol@example.invalid"


def told(fleet: Fleet, *words: str, home: str = "person") -> Any:
    return json.loads(fleet.ok("message", *words, "--json", home=home))


def clone(fleet: Fleet, path: Path) -> Path:
    git(fleet.root, "clone", "--quiet", "--branch=bnet", fleet.url, str(path))
    git(path, "config", "user.email", CAROL)
    git(path, "config", "user.name", "Carol")
    return path


def today(name: str) -> str:
    return f"messages/{datetime.now(UTC):%Y/%m/%d}/{name}.md"


@pytest.mark.timeout(240)
def test_a_request_by_a_plain_commit_is_done_once_by_three_agents_and_answered_in_its_thread(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.found()
    fleet.join_all(["s1", "s2", "s3"])
    work = clone(fleet, tmp_path / "work")
    for name in ("s1", "s2", "s3"):
        fleet.start(name)
    ran = tmp_path / "ran"
    request = (
        f"---\nto: all\nsubject: Greet\ncommand:\n  submit: {{name: greet, command: echo hi >>{ran}}}\n---\n"
    )
    git(work, "pull", "--quiet", "--rebase")
    commit_files(work, {today("greet"): request, today("broken"): "---\npriority: hihg\n---\n"})
    git(work, "push", "--quiet")

    thread = fleet.until("it is answered", lambda: _of_length(told(fleet, "thread", "greet"), 2))

    assert thread[1]["subject"] == "Re: Greet (success)" and thread[1]["to"] == [CAROL]
    assert ran.read_text() == "hi\n"
    assert [op.verb for op in fleet.history() if op.target == "greet"] == ["take-in"]
    assert fleet.job(thread[0]["jobs"][0]).spec.submitted_by == CAROL
    status = json.loads(fleet.ok("status", "--json"))
    [broken] = status["messages"]["broken"]
    assert broken["message"].startswith(f"{today('broken')}:2: ")
    assert "all of them were legal" in fleet.ok("audit", "verify")


def _of_length(rows: list[Any], length: int) -> list[Any] | None:
    return rows if len(rows) == length else None


@pytest.mark.timeout(240)
def test_acknowledgements_of_three_at_once_all_count_and_who_is_missing_is_reminded(fleet: Fleet) -> None:
    fleet.found()
    names = ["s1", "s2", "s3"]
    fleet.join_all(names)
    sent = json.loads(
        fleet.ok(
            "message", "send", "--to", "all", "-s", "Up?\x1b[31m", "-b", "x\x07", "--within", "3s", "--json"
        )
    )
    with ThreadPoolExecutor(3) as pool:
        done = list(
            pool.map(lambda name: fleet.bnet("message", "ack", sent["id"][:5], home=name).code, names[:2])
        )
    assert done == [0, 0]
    fleet.until(
        "s3 is late",
        lambda: told(fleet, "list", "--to", "all")[0]["due"] < f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
    )
    for name in names[:2]:
        fleet.ok("sync", home=name)
    rows = told(fleet, "list", "--unread", home="s3")
    assert [(each["subject"], each["to"]) for each in rows[1:2]] == [
        ("Not acknowledged: Up?\x1b[31m", ["s3"])
    ]
    status = fleet.ok("status")
    assert f"s3 did not acknowledge {sent['id']}" in status and "\x1b[31m" not in status
    shown = fleet.ok("message", "read", sent["id"])
    assert "Up?\\x1b[31m" in shown and "x\\x07" in shown
    outsider = fleet.bnet("message", "ack", rows[1]["id"], home="s1")
    assert outsider.code == 5
    fleet.ok("message", "ack", sent["id"], "--note", "late", home="s3")
    assert told(fleet, "read", sent["id"])["missing"] == []
    assert "did not acknowledge" not in fleet.ok("status")


def test_a_message_of_while_the_hub_was_away_arrives_once(fleet: Fleet) -> None:
    fleet.found()
    fleet.join_all(["s1"])
    known = json.loads(fleet.ok("message", "send", "--to", "all", "-s", "before", "--json"))
    known = told(fleet, "read", known["id"])
    hub = Path(fleet.url)
    away = hub.rename(hub.with_name("away.git"))
    attached = fleet.root / "report.txt"
    attached.write_text("all of it\n")
    said = fleet.bnet("message", "send", "--to", "s1", "-s", "later", "--attach", str(attached))
    assert said.code == 4 and b"delivers it, once" in said.err
    acked = fleet.bnet("message", "ack", known["id"][:6], "--note", "at sea")
    assert acked.code == 4 and b"the acknowledgement is kept here" in acked.err
    away.rename(hub)
    fleet.ok("message", "send", "--to", "s1", "-s", "sooner")
    [told_of] = told(fleet, "read", known["id"])["acks"]
    assert (told_of["who"], told_of["note"]) == (known["from"], "at sea")
    assert b"you have acknowledged" in fleet.bnet("message", "ack", known["id"]).err
    fleet.ok("message", "send", "--to", "s1", "-s", "last")
    rows = told(fleet, "list", home="s1")[1:]
    assert [each["subject"] for each in rows] == ["later", "sooner", "last"]
    fleet.ok("message", "read", rows[0]["id"], "--save", str(fleet.root / "out"), home="s1")
    assert (fleet.root / "out" / "report.txt").read_text() == "all of it\n"
    assert [each["unread"] for each in told(fleet, "list", home="s1")[1:]] == [False, True, True]
    assert "all of them were legal" in fleet.ok("audit", "verify")
