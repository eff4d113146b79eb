"""Names to paths and back: the one place that knows where a document lives in the hub."""

import re
from datetime import datetime

from bnet.model.base import is_name, is_server_name

ROOT = "coordination/"
HEAD = ROOT + "ledger.json"
SETTINGS = ROOT + "hub.yaml"
INBOX = ROOT + "inbox/"
REJECTED = ROOT + "rejected/"
SERVERS = ROOT + "servers/"
JOBS = ROOT + "jobs/"
KEYS = ROOT + "keys/"
LOCKS = ROOT + "locks/"
ARCHIVE = ROOT + "archive/"
SCHEDULES = ROOT + "schedules/"
ARTIFACTS = ROOT + "artifacts/"  # which artifacts are kept, a document a job
SHARED = ARTIFACTS + "files/"
ENVIRONMENTS_FILE = ROOT + "environments.yaml"
MONITORING = ROOT + "monitoring.yaml"
NOTIFICATIONS = ROOT + "notifications.yaml"
NOTICES = ROOT + "notify.state.json"  # what was told of the network
REPORTS_FILE = ROOT + "reports.yaml"
TURNS = ROOT + "reports.state.json"
REPORTS = ROOT + "reports/"  # those that were made by the clock; of these only the names are read
ENVIRONMENTS = ROOT + "environments/"
RELEASES = ROOT + "releases/"
SOURCES = ROOT + "sources/"
TEMPLATES = ROOT + "templates/"  # read when one is asked for
MESSAGES = "messages/"  # what people write to each other; codec/letter_paths.py knows the names in there
ASKS = ROOT + "messages/asks/"
FILED = ROOT + "messages/archive/"
REPLIES = ROOT + "replies.yaml"
TAKEN_UP = ROOT + "messages/replies.json"

DIRECTORIES = (
    INBOX,
    REJECTED,
    SERVERS,
    JOBS,
    KEYS,
    LOCKS,
    ARCHIVE,
    SCHEDULES,
    SOURCES,
    ENVIRONMENTS,
    RELEASES,
)

DOCUMENT_LIMIT = 1_000_000  # bytes; a larger file is set aside unread

_JOB = re.compile(
    r"coordination/jobs/[0-9]{4,}/([0-9]{1,15})/(job|wanted|claim|result|attempts/[1-9][0-9]{0,5})\.json"
)
_REPORT = re.compile(r"coordination/reports/([^/]+)/([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{4}Z)\.json")
_EXPLANATION = re.compile(r"readme(\.(md|txt|rst))?|\.git(keep|ignore|attributes)", re.IGNORECASE)
_MACHINE = re.compile(
    r"coordination/(ledger\.json$"
    r"|(jobs|keys|servers|locks|archive|artifacts|messages|metrics|environments|releases|reports)(/|$)"
    r"|(schedules|sources)/[^/]+\.state\.json$|(notify|reports)\.state\.json$)"
)


def job_dir(number: int) -> str:
    """Return the directory of a job's documents; a bucket holds a hundred of them."""
    return f"{JOBS}{number // 100:04}/{number}/"


def job_part(path: str) -> tuple[int, str] | None:
    """Return the number and the part (`job`, `claim`, `attempts/1`, ...) of a job's document, if it is one."""
    match = _JOB.fullmatch(path)
    if match is None or not path.startswith(job_dir(int(match[1]))):
        return None
    return int(match[1]), match[2]


def kept_path(number: int) -> str:
    """Return the path of the list of a job's artifacts; a directory holds a hundred of them."""
    return f"{ARTIFACTS}{number // 100:04}/{number}.json"


def kept_number(path: str) -> int | None:
    """Return the number of the job whose list of artifacts a path is, if it is one."""
    word = path.rpartition("/")[2].removesuffix(".json")
    if not path.startswith(ARTIFACTS) or not re.fullmatch(r"[0-9]{1,15}", word):
        return None
    return int(word) if path == kept_path(int(word)) else None


def shared_path(name: str) -> str:
    """Return the path of what is known of a shared file."""
    return f"{SHARED}{checked(name)}.json"


def server_path(name: str) -> str:
    """Return the path of a server's registration."""
    return f"{SERVERS}{checked(name)}.json"


def server_name(path: str) -> str | None:
    """Return the name of the server whose registration a path is, if it is one."""
    name = path.removeprefix(SERVERS).removesuffix(".json")
    return name if path.startswith(SERVERS) and path.endswith(".json") and is_server_name(name) else None


