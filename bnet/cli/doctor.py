"""`bnet doctor`: what is wrong, and what to do about it."""

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import note, out, out_json
from bnet.errors import AnswerNo, BnetError

MARKS = {True: "ok ", False: "NO ", None: "-- "}
COLOURS = {True: "green", False: "red", None: None}
ORDER = (False, None, True)


@click.command()
@click.option(
    "--repair", is_flag=True, help="Mend what is safe to mend: here, and on the hub by one transaction."
)
@json_option
@pass_app
def doctor(app: App, repair: bool, as_json: bool) -> None:
    """Look at this machine, the hub and the network; say what is wrong and what to do.

    Exit 1 if anything is wrong. What advice says is safe: it destroys nothing. What --repair has done is told on
    stderr, a line each: no push of it is forced, and what it replaces is kept.

    Example: bnet doctor --repair
    """
    from bnet.app.doctor.examine import examine
    from bnet.app.doctor.repair import mend_hub, mend_machine
    from bnet.wiring.patients import patient_of

    patient = patient_of(app.machine, _url(app))
    for mend in (mend_machine, mend_hub) if repair else ():
        for done in mend(patient):
            note(f"bnet: {done}")
        patient = patient_of(app.machine, patient.url)
    findings = examine(patient)
    if as_json:
        out_json([{name: getattr(each, name) for name in each.__struct_fields__} for each in findings])
    else:
        for each in sorted(findings, key=lambda one: ORDER.index(one.ok)):
            out(f"{click.style(MARKS[each.ok], fg=COLOURS[each.ok])} {each.check}: {each.text}")
            if each.advice:
                out(f"      {each.advice}")
    count = {ok: sum(each.ok is ok for each in findings) for ok in ORDER}
    told = f"{count[True]} ok, {count[False]} not, {count[None]} open"
    if not as_json:
        out(told)
    if count[False]:
        raise click.exceptions.Exit(AnswerNo.exit_code)


def _url(app: App) -> str | None:
    """Return the hub that is meant; None if none is, which leaves enough to look at."""
    try:
        return app.url
    except (BnetError, OSError):
        return None
