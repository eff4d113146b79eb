"""Artifacts over several servers: handed on, verified, kept in a store, compared, given up."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from blake3 import blake3
from fleet import Fleet, kill
from store_servers import s3


def agents(fleet: Fleet, *names: str) -> None:
    fleet.join_all(names)
    for name in names:
        fleet.start(name)


@pytest.mark.timeout(240)
def test_what_one_server_made_is_in_the_workspace_of_another_before_its_command_runs(fleet: Fleet) -> None:
    fleet.found()
    fleet.join("s1", "--label", "role=make")
    fleet.join("s2", "--label", "role=use")
    making = "mkdir -p out/bin; echo tool >out/bin/tool; chmod 750 out/bin/tool; echo more >out/notes.txt"
    used = "find in -type f -printf '%P %m\\n' | sort; cat in/out/bin/tool"
    made, taken = fleet.submit_all(
        {"name": "make", "command": making, "artifacts": ["out/**"], "labels": {"role": "make"}},
        {
            "name": "use",
            "command": used,
            "inputs": [{"job": "make", "into": "in"}],
            "labels": {"role": "use"},
        },
    )
    assert [need.job for need in fleet.job(taken).spec.needs] == [made], "what is put in is waited for"
    for name in ("s1", "s2"):
        fleet.start(name)
    ended = fleet.until_ended(made, taken)
    assert [ended[each].result.result for each in (made, taken)] == ["success", "success"], fleet.log(taken)
    assert "out/bin/tool 750\nout/notes.txt 644\ntool\n" in fleet.log(taken)

    there = fleet.root / "dist"
    fleet.ok("artifact", "get", str(made), "*.txt", "--output", str(there))
    assert [path.name for path in there.rglob("*.*")] == ["notes.txt"]
    assert "2 artifacts of #1 (attempt 1 on s1)" in fleet.ok("artifact", "verify", f"#{made}.1")
    missing = fleet.bnet("artifact", "get", str(made), "*.whl")
    assert missing.code == 2 and b"nothing matches *.whl; there is out/bin/tool" in missing.err
    assert fleet.bnet("artifact", "get", "12x").code == 2
    assert "all of them were legal" in fleet.ok("audit", "verify")


@pytest.mark.timeout(240)
def test_an_input_does_not_follow_a_link_out_of_the_workspace(fleet: Fleet, tmp_path: Path) -> None:
    fleet.found()
    agents(fleet, "s1")
    outside = tmp_path / "outside"
    outside.mkdir()
    fleet.ok("submit", "--name", "make", "--artifact", "a", "--", "echo x >a")
    tree = tmp_path / "tree"
    tree.mkdir()
    fleet.git("init", "--quiet", str(tree))
    (tree / "in").symlink_to(outside)
    fleet.ok("submit", "--here", "--input", "make:in", "--", "true", cwd=tree)
    ended = fleet.until_ended(2)[2]
    assert ended.result is not None and ended.result.reason == "refused"
    assert "is no directory, or is a link" in fleet.log(2) and not list(outside.iterdir())


BIG = "head -c 3000000 /dev/urandom >big.bin; echo small >small.txt"


def in_store(store: Path) -> list[str]:
    return sorted(path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file())


@pytest.mark.timeout(300)
def test_what_is_too_large_for_git_is_in_the_store_and_what_was_altered_there_is_refused(
    fleet: Fleet, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    fleet.found(settings=f"store: {{url: {store}}}\n")
    agents(fleet, "s1", "s2")
    number = fleet.submit(BIG, "--name", "big", "--artifact", "*.bin", "--artifact", "*.txt")
    ended = fleet.until_ended(number)[number]
    assert ended.result is not None and ended.result.result == "success", fleet.last_words()
    assert {each.place.partition(":")[0] for each in ended.result.artifacts} == {"store"}
    [run] = fleet.look().state.kept[number].runs
    folder = run.place.removeprefix("store:")
    papers = {name: (store / folder / name).read_bytes() for name in ("manifest.json", "provenance.json")}
    assert run.manifest == ended.result.manifest == blake3(papers["manifest.json"]).hexdigest()
    manifest, provenance = (json.loads(text) for text in papers.values())
    assert manifest["provenance"] == blake3(papers["provenance.json"]).hexdigest()
    digests = {each["path"]: each["sha256"] for each in manifest["files"]}
    assert {each["name"]: each["digest"]["sha256"] for each in provenance["subject"]} == digests
    assert provenance["predicate"]["buildDefinition"]["externalParameters"]["command"] == BIG

    there = tmp_path / "there"
    fleet.ok("artifact", "get", str(number), "--output", str(there))
    assert (there / "big.bin").stat().st_size == 3_000_000
    assert hashlib.sha256((there / "big.bin").read_bytes()).hexdigest() == digests["big.bin"]
    big = next(each for each in ended.result.artifacts if each.path == "big.bin")
    blob = store / big.place.removeprefix("store:")
    blob.write_bytes(b"x" + blob.read_bytes()[1:])
    elsewhere = tmp_path / "elsewhere"
    got = fleet.bnet("artifact", "get", str(number), "--output", str(elsewhere))
    assert got.code == 1 and b"big.bin: what is kept has the blake3" in got.err
    assert [path.name for path in elsewhere.iterdir()] == ["small.txt"], "nothing of it is left there"
    looked = fleet.bnet("artifact", "verify", str(number))
    assert looked.code == 1 and b"NO  big.bin" in looked.out and b"ok  small.txt" in looked.out

    said = fleet.bnet("artifact", "prune", str(number))
    assert said.code == 2 and b"--reason" in said.err
    fleet.ok("artifact", "prune", str(number), "--reason", "not needed\x1b[31m")
    assert in_store(store) == [] and number not in fleet.look().state.kept
    assert fleet.bnet("artifact", "get", str(number), "--output", str(elsewhere)).code == 1
    assert "all of them were legal" in fleet.ok("audit", "verify")


@pytest.mark.timeout(300)
def test_an_upload_that_was_killed_is_resumed_and_holds_up_no_sync(fleet: Fleet, tmp_path: Path) -> None:
    store = tmp_path / "not-mounted"
    fleet.found(settings=f"store: {{url: {store}}}\n")
    fleet.join("s1", "--slots", "2")
    fleet.start("s1")
    number = fleet.submit(BIG, "--artifact", "*.bin")
    run = fleet.root / "s1" / "runs" / f"{number}.1"
    fleet.until("an upload is tried", lambda: (run / "keeper.json").exists())
    other = fleet.submit("true")
    assert fleet.until_ended(other)[other].result is not None
    pid = json.loads((run / "keeper.json").read_bytes())["pid"]
    kill(pid)
    assert fleet.job(number).state == "running"
    store.mkdir()
    ended = fleet.until_ended(number)[number]
    assert ended.result is not None and ended.result.result == "success"
    assert fleet.bnet("artifact", "verify", str(number)).code == 0
    file = tmp_path / "Notes.txt"
    file.write_text("x\n")
    fleet.ok("artifact", "put", str(file), "--keep", "1h")
    fleet.ok("artifact", "get", "notes.txt", "--output", str(tmp_path / "got"), home="s1")
    assert (tmp_path / "got" / "Notes.txt").read_text() == "x\n"
    assert "notes.txt" in fleet.ok("artifact", "list")
    fleet.ok("artifact", "prune", "notes.txt", "--reason", "done")
    assert fleet.bnet("artifact", "get", "notes.txt").code == 2


PACKAGE = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    '[project]\nname = "greeting"\nversion = "1.0"\n',
    "greeting.py": 'def greet():\n    return "hi"\n',
    # A wheel by the standard library alone: PEP 517 asks for no more, and nothing has to be downloaded.
    "backend.py": """
