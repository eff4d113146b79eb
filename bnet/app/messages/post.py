"""One machine's post office: an index of the messages, brought up to the ledger, and what decisions ask of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from bnet.app.messages.entries import LONG_AGO, broken, completed, entry_of, misplaced, path_of
from bnet.app.messages.rulebook import Rulebook
from bnet.codec import letter_paths, letters
from bnet.codec.layout import MESSAGES
from bnet.codec.view import Changes
from bnet.errors import Damaged
from bnet.model.message import Ask, Entry
from bnet.model.state import Problem, State
from bnet.ports.hub import Acked, Hub
from bnet.ports.indexes import Letters, LettersLost
from bnet.rules.acks import ack_of, missing
from bnet.rules.filing import day_to_file, read_filed
from bnet.rules.mail import Mail, News, Stored, closed_days
from bnet.rules.refuse import printable
from bnet.rules.replies import raised_at

T = TypeVar("T")

TRIES = 4


class Post:
    """The messages on a hub, as this machine knows them."""

    def __init__(self, hub: Hub, index: Letters) -> None:
        """Keep where messages are, and the index of them."""
        self.hub = hub
        self.index = index
        self._seen = ""
        self._shown = ""
        self._rules = Rulebook(hub)

    def bring(self, tip: str) -> None:
        """Let the index show the messages at a commit of the private copy; costs what changed since.

        Raises:
            Damaged: the private copy is.
        """
        if tip == self._seen:
            return
        while (old := self.index.tip()) != tip:
            try:
                changes = self.hub.changes(old or None, tip, MESSAGES)
            except Damaged:
                if not old:
                    raise
                # The mirror was made anew, and does not have what the index was made of.
                old, changes = "", self.hub.changes(None, tip, MESSAGES)
            if old and not changes:
                self._seen, self._shown = tip, old
                return  # nothing worth a write: the next process compares the same two trees as quickly
            entries, acks = self._read(changes, tip)
            if self.index.advance(
                old, tip, gone=[printable(path) for path in changes], put=entries, acks=acks
            ):
                break
        self._seen, self._shown = tip, tip

    def ask(self, tip: str, question: Callable[[], T]) -> T:
        """Return the answer to a question to the index, which shows a commit then.

        Another process may lead the index on to another commit at any time, or find it damaged. What cannot be
        had of it in a few tries (two at odds, a full disk) is read anew into one of this process's own.
        """
        for _ in range(TRIES):
            try:
                self.bring(tip)
                with self.index.still() as shown:
                    if shown == self._shown:
                        return question()
            except LettersLost:
                pass
            self._seen = ""
        self.index = self.index.alone()
        self.bring(tip)
        return question()

    def _read(self, changes: Changes, tip: str) -> tuple[list[Entry], list[Acked]]:
        found: list[tuple[str, Entry]] = []
        acks: list[Acked] = []
        for path, file in changes.items():
            acked = letter_paths.ack_key(path)
            if file is None:
                continue
            if letter_paths.message_key(path) is not None:
                found.append((path, entry_of(path, file.data, file.note)))
            elif letter_paths.is_misplaced(path):
                found.append((path, misplaced(path)))
            elif acked is not None:
                ack = ack_of(path, file.data)
                if ack is None:
                    found.append((path, broken(path, f"{path}: is no acknowledgement of whom its name says")))
                else:
                    acks.append(Acked(path, acked, ack))
        lacking = [path for path, each in found if not each.sender or each.at == LONG_AGO]
        brought = self.hub.brought(tip, lacking) if lacking else {}
        entries = [completed(each, brought.get(path)) for path, each in found]
        return self._threaded(sorted(entries, key=lambda each: each.at)), acks

    def _threaded(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return messages with the thread that they are in, where they do not say it: that of what they answer."""
        threads: dict[str, str] = {}
        made = []
        for each in entries:
            thread = each.thread
            if not thread and each.in_reply_to:
                named = self.index.named(each.in_reply_to)
                before = [parent.thread for parent in named if parent.id == each.in_reply_to][-1:]
                thread = threads.get(each.in_reply_to) or (before or [each.in_reply_to])[0]
            threads[each.id] = thread or each.id
            made.append(replace(each, thread=threads[each.id]))
        return made

    # -- what decisions ask

    def mail(
        self, state: State, now: datetime, *, trust_clock: bool = True, keep: float | None = None
    ) -> Mail:
        """Return what a decision on a snapshot needs to know of the messages.

        Args:
            state: the snapshot.
            now: the time.
            trust_clock: whether a day may be found to be over.
            keep: for how many seconds messages stay; otherwise as the settings have it.
        """
        return self.ask(state.tip, lambda: self._mail(state, now, trust_clock, keep))

    def _mail(self, state: State, now: datetime, trust_clock: bool, keep: float | None) -> Mail:
        due = self._due_day(state, now, state.settings.retention.messages if keep is None else keep)
        waited = [key for key, ask in state.asks.items() if raised_at(ask) is not None]
        since = self._rules.since(state)
        news = self._news(state, since)
        mail = Mail(
            news=news, acked=self.acked(waited), since=None if since == state.taken_up.since else since
        )
        if not due or not trust_clock:
            return mail
        stored = self._stored(state.tip, due)
        return replace(mail, due=due, stored=stored, known=self._filed_before(state, due, stored))

    def _filed_before(self, state: State, day: str, stored: Sequence[Stored]) -> frozenset[str]:
        """Return which messages of a day have been filed before: a revert of that brings them back."""
        paths = [path for path in state.filed if letter_paths.filed_day(path) == day]
        # The same revert takes the archive away, until the next transaction restores it.
        contents = {**self.hub.read(state.tip, paths), **state.restore}
        lines = [each for path in paths for each in read_filed(contents.get(path) or b"")]
        texts = {(each.key, each.text) for each in lines}
        return frozenset(
            each.key for each in stored if (each.key, each.text.decode(errors="replace")) in texts
        )

    def _due_day(self, state: State, now: datetime, keep: float) -> str:
        first = self.index.oldest_day()
        days = {letter_paths.day_of(key) for key in state.asks} | ({first} if first else set())
        return day_to_file(days, keep, now)

    def acked(self, keys: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return who acknowledged those of some messages that are there."""
        there, acks = self.index.some(keys), self.index.acks(keys)
        return {key: frozenset(each.who for each in acks.get(key, ())) for key in keys if key in there}

    def _news(self, state: State, since: Mapping[str, str]) -> tuple[News, ...]:
        closed = closed_days(state.filed)

        def is_new(key: str) -> bool:
            return key not in state.asks and letter_paths.day_of(key) not in closed

        asking = [key for key in self.index.asking() if is_new(key)]
        entries, met = self.index.some(asking), {}
        if state.replies.rules:
            others = [
                each for each in self.index.every() if letter_paths.is_key(each.key) and is_new(each.key)
            ]
            met = self._rules.met(state, since, others)
            entries |= {each.key: each for each in others if each.key in met}
        if not entries:
            return ()
        paths = {letter_paths.message_path(key): each for key, each in entries.items()}
        dealt = self._rules.dealt(state, met)
        found = []
        for path, data in self.hub.read(state.tip, list(paths)).items():
            entry = paths[path]
            _, by = self.hub.origin(state.tip, path)
            found.append(
                News(
                    key=entry.key,
                    letter=letters.read(data, path),
                    sender=entry.sender,
                    by=by or "unknown",
                    subject=entry.subject,
                    thread=entry.thread,
                    automatic=dealt.get(entry.key),
                )
            )
        return tuple(sorted(found, key=lambda each: each.key))

    def _stored(self, tip: str, day: str) -> tuple[Stored, ...]:
        paths = self.hub.names(tip, f"{MESSAGES}{day}")
        texts = {key: path for path in paths if (key := letter_paths.message_key(path)) is not None}
        beside: dict[str, list[str]] = {}
        for path in paths:
            key = letter_paths.beside(path)
            if key is not None and letter_paths.is_key(key):
                beside.setdefault(key, []).append(path)
        contents, acks = self.hub.read(tip, list(texts.values())), self.index.acks(list(texts))
        return tuple(
            Stored(
                key=key,
                text=contents.get(texts.get(key, ""), b""),
                acks=tuple(acks.get(key, ())),
                beside=tuple(beside.get(key, ())),
            )
            for key in sorted(texts.keys() | beside.keys())
        )

    def rests(self, state: State, now: datetime) -> float | None:
        """Return for how many seconds no message needs anything done; None if one does now."""
        return self.ask(state.tip, lambda: self._rests(state, now))

    def _rests(self, state: State, now: datetime) -> float | None:
        since = self._rules.since(state)
        if (
            since != state.taken_up.since
            or self._news(state, since)
            or any(ask.command and not ask.answered for ask in state.asks.values())
        ):
            return None
        acked = self.acked([key for key, ask in state.asks.items() if raised_at(ask) is not None])
        times = [
            at
            for key, who in acked.items()
            if missing(state.asks[key], who) and (at := raised_at(state.asks[key])) is not None
        ]
        keep = state.settings.retention.messages
        if self._due_day(state, now, keep):
            return None
        until = min(times, default=now + timedelta(days=1))
        return max(0.0, min((until - now).total_seconds(), _to_midnight(now)))

    # -- what people ask

    def overdue(self, state: State, now: datetime) -> list[tuple[str, Ask, list[str]]]:
        """Return what was not acknowledged in time: message, what it asked, who has not."""
        return self.ask(state.tip, lambda: self._overdue(state, now))

    def _overdue(self, state: State, now: datetime) -> list[tuple[str, Ask, list[str]]]:
        late = [key for key, ask in state.asks.items() if ask.due is not None and ask.due <= now]
        acked = self.acked(late)
        found = [(key, state.asks[key], missing(state.asks[key], acked[key])) for key in late if key in acked]
        return sorted((each for each in found if each[2]), key=lambda each: each[0])

    def problems(self) -> list[Problem]:
        """Return the files that cannot be read, or not wholly."""
        return [Problem(path=path_of(each.key), message=each.problem) for each in self.index.broken()]


def _to_midnight(now: datetime) -> float:
    return 86400.0 - (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
