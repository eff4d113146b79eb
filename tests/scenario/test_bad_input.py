"""Whatever somebody commits to the hub by plain Git: it is named and set aside, and the network goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fleet import Fleet

from bnet.model.state import State

TOP = b"coordination/"
INBOX = TOP + b"inbox/"
JOB = TOP + b"jobs/0000/1/"
ALIVE = b"- submit: {command: 'true', name: from-inbox, not_before: '2099-01-01T00:00:00Z'}\n"
LINK, MODULE = "120000", "160000"

Content = bytes | tuple[str, bytes] | None
"""A file's bytes, a mode with what it points to, or None for its removal."""


class Forge:
    """Somebody with a key to the hub, and trees that no work tree would give: any name, any mode."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare

    def git(self, *words: str, input: bytes | None = None) -> bytes:
        argv = ["git", f"--git-dir={self.bare}", *words]
        return subprocess.run(argv, input=input, check=True, capture_output=True).stdout

    def commit(self, files: Mapping[bytes, Content]) -> None:
        """Put a commit onto the ledger's branch."""
        ref = self.git("symbolic-ref", "HEAD").decode().strip()
        tree = self.git("rev-parse", f"{ref}^{{tree}}").decode().strip()
        for path, content in files.items():
            mode, data = content if isinstance(content, tuple) else ("100644", content)
            oid = data and (data if mode == MODULE else self.git("hash-object", "-w", "--stdin", input=data))
            if data == b"":
                oid = self.git("hash-object", "-w", "--stdin", input=b"")
            tree = self._put(tree, path.split(b"/"), mode, oid and oid.decode().strip())
        made = self.git("commit-tree", tree, "-p", ref, "-m", "by hand").decode().strip()
        self.git("update-ref", ref, made)

    def _put(self, tree: str | None, names: list[bytes], mode: str, oid: str | None) -> str:
        entries = self._entries(tree)
        if len(names) > 1:
            below = entries.get(names[0], ("", ""))
            oid, mode = self._put(below[1] if below[0] == "40000" else None, names[1:], mode, oid), "40000"
        if oid is None:
            entries.pop(names[0], None)
        else:
            entries[names[0]] = (mode, oid)
        ordered = sorted(entries.items(), key=lambda each: each[0] + b"/" * (each[1][0] == "40000"))
        raw = b"".join(
            kind.encode() + b" " + name + b"\0" + bytes.fromhex(id) for name, (kind, id) in ordered
        )
        return (
            self.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", input=raw).decode().strip()
        )

    def _entries(self, tree: str | None) -> dict[bytes, tuple[str, str]]:
        found = {}
        for entry in self.git("ls-tree", "-z", tree).split(b"\0") if tree else []:
            meta, _, name = entry.partition(b"\t")
            if name:
                mode, _, oid = meta.decode().split()
                found[name] = (mode.lstrip("0"), oid)
        return found

    def names(self, under: str) -> list[str]:
        """Return the names of the files in a directory of the ledger."""
        listed = self.git("ls-tree", "-r", "-z", "--name-only", "HEAD", under).split(b"\0")
        return [name.decode(errors="replace").removeprefix(under) for name in listed if name]


class Net:
    """A network with one server, which runs job 1 for as long as the tests last."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.forge = Forge(fleet.root / "hub.git")
        fleet.found(settings="ttl: 600\n")
        fleet.join("a", "--slots", "2")
        fleet.submit("sleep 600", "--name", "long")
        self.sync()

    def sync(self) -> None:
        """Do a round of the server."""
        done = self.fleet.sync("a")
        assert done.code == 0, done.complaint

    def state(self) -> State:
        """Return the hub's state as every command reads it."""
        return self.fleet.look().state

    def pending(self) -> int:
        return sum(job.state == "pending" for job in self.state().jobs.values())

    def problems(self) -> dict[str, str]:
        return {each.path: each.message for each in self.state().problems}

    def goes_on(self) -> None:
        """See that nothing stops: a round takes what was planted, job 1 goes on, a new job is taken and runs.

        The rounds after the first one have nothing more to say of what was planted.
        """
        self.sync()
        number = self.fleet.submit("true", "--name", "alive")

        def ran() -> bool:
            self.sync()
            return self.fleet.job(number).state == "finished"

        self.fleet.until("a new job ran", ran)
        long = self.fleet.job(1)
        assert (long.state, long.spec.name) == ("running", "long")
        assert long.claim is not None and long.claim.attempt == 1


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Net]]:
    """The network that the tests of one process share; each leaves it in order, or the next one says so."""
    made: list[Net] = []
    yield made
    for net in made:
        net.fleet.close()


@pytest.fixture
def net(_shared: list[Net], tmp_path_factory: pytest.TempPathFactory) -> Net:
    if not _shared:
        fleet = Fleet(tmp_path_factory.mktemp("net"))
        _shared.append(Net(fleet))
    return _shared[0]


# -- the inbox

