"""A snapshot holds what is on disk, and taking it changes nothing of the person's; with real Git."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnet.errors import BnetError, HubUnreachable, Invalid
from bnet.gitstore import repo
from bnet.gitstore.personal import Person, find_repository
from bnet.gitstore.snapshot import Snapshot
from bnet.gitstore.sources import SNAPSHOTS
from bnet.gitstore.worktree import snapshot
from bnet.process import Completed, run

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
NOT_AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def git(where: Path, *arguments: str | Path, check: bool = True) -> str:
    done = subprocess.run(["git", *arguments], cwd=where, check=False, capture_output=True, text=True)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.rstrip("\n")


def put(root: Path, **files: str) -> None:
    """Write files; `__` in a name stands for `/`, and `_` at its beginning for a dot."""
    for name, text in files.items():
        name = f".{name[1:]}" if name.startswith("_") else name
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def everything(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all there is under a directory, .git included: path -> mode, time of change, content.

    Git renews the time of an object that it would have written, and of a shared index that it reads, with
    every command, so these have none here.
    """
    found = {}
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        data = b""
        if path.is_symlink():
            data = os.fsencode(os.readlink(path))
        elif path.is_file():
            data = path.read_bytes()
        renewed = "/objects/" in str(path) or path.name.startswith("sharedindex.")
        time = 0 if renewed else info.st_mtime_ns
        found[str(path.relative_to(root))] = (info.st_mode, time, data)
    return found


