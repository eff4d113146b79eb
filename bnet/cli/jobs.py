"""The verbs of the queue: what is in it, why, and what people want of it."""

import shlex
from collections.abc import Mapping

import click

from bnet.app.lookup import all_archived, archived_jobs
from bnet.app.submit import send
from bnet.app.told.expect import add_expected, advice, describe_ahead, likely, outlook, roughly, start_of
from bnet.app.told.jobs import conditions, describe_fully, describe_job
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import JOB_HEADS, age, job_rows, note, out, out_json, reason, seconds, table, word
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError
from bnet.model.command import CancelJob, Command, RetryJob, SetPriority
from bnet.model.job import Attempt, Job
from bnet.rules.approvals import told as approvals_told
from bnet.rules.waiting import Condition
from bnet.schedule.durations import predict
from bnet.schedule.forecast import Forecast, forecast

PAUSE = 1.0  # seconds between two looks while waiting


def foresee(app: App) -> Forecast:
    """Return what is likely to come; the ledger has been refreshed."""
    state = app.ledger.state
    return forecast(state, app.machine.durations(app.url, state), app.machine.clock.now())


def find(app: App, number: int) -> Job:
    """Return a job, open, recent or archived; the ledger has been refreshed."""
    state = app.ledger.state
    job = state.jobs.get(number) or archived_jobs(app.ledger.hub, state, [number]).get(number)
    if job is None:
        raise BnetError(f"there is no job #{number}", hint="`bnet jobs --all` lists every one")
    return job


@click.command()
@click.option("--all", "every", is_flag=True, help="Every job, archived ones too.")
@click.option("--state", type=click.Choice(["pending", "running", "finished"]), help="Only those.")
@json_option
@pass_app
def jobs(app: App, every: bool, state: str | None, as_json: bool) -> None:
    """List the open jobs, and those finished in the last day.

    Example: bnet jobs --state pending
    """
    ledger = app.read()
    now = app.machine.clock.now()
    found = list(ledger.state.jobs.values())
    if every:
        known = ledger.state.jobs.keys()
        found += [job for job in all_archived(ledger.hub, ledger.state) if job.number not in known]
    else:
        found = [job for job in found if job.result is None or (now - job.result.finished_at).days < 1]
    chosen = [job for job in sorted(found, key=lambda each: each.number) if state in (None, job.state)]
    told = [describe_job(job, ledger.state, now) for job in chosen]
    coming = foresee(app)
    add_expected(told, coming)
    if as_json:
        out_json(told)
    elif told:
        out(table(JOB_HEADS, job_rows(told, now)))
        if said := outlook(coming, now):
            note(said)
    else:
        note("no jobs; submit one with `bnet submit -- COMMAND`")


@click.command()
@click.argument("number", type=int)
@json_option
@pass_app
def show(app: App, number: int, as_json: bool) -> None:
    """Show one job: what was asked, where it is, how its attempts ended.

    Example: bnet show 12
    """
    ledger = app.read()
    job = find(app, number)
    now = app.machine.clock.now()
    told = describe_fully(job, ledger.state, now)
    add_expected([told], foresee(app) if job.result is None else Forecast())
    if as_json:
        out_json(told)
        return
    said = reason(told)
    out(
        f"#{number} {job.spec.name}: {word(told['result'] or told['state'])}" + (f" ({said})" if said else "")
    )
    lines = [
        _what(job),
        ("submitted", f"{age(told['submitted_at'], now)} by {job.spec.submitted_by}"),
    ]
    lines += [(name, str(told[name])) for name in ("queue", "priority", "server", "message") if told[name]]
    if job.result is None and (said := _expected(app, job)):
        lines.append(("expected", said))
    lines += _asked(job)
    if told["labels"]:
        lines.append(("labels", " ".join(f"{key}={value}" for key, value in told["labels"].items())))
    out("\n".join(f"  {name:<10} {_indented(value)}" for name, value in lines))
    for each in job.attempts:
        took = "" if each.seconds is None else f" after {seconds(each.seconds)}"
        how = f"exit {each.exit_code}" if each.reason == "exit" else each.reason
        why = f": {each.message}" if each.message else ""
        out(f"  attempt {each.attempt} on {each.server}: {word(each.result)} ({how}){took}{why}")
        for line in _built(each):
            out(line)
    if job.result is not None and job.result.reason == "differs":
        from bnet.cli.explained import brief

        for line in brief(app, job):
            out(f"    {line}")
    for artifact in told["artifacts"]:
        out(
            f"  artifact   {escaped(artifact['path'])} ({artifact['size']:,} bytes, blake3 {artifact['blake3'][:16]})"
        )


