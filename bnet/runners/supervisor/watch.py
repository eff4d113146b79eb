"""When a job has to end before its time."""

import os

from .daemon import Signals
from .files import read_file
from .job import Job
from .lean import Document, parse_object
from .system import boot_id, now

LOOK_EVERY = 0.25  # seconds between two looks at the run directory


class Verdict:
    """Why the job has to end before its time, and how much time its processes get for it."""

    def __init__(self, outcome: str, text: str, grace: float, reason: str | None = None) -> None:
        self.outcome = outcome
        self.text = text
        self.grace = grace  # seconds
        self.reason = reason
        self.message: str | None = text


class Stopped(Exception):
    """The job was ended for the reason in the verdict."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.text)
        self.verdict = verdict


class Watch:
    """Decides whether the job has to end: asked to, lease lost, directory gone, or out of time."""

    def __init__(self, run_dir: str, job: Job) -> None:
        self._dir = run_dir
        self._job = job
        self._identity = self._directory_identity()
        self._boot_id = boot_id()
        self._lease: Document | None = None
        self._lease_seen: tuple[int, int] | None = None
        self._stop_unreadable = 0
        self._next_look = 0.0
        self.started = self.heard = now()

    def verdict(self, at: float) -> Verdict | None:
        """Return why the job must end at this time, or None."""
        found = self._timers(at)
        if at >= self._next_look:
            self._next_look = at + LOOK_EVERY
            found = self.urgent(at) or self._stop_file() or found
        if found is None and Signals.terminated:
            found = Verdict("stopped", "stopped: terminated", self._job.grace, "terminated")
            found.message = "the supervisor was told to end"
        return found

    def urgent(self, at: float) -> Verdict | None:
        """Return what also cuts short a job that is being stopped: a lost lease or a vanished directory."""
        if self._directory_identity() != self._identity or not os.path.lexists(f"{self._dir}/run.json"):
            return Verdict("gone", "the run directory is gone", 0.0)
        if not self._job.needs_lease:
            return None
        self._read_lease()
        lease = self._lease
        if lease is None or (at <= lease.get("until", 0.0) and lease.get("boot_id") == self._boot_id):
            return None
        grace = lease.get("lease_grace")
        grace = self._job.grace if grace is None else min(self._job.grace, float(grace))
        return Verdict("lease", "stopped: lease lost", grace, "lease")

    def pause(self, at: float) -> float:
        """Return the seconds until something has to be decided again."""
        limits = [self._next_look]
        if self._job.timeout is not None:
            limits.append(self.started + self._job.timeout)
        if self._job.silence_timeout is not None:
            limits.append(self.heard + self._job.silence_timeout)
        return max(0.0, min(limits) - at)

    def _timers(self, at: float) -> Verdict | None:
        total, silence, grace = self._job.timeout, self._job.silence_timeout, self._job.grace
        if total is not None and at >= self.started + total:
            return Verdict("timeout", f"timeout: no end after {total:g} s; processes were stopped", grace)
        if silence is not None and at >= self.heard + silence:
            return Verdict("silence", f"silence: no output for {silence:g} s; processes were stopped", grace)
        return None

    def _stop_file(self) -> Verdict | None:
        path = f"{self._dir}/stop.json"
        if not os.path.lexists(path):
            return None
        try:
            request = parse_object(read_file(path))
        except (OSError, ValueError):
            self._stop_unreadable += 1
            if self._stop_unreadable < 3:  # perhaps it is being written
                return None
            request = {"message": "stop.json is there but cannot be read"}
        reason, message = str(request.get("reason") or "stop"), str(request.get("message") or "")
        words = ["cancelled" if reason == "cancel" else f"stopped: {reason}", message]
        verdict = Verdict("stopped", ": ".join(filter(None, words)), self._job.grace, reason)
        verdict.message = message or None
        return verdict

    def _read_lease(self) -> None:
        """Read the lease again if it changed; one that cannot be read leaves the last one standing."""
        path = f"{self._dir}/lease.json"
        try:
            found = os.stat(path)
            seen = (found.st_ino, found.st_mtime_ns)
            if seen != self._lease_seen:
                lease = parse_object(read_file(path))
                if not all(
                    isinstance(lease.get(name, 0.0), (int, float)) for name in ("until", "lease_grace")
                ):
                    raise ValueError("no lease")
                self._lease, self._lease_seen = lease, seen
        except FileNotFoundError:
            self._lease = self._lease_seen = None
        except (OSError, ValueError):
            pass

    def _directory_identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._dir)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # a file system that hiccups is no reason to kill a job
            return self._identity
        return found.st_dev, found.st_ino
