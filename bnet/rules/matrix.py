"""The matrix of a submission: one job for each combination of its axes' values."""

import itertools
import re
from collections.abc import Mapping, Sequence

from bnet.rules.jobs import Illegal

MOST_COMBINATIONS = 256
LONGEST_VALUE = 200  # characters: it is filled in wherever the command names it


def combinations(matrix: Mapping[str, Sequence[str | int | float]]) -> list[dict[str, str]]:
    """Return one cell for each combination of a matrix's values; without a matrix, one empty cell.

    Raises:
        Illegal: there are too many, or none.
    """
    rows = [[(axis, str(value)) for value in values] for axis, values in matrix.items()]
    cells = [dict(each) for each in itertools.islice(itertools.product(*rows), MOST_COMBINATIONS + 1)]
    if len(cells) > MOST_COMBINATIONS:
        raise Illegal(f"the matrix has more than {MOST_COMBINATIONS} combinations")
    if not cells:
        raise Illegal("the matrix has an axis without values, and so no job")
    return cells


def cell_name(cell: Mapping[str, str]) -> str:
    """Return what tells the job of a cell from the others: each value as a part of its name.

    Raises:
        Illegal: a value is too long, or has nothing that a name may have.
    """
    name = ""
    for axis, value in cell.items():
        if len(value) > LONGEST_VALUE:
            raise Illegal(f"matrix: a value of axis {axis} is longer than {LONGEST_VALUE} characters")
        if not re.search("[a-z0-9]", value.lower()):
            raise Illegal(f"matrix: {value!r} of axis {axis} has no letter or digit to name its job by")
        name += "." + re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-")
    return name


def cell_env(cell: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that tell a job which cell it is."""
    return {
        f"BNET_MATRIX_{axis.upper().replace('-', '_').replace('.', '_')}": each for axis, each in cell.items()
    }


def fill(text: str, cell: Mapping[str, str]) -> str:
    """Return a text with `${matrix.AXIS}` replaced by the cell's value; other axes stay as they are."""
    return re.sub(r"\$\{matrix\.([a-z0-9._-]+)\}", lambda found: cell.get(found[1], found[0]), text)
