"""Four servers, and people who are told what happens: python tests/crash/evening.py [--minutes N] [--seed S].

Jobs of every kind come by a plan, servers and stewards are killed and the hub goes away by another one that the seed
makes; the dashboard is published each minute, a report comes by the clock, and a webhook and a mail server on
loopback get what people are told. At the end the ledger and the plan say what had to be told, what had not, and
what the dashboard and the reports have to show; a table says how that compares.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import rooms  # noqa: F401  before `fleet`
from evening_judge import judge
from evening_work import DEDUP, ESCALATION, GROUP_WAIT, Work
from fleet import Fleet, kill
from listeners import Listeners

from bnet.errors import BnetError

SERVERS = ("a", "b", "c", "d")
TTL = 30.0
DOWN = 100.0  # seconds that a server is away, which is long enough to be told of
BLINK = 3.0  # ... and too short for it
AWAY = 60.0  # seconds without the hub
PATIENCE = 400.0  # seconds for all to be done and told once nothing goes wrong any more
SETTINGS = f"ttl: {TTL:g}\nintervals: {{agent: 1, idle_heartbeat: 30}}\n"
NOTIFICATIONS = """\
dedup: {dedup:g}
limits: {{minute: 60, hour: 1000}}
quiet: {{start: "{start}", end: "{end}", zone: Asia/Kolkata}}
channels:
  hook: {{urls: "{hook}"}}
  mail: {{urls: "${{BNET_NOTIFY_MAIL}}", tags: [team]}}
  watch: {{urls: "{watch}"}}
  boss: {{urls: "{boss}"}}
  digest: {{urls: "{digest}"}}
routes:
  - {{name: outcomes, to: [hook], events: [job.failed, job.timeout, job.error, job.fixed],
     jobs: [wheel, muted, taken], group_by: [key], group_wait: 0, quiet: false}}
  - {{name: ended, to: [hook], events: [job.cancelled], group_wait: 0, quiet: false}}
  - {{name: approvals, to: [hook], events: [approval.wanted, approval.given], group_wait: 0, quiet: false}}
  - {{name: packages, to: [hook], events: [job.failed, job.fixed], packages: [core], group_wait: 0, quiet: false}}
  - {{name: bursts, to: [mail], events: [job.failed], jobs: ["burst*"], group_wait: {group:g}, quiet: false}}
  - {{name: post, to: [mail], events: [message.unacknowledged], quiet: false, group_by: [key], group_wait: 0,
     escalate: [{{after: {escalation:g}, to: [boss]}}]}}
  - {{name: servers, to: [watch], events: [server.lost], group_wait: 0}}
  - {{name: disks, to: [watch], events: [disk.warning], quiet: false}}
  - {{name: nightly, to: [digest], events: [job.succeeded], jobs: [doc], group_wait: 5}}
