"""The doctor: looks at everything that has gone wrong before, and says what to do in one safe line."""

import shlex
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from bnet.app.doctor import hub as checks_hub
from bnet.app.doctor import machine as checks_machine
from bnet.app.doctor import network as checks_network
from bnet.app.doctor.finding import Finding, Patient, Visit, bad
from bnet.errors import BnetError, said

Check = Callable[[Visit], Finding]

CHECKS: Mapping[str, Check] = {
    "git": checks_machine.git,
    "home": checks_machine.home,
    "disk": checks_machine.disk,
    "locks": checks_machine.locks,
    "identity": checks_machine.identity,
    "path": checks_machine.path,
    "files": checks_machine.files,
    "secrets": checks_machine.secrets,
    "mirror": checks_machine.mirror,
    "stale-locks": checks_machine.stale_locks,
    "reachable": checks_hub.reachable,
    "ownership": checks_hub.ownership,
    "writable": checks_hub.writable,
    "lease": checks_hub.lease,
    "telemetry": checks_hub.telemetry,
    "deletion": checks_hub.deletion,
    "refused": checks_hub.refused,
    "ledger": checks_hub.ledger,
    "growth": checks_hub.growth,
    "size": checks_hub.size,
    "refs": checks_hub.refs,
    "leftovers": checks_hub.leftovers,
    "documents": checks_network.broken_by_people,
    "settings": checks_network.settings,
    "machine-documents": checks_network.broken_by_machines,
    "inbox": checks_network.rejected,
    "messages": checks_network.messages,
    "sources": checks_network.sources,
    "notifications": checks_network.notifications,
    "registered": checks_network.registered,
    "twin": checks_network.twin,
    "wanted": checks_network.wanted,
    "ttl": checks_network.ttl,
    "hopeless": checks_network.hopeless,
    "clock": checks_machine.clock,
    "sync": checks_machine.sync,
    "sync-lock": checks_machine.sync_lock,
    "schedule": checks_machine.schedule,
    "outbox": checks_machine.outbox,
    "leases": checks_machine.leases,
    "supervisors": checks_machine.supervisors,
    "unstarted": checks_machine.unstarted,
    "unreported": checks_machine.unreported,
}
"""Name -> check, in the order in which one thing stands on another."""


def examine(patient: Patient, checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """Make checks; one that fails itself is a finding, and hides no other."""
    visit = Visit(patient)
    return [replace(_checked(check, visit), check=name) for name, check in checks.items()]


def _checked(check: Check, visit: Visit) -> Finding:
    try:
        return check(visit)
    except BnetError as error:
        return bad(str(error).replace("\n", "; "), error.hint or "")
    except OSError as error:
        return bad(
            said(error), f"see whose it is: ls -ld {shlex.quote(error.filename)}" if error.filename else ""
        )
