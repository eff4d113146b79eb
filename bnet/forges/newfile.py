"""Where a forge lets people make a file in the browser, with its name and text filled in: no token, just a commit."""

from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode, urlsplit

from bnet.forges.tokens import KNOWN, Kind, forges_in, project_of

LONGEST = 6000  # characters of an address; GitHub answers 414 above 8,000
# How a host of one's own is likely to be called.
NAMED: Mapping[str, Kind] = {"github": "github", "gitlab": "gitlab", "gitea": "gitea", "forgejo": "gitea"}
# Hosts at which forges take ssh through firewalls.
OVER_443: Mapping[str, str] = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}

NewFile = Callable[[str, str], str]


def new_file(address: str, branch: str, secrets: Mapping[str, str]) -> NewFile:
    """Return what makes of a path and a text the address of the page that adds that file to a branch.

    It returns "" where the repository is on no forge that is known, or the text is too long for an address.

    Args:
        address: the repository's.
        branch: its name.
        secrets: of this server, which may name forges of one's own.
    """
    project = project_of(address)
    found = None if project is None else _forge(project.host, address, secrets)
    if project is None or found is None:
        return lambda path, text: ""
    kind, base = found
    at = f"{base}/{project.path}"

    def page(path: str, text: str) -> str:
        made = f"{at}/{_page(kind, quote(branch, safe='/'), path, text)}"
        return made if len(made) <= LONGEST else ""

    return page


def _page(kind: Kind, branch: str, path: str, text: str) -> str:
    if kind == "gitlab":  # app/views/projects/blob/_editor.html.haml
        return f"-/new/{branch}?{urlencode({'file_name': path, 'content': text})}"
    asked = urlencode({"filename": path, "value": text})
    # Gitea takes GitHub's parameters since 1.16: go-gitea/gitea#16556.
    return f"_new/{branch}/?{asked}" if kind == "gitea" else f"new/{branch}?{asked}"


def _forge(host: str, address: str, secrets: Mapping[str, str]) -> tuple[Kind, str] | None:
    scheme = urlsplit(address).scheme if "://" in address else "ssh"
    host = OVER_443.get(host, host)
    bare = host.partition(":")[0]
    for forge in forges_in(secrets):
        # An address for ssh says nothing of the port at which the forge has its pages.
        if forge.host == host or (scheme in ("ssh", "git") and forge.host.partition(":")[0] == host):
            return forge.kind, forge.base
    kind = KNOWN.get(bare) or NAMED.get(bare.partition(".")[0])
    return None if kind is None else (kind, f"{'http' if scheme == 'http' else 'https'}://{host}")
