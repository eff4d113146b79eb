"""The rules for automatic answers, beside the messages: since when each applies, and which messages it is about."""

from collections.abc import Iterable, Mapping

from bnet.codec import letter_paths
from bnet.codec.layout import REPLIES
from bnet.model.message import Entry
from bnet.model.state import State
from bnet.ports.hub import Hub
from bnet.rules.automatic import applies_since, is_exhausted, rule_for, told_of
from bnet.rules.mail import Automatic


class Rulebook:
    """What one machine has found out about them."""

    def __init__(self, hub: Hub) -> None:
        """Keep where the rules and the messages are."""
        self._hub = hub
        self._checked = ""
        self._older: dict[str, str] = {}  # message -> the commit of a rule, to which it was there before

    def since(self, state: State) -> dict[str, str]:
        """Return since when the rules for automatic answers apply: each since the commit that brought it."""
        rules, known = state.replies.rules, state.taken_up.since
        if rules.keys() == known.keys() and state.tip == self._checked:
            return dict(known)
        lost = [each for each in set(known.values()) if not self._hub.contains(state.tip, each)]
        fresh = rules.keys() - known.keys() or lost
        written = self._hub.origin(state.tip, REPLIES)[0] if fresh else ""
        self._checked = "" if lost else state.tip
        return applies_since(state.replies, state.taken_up, lost, written)

    def met(self, state: State, since: Mapping[str, str], entries: Iterable[Entry]) -> dict[str, str]:
        """Return which messages meet which rule, of those that came after it."""
        if any(each.path == REPLIES for each in state.problems):
            return {}  # nobody knows what they are to say; once they are mended, they say it
        met: dict[str, dict[str, str]] = {}
        for each in entries:
            rule = rule_for(state.replies, each)
            known = self._older.get(each.key)
            if rule and known != since[rule] and not is_exhausted(state.asks.values(), each.thread):
                met.setdefault(since[rule], {})[each.key] = rule
        found: dict[str, str] = {}
        for commit, keys in met.items():
            paths = {letter_paths.message_path(key): key for key in keys}
            old = {paths[path] for path in self._hub.read(commit, list(paths))}
            self._older |= dict.fromkeys(old, commit)
            found |= {key: rule for key, rule in keys.items() if key not in old}
        return found

    def dealt(self, state: State, met: Mapping[str, str]) -> dict[str, Automatic]:
        """Return what the rules that messages meet do about them."""
        by = self._hub.origin(state.tip, REPLIES)[1] if met else ""
        found = {}
        for key, name in met.items():
            rule = state.replies.rules[name]
            commands = told_of(rule.commands, key)
            found[key] = Automatic(rule=name, by=by or "unknown", reply=rule.reply, commands=commands)
        return found
