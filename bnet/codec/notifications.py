"""`notifications.yaml`: read, and checked as a whole."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

from bnet.codec import people
from bnet.codec.crons import zone_of
from bnet.codec.durations import parse_duration
from bnet.codec.people import Steps, Text, nearest
from bnet.errors import Invalid
from bnet.model.events import ABSENT, EVENTS, means_any
from bnet.model.notify import Channel, Notifications, Route
from bnet.model.template import Value

BEGIN = "BNET_NOTIFY_"  # of variables: a file on the hub must not get at any other one of a steward's
VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(BEGIN + r"[A-Z0-9_]{1,80}")
# Services whose addresses may be written down: there is no secret in them but a password, which is looked for.
_PLAIN = {"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "ntfy", "ntfys", "syslog"}
# What bears a secret elsewhere than where passwords stand: parameters and headers of an address, tokens of ntfy.
_SECRET = re.compile(r"pass|pwd|token|secret|authoriz|key$", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*")
MOST_CHANNELS, MOST_ROUTES, MOST_URLS = 50, 200, 20
LONGEST_URL = 2000
LONGEST_TIMEOUT = 120.0
# What templates may name, with values of the types that they will have.
EXAMPLE: Mapping[str, Value] = {
    **dict.fromkeys(("network", "channel", "title", "body", "event", "priority", "text"), "text"),
    **dict.fromkeys(("key", "job", "server", "at"), "text"),
    **dict.fromkeys(("events", "lines", "packages"), ("text",)),
    **dict.fromkeys(("count", "more", "number", "escalation"), 1),
    "digest": False,
}


def read_notifications(text: bytes, file: str) -> Notifications:
    """Return what a file wants to be told, and where.

    Raises:
        Invalid: something in it is wrong; the message names line and field, and never shows an address.
    """
    try:
        return _read(people.parse(text, file))
    except Invalid as error:
        # An address may stand where none is looked for: what is wrong is told to everybody, and passwords are not.
        said = _ADDRESS.sub("an address", error.message)
        if said == error.message:
            raise
        raise Invalid(said, file=error.file, line=error.line, field=error.field, hint=error.hint) from None


def _read(parsed: Text) -> Notifications:
    found = people.read(parsed, Notifications, {} if parsed.data is None else parsed.data)
    for what, many, most in (
        ("channels", found.channels, MOST_CHANNELS),
        ("routes", found.routes, MOST_ROUTES),
    ):
        if len(many) > most:
            raise parsed.invalid(f"has {len(many):,}; at most {most} are read", (what,))
    for name, channel in found.channels.items():
        _check_channel(parsed, channel, ("channels", name))
    seen: set[str] = set()
    for index, route in enumerate(found.routes):
        if route.name in seen:
            raise parsed.invalid(f"{route.name} stands here twice", ("routes", index, "name"))
        seen.add(route.name)
        _check_route(parsed, route, found, ("routes", index))
    _check_rest(parsed, found)
    return found


def urls_of(channel: Channel) -> tuple[str, ...]:
    """Return the addresses of a channel, as they are written."""
    return (channel.urls,) if isinstance(channel.urls, str) else channel.urls


def named(found: Notifications, words: tuple[str, ...]) -> list[str]:
    """Return the channels that names and tags mean, each once."""
    return [name for name, each in found.channels.items() if name in words or set(each.tags) & set(words)]


def _check_channel(parsed: Text, channel: Channel, at: Steps) -> None:
    urls = urls_of(channel)
    if not 0 < len(urls) <= MOST_URLS:
        raise parsed.invalid(f"takes from one to {MOST_URLS} addresses", (*at, "urls"))
    for index, url in enumerate(urls):
        inner: Steps = (*at, "urls") if isinstance(channel.urls, str) else (*at, "urls", index)
        complaint = _wrong_url(url)
        if complaint:
            raise parsed.invalid(complaint, inner)
    _check_duration(parsed, channel.timeout, (*at, "timeout"), LONGEST_TIMEOUT, 1.0)
    for what, template in (("title", channel.title), ("body", channel.body)):
        if template:
            _check_template(parsed, template, (*at, what))


def _wrong_url(url: str) -> str:
    """Say what is wrong with an address, without showing it: there may be a secret in it."""
    if len(url) > LONGEST_URL:
        return f"is {len(url):,} characters long; at most {LONGEST_URL:,} are taken"
    variables = VARIABLE.findall(url)
    for name in variables:
        if not _NAME.fullmatch(name):
            return f"names the variable {name[:80]!r}; only those that begin with {BEGIN} are filled in here"
    if "$" in VARIABLE.sub("", url):
        return f"has a $ that begins no variable; write ${{{BEGIN}NAME}}, or %24 for the sign"
    if re.fullmatch(r"\$\{[^}]*\}", url):
        return ""
    scheme, colon, _ = url.partition("://")
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        return f"is no address as Apprise takes it, such as mailto://... or ${{{BEGIN}MAIL}}"
    try:
        parts = urlsplit(VARIABLE.sub("", url))
        hidden = any(_SECRET.search(name) for name, _ in parse_qsl(parts.query))
        password = hidden or parts.password or (parts.username or "").startswith("tk_")
    except ValueError:
        return "is no address: what follows :// cannot be read"
    if password:
        return f"holds a password; put it into secrets.env as {BEGIN}..., and write ${{{BEGIN}...}} here"
    if scheme not in _PLAIN and not variables:
        return (
            f"holds the secret of a service ({scheme}); put it into secrets.env as {BEGIN}..., "
            f"and write ${{{BEGIN}...}} here"
        )
    return ""


def _check_template(parsed: Text, template: str, at: Steps) -> None:
    from bnet.codec.filling import fill_line  # Jinja2: 40 ms, and few channels have words of their own

    try:
        fill_line(template, EXAMPLE, people.dotted(at))
    except Invalid as error:
        raise parsed.invalid(error.message, at) from None


def _check_route(parsed: Text, route: Route, found: Notifications, at: Steps) -> None:
    _check_patterns(parsed, route.events, (*at, "events"))
    _check_targets(parsed, route.to, found, (*at, "to"))
    _check_duration(parsed, route.group_wait, (*at, "group_wait"), 86400.0)
    if route.dedup is not None:
        _check_duration(parsed, route.dedup, (*at, "dedup"), 7 * 86400.0)
    before = 0.0
    for index, step in enumerate(route.escalate):
        inner: Steps = (*at, "escalate", index)
        after = _check_duration(parsed, step.after, (*inner, "after"), 30 * 86400.0, 1.0)
        if after <= before:
            raise parsed.invalid(
                "comes no later than the step before it; `after` counts from the first message", inner
            )
        before = after
        _check_targets(parsed, step.to, found, (*inner, "to"))


def _check_rest(parsed: Text, found: Notifications) -> None:
    _check_duration(parsed, found.dedup, ("dedup",), 7 * 86400.0)
    _check_duration(parsed, found.give_up_after, ("give_up_after",), 30 * 86400.0, 60.0)
    if found.quiet is not None:
        _check_patterns(parsed, found.quiet.exceptions, ("quiet", "exceptions"))
        if found.quiet.start == found.quiet.end:
            raise parsed.invalid("is the same as `start`: that is no time, or all of it", ("quiet", "end"))
        try:
            zone_of(found.quiet.zone)
        except ValueError as error:
            raise parsed.invalid(str(error), ("quiet", "zone")) from None
    for index, each in enumerate(found.inhibit):
        _check_patterns(parsed, (each.when,), ("inhibit", index, "when"))
        _check_patterns(parsed, each.mutes, ("inhibit", index, "mutes"))


def _check_patterns(parsed: Text, patterns: tuple[str, ...], at: Steps) -> None:
    for index, pattern in enumerate(patterns):
        complaint = wrong_pattern(pattern)
        if complaint:
            raise parsed.invalid(complaint, (*at, index))


def wrong_pattern(pattern: str) -> str:
    """Say why a pattern means no event; "" where it means one."""
    if pattern in ABSENT:
        return f"there is no event {pattern}: {ABSENT[pattern]}"
    if means_any(pattern):
        return ""
    near = nearest(pattern, sorted(_known()))
    near = near if near.startswith("; did") else "; `bnet notify events` lists them"
    return f"no event is called {pattern[:80]!r}{near}"


def _known() -> Iterator[str]:
    for each in EVENTS:
        yield from (each.name, *each.also)


def _check_targets(parsed: Text, words: tuple[str, ...], found: Notifications, at: Steps) -> None:
    known = {*found.channels, *(tag for each in found.channels.values() for tag in each.tags)}
    for index, word in enumerate(words):
        if word not in known:
            near = nearest(word, sorted(known)) if known else "; the file has no channels"
            raise parsed.invalid(f"no channel has the name or tag {word}{near}", (*at, index))


def _check_duration(parsed: Text, value: float | str, at: Steps, most: float, least: float = 0.0) -> float:
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise parsed.invalid(str(error), at) from None
    if not least <= seconds <= most:
        raise parsed.invalid(f"must be from {least:g} to {most:g} seconds, not {seconds:g}", at)
    return seconds
