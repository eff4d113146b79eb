"""`notifications.yaml`: what is wrong in it is told with line and field, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnet import scaffold
from bnet.codec.notifications import read_notifications
from bnet.errors import Invalid
from bnet.model.events import EVENTS
from bnet.model.notify import Notifications

SECRET = "hunter2"
ROUTE = "channels: {ops: {urls: '${BNET_NOTIFY_A}'}}\nroutes:\n- name: r\n  to: [ops]\n  "


@pytest.mark.parametrize(
    ("text", "line", "field", "told"),
    [
        ("chanels: {}", 1, "chanels", "did you mean channels?"),
        (
            f"channels:\n  a: {{urls: 'mailtos://me:{SECRET}@example.org'}}",
            2,
            "channels.a.urls",
            "holds a password",
        ),
        (
            f"channels:\n  a: {{urls: 'mailtos://example.org?user=me&pass={SECRET}'}}",
            2,
            "channels.a.urls",
            "holds a password",
        ),
        (
            f"channels:\n  a: {{urls: 'ntfys://tk_{SECRET}@ntfy.sh/x'}}",
            2,
            "channels.a.urls",
            "holds a password",
        ),
        (f"channels:\n  a: 'mailtos://me:{SECRET}@example.org'", 2, "channels.a", "must be a mapping"),
        (
            f"channels:\n  a: {{urls: {{'json://me:{SECRET}@h': 1}}}}",
            2,
            "channels.a.urls",
            "must be a list or a text",
        ),
        (ROUTE + f"priority: 'json://me:{SECRET}@h'", 5, "routes[0].priority", "none of critical"),
        (
            f"channels:\n  a: {{urls: 'slack://{SECRET}/b/c'}}",
            2,
            "channels.a.urls",
            "the secret of a service (slack)",
        ),
        ("channels:\n  a: {urls: '${HOME}'}", 2, "channels.a.urls", "begin with BNET_NOTIFY_"),
        ("channels:\n  a: {urls: [x]}", 2, "channels.a.urls[0]", "is no address as Apprise takes it"),
        (
            f"channels:\n  a: {{urls: 'json://h/$x{SECRET}'}}",
            2,
            "channels.a.urls",
            "has a $ that begins no variable",
        ),
        ("channels:\n  a: {urls: []}", 2, "channels.a.urls", "from one to 20"),
        ("channels:\n  a: {urls: 'json://h', timeout: 1h}", 2, "channels.a.timeout", "from 1 to 120 seconds"),
        (
            "channels:\n  a: {urls: 'json://h', format: pdf}",
            2,
            "channels.a.format",
            "none of html, markdown, text",
        ),
        ("channels:\n  a: {urls: 'json://h', body: '{{ jobb }}'}", 2, "channels.a.body", "did you mean job?"),
        ("channels:\n  A: {urls: 'json://h'}", 2, "channels", "lower case"),
        (ROUTE + "events: [job.faild]", 5, "routes[0].events[0]", "did you mean job.failed?"),
        (ROUTE + "events: [plugin.loaded]", 5, "routes[0].events[0]", "bnet loads no plug-ins"),
        (ROUTE + "events: []", 5, "routes[0].events", ""),
        (ROUTE + "priority: urgent", 5, "routes[0].priority", "none of critical, high, low, medium"),
        (ROUTE + "dedup: 5 parsecs", 5, "routes[0].dedup", "no span of time"),
        (
            ROUTE + "escalate: [{after: 10m}, {after: 5m}]",
            5,
            "routes[0].escalate[1]",
            "no later than the step before",
        ),
        (
            ROUTE + "escalate: [{after: 10m, to: [x]}]",
            5,
            "routes[0].escalate[0].to[0]",
            "no channel has the name or tag x",
        ),
        (
            ROUTE + "group_by: [colour]",
            5,
            "routes[0].group_by[0]",
            "none of event, job, key, package, server",
        ),
        ("routes: [{name: a, to: [b]}]", 1, "routes[0].to[0]", "the file has no channels"),
        ("quiet: {start: 22:00, end: 25:00}", 1, "quiet.end", 'a time of day, as in "22:00"'),
        ("quiet: {start: 22:00, end: 22:00}", 1, "quiet.end", "the same as `start`"),
        ("quiet: {start: 22:00, end: 08:00, zone: Mars}", 1, "quiet.zone", "no time zone"),
        ("limits: {minute: 0}", 1, "limits.minute", "at least 1"),
        (
            "inhibit: [{when: server.lots, mutes: ['job.*']}]",
            1,
            "inhibit[0].when[0]",
            "did you mean server.lost?",
        ),
        ("give_up_after: 1s", 1, "give_up_after", "from 60 to"),
    ],
)
def test_a_wrong_file_is_told_with_line_and_field_and_never_with_a_secret(
    text: str, line: int, field: str, told: str
) -> None:
    with pytest.raises(Invalid) as error:
        read_notifications(text.encode(), "n.yaml")
    assert (error.value.line, error.value.field) == (line, field)
    assert told in str(error.value) and SECRET not in str(error.value)


def test_what_bnet_init_brings_is_valid_and_does_nothing() -> None:
    text = (scaffold.root() / "coordination/notifications.yaml").read_bytes()
    assert read_notifications(text, "n.yaml") == Notifications()


def test_what_it_shows_as_an_example_is_valid_too() -> None:
    text = Path(scaffold.root() / "coordination/notifications.yaml").read_text()
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    keys = ("channels:", "routes:", "dedup:", "limits:", "quiet:", "  ")
    shown = "\n".join(line for line in lines if line.startswith(keys) and "BNET_NOTIFY_OPS=" not in line)
    found = read_notifications(
        shown.replace("[{after: 15m, to: [boss]}]", "[{after: 15m}]").encode(), "n.yaml"
    )
    assert found.channels and found.routes and found.quiet


def test_the_list_of_events_is_in_the_documentation() -> None:
    text = (scaffold.root() / "docs/notifications.md").read_text()
    for each in EVENTS:
        also = f" {', '.join(f'`{name}`' for name in each.also)} |" if each.also else " |"
        assert f"| `{each.name}` | {each.priority} | {each.what} |{also}" in text
