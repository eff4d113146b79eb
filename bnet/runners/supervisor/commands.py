"""Run a command, and end with nothing of it left."""

import os
import select

from .files import READ_SIZE
from .job import Job
from .lean import signal
from .log import Log, Masker
from .spawn import spawn
from .system import now
from .tree import Tree
from .watch import LOOK_EVERY, Stopped, Verdict, Watch

EOF_WAIT = 2.0  # seconds that others may keep the output open after the main process ended
CALM_WAIT = 1.0  # seconds for processes that closed the output to end by themselves
KILL_BOUND = 10.0  # seconds of repeated SIGKILL before what is left counts as unkillable
DRAIN_BOUND = 0.5  # seconds to read what is still in the pipe once nobody of the job is left
LEFT_OVER_GRACE = 10.0  # seconds, at most, for left-over processes of a job that has ended


class Commands:
    """Runs the commands of one job, one after the other."""

    def __init__(self, run_dir: str, job: Job, wake: int) -> None:
        """Start nothing yet; `wake` is a descriptor that becomes readable with each signal."""
        self._workspace = f"{run_dir}/workspace"
        self._job = job
        self._wake = wake
        self._watch = Watch(run_dir, job)
        self._tree = Tree(job.run)
        self.masker = Masker(job.secrets)
        self.log = Log(run_dir, job.log_limit)
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._output = -1
        self._main = 0
        self._unkillable = False
        self.status: int | None = None  # wait status of the command that has ended

    def run(self, argv: list[str]) -> None:
        """Run one command until nothing of it is left; its wait status is in `status` then.

        Raises:
            Stopped: the job had to end before its time.
            Unstartable: the command cannot be started.
        """
        if verdict := self._watch.verdict(now()):
            raise Stopped(verdict)
        self._main, self._output = spawn(argv, self._job.env, self._workspace)
        self._tree.group, self._tree.has_children = self._main, True
        self._poll.register(self._output, select.POLLIN)
        self._watch.heard = now()
        verdict = self._follow()
        left = self._end_tree(verdict.grace) if verdict else self._end_left_overs()
        self._close_output()
        if left and not verdict:
            self.say(f"left-over processes were ended ({left})")
        if self._unkillable:
            self.say(f"some processes are still there after {KILL_BOUND:g} s of SIGKILL")
        if verdict:
            raise Stopped(verdict)

    def kill(self) -> None:
        """End everything at once."""
        self._end_tree(0.0)

    def say(self, text: str) -> None:
        """Append a line of the supervisor's own to the log."""
        self.log.line(f"bnet: {self._job.title}: {text}", self.masker)

    def _follow(self) -> Verdict | None:
        """Return once the main process has ended (None) or has to."""
        while self._main:
            if verdict := self._watch.verdict(now()):
                return verdict
            self._step(self._watch.pause(now()))
        return None

    def _step(self, wait: float) -> None:
        """Wait for output or the end of a process, and take it in.

        Args:
            wait: at most so many seconds.
        """
        for descriptor, _ in self._poll.poll(wait * 1000):
            if descriptor == self._wake:
                os.read(self._wake, 4096)
            else:
                self._read_output()
        status = self._tree.reap(self._main)
        if status is not None:
            self._main, self.status = 0, status

    def _read_output(self) -> None:
        data = os.read(self._output, READ_SIZE)
        if data:
            self._watch.heard = now()
            self.log.write(self.masker.feed(data))
        else:
            self._poll.unregister(self._output)
            os.close(self._output)
            self._output = -1

    def _end_left_overs(self) -> int:
        """Give the rest of the tree a moment after the main process, then end it.

        Returns:
            How many processes had to be ended.
        """
        ended = now()
        while not (self._output < 0 and self._tree.quiet()):
            limit = ended + (CALM_WAIT if self._output < 0 else EOF_WAIT)
            verdict = self._watch.urgent(now())
            if verdict or now() >= limit:
                return self._end_tree(min(self._job.grace, LEFT_OVER_GRACE))
            self._step(min(LOOK_EVERY, limit - now()))
        return 0

    def _end_tree(self, grace: float) -> int:
        """Send SIGTERM to all, wait, send SIGKILL until nothing is left or it proves unkillable.

        Args:
            grace: seconds between the two.

        Returns:
            How many processes were there.
        """
        told: set[tuple[int, bytes]] = set()
        deadline, pause = now() + grace, 0.02
        while now() < deadline:
            if not self._tree.tell(signal.SIGTERM, told):
                return len(told)
            pause = min(pause * 1.5, LOOK_EVERY)
            self._wait_quiet(min(pause, deadline - now()))
            if cut := self._watch.urgent(now()):
                deadline = min(deadline, now() + cut.grace)
        deadline = now() + KILL_BOUND
        while now() < deadline:
            fresh: set[tuple[int, bytes]] = set()
            left = self._tree.tell(signal.SIGKILL, fresh)
            told |= fresh
            if not left:
                break
            self._wait_quiet(0.02)
        else:
            self._unkillable = True
        return len(told)

    def _wait_quiet(self, seconds: float) -> None:
        """Wait until all have ended or the time is over.

        It goes on reading, since a process that is blocked on its output cannot end.
        """
        until = now() + seconds
        self._step(0.0)
        while self._tree.has_children and now() < until:
            self._step(until - now())

    def _close_output(self) -> None:
        until = now() + DRAIN_BOUND
        while self._output >= 0 and now() < until:
            self._step(until - now())
        if self._output >= 0:  # somebody outside the job holds it
            self._poll.unregister(self._output)
            os.close(self._output)
            self._output = -1
        self.log.write(self.masker.feed(b"", final=True))
