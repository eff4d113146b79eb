"""Founding a network: the ledger's first commit."""

import os
import random
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from bnet.app.hub.site import Grounds, Site, existing
from bnet.codec import layout, people
from bnet.codec.documents import encode
from bnet.codec.schemas import shipped
from bnet.errors import RefusedByPolicy
from bnet.files import read_or_none
from bnet.model.base import Record
from bnet.model.hub import FORMAT, Head, Settings
from bnet.ports.hub import Commit, Hub, Update
from bnet.ports.machine import Clock

# GitHub's documented limits for one repository ("Repository limits"): pushes a minute, reads a second.
GITHUB = {"push_budget": 6.0, "read_budget": 15.0}
FOLDERS = ("coordination", "messages", "specs")
WORKFLOWS = ".github/workflows/"  # of those that this project has, the ones for hubs are
CARRIED = ("health-monitor.yml", "pages.yml")


class Wanted(Record, frozen=True, kw_only=True):
    """The settings that were named; the others keep their defaults."""

    name: str | None = None
    push_budget: float | None = None
    read_budget: float | None = None
    ttl: float | None = None


class Host(Protocol):
    """What founding needs of this machine."""

    chance: random.Random
    who: str

    @property
    def grounds(self) -> Grounds:
        """Looks at places, and prepares them."""

    @property
    def clock(self) -> Clock:
        """The machine's clock."""

    def begin(self, url: str, branch: str) -> Hub:
        """Return the hub at a URL, with the ledger on a branch; what was known of it before is forgotten.

        Raises:
            BnetError: this machine is a server of that other one.
        """

    def scaffold(self) -> Path:
        """Return the folder that holds `coordination/`, `messages/` and `specs/`."""


def establish(site: Site, branch: str, wanted: Wanted, host: Host, shown: str) -> tuple[str, bool]:
    """See to it that there is a ledger.

    Args:
        site: where.
        branch: on which branch, if there is none yet.
        wanted: the settings that were named.
        host: this machine.
        shown: the URL as people may see it.

    Returns:
        The ledger's branch, and whether the ledger is new.

    Raises:
        BnetError: there can be none; nothing was changed.
    """
    grounds, url = host.grounds, site.url
    name = wanted.name or network_name(url)
    wanted = msgspec.structs.replace(budgets(url, wanted), name=name)
    files = documents(host.scaffold(), shipped(), shown, branch, wanted)
    if site.make:
        grounds.make(Path(url), branch)
    there = existing(grounds.behind(url, branch), url, branch, grounds)
    if there is not None:
        return there, False
    if site.ground is not None and site.ground.bare:
        grounds.point_head(site.ground, branch)
    hub = host.begin(url, branch)
    return branch, found(hub, files, clock=host.clock, chance=host.chance, by=host.who)


def budgets(url: str, wanted: Wanted) -> Wanted:
    """Add what is known of the host's limits, where nothing else was named."""
    host = re.sub(r"^\w[\w+.-]*://", "", url).partition("/")[0].rpartition("@")[2].partition(":")[0]
    if host.lower() not in ("github.com", "ssh.github.com", "www.github.com"):
        return wanted
    known = {name: value for name, value in GITHUB.items() if getattr(wanted, name) is None}
    return msgspec.structs.replace(wanted, **known)


def network_name(url: str) -> str:
    """Return a name for the network behind a URL: that of the repository."""
    last = re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")
    return last or os.path.basename(os.path.dirname(url.rstrip("/"))) or "bnet"


