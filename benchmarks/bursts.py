"""Many jobs at once: pushes per job, jobs per second, tries per transaction, and from submission to start."""

import json
import os
import subprocess
import threading
import time
from functools import partial
from pathlib import Path

from common import Row, agent_counts, commits, git, ledger_of, network, spread

from bnet.cli.playground import Playground

JOBS, SERVERS, SLOTS = 500, 4, 8
PEER_JOBS, PEER_WORKERS = 60, 4


def burst(root: Path) -> list[Row]:
    """500 trivial jobs on 4 servers with 8 slots each, and the same in the protocol of the real hub."""
    ground = network(root / "bnet", SERVERS, SLOTS)
    before = commits(ground)
    cpu_before = _children_cpu(ground)
    file = root / "jobs.yaml"
    file.write_text(
        "".join(f"- submit: {{name: job{number}, command: ['true']}}\n" for number in range(JOBS))
    )
    begun = time.monotonic()
    ground.ok("submit", "-f", str(file))
    submitted = time.monotonic() - begun
    _until_all(ground, JOBS)
    took = time.monotonic() - begun
    cpu = {name: after - cpu_before[name] for name, after in _children_cpu(ground).items()}
    made = commits(ground) - before
    for name in list(ground.agents):
        ground.stop(name)
    counts = agent_counts(ground)
    peer, peer_rate = _peer(root / "peer")
    agents = sum(cpu.values())
    return [
        Row("pushes per job, burst of 500", f"{counts['pushes'] / JOBS:.3f}", "<= 0.2", f"{made} commits"),
        Row(
            "  the same, in the real hub's protocol",
            f"{peer:.2f}",
            "",
            f"{PEER_JOBS} jobs, {PEER_WORKERS} servers",
        ),
        Row(
            "jobs per second in that burst",
            f"{JOBS / took:.1f}",
            ">= 15",
            f"submission {submitted:.2f} s of it",
        ),
        Row(
            "  the same, in the real hub's protocol",
            f"{peer_rate:.1f}",
            "",
            "claims and results alone, nothing is run",
        ),
        Row(
            "  where the time goes",
            f"{agents / JOBS * 1000:.0f} ms CPU a job",
            "",
            f"agents with their git {agents:.1f} s, of two cores' {2 * took:.1f} s; the rest is runs and hub",
        ),
    ]


def _until_all(ground: Playground, count: int) -> None:
    ledger = ledger_of(ground, "watcher")
    while True:
        ledger.refresh()
        if sum(job.state == "finished" for job in ledger.state.jobs.values()) >= count:
            return
        time.sleep(0.2)


def _children_cpu(ground: Playground) -> dict[str, float]:
    """Return the CPU seconds of each agent and of the programs that it waited for."""
    tick = os.sysconf("SC_CLK_TCK")
    spent = {}
    for name, pid in ground.agents.items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent[name] = sum(map(int, fields[11:15])) / tick
    return spent


