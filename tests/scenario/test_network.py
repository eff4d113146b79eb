"""A network from its founding to the last server's leave, by the command line of each machine."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import zygote
from lab import TOP, Said


class Site:
    """A directory in which machines are, each with a BNET_HOME."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.hub = top / "hub.git"

    def start(self, name: str, *words: str, cwd: Path | None = None, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bnet", *words],
            env={**os.environ, "BNET_HOME": str(self.top / name), "PYTHONPATH": str(TOP), **env},
            cwd=cwd or self.top,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def bnet(self, name: str, *words: str, cwd: Path | None = None, **env: str) -> Said:
        whole = {**os.environ, "BNET_HOME": str(self.top / name), "PYTHONPATH": str(TOP), **env}
        code, out, err = zygote.run(words, env=whole, cwd=cwd or self.top)
        return Said(code, out.decode(), err.decode())

    def ok(self, name: str, *words: str, **more: Any) -> Said:
        said = self.bnet(name, *words, **more)
        assert said.code == 0, said.err
        return said

    def git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(at or self.hub), *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def ref(self, name: str, at: Path | None = None) -> str:
        return self.git("for-each-ref", "--format=%(objectname)", name, at=at)

    def founded(self, *words: str) -> Site:
        self.ok("me", "init", str(self.hub), *words)
        return self

    def edit(self, path: str, text: str) -> None:
        """Change a file on the hub as a person does."""
        work = self.top / "edited"
        subprocess.run(["git", "clone", "-q", str(self.hub), str(work)], check=True)
        (work / path).write_text(text)
        self.git("add", path, at=work)
        self.git("commit", "-q", "-m", "by hand", at=work)
        self.git("push", "-q", "origin", "HEAD", at=work)

    def hook(self, body: str) -> None:
        hook = self.hub / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{body}\n")
        hook.chmod(0o755)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def make_repository(path: Path, *, bare: bool = False, content: bool = True) -> Path:
    """Make a repository with one commit on `main`, and something uncommitted where there is a work tree."""

    def git(*words: str) -> None:
        subprocess.run(["git", *words], check=True, capture_output=True)

    work = path.with_name(path.name + ".work") if bare else path
    git("init", "-b", "main", str(work))
    if content:
        (work / "code.txt").write_text("1\n")
        git("-C", str(work), "add", ".")
        git("-C", str(work), "commit", "-m", "first")
    if bare:
        git("clone", "--bare", str(work), str(path))
    else:
        (work / "code.txt").write_text("2\n")
        (work / "staged.txt").write_text("new\n")
        git("-C", str(work), "add", "staged.txt")
    return path


def state_of(path: Path) -> tuple[str, ...]:
    """Return what `init` may not touch in a repository with a work tree."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(path), *words], check=True, capture_output=True, text=True
        ).stdout

    index = (path / ".git" / "index").read_bytes().hex()
    return git("status", "--porcelain"), git("symbolic-ref", "HEAD"), git("rev-parse", "main"), index


class TestInit:
    @pytest.mark.parametrize("there", ["nothing", "an empty directory", "an empty bare repository"])
    def test_a_hub_of_its_own(self, site: Site, there: str) -> None:
        if there == "an empty directory":
            site.hub.mkdir()
        elif there == "an empty bare repository":
            subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(site.hub)], check=True)
        said = site.ok("me", "init", "hub.git", "--name", "my: network", "--ttl", "60")
        assert f"bnet join {site.hub} --name NAME" in said.out
        assert site.git("symbolic-ref", "HEAD") == "refs/heads/bnet"
        head = json.loads(site.git("show", "bnet:coordination/ledger.json"))
        assert head["format"] == 1 and len(head["hub"]) == 36
        message = site.git("log", "-1", "--format=%B", "bnet")
        assert "Bnet-Seq: 0\nBnet-Next-Job: 1\nBnet-Nonce: " in message
        told = site.ok("me", "--hub", str(site.hub), "status", "--json").json
        assert (told["name"], told["seq"], told["servers"]) == ("my: network", 0, [])
        files = site.git("ls-tree", "-r", "--name-only", "bnet").splitlines()
        assert {
            "README.md",
            "coordination/.schemas/hub.json",
            "coordination/.schemas/inbox.json",
            "coordination/hub.yaml",
            "coordination/inbox/README.md",
            "coordination/schedules/README.md",
            "messages/README.md",
            "specs/plan.json",
        } <= set(files)
        settings = site.git("show", "bnet:coordination/hub.yaml")
        assert settings.startswith("# yaml-language-server: $schema=.schemas/hub.json\n")
        assert "\nttl: 60\n" in settings and "# push_budget: 6\n" in settings

    def test_only_a_new_repository_is_configured(self, site: Site) -> None:
        site.founded()
        assert site.git("config", "receive.denyNonFastForwards") == "true"
        make_repository(site.top / "old.git", bare=True)
        before = (site.top / "old.git" / "config").read_bytes()
        site.ok("me", "init", "old.git")
        assert (site.top / "old.git" / "config").read_bytes() == before

    def test_a_bare_repository_with_other_content_gets_an_orphan_branch(self, site: Site) -> None:
        other = make_repository(site.top / "other.git", bare=True)
        main = site.ref("refs/heads/main", other)
        site.ok("me", "init", str(other))
        assert site.git("symbolic-ref", "HEAD", at=other) == "refs/heads/main"
        assert site.ref("refs/heads/main", other) == main
        assert site.git("rev-list", "--count", "bnet", at=other) == "1"
        site.ok("s1", "join", str(other), "--name", "s1")

    def test_a_work_tree_without_a_remote_is_the_hub_and_stays_as_it_is(self, site: Site) -> None:
        work = make_repository(site.top / "work")
        before = state_of(work)
        (work / "deep").mkdir()
        said = site.ok("me", "init", "--json", cwd=work / "deep").json
        assert (said["url"], said["made"]) == (str(work), True)
        assert state_of(work) == before
        assert site.ref("refs/heads/bnet", work)
        site.ok("s1", "join", str(work), "--name", "s1")
        assert state_of(work) == before
        assert [each["name"] for each in site.ok("x", "server", "list", "--json", cwd=work).json] == ["s1"]

    def test_a_work_tree_with_a_remote_has_the_hub_there(self, site: Site) -> None:
        make_repository(site.top / "remote.git", bare=True)
        work = site.top / "clone"
        subprocess.run(["git", "clone", "-q", "remote.git", "clone"], cwd=site.top, check=True)
        site.git("remote", "set-url", "origin", "../remote.git", at=work)
        before = state_of(work)
        assert site.ok("me", "init", "--json", cwd=work).json["url"] == str(site.top / "remote.git")
        assert state_of(work) == before
        assert not site.ref("refs/heads/bnet", work)
        assert site.ref("refs/heads/bnet", site.top / "remote.git")
        assert site.ok("other", "jobs", "--json", cwd=work).json == []

    def test_again_changes_nothing(self, site: Site) -> None:
        tip = site.founded().ref("refs/heads/bnet")
        said = site.ok("other", "init", str(site.hub), "--name", "other")
        assert "is a hub already" in said.out
        assert site.ref("refs/heads/bnet") == tip

    def test_a_ledger_on_the_default_branch_is_found(self, site: Site) -> None:
        site.founded("--branch", "main")
        said = site.ok("other", "init", str(site.hub), "--json").json
        assert (said["made"], said["branch"]) == (False, "main")
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        assert len(site.ok("me2", "--hub", str(site.hub), "server", "list", "--json").json) == 1

    def test_a_clone_of_a_hub_leads_to_it(self, site: Site) -> None:
        site.founded("--branch", "main")
        subprocess.run(["git", "clone", "-q", str(site.hub), "copy"], cwd=site.top, check=True)
        assert site.ok("x", "status", "--json", cwd=site.top / "copy").json["hub"] == str(site.hub)

    def test_another_branch_in_a_repository_with_content_has_to_be_named(self, site: Site) -> None:
        other = make_repository(site.top / "other.git", bare=True)
        said = site.ok("me", "init", str(other), "--branch", "ledger")
        assert "--branch ledger" in said.out
        assert site.bnet("s1", "join", str(other), "--name", "s1").code == 2
        site.ok("s1", "join", str(other), "--branch", "ledger", "--name", "s1")
        site.ok("s1", "sync")
        assert site.ok("x", "--hub", str(other), "jobs", "--json", BNET_BRANCH="ledger").json == []

    def test_a_branch_that_is_something_else_is_left_alone(self, site: Site) -> None:
        other = make_repository(site.top / "other.git", bare=True)
        said = site.bnet("me", "init", str(other), "--branch", "main")
        assert said.code == 2
        assert "is no ledger; nothing was changed" in said.err and "--branch" in said.err

    @pytest.mark.parametrize("racers", [3, 6])
    def test_of_racing_inits_one_wins(self, site: Site, racers: int) -> None:
        started = [site.start(f"m{n}", "init", str(site.hub), "--json") for n in range(racers)]
        ended = [process.communicate(timeout=60) for process in started]
        assert [process.returncode for process in started] == [0] * racers, ended
        told = [json.loads(out) for out, _ in ended]
        assert sorted(each["made"] for each in told) == [False] * (racers - 1) + [True]
        assert len({each["hub"] for each in told}) == 1
        assert site.git("rev-list", "--count", "bnet") == "1"

    def test_nowhere(self, site: Site) -> None:
        said = site.bnet("me", "init")
        assert said.code == 2
        assert "is in no Git repository" in said.err and "bnet init hub.git" in said.err

    def test_a_directory_with_files_is_no_place(self, site: Site) -> None:
        (site.top / "full").mkdir()
        (site.top / "full" / "file").touch()
        said = site.bnet("me", "init", "full")
        assert said.code == 2 and "neither a repository nor an empty directory" in said.err
        assert os.listdir(site.top / "full") == ["file"]

    def test_a_remote_that_does_not_answer(self, site: Site) -> None:
        said = site.bnet("me", "init", "http://127.0.0.1:9/hub.git")
        assert said.code == 4 and "cannot be reached" in said.err

    def test_a_hub_that_takes_nothing(self, site: Site) -> None:
        subprocess.run(["git", "init", "-q", "--bare", str(site.hub)], check=True)
        site.hook("echo 'branches are frozen' >&2; exit 1")
        said = site.bnet("me", "init", str(site.hub))
        assert said.code == 5 and "branches are frozen" in said.err
        assert not site.ref("refs/heads/")

    def test_a_hub_that_was_lost_is_given_back_by_its_servers(self, site: Site) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        site.git("update-ref", "-d", "refs/heads/bnet")
        said = site.bnet("s1", "init", str(site.hub))
        assert said.code == 2 and "bnet sync" in said.err
        site.ok("s1", "sync")
        assert site.ref("refs/heads/bnet")

    def test_a_hub_made_anew_in_the_same_place(self, site: Site) -> None:
        site.founded()
        subprocess.run(["rm", "-rf", str(site.hub)], check=True)
        site.founded("--name", "second")
        assert site.ok("me", "--hub", str(site.hub), "status", "--json").json["name"] == "second"


class TestHubHere:
    def test_nowhere_says_how_to_name_one(self, site: Site) -> None:
        said = site.bnet("me", "jobs")
        assert said.code == 2
        assert "no hub is named" in said.err
        assert all(word in said.err for word in ("--hub", "BNET_HUB", "bnet join", "bnet init"))

    def test_a_repository_that_is_none(self, site: Site) -> None:
        work = make_repository(site.top / "work")
        said = site.bnet("me", "jobs", cwd=work)
        assert said.code == 2 and "is none and has none as its remote" in said.err


class TestJoin:
    def test_what_was_tried_is_told(self, site: Site) -> None:
        site.founded()
        said = site.ok("s1", "join", str(site.hub), "--name", "s1", "--label", "gpu=no", "--slots", "3")
        for name in ("read", "ledger", "write", "lease", "telemetry", "delete", "clock", "pace"):
            assert f"\n{name} " in f"\n{said.err}"
        assert "NO" not in said.err
        [me] = site.ok("s1", "status", "--json").json["servers"]
        assert (me["slots"], me["labels"]["gpu"], me["labels"]["os"]) == (3, "no", sys.platform)
        assert {"arch", "python"} <= me["labels"].keys()
        assert not site.git("for-each-ref", "refs/bnet/")
        assert (site.top / "s1" / "server.yaml").stat().st_mode & 0o777 == 0o600

    def test_again_brings_it_up_to_date(self, site: Site) -> None:
        site.founded()
        words = ("join", str(site.hub), "--name", "s1", "--json")
        first = site.ok("s1", *words, "--label", "os=bsd", "--accept-queue", "fast").json
        assert first["labels"]["os"] == "bsd"
        tip = site.ref("refs/heads/bnet")
        same = site.ok("s1", *words).json
        assert same["done"] == "keep" and site.ref("refs/heads/bnet") == tip
        again = site.ok("s1", *words, "--slots", "0").json
        assert again["done"] == "update" and again["instance"] == first["instance"]
        assert (again["slots"], again["labels"]["os"], again["accept"]["queues"]) == (0, "bsd", ["fast"])

    def test_one_home_is_one_server(self, site: Site) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        said = site.bnet("s1", "join", str(site.hub), "--name", "s2")
        assert said.code == 2 and "BNET_HOME" in said.err and "bnet server leave" in said.err

    @pytest.mark.parametrize("name", ["Upper", "con", "a b", "", "x" * 65])
    def test_no_name(self, site: Site, name: str) -> None:
        said = site.bnet("s1", "join", str(site.hub), "--name", name)
        assert said.code == 2 and "is no name for a server" in said.err

    def test_a_taken_name(self, site: Site) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        said = site.bnet("s2", "join", str(site.hub), "--name", "s1")
        assert said.code == 6 and "--replace" in said.err
        assert not (site.top / "s2" / "server.yaml").exists()

    def test_a_hub_that_is_not_there(self, site: Site) -> None:
        said = site.bnet("s1", "join", str(site.hub), "--name", "s1")
        assert said.code == 4
        assert "read       NO" in said.err and "bnet init" in said.err

    def test_a_repository_without_a_ledger(self, site: Site) -> None:
        make_repository(site.hub, bare=True)
        said = site.bnet("s1", "join", str(site.hub), "--name", "s1")
        assert said.code == 2 and "ledger     NO" in said.err

    def test_a_hub_of_a_newer_format(self, site: Site) -> None:
        site.founded()
        work = site.top / "work"
        subprocess.run(["git", "clone", "-q", str(site.hub), str(work)], check=True)
        (work / "coordination/ledger.json").write_text('{"format": 99, "hub": "x"}\n')
        message = "x: upgrade\n\nBnet-Seq: 1\nBnet-Next-Job: 1\nBnet-Nonce: 1\n"
        site.git("commit", "-q", "-am", message, at=work)
        site.git("push", "-q", "origin", "HEAD", at=work)
        said = site.bnet("s1", "join", str(site.hub), "--name", "s1")
        assert said.code == 2 and "99" in said.err and not (site.top / "s1/server.yaml").exists()

    def test_a_hub_that_takes_no_push(self, site: Site) -> None:
        site.founded().hook("echo 'no pushes today' >&2; exit 1")
        said = site.bnet("s1", "join", str(site.hub), "--name", "s1")
        assert said.code == 5
        assert "write      NO" in said.err and "no pushes today" in said.err
        assert not (site.top / "s1" / "server.yaml").exists()

    def test_a_hub_that_takes_telemetry_but_no_branch(self, site: Site) -> None:
        site.founded().hook("while read a b ref; do case $ref in refs/heads/*) echo no; exit 1;; esac; done")
        said = site.bnet("s1", "join", str(site.hub), "--name", "s1")
        assert said.code == 5 and "the hub refuses the push" in said.err
        assert not (site.top / "s1" / "server.yaml").exists()
        assert not site.git("for-each-ref", "refs/bnet/")

    def test_a_hub_that_lets_nothing_be_deleted(self, site: Site) -> None:
        site.founded()
        site.hook("while read a b ref; do case $b in *[!0]*) ;; *) exit 1;; esac; done")
        said = site.ok("s1", "join", str(site.hub), "--name", "s1")
        assert "delete     NO" in said.err and "to be mended: delete" in said.out

    def test_a_key_that_may_only_read(self, site: Site) -> None:
        site.founded()
        ssh = site.top / "bin" / "ssh"
        ssh.parent.mkdir()
        ssh.write_text(
            "#!/bin/sh\nfor last; do :; done\n"
            'case $last in git-upload-pack*) exec sh -c "$last";; esac\n'
            'echo "ERROR: The key you are authenticating with has been marked as read only." >&2; exit 1\n'
        )
        ssh.chmod(0o755)
        url = f"git@forge.invalid:{site.hub}"
        said = site.bnet("s1", "join", url, "--name", "s1", PATH=f"{ssh.parent}:{os.environ['PATH']}")
        assert said.code == 5
        assert "read       yes" in said.err and "write      NO" in said.err
        assert "marked as read only" in said.err and "deploy key that may write" in said.err

    def test_only_one_of_cron_and_systemd(self, site: Site) -> None:
        assert site.bnet("s1", "join", "h", "--name", "s1", "--cron", "--systemd").code == 2

    def test_a_clone_of_the_hub_means_the_hub(self, site: Site) -> None:
        site.founded()
        subprocess.run(["git", "clone", "-q", str(site.hub), "copy"], cwd=site.top, check=True)
        assert site.ok("s1", "join", "copy", "--name", "s1", "--json").json["hub"] == str(site.hub)

    @pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs this machine")
    def test_no_timer_without_systemd(self, site: Site) -> None:
        site.founded()
        said = site.bnet("s1", "join", str(site.hub), "--name", "s1", "--systemd")
        assert said.code == 2 and "use --cron" in said.err
        assert not (site.top / "s1" / "server.yaml").exists()

    def test_two_join_at_once_under_one_name(self, site: Site) -> None:
        site.founded()
        started = [site.start(f"s{n}", "join", str(site.hub), "--name", "one") for n in range(2)]
        for process in started:
            process.communicate(timeout=60)
        assert sorted(process.returncode for process in started) == [0, 6]
        kept = [(site.top / f"s{n}" / "server.yaml").exists() for n in range(2)]
        assert kept == [process.returncode == 0 for process in started]


class TestReplace:
    def test_a_silent_server_is_replaced_and_its_jobs_go_on(self, site: Site) -> None:
        site.founded("--ttl", "2")
        site.ok("old", "join", str(site.hub), "--name", "s1", "--slots", "1")
        site.ok("me", "--hub", str(site.hub), "submit", "--name", "long", "--", "sleep 300")
        site.ok("old", "sync")
        said = site.ok("new", "join", str(site.hub), "--name", "s1", "--replace", "--json")
        assert "waiting up to 2 s" in said.err
        assert (said.json["done"], said.json["ended"]) == ("replace", [1])
        [job] = site.ok("me", "--hub", str(site.hub), "jobs", "--json").json
        assert (job["state"], job["attempt"]) == ("pending", 1)
        ghost = site.bnet("old", "sync")
        assert ghost.code == 6 and "another machine has joined as s1" in ghost.err
        site.ok("new", "sync", "--no-claim")
        site.ok("old", "server", "leave", "--force")
        assert [each["name"] for each in site.ok("new", "server", "list", "--json").json] == ["s1"]
        assert site.ref("refs/bnet/servers/s1")

    def test_one_that_lives_is_not(self, site: Site) -> None:
        site.founded("--ttl", "10")
        site.ok("old", "join", str(site.hub), "--name", "s1")
        agent = site.start("old", "agent", "--interval", "0.1")
        try:
            while not site.ref("refs/bnet/servers/s1"):
                time.sleep(0.05)
            process = site.start("new", "join", str(site.hub), "--name", "s1", "--replace")
            time.sleep(2.0)
            site.ok("me", "--hub", str(site.hub), "submit", "--", "true")
            _, err = process.communicate(timeout=60)
        finally:
            agent.terminate()
            agent.communicate(timeout=60)
        assert process.returncode == 6 and "lives: it was seen to move" in err
        assert not (site.top / "new" / "server.yaml").exists()

    def test_a_name_that_nobody_has_is_just_taken(self, site: Site) -> None:
        site.founded()
        said = site.ok("s1", "join", str(site.hub), "--name", "s1", "--replace", "--json")
        assert said.json["done"] == "join"

    def test_a_ref_left_by_somebody_does_not_stop_the_first_sync(self, site: Site) -> None:
        site.founded()
        site.git("update-ref", "refs/bnet/servers/s1", site.ref("refs/heads/bnet"))
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        site.ok("s1", "sync")


CRONTAB = """#!/bin/sh
table={table}
case "$1" in
-l) [ -f "$table" ] || {{ echo "no crontab for tester" >&2; exit 1; }}; cat "$table" ;;
-) cat >"$table" ;;
esac
"""


class TestCron:
    @pytest.fixture
    def table(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
        tool = site.top / "bin" / "crontab"
        tool.parent.mkdir()
        tool.write_text(CRONTAB.format(table=shlex.quote(str(site.top / "table"))))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:/usr/local/bin:/usr/bin:/bin")
        return site.top / "table"

    def test_an_entry_comes_and_goes(self, site: Site, table: Path) -> None:
        site.founded()
        table.write_text("5 4 * * * backup\n")
        site.ok("s1", "join", str(site.hub), "--name", "s1", "--cron")
        site.ok("s1", "join", str(site.hub), "--name", "s1", "--cron")
        site.ok("s2", "join", str(site.hub), "--name", "s2", "--cron")
        text = table.read_text()
        assert text.startswith("5 4 * * * backup\n")
        assert text.count("* * * * * /usr/bin/env") == 2
        assert f"BNET_HOME={site.top / 's1'} " in text and f"{sys.executable} -m bnet sync" in text
        site.ok("s1", "server", "leave")
        site.ok("s2", "server", "leave")
        assert table.read_text() == "5 4 * * * backup\n"

    def test_the_entry_works(self, site: Site, table: Path) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1", "--cron")
        [line] = [line for line in table.read_text().splitlines() if line.startswith("*")]
        command = line.split(maxsplit=5)[5].replace(r"\%", "%").partition(" --delay")[0]
        env = {"HOME": os.environ["HOME"], "PYTHONPATH": str(TOP)}
        subprocess.run(["/bin/sh", "-c", command], check=True, env=env)
        assert site.ref("refs/bnet/servers/s1"), (site.top / "s1/logs/cron.log").read_text()

    @pytest.mark.usefixtures("table")
    def test_a_ttl_that_is_too_short_for_it(self, site: Site) -> None:
        site.founded("--ttl", "60")
        said = site.ok("s1", "join", str(site.hub), "--name", "s1", "--cron")
        assert "pace       NO" in said.err and "ttl: 180" in said.err

    def test_a_line_that_is_too_long_is_found_before_joining(self, site: Site, table: Path) -> None:
        site.founded()
        path = os.environ["PATH"] + ":" + ":".join(["/some/where"] * 100)
        said = site.bnet("s1", "join", str(site.hub), "--name", "s1", "--cron", PATH=path)
        assert said.code == 2 and "longer than cron's limit" in said.err
        assert not table.exists() and not (site.top / "s1" / "server.yaml").exists()


class TestLeave:
    def test_with_nothing_left_behind(self, site: Site) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        site.ok("s1", "sync")
        assert site.ref("refs/bnet/servers/s1")
        said = site.ok("s1", "server", "leave", "s1")
        assert "s1 is out of the network" in said.err
        assert not site.ref("refs/bnet/servers/s1")
        assert not (site.top / "s1" / "server.yaml").exists()
        assert site.ok("me", "--hub", str(site.hub), "server", "list", "--json").json == []
        assert site.bnet("s1", "sync").code == 2
        site.ok("s1", "join", str(site.hub), "--name", "s9")
        site.ok("s1", "sync")

    def test_not_while_jobs_run(self, site: Site) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        site.ok("me", "--hub", str(site.hub), "submit", "--", "sleep 300")
        site.ok("s1", "sync")
        said = site.bnet("s1", "server", "leave")
        assert said.code == 2 and "still runs #1" in said.err and "drain" in said.err
        said = site.ok("s1", "server", "leave", "--force")
        assert "taken from it: #1" in said.err
        [job] = site.ok("me", "--hub", str(site.hub), "jobs", "--json").json
        assert (job["state"], job["attempt"]) == ("pending", 1)
        assert (site.top / "s1/runs/1.1/exit.json").exists()

    def test_another_name(self, site: Site) -> None:
        site.founded()
        assert site.bnet("s1", "server", "leave").code == 2
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        said = site.bnet("s1", "server", "leave", "s2")
        assert said.code == 2 and "bnet server remove s2" in said.err

    def test_not_while_a_sync_works(self, site: Site) -> None:
        from bnet.host.lock import HostLock

        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        lock = HostLock(site.top / "s1" / "sync.lock")
        with lock:
            process = site.start("s1", "server", "leave")
            time.sleep(1.0)
            assert process.poll() is None
        process.communicate(timeout=60)
        assert process.returncode == 0

    def test_while_the_hub_is_away_nothing_is_gone(self, site: Site) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        site.hub.rename(site.top / "away.git")
        assert site.bnet("s1", "server", "leave").code == 4
        assert (site.top / "s1" / "server.yaml").exists()
        (site.top / "away.git").rename(site.hub)
        site.ok("s1", "server", "leave")


class TestRemove:
    def test_a_dead_server_goes_and_its_job_goes_on_elsewhere(self, site: Site) -> None:
        site.founded("--ttl", "2")
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        site.ok("me", "--hub", str(site.hub), "submit", "--", "sleep 300")
        site.ok("s1", "sync")
        said = site.ok("me", "--hub", str(site.hub), "server", "remove", "s1")
        assert "taken from it: #1" in said.err
        [job] = site.ok("me", "--hub", str(site.hub), "jobs", "--json").json
        assert (job["state"], job["attempt"]) == ("pending", 1)
        assert not site.git("for-each-ref", "refs/bnet/servers/")
        assert site.bnet("s1", "sync").code == 6
        site.ok("s1", "server", "leave", "--force")

    def test_by_force_at_once(self, site: Site) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        said = site.ok("me", "--hub", str(site.hub), "server", "remove", "s1", "--force")
        assert "waiting" not in said.err
        assert "remove s1" in site.git("log", "-1", "--format=%s", "bnet")

    def test_nobody(self, site: Site) -> None:
        site.founded()
        said = site.bnet("me", "--hub", str(site.hub), "server", "remove", "s1")
        assert said.code == 2 and "there is no server s1" in said.err

    def test_not_oneself(self, site: Site) -> None:
        site.founded()
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        said = site.bnet("s1", "server", "remove", "s1")
        assert said.code == 2 and "bnet server leave" in said.err


class TestStatus:
    def test_one_sentence_first(self, site: Site) -> None:
        site.founded()
        here = ("--hub", str(site.hub), "status")
        assert site.ok("me", *here).out.startswith("0 servers, 0 running, 0 waiting; there is no server yet")
        site.ok("s1", "join", str(site.hub), "--name", "s1", "--slots", "1")
        site.ok("me", "--hub", str(site.hub), "submit", "--name", "a", "--", "sleep 300")
        site.ok("me", "--hub", str(site.hub), "submit", "--name", "b", "--", "true")
        site.ok("s1", "sync")
        said = site.ok("me", *here).out
        assert said.startswith("1 server, 1 running, 1 waiting; all is well\n")
        assert "s ago" in said and "#1   a" in said
        told = site.ok("me", *here, "--json").json
        assert {"hub", "epoch", "seq", "servers", "jobs", "locks"} <= told.keys()
        assert told["jobs"] == {"pending": 1, "running": 1, "finished": 0}
        assert told["servers"][0]["last_seen_s"] < 60
        site.ok("s1", "server", "leave", "--force")

    def test_what_is_wrong(self, site: Site) -> None:
        site.founded("--ttl", "1")
        site.ok("s1", "join", str(site.hub), "--name", "s1")
        site.ok("me", "--hub", str(site.hub), "submit", "--label", "os=plan9", "--", "true")
        time.sleep(1.2)
        site.edit("coordination/hub.yaml", "ttl: soon\n")
        said = site.ok("me", "--hub", str(site.hub), "status").out
        assert '  coordination/hub.yaml:1: field "ttl"' in said
        assert "s1 has joined and was never seen" in said.splitlines()[0]
        assert "no server can run #1; `bnet why 1` says why" in said
