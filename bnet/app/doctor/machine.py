"""The doctor's checks of this machine: what bnet stands on, and what runs on it."""

import shlex
from collections.abc import Sequence

from bnet.app.doctor.finding import Finding, RunSight, Visit, bad, good, open_
from bnet.rules.clocks import TOLERANCE_S, offset
from bnet.rules.leases import BEAT_SHARE

OLDEST_GIT = (2, 34)
LEAST_BYTES = 200_000_000
LEAST_FILES = 2_000
PATIENCE_S = 300.0  # what a sync each minute has long done by then


def git(visit: Visit) -> Finding:
    """Is there a Git, and is it new enough?"""
    version = visit.patient.git.version()
    if version is None:
        return bad("there is no git on PATH", "install Git 2.34 or later (Debian: `apt install git`)")
    shown = ".".join(map(str, version))
    if version < OLDEST_GIT:
        return bad(f"git {shown} is older than 2.34", "upgrade Git (Debian: `apt install git`)")
    return good(f"git {shown}")


def home(visit: Visit) -> Finding:
    """Can BNET_HOME be written to?"""
    why = visit.patient.host.unwritable()
    if why:
        return bad(why, "set BNET_HOME to a directory that you may write to, or run bnet as its owner")
    return good(f"{visit.patient.home} is writable")


def disk(visit: Visit) -> Finding:
    """Is there room for logs and workspaces?"""
    room, files = visit.patient.host.disk()
    text = f"{room / 1e9:.1f} GB are free"
    if room < LEAST_BYTES:
        return bad(f"only {text}", f"see what takes the room: du -xh --max-depth=2 {_home(visit)} | sort -h")
    if files < LEAST_FILES:
        return bad(f"only {files} more files fit on the disk", "see where they are: df -i")
    return good(text)


def locks(visit: Visit) -> Finding:
    """Do locks among processes work here?"""
    why = visit.patient.host.unlockable()
    if why:
        return bad(why, "set BNET_HOME to a directory on a local disk")
    return good("file locks work")


def identity(visit: Visit) -> Finding:
    """Is it known who this machine is?"""
    patient = visit.patient
    if patient.identity_problem:
        return bad(
            patient.identity_problem,
            f"mend {_home(visit)}/server.yaml, it is yours; if it is lost, move it away and "
            "bnet join HUB --name NAME --replace, under the old name",
        )
    if patient.identity is None:
        return open_("this machine has joined no network", "bnet join HUB --name NAME")
    me = patient.identity
    return good(f"{me.name} of {me.hub} (instance {me.instance[:8]})")


def path(visit: Visit) -> Finding:
    """Does the PATH for jobs, written down at join, lead to what every job needs?"""
    me = visit.patient.identity
    if me is None:
        return open_("not joined")
    missing = [each for each in ("git", "sh") if visit.patient.host.which(each, me.path) is None]
    if missing:
        return bad(
            f"the PATH in server.yaml does not lead to {' and '.join(missing)}",
            f'set `path:` in {_home(visit)}/server.yaml to what `echo "$PATH"` prints',
        )
    return good("the PATH for jobs has git and sh")


def files(visit: Visit) -> Finding:
    """Can what bnet wrote down for itself be read again?"""
    broken = visit.patient.host.broken()
    if broken:
        return bad(
            f"cannot be read, or is in the way: {_names(broken)}",
            "bnet doctor --repair (renames it to *.broken; what can be made anew is made anew)",
        )
    return good("its notes can be read")


def secrets(visit: Visit) -> Finding:
    """Are secrets secret?"""
    exposed = visit.patient.host.exposed()
    if exposed:
        return bad(
            f"others on this machine can read {_names(exposed)}",
            "chmod go= " + " ".join(shlex.quote(str(each)) for each in exposed),
        )
    if visit.patient.wrong_forges:
        # By number: what is wrong with it may be that the token stands where a name belongs.
        lines = ", ".join(map(str, visit.patient.wrong_forges))
        return bad(
            f"{visit.patient.home / 'secrets.env'}:{lines}: names no forge with its token, so none is told",
            "write it as BNET_FORGE_1=https://KIND:TOKEN@HOST; KIND is github, gitlab or gitea (docs/sources.md)",
        )
    return good("nobody else can read its secrets")


def clock(visit: Visit) -> Finding:
    """Does the time of day agree with the other servers'?"""
    seen = visit.patient.notes.observed()
    here = visit.patient.clock
    if seen.boot_id != here.boot_id():
        return open_("no other server's clock was seen since this machine started")
    ahead = offset(seen.skews, here.now(), here.boot())
    if abs(ahead) > TOLERANCE_S:
        way = "behind" if ahead > 0 else "ahead of"
        return bad(
            f"this machine's clock is {abs(ahead):.0f} s {way} the others'; nothing that depends on the time "
            "of day is done here",
            "timedatectl set-ntp true (and `date -u` on each machine shows which one is wrong)",
        )
    return good(f"the clock is within {TOLERANCE_S:.0f} s of the others'")


