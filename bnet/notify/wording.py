"""What a message says: bnet's own words, or those of a channel's templates."""

import html

from bnet.codec.shown import escaped
from bnet.errors import Invalid
from bnet.model.notices import Event
from bnet.model.notify import LEVELS, Channel
from bnet.model.template import Value
from bnet.notify.outbox import Message

LONGEST_TITLE = 200
LONGEST_BODY = 20_000
_NO_MARKUP = str.maketrans("<>", "‹›")


def worded(message: Message, channel: Channel, network: str) -> tuple[str, str]:
    """Return title and body of a message; where a template cannot be filled in, bnet's own words, and why.

    Args:
        message: what it is of.
        channel: whose templates count.
        network: what the network is called.
    """
    title, body = plain(message, network)
    if channel.format == "html":
        title_in, body_in = title, "<br>\n".join(html.escape(line) for line in body.splitlines())
    else:
        title_in, body_in = title, _markdown(body) if channel.format == "markdown" else body
    values = values_of(message, network) | {"title": title, "body": body, "channel": message.channel}
    inner = {name: _safe(each) for name, each in values.items()} if channel.format == "html" else values
    try:
        if channel.title or channel.body:
            from bnet.codec.filling import fill_line
        if channel.title:
            title_in = fill_line(channel.title, values, "title")
        if channel.body:
            body_in = fill_line(channel.body, inner, "body")
    except Invalid as error:
        why = html.escape(error.message) if channel.format == "html" else error.message
        body_in += f"\n\n(the channel's template was not used: {why})"
    if channel.format == "html":  # mail shows a title as it is, other services make it a part of the body
        title_in = title_in.translate(_NO_MARKUP)
    return " ".join(escaped(title_in).split())[:LONGEST_TITLE], body_in[:LONGEST_BODY]


def values_of(message: Message, network: str) -> dict[str, Value]:
    """Return what a template may name."""
    first = message.events[0]
    alike = {each.name for each in message.events}
    return {
        "network": network,
        "event": first.name if len(alike) == 1 else "digest",
        "events": tuple(sorted(alike)),
        "priority": _worst(message),
        "text": escaped(first.text),
        "lines": tuple(_line(each) for each in message.events),
        "count": message.count,
        "more": message.count - len(message.events),
        "key": escaped(first.key),
        "job": escaped(first.job),
        "number": first.number or 0,
        "server": first.server,
        "packages": tuple(map(escaped, first.packages)),
        "at": f"{first.at:%Y-%m-%dT%H:%M:%SZ}",
        "digest": message.held,
        "escalation": message.step,
    }


def plain(message: Message, network: str) -> tuple[str, str]:
    """Return title and body in bnet's own words."""
    first, worst = message.events[0], _worst(message)
    alike = {each.name for each in message.events}
    if message.count == 1:
        head = f"{first.name}: {escaped(first.text)}"
    elif len(alike) == 1:
        head = f"{first.name}: {message.count} times"
    else:
        head = f"{message.count} events: {', '.join(sorted(alike)[:4])}" + (" ..." if len(alike) > 4 else "")
    head = f"not acknowledged: {head}" if message.step else head
    lines = [_line(each) for each in message.events]
    if message.count > len(lines):
        lines.append(f"... and {message.count - len(lines)} more (bnet history has all)")
    if message.held:
        lines.insert(0, "Held until now, and told as one:")
    keys = sorted({each.key for each in message.events if each.action == "trigger"})
    if len(keys) == 1:
        lines += ["", f"to take it on: bnet notify ack {_quoted(keys[0])}"]
    elif keys:
        lines += ["", "to take something of it on: bnet notify ack (lists what is open)"]
    return f"[{network}] {worst}: {head}", "\n".join(lines)


def _line(event: Event) -> str:
    return f"{event.at:%Y-%m-%d %H:%M:%SZ} {event.priority} {event.name}: {escaped(event.text)}"


def _worst(message: Message) -> str:
    return max((each.priority for each in message.events), key=LEVELS.index)


def _quoted(key: str) -> str:
    import shlex

    return shlex.quote(escaped(key))


def _markdown(body: str) -> str:
    """Return lines as an indented block: nothing in it is a link, mentions anybody, or begins a heading."""
    return "\n".join(f"    {line}" if line else "" for line in body.splitlines())


def _safe(value: Value) -> Value:
    if isinstance(value, str):
        return html.escape(value)
    return tuple(html.escape(str(each)) for each in value) if isinstance(value, tuple) else value
