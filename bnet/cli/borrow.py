"""What the checkout of a source's commit calls: this server's copy of its repository, to borrow objects from."""

from functools import partial
from pathlib import Path

import click

from bnet.cli.context import App, pass_app
from bnet.cli.render import out

LOCK_PATIENCE = 60.0  # seconds for another process at work on the copy


@click.command(hidden=True)
@click.argument("repository")
@click.argument("commit")
@click.option("--workspace", required=True, help="Which borrows; it stands in the directory of its run.")
@click.option("--patience", type=float, required=True, help="Seconds that a fetch may take.")
@pass_app
def borrow(app: App, repository: str, commit: str, workspace: str, patience: float) -> None:
    """Bring a commit into this server's copy of a repository, and print where that is.

    Example: bnet source borrow /srv/widgets.git COMMIT --workspace . --patience 60
    """
    from bnet.host.borrowing import note
    from bnet.wiring.upstreams import upstreams

    copies = upstreams(app.machine, lock_patience=min(LOCK_PATIENCE, patience), patience=patience)
    out(str(copies.lend(repository, commit, partial(note, Path(workspace).parent))))


@click.command(hidden=True)
@click.argument("repository")
@click.argument("copy", type=click.Path(path_type=Path))
@pass_app
def distrust(app: App, repository: str, copy: Path) -> None:
    """Begin this server's copy of a repository anew: nothing can be checked out of it.

    Example: bnet source distrust /srv/widgets.git COPY
    """
    from bnet.wiring.upstreams import upstreams

    upstreams(app.machine, lock_patience=LOCK_PATIENCE).distrust(repository, copy)
