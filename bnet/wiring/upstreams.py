"""The repositories of sources, as this machine reaches them."""

from bnet.gitstore.mirrors import Mirrors
from bnet.wiring.machine import Machine


def upstreams(machine: Machine) -> Mirrors:
    """Return them, with the copies that this machine keeps."""
    return Mirrors(machine.home.repositories, machine.git_env)