import os, zipfile, time

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "greeting-1.0-py3-none-any.whl"
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    at = time.gmtime(int(epoch))[:6] if epoch else time.gmtime()[:6]
    files = {"greeting.py": open("greeting.py").read()}
    if not epoch:
        files["greeting_build.py"] = f"BUILT = {time.time_ns()}\\nWHEN = {time.strftime('%Y-%m-%d %H:%M:%S')!r}\\n"
    files["greeting-1.0.dist-info/METADATA"] = "Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n"
    files["greeting-1.0.dist-info/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files["greeting-1.0.dist-info/RECORD"] = "".join(f"{each},,\\n" for each in files)
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        for each, text in files.items():
            wheel.writestr(zipfile.ZipInfo(each, at), text)
    return name
""",
}
WHEEL = "python3 -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir dist ."


@pytest.mark.timeout(400)
def test_one_package_is_the_same_on_two_servers_and_one_is_not_and_why_is_said(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.found()
    agents(fleet, "s1", "s2")
    tree = tmp_path / "greeting"
    tree.mkdir()
    fleet.git("init", "--quiet", str(tree))
    for name, text in PACKAGE.items():
        (tree / name).write_text(text)
    options = ("--here", "--reproduce", "2", "--artifact", "dist/*.whl")
    fleet.ok(
        "submit", "--name", "good", *options, "-e", "SOURCE_DATE_EPOCH=1577836800", "--", WHEEL, cwd=tree
    )
    fleet.ok("submit", "--name", "bad", *options, "--", WHEEL, cwd=tree)
    ended = fleet.until_ended(1, 2, timeout=150)
    for number in (1, 2):
        assert {each.server for each in ended[number].attempts} == {"s1", "s2"}, fleet.log(number)
    good, bad = ended[1].result, ended[2].result
    assert good is not None and (good.result, good.reason) == ("success", "exit"), fleet.log(1)
    assert bad is not None and (bad.result, bad.reason) == ("failure", "differs")
    assert "greeting-1.0-py3-none-any.whl differs between" in (bad.message or "")

    assert "1 file: the same in #1 (attempt 1 on" in fleet.ok("artifact", "compare", "1")
    told = fleet.bnet("artifact", "compare", "2")
    assert told.code == 1, told.complaint
    assert b"greeting_build.py: time in text\n    -BUILT = " in told.out
    assert "greeting_build.py: time in text" in fleet.ok("show", "2")
    both = fleet.bnet("artifact", "compare", "1", "2", "--json")
    assert both.code == 1 and {each["what"] for each in json.loads(both.out)[0]["why"]} >= {"missing", "time"}
    assert "all of them were legal" in fleet.ok("audit", "verify")


@pytest.mark.timeout(300)
def test_artifacts_go_by_way_of_a_store_on_s3(fleet: Fleet, tmp_path: Path) -> None:
    with s3(tmp_path / "s3") as server:
        fleet.env |= server.env
        fleet.found(settings=f"store: {{url: '{server.url}/artifacts', small: 0}}\n")
        agents(fleet, "s1")
        made, taken = fleet.submit_all(
            {"name": "make", "command": "echo tool >tool", "artifacts": ["tool"]},
            {"name": "use", "command": "cat in/tool", "inputs": [{"job": "make", "into": "in"}]},
        )
        ended = fleet.until_ended(made, taken)
        assert [each.result.result for each in ended.values() if each.result] == ["success"] * 2, fleet.log(
            taken
        )
        assert fleet.log(taken).startswith("tool\n")
        assert fleet.bnet("artifact", "verify", str(made)).code == 0
        fleet.ok("artifact", "prune", str(made), "--reason", "done")
        assert fleet.bnet("artifact", "verify", str(made)).code == 1
