"""The `bnet` command: its verbs, each loaded when it is called."""

import importlib
import re

import click

from bnet import __version__
from bnet.cli.context import App

SECTIONS = {
    "Begin": {
        "demo": "bnet.cli.demo.command:demo",
        "init": "bnet.cli.network:init",
        "join": "bnet.cli.join:join",
        "status": "bnet.cli.network:status",
        "top": "bnet.cli.top.command:top",
        "health": "bnet.cli.health:health",
        "doctor": "bnet.cli.doctor:doctor",
    },
    "Jobs": {
        "submit": "bnet.cli.submit:submit",
        "jobs": "bnet.cli.jobs:jobs",
        "show": "bnet.cli.jobs:show",
        "logs": "bnet.cli.logs:logs",
        "wait": "bnet.cli.jobs:wait",
        "why": "bnet.cli.why:why",
        "cancel": "bnet.cli.jobs:cancel",
        "retry": "bnet.cli.jobs:retry",
        "priority": "bnet.cli.jobs:priority",
        "approve": "bnet.cli.pipeline:approve",
        "history": "bnet.cli.history:history",
    },
    "Builds": {
        "build": "bnet.cli.build:build",
        "watch": "bnet.cli.watch:watch",
        "graph": "bnet.cli.graph:graph",
        "cache": "bnet.cli.cache:cache",
        "template": "bnet.cli.template:template",
    },
    "Pipelines and what comes of them": {
        "source": "bnet.cli.source:source",
        "schedule": "bnet.cli.schedule:schedule",
        "pipeline": "bnet.cli.pipeline:pipeline",
        "release": "bnet.cli.release:release",
        "artifact": "bnet.cli.artifact.every:artifact",
    },
    "Working together": {
        "message": "bnet.cli.message.command:message",
        "notify": "bnet.cli.notify.command:notify",
        "lock": "bnet.cli.lock:lock",
    },
    "The network": {
        "sync": "bnet.cli.sync:sync",
        "agent": "bnet.cli.sync:agent",
        "steward": "bnet.cli.steward:steward",
        "server": "bnet.cli.server:server",
        "hub": "bnet.cli.hub:hub",
        "audit": "bnet.cli.audit:audit",
        "site": "bnet.cli.site:site",
        "report": "bnet.cli.report:report",
        "export": "bnet.cli.export:export",
    },
}
VERBS = {verb: place for verbs in SECTIONS.values() for verb, place in verbs.items()}


class Lazy(click.Group):
    """A group whose commands are imported when they are called; a sync pays for no other verb's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which people meet them."""
        return list(VERBS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by what they are for, each with the first words of what it does."""
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(verb, self._first_words(ctx, verb)) for verb in verbs])

    def _first_words(self, ctx: click.Context, verb: str) -> str:
        command = self.get_command(ctx, verb)
        assert command is not None
        return re.split(r"[.:;]( |$)", command.get_short_help_str(limit=200))[0]

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
