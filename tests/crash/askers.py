"""Those who ask for work: persons, servers, and commits."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from network import TTL, Network
from verdict import TICKING

LONG = int(TTL * 1.5 / 0.25)  # ticks of a job that outlives its lease when nobody stops it


class Askers:
    """What was asked for, and who was told that it is accepted."""

    def __init__(self, network: Network) -> None:
        self.network, self.chance = network, network.chance
        self.asked: dict[str, bool] = {}  # tag -> whether the asker was told that it is accepted
        self.said = network.root / "said"  # what each job writes down, by its tag
        self.said.mkdir()
        (network.root / "ticking.sh").write_text(TICKING)
        self._asking: list[tuple[subprocess.Popen[bytes], list[str]]] = []

    def ask(self) -> None:
        """Ask for some jobs, as a person, on a server, or by a commit."""
        self._hear_answers()
        jobs = [self._wish() for _ in range(4)]
        tags = [job["env"]["TAG"] for job in jobs]
        text = json.dumps([{"submit": job} for job in jobs])
        idle = self.network.idle()
        way = self.chance.choice(["person", "server", "server", "commit"])
        self.asked |= dict.fromkeys(tags, False)
        if way == "commit":
            self.network.commit({f"coordination/inbox/{tags[0]}.yaml": text.encode()}, "jobs")
            self.asked |= dict.fromkeys(tags, True)
            return
        place = self.network.root / "asked"
        place.mkdir(exist_ok=True)
        (place / f"{tags[0]}.json").write_text(text)
        words = ("submit", "-f", str(place / f"{tags[0]}.json"))
        server = self.chance.choice(idle) if way == "server" and idle else None
        self._asking.append((self.network.as_person(*words) if server is None else server.bnet(*words), tags))

    def hear_all(self) -> None:
        """Wait until nobody waits for an answer any more."""
        for process, _ in self._asking:
            process.wait()
        self._hear_answers()

    def _hear_answers(self) -> None:
        left = []
        for process, tags in self._asking:
            if process.poll() is None:
                left.append((process, tags))
            elif process.returncode == 0:
                self.asked |= dict.fromkeys(tags, True)
        self._asking = left

    def _wish(self) -> dict[str, Any]:
        chance, index = self.chance, len(self.asked) + self.chance.randrange(10**6)
        tag = f"t{len(self.asked)}x{chance.randrange(10**9)}"
        self.asked[tag] = False
        ticks, deaf = (
            (LONG, chance.choice(["", "deaf"])) if index % 10 == 0 else (chance.randrange(1, 40), "")
        )
        wish: dict[str, Any] = {
            "command": f"exec sh {self.network.root}/ticking.sh {self.said}/$TAG {ticks} {deaf}",
            "env": {"TAG": tag},
            "retry": [{"limit": 100, "reason": "lost"}],
        }
        if index % 10 == 0 or index % 4 == 1:
            wish["on_lost_lease"] = "stop"
        if index % 6 == 1:
            wish["group"] = {"name": f"group{index % 3}", "limit": 4}
        if index % 7 == 2:
            wish["locks"] = [f"lock{index % 3}"]
        return wish
