"""Commands in real sandboxes: what they see, what they make, and what they are told to have reached for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from bnet.build.globs import Patterns
from bnet.build.sandbox import calls
from bnet.build.sandbox.box import Box, Undeclared, available, environment
from bnet.build.sandbox.view import View, trail
from bnet.build.sandbox.whole import whole_directories
from bnet.errors import BnetError

PROBLEM = available()
pytestmark = pytest.mark.skipif(PROBLEM is not None, reason=str(PROBLEM))

PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"  # not one below /tmp


class Done(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    found: Undeclared


class Tree:
    """A tree of two packages, and sandboxes for the first."""

    def __init__(self, root: Path, place: Path) -> None:
        self.root = root
        self.place = place
        self.readable = ["pkg/src/a", "pkg/src/b"]
        self.tools: list[str] = []
        for name in ("pkg/src/a", "pkg/src/b", "pkg/src/secret", "other/src/x", "top", ".git/HEAD"):
            self.write(name, f"content of {name}\n")

    def write(self, name: str, content: str = "content\n") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def box(self, outputs: Sequence[str] = ("dist/**",), place: Path | None = None) -> Box:
        return Box(
            str(place or self.place),
            str(self.root),
            directory="pkg",
            readable=self.readable,
            writable=Patterns(outputs, "pkg"),
            tools_dirs=self.tools,
        )

    def run(
        self,
        command: str | Sequence[str],
        *,
        env: dict[str, str] | None = None,
        names: Iterable[str] = (),
        outputs: Sequence[str] = ("dist/**",),
        user: int | None = None,
    ) -> Done:
        argv = ["sh", "-c", command] if isinstance(command, str) else list(command)
        box = self.box(outputs)
        given = environment({**os.environ, **(env or {})}, names)
        done = subprocess.run(
            box.command(argv), env=given, capture_output=True, timeout=60, cwd="/", user=user
        )
        found = box.undeclared()
        box.land()
        box.remove()
        assert not self.place.exists()
        return Done(done.returncode, os.fsdecode(done.stdout + done.stderr), found)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree", tmp_path / "box")


NOTHING = Undeclared([], [])


class TestWhatIsSeen:
    def test_what_was_declared_and_nothing_else(self, tree: Tree) -> None:
        done = tree.run("find .. -type f | sort; cat src/a")
        assert done.out.splitlines() == ["../pkg/src/a", "../pkg/src/b", "content of pkg/src/a"]
        assert done.found == NOTHING

    def test_the_tree_is_at_its_own_path(self, tree: Tree) -> None:
        assert tree.run("pwd").out.strip() == str(tree.root / "pkg")

    def test_the_machine_is_there_and_cannot_be_changed(self, tree: Tree) -> None:
        done = tree.run("test -r /etc/passwd && ls /usr/bin >/dev/null && touch /etc/new /usr/new /var/new")
        assert done.code != 0
        assert done.out.count("Read-only file system") == 3

    def test_tmp_and_home_are_private_and_empty(self, tree: Tree) -> None:
        done = tree.run("ls -A ~ $TMPDIR; echo $HOME $TMPDIR; echo x > ~/x; echo y > /tmp/y; mktemp")
        assert done.code == 0, done.out
        assert "/tmp/home /tmp" in done.out
        assert not os.path.exists("/tmp/y")
        assert done.found == NOTHING

    def test_modes_and_times_are_the_originals(self, tree: Tree) -> None:
        (tree.root / "pkg/src/a").chmod(0o754)
        os.utime(tree.root / "pkg/src/a", ns=(1, 1_234_567_890_123_456_789))
        assert tree.run("stat -c '%a %.9Y' src/a").out.strip() == "754 1234567890.123456789"

    def test_tools_directories_as_they_are(self, tree: Tree) -> None:
        tree.write("node_modules/left/index", "left\n")
        tree.write("pkg/node_modules/.bin/tool", "#!/bin/sh\necho tool\n").chmod(0o755)
        tree.tools = ["node_modules", "pkg/node_modules", "absent"]
        done = tree.run("node_modules/.bin/tool; cat ../node_modules/left/index; mkdir -p ../node_modules")
        assert done.out.split() == ["tool", "left"]
        assert done.found == NOTHING

    def test_a_tools_directory_that_is_a_link(self, tree: Tree) -> None:
        tree.write("vendor/modules/left", "left\n")
        (tree.root / "pkg/node_modules").symlink_to("../vendor/modules")
        tree.tools = ["pkg/node_modules"]
        assert tree.run("cat node_modules/left") == Done(0, "left\n", NOTHING)

    def test_a_tools_directory_below_tmp(self, tree: Tree, tmp_path: Path) -> None:
        (tmp_path / "toolchain").mkdir()
        (tmp_path / "toolchain/tool").write_text("tool\n")
        tree.tools = [str(tmp_path / "toolchain"), "/absent"]
        assert tree.run(["cat", str(tmp_path / "toolchain/tool")]) == Done(0, "tool\n", NOTHING)

    def test_no_process_but_its_own(self, tree: Tree) -> None:
        done = tree.run("ls /proc | grep -c '^[0-9]'")
        assert int(done.out) <= 5

    def test_its_directory_even_if_nothing_in_it_is_declared(self, tree: Tree) -> None:
        tree.readable = []
        assert tree.run("ls -A").out == ""


class TestEnvironment:
    def test_a_variable_that_was_not_named_is_not_there(self, tree: Tree) -> None:
        env = {"NAMED": "yes", "SECRET": "no"}
        assert tree.run("echo [$NAMED] [$SECRET]", env=env, names=["NAMED"]).out.strip() == "[yes] []"

    def test_the_base(self) -> None:
        whole = {
            name: name.lower()
            for name in ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "USER", "SHELL")
        }
        found = environment({**whole, "PYTHONPATH": "/x", "NODE_ENV": "test"}, ["NODE_ENV", "ABSENT"])
        assert found == {**whole, "NODE_ENV": "test", "HOME": "/tmp/home", "TMPDIR": "/tmp"}


class TestOutputs:
    def test_land_in_the_tree(self, tree: Tree) -> None:
        done = tree.run(
            "mkdir -p dist/deep && cat src/a > dist/deep/a && ln -s deep/a dist/link && chmod +x dist/deep/a"
        )
        assert done == Done(0, "", NOTHING)
        assert tree.read("pkg/dist/deep/a") == "content of pkg/src/a\n"
        assert os.readlink(tree.root / "pkg/dist/link") == "deep/a"
        assert os.access(tree.root / "pkg/dist/deep/a", os.X_OK)

    def test_replace_what_is_there(self, tree: Tree) -> None:
        tree.write("pkg/dist/a", "old")
        assert tree.run("mkdir dist; echo new > dist/a").found == NOTHING
        assert tree.read("pkg/dist/a") == "new\n"

    def test_earlier_ones_can_be_built_upon(self, tree: Tree) -> None:
        for name in ("same", "changed", "removed"):
            tree.write(f"pkg/dist/{name}", "old\n")
            tree.readable.append(f"pkg/dist/{name}")
        before = (tree.root / "pkg/dist/same").stat().st_ctime_ns
        done = tree.run("echo new >> dist/changed; rm dist/removed; echo made > dist/made")
        assert done.found == NOTHING
        assert sorted(os.listdir(tree.root / "pkg/dist")) == ["changed", "made", "same"]
        assert tree.read("pkg/dist/changed") == "old\nnew\n"
        assert (tree.root / "pkg/dist/same").stat().st_ctime_ns == before

    @pytest.mark.parametrize(
        "command",
        [
            "rm -rf dist && mkdir dist && echo x > dist/x",
            "mkdir dist.new && echo x > dist.new/x && rm -rf dist && mv dist.new dist",
            "mkdir -p dist && echo x > .x.tmp && mv .x.tmp dist/x",
            "mkdir -p dist && cp src/a dist/x && ln dist/x dist/y",
            "mkdir -p dist && ln src/a dist/x",
        ],
    )
    def test_in_the_ways_that_commands_make_them(self, tree: Tree, command: str) -> None:
        assert tree.run(command) == Done(0, "", NOTHING)
        assert (tree.root / "pkg/dist/x").exists()

    def test_beside_the_sources(self, tree: Tree) -> None:
        done = tree.run("echo x > src/a.o", outputs=["**/*.o"])
        assert done == Done(0, "", NOTHING)
        assert tree.read("pkg/src/a.o") == "x\n"

    def test_that_cannot_land_are_named(self, tree: Tree) -> None:
        tree.write("pkg/dist/x/file")
        with pytest.raises(BnetError, match="cannot put 'pkg/dist/x' in its place"):
            tree.run("mkdir dist; echo x > dist/x")

    def test_on_another_file_system(self, tree: Tree, tmp_path: Path) -> None:
        if not os.access("/dev/shm", os.W_OK) or os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
            pytest.skip("there is one file system only")
        tree.place = Path(f"/dev/shm/bnet-test-{os.getpid()}")
        tree.write("pkg/dist/old", "old")
        assert tree.run("mkdir dist; cat src/a > dist/new; echo > dist/old; ln -s new dist/link") == Done(
            0, "", NOTHING
        )
        assert tree.read("pkg/dist/link") == "content of pkg/src/a\n"


class TestReads:
    @pytest.mark.parametrize(
        ("command", "named"),
        [
            ("cat src/secret", ["pkg/src/secret"]),
            ("test -e src/secret", ["pkg/src/secret"]),
            ("cat ../other/src/x", ["other/src/x"]),
            ("cd src; cat ../../other/src/x", ["other/src/x"]),
            ("cd ../other; cat src/x", ["other"]),
            ("cat $PWD/../top ../absent", ["top"]),
            ("cd /; cat .$OLDPWD/src/secret", ["pkg/src/secret"]),
            ("cat src/secret >/dev/null 2>&1; exit 0", ["pkg/src/secret"]),
            ("(setsid sh -c 'cat src/secret' & wait)", ["pkg/src/secret"]),
            ("sh -c \"sh -c 'cat src/secret; true'; true\"; true", ["pkg/src/secret"]),
            (f"{PYTHON} -c 'import os; os.path.exists(\"src/secret\")'", ["pkg/src/secret"]),
            (
                f'{PYTHON} -c \'import os; os.open("secret", 0, dir_fd=os.open("src", 0))\'',
                ["pkg/src/secret"],
            ),
            ("git status", [".git/HEAD"]),
            ("src/secret", ["pkg/src/secret"]),
            ("ls src ..; ls absent; cat absent", []),
        ],
    )
    def test_are_named(self, tree: Tree, command: str, named: list[str]) -> None:
        done = tree.run(command)
        assert done.found == Undeclared(named, []), done.out
        assert "content of" not in done.out

    def test_by_a_static_program(self, tree: Tree, tmp_path: Path) -> None:
        if shutil.which("cc") is None:
            pytest.skip("no C compiler here")
        source = tmp_path / "static.c"
        source.write_text('#include <fcntl.h>\nint main(void) { return open("src/secret", O_RDONLY) < 0; }\n')
        made = subprocess.run(["cc", "-static", "-o", tree.root / "pkg/src/program", source])
        if made.returncode:
            pytest.skip("no static C library here")
        tree.readable.append("pkg/src/program")
        assert tree.run("src/program") == Done(1, "", Undeclared(["pkg/src/secret"], []))

    def test_through_a_declared_link_are_declared_if_it_leads_to_a_file(self, tree: Tree) -> None:
        (tree.root / "pkg/src/link").symlink_to("../../other/src/x")
        tree.readable.append("pkg/src/link")
        assert tree.run("cat src/link") == Done(0, "content of other/src/x\n", NOTHING)

    def test_through_a_declared_link_to_a_directory_are_named(self, tree: Tree) -> None:
        (tree.root / "pkg/src/link").symlink_to("../../other")
        tree.readable.append("pkg/src/link")
        assert tree.run("ls src/link").found == NOTHING
        assert tree.run("cat src/link/src/x").found == Undeclared(["other/src/x"], [])

    def test_of_a_link_that_is_not_declared_are_named(self, tree: Tree) -> None:
        (tree.root / "pkg/src/link").symlink_to("a")
        assert tree.run("cat src/link").found == Undeclared(["pkg/src/link"], [])

    def test_by_another_name_of_the_tree_are_named(self, tree: Tree, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to(tree.root)
        tree.root = tmp_path / "alias"
        assert tree.run(
            "cat $OTHER/src/secret", env={"OTHER": str(tmp_path / "alias/pkg")}, names=["OTHER"]
        ).found == (Undeclared(["pkg/src/secret"], []))

    def test_of_odd_names(self, tree: Tree) -> None:
        odd = ["new\nline", "'quote\" ", os.fsdecode(b"\xff\xfe"), "-rf", "n" * 255]
        for name in odd:
            tree.write(f"pkg/odd/{name}", "seen\n")
            tree.write(f"pkg/hidden/{name}")
        tree.readable += [f"pkg/odd/{name}" for name in odd]
        argv = ["sh", "-c", 'for name; do cat "odd/$name"; cat "hidden/$name"; done', "sh", *odd]
        done = tree.run(argv)
        assert done.out.count("seen") == len(odd)
        assert done.found == Undeclared(sorted(f"pkg/hidden/{name}" for name in odd), [])

    def test_of_a_long_path(self, tree: Tree) -> None:
        path = "pkg/" + "/".join("d" * 200 for _ in range(18)) + "/x"
        tree.write(path)
        assert tree.run(["cat", path.removeprefix("pkg/")]).found == Undeclared([path], [])


class TestWrites:
    @pytest.mark.parametrize(
        ("command", "named"),
        [
            ("echo x > made", ["pkg/made"]),
            ("mkdir -p new/deep; echo x > new/deep/x", ["pkg/new/deep/x"]),
            ("echo x >> src/a", ["pkg/src/a"]),
            ("sed -i s/content/other/ src/a", ["pkg/src/a"]),
            ("chmod +x src/a", ["pkg/src/a"]),
            ("rm src/a", ["pkg/src/a"]),
            ("mv src/a src/c", ["pkg/src/a", "pkg/src/c"]),
            ("echo x > ../top", ["top"]),
            ("echo x > ../other/src/x", ["other/src/x"]),
            ("echo x > ../other/src/new", ["other/src/new"]),
            ("mkdir ../other/new", ["other/new"]),
            ("ln -s a src/link", ["pkg/src/link"]),
            ("(setsid sh -c 'echo x > made' & wait)", ["pkg/made"]),
            ("echo x > ../node_modules/.cache", ["node_modules/.cache"]),
            ("rm ../node_modules/left", ["node_modules/left"]),
            ("mkdir -p ../pkg src; echo x > t; rm t; touch /tmp/x; mkdir e; rmdir e", []),
            ("echo x > src/secret", ["pkg/src/secret"]),
            ("echo x > src/secret; rm src/secret", ["pkg/src/secret"]),
        ],
    )
    def test_are_named_and_do_not_reach_the_tree(self, tree: Tree, command: str, named: list[str]) -> None:
        tree.write("node_modules/left")
        tree.tools = ["node_modules"]
        before = {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()}
        done = tree.run(command)
        assert done.found == Undeclared([], named), done.out
        assert before == {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()}


class TestHowItEnds:
    @pytest.mark.parametrize(
        ("command", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("absent-command", 127)]
    )
    def test_with_the_command_s_code(self, tree: Tree, command: str, code: int) -> None:
        assert tree.run(command).code == code

    def test_a_program_that_is_not_there(self, tree: Tree) -> None:
        done = tree.run(["absent-command"])
        assert done.code != 0
        assert "absent-command" in done.out

    def test_what_a_command_leaves_running_is_ended(self, tree: Tree) -> None:
        start = time.monotonic()
        done = tree.run("setsid sleep 1234.5 >/dev/null 2>&1 & echo done")
        assert (done.code, done.out) == (0, "done\n")
        assert time.monotonic() - start < 30
        assert b"1234.5" not in subprocess.run(["ps", "ax"], capture_output=True).stdout

    def test_killing_it_kills_all_that_it_started(self, tree: Tree) -> None:
        box = tree.box(())
        argv = box.command(["sh", "-c", "cat src/secret; echo ready; sleep 4321.5 & sleep 4321.5"])
        with subprocess.Popen(
            argv, env=environment(os.environ, ()), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == b"ready\n"
            running.kill()
        deadline = time.monotonic() + 20
        while b"4321.5" in subprocess.run(["ps", "ax"], capture_output=True).stdout:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert box.undeclared().reads == ["pkg/src/secret"]  # what was seen until then is known

    def test_two_at_once(self, tree: Tree, tmp_path: Path) -> None:
        boxes = [tree.box(place=tmp_path / f"box{n}") for n in range(2)]
        running = [
            subprocess.Popen(box.command(["sh", "-c", f"mkdir dist; echo {n} > dist/{n}"]))
            for n, box in enumerate(boxes)
        ]
        assert [process.wait(60) for process in running] == [0, 0]
        for box in boxes:
            box.land()
        assert sorted(os.listdir(tree.root / "pkg/dist")) == ["0", "1"]


class TestManyFiles:
    def test_ten_thousand(self, tree: Tree) -> None:
        tree.readable = [f"pkg/many/{number % 100}/{number}" for number in range(10_000)]
        for name in tree.readable:
            tree.write(name, "x")
        tree.write("pkg/many/7/undeclared")
        done = tree.run("find many -type f | wc -l; cat many/7/undeclared; mkdir dist; cp -r many/99 dist/")
        assert done.out.split()[0] == "10000"
        assert done.found == Undeclared(["pkg/many/7/undeclared"], [])
        assert len(os.listdir(tree.root / "pkg/dist/99")) == 100

    def test_a_directory_in_which_all_is_declared_is_seen_as_it_is(self, tree: Tree) -> None:
        tree.readable = [f"pkg/whole/{number % 3}/{number}" for number in range(300)]
        for name in tree.readable:
            tree.write(name, "x")
        done = tree.run(
            "find whole -type f | wc -l; echo > whole/new; echo > whole/1/1; rm whole/1/4; cat whole/absent"
        )
        assert done.out.split()[0] == "300"
        assert done.found == Undeclared([], ["pkg/whole/1/1", "pkg/whole/1/4", "pkg/whole/new"])
        assert tree.read("pkg/whole/1/1") == "x"


class TestWholeDirectories:
    FILES = tuple(f"pkg/{part}/{number}" for part in ("src", "lib/deep") for number in range(60))

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        for name in self.FILES:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    @pytest.mark.parametrize(
        ("more", "keep_writable", "found"),
        [
            ("", ["pkg"], []),
            ("", ["pkg/dist"], ["pkg/lib", "pkg/src"]),
            ("", ["other"], ["pkg"]),
            ("", [""], []),
            ("", ["pkg/src/generated"], ["pkg/lib"]),
            ("pkg/lib/undeclared", ["pkg/dist"], ["pkg/lib/deep", "pkg/src"]),
            ("pkg/src/sub/undeclared", ["pkg/dist"], ["pkg/lib"]),
            ("pkg/lib/deep/undeclared", ["pkg/dist"], ["pkg/src"]),
        ],
    )
    def test_are_the_topmost(self, root: Path, more: str, keep_writable: list[str], found: list[str]) -> None:
        if more:
            (root / more).parent.mkdir(exist_ok=True)
            (root / more).touch()
        assert sorted(whole_directories(str(root), self.FILES, keep_writable)) == found

    def test_not_with_a_link_in_it(self, root: Path) -> None:
        (root / "pkg/src/link").symlink_to("../../elsewhere")
        files = [*self.FILES, "pkg/src/link"]
        assert whole_directories(str(root), files, ["pkg/dist"]) == ["pkg/lib"]

    def test_not_with_few_files(self, root: Path) -> None:
        (root / "few").mkdir()
        (root / "few/file").touch()
        assert whole_directories(str(root), ["few/file"], ["pkg"]) == []


class TestWithoutRoot:
    def test_an_ordinary_user(self, tmp_path: Path) -> None:
        if os.getuid() != 0:
            pytest.skip("all the other tests are that")
        script = """if True:
            import os, subprocess, sys, tempfile
            from bnet.build.globs import Patterns
            from bnet.build.sandbox.box import Box, environment
            place = tempfile.mkdtemp(dir="/var/tmp")
            os.chown(place, 65534, 65534)
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            root = place + "/tree"
            os.mkdir(root)
            for name in "ab":
                open(f"{root}/{name}", "w").close()
            outputs = Patterns(["out"], ".")
            box = Box(place + "/box", root, directory=".", readable=["a"], writable=outputs)
            argv = box.command(["sh", "-c", "cat a b; id -u > out; echo > made"])
            argv[0] = sys.argv[1]
            subprocess.run(argv, env=environment(os.environ, ()), stderr=subprocess.DEVNULL)
            print(*box.undeclared())
            box.land()
            print(open(root + "/out").read(), os.stat(root + "/out").st_uid)
            box.remove()
            import shutil
            shutil.rmtree(root)
        """
        # The interpreter of these tests may stand where only root may look.
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
        if python is None:
            pytest.skip("no python3 for everyone here")
        done = subprocess.run([sys.executable, "-c", script, python], capture_output=True, text=True)
        assert done.stderr == ""
        assert done.stdout.split("\n")[:3] == ["['b'] ['made']", "65534", " 65534"]


class TestView:
    @pytest.mark.parametrize(
        ("path", "steps"),
        [
            ("a/b", ["a/b"]),
            ("a/./b//", ["a/b"]),
            ("a/../c", ["c"]),
            ("a/absent", ["a/absent"]),
            ("link", ["link", "a/b"]),
            ("links/b", ["links", "a/b"]),
            ("links/../c", ["links", "c"]),
            ("absolute", ["absolute", "a/b"]),
            ("twice", ["twice", "links", "a/b"]),
            ("out", ["out"]),
            ("../elsewhere", []),
            ("loop", ["loop"]),
        ],
    )
    def test_a_path_is_followed_as_the_kernel_does(self, tmp_path: Path, path: str, steps: list[str]) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a/b").touch()
        (tmp_path / "c").touch()
        for name, target in {
            "link": "a/b",
            "links": "a",
            "absolute": f"{tmp_path}/a/b",
            "twice": "links/b",
            "out": "/etc",
            "loop": "loop",
        }.items():
            (tmp_path / name).symlink_to(target)
        assert list(dict.fromkeys(trail(str(tmp_path), path))) == steps

    def test_a_file_that_is_gone_is_left_out(self, tmp_path: Path) -> None:
        View(str(tmp_path / "view"), str(tmp_path)).fill(["absent/x"])
        assert os.listdir(tmp_path / "view") == []

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        (tmp_path / "view").mkdir()
        (tmp_path / "view/a").touch()
        with pytest.raises(BnetError, match="cannot make 'a' visible: File exists"):
            View(str(tmp_path / "view"), str(tmp_path)).fill(["a"])


class TestCalls:
    def test_each_number_is_that_of_the_kernel_s_headers(self) -> None:
        """The table of this machine's architecture agrees with what its C library was built with."""
        header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
        if not header.exists():
            pytest.skip("no kernel headers of x86_64 here")
        names = {
            int(words[2]): words[1].removeprefix("__NR_")
            for line in header.read_text().splitlines()
            if len(words := line.split()) == 3 and words[2].isdigit()
        }
        source = Path(calls.__file__).read_text()
        for call in calls.CALLS:
            if call.x86_64 >= 0 and call.x86_64 in names:
                assert f"# {names[call.x86_64]}\n" in source
