"""Refs of repositories become commits, and snapshots go when nobody needs them; with real Git."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bnet.errors import BnetError, HubUnreachable, Invalid, RepositoryUnreachable
from bnet.gitstore import repo, sources
from bnet.gitstore.sources import SNAPSHOTS, delete, outdated, resolve

A, B = "a" * 40, "b" * 40


def git(where: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(where: Path, message: str) -> str:
    git(where, "commit", "-q", "--allow-empty", "-m", message)
    return git(where, "rev-parse", "HEAD")


@pytest.fixture
def env() -> dict[str, str]:
    return repo.environment(os.environ)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "origin")
    return tmp_path / "origin"


def speaking(tmp_path: Path, script: str) -> dict[str, str]:
    """Return an environment in which ssh is a script."""
    path = tmp_path / "ssh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return repo.environment({**os.environ, "GIT_SSH_COMMAND": str(path)})


# -- refs


def test_a_name_becomes_its_commit(origin: Path, env: dict[str, str]) -> None:
    first = commit(origin, "first")
    git(origin, "tag", "light")
    git(origin, "tag", "-a", "-m", "annotated", "v1.0")
    git(origin, "update-ref", "refs/pull/7/head", first)
    git(origin, "branch", "feature/x")
    second = commit(origin, "second")
    expected = {
        "HEAD": second,
        "main": second,
        "refs/heads/main": second,
        "heads/main": second,
        "feature/x": first,
        "light": first,
        "v1.0": first,
        "refs/tags/v1.0": first,
        "tags/v1.0": first,
        "refs/pull/7/head": first,
        "pull/7/head": first,
    }
    assert {ref: resolve(str(origin), ref, env) for ref in expected} == expected
    assert resolve(f"file://{origin}", "main", env) == second


@pytest.mark.parametrize("oid", [A, "A" * 40, "0123456789abcdef" * 4])
def test_a_full_commit_id_is_itself_and_nobody_is_asked(oid: str, env: dict[str, str]) -> None:
    assert resolve("/there/is/no/such/repository", oid, env) == oid.lower()


def test_an_abbreviated_id_is_refused_with_what_would_be_right(origin: Path, env: dict[str, str]) -> None:
    short = commit(origin, "x")[:9]
    with pytest.raises(Invalid, match=rf"no branch or tag '{short}'; if it is a commit id, all 40 digits"):
        resolve(str(origin), short, env)


def test_a_tag_that_looks_like_an_abbreviation_is_a_tag(origin: Path, env: dict[str, str]) -> None:
    oid = commit(origin, "x")
    git(origin, "tag", "20261224")
    assert resolve(str(origin), "20261224", env) == oid


def test_a_name_that_ends_like_another_is_not_that_one(origin: Path, env: dict[str, str]) -> None:
    commit(origin, "x")
    git(origin, "update-ref", "refs/remotes/refs/heads/gone", "HEAD")
    git(origin, "branch", "release/gone-1")
    git(origin, "update-ref", "refs/remotes/origin/HEAD", "HEAD")
    git(origin, "symbolic-ref", "HEAD", "refs/heads/unborn")
    for ref in ("gone", "HEAD", "release"):
        with pytest.raises(Invalid):
            resolve(str(origin), ref, env)


def test_a_branch_and_a_tag_of_one_name_are_not_guessed_at(origin: Path, env: dict[str, str]) -> None:
    commit(origin, "first")
    git(origin, "tag", "both")
    git(origin, "branch", "both")
    first = git(origin, "rev-parse", "main")
    assert resolve(str(origin), "both", env) == first
    git(origin, "update-ref", "refs/heads/both", commit(origin, "second"))
    with pytest.raises(Invalid, match="more than one ref") as caught:
        resolve(str(origin), "both", env)
    assert caught.value.hint == "write one of: refs/heads/both, refs/tags/both"


def test_a_ref_that_is_not_there_brings_the_nearest_names(origin: Path, env: dict[str, str]) -> None:
    commit(origin, "x")
    for name in ("develop", "docs"):
        git(origin, "branch", name)
    git(origin, "tag", "-a", "-m", "x", "v1.2")
    for ref, near in (("devlop", "develop"), ("refs/heads/mian", "main"), ("v1.3", "v1.2")):
        with pytest.raises(Invalid, match=f"has no ref '{ref}'") as caught:
            resolve(str(origin), ref, env)
        assert caught.value.hint == f"it has 4, for instance: {near}"


def test_an_empty_repository_says_so(origin: Path, env: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="is empty"):
        resolve(str(origin), "HEAD", env)


@pytest.mark.parametrize(
    "ref",
    ["", "-d", "--upload-pack=x", "main~1", "HEAD^", "a b", "a..b", "a:b", "*", "refs/heads/*", "x@{1}",
     "a\nb", "a\0b", "/a", "a/", "a.", ".a", "a/.b", "a//b", "a.lock", "@", "[a]", "a\\b"],
)  # fmt: skip
def test_what_can_be_no_ref_never_reaches_git(ref: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repo, "run", lambda *_, **__: pytest.fail("Git was called"))
    with pytest.raises(Invalid, match="no name of a ref"):
        resolve("/x", ref, {})


# -- addresses

HOSTILE = [
    "", " ", ".", "x", "./x", "../x", "~/x", "origin", "-", "--upload-pack=touch /tmp/x",
    "-oProxyCommand=x", "-u:x",
    "ext::sh -c 'touch x'", "EXT::sh", "fd::3", "foo::bar", "foo://bar/x", "ftp://host/x", "git+ssh://host/x",
    "http::https://host/x", "file://relative/x", "ssh://-oProxyCommand=x/y", "ssh://-l@host/x",
    "ssh://user@-oProxyCommand=x/y", "ssh:///x", "http://", "https:///x", "-oX@host:path", "user@-oX:path",
    "git@host:-oX", "git@host::x", "git@host:", "host:", "/x\ny", "https://host/x\0", "https://host/\x1b[31m",
    "https://ho st/x", "https://[::1/x",
]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE)
def test_what_is_no_address_never_reaches_git(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repo, "run", lambda *_, **__: pytest.fail("Git was called"))
    for oid_too in ("main", A):
        with pytest.raises(Invalid, match="is no address of a repository"):
            resolve(address, oid_too, {})
    with pytest.raises(Invalid):
        delete(address, {SNAPSHOTS + A: A}, {})


@pytest.mark.parametrize(
    "address",
    ["/x", "/srv/git/a b.git", "file:///x", "https://host/x.git", "http://127.0.0.1:8080/x", "HTTPS://host/x",
     "https://user:pa%20ss@host/x", "https://host/a@b", "ssh://git@host:22/x", "ssh://host/~/x", "git://host/x",
     "ssh://git@[::1]:22/x", "git@github.com:owner/name.git", "git@host:/abs", "build-host:repos/x",
     "me_2@my_host:x y"],
)  # fmt: skip
def test_the_usual_addresses_pass(address: str) -> None:
    sources.check_address(address)


def test_a_remote_of_the_repository_around_us_is_no_address(
    origin: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    oid = commit(origin, "x")
    git(origin, "config", f"url.{origin}.insteadOf", "https://host/")
    git(origin, "config", "remote./away.url", str(origin))
    monkeypatch.chdir(origin)
    assert resolve(str(origin), "main", env) == oid
    for address in ("https://host/", "/away"):
        with pytest.raises(BnetError):
            resolve(address, "main", env)


def test_git_is_kept_to_the_same_transports(tmp_path: Path, origin: Path) -> None:
    """A person's `insteadOf` cannot turn an address into a program either."""
    bare = {name: value for name, value in os.environ.items() if name != "GIT_ALLOW_PROTOCOL"}
    config = Path(os.environ["GIT_CONFIG_GLOBAL"])
    rule = f'[protocol "ext"]\n\tallow = always\n[url "ext::touch {tmp_path}/ran %S "]\n\tinsteadOf = https://e/\n'
    config.write_text(config.read_text() + rule)
    with pytest.raises(BnetError, match="may not use such addresses"):
        resolve("https://e/x", "main", repo.environment(bare))
    assert not (tmp_path / "ran").exists()