def _asked(job: Job) -> list[tuple[str, str]]:
    """Return what pipelines and environments ask of a job."""
    spec, rejected = job.spec, job.wanted.rejected
    part = spec.pipeline
    inputs = " ".join(f"#{each.job} into {each.into}" for each in spec.inputs)
    rows = [
        ("pipeline", "" if part is None else f"{part.name}, step {part.step} of run #{part.run}"),
        ("deploys to", spec.environment or ""),
        (
            "again",
            "" if spec.rollback_of is None else f"as #{spec.rollback_of} did; {spec.note}".rstrip("; "),
        ),
        ("inputs", inputs),
        ("when", spec.when or ""),
        ("approvals", approvals_told(job) if spec.approval is not None else ""),
        ("rejected", "" if rejected is None else f"by {rejected.by}: {rejected.note}"),
    ]
    return [(head, escaped(text)) for head, text in rows if text]


def _expected(app: App, job: Job) -> str:
    """Say when a job is likely to start and end; "" where nobody can tell."""
    now = app.machine.clock.now()
    ahead = foresee(app).jobs.get(job.number)
    if ahead is None or ahead.ends is None:
        return ""
    if job.claim is not None:
        if ahead.estimate is None:
            return "nothing like it has succeeded yet"
        left = (ahead.ends - now).total_seconds()
        return f"{likely(ahead.estimate)}; ends in about {roughly(max(1.0, left))}"
    takes = (
        "nothing like it has succeeded yet" if ahead.estimate is None else f"takes {likely(ahead.estimate)}"
    )
    return f"{start_of(ahead, now)}; {takes}"


def _what(job: Job) -> tuple[str, str]:
    """Return what a job does: its command, or what it builds."""
    if job.spec.packages:
        return "packages", shlex.join(job.spec.packages)
    command = job.spec.command
    return "command", command if isinstance(command, str) else shlex.join(command)


def _built(attempt: Attempt) -> list[str]:
    """Return lines on what the build engine did in an attempt."""
    done = attempt.build
    if done is None:
        return []
    failed = f", {done.failed} not" if done.failed else ""
    lines = [f"    {done.total} packages, {done.cached} of them cached{failed}, in {seconds(done.seconds)}"]
    for each in done.packages[:20]:
        how = each.tier if each.result == "success" else word(each.result)
        lines.append(f"    {each.name}: {how} {seconds(each.seconds)} {each.key[:12]}".rstrip())
    return lines


def _indented(text: str) -> str:
    return text.strip().replace("\n", "\n" + " " * 13)


def _tell(app: App, command: Command) -> list[int]:
    return send(app.ledger, app.lookup, [command], app.who)


@click.command()
@click.argument("number", type=int)
@click.option("--reason", "why", default="", help="For the people who read the log.")
@pass_app
def cancel(app: App, number: int, why: str) -> None:
    """End a job: at once if it waits, with its whole process tree if it runs.

    Example: bnet cancel 12 --reason "wrong branch"
    """
    _tell(app, CancelJob(job=number, reason=why))
    job = find(app, number)
    note(f"#{number} is cancelled" if job.result else f"#{number} is asked to end; its server stops it")


@click.command()
@click.argument("number", type=int)
@json_option
@pass_app
def retry(app: App, number: int, as_json: bool) -> None:
    """Run a finished job again, as a new one.

    Example: bnet retry 12
    """
    [new] = _tell(app, RetryJob(job=number))
    print_new(app, [new], as_json)


@click.command()
@click.argument("number", type=int)
@click.argument("level", type=click.IntRange(1, 10))
@pass_app
def priority(app: App, number: int, level: int) -> None:
    """Move a waiting job forward (towards 1) or back (towards 10).

    Example: bnet priority 12 1
    """
    _tell(app, SetPriority(job=number, priority=level))


