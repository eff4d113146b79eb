"""`bnet artifact` with all its verbs."""

from bnet.cli.artifact import compare as artifact_compare
from bnet.cli.artifact import keep as artifact_keep
from bnet.cli.artifact.command import artifact

__all__ = ["artifact", "artifact_compare", "artifact_keep"]
