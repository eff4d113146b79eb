"""Real files, changed in every way that editors and tools change them, and what a watch tells of it."""

from __future__ import annotations

import mmap
import os
import random
import select
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnet.errors import BnetError
from bnet.host.events.changes import Changes, TreeWatch
from bnet.host.events.elsewhere import Elsewhere
from bnet.host.events.tree import watch_tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

PASSED = frozenset({".git", "node_modules"})
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def passes(path: str) -> bool:
    return path.rpartition("/")[2] in PASSED


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """What is in a tree: path -> what a build would see of it."""
    found: dict[str, tuple[object, ...]] = {}
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in PASSED]
        for name in names + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content: object = os.readlink(path) if os.path.islink(path) else None
            if os.path.isfile(path) and not os.path.islink(path):
                content = Path(path).read_bytes()
            inode = 0 if stat.S_ISDIR(status.st_mode) else status.st_ino
            found[os.path.relpath(path, root)] = (status.st_mode, inode, content)
    return found


def covered(path: str, paths: set[str]) -> bool:
    """Whether a path, or a directory that it is in, was reported."""
    while path:
        if path in paths:
            return True
        path = path.rpartition("/")[0]
    return False


def differing(before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for directory in ("src/deep/deeper", "lib", "node_modules/left-pad", ".git"):
        (root / directory).mkdir(parents=True)
    for file in (
        "readme",
        "src/a",
        "src/b",
        "src/deep/c",
        "src/deep/deeper/d",
        "lib/e",
        "node_modules/left-pad/x",
    ):
        (root / file).write_text(f"content of {file}\n")
    (root / "link").symlink_to("src/a")
    (tmp_path / "outside").mkdir()
    return root


@pytest.fixture
def watch(tree: Path) -> Iterator[TreeWatch]:
    made = watch_tree(str(tree), passes)
    yield made
    made.close()


# -- what people and their tools do to files


def write_in_place(tree: Path) -> None:
    (tree / "src/a").write_text("new")


def write_the_same(tree: Path) -> None:
    with (tree / "src/a").open("r+") as file:
        file.write(file.read(1))


def append(tree: Path) -> None:
    with (tree / "src/deep/deeper/d").open("a") as file:
        file.write("more")


def truncate(tree: Path) -> None:
    os.truncate(tree / "src/a", 3)


def write_aside_and_rename_over(tree: Path) -> None:
    (tree / "src/.a.tmp").write_text("new")
    (tree / "src/.a.tmp").rename(tree / "src/a")


def dance_as_vim_does(tree: Path) -> None:
    (tree / "src/4913").write_text("")
    (tree / "src/4913").unlink()
    (tree / "src/a").rename(tree / "src/a~")
    (tree / "src/a").write_text("new")
    (tree / "src/a~").unlink()


def change_the_mode(tree: Path) -> None:
    (tree / "src/a").chmod(0o755)


def set_the_time(tree: Path) -> None:
    os.utime(tree / "src/a", (1, 1))


def change_a_directory_s_mode(tree: Path) -> None:
    (tree / "src").chmod(0o700)


def point_a_link_elsewhere(tree: Path) -> None:
    (tree / "link.new").symlink_to("src/b")
    (tree / "link.new").rename(tree / "link")


def replace_a_file_by_a_link(tree: Path) -> None:
    (tree / "src/a").unlink()
    (tree / "src/a").symlink_to("b")


def replace_a_directory_by_a_link(tree: Path) -> None:
    (tree / "lib").rename(tree.parent / "outside/lib")
    (tree / "lib").symlink_to("src")


def add_a_hard_link(tree: Path) -> None:
    (tree / "lib/linked").hardlink_to(tree / "src/a")


def write_through_a_hard_link_in_the_tree(tree: Path) -> None:
    (tree / "lib/linked").hardlink_to(tree / "src/a")
    (tree / "lib/linked").write_text("new")


def write_through_a_mapping(tree: Path) -> None:
    handle = os.open(tree / "src/a", os.O_RDWR)
    mapped = mmap.mmap(handle, 4)
    os.close(handle)
    mapped[0:4] = b"new!"
    mapped.close()


def write_through_an_unnamed_file(tree: Path) -> None:
    handle = os.open(tree / "src", os.O_TMPFILE | os.O_RDWR)
    os.write(handle, b"new")
    os.link(f"/proc/self/fd/{handle}", tree / "src/new", src_dir_fd=handle)  # else Python links the link
    os.close(handle)


def allocate(tree: Path) -> None:
    with (tree / "src/a").open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, 4096)