NAMES = (
    b"../x.yaml",
    b"../../../x.yaml",
    b"./y.yaml",
    b".git/x.yaml",
    b"a\x01\x1b[31mb.yaml",
    b"a\xff\xfe.yaml",
    b"a\nBnet-Seq: 99999.yaml",
    b"con.yaml",
    b"\"a'.yaml",
    b"--upload-pack=x.yaml",
    b"a" * 4000 + b".yaml",
    b"readme-not.yaml",
)


def test_names_of_any_bytes_are_taken_once(net: Net) -> None:
    before = net.pending()
    paths = [(INBOX + name).replace(b"inbox/../../../", b"../../../") for name in NAMES]
    net.forge.commit(dict.fromkeys(paths, ALIVE))
    net.goes_on()
    assert net.pending() == before + sum(path.startswith(INBOX) for path in paths)
    assert net.forge.names("coordination/inbox/") == ["README.md"]


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)
)
BROKEN: Mapping[str, tuple[Content, str]] = {
    "no YAML": (b"- submit: [\n", "is no valid YAML"),
    "another type": (b"- submit: {command: make, priority: high}\n", "must be a whole number, not 'high'"),
    "50 MB": (b"#" * 50_000_000, "is over 1,000,000 bytes"),
    "UTF-16": ("- submit: {command: make}\n".encode("utf-16"), "is no UTF-8 text"),
    "a NUL": (b"- submit: {command: 'a\0b'}\n", "control characters are not allowed"),
    "an escaped NUL": (b'- submit: {command: "a\\0b"}\n', "holds a NUL"),
    "a link": ((LINK, b"/etc/passwd"), "is a symbolic link"),
    "a submodule": ((MODULE, b"1" * 40), "is a submodule"),
    "a deep list": (b"[" * 100_000, "is nested deeper than 100 levels"),
    "deep mappings": (b"{a: " * 2000 + b"1" + b"}" * 2000, "is nested deeper than 100 levels"),
    "an alias bomb": (BOMB, "once its aliases are followed"),
    "an alias of itself": (b"&a [*a]", "refers to itself"),
    "a key twice": (b"- submit: {command: make, name: x, name: y}\n", "'name' stands here twice"),
    "Python in a tag": (b"- submit: {command: !!python/object/apply:os.getcwd []}\n", "is no valid YAML"),
    "a job's name that climbs": (b"- submit: {command: make, name: ../../x}\n", "is no name"),
    "an unknown job": (b"- cancel: {job: 99999999}\n", "there is no job #99999999"),
    "an unknown source": (b"- submit: {command: make, source: /nowhere@main}\n", "there is no repository"),
}


def test_files_that_cannot_be_taken_are_kept_with_the_reason(net: Net) -> None:
    files: dict[bytes, Content] = {}
    for number, (content, _) in enumerate(BROKEN.values()):
        files |= {INBOX + b"broken%d.yaml" % number: content, INBOX + b"sound%d.yaml" % number: ALIVE}
    pending = net.pending()
    net.forge.commit(files)
    net.goes_on()
    kept = {
        name: net.forge.git("show", f"HEAD:coordination/rejected/{name}").decode()
        for name in net.forge.names("coordination/rejected/")
    }
    assert len(kept) == len(BROKEN)
    for number, (what, (_, reason)) in enumerate(BROKEN.items()):
        [text] = [each for each in kept.values() if f"inbox/broken{number}.yaml" in each]
        assert reason in text.replace("\n ", "").replace("''", "'"), f"{what}: {text[:500]}"
    assert net.forge.names("coordination/inbox/") == ["README.md"]
    assert net.pending() == pending + len(BROKEN), "sound files beside them were not taken"


@pytest.mark.parametrize(
    "text", [ALIVE.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + ALIVE], ids=["CRLF", "byte order mark"]
)
def test_what_windows_makes_of_a_file_is_taken(net: Net, text: bytes) -> None:
    pending = net.pending()
    net.forge.commit({INBOX + b"windows.yaml": text})
    net.sync()
    assert net.pending() == pending + 1


def test_10_000_jobs_in_one_file_are_too_many_and_2_000_are_not(fleet: Fleet) -> None:
    net = Net(fleet)
    net.forge.commit({INBOX + b"many.yaml": ALIVE * 10_000})
    net.sync()
    [name] = net.forge.names("coordination/rejected/")
    assert b"2,000 jobs at once" in net.forge.git("show", f"HEAD:coordination/rejected/{name}")
    net.forge.commit({INBOX + b"many.yaml": ALIVE * 2_000})
    net.sync()
    assert net.pending() == 2_000
    net.forge.commit({TOP + b"jobs": b"a file where thousands of documents were"})
    net.goes_on()
    assert net.pending() == 2_000


# -- the documents of people


