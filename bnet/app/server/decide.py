"""What one server decides in one sync: a pure function of the snapshot and of what was found here."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from bnet.codec import layout, people
from bnet.codec.inbox import parse_commands
from bnet.errors import BnetError, Invalid
from bnet.model.base import Result
from bnet.model.command import Command
from bnet.model.hub import FORMAT
from bnet.model.job import Artifact, Attempt, BuildReport, Job
from bnet.model.run import RunExit, RunFact
from bnet.model.server import Server
from bnet.model.state import InboxFile
from bnet.rules import automatic, deployments, filing, jobs, keeping, messages, replies, servers, settle
from bnet.rules.admit import admit, sources_of
from bnet.rules.agenda import Agenda
from bnet.rules.change import Change
from bnet.rules.firing import fire
from bnet.rules.jobs import Illegal
from bnet.rules.leases import default_ttl
from bnet.rules.mail import Mail
from bnet.rules.refuse import printable, refused
from bnet.rules.specs import Facts, Unresolved
from bnet.rules.transaction import Transaction
from bnet.schedule.choose import choose
from bnet.schedule.rivals import Rivals

MOST_LISTED = 300_000  # bytes of a result's list of artifacts; a document holds a million


class Left(msgspec.Struct, frozen=True):
    """What a run that has ended left behind for its result.

    Attributes:
        artifacts, build: as its result has them.
        manifest: the blake3 of the manifest of its files.
        place: where that is.
        papers: what is put beside its files in Git, by name.
    """

    artifacts: tuple[Artifact, ...] = ()
    build: BuildReport | None = None
    manifest: str | None = None
    place: str = ""
    papers: dict[str, bytes] = {}


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What this server knows that the snapshot does not.

    Attributes:
        me: its registration as it should be.
        runs: the unreported runs, by their UUID.
        artifacts: run -> what it left, for those that ended.
        lapsed: runs whose holders were seen unmoved for their TTL; runs of ours that nothing here knows of.
        facts: what was looked up for the commands in the inbox.
        trust_clock: whether the time of day may decide anything.
        most: how many jobs may be claimed at most, of a one-shot agent.
        mail: what messages ask for.
        run_of: (job, attempt) -> UUID for a claim, the same each time it is asked.
        agenda: remembers when each schedule comes next.
        rivals: what is known of the other servers' speed; None where that decides nothing.
    """

    me: Server
    runs: Mapping[str, RunFact]
    left: Mapping[str, Left]
    lapsed: frozenset[str]
    facts: Facts
    trust_clock: bool
    most: int | None
    run_of: Callable[[int, int], str]
    agenda: Agenda = msgspec.field(default_factory=Agenda)
    mail: Mail = Mail()
    rivals: Rivals | None = None


def decide(tx: Transaction, here: Here) -> None:
    """Apply everything that this server has to say now, in the order in which one thing makes room for the next."""
    before = tx.servers.get(here.me.name)
    if before is not None and _outdated(before, here.me):
        tx.apply(servers.register(here.me, before))
    for file in tx.state.inbox:
        take_in(tx, file, here.facts)
    if here.trust_clock:
        fire(tx, here.agenda, here.facts)
    automatic.take_up(tx, here.mail.since)
    for news in here.mail.news:
        if not _waits(news.commands, here.facts):
            messages.take_in(tx, news, here.facts, here.me.name)
    for fact in here.runs.values():
        _report(tx, fact, here)
    settle.expire_claims(tx, set(here.lapsed))
    deployments.record(tx)
    settle.expire_stakes(tx, set(here.lapsed))
    if here.trust_clock:
        settle.give_up_unclaimed(tx)
    settle.skip_hopeless(tx)
    _claim(tx, here)
    replies.answer(tx, here.me.name)
    if here.trust_clock:
        replies.remind(tx, here.mail, here.me.name)
        filing.file_away(tx, here.mail)
        settle.archive(tx)
        keeping.give_up(tx, here.me.name)
        if tx.changes:
            settle.prune(tx)
            keeping.forget(tx, ())


def take_in(tx: Transaction, file: InboxFile, facts: Facts) -> None:
    """Admit a file of the inbox, or set it aside under `rejected/` with the reason."""
    by, path = file.by or "unknown", printable(file.path)
    try:
        if file.problem:
            raise Invalid(file.problem, file=path)
        if not path.lower().endswith((".yaml", ".yml", ".json")):
            raise Invalid("is no .yaml file; the inbox takes commands in YAML", file=path)
        commands = parse_commands(file.text, path)
        if _waits(commands, facts):
            return  # its repository does not answer; the file waits where it is
        numbers = _admitted(tx, commands, by, facts, file)
    except Invalid as error:
        tx.apply(refused(tx, file, by, error))
        return
    name = path.removeprefix(layout.ROOT)
    note = " ".join(f"#{number}" for number in numbers[:10])
    tx.apply(Change(verb="admit", target=name, note=note, fields={"by": by}, files={file.path: None}))


def _waits(commands: Sequence[Command], facts: Facts) -> bool:
    """Tell whether a repository that commands refer to has not answered."""
    return any(_is_pending(facts.commits.get(pair)) for pair in sources_of(commands))


