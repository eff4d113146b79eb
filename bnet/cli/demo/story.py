"""The story of a demo: what happens is told, what the cues ask for is done, how it ended is judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bnet.cli.demo.plan import SERVERS, Cue, labelled
from bnet.cli.demo.tape import Event, Tape
from bnet.cli.playground import Playground
from bnet.errors import BnetError
from bnet.gitstore.repo import environment
from bnet.ports.machine import Clock

# Short, because nobody wants to watch a lease run out; a hub on the same disk can take the pace.
SETTINGS = """
# Of the demo.
ttl: 8
intervals: {agent: 0.5, progress: 2}
"""
LOOK = 0.15  # seconds between two looks at the hub
SILENCE = 300.0  # seconds without an event after which something is wrong

Tell = Callable[[str, str], None]
"""(who, what they did): called for each event."""


@dataclass
class Part:
    """A job as the story has seen it so far."""

    number: int
    name: str
    cue: Cue | None
    server: str = ""
    attempt: int = 0
    begun: float | None = None
    cut: bool = False
    played: bool = False
    result: str = ""

    def __str__(self) -> str:
        return f"#{self.number} {self.name}"


class Verdict(NamedTuple):
    """Whether an expectation was met, and the sentence that says so."""

    met: bool
    text: str


class Story:
    """One performance of a plan."""

    def __init__(self, ground: Playground, clock: Clock, cues: Mapping[str, Cue], tell: Tell) -> None:
        """Keep the stage, the cues by the jobs' names, and whom to tell."""
        self.ground = ground
        self.cues = cues
        self.parts: dict[int, Part] = {}
        self._clock = clock
        self._tell = tell

    def found(self) -> None:
        """Make the network: a hub, its servers, an agent on each."""
        self.ground.init()
        self.ground.configure(SETTINGS)
        self._tell("hub", "a bare Git repository; a claim is honoured for 8 s unseen")
        for server in SERVERS:
            labels = [word for key, value in server.labels.items() for word in ("--label", f"{key}={value}")]
            self.ground.join(server.name, "--slots", str(server.slots), *labels)
            self._start(server.name)
            self._tell(server.name, f"joins: {server.slots} slots, {labelled(server.labels)}")

    def _start(self, server: str) -> None:
        # Should this process be killed, nobody else would ever end the agents.
        self.ground.start(server, "--idle-exit", "60")

    def play(self, plan: Path) -> None:
        """Submit the plan's jobs, and go on until each has ended.

        Raises:
            BnetError: nothing has happened for a long time.
        """
        self.tape = Tape(Path(self.ground.url), environment(self.ground.env))
        told = self.ground.facts("submit", "-f", str(plan))
        for job in told if isinstance(told, list) else [told]:
            cue = self.cues.get(job["name"])
            self.parts[job["number"]] = Part(job["number"], job["name"], cue)
        self._tell("you", f"submit {len(self.parts)} jobs")
        quiet_since = self._clock.boot()
        while not all(part.result for part in self.parts.values()):
            self._clock.sleep(LOOK)
            events = self.tape.events()
            for event in events:
                self._take(event)
            self._act()
            now = self._clock.boot()
            quiet_since = now if events else quiet_since
            if now - quiet_since > SILENCE:
                raise BnetError(f"nothing happened for {SILENCE:.0f} s\n{self.ground.last_words()}")

    # -- what happened

    def _take(self, event: Event) -> None:
        part = self.parts.get(int(event.target)) if event.target.isdigit() else None
        if part is None:
            return
        if event.verb == "claim":
            self._tell(event.actor, _claimed(part, event))
            # Not before somebody else has the job that the server died with: that is the point of the story.
            if part.server not in self.ground.agents and part.cut and part.played:
                self._tell("you", f"start {part.server} again, as after a power cut")
                self._start(part.server)
            part.server, part.attempt = event.actor, int(event.fields["attempt"])
            part.begun, part.cut = self._clock.boot(), False
        elif event.verb == "requeue":
            self._tell(event.actor, self._requeued(part, event))
            part.begun = None
        elif event.verb == "finish":
            part.begun, part.result = None, event.fields["result"]
            self._tell(event.actor, _finished(part, event))

    def _requeued(self, part: Part, event: Event) -> str:
        if event.fields["reason"] != "lost":
            code = event.fields.get("exit_code", "?")
            return f"{part} failed once (exit {code}) and is tried again"
        part.cut = True
        if event.actor == part.server:
            return f"finds that {part} did not survive: it goes back into the queue"
        return f"has not seen {part.server} move for 8 s: {part} goes back into the queue"

    # -- what the cues ask for

    def _act(self) -> None:
        now = self._clock.boot()
        for part in self.parts.values():
            if part.cue is None or part.played or part.begun is None or now - part.begun < part.cue.after:
                continue
            if part.cue.what == "cancel":
                part.played = True
                self._tell("you", f"cancel {part}, which runs on {part.server}")
                self.ground.ok("cancel", str(part.number), "--reason", "it is in the plan")
            elif part.cue.what == "kill" and not self._others_on(part):
                part.played = True
                self._kill(part)

    def _others_on(self, part: Part) -> bool:
        """Tell whether another job with a cue runs on the same server; that one would end with it."""
        running = (each for each in self.parts.values() if each.begun is not None and each is not part)
        return any(each.server == part.server and each.cue is not None for each in running)

    def _kill(self, part: Part) -> None:
        self._tell("you", f"kill -9 {part.server}, in the middle of {part}: agent, supervisor, all of it")
        for key in self.ground.kill(part.server):
            cut = self.parts[int(key.partition(".")[0])]
            if cut is not part:
                self._tell("you", f"{cut} was cut off with it")

    # -- how it ended

    def verdicts(self) -> list[Verdict]:
        """Judge each expectation of the plan."""
        asked = [part for part in self.parts.values() if part.cue is not None]
        found = [_judge(part, self.ground.facts("show", str(part.number))) for part in asked]
        others = [part for part in self.parts.values() if part.cue is None]
        bad = [str(part) for part in others if part.result != "success"]
        if bad:
            return [*found, Verdict(False, f"these should have succeeded: {', '.join(bad)}")]
        return [*found, Verdict(True, f"the other {len(others)} jobs succeeded")]


