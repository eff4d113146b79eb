"""One copy of a repository for all processes of a machine: brought once, borrowed from, repaired, cleaned up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from upstream import Upstream

from bnet.errors import BnetError, RepositoryUnreachable, Taken
from bnet.gitstore import copies, mirrors
from bnet.gitstore.mirrors import Mirrors
from bnet.gitstore.repo import environment
from bnet.host.borrowing import lent, note
from bnet.host.lock import HostLock

TOP = Path(__file__).parents[2]


@contextmanager
def at_once(path: Path) -> Iterator[None]:
    """Take a lock or raise `Taken`."""
    with HostLock(path):
        yield


class Place:
    """A repository, and a machine's directories."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.upstream = Upstream(top / "widgets.git")
        self.upstream.git("config", "uploadpack.allowAnySHA1InWant", "true")
        self.address = str(self.upstream.path)
        self.directory, self.runs = top / "home" / "repositories", top / "home" / "runs"
        self.mirrors = self.opened()

    def opened(self, **more: float) -> Mirrors:
        """Return the copies as a process of their own has them."""
        return Mirrors(self.directory, environment(os.environ), at_once, lambda: lent(self.runs), **more)

    def run(self, number: int) -> Path:
        path = self.runs / f"{number}.1"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def lend(self, number: int, commit: str, through: Mirrors | None = None) -> Path:
        return (through or self.mirrors).lend(
            self.address, commit, lambda place: note(self.run(number), place)
        )

    def borrower(self, number: int, commit: str) -> Path:
        """Return a workspace that has borrowed a commit."""
        copy, tree = self.lend(number, commit), self.run(number) / "workspace"
        git("init", "-q", str(tree))
        (tree / ".git/objects/info/alternates").write_text(f"{copy}/objects\n")
        git("-C", str(tree), "checkout", "-q", "--detach", commit)
        return tree

    def copies(self) -> list[str]:
        return sorted(path.name.partition(".")[2] for path in self.directory.glob("*.git"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def is_whole(tree: Path) -> bool:
    words = ["git", "-C", str(tree), "fsck", "--full", "--connectivity-only", "HEAD"]
    return subprocess.run(words, capture_output=True).returncode == 0


def packed(copy: Path) -> int:
    """Return how many objects a copy's packs hold."""
    told = dict(line.split(": ") for line in git(f"--git-dir={copy}", "count-objects", "-v").splitlines())
    return int(told["in-pack"]) + int(told["count"])


def test_a_second_commit_brings_only_what_is_new(place: Place) -> None:
    for number in range(20):
        old = place.upstream.commit(files={f"f{number}": "x" * 1000 + str(number)})
    copy = place.lend(1, old)
    assert packed(copy) == 60
    new = place.upstream.commit(files={"more": "y"})
    assert place.lend(2, new) == copy
    # A commit, a tree and a file, and what of the old ones they are told as a difference from.
    assert 63 <= packed(copy) <= 66
    place.upstream.path.rename(place.top / "away.git")
    assert place.lend(3, old) == copy, "nobody is asked for what is there"


def test_a_commit_that_no_branch_holds_any_more_is_asked_for_by_itself(place: Place) -> None:
    place.upstream.commit()
    lost = place.upstream.commit("other")
    place.upstream.point("refs/heads/other", "")
    assert git(f"--git-dir={place.lend(1, lost)}", "cat-file", "-t", lost) == "commit"
    with pytest.raises(BnetError, match="gives no commit aaaaaaaaaa with its history"):
        place.lend(2, "a" * 40)
    assert lent(place.runs) == {place.mirrors.place(place.address).name}
    assert not (place.run(2) / "borrows").exists(), "who got nothing borrows nothing"


def test_of_two_at_once_one_waits_for_the_other(place: Place) -> None:
    commit = place.upstream.commit()

    def meanwhile(_: Path) -> None:
        for act in (
            lambda: place.lend(2, commit, place.opened()),
            lambda: place.opened().bring(place.address, [commit]),
            lambda: place.opened().annotate(place.address, {}),
            lambda: place.opened().distrust(place.address, place.mirrors.place(place.address)),
        ):
            with pytest.raises(Taken):
                act()
        assert place.opened().sweep(set()) == [], "it goes on without what another process works on"

    place.mirrors.lend(place.address, commit, meanwhile)
    assert place.lend(2, commit, place.opened()) == place.mirrors.place(place.address)


def test_several_processes_that_begin_at_once_share_one_copy(place: Place) -> None:
    commit = place.upstream.commit()
    script = """
        import os, sys
        from pathlib import Path
        from bnet.host.home import Home
        from bnet.wiring.machine import Machine
        from bnet.wiring.upstreams import upstreams
        machine = Machine(Home(Path(sys.argv[1])), os.environ, "x")
        print(upstreams(machine).lend(sys.argv[2], sys.argv[3], lambda place: None))
    """
    words = [
        sys.executable,
        "-c",
        textwrap.dedent(script),
        str(place.directory.parent),
        place.address,
        commit,
    ]
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    begun = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = {each.communicate(timeout=60)[0].strip() for each in begun}
    assert [each.returncode for each in begun] == [0] * 4
    assert told == {str(place.mirrors.place(place.address))} and place.copies() == ["git"]


def test_what_a_killed_process_had_begun_is_in_nobodys_way(place: Place) -> None:
    commit = place.upstream.commit()
    ready = place.top / "ready"
    script = """
        import sys, time
        from pathlib import Path
        from bnet.host.lock import HostLock
        lock = HostLock(Path(sys.argv[1]))
        lock.acquire(0)
        Path(sys.argv[2]).touch()
        time.sleep(600)
    """
    place.lend(1, commit)
    copy = place.mirrors.place(place.address)
    lock = copy.with_suffix(".lock")
    words = [sys.executable, "-c", textwrap.dedent(script), str(lock), str(ready)]
    holder = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(TOP)})
    while not ready.exists():
        assert holder.poll() is None
    with pytest.raises(Taken):
        place.lend(2, commit)
    left = [copy / "packed-refs.lock", copy / "refs/heads/main.lock", copy / "objects/pack/tmp_pack_x"]
    for path in left:
        path.write_text("torn")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    new = place.upstream.commit(message="new")
    assert place.lend(2, new) == copy
    assert not any(path.exists() for path in left)