def _is_pending(found: str | Unresolved | None) -> bool:
    return isinstance(found, Unresolved) and found.again


def _admitted(
    tx: Transaction, commands: Sequence[Command], by: str, facts: Facts, file: InboxFile
) -> list[int]:
    try:
        return admit(tx, commands, by=by, facts=facts)
    except Illegal as error:
        text = people.parse(file.text, printable(file.path))
        listed = isinstance(text.data, list)
        steps: people.Steps = (error.command,) if listed else ()
        raise text.invalid(error.message, steps) from None


def _outdated(before: Server, now: Server) -> bool:
    return any(
        getattr(before, field) != getattr(now, field)
        for field in ("slots", "labels", "accept", "formats", "version")
    )


def _report(tx: Transaction, fact: RunFact, here: Here) -> None:
    job = tx.jobs.get(fact.intent.job)
    if job is None or job.claim is None or job.claim.run != fact.intent.run:
        return  # overtaken: what became of it changes nothing
    if fact.phase == "ended" and fact.exit is not None:
        left = here.left.get(fact.intent.run, Left())
        ended = attempt_of(job, fact.exit, left)
        change = jobs.end_attempt(job, ended)
        tx.apply(msgspec.structs.replace(change, documents=keeping.listed(tx, job, ended, left.place)))
    elif fact.phase == "died":
        tx.apply(jobs.lost(job, now=tx.now, why=f"its processes vanished from {here.me.name}"))
    elif fact.phase == "intended" and job.wanted.cancel is not None:
        tx.apply(jobs.lost(job, now=tx.now, why="it was cancelled before it was started"))
    elif fact.phase == "intended" and fact.lapsed and fact.intent.on_lost_lease == "stop":
        tx.apply(jobs.lost(job, now=tx.now, why="its lease ran out before it could be started"))


def attempt_of(job: Job, ended: RunExit, left: Left) -> Attempt:
    """Return how an attempt ended, in the ledger's words, from how its run did."""
    assert job.claim is not None
    held = job.claim
    result, reason, message = _outcome(job, ended)
    artifacts = left.artifacts
    if len(msgspec.json.encode(artifacts)) > MOST_LISTED:
        artifacts, result, reason = (), "error", "artifacts"
        message = "these are too many artifacts to list; pack them into one file"
    return Attempt(
        attempt=held.attempt,
        server=held.server,
        run=held.run,
        token=held.token,
        result=result,
        reason=reason,
        exit_code=ended.exit_code,
        message=None if message is None else message[:500],
        started_at=ended.started_at,
        finished_at=ended.finished_at,
        seconds=ended.seconds,
        artifacts=artifacts,
        manifest=left.manifest if artifacts else None,
        build=left.build,
    )


def _outcome(job: Job, ended: RunExit) -> tuple[Result, str, str | None]:
    wanted = job.wanted.cancel
    if ended.outcome == "stopped":
        if wanted is None:
            return "error", "lost", ended.message or "its supervisor was told to end"
        return "cancelled", "superseded" if wanted.superseded else "cancel", wanted.reason or None
    if ended.outcome == "lease":
        return "error", "lost", "it was stopped because its lease ran out"
    if ended.outcome in ("timeout", "silence"):
        return "timeout", ended.outcome, ended.message
    if ended.outcome in ("refused", "internal"):
        return "error", ended.outcome, ended.message
    if ended.exit_code == 0 and ended.artifact_problem is not None:
        return "error", "artifacts", ended.artifact_problem
    return ("success" if ended.exit_code == 0 else "failure"), "exit", ended.message


def _claim(tx: Transaction, here: Here) -> None:
    server = tx.servers.get(here.me.name)
    if server is None or server.formats < FORMAT:
        return
    held = {job.claim.run for job in tx.jobs.values() if job.claim is not None and job.result is None}
    # A run that was overtaken may still be alive here, and takes the room that it takes.
    overtaken = sum(fact.phase == "alive" and fact.intent.run not in held for fact in here.runs.values())
    mine = sum(
        job.claim is not None and job.result is None and job.claim.server == server.name
        for job in tx.jobs.values()
    )
    room = server.slots - mine - overtaken
    settings = tx.state.settings
    ttl = settings.ttl or default_ttl(len(tx.servers), settings.push_budget)
    if here.most is not None:
        room = min(room, here.most)
    candidates = tx.jobs
    if not here.trust_clock:
        candidates = {number: job for number, job in tx.jobs.items() if job.spec.not_before is None}
    rivals = here.rivals if here.trust_clock and here.most is None else None
    chosen = choose(
        candidates, tx.locks, server, settings, tx.now, room=room, servers=tx.servers, rivals=rivals
    )
    for job in chosen:
        run = here.run_of(job.number, len(job.attempts) + 1)
        tx.apply(jobs.claim(job, server, run=run, token=tx.seq, ttl_s=ttl, now=tx.now))


def readable_commands(files: Sequence[InboxFile]) -> list[Command]:
    """Return the commands of those files that can be read, to look up what they refer to."""
    found: list[Command] = []
    for file in files:
        try:
            found += parse_commands(file.text, file.path)
        except BnetError:
            continue
    return found