def tree(repository: Path | repo.Repo, commit: str) -> dict[str, tuple[str, str]]:
    """Return what a commit holds: path -> mode, content (of a gitlink: the commit's id)."""
    where = repository.git_dir if isinstance(repository, repo.Repo) else repository
    found = {}
    for line in git(where, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0"):
        if line:
            meta, _, path = line.partition("\t")
            mode, kind, oid = meta.split()
            found[path] = (mode, oid if kind == "commit" else git(where, "cat-file", "blob", oid))
    return found


def content(taken: Snapshot) -> dict[str, str]:
    return {path: text for path, (_, text) in tree(taken.store, taken.oid).items()}


@pytest.fixture
def env() -> dict[str, str]:
    return repo.environment(os.environ)


@pytest.fixture
def person(tmp_path: Path) -> Path:
    root = tmp_path / "person"
    git(tmp_path, "init", "-q", root)
    put(
        root,
        same="same",
        changed="old",
        deleted="old",
        sub__same="same",
        sub__deeper__x="x",
        _gitignore="*.o\nout/\n",
    )
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", tmp_path / "hub")
    return tmp_path / "hub"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test a directory for temporary files, in which nothing may be left behind."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []


class Calls(list[str]):
    """The Git commands that went through the gateway."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.before_push: Callable[[], Completed | None] = lambda: None
        monkeypatch.setattr(repo, "run", self._run)

    def _run(self, argv: list[str], **options: object) -> Completed:
        name = next(word for word in argv[2:] if word in {"ls-remote", "push"} or word == argv[-1])
        self.append(name)
        instead = self.before_push() if name == "push" else None
        return instead or run(argv, **options)

    def remote(self) -> list[str]:
        return [name for name in self if name in {"ls-remote", "push"}]


# -- what is in it


def test_a_snapshot_holds_what_is_on_disk(person: Path, env: dict[str, str]) -> None:
    put(person, changed="new", untracked="u", sub__untracked="su", a__b__c="deep")
    put(person, staged="staged", half="staged", ignored__o="", out__x="x", **{"x.o": "ignored"})
    git(person, "add", "staged", "half")
    put(person, half="and changed")
    (person / "deleted").unlink()
    (person / "run.sh").write_text("#!/bin/sh")
    (person / "run.sh").chmod(0o755)
    (person / "same").chmod(0o755)
    (person / "link").symlink_to("sub/same")
    (person / "dangling").symlink_to("/nowhere")
    (person / "empty").mkdir()
    with snapshot(person, env) as taken:
        held = tree(taken.store, taken.oid)
    assert held == {
        ".gitignore": ("100644", "*.o\nout/"),
        "a/b/c": ("100644", "deep"),
        "changed": ("100644", "new"),
        "dangling": ("120000", "/nowhere"),
        "half": ("100644", "and changed"),
        "ignored/o": ("100644", ""),
        "link": ("120000", "sub/same"),
        "run.sh": ("100755", "#!/bin/sh"),
        "same": ("100755", "same"),
        "staged": ("100644", "staged"),
        "sub/deeper/x": ("100644", "x"),
        "sub/same": ("100644", "same"),
        "sub/untracked": ("100644", "su"),
        "untracked": ("100644", "u"),
    }
    assert (taken.files, taken.new_files, taken.submodules, taken.warnings) == (14, 11, (), ())
    assert taken.new_bytes == sum(
        map(len, ["new", "u", "su", "deep", "staged", "and changed", "#!/bin/sh"])
    ) + sum(map(len, ["same", "sub/same", "/nowhere"]))


def test_what_is_tracked_counts_though_it_is_ignored(person: Path, env: dict[str, str]) -> None:
    put(person, **{"kept.o": "old"})
    git(person, "add", "-f", "kept.o")
    git(person, "commit", "-q", "-m", "kept")
    put(person, **{"kept.o": "new"})
    with snapshot(person, env) as taken:
        assert content(taken)["kept.o"] == "new"


def test_a_file_and_a_directory_may_change_places(person: Path, env: dict[str, str]) -> None:
    (person / "same").unlink()
    put(person, same__inside="1")
    shutil.rmtree(person / "sub")
    (person / "sub").symlink_to(".")
    with snapshot(person, env) as taken:
        held = content(taken)
    assert (held["same/inside"], held["sub"]) == ("1", ".")
    assert not [path for path in held if path == "same" or path.startswith("sub/")]


def test_names_may_be_anything(tmp_path: Path, env: dict[str, str]) -> None:
    root = tmp_path / '-a "$HOME" #b\\'
    git(tmp_path, "init", "-q", "--", root)
    names = [b"-x", b"--all", b"a\nb", b'"q"', b"\xff\xfe", b" ", b":(top)x", b"*", b"a\tb", "ä".encode()]
    for name in names:
        (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).write_bytes(name)
    with snapshot(root, env) as taken:
        listed = taken.store.out("ls-tree", "-z", "--name-only", taken.oid)
    assert sorted(listed.split(b"\0")[:-1]) == sorted(names)
    assert taken.new_bytes == sum(map(len, names))


def test_a_file_as_young_as_the_index_is_read_again(person: Path, env: dict[str, str]) -> None:
    """What Git calls racy: same size, same time, and only the time of the index tells that it may differ."""
    git(person, "config", "core.trustctime", "false")
    at = 1_700_000_000 * 10**9
    os.utime(person / "changed", ns=(at, at))
    git(person, "add", "changed")
    put(person, changed="new")
    os.utime(person / "changed", ns=(at, at))
    os.utime(person / ".git" / "index", ns=(at, at))
    with snapshot(person, env) as taken:
        assert content(taken)["changed"] == "new"


def test_the_directory_that_one_stands_in_is_told(person: Path, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(person / "sub")
    places = {
        person: "",
        person / "sub": "sub",
        person / "sub" / "deeper": "sub/deeper",
        tmp_path / "elsewhere": "sub",
    }
    oids = set()
    for place, told in places.items():
        with snapshot(place, env) as taken:
            assert taken.subdirectory == told
            oids.add(taken.oid)
    assert len(oids) == 1


def test_a_directory_outside_of_any_repository(tmp_path: Path, env: dict[str, str]) -> None:
    root = tmp_path / "plain"
    put(root, a="a", sub__b="b", out__x="x", sub__c="c", _gitignore="out\n", sub___gitignore="")
    put(root / "sub", _gitignore="c\n")
    before = everything(root)
    with snapshot(root, env) as taken:
        assert content(taken) == {
            ".gitignore": "out",
            "a": "a",
            "sub/.gitignore": "c",
            "sub/_gitignore": "",
            "sub/b": "b",
        }
    with snapshot(root / "sub", env) as inner:
        assert content(inner) == {".gitignore": "c", "_gitignore": "", "b": "b"}
    assert (taken.subdirectory, inner.subdirectory, taken.new_files) == ("", "", 5)
    assert everything(root) == before


def test_an_empty_directory(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "plain").mkdir()
    with snapshot(tmp_path / "plain", env) as taken:
        assert (content(taken), taken.files, taken.new_bytes) == ({}, 0, 0)


def test_submodules_are_recorded_and_named(person: Path, tmp_path: Path, env: dict[str, str]) -> None:
    git(tmp_path, "init", "-q", "library")
    put(tmp_path / "library", x="1")
    git(tmp_path / "library", "add", "-A")
    git(tmp_path / "library", "commit", "-q", "-m", "x")
    git(
        person,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        tmp_path / "library",
        "vendor/lib",
    )
    git(person, "config", "submodule.vendor/lib.ignore", "all")
    git(person, "commit", "-q", "-m", "with a submodule")
    inside = person / "vendor" / "lib"
    git(inside, "commit", "-q", "--allow-empty", "-m", "moved")
    put(inside, x="dirty", untracked="u")
    git(tmp_path, "clone", "-q", tmp_path / "library", person / "nested")
    before = everything(person)
    with snapshot(person, env) as taken:
        held = tree(taken.store, taken.oid)
    assert held["vendor/lib"] == ("160000", git(inside, "rev-parse", "HEAD"))
    assert held["nested"] == ("160000", git(person / "nested", "rev-parse", "HEAD"))
    assert taken.submodules == ("nested", "vendor/lib")
    assert taken.files == len(held) - 2
    assert everything(person) == before
    with snapshot(inside, env) as taken:
        assert content(taken) == {"x": "dirty", "untracked": "u"}


def test_settings_of_taste_do_not_stand_in_the_way(person: Path, env: dict[str, str]) -> None:
    settings = {
        "core.autocrlf": "input",
        "core.safecrlf": "true",
        "status.showUntrackedFiles": "no",
        "add.ignoreErrors": "true",
        "status.relativePaths": "true",
        "commit.gpgSign": "true",
        "i18n.commitEncoding": "latin1",
        "core.quotePath": "true",
        "status.branch": "true",
    }
    for name, value in settings.items():
        git(person, "config", name, value)
    (person / "new").write_bytes(b"1\r\n2\r\n")
    with snapshot(person, env) as taken:
        assert taken.store.out("cat-file", "blob", f"{taken.oid}:new") == b"1\n2\n"


def test_a_sparse_checkout_is_whole(person: Path, env: dict[str, str]) -> None:
    git(person, "sparse-checkout", "set", "--cone", "--sparse-index", "nothing")
    put(person, sub__untracked="outside of the cone")
    assert not (person / "sub" / "same").exists()
    with snapshot(person, env) as taken:
        held = content(taken)
    assert (held["sub/same"], held["sub/deeper/x"], held["sub/untracked"]) == (
        "same",
        "x",
        "outside of the cone",
    )


# -- what it leaves alone


def unborn(root: Path) -> Path:
    git(root.parent, "init", "-q", root.parent / "young")
    put(root.parent / "young", a="a", b="b")
    git(root.parent / "young", "add", "a")
    return root.parent / "young"


def linked_worktree(root: Path) -> Path:
    git(root, "worktree", "add", "-q", "-b", "other", root.parent / "linked")
    put(root.parent / "linked", changed="in the linked one", untracked="u")
    return root.parent / "linked"


def in_conflict(root: Path, how: str) -> Path:
    git(root, "checkout", "-q", "-b", "other")
    put(root, changed="theirs")
    git(root, "commit", "-q", "-a", "-m", "theirs")
    git(root, "checkout", "-q", "main")
    put(root, changed="ours")
    git(root, "commit", "-q", "-a", "-m", "ours")
    git(root, how, "other", check=False)
    assert git(root, "ls-files", "--unmerged")
    return root


def with_stash(root: Path) -> Path:
    put(root, changed="stashed")
    git(root, "stash", "-q")
    put(root, changed="now", untracked="u")
    return root


def with_split_index(root: Path) -> Path:
    git(root, "config", "core.splitIndex", "true")
    git(root, "config", "splitIndex.maxPercentChange", "0")
    git(root, "update-index", "--split-index")
    put(root, changed="now", untracked="u")
    git(root, "add", "changed")
    return root


def with_caches(root: Path) -> Path:
    git(root, "config", "core.untrackedCache", "true")
    git(root, "update-index", "--untracked-cache")
    put(root, changed="now", untracked="u")
    git(root, "status")
    return root


def with_hooks(root: Path) -> Path:
    """Every hook, and a file system monitor, of which each run leaves a file behind."""
    for name in (
        "pre-commit",
        "post-index-change",
        "pre-push",
        "reference-transaction",
        "fsmonitor-watchman",
    ):
        hook = root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{root}/ran-{name}'\n")
        hook.chmod(0o755)
    git(root, "config", "core.fsmonitor", str(root / ".git" / "hooks" / "fsmonitor-watchman"))
    put(root, changed="now")
    return root


def detached_and_shallow(root: Path) -> Path:
    git(root, "commit", "-q", "--allow-empty", "-m", "second")
    git(root.parent, "clone", "-q", "--depth=1", f"file://{root}", root.parent / "shallow")
    git(root.parent / "shallow", "checkout", "-q", "--detach")
    put(root.parent / "shallow", changed="now")
    return root.parent / "shallow"


def borrowing(root: Path) -> Path:
    git(root.parent, "clone", "-q", "--shared", root, root.parent / "borrowing")
    put(root.parent / "borrowing", changed="now")
    return root.parent / "borrowing"


def touched(root: Path) -> Path:
    """Every file looks changed to Git, none is: their content is in the object store already."""
    for path in (root / "same", root / "sub" / "same"):
        os.utime(path, ns=(10**18, 10**18))
    return root


def with_intent_to_add(root: Path) -> Path:
    put(root, intended="i")
    git(root, "add", "-N", "intended")
    return root


SITUATIONS: dict[str, Callable[[Path], Path]] = {
    "clean": lambda root: root,
    "in a subdirectory": lambda root: with_stash(root) / "sub",
    "stash": with_stash,
    "unborn branch": unborn,
    "linked work tree": linked_worktree,
    "merge": lambda root: in_conflict(root, "merge"),
    "rebase": lambda root: in_conflict(root, "rebase"),
    "cherry-pick": lambda root: in_conflict(root, "cherry-pick"),
    "split index": with_split_index,
    "untracked cache": with_caches,
    "hooks": with_hooks,
    "shallow and detached": detached_and_shallow,
    "alternates": borrowing,
    "touched": touched,
    "intent to add": with_intent_to_add,
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_nothing_of_the_person_changes(
    situation: str, person: Path, hub: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    place = SITUATIONS[situation](person)
    questions = (
        ("status", "--porcelain=v2", "--branch", "--untracked-files=all"),
        ("for-each-ref",),
        ("stash", "list"),
        ("rev-parse", "--symbolic-full-name", "HEAD"),
        ("count-objects", "-v"),
        ("ls-files", "--stage", "--debug"),
    )

    def ask() -> list[str]:
        return [git(place, "--no-optional-locks", *each, check=False) for each in questions]

    told = ask()
    for marker in person.glob("ran-*"):  # a file system monitor runs for `git status` as well
        marker.unlink()
    before = everything(tmp_path)
    with snapshot(place, env) as taken:
        assert taken.push(str(hub))
    assert git(hub, "for-each-ref", "--format=%(refname) %(objectname)") == f"{taken.ref} {taken.oid}"
    git(hub, "fsck", "--strict")
    after = everything(tmp_path)
    theirs = [
        {path: each for path, each in found.items() if not path.startswith(("hub", "scratch"))}
        for found in (before, after)
    ]
    assert theirs[0] == theirs[1]
    assert ask() == told


def test_an_unborn_branch(person: Path, env: dict[str, str]) -> None:
    with snapshot(unborn(person), env) as taken:
        assert content(taken) == {"a": "a", "b": "b"}
        assert (taken.new_files, taken.new_bytes) == (2, 2)


def test_a_linked_work_tree_is_taken_and_not_the_main_one(person: Path, env: dict[str, str]) -> None:
    put(person, changed="in the main one")
    with snapshot(linked_worktree(person) / "sub", env) as taken:
        held = content(taken)
    assert (held["changed"], held["untracked"], taken.subdirectory) == ("in the linked one", "u", "sub")


def test_conflict_markers_are_taken_as_they_are(person: Path, env: dict[str, str]) -> None:
    with snapshot(in_conflict(person, "merge"), env) as taken:
        assert content(taken)["changed"].startswith("<<<<<<< HEAD\nours")


def test_the_environment_of_a_hook_does_not_mislead(
    person: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "another")
    with snapshot(person, repo.environment(os.environ)) as plain:
        pass
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        monkeypatch.setenv(name, str(tmp_path / "another" / ".git"))
    with snapshot(person / "sub", repo.environment(os.environ)) as taken:
        assert (taken.oid, taken.subdirectory) == (plain.oid, "sub")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "none"))
    assert "GIT_" in (refused(person / "sub", repo.environment(os.environ)).hint or "")


def test_a_temporary_directory_inside_of_the_work_tree(
    person: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with snapshot(person, env) as elsewhere:
        pass
    (person / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(person / "tmp"))
    with snapshot(person, env) as taken:
        assert taken.oid == elsewhere.oid


# -- the same tree is the same snapshot


def test_the_same_tree_is_the_same_snapshot_for_everyone_and_sent_once(
    person: Path, hub: Path, tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(person, changed="new")
    calls = Calls(monkeypatch)
    with snapshot(person, env) as first:
        assert first.push(str(hub)) is True
        assert calls.remote() == ["ls-remote", "push"]
        assert first.push(str(hub)) is False
    git(tmp_path, "clone", "-q", person, "clone")
    put(tmp_path / "clone", changed="new")
    git(tmp_path / "clone", "config", "user.name", "Somebody Else")
    git(tmp_path / "clone", "commit", "-q", "-a", "-m", "with a history of its own")
    calls.clear()
    with snapshot(tmp_path / "clone", {**env, "TZ": "Asia/Tokyo", "GIT_AUTHOR_NAME": "x"}) as second:
        assert second.oid == first.oid
        assert second.push(str(hub)) is False
    assert calls.remote() == ["ls-remote"]
    header = git(hub, "cat-file", "commit", first.oid)
    assert "parent" not in header
    assert "Test Person" not in header


def test_another_tree_is_another_snapshot(person: Path, env: dict[str, str]) -> None:
    with snapshot(person, env) as first:
        pass
    (person / "same").chmod(0o755)
    with snapshot(person, env) as second:
        assert second.oid != first.oid


# -- sending


def test_a_server_gets_back_what_was_on_disk(
    person: Path, hub: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    put(person, changed="new", untracked="u")
    with snapshot(person, env) as taken:
        taken.push(str(hub))
    git(tmp_path, "init", "-q", "work")
    git(tmp_path / "work", "fetch", "-q", "--depth=1", hub, f"refs/bnet/sources/{taken.oid}")
    git(tmp_path / "work", "checkout", "-q", "--detach", taken.oid)
    for root in (person, tmp_path / "work"):
        shutil.rmtree(root / ".git")
    assert [(path, mode, data) for path, (mode, _, data) in everything(person).items()] == [
        (path, mode, data) for path, (mode, _, data) in everything(tmp_path / "work").items()
    ]


@pytest.mark.parametrize(
    "clone", [[], ["--depth=1"], ["--filter=blob:none"]], ids=["full", "shallow", "partial"]
)
def test_only_what_the_hub_lacks_is_sent(
    clone: list[str], person: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    for number in range(200):
        put(person, **{f"many__{number}": str(number)})
    git(person, "add", "-A")
    git(person, "commit", "-q", "-m", "many")
    git(person, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", *clone, f"file://{person}", "clone")
    put(tmp_path / "clone", many__7="changed")
    had = int(git(person, "count-objects").split()[0])
    with snapshot(tmp_path / "clone", env) as taken:
        assert taken.push(str(person)) is True
    assert int(git(person, "count-objects").split()[0]) - had == 4  # commit, two trees, one file
    git(person, "fsck", "--strict")
    assert not (person / ".git" / "shallow").exists()
    assert tree(person, taken.oid)["many/7"] == ("100644", "changed")


def test_a_hub_that_refuses_what_is_lean_gets_all(
    person: Path, hub: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    git(person, "push", "-q", hub, "main")
    calls = Calls(monkeypatch)
    answers = [Completed(1, b"", b"shallow update not allowed")]
    calls.before_push = lambda: answers.pop() if answers else None
    with snapshot(person, env) as taken:
        assert taken.push(str(hub)) is True
    assert calls.remote() == ["ls-remote", "push", "ls-remote", "push"]
    git(hub, "fsck", "--strict", "--connectivity-only", taken.oid)


def send(taken: Snapshot, hub: Path) -> None:
    """Bring a snapshot to the hub, as somebody else would."""
    git(taken.store.git_dir, "push", "-q", hub, f"{taken.oid}:{taken.ref}")


def test_an_answer_that_got_lost_is_no_failure(
    person: Path, hub: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(monkeypatch)
    with snapshot(person, env) as taken:

        def land_and_fail() -> Completed:
            send(taken, hub)
            return Completed(128, b"", b"the remote end hung up unexpectedly")

        calls.before_push = land_and_fail
        assert taken.push(str(hub)) is True
    assert calls.remote() == ["ls-remote", "push", "ls-remote"]


def test_another_who_sends_the_same_at_the_same_time_is_no_failure(
    person: Path, hub: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(monkeypatch)
    with snapshot(person, env) as taken:
        calls.before_push = lambda: send(taken, hub)
        assert taken.push(str(hub)) is True
    assert calls.remote() == ["ls-remote", "push"]


def test_a_ref_that_means_something_else_is_not_overwritten(
    person: Path, hub: Path, env: dict[str, str]
) -> None:
    with snapshot(person, env) as taken:
        git(person, "push", "-q", hub, f"HEAD:{taken.ref}")
        there = git(person, "rev-parse", "HEAD")
        with pytest.raises(BnetError, match="does not take the snapshot"):
            taken.push(str(hub))
    assert git(hub, "rev-parse", taken.ref) == there


def test_a_hub_that_is_away(person: Path, tmp_path: Path, env: dict[str, str]) -> None:
    with snapshot(person, env) as taken, pytest.raises(HubUnreachable, match="there is no repository"):
        taken.push(str(tmp_path / "no-hub"))


@pytest.mark.parametrize("url", ["ext::sh -c 'touch ran'", "--receive-pack=touch ran", "-x", "person"])
def test_a_hub_with_a_hostile_name(url: str, person: Path, env: dict[str, str]) -> None:
    with snapshot(person, env) as taken, pytest.raises(Invalid, match="is no address of a repository"):
        taken.push(url)


def test_a_snapshot_that_was_deleted_meanwhile_is_sent_again(
    person: Path, hub: Path, env: dict[str, str]
) -> None:
    with snapshot(person, env) as taken:
        assert taken.push(str(hub)) is True
        git(hub, "update-ref", "-d", SNAPSHOTS + taken.oid)
        assert taken.push(str(hub)) is True
        assert taken.push(str(hub)) is False


def test_a_hub_that_takes_nothing_says_why_and_is_asked_once(
    person: Path, hub: Path, tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "stranger")
    git(tmp_path / "stranger", "commit", "-q", "--allow-empty", "-m", "a branch that we do not have")
    git(tmp_path / "stranger", "push", "-q", hub, "main")
    git(hub, "config", "receive.maxInputSize", "10")
    calls = Calls(monkeypatch)
    with (
        snapshot(person, env) as taken,
        pytest.raises(BnetError, match=r"(?s)does not take the snapshot: .*unpack"),
    ):
        taken.push(str(hub))
    assert calls.remote() == ["ls-remote", "push", "ls-remote"]


def test_sha256(tmp_path: Path, hub: Path, env: dict[str, str]) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "modern")
    git(tmp_path, "init", "-q", "--object-format=sha256", "--bare", "modern-hub")
    put(tmp_path / "modern", a="a")
    with snapshot(tmp_path / "modern", env) as taken:
        assert len(taken.oid) == 64
        assert taken.push(str(tmp_path / "modern-hub")) is True
        with pytest.raises(BnetError, match="does not take the snapshot"):
            taken.push(str(hub))


# -- size


def test_too_much_is_refused_before_it_is_copied(
    person: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(person, sub__big="b" * 3_000_000, staged="s" * 2_000_000, small="1", changed="c" * 1_000_000)
    put(person, out__ignored="i" * 9_000_000)
    git(person, "add", "staged")
    calls = Calls(monkeypatch)
    with pytest.raises(Invalid) as caught, snapshot(person, env, limit=5_999_999):
        pass
    assert caught.value.file == str(person)
    assert caught.value.message == (
        "6.0 MB in 4 files are not in the last commit, and a snapshot takes 6.0 MB at most; the largest: "
        "sub/big (3.0 MB), staged (2.0 MB), changed (1.0 MB), small (0.0 MB)"
    )
    assert ".gitignore" in (caught.value.hint or "")
    assert "add" not in " ".join(calls)
    with snapshot(person, env, limit=6_000_001) as taken:
        assert taken.new_bytes == 6_000_001


def test_what_is_committed_already_is_not_counted(person: Path, env: dict[str, str]) -> None:
    put(person, big="b" * 3_000_000)
    git(person, "add", "-A")
    git(person, "commit", "-q", "-m", "big")
    with snapshot(person, env, limit=10) as taken:
        assert (taken.new_files, taken.new_bytes) == (0, 0)


def test_the_limit_is_a_hundred_megabytes(person: Path, env: dict[str, str]) -> None:
    with (person / "hole").open("wb") as file:
        file.truncate(100_000_001)
    with pytest.raises(Invalid, match=r"the largest: hole \(100\.0 MB\)"), snapshot(person, env):
        pass


# -- what cannot be taken


def refused(directory: Path, env: dict[str, str]) -> Invalid:
    with pytest.raises(Invalid) as caught, snapshot(directory, env):
        pass
    return caught.value


def test_places_that_are_no_work_tree(person: Path, hub: Path, tmp_path: Path, env: dict[str, str]) -> None:
    put(tmp_path / "moved", _git="gitdir: /there/is/no/such\n")
    (tmp_path / "moved" / "sub").mkdir()
    expected = {
        hub: "a bare repository has no work tree",
        person / ".git": "it is a part of Git's own files",
        person / ".git" / "refs": "it is a part of Git's own files",
        person / "same": "it is no directory",
        tmp_path / "none": "No such file or directory",
        tmp_path / "moved" / "sub": "it leads to a repository that is not there",
    }
    assert {place: expected[place] in str(refused(place, env)) for place in expected} == dict.fromkeys(
        expected, True
    )


def test_a_broken_repository(person: Path, env: dict[str, str]) -> None:
    (person / ".git" / "index").write_bytes(b"DIRC and nothing else")
    error = refused(person, env)
    assert error.file == str(person)
    assert "index file" in error.message
    (person / ".git" / "config").write_text("[broken\n")
    assert refused(person, env).file == str(person)


def test_a_nested_repository_without_a_commit_is_named(person: Path, env: dict[str, str]) -> None:
    git(person, "init", "-q", "nested")
    error = refused(person, env)
    assert "nested/" in error.message
    assert ".gitignore" in (error.hint or "")


def test_no_room(person: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(person / "none"))
    assert "TMPDIR" in (refused(person, env).hint or "")


@AS_ROOT
def test_a_strangers_repository_runs_nothing(person: Path, env: dict[str, str]) -> None:
    with_hooks(person)
    put(person, _gitattributes="* filter=evil\n")
    git(person, "config", "filter.evil.clean", f"touch '{person}/ran-filter'; cat")
    os.chown(person, 12345, 12345)
    error = refused(person, env)
    assert "dubious ownership" in error.message
    assert list(person.glob("ran-*")) == []


@NOT_AS_ROOT
def test_a_file_that_may_not_be_read_is_named(person: Path, env: dict[str, str]) -> None:
    put(person, secret="s")
    (person / "secret").chmod(0)
    assert "secret" in refused(person, env).message


@NOT_AS_ROOT
def test_a_directory_that_may_not_be_read_is_warned_of(person: Path, env: dict[str, str]) -> None:
    put(person, secret__x="s")
    (person / "secret").chmod(0)
    with snapshot(person, env) as taken:
        assert "secret" in " ".join(taken.warnings)
    (person / "secret").chmod(stat.S_IRWXU)


# -- finding the repository


def test_a_repository_is_found_from_below(person: Path) -> None:
    git(person, "remote", "add", "origin", "https://host/x.git")
    git(person, "remote", "add", "up.stream", "git@host:y.git")
    git(person, "config", "--add", "remote.origin.url", "https://mirror/x.git")
    git(person, "config", "remote.odd.fetch", "+refs/*:refs/*")
    git(person, "config", "user.name", "007")
    found = find_repository(person / "sub" / "deeper")
    assert found is not None
    assert (found.root, found.git_dir) == (person, person / ".git")
    assert found.remotes == {"origin": "https://host/x.git", "up.stream": "git@host:y.git"}
    assert found.user == Person("007", "test@example.invalid")


def test_a_repository_may_be_linked_bare_or_missing(person: Path, hub: Path, tmp_path: Path) -> None:
    git(person, "remote", "add", "origin", "/x")
    linked = find_repository(linked_worktree(person))
    assert linked is not None
    assert linked.root == tmp_path / "linked"
    assert linked.git_dir == person / ".git" / "worktrees" / "linked"
    assert linked.remotes == {"origin": "/x"}
    bare = find_repository(hub / "refs")
    assert bare is not None
    assert (bare.root, bare.git_dir) == (None, hub)
    (tmp_path / "plain").mkdir()
    assert find_repository(tmp_path / "plain") is None


def test_a_name_that_looks_like_a_variable_is_a_name(person: Path, tmp_path: Path) -> None:
    (tmp_path / "$HOME").mkdir()
    git(tmp_path, "init", "-q", "~")
    assert find_repository(tmp_path / "$HOME") is None
    found = find_repository(tmp_path / "~")
    assert found is not None
    assert found.root == tmp_path / "~"


def test_nobody_in_particular(person: Path) -> None:
    Path(os.environ["GIT_CONFIG_GLOBAL"]).write_text("")
    found = find_repository(person)
    assert found is not None
    assert found.user == Person("", "")


def test_no_git(person: Path, env: dict[str, str], tmp_path: Path) -> None:
    """In a process of its own: GitPython looks for Git once, when it is imported."""
    script = "import sys; from pathlib import Path; from bnet.gitstore.personal import find_repository\n"
    script += (
        "try: find_repository(Path(sys.argv[1]))\nexcept Exception as e: print(type(e).__name__, e.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, person],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "GitMissing install Git 2.34 or later\n"


def test_git_python_is_imported_only_when_it_is_used() -> None:
    script = "import sys, bnet.gitstore.worktree; print('git' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