SETTINGS: Mapping[str, Content] = {
    "50 MB": b"#" * 50_000_000,
    "a link": (LINK, b"/etc/passwd"),
    "a submodule": (MODULE, b"1" * 40),
    "refs that are branches": b"telemetry_prefix: refs/heads/\n",
    "refs that are an option": b"telemetry_prefix: '--upload-pack=touch x;'\n",
}


@pytest.mark.parametrize("content", SETTINGS.values(), ids=SETTINGS.keys())
def test_settings_that_cannot_be_read_are_named_and_the_last_ones_hold(net: Net, content: Content) -> None:
    net.forge.commit({TOP + b"hub.yaml": b"ttl: 600\n"})
    net.forge.commit({TOP + b"hub.yaml": content})
    net.goes_on()
    assert list(net.problems()) == ["coordination/hub.yaml"]
    assert "coordination/hub.yaml" in net.fleet.bnet("status").out.decode()
    doctor = net.fleet.bnet("doctor", home="a")
    assert doctor.code == 1 and b"coordination/hub.yaml" in doctor.out
    assert net.state().settings.ttl == 600
    net.forge.commit({TOP + b"hub.yaml": b"ttl: 600\n"})
    net.sync()
    assert net.problems() == {}


STRANGE: Mapping[str, tuple[Mapping[bytes, Content], str]] = {
    "the inbox as a file": ({TOP + b"inbox": ALIVE}, "coordination/inbox"),
    "a broken rejection": ({TOP + b"rejected/x.yaml": b"[[["}, "coordination/rejected/x.yaml"),
}


@pytest.mark.parametrize(("files", "named"), STRANGE.values(), ids=STRANGE.keys())
def test_what_does_not_belong_there_is_named(net: Net, files: Mapping[bytes, Content], named: str) -> None:
    net.forge.commit(files)
    net.goes_on()
    assert named in net.problems()
    readme = {INBOX + b"README.md": b"commands\n"} if named.endswith("inbox") else {}
    net.forge.commit({**dict.fromkeys(files), **readme})
    net.sync()
    assert net.problems() == {}


def test_what_nobody_reads_is_left_alone(net: Net) -> None:
    net.forge.commit({TOP + b"film.bin": b"x" * 2_000_000, TOP + b"odd": (LINK, b"/etc")})
    net.goes_on()
    assert net.problems() == {}
    there = net.fleet.git("--git-dir", net.fleet.url, "ls-tree", "-r", "--name-only", "bnet").split()
    assert {"coordination/film.bin", "coordination/odd"} <= set(there)


# -- the documents of machines

EVIL = b'{"name":"a","instance":"evil","joined_at":"2026-01-01T00:00:00Z"}'
FORGED: Mapping[str, Mapping[bytes, Content]] = {
    "the ledger is gone": {TOP + b"ledger.json": None},
    "the ledger is another's": {TOP + b"ledger.json": b'{"format":1,"hub":"evil","seq":1,"next_job":1}'},
    "the ledger is a directory": {TOP + b"ledger.json": None, TOP + b"ledger.json/x": b"x"},
    "a claim is a link": {JOB + b"claim.json": (LINK, b"job.json")},
    "a server is another machine": {TOP + b"servers/a.json": EVIL},
    "a server that never joined": {TOP + b"servers/ghost.json": EVIL.replace(b'"a"', b'"ghost"')},
    "a server of a device's name": {TOP + b"servers/nul.json": b"{}"},
    "a job in another's place": {TOP + b"jobs/0099/1/job.json": b"{}", TOP + b"jobs/0000/-1/job.json": b"{}"},
    "an archive of nothing": {
        TOP + b"archive/x/\xc2\xb2.jsonl": b"x",
        TOP + b"archive/2026/1.1.jsonl": b"{}",
    },
    "jobs are a file": {TOP + b"jobs": b"x"},
    "servers are a file": {TOP + b"servers": b"x"},
    "keys are a link": {TOP + b"keys": (LINK, b"/etc")},
    "all is a file": {b"coordination": b"x"},
    "all is gone": {b"coordination": None},
}


@pytest.mark.parametrize("files", FORGED.values(), ids=FORGED.keys())
def test_what_machines_wrote_holds_and_is_restored(net: Net, files: Mapping[bytes, Content]) -> None:
    kept = {TOP + b"hub.yaml": b"ttl: 600\n"} if b"coordination" in files else {}
    net.forge.commit({**files, **kept})
    told = net.fleet.bnet("status")
    assert told.code == 0, told.complaint
    assert net.fleet.job(1).state == "running"
    net.goes_on()
    assert net.problems() == {}
    assert [each.name for each in net.state().servers.values()] == ["a"]
    assert net.state().servers["a"].instance != "evil"


def test_a_hub_that_looks_well_to_git_again(net: Net) -> None:
    """What was planted leaves no trace that another clone would stumble over."""
    number = net.fleet.submit("true")
    fresh = net.fleet.bnet("jobs", "--all", "--json", home="somebody-new")
    assert fresh.code == 0, fresh.complaint
    assert f'"number": {number}' in fresh.out.decode()
