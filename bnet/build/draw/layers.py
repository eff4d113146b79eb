"""Where everything stands in a picture: columns in the order of the build, few crossings, long edges straight.

The steps are those of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system
structures", 1981): columns, an order within each by the mean of the neighbours, places by least squares.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from bnet.build.draw.facts import levels_of

SWEEPS = 12
BEND = 0.4  # of a row: what a long edge takes in a column that it passes
STRAIGHT = 8.0  # how much more a long edge resists being bent than a box being moved


class Layout(NamedTuple):
    """Where things stand; rows are counted from 0 downwards and need not be whole.

    Attributes:
        column: of each node.
        row: of each node.
        edges: from node, to node, and the rows in which the edge passes the columns between.
        columns: how many there are.
        rows: how many there are, in all.
    """

    column: list[int]
    row: list[float]
    edges: list[tuple[int, int, list[float]]]
    columns: int
    rows: float


class _Points(NamedTuple):
    """Boxes and bends; `up` and `down` are neighbours in the columns before and after."""

    columns: list[list[int]]
    up: list[list[int]]
    down: list[list[int]]
    boxes: int


def lay_out(edges: Sequence[Sequence[int]]) -> Layout:
    """Return where the nodes of a graph stand.

    Args:
        edges: for each node the indices of those that it depends on, all smaller than its own.
    """
    kept = reduced(edges)
    users: list[list[int]] = [[] for _ in kept]
    for at, needed in enumerate(kept):
        for each in needed:
            users[each].append(at)
    alone = [at for at in range(len(kept)) if not kept[at] and not users[at]]
    column = _pulled(levels_of(kept), kept, users)
    linked = [at for at in range(len(kept)) if kept[at] or users[at]]
    points, bends = _bent(linked, kept, column)
    _order(points)
    row = _place(points)
    count = max((column[at] for at in linked), default=-1) + 1
    rows = max((row[at] for at in linked), default=-1.0) + 1
    columns = count or min(len(alone), 4)
    for place, at in enumerate(alone):
        column[at], row[at] = place % columns, rows + (0.5 if rows else 0.0) + place // columns
    if alone:
        rows = row[alone[-1]] + 1
    found = [(one, two, [row[each] for each in between]) for (one, two), between in bends.items()]
    return Layout(column, row[: len(kept)], found, columns, rows)


def reduced(edges: Sequence[Sequence[int]]) -> list[list[int]]:
    """Leave out each edge that a longer way stands for."""
    reach: list[int] = []  # sets of nodes, as bits
    kept = []
    for needed in edges:
        beyond = 0
        for each in needed:
            beyond |= reach[each]
        kept.append([each for each in needed if not beyond >> each & 1])
        for each in needed:
            beyond |= 1 << each
        reach.append(beyond)
    return kept


def _pulled(levels: list[int], edges: list[list[int]], users: list[list[int]]) -> list[int]:
    """Move nodes towards those that need them, where edges become shorter by it."""
    column = list(levels)
    for at in reversed(range(len(column))):
        if users[at] and (not edges[at] or len(users[at]) > len(edges[at])):
            column[at] = min(column[each] for each in users[at]) - 1
    return column


def _bent(
    linked: list[int], edges: list[list[int]], column: list[int]
) -> tuple[_Points, dict[tuple[int, int], list[int]]]:
    """Put a bend into each column that an edge passes."""
    columns: list[list[int]] = [[] for _ in range(max((column[at] for at in linked), default=-1) + 1)]
    up: list[list[int]] = [[] for _ in edges]
    down: list[list[int]] = [[] for _ in edges]
    bends: dict[tuple[int, int], list[int]] = {}
    for at in linked:
        columns[column[at]].append(at)
        for start in edges[at]:
            last, between = start, []
            for passed in range(column[start] + 1, column[at]):
                bend = len(up)
                up.append([last])
                down.append([])
                down[last].append(bend)
                columns[passed].append(bend)
                between.append(bend)
                last = bend
            down[last].append(at)
            up[at].append(last)
            bends[start, at] = between
    return _Points(columns, up, down, len(edges)), bends


def _order(points: _Points) -> None:
    """Order each column by the mean place of its neighbours, forth and back, and keep the best order found."""
    best, fewest = [list(each) for each in points.columns], _crossings(points)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forth = sweep % 2 == 0
        todo = range(1, len(points.columns)) if forth else range(len(points.columns) - 2, -1, -1)
        for index in todo:
            other = points.columns[index - 1 if forth else index + 1]
            place = {point: at for at, point in enumerate(other)}
            _sort(points.columns[index], points.up if forth else points.down, place)
        count = _crossings(points)
        if count < fewest:
            best, fewest = [list(each) for each in points.columns], count
    points.columns[:] = best


def _sort(column: list[int], neighbours: list[list[int]], place: dict[int, int]) -> None:
    means = {}
    for at, point in enumerate(column):
        near = [place[each] for each in neighbours[point]]
        means[point] = sum(near) / len(near) if near else float(at)
    column.sort(key=means.__getitem__)


def _crossings(points: _Points) -> int:
    count = 0
    for one, two in pairwise(points.columns):
        place = {point: at for at, point in enumerate(two)}
        seen: list[int] = []
        for point in one:
            ends = sorted(place[each] for each in points.down[point])
            count += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _place(points: _Points) -> list[float]:
    """Give each point a row: near the mean of its neighbours, without changing the order of any column."""
    row = [0.0] * len(points.up)
    for column in points.columns:
        _settle(column, [float(at) for at in range(len(column))], row, points)
    for sweep in range(2 * SWEEPS):
        forth = sweep % 2 == 0
        for column in points.columns if forth else reversed(points.columns):
            wanted = []
            for point in column:
                # Towards the end both sides count, so that nothing leans to one.
                near = points.up[point] if forth else points.down[point]
                if sweep >= SWEEPS or not near:
                    near = [*points.up[point], *points.down[point]]
                wanted.append(sum(row[each] for each in near) / len(near))
            _settle(column, wanted, row, points)
    top = min((row[point] for column in points.columns for point in column), default=0.0)
    return [each - top for each in row]


def _settle(column: list[int], wanted: list[float], row: list[float], points: _Points) -> None:
    """Place a column as near as can be to what is wanted: by squares, weighed, with room between neighbours.

    Without the room that is isotonic regression, which pooling adjacent violators solves (Ayer et al., 1955).
    """
    offsets = [0.0]
    for one, two in pairwise(column):
        offsets.append(offsets[-1] + (_half(one, points) + _half(two, points)))
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for point, where, offset in zip(column, wanted, offsets, strict=True):
        mean, weight, count = where - offset, STRAIGHT if point >= points.boxes else 1.0, 1
        while pools and pools[-1][0] > mean:
            above, heavy, many = pools.pop()
            mean = (mean * weight + above * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + many
        pools.append((mean, weight, count))
    at = 0
    for mean, _, count in pools:
        for _ in range(count):
            row[column[at]] = mean + offsets[at]
            at += 1


def _half(point: int, points: _Points) -> float:
    return (1.0 if point < points.boxes else BEND) / 2
