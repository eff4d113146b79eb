"""A network as `bnet health` sees it from this machine."""

from msgspec.structs import replace

from bnet.app.health import Sources, gather
from bnet.codec.documents import Unreadable, decode, encode
from bnet.files import read_or_none, write_atomic
from bnet.health.clocks import correction
from bnet.health.facts import Facts, Finding
from bnet.health.judge import judge
from bnet.health.memory import Memory, dated
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
    )
    facts, memory = gather(sources, _kept(read_or_none(path)))
    machine.keep(url, ledger)
    facts = replace(facts, ahead_s=correction(facts.seen, facts.now))
    memory, findings = dated(memory, judge(facts), facts.time)
    write_atomic(path, encode(memory), durable=False)
    return facts, findings


def _kept(data: bytes | None) -> Memory:
    try:
        return Memory() if data is None else decode(Memory, data)
    except Unreadable:
        return Memory()
