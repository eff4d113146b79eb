"""When a site was published on a branch, without the site."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bnet.errors import RepositoryUnreachable
from bnet.gitstore.hub import with_ssh
from bnet.gitstore.repo import NETWORK_TIMEOUT
from bnet.gitstore.sources import listed, make_repo
from bnet.process import TimedOut

ASK_TIMEOUT = 30.0  # seconds
_MARK = re.compile(r"^Bnet-Site: (\S+)$", re.MULTILINE)
_DATE = re.compile(r"^committer .* (\d{1,12}) [+-]\d{4}$", re.MULTILINE)


def tip_of(url: str, branch: str, env: Mapping[str, str]) -> str:
    """Return the commit that a branch is at; "" if there is no such branch.

    Raises:
        BnetError: no answer.
    """
    ref = f"refs/heads/{branch}"
    return listed(url, [ref], with_ssh(env, url), ASK_TIMEOUT).get(ref, "")


def published(url: str, branch: str, tip: str, env: Mapping[str, str]) -> tuple[str, datetime] | None:
    """Return whose site a commit brought, by the hub's UUID, and when; None if it is no site.

    Only the commit is asked for; of a host that knows no filters all of the newest site comes.

    Raises:
        BnetError: no answer.
    """
    with TemporaryDirectory(prefix="bnet-") as directory:
        repo = make_repo(Path(directory), with_ssh(env, url), "sha256" if len(tip) == 64 else "sha1")
        words = ("fetch", "--quiet", "--no-tags", "--depth=1", "--filter=tree:0", "--", url)
        try:
            repo.git(*words, f"+refs/heads/{branch}:refs/there", timeout=NETWORK_TIMEOUT)
            found = repo.git("cat-file", "commit", tip, timeout=ASK_TIMEOUT)
        except TimedOut as error:
            raise RepositoryUnreachable(f"the site's branch {branch} cannot be had: {error}") from None
    if found.code != 0:
        raise RepositoryUnreachable(f"the site's branch {branch} cannot be had: {found.complaint}")
    head, _, message = found.out.decode(errors="replace").partition("\n\n")
    mark, date = _MARK.search(message), _DATE.search(head)
    if mark is None or date is None:
        return None
    return mark[1], datetime.fromtimestamp(int(date[1]) % 2**37, UTC)
