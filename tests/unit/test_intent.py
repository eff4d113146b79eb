"""What a supervisor is told to do for a job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bnet.app.intent import Builder, intent_of
from bnet.model.job import Claim, Job, JobSpec, Source
from bnet.model.run import Intent

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OID = "a" * 40
BUILDER = Builder(("python", "-m", "bnet"), "/cache")


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
    assert (shell, option, name, tuple(words)) == ("sh", "-c", "fetch-source", told)
    assert '"$1" "$2"' in text and '--detach "$3"' in text


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
