"""`bnet report` as people use it: every format, wrong input, and the way from a commit to a report that was kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    made = Fleet(tmp_path)
    made.found()
    return made


def test_a_report_of_any_period_comes_in_any_format_and_wrong_words_are_named(
    fleet: Fleet, tmp_path: Path
) -> None:
    assert "No job ended in this period." in fleet.ok("report", "daily")
    for ending, begin in (("html", b"<!doctype"), ("pdf", b"%PDF-"), ("csv", b"section,row"), ("md", b"# ")):
        file = tmp_path / f"out.{ending}"
        fleet.ok("report", "monthly", "--timezone", "Europe/Berlin", "--output", str(file))
        assert file.read_bytes().startswith(begin)
    link, pipe = tmp_path / "link.md", tmp_path / "pipe.md"
    link.symlink_to("out.md")
    os.mkfifo(pipe)
    fleet.ok("report", "daily", "--output", str(link))
    assert link.is_symlink() and "daily" in (tmp_path / "out.md").read_text()
    assert "daily" in fleet.ok("report", "daily", "--output", "-")
    told = json.loads(fleet.ok("report", "daily", "--from", "2026-11-20", "--to", "2026-11-20", "--json"))
    assert (told["now"]["begin"], told["now"]["end"]) == ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")
    for words, said in (
        (["nightly"], "there is no report 'nightly'"),
        (["daily", "--at", "soon"], "is no time"),
        (["daily", "--timezone", "Mars/Base"], "is no time zone"),
        (["daily", "--from", "1d", "--to", "2d"], "ends before it"),
        (["daily", "--output", str(tmp_path / "out.doc")], "add --format"),
        (["daily", "--output", str(tmp_path / "none" / "out.md")], "out.md"),
        (["daily", "--kept"], "no report daily was kept"),
        (["daily", "--at", ""], "is no time"),
        (["daily", "--output", str(pipe)], "is no file"),
        (["list", "--format", "csv"], "list goes with --json only"),
    ):
        done = fleet.bnet("report", *words)
        assert done.code == 2 and said in done.complaint, words


def test_a_commit_is_all_it_takes_and_a_broken_one_is_named(fleet: Fleet) -> None:
    fleet.join("s1")
    clone = fleet.root / "clone"
    fleet.git("clone", "--quiet", fleet.url, str(clone))

    def commit(text: str) -> None:
        fleet.git("-C", str(clone), "pull", "--quiet", "--rebase")
        (clone / "coordination/reports.yaml").write_text(text)
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        fleet.git("-C", str(clone), *who, "commit", "--quiet", "--all", "--message", "reports")
        fleet.git("-C", str(clone), "push", "--quiet")

    commit("yearly: {cron: '@yearly', kind: detailed}\n")
    fleet.ok("steward", "--once", home="s1")
    told = fleet.facts("report", "list")
    assert [each["name"] for each in told] == ["daily", "weekly", "monthly", "yearly"]
    assert told[-1]["next"].endswith("-01-01T00:00:00Z") and told[-1]["kept"] == []
    assert fleet.bnet("audit", "verify").code == 0
    commit("yearly: {cron: '@yearly'}\nlist: {}\n")
    assert 'reports.yaml:2: field "list"' in fleet.ok("status")
    assert fleet.facts("report", "list")[-1]["kind"] == "detailed", "what was readable last is in force"
