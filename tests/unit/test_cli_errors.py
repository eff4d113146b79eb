"""Each verb with wrong arguments: the exit code says whose fault it is, the message what would be right."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from bnet.cli import errors
from bnet.cli.main import VERBS, cli
from bnet.errors import (
    AnswerNo,
    BnetError,
    Damaged,
    HubUnreachable,
    Invalid,
    RefusedByPolicy,
    Taken,
)


class Said(NamedTuple):
    """How a command ended."""

    code: int | str | None
    out: str
    err: str


Say = Callable[..., Said]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Say:
    """The command line in this process, as `bnet` runs it."""
    monkeypatch.setenv("BNET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BNET_HUB", str(tmp_path / "hub.git"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["bnet", *words])
        with pytest.raises(SystemExit) as end:
            errors.guarded()
        printed = capsys.readouterr()
        return Said(end.value.code, printed.out, printed.err)

    return call


@pytest.fixture
def on_hub(say: Say, tmp_path: Path) -> Say:
    """The command line beside an empty hub."""
    assert say("init", str(tmp_path / "hub.git")).code == 0
    return say


def helpful(said: Said, *words: str) -> bool:
    """Tell whether a message is for people: no traceback, and with the words that they need."""
    assert "Traceback" not in said.err and "a bug in bnet" not in said.err, said.err
    missing = [word for word in words if word not in said.err]
    assert not missing, f"{missing} not in {said.err!r}"
    return True


# -- what needs no hub

USAGE: Sequence[tuple[str, str]] = [
    ("statsu", "Did you mean status?"),
    ("submti -- true", "Did you mean submit?"),
    ("xyzzy", "No such command 'xyzzy'"),
    ("server pasue a", "Did you mean 'pause'?"),
    ("jobs --state done", "'done' is not one of 'pending', 'running', 'finished'"),
    ("show", "NUMBER"),
    ("show x", "'x' is not a valid integer"),
    ("logs x", "'x' is not a valid integer"),
    ("logs 1 --attempt x", "'x' is not a valid integer"),
    ("wait", "Missing argument"),
    ("wait x", "'x' is not a valid integer"),
    ("wait 1 --timeout soon", "'soon' is not a valid float"),
    ("cancel x", "'x' is not a valid integer"),
    ("retry x", "'x' is not a valid integer"),
    ("priority 1", "Missing argument"),
    ("priority 1 11", "11 is not in the range 1<=x<=10"),
    ("why", "Missing argument"),
    ("why x", "bnet why NUMBER"),
    ("why #", "bnet why NUMBER"),
    ("why ²", "bnet why NUMBER"),
    ("sync --nope", "--nope"),
    ("sync --delay x", "'x' is not a valid float"),
    ("sync", "bnet join HUB --name NAME"),
    ("agent", "bnet join HUB --name NAME"),
    ("agent --jobs 0", "0 is not in the range x>=1"),
    ("agent --idle-exit x", "'x' is not a valid float"),
    ("join hub.git", "'--name'"),
    ("join hub.git --name A", "is no name for a server"),
    ("join hub.git --name con", "is no name for a server"),
    ("join hub.git --name a..b", "is no name for a server"),
    ("join hub.git --name a.lock", "is no name for a server"),
    ("join hub.git --name b --slots x", "'x' is not a valid"),
    ("join hub.git --name b --slots -1", "-1 is not in the range x>=0"),
    ("join hub.git --name b --label x", "KEY=VALUE"),
    ("submit", "there is nothing to run"),
    ("submit --", "bnet submit -- COMMAND"),
    ("submit make -j8", "bnet submit -- make -j8"),
    ("submit --nonsense -- true", "No such option '--nonsense'"),
    ("submit -f absent.yaml", "absent.yaml: No such file"),
    ("submit -f . ", ".: Is a directory"),
    ("submit -f x.yaml -- true", "everything about a job stands in the file"),
    ("submit --label os -- true", "'os' is no NAME=VALUE"),
    ("submit --label =x -- true", "'=x' is no NAME=VALUE"),
    ("submit --label OS=x -- true", "--label: 'OS' is no name"),
    ("submit --env A -- true", "'A' is no NAME=VALUE"),
    ("submit --timeout soon -- true", "--timeout: 'soon' is no span of time; write seconds or"),
    ("submit --timeout -5 -- true", "--timeout: '-5' is no span of time"),
    ("submit --timeout 99999999999 -- true", "--timeout: must be between 0 and 315360000 seconds"),
    ("submit --silence-timeout 1y -- true", "--silence-timeout: '1y' is no span of time"),
    ("submit --expires-after never -- true", "--expires-after: 'never' is no span of time"),
    ("submit --priority high -- true", "'high'"),
    ("submit --priority 11 -- true", "11"),
    ("submit --name ../x -- true", "--name: '../x' is no name: use up to 64"),
    ("submit --name= -- true", "--name: '' is no name"),
    ("submit --queue A -- true", "--queue: 'A' is no name"),
    ("submit --lock A -- true", "--lock: 'A' is no name"),
    ("submit --retry x -- true", "--retry: must be"),
    ("submit --retry 101 -- true", "--retry: must be at most 100, not 101"),
    ("submit --group a:x -- true", "--group: must be a whole number, not 'x'"),
    ("submit --group a:0 -- true", "--group: must be at least 1, not 0"),
    ("submit --matrix py -- true", "'py' is no NAME=VALUE"),
    ("submit --matrix PY=1 -- true", "--matrix: 'PY' is no name"),
    ("submit --sandbox chroot -- true", "'chroot' is not one of 'none', 'bubblewrap', 'podman'"),
    ("hub upgrade --to x", "'x' is not a valid integer"),
]


@pytest.mark.parametrize(("line", "advice"), USAGE, ids=[line for line, _ in USAGE])
def test_a_wrong_request_ends_with_2_and_says_what_would_be_right(say: Say, line: str, advice: str) -> None:
    said = say(*line.split())
    assert (said.code, said.out) == (2, "")
    assert helpful(said, advice)


def test_every_verb_has_help_with_an_example(say: Say) -> None:
    for verb in VERBS:
        said = say(verb, "--help")
        assert said.code == 0 and "Example: bnet" in said.out, verb


def test_no_verb_at_all_shows_the_verbs(say: Say) -> None:
    said = say()
    assert said.code == 2 and "submit" in said.out + said.err


# -- what the hub has to be asked for

REFUSED: Sequence[tuple[list[str], str]] = [
    (["show", "99"], "there is no job #99"),
    (["show", "--", "-1"], "there is no job #-1"),
    (["logs", "99"], "there is no job #99"),
    (["logs", "-f", "99"], "there is no job #99"),
    (["wait", "99"], "there is no job #99"),
    (["cancel", "99"], "there is no job #99"),
    (["retry", "99"], "there is no job #99"),
    (["priority", "99", "3"], "there is no job #99"),
    (["why", "99"], "there is no job #99"),
    (["why", "#99"], "`bnet jobs --all` lists every one"),
    (["server", "pause", "nope"], "there is no server nope"),
    (["server", "remove", "nope"], "there is no server nope"),
    (["hub", "upgrade", "--to", "99"], "this bnet knows the formats up to"),
    (["submit", "--", ""], "the command is empty"),
    (["submit", "--", "  "], "the command is empty"),
    (["submit", "--key", "", "--", "true"], "the key is empty"),
    (["submit", "--name", "con", "--", "true"], "'con' is no name for a job"),
    (["submit", "--group", "A", "--", "true"], "group 'A' is no name"),
    (["submit", "--env", "A B=1", "--", "true"], "'A B' is no name of an environment variable"),
    (["submit", "--needs", "nope", "--", "true"], "needs: there is no job named nope"),
    (["submit", "--needs", "99", "--", "true"], "needs: there is no job #99"),
    (["submit", "--needs", "../x", "--", "true"], "needs: there is no job named ../x"),
    (["submit", "--matrix", "py=", "--", "true"], "axis py"),
    (["submit", "--matrix", "n=" + ",".join(map(str, range(300))), "--", "true"], "more than 256"),
    (["submit", "--not-before", "tomorrow", "--", "true"], "write for instance 2026-12-24T18:00:00Z"),
    (["submit", "--not-before", "2026-12-24T18:00:00", "--", "true"], "names no time zone"),
    (["submit", "--source", "relative", "--", "true"], "is no address of a repository"),
    (["submit", "--source", "ext::sh -c id@x", "--", "true"], "is no address of a repository"),
    (["submit", "--source", "/nowhere/at/all@main", "--", "true"], "there is no repository"),
]


@pytest.mark.parametrize(("words", "advice"), REFUSED, ids=[" ".join(words)[:60] for words, _ in REFUSED])
def test_what_cannot_be_done_ends_with_2_and_leaves_nothing(
    on_hub: Say, words: list[str], advice: str, tmp_path: Path
) -> None:
    said = on_hub(*words)
    assert (said.code, said.out) == (2, "")
    assert helpful(said, advice)
    assert on_hub("jobs", "--all", "--json").out == "[]\n"
    assert not list((tmp_path / "home" / "outbox").glob("*")), "it would be tried again, and refused again"


FILES: Sequence[tuple[str, bytes, str]] = [
    ("no YAML", b"command: [\n", "x.yaml:2: is no valid YAML"),
    (
        "a misspelt field",
        b"command: make\ntimout: 5\n",
        'x.yaml:2: field "timout": there is no such field; did',
    ),
    (
        "a wrong type",
        b"command: make\npriority: high\n",
        'x.yaml:2: field "priority": must be a whole number',
    ),
    ("no submission", b"- cancel: {job: 1}\n", "`bnet submit` takes jobs only"),
    ("nothing", b"", "holds no command"),
    ("no UTF-8", b"command: \xff\n", "x.yaml:1: is no UTF-8 text"),
    ("a span that is none", b"command: make\ntimeout: soon\n", 'x.yaml:2: field "timeout"'),
    ("a field twice", b"command: a\ncommand: b\n", "x.yaml:2: 'command' stands here twice"),
]


@pytest.mark.parametrize(("text", "place"), [each[1:] for each in FILES], ids=[each[0] for each in FILES])
def test_a_wrong_file_is_named_with_line_and_field(on_hub: Say, text: bytes, place: str) -> None:
    Path("x.yaml").write_bytes(text)
    said = on_hub("submit", "-f", "x.yaml")
    assert said.code == 2 and helpful(said, place)


def test_a_source_without_that_ref_is_told_with_what_there_is(on_hub: Say, tmp_path: Path) -> None:
    import subprocess

    for words in (["init", "-q", "src"], ["-C", "src", "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], check=True)
    said = on_hub("submit", "--source", f"{tmp_path}/src@mian", "--", "true")
    assert said.code == 2 and helpful(said, "has no ref 'mian'")
    assert on_hub("submit", "--source", f"{tmp_path}/src@main", "--", "true").code == 0


def test_numbers_stay_what_they_are_in_words(on_hub: Say) -> None:
    said = on_hub("submit", "--json", "--name", "12", "-e", "A=007", "-l", "v=3", "--", "echo", "007", "8")
    assert said.code == 0
    assert '"name": "12"' in said.out and '"v": "3"' in said.out


@pytest.mark.parametrize("option", ["--name", "--label", "--key", "--env"])
def test_bytes_that_are_no_text_are_refused(on_hub: Say, option: str) -> None:
    value = {"--label": "os=\udcff", "--env": "A=\udcff"}.get(option, "\udcff")
    said = on_hub("submit", option, value, "--", "true")
    assert said.code == 2 and helpful(said)


def test_a_command_that_is_no_text_is_refused(on_hub: Say) -> None:
    said = on_hub("submit", "--", "echo \udcff")
    assert said.code == 2 and helpful(said, "is no valid UTF-8")


def test_a_submitter_of_two_lines_is_one(on_hub: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNET_USER", "eve\n\nBnet-Seq: 999999")
    said = on_hub("submit", "--json", "--", "true")
    assert said.code == 0 and '"submitted_by": "eve Bnet-Seq: 999999"' in said.out


@pytest.mark.parametrize(
    "url", ["/nowhere/at/all", "-x", "http://127.0.0.1:9/x", "ssh://127.0.0.1:9/x", "nosuch://x", "ext::sh"]
)
def test_a_hub_that_cannot_be_reached_ends_with_4_in_one_line(say: Say, url: str) -> None:
    said = say("--hub", url, "jobs")
    assert said.code == 4 and helpful(said, "cannot be reached")
    assert len(said.err.splitlines()) == 1


# -- from errors to exit codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BnetError("x"), 2),
        (Invalid("x"), 2),
        (AnswerNo("x"), 1),
        (Damaged("x"), 1),
        (HubUnreachable("x"), 4),
        (RefusedByPolicy("x"), 5),
        (Taken("x"), 6),
        (KeyboardInterrupt(), 130),
        (click.exceptions.Abort(), 130),
        (OSError(28, "No space left on device"), 2),
        (FileNotFoundError(2, "No such file or directory"), 2),
        (ValueError("a slip"), 3),
        (UnicodeEncodeError("utf-8", "ü", 0, 1, "a slip"), 3),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), 2),
    ],
    ids=repr,
)
def test_each_kind_of_error_has_its_exit_code(
    say: Say, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail(context: click.Context) -> None:
        raise error

    monkeypatch.setattr(cli, "invoke", fail)
    assert say("jobs").code == code


def test_a_bug_is_one_line_and_a_traceback_in_a_file(
    say: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cli, "invoke", lambda context: 1 / 0)
    said = say("jobs", "\udcff")
    assert said.code == 3
    [line] = said.err.splitlines()
    assert "a bug in bnet: ZeroDivisionError" in line and line.endswith("logs/bug.log")
    assert "Traceback" in (tmp_path / "home" / "logs" / "bug.log").read_text()
