"""The pages of one job: what was asked, what became of it, and what it printed."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from markupsafe import Markup

from bnet.app.told.jobs import by_name
from bnet.app.told.telemetry import Chunk
from bnet.codec.addresses import shown
from bnet.codec.documents import encode
from bnet.model.history import Past
from bnet.model.job import Artifact, Attempt, BuildReport, Job
from bnet.rules.past import past_of
from bnet.rules.transaction import read_archive
from bnet.rules.waiting import Condition, Usage, server_conditions, shared_conditions, usage
from bnet.schedule.choose import in_order
from bnet.sitegen import logs
from bnet.sitegen.actions import Action, Actions, quoted
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.rows import Row, job_path, row_of
from bnet.sitegen.theme import Theme
from bnet.sitegen.timeline import Event, drawn, events_of, stretches
from bnet.sitegen.words import clipped, span

MOST_FILES = 200  # artifacts that a page lists
MOST_SERVERS = 100  # of which it is told why they do not take a job
MOST_EXPLAINED = (
    500  # waiting jobs, the next ones, of which that is told: it takes all servers and jobs into account
)
LONGEST_COMMAND = 20_000  # characters


class Fact(NamedTuple):
    """Something that was asked: its name, its value, and the jobs that it names."""

    name: str
    value: str = ""
    jobs: Sequence[int] = ()


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The log of an attempt: all of it, or its end, for the job's own page; `whole` is where all of it is then."""

    attempt: int
    server: str
    html: Markup
    lines: int
    whole: str = ""
    raw: str = ""


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """A log that has pages of its own: of which attempt, and where."""

    attempt: int
    server: str
    href: str
    raw: str


class Why(msgspec.Struct, frozen=True):
    """Why a job does not run: the conditions everywhere; of each server, what it lacks."""

    everywhere: Sequence[Condition]
    by_server: Sequence[tuple[str, str]]


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """What a job's page shows."""

    row: Row
    command: str
    facts: Sequence[Fact]
    message: str
    line: Markup
    events: Sequence[Event]
    attempts: Sequence[Attempt]
    why: Why | None
    build: BuildReport | None
    artifacts: Sequence[Artifact]
    more_artifacts: int
    log: Log | None
    earlier: Sequence[Earlier]
    is_open: bool
    actions: Sequence[Action]


Runs = Mapping[tuple[str, int], Sequence[Chunk]]


def parts(facts: Facts, theme: Theme) -> Iterator[Part]:
    """Yield the pages of all jobs, those of one archive file one after another."""
    maker = _Maker(facts, theme)
    for past in facts.past:
        yield maker.part(past)


class _Maker:
    """Makes the pages of jobs; it remembers the archive file that it read last, for many in a row ask for it."""

    def __init__(self, facts: Facts, theme: Theme) -> None:
        self._facts = facts
        self._theme = theme
        self._actions = Actions(facts.new_file)
        self._known = frozenset(past.number for past in facts.past)
        self._logs: dict[int, dict[tuple[str, int], Sequence[Chunk]]] = {}
        for server, runs in facts.logs.items():
            for key, chunks in runs.items():
                number, _, attempt = key.partition(".")
                self._logs.setdefault(int(number), {})[server, int(attempt)] = chunks
        self._taken = usage(facts.state.jobs.values(), facts.state.locks)
        pending = in_order(facts.state.jobs, self._taken)
        self._explained = frozenset(job.number for job in pending[:MOST_EXPLAINED])
        self._blob = ""
        self._archived: Mapping[int, Job] = {}

    def part(self, past: Past) -> Part:
        """Return a job's own page, with those of logs that it has no room for."""
        number, live = past.number, self._facts.state.jobs.get(past.number)
        runs = self._logs.get(number, {})
        blobs = tuple(chunk.blob for run in runs.values() for chunk in run)
        # Of an open job, what is shown depends on all others and on the time.
        key = ""
        if past.finished is not None:
            told = [
                f"{server}.{attempt}:{','.join(each.blob for each in run)}"
                for (server, attempt), run in runs.items()
            ]
            decides = f"{past.blob}:{number} {' '.join(told)} {self._actions.key}"
            digest = hashlib.blake2b(decides.encode(), digest_size=12)
            digest.update(b"" if live is None else encode(live))
            key = f"{self._theme.version}:{digest.hexdigest()}"

        def render(contents: Mapping[str, bytes]) -> Mapping[str, str]:
            return self._made(live or self._from_archive(past, contents), runs, contents)

        return Part(
            name=job_path(number), render=render, needs=blobs if live else (past.blob, *blobs), key=key
        )

    def _from_archive(self, past: Past, contents: Mapping[str, bytes]) -> Job:
        if past.blob != self._blob:
            self._archived = {job.number: job for job in read_archive(contents[past.blob])}
            self._blob = past.blob
        return self._archived[past.number]

    def _made(self, job: Job, runs: Runs, contents: Mapping[str, bytes]) -> Mapping[str, str]:
        held = [] if job.claim is None else [(job.claim.server, job.claim.attempt)]
        ran = [*((each.server, each.attempt) for each in job.attempts), *held]
        path, files, last, earlier = job_path(job.number), dict[str, str](), None, list[Earlier]()
        for server, attempt in [each for each in ran if each in runs]:
            texts = logs.text_of(runs[server, attempt], contents)
            lines = logs.lines_of(texts)
            inline = logs.sheets_of(lines, logs.INLINE)
            newest = (server, attempt) == ran[-1]
            if newest and len(inline) == 1:
                last = Log(attempt=attempt, server=server, html=Markup(inline[0].html), lines=len(lines))
            elif lines:
                sheets = _Sheets(job, server, attempt, logs.sheets_of(lines))
                files |= sheets.files(self._theme, self._facts.state.settings.name)
                files[sheets.raw] = "".join(text for _, text in texts)
                if newest:
                    tail = logs.sheets_of(logs.tail(lines, logs.INLINE), logs.SHEET)[-1]
                    last = Log(
                        attempt=attempt,
                        server=server,
                        html=Markup(tail.html),
                        lines=len(lines),
                        whole=_beside(sheets.path(0)),
                        raw=_beside(sheets.raw),
                    )
                else:
                    where = {"href": _beside(sheets.path(0)), "raw": _beside(sheets.raw)}
                    earlier.append(Earlier(attempt=attempt, server=server, **where))
        why = why_not(job, self._facts, self._taken) if job.number in self._explained else None
        shown = view(job, last, earlier, why, list(self._actions.of_job(job)))
        name = self._facts.state.settings.name
        made = self._theme.render(
            "job.html", path, name, view=shown, known=self._known, here="jobs/index.html"
        )
        return {path: made, **files}


