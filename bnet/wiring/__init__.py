"""The composition root: the one place where ports meet their adapters."""

from bnet.wiring.machine import Machine, Place

__all__ = ["Machine", "Place"]
