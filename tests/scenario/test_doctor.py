"""The doctor finds each thing that it looks for, says what to do, and mends what is safe to mend."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from lab import FORMAT_2, TOP, Lab

from bnet.app.doctor import hub as checks_hub
from bnet.app.doctor.examine import CHECKS, examine
from bnet.app.doctor.finding import Finding, Patient
from bnet.app.doctor.repair import mend_machine
from bnet.app.ledger import Ledger
from bnet.app.submit import Letter, Outbox
from bnet.codec.documents import encode
from bnet.errors import BnetError
from bnet.files import write_json
from bnet.host.checkup import HostCheckup
from bnet.host.clock import SystemClock
from bnet.host.home import Home
from bnet.host.lock import HostLock
from bnet.host.notes import LocalNotes
from bnet.host.processes import start_time
from bnet.memory import MemoryHub, Repository
from bnet.model.command import Submit
from bnet.model.run import Intent
from bnet.ports.hub import Update
from bnet.rules.clocks import Skew, zero
from bnet.rules.leases import Observed
from bnet.wiring.duty import Duty
from bnet.wiring.patients import patient_of

RUN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def wrong(found: dict[str, Finding]) -> set[str]:
    return {name for name, each in found.items() if each.ok is False}


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def told(found: dict[str, Finding], check: str) -> str:
    """Return what is said of a check that found something wrong, with its one line of advice."""
    each = found[check]
    assert each.ok is False, each
    assert each.advice and "\n" not in each.advice + each.text
    return f"{each.text} | {each.advice}"


# -- all is well, or there is little to look at


def test_a_server_at_work_is_well(lab: Lab) -> None:
    lab.join("a")
    assert lab.bnet("a", "sync").code == 0
    said = lab.bnet("a", "doctor")
    assert (said.code, wrong(lab.examine("a"))) == (0, set())
    assert said.out.splitlines()[-1].endswith("open") and " 0 not" in said.out.splitlines()[-1]
    assert lab.git("for-each-ref", "--format=%(refname)").split() == [
        "refs/bnet/servers/a",
        "refs/heads/bnet",
    ]


def test_json_is_one_object_for_each_check(lab: Lab) -> None:
    told = lab.bnet("x", "--hub", lab.url, "doctor", "--json").json
    assert [each["check"] for each in told] == list(CHECKS)
    assert {"check", "ok", "text", "advice"} == set(told[0])


def test_without_a_hub_a_home_or_an_environment_it_checks_what_it_can(lab: Lab) -> None:
    said = lab.bnet("x", "doctor", env={"BNET_HUB": ""})
    assert said.code == 0 and "no hub is named" in said.out
    bare = {"PATH": os.environ["PATH"], "BNET_HOME": str(lab.home("x")), "PYTHONPATH": str(TOP)}
    argv = [sys.executable, "-m", "bnet", "doctor"]
    done = subprocess.run(argv, env=bare, cwd=lab.top, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_wrong_things_come_first_and_need_no_colour(lab: Lab) -> None:
    lab.join("a")
    lines = lab.bnet("a", "doctor").out.splitlines()
    assert lines[0] == "NO  sync: no sync has ever looked at the hub"
    assert lines[1] == "      bnet sync"
    assert lab.bnet("a", "doctor").code == 1


def test_a_hub_that_is_away_hides_nothing_else(lab: Lab) -> None:
    lab.join("a")
    lab.bnet("a", "sync")
    lab.submit("me", "true", labels={"os": "plan9"})
    lab.bnet("a", "sync")
    lab.bare.rename(lab.top / "away.git")
    found = lab.examine("a")
    assert "does not appear to be a git repository" in told(found, "reachable")
    assert wrong(found) == {"reachable", "hopeless"}
    assert found["registered"].ok


# -- this machine


def on_machine(lab: Lab, change: Callable[[Path], object], name: str = "a") -> dict[str, Finding]:
    """Return what the doctor finds on a machine without a hub, after something was done to its home."""
    Home(lab.home(name)).ensure()
    change(lab.home(name))
    return lab.examine(name, None)


def test_no_git(lab: Lab) -> None:
    patient = patient_of(lab.machine("a", PATH="/nonexistent"), lab.url)
    found = {each.check: each for each in examine(patient)}
    assert "no git on PATH" in told(found, "git")
    assert found["reachable"].ok is False and found["home"].ok


def test_an_old_git(lab: Lab) -> None:
    script(lab.top / "old" / "git", "echo git version 2.25.1")
    patient = patient_of(lab.machine("a", PATH=str(lab.top / "old")), None)
    assert "2.25.1 is older" in told({each.check: each for each in examine(patient)}, "git")


def test_a_home_that_cannot_be_written(lab: Lab) -> None:
    lab.home("a").write_text("a file is in the way")
    assert "BNET_HOME" in told(lab.examine("a", only="home"), "home")


class PoorHost(HostCheckup):
    """A machine whose disk is full and whose file system has no locks."""

    def disk(self) -> tuple[int, int]:
        return 1000, 10**6

    def unlockable(self) -> str:
        return "the file system has no working lock"

    def schedules(self) -> Sequence[str]:
        return ["cron"]


def poorly(lab: Lab, name: str, url: str | None) -> dict[str, Finding]:
    machine = lab.machine(name)
    host = PoorHost(machine.home, machine.env, machine.clock)
    patient = msgspec.structs.replace(patient_of(machine, url), host=host)
    return {each.check: each for each in examine(patient)}


def test_a_full_disk_and_no_locks(lab: Lab) -> None:
    found = poorly(lab, "a", None)
    assert "du -xh" in told(found, "disk")
    assert "local disk" in told(found, "locks")


def test_a_broken_identity(lab: Lab) -> None:
    found = on_machine(lab, lambda home: (home / "server.yaml").write_text("name: [\n"))
    assert "server.yaml:2" in told(found, "identity")


def test_a_path_without_tools(lab: Lab) -> None:
    machine = lab.join("a")
    assert machine.identity is not None
    machine.keep_identity(msgspec.structs.replace(machine.identity, path="/nonexistent"))
    assert "git and sh" in told(lab.examine("a", None, only="path"), "path")


def test_notes_that_cannot_be_read_are_set_aside(lab: Lab) -> None:
    found = on_machine(lab, lambda home: (home / "observed.json").write_text("{"))
    assert "observed.json" in told(found, "files")
    said = lab.bnet("a", "doctor", "--repair")
    assert "set aside" in said.err and "files" not in wrong(lab.examine("a", None))


def test_secrets_that_others_can_read(lab: Lab) -> None:
    def expose(home: Path) -> None:
        (home / "secrets.env").write_text("TOKEN=1")
        (home / "secrets.env").chmod(0o644)

    assert "chmod go=" in told(on_machine(lab, expose), "secrets")


@pytest.mark.parametrize(
    "line",
    [
        "BNET_FORGE_1 = https://github.com",
        "BNET_FORGE_1: https://github:hunter2hunter2@github.com",
        "export BNET_FORGE=hunter2hunter2",
        "BNET_FORGE_hunter2hunter2",
        "BNET_FORGE_2=https://svn:hunter2hunter2@example.org",
    ],
)
def test_a_token_that_names_no_forge(lab: Lab, line: str) -> None:
    def write(home: Path) -> None:
        good = "export BNET_FORGE_0='https://github:t@github.com'"
        (home / "secrets.env").write_text(f"# tokens\n{good}\nX=1\n{line}\n")
        (home / "secrets.env").chmod(0o600)

    said = told(on_machine(lab, write), "secrets")
    assert "secrets.env:4: names no forge" in said and "https://KIND:TOKEN@HOST" in said
    assert "hunter2" not in said


def test_a_clock_that_is_off(lab: Lab) -> None:
    clock = SystemClock()
    seen = Observed(
        boot_id=clock.boot_id(),
        looked_at=clock.boot(),
        skews={"b": Skew(ahead_s=400.0, seen_at=clock.boot(), zero_s=zero(clock.now(), clock.boot()))},
    )
    found = on_machine(lab, lambda home: LocalNotes(home).keep_observed(seen))
    assert "400 s behind" in told(found, "clock")


def test_a_sync_that_is_long_ago(lab: Lab) -> None:
    lab.join("a")
    lab.bnet("a", "sync")
    (lab.home("a") / "idle.json").unlink(missing_ok=True)
    os.utime(lab.home("a") / "observed.json", (1, 1))
    assert "min ago" in told(lab.examine("a", None, only="sync"), "sync")


def test_a_sync_that_hangs(lab: Lab) -> None:
    def hang(home: Path) -> None:
        lock = HostLock(home / "sync.lock")
        held.append(lock)
        lock.acquire(0)

    held: list[HostLock] = []
    text = told(on_machine(lab, hang), "sync-lock")
    assert f"process {os.getpid()}" in text and "fuser" in text
    held[0].release()


def test_what_starts_the_sync(lab: Lab) -> None:
    lab.join("a")
    assert lab.examine("a", None)["schedule"].ok is None
    line = f"* * * * * /usr/bin/env BNET_HOME={lab.home('a')} PATH=/bin bnet sync"
    script(lab.top / "bin" / "crontab", f"echo '{line}'")
    machine = lab.machine("a", PATH=f"{lab.top}/bin:{os.environ['PATH']}")
    found = {each.check: each for each in examine(patient_of(machine, None))}
    assert found["schedule"].ok and "cron" in found["schedule"].text


def test_letters_in_the_outbox(lab: Lab) -> None:
    letter = Letter(hub=lab.url, by="me", jobs=(Submit(command="true"),))
    found = on_machine(lab, lambda home: Outbox(home / "outbox").put(letter))
    assert "1 submission(s) wait" in told(found, "outbox")
    for path in (lab.home("a") / "outbox").glob("*.json"):
        path.rename(f"{path}.refused")
    assert "were refused" in told(lab.examine("a", None, only="outbox"), "outbox")


def lay_run(home: Path, *, pid: int | None, lease: float | None = None, ended: bool = False) -> Path:
    """Lay down a run directory as a sync and a supervisor do."""
    intent = Intent(run=RUN, job=7, attempt=1, name="x", command="true", ttl_s=300.0, on_lost_lease="finish")
    clock, path = SystemClock(), home / "runs" / "7.1"
    path.mkdir(parents=True)
    (path / "run.json").write_bytes(encode(intent))
    if pid is not None:
        write_json(path / "pid.json", {"pid": pid, "start": start_time(pid) or 1, "boot_id": clock.boot_id()})
    if lease is not None:
        write_json(path / "lease.json", {"boot_id": clock.boot_id(), "until": clock.boot() + lease})
    if ended:
        (path / "exit.json").write_text("{}")
    for each in path.iterdir():
        os.utime(each, (1, 1))
    return path


@pytest.mark.parametrize(
    ("check", "pid", "lease", "ended"),
    [
        ("leases", "alive", 10.0, False),
        ("leases", "alive", None, False),
        ("supervisors", "dead", 100.0, False),
        ("unstarted", None, 100.0, False),
        ("unreported", None, 100.0, True),
    ],
)
def test_runs_in_trouble(lab: Lab, check: str, pid: str | None, lease: float | None, ended: bool) -> None:
    actual = {None: None, "alive": os.getpid(), "dead": 2**22 - 1}[pid]
    found = on_machine(lab, lambda home: lay_run(home, pid=actual, lease=lease, ended=ended))
    assert "#7 attempt 1" in told(found, check)
    assert wrong(found) == {check}


def test_a_run_that_is_well(lab: Lab) -> None:
    assert wrong(on_machine(lab, lambda home: lay_run(home, pid=os.getpid(), lease=150.0))) == set()


# -- files of BNET_HOME that are not what they should be


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A server with a claimed job, which has survived all the damage so far."""
    lab = Lab(tmp_path_factory.mktemp("worn"))
    lab.join("a")
    lab.submit("me", "true", labels={"os": "plan9"})
    syncs(lab)
    return lab


