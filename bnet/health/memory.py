"""What this machine has seen of the servers' refs, from one look to the next, on its own boot-time clock."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from bnet.health.facts import Finding
from bnet.model.base import Moment, Record


class Sighting(Record, frozen=True, kw_only=True):
    """A ref at a commit.

    Attributes:
        tip: the commit.
        since_s: boot-clock seconds of the look that saw it first.
        before_s: of the look before that, which saw another one; None if there was none on this boot.
    """

    tip: str
    since_s: float
    before_s: float | None = None


class Published(Record, frozen=True, kw_only=True):
    """What was found at a commit of the site's branch: when it was published; None if that is no site of this hub."""

    tip: str
    built: Moment | None = None


class Memory(Record, frozen=True, kw_only=True):
    """What was seen so far; it can be lost, and then less is certain.

    Attributes:
        boot_id: the boot that seconds were counted on.
        looked_s: of the last look.
        servers: by name.
        began: key of a finding -> when it was found first.
        published: what the site's branch held.
    """

    boot_id: str = ""
    looked_s: float = 0.0
    servers: dict[str, Sighting] = {}
    began: dict[str, Moment] = {}
    published: Published | None = None

    def least_s(self, server: str) -> float:
        """Return the seconds for which a server's ref was seen unmoved."""
        seen = self.servers.get(server)
        return 0.0 if seen is None else self.looked_s - seen.since_s

    def most_s(self, server: str) -> float | None:
        """Return the seconds since a server's ref was seen at another commit; None if it never was."""
        seen = self.servers.get(server)
        return None if seen is None or seen.before_s is None else self.looked_s - seen.before_s


SITE = "the site"  # as it is remembered among the servers, whose names hold no blank


def look(before: Memory, tips: Mapping[str, str], *, boot_id: str, now_s: float) -> Memory:
    """Take in one look: server -> commit of its telemetry, and what the site is at.

    Args:
        before: what was seen until now.
        tips: what is there now.
        boot_id: of this boot; a reboot starts every count anew.
        now_s: seconds on this machine's boot-time clock, from before the hub was asked.
    """
    same = boot_id == before.boot_id and now_s >= before.looked_s
    servers = {}
    for name, tip in tips.items():
        known = before.servers.get(name) if same else None
        if known is not None and known.tip == tip:
            servers[name] = known
        else:
            earlier = None if known is None else before.looked_s
            servers[name] = Sighting(tip=tip, since_s=now_s, before_s=earlier)
    return replace(before, boot_id=boot_id, looked_s=now_s, servers=servers)


def dated(memory: Memory, found: Iterable[Finding], now: datetime) -> tuple[Memory, list[Finding]]:
    """Remember since when there is what was found, and say it of what has no better date."""
    told = list(found)
    began = {each.key: memory.began.get(each.key, now) for each in told}
    findings = [each if each.since is not None else replace(each, since=began[each.key]) for each in told]
    return replace(memory, began=began), findings
