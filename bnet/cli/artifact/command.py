"""`bnet artifact`: the files that runs left."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.depot import depot_of
from bnet.cli.jobs import find
from bnet.cli.render import counted, note, out, out_json
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError

if TYPE_CHECKING:
    from bnet.app.artifacts.depot import Chosen


@click.group()
def artifact() -> None:
    """The files that jobs left: list, get, verify and compare them.

    Example: bnet artifact get 12 --output dist
    """


def pick(app: App, word: str) -> "Chosen":
    """Return the attempt that a word means; the ledger has been refreshed."""
    from bnet.app.artifacts.depot import chosen, job_word

    meant = job_word(word)
    if meant is None:
        raise BnetError(
            f"{escaped(word)} is no job; write its number, and the attempt if need be: 12 or 12.2"
        )
    return chosen(find(app, meant[0]), meant[1])


@artifact.command()
@click.argument("job")
@click.argument("patterns", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The directory that they are put into, each at its path.  [default: here]",
)
@click.option(
    "--inside",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="A directory that --output counts from, and from which no link may lead it away.",
)
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong.")
@pass_app
def get(
    app: App, job: str, patterns: tuple[str, ...], output: Path, inside: Path | None, quiet: bool
) -> None:
    """Bring the artifacts of a job here: 12, or 12.2 for its second attempt; or a shared file, by its name.

    Each is verified by its digest, and written whole or not at all.

    Exit 1 if one is not what the run made, or is there no more; it is named, and not written.

    Example: bnet artifact get 12 "*.whl" --output dist
    """
    from bnet.app.artifacts.depot import as_artifact, fetch, matching
    from bnet.rules.keeping import given_up

    state = app.read().state
    shared = state.shared.get(job)
    if shared is not None:
        name, wanted = f"the file {job}", [as_artifact(shared)]
    else:
        meant = pick(app, job)
        name, wanted = meant.name, matching(meant.attempt.artifacts, patterns)
        number = meant.job.number
        if gone := given_up(state.kept.get(number), number, meant.attempt):
            raise AnswerNo(gone, hint=f"`bnet history --events --job {number}` says when and why")
    if not wanted:
        raise AnswerNo(f"{name} left no artifacts")
    root, into = (output, "") if inside is None else (inside, output.as_posix())
    root.mkdir(parents=True, exist_ok=True)
    depot, bad = depot_of(app), 0
    for each in wanted:
        try:
            fetch(depot, each, root, "" if into == "." else into)
        except BnetError as error:
            if error.exit_code not in (1, 2):
                raise
            bad += 1
            note(_complaint(each.path, error))
            continue
        if not quiet:
            out(f"{escaped(each.path)}  {each.size:,} bytes")
    if bad:
        raise AnswerNo(f"{bad} of {len(wanted)} artifacts of {name} could not be had")


def _complaint(path: str, error: BnetError) -> str:
    text = error.message if error.message.startswith(escaped(path)) else f"{escaped(path)}: {error.message}"
    return f"{text} ({error.hint})" if error.hint else text


@artifact.command()
@click.argument("job")
@json_option
@pass_app
def verify(app: App, job: str, as_json: bool) -> None:
    """Read the artifacts of a job where they are kept, and compare them with what the ledger says.

    Exit 1 if one differs or is missing; which, and where it is kept, is said.

    Example: bnet artifact verify 12
    """
    from bnet.app.artifacts.depot import verify as look_at

    app.read()
    meant, depot = pick(app, job), depot_of(app)
    told: list[dict[str, Any]] = []
    for each in meant.attempt.artifacts:
        wrong = look_at(depot, each)
        told.append({"path": each.path, "size": each.size, "place": each.place, "wrong": wrong or None})
        if not as_json:
            out(
                f"{'NO ' if wrong else 'ok '} {escaped(each.path)}"
                + (f"  {wrong} [{escaped(each.place)}]" if wrong else "")
            )
    if as_json:
        out_json(told)
    bad = sum(row["wrong"] is not None for row in told)
    if bad:
        raise AnswerNo(f"{bad} of {len(told)} artifacts of {meant.name} are not what the run made")
    if not as_json:
        out(
            f"{counted(len(told), 'artifact')} of {meant.name}: as the run made {'it' if len(told) == 1 else 'them'}"
        )
