"""`bnet graph`: the packages of a source tree and what they depend on, as text, as data, as a picture."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bnet.cli.render import note
from bnet.files import write_atomic

if TYPE_CHECKING:
    from bnet.build.draw.facts import Drawing
    from bnet.wiring.workshop import Workshop

Format = Literal["text", "json", "dot", "svg"]
FORMATS = ("text", "json", "dot", "svg")
WIDTH = 110  # columns of text that nobody looks at in a terminal


@click.command()
@click.argument("words", nargs=-1, metavar="[PACKAGE]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Otherwise what the ending of FILE says, and text where it says nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write there; otherwise to stdout.",
)
def graph(words: tuple[str, ...], form: Format | None, as_json: bool, output: Path | None) -> None:
    """Draw the packages of a tree and what they depend on; with names, only those, as `bnet build` takes them.

    Where a package was built, how that went last and how long its command took is drawn, too.

    Example: bnet graph ...ui --output ui.svg
    """
    from bnet.wiring.workshop import Workshop

    shop = Workshop(Path.cwd(), os.environ)
    names = shop.graph.select(words, here=shop.here)
    chosen = "json" if as_json else form or _meant_by(output)
    text = _rendered(_drawing(shop, names), chosen)
    if output is None:
        sys.stdout.write(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(output, text.encode(errors="backslashreplace"), durable=False)
    note(f"{len(names)} package{'' if len(names) == 1 else 's'} drawn in {output}")


def _drawing(shop: "Workshop", names: list[str]) -> "Drawing":
    from bnet.build.draw.facts import drawing_of

    made = shop.known.made
    return drawing_of(
        shop.graph,
        names,
        title=os.path.basename(shop.root),
        tiers={name: each.tier for name, each in made.items()},
        seconds={name: each.seconds for name, each in made.items()},
    )


def _meant_by(output: Path | None) -> Format:
    endings: dict[str, Format] = {".json": "json", ".dot": "dot", ".gv": "dot", ".svg": "svg"}
    return endings.get(output.suffix.lower(), "text") if output is not None else "text"


def _rendered(drawing: "Drawing", form: Format) -> str:
    if form == "text":
        from bnet.build.draw import text

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
        return text.render(drawing, width=width)
    if form == "json":
        from bnet.build.draw import data

        return data.render(drawing)
    if form == "dot":
        from bnet.build.draw import dot

        return dot.render(drawing)
    from bnet.build.draw import svg

    return svg.render(drawing)