# -- failures, in words


def test_a_missing_repository(tmp_path: Path, env: dict[str, str]) -> None:
    with pytest.raises(BnetError, match=r"/none: there is no repository$") as caught:
        resolve(f"{tmp_path}/none", "main", env)
    assert not isinstance(caught.value, RepositoryUnreachable)
    assert "does not appear to be a git repository" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("said", "meant", "passes"),
    [
        ("git@h: Permission denied (publickey).", "no permission", False),
        ("Host key verification failed.", "does not know the ssh key", False),
        ("ERROR: Repository not found.", "there is no repository", False),
        ("fatal: detected dubious ownership in repository at '/x'", "belongs to another user", False),
        ("ssh: Could not resolve hostname h: Name or service not known", "cannot be reached", True),
        ("ssh: connect to host h port 22: Connection refused", "cannot be reached", True),
        ("ssh: connect to host h port 22: Connection timed out", "cannot be reached", True),
        ("ssh: connect to host h port 22: No route to host", "cannot be reached", True),
        ("something new", "something new", False),
    ],
)
def test_what_ssh_says(tmp_path: Path, said: str, meant: str, passes: bool) -> None:
    with pytest.raises(BnetError, match=meant) as caught:
        resolve("git@h:x", "main", speaking(tmp_path, f'echo "{said}" >&2; exit 255'))
    assert isinstance(caught.value, RepositoryUnreachable) == passes
    assert caught.value.exit_code == (4 if passes else 2)


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers `/404/...` with 404, and so on."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "meant", "passes"),
    [
        (404, "there is no repository", False),
        (401, "no permission", False),
        (403, "no permission", False),
        (503, "not serve it at the moment", True),
        (429, "not serve it at the moment", True),
    ],
)
def test_what_http_says(status: int, meant: str, passes: bool, refusing: str, env: dict[str, str]) -> None:
    with pytest.raises(BnetError, match=meant) as caught:
        resolve(f"http://me:secret@{refusing}/{status}/x", "main", env)
    assert isinstance(caught.value, RepositoryUnreachable) == passes
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_port_where_nobody_listens(env: dict[str, str]) -> None:
    with pytest.raises(RepositoryUnreachable, match="cannot be reached"):
        resolve("http://127.0.0.1:1/x", "main", env)


