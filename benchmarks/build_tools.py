"""The tools that are compared: where they are, how they are installed, and how each is called."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from build_trees import COMMAND

PROJECT = Path(__file__).resolve().parent.parent
BNET, TURBO, NPX, DOIT, NINJA = "bnet", "Turborepo, native", "Turborepo, npx", "doit", "ninja"
BUILDS_FOR = {NPX: TURBO}  # tools that work on another's tree
QUIET = {
    "TURBO_TELEMETRY_DISABLED": "1",
    "TURBO_NO_UPDATE_NOTIFIER": "1",
    "TURBO_GLOBAL_WARNING_DISABLED": "1",
    "DO_NOT_TRACK": "1",
    "NO_UPDATE_NOTIFIER": "1",
}
# What installers write for an entry point today, without the import of `re` that older ones had.
LAUNCHER = """\
#!{python}
import sys
from bnet.__main__ import main
if __name__ == "__main__":
    sys.exit(main())
"""


class Tools:
    """A directory with everything that is not bnet, installed when it is first asked for."""

    def __init__(self, place: Path) -> None:
        """Take the directory; what is already there is used as it is."""
        self.place = place
        place.mkdir(parents=True, exist_ok=True)

    def words(self, name: str) -> list[str]:
        """Return the command that builds the tree one stands in, with a tool by its name."""
        if name == BNET:
            return [str(self._launcher()), "build"]
        if name == TURBO:
            return [str(self._turbo()), "run", "build", "--output-logs=errors-only"]
        if name == NPX:
            return ["npx", "turbo", "run", "build", "--output-logs=errors-only"]
        return [str(self._python_tool(name))]

    def env(self, tree: Path) -> dict[str, str]:
        """Return the environment of a run in a tree: no telemetry, and bnet's state beside the tree."""
        return {
            **os.environ,
            **QUIET,
            "PYTHONPATH": str(PROJECT),
            "BNET_CACHE": str(state_of(tree) / "cache"),
            "BNET_HOME": str(state_of(tree) / "home"),
        }

    def first_env(self, tree: Path) -> dict[str, str]:
        """Return the environment of a build that fills a tool's cache and is not timed.

        Turborepo starts npm for each package, minutes for a thousand; here a script stands in for it, and does what
        it would do.
        """
        place = self.place / "quick"
        place.mkdir(exist_ok=True)
        (place / "npm").write_text(f"#!/bin/sh\n{COMMAND}\n")
        (place / "npm").chmod(0o755)
        env = self.env(tree)
        return {**env, "PATH": f"{place}{os.pathsep}{env['PATH']}"}

    def link_modules(self, tree: Path, *, present: bool) -> None:
        """Let Turborepo be installed in a tree, as its launcher expects, or not, so that its binary runs at once."""
        link = tree / "node_modules"
        if link.is_symlink():
            link.unlink()
        if present:
            self._turbo()
            link.symlink_to(self.place / "npm" / "node_modules")

    def _launcher(self) -> Path:
        path = self.place / "bnet"
        path.write_text(LAUNCHER.format(python=sys.executable))
        path.chmod(0o755)
        return path

    def _turbo(self) -> Path:
        home = self.place / "npm"
        if not (home / "node_modules" / "turbo").exists():
            home.mkdir(exist_ok=True)
            (home / "package.json").write_text('{"private": true}\n')
            words = ["npm", "install", "--silent", "--no-audit", "--no-fund", "turbo@2"]
            subprocess.run(words, cwd=home, check=True)
        return next(path for path in home.glob("node_modules/**/bin/turbo") if _is_binary(path))

    def _python_tool(self, name: str) -> Path:
        home = self.place / "python"
        path = home / "bin" / name
        if not path.exists():
            if not home.exists():
                subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([str(home / "bin" / "pip"), "install", "--quiet", name], check=True)
        return path


def state_of(tree: Path) -> Path:
    """Return where bnet's cache and home are, for a tree."""
    return tree.with_name(f"{tree.name}.state")


def forget(tree: Path) -> None:
    """Leave of a tree what was committed, and nothing of what any tool remembers of it."""
    subprocess.run(["git", "clean", "-xfdq"], cwd=tree, check=True)
    shutil.rmtree(state_of(tree), ignore_errors=True)


def _is_binary(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF" or path.stat().st_size > 1_000_000
