"""Complementary suppression of plain integers: the oracle of suppression_shares.py, which takes the same boxes in the same order.

What is checked here is the definition itself: of each box, the least of the corners that go up and of those that go down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from accord.release.suppression_grid import Grid, Side

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
HUGE = np.iinfo(np.int64).max


def suppressed(grid: Grid, columns: Sequence[Integers], failed: Flags, needed: Callable[[int], int]) -> Flags:
    """Which cells are suppressed, of those that failed: all are in the order of the grid. `needed`: the width for a cell's value. Where a
    cell has no box all are."""
    out = failed.copy()
    for cell in np.flatnonzero(failed):
        fits = np.all([_fits(grid, column, int(cell), needed(int(column[cell]))) for column in columns], axis=0)
        corners = [one for side, one in _corners(grid, int(cell)) if side]
        if not fits[~grid.is_kept].any():
            return np.ones_like(failed)
        opposite = _preferred(grid, fits, np.sum([out[one] for one in corners], axis=0, dtype=np.int64))
        for one in corners:
            out[one[opposite]] = True
    return out


def _corners(grid: Grid, cell: int) -> list[tuple[Side, NDArray[np.intp]]]:
    """For each set of dimensions, the corner that differs from the cell in them, of the box with each opposite cell."""
    own = grid.places[:, cell]
    made = []
    for side in grid.sides:
        places = [grid.places[at] if at in side else np.full(grid.cells, own[at]) for at in grid.dimensions]
        made.append((side, np.ravel_multi_index(places, grid.shape)))
    return made


def _fits(grid: Grid, column: Integers, cell: int, width: int) -> Flags:
    """Of which opposite cells the box lets the cell move by the width, up or down."""
    falls = np.full((2, grid.cells), HUGE)
    for side, corner in _corners(grid, cell):
        turns = [grid.totals[at] == grid.totals[at, cell] for at in side]
        is_against = np.logical_xor.reduce(turns) if turns else np.zeros(grid.cells, np.bool_)
        for way in (0, 1):
            falls[way] = np.where(is_against == bool(way), np.minimum(falls[way], column[corner]), falls[way])
    apart: Flags = (grid.places != grid.places[:, [cell]]).all(axis=0)
    room: Flags = apart & (falls >= width).any(axis=0) & ~grid.is_kept[cell]
    return room


def _preferred(grid: Grid, fits: Flags, held: Integers) -> int:
    for count, cells in grid.preference:
        if (found := cells[fits[cells] & (held[cells] == count)]).size:
            return int(found[0])
    raise AssertionError("some box fits")
