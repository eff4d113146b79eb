"""`bnet artifact compare`: what differs between two runs or directories, and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.artifact.command import artifact, pick
from bnet.cli.context import App, json_option, pass_app
from bnet.cli.depot import depot_of
from bnet.cli.explained import lines_of
from bnet.cli.jobs import find
from bnet.cli.render import counted, out, out_json
from bnet.codec.shown import escaped
from bnet.errors import AnswerNo, BnetError

if TYPE_CHECKING:
    from bnet.app.artifacts.comparing import Compared, Side

SHOWN = 40  # differences that are shown of a file


@artifact.command()
@click.argument("one")
@click.argument("other", required=False)
@json_option
@pass_app
def compare(app: App, one: str, other: str | None, as_json: bool) -> None:
    """Compare what two jobs left, or two attempts (12.1), directories or files; of one job alone, its two servers.

    Archives (zip, wheel, tar, gzip, bzip2, xz, ar, deb) are compared member by member, as far as is sensible.

    Exit 1 if something differs; what, and why, is said.

    Example: bnet artifact compare 12 13
    """
    from bnet.app.artifacts.comparing import compare as look_at

    names, sides = _sides(app, one, other)
    found = look_at(sides[0], sides[1], app.machine.home.cache / "incoming")
    if as_json:
        out_json([_plain(each) for each in found])
    else:
        for each in found:
            for line in lines_of(each, SHOWN):
                out(line)
    total = len(sides[0].keys() | sides[1].keys())
    if found:
        raise AnswerNo(f"{len(found)} of {total} files differ between {names[0]} and {names[1]}")
    if not as_json:
        out(f"{counted(total, 'file')}: the same in {names[0]} and {names[1]}")


def _sides(app: App, one: str, other: str | None) -> tuple[list[str], "list[Mapping[str, Side]]"]:
    from bnet.app.artifacts.comparing import of_run, two_of

    if other is None:
        from bnet.app.artifacts.depot import job_word

        meant = job_word(one)
        if meant is None:
            raise BnetError(f"{escaped(one)} is no job; name two jobs, directories or files to compare")
        app.read()
        pair = two_of(find(app, meant[0]))
        depot = depot_of(app)
        return [each.name for each in pair], [of_run(depot, each) for each in pair]
    told = [_side(app, word) for word in (one, other)]
    if all(Path(word).is_file() for word in (one, other)):
        [(name, left)], [(_, right)] = told[0][1].items(), told[1][1].items()
        return [each[0] for each in told], [{name: left}, {name: right}]
    return [each[0] for each in told], [each[1] for each in told]


def _side(app: App, word: str) -> "tuple[str, Mapping[str, Side]]":
    from bnet.app.artifacts.comparing import of_directory, of_run

    path = Path(word)
    if path.exists():
        return escaped(word), of_directory(path, _digest)
    app.read()
    chosen = pick(app, word)
    return chosen.name, of_run(depot_of(app), chosen)


def _digest(path: Path) -> str:
    import blake3

    return blake3.blake3(max_threads=1).update_mmap(path).hexdigest()


def _plain(each: "Compared") -> dict[str, Any]:
    return {
        "path": each.path,
        "why": [
            {
                "inside": list(why.inside),
                "what": why.what,
                "one": why.one,
                "other": why.other,
                "lines": list(why.lines),
            }
            for why in each.why
        ],
    }
