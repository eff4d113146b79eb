"""Finding what commands refer to: commits behind refs, and jobs in the archive."""

from collections.abc import Callable, Iterable

from bnet.codec import letter_paths, letters
from bnet.codec.layout import archive_order
from bnet.errors import Invalid
from bnet.model.command import Command
from bnet.model.job import Job
from bnet.model.state import State
from bnet.ports.hub import Hub
from bnet.rules.admit import messages_of, numbers_of, sources_of
from bnet.rules.specs import Addressed, Facts, Unresolved
from bnet.rules.transaction import read_archive

FILES_AT_ONCE = 16


class Lookup:
    """Finds facts for admission; remembers nothing."""

    def __init__(self, hub: Hub, resolve: Callable[[str, str], "str | Unresolved"]) -> None:
        """Keep where the archive is, and how a ref becomes a commit."""
        self._hub = hub
        self._resolve = resolve

    def __call__(self, state: State, commands: list[Command]) -> Facts:
        """Return the facts that commands need beyond the snapshot."""
        named = numbers_of(commands)
        archived = archived_jobs(self._hub, state, named - state.jobs.keys())
        # What is asked for once more takes what it took: whether that is still there, its jobs tell.
        again = [state.jobs.get(number) or archived.get(number) for number in named]
        taken = {each.job for job in again if job is not None for each in job.spec.inputs}
        archived |= archived_jobs(self._hub, state, taken - state.jobs.keys() - archived.keys())
        return Facts(
            archived=archived, commits=self._commits(commands), letters=self._letters(state, commands)
        )

    def _letters(self, state: State, commands: list[Command]) -> dict[str, Addressed]:
        paths = {
            letter_paths.message_path(key): key for key in messages_of(commands) if letter_paths.is_key(key)
        }
        found = self._hub.read(state.tip, list(paths)) if paths else {}
        return {paths[path]: self._addressed(state.tip, paths[path], data) for path, data in found.items()}

    def _addressed(self, tip: str, key: str, data: bytes) -> Addressed:
        try:
            to = letters.read(data, "").front.addressed
        except Invalid:
            to = ()
        path = letter_paths.message_path(key)
        return Addressed(to, tuple(self._hub.names(tip, f"{path.removesuffix('.md')}.acks/")))

    def _commits(self, commands: list[Command]) -> dict[tuple[str, str], str | Unresolved]:
        """Resolve refs until one does not answer: a sync has leases to keep, the rest is asked next time."""
        found: dict[tuple[str, str], str | Unresolved] = {}
        silent = False
        for pair in sorted(sources_of(commands)):
            late = Unresolved("another source did not answer before it", again=True)
            found[pair] = late if silent else self._resolve(*pair)
            told = found[pair]
            silent = silent or (isinstance(told, Unresolved) and told.again)
        return found


def archived_jobs(hub: Hub, state: State, numbers: Iterable[int]) -> dict[int, Job]:
    """Return those of some jobs that are in the archive, searched from its newest file back.

    Args:
        hub: where the files are.
        state: names the files.
        numbers: of the jobs.
    """
    missing = {number for number in numbers if 0 < number < state.head.next_job}
    found: dict[int, Job] = {}
    paths = sorted(state.archive, key=archive_order, reverse=True)
    for start in range(0, len(paths), FILES_AT_ONCE):
        if not missing:
            break
        for data in hub.read(state.tip, paths[start : start + FILES_AT_ONCE]).values():
            for job in read_archive(data):
                if job.number in missing:
                    found[job.number] = job
                    missing.discard(job.number)
    return found


def all_archived(hub: Hub, state: State) -> list[Job]:
    """Return every job of the archive, oldest file first."""
    paths = sorted(state.archive, key=archive_order)
    contents = hub.read(state.tip, paths)
    return [job for path in paths for job in read_archive(contents.get(path, b""))]
