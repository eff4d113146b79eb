"""This machine: its home, its hubs, and what the commands of people need of them."""

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bnet.app.hub.whereabouts import hub_here, ledger_branch
from bnet.app.ledger import Ledger
from bnet.codec import people
from bnet.codec.addresses import shown
from bnet.errors import BnetError, HubUnreachable, Taken
from bnet.files import read_json, read_or_none, write_atomic, write_json
from bnet.gitstore.hub import RemoteHub
from bnet.gitstore.places import GitGrounds, advice
from bnet.gitstore.repo import environment
from bnet.host import traits
from bnet.host.clock import SystemClock
from bnet.host.home import Home
from bnet.host.lock import HostLock
from bnet.model.server import Identity
from bnet.model.state import State
from bnet.schedule.durations import Durations
from bnet.wiring.patience import PatientLock
from bnet.wiring.repositories import Repositories
from bnet.wiring.took import Took

if TYPE_CHECKING:
    from bnet.app.messages.post import Post
    from bnet.app.submit import Outbox
    from bnet.gitstore.checkup import GitCheckup
    from bnet.host.index import LocalIndex
    from bnet.host.letters import ReadMarks
    from bnet.host.minutely import Minutely

SYNC_PATIENCE = 30.0  # seconds: longer than a sync takes
KEEP_SHARE = 50  # a snapshot is written anew once more than a fiftieth of it has changed since


@dataclass(frozen=True)
class Place:
    """Where a hub is: its URL, the ledger's branch there, the telemetry refs' prefix."""

    url: str
    branch: str = "bnet"
    prefix: str = "refs/bnet/servers/"