def print_new(app: App, numbers: list[int], as_json: bool) -> None:
    """Print jobs that were just made."""
    now = app.machine.clock.now()
    told = [describe_job(find(app, number), app.ledger.state, now) for number in numbers]
    if as_json:
        out_json(told[0] if len(told) == 1 else told)
    else:
        out("\n".join(f"#{job['number']} {job['name']}" for job in told))


@click.command()
@click.argument("numbers", type=int, nargs=-1, required=True)
@click.option("--timeout", type=float, metavar="S", help="Give up after S seconds (exit 1).")
@json_option
@pass_app
def wait(app: App, numbers: tuple[int, ...], timeout: float | None, as_json: bool) -> None:
    """Wait until jobs have finished; exit 1 unless all succeeded.

    Example: bnet wait 12 13
    """
    begun = app.machine.clock.boot()
    while True:
        app.ledger.refresh()
        found = [find(app, number) for number in numbers]
        if all(job.result is not None for job in found):
            break
        if timeout is not None and app.machine.clock.boot() - begun >= timeout:
            unfinished = " ".join(f"#{job.number}" for job in found if job.result is None)
            raise AnswerNo(f"not finished after {timeout:g} s: {unfinished}")
        app.machine.clock.sleep(PAUSE)
    now = app.machine.clock.now()
    told = [describe_job(job, app.ledger.state, now) for job in found]
    if as_json:
        out_json(told)
    else:
        out(table(JOB_HEADS, job_rows(told, now)))
    bad = [job["number"] for job in told if job["result"] != "success"]
    if bad:
        raise AnswerNo("not successful: " + " ".join(f"#{number}" for number in bad))


def why_job(app: App, number: int, as_json: bool) -> None:
    """Say why a job does not run: each condition with its present answer (`bnet why 12`)."""
    ledger = app.read()
    job = find(app, number)
    now = app.machine.clock.now()
    shared, servers = conditions(job, ledger.state, now)
    if as_json:
        out_json(
            {
                "job": describe_job(job, ledger.state, now),
                "conditions": [_condition(each) for each in shared],
                "servers": {name: [_condition(each) for each in found] for name, found in servers.items()},
                "expected": describe_ahead(foresee(app).jobs.get(number)),
            }
        )
        return
    told = describe_job(job, ledger.state, now)
    if job.state == "running":
        out(
            f"#{job.number} runs on {told['server']} (attempt {told['attempt']}) since {age(told['started_at'], now)}"
        )
    elif job.state == "finished":
        ending = f": {told['message']}" if told["message"] else ""
        out(f"#{job.number} has finished: {word(told['result'])} ({told['reason']}){ending}")
    else:
        waits = told["waiting_for"]
        out(
            f"#{job.number} waits for {waits}"
            if waits
            else f"#{job.number} can start; a server will take it at its next sync"
        )
        known = app.machine.durations(app.url, ledger.state)
        found = {name: predict(known, job, name) for name in servers}
        times = {name: likely(each) for name, each in found.items() if each is not None and each.server}
        _explain_waiting(job, shared, servers, times)
        if said := advice(ledger.state, known, job):
            out(f"      {said}")
    if job.state != "finished" and (said := _expected(app, job)):
        out(f"      {said}")


def _explain_waiting(
    job: Job, shared: list[Condition], servers: Mapping[str, list[Condition]], times: Mapping[str, str]
) -> None:
    """Print each condition under a mark that needs no colour."""
    for each in shared:
        out(f"  {'yes' if each.holds else 'NO ':<4}{each.text}")
    if not servers:
        out("  NO  there is no server; `bnet join` makes one")
    for name, found in servers.items():
        unmet = [each.text for each in found if not each.holds]
        took = f"; {times[name]}" if name in times else ""
        out(f"  {'NO ' if unmet else 'yes':<4}{name} {'; '.join(unmet) or 'could take it'}{took}")
    for attempt in job.attempts:
        out(f"      attempt {attempt.attempt} on {attempt.server} ended: {attempt.reason}")


def _condition(each: Condition) -> dict[str, object]:
    return {"kind": each.kind, "holds": each.holds, "text": each.text}
