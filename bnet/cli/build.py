"""`bnet build`: bring the packages of a source tree up to date."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from click.core import ParameterSource

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.live import Live, can_show
from bnet.cli.plain import LogWish, Plain, Silent, Story, line, log_of, printed
from bnet.cli.render import note, out, out_json
from bnet.cli.summary import described, tell
from bnet.errors import AnswerNo
from bnet.files import write_atomic

if TYPE_CHECKING:
    from bnet.build.engine import Report
    from bnet.build.outcome import Outcome
    from bnet.build.totals import Totals
    from bnet.wiring.workshop import Workshop

FILE = click.Path(path_type=Path, dir_okay=False)


class Wanted(NamedTuple):
    """What is written down of a build, besides what is printed; None for what is not."""

    json: Path | None
    junit: Path | None
    metrics: Path | None
    trace: Path | None


@click.command()
@click.argument("words", nargs=-1, metavar="[PACKAGE]...")
@click.option(
    "-j", "--jobs", type=click.IntRange(1), metavar="N", help="So many at once; otherwise the cores."
)
@click.option("--keep-going", is_flag=True, help="Build all that does not depend on what failed.")
@click.option("--force", is_flag=True, help="Run the commands, whatever is up to date or cached.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and why, and do nothing.")
@click.option(
    "--affected",
    metavar="REV",
    help="Only what is touched since a revision of Git, uncommitted changes included, and what depends on that.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Show each command only what its package declares, and name what else it reaches for (bubblewrap).",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Build twice in clean copies, and compare the outputs; exit code 1 if they differ.",
)
@click.option(
    "--init", is_flag=True, help="Write bnet.yaml from the workspaces of npm, pnpm, yarn, uv or Python."
)
@click.option(
    "--log",
    type=click.Choice(["all", "new", "failed", "none"]),
    help="Whose logs are shown: of all packages, cached ones too; of those built now; of those that failed. "
    "Otherwise failed in a terminal, and new elsewhere.",
)
@click.option("--json-to", type=FILE, metavar="FILE", help="Write JSON to a file.")
@click.option("--junit", type=FILE, metavar="FILE", help="Write JUnit XML: a test case for each package.")
@click.option("--metrics", type=FILE, metavar="FILE", help="Write OpenMetrics text.")
@click.option("--trace", type=FILE, metavar="FILE", help="Write a trace that opens in ui.perfetto.dev.")
@json_option
@pass_app
def build(
    app: App,
    /,
    words: tuple[str, ...],
    jobs: int | None,
    keep_going: bool,
    force: bool,
    dry_run: bool,
    affected: str | None,
    strict: bool,
    verify: bool,
    init: bool,
    log: LogWish | None,
    as_json: bool,
    **files: Path | None,
) -> None:
    """Bring packages up to date, and first what they depend on; without a name, all of them.

    Example: bnet build api ./packages/ui 'plugin-*'
    """
    from bnet.build.crew import default_jobs
    from bnet.build.totals import totals
    from bnet.wiring.workshop import Workshop

    _refuse_others(init=init, verify=verify)
    shop = Workshop(Path.cwd(), os.environ, note)
    if init:
        note(f"{shop.init()} written, {len(shop.graph.order())} packages; read it, and run `bnet build`")
        return
    if verify:
        _verify(shop, _chosen(shop, words, affected), jobs or default_jobs(), log, as_json)
        return
    if shop.declared and not as_json:
        note(
            f"bnet: there is no bnet.yaml: the manifests in {shop.root} say what to build (`bnet build --init`)"
        )
    wanted, most = _ready(files), shop.bound()
    with shop.lock(note), _interrupts("what was built by then is not built again"):
        names = _chosen(shop, words, affected)
        os.chdir(shop.root)
        quiet = dry_run or (as_json and log is None)
        with _display(shop, len(shop.graph.closure(names)), log, quiet=quiet) as show:
            made = shop.build(
                names,
                jobs=jobs or default_jobs(),
                keep_going=keep_going,
                force=force,
                dry_run=dry_run,
                strict=strict,
                told=show.told,
            )
            report = made.run(names)
        sums = totals(report, shop.graph)
        _write_files(wanted, shop, report, sums)
        if not dry_run and (tidied := shop.tidy(most)):
            note(f"bnet: {tidied}")
    _tell(report, sums, dry_run, as_json)


# What may stand beside an option that makes `bnet build` something else.
_BESIDE = {
    "--init": (frozenset({"init"}), "--init goes alone"),
    "--verify": (
        frozenset({"verify", "words", "affected", "jobs", "log", "as_json"}),
        "--verify goes with names, --affected, -j, --log and --json",
    ),
}


def _refuse_others(*, init: bool, verify: bool) -> None:
    """Refuse what would be ignored."""
    if not init and not verify:
        return
    goes, said = _BESIDE["--init" if init else "--verify"]
    context = click.get_current_context()
    for option in context.command.params:
        name = option.name or ""
        if name not in goes and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{said}, not with {option.opts[-1] if name != 'words' else 'names'}")


def _chosen(shop: "Workshop", words: tuple[str, ...], revision: str | None) -> list[str]:
    """Return the packages that are meant: all of them, those of these names, and of these those that are affected."""
    names = shop.graph.select(words, here=shop.here)
    if revision is None:
        return names
    affected = set(shop.affected(revision))
    return [name for name in names if name in affected]


def _verify(shop: "Workshop", names: list[str], jobs: int, log: LogWish | None, as_json: bool) -> None:
    from bnet.wiring.verify import verify

    twice = 2 * len(shop.graph.closure(names))
    quiet = as_json and log is None
    with _interrupts("the tree is as it was"), _display(shop, twice, log, quiet=quiet) as show:
        verdicts = verify(shop, names, jobs=jobs, told=show.told)
    differ = [each for each in verdicts if each.differs]
    if as_json:
        out_json([each._asdict() for each in verdicts])
    else:
        for each in differ:
            out(f"{each.name}: the two builds differ")
            for line_ in each.differs:
                out(f"  {line_}")
    if differ:
        raise AnswerNo(f"not the same twice: {', '.join(each.name for each in differ)}")
    note(f"{len(verdicts)} package{'' if len(verdicts) == 1 else 's'} built twice, the same both times")


def _display(shop: "Workshop", count: int, log: LogWish | None, *, quiet: bool) -> Plain | Live:
    """Return what shows the build, as the place that it is shown in allows."""
    if quiet:
        return Silent()
    if can_show(os.environ, sys.stderr):
        return Live(Story(log or "failed", shop.log, brief=True), count)
    grouped = os.environ.get("GITHUB_ACTIONS") == "true"
    return Plain(Story(log or "new", shop.log, grouped=grouped))


@contextmanager
def _interrupts(left: str) -> Iterator[None]:
    """Let an end that is asked for politely be an interrupt, which leaves no command running; say what it leaves."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the end is under way
        note(f"bnet: interrupted; {left}")
        raise