def copy_within_the_kernel(tree: Path) -> None:
    with (tree / "src/b").open("rb") as source, (tree / "src/a").open("r+b") as target:
        os.copy_file_range(source.fileno(), target.fileno(), 9, offset_dst=1)


def remove(tree: Path) -> None:
    (tree / "src/a").unlink()


def swap_two(tree: Path) -> None:
    (tree / "src/a").rename(tree / "src/t")
    (tree / "src/b").rename(tree / "src/a")
    (tree / "src/t").rename(tree / "src/b")


def make_directories_and_a_file_at_once(tree: Path) -> None:
    (tree / "x/y/z").mkdir(parents=True)
    (tree / "x/y/z/file").write_text("new")


def rename_a_directory(tree: Path) -> None:
    (tree / "src").rename(tree / "source")


def move_a_directory_below_another(tree: Path) -> None:
    (tree / "src/deep").rename(tree / "lib/deep")


def move_a_directory_into_a_new_one(tree: Path) -> None:
    (tree / "new").mkdir()
    (tree / "src/deep").rename(tree / "new/deep")


def move_a_directory_out(tree: Path) -> None:
    (tree / "src").rename(tree.parent / "outside/src")


def move_a_directory_out_and_in(tree: Path) -> None:
    (tree / "src").rename(tree.parent / "outside/src")
    (tree.parent / "outside/src/a").write_text("new")
    (tree.parent / "outside/src").rename(tree / "src")


def move_a_directory_in(tree: Path) -> None:
    shutil.copytree(tree / "src", tree.parent / "outside/copy")
    (tree.parent / "outside/copy").rename(tree / "copy")


def exchange_directories(tree: Path) -> None:
    (tree / "src").rename(tree / "t")
    (tree / "lib").rename(tree / "src")
    (tree / "t").rename(tree / "lib")


def rename_over_an_empty_directory(tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "src/deep").rename(tree / "empty")


def remove_a_directory(tree: Path) -> None:
    shutil.rmtree(tree / "src")


def remove_a_directory_and_make_it_again(tree: Path) -> None:
    shutil.rmtree(tree / "src")
    (tree / "src").mkdir()
    (tree / "src/a").write_text("again")


def bring_back_what_was_passed_over(tree: Path) -> None:
    (tree / "node_modules/left-pad").rename(tree / "left-pad")


def use_odd_names(tree: Path) -> None:
    for name in (b"new\nline", b"'quote\" ", b"\xff\xfe", b"-rf", "naïve".encode(), b"n" * 255):
        Path(os.fsdecode(os.fsencode(tree) + b"/src/" + name)).write_text("odd")


def touch_a_thousand(tree: Path) -> None:
    for number in range(1000):
        (tree / f"src/{number}").write_text("new")


CHANGES: list[Callable[[Path], None]] = [
    write_in_place,
    append,
    truncate,
    write_aside_and_rename_over,
    dance_as_vim_does,
    change_the_mode,
    change_a_directory_s_mode,
    point_a_link_elsewhere,
    replace_a_file_by_a_link,
    replace_a_directory_by_a_link,
    add_a_hard_link,
    write_through_a_hard_link_in_the_tree,
    write_through_a_mapping,
    write_through_an_unnamed_file,
    allocate,
    copy_within_the_kernel,
    remove,
    swap_two,
    make_directories_and_a_file_at_once,
    rename_a_directory,
    move_a_directory_below_another,
    move_a_directory_into_a_new_one,
    move_a_directory_out,
    move_a_directory_out_and_in,
    move_a_directory_in,
    exchange_directories,
    rename_over_an_empty_directory,
    remove_a_directory,
    remove_a_directory_and_make_it_again,
    bring_back_what_was_passed_over,
    use_odd_names,
    touch_a_thousand,
]


