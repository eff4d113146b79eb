"""One tree, one change: what a build does about it, and what it says."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from workbench import CAT, Bench

from bnet.errors import Invalid
from bnet.wiring.workshop import Workshop


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path / "b", monkeypatch)


# -- nothing to do


def test_a_build_right_after_the_first_touches_nothing(bench: Bench) -> None:
    bench.declare(bench.package("a"), bench.package("b", dependencies=["a"], sources=["**"]))
    assert bench.tiers() == {"a": "full", "b": "full"}
    assert bench.tiers() == {"a": "instant", "b": "instant"}, "though outputs appeared in what was listed"
    assert bench.is_instant()
    assert bench.ran() == ["a", "b"]


def test_a_file_from_the_future_is_as_good_as_any_other(bench: Bench) -> None:
    bench.declare(bench.package())
    os.utime(bench.root / "p/src/one", (4e9, 4e9))
    bench.build()
    assert bench.is_instant()
    bench.write("p/src/one", "2")
    os.utime(bench.root / "p/src/one", (4e9, 4e9))
    assert not bench.is_instant()
    assert bench.tiers() == {"p": "full"}


def test_a_touched_file_is_read_and_builds_nothing(bench: Bench) -> None:
    bench.declare(bench.package())
    bench.build()
    os.utime(bench.root / "p/src/one", (1, 1))
    assert not bench.is_instant()
    assert bench.tiers() == {"p": "fresh"}
    assert bench.is_instant()


def test_an_output_that_stays_the_same_stops_the_ripple(bench: Bench) -> None:
    bench.declare(
        bench.package("a", build_cmd="mkdir -p dist; wc -c < src/one > dist/n"),
        bench.package("b", dependencies=["a"]),
    )
    bench.build()
    bench.write("a/src/one", "2")
    assert bench.tiers() == {"a": "full", "b": "instant"}


def test_a_directory_of_the_path_that_is_missing_costs_nothing(bench: Bench) -> None:
    bench.env["PATH"] = f"{bench.root}/nowhere/bin:{bench.env['PATH']}"
    bench.declare(bench.package(tools=["sh -c 'echo 1'"]))
    bench.build()
    assert bench.is_instant()
    bench.write("nowhere/bin/sh", "#!/bin/sh\necho 2\n", 0o755)
    assert not bench.is_instant(), "there is another sh now"
    assert bench.tiers() == {"p": "full"}


# -- what counts


def change_link_target(bench: Bench) -> None:
    bench.write("common", "2")


def change_behind_two_links(bench: Bench) -> None:
    (bench.root / "middle").unlink()
    (bench.root / "middle").symlink_to("other")


def change_ignored(bench: Bench) -> None:
    bench.write(".gitignore", "two\n")


def change_ignored_nearby(bench: Bench) -> None:
    (bench.root / "p/.gitignore").write_text("two\n")


def change_config_link(bench: Bench) -> None:
    text = (bench.root / "real.yaml").read_text()
    (bench.root / "real.yaml").write_text(text.replace("cat", "cat -u"))


@pytest.mark.parametrize(
    "change",
    [change_link_target, change_behind_two_links, change_ignored, change_ignored_nearby, change_config_link],
)
def test_what_lies_elsewhere_and_counts_is_seen(bench: Bench, change: Callable[[Bench], None]) -> None:
    bench.declare(bench.package())
    (bench.root / "bnet.yaml").rename(bench.root / "real.yaml")
    (bench.root / "bnet.yaml").symlink_to("real.yaml")
    bench.write("common", "1")
    bench.write("other", "0")
    bench.write("p/src/two", "x")
    bench.write("p/.gitignore", "# nothing yet\n")
    (bench.root / "p/src/link").symlink_to("../../common")
    (bench.root / "middle").symlink_to("common")
    (bench.root / "p/src/link2").symlink_to("../../middle")
    bench.build()
    bench.settle()
    bench.build()
    bench.ran()
    change(bench)
    assert not bench.is_instant()
    bench.build()
    assert bench.ran() == ["p"]


def test_what_is_behind_one_link_is_watched_like_a_source(bench: Bench) -> None:
    bench.declare(bench.package())
    bench.write("common", "1")
    (bench.root / "p/src/link").symlink_to("../../common")
    bench.settle()
    bench.build()
    assert bench.is_instant()
    bench.write("common", "2")
    assert not bench.is_instant()
    assert bench.tiers() == {"p": "full"}


def test_the_value_of_a_variable_may_be_no_text(bench: Bench) -> None:
    bench.declare(bench.package(env=["WORD"]))
    bench.env["WORD"] = os.fsdecode(b"\xff")
    assert bench.tiers() == {"p": "full"}
    bench.env["WORD"] = os.fsdecode(b"\xfe")
    assert bench.tiers() == {"p": "full"}


def test_names_of_any_bytes_are_built_kept_and_restored(bench: Bench) -> None:
    names = [b"a b", b'it\'s "so"', b"new\nline", b"caf\xe9", "é".encode(), b"-rf", b"\\"]
    bench.declare(bench.package(build_cmd="mkdir -p dist; cp -R src/. dist/"))
    for name in names:
        bench.write(f"p/src/{os.fsdecode(name)}", name)
    bench.build()
    shutil.rmtree(bench.root / "p/dist")
    assert bench.tiers() == {"p": "local"}
    assert {name: Path(os.fsdecode(b"p/dist/" + name)).read_bytes() for name in names} == {
        n: n for n in names
    }


# -- outputs


def test_modes_and_links_of_outputs_are_kept(bench: Bench) -> None:
    command = "mkdir -p dist; echo 1 > dist/a; cp dist/a dist/x; chmod 755 dist/x; cp dist/a dist/r; chmod 440 dist/r"
    bench.declare(bench.package(build_cmd=f"{command}; ln -s a dist/l; ln -s nowhere dist/dangling"))
    bench.build()
    shutil.rmtree(bench.root / "p/dist")
    assert bench.tiers() == {"p": "local"}
    dist = bench.root / "p/dist"
    modes = {name: stat.S_IMODE((dist / name).stat().st_mode) for name in "axr"}
    assert modes == {"a": 0o644, "x": 0o755, "r": 0o440}
    assert os.readlink(dist / "l") == "a" and os.readlink(dist / "dangling") == "nowhere"


def test_a_restore_leaves_alone_what_is_as_it_was(bench: Bench) -> None:
    bench.declare(bench.package(build_cmd="mkdir -p dist; echo 1 > dist/a; echo 2 > dist/b"))
    bench.build()
    before = (bench.root / "p/dist/a").stat()
    (bench.root / "p/dist/b").unlink()
    bench.write("p/dist/more", "not ours")
    assert bench.tiers() == {"p": "local"}
    assert (bench.root / "p/dist/a").stat() == before
    assert sorted(os.listdir("p/dist")) == ["a", "b"]
    assert sorted(os.listdir("p")) == ["dist", "src"]


def dist_is_a_file(bench: Bench) -> None:
    shutil.rmtree(bench.root / "p/dist")
    bench.write("p/dist", "in the way")


def dist_is_a_link(bench: Bench) -> None:
    (bench.root / "p/dist").rename(bench.root / "elsewhere")
    (bench.root / "p/dist").symlink_to("../elsewhere")
    bench.write("elsewhere/sub/out", "not to be touched")


def a_file_is_a_folder(bench: Bench) -> None:
    (bench.root / "p/dist/sub/out").unlink()
    bench.write("p/dist/sub/out/x", "")
    (bench.root / "p/dist/sub/empty/y").mkdir(parents=True)


def a_folder_is_a_link(bench: Bench) -> None:
    (bench.root / "p/dist/sub").rename(bench.root / "elsewhere")
    (bench.root / "p/dist/sub").symlink_to("../../elsewhere")
    bench.write("elsewhere/out", "not to be touched")


@pytest.mark.parametrize("how", [dist_is_a_file, dist_is_a_link, a_file_is_a_folder, a_folder_is_a_link])
@pytest.mark.parametrize("cached", [True, False])
def test_whatever_stands_where_outputs_belong_makes_way(
    bench: Bench, how: Callable[[Bench], None], cached: bool
) -> None:
    bench.declare(
        bench.package(build_cmd="mkdir -p dist; mkdir dist/sub; echo 1 > dist/sub/out", cache=cached)
    )
    bench.build()
    how(bench)
    assert bench.tiers() == {"p": "local" if cached else "full"}
    assert bench.read("p/dist/sub/out") == "1\n" and not (bench.root / "p/dist/sub").is_symlink()
    for path in bench.root.glob("elsewhere/**/out"):
        assert path.read_text() == "not to be touched"


def test_patterns_of_outputs_take_nothing_from_what_is_installed_or_is_anothers(bench: Bench) -> None:
    bench.declare(
        bench.package("a", outputs=["**/*.js"], build_cmd="echo 1 > src/a.js", sources=["src/one"]),
        bench.package("a/inner"),
    )
    precious = [
        bench.write(f"a/{path}", "x") for path in ("node_modules/m/i.js", ".git/x.js", "inner/lib/y.js")
    ]
    assert bench.tiers() == {"a": "full", "a/inner": "full"}
    assert all(path.exists() for path in precious)


def test_a_pattern_that_names_a_directory_takes_what_is_installed_in_it(bench: Bench) -> None:
    bench.declare(bench.package(build_cmd="mkdir -p dist/node_modules/m; echo 1 > dist/node_modules/m/i.js"))
    bench.build()
    shutil.rmtree(bench.root / "p/dist")
    assert bench.tiers() == {"p": "local"}
    assert bench.read("p/dist/node_modules/m/i.js") == "1\n"


@pytest.mark.parametrize(
    ("one", "two", "path"),
    [
        (["dist/**"], ["dist/**"], "."),
        (["out/**"], ["out/web/**"], "."),
        (["out/web/*.js"], ["out/**"], "."),
        (["out/a.txt"], ["out/*.txt"], "."),
        (["inner/dist/**"], ["dist/**"], "inner"),
    ],
)
def test_outputs_that_overlap_are_refused_before_anything_runs(
    bench: Bench, one: list[str], two: list[str], path: str
) -> None:
    bench.declare({"name": "a", "outputs": one}, {"name": "b", "outputs": two, "path": path})
    with pytest.raises(Invalid, match=r"the outputs of a and b overlap in |is an output of a already"):
        bench.build()
    assert bench.ran() == []


def test_outputs_beside_each_other_are_not_refused(bench: Bench) -> None:
    bench.write("src/one", "1")
    cases = [
        (["out/*.js"], ["out/*.css"]),
        (["out/a/**"], ["out/b/**"]),
        (["out/**", "!out/b/**"], ["out/b/**"]),
    ]
    for one, two in cases:
        make = "mkdir -p out/a out/b; "
        bench.declare(
            {"name": "a", "outputs": one, "build_cmd": make + "echo 1 > out/a/1; echo 1 > out/1.js"},
            {"name": "b", "outputs": two, "build_cmd": make + "echo 2 > out/b/1; echo 1 > out/1.css"},
        )
        assert set(bench.tiers().values()) <= {"full", "local"}, (one, two)
        shutil.rmtree(bench.root / "out")


def test_an_output_that_two_packages_make_is_named(bench: Bench) -> None:
    bench.write("src/one", "1")
    make = "mkdir -p out; echo 1 > out/ab"
    bench.declare(
        {"name": "a", "outputs": ["out/a*"], "build_cmd": make},
        {"name": "b", "outputs": ["out/*b"], "build_cmd": make, "dependencies": ["a"]},
    )
    done = bench.build()
    assert done["a"].result == "success"
    assert (done["b"].result, done["b"].reason) == ("error", "its output out/ab is one of a too")


@pytest.mark.parametrize(
    ("make", "word"), [("mkfifo dist/s", "a pipe"), ("mknod dist/s c 1 3", "a device"), ("", "a socket")]
)
def test_an_output_that_cannot_be_kept_is_named_and_gone_once_it_is_not_made(
    bench: Bench, make: str, word: str
) -> None:
    bench.declare(
        bench.package(
            build_cmd=f"mkdir -p dist; echo 1 > dist/a; {make or 'test -S dist/s'}", incremental=True
        )
    )
    if not make:
        (bench.root / "p/dist").mkdir()
        os.chdir(bench.root / "p/dist")
        socket.socket(socket.AF_UNIX).bind("s")
    elif os.getuid() != 0 and "mknod" in make:
        pytest.skip("only root makes devices")
    done = bench.build()["p"]
    assert (done.result, done.reason) == (
        "failure",
        f"its output p/dist/s is {word}; only files and links are kept",
    )
    bench.declare(bench.package(build_cmd="mkdir -p dist; echo 1 > dist/a"))
    assert bench.tiers() == {"p": "full"}
    assert os.listdir(bench.root / "p/dist") == ["a"]


# -- what people are told


def test_a_pattern_that_means_no_source_is_said(bench: Bench) -> None:
    bench.declare(bench.package(sources=["src/**", "lib/*.c"]))
    assert bench.build()["p"].warnings == ("no file is meant by the source 'p/lib/*.c'",)
    shutil.rmtree(bench.root / "p/dist")
    assert bench.build()["p"].warnings, "when it is restored, too"


def test_no_outputs_are_a_failure_that_names_them(bench: Bench) -> None:
    bench.declare(bench.package(build_cmd="true"))
    done = bench.build()["p"]
    assert (done.result, done.reason) == ("failure", "its command made none of its outputs: p/dist/**")


def test_a_hook_that_fails_runs_once(bench: Bench) -> None:
    hook = 'echo hook >> "$RAN"; exit 4'
    bench.declare(*(bench.package(name) for name in "abc"), hooks={"pre_build": hook})
    assert set(bench.tiers().values()) == {"failure"}
    assert bench.ran() == ["hook"]


# -- edits while it builds


def gated(bench: Bench, edit: Callable[[], object]) -> dict[str, object]:
    """Build, with an edit between the moment a command reads its first source and the end of it."""
    gate, go = bench.root.parent / "gate", bench.root.parent / "go"
    os.mkfifo(gate)
    os.mkfifo(go)

    def editor() -> None:
        gate.read_text()
        edit()
        go.write_text("")

    thread = threading.Thread(target=editor)
    thread.start()
    bench.env.update(GATE=str(gate), GO=str(go))
    try:
        return dict(bench.build())
    finally:
        thread.join()
        gate.unlink()
        go.unlink()


WAIT = 'echo > "$GATE"; cat "$GO"; mkdir -p dist; cat src/* > dist/out; '


@pytest.mark.parametrize(
    "edit",
    [
        lambda bench: bench.write("p/src/one", "2"),
        lambda bench: bench.write("p/src/more", "2"),
        lambda bench: (bench.root / "p/src/two").unlink(),
        lambda bench: bench.write("common", "2"),
        lambda bench: bench.write("p/src/.gitignore", "two\n"),
    ],
    ids=["changed", "added", "removed", "behind a link", "ignored"],
)
def test_what_was_built_from_sources_in_motion_is_not_kept(
    bench: Bench, edit: Callable[[Bench], object]
) -> None:
    bench.write("common", "1")
    bench.write("p/src/two", "x")
    (bench.root / "p/src/link").symlink_to("../../common")
    bench.declare(
        bench.package("p", build_cmd=WAIT),
        bench.package("q", dependencies=["p"], build_cmd="mkdir -p dist; cat ../p/dist/out > dist/out"),
    )
    before = {
        path: path.read_bytes() for path in bench.root.rglob("*") if path.is_file() and not path.is_symlink()
    }
    done = gated(bench, lambda: edit(bench))["p"]
    assert "changed while it was built" in str(getattr(done, "warnings", ""))
    assert not bench.is_instant()
    bench.declare(
        bench.package("p"),
        bench.package("q", dependencies=["p"], build_cmd="mkdir -p dist; cat ../p/dist/out > dist/out"),
    )
    bench.build()
    wanted = "".join(
        (bench.root / "p/src" / name).read_text() for name in sorted(os.listdir("p/src")) if name[0] != "."
    )
    assert bench.read("p/dist/out") == wanted == bench.read("q/dist/out")
    for path in bench.root.rglob("src/*"):
        path.unlink()
    for path, data in before.items():
        path.write_bytes(data)


def test_what_depends_on_sources_in_motion_is_kept_under_what_it_was_made_of(bench: Bench) -> None:
    uses = bench.package("q", dependencies=["p"], build_cmd="mkdir -p dist; cat ../p/dist/out > dist/out")
    bench.declare(bench.package("p", build_cmd=WAIT), uses)
    gated(bench, lambda: bench.write("p/src/one", "2"))
    assert bench.read("q/dist/out") == "2"
    gated(bench, lambda: bench.write("p/src/one", "3"))
    assert bench.read("q/dist/out") == "3", "not what another build in motion has left"


def test_a_shared_source_that_changes_between_two_packages_is_seen_next_time(bench: Bench) -> None:
    bench.write("common.txt", "1")
    cat = "mkdir -p dist; cat ../common.txt > dist/out"
    bench.declare(
        bench.package("a", build_cmd=cat, sources=["/common.txt"]),
        bench.package("b", build_cmd=cat, sources=["/common.txt"], dependencies=["a"]),
    )

    def edit(event: object) -> None:
        if getattr(event, "package", "") == "a" and getattr(event, "outcome", None) is not None:
            bench.settle()
            bench.write("common.txt", "2")

    bench.build(told=edit)
    assert not bench.is_instant()
    bench.build()
    assert bench.read("a/dist/out") == bench.read("b/dist/out") == "2"


def test_a_configuration_that_changes_while_it_builds_is_read_next_time(bench: Bench) -> None:
    bench.declare(bench.package())
    text = json.loads(bench.read("bnet.yaml"))
    text["packages"][0]["build_cmd"] += "; true"
    bench.build(told=lambda event: bench.write("bnet.yaml", json.dumps(text)) and None)
    bench.settle()
    assert not bench.is_instant()
    bench.ran()
    assert bench.tiers() == {"p": "full"}


# -- odd trees


def test_a_tree_without_packages_is_up_to_date(bench: Bench) -> None:
    bench.write("bnet.yaml", "packages: []")
    assert bench.tiers() == {}
    bench.write("bnet.yaml", "")
    assert bench.tiers() == {}


def test_packages_inside_others_and_at_the_top_keep_to_themselves(bench: Bench) -> None:
    bench.write("src/one", "1")
    bench.declare(
        {"name": "top", "sources": ["**"], "build_cmd": CAT},
        bench.package("mid", sources=["**"]),
        bench.package("mid/in", sources=["**"]),
    )
    bench.build()
    bench.ran()
    bench.write("mid/in/src/two", "2")
    bench.build()
    assert bench.ran() == ["mid/in"]
    bench.write("mid/src/two", "2")
    bench.build()
    assert bench.ran() == ["mid"]
    bench.write("two", "2")
    bench.build()
    assert bench.ran() == ["top"]


def test_what_git_ignores_counts_where_it_is_named(bench: Bench) -> None:
    bench.write(".gitignore", "gen/\n*.log\n")
    bench.write("p/gen/one", "1")
    bench.write("p/src/noise.log", "1")
    bench.declare(bench.package(sources=["src/**", "gen/**"], build_cmd="mkdir dist; cat gen/* > dist/out"))
    bench.build()
    bench.ran()
    bench.write("p/src/noise.log", "2")
    bench.build()
    assert bench.ran() == []
    bench.write("p/gen/one", "2")
    bench.build()
    assert bench.ran() == ["p"] and bench.read("p/dist/out") == "2"


def test_a_timeout_is_for_the_hooks_too(bench: Bench) -> None:
    hooks = {"pre_build": "sleep 0.6"}
    bench.declare(bench.package(build_cmd=f"sleep 0.6; {CAT}", hooks=hooks, timeout="1s"))
    done = bench.build()["p"]
    assert (done.result, done.reason) == ("timeout", "it took longer than its timeout of 1 s")


def test_why_a_package_is_built_that_was_not_left_well(bench: Bench) -> None:
    bench.declare(bench.package(build_cmd=f"grep -q 1 src/one && {CAT}"))
    bench.write("p/src/one", "2")
    assert bench.build()["p"].result == "failure"
    bench.write("p/src/one", "1")
    done = bench.build()["p"]
    assert (done.result, done.reason) == ("success", "its last build failed")


def test_a_last_hook_that_fails_is_told_beside_what_was_built(bench: Bench) -> None:
    bench.declare(bench.package(), hooks={"post_build": "echo no room; exit 3"})
    os.chdir(bench.root)
    shop = Workshop(bench.root, bench.env)
    with shop.lock(print):
        build = shop.build(
            ["p"], jobs=1, keep_going=False, force=False, dry_run=False, told=lambda event: None
        )
        report = build.run(["p"])
    assert [each.result for each in report.outcomes] == ["success"]
    assert report.complaint.startswith(
        "the tree's post_build hook ended with exit code 3: no room; its log is "
    )


def test_a_first_hook_that_fails_says_where_its_log_is(bench: Bench) -> None:
    bench.declare(bench.package(), hooks={"pre_build": "exit 3"})
    done = bench.build()["p"]
    assert done.reason == "the tree's pre_build hook ended with exit code 3"
    assert done.log is not None and Path(done.log).name == "%pre_build.log" and Path(done.log).exists()


def test_a_pattern_that_says_the_way_leads_into_other_packages(bench: Bench) -> None:
    bench.write("src/one", "1")
    bench.write("in/manifest", "1")
    bench.write("in/src/manifest", "1")
    bench.declare(
        {"name": "top", "sources": ["**", "*/manifest"]},
        bench.package("in"),
        bench.package("aside"),
        sources=["*/manifest"],
    )
    bench.build()
    bench.ran()
    bench.write("in/manifest", "2")
    bench.build()
    assert sorted(bench.ran()) == ["aside", "in", "top"]
    bench.write("in/src/manifest", "2")
    bench.build()
    assert bench.ran() == ["in"]


def test_ten_thousand_files_in_one_directory(bench: Bench) -> None:
    bench.declare(bench.package(build_cmd="mkdir -p dist; ls src | wc -l > dist/out"))
    for number in range(10_000):
        (bench.root / f"p/src/{number}").touch()
    bench.build()
    assert bench.read("p/dist/out").strip() == "10001"
    (bench.root / "p/src/5000").unlink()
    assert bench.tiers() == {"p": "full"}
    assert bench.read("p/dist/out").strip() == "10000"


def test_a_link_to_a_directory_is_itself_and_not_what_is_in_it(bench: Bench) -> None:
    bench.write("lib/x", "1")
    bench.declare(bench.package(build_cmd="mkdir -p dist; ls -l src > dist/out; readlink src/lib > dist/out"))
    (bench.root / "p/src/lib").symlink_to("../../lib")
    bench.build()
    bench.write("lib/x", "2")
    assert bench.tiers() == {"p": "fresh"}
    (bench.root / "p/src/lib").unlink()
    (bench.root / "p/src/lib").symlink_to("../../dist")
    assert bench.tiers() == {"p": "full"}


def test_files_and_directories_change_places(bench: Bench) -> None:
    bench.declare(bench.package(build_cmd="mkdir -p dist; find src -type f | sort > dist/out"))
    for _ in range(2):
        bench.write("p/src/x", "1")
        bench.build()
        assert bench.read("p/dist/out") == "src/one\nsrc/x\n"
        (bench.root / "p/src/x").unlink()
        bench.write("p/src/x/y", "1")
        bench.build()
        assert bench.read("p/dist/out") == "src/one\nsrc/x/y\n"
        shutil.rmtree(bench.root / "p/src/x")
    assert bench.ran() == ["p", "p"]
