"""`bnet site`: the dashboard, as pages that need no server."""

from pathlib import Path

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import counted, out, out_json, span


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