class TestWhatIsReported:
    @pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
    def test_every_difference_at_once_and_again(
        self, tree: Path, watch: TreeWatch, change: Callable[[Path], None]
    ) -> None:
        before = snapshot(tree)
        change(tree)
        found = watch.read()
        changed = differing(before, snapshot(tree))
        assert changed
        if change is not write_through_a_hard_link_in_the_tree:  # its first name is not told of: see Watch
            assert [path for path in changed if not covered(path, found.paths)] == []
        assert found.exact and not found.lost
        # What the tree consists of now is what is watched.
        for path, (*_, content) in snapshot(tree).items():
            if isinstance(content, bytes):
                (tree / path).write_bytes(b"again")
                assert covered(path, watch.read().paths)

    @pytest.mark.parametrize("change", [write_the_same, set_the_time], ids=lambda change: change.__name__)
    def test_what_only_a_stamp_shows(
        self, tree: Path, watch: TreeWatch, change: Callable[[Path], None]
    ) -> None:
        change(tree)
        assert watch.read() == Changes({"src/a"}, exact=True)

    def test_nothing_when_files_are_only_read(self, tree: Path, watch: TreeWatch) -> None:
        snapshot(tree)
        assert watch.read() == Changes(set(), exact=True)

    def test_nothing_of_what_is_passed_over(self, tree: Path, watch: TreeWatch) -> None:
        (tree / "node_modules/left-pad/x").write_text("new")
        (tree / "node_modules/more").mkdir()
        shutil.rmtree(tree / ".git")
        assert watch.read() == Changes(set(), exact=True)

    def test_a_file_in_a_directory_that_came_is_named(self, tree: Path, watch: TreeWatch) -> None:
        make_directories_and_a_file_at_once(tree)
        assert watch.read().paths == {"x", "x/y", "x/y/z", "x/y/z/file"}

    def test_a_change_after_a_directory_left_is_none_of_the_tree_s(
        self, tree: Path, watch: TreeWatch
    ) -> None:
        move_a_directory_out(tree)
        watch.read()
        (tree.parent / "outside/src/a").write_text("new")
        assert watch.read() == Changes(set(), exact=True)

    def test_the_descriptor_becomes_readable(self, tree: Path, watch: TreeWatch) -> None:
        assert select.select([watch], [], [], 0)[0] == []
        write_in_place(tree)
        assert select.select([watch], [], [], 0)[0] == [watch]

    def test_another_branch_is_checked_out(self, tree: Path) -> None:
        def git(*words: str) -> None:
            subprocess.run(["git", *words], cwd=tree, check=True, capture_output=True)

        shutil.rmtree(tree / ".git")
        git("init", "-q")
        git("add", "-A")
        git("commit", "-qm", "one")
        git("checkout", "-qb", "other")
        shutil.rmtree(tree / "src/deep")
        for number in range(1000):
            path = tree / f"made/{number % 50}/{number % 7}/{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(number))
        (tree / "src/a").write_text("of the other branch")
        git("add", "-A")
        git("commit", "-qm", "two")
        git("checkout", "-q", "-")
        watch = watch_tree(str(tree), passes)
        for branch in ("other", "-", "-"):
            before = snapshot(tree)
            git("checkout", "-q", branch)
            found = watch.read()
            assert found.exact
            changed = differing(before, snapshot(tree))
            assert len(changed) > 1000
            assert [path for path in changed if not covered(path, found.paths)] == []
        watch.close()


