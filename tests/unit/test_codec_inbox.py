"""What people write into the inbox, and what they are told when it is wrong."""

from __future__ import annotations

import pytest

from bnet.codec.durations import LONGEST, parse_duration
from bnet.codec.inbox import parse_commands
from bnet.errors import Invalid
from bnet.model.command import CancelJob, NeedRef, PauseServer, ResumeServer, RetryJob, SetPriority, Submit

# -- commands

COMMANDS = {
    "one command": ("cancel: {job: 12}", [CancelJob(job=12)]),
    "a list": (
        "- cancel: {job: 12, reason: old}\n- retry: {job: 3}",
        [CancelJob(job=12, reason="old"), RetryJob(job=3)],
    ),
    "JSON": ('[{"priority": {"job": 1, "priority": 2}}]', [SetPriority(job=1, priority=2)]),
    "a number in quotes": ("cancel: {job: '12'}", [CancelJob(job=12)]),
    "a BOM and CRLF": ("\ufeffresume:\r\n  server: s1\r\n", [ResumeServer(server="s1")]),
    "a word that YAML 1.1 takes for a truth": (
        "pause: {server: s1, reason: no}",
        [PauseServer(server="s1", reason="no")],
    ),
    "a comment": ("# why\n- resume: {server: s1} # now", [ResumeServer(server="s1")]),
    "a document marker": ("---\nresume: {server: s1}\n", [ResumeServer(server="s1")]),
    "an alias": ("- submit: {command: &c make}\n- submit: {command: *c}", [Submit(command="make")] * 2),
}


