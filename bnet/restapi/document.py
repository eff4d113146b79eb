"""The OpenAPI document: made of the routes, and of the commands as the inbox takes them."""

import re
from typing import Any

import msgspec

from bnet.model.command import VERBS
from bnet.restapi.routes import ROUTES, Route

Schema = dict[str, Any]
_KINDS = {"number": "integer"}
_REF = "#/components/schemas/"


def document(version: str) -> Schema:
    """Return the document, of OpenAPI 3.1."""
    paths: dict[str, Schema] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "bnet",
            "version": version,
            "description": "A build network over HTTP. Whatever changes something takes the token of the server.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    plain: Schema = msgspec.json.decode(msgspec.json.encode(made))  # an empty tuple is a list from here on
    return plain


def _operation(route: Route) -> Schema:
    named = re.findall(r"{(\w+)}", route.path)
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": _KINDS.get(name, "string")}}
        for name in named
    ]
    parameters += [
        {"name": name, "in": "query", "description": told, "schema": {"type": "string"}}
        for name, told in route.query.items()
    ]
    made: Schema = {
        "operationId": route.name,
        "summary": route.told,
        "parameters": parameters,
        "responses": {
            "200": {"description": "It was done.", "content": _content(route.gives)},
            "default": {"description": "It was not, and why.", "content": _content("Error")},
        },
    }
    if route.method == "POST":
        made["security"] = [{"token": []}]
    if route.takes:
        # What the path says already need not be said again.
        body = _schema(route.takes) if not named else {"type": "object"}
        made["requestBody"] = {"required": not named, "content": {"application/json": {"schema": body}}}
    return made


def _content(name: str) -> Schema:
    return {"application/json": {"schema": _schema(name)}}


def _schema(name: str) -> Schema:
    inner = name.strip("[]")
    ref = {"$ref": _REF + inner}
    return {"type": "array", "items": ref} if name != inner else ref


def _schemas() -> dict[str, Schema]:
    commands, parts = msgspec.json.schema_components(list(VERBS.values()), ref_template=_REF + "{name}")
    verbs = dict(zip(VERBS, commands, strict=True))
    command = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    return {**parts, "Command": {**command, "properties": verbs}, **ANSWERS}


def _object(required: str, **more: Schema) -> Schema:
    """Return the schema of an object with at least some fields; those that are not described further are anything."""
    names = required.split()
    return {"type": "object", "required": names, "properties": {name: {} for name in names} | more}


_TEXT, _COUNT, _WHOLE = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "integer"}
_PERHAPS: Schema = {"type": ["string", "null"]}
ANSWERS: dict[str, Schema] = {
    "Error": _object("error", error=_TEXT, hint=_PERHAPS),
    "Done": _object("jobs said", jobs={"type": "array", "items": _WHOLE}, said=_TEXT),
    "Health": _object(
        "healthy at servers findings", healthy={"type": "boolean"}, findings={"type": "array", "items": {}}
    ),
    "Status": _object(
        "hub epoch seq servers jobs locks wrong", seq=_COUNT, servers={"type": "array", "items": {}}
    ),
    "Job": _object(
        "number name queue state result reason waiting_for server attempt priority labels exit_code submitted_by "
        "submitted_at started_at finished_at seconds artifacts",
        number=_WHOLE,
        name=_TEXT,
        state={"enum": ["pending", "running", "finished"]},
        result=_PERHAPS,
        server=_PERHAPS,
    ),
    "Build": _object(
        "number name state result server packages seconds submitted_at finished_at",
        number=_WHOLE,
        packages={"type": "array", "items": _TEXT},
    ),
    "Agent": _object(
        "name wanted why slots labels version joined_at jobs last_seen silent", name=_TEXT, slots=_COUNT
    ),
    "CacheStats": _object("path entries objects bytes content", entries=_COUNT, bytes=_COUNT),
    "CacheCleared": _object("entries objects bytes", entries=_COUNT, bytes=_COUNT),
    "Config": _object("url branch name hub format settings in_force", settings={"type": "object"}),
    "Event": _object("at seq commit actor verb target fields", seq=_COUNT, verb=_TEXT, target=_TEXT),
}
