"""Whether a build makes the same thing twice: two clean copies of a tree, built apart, compared file by file."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnet.build.engine import Event
from bnet.build.files import printable
from bnet.build.outcome import Outcome
from bnet.build.record import load
from bnet.errors import AnswerNo, BnetError
from bnet.model.tree import Package
from bnet.process import run
from bnet.wiring.workshop import Workshop


class Verdict(NamedTuple):
    """What became of one package: its outputs that differ between the two builds, each with how they do."""

    name: str
    differs: list[str]


def verify(
    shop: Workshop, names: Sequence[str], *, jobs: int, told: Callable[[Event], None]
) -> list[Verdict]:
    """Build packages twice from nothing, and compare what comes out.

    The copies stand in directories whose names differ, so that an output that holds its path shows.

    Args:
        shop: the tree.
        names: the packages.
        jobs: so many at once.
        told: of each event of both builds.

    Raises:
        AnswerNo: a package cannot be built in a clean copy.
        BnetError: the tree cannot be copied, or what is in it leads out of a copy.
    """
    with tempfile.TemporaryDirectory(prefix="bnet-verify-") as scratch:
        tables = [
            _build(shop, names, Path(scratch) / place, jobs, told) for place in ("one", "another-place")
        ]
    first, second = tables
    return [Verdict(name, _differences(first[name], second[name])) for name in first]


_Table = Mapping[str, tuple[str, bytes]]


def _build(
    shop: Workshop, names: Sequence[str], place: Path, jobs: int, told: Callable[[Event], None]
) -> dict[str, _Table]:
    tree = place / "tree"
    _copy(shop.root, tree)
    env = {**shop.env, "BNET_CACHE": str(place / "cache")}
    copy = Workshop(tree, env)
    _check_inside(tree, copy.tree.packages)
    _clean(tree, copy.tree.packages)
    stood = os.getcwd()
    with copy.lock(lambda said: None):
        os.chdir(tree)
        try:
            made = copy.build(
                list(names), jobs=jobs, keep_going=False, force=True, dry_run=False, told=told, share=False
            )
            report = made.run(names)
        finally:
            os.chdir(stood)
    if report.failed:
        raise AnswerNo(f"{_first(report.failed)} in a clean copy of the tree", hint=_hint(report.failed))
    return {name: each.outputs.table() for name, each in load(copy.state / "record").made.items()}


def _copy(root: str, target: Path) -> None:
    target.parent.mkdir(parents=True)
    done = run(["cp", "-a", "--reflink=auto", root, str(target)])
    if done.code != 0:
        raise BnetError(f"cannot copy the tree to {target.parent}: {done.complaint}")


def _check_inside(root: Path, packages: Sequence[Package]) -> None:
    """Refuse packages whose directories are not in the copy, by whatever link."""
    for package in packages:
        _check_is_in(root / package.path, root, f"package {package.name}: {package.path}")


def _check_is_in(path: Path, root: Path, said: str) -> None:
    if not path.resolve().is_relative_to(root.resolve()):
        raise BnetError(
            f"{printable(said)} is a link that leads out of a copy of the tree",
            hint="let it be a relative one that stays in the tree, or leave --verify out",
        )


def _clean(root: Path, packages: Sequence[Package]) -> None:
    """Remove what an earlier build has left: the outputs, and what Git ignores stays, as installed packages do."""
    from bnet.build.globs import Patterns
    from bnet.build.lister import Lister

    stood = os.getcwd()
    os.chdir(root)
    try:
        for package in packages:
            found = Lister([]).find(Patterns(package.outputs, package.path), ignoring=False)
            for path in found.paths:
                above = Path(os.path.dirname(path))
                _check_is_in(root / above, root, f"package {package.name}: {above}")
                os.unlink(path)
        shutil.rmtree(".bnet", ignore_errors=True)
    finally:
        os.chdir(stood)


def _differences(first: _Table, second: _Table) -> list[str]:
    words = []
    for path in sorted(first.keys() | second.keys()):
        one, two = first.get(path), second.get(path)
        if one is None or two is None:
            words.append(f"{printable(path)}: only one of the two builds made it")
        elif one[0] != two[0]:
            words.append(f"{printable(path)}: not the same kind of file")
        elif one != two:
            words.append(f"{printable(path)}: {one[1].hex()[:12]} and {two[1].hex()[:12]}")
    return words


def _first(failed: Sequence[Outcome]) -> str:
    each = next(each for each in failed if each.result != "skipped")
    return f"{each.name}: {each.reason}"


def _hint(failed: Sequence[Outcome]) -> str | None:
    log = next((each.log for each in failed if each.log), None)
    if log is None:
        return None
    lines = Path(log).read_bytes().decode(errors="replace").strip().splitlines()[-5:]
    return "\n      ".join(lines) or None
