"""Commands of packages and of the tree: they run, print into logs, and end together."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from bnet.build.files import printable
from bnet.build.outcome import Failed, Wishes
from bnet.model.tree import Package, Tree
from bnet.process import Child, TimedOut


class Commands:
    """What runs in one tree."""

    def __init__(self, root: str, tree: Tree, state: Path, wishes: Wishes) -> None:
        """Keep the parts.

        Args:
            root: of the tree.
            tree: its packages.
            state: the tree's directory for records and logs.
            wishes: what is asked for.
        """
        self._root = root
        self._tree = tree
        self._state = state
        self._wishes = wishes
        self._running: set[Child] = set()
        self._closing = False

    def log_of(self, package: Package) -> Path:
        """Return where a package's log is."""
        return log_path(self._state, package.name)

    def run(self, package: Package, readable: Callable[[], Collection[str]]) -> None:
        """Run a package's hooks and command, with what they print in its log.

        Args:
            package: whose.
            readable: returns the files that they may use, where others are forbidden.

        Raises:
            Failed: one of them did, or reached for what the package does not declare where that is forbidden.
        """
        with _written(self.log_of(package)) as log:
            if self._wishes.strict:
                self._run_strictly(package, readable(), log)
            else:
                self._run(package, log, list, self._wishes.env)

    def run_hook(self, name: str, command: str) -> None:
        """Run a hook of the tree.

        Raises:
            Failed: it did.
        """
        path = log_path(self._state, f"%{name}")  # no package's name holds a %
        with _written(path) as log:
            child = Child(["/bin/sh", "-c", command], env=dict(self._wishes.env), cwd=self._root, log=log)
            code = self._end_of(child, None)
        if code != 0:
            said = path.read_bytes().decode(errors="replace").strip().splitlines()[-1:]
            told = "".join(f": {printable(line)}" for line in said)
            raise Failed(
                f"the tree's {name} hook ended with exit code {code}{told}", "failure", code, log=path
            )

    def stop(self) -> None:
        """End what runs now, and let nothing more begin."""
        self._closing = True
        for child in list(self._running):
            child.kill()

    def _run_strictly(self, package: Package, readable: Collection[str], log: int) -> None:
        from bnet.build.sandbox import box, strict

        place = self._state / "strict" / f"{os.getpid()}-{package.name.replace('/', '%')}"
        opened = strict.open_box(place, self._root, package, readable)
        env = box.environment(self._wishes.env, (*self._tree.env, *package.env))
        failed = None
        try:
            try:
                self._run(package, log, opened.command, env)
            except Failed as error:
                failed = error
            beyond = opened.undeclared()
            os.write(log, strict.listing(beyond).encode())
            if words := strict.complaint(beyond):
                raise Failed(words, "failure", failed.code if failed else None)
            if failed is not None:
                raise failed
            opened.land()
        finally:
            opened.remove()

    def _run(
        self,
        package: Package,
        log: int,
        wrapped: Callable[[list[str]], list[str]],
        env: Mapping[str, str],
    ) -> None:
        until = None if package.timeout is None else monotonic() + float(package.timeout)
        for command in (package.hooks.pre_build, package.build_cmd, package.hooks.post_build):
            if command is not None:
                argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
                self._command(package, wrapped(argv), log, env, until)

    def _command(
        self, package: Package, argv: list[str], log: int, env: Mapping[str, str], until: float | None
    ) -> None:
        try:
            child = Child(argv, env=dict(env), cwd=os.path.join(self._root, package.path), log=log)
        except OSError as error:
            if not os.path.isdir(package.path):
                raise Failed(f"its directory {package.path} is not there", "error") from None
            raise Failed(f"{argv[0]}: cannot be run: {error.strerror}", "error") from None
        try:
            code = self._end_of(child, until)
        except TimedOut:
            told = f"it took longer than its timeout of {float(package.timeout or 0):g} s"
            raise Failed(told, "timeout") from None
        if code < 0:
            raise Failed(f"its command was killed by signal {-code}", "failure", 128 - code)
        if code > 0:
            raise Failed(f"its command ended with exit code {code}", "failure", code)

    def _end_of(self, child: Child, until: float | None) -> int:
        self._running.add(child)
        try:
            if self._closing:
                child.kill()
            return child.wait(None if until is None else max(0.0, until - monotonic()))
        finally:
            self._running.discard(child)


def log_path(state: Path, name: str) -> Path:
    """Return where the log of a package is, in its tree's directory."""
    return state / "logs" / f"{name.replace('/', '%')}.log"


@contextmanager
def _written(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        yield log
    finally:
        os.close(log)
