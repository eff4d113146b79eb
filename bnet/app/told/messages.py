"""Messages as plain objects: what `--json` prints, with the names of docs/format.md."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from bnet.app.messages.post import Post
from bnet.codec import letters
from bnet.codec.shown import escaped
from bnet.model.command import VERBS
from bnet.model.message import Ack, Ask, Entry
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules.acks import missing
from bnet.rules.addressing import is_addressed


class Reader:
    """Who reads, and what they have read."""

    def __init__(self, who: str, servers: Mapping[str, Server], read: Collection[str]) -> None:
        """Keep it.

        Args:
            who: a server's name or a person's address.
            servers: of the network, for their labels.
            read: the keys of what was read on this machine.
        """
        self.who = who
        self._servers = servers
        self._read = read
        self._mine: dict[tuple[str, ...], bool] = {}

    def is_addressed(self, entry: Entry) -> bool:
        """Tell whether a message is to them."""
        known = self._mine.get(entry.to)
        if known is None:
            known = self._mine[entry.to] = is_addressed(entry.to, self.who, self._servers)
        return known

    def has_unread(self, entry: Entry, acks: Sequence[Ack] = ()) -> bool:
        """Tell whether a message is to them, from somebody else, and they have neither read nor acknowledged it."""
        return (
            entry.key not in self._read
            and entry.readable
            and entry.sender != self.who
            and self.is_addressed(entry)
            and not (acks and any(each.who == self.who for each in acks))
        )


def describe_entry(entry: Entry, acks: Sequence[Ack], ask: Ask | None, reader: Reader) -> dict[str, Any]:
    """Return a message, without its text, as one flat object."""
    return {
        "id": entry.id,
        "key": entry.key,
        "from": entry.sender,
        "to": list(entry.to),
        "at": letters.stamp(entry.at),
        "subject": entry.subject,
        "priority": entry.priority,
        "thread": entry.thread,
        "in_reply_to": entry.in_reply_to or None,
        "unread": reader.has_unread(entry, acks),
        "requires_ack": bool(entry.within),
        "due": letters.stamp(ask.due) if ask is not None and ask.due is not None else None,
        "acks": [{"who": each.who, "at": letters.stamp(each.at), "note": each.note} for each in acks],
        "missing": [] if ask is None else missing(ask, [each.who for each in acks]),
        "raised": 0 if ask is None else ask.raised,
        "command": entry.command,
        "jobs": [] if ask is None else list(ask.jobs),
        "refused": None if ask is None else ask.refused or None,
        "answered": ask is not None and ask.answered,
        "rule": None if ask is None else ask.rule or None,
        "auto": entry.auto,
        "attachments": entry.attachments,
        "problem": entry.problem or None,
    }


def describe_rules(state: State) -> list[dict[str, Any]]:
    """Return the rules for automatic answers, in their order, and how often each was followed lately."""
    rows = []
    for name, rule in state.replies.rules.items():
        match = rule.match
        wanted = {"from": match.sender, "to": match.to, "subject": match.subject, "priority": match.priority}
        rows.append(
            {
                "name": name,
                "match": {field: _row(each) for field, each in wanted.items()},
                "reply": rule.reply,
                "commands": [
                    verb for each in rule.commands for verb, kind in VERBS.items() if type(each) is kind
                ],
                "answered": sum(ask.rule == name for ask in state.asks.values()),
                "since": state.taken_up.since.get(name),
            }
        )
    return rows


def _row(wanted: str | tuple[str, ...]) -> list[str]:
    return [wanted] if isinstance(wanted, str) else list(wanted)


def threads(told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return conversations, the one that was last spoken in last.

    Args:
        told: messages as `describe_entry` gives them, oldest first.
    """
    found: dict[str, dict[str, Any]] = {}
    for each in told:
        row = found.pop(each["thread"], None) or {
            "thread": each["thread"],
            "subject": each["subject"],
            "from": each["from"],
            "messages": 0,
            "unread": 0,
        }
        row["messages"] += 1
        row["unread"] += each["unread"]
        row |= {"last_at": each["at"], "last_from": each["from"]}
        found[each["thread"]] = row
    return list(found.values())


def with_messages(told: dict[str, Any], post: Post, state: State, reader: Reader, now: datetime) -> None:
    """Add to what is told of the network what is unread, was not acknowledged in time, and cannot be read."""
    late = post.overdue(state, now)
    entries, acks, broken = post.ask(
        state.tip, lambda: (post.index.every(), post.index.acks(), post.problems())
    )
    told["messages"] = {
        "unread": sum(reader.has_unread(each, acks.get(each.key, ())) for each in entries),
        "overdue": [
            {"key": key, "subject": ask.subject, "from": ask.sender, "missing": names}
            for key, ask, names in late
        ],
        "broken": [{"path": each.path, "message": each.message} for each in broken],
    }
    told["wrong"] += [overdue_line(*each, now) for each in late]
    told["wrong"] += [each["message"] for each in told["messages"]["broken"]]


def overdue_line(key: str, ask: Ask, names: Sequence[str], now: datetime) -> str:
    """Say in one sentence what was not acknowledged in time."""
    late = now - (ask.due or now)
    hours, minutes = divmod(int(late.total_seconds()) // 60, 60)
    ago = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    named = escaped(", ".join(names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    what = f"{key.rpartition('/')[2]} ({letters.one_line(ask.subject)}) of {ask.sender}"
    return f"{named} did not acknowledge {what}, due {ago} ago"
