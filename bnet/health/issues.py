"""One issue on a forge for each finding: which are to be opened, changed and closed."""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from urllib.parse import quote, unquote

import msgspec

from bnet.codec.shown import escaped
from bnet.health.facts import Finding

LABEL = "bnet-health"
MOST_OPENED = 20  # in one go: what floods people is read by nobody
LONGEST_TITLE = 200
LONGEST_LINE = 2000  # of a body, which may have 65,536 signs
LONGEST_MARK = 500
# Nothing that people wrote can come before it, and no key holds a space or an angle once it is quoted.
_MARK = re.compile(r"<!-- bnet-health: ([^\s<>]{1,1000}) -->")


class Issue(msgspec.Struct, frozen=True):
    """An open issue that bears our label."""

    number: int
    title: str
    body: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done: open one (no number), close one (no title), or change one; and of which key."""

    key: str
    number: int | None = None
    title: str | None = None
    body: str | None = None


def plan(findings: Iterable[Finding], there: Sequence[Issue]) -> list[Step]:
    """Return what has to be done so that each finding has one issue; what bears no mark of ours is left alone."""
    known: dict[str, Issue] = {}
    steps = []
    for issue in sorted(there, key=lambda one: one.number):
        mark = mark_of(issue)
        if mark is not None and known.setdefault(mark, issue) is not issue:
            steps.append(Step(key=unquote(mark), number=issue.number))  # two looks at once may open two
    wanted = {_mark(each.key): each for each in findings}
    steps += [
        Step(key=unquote(mark), number=each.number) for mark, each in known.items() if mark not in wanted
    ]
    opened = 0
    for mark, finding in wanted.items():
        found, key, title, body = known.get(mark), finding.key, title_of(finding), body_of(finding)
        if found is None and opened < MOST_OPENED:
            opened += 1
            steps.append(Step(key=key, title=title, body=body))
        elif found is not None and (found.title, _unix(found.body)) != (title, body):
            steps.append(Step(key=key, number=found.number, title=title, body=body))
    return steps


def mark_of(issue: Issue) -> str | None:
    """Return what stands for the key of the finding that an issue is of; None if it is of none."""
    found = _MARK.match(issue.body)
    return None if found is None else found[1]


def _mark(key: str) -> str:
    """Return a key as it stands in a comment; of a long one the beginning and a digest."""
    mark = quote(key, safe=":/")
    if len(mark) <= LONGEST_MARK:
        return mark
    return mark[:LONGEST_MARK] + "~" + sha256(key.encode()).hexdigest()[:32]


def title_of(finding: Finding) -> str:
    """Return a title that stays as it is for as long as the trouble lasts."""
    title = f"{finding.rule}: {finding.about}" if finding.about else finding.rule
    return escaped(title)[:LONGEST_TITLE]


def body_of(finding: Finding) -> str:
    """Return what an issue says; in indented lines nobody is mentioned, and nothing is a link."""
    since = "" if finding.since is None else f"since {finding.since:%Y-%m-%dT%H:%M:%SZ}, "
    lines = [f"{finding.severity}: {finding.text}", f"{since}sure: {finding.sure}", finding.advice]
    told = "\n".join(f"    {escaped(line)[:LONGEST_LINE]}" for line in lines if line)
    return (
        f"<!-- bnet-health: {_mark(finding.key)} -->\n\n{told}\n\n"
        "`bnet health` found this. It changes and closes this issue by itself.\n"
    )


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")
