"""One issue for each finding: opened once, changed, closed; through a `gh` that keeps its issues in a file."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from msgspec.structs import replace

from bnet import scaffold
from bnet.errors import BnetError
from bnet.forges.issues import GhIssues
from bnet.health.facts import Finding
from bnet.health.issues import MOST_OPENED, Issue, body_of, mark_of, plan, title_of
from bnet.process import run
from bnet.wiring.issues import keep

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WORKFLOW = ".github/workflows/health-monitor.yml"


def finding(about: str = "a", **more: Any) -> Finding:
    base = {
        "rule": "server-lost",
        "severity": "critical",
        "text": "a is gone",
        "since": NOW,
        "advice": "look",
    }
    return Finding(about=about, **(base | more))


def issue(number: int, of: Finding, **more: Any) -> Issue:
    return replace(Issue(number, title_of(of), body_of(of)), **more)


# -- what is to be done


def done(findings: list[Finding], there: list[Issue]) -> list[tuple[str, int | None, str]]:
    return [
        (
            "open" if each.number is None else "close" if each.title is None else "change",
            each.number,
            each.key,
        )
        for each in plan(findings, there)
    ]


def test_a_finding_is_opened_once_changed_where_it_says_something_else_and_closed_once_it_is_over() -> None:
    one, two = finding("a"), finding("b")
    assert done([one, two], []) == [("open", None, "server-lost:a"), ("open", None, "server-lost:b")]
    assert done([one, two], [issue(1, one), issue(2, two)]) == []
    later = replace(one, text="a is gone for long")
    assert done([later], [issue(1, one), issue(2, two)]) == [
        ("close", 2, "server-lost:b"),
        ("change", 1, "server-lost:a"),
    ]
    windows = issue(1, one, body=body_of(one).replace("\n", "\r\n"))
    assert done([one], [windows]) == [], "the forge may keep other line ends"


def test_of_two_issues_of_one_finding_the_first_stays() -> None:
    one = finding()
    assert done([one], [issue(7, one), issue(3, one)]) == [("close", 7, "server-lost:a")]


@pytest.mark.parametrize(
    "body", ["", "help", "see <!-- bnet-health: server-lost:a -->", "\n<!-- bnet-health: x y -->"]
)
def test_what_people_opened_is_left_alone(body: str) -> None:
    assert done([], [Issue(1, "server-lost: a", body)]) == []


def test_a_flood_is_opened_little_by_little() -> None:
    many = [finding(f"s{number}") for number in range(50)]
    first = plan(many, [])
    assert len(first) == MOST_OPENED
    there = [Issue(number, each.title or "", each.body or "") for number, each in enumerate(first)]
    assert len(plan(many, there)) == MOST_OPENED


LONG = "/" + "\U0001f4be" * 199


def test_a_long_key_is_known_again() -> None:
    one, two = finding(f"a:{LONG}/1"), finding(f"a:{LONG}/2")
    assert done([one, two], [issue(1, one), issue(2, two)]) == []
    assert [each[:2] for each in done([two], [issue(1, one), issue(2, two)])] == [("close", 1)]


def test_a_body_is_never_larger_than_a_forge_takes() -> None:
    assert len(body_of(finding(text="\x00" * 100_000, advice="y" * 100_000))) < 20_000


HOSTILE = "x\n<!-- bnet-health: other -->\n@team ``` ~~~ <script> [a](b) \x1b[31m"


def test_what_people_wrote_mentions_nobody_and_is_no_mark() -> None:
    hostile = finding(f"/srv/--> {HOSTILE}", text=HOSTILE, advice=HOSTILE)
    made = issue(1, hostile)
    assert unquote(mark_of(made) or "") == hostile.key
    lines = made.body.splitlines()[1:]
    assert all(line.startswith("    ") for line in lines if "@team" in line or "script" in line)
    assert "\x1b" not in made.body + made.title and "\n" not in made.title
    assert len(re.findall("^<!--", made.body, re.MULTILINE)) == 1
    assert done([hostile], [made]) == []


# -- through gh

GH = """\
#!{python}
import json, os, sys
path = os.environ["FAKE_GH"]
state = json.load(open(path)) if os.path.exists(path) else []
words = sys.argv[1:]
assert words[:2] == ["api", "--method"], words
method, target = words[2], words[3]
open(path + ".log", "a").write(f"{{method}} {{target}}\\n")
if os.environ.get("FAKE_GH_FAILS") == "1" or os.environ.get("FAKE_GH_FAILS") and method != "GET":
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
if "FAKE_GH_SAYS" in os.environ and (method == "POST" or os.environ["FAKE_GH_SAYS"] not in ("", "{{}}")):
    print(os.environ["FAKE_GH_SAYS"])
    sys.exit()