"""
REPORTS = """\
trial: {cron: "*/3 * * * *", period: 3m, kind: detailed, deliver: [team], attach: [html, csv, json]}
"""


class Evening:
    """The network, and what has been done to it; all times are of this machine's clock."""

    def __init__(self, root: Path, minutes: float, seed: int) -> None:
        """Make the network, with people who want to be told."""
        self.seconds, self.chance = minutes * 60, random.Random(seed)
        self.fleet, self.listeners = Fleet(root), Listeners()
        self.fleet.poll = 1.0
        self.over = threading.Event()
        self.hub_is_there = threading.Event()
        self.hub_is_there.set()
        self.down: list[tuple[str, float, float]] = []  # server, from, to
        self.stewards: list[float] = []  # when a steward was killed, alone or with its server
        self.away: list[tuple[float, float]] = []  # the hub
        self.published = 0
        self.trouble: list[str] = []

    def found(self) -> None:
        """Make the hub, its settings and its servers; start them."""
        fleet, listeners = self.fleet, self.listeners
        fleet.found(settings=SETTINGS)
        for name in SERVERS:
            fleet.join(name, "--slots", "2", "--label", f"name={name}")
            (fleet.root / name / "secrets.env").write_text(f"BNET_NOTIFY_MAIL={listeners.mail()}\n")
        self.begun = time.time()
        start = datetime.fromtimestamp(self.begun + 0.45 * self.seconds, UTC).replace(second=0, microsecond=0)
        self.quiet = (
            (start + timedelta(minutes=1)).timestamp(),
            (start + timedelta(minutes=1 + max(1, round(self.seconds * 0.15 / 60)))).timestamp(),
        )
        kolkata = [datetime.fromtimestamp(each + 5.5 * 3600, UTC) for each in self.quiet]
        text = NOTIFICATIONS.format(
            dedup=DEDUP,
            group=GROUP_WAIT,
            escalation=ESCALATION,
            start=f"{kolkata[0]:%H:%M}",
            end=f"{kolkata[1]:%H:%M}",
            **{name: listeners.web(name) for name in ("hook", "watch", "boss", "digest")},
        )
        fleet.commit("coordination/notifications.yaml", text)
        fleet.commit("coordination/reports.yaml", REPORTS)
        for name in SERVERS:
            fleet.start(name)
        fleet.until(
            "somebody is the steward", lambda: fleet.look().state.notices is not None, timeout=PATIENCE
        )
        self.begun = time.time()

    # -- what goes wrong

    def harm(self) -> None:
        """Do one thing after another, each in its part of the evening."""
        faults = [self._blink, self._lose, self._lose, self._behead, self._behead, self._behead, self._leave]
        self.chance.shuffle(faults)
        begin, part = 0.08 * self.seconds, 0.8 * self.seconds / len(faults)
        for index, fault in enumerate(faults):
            due = self.begun + begin + part * (index + self.chance.uniform(0.05, 0.2))
            if self.over.wait(max(0.0, due - time.time())):
                return
            fault()

    def _blink(self) -> None:
        self._kill_server(BLINK)

    def _lose(self) -> None:
        self._kill_server(DOWN)

    def _kill_server(self, seconds: float) -> None:
        name = self.chance.choice(SERVERS)
        self._say(f"server {name} is killed, for {seconds:g} s")
        was_steward = name in self._stewards()
        at = time.time()
        self.fleet.kill(name)
        self.stewards += [time.time()] * was_steward
        self.over.wait(seconds)
        self.fleet.start(name)
        self.down.append((name, at, time.time()))

    def _behead(self) -> None:
        found = self._stewards()
        self._say(f"the steward is killed: {' '.join(found) or 'there is none'}")
        for pid in found.values():
            kill(pid)
        self.stewards += [time.time()] * bool(found)

    def _stewards(self) -> dict[str, int]:
        return {
            name: each.pid
            for name in SERVERS
            for each in self.fleet.marked(name)
            if "steward" in each.cmdline()
        }

    def _leave(self) -> None:
        self._say("the hub is away")
        hub = Path(self.fleet.url)
        self.hub_is_there.clear()
        at = time.time()
        hub.rename(hub.with_name("away.git"))
        self.over.wait(AWAY)
        hub.with_name("away.git").rename(hub)
        self.away.append((at, time.time()))
        self.hub_is_there.set()

    def publish(self) -> None:
        """Publish the dashboard each minute, as a line of cron does."""
        while not self.over.wait(60):
            done = self.fleet.bnet("site", "publish", "--every", "60", timeout=300)
            self.published += done.code == 0
            if done.code not in (0, 4):
                self.trouble.append(f"site publish ended with {done.code}: {done.complaint}")

    def _say(self, what: str) -> None:
        print(f"{(time.time() - self.begun) / 60:5.1f} min  {what}", flush=True)


def play(minutes: float, seed: int, root: Path) -> int:
    """Let an evening pass; 1 if anything was not as the rules say."""
    root.mkdir(parents=True, exist_ok=True)
    evening = Evening(root, minutes, seed)
    try:
        evening.found()
        threads = [threading.Thread(target=each, daemon=True) for each in (evening.harm, evening.publish)]
        for each in threads:
            each.start()
        work = Work(evening)
        work.do()
        threads[0].join()
        _calm(evening)
        evening.over.set()
        threads[1].join()
        blames = evening.trouble + judge(evening, work)
    finally:
        evening.over.set()
        evening.fleet.close()
    for blame in blames:
        print(blame)
    print(f"seed {seed}: {'all is well' if not blames else f'{len(blames)} rules broken'}")
    return 1 if blames else 0


def _calm(evening: Evening) -> None:
    """Wait until every job has ended, and all of it was told."""

    def done() -> bool:
        state = evening.fleet.look().state
        waits = (
            state.notices is None or state.notices.outbox or any(each.owed for each in state.turns.values())
        )
        return not waits and all(job.result is not None for job in state.jobs.values())

    try:
        evening.fleet.until("all is done and told", done, timeout=PATIENCE)
        time.sleep(TTL)  # what nobody was to be told would come now
        evening.fleet.until("all is done and told", done, timeout=PATIENCE)
    except (AssertionError, BnetError) as error:
        evening.trouble.append(str(error))


def main() -> int:
    """Play."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0, metavar="N")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--root", type=Path, help="a directory that is kept; without it, one for the time")
    asked = parser.parse_args()
    if asked.root is not None:
        return play(asked.minutes, asked.seed, asked.root)
    with tempfile.TemporaryDirectory(prefix="evening-") as root:
        return play(asked.minutes, asked.seed, Path(root))


if __name__ == "__main__":
    sys.exit(main())
