"""The dashboard: what is known of a network, brought together, and made into a directory of pages."""

from collections.abc import Mapping
from pathlib import Path

from bnet.app.history import annals, search
from bnet.app.logs import run_logs
from bnet.app.messages.correspond import texts
from bnet.app.told.overview import heartbeats
from bnet.errors import HubUnreachable
from bnet.host.webroot import Done, Webroot
from bnet.model.history import EventQuery, Query
from bnet.sitegen.facts import Chunk, Facts
from bnet.sitegen.site import parts
from bnet.sitegen.theme import Theme
from bnet.wiring.machine import Machine

NEWEST_LETTERS = 60  # whose texts are shown
NEWEST_EVENTS = 300


def build(machine: Machine, url: str, output: Path) -> Done:
    """Make the site of a network, or bring it up to date.

    Args:
        machine: this one.
        url: of the hub.
        output: the site's directory.

    Raises:
        HubUnreachable: no answer; the site stays as it was.
        BnetError: the directory holds something else.
    """
    facts = gathered(machine, url)
    theme = theme_of(machine.scaffold() / "site")
    return Webroot(output).put(parts(facts, theme), machine.hub(url).contents)


def gathered(machine: Machine, url: str) -> Facts:
    """Look at the hub, and return what the pages are made of."""
    ledger = machine.ledger(url)
    look = ledger.refresh()
    machine.keep(url, ledger)
    state, post = ledger.state, machine.post(url)
    try:
        beats = heartbeats(ledger.hub, look, sorted(state.servers))
        logs = run_logs(ledger.hub, look, sorted(state.servers))
    except HubUnreachable:
        beats, logs = {}, {}  # a server began its telemetry anew between two questions; the next build has it
    index = machine.index(url)
    letters, acks = post.ask(state.tip, lambda: (post.index.every(), post.index.acks()))
    return Facts(
        state=state,
        hub=machine.shown(url),
        now=machine.clock.now(),
        beats=beats,
        past=search(ledger, index, Query()),
        logs={
            server: {key: [Chunk(*each) for each in chunks] for key, chunks in runs.items()}
            for server, runs in logs.items()
        },
        durations=machine.durations(url, state),
        letters=letters,
        acks=acks,
        bodies=texts(ledger.hub, state.tip, letters[-NEWEST_LETTERS:]),
        events=index.events(annals(ledger), EventQuery(limit=NEWEST_EVENTS)),
    )


def theme_of(directory: Path) -> Theme:
    """Read templates and assets."""
    return Theme(_texts(directory / "templates"), _texts(directory / "assets"))


def _texts(directory: Path) -> Mapping[str, str]:
    return {
        path.name: path.read_text(encoding="utf-8") for path in sorted(directory.iterdir()) if path.is_file()
    }