def test_a_copy_that_was_never_finished_is_begun_anew(place: Place) -> None:
    commit = place.upstream.commit()
    copy = place.mirrors.place(place.address)
    (copy / "objects").mkdir(parents=True)
    assert git(f"--git-dir={place.lend(1, commit)}", "cat-file", "-t", commit) == "commit"
    assert len(place.copies()) == 1


def test_a_damaged_copy_stays_for_those_who_borrow_and_goes_after_them(place: Place) -> None:
    old = place.upstream.commit()
    tree = place.borrower(1, old)
    copy = place.mirrors.place(place.address)
    (copy / "HEAD").unlink()
    new = place.upstream.commit(message="new")
    again = place.lend(2, new)
    assert place.copies() == ["1.git", "git"] and again != copy == place.directory / copy.name
    assert is_whole(tree), "what it borrowed is where it was"
    assert place.mirrors.sweep({place.address}) == []
    assert place.copies() == ["1.git", "git"]
    shutil.rmtree(place.run(2))
    assert place.mirrors.sweep(set()) == [] and place.mirrors.place(place.address) == again
    shutil.rmtree(place.run(1))
    place.mirrors.sweep({place.address})
    assert place.copies() == ["1.git"]
    assert place.lend(3, new) == again


def test_a_damaged_copy_from_which_nobody_borrows_goes_at_once(place: Place) -> None:
    old = place.upstream.commit()
    place.mirrors.bring(place.address, [old])
    (place.mirrors.place(place.address) / "HEAD").unlink()
    place.lend(1, place.upstream.commit(message="new"))
    assert place.copies() == ["1.git"]