class TestRandomChanges:
    @pytest.mark.parametrize("seed", range(25))
    def test_no_difference_is_missed(self, tree: Path, watch: TreeWatch, seed: int) -> None:
        """Whatever is done between two looks, in whichever order, what differs was reported."""
        dice = random.Random(seed)
        places = [tree, tree.parent / "outside"]
        for _ in range(12):
            before = snapshot(tree)
            for _ in range(dice.choice((1, 3, 30))):
                change_anything(dice, *places)
            found = watch.read()
            assert found.exact and not found.lost
            missed = [p for p in differing(before, snapshot(tree)) if not covered(p, found.paths)]
            assert missed == []

    def test_no_difference_is_missed_while_another_process_makes_them(
        self, tree: Path, watch: TreeWatch
    ) -> None:
        before = snapshot(tree)
        other = os.fork()
        if other == 0:
            dice = random.Random(5)
            for _ in range(300):
                change_anything(dice, tree, tree.parent / "outside")
            os._exit(0)
        paths: set[str] = set()
        ended = False
        while not ended:
            ended = os.waitpid(other, os.WNOHANG) != (0, 0)
            found = watch.read()
            assert not found.lost
            paths |= found.paths
        assert [p for p in differing(before, snapshot(tree)) if not covered(p, paths)] == []
        for path, (*_, content) in snapshot(tree).items():
            if isinstance(content, bytes):
                (tree / path).write_bytes(b"again")
                assert covered(path, watch.read().paths)


def change_anything(dice: random.Random, tree: Path, outside: Path) -> None:
    """Do one thing to a tree, or try to."""
    inside = [tree / path for path in snapshot(tree)] or [tree]
    path, other = dice.choice(inside), dice.choice([*inside, outside / "x", tree / f"n{dice.randrange(4)}"])
    new = (path if path.is_dir() and not path.is_symlink() else path.parent) / f"n{dice.randrange(4)}"
    try:
        match dice.randrange(8):
            case 0 | 1:
                new.mkdir()
                (new / "file").write_text(str(dice.random()))
            case 2:
                new.write_text(str(dice.random()))
            case 3 | 4:
                os.rename(path, other)
            case 5:
                os.rename(outside / "x", new)
            case 6:
                shutil.rmtree(path) if path.is_dir() and dice.random() < 0.3 else path.unlink()
            case 7:
                new.symlink_to(path.name)
    except OSError:
        return


