"""`bnet site`: the dashboard, as pages that need no server."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnet.cli.context import App, absolute, json_option, pass_app
from bnet.cli.render import counted, note, out, out_json, span
from bnet.errors import BnetError

if TYPE_CHECKING:
    from bnet.host.webapi import Application
    from bnet.wiring.served import Served

BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")


every_option = click.option(
    "--every",
    type=click.IntRange(0),
    default=0,
    metavar="S",
    help="Seconds until you do it again: the pages say when it is overdue.",
)


@click.group()
def site() -> None:
    """Show the network on pages that need no server.

    Example: bnet site build --output public
    """


@site.command()
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the pages go."
)
@every_option
@json_option
@pass_app
def build(app: App, output: Path, every: int, as_json: bool) -> None:
    """Make the pages, or bring them up to date: only what changed is written.

    They work from a disk, from any path of any web server, and without JavaScript.

    Example: bnet site build --output public
    """
    from bnet.wiring.site import build as make

    clock = app.machine.clock
    begun = clock.boot()
    output = Path.cwd() / output
    done = make(app.machine, app.url, output, every)
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
@click.option(
    "--listen", default="127.0.0.1", show_default=True, metavar="ADDR", help="The address; 0.0.0.0 for all."
)
@click.option(
    "--name", "names", multiple=True, metavar="HOST", help="Another name that browsers reach it by."
)
@click.option("--with-token", is_flag=True, help="Ask for the token on this machine too.")
@click.option("--api", "with_api", is_flag=True, help="Answer programs too, below /api/v1/ (bnet[api]).")
@pass_app
def serve(
    app: App, port: int, every: float, listen: str, names: tuple[str, ...], with_token: bool, with_api: bool
) -> None:
    """Show the pages in a browser, kept up to date, with buttons that act; ctrl-C ends it.

    Only this machine can reach it, unless --listen says otherwise: then everybody needs the token, which is in
    BNET_SITE_TOKEN or in the file `site-token` of BNET_HOME, and is printed once when it is made. Whatever is asked
    for by a button is done in your name. /metrics has the network's health as OpenMetrics text.

    Example: bnet site serve
    """
    from bnet.cli.errors import keep_bug
    from bnet.host.webgate import Gate, is_local
    from bnet.host.webserver import WebServer
    from bnet.wiring.served import Served, token_of

    local, token = is_local(listen), ""
    if with_token or with_api or not local:
        token = token_of(
            app.machine, made=lambda made: out(f"the token of this server, told this once: {made}")
        )
    gate = Gate(
        _names(listen, names, local), addresses=not local, token=token, closed=with_token or not local
    )
    served = Served(app.machine, app.url, every, note)
    api = _api(app, served) if with_api else None
    served.begin()
    script = (app.machine.scaffold() / "site" / "served" / "live.js").read_bytes()

    def bug() -> str:
        note(told := keep_bug())
        return told

    server = WebServer(
        served.directory, port, served, gate=gate, listen=listen, script=script, api=api, bug=bug
    )
    server.start()
    out(f"{server.url} shows the network until this is ended")
    if not local:
        note("what is sent is not encrypted: put a proxy with TLS before it, or reach it through ssh -L")
    try:
        served.run(server)
    finally:
        server.close()


def _api(app: App, served: "Served") -> "Application":
    """Return what answers programs."""
    try:
        from bnet.restapi.app import application
    except ModuleNotFoundError as error:
        raise BnetError(
            f"the API needs {error.name}, which is not installed", hint="pip install 'bnet[api]'"
        ) from None
    from bnet.wiring.interface import Interface

    return application(Interface(app.machine, app.url, served))


def _names(listen: str, names: tuple[str, ...], local: bool) -> frozenset[str]:
    """Return the names that a server goes by."""
    from bnet.host.webgate import LOCAL

    if local:
        return LOCAL | {listen, *names}
    import socket

    return LOCAL | {listen, socket.gethostname(), *names}


@site.command()
@click.option("--to", metavar="URL", help="Of which repository; otherwise of the hub.")
@click.option("--branch", default="gh-pages", show_default=True, help="Which branch; it holds nothing else.")
@every_option
@json_option
@pass_app
def publish(app: App, to: str | None, branch: str, every: int, as_json: bool) -> None:
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
    done, pushed = bring(machine, app.url, url, branch, every)
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
