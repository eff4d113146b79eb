"""JSON Schemas for editors, made from the types that read the documents."""

import copy
import inspect
import re
from pathlib import Path
from typing import Any

import msgspec

from bnet.codec import people
from bnet.model.command import VERBS, Submit
from bnet.model.environment import Environments
from bnet.model.hub import Settings
from bnet.model.message import Front
from bnet.model.monitoring import Monitoring
from bnet.model.notify import Notifications
from bnet.model.reply import ReplyRule
from bnet.model.report import Report
from bnet.model.schedule import NamedSchedule, Schedule
from bnet.model.source import Upstream
from bnet.model.template import Manifest
from bnet.model.tree import Tree

HERE = Path(__file__).parent
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_ENTRY = re.compile(r"^    ([a-z_, ]+): (.*(?:\n        .*)*)", re.MULTILINE)


def build() -> dict[str, bytes]:
    """Return the schemas as they should be: file name -> content."""
    made = {
        "environments.json": _settings(
            Environments, "The environments of a bnet network (coordination/environments.yaml)"
        ),
        "hub.json": _hub(),
        "inbox.json": _inbox(),
        "job.json": _job(),
        "message.json": _message(),
        "monitoring.json": _settings(
            Monitoring, "What people want to be told of a bnet network (coordination/monitoring.yaml)"
        ),
        "notifications.json": _settings(
            Notifications,
            "What people are told of a bnet network, and where (coordination/notifications.yaml)",
        ),
        "replies.json": _replies(),
        "reports.json": _reports(),
        "schedule.json": _schedule(),
        "source.json": _source(),
        "template.json": _of(Manifest, "A template of bnet (template.yaml, or a template of one file)"),
        "tree.json": _tree(),
    }
    return {name: _spell(schema) for name, schema in made.items()}


def shipped() -> dict[str, bytes]:
    """Return the schemas that come with this bnet: file name -> content."""
    return {path.name: path.read_bytes() for path in sorted(HERE.glob("*.json"))}


def _hub() -> dict[str, Any]:
    schema = _of(Settings, "The settings of a bnet network (coordination/hub.yaml)")
    # bnet passes over a field that it does not know, for it may be a newer one's; an editor should mark it.
    for each in schema["$defs"].values():
        if each.get("properties"):
            each["additionalProperties"] = False
    schema["type"] = ["object", "null"]  # a file of nothing but comments
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"type": "null"}]
    return schema


def _settings(kind: type[msgspec.Struct], title: str) -> dict[str, Any]:
    schema = _of(kind, title)
    schema["type"] = ["object", "null"]  # a file of nothing but comments
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"type": "null"}]
    return schema


