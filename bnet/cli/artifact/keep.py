"""`bnet artifact list|prune|put`: which files are kept, and for how long."""

import hashlib
import uuid
from pathlib import Path
from typing import Any

import click
import msgspec

from bnet.cli.artifact.command import artifact
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.depot import store_of
from bnet.cli.render import age, counted, note, out, out_json, table
from bnet.codec.durations import parse_duration
from bnet.codec.shown import escaped
from bnet.codec.sizes import size_text
from bnet.errors import BnetError
from bnet.model.artifact import Kept, Shared
from bnet.model.base import is_name


@artifact.command("list")
@click.argument("name", required=False)
@click.option("--files", is_flag=True, help="Each file, not each run.")
@json_option
@pass_app
def list_kept(app: App, name: str | None, files: bool, as_json: bool) -> None:
    """List the runs whose artifacts are kept, and the files that are shared; of jobs of a NAME only, or of one job.

    Example: bnet artifact list wheel-regex
    """
    from bnet.app.artifacts.depot import job_word

    state, now = app.read().state, app.machine.clock.now()
    meant = None if name is None else job_word(name)
    chosen = [
        each
        for _, each in sorted(state.kept.items())
        if name is None or (each.job == meant[0] if meant else each.name == name)
    ]
    shared = [each for each in state.shared.values() if name is None or each.name == name]
    if as_json:
        out_json([_told(each) for each in chosen] + [msgspec.to_builtins(each) for each in shared])
        return
    if files:
        _print_files(app, chosen)
        return
    rows = [
        [
            f"#{each.job}.{run.attempt}",
            each.name,
            run.server,
            str(run.count),
            size_text(run.size),
            run.place.partition(":")[0],
            age(_text(each.at), now),
            "" if each.gone is None else f"given up: {escaped(each.gone.why)}",
        ]
        for each in chosen
        for run in each.runs
    ]
    if rows:
        out(table(("RUN", "NAME", "SERVER", "FILES", "SIZE", "IN", "SINCE", ""), rows))
    if shared:
        heads = ("SHARED", "FILE", "SIZE", "BY", "SINCE")
        out(
            table(
                heads,
                [
                    [
                        each.name,
                        escaped(each.file),
                        size_text(each.size),
                        escaped(each.by),
                        age(_text(each.at), now),
                    ]
                    for each in shared
                ],
            )
        )
    if not rows and not shared:
        note("no artifacts are kept" + ("" if name is None else f" of {escaped(name)}"))


def _print_files(app: App, chosen: list[Kept]) -> None:
    from bnet.cli.jobs import find

    for each in chosen:
        job = find(app, each.job)
        for attempt in job.attempts:
            for file in attempt.artifacts:
                out(
                    f"#{each.job}.{attempt.attempt}  {file.blake3[:16]}  {file.size:>12,}  {escaped(file.path)}"
                )


def _told(each: Kept) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(each)
    return told


def _text(moment: Any) -> str:
    return str(moment.isoformat())


@artifact.command()
@click.argument("jobs", nargs=-1)
@click.option("--reason", default="", help="Why, where jobs are named; it is recorded.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what the rules give up now.")
@pass_app
def prune(app: App, jobs: tuple[str, ...], reason: str, dry_run: bool) -> None:
    """Give up the artifacts that the hub's rules keep no longer, or those of JOBS (numbers, or names of shared
    files), and delete them in the store.

    The steward does this by itself. What a release or an open job names is kept, whatever the rules say.

    Example: bnet artifact prune --dry-run
    """
    from bnet.app.artifacts.clearing import clear, due, give_up_now
    from bnet.app.artifacts.depot import job_word
    from bnet.app.steward.office import at_once
    from bnet.wiring.stores import sweep_store

    state = app.read().state
    names = [word for word in jobs if word in state.shared]
    words = [(word, job_word(word)) for word in jobs if word not in names]
    if bad := [word for word, meant in words if meant is None or meant[1] is not None]:
        raise BnetError(
            f"{escaped(bad[0])} is no job; artifacts are given up by job, of all its attempts: 12"
        )
    if jobs and not reason:
        raise BnetError("say why these are given up: --reason TEXT; it is recorded")
    if dry_run:
        for number, why in due(app.ledger):
            out(f"#{number}  {why}")
        return
    numbers = [meant[0] for _, meant in words if meant is not None]
    given_up = give_up_now(app.ledger, numbers, names, reason, app.who)
    cleared: list[int] = []
    stray = 0
    if state.settings.store is not None:
        store = store_of(app)
        cleared = clear(app.ledger, store, at_once)
        stray = sweep_store(app.machine, app.url, store, app.ledger.state)
    app.machine.keep(app.url, app.ledger)
    said = " ".join([*(f"#{number}" for number in given_up), *names]) or "nothing"
    gone = f"{counted(len(cleared), 'job')}, {counted(stray, 'stray file')}"
    out(f"given up: {said}; deleted in the store: {gone}")


@artifact.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="What others get it by; otherwise the file's own name.")
@click.option("--keep", default="7d", show_default=True, metavar="SPAN", help="For how long.")
@click.option("--replace", is_flag=True, help="Also in the place of another file of that name.")
@json_option
@pass_app
def put(app: App, file: Path, name: str | None, keep: str, replace: bool, as_json: bool) -> None:
    """Share a file with the other servers through the hub's store; `bnet artifact get NAME` brings it there.

    Example: bnet artifact put calibration.bin --keep 2d
    """
    import blake3

    from bnet.rules.sharing import LARGEST, share

    title = name if name is not None else file.name.lower()
    if not is_name(title):
        raise BnetError(f"{escaped(title)!r} is no name to share a file by; give it one with --name")
    try:
        seconds = parse_duration(keep)
    except ValueError as error:
        raise BnetError(f"--keep: {error}") from None
    if not file.is_file():
        raise BnetError(f"{escaped(str(file))} is no file; directories are shared packed into one")
    size = file.stat().st_size
    if size > LARGEST:
        raise BnetError(f"{escaped(str(file))} is {size:,} bytes; at most {LARGEST:,} are shared so")
    data = file.read_bytes()
    ledger = app.read()
    place = f"artifacts/{ledger.state.head.hub}/files/{uuid.uuid4()}"
    store_of(app).send(place, file)
    made = Shared(
        name=title,
        file=file.name,
        size=len(data),
        mode=f"{file.stat().st_mode & 0o777:04o}",
        blake3=blake3.blake3(data).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        by=app.who,
        at=app.machine.clock.now(),
        keep=seconds,
        place=f"store:{place}",
    )
    ledger.transact(lambda tx: share(tx, made, replace=replace))
    if as_json:
        out_json(msgspec.to_builtins(made))
    else:
        note(f"shared; elsewhere: bnet artifact get {title}")
