"""The dashboard: what is known of a network, brought together, and made into a directory of pages."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from jinja2 import FileSystemBytecodeCache

from bnet.app.history import annals, search
from bnet.app.messages.correspond import texts
from bnet.app.reports import kept_blobs
from bnet.app.told.telemetry import AllTold, all_told
from bnet.codec.documents import Unreadable, decode
from bnet.errors import HubUnreachable
from bnet.files import read_or_none, write_atomic
from bnet.forges.newfile import new_file
from bnet.gitstore.pages import PagesBranch, Pushed
from bnet.host.lock import HostLock
from bnet.host.webroot import LIST, LOCK, Done, Webroot
from bnet.model.history import EventQuery, Query
from bnet.ports.hub import Hub, Look
from bnet.sitegen.facts import Facts
from bnet.sitegen.site import parts
from bnet.sitegen.theme import Theme
from bnet.wiring.machine import Machine

NEWEST_LETTERS = 60  # whose texts are shown
NEWEST_EVENTS = 300
LARGEST = 4_000_000  # bytes of one content: bnet writes none over a quarter of a million, others may have


def build(machine: Machine, url: str, output: Path, every: int = 0) -> Done:
    """Make the site of a network, or bring it up to date.

    Args:
        machine: this one.
        url: of the hub.
        output: the site's directory.
        every: seconds until the next time, if that is known; the pages tell when it is overdue.

    Raises:
        HubUnreachable: no answer; the site stays as it was.
        BnetError: the directory holds something else.
    """
    return _written(gathered(machine, url, every), machine, url, output)


def _written(facts: Facts, machine: Machine, url: str, output: Path) -> Done:
    theme = theme_of(machine.scaffold() / "site", machine.home.hub_dir(url) / "pages")
    hub = machine.hub(url)
    return Webroot(output).put(parts(facts, theme), lambda oids: hub.contents(oids, LARGEST))


def gathered(machine: Machine, url: str, every: int = 0) -> Facts:
    """Look at the hub, and return what the pages are made of."""
    ledger = machine.ledger(url)
    look = ledger.refresh()
    machine.keep(url, ledger)
    state, post = ledger.state, machine.post(url)
    told = _told(machine, url, ledger.hub, look, sorted(state.servers))
    index = machine.index(url)
    letters, acks = post.ask(state.tip, lambda: (post.index.every(), post.index.acks()))
    return Facts(
        state=state,
        hub=machine.shown(url),
        now=machine.clock.now(),
        every=every,
        beats={name: each.heartbeat for name, each in told.servers.items() if each.heartbeat is not None},
        past=search(ledger, index, Query()),
        logs={name: each.logs for name, each in told.servers.items()},
        days={name: each.days for name, each in told.servers.items()},
        durations=machine.durations(url, state),
        letters=letters,
        acks=acks,
        bodies=texts(ledger.hub, state.tip, letters[-NEWEST_LETTERS:]),
        new_file=new_file(url, machine.place(url).branch, machine.secrets()),
        events=index.events(annals(ledger), EventQuery(limit=NEWEST_EVENTS)),
        reports=kept_blobs(ledger),
    )


def _told(machine: Machine, url: str, hub: Hub, look: Look, servers: Sequence[str]) -> AllTold:
    """Return what the servers have told; what was read of them is kept for the next build."""
    path = machine.home.hub_dir(url) / "told.json"
    try:
        known = decode(AllTold, read_or_none(path) or b"{}")
    except Unreadable:
        known = AllTold()
    try:
        told = all_told(hub, look, servers, known)
    except HubUnreachable:
        return AllTold()  # a server began its telemetry anew between two questions; the next build has it
    if told != known:
        with suppress(OSError):
            write_atomic(path, msgspec.json.encode(told), durable=False)
    return told


def theme_of(directory: Path, compiled: Path | None = None) -> Theme:
    """Read templates and assets; what the templates become is kept in a directory, if one is named."""
    cache = None
    if compiled is not None:
        with suppress(OSError):
            compiled.mkdir(parents=True, exist_ok=True)
            cache = FileSystemBytecodeCache(str(compiled))
    return Theme(_texts(directory / "templates"), _texts(directory / "assets"), cache)


def _texts(directory: Path) -> Mapping[str, str]:
    return {
        path.name: path.read_text(encoding="utf-8") for path in sorted(directory.iterdir()) if path.is_file()
    }


class Published(NamedTuple):
    """A site that was brought to a branch."""

    done: Done
    pushed: Pushed


def own_directory(machine: Machine, url: str) -> Path:
    """Return where this machine keeps a network's site for itself."""
    return machine.home.hub_dir(url) / "site"


def publish(machine: Machine, url: str, to: str, branch: str, every: int = 0) -> Published:
    """Make the site of a network and bring it to a branch of a repository.

    Args:
        machine: this one.
        url: of the hub.
        to: the repository; the hub itself, for instance.
        branch: of it; it holds nothing else.
        every: as for `build`.

    Raises:
        HubUnreachable: no answer; nothing was changed.
        BnetError: the branch holds something else, or may not be pushed to.
    """
    # Not what this machine may be serving: that is rewritten at any time, also while it is read for a commit.
    directory = machine.home.hub_dir(url) / "published"
    own = machine.home.hub_dir(url) / "pages.git"
    place = PagesBranch(own, machine.git_env, to, branch, of_hub=to == url)
    machine.home.ensure()
    place.check()  # before the work of a build, for it may be refused
    with HostLock(machine.home.hub_dir(url) / "publish.lock"):
        facts = gathered(machine, url, every)
        done = _written(facts, machine, url, directory)
        pushed = place.put(directory, (LIST, LOCK), facts.state.head.hub, machine.who, facts.now)
    return Published(done, pushed)