def test_who_could_not_check_out_has_the_copy_begun_anew_once(place: Place) -> None:
    commit = place.upstream.commit()
    copy = place.lend(1, commit)
    for _ in range(2):
        place.mirrors.distrust(place.address, copy)
    assert place.copies() == ["1.git", "git"]
    assert place.lend(2, commit).name.endswith(".1.git")


def test_a_copy_that_is_borrowed_from_survives_its_source(place: Place) -> None:
    commit = place.upstream.commit()
    tree = place.borrower(1, commit)
    place.mirrors.bring(place.address, [commit])
    assert place.mirrors.sweep(set()) == [] and is_whole(tree)
    shutil.rmtree(place.run(1))
    assert place.mirrors.sweep({place.address}) == [] and place.copies() == ["git"]
    assert place.mirrors.sweep(set()) == [place.address] and place.copies() == []
    assert place.lend(2, commit).is_dir(), "and it can come back"


def test_packs_are_put_together_and_nothing_is_lost_that_may_be_borrowed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "MOST_PACKS", 3)
    place.upstream.commit(message="first")
    seen = [place.upstream.commit("forced", message=f"thrown away {number}", on="") for number in range(4)]
    trees = []
    for number, commit in enumerate(seen):
        place.upstream.point("refs/heads/forced", commit)
        trees.append(place.borrower(number, commit))
    for number in range(8):
        place.mirrors.bring(place.address, [place.upstream.commit(message=f"change {number}")])
    packs = list((place.mirrors.place(place.address) / "objects/pack").glob("*.pack"))
    assert len(packs) <= 4 and all(is_whole(tree) for tree in trees)


def test_what_a_job_does_in_its_repository_is_its_own(place: Place) -> None:
    place.upstream.commit(message="first")
    commit = place.upstream.commit(message="second")
    tree = place.borrower(1, commit)
    copy = place.mirrors.place(place.address)

    def look() -> tuple[str, list[str]]:
        refs = git(f"--git-dir={copy}", "for-each-ref")
        return refs, sorted(f"{path} {path.stat().st_mtime_ns}" for path in copy.rglob("*"))

    before = look()
    new = place.upstream.commit(message="third")
    git("-C", str(tree), "fetch", "-q", place.address, "main")
    git("-C", str(tree), "config", "core.hooksPath", "/nowhere")
    git("-C", str(tree), "commit", "-q", "--allow-empty", "-m", "of its own")
    git("-C", str(tree), "branch", "-f", "main", new)
    git("-C", str(tree), "gc", "-q", "--prune=now", "--aggressive")
    git("-C", str(tree), "prune", "--expire=now")
    assert look() == before and is_whole(tree)
    assert git("-C", str(tree), "log", "--format=%s", commit) == "second\nfirst"


def test_a_repository_that_is_too_large_to_wait_for_is_tried_again_now_and_then(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "SLOW", 2)
    commit = place.upstream.commit()
    hasty = place.opened(patience=0.0)
    with pytest.raises(RepositoryUnreachable, match="did not come within 0 s"):
        place.lend(1, commit, hasty)
    for _ in range(2):
        with pytest.raises(BnetError, match="took too long to copy"):
            place.lend(1, commit, hasty)
    with pytest.raises(RepositoryUnreachable):
        place.lend(1, commit, hasty)
    place.mirrors.bring(place.address, [commit])  # the steward has more time
    assert place.lend(1, commit, hasty).is_dir(), "what is there takes no time"
    new = place.upstream.commit(message="new")
    with pytest.raises(RepositoryUnreachable):
        place.lend(1, new, hasty)
    assert place.lend(1, new).is_dir(), "who may wait for longer is not held back by who may not"