def syncs(lab: Lab) -> None:
    machine = lab.machine("a")
    Duty(machine).node().cycle()
    machine.keep(lab.url, lab.ledger("a"))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut_short(path: Path) -> None:
    path.write_bytes(b'{"tip": "12')


def scribbled(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def a_directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    (path / "inside").mkdir(parents=True)


def a_file(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("in the way")


Harm = Callable[[Path], None]
NOTE: tuple[Harm, ...] = (emptied, cut_short, scribbled, a_directory)
HARM: dict[str, tuple[Harm, ...]] = {
    "observed.json": NOTE,
    "telemetry.json": NOTE,
    "HUB/hub.json": NOTE,
    "HUB/snapshot": NOTE,
    "idle.json": (scribbled, a_directory),
    "sync.lock": (a_directory,),
    "mirror.lock": (a_directory,),
    "logs/sync.log": (a_directory,),
    "outbox/1.json": (emptied, scribbled, a_directory),
    "runs/7.1/run.json": (emptied, scribbled, a_directory),
    "runs/8.1": (a_file,),
    "cache": (a_file,),
    "logs": (a_file,),
    "outbox": (a_file,),
    "runs": (a_file,),
    "HUB": (a_file,),
    "hubs": (a_file,),
}
CASES = [(name, harm) for name, harms in HARM.items() for harm in harms]


@pytest.mark.parametrize(("name", "harm"), CASES, ids=[f"{name} {harm.__name__}" for name, harm in CASES])
def test_what_is_damaged_is_named_and_set_aside(worn: Lab, name: str, harm: Harm) -> None:
    home, hub = worn.home("a"), worn.machine("a").home.hub_dir(worn.url)
    path = hub / name.removeprefix("HUB/") if name != "HUB" and name.startswith("HUB") else home / name
    path = hub if name == "HUB" else path
    path.parent.mkdir(exist_ok=True)
    harm(path)
    shown = path.parent if path.name == "run.json" else path
    text = told(worn.examine("a", only="files"), "files")
    assert str(shown) in text and "bnet doctor --repair" in text
    with suppress(BnetError, OSError):  # for people, not a bug of ours
        worn.ledger("a")
    done = list(mend_machine(patient_of(worn.machine("a"), worn.url)))
    assert f"set aside {shown} as {shown.name}.broken" in done[0]
    assert os.path.lexists(f"{shown}.broken"), "it is kept, whatever it holds"
    assert worn.examine("a", only="files")["files"].ok
    syncs(worn)
    for kept in home.rglob("*.broken"):
        kept.rename(worn.top / uuid.uuid4().hex)


def test_a_run_that_is_alive_keeps_its_directory(lab: Lab) -> None:
    found = on_machine(lab, lambda home: lay_run(home, pid=os.getpid(), lease=150.0))
    (lab.home("a") / "runs" / "7.1" / "run.json").write_text("")
    assert found["files"].ok and lab.examine("a", None, only="files")["files"].ok


@pytest.mark.parametrize("name", ["exit.json", "lease.json", "log", "pid.json", "phase"])
def test_a_run_in_pieces_stops_no_other(lab: Lab, name: str) -> None:
    lab.join("a")
    path = lay_run(lab.home("a"), pid=2**22 - 1, lease=100.0)
    (path / name).unlink(missing_ok=True)
    (path / name / "inside").mkdir(parents=True)
    node = Duty(lab.machine("a")).node()
    assert [fact.key for fact in node.runs.collect()] == ["7.1"]
    node.cycle()


def test_a_letter_that_cannot_be_read_stays_in_sight(lab: Lab) -> None:
    on_machine(lab, lambda home: (home / "outbox" / "1.json").write_text("{"))
    [done] = mend_machine(patient_of(lab.machine("a"), None))
    assert "1.json.broken" in done
    assert "cannot be read" in told(lab.examine("a", None, only="outbox"), "outbox")


def test_an_error_names_the_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "note.json" / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as caught:
        write_json(tmp_path / "note.json", {})
    assert caught.value.filename == str(tmp_path / "note.json")


# -- the mirror


def test_a_pack_without_content_is_damage(lab: Lab) -> None:
    """Git itself is content with it, as long as nothing but the names of the objects is asked for."""
    lab.join("a")
    lab.submit("a", "true")
    packs = lab.machine("a").home.hub_dir(lab.url) / "mirror.git" / "objects" / "pack"
    for pack in packs.glob("*.pack"):
        whole = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(b"short")
        assert pack.name in told(lab.examine("a", only="mirror"), "mirror")
        pack.write_bytes(whole)


def test_a_damaged_mirror_is_kept_while_the_hub_is_away(lab: Lab) -> None:
    lab.join("a")
    mirror = lab.machine("a").home.hub_dir(lab.url) / "mirror.git"
    (mirror / "objects" / "00").mkdir(parents=True, exist_ok=True)
    (mirror / "objects" / "00" / ("0" * 38)).touch()
    lab.bare.rename(lab.top / "away.git")
    [done] = mend_machine(patient_of(lab.machine("a"), lab.url))
    assert "not all on this machine is mended" in done and lab.machine("a").hub(lab.url).known()
    (lab.top / "away.git").rename(lab.bare)
    [done] = mend_machine(patient_of(lab.machine("a"), lab.url))
    assert str(mirror) + ".broken" in done and Path(f"{mirror}.broken").is_dir()


def test_a_damaged_mirror_is_made_anew(lab: Lab) -> None:
    lab.join("a")
    lab.bnet("a", "sync")
    mirror = lab.machine("a").home.hub_dir(lab.url) / "mirror.git"
    for pack in (mirror / "objects" / "pack").glob("*.pack"):
        pack.unlink()
    assert "damaged" in told(lab.examine("a", only="mirror"), "mirror")
    shutil.rmtree(mirror / "objects" / "pack")
    said = lab.bnet("a", "doctor", "--repair")
    assert (said.code, wrong(lab.examine("a"))) == (0, set()), said


def test_an_empty_object_is_damage(lab: Lab) -> None:
    lab.join("a")
    mirror = lab.machine("a").home.hub_dir(lab.url) / "mirror.git"
    (mirror / "objects" / "00").mkdir(parents=True, exist_ok=True)
    (mirror / "objects" / "00" / ("0" * 38)).touch()
    assert "is empty" in told(lab.examine("a", only="mirror"), "mirror")
    assert "made the mirror of the hub anew" in lab.bnet("a", "doctor", "--repair").err
    assert lab.examine("a", only="mirror")["mirror"].ok


def test_lock_files_that_a_killed_process_left(lab: Lab) -> None:
    lab.join("a")
    lock = lab.machine("a").home.hub_dir(lab.url) / "mirror.git" / "packed-refs.lock"
    lock.touch()
    assert "packed-refs.lock" in told(lab.examine("a", only="stale-locks"), "stale-locks")
    assert "removed 1 lock file(s)" in lab.bnet("a", "doctor", "--repair").err
    assert not lock.exists()


def test_nothing_is_mended_under_a_sync(lab: Lab) -> None:
    lab.join("a")
    lock = lab.machine("a").home.hub_dir(lab.url) / "mirror.git" / "packed-refs.lock"
    lock.touch()
    with HostLock(lab.home("a") / "sync.lock"):
        assert "in use" in lab.bnet("a", "doctor", "--repair").err
    assert lock.exists()


# -- the hub


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory away")
def test_a_hub_that_git_does_not_trust(lab: Lab) -> None:
    for path in (lab.bare, *lab.bare.rglob("*")):
        os.chown(path, 12345, 12345)
    assert "safe.directory" in told(lab.examine("a", only="ownership"), "ownership")


def hook(lab: Lab, name: str, text: str) -> None:
    script(lab.bare / "hooks" / name, text)


def test_a_hook_that_refuses_everything_is_quoted(lab: Lab) -> None:
    hook(lab, "pre-receive", "echo 'the freeze lasts until Monday' >&2; exit 1")
    found = lab.examine("a")
    assert "the freeze lasts until Monday" in told(found, "writable")
    assert found["lease"].ok is None


def test_a_protected_branch_is_told_in_the_hubs_words(lab: Lab) -> None:
    lab.join("a")
    hook(lab, "update", 'case $1 in refs/heads/*) echo "GH006: Protected branch" >&2; exit 1;; esac')
    (lab.home("a") / "server.yaml").write_text(
        (lab.home("a") / "server.yaml").read_text().replace("slots: 2", "slots: 3")
    )
    assert lab.bnet("a", "sync").code == 5
    text = told(lab.examine("a", only="refused"), "refused")
    assert "GH006: Protected branch" in text


def test_refs_that_cannot_be_deleted_or_begun_anew(lab: Lab) -> None:
    zeros = "0" * 40
    hook(lab, "update", f'[ "$3" != {zeros} ]')
    assert "cannot be deleted" in told(lab.examine("a", only="deletion"), "deletion")
    hook(lab, "update", f'[ "$2" = {zeros} ] || [ "$3" = {zeros} ]')
    assert "begun anew" in told(lab.examine("a", only="telemetry"), "telemetry")


class LooseHub(MemoryHub):
    """A hub that takes any push, whatever it is based on."""

    def push(self, updates: Sequence[Update]) -> str | None:
        for each in updates:
            self.repository.refs[each.ref] = each.new
            if not each.new:
                del self.repository.refs[each.ref]
        return None


def test_a_hub_that_takes_stale_pushes(lab: Lab) -> None:
    machine = lab.machine("a")
    ledger = Ledger(LooseHub(Repository()), machine.clock, "a", machine.chance)
    patient: Patient = msgspec.structs.replace(patient_of(machine, None), ledger=ledger, url="loose")
    assert "no longer there" in told({each.check: each for each in examine(patient)}, "lease")


def test_a_repository_without_a_ledger(lab: Lab) -> None:
    lab.git("update-ref", "-d", "refs/heads/bnet")
    assert "bnet init" in told(lab.examine("x", only="ledger"), "ledger")


def test_a_newer_format(lab: Lab) -> None:
    lab.ledger("a")
    assert lab.bnet("b", "--hub", lab.url, "hub", "upgrade", before=FORMAT_2).code == 0
    found = lab.examine("a")
    assert "format 2; this bnet understands up to 1" in told(found, "ledger")
    assert found["hopeless"].ok, "what was known before is still looked at"


def test_an_older_format_is_no_fault(lab: Lab) -> None:
    said = lab.bnet("a", "--hub", lab.url, "doctor", "--json", before=FORMAT_2)
    found = {each["check"]: each for each in said.json}
    assert found["ledger"]["ok"] is None and found["ledger"]["advice"] == "bnet hub upgrade"


def test_a_hub_that_was_restored_from_a_backup(lab: Lab) -> None:
    old = lab.tip()
    lab.submit("a", "true")
    new = lab.tip()
    lab.move(old)
    assert "bnet sync" in told(lab.examine("a", only="growth"), "growth")
    assert lab.tip() == old, "the doctor only looks"
    lab.ledger("a")
    assert lab.tip() == new


def test_a_ledger_that_has_diverged(lab: Lab) -> None:
    old = lab.tip()
    lab.submit("a", "true")
    lab.move(old)
    lab.submit("b", "false")
    found = lab.examine("a")
    assert "bnet hub adopt" in told(found, "growth")
    assert "1 waiting" not in found["hopeless"].text and found["hopeless"].ok is False


def test_a_large_hub(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_hub, "MOST_BYTES", 10)
    assert "gc" in told(lab.examine("a", only="size"), "size")


def test_many_refs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_hub, "MOST_REFS", 0)
    assert "1 refs" in told(lab.examine("a", only="refs"), "refs")


def test_telemetry_that_is_nobodys(lab: Lab) -> None:
    lab.join("a")
    lab.git("update-ref", "refs/bnet/servers/gone", lab.tip())
    assert "gone" in told(lab.examine("a", only="leftovers"), "leftovers")
    assert "deleted the telemetry of gone" in lab.bnet("a", "doctor", "--repair").err
    assert lab.examine("a", only="leftovers")["leftovers"].ok


# -- the network


def test_documents_that_people_broke(lab: Lab) -> None:
    made = lab.commit("coordination/hub.yaml", b"ttl: [\n")
    text = told(lab.examine("a", only="documents"), "documents")
    assert made[:10] in text and "coordination/hub.yaml" in text


def test_settings_that_are_gone(lab: Lab) -> None:
    assert lab.examine("a", only="settings")["settings"].ok
    made = lab.commit("coordination/hub.yaml", b"ttl: 60\n")
    assert lab.examine("a", only="settings")["settings"].ok
    lab.commit("coordination/hub.yaml/x", b"")
    found = lab.examine("a")
    assert found["settings"].ok is None and made[:10] in found["settings"].advice
    assert "taken the place" in told(found, "documents")
    assert "took away" in lab.bnet("a", "--hub", lab.url, "doctor", "--repair").err
    assert lab.examine("a", only="documents")["documents"].ok


def test_documents_of_machines_that_people_changed(lab: Lab) -> None:
    lab.commit("coordination/ledger.json", b"{}")
    found = lab.examine("a")
    assert "bnet sync" in told(found, "machine-documents")
    lab.submit("a", "true")
    assert lab.examine("a", only="machine-documents")["machine-documents"].ok


def test_repair_mends_the_hub_by_one_commit_and_says_so(lab: Lab) -> None:
    lab.join("a")
    assert lab.bnet("a", "sync").code == 0
    lab.commit("coordination/hub.yaml", b"name: office\n")
    lab.commit("coordination/ledger.json", b"{}")
    broken = lab.commit("coordination/hub.yaml", b"ttl: [\n")
    said = lab.bnet("a", "doctor", "--repair", "--json", env={"GIT_AUTHOR_EMAIL": "ada@example.org"})
    assert [each["check"] for each in said.json if each["ok"] is False] == []
    assert said.code == 0 and [line.split(" ")[1] for line in said.err.splitlines()] == ["restored", "put"]
    assert lab.git("log", "--format=%s", f"{broken}..bnet").startswith(
        "ada@example.org: reject hub.yaml (line 2: "
    )
    assert lab.git("rev-list", "--count", f"{broken}..bnet") == "1"
    assert lab.git("show", "bnet:coordination/hub.yaml") == "name: office"
    assert lab.bnet("a", "audit", "verify").code == 0
    lab.submit("me", "true")
    assert lab.bnet("a", "sync").err == "a: claim #1\n"


def test_a_file_of_the_inbox_that_was_refused(lab: Lab) -> None:
    lab.join("a")
    lab.commit("coordination/inbox/typo.yaml", b"- sumbit: {command: true}\n")
    assert lab.bnet("a", "sync").code == 0
    text = told(lab.examine("a", only="inbox"), "inbox")
    assert "sumbit" in text and "coordination/rejected/typo." in text


def test_a_server_that_was_removed_or_replaced(lab: Lab) -> None:
    machine = lab.join("a")
    assert machine.identity is not None
    machine.keep_identity(msgspec.structs.replace(machine.identity, instance=uuid.uuid4().hex))
    assert "another machine has joined" in told(lab.examine("a", only="registered"), "registered")
    machine.keep_identity(msgspec.structs.replace(machine.identity, name="b"))
    assert "b is not in the network" in told(lab.examine("a", only="registered"), "registered")


def test_a_copy_of_this_machine(lab: Lab) -> None:
    lab.join("a")
    lab.bnet("a", "sync")
    shutil.copytree(lab.home("a"), lab.home("copy"))
    lab.submit("me", "true")
    lab.bnet("a", "sync")
    assert "somebody else reports as a" in told(lab.examine("copy", only="twin"), "twin")
    assert lab.examine("a", only="twin")["twin"].ok


def test_a_server_that_is_paused(lab: Lab) -> None:
    lab.join("a")
    assert lab.bnet("a", "server", "pause", "--reason", "disk").code == 0
    found = lab.examine("a", only="wanted")["wanted"]
    assert found.ok is None and "paused" in found.text and "disk" in found.text
    assert found.advice == "bnet server resume a"


def test_leases_too_short_for_cron(lab: Lab) -> None:
    lab.join("a")
    lab.commit("coordination/hub.yaml", b"ttl: 60\n")
    assert "ttl: 180" in told(poorly(lab, "a", lab.url), "ttl")
    assert lab.examine("a", only="ttl")["ttl"].ok


def test_a_message_that_cannot_be_read(lab: Lab) -> None:
    lab.join("a")
    lab.commit("messages/2026/11/22/disk.md", b"---\nto: [\n---\nThe disk is full.\n")
    assert "messages/2026/11/22/disk.md:" in told(lab.examine("a", only="messages"), "messages")


def test_a_source_that_is_away(lab: Lab) -> None:
    lab.join("a")
    lab.commit("coordination/sources/app.yaml", b"repository: /nonexistent/app\nsubmit: {command: make}\n")
    assert lab.bnet("a", "steward", "--once").code == 0
    said = told(lab.examine("a", only="sources"), "sources")
    assert "app" in said and "bnet source check" in said


def test_a_channel_whose_address_nobody_has_set(lab: Lab) -> None:
    lab.join("a")
    text = b"channels: {ops: {urls: '${BNET_NOTIFY_OPS}'}}\nroutes: [{name: all, to: [ops], group_wait: 0}]\n"
    lab.commit("coordination/notifications.yaml", text)
    assert lab.bnet("a", "steward", "--once").code == 0
    lab.submit("me", "true")
    assert lab.bnet("a", "steward", "--once").code == 0
    said = told(lab.examine("a", only="notifications"), "notifications")
    assert "channel ops does not work" in said and "BNET_NOTIFY_OPS" in said


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"os": "plan9"}, "needs os=plan9"),
        ({"os": "linux", "gpu": "yes"}, "needs gpu=yes with os=linux"),
    ],
)
def test_jobs_that_no_server_can_ever_run(lab: Lab, labels: dict[str, str], said: str) -> None:
    lab.join("a", labels={"os": "linux"})
    lab.join("b", labels={"gpu": "yes"})
    number = lab.submit("me", "true", labels=labels)
    text = told(lab.examine("a", only="hopeless"), "hopeless")
    assert said in text and f"bnet why {number}" in text


def test_every_check_is_made_to_fail_here() -> None:
    text = Path(__file__).read_text()
    assert [name for name in CHECKS if f'"{name}"' not in text] == []