def key_path(digest: str) -> str:
    """Return the path of the file that holds a key, from the key's digest in hex."""
    return f"{KEYS}{digest[:2]}.json"


def lock_path(name: str) -> str:
    """Return the path of a named lock."""
    return f"{LOCKS}{checked(name)}.json"


def standing_path(name: str) -> str:
    """Return the path of what is deployed to an environment."""
    return f"{ENVIRONMENTS}{checked(name)}.json"


def release_path(name: str) -> str:
    """Return the path of a release."""
    return f"{RELEASES}{checked(name)}.json"


def named_in(directory: str, path: str) -> str | None:
    """Return the name of what a document of a directory is of, if it is one."""
    name = path.removeprefix(directory).removesuffix(".json")
    return name if path.startswith(directory) and path.endswith(".json") and is_name(name) else None


def schedule_file(path: str) -> str | None:
    """Return the stem of a file of schedules, if a path is one."""
    return _stem(path, SCHEDULES, ".yaml")


def cursor_path(stem: str) -> str:
    """Return the path of what was fired of a file of schedules."""
    return f"{SCHEDULES}{checked(stem)}.state.json"


def cursor_file(path: str) -> str | None:
    """Return the stem of the file of schedules whose cursor a path is, if it is one."""
    return _stem(path, SCHEDULES, ".state.json")


def source_path(name: str) -> str:
    """Return the path of a source."""
    return f"{SOURCES}{checked(name)}.yaml"


def source_file(path: str) -> str | None:
    """Return the name of the source that a file says, if a path is one."""
    return _stem(path, SOURCES, ".yaml")


def seen_path(name: str) -> str:
    """Return the path of what was seen of a source."""
    return f"{SOURCES}{checked(name)}.state.json"


def seen_file(path: str) -> str | None:
    """Return the name of the source of which a path holds what was seen, if it does."""
    return _stem(path, SOURCES, ".state.json")


def _stem(path: str, folder: str, end: str) -> str | None:
    stem = path.removeprefix(folder).removesuffix(end)
    return stem if path.startswith(folder) and path.endswith(end) and is_name(stem) else None


def report_path(name: str, at: datetime) -> str:
    """Return the path of the report that was made for a time."""
    return f"{REPORTS}{checked(name)}/{at:%Y-%m-%dT%H%MZ}.json"


def report_of(path: str) -> tuple[str, datetime] | None:
    """Return which report a path holds, and for which time, if it holds one."""
    match = _REPORT.fullmatch(path)
    if match is None or not is_name(match[1]):
        return None
    try:
        at = datetime.strptime(f"{match[2]}+0000", "%Y-%m-%dT%H%MZ%z")
    except ValueError:
        return None
    return match[1], at


def archive_path(day: datetime, number: int) -> str:
    """Return the path of the n-th archive file of a day."""
    return f"{ARCHIVE}{day:%Y/%m/%d}.{number}.jsonl"


def archive_order(path: str) -> tuple[str, int]:
    """Return a key that sorts archive files by day and number: `2026/11/20` and 12 of `.../20.12.jsonl`."""
    day, _, number = path.removeprefix(ARCHIVE).removesuffix(".jsonl").rpartition(".")
    return day, int(number) if number.isdecimal() and len(number) < 10 else 0


def is_machine(path: str) -> bool:
    """Tell whether only transactions may change a document."""
    return _MACHINE.match(path) is not None


def is_read(path: str) -> bool:
    """Tell whether a document is part of the parsed state, or of the index; of the archives only the names are."""
    if path.startswith(MESSAGES):
        return path.endswith((".md", ".json"))
    return path.startswith(ROOT) and not path.startswith(
        (ARCHIVE, FILED, REPORTS, TEMPLATES, ROOT + "metrics/")
    )


def is_explanation(path: str) -> bool:
    """Tell whether a file of the inbox is there for people, or keeps the directory: it stays, unread."""
    return _EXPLANATION.fullmatch(path.removeprefix(INBOX)) is not None


def checked(name: str) -> str:
    """Return a name that may become part of a path.

    Raises:
        ValueError: it may not; callers have checked before, so this is a bug.
    """
    if not is_name(name):
        raise ValueError(f"not a name: {name!r}")
    return name
