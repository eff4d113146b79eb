"""`bnet steward`: the chores of a network that have effects outside the hub."""

import click

from bnet.cli.context import App, pass_app
from bnet.cli.render import note
from bnet.errors import Taken


@click.command()
@click.option("--once", is_flag=True, help="Do each chore once, and give the office back.")
@click.option("--detached", is_flag=True, help="Say nothing; as a sync starts it. logs/steward.log has it.")
@pass_app
def steward(app: App, once: bool, detached: bool) -> None:
    """Look at sources, and do whatever else has effects outside the hub, as long as there is any of it.

    Of all servers one does this at a time, under the lock `steward`. A sync or agent starts it by itself when it
    finds nobody doing it; called by hand, it says what it does.

    Example: bnet steward --once
    """
    from bnet.app.steward.office import holder_of
    from bnet.wiring.duty import Duty

    duty = Duty(app.machine)
    duty.station.heed_signals()
    if not duty.office.serve(str if detached else note, once=once):
        if detached:
            return
        state = app.machine.ledger(duty.identity.hub)
        state.refresh()
        by = holder_of(state.state)
        raise Taken(f"{by or 'another process of this server'} is the steward")
