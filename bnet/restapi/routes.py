"""What may be asked over HTTP: routes, of which the application is made, and the document about it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from bnet.errors import Invalid
from bnet.model.job import Source

Json = Any  # what JSON holds
Fields = Mapping[str, Json]
MOST = 1000  # of anything in one answer


class NotThere(Exception):
    """There is nothing of that number or name."""


class Network(Protocol):
    """A network to ask, and to ask things of; every method raises what the command line would say."""

    def health(self) -> Json:
        """Return what `bnet health --json` prints."""

    def status(self) -> Json:
        """Return what `bnet status --json` prints."""

    def jobs(self, state: str | None) -> Json:
        """Return what `bnet jobs --json` prints."""

    def job(self, number: int) -> Json:
        """Return what `bnet show N --json` prints; NotThere if there is no such job."""

    def builds(self, limit: int) -> Json:
        """Return the jobs that built packages, the newest first."""

    def last_source(self) -> Source | None:
        """Return what the newest job that built packages was made of."""

    def agents(self) -> Json:
        """Return what `bnet server list --json` prints."""

    def cache(self) -> Json:
        """Return what `bnet cache stats --json` prints."""

    def clear_cache(self) -> Json:
        """Do what `bnet cache clear` does."""

    def config(self) -> Json:
        """Return what `bnet hub show --json` prints of the settings."""

    def events(self, after: int, limit: int) -> Json:
        """Return what the newest transactions did, oldest first, of those with a greater number."""

    def act(self, command: Fields) -> Json:
        """Do one command of the inbox; return the jobs that it made, and a sentence."""


class Asked(NamedTuple):
    """A request, parsed: what its path names, its query, its body."""

    path: Fields
    query: Mapping[str, str]
    body: Fields

    def number(self, name: str, default: int) -> int:
        """Return a whole number of the query.

        Raises:
            Invalid: it is none.
        """
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdecimal()) or len(text) > 12:
            raise Invalid(f"takes a whole number, not {text[:40]!r}", file="the request", field=name)
        return int(text)


class Route(NamedTuple):
    """One thing that may be asked.

    Attributes:
        method, path: `{number}` and `{name}` stand for parts of the path.
        name: unlike that of any other.
        told: what it is, in a sentence.
        does: answers.
        gives: the schema of the answer: a name, or in brackets that of each of a list.
        takes: likewise of the body; "" where there is none.
        query: its parameters, and what each is.
    """

    method: Literal["GET", "POST"]
    path: str
    name: str
    told: str
    does: Callable[[Network, Asked], Json]
    gives: str
    takes: str = ""
    query: Mapping[str, str] = {}


def _of_job(verb: str) -> Callable[[Network, Asked], Json]:
    return lambda network, asked: network.act({verb: {**asked.body, "job": asked.path["number"]}})


def _of_agent(verb: str) -> Callable[[Network, Asked], Json]:
    return lambda network, asked: network.act({verb: {**asked.body, "server": asked.path["name"]}})


def _agent(network: Network, asked: Asked) -> Json:
    for each in network.agents():
        if each["name"] == asked.path["name"]:
            return each
    raise NotThere


def _build(network: Network, asked: Asked) -> Json:
    """Build packages: all of them, unless some are named, of the tree that was built last unless one is."""
    fields = {**asked.body}
    if "package" in asked.path:
        fields["packages"] = [asked.path["package"]]
    fields.setdefault("packages", ["*"])
    source = network.last_source() if fields.get("source") is None else None
    if source is not None:
        fields["source"] = {"repository": source.repository, "ref": source.ref}
    return network.act({"submit": fields})


def _state(network: Network, asked: Asked) -> Json:
    state = asked.query.get("state")
    if state not in (None, "pending", "running", "finished"):
        raise Invalid("is pending, running or finished", file="the request", field="state")
    return network.jobs(state)


LIMIT = {"limit": f"how many at most; {MOST:,} are the most"}
ROUTES: Sequence[Route] = (
    Route("GET", "/health", "health", "Whether anything is wrong.", lambda n, _: n.health(), "Health"),
    Route("GET", "/status", "status", "The network as it is.", lambda n, _: n.status(), "Status"),
    Route(
        "GET",
        "/jobs",
        "jobs",
        "Open jobs, and those of the last day.",
        _state,
        "[Job]",
        query={"state": "only those that are pending, running or finished"},
    ),
    Route(
        "POST",
        "/jobs",
        "submit",
        "Submit a job.",
        lambda n, asked: n.act({"submit": asked.body}),
        "Done",
        "Submit",
    ),
    Route(
        "GET",
        "/jobs/{number}",
        "job",
        "One job, with all attempts.",
        lambda n, asked: n.job(asked.path["number"]),
        "Job",
    ),
    Route("POST", "/jobs/{number}/cancel", "cancel", "End a job.", _of_job("cancel"), "Done", "CancelJob"),
    Route(
        "POST",
        "/jobs/{number}/retry",
        "retry",
        "Run a finished job again, as a new one.",
        _of_job("retry"),
        "Done",
        "RetryJob",
    ),
    Route(
        "POST",
        "/jobs/{number}/approve",
        "approve",
        "Let a job start, or with `reject` end it.",
        _of_job("approve"),
        "Done",
        "ApproveJob",
    ),
    Route(
        "POST",
        "/jobs/{number}/priority",
        "prioritize",
        "Move a waiting job.",
        _of_job("priority"),
        "Done",
        "SetPriority",
    ),
    Route(
        "POST",
        "/build",
        "build",
        "Build all packages, or those of `packages`, of the tree that was built last, or of `source`.",
        _build,
        "Done",
        "Submit",
    ),
    Route(
        "POST", "/build/{package}", "build_package", "Build one package, likewise.", _build, "Done", "Submit"
    ),
    Route(
        "GET",
        "/builds",
        "builds",
        "Jobs that built packages, the newest first.",
        lambda n, asked: n.builds(min(MOST, asked.number("limit", 50))),
        "[Build]",
        query=LIMIT,
    ),
    Route("GET", "/agents", "agents", "The servers.", lambda n, _: n.agents(), "[Agent]"),
    Route("GET", "/agents/{name}", "agent", "One server.", _agent, "Agent"),
    Route(
        "POST",
        "/agents/{name}/pause",
        "pause",
        "Let a server take no jobs.",
        _of_agent("pause"),
        "Done",
        "PauseServer",
    ),
    Route(
        "POST",
        "/agents/{name}/drain",
        "drain",
        "Let it take no more jobs, and its agent end.",
        _of_agent("drain"),
        "Done",
        "DrainServer",
    ),
    Route(
        "POST",
        "/agents/{name}/resume",
        "resume",
        "Let it take jobs again.",
        _of_agent("resume"),
        "Done",
        "ResumeServer",
    ),
    Route(
        "GET",
        "/cache/stats",
        "cache",
        "What this machine's cache holds.",
        lambda n, _: n.cache(),
        "CacheStats",
    ),
    Route(
        "POST",
        "/cache/clear",
        "clear_cache",
        "Empty this machine's cache.",
        lambda n, _: n.clear_cache(),
        "CacheCleared",
    ),
    Route("GET", "/config", "config", "The hub and its settings.", lambda n, _: n.config(), "Config"),
    Route(
        "GET",
        "/events",
        "events",
        "What the newest transactions did, oldest first.",
        lambda n, asked: n.events(asked.number("after", 0), min(MOST, asked.number("limit", 100))),
        "[Event]",
        query={
            "after": "of the next transactions after that `seq`, each whole, in place of the newest",
            **LIMIT,
        },
    ),
    Route(
        "POST",
        "/commands",
        "command",
        "Do any command of the inbox: one verb with its fields.",
        lambda n, asked: n.act(asked.body),
        "Done",
        "Command",
    ),
)
