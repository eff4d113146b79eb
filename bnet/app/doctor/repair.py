"""Repair: what is safe to mend on this machine and on the hub, each thing done told in one line."""

from collections.abc import Iterator, Sequence

from bnet.app.doctor.finding import Patient, Visit
from bnet.app.ledger import Ledger
from bnet.errors import BnetError, said
from bnet.model.state import InboxFile
from bnet.ports.hub import Update
from bnet.rules.refuse import printable, put_back
from bnet.rules.transaction import Transaction

MOST_NAMED = 5


def mend_machine(patient: Patient) -> Iterator[str]:
    """Mend what is on this machine alone; yield a sentence for each thing done, or not done.

    What can be made anew is made anew, and what it replaces is renamed, never deleted: it may hold what nobody
    else has.
    """
    try:
        yield from _mend_machine(patient)
    except (BnetError, OSError) as error:
        yield f"not all on this machine is mended: {said(error)}"


def _mend_machine(patient: Patient) -> Iterator[str]:
    host = patient.host
    for path in host.jammed():
        yield f"set aside {path} as {host.set_aside(path).name}"
    with host.alone() as alone:
        if not alone:
            yield "this machine's files are in use by a sync or agent, which mends by itself what it can"
            return
        for path in host.broken():
            yield f"set aside {path} as {host.set_aside(path).name}"
        if patient.ledger is not None:
            yield from _mend_mirror(patient, patient.ledger)


def _mend_mirror(patient: Patient, ledger: Ledger) -> Iterator[str]:
    git = patient.git
    with ledger.hub.exclusive():
        left = git.stale_locks()
        if left:
            git.sweep()
            yield f"removed {len(left)} lock file(s) that a killed process left"
        if not git.unsound():
            return
        git.refs()  # while the hub is away, a damaged mirror is better than an empty one
        kept = git.set_aside()
        ledger.hub.remake()
        yield f"made the mirror of the hub anew; the damaged one is {kept}, and nobody needs it if all is well"


def mend_hub(patient: Patient) -> Iterator[str]:
    """Mend the hub's ledger by one transaction at most, and never against what is there; yield as above.

    A ledger that has gone another way is not mended: which history holds is for a person to decide.
    """
    ledger, visit = patient.ledger, Visit(patient)
    if ledger is None:
        return
    try:
        yield from _mend_hub(ledger, visit)
    except (BnetError, OSError) as error:
        yield f"not all on the hub is mended: {said(error)}"


def _mend_hub(ledger: Ledger, visit: Visit) -> Iterator[str]:
    standing, text = visit.standing
    if standing == "rewound":
        ledger.refresh()
        yield f"gave the hub back what it had lost of its ledger: {text}"
    elif standing == "diverged":
        yield "the hub's ledger has diverged, which no repair decides: see `bnet hub adopt`"
        return
    elif standing != "current":
        yield f"nothing on the hub was looked at: {text}"
        return
    landed = ledger.transact(lambda tx: _put_back(tx, ledger))
    if landed.commit is not None:
        yield from _told(landed.tx, landed.commit)
    if visit.leftovers:
        yield _delete(ledger, visit)


def _put_back(tx: Transaction, ledger: Ledger) -> None:
    """Put the last readable texts of people's documents back; what machines wrote comes with any transaction."""
    broken = [each for each in tx.state.problems if each.path not in tx.state.restore]
    texts = ledger.hub.read(tx.state.tip, [each.path for each in broken])
    for each in broken:
        commit, by = ledger.hub.origin(tx.state.tip, each.path)
        file = InboxFile(path=each.path, text=texts.get(each.path, b""), by=by, commit=commit)
        tx.apply(put_back(tx, file, each))


def _told(tx: Transaction, commit: str) -> Iterator[str]:
    restored = [printable(path) for path in sorted(tx.state.restore)]
    if restored:
        yield f"restored {_names(restored)} from the history (commit {commit[:10]})"
    for change in tx.changes:
        place, kept = change.files
        what = "took away" if change.files[place] is None else "put back the last readable text of"
        yield f"{what} {printable(place)}; what stood there is kept in {kept} (commit {commit[:10]})"


def _delete(ledger: Ledger, visit: Visit) -> str:
    gone = dict(visit.leftovers)
    said = ledger.hub.push([Update(ledger.hub.telemetry_ref(name), tip, "") for name, tip in gone.items()])
    left = [name for name in ledger.hub.look().telemetry if name in gone]
    if left:
        return f"the hub does not let its telemetry of {_names(sorted(left))} be deleted: {said}"
    return f"deleted the telemetry of {_names(sorted(gone))}, which are no servers of the network"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"
