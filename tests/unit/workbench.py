"""A small tree to build in, in this process: what it holds, what a build of it came to, which commands ran."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnet.build.engine import Event
from bnet.build.instant import up_to_date
from bnet.build.outcome import Outcome
from bnet.wiring.workshop import Workshop

CAT = "mkdir -p dist; cat src/* > dist/out"


class Bench:
    """A tree, a cache, and somebody who builds."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.cache = root / "tree", root / "cache"
        self.root.mkdir(parents=True)
        self.env = {"PATH": os.environ["PATH"], "BNET_CACHE": str(self.cache), "RAN": str(root / "ran")}
        self.trouble = ""
        monkeypatch.chdir(self.root)

    def declare(self, *packages: dict[str, Any], **more: Any) -> None:
        """Write the configuration; every command also says that it ran."""
        told = []
        for package in packages:
            command = f'echo {package["name"]} >> "$RAN"; {package.get("build_cmd", CAT)}'
            told.append({"sources": ["src/**"], "outputs": ["dist/**"], **package, "build_cmd": command})
        self.write("bnet.yaml", json.dumps({"packages": told, **more}))

    def package(self, name: str = "p", **more: Any) -> dict[str, Any]:
        """Return a package in a directory of its own, with one source."""
        path = self.root / name / "src/one"
        if not path.exists():
            self.write(f"{name}/src/one", "1")
        return {"name": name, "path": name, **more}

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        place.chmod(mode)
        return place

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def build(
        self,
        *names: str,
        told: Callable[[Event], None] = lambda event: None,
        keep_going: bool = True,
        force: bool = False,
        dry_run: bool = False,
    ) -> dict[str, Outcome]:
        """Bring the tree up to date, without the short way."""
        os.chdir(self.root)
        shop = Workshop(self.root, self.env)
        with shop.lock(print):
            wanted = list(names) or shop.graph.order()
            report = shop.build(
                wanted, jobs=2, keep_going=keep_going, force=force, dry_run=dry_run, told=told
            ).run(wanted)
        self.trouble = report.trouble
        return {each.name: each for each in report.outcomes}

    def tiers(self, *names: str, **wishes: bool) -> dict[str, str]:
        """Build, and return how each package was brought up to date, or how it was not."""
        done = self.build(*names, **wishes)
        return {
            name: str(each.tier) if each.result == "success" else each.result for name, each in done.items()
        }

    def is_instant(self) -> bool:
        """Tell what the short way says."""
        os.chdir(self.root)
        return up_to_date(self.env, time.perf_counter())

    def ran(self) -> list[str]:
        """Return which commands ran since this was asked last."""
        path = Path(self.env["RAN"])
        said = path.read_text().split() if path.exists() else []
        path.write_text("")
        return said

    def settle(self) -> None:
        """Wait until a file that is written now gets another time than those before it."""
        time.sleep(0.03)

    def stored(self, kind: str) -> list[Path]:
        """Return the files of the cache of a kind: `entries` or `objects`."""
        return sorted(path for path in (self.cache / kind).rglob("*") if path.is_file())

    def state(self) -> Path:
        """Return the directory of what is known of the tree."""
        return next((self.cache / "trees").iterdir())
