"""Nobody calls bnet: cron does, and what is wanted comes by a plain commit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from daemons import cron
from fleet import Fleet, commit_files, git

import bnet

TOP = Path(bnet.__file__).resolve().parents[1]

# What an installation puts on PATH, for a tree that may not be installed.
PROGRAM = """\
#!{python}
import sys
sys.path.insert(0, {top!r})
from bnet.__main__ import main
main()
"""

WANTED = """\
- submit: {{name: left, command: "echo from the left >>{said}", labels: {{side: left}}}}
- submit: {{name: right, command: "echo from the right >>{said}", labels: {{side: right}}}}
"""


@pytest.mark.slow
@pytest.mark.timeout(330)
def test_cron_takes_a_job_from_a_plain_commit_to_its_end(fleet: Fleet, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "bnet"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, top=str(TOP)))
    program.chmod(0o755)
    # Short, since a crontab's line has an end, and without what only this test's environment has.
    fleet.env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    fleet.poll = 1.0
    fleet.init()
    with cron():
        others = crontab() + b"# somebody's own line, % and all\n"
        subprocess.run(["crontab", "-"], input=others, check=True)
        for side in ("left", "right"):
            words = ["join", fleet.url, "--name", side, "--label", f"side={side}", "--cron"]
            env = fleet.env | {"BNET_HOME": str(fleet.root / side)}
            joined = subprocess.run([program, *words], env=env, capture_output=True, text=True)
            assert joined.returncode == 0, joined.stderr
            assert "cron can start" in " ".join(joined.stderr.split()), joined.stderr

        clone = tmp_path / "clone"
        git(tmp_path, "clone", "--quiet", "--branch", "bnet", fleet.url, str(clone))
        said = tmp_path / "said"
        commit_files(clone, {"coordination/inbox/two sides.yaml": WANTED.format(said=said)}, "please")
        git(clone, "push", "--quiet", "origin", "HEAD")

        # Up to a minute until a sync admits and claims, fifteen seconds of spread, a minute until the next.
        ended = fleet.until("both jobs have ended", lambda: both_ended(fleet), timeout=240)
        assert ended == {"left": ("success", "left", 1), "right": ("success", "right", 1)}
        assert said.read_text().splitlines() in (
            ["from the left", "from the right"],
            ["from the right", "from the left"],
        )
        git(clone, "pull", "--quiet")
        assert not (clone / "coordination/inbox/two sides.yaml").exists()
        for side in ("left", "right"):
            assert "bug" not in (fleet.root / side / "logs" / "cron.log").read_text()
            fleet.ok("server", "leave", home=side)
        assert crontab() == others


def crontab() -> bytes:
    """Return root's crontab as cron tells it."""
    return subprocess.run(["crontab", "-l"], capture_output=True).stdout


def both_ended(fleet: Fleet) -> dict[str, tuple[str, str | None, int]] | None:
    jobs = fleet.look().state.jobs.values()
    found = {
        job.spec.name: (job.result.result, job.result.server, len(job.attempts)) for job in jobs if job.result
    }
    return found if len(found) == 2 else None