class _Sheets:
    """A log on pages of its own."""

    def __init__(self, job: Job, server: str, attempt: int, sheets: Sequence[logs.Sheet]) -> None:
        self._job = job
        self._server = server
        self._attempt = attempt
        self._sheets = sheets
        self.raw = f"{self._stem}.txt"

    @property
    def _stem(self) -> str:
        return f"{job_path(self._job.number).removesuffix('.html')}.{self._attempt}"

    def path(self, at: int) -> str:
        """Return where one of the pages is."""
        return f"{self._stem}-{at + 1}.html"

    def files(self, theme: Theme, network: str) -> dict[str, str]:
        """Return the pages."""
        links = [(_beside(self.path(at)), each.first, each.last, at) for at, each in enumerate(self._sheets)]
        return {
            self.path(at): theme.render(
                "log.html",
                self.path(at),
                network,
                job=self._job.spec,
                server=self._server,
                attempt=self._attempt,
                sheet=sheet,
                html=Markup(sheet.html),
                links=links,
                at=at,
                raw=_beside(self.raw),
                here="jobs/index.html",
            )
            for at, sheet in enumerate(self._sheets)
        }


def _beside(path: str) -> str:
    return path.rpartition("/")[2]


def why_not(job: Job, facts: Facts, taken: Usage) -> Why:
    """Return why a pending job does not run."""
    state = facts.state
    shared = shared_conditions(job, state.jobs, taken, state.settings, facts.now)
    rows = []
    for server in by_name(state.servers)[:MOST_SERVERS]:
        unmet = [each.text for each in server_conditions(job, server, taken) if not each.holds]
        rows.append((server.name, "; ".join(unmet)))
    return Why(shared, rows)


def view(
    job: Job, log: Log | None, earlier: Sequence[Earlier], why: Why | None, actions: Sequence[Action]
) -> JobView:
    """Return what a job's page shows."""
    spec, result = job.spec, job.result
    command = spec.command if isinstance(spec.command, str) else quoted(spec.command)
    last = job.attempts[-1] if job.attempts else None
    artifacts = result.artifacts if result is not None else ()
    return JobView(
        row=row_of(past_of(job)),
        command=clipped(command, LONGEST_COMMAND),
        facts=list(_facts(job)),
        message=clipped((result.message if result is not None else last.message if last else "") or "", 2000),
        line=drawn(stretches(job)),
        events=events_of(job)[:200],
        attempts=job.attempts[-100:],
        why=why,
        build=result.build if result is not None else None,
        artifacts=artifacts[:MOST_FILES],
        more_artifacts=max(0, len(artifacts) - MOST_FILES),
        log=log,
        earlier=earlier,
        is_open=result is None,
        actions=actions,
    )


def _facts(job: Job) -> Iterator[Fact]:
    """Yield what was asked, as far as it is not what is usual."""
    spec = job.spec
    if spec.packages:
        yield Fact("packages", " ".join(spec.packages))
    yield Fact("queue", spec.queue)
    yield Fact("priority", str(job.priority))
    yield from (Fact(name, value) for name, value in (*_texts(job),) if value)
    if spec.needs:
        yield Fact("needs", "", [each.job for each in spec.needs][:100])
    if spec.inputs:
        yield Fact("inputs from", "", [each.job for each in spec.inputs][:100])
    if spec.retry_of is not None:
        yield Fact("repeats", "", [spec.retry_of])
    if spec.rollback_of is not None:
        yield Fact("rolls back to", "", [spec.rollback_of])


def _texts(job: Job) -> Iterator[tuple[str, str]]:
    spec, source = job.spec, job.spec.source
    if source is not None:
        yield "source", shown(source.repository) if source.repository else "a working tree"
        yield "ref", source.ref or ""
        yield "commit", source.commit or source.snapshot or ""
    yield "labels", _pairs(spec.labels)
    yield "matrix", _pairs(spec.matrix)
    yield "environment", spec.environment or ""
    if spec.pipeline is not None:
        yield "pipeline", f"{spec.pipeline.name}, step {spec.pipeline.step}"
    yield "variables", " ".join(sorted(spec.env))  # their names: values are for those who may run `bnet show`
    yield "locks", " ".join(spec.locks)
    yield "group", "" if spec.group is None else spec.group.name
    yield "sandbox", "" if spec.sandbox == "none" else spec.sandbox
    yield "image", spec.image or ""
    yield "timeout", span(spec.timeout)
    yield "condition", spec.when or ""
    yield "note", spec.note


def _pairs(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(values.items()))