def sync(visit: Visit) -> Finding:
    """Has a sync looked at the hub lately?"""
    if visit.patient.identity is None:
        return open_("not joined")
    age = visit.patient.host.synced_ago()
    if age is None:
        return bad("no sync has ever looked at the hub", "bnet sync")
    rest = visit.patient.host.rests_s()
    if rest is not None and rest > -PATIENCE_S:
        return good(f"the last full sync was {_span(age)} ago, and left nothing to do")
    if age > PATIENCE_S:
        return bad(f"the last sync was {_span(age)} ago", "bnet sync (what it says shows why)")
    return good(f"the last sync was {_span(age)} ago")


def schedule(visit: Visit) -> Finding:
    """Does anything start the sync by itself?"""
    if visit.patient.identity is None:
        return open_("not joined")
    found = visit.patient.host.schedules()
    if found:
        return good(f"{' and '.join(found)} starts the sync each minute")
    holder = visit.patient.host.holder("sync.lock")
    if holder is not None:
        return good(f"at work: {holder}")
    return open_("neither cron nor systemd starts `bnet sync`, and no agent is at work", "bnet agent")


def sync_lock(visit: Visit) -> Finding:
    """Who holds the host's sync lock?"""
    holder = visit.patient.host.holder("sync.lock")
    age = visit.patient.host.synced_ago()
    if holder is None:
        return good("sync.lock is free")
    if age is None or age > PATIENCE_S:
        lock = shlex.quote(str(visit.patient.home / "sync.lock"))
        return bad(
            f"sync.lock is held by {holder}, which has not looked at the hub for long", f"fuser -v {lock}"
        )
    return good(f"sync.lock is held by {holder}")


def mirror(visit: Visit) -> Finding:
    """Is the private copy of the ledger sound?"""
    if visit.patient.ledger is None:
        return open_(visit.patient.ledger_problem or "no hub is named")
    why = visit.patient.git.unsound()
    if why:
        return bad(
            f"the mirror of the hub is damaged: {why}",
            "bnet doctor --repair (makes it anew; the hub has what was in it)",
        )
    return good("the mirror of the hub is sound")


def stale_locks(visit: Visit) -> Finding:
    """Did a killed process leave Git's lock files behind?"""
    host, ledger = visit.patient.host, visit.patient.ledger
    if ledger is None:
        return open_(visit.patient.ledger_problem or "no hub is named")
    if host.holder("sync.lock") is not None or host.holder("mirror.lock") is not None:
        return open_("the mirror is in use")
    with ledger.hub.exclusive():
        left = visit.patient.git.stale_locks()
    if left:
        return bad(
            f"a killed process left {_names(left)} in the mirror", "bnet doctor --repair (removes them)"
        )
    return good("no lock files were left in the mirror")


def outbox(visit: Visit) -> Finding:
    """Does a submission wait to be delivered?"""
    waiting, refused = visit.patient.host.letters()
    where = f"{_home(visit)}/outbox"
    if waiting:
        return bad(
            f"{waiting} submission(s) wait in {where}",
            "bnet sync (delivers them once the hub is there; to give one up, delete its file)",
        )
    if refused:
        return bad(
            f"{refused} submission(s) in {where} were refused, or cannot be read",
            f"the log says why: grep refused {_home(visit)}/logs/sync.log; then submit again and delete them",
        )
    return good("no submission waits")


def leases(visit: Visit) -> Finding:
    """Do the leases of live runs hold?"""
    alive = [each for each in visit.patient.host.runs() if each.phase == "alive"]
    short = [each for each in alive if each.lease_s is None or each.lease_s < each.ttl_s * BEAT_SHARE / 2]
    if short:
        return bad(
            f"about to lose its lease, or past it: {_keys(short)}",
            "bnet sync (renews them if the hub can be reached)",
        )
    return good(f"{len(alive)} live run(s), all with a lease that holds")


def supervisors(visit: Visit) -> Finding:
    """Did a run die without a word?"""
    dead = [each for each in visit.patient.host.runs() if each.phase == "died"]
    if dead:
        return bad(
            f"died without a word: {_keys(dead)}", "bnet sync (reports them, and they are tried again)"
        )
    return good("no run died without a word")


def unstarted(visit: Visit) -> Finding:
    """Was a claimed run never started?"""
    late = _older(visit.patient.host.runs(), "intended")
    if late:
        return bad(f"claimed but never started: {_keys(late)}", "bnet sync (starts them, or gives them back)")
    return good("every claimed run was started")


def unreported(visit: Visit) -> Finding:
    """Does the end of a run wait to be told?"""
    late = _older(visit.patient.host.runs(), "ended")
    if late:
        return bad(f"ended, and the hub does not know: {_keys(late)}", "bnet sync (reports them)")
    return good("no run's end waits to be reported")


def _older(runs: Sequence[RunSight], phase: str) -> list[RunSight]:
    return [each for each in runs if each.phase == phase and each.age_s > PATIENCE_S]


def _keys(runs: Sequence[RunSight]) -> str:
    return ", ".join("#{} attempt {}".format(*each.key.split(".")) for each in runs)


def _names(paths: Sequence[object]) -> str:
    shown = ", ".join(str(each) for each in paths[:3])
    return shown if len(paths) <= 3 else f"{shown} and {len(paths) - 3} more"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _home(visit: Visit) -> str:
    return shlex.quote(str(visit.patient.home))
