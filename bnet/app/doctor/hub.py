"""The doctor's checks of the hub: whether it can be used, and whether its ledger can be believed."""

import shlex

from bnet.app.doctor.finding import Finding, Visit, bad, good, open_
from bnet.codec.formats import NEWEST
from bnet.health.hub import MOST_REFS

MOST_BYTES = 10_000_000_000  # GitHub's limit for a repository on disk, and enough for ten years of ledger


def reachable(visit: Visit) -> Finding:
    """Does the hub answer?"""
    if visit.patient.url is None:
        return open_("no hub is named", "bnet --hub URL doctor, or bnet join HUB --name NAME")
    if visit.look is None:
        return bad(_line(visit.complaint), f"see what Git itself says: git ls-remote {_url(visit)}")
    return good(f"{visit.patient.url} answers in {visit.round_trip_s * 1000:.0f} ms")


def ownership(visit: Visit) -> Finding:
    """Does Git trust the hub's directory?"""
    git = visit.patient.git
    if git.path() is None:
        return open_("the hub is no directory on this machine")
    if git.disowned():
        return bad(
            "Git reads no repository that another user owns unless it is told to",
            f"git config --global --add safe.directory {shlex.quote(git.path() or '')}",
        )
    return good("Git trusts the hub's directory")


def writable(visit: Visit) -> Finding:
    """Does the hub take a push?"""
    return _tried(visit, "write")


def lease(visit: Visit) -> Finding:
    """Is a push refused that comes too late? All of bnet rests on this."""
    return _tried(visit, "lease")


def telemetry(visit: Visit) -> Finding:
    """Can a server begin its telemetry anew?"""
    return _tried(visit, "telemetry")


def deletion(visit: Visit) -> Finding:
    """Can refs be deleted?"""
    return _tried(visit, "delete")


def _tried(visit: Visit, name: str) -> Finding:
    found = visit.trials.get(name)
    if found is None:
        return open_(
            "not tried: nothing could be pushed" if visit.look is not None else "the hub does not answer"
        )
    return Finding("", found.ok, _line(found.said), found.mend)


def refused(visit: Visit) -> Finding:
    """Was a push of the last sync refused by a protected branch or a hook?"""
    words = visit.patient.host.last_trouble()
    if words:
        return bad(
            f"the last sync was refused: {_line(words)}",
            "ask whoever runs the hub to take the ledger's branch out of its protection rules and hooks",
        )
    return good("no push of a sync was refused")


def ledger(visit: Visit) -> Finding:
    """Is there a ledger, of a format that is known here?"""
    standing, text = visit.standing
    if standing == "absent":
        return bad(text, f"bnet init {_url(visit)}")
    if standing == "too new":
        return bad(text, "pip install --upgrade bnet")
    state = visit.state
    if state is None:
        return open_("nothing is known of the ledger")
    head = state.head
    text = f"format {head.format}, epoch {head.epoch}, {head.seq} transactions"
    if head.format < NEWEST:
        return open_(f"{text}; this bnet knows format {NEWEST}", "bnet hub upgrade")
    return good(text)


def growth(visit: Visit) -> Finding:
    """Does the hub's ledger continue the one known here?"""
    standing, text = visit.standing
    if standing == "diverged":
        return bad(text, "bnet hub adopt (shows both histories, and asks before it does anything)")
    if standing == "rewound":
        return bad(
            f"the hub has lost the newest part of its ledger: {text}",
            "bnet doctor --repair, or bnet sync (both give it back)",
        )
    if standing != "current":
        return open_("not compared")
    return good("the hub's ledger continues the one known here")


def size(visit: Visit) -> Finding:
    """Does the hub stay small?"""
    taken = visit.patient.git.size()
    if taken is None:
        return open_("the hub is no directory on this machine")
    if taken > MOST_BYTES:
        advice = f"git -C {_url(visit)} gc (packs it; nothing that a ref needs is lost)"
        return bad(f"the hub takes {taken / 1e9:.1f} GB", advice)
    return good(f"the hub takes {taken / 1e6:.1f} MB")


def refs(visit: Visit) -> Finding:
    """Has the hub few refs? Each push is told of each one."""
    if visit.look is None:
        return open_("the hub does not answer")
    count = visit.patient.git.refs()
    if count > MOST_REFS:
        return bad(
            f"the hub has {count:,} refs, and every push is told of each", f"git ls-remote {_url(visit)}"
        )
    return good(f"the hub has {count:,} refs")


def leftovers(visit: Visit) -> Finding:
    """Is there telemetry that is nobody's: of servers that left, of trials that were killed?"""
    if visit.look is None or visit.state is None or visit.standing[0] != "current":
        return open_("not compared")
    found = sorted(visit.leftovers)
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        return bad(
            f"under {visit.patient.ledger.hub.telemetry_prefix if visit.patient.ledger else ''} is what no "
            f"server of the network wrote: {shown}",
            "bnet doctor --repair (deletes these refs, as `bnet server remove` would have)",
        )
    return good("every telemetry ref is of a server in the network")


def _line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def _url(visit: Visit) -> str:
    return shlex.quote(visit.patient.url or "HUB")
