"""`bnet artifact` with all its verbs."""

from bnet.cli import artifact_compare, artifact_keep
from bnet.cli.artifact import artifact

__all__ = ["artifact", "artifact_compare", "artifact_keep"]