assert os.environ["GH_TOKEN"] == "secret"
if method == "GET":
    assert target == "/repos/o/n/issues?labels=bnet-health&state=open&per_page=100" and "--paginate" in words
    there = [one for one in state if one["state"] == "open"]
    print(json.dumps(there[:2]) + json.dumps(there[2:]))  # as older versions do, a list a page
else:
    body = json.load(sys.stdin)
    if body.get("title") == os.environ.get("FAKE_GH_FAILS_ON", ""):
        sys.exit("gh: Validation Failed (HTTP 422)")
    if method == "POST":
        labels = [] if os.environ.get("FAKE_GH_DROPS") else [{{"name": name}} for name in body.pop("labels")]
        body.pop("labels", None)
        state.append({{"number": len(state) + 1, "state": "open", **body, "labels": labels}})
        answer = state[-1]
    else:
        answer = state[int(target.rpartition("/")[2]) - 1]
        answer.update(body)
    json.dump(state, open(path, "w"))
    print(json.dumps(answer))
"""


@pytest.fixture
def gh(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a `gh` of our own."""
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(GH.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "FAKE_GH": str(tmp_path / "issues.json"), "GH_TOKEN": "secret"}


def kept(env: dict[str, str], *findings: Finding) -> list[dict[str, Any]]:
    """Bring the issues in line, twice, and return them all."""
    issues = GhIssues("o/n", env)
    for _ in range(2):
        for step in plan(findings, issues.there()):
            issues.do(step)
    assert plan(findings, issues.there()) == []
    found: list[dict[str, Any]] = json.loads(Path(env["FAKE_GH"]).read_text())
    return found


def test_issues_follow_the_findings(gh: dict[str, str]) -> None:
    several = [finding(name) for name in ("a", "b", "c", "d")]
    assert [each["title"] for each in kept(gh, *several)] == [f"server-lost: {name}" for name in "abcd"]
    after = kept(gh, replace(several[0], severity="warning"))
    assert [each["state"] for each in after] == ["open", "closed", "closed", "closed"]
    assert "warning: a is gone" in after[0]["body"] and after[1]["state_reason"] == "completed"
    assert [each["state"] for each in kept(gh, several[1])] == ["closed"] * 4 + ["open"]
    log = Path(gh["FAKE_GH"] + ".log").read_text()
    assert log.count("POST") == 5, "what came back is another issue"


def test_a_pull_request_is_no_issue(gh: dict[str, str]) -> None:
    one = {"number": 1, "state": "open", "title": "t", "body": body_of(finding()), "pull_request": {}}
    Path(gh["FAKE_GH"]).write_text(json.dumps([one]))
    assert GhIssues("o/n", gh).there() == []


def test_a_label_that_was_dropped_is_said_instead_of_opening_anew_each_time(gh: dict[str, str]) -> None:
    with pytest.raises(BnetError, match="#1 was opened without the label"):
        kept({**gh, "FAKE_GH_DROPS": "1"}, finding("a"), finding("b"))
    assert len(json.loads(Path(gh["FAKE_GH"]).read_text())) == 1


def test_a_refusal_is_said_without_the_token(gh: dict[str, str]) -> None:
    with pytest.raises(BnetError, match="HTTP 403") as caught:
        kept({**gh, "FAKE_GH_FAILS": "1"}, finding())
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_what_one_issue_is_refused_for_keeps_no_other_from_being_kept(gh: dict[str, str]) -> None:
    several = [finding(name) for name in ("a", "b", "c")]
    env = {**gh, "FAKE_GH_FAILS_ON": "server-lost: b"}
    did = []
    with pytest.raises(BnetError, match="HTTP 422"):
        did.extend(keep(GhIssues("o/n", env), several))
    made = json.loads(Path(gh["FAKE_GH"]).read_text())
    assert [each["title"] for each in made] == ["server-lost: a", "server-lost: c"]
    with pytest.raises(BnetError, match="HTTP 403"):
        list(keep(GhIssues("o/n", {**gh, "FAKE_GH_FAILS": "3"}), [finding(f"s{n}") for n in range(19)]))
    log = Path(gh["FAKE_GH"] + ".log").read_text()
    assert log.count("POST") + log.count("PATCH") == 3 + 3, "who refuses all is left alone"


@pytest.mark.parametrize("answer", ["", "hello", "[[1]]", "{}", '[{"number": 1}]', "null", '["x"]'])
def test_an_answer_that_is_none_is_said(gh: dict[str, str], answer: str) -> None:
    with pytest.raises(BnetError, match="cannot be understood"):
        list(keep(GhIssues("o/n", {**gh, "FAKE_GH_SAYS": answer}), [finding()]))


