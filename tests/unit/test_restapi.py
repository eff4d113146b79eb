"""The API: its document is one of OpenAPI, and each route does and answers what that says."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from bnet.codec.inbox import parse_commands
from bnet.errors import BnetError, Invalid
from bnet.model.history import Event
from bnet.model.job import Source
from bnet.restapi.app import BASE, application
from bnet.restapi.document import document
from bnet.restapi.routes import ROUTES, NotThere
from bnet.wiring.interface import first_of

DOCUMENT = document("1.0")


class Stub:
    """A network that holds nothing, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.source: Source | None = None

    def health(self) -> Any:
        raise BnetError("the hub is away")

    def job(self, number: int) -> Any:
        raise NotThere

    def agents(self) -> Any:
        return []

    def jobs(self, state: str | None) -> Any:
        self.asked.append(state)
        return []

    def events(self, after: int, limit: int) -> Any:
        self.asked.append((after, limit))
        return []

    def last_source(self) -> Source | None:
        return self.source

    def act(self, command: Mapping[str, Any]) -> Any:
        parse_commands(json.dumps(command).encode(), "the request")
        self.asked.append(command)
        return {"jobs": [], "said": "done"}


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def client(stub: Stub) -> FlaskClient:
    network: Any = stub  # it has what these tests ask for
    return application(network).test_client()


def test_the_document_is_one_of_openapi(client: FlaskClient) -> None:
    validate(DOCUMENT)
    told = client.get(f"{BASE}/openapi.json").get_json()
    assert told["paths"] == DOCUMENT["paths"]
    assert {(method.upper(), path) for path, each in told["paths"].items() for method in each} == {
        (route.method, route.path) for route in ROUTES
    }


def test_every_change_asks_for_the_token_and_nothing_else_does() -> None:
    for route in ROUTES:
        told = DOCUMENT["paths"][route.path][route.method.lower()]
        assert (told.get("security") == [{"token": []}]) is (route.method == "POST"), route


WISHES: list[tuple[str, Any, Any]] = [
    ("/jobs", {"command": "true"}, {"submit": {"command": "true"}}),
    ("/jobs/3/cancel", {"reason": "no"}, {"cancel": {"reason": "no", "job": 3}}),
    ("/jobs/3/cancel", None, {"cancel": {"job": 3}}),
    ("/jobs/3/cancel", {"job": 4}, {"cancel": {"job": 3}}),
    ("/jobs/3/retry", None, {"retry": {"job": 3}}),
    ("/jobs/3/approve", {"reject": "no"}, {"approve": {"reject": "no", "job": 3}}),
    ("/jobs/3/priority", {"priority": 1}, {"priority": {"priority": 1, "job": 3}}),
    ("/agents/s1/pause", None, {"pause": {"server": "s1"}}),
    ("/agents/s1/drain", None, {"drain": {"server": "s1"}}),
    ("/agents/s1/resume", None, {"resume": {"server": "s1"}}),
    ("/commands", {"cancel": {"job": 3}}, {"cancel": {"job": 3}}),
    ("/build", {"source": "/x.git@main"}, {"submit": {"source": "/x.git@main", "packages": ["*"]}}),
    ("/build/core", {"source": "/x.git"}, {"submit": {"source": "/x.git", "packages": ["core"]}}),
    ("/build", None, {"submit": {"packages": ["*"]}}),
]


@pytest.mark.parametrize(("path", "body", "command"), WISHES)
def test_each_change_is_a_command_of_the_inbox(
    client: FlaskClient, stub: Stub, path: str, body: Any, command: Any
) -> None:
    answer = client.post(BASE + path, data=b"" if body is None else json.dumps(body))
    assert (answer.status_code, stub.asked) == (200, [command])
    assert matches(answer.get_json(), "Done")


def test_what_is_built_without_a_source_is_what_was_built_last(client: FlaskClient, stub: Stub) -> None:
    stub.source = Source(repository="/x.git", ref="main", commit="a" * 40)
    client.post(f"{BASE}/build")
    assert stub.asked[0]["submit"]["source"] == {"repository": "/x.git", "ref": "main"}


def matches(value: Any, name: str) -> bool:
    schemas = {"components": DOCUMENT["components"], "$ref": f"#/components/schemas/{name}"}
    Draft202012Validator(schemas).validate(value)
    return True


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", b"", 404),
        ("GET", "/jobs/99", b"", 404),
        ("GET", "/jobs/x", b"", 404),
        ("GET", "/jobs/-1", b"", 404),
        ("GET", "/agents/none", b"", 404),
        ("GET", "/jobs/3/cancel", b"", 405),
        ("DELETE", "/jobs/3", b"", 405),
    ],
)
def test_what_is_not_there_is_said(
    client: FlaskClient, method: str, path: str, body: bytes, status: int
) -> None:
    answer = client.open(BASE + path, method=method, data=body)
    assert answer.status_code == status and matches(answer.get_json(), "Error")


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("POST", "/jobs", b"[1]", "takes an object"),
        ("POST", "/jobs", b"{", "takes an object"),
        ("POST", "/jobs", b"\xff", "takes an object"),
        ("POST", "/jobs", b"[" * 50_000, "takes an object"),
        ("POST", "/jobs", b'{"comand": "x"}', "did you mean command"),
        ("POST", "/commands", b"{}", "one verb with its fields"),
        ("GET", "/events?limit=-1", b"", "whole number"),
        ("GET", "/events?after=x", b"", "whole number"),
        ("GET", "/jobs?state=gone", b"", "pending, running or finished"),
        ("GET", "/health", b"", "the hub is away"),
    ],
)
def test_an_error_for_people_is_left_to_the_server(
    client: FlaskClient, method: str, path: str, body: bytes, why: str
) -> None:
    with pytest.raises(BnetError, match=why):
        client.open(BASE + path, method=method, data=body)
    assert issubclass(Invalid, BnetError)


def test_a_list_has_an_end(client: FlaskClient, stub: Stub) -> None:
    client.get(f"{BASE}/events?limit=999999&after=3")
    assert stub.asked == [(3, 1000)]


@pytest.mark.parametrize(
    ("limit", "seqs"), [(0, []), (1, [4, 4]), (2, [4, 4]), (3, [4, 4, 5]), (9, [4, 4, 5])]
)
def test_a_list_of_events_ends_with_a_whole_transaction(limit: int, seqs: list[int]) -> None:
    events = [Event(seq=seq, commit="", at=0, actor="", verb="", target="", fields={}) for seq in (4, 4, 5)]
    assert [each.seq for each in first_of(events, limit)] == seqs


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from bnet.cli.site import _api

    monkeypatch.setitem(sys.modules, "flask", None)
    monkeypatch.delitem(sys.modules, "bnet.restapi.app", raising=False)
    nothing: Any = None  # nobody is asked
    with pytest.raises(BnetError, match="needs flask, which is not installed") as told:
        _api(nothing, nothing)
    assert told.value.hint == "pip install 'bnet[api]'"
