"""Monitoring: what people want to be told of, and the figures that servers give for it."""

from typing import Annotated

import msgspec

from bnet.model.base import Seconds
from bnet.model.command import Strict

Amount = Annotated[float, msgspec.Meta(gt=0, le=1e18, description="a number above 0")]
Count = Annotated[int, msgspec.Meta(ge=1, le=6, description="a whole number from 1 to 6")]
DiskPath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(home|/[^\x00-\x1f\x7f]*)(?!\n)$",
        max_length=200,
        description="`home`, which is where a server keeps its files, or an absolute path",
    ),
]
Branch = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}(?!\n)$", description="a branch's name"),
]
WebAddress = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://[^\s/@]+(/[\x21-\x7e]*)?(?!\n)$",
        max_length=1000,
        description="an address such as https://owner.github.io/name/",
    ),
]
HOME = "home"  # among paths: BNET_HOME, wherever that is
FULL = (90.0, 97.0)  # percent of it that are a warning and critical, where nothing else is said
DAY = 86400.0


class Threshold(Strict, frozen=True, kw_only=True):
    """From which value on people are told; without a value, never.

    Attributes:
        warning: as a warning.
        critical: as something that cannot wait.
    """

    warning: Amount | None = None
    critical: Amount | None = None


class Site(Strict, frozen=True, kw_only=True):
    """The published dashboard.

    Attributes:
        stale_after: seconds after which a site that was not published anew is told of; 0 never does.
        branch: of the hub, on which `bnet site publish` puts it; if there is none, or it is no site, nothing is told.
        url: where people look at it, if that is on the web: then it is asked itself.
    """

    stale_after: Seconds = 7200.0
    branch: Branch = "gh-pages"
    url: WebAddress | None = None


class Monitoring(Strict, frozen=True, kw_only=True):
    """`monitoring.yaml`: everything has a default, so an empty file is a valid one.

    Attributes:
        cpu: percent of all cores, between two samples.
        memory: percent that is not to be had without swapping.
        load: the load of five minutes, for each core.
        network: bytes a second, sent and received, of all interfaces.
        disk: percent of a file system that is full, by a path on it; a server that has no such path passes it over.
            `home` is where it keeps its own files: 90 and 97 where nothing else is said.
        raise_after: so many samples in a row at a threshold or above it, and it is told.
        clear_after: so many in a row below it, and it is over.
        stuck_after: seconds after which a running job without `timeout` counts as stuck, if little is known of it.
        stuck_factor: so many times as long as such jobs take otherwise, and a running one counts as stuck.
        stalled_after: seconds that a job may wait which a server could take.
        failures: so many failures in a row, and a job or package counts as failing.
        hub: bytes that the hub takes.
        site: the published dashboard.
    """

    cpu: Threshold = Threshold()
    memory: Threshold = Threshold(warning=90.0, critical=97.0)
    load: Threshold = Threshold()
    network: Threshold = Threshold()
    disk: dict[DiskPath, Threshold] = {}
    raise_after: Count = 3
    clear_after: Count = 2
    stuck_after: Seconds = DAY / 4
    stuck_factor: Annotated[float, msgspec.Meta(gt=1, le=1000, description="a number above 1")] = 4.0
    stalled_after: Seconds = 900.0
    failures: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    hub: Threshold = Threshold(warning=5e9, critical=1e10)
    site: Site = Site()

    @property
    def disks(self) -> dict[str, Threshold]:
        """The thresholds in force, by path."""
        return {HOME: Threshold(warning=FULL[0], critical=FULL[1]), **self.disk}
