"""What a transaction may do to what people were told: no news is forgotten, and each change is said."""

from collections.abc import Iterator

from bnet.model.notices import Notices
from bnet.model.state import State
from bnet.rules.legal.transitions import Fault

VERBS = frozenset({"heed", "notify", "unreached", "silence", "unsilence", "ack-alert"})


def notice_faults(before: State, after: State, verbs: frozenset[str]) -> Iterator[Fault]:
    """Yield what is wrong with what a transaction made of the notices.

    Args:
        before: what it was decided on.
        after: what it made of that.
        verbs: what it says that it did.
    """
    old, new = before.notices or Notices(), after.notices
    if new == before.notices:
        return
    if new is None:
        yield Fault("notify.state.json", "is gone, so that everything could be told again")
        return
    if not verbs & VERBS:
        yield Fault("notify.state.json", "has changed, and nothing is said of it")
    if new.seq < old.seq:
        yield Fault(
            "notify.state.json", f"goes back to transaction {new.seq}, so that what came since is told again"
        )
    if new.seq > after.head.seq:
        yield Fault("notify.state.json", "has looked at transactions that there are not yet")
    if new.sent < old.sent:
        yield Fault("notify.state.json", "has forgotten that messages were sent")
    lost = old.outbox.keys() - new.outbox.keys()
    if lost and not verbs & {"heed", "notify", "unreached"}:
        yield Fault("notify.state.json", f"has lost {', '.join(sorted(lost)[:5])}, which was to be told")
