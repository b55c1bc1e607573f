"""A table with totals as complementary suppression sees it: a grid of one to three dimensions of which each ends in its total.

Of a cell, every cell that differs from it in all dimensions spans a box with it: 2, 4 or 8 cells, its corners. Moving the corners up and
down in turn changes no sum, so that who is told all other cells cannot tell how far they were moved: as far as no corner falls below 0. A
total counts with the opposite sign: beside it both go the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import Refused
from accord.plan.secure_table import PublicColumn

DIMENSIONS_MAX = 3
NEW_CELL, TOTAL_SPANNED = 4, 3
"""What a box costs: by cell that it newly suppresses, and by dimension in which it reaches the total, so that totals go last."""

Numbers = NDArray[np.intp]
PublicKey = tuple[str, PublicColumn]
Side = frozenset[int]
"""Some of the dimensions."""


@dataclass(frozen=True, eq=False)
class Grid:
    """`shape`: places in each dimension, the total last. `rows`: the table's row of each cell, the last dimension fastest.

    No total over the `kept` dimensions is in a box.
    """

    shape: tuple[int, ...]
    rows: Numbers
    kept: Side = frozenset()

    @property
    def cells(self) -> int:
        return prod(self.shape)

    @property
    def dimensions(self) -> range:
        return range(len(self.shape))

    @property
    def sides(self) -> list[Side]:
        """Every set of dimensions, the empty one first, then the smaller ones."""
        return [frozenset(one) for size in range(len(self.shape) + 1) for one in combinations(self.dimensions, size)]

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """The place of each cell, a row a dimension."""
        return np.indices(self.shape).reshape(len(self.shape), -1)

    @cached_property
    def totals(self) -> NDArray[np.bool_]:
        """Whether each cell is a total, a row a dimension."""
        found: NDArray[np.bool_] = self.places == np.array(self.shape)[:, None] - 1
        return found

    def size(self, side: Side) -> int:
        """How many places there are in these dimensions."""
        return prod(self.shape[at] for at in side)

    def number(self, side: Side) -> Numbers:
        """The place of each cell in these dimensions alone, numbered as cells are."""
        number = np.zeros(self.cells, np.intp)
        for at in sorted(side):
            number = number * self.shape[at] + self.places[at]
        return number

    def along(self, side: Side) -> Numbers:
        """The cells, those alike in these dimensions one after the other, in the order of their number."""
        return np.argsort(self.number(side), kind="stable")

    @cached_property
    def is_kept(self) -> NDArray[np.bool_]:
        """Whether each cell is a total over a kept dimension."""
        found = np.zeros(self.cells, np.bool_)
        for at in self.kept:
            found |= self.totals[at]
        return found

    @cached_property
    def preference(self) -> list[tuple[int, Numbers]]:
        """The order in which boxes are taken, by the cell opposite: parts of (how many corners are suppressed already, cells)."""
        spanned = self.totals.sum(axis=0)
        corners = (1 << len(self.shape)) - 1
        kinds = [
            (NEW_CELL * (corners - held) + TOTAL_SPANNED * over, held, over)
            for held in range(corners + 1)
            for over in range(len(self.shape) + 1)
        ]
        return [(held, np.flatnonzero((spanned == over) & ~self.is_kept)) for _, held, over in sorted(kinds)]

    @property
    def sums(self) -> list[tuple[Numbers, Numbers]]:
        """For each dimension its sums: the cells that add up, a row a sum, and their totals."""
        numbers = np.arange(self.cells).reshape(self.shape)
        moved = [np.moveaxis(numbers, at, -1).reshape(-1, self.shape[at]) for at in self.dimensions]
        return [(one[:, :-1], one[:, -1]) for one in moved]


def grids_of(dimensions: Sequence[PublicKey], others: Sequence[PublicKey], total: str, kept: Side = frozenset()) -> list[Grid]:
    """The grids of a table's public columns: one, or where rows are alike in the dimensions, one for each combination of the other ones.

    A total is where a dimension is NULL, or is called `total`. Raises Refused for what is no grid.
    """
    number, rows = _combined(dimensions), len(dimensions[0][1].values)
    if not others or len(np.unique(number)) == rows:
        return [_grid(dimensions, total, kept, np.arange(rows))]
    part = _combined(others)
    return [_grid(dimensions, total, kept, np.flatnonzero(part == one)) for one in range(part.max() + 1)]


def _combined(columns: Sequence[PublicKey]) -> Numbers:
    """A number for each row, the same where all columns are the same."""
    keys = [np.unique(part, return_inverse=True)[1] for _, one in columns for part in (one.values, one.nulls)]
    return np.unique(np.stack(keys), axis=1, return_inverse=True)[1].reshape(-1)


def _grid(dimensions: Sequence[PublicKey], total: str, kept: Side, rows: Numbers) -> Grid:
    keys = [_keys(name, column.take(rows), total) for name, column in dimensions]
    shape = tuple(int(one.max()) + 1 for one in keys)
    places = np.ravel_multi_index(keys, shape)
    names = ", ".join(name for name, _ in dimensions)
    if len(np.unique(places)) < len(places):
        rule = "each row is the only one with its values of the public columns"
        raise Refused(f"several rows are alike in {names}", rule=rule, do="release each place once")
    if len(places) < prod(shape):
        do = "begin the query with the public grid of its keys, totals among them, and LEFT JOIN the rest to it"
        what = f"{prod(shape) - len(places)} places of the grid of {names} have no row"
        raise Refused(what, rule="every place of the grid is there", do=do)
    return Grid(shape, rows[np.argsort(places, kind="stable")], kept)


def _keys(name: str, column: PublicColumn, total: str) -> Numbers:
    """The place of each row in a dimension."""
    called = column.type.values.index(total) if total in column.type.values else -1
    is_total = column.nulls if not total else ~column.nulls & (column.values == called)
    others = ~is_total & ~column.nulls
    if not is_total.any() or not others.any() or not (is_total | others).all():
        kept = f"called {total}" if total else "where it is NULL, as GROUP BY CUBE gives it"
        rule = f"each dimension has its total, {kept}, other places, and nothing else"
        raise Refused(f"{name} has no total, or nothing beside it", rule=rule, do="release the totals with the cells")
    found, places = np.unique(column.values[others], return_inverse=True)
    keys = np.full(len(column.values), len(found), np.intp)
    keys[others] = places
    return keys
