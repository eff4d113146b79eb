"""One issue on a forge for each finding: which are to be opened, changed and closed."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote

import msgspec

from bnet.codec.shown import escaped
from bnet.health.facts import Finding

LABEL = "bnet-health"
MOST_OPENED = 20  # in one go: what floods people is read by nobody
LONGEST_TITLE = 200
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
        key = key_of(issue)
        if key is not None and known.setdefault(key, issue) is not issue:
            steps.append(Step(key=key, number=issue.number))  # two looks at once may open two
    wanted = {each.key: each for each in findings}
    steps += [Step(key=key, number=each.number) for key, each in known.items() if key not in wanted]
    opened = 0
    for key, finding in wanted.items():
        found, title, body = known.get(key), title_of(finding), body_of(finding)
        if found is None and opened < MOST_OPENED:
            opened += 1
            steps.append(Step(key=key, title=title, body=body))
        elif found is not None and (found.title, _unix(found.body)) != (title, body):
            steps.append(Step(key=key, number=found.number, title=title, body=body))
    return steps


def key_of(issue: Issue) -> str | None:
    """Return the key of the finding that an issue is of."""
    found = _MARK.match(issue.body)
    return None if found is None else unquote(found[1])


def title_of(finding: Finding) -> str:
    """Return a title that stays as it is for as long as the trouble lasts."""
    title = f"{finding.rule}: {finding.about}" if finding.about else finding.rule
    return escaped(title)[:LONGEST_TITLE]


def body_of(finding: Finding) -> str:
    """Return what an issue says; in indented lines nobody is mentioned, and nothing is a link."""
    since = "" if finding.since is None else f"since {finding.since:%Y-%m-%dT%H:%M:%SZ}, "
    lines = [f"{finding.severity}: {finding.text}", f"{since}sure: {finding.sure}", finding.advice]
    told = "\n".join(f"    {escaped(line)}" for line in lines if line)
    return (
        f"<!-- bnet-health: {quote(finding.key, safe=':/')} -->\n\n{told}\n\n"
        "`bnet health` found this. It changes and closes this issue by itself.\n"
    )


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")