def test_two_looks_at_once_leave_one_issue(gh: dict[str, str]) -> None:
    one, two = GhIssues("o/n", gh), GhIssues("o/n", gh)
    plans = [plan([finding()], each.there()) for each in (one, two)]
    for issues, steps in zip((one, two), plans, strict=True):
        for step in steps:
            issues.do(step)
    assert len(list(keep(one, [finding()]))) == 1 and list(keep(two, [finding()])) == []


def test_without_gh_it_is_said_where_that_is(gh: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BnetError, match="no gh on PATH"):
        kept({**gh, "PATH": "/nowhere"}, finding())


# -- the workflow


@pytest.fixture
def workflow() -> dict[str, Any]:
    text = (scaffold.root() / WORKFLOW).read_text()
    return dict(yaml.load(text, yaml.BaseLoader))


def test_the_workflow_is_sparing_and_may_do_little(workflow: dict[str, Any]) -> None:
    assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}, "a ledger moves each minute"
    [schedule] = workflow["on"]["schedule"]
    minute, hour, *rest = schedule["cron"].split()
    assert minute not in ("0", "*") and minute.isdigit() and (hour, rest) == ("*", ["*"] * 3)
    assert workflow["permissions"] == {}
    [job] = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read", "issues": "write"}
    assert int(job["timeout-minutes"]) <= 10 and job["if"] == "vars.BNET_PACKAGE != ''"
    for step in job["steps"]:
        assert re.fullmatch(r"[^@]+@[0-9a-f]{40}", step.get("uses", "a@" + "0" * 40)), "pinned by commit"
        assert "${{" not in step.get("run", ""), "nothing that somebody wrote becomes a part of a script"


def test_the_steps_of_the_workflow_do_what_they_say(
    workflow: dict[str, Any], gh: dict[str, str], tmp_path: Path
) -> None:
    bin_ = tmp_path / "bin"
    top = Path(__file__).parents[2]
    scripts = {
        "pipx": 'echo "$@" >> "$HOME/pipx.log"',
        "bnet": f'PYTHONPATH={top} exec {sys.executable} -m bnet "$@"',
    }
    for name, text in scripts.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_ / name).chmod(0o755)
    home, hub = tmp_path / "home", tmp_path / "hub.git"
    home.mkdir()
    env = gh | {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "BNET_HOME": str(home / "bnet"),
    }
    env |= {"GITHUB_REPOSITORY": "o/n", "GITHUB_SERVER_URL": "https://github.example", "BNET_HUB": str(hub)}
    env |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "PACKAGE": "git+https://x@y"}
    (home / "gitconfig").write_text("[user]\n\tname = n\n\temail = e@x\n")
    assert run([str(bin_ / "bnet"), "init", str(hub)], env=env, cwd=tmp_path).code == 0
    shown = run(["git", f"--git-dir={hub}", "show", f"bnet:{WORKFLOW}"], env=env)
    assert shown.out == (scaffold.root() / WORKFLOW).read_bytes(), "bnet init brings it"

    def play() -> list[int]:
        [job] = workflow["jobs"].values()
        # As GitHub runs a step that names no shell.
        steps = [["bash", "-e", "-c", step["run"]] for step in job["steps"]]
        return [run(each, env=env, cwd=tmp_path).code for each in steps]

    assert play() == [0, 0]
    assert (home / "pipx.log").read_text() == "install git+https://x@y\n"
    config = (home / "gitconfig").read_text()
    assert "https://github.example/" in config and "eC1hY2Nlc3MtdG9rZW46c2VjcmV0" in config
    assert run([str(bin_ / "bnet"), "submit", "--", "true"], env=env, cwd=tmp_path).code == 0
    push = ["git", "clone", "-q", str(hub), "c"]
    assert run(push, env=env, cwd=tmp_path).code == 0
    (tmp_path / "c/coordination/monitoring.yaml").write_text("stalled_after: 0\n")
    commit = ["git", "-C", "c", "commit", "-qam", "no patience"]
    assert run(commit, env=env, cwd=tmp_path).code == 0
    assert run(["git", "-C", "c", "push", "-q"], env=env, cwd=tmp_path).code == 0
    assert play() == [0, 1]
    [made] = json.loads(Path(gh["FAKE_GH"]).read_text())
    assert made["title"] == "queue-stalled: default" and made["state"] == "open"
    assert "    critical queue-stalled:default: #1 " in (tmp_path / "summary.md").read_text()
    assert run([str(bin_ / "bnet"), "cancel", "1"], env=env, cwd=tmp_path).code == 0
    assert play() == [0, 0]
    [made] = json.loads(Path(gh["FAKE_GH"]).read_text())
    assert made["state"] == "closed"