class Machine:
    """Everything that the command line needs of this machine, made when it is first asked for."""

    def __init__(self, home: Home, env: Mapping[str, str], who: str) -> None:
        """Keep where the machine keeps its files, its environment, and who acts."""
        self.home = home
        self.env = env
        self.who = who
        self.clock = SystemClock()
        self.chance = random.Random()
        self._hubs: dict[str, RemoteHub] = {}
        self._posts: dict[str, Post] = {}
        self._places: dict[str, Place] = {}

    @cached_property
    def git_env(self) -> dict[str, str]:
        """The environment in which Git runs."""
        return environment(self.env)

    @cached_property
    def repositories(self) -> Repositories:
        """Return the repositories of people, as Git reaches them from here."""
        return Repositories(self.git_env, self.who)

    @cached_property
    def mirror_lock(self) -> PatientLock:
        """Keeps this machine's processes off each other's work on the mirrors."""
        return PatientLock(self.home.mirror_lock)

    @cached_property
    def identity(self) -> Identity | None:
        """Who this machine is, if it has joined a network."""
        try:
            data = self.home.server_yaml.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        text = people.parse(data, str(self.home.server_yaml))
        return people.read(text, Identity, text.data)

    def keep_identity(self, identity: Identity) -> None:
        """Write `server.yaml`."""
        self.home.ensure()
        write_atomic(self.home.server_yaml, people.write(identity), mode=0o600)
        self.__dict__["identity"] = identity

    @cached_property
    def grounds(self) -> GitGrounds:
        """Looks at repositories before there is a mirror of them."""
        return GitGrounds(self.git_env)

    def place(self, url: str) -> Place:
        """Return where a hub's ledger is; found out once, then remembered."""
        if url not in self._places:
            self._places[url] = self._remembered(url) or Place(url, self._branch_of(url))
        return self._places[url]

    def _remembered(self, url: str) -> Place | None:
        known = read_json(self.home.hub_dir(url) / "hub.json")
        if known is None or known.get("url") != url:
            return None
        branch, prefix = known.get("branch"), known.get("prefix")
        return Place(url, branch, prefix) if isinstance(branch, str) and isinstance(prefix, str) else None

    def _branch_of(self, url: str) -> str:
        if self.identity is not None and self.identity.hub == url:
            return self.identity.branch
        if self.env.get("BNET_BRANCH"):
            return self.env["BNET_BRANCH"]
        try:
            return ledger_branch(self.grounds.behind(url, "bnet"))
        except HubUnreachable:
            return "bnet"  # whatever is done next says that there is no answer, and what happens then

    def hub_here(self, here: Path) -> str:
        """Return the hub of the repository that one stands in.

        Raises:
            BnetError: there is none; the hint names the other ways to name one.
        """
        return hub_here(here, self.grounds, lambda url: self._remembered(url) is not None)

    def hub_named(self, url: str) -> str:
        """Return the hub that is meant by a URL or path: of a clone of a hub, the remote `origin`."""
        ground = self.grounds.at(Path(url)) if Path(url).is_absolute() and Path(url).is_dir() else None
        if ground is None or ground.bare or not ground.origin:
            return url
        try:
            return self.hub_here(ground.path)
        except HubUnreachable:
            raise
        except BnetError:
            return url

    def begin(self, url: str, branch: str) -> RemoteHub:
        """Return the hub at a URL, with the ledger on a branch; what was known of it before is forgotten.

        Raises:
            BnetError: this machine is a server of that other one.
        """
        if self.identity is not None and self.identity.hub == url:
            raise BnetError(
                f"this machine is server {self.identity.name} of a network whose ledger {url} has lost",
                hint="`bnet sync` gives back what is known here; or delete server.yaml and begin anew",
            )
        import shutil

        shutil.rmtree(self.home.hub_dir(url), ignore_errors=True)
        self._hubs.pop(url, None)
        self._posts.pop(url, None)
        self.settle(url, branch)
        return self.hub(url)

    def settle(self, url: str, branch: str) -> None:
        """Take a branch as the one that holds a hub's ledger."""
        if self.place(url).branch != branch:
            self._places[url] = Place(url, branch)
            self._hubs.pop(url, None)
            self._posts.pop(url, None)

    @staticmethod
    def shown(url: str) -> str:
        """Return a hub's URL as people may see it, without a password or token."""
        return shown(url)

    @staticmethod
    def advice(url: str) -> str:
        """Say what to do about a hub that cannot be read."""
        return advice(url)

    def scaffold(self) -> Path:
        """Return the folder that holds what a hub begins with."""
        from bnet import scaffold

        return scaffold.root()

    def traits(self) -> tuple[int, Mapping[str, str]]:
        """Return how many jobs this machine can run at a time, and the labels that it has by itself."""
        return traits.cores(), traits.labels()

    def minutely(self) -> "Minutely":
        """Return the cron entry or timer of this BNET_HOME."""
        from bnet.host.minutely import Minutely

        return Minutely(self.home, self.env.get("PATH", ""), self.env.get("XDG_CONFIG_HOME", ""))

    def trial(self, program: Sequence[str]) -> str:
        """Start bnet as cron will, and return what it complains about."""
        return self.minutely().trial(program)

    def drop_identity(self) -> None:
        """Remove `server.yaml`, and what a server of another name or network must not take for its own."""
        for path in (self.home.server_yaml, self.home.observed_json, self.home.path / "telemetry.json"):
            path.unlink(missing_ok=True)
        self.__dict__["identity"] = None

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Keep this server's syncs and agents from working meanwhile.

        Raises:
            Taken: an agent is at work and does not end.
        """
        self.home.ensure()
        lock = HostLock(self.home.sync_lock)
        try:
            lock.acquire(timeout_s=SYNC_PATIENCE)
        except Taken:
            raise Taken(
                "an agent of this server is at work", hint="stop it (SIGTERM, or Ctrl-C), then try again"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def hub(self, url: str) -> RemoteHub:
        """Return the hub behind a URL, with its private mirror."""
        if url not in self._hubs:
            place = self.place(url)
            self.home.ensure()
            directory = self.home.hub_dir(url)
            self._hubs[url] = RemoteHub(
                url,
                place.branch,
                directory / "mirror.git",
                self.git_env,
                prefix=place.prefix,
                lock=self.mirror_lock,
            )
        return self._hubs[url]

    def ledger(self, url: str, actor: str | None = None) -> Ledger:
        """Return the ledger of a hub, beginning with the snapshot that was kept last."""
        ledger = Ledger(self.hub(url), self.clock, actor or self.who, self.chance)
        kept = read_or_none(self.home.hub_dir(url) / "snapshot")
        if kept is not None:
            ledger.snapshot.thaw(kept)
        return ledger

    def post(self, url: str) -> "Post":
        """Return the messages on a hub, with the index of them that this machine keeps."""
        if url not in self._posts:
            from bnet.app.messages.post import Post
            from bnet.host.letters import LetterIndex  # SQLite: 5 ms

            self.home.ensure()
            index = LetterIndex(self.home.hub_dir(url) / "messages.db")
            self._posts[url] = Post(self.hub(url), index)
        return self._posts[url]

    def marks(self, url: str) -> "ReadMarks":
        """Return which messages of a hub have been read here."""
        from bnet.host.letters import ReadMarks

        return ReadMarks(self.home.hub_dir(url) / "read")

    def keep(self, url: str, ledger: Ledger) -> None:
        """Keep a ledger's snapshot for the next process, if it has moved far enough to be worth it."""
        hub = self.hub(url)
        place = Place(url, hub.ledger_ref.removeprefix("refs/heads/"), hub.telemetry_prefix)
        directory = self.home.hub_dir(url)
        if place != self.place(url) or not (directory / "hub.json").exists():
            write_json(directory / "hub.json", {"url": url, "branch": place.branch, "prefix": place.prefix})
            self._places[url] = place
        if ledger.snapshot.moved * KEEP_SHARE > ledger.snapshot.size:
            write_atomic(directory / "snapshot", ledger.snapshot.freeze_dry(), durable=False)
            ledger.snapshot.moved = 0
        self._took(url).take_in(ledger)
        hub.maintain_if_due()

    def durations(self, url: str, state: State) -> Durations:
        """Return how long a hub's jobs took, as far as that was written down here, and those in its tree."""
        return self._took(url).known(state)

    def _took(self, url: str) -> Took:
        return Took(self.home.hub_dir(url) / "durations.json")

    def index(self, url: str) -> "LocalIndex":
        """Return the index of a hub's past."""
        from bnet.host.index import LocalIndex

        return LocalIndex(self.home.hub_dir(url) / "history.db")

    def secrets(self) -> dict[str, str]:
        """Return what `secrets.env` holds."""
        from bnet.wiring.secrets import secrets_in

        return secrets_in(self.home.secrets_env)

    def own_environment(self) -> Mapping[str, str]:
        """Return the environment of this server's own processes; credentials may be in secrets.env."""
        return {**self.env, **self.secrets(), "BNET_HOME": str(self.home.path)}

    def outbox(self) -> "Outbox":
        """Return the submissions that wait."""
        from bnet.app.submit import Outbox

        self.home.ensure()
        return Outbox(self.home.outbox)

    def checkup(self, url: str | None) -> "GitCheckup":
        """Return what looks at a hub and its mirror from outside."""
        from bnet.gitstore.checkup import GitCheckup

        mirror = None if url is None else self.home.hub_dir(url) / "mirror.git"
        return GitCheckup(url, mirror, self.git_env)