def _inbox() -> dict[str, Any]:
    """Return the schema of a file in the inbox: one command or a list of them."""
    schemas, parts = msgspec.json.schema_components(list(VERBS.values()), ref_template="#/$defs/{name}")
    verbs = dict(zip(VERBS, schemas, strict=True))
    command = {
        "type": "object",
        "description": "one verb with its fields",
        "properties": {verb: {"description": _first(VERBS[verb]), **verbs[verb]} for verb in VERBS},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    either = [{"$ref": "#/$defs/Command"}, {"type": "array", "items": {"$ref": "#/$defs/Command"}}]
    parts = {name: _described(part, name) for name, part in parts.items()}
    return _headed("Commands for a bnet network (coordination/inbox/*.yaml)") | {
        "anyOf": either,
        "$defs": {"Command": command, **parts},
    }


def _job() -> dict[str, Any]:
    """Return the schema of a file for `bnet submit -f`: the fields of one job, or submissions."""
    schema = _inbox()
    command = schema["$defs"]["Command"]
    command["properties"] = {"submit": command["properties"]["submit"]}
    used = _of(Submit, "")["$defs"]
    schema["$defs"] = {name: part for name, part in schema["$defs"].items() if name in {"Command", *used}}
    schema["anyOf"].insert(0, {"$ref": "#/$defs/Submit"})
    return schema | _headed("Jobs for a bnet network (bnet submit -f FILE)")


def _schedule() -> dict[str, Any]:
    """Return the schema of a file of schedules: one, a list of named ones, or a mapping from names to them."""
    schema = _of(NamedSchedule, "Schedules of a bnet network (coordination/schedules/*.yaml)")
    schema["$defs"] |= _of(Schedule, "")["$defs"]
    one = {"$ref": "#/$defs/Schedule"}
    many = {"type": "object", "additionalProperties": one}
    listed = {"type": "array", "items": {"$ref": schema.pop("$ref")}}
    # A mapping with a cron expression is a schedule: an editor then complains about its fields, and not about all.
    single = {"properties": {"cron": {"type": "string"}}, "required": ["cron"], "type": "object"}
    schema["if"], schema["then"] = single, one
    schema["else"] = {"anyOf": [many, listed, {"type": "null"}]}
    return schema


def _source() -> dict[str, Any]:
    schema = _of(Upstream, "A source of a bnet network (coordination/sources/*.yaml)")
    schema["$defs"]["Upstream"]["oneOf"] = [{"required": ["submit"]}, {"required": ["pipeline"]}]
    return schema


def _message() -> dict[str, Any]:
    """Return the schema of a message's front matter; its command is one of the inbox."""
    schema = _of(Front, "The front matter of a message (messages/<yyyy>/<mm>/<dd>/<id>.md)")
    inbox = _inbox()
    command = schema["$defs"]["Front"]["properties"]["command"]
    schema["$defs"]["Front"]["properties"]["command"] = {
        "description": command["description"],
        "anyOf": [*inbox["anyOf"], {"type": "null"}],
    }
    schema["$defs"] |= inbox["$defs"]
    schema["type"] = ["object", "null"]  # a front matter of nothing but comments
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"type": "null"}]
    return schema


def _replies() -> dict[str, Any]:
    """Return the schema of the rules for automatic answers; their commands are those of the inbox."""
    schema = _of(ReplyRule, "The rules for automatic answers of a bnet network (coordination/replies.yaml)")
    inbox = _inbox()
    rule = schema["$defs"]["ReplyRule"]
    command = rule["properties"]["command"]
    rule["properties"]["command"] = {"description": command["description"], "anyOf": inbox["anyOf"]}
    rule["anyOf"] = [{"required": ["reply"]}, {"required": ["command"]}]
    schema["$defs"]["Match"]["minProperties"] = 1
    schema["$defs"] |= inbox["$defs"]
    schema["type"] = ["object", "null"]  # a file of nothing but comments
    schema["additionalProperties"] = {"$ref": schema.pop("$ref")}
    return schema


def _reports() -> dict[str, Any]:
    schema = _of(Report, "The reports of a bnet network (coordination/reports.yaml)")
    schema["type"] = ["object", "null"]  # a file of nothing but comments
    schema["additionalProperties"] = {"anyOf": [{"$ref": schema.pop("$ref")}, {"type": "null"}]}
    return schema


def _tree() -> dict[str, Any]:
    schema = _of(Tree, "The packages of a source tree (bnet.yaml)")
    schema["type"] = ["object", "null"]  # a file of nothing but comments
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"type": "null"}]
    return schema


def _of(kind: type[msgspec.Struct], title: str) -> dict[str, Any]:
    schema: dict[str, Any] = copy.deepcopy(people.schema_of(kind))
    schema["$defs"] = {name: _described(part, name) for name, part in schema["$defs"].items()}
    return _headed(title) | schema


def _headed(title: str) -> dict[str, Any]:
    return {"$schema": DRAFT, "title": title}


def _described(part: dict[str, Any], name: str) -> dict[str, Any]:
    """Give each property the line that the type's docstring has on it, and the type its first paragraph."""
    text = inspect.cleandoc(part.get("description", ""))
    first, _, rest = text.partition("\n\n")
    properties = part.get("properties", {})
    for names, said in _ENTRY.findall(rest):
        for field in properties.keys() & set(names.split(", ")):
            # A $ref may stand beside other keywords since draft 2019-09.
            properties[field] = {"description": " ".join(said.split())} | properties[field]
    return part | ({"description": " ".join(first.split())} if first else {})


def _first(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())


def _spell(schema: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"
