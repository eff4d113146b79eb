"""Whether reports were made as they may be: when they come, each time once, and never changed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from bnet.codec import layout
from bnet.codec.documents import Unreadable, decode
from bnet.model.report import Figures
from bnet.model.state import State
from bnet.rules.reports import TARGET, kept_of
from bnet.rules.wallclock import comes_at


def report_faults(
    before: State, after: State, rewound: Sequence[str], files: Mapping[str, bytes | None]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with what a transaction did to reports: which one, and the fault.

    Args:
        before, after: the ledger.
        rewound: the reports whose turn was ahead of the time, and what was kept of such a time with it.
        files: the kept reports that it wrote or removed.
    """
    for path, data in files.items():
        if path in before.restore and data == before.restore[path]:
            continue  # it is as it was before a hand edit
        found = layout.report_of(path)
        if found is None:
            yield path, "is no report"
        elif data is None:
            if not _was_early(*found, after, rewound) and _is_kept(*found, before, after):
                yield path, "was removed although it was to be kept"
        elif path in before.reported:
            yield path, "has changed"
        elif text := _wrong(*found, before, after, data):
            yield path, text
    for name, turn in after.turns.items():
        old = before.turns.get(name)
        back = old is not None and turn.version == old.version and turn.until < old.until
        if back and TARGET + name not in rewound:
            yield layout.TURNS, f"{name} is set back, so that it could be made again"


def _wrong(name: str, at: datetime, before: State, after: State, data: bytes) -> str:
    ordered, turn = before.reports.get(name), before.turns.get(name)
    if ordered is None or ordered.times is None:
        return "was made and is no report that the clock makes"
    if turn is None or turn.version != ordered.version:
        return "was made although it was new or edited"
    if not comes_at(ordered.times, ordered.report.timezone, at):
        return "was made for a time at which it does not come"
    if at <= turn.until or name not in after.turns or after.turns[name].until < at:
        return "was made for a time that was decided before, or could be once more"
    try:
        figures = decode(Figures, data)
    except Unreadable:
        return "is none that can be read"
    return "" if (figures.name, figures.now.end) == (name, at) else "is of another time or name than its path"


def _was_early(name: str, at: datetime, after: State, rewound: Sequence[str]) -> bool:
    return TARGET + name in rewound and name in after.turns and at > after.turns[name].until


def _is_kept(name: str, at: datetime, before: State, after: State) -> bool:
    """Tell whether a report that was removed is not among those that are too many."""
    ordered, left = after.reports.get(name) or before.reports.get(name), kept_of(after, name)
    return ordered is None or len(left) < ordered.report.keep or any(each < at for each in left)
