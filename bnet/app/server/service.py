"""A server at work: rounds under the host's lock, tidied up after, once or in a loop."""

import errno
from collections.abc import Callable
from typing import Protocol

from bnet.app.ledger import Diverged
from bnet.app.server.cycle import MINUTE, Node, Report
from bnet.app.snapshot import TooNew
from bnet.app.submit import Outbox, deliver
from bnet.errors import BnetError, Damaged, HubUnreachable, RefusedByPolicy
from bnet.ports.machine import Clock
from bnet.rules.leases import BEAT_SHARE
from bnet.rules.presence import ttl_of

POLL = 0.05  # seconds between two looks at this machine's own runs
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LONGEST_ABSENCE = 60.0  # seconds between two tries while the hub is away; with a short TTL, less


class Host(Protocol):
    """What a server at work needs of its machine beyond the ports of a node."""

    @property
    def clock(self) -> Clock:
        """The machine's clock."""

    def enter(self) -> bool:
        """Take the host's sync lock, and clear what a killed sync left behind; False if another has it."""

    def leave(self) -> None:
        """Give the lock back."""

    def node(self) -> Node:
        """Return this server as a part of the network, with a ledger that has not looked yet."""

    def keep_snapshot(self, node: Node) -> None:
        """Keep the ledger's snapshot for the next process."""

    def rest(self, node: Node, seconds: float | None) -> None:
        """Write down that nothing is to be done for so many seconds unless the hub moves; None takes it back."""

    def hand_over(self, node: Node) -> float | None:
        """Let the steward's process do chores if nobody does; return in how many seconds to look again, or None."""

    def sweep(self, node: Node) -> None:
        """Remove workspaces past their time or over their size, and snapshots of sources that no job names."""

    def outbox(self) -> Outbox:
        """Return the submissions that wait."""

    def log(self, text: str) -> None:
        """Write a line for people into this server's log."""

    def stop_asked(self) -> bool:
        """Tell whether this process was asked to end."""


class Service:
    """One server's rounds."""

    def __init__(self, host: Host) -> None:
        """Keep the machine."""
        self.host = host
        self._node: Node | None = None

    def enter(self) -> bool:
        """Begin to work; False if another process of this server does already."""
        return self.host.enter()

    def leave(self) -> None:
        """End the work."""
        self.host.leave()

    @property
    def node(self) -> Node:
        """This server's node."""
        if self._node is None:
            self._node = self.host.node()
        return self._node

    def round(self, *, claim: bool = True, most: int | None = None, looks_again_s: float = MINUTE) -> Report:
        """Do one sync; the next one comes after so many seconds.

        Raises:
            BnetError: what `Node.cycle` raises.
        """
        node = self.node
        try:
            report = node.cycle(claim=claim, most=most, looks_again_s=looks_again_s)
        except BnetError as error:
            self.host.log(str(error))
            raise
        for said in report.lines():
            self.host.log(said)
        for refused in deliver(node.ledger, node.lookup, self.host.outbox(), node.identity.hub):
            self.host.log(refused)
        return report

    def tidy(self) -> None:
        """Keep what the next process can use, remove what nobody needs."""
        self.host.keep_snapshot(self.node)
        rest, again = self.node.idle_for(), self.host.hand_over(self.node)
        self.host.rest(self.node, rest if rest is None or again is None else min(rest, again))
        self.host.sweep(self.node)

    def waiting(self) -> str:
        """Say what goes on and what waits while the hub is away."""
        facts = self.node.runs.collect()
        alive = sum(fact.phase == "alive" for fact in facts)
        ended = sum(fact.phase in ("ended", "died") for fact in facts)
        return f"{alive} running here and go on, {ended} ended and wait to be reported; the next sync tries again"


