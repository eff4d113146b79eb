"""What can happen to a server's registration."""

from msgspec.structs import replace

from bnet.errors import Taken
from bnet.model.base import Wish
from bnet.model.server import Server
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal


def register(server: Server, before: Server | None, *, replace_other: bool = False) -> Change:
    """Enter a server, or bring its own registration up to date.

    Args:
        server: as it describes itself.
        before: the registration under its name, if there is one.
        replace_other: take the name over from another instance (the caller has seen it silent).

    Raises:
        Taken: another instance has the name.
    """
    if before is None:
        return Change(verb="join", target=server.name, fields=_fields(server), servers=(server,))
    if before.instance != server.instance and not replace_other:
        raise Taken(
            f"the name {server.name} belongs to another server (instance {before.instance[:8]})",
            hint="choose another --name, or take it over with `bnet join --replace` once that one is silent",
        )
    kept = replace(server, wanted=before.wanted, why=before.why, by=before.by, joined_at=before.joined_at)
    verb = "update" if before.instance == server.instance else "replace"
    return Change(verb=verb, target=server.name, fields=_fields(server), servers=(kept,))


def wish(server: Server, wanted: Wish, *, by: str, why: str) -> Change:
    """Pause, drain or resume a server; what it runs goes on."""
    verb = {"active": "resume", "paused": "pause", "draining": "drain"}[wanted]
    after = replace(server, wanted=wanted, why="" if wanted == "active" else why, by=by)
    return Change(verb=verb, target=server.name, note=after.why, fields={"by": by}, servers=(after,))


def dismiss(server: Server, *, by: str, holds: int) -> Change:
    """Take a server out of the network.

    Args:
        server: its registration.
        by: who asked.
        holds: how many jobs it runs; it may not go with any.
    """
    if holds:
        raise Illegal(f"server {server.name} still holds {holds} job{'s' if holds > 1 else ''}")
    return Change(verb="leave", target=server.name, fields={"by": by}, dismissed=(server.name,))


def _fields(server: Server) -> dict[str, str | int]:
    return {"instance": server.instance, "slots": server.slots, "formats": server.formats}
