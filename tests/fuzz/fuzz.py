"""Try many hostile inputs: python tests/fuzz/fuzz.py [--inputs N] [--target NAME] [--seed S] [-j N] [--keep].

Where `atheris` is installed (`pip install atheris`, beside what the tests need), its libFuzzer guides the search by
the coverage of all Python code in bnet: it gets a directory of inputs, mutates them (by its own ways, or by
`mutation.Mutator`, which knows their structure), and goes on from those that reach something new. Without it, inputs
are made from the seeds and the corpus alone, the same ones for the same seed. The suite (`test_corpus.py`) needs no
atheris.

An input may take 2 s of CPU time and 64 MB (see `guard`). One that crashes a target is printed with the exception,
shrunk, and kept in `corpus/<target>/`, where the suite plays it for ever; with `--keep`, so are those that reach
what no other input does.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

TOGETHER = 1_000_000  # inputs of all targets, unless another number is asked for
DEAD_S = 120.0  # without a new input, and a process hangs where no signal reaches it
KEPT = 12  # inputs that are kept of a target for what they reach
SHM = Path("/dev/shm")  # most targets write files


class Atheris(Protocol):
    """What is used of it; it has no types of its own."""

    def instrument_imports(self, include: Sequence[str]) -> AbstractContextManager[None]: ...

    def Setup(
        self,
        argv: Sequence[str],
        test_one_input: Callable[[bytes], None],
        custom_mutator: Callable[[bytes, int, int], bytes],
    ) -> object: ...

    def Fuzz(self) -> None: ...

    def Mutate(self, data: bytes, size: int) -> bytes: ...


class Tally(NamedTuple):
    """What became of a target: as the table has it."""

    name: str
    inputs: int
    corpus: int
    crashes: Mapping[str, int]
    slowest_s: float
    seconds: float
    guided: bool


def main() -> int:
    """Fuzz, and print a table; 1 if anything crashed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=TOGETHER, metavar="N", help="of all targets together")
    parser.add_argument("--target", action="append", metavar="NAME", help="this one alone; may be repeated")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="so many targets at a time")
    parser.add_argument(
        "--keep", action="store_true", help="keep what reaches something new, and drop the rest"
    )
    parser.add_argument("--plain", action="store_true", help="without atheris, although it is there")
    parser.add_argument("--child", metavar="DIRECTORY", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        return _child(asked, Path(asked.child))
    with tempfile.TemporaryDirectory(prefix="bnet-fuzz-", dir=SHM if SHM.is_dir() else None) as top:
        return _all(asked, Path(top))


def _all(asked: argparse.Namespace, top: Path) -> int:
    from targets import TARGETS

    chosen = [TARGETS[name] for name in asked.target or TARGETS]
    shares = sum(each.share for each in chosen)
    with ThreadPoolExecutor(asked.j) as pool:
        runs = [
            pool.submit(_one, each.name, max(1, round(asked.inputs * each.share / shares)), asked, top)
            for each in chosen
        ]
        tallies = [run.result() for run in runs]
    _print_table(tallies)
    return 1 if any(each.crashes for each in tallies) else 0


def _one(name: str, inputs: int, asked: argparse.Namespace, top: Path) -> Tally:
    """Run a target in processes of its own, a new one whenever one does not survive an input."""
    import corpus
    import guard
    from targets import TARGETS

    place = top / name
    (place / "tmp").mkdir(parents=True)
    witness, begun, killed = guard.Witness(place / "witness"), time.monotonic(), 0
    told: dict[str, Any] = {"inputs": 0, "crashes": {}, "slowest": 0.0, "corpus": 0, "guided": False}
    while told["inputs"] < inputs and killed < 20:
        words = ["--child", str(place), "--target", name, "--inputs", str(inputs - told["inputs"])]
        words += ["--seed", str(asked.seed + killed), *(["--keep"] if asked.keep else [])]
        words += ["--plain"] if asked.plain else []
        code = _run(words, place)
        _add(told, place / "tally.json")
        if code == 0:
            break
        killed += 1
        path = corpus.keep(TARGETS[name], witness.noted(), "killed-")
        what = f"the process ended with {code}, or hung: {path.name}"
        told["crashes"][what] = told["crashes"].get(what, 0) + 1
        print(f"{name}: {what}\n{_last_words(place)}", flush=True)
    print((place / "told").read_text() if (place / "told").exists() else "", end="", flush=True)
    return Tally(
        name,
        told["inputs"],
        told["corpus"],
        told["crashes"],
        told["slowest"],
        time.monotonic() - begun,
        told["guided"],
    )


def _run(words: Sequence[str], place: Path) -> int:
    env = {**os.environ, "TMPDIR": str(place / "tmp"), "PYTHONHASHSEED": "0", "HOME": str(place / "tmp")}
    heart = place / "tally.json"
    with (place / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
        )
        while True:
            try:
                return process.wait(timeout=DEAD_S)
            except subprocess.TimeoutExpired:
                age = time.time() - heart.stat().st_mtime if heart.exists() else DEAD_S
                if age >= DEAD_S:
                    process.send_signal(signal.SIGABRT)  # it says where it is, see `_child`


def _last_words(place: Path) -> str:
    """Return where a process was when it ended, as far as it could tell."""
    text = (place / "log").read_text(errors="backslashreplace")
    return text[text.rfind("Fatal Python error") :][-3000:] if "Fatal Python error" in text else ""


def _add(told: dict[str, Any], path: Path) -> None:
    """Add what a process said of itself last."""
    if not path.exists():
        return
    more = json.loads(path.read_bytes())
    path.unlink()
    told["inputs"] += more["inputs"]
    told["slowest"] = max(told["slowest"], more["slowest"])
    told["corpus"] = max(told["corpus"], more["corpus"])
    told["guided"] = more["guided"]
    for name, count in more["crashes"].items():
        told["crashes"][name] = told["crashes"].get(name, 0) + count


def _print_table(tallies: Sequence[Tally]) -> None:
    print(f"{'target':<14} {'inputs':>10} {'corpus':>7} {'crashes':>8} {'slowest':>9} {'took':>7}")
    for each in tallies:
        guided = "" if each.guided else "  (not guided)"
        crashes = sum(each.crashes.values())
        print(
            f"{each.name:<14} {each.inputs:>10,} {each.corpus:>7,} {crashes:>8,} {each.slowest_s * 1000:>6.0f} ms"
            f" {each.seconds:>5.0f} s{guided}"
        )
    inputs, corpus = sum(each.inputs for each in tallies), sum(each.corpus for each in tallies)
    crashes = sum(sum(each.crashes.values()) for each in tallies)
    slowest = max((each.slowest_s for each in tallies), default=0.0)
    took = sum(each.seconds for each in tallies)
    print(f"{'all':<14} {inputs:>10,} {corpus:>7,} {crashes:>8,} {slowest * 1000:>6.0f} ms {took:>5.0f} s")


# -- in a process of a target's own


class Fuzzing:
    """One target, and what was seen of it."""

    def __init__(self, asked: argparse.Namespace, place: Path, guided: bool) -> None:
        import corpus
        import guard
        import mutation
        from targets import TARGETS

        self.place, self.keeps, self.most = place, asked.keep, asked.inputs
        self.target = TARGETS[asked.target[0]]
        self.chance = random.Random(f"{asked.seed} {self.target.name}")
        self.mutator = mutation.Mutator(self.chance, self.target.kind)
        self.inputs, self.slowest, self.guided = 0, 0.0, guided
        self.crashes: dict[str, int] = {}
        self.witness = guard.Witness(place / "witness")
        self.known = [*self.target.seeds(), *corpus.kept(self.target).values()]
        self.found = place / "found"
        self._told_at = 0.0

    def try_one(self, data: bytes) -> None:
        """Feed an input, and keep it if it is one that should not be."""
        import guard
        import mutation

        data = data[: mutation.LONGEST]
        self.witness.note(data)
        crash, seconds = guard.feed(self.target, data)
        self.inputs += 1
        self.slowest = max(self.slowest, seconds)
        if crash is not None:
            self._take(crash, data)
        if time.monotonic() > self._told_at + 5.0 or self.inputs >= self.most:
            self.tell()
        if self.inputs >= self.most:
            self.end()

    def _take(self, crash: Any, data: bytes) -> None:
        import corpus

        first = crash.name not in self.crashes
        self.crashes[crash.name] = self.crashes.get(crash.name, 0) + 1
        if first:
            less = corpus.shrunk(self.target, data, crash.name)
            path = corpus.keep(
                self.target, less, "crash-"
            )  # once it is mended, give it a name that says what it was
            with (self.place / "told").open("a") as file:
                file.write(f"\n{self.target.name}: {crash.name}: {path.name}\n{crash.told}\n")

    def mutated(self, data: bytes) -> bytes:
        """Return another input, made of one and of those that are known."""
        return self.mutator.mutate(data, self.chance.choice(self.known))

    def tell(self) -> None:
        """Write down how far this is."""
        self._told_at = time.monotonic()
        told = {
            "inputs": self.inputs,
            "crashes": self.crashes,
            "slowest": self.slowest,
            "corpus": len(list(self.found.iterdir())) if self.found.is_dir() else 0,
            "guided": self.guided,
        }
        temporary = self.place / "tally.tmp"
        temporary.write_text(json.dumps(told))
        temporary.replace(self.place / "tally.json")

    def end(self) -> None:
        """Keep what is worth it, and end the process: libFuzzer would go on, or print for people."""
        import corpus

        if self.keeps:
            found = [path.read_bytes() for path in self.found.iterdir()] if self.found.is_dir() else []
            before = corpus.kept(self.target)
            named = {name: data for name, data in before.items() if not _is_digest(name)}
            rest = [data for name, data in before.items() if name not in named]
            for path in (corpus.HERE / self.target.name).glob("*"):
                if path.name not in named:
                    path.unlink()
            for data in corpus.chosen(self.target, [*rest, *found], KEPT):
                corpus.keep(self.target, data)
        sys.stdout.flush()
        os._exit(0)


def _is_digest(name: str) -> bool:
    """Tell whether an input was kept for what it reaches; one of a crash that was mended has a name."""
    return len(name) == 16 and set(name) <= set("0123456789abcdef")


def _child(asked: argparse.Namespace, place: Path) -> int:
    faulthandler.enable()
    atheris = None
    if not asked.plain:
        try:
            atheris = cast(Atheris, importlib.import_module("atheris"))
        except ImportError:
            atheris = None
    with nullcontext() if atheris is None else atheris.instrument_imports(include=["bnet"]):
        import guard

        fuzzing = Fuzzing(asked, place, atheris is not None)
    with guard.watched(), fuzzing.target.alone():
        for data in fuzzing.known:
            fuzzing.try_one(data)
        if atheris is not None:
            _guided(atheris, fuzzing, asked.seed)
        while True:
            fuzzing.try_one(fuzzing.mutated(fuzzing.chance.choice(fuzzing.known)))


def _guided(atheris: Atheris, fuzzing: Fuzzing, seed: int) -> None:
    """Let libFuzzer choose what to go on from; it ends with the process."""
    import mutation

    fuzzing.found.mkdir(exist_ok=True)
    for number, data in enumerate(fuzzing.known):
        (fuzzing.found / f"seed-{number}").write_bytes(data)

    def changed(data: bytes, size: int, number: int) -> bytes:
        fuzzing.chance.seed(number)
        made = atheris.Mutate(data, size) if fuzzing.chance.random() < 0.15 else fuzzing.mutated(data)
        return made[:size]

    words = ["fuzz", str(fuzzing.found), f"-seed={seed}", f"-max_len={mutation.LONGEST}", "-len_control=0"]
    words += [
        f"-artifact_prefix={fuzzing.place}/",
        "-report_slow_units=1000000",
        "-timeout=1000000",
        "-rss_limit_mb=0",
        "-malloc_limit_mb=0",
        "-print_pcs=0",
        "-verbosity=0",
    ]
    atheris.Setup(words, fuzzing.try_one, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
