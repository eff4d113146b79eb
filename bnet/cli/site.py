"""`bnet site`: the dashboard, as pages that need no server."""

import re
from pathlib import Path

import click

from bnet.cli.context import App, absolute, json_option, pass_app
from bnet.cli.render import counted, note, out, out_json, span
from bnet.errors import HubUnreachable

BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")


@click.group()
def site() -> None:
    """Show the network on pages that need no server.

    Example: bnet site build --output public
    """


@site.command()
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the pages go."
)
@json_option
@pass_app
def build(app: App, output: Path, as_json: bool) -> None:
    """Make the pages, or bring them up to date: only what changed is written.

    They work from a disk, from any path of any web server, and without JavaScript.

    Example: bnet site build --output public
    """
    from bnet.wiring.site import build as make

    clock = app.machine.clock
    begun = clock.boot()
    output = Path.cwd() / output
    done = make(app.machine, app.url, output)
    seconds = clock.boot() - begun
    if as_json:
        told = {"output": str(output), "pages": done.pages, "written": done.written}
        out_json(told | {"seconds": round(seconds, 3)})
        return
    out(f"{counted(done.pages, 'page')} in {output}, {done.written:,} of them written, {span(seconds)}")


@site.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one."
)
@click.option(
    "--every",
    type=click.FloatRange(1),
    default=10,
    show_default=True,
    metavar="S",
    help="Seconds between builds.",
)
@pass_app
def serve(app: App, port: int, every: float) -> None:
    """Show the pages in a browser on this machine, and keep them up to date.

    Only this machine can read them, and nobody can change anything by them. Ctrl-C ends it.

    Example: bnet site serve
    """
    from bnet.host.webserver import WebServer
    from bnet.wiring.site import build as make
    from bnet.wiring.site import own_directory

    directory = own_directory(app.machine, app.url)
    make(app.machine, app.url, directory)
    server = WebServer(directory, port)
    server.start()
    out(f"{server.url} shows the network until this is ended")
    try:
        while True:
            app.machine.clock.sleep(every)
            try:
                make(app.machine, app.url, directory)
            except HubUnreachable as error:
                note(f"{error}; it is tried again")
    finally:
        server.close()


@site.command()
@click.option("--to", metavar="URL", help="Of which repository; otherwise of the hub.")
@click.option("--branch", default="gh-pages", show_default=True, help="Which branch; it holds nothing else.")
@json_option
@pass_app
def publish(app: App, to: str | None, branch: str, as_json: bool) -> None:
    """Make the pages and push them to a branch, of which a forge makes a site.

    A branch that holds something else is left alone.

    Example: bnet site publish --branch gh-pages
    """
    from bnet.wiring.site import publish as bring

    clock, machine = app.machine.clock, app.machine
    begun = clock.boot()
    url = app.url if to is None else absolute(to)
    if not BRANCH.fullmatch(branch) or branch.endswith((".lock", "/", ".")) or ".." in branch:
        raise click.BadParameter(f"{branch!r} is no name of a branch", param_hint="--branch")
    done, pushed = bring(machine, app.url, url, branch)
    seconds = clock.boot() - begun
    if as_json:
        told = {
            "repository": machine.shown(url),
            "branch": branch,
            "commit": pushed.commit,
            "pushed": pushed.moved,
        }
        out_json(told | {"pages": done.pages, "written": done.written, "seconds": round(seconds, 3)})
        return
    where = f"{branch} of {machine.shown(url)}"
    if pushed.moved:
        out(
            f"{counted(done.pages, 'page')} on the branch {where}, commit {pushed.commit[:10]}, {span(seconds)}"
        )
    else:
        out(f"the branch {where} has them already, commit {pushed.commit[:10]}")