class Agent:
    """Rounds in a loop: one when a run ends here, one each interval to see what is new."""

    def __init__(
        self,
        service: Service,
        *,
        jobs: int | None,
        idle_exit: float | None,
        interval: float | None,
        told: Callable[[Report], None],
        failed: Callable[[BnetError], None],
    ) -> None:
        """Keep how long to go on.

        Args:
            service: whose rounds.
            jobs: end after so many were run.
            idle_exit: end after so many seconds without a job.
            interval: seconds between rounds, instead of the hub's setting.
            told: called after each round.
            failed: called after each round that did not succeed.
        """
        self.service = service
        self.jobs = jobs
        self.idle_exit = idle_exit
        self.interval = interval
        self.told = told
        self.failed = failed
        self._absent = 0
        self._taken = 0

    def run(self) -> None:
        """Work until told to end, drained, idle for long enough, or done with the jobs asked for."""
        try:
            self._loop()
        finally:
            ledger = self.service.node.ledger
            self.service.host.log(
                f"agent ends: {ledger.landed} transactions, {ledger.pushes} pushes, {ledger.conflicts} conflicts"
            )

    def _loop(self) -> None:
        host = self.service.host
        busy_at = host.clock.boot()
        while not host.stop_asked():
            report = self._round()
            if report is not None:
                self._taken += report.started
                if report.held or report.started:
                    busy_at = host.clock.boot()
                if self._done(report, busy_at):
                    return
                self._tidy()
            self._rest()

    def _round(self) -> Report | None:
        most = None if self.jobs is None else self.jobs - self._taken
        try:
            report = self.service.round(most=most, looks_again_s=self._interval())
        except (HubUnreachable, RefusedByPolicy, Diverged, Damaged, TooNew) as error:
            # None of these is for ever, and runs must be found when the hub is back: the loop goes on.
            self._absent += 1
            self.failed(error)
            return None
        except OSError as error:
            self._wait_for_room(error)
            return None
        self._absent = self._absent + 1 if report.unheard else 0
        self.told(report)
        return report

    def _tidy(self) -> None:
        try:
            self.service.tidy()
        except OSError as error:
            self._wait_for_room(error)

    def _wait_for_room(self, error: OSError) -> None:
        """Go on after a full disk, which is not for ever either.

        Raises:
            OSError: it is another error.
        """
        if error.errno not in NO_ROOM:
            raise error
        self._absent += 1
        self.failed(BnetError(f"{error.filename}: {error.strerror}"))

    def _done(self, report: Report, busy_at: float) -> bool:
        if report.held:
            return False
        if report.draining or (self.jobs is not None and self._taken >= self.jobs):
            return True
        return self.idle_exit is not None and self.service.host.clock.boot() - busy_at >= self.idle_exit

    def _rest(self) -> None:
        """Wait for the next round's time; ends are gathered, so that a burst of short jobs is one push."""
        host = self.service.host
        until = host.clock.boot() + self._until_turn()
        while not host.stop_asked() and (left := until - host.clock.boot()) > 0:
            host.clock.sleep(min(POLL, left))

    def _until_turn(self) -> float:
        """Return the seconds until this server's own place in the interval, which the servers share evenly.

        Agents that push at different times do not meet. Where clocks differ they may: that costs a try, and the
        place moves about by half its width, so that they do not meet at every round.
        """
        node, interval = self.service.node, self._interval()
        names = sorted({*node.ledger.state.servers, node.identity.name})
        place = names.index(node.identity.name) + node.ledger.chance.uniform(0, 0.5)
        return (place / len(names) * interval - self.service.host.clock.now().timestamp()) % interval

    def _interval(self) -> float:
        state = self.service.node.ledger.state
        settings = state.settings
        interval = self.interval if self.interval is not None else settings.intervals.agent
        if settings.read_budget is not None:
            interval = max(interval, len(state.servers) / settings.read_budget)
        if self._absent:
            interval = pause_s(interval, self._absent, ttl_of(settings, len(state.servers)))
        return interval


def pause_s(interval: float, failures: int, ttl_s: float) -> float:
    """Return the seconds until the next try after so many failures in a row.

    However long the hub was away, whoever holds something is seen again soon enough after it is back.

    Args:
        interval: between rounds, in seconds, while all is well.
        failures: in a row.
        ttl_s: of the network's leases.
    """
    longest = max(interval, min(LONGEST_ABSENCE, ttl_s * BEAT_SHARE))
    return min(longest, max(interval, 1.0) * 2.0 ** min(failures, 8))