class TestWhenItCannotBeSure:
    def test_too_many_events_are_told_and_the_next_look_is_sure(self, tree: Path, watch: TreeWatch) -> None:
        for _ in range(int(QUEUE.read_text()) // 2 + 1):
            for path in (tree / "src/a", tree / "src/b"):
                os.utime(path)
        (tree / "late/later").mkdir(parents=True)
        shutil.rmtree(tree / "lib")
        assert watch.read() == Changes(set(), lost=True)
        assert watch.read() == Changes(set(), exact=True)
        (tree / "late/later/file").write_text("new")
        assert watch.read() == Changes({"late/later/file"}, exact=True)

    def test_the_root_was_removed(self, tree: Path, watch: TreeWatch) -> None:
        shutil.rmtree(tree)
        assert watch.read() == Changes(set(), lost=True, gone=True)
        tree.mkdir()
        assert watch.read() == Changes(set(), lost=True, gone=True)

    @pytest.mark.parametrize("moved", ["tree", "its parent"])
    def test_the_root_was_moved(self, tmp_path: Path, moved: str) -> None:
        tree = tmp_path / "above/tree"
        tree.mkdir(parents=True)
        watch = watch_tree(str(tree), passes)
        os.rename(tree if moved == "tree" else tree.parent, tmp_path / "elsewhere")
        assert watch.read().gone
        watch.close()

    def test_a_directory_that_may_not_be_read(self, tmp_path: Path) -> None:
        script = """if True:
            import os, sys
            from bnet.host.events.inotify import Watch as watch_tree  # while it may be read
            root = sys.argv[1]
            os.makedirs(root + "/secret")
            if os.getuid() == 0:
                os.chown(root, 65534, 65534)
                os.chown(root + "/secret", 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            os.chmod(root + "/secret", 0)
            watch = watch_tree(root, lambda path: False)
            print(watch.read().exact)
            os.chmod(root + "/secret", 0o700)
            open(root + "/secret/file", "w").close()
            print(*watch.read().paths, watch.read().exact)
            os.mkdir(root + "/other", 0)
            print(watch.read().exact)
            os.rmdir(root + "/other")
            print(watch.read().exact)
        """
        tmp_path.chmod(0o755)
        for above in tmp_path.parents[:3]:
            if above.stat().st_uid == os.getuid() and above != Path("/tmp"):
                above.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "root")], capture_output=True, text=True
        )
        assert done.stderr == ""
        lines = done.stdout.splitlines()
        assert [lines[0], *lines[2:]] == ["False", "False", "True"]
        assert sorted(lines[1].split()) == ["True", "secret", "secret/file"]

    def test_a_file_system_was_mounted_in_the_tree(self, tree: Path) -> None:
        script = """if True:
            import subprocess, sys
            from bnet.host.events.tree import watch_tree
            root = sys.argv[1]
            watch = watch_tree(root, lambda path: False)
            print(watch.read())
            subprocess.run(["mount", "-t", "tmpfs", "none", root + "/src"], check=True)
            print(watch.read())
            open(root + "/src/file", "w").close()
            print(watch.read())
            subprocess.run(["umount", root + "/src"], check=True)
            print(watch.read())
            subprocess.run(["mount", "-t", "proc", "none", root + "/src"])
            print(watch.read())
            print(watch.read())
        """
        argv = ["unshare", "-Urmpf", sys.executable, "-c", script, str(tree)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if "unshare" in done.stderr:
            pytest.skip("no user namespaces here")
        assert done.stderr == ""
        assert done.stdout.splitlines() == [
            "Changes(paths=set(), lost=False, exact=True, gone=False)",
            "Changes(paths=set(), lost=True, exact=False, gone=False)",
            "Changes(paths={'src/file'}, lost=False, exact=True, gone=False)",
            "Changes(paths=set(), lost=True, exact=False, gone=False)",
            "Changes(paths=set(), lost=True, exact=False, gone=False)",
            "Changes(paths=set(), lost=False, exact=False, gone=False)",
        ]


class TestLimits:
    def run_with(self, limit: str, tree: Path, script: str) -> str:
        """Run a script in a user namespace of its own, which has limits of its own."""
        shell = f'echo 3 > /proc/sys/user/{limit} && exec "$@"'
        argv = ["unshare", "-Ur", "sh", "-c", shell, "sh", sys.executable, "-c", script, str(tree)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if "unshare" in done.stderr or "/proc/sys/user" in done.stderr:
            pytest.skip("no user namespaces with limits of their own here")
        assert done.stderr == ""
        return done.stdout

    def test_too_many_directories(self, tree: Path) -> None:
        script = """if True:
            import sys
            from bnet.errors import BnetError
            from bnet.host.events.tree import watch_tree
            try:
                watch_tree(sys.argv[1], lambda path: False)
            except BnetError as error:
                print(error, error.hint)
        """
        said = self.run_with("max_inotify_watches", tree, script)
        assert "allows no more watched directories" in said
        assert "sudo sysctl fs.inotify.max_user_watches=" in said

    def test_too_many_directories_later(self, tree: Path) -> None:
        script = """if True:
            import os, sys, time
            from bnet.errors import BnetError
            from bnet.host.events.tree import watch_tree
            os.mkdir(sys.argv[1] + "/new")
            watch = watch_tree(sys.argv[1] + "/new", lambda path: False)
            for number in range(3):
                os.mkdir(sys.argv[1] + f"/new/{number}")
            for _ in range(2):
                try:
                    watch.read()
                except BnetError as error:
                    print("limit")
            for number in range(3):
                os.rmdir(sys.argv[1] + f"/new/{number}")
            # The kernel counts a watch that was given up until everyone who is just looking at it has gone on.
            for _ in range(100):
                try:
                    print(watch.read().lost)
                    print(watch.read().exact)
                    break
                except BnetError as error:
                    time.sleep(0.05)
        """
        said = self.run_with("max_inotify_watches", tree, script)
        assert said.split() == ["limit", "limit", "True", "True"]

    def test_too_many_watches(self, tree: Path) -> None:
        script = """if True:
            import sys
            from bnet.errors import BnetError
            from bnet.host.events.tree import watch_tree
            kept = []
            try:
                for _ in range(4):
                    kept.append(watch_tree(sys.argv[1], lambda path: False))
            except BnetError as error:
                print(len(kept), error.hint)
        """
        said = self.run_with("max_inotify_instances", tree, script)
        assert said.startswith("3 ")
        assert "fs.inotify.max_user_instances" in said

    @pytest.mark.parametrize("root", ["missing", "readme"])
    def test_a_root_that_is_no_directory(self, tree: Path, root: str) -> None:
        with pytest.raises(BnetError, match=f"cannot watch .*{root}"):
            watch_tree(str(tree / root), passes)


class TestSpeed:
    def test_ten_thousand_directories_are_watched_within_seconds(self, tmp_path: Path) -> None:
        for above in range(100):
            for below in range(100):
                (tmp_path / f"{above}/{below}").mkdir(parents=True)
        start = time.monotonic()
        watch = watch_tree(str(tmp_path), passes)
        assert time.monotonic() - start < 10  # 0.3 s when nothing else runs
        (tmp_path / "99/99/file").write_text("new")
        start = time.monotonic()
        assert watch.read().paths == {"99/99/file"}
        assert time.monotonic() - start < 1  # 20 us
        watch.close()


class TestElsewhere:
    """The adapter for other platforms, on this one."""

    @pytest.fixture
    def watch(self, tree: Path) -> Iterator[TreeWatch]:
        pytest.importorskip("watchfiles")
        made = Elsewhere(str(tree), passes)
        # It tells a moment later of what was done just before, on some platforms.
        time.sleep(0.1)
        made.read()
        yield made
        made.close()

    @pytest.mark.parametrize(
        "change",
        [change for change in CHANGES if change is not write_through_a_mapping],
        ids=lambda change: change.__name__,
    )
    def test_every_change_is_heard_of_soon(
        self, tree: Path, watch: TreeWatch, change: Callable[[Path], None]
    ) -> None:
        change(tree)
        assert select.select([watch], [], [], 5)[0]
        found = watch.read()
        assert found.paths or (found.lost and change is use_odd_names)  # watchfiles knows only UTF-8
        assert not found.exact
        time.sleep(0.1)
        watch.read()
        (tree / "readme").write_text("again")
        assert select.select([watch], [], [], 5)[0]

    def test_it_is_soon(self, tree: Path, watch: TreeWatch) -> None:
        start = time.monotonic()
        write_in_place(tree)
        assert select.select([watch], [], [], 5)[0]
        assert "src/a" in watch.read().paths
        assert time.monotonic() - start < 2  # 0.03 s when nothing else runs

    def test_nothing_of_what_is_passed_over(self, tree: Path, watch: TreeWatch) -> None:
        (tree / "node_modules/left-pad/x").write_text("new")
        time.sleep(0.3)
        assert watch.read() == Changes(set())

    def test_the_root_was_removed(self, tree: Path, watch: TreeWatch) -> None:
        shutil.rmtree(tree)
        found = watch.read()
        assert found.gone and found.lost

    def test_a_root_that_is_no_directory(self, tree: Path) -> None:
        with pytest.raises(BnetError, match="no directory"):
            Elsewhere(str(tree / "readme"), passes)
