"""Tokens are good for one host, and sent to no other; statuses as three forges want them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import pytest

from bnet.errors import BnetError, RepositoryUnreachable
from bnet.forges.newfile import new_file
from bnet.forges.statuses import ForgeStatuses
from bnet.forges.tokens import Forge as Known
from bnet.forges.tokens import Project, forges_in, project_of
from bnet.ports.outside import CommitStatus

sys.path.insert(0, str(Path(__file__).parents[1] / "scenario"))

from forge import TOKEN, Forge

COMMIT = "ab" * 20
State = Literal["pending", "running", "success", "failure", "error", "cancelled"]
STATES = get_args(State)

PROJECTS = [
    ("https://github.com/ann/widgets.git", Project("github.com", "ann/widgets")),
    ("https://GitHub.com/ann/widgets/", Project("github.com", "ann/widgets")),
    ("git@github.com:ann/widgets.git", Project("github.com", "ann/widgets")),
    ("ssh://git@git.example.org:2222/team/sub/widgets", Project("git.example.org", "team/sub/widgets")),
    ("http://git.example.org:3000/team/widgets", Project("git.example.org:3000", "team/widgets")),
    ("/srv/git/widgets.git", None),
    ("file:///srv/git/widgets.git", None),
    ("https://github.com/ann/../user", None),
    ("https://github.com/ann/widgets?x=1", Project("github.com", "ann/widgets")),
    ("https://github.com/widgets", None),
    ("https://github.com/ann/wid gets", None),
    ("https://[::1/ann/widgets", None),
]


@pytest.mark.parametrize(("address", "project"), PROJECTS)
def test_what_an_address_names_on_a_forge(address: str, project: Project | None) -> None:
    assert project_of(address) == project


SECRETS = [
    ("https://github:t@github.com", Known("github", "https://github.com", "github.com", "t")),
    ("https://x:t@gitlab.com/", Known("gitlab", "https://gitlab.com", "gitlab.com", "t")),
    ("http://gitea:a%2Fb@h:3000", Known("gitea", "http://h:3000", "h:3000", "a/b")),
    ("https://t@github.com", None),
    ("https://forge:t@git.example.org", None),
    ("ftp://github:t@github.com", None),
    ("https://github:t@github.com:x", None),
    ("https://github:a%0Ab@github.com", None),
    ("t", None),
]


@pytest.mark.parametrize(("value", "forge"), SECRETS)
def test_what_a_line_of_the_secrets_means(value: str, forge: Known | None) -> None:
    assert forges_in({"BNET_FORGE_1": value, "OTHER": value}) == ([] if forge is None else [forge])


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    made = Forge(tmp_path)
    yield made
    made.close()


def told(state: State) -> CommitStatus:
    return CommitStatus(state=state, context="bnet/widgets", description="x" * 300, ref="main")


@pytest.mark.parametrize("kind", ["github", "gitlab", "gitea"])
def test_each_forge_takes_each_state_in_its_words(forge: Forge, kind: str) -> None:
    statuses = ForgeStatuses({"BNET_FORGE": f"http://{kind}:{TOKEN}@{forge.host}"})
    address = f"http://{forge.host}/team/widgets.git"
    assert statuses.knows(address) and not statuses.knows("https://example.org/team/widgets")
    for state in STATES:
        statuses.tell(address, COMMIT, told(state))
    path = "team%2Fwidgets" if kind == "gitlab" else "team/widgets"
    assert {each[:3] for each in forge.told} == {(kind, path, COMMIT)}
    assert len(forge.told) == len(STATES)
    assert {len(each[3]["description"]) for each in forge.told} == {140}


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (401, BnetError, "refuses the token"),
        (403, BnetError, "refuses the token"),
        (404, BnetError, "hides it from the token"),
        (422, BnetError, "refuses the status"),
        (302, BnetError, "refuses the status"),
        (503, RepositoryUnreachable, "answers 503"),
    ],
)
def test_what_a_forge_refuses_is_said_without_the_token(
    forge: Forge, code: int, error: type[BnetError], said: str
) -> None:
    forge.refuses = code
    statuses = ForgeStatuses({"BNET_FORGE": f"http://github:{TOKEN}@{forge.host}"})
    with pytest.raises(error, match=said) as caught:
        statuses.tell(f"http://{forge.host}/team/widgets", COMMIT, told("success"))
    assert TOKEN not in f"{caught.value}{caught.value.hint}"
    assert type(caught.value) is error


def test_a_forge_that_is_away_may_be_told_again(forge: Forge) -> None:
    forge.close()
    statuses = ForgeStatuses({"BNET_FORGE": f"http://github:{TOKEN}@{forge.host}"})
    with pytest.raises(RepositoryUnreachable, match="does not answer"):
        statuses.tell(f"http://{forge.host}/team/widgets", COMMIT, told("success"))


NEW = "coordination/inbox/cancel-1.yaml"
ASKED = "filename=coordination%2Finbox%2Fcancel-1.yaml&value=-+cancel%3A+%7B%22job%22%3A+1%7D%0A"
PAGES = [
    ("https://github.com/ann/widgets.git", f"https://github.com/ann/widgets/new/my/branch?{ASKED}"),
    ("git@github.com:ann/widgets.git", f"https://github.com/ann/widgets/new/my/branch?{ASKED}"),
    ("https://x:ghp_secret@github.com/ann/w", f"https://github.com/ann/w/new/my/branch?{ASKED}"),
    ("ssh://git@codeberg.org/ann/w", f"https://codeberg.org/ann/w/_new/my/branch/?{ASKED}"),
    ("http://forgejo.lan:3000/ann/w", f"http://forgejo.lan:3000/ann/w/_new/my/branch/?{ASKED}"),
    (
        "https://gitlab.com/team/sub/w",
        "https://gitlab.com/team/sub/w/-/new/my/branch?"
        + ASKED.replace("filename", "file_name").replace("value", "content"),
    ),
    ("https://git.example.org/ann/w", f"https://git.example.org/ann/w/_new/my/branch/?{ASKED}"),
    ("ssh://git@git.example.com:2222/ann/w", f"https://git.example.com:3000/ann/w/_new/my/branch/?{ASKED}"),
    ("git@git.example.com:ann/w.git", f"https://git.example.com:3000/ann/w/_new/my/branch/?{ASKED}"),
    ("https://git.example.com/ann/w", ""),
    ("ssh://git@ssh.github.com:443/ann/w.git", f"https://github.com/ann/w/new/my/branch?{ASKED}"),
    ("http://gitea:3000/ann/w", f"http://gitea:3000/ann/w/_new/my/branch/?{ASKED}"),
    ("https://javascript:alert(1)//@evil/ann/w", ""),
    ("https://unknown.example/ann/w", ""),
    ("/srv/git/w.git", ""),
]


@pytest.mark.parametrize(("address", "page"), PAGES, ids=[address for address, _ in PAGES])
def test_where_a_forge_makes_a_file_that_is_filled_in(address: str, page: str) -> None:
    own = {
        "BNET_FORGE": "https://gitea:token@git.example.org",
        "BNET_FORGE_2": "https://gitea:token@git.example.com:3000",
    }
    text = '- cancel: {"job": 1}\n'
    assert new_file(address, "my/branch", own)(NEW, text) == page


def test_a_text_too_long_for_an_address_is_not_put_into_one() -> None:
    assert new_file("https://github.com/ann/w", "bnet", {})(NEW, "x" * 6000) == ""