def _ready(files: dict[str, Path | None]) -> Wanted:
    """Return what is to be written, where it will be, before anything is built for it."""
    found = {name.removesuffix("_to"): path and Path.cwd() / path for name, path in files.items()}
    for path in found.values():
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    return Wanted(**found)


def _write_files(wanted: Wanted, shop: "Workshop", report: "Report", sums: "Totals") -> None:
    if wanted == (None,) * len(wanted):
        return
    from bnet.build.exports.junit import junit
    from bnet.build.exports.metrics import metrics
    from bnet.build.exports.trace import trace

    at, name, host = shop.clock.now(), os.path.basename(shop.root), os.uname().nodename

    def said(done: "Outcome") -> str:
        return printed(log_of(done, shop.log))

    if wanted.json is not None:
        _write(wanted.json, json.dumps(described(report, sums)).encode())
    if wanted.junit is not None:
        _write(wanted.junit, junit(report, said, name=name, host=host, at=at))
    if wanted.metrics is not None:
        _write(wanted.metrics, metrics(report, sums, at))
    if wanted.trace is not None:
        _write(wanted.trace, trace(report, sums, f"bnet build of {name}"))


def _write(path: Path, data: bytes) -> None:
    write_atomic(path, data, durable=False)


def _tell(report: "Report", sums: "Totals", dry_run: bool, as_json: bool) -> None:
    if as_json:
        out_json(described(report, sums))
    elif dry_run:
        for each in report.outcomes:
            out(line(each))
    else:
        tell(report, sums)
    if report.failed:
        names = [each.outcome.name for each in sums.failures]
        raise AnswerNo(f"not built: {', '.join(names) or 'some packages'}")
    if report.complaint:
        raise AnswerNo(report.complaint)
