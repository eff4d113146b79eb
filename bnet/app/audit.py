"""The ledger's history, replayed from its first commit: was each transaction legal, and who made the others?"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bnet.app.snapshot import NoLedger, Snapshot
from bnet.codec import letter_paths
from bnet.codec.layout import MESSAGES, REPORTS
from bnet.model.job import Job
from bnet.model.state import State
from bnet.ports.hub import Hub, Recorded, Stamp
from bnet.rules.legal.artifacts import kept_faults
from bnet.rules.legal.messages import ask_faults, letter_faults
from bnet.rules.legal.notices import notice_faults
from bnet.rules.legal.reports import report_faults
from bnet.rules.legal.transitions import Fault, Made, faults
from bnet.rules.transaction import read_archive

OF_SOURCES = ("arrive", "look", "forget-source", "pause-source", "resume-source")


class Wrong(msgspec.Struct, frozen=True):
    """A fault, and the transaction that it is in."""

    stamp: Stamp
    fault: Fault


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What a history holds.

    Attributes:
        transactions: how many were replayed.
        verbs: how often each thing happened.
        by_hand: commits by people that called themselves by an older transaction's name, such as a revert.
        wrong: what the rules do not allow.
    """

    transactions: int
    verbs: Mapping[str, int]
    by_hand: int
    wrong: tuple[Wrong, ...]


def audit(hub: Hub, tip: str) -> Audit:
    """Replay a history.

    Args:
        hub: whose private copy has it.
        tip: the newest commit.

    Raises:
        NoLedger: there is none.
        BnetError: it cannot be read.
    """
    wrong: list[Wrong] = []
    verbs: Counter[str] = Counter()
    count, quoted, seq = 0, 0, -1
    walk = Replay(hub)
    for each in hub.recorded(tip):
        if each.stamp.seq <= seq:
            quoted += 1
            continue
        count, seq = count + 1, each.stamp.seq
        verbs.update(op.split(" ", 1)[0] for op in each.ops)
        wrong += [Wrong(each.stamp, fault) for fault in walk.step(each)]
    if not count:
        raise NoLedger("the branch holds no ledger: it has no transaction in its history")
    return Audit(transactions=count, verbs=verbs, by_hand=quoted, wrong=tuple(wrong))


class Replay:
    """From transaction to transaction."""

    def __init__(self, hub: Hub) -> None:
        """Begin before the first one."""
        self._hub = hub
        self._snapshot = Snapshot(hub)
        self._last = ""

    @property
    def state(self) -> State:
        """The ledger as the last one left it."""
        return self._snapshot.state

    def step(self, each: Recorded) -> Iterator[Fault]:
        """Go on to the next transaction, and yield what is wrong with it."""
        if not self._last:
            self._snapshot.load(each.stamp.commit, each.stamp)
            self._last = each.stamp.commit
            if each.parents and each.stamp.seq:
                yield Fault("ledger.json", f"the first transaction has the number {each.stamp.seq}")
            return
        if list(each.parents) != [self._last]:
            if len(each.parents) != 1 or not self._hub.contains(each.parents[0], self._last):
                yield Fault("ledger.json", f"it does not follow the transaction before it, {self._last[:10]}")
            if each.parents:
                self._snapshot.load(each.parents[0])
        before = self._snapshot.state
        self._snapshot.load(each.stamp.commit, each.stamp)
        after, self._last = self._snapshot.state, each.stamp.commit
        archived = self._archived(before, after)
        yield from faults(before, after, _made(each), archived)
        yield from kept_faults(before, after, archived)
        yield from ask_faults(before, after)
        yield from notice_faults(before, after, frozenset(op.split(" ", 1)[0] for op in each.ops))
        yield from self._letters(before, after, _made(each))
        yield from self._reports(before, after, _made(each))

    def _letters(self, before: State, after: State, made: Made) -> Iterator[Fault]:
        changes = self._hub.changes(before.tip, after.tip, MESSAGES)
        if not changes:
            return
        old = self._hub.read(before.tip, list(changes))
        new = {path: None if file is None else file.data or b"" for path, file in changes.items()}
        acked = {key for path in changes if (key := letter_paths.ack_key(path)) is not None}
        texts = self._hub.read(after.tip, [letter_paths.message_path(key) for key in acked])
        told = {key: texts.get(letter_paths.message_path(key), b"") for key in acked}
        yield from letter_faults(before, after, made, old, new, told)

    def _reports(self, before: State, after: State, made: Made) -> Iterator[Fault]:
        if not (before.reported or after.reported or after.turns):
            return
        changes = self._hub.changes(before.tip, after.tip, REPORTS)
        there = self._hub.read(after.tip, [path for path, file in changes.items() if file is not None])
        files = {path: None if file is None else there.get(path, b"") for path, file in changes.items()}
        for target, text in report_faults(before, after, made.rewound, files):
            yield Fault(target, text)

    def _archived(self, before: State, after: State) -> dict[int, Job]:
        new = sorted(after.archive - before.archive)
        contents = self._hub.read(after.tip, new) if new else {}
        return {job.number: job for data in contents.values() for job in read_archive(data)}


def _made(each: Recorded) -> Made:
    words = [op.split(" ") for op in each.ops]
    return Made(
        actor=each.stamp.actor,
        seq=each.stamp.seq,
        next_job=each.stamp.next_job,
        adopts=any(op[0] == "adopt" for op in words),
        claimed=[int(op[1]) for op in words if op[0] == "claim" and len(op) > 1 and op[1].isdecimal()],
        fired=[_firing(op) for op in words if op[0] == "fire"],
        rewound=[op[1] for op in words if op[0] in ("schedule", "expect") and "rewound=1" in op],
        arrived=[(op[1], _fields(op).get("commit", "")) for op in words if op[0] == "arrive" and len(op) > 1],
        dropped=frozenset(op[1] for op in words if op[0] == "drop" and len(op) > 1),
        sources=frozenset(op[1] for op in words if op[0] in OF_SOURCES and len(op) > 1),
    )


def _fields(op: Sequence[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in op[2:] if "=" in word)


def _firing(op: Sequence[str]) -> tuple[str, str, str]:
    fields = _fields(op)
    return (op[1] if len(op) > 1 else "", fields.get("at", ""), fields.get("zone", ""))
