"""A file of a source: one repository that is watched, and the job that a new commit of it becomes."""

import re
from collections.abc import Sequence

import msgspec
import xxhash

from bnet.codec import people
from bnet.codec.addresses import check_address
from bnet.codec.durations import parse_duration
from bnet.codec.inbox import check_durations
from bnet.errors import Invalid
from bnet.model.source import Followed, Upstream

SHORTEST_EVERY = 5.0  # seconds
LONGEST_EVERY = 7 * 86400.0
NAMED = "use up to 64 lower case letters, digits, '.', '_' or '-' for the name"
OWN_FIELDS = {
    "source": "is the repository of this file, at each new commit; leave it out",
    "key": "is made of each commit, so that it becomes one job; leave it out",
    "not_before": "a commit's job comes when the commit does; leave it out",
}
_USER = re.compile(r"(?:https?|git)://[^/@]*@|[a-z]+://[^/@:]*:[^/@]*@", re.IGNORECASE)


def read_source(text: bytes, file: str, name: str) -> Followed:
    """Return the source that a file says.

    Args:
        text: YAML.
        file: its name, for messages.
        name: the source's.

    Raises:
        Invalid: something in it is wrong; the message names line and field, and what would be right.
    """
    parsed = people.parse(text, file)
    if not isinstance(parsed.data, dict):
        raise parsed.invalid(
            "must be a mapping with `repository`, and `submit` or `pipeline`; docs/sources.md shows one"
        )
    asked = people.read(parsed, Upstream, parsed.data)
    _check_repository(parsed, asked.repository)
    try:
        every = parse_duration(asked.every)
    except ValueError as error:
        raise parsed.invalid(str(error), ("every",)) from None
    if not SHORTEST_EVERY <= every <= LONGEST_EVERY:
        said = f"must be between {SHORTEST_EVERY:g} seconds and {LONGEST_EVERY / 86400:g} days"
        raise parsed.invalid(said, ("every",))
    _check_submit(parsed, asked)
    for steps, globs in (
        (("branches",), asked.branches or ()),
        (("tags",), asked.tags),
        (("priority",), tuple(asked.priority)),
        (("paths", "include"), asked.paths.include),
        (("paths", "exclude"), asked.paths.exclude),
    ):
        _check_globs(parsed, globs, steps)
    meant = (asked.repository, branches_of(asked), asked.tags)
    return Followed(
        name=name, asked=asked, every=every, refs=xxhash.xxh3_64_hexdigest(msgspec.json.encode(meant))
    )


def branches_of(asked: Upstream) -> tuple[str, ...]:
    """Return the patterns of the branches that are meant: where neither these nor tags are named, of all."""
    if asked.branches is not None:
        return asked.branches
    return () if asked.tags else ("**",)


def _check_repository(parsed: people.Text, address: str) -> None:
    if _USER.match(address):
        raise parsed.invalid(
            "holds a user or password, which everyone would read here; leave that to Git's credential helper "
            "or an ssh key on the servers",
            ("repository",),
        )
    try:
        check_address(address)
    except Invalid as error:
        raise parsed.invalid(f"{error.message}: {error.hint}", ("repository",)) from None


def _check_submit(parsed: people.Text, asked: Upstream) -> None:
    job = asked.submit
    if job is None or asked.pipeline is not None:
        if job is not None or asked.pipeline is None:
            raise parsed.invalid(
                "has either `submit`, a job, or `pipeline`, one of the repository's bnet.yaml"
            )
        return
    check_durations(parsed, job, ("submit",))
    for field, said in OWN_FIELDS.items():
        if getattr(job, field) is not None:
            raise parsed.invalid(said, ("submit", field))
    if job.supersede != "none" and job.group is None:
        raise parsed.invalid("needs a `group`, whose older jobs it ends", ("submit", "supersede"))
    if not job.packages and (not job.command or not "".join(job.command).strip()):
        raise parsed.invalid("has neither a command nor packages to build", ("submit",))


def _check_globs(parsed: people.Text, globs: Sequence[str], steps: people.Steps) -> None:
    for index, glob in enumerate(globs):
        place = (*steps, glob) if steps == ("priority",) else (*steps, index)
        if not glob.isprintable():
            raise parsed.invalid(f"{glob!r} holds a control character", place)
        if steps[0] != "paths" and glob.startswith(("refs/", "!refs/")):
            bare = re.sub(r"^(!?)refs/(heads|tags)/", r"\1", glob)
            raise parsed.invalid(f"names branches and tags without refs/: write {bare}", place)
        if not glob.lstrip("!"):
            raise parsed.invalid("is no pattern", place)


def complaint_about_source(path: str) -> str:
    """Say what is wrong with a file among the sources that is none; "" for one that is there for people."""
    name = path.rpartition("/")[2]
    if re.fullmatch(r"readme(\.(md|txt|rst))?|\.git(keep|ignore|attributes)", name, re.IGNORECASE):
        return ""
    return f"is no source; those are sources/<name>.yaml: {NAMED}"
