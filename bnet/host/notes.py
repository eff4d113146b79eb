"""What a server writes down between two syncs, as files in its BNET_HOME."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from bnet.codec.documents import Unreadable, decode, encode
from bnet.files import read_or_none, write_atomic
from bnet.host import disks
from bnet.host.metrics import disk_percent, measure
from bnet.model.base import Record
from bnet.model.monitoring import HOME
from bnet.model.rollup import Rolled
from bnet.model.telemetry import Sampled, Sent
from bnet.ports.machine import Disks
from bnet.rules.leases import Observed

R = TypeVar("R", bound=Record)


class LocalNotes:
    """The `Notes` port on a directory; a file that is missing or damaged is an empty note."""

    def __init__(self, home: Path) -> None:
        """Keep the directory."""
        self._home = home

    def observed(self) -> Observed:
        return self._load("observed.json", Observed)

    def keep_observed(self, observed: Observed) -> None:
        self._save("observed.json", observed, durable=False)

    def sent(self) -> Sent:
        return self._load("telemetry.json", Sent)

    def keep_sent(self, sent: Sent) -> None:
        self._save("telemetry.json", sent, durable=True)

    def measure(self) -> dict[str, float | None]:
        figures = measure(self._home)
        return {
            name: value
            for name in figures.__struct_fields__
            if isinstance(value := getattr(figures, name), int | float)
        }

    def disks(self, paths: Sequence[str]) -> Disks:
        # The disk of BNET_HOME is written to anyway: if it hangs, all does.
        home = disk_percent(self._home) if HOME in paths else None
        others = [path for path in paths if path != HOME]
        found = disks.ask(others, self._home / "disks.json") if others else Disks({})
        return found if home is None else found._replace(full={HOME: home, **found.full})

    def sampled(self) -> Sampled:
        return self._load("samples.json", Sampled)

    def keep_sampled(self, sampled: Sampled) -> None:
        self._save("samples.json", sampled, durable=False)

    def rolled(self) -> Rolled:
        return self._load("hours.json", Rolled)

    def keep_rolled(self, rolled: Rolled) -> None:
        self._save("hours.json", rolled, durable=False)

    def _load(self, name: str, kind: type[R]) -> R:
        data = read_or_none(self._home / name)
        try:
            return kind() if data is None else decode(kind, data)
        except Unreadable:
            return kind()

    def _save(self, name: str, record: Record, *, durable: bool) -> None:
        write_atomic(self._home / name, encode(record), durable=durable)
