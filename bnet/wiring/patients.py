"""A machine as the doctor sees it."""

from bnet.app.doctor.finding import Patient
from bnet.errors import BnetError, said
from bnet.host.checkup import HostCheckup
from bnet.host.notes import LocalNotes
from bnet.wiring.machine import Machine
from bnet.wiring.secrets import wrong_forges


def patient_of(machine: Machine, url: str | None) -> Patient:
    """Return a machine for the doctor, with as much of it as is sound."""
    identity, ledger, problems = None, None, ["", ""]
    try:
        identity = machine.identity
    except (BnetError, OSError) as error:
        problems[0] = said(error)
    try:
        ledger = None if url is None else machine.ledger(url)
    except (BnetError, OSError) as error:
        problems[1] = said(error)
    return Patient(
        home=machine.home.path,
        url=url,
        identity=identity,
        identity_problem=problems[0],
        host=HostCheckup(machine.home, machine.env, machine.clock),
        git=machine.checkup(url),
        ledger=ledger,
        ledger_problem=problems[1],
        clock=machine.clock,
        notes=LocalNotes(machine.home.path),
        post=None if ledger is None or url is None else machine.post(url),
        wrong_forges=wrong_forges(machine.home.secrets_env),
    )
