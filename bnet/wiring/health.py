"""A network as `bnet health` sees it from this machine."""

from collections.abc import Mapping

from msgspec.structs import replace

from bnet.app.health import Sources, gather
from bnet.codec.documents import Unreadable, decode, encode
from bnet.errors import BnetError
from bnet.files import read_or_none, write_atomic
from bnet.forges.sites import built
from bnet.gitstore.seen_site import published, tip_of
from bnet.health.clocks import correction
from bnet.health.facts import Facts, Finding, Site
from bnet.health.judge import judge
from bnet.health.memory import Memory, Published, dated
from bnet.model.state import State
from bnet.wiring.machine import Machine

FILE = "health.json"  # beside the mirror; what earlier looks have seen


def examined(machine: Machine, url: str) -> tuple[Facts, list[Finding]]:
    """Look at a hub and judge; what was seen is kept for the next look.

    Raises:
        BnetError: what `gather` raises.
    """
    path = machine.home.hub_dir(url) / FILE
    ledger = machine.ledger(url)
    checkup = machine.checkup(url)

    def size() -> tuple[int | None, int]:
        taken = checkup.size()
        return checkup.mirror_size() if taken is None else taken, checkup.refs()

    sources = Sources(
        ledger=ledger,
        clock=machine.clock,
        post=machine.post(url),
        index=lambda: machine.index(url),
        durations=lambda state: machine.durations(url, state),
        size=size,
        site=lambda state, known: published_site(state, url, machine.git_env, known),
    )
    facts, memory = gather(sources, _kept(read_or_none(path)))
    machine.keep(url, ledger)
    facts = replace(facts, ahead_s=correction(facts.seen, facts.now))
    memory, findings = dated(memory, judge(facts), facts.time)
    write_atomic(path, encode(memory), durable=False)
    return facts, findings


def published_site(
    state: State, url: str, env: Mapping[str, str], known: Published | None
) -> tuple[Site | None, Published | None]:
    """Return what is known of a hub's dashboard, and what to remember of its branch.

    One that `monitoring.yaml` names is asked; otherwise a branch of the hub says that it is published, as it says
    whose site it holds. One that is somewhere else and not named is nobody's business.
    """
    wanted = state.monitoring.site
    if not wanted.stale_after:
        return None, known
    if wanted.url is not None:
        where = f"the site {wanted.url}"
        try:
            at = built(wanted.url)
        except BnetError as error:
            return Site(where=where, said=f"{where} cannot be had: {error}"), known
        return Site(where=where, tip=at.isoformat(), built=at), known
    try:
        tip = tip_of(url, wanted.branch, env)
        if tip and (known is None or known.tip != tip):
            told = published(url, wanted.branch, tip, env)
            mine = told is not None and told[0] == state.head.hub
            known = Published(tip=tip, built=told[1] if told is not None and mine else None)
    except BnetError:
        return None, known  # it moved between two questions; the hub itself has answered
    if not tip or known is None or known.built is None:
        return None, known
    return Site(where=f"the site on the branch {wanted.branch}", tip=tip, built=known.built), known


def _kept(data: bytes | None) -> Memory:
    try:
        return Memory() if data is None else decode(Memory, data)
    except Unreadable:
        return Memory()
