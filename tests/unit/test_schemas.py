"""The schemas that editors get are those of the types, and accept what the inbox takes."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from bnet import scaffold
from bnet.codec.inbox import parse_commands
from bnet.codec.schedules import read_table
from bnet.codec.schemas import build, shipped
from bnet.codec.schemas.__main__ import main
from bnet.codec.sources import read_source


def valid(name: str, value: Any) -> bool:
    validator = jsonschema.Draft202012Validator(json.loads(shipped()[name]))
    return bool(validator.is_valid(value))


def test_they_are_up_to_date() -> None:
    assert build() == shipped(), "run python -m bnet.codec.schemas"
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", sorted(build()))
def test_each_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(shipped()[name]))


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("hub.json", None, True),
        ("hub.json", {"ttl": 60, "queues": {"fast": {"limit": 2}}}, True),
        ("hub.json", {"tttl": 60}, False),
        ("hub.json", {"push_budget": 0}, False),
        ("inbox.json", {"cancel": {"job": 1}}, True),
        ("inbox.json", [{"submit": {"command": "true"}}, {"pause": {"server": "s1"}}], True),
        ("inbox.json", {"cancel": {"job": 1}, "retry": {"job": 1}}, False),
        ("inbox.json", {"submit": {"comand": "true"}}, False),
        ("job.json", {"command": ["make", "all"], "timeout": "10m"}, True),
        ("job.json", [{"submit": {"command": "true"}}], True),
        ("job.json", {"cancel": {"job": 1}}, False),
        ("schedule.json", {"cron": "@daily", "submit": {"command": "true"}}, True),
        ("schedule.json", {"a": {"cron": "@daily", "submit": {"command": "true"}}}, True),
        ("schedule.json", [{"name": "a", "cron": "@daily", "submit": {"command": "true"}}], True),
        ("schedule.json", None, True),
        ("schedule.json", {"cron": "@daily", "submit": {"command": "true"}, "zone": "UTC"}, False),
        ("schedule.json", [{"cron": "@daily", "submit": {"command": "true"}}], False),
        ("source.json", {"repository": "/x", "submit": {"command": "make"}, "priority": {"main": 2}}, True),
        ("source.json", {"repository": "/x", "submit": {"command": "make"}, "priority": {"main": 11}}, False),
        ("source.json", {"repository": "/x"}, False),
        ("source.json", {"repository": "/x", "pipeline": "ci"}, True),
        ("source.json", {"repository": "/x", "pipeline": "ci", "submit": {"command": "make"}}, False),
        ("source.json", {"repository": "/x", "submit": {"command": "make"}, "coalesce": "some"}, False),
        ("message.json", None, True),
        ("message.json", {"from": "ann", "to": ["s1", "os=linux"], "requires_ack": "4h"}, True),
        ("message.json", {"command": [{"submit": {"command": "true"}}], "mood": "good"}, True),
        ("message.json", {"command": {"submit": {"comand": "true"}}}, False),
        ("message.json", {"priority": "hihg"}, False),
        ("replies.json", {"a": {"match": {"subject": "*disk*"}, "reply": "On it."}}, True),
        ("replies.json", {"a": {"match": {"from": ["a", "b"]}, "command": {"cancel": {"job": 1}}}}, True),
        ("replies.json", {"a": {"match": {"subjekt": "x"}, "reply": "On it."}}, False),
        ("replies.json", {"a": {"match": {}, "reply": "On it."}}, False),
        ("replies.json", {"a": {"match": {"to": "all"}}}, False),
    ],
)
def test_what_they_accept(name: str, value: Any, accepted: bool) -> None:
    assert valid(name, value) is accepted


def test_the_examples_of_the_inbox_are_right() -> None:
    text = (scaffold.root() / "coordination/inbox/README.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        assert parse_commands(example.encode(), "example.yaml")
        assert valid("inbox.json", yaml.safe_load(example))


def test_the_examples_of_the_schedules_are_right() -> None:
    text = (scaffold.root() / "coordination/schedules/README.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert [list(read_table(each.encode(), "x.yaml", "x").entries) for each in examples] == [
        ["x"],
        ["x/regex", "x/lxml"],
    ]
    assert all(valid("schedule.json", yaml.safe_load(each)) for each in examples)


def test_the_example_of_the_sources_is_right_and_shows_the_defaults() -> None:
    text = (scaffold.root() / "coordination/sources/README.md").read_text()
    [example] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    found = read_source(example.encode(), "widgets.yaml", "widgets")
    assert valid("source.json", yaml.safe_load(example))
    shown = yaml.safe_load(
        "\n".join(re.findall(r"^# ((?:every|coalesce|skip|first|notes|status): .*)$", example, re.M))
    )
    told = read_source((example + yaml.dump(shown)).encode(), "widgets.yaml", "widgets")
    assert (told.every, told.asked.skip) == (found.every, found.asked.skip)
    assert all(
        str(getattr(told.asked, key)) == str(getattr(found.asked, key)) for key in shown if key != "every"
    )


def test_the_defaults_shown_in_the_settings_are_the_defaults() -> None:
    from bnet.codec import people
    from bnet.model.hub import Settings

    text = (scaffold.root() / "coordination/hub.yaml").read_text()
    shown = "\n".join(re.sub(r"^# ?", "", line) for line in re.findall(r"^# ?[ a-z_]+:(?: .*)?$", text, re.M))
    data = {
        name: value for name, value in yaml.safe_load(shown).items() if name in Settings.__struct_fields__
    }
    parsed = people.parse(json.dumps(data).encode(), "hub.yaml")
    told = people.read(parsed, Settings, parsed.data)
    assert (told.name, told.telemetry_prefix) == (Settings().name, Settings().telemetry_prefix)
    assert (told.intervals, told.retention) == (Settings().intervals, Settings().retention)
    assert valid("hub.json", data)