@pytest.mark.parametrize(("text", "commands"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_file_holds(text: str, commands: list[object]) -> None:
    assert parse_commands(text.encode(), "x.yaml") == commands


VALUES = {
    "env: {A: on}": ("env", {"A": "on"}),
    "env: {A: 1.10}": ("env", {"A": "1.10"}),
    "env: {A: 010}": ("env", {"A": "010"}),
    "env: {A: 12:30:45}": ("env", {"A": "12:30:45"}),
    "env: {A: 2026-11-20}": ("env", {"A": "2026-11-20"}),
    "env: {A: 1_000}": ("env", {"A": "1_000"}),
    "env: {A: 0x1F}": ("env", {"A": "0x1F"}),
    "env: {A: .inf}": ("env", {"A": ".inf"}),
    "labels: {os: linux, cpus: 4}": ("labels", {"os": "linux", "cpus": 4}),
    "needs: [12, lib, {job: x, on: always}]": ("needs", (12, "lib", NeedRef(job="x", on="always"))),
    "timeout: 10m": ("timeout", "10m"),
    "timeout: 90": ("timeout", 90),
    "matrix: {py: [3.10, 3.9]}": ("matrix", {"py": ("3.10", "3.9")}),
    "priority: 1": ("priority", 1),
    "not_before: 2026-12-24T18:00:00Z": ("not_before", "2026-12-24T18:00:00Z"),
    "name: a.b-c_d": ("name", "a.b-c_d"),
    "source: ~": ("source", None),
}


@pytest.mark.parametrize(("text", "expected"), VALUES.items(), ids=VALUES.keys())
def test_a_value_is_taken_as_it_is_written(text: str, expected: tuple[str, object]) -> None:
    [command] = parse_commands(f"submit:\n  command: make\n  {text}\n".encode(), "x.yaml")
    assert getattr(command, expected[0]) == expected[1]


def submit(line: str) -> str:
    return f"# a comment\n- submit:\n    command: make\n    {line}\n"


ERRORS: dict[str, tuple[str, int | None, str | None, str]] = {
    "a misspelt field": (submit("timout: 5"), 4, "[0].submit.timout", "did you mean timeout"),
    "a misspelt verb": ("- canel: {job: 1}", 1, "[0]", "no command 'canel'; did you mean cancel"),
    "a verb of nobody": ("- xyzzy: {}", 1, "[0]", "it is one of ack, approve, cancel, drain"),
    "a missing field": ("\n- cancel: {}", 2, "[0].cancel", "'job' is missing"),
    "a missing field, alone": ("cancel: {}", 1, "cancel", "'job' is missing"),
    "a text for a number": ("cancel: {job: twelve}", 1, "cancel.job", "must be a whole number, not 'twelve'"),
    "a priority beyond 10": (submit("priority: 11"), 4, "[0].submit.priority", "at most 10"),
    "a priority before 1": (submit("priority: 0"), 4, "[0].submit.priority", "at least 1"),
    "a job number of 0": ("cancel: {job: 0}", 1, "cancel.job", "at least 1"),
    "a name with a space": (submit("name: a b"), 4, "[0].submit.name", "'a b' is no name: use up to 64"),
    "a name that climbs": (submit("name: ../../x"), 4, "[0].submit.name", "is no name"),
    "a text for a list": (submit("locks: db"), 4, "[0].submit.locks", "must be a list"),
    "a list for a mapping": (submit("env: [A]"), 4, "[0].submit.env", "must be a mapping"),
    "a wrong word": (
        submit("sandbox: docker"),
        4,
        "[0].submit.sandbox",
        "none of none, bubblewrap, podman|none of bubblewrap",
    ),
    "a span that is none": (
        submit("timeout: soon"),
        4,
        "[0].submit.timeout",
        "'soon' is no span of time; write seconds or",
    ),
    "a span below zero": (submit("expires_after: -5"), 4, "[0].submit.expires_after", "between 0 and"),
    "the third of a list": (submit("locks: [a, b, C]"), 4, "[0].submit.locks[2]", "'C' is no name"),
    "a field of a need": (
        submit("needs: [{job: 1, when: always}]"),
        4,
        "[0].submit.needs[0]",
        "it is one of job, on",
    ),
    "no fields": ("- resume:", 1, "[0].resume", "must be a mapping"),
    "two verbs in one": ("- cancel: {job: 1}\n  retry: {job: 1}", 1, "[0]", "one verb with its fields"),
    "the second command": ("- cancel: {job: 1}\n- cancel: {jbo: 1}", 2, "[1].cancel", "job"),
    "a text": ("cancel 12", 1, None, "one verb with its fields"),
    "nothing": ("", None, None, "holds no command; begin with one of submit"),
    "only a comment": ("# hello\n", None, None, "holds no command"),
    "an empty list": ("[]", 1, None, "holds no command"),
    "a bracket": ("a: [1\nb: 2", 2, None, "no valid YAML"),
    "a tab": ("cancel:\n\tjob: 1", 2, None, "no valid YAML"),
    "two documents": ("cancel: {job: 1}\n---\ncancel: {job: 2}", 2, None, "no valid YAML"),
    "an alias of nothing": ("cancel: {job: *x}", 1, None, "no valid YAML"),
    "a loop": ("- &a [*a]", 1, None, "refers to itself"),
    "a deep nest": ("[" * 101 + "]" * 101, 1, None, "deeper than 100"),
    "a tag of Python": ("cancel: {job: !!python/name:os.system }", 1, None, "no valid YAML"),
    "a merge": ("- &x {job: 1}\n- cancel: {<<: *x}", 1, "[0]", "there is no command 'job'"),
    "the same verb twice": ("cancel: {job: 1}\ncancel: {job: 2}", 2, None, "cancel"),
    "the same field twice": ("cancel: {job: 1, job: 2}", 1, None, "job"),
}


@pytest.mark.parametrize(("text", "line", "field", "words"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_names_file_line_and_field(
    text: str, line: int | None, field: str | None, words: str
) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        parse_commands(text.encode(), "inbox/x.yaml")
    assert caught.value.file == "inbox/x.yaml"
    if line is not None:
        assert caught.value.line == line
    if field is not None:
        assert str(caught.value.field).startswith(field)


def test_bad_utf8_is_named_with_its_line() -> None:
    with pytest.raises(Invalid, match="save it as UTF-8") as caught:
        parse_commands(b"# one\n# two \xff\n", "x.yaml")
    assert caught.value.line == 2


def test_a_file_over_the_limit_is_not_read() -> None:
    with pytest.raises(Invalid, match="2,000,000 bytes"):
        parse_commands(b"#" * 2_000_000, "x.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "!!timestamp x",
        "!!bool x",
        "!!int ''",
        "!!float ''",
        "!!int x",
        "!!set {a}",
        "!!omap [a: 1]",
        "!!binary x",
        "!!pairs [a: 1]",
        "!x y",
        "!!null x",
        "!!str 1",
        "!!map [a]",
        "!!seq {a: 1}",
        "{[a]: b}",
        "? a",
        "%YAML 9.9\n--- a",
        '"\\ud800"',
        "\x00",
        "\ufeff\ufeff",
        "1" * 5000,
        "=",
        "<<: 1",
        "!!timestamp 2026-13-99",
        "&a",
        "*",
        "@",
        "`",
        "\x85",
        "!!merge x",
        "!!value x",
        '"\\U00110000"',
    ],
    ids=ascii,
)
@pytest.mark.parametrize("frame", ["{}", "- cancel: {{job: {}}}", "- submit: {{command: x, env: {{A: {}}}}}"])
def test_whatever_it_holds_it_is_read_or_refused(text: str, frame: str) -> None:
    try:
        parse_commands(frame.format(text).encode("utf-8", "surrogatepass"), "x.yaml")
    except Invalid as error:
        assert error.file == "x.yaml"


def test_a_bomb_of_aliases_is_refused_in_no_time() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"] + [
        f"{c}: &{c} [{','.join(f'*{chr(ord(c) - 1)}' for _ in range(9))}]" for c in "bcdefghij"
    ]
    with pytest.raises(Invalid, match="200,000"):
        parse_commands("\n".join(lines).encode(), "x.yaml")


# -- spans of time

SPANS = {
    "90": 90.0,
    "1.5": 1.5,
    "90s": 90.0,
    "10m": 600.0,
    "1h30m": 5400.0,
    "2d": 172800.0,
    "1w": 604800.0,
    " 1H 30M ": 5400.0,
    "0.5h": 1800.0,
    "0": 0.0,
    "1h1h": 7200.0,
}


@pytest.mark.parametrize(("text", "seconds"), SPANS.items())
def test_a_span_in_words(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("number", [0, 1, 2.5, LONGEST])
def test_a_span_in_seconds(number: float) -> None:
    assert parse_duration(number) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "10 minutes",
        "1h30",
        "-5m",
        "5x",
        "1h,30m",
        "1:30",
        "inf",
        "nan",
        "9" * 400,
        "11y",
        "521.5w",
        -1,
        LONGEST + 1,
        float("inf"),
        float("nan"),
    ],
    ids=str,
)
def test_what_is_no_span_is_refused_with_what_would_be_right(text: str | float) -> None:
    with pytest.raises(ValueError, match=r"no span of time; write seconds|must be between 0 and"):
        parse_duration(text)