def _peer(root: Path) -> tuple[float, float]:
    """Do what the real hub's scripts do: lock, claim and unlock are a push each, and so is the result.

    Every worker has a checkout, pulls with rebase, and pushes again when it was refused.
    """
    root.mkdir()
    hub = root / "hub.git"
    git("init", "-q", "--bare", "-b", "main", str(hub), cwd=root)
    seed = root / "seed"
    git("clone", "-q", str(hub), str(seed), cwd=root)
    _configure(seed)
    (seed / "jobs.json").write_text(
        json.dumps({str(number): "queued" for number in range(PEER_JOBS)}, indent=1)
    )
    git("checkout", "-q", "-b", "main", cwd=seed)
    git("add", ".", cwd=seed)
    git("commit", "-qm", "jobs", cwd=seed)
    git("push", "-q", "origin", "main", cwd=seed)
    pushes = [0] * PEER_WORKERS
    begun = time.monotonic()
    threads = [
        threading.Thread(target=_worker, args=(root, hub, each, pushes)) for each in range(PEER_WORKERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(pushes) / PEER_JOBS, PEER_JOBS / (time.monotonic() - begun)


def _worker(root: Path, hub: Path, number: int, pushes: list[int]) -> None:
    clone = root / f"worker{number}"
    git("clone", "-q", str(hub), str(clone), cwd=root)
    _configure(clone)
    name = f"server{number}"
    while True:
        _fresh(clone)
        jobs = json.loads((clone / "jobs.json").read_text())
        if not {"queued", name} & set(jobs.values()):
            return
        if not _publish(clone, pushes, number, f"{name}: lock", lambda: _lock(clone, name)):
            continue
        taken = _claim(clone, name)
        _publish(clone, pushes, number, f"{name}: claim {taken}", lambda: True, force=True)
        _publish(clone, pushes, number, f"{name}: unlock", lambda: _unlock(clone), force=True)
        if taken is None:
            return
        _publish(clone, pushes, number, f"{name}: result {taken}", partial(_result, clone, taken), force=True)


def _configure(clone: Path) -> None:
    git("config", "user.name", "peer", cwd=clone)
    git("config", "user.email", "peer@example.org", cwd=clone)


def _fresh(clone: Path) -> None:
    git("fetch", "-q", "origin", "main", cwd=clone)
    git("reset", "-q", "--hard", "FETCH_HEAD", cwd=clone)


def _lock(clone: Path, name: str) -> bool:
    if (clone / "lock").exists():
        return False
    (clone / "lock").write_text(name)
    return True


def _unlock(clone: Path) -> bool:
    (clone / "lock").unlink(missing_ok=True)
    return True


def _claim(clone: Path, name: str) -> str | None:
    jobs = json.loads((clone / "jobs.json").read_text())
    taken = next((number for number, state in jobs.items() if state == "queued"), None)
    if taken is not None:
        jobs[taken] = name
        (clone / "jobs.json").write_text(json.dumps(jobs, indent=1))
    return taken


def _result(clone: Path, taken: str) -> bool:
    (clone / f"result-{taken}").write_text("success\n")
    return True


def _publish(clone: Path, pushes: list[int], number: int, message: str, change, force: bool = False) -> bool:
    """Commit a change and push it, with a rebase when others were first; without force, give way to a lock."""
    if not change():
        time.sleep(0.02)
        return False
    git("add", "-A", cwd=clone)
    git("commit", "-q", "--allow-empty", "-m", message, cwd=clone)
    while True:
        pushes[number] += 1
        if (
            subprocess.run(
                ["git", "push", "-q", "origin", "HEAD:main"], cwd=clone, capture_output=True
            ).returncode
            == 0
        ):
            return True
        if not force:
            return False
        rebased = subprocess.run(
            ["git", "pull", "-q", "--rebase", "origin", "main"], cwd=clone, capture_output=True
        )
        if rebased.returncode != 0:
            subprocess.run(["git", "rebase", "--abort"], cwd=clone, capture_output=True)
            return False


def tries(root: Path) -> list[Row]:
    """8 servers, each with work in hand at every cycle, one cycle a second."""
    ground = network(root, 8, 2)
    file = root / "jobs.yaml"
    file.write_text(
        "".join(f"- submit: {{name: job{number}, command: ['sleep', '0.7']}}\n" for number in range(240))
    )
    ground.ok("submit", "-f", str(file))
    _until_all(ground, 240)
    for name in list(ground.agents):
        ground.stop(name)
    counts = agent_counts(ground)
    per = (counts["transactions"] + counts["conflicts"]) / counts["transactions"]
    return [
        Row(
            "tries per transaction, 8 busy servers",
            f"{per:.2f}",
            "<= 1.5",
            f"{counts['transactions']} transactions",
        )
    ]


def latency(root: Path) -> list[Row]:
    """From the call of `bnet submit` to the start of the job's own process, with one agent at rest."""
    ground = network(root, 1, 4)
    stamps = root / "stamps"
    seconds = []
    for number in range(25):
        begun = time.time()
        ground.ok("submit", "--name", f"job{number}", "--", f"date +%s.%N > {stamps}.{number}")
        while not (mark := Path(f"{stamps}.{number}")).exists() or not mark.read_text().strip():
            time.sleep(0.01)
        seconds.append(float(mark.read_text()) - begun)
        time.sleep(0.137 * (number % 7))  # so that submissions fall anywhere within the agent's interval
    for name in list(ground.agents):
        ground.stop(name)
    return [
        Row(
            "submit to start, agent on a local hub", spread(seconds), "", "the call of `bnet submit` included"
        )
    ]
