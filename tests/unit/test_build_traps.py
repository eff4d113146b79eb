"""What has fooled a build once: each case is the shortest tree in which it did."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from workbench import Bench

from bnet.process import run

ONE: dict[str, Any] = {
    "name": "p",
    "sources": ["s"],
    "outputs": ["o/**"],
    "build_cmd": "mkdir -p o; cat s > o/x",
}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path / "b", monkeypatch)


# -- what patterns mean


@pytest.mark.parametrize("narrow", ["src/c.json", "src/deep/**", "./src"])
def test_a_narrow_pattern_beside_a_wide_one(bench: Bench, narrow: str) -> None:
    bench.write("src/m.ts", "1")
    bench.write("src/c.json", "{}")
    bench.write("src/deep/d", "1")
    bench.declare(ONE | {"sources": ["**/*.ts", narrow], "build_cmd": "mkdir -p o; cat src/m.ts > o/x"})
    bench.build()
    bench.write("src/m.ts", "2")
    assert bench.tiers() == {"p": "full"} and bench.read("o/x") == "2"


def test_a_narrow_pattern_of_outputs_beside_a_wide_one(bench: Bench) -> None:
    bench.declare(
        ONE
        | {
            "sources": [],
            "outputs": ["**/*.o", "lib/z.a"],
            "build_cmd": "mkdir -p lib; touch lib/a.o lib/z.a",
        }
    )
    bench.build()
    (bench.root / "lib/a.o").unlink()
    assert bench.tiers() == {"p": "local"} and (bench.root / "lib/a.o").exists()


def test_a_wide_pattern_does_not_follow_a_narrow_one_into_another_package(bench: Bench) -> None:
    bench.write("packages/x/hand.map", "by hand")
    bench.write("packages/x/s", "1")
    bench.write("packages/x/deep/t.json", "1")
    bench.declare(
        ONE
        | {
            "sources": ["**/*.json", "packages/x/*.json"],
            "outputs": ["packages/x/*.js", "**/*.map"],
            "build_cmd": "touch packages/x/gen.js a.map",
        },
        {"name": "x", "path": "packages/x", "sources": ["s"], "outputs": [], "build_cmd": "true"},
    )
    bench.build()
    assert bench.read("packages/x/hand.map") == "by hand"
    bench.ran()
    bench.write("packages/x/deep/t.json", "2")
    bench.build()
    assert bench.ran() == []


def test_outputs_of_packages_in_one_directory_are_no_sources_of_each_other(bench: Bench) -> None:
    bench.write("s", "1")
    for_each = [
        {"name": name, "sources": ["**"], "outputs": [f"{name}.out"], "build_cmd": f"date +%s%N > {name}.out"}
        for name in ("a", "b")
    ]
    bench.declare(*for_each)
    bench.build()
    assert set(bench.tiers().values()) <= {"instant", "fresh"}


@pytest.mark.parametrize("missing", ["pkg/opt.json", "pkg/deep/opt.json"])
def test_a_file_that_comes_behind_a_link(bench: Bench, missing: str) -> None:
    bench.write("real/src/a", "1")
    bench.write("real/deep/b", "1")
    (bench.root / "pkg").symlink_to("real")
    inner = missing.removeprefix("pkg/")
    bench.declare(
        ONE
        | {"path": "pkg", "sources": ["src/**", inner], "build_cmd": f"mkdir -p o; cat {inner} > o/x; true"}
    )
    bench.build()
    bench.write(missing, "there")
    assert bench.tiers() == {"p": "full"} and bench.read("pkg/o/x") == "there"


def test_a_gitignore_that_comes_above(bench: Bench) -> None:
    bench.write("p/src/noise.log", "1")
    bench.declare(bench.package(sources=["src/**"]))
    bench.build()
    assert bench.is_instant()
    bench.write("p/.gitignore", "*.log\n")
    assert not bench.is_instant()
    assert bench.tiers() == {"p": "full"}


def test_a_gitignore_that_says_nothing_yet(bench: Bench) -> None:
    bench.write("p/src/.gitignore", "# later\n")
    bench.write("p/src/noise.log", "1")
    bench.declare(bench.package(sources=["src/*.log", "src/one"]))
    bench.build()
    bench.settle()
    bench.write("p/src/.gitignore", "*.log\n")
    assert bench.tiers() == {"p": "full"}


# -- what a key speaks of


@pytest.mark.parametrize("outputs", [[], ["o/**"]], ids=["sources", "outputs"])
def test_a_dependency_that_changes_while_its_user_builds(bench: Bench, outputs: list[str]) -> None:
    what = "lib/o/x" if outputs else "lib/s"
    bench.write("lib/s", "1")
    bench.write("p/s", "1")
    library = ONE | {"name": "lib", "path": "lib", "outputs": outputs}
    if not outputs:
        del library["build_cmd"]
        library["build_cmd"] = "true"
    slow = f"mkdir -p o; touch ../begun; while [ ! -e ../go ]; do sleep 0.01; done; cat ../{what} > o/x"
    bench.declare(library, ONE | {"path": "p", "dependencies": ["lib"], "build_cmd": slow})

    def meddle() -> None:
        while not (bench.root / "begun").exists():
            time.sleep(0.01)
        (bench.root / what).write_text("meddled")
        (bench.root / "go").touch()

    thread = threading.Thread(target=meddle)
    thread.start()
    done = bench.build()
    thread.join()
    assert any(what in warning for warning in done["p"].warnings)
    bench.write(what, "1")
    bench.build()
    assert bench.read("p/o/x") == "1"
    shutil.rmtree(bench.root / "p/o")
    bench.build()
    assert bench.read("p/o/x") == "1"


def test_a_hook_of_the_tree_that_writes_sources_of_a_dependency(bench: Bench) -> None:
    bench.write("lib/s", "1")
    bench.write("p/s", "1")
    packages = [
        ONE | {"name": "lib", "path": "lib", "outputs": [], "build_cmd": "true"},
        ONE | {"path": "p", "dependencies": ["lib"], "build_cmd": "mkdir -p o; cat ../lib/s > o/x"},
    ]
    bench.declare(*packages, hooks={"pre_build": "echo -n generated > lib/s"})
    bench.build()
    bench.declare(*packages)
    bench.write("lib/s", "1")
    bench.build()
    assert bench.read("p/o/x") == "1"


def test_what_is_behind_an_output_that_is_a_link(bench: Bench) -> None:
    bench.write("data", "1")
    bench.write("s", "1")
    bench.declare(
        ONE | {"name": "a", "build_cmd": "mkdir -p oa; ln -sf ../data oa/x", "outputs": ["oa/**"]},
        ONE | {"dependencies": ["a"], "build_cmd": "mkdir -p o; cat oa/x > o/x"},
    )
    bench.build()
    bench.write("data", "2")
    assert not bench.is_instant()
    bench.build()
    assert bench.read("o/x") == "2"


@pytest.mark.parametrize("word", ["LC_ALL=C mark --version", "command -v mark && mark"])
def test_tools_that_are_more_than_a_program(bench: Bench, word: str) -> None:
    bench.env["PATH"] = f"{bench.root}/bin:{bench.env['PATH']}"
    bench.write("bin/mark", "#!/bin/sh\necho 1\n", 0o755)
    bench.write("s", "1")
    bench.declare(ONE | {"tools": [word]})
    bench.build()
    bench.write("bin/mark", "#!/bin/sh\necho 2\n", 0o755)
    assert not bench.is_instant()
    assert bench.tiers() == {"p": "full"}


def test_a_tool_that_fails_is_asked_again(bench: Bench) -> None:
    bench.env["PATH"] = f"{bench.root}/bin:{bench.env['PATH']}"
    bench.write("bin/mark", '#!/bin/sh\ntest -e "$RAN.up" && echo 1\n', 0o755)
    bench.write("s", "1")
    bench.declare(ONE | {"tools": ["mark"]})
    bench.build()
    Path(f"{bench.env['RAN']}.up").touch()
    assert not bench.is_instant()
    assert bench.tiers() == {"p": "full"}


def test_an_entry_under_the_key_of_another(bench: Bench) -> None:
    bench.write("s", "1")
    bench.declare(ONE)
    bench.build()
    (first,) = bench.stored("entries")
    bench.write("s", "2")
    bench.build()
    (second,) = set(bench.stored("entries")) - {first}
    second.write_bytes(first.read_bytes())
    shutil.rmtree(bench.root / "o")
    assert bench.tiers() == {"p": "full"} and bench.read("o/x") == "2"


# -- what is one's own


def test_two_packages_restored_into_one_directory(bench: Bench) -> None:
    def many(name: str) -> dict[str, Any]:
        command = f"mkdir -p o{name}; for i in 1 2 3 4 5 6 7 8 9; do echo {name}$i > o{name}/$i; done"
        return {"name": name, "sources": [], "outputs": [f"o{name}/**"], "build_cmd": command}

    names = list("abcdefgh")
    bench.declare(*map(many, names))
    bench.build()
    bench.ran()
    for _ in range(5):
        for name in names:
            shutil.rmtree(bench.root / f"o{name}")
        assert set(bench.tiers().values()) == {"local"}
        assert all(bench.read(f"o{name}/{i}") == f"{name}{i}\n" for name in names for i in range(1, 10))
    assert not (bench.root / ".bnet").exists() and bench.trouble == ""


def test_outputs_that_another_package_made_are_not_removed(bench: Bench) -> None:
    bench.declare(
        {
            "name": "a",
            "sources": [],
            "outputs": ["dist/*.js"],
            "build_cmd": "mkdir -p dist; echo 1 > dist/app.js",
        },
        {
            "name": "b",
            "sources": [],
            "outputs": ["dist/a*"],
            "dependencies": ["a"],
            "build_cmd": "mkdir -p dist; echo 1 > dist/about.html",
        },
    )
    for _ in range(3):
        done = bench.build()
        assert bench.read("dist/app.js") == "1\n"
        assert done["b"].reason == "its output dist/app.js is one of a too"


@pytest.mark.parametrize("again", [False, True], ids=["built", "restored"])
def test_a_link_on_the_way_to_the_outputs_stays(bench: Bench, again: bool) -> None:
    bench.write("installed/left/i.js", "1")
    bench.write("w/s", "1")
    package = ONE | {
        "path": "w",
        "outputs": ["data/gen/**"],
        "build_cmd": "mkdir -p data/gen; cat s > data/gen/x",
    }
    bench.declare(package)
    if again:
        bench.build()
        shutil.rmtree(bench.root / "w/data")
    (bench.root / "w/data").symlink_to("../installed")
    done = bench.build()["p"]
    assert done.result == "error" and "w/data is a link" in done.reason
    assert bench.read("w/data/left/i.js") == "1" and (bench.root / "w/data").is_symlink()


def test_permissions_are_those_of_the_build(bench: Bench) -> None:
    bench.write("s", "640")
    bench.declare(ONE | {"build_cmd": "mkdir -p o; echo same > o/x; chmod $(cat s) o/x"})
    bench.build()
    bench.write("s", "600")
    bench.build()
    bench.write("s", "640")
    assert bench.tiers() == {"p": "local"}
    assert (bench.root / "o/x").stat().st_mode & 0o777 == 0o640


def test_directories_of_outputs_that_are_read_only(bench: Bench) -> None:
    # Root obeys permissions once it has given up the right to pass them over.
    plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    bench.declare(ONE | {"build_cmd": "mkdir -p o/d; cat s > o/d/x; chmod 555 o/d"})
    for text in "121":
        bench.write("s", text)
        run([*plain, sys.executable, "-m", "bnet", "build"], env=os.environ | bench.env, cwd=bench.root)
        assert bench.read("o/d/x") == text


def test_a_last_hook_that_failed_is_due_until_it_went_well(bench: Bench) -> None:
    bench.write("s", "1")
    bench.declare(ONE, hooks={"post_build": 'echo hook >> "$RAN"; test -e "$RAN.up"'})
    bench.build()
    assert bench.ran() == ["p", "hook"] and not bench.is_instant()
    bench.build()
    assert bench.ran() == ["hook"]
    Path(f"{bench.env['RAN']}.up").touch()
    bench.build()
    assert bench.ran() == ["hook"]
    bench.build()
    assert bench.ran() == []


def test_a_dry_run_brings_nothing_from_the_shared_store(bench: Bench, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    bench.write("s", "1")
    bench.declare(ONE, store={"url": str(store)})
    bench.build()
    shutil.rmtree(bench.cache)
    shutil.rmtree(bench.root / "o")
    assert bench.tiers(dry_run=True) == {"p": "remote"}
    assert bench.stored("entries") == [] and bench.stored("objects") == []
    assert bench.tiers() == {"p": "remote"}
