"""A quantile read off noised counts of bands, on the recipient's machine, and the cells that the true one lies in.

The interval holds every cell that a test does not refuse. Were c the true cell, at least the share q of N rows would be at or below it,
and less than that below it: B(c) - qN >= 0 and B(c - 1) - qN < 0. Each of the two figures is made of three sums of independent noise: of
the blocks up to the cell, of the blocks beyond it, and of cells in its block. A cell is refused where a figure is on the wrong side by
more than these can reach. The true cell is refused by one of six one-sided chances of 0.05 / 6: Bonferroni's bound [Dunn61], whatever
the number of cells is, since only the true one's two figures count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from accord.plan.bands import Grid, below, found
from accord.plan.evaluate import Plain
from accord.plan.expression import Call, ColumnRef, Literal
from accord.release.noise import CONFIDENCE, ColumnNoise

SIDES = 3
"""Independent sums of noise in a figure; each reaches so far on one side with half the chance of both."""


class Read(NamedTuple):
    """Values in units of the last digit, and the ends of their intervals."""

    values: Plain
    low: Plain
    high: Plain


def read_quantiles(call: Call, columns: Mapping[str, Plain], noise: Mapping[str, ColumnNoise]) -> Read:
    """The quantile of each row's counts; NULL where noise left no rows."""
    numerator, denominator, *counted = call.arguments
    assert isinstance(numerator, Literal) and isinstance(denominator, Literal)
    share = Fraction(int(numerator.value or 0), int(denominator.value or 1))
    names = [one.name for one in counted if isinstance(one, ColumnRef)]
    grid = Grid.of(call.type)
    reach = [_reach(grid, cell, share, [noise.get(name) for name in names]) for cell in range(-1, grid.cells)]
    rows = len(columns[names[0]].values)
    read = [_read(grid, [_count(columns[name], row) for name in names], share, reach) for row in range(rows)]
    value, low, high = (_plain([None if one is None else one[place] for one in read]) for place in range(3))
    return Read(value, low, high)


def _count(column: Plain, row: int) -> Fraction:
    return Fraction(0) if column.nulls[row] else Fraction(int(column.values[row]))


def _plain(values: Sequence[int | None]) -> Plain:
    return Plain(np.array([value or 0 for value in values], np.int64), np.array([value is None for value in values], np.bool_))


def _read(grid: Grid, counts: Sequence[Fraction], share: Fraction, reach: Sequence[Fraction]) -> tuple[int, int, int] | None:
    """The last value of the quantile's cell, and the first and the last value of its interval."""
    cell = found(grid, counts, share)
    if cell is None:
        return None
    wanted = share * below(grid, counts, grid.cells - 1)
    beyond = [below(grid, counts, one) - wanted for one in range(-1, grid.cells)]
    kept = [one for one in range(grid.cells) if beyond[one + 1] + reach[one + 1] >= 0 and beyond[one] - reach[one] < 0]
    return grid.bounds(cell, cell)[1], grid.bounds(min([cell, *kept]), cell)[0], grid.bounds(cell, max([cell, *kept]))[1]


def _reach(grid: Grid, cell: int, share: Fraction, laws: Sequence[ColumnNoise | None]) -> Fraction:
    """How far noise moves the rows at or below a cell beyond the share of all, at most."""
    blocks, cells = grid.reading(cell) if cell >= 0 else (0, slice(0))
    parts = ((1 - share, laws[:blocks]), (Fraction(1), laws[cells]), (share, laws[blocks : grid.blocks]))
    return sum((weight * _of_sum([one for one in part if one is not None]) for weight, part in parts), Fraction(0))


def _of_sum(laws: Sequence[ColumnNoise]) -> int:
    """Of a sum of independent noise: of the widest law, where they differ."""
    return max((_half_width(law, len(laws)) for law in dict.fromkeys(laws)), default=0)


@lru_cache
def _half_width(law: ColumnNoise, draws: int) -> int:
    return law.half_width(1 - (1 - CONFIDENCE) / SIDES, draws)
