"""All targets: each feeds the entry point of a parser, and lets only those errors pass that it documents."""

from __future__ import annotations

import awaiting
import caching
import comparing
import correspondence
import filling
import hosting
import ledgers
import printed
import reading
from target import Target

TARGETS: dict[str, Target] = {
    each.name: each
    for each in (
        *reading.TARGETS,
        *caching.TARGETS,
        *comparing.TARGETS,
        *correspondence.TARGETS,
        *filling.TARGETS,
        *hosting.TARGETS,
        *printed.TARGETS,
        *ledgers.TARGETS,
        *awaiting.TARGETS,
    )
}
