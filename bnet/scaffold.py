"""Where the files are that bnet carries: to copy into a hub, to make the site from, to play as a demo."""

from __future__ import annotations

from pathlib import Path


def root() -> Path:
    """Find the folder that holds `coordination/`, `messages/`, `specs/`, `.github/`, `site/` and `examples/`.

    Returns:
        `bnet/_scaffold` of an installed wheel, or the top of the checkout that bnet is run from. (A wheel is
        always unpacked on installation, so a path is as good as a Traversable and simpler.)
    """
    package = Path(__file__).resolve().parent
    carried = package / "_scaffold"
    return carried if carried.is_dir() else package.parent