def test_a_host_that_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "RESOLVE_TIMEOUT", 0.3)
    began = time.monotonic()
    with pytest.raises(RepositoryUnreachable, match=r"git@h:x did not answer"):
        resolve("git@h:x", "main", speaking(tmp_path, "exec sleep 60"))
    assert time.monotonic() - began < 4


# -- snapshots that nobody needs


def test_a_snapshot_goes_when_it_is_old_and_no_job_names_it() -> None:
    oids = {name: f"{number:040x}" for number, name in enumerate(["old", "young", "named", "unseen", "just"])}
    refs = {SNAPSHOTS + oid: oid for oid in oids.values()}
    seen = {"old": 0.0, "young": 901.0, "named": 0.0, "just": 900.0}
    found = outdated(
        refs,
        named={oids["named"]},
        first_seen={SNAPSHOTS + oids[name]: at for name, at in seen.items()},
        now=1000.0,
        keep=100.0,
    )
    assert found == {SNAPSHOTS + oids[name]: oids[name] for name in ("old", "just")}


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "refs/bnet/servers/b1",
        SNAPSHOTS,
        SNAPSHOTS + "x",
        SNAPSHOTS + A[:39],
        SNAPSHOTS + A + "/x",
        "refs/heads/" + SNAPSHOTS + A,
    ],
)
def test_what_is_no_snapshot_is_never_deleted(ref: str) -> None:
    assert outdated({ref: A}, named=set(), first_seen={ref: 0.0}, now=9e9, keep=0.0) == {}
    with pytest.raises(ValueError, match="is no snapshot"):
        delete("/x", {ref: A}, {})


def test_a_clock_that_began_anew_deletes_nothing() -> None:
    ref = SNAPSHOTS + A
    assert outdated({ref: A}, named=set(), first_seen={ref: 5000.0}, now=10.0, keep=1.0) == {}


def test_deletion_spares_what_moved_since(
    origin: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "AT_ONCE", 2)
    old = commit(origin, "old")
    new = commit(origin, "new")
    names = [SNAPSHOTS + f"{number:040x}" for number in range(6)]
    for name in names:
        git(origin, "update-ref", name, old)
    git(origin, "update-ref", names[1], new)
    gone = [*names[:4], SNAPSHOTS + A]
    assert delete(str(origin), dict.fromkeys(gone, old), env) == [names[0], *names[2:4], SNAPSHOTS + A]
    left = git(origin, "for-each-ref", "--format=%(refname)").splitlines()
    assert left == [names[1], names[4], names[5], "refs/heads/main"]


def test_deletion_on_a_hub_of_sha256(tmp_path: Path, env: dict[str, str]) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "hub")
    oid = commit(tmp_path / "hub", "x")
    ref = SNAPSHOTS + oid
    git(tmp_path / "hub", "update-ref", ref, oid)
    assert delete(str(tmp_path / "hub"), {ref: oid}, env) == [ref]


def test_nothing_to_delete_asks_nobody(env: dict[str, str]) -> None:
    assert delete("/there/is/no/such/hub", {}, env) == []


def test_a_hub_that_is_away_is_told_from_one_that_is_clean(env: dict[str, str]) -> None:
    with pytest.raises(HubUnreachable, match="the hub cannot be reached"):
        delete("/there/is/no/such/hub", {SNAPSHOTS + A: A}, env)