def _claimed(part: Part, event: Event) -> str:
    if part.cut and event.actor != part.server:
        return f"takes {part} over from {part.server}"
    again = f" again, attempt {event.fields['attempt']}" if part.attempt else ""
    return f"claims {part}{again}"


def _finished(part: Part, event: Event) -> str:
    reason, result = event.fields["reason"], event.fields["result"]
    if result == "skipped":
        return f"{part}: skipped, since a job that it needs did not succeed"
    if result == "cancelled":
        return f"has ended all processes of {part}: cancelled"
    code = f" (exit {event.fields.get('exit_code', '?')})" if reason == "exit" and result != "success" else ""
    return f"{part}: {result}{code if reason in ('exit', result) else f' ({reason})'}"


def _judge(part: Part, job: Mapping[str, Any]) -> Verdict:
    assert part.cue is not None
    attempts: list[dict[str, Any]] = job["attempts"]
    ends = [f"{each['result']} on {each['server']}" for each in attempts]
    # On a machine that is busy with something else, a server may be taken for lost once more than the cues say.
    lost = [each["server"] for each in attempts if each["reason"] == "lost"]
    kept = [each for each in attempts if each["reason"] != "lost"]
    text = ""
    if part.cue.what == "fails once":
        met = [each["result"] for each in kept] == ["failure", "success"]
        text = "failed once, was tried again by itself and succeeded"
    elif part.cue.what == "cancel":
        met = job["result"] == "cancelled" and job["reason"] == "cancel" and bool(kept)
        text = f"was cancelled while it ran on {kept[0]['server']}" if kept else ""
    else:
        met = job["result"] == "success" and any(server != kept[-1]["server"] for server in lost)
        text = f"was cut off when {lost[0]} died, and succeeded on {kept[-1]['server']}" if met else ""
    if not met:
        text = f"should have followed the cue '{part.cue.what}', but: {'; '.join(ends) or job['result']}"
    return Verdict(met, f"{part} {text}")