def documents(
    scaffold: Path, schemas: Mapping[str, bytes], url: str, branch: str, wanted: Wanted
) -> dict[str, bytes]:
    """Return the files that a hub begins with: path -> content.

    Args:
        scaffold: the folder that holds `coordination/`, `messages/`, `specs/` and `.github/`.
        schemas: for editors: file name -> content.
        url: as people may see it.
        branch: the ledger's.
        wanted: the settings that were named.
    """
    files = {}
    for folder in FOLDERS:
        for path in sorted((scaffold / folder).rglob("*")):
            name = path.relative_to(scaffold).as_posix()
            data = read_or_none(path) if path.is_file() and _is_copied(name) else None
            if data is not None:
                files[name] = data
    for name in CARRIED:
        data = read_or_none(scaffold / WORKFLOWS / name)
        files |= {} if data is None else {WORKFLOWS + name: data}
    files |= {f"{layout.ROOT}.schemas/{name}": data for name, data in schemas.items()}
    readme = layout.ROOT + "README.md"
    if readme in files:
        files[readme] = _placed(files[readme].decode(), url, branch).encode()
    files[layout.SETTINGS] = settings(files.get(layout.SETTINGS, b""), wanted)
    files[layout.HEAD] = encode(Head(format=FORMAT, hub=str(uuid.uuid4())))
    title = wanted.name or "bnet"
    files["README.md"] = (
        f"# {title}\n\nThis branch is the ledger of a build network; "
        "[coordination/](coordination/README.md) says how it works.\n"
    ).encode()
    return files


def _is_copied(name: str) -> bool:
    """Leave out what belongs to the one hub that it is of: this project has its own in the same folders."""
    own = layout.is_machine(name) or name.startswith((layout.SERVERS, layout.REJECTED))
    written = name.startswith((layout.INBOX, "messages/")) and not name.endswith("/README.md")
    return not own and not written and "/." not in name


def _placed(text: str, url: str, branch: str) -> str:
    return re.sub(r"\bBRANCH\b", lambda _: branch, re.sub(r"\bURL\b", lambda _: url, text))


def settings(template: bytes, wanted: Wanted) -> bytes:
    """Return `hub.yaml` with the named settings in force, each in the place where its default is shown.

    Raises:
        Invalid: a value is none.
    """
    text = template.decode()
    for name, value in msgspec.to_builtins(wanted).items():
        spelt = f"{value:g}" if isinstance(value, float) else msgspec.json.encode(value).decode()
        shown = re.search(rf"^#? ?{name}:.*\n?", text, re.MULTILINE)
        before, after = (text, "") if shown is None else (text[: shown.start()], text[shown.end() :])
        text = f"{before}{name}: {spelt}\n{after}"
    parsed = people.parse(text.encode(), layout.SETTINGS)
    people.read(parsed, Settings, {} if parsed.data is None else parsed.data)
    return text.encode()


def found(hub: Hub, files: Mapping[str, bytes], *, clock: Clock, chance: random.Random, by: str) -> bool:
    """Push the first commit of a ledger, if there is none.

    Args:
        hub: where.
        files: from `documents`.
        clock: for the commit's time.
        chance: for its nonce, without which two of the same second could be one.
        by: who founds it.

    Returns:
        Whether the ledger there is this one; otherwise somebody else was first.

    Raises:
        HubUnreachable: no answer; call it again.
        RefusedByPolicy: the hub does not take it.
    """
    said: str | None = None
    # GitHub takes no file of a workflow from a token without that right, and a hub is one without it too.
    plain = {path: data for path, data in files.items() if not path.startswith(WORKFLOWS)}
    for first in (files, plain):
        if hub.look().ledger:
            return False
        nonce = uuid.UUID(int=chance.getrandbits(128)).hex
        trailers = f"Bnet-Seq: 0\nBnet-Next-Job: 1\nBnet-Nonce: {nonce}\nBnet-Op: init format={FORMAT}\n"
        commit = Commit(
            parent=None, files=first, message=f"{by}: init\n\n{trailers}", author=by, at=clock.now()
        )
        oid = hub.write([commit])[0]
        said = hub.push([Update(hub.ledger_ref, "", oid)])
        tip = hub.look().ledger
        if tip:
            hub.fetch(tip)
            return hub.contains(tip, oid)
    raise RefusedByPolicy(
        f"the hub can be read, but does not take the ledger: {said}",
        hint="is there write access, and may this branch be made? --branch NAME chooses another",
    )
