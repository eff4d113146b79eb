"""What a supervisor is told to do for a job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bnet.app.server.intent import Builder, intent_of
from bnet.model.job import Claim, Job, JobSpec, Source
from bnet.model.run import Intent

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OID = "a" * 40
BUILDER = Builder(("python", "-m", "bnet"), "/cache", "/home", "/copies")


def intent(**fields: Any) -> Intent:
    base = {"number": 7, "name": "j", "command": "make", "submitted_by": "a", "submitted_at": NOW}
    claim = Claim(server="s1", instance="i", attempt=3, run="r", token=5, ttl_s=60.0, claimed_at=NOW)
    return intent_of(Job(spec=JobSpec(**(base | fields)), claim=claim), "ssh://hub", "/w", BUILDER)


def test_an_intent_is_of_the_run_that_holds_the_claim() -> None:
    found = intent(on_lost_lease="stop")
    told = (found.run, found.job, found.attempt, found.name, found.ttl_s, found.on_lost_lease)
    assert told == ("r", 7, 3, "j", 60.0, "stop")
    assert (found.command, found.prepare, found.env) == ("make", (), {})


def test_what_was_asked_for_is_told_as_it_was_asked() -> None:
    fields: dict[str, Any] = {
        "env": {"A": "1"},
        "secrets": ("TOKEN",),
        "timeout": 60.0,
        "silence_timeout": 30.0,
        "artifacts": ("*.whl",),
    }
    found = intent(**fields)
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (Source(snapshot=OID), ("ssh://hub", f"refs/bnet/sources/{OID}", OID)),
        (Source(repository="https://h/r.git", ref="v1", commit=OID), ("https://h/r.git", OID, OID)),
    ],
    ids=["a snapshot is on the hub", "a commit is in its repository"],
)
def test_a_source_is_fetched_before_the_command(source: Source, told: tuple[str, ...]) -> None:
    [(shell, option, text, name, *words)] = intent(source=source).prepare
    assert (shell, option, name, tuple(words)) == ("sh", "-c", "fetch-source", (*told, "sha1"))
    assert '"$1" "$2"' in text and '--detach "$3"' in text


OF_SOURCE: dict[str, Any] = {
    "env": {"BNET_SOURCE": "widgets", "BNET_COMMIT": OID},
    "source": Source(repository="https://h/r.git", ref="refs/heads/main", commit=OID),
}


def test_a_commit_of_a_watched_repository_is_borrowed_from_the_servers_copy() -> None:
    [(shell, _, text, *words)] = intent(**OF_SOURCE).prepare
    called = ("env", "BNET_HOME=/home", "python", "-P", "-m", "bnet", "source")
    told = ("fetch-source", "https://h/r.git", OID, OID, "sha1", "/w", "300.0", *called)
    assert (shell, tuple(words)) == ("sh", told)
    assert "objects/info/alternates" in text and "fetch -q --depth=1" in text, "and if there is none"


@pytest.mark.parametrize(
    ("fields", "patience"),
    [
        ({"timeout": 60.0}, "15.0"),
        ({"timeout": 60.0, "silence_timeout": 8.0}, "2.0"),
        ({"timeout": 86400.0}, "300.0"),
    ],
)
def test_waiting_for_the_copy_leaves_a_job_most_of_its_time(fields: dict[str, Any], patience: str) -> None:
    [step] = intent(**OF_SOURCE, **fields).prepare
    assert step[9] == patience


@pytest.mark.parametrize(
    "fields",
    [
        {"env": {}},
        {"env": {"BNET_SOURCE": "widgets", "BNET_COMMIT": "b" * 40}},
        {"source": Source(snapshot=OID)},
        {"sandbox": "podman"},
    ],
    ids=["somebody's own", "another commit", "a snapshot", "in a container"],
)
def test_all_else_is_fetched_by_itself(fields: dict[str, Any]) -> None:
    step = intent(**(OF_SOURCE | fields)).prepare[0]
    assert step[3] == "fetch-source" and len(step) == 8


@pytest.mark.parametrize("key", [None, f"source:widgets:{OID}", f"source:widgets:{OID}/build", "mine"])
def test_it_borrows_under_whichever_key_it_is_tried_again(key: str | None) -> None:
    assert len(intent(**OF_SOURCE, key=key, retry_of=6).prepare[0]) > 8


def test_a_sandbox_shows_the_copy_that_is_borrowed_from() -> None:
    _, probe = intent(**OF_SOURCE, sandbox="bubblewrap").prepare
    assert "--tmpfs /tmp --ro-bind-try /copies /copies --bind-try" in " ".join(probe)


def test_packages_are_built_by_the_servers_bnet_with_its_cache() -> None:
    found = intent(command=(), packages=("lib", "tool"), env={"A": "1"})
    build = ("python", "-m", "bnet", "build", "--json-to", ".bnet/build.json", "--", "lib", "tool")
    assert (found.command, found.env) == (build, {"A": "1", "BNET_CACHE": "/cache"})
    assert intent(packages=("lib",), env={"BNET_CACHE": "/mine"}).env == {"BNET_CACHE": "/mine"}


WRAP = "bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind-try {0} {0} --bind /w /w --chdir /w"
REST = "--unshare-net --die-with-parent --"


@pytest.mark.parametrize(
    ("fields", "besides", "inner"),
    [
        ({}, "/w", ("sh", "-c", "make")),
        ({"command": ("make", "all")}, "/w", ("make", "all")),
        (
            {"packages": ("lib",)},
            "/cache",
            (*BUILDER.argv, "build", "--json-to", ".bnet/build.json", "--", "lib"),
        ),
    ],
    ids=["a text is for sh", "words are as they are", "a build may write to the cache"],
)
def test_a_sandbox_lets_write_to_the_workspace_and_is_tried_first(
    fields: dict[str, Any], besides: str, inner: tuple[str, ...]
) -> None:
    found = intent(sandbox="bubblewrap", source=Source(snapshot=OID), **fields)
    wrap = (*WRAP.format(besides).split(), *REST.split())
    assert found.command == (*wrap, *inner)
    assert found.prepare[1:] == ((*wrap, "true"),), "after the source was fetched"


@pytest.mark.parametrize("image", [None, "alpine:3"])
def test_a_container_has_the_workspace_and_the_names_of_the_variables(image: str | None) -> None:
    found = intent(sandbox="podman", image=image, env={"A": "1"}, secrets=("TOKEN",))
    shown = image or "docker.io/library/debian:stable-slim"
    assert found.prepare == (("podman", "image", "inspect", "--format", "{{.Id}}", shown),)
    names = [f"--env={name}" for name in ("A", "TOKEN", "BNET_JOB", "BNET_ATTEMPT", "BNET_RUN")]
    place = ("--volume", "/w:/w", "--workdir", "/w")
    assert found.command == ("podman", "run", "--rm", *names, *place, shown, "sh", "-c", "make")
