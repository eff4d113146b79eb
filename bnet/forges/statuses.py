"""Commit statuses by the APIs of GitHub, GitLab, and Gitea (which Forgejo shares)."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bnet import __version__
from bnet.errors import BnetError, RepositoryUnreachable
from bnet.forges.tokens import Forge, Project, forges_in, project_of
from bnet.ports.outside import CommitStatus

TIMEOUT = 15.0  # seconds
LONGEST = 140  # characters of a description that GitHub takes
GITHUB = "https://github.com"
# docs.github.com/rest/commits/statuses, docs.gitlab.com/ee/api/commits.html, docs.gitea.com/api
STATES: Mapping[str, Mapping[str, str]] = {
    "github": {"running": "pending", "cancelled": "error"},
    "gitea": {"running": "pending", "cancelled": "error"},
    "gitlab": {"failure": "failed", "error": "failed", "cancelled": "canceled"},
}
# A status that is said twice GitLab refuses so, as it does one that comes after the end.
SAID_ALREADY = "Cannot transition status"


class ForgeStatuses:
    """The `Forges` port over HTTP."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Keep the tokens among a server's secrets."""
        self._forges = {each.host: each for each in forges_in(secrets)}
        # A redirect would carry the token to wherever it leads.
        self._opener = urllib.request.build_opener(_NoRedirect())

    def knows(self, address: str) -> bool:
        return self._found(address) is not None

    def _found(self, address: str) -> tuple[Forge, Project] | None:
        project = project_of(address)
        forge = None if project is None else self._forges.get(project.host)
        return None if project is None or forge is None else (forge, project)

    def tell(self, address: str, commit: str, status: CommitStatus) -> None:
        found = self._found(address)
        if found is None:
            raise BnetError("this server has no token for the forge of that repository")
        forge, project = found
        url, headers, body = _request(forge, project, commit, status)
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                answer.read(1)
        except urllib.error.HTTPError as error:
            told = error.read(2000).decode(errors="replace")
            if error.code == 400 and SAID_ALREADY in told:
                return
            raise _refused(forge, error.code) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise RepositoryUnreachable(f"{forge.base} does not answer: {reason}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _request(
    forge: Forge, project: Project, commit: str, status: CommitStatus
) -> tuple[str, dict[str, str], dict[str, str]]:
    state = STATES[forge.kind].get(status.state, status.state)
    description = status.description[:LONGEST]
    headers = {"Content-Type": "application/json", "User-Agent": f"bnet/{__version__}"}
    if forge.kind == "gitlab":
        url = f"{forge.base}/api/v4/projects/{quote(project.path, safe='')}/statuses/{commit}"
        headers["PRIVATE-TOKEN"] = forge.token
        body = {"state": state, "name": status.context, "description": description}
        return url, headers, body | ({"ref": status.ref} if status.ref else {})
    body = {"state": state, "context": status.context, "description": description}
    if forge.kind == "gitea":
        headers["Authorization"] = f"token {forge.token}"
        return f"{forge.base}/api/v1/repos/{project.path}/statuses/{commit}", headers, body
    api = "https://api.github.com" if forge.base == GITHUB else f"{forge.base}/api/v3"
    headers |= {"Authorization": f"Bearer {forge.token}", "Accept": "application/vnd.github+json"}
    return f"{api}/repos/{project.path}/statuses/{commit}", headers, body


def _refused(forge: Forge, code: int) -> BnetError:
    if code in (429, 500, 502, 503, 504):
        return RepositoryUnreachable(f"{forge.base} answers {code}")
    if code in (401, 403):
        return BnetError(f"{forge.base} refuses the token of this server ({code})")
    if code == 404:
        return BnetError(f"{forge.base} knows no such commit or repository, or hides it from the token (404)")
    return BnetError(f"{forge.base} refuses the status of a commit ({code})")
