"""The `bnet` command: its verbs, each loaded when it is called."""

import importlib

import click

from bnet import __version__
from bnet.cli.context import App

VERBS = {
    "init": "bnet.cli.network:init",
    "join": "bnet.cli.join:join",
    "sync": "bnet.cli.sync:sync",
    "agent": "bnet.cli.sync:agent",
    "status": "bnet.cli.network:status",
    "doctor": "bnet.cli.doctor:doctor",
    "demo": "bnet.cli.demo:demo",
    "submit": "bnet.cli.submit:submit",
    "jobs": "bnet.cli.jobs:jobs",
    "show": "bnet.cli.jobs:show",
    "logs": "bnet.cli.logs:logs",
    "cancel": "bnet.cli.jobs:cancel",
    "retry": "bnet.cli.jobs:retry",
    "approve": "bnet.cli.pipeline:approve",
    "priority": "bnet.cli.jobs:priority",
    "wait": "bnet.cli.jobs:wait",
    "why": "bnet.cli.why:why",
    "history": "bnet.cli.history:history",
    "build": "bnet.cli.build:build",
    "watch": "bnet.cli.watch:watch",
    "cache": "bnet.cli.cache:cache",
    "graph": "bnet.cli.graph:graph",
    "server": "bnet.cli.server:server",
    "lock": "bnet.cli.lock:lock",
    "schedule": "bnet.cli.schedule:schedule",
    "artifact": "bnet.cli.artifact_all:artifact",
    "pipeline": "bnet.cli.pipeline:pipeline",
    "release": "bnet.cli.release:release",
    "source": "bnet.cli.source:source",
    "steward": "bnet.cli.steward:steward",
    "template": "bnet.cli.template:template",
    "hub": "bnet.cli.hub:hub",
    "message": "bnet.cli.message:message",
    "audit": "bnet.cli.audit:audit",
}


class Lazy(click.Group):
    """A group whose commands are imported when they are called; a sync pays for no other verb's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which people meet them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        place = VERBS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Answer a misspelt verb with the nearest one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], VERBS, n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]}?", ctx) from None


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--hub", metavar="URL", help="Which hub; otherwise BNET_HUB, the one joined, or the repository here."
)
@click.version_option(__version__, prog_name="bnet")
@click.pass_context
def cli(ctx: click.Context, hub: str | None) -> None:
    """A build network out of any Git repository.

    Example: bnet init hub.git; bnet join hub.git --name build1; bnet submit -- make test
    """
    ctx.obj = App(hub)
