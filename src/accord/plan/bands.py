"""Quantiles with noise: what is counted for them, and where their value lies among the counts.

The declared range of a column is cut into at most 256 cells of equal width, and cells into blocks of at most 16. Rows of each block get
counted, and rows of each cell of a block but the last. How many rows are at or below a cell is then the sum of few counts [HRMS10], which
keeps noise small; quantiles of one column share all counts. A row is in at most one cell and in at most one block: see plan/families.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, Call, Expression, Literal
from accord.plan.facts import rows_max, with_inputs
from accord.plan.nodes import Aggregate, Filter, Join, Limit, Node, Project, Sort
from accord.plan.rewrite import is_public
from accord.plan.types import Type
from accord.plan.typing import aggregate, call, column, integer, null

QUANTILE = "quantile"
"""A call that only a recipient's machine computes: numerator and denominator of the share, then the counts of a grid."""
BLOCK = 16
CELLS_MAX = BLOCK**2


@dataclass(frozen=True)
class Grid:
    """The cells of a range of whole numbers, and the blocks that they are in; of few cells each is a block."""

    low: int
    high: int

    @staticmethod
    def of(type: Type) -> Grid:
        return Grid(type.low, type.high)

    @property
    def width(self) -> int:
        return -(-(self.high - self.low + 1) // CELLS_MAX)

    @property
    def cells(self) -> int:
        return -(-(self.high - self.low + 1) // self.width)

    @property
    def block(self) -> int:
        """How many cells a block has."""
        return 1 if self.cells <= BLOCK else BLOCK

    @property
    def blocks(self) -> int:
        return -(-self.cells // self.block)

    def bounds(self, first: int, last: int) -> tuple[int, int]:
        """The least and the largest value of some cells."""
        return self.low + first * self.width, min(self.low + (last + 1) * self.width - 1, self.high)

    @property
    def bands(self) -> tuple[tuple[int, int], ...]:
        """What is counted: blocks, then the cells that are not the last of their block."""
        blocks = [self.bounds(first, min(first + self.block, self.cells) - 1) for first in range(0, self.cells, self.block)]
        return (*blocks, *(self.bounds(cell, cell) for cell in range(self.cells) if not self.ends_block(cell)))

    @property
    def labels(self) -> tuple[str, ...]:
        """Of what is counted, in the same order."""
        return (
            *(f"block_{block:02}" for block in range(self.blocks)),
            *(f"cell_{cell:03}" for cell in range(self.cells) if not self.ends_block(cell)),
        )

    def ends_block(self, cell: int) -> bool:
        return (cell + 1) % self.block == 0 or cell == self.cells - 1

    def reading(self, cell: int) -> tuple[int, slice]:
        """What adds up to the rows at or below a cell: the first so many blocks, and these of the counts of cells behind the blocks'."""
        whole = cell // self.block
        start = self.blocks + whole * (self.block - 1)
        return (whole + 1, slice(0)) if self.ends_block(cell) else (whole, slice(start, start + cell % self.block + 1))

    @property
    def sentence(self) -> str:
        return f"{self.cells:,} cells, each {self.width:,} wide in units of the last digit"


def below(grid: Grid, counts: Sequence[Fraction], cell: int) -> Fraction:
    """How many rows are at or below a cell; of the cell before the first, none."""
    if cell < 0:
        return Fraction(0)
    blocks, cells = grid.reading(cell)
    return sum(counts[:blocks], Fraction(0)) + sum(counts[cells], Fraction(0))


def found(grid: Grid, counts: Sequence[Fraction], share: Fraction) -> int | None:
    """The cell of a quantile: of the first block up to which there is such a share of all rows, the first such cell. None of no rows."""
    total = below(grid, counts, grid.cells - 1)
    if total <= 0:
        return None
    ends = [cell for cell in range(grid.cells) if grid.ends_block(cell)]
    end = next(cell for cell in ends if below(grid, counts, cell) >= share * total)
    start = end // grid.block * grid.block
    return next(cell for cell in range(start, end + 1) if below(grid, counts, cell) >= share * total)


# ---- in a plan


def counted_in_bands(node: Node, catalog: Catalog) -> Node:
    """The question with counts in place of the quantiles of its sums, and above these the calls that make quantiles of them."""
    if isinstance(node, Aggregate):
        return _of_aggregate(node, catalog) if any(one.function == "quantile_disc" for _, one in node.aggregates) else node
    if is_public(node):
        return node
    if isinstance(node, Project | Sort | Filter | Limit):
        return with_inputs(node, (counted_in_bands(node.input, catalog),))
    if isinstance(node, Join) and any(map(is_public, node.inputs)):
        return with_inputs(node, tuple(counted_in_bands(side, catalog) for side in node.inputs))
    return node


def band(argument: Expression, low: int, high: int) -> Expression:
    """1 where the value is within the bounds, NULL elsewhere."""
    least, most = (Literal(replace(argument.type, low=value, high=value, nullable=False), value) for value in (low, high))
    return call("case", call("and", call("ge", argument, least), call("le", argument, most)), integer(1), null())


def read_band(expression: Expression | None) -> tuple[Expression, int, int] | None:
    """The value and the bounds of a band; None for anything else."""
    match expression:
        case Call(
            _, "case", (Call(_, "and", (Call(_, "ge", (value, Literal(_, int(low)))), Call(_, "le", (_, Literal(_, int(high)))))), *_)
        ):
            return (value, low, high) if band(value, low, high) == expression else None
    return None


def _of_aggregate(node: Aggregate, catalog: Catalog) -> Node:
    """Its quantiles as calls over counts; equal counts are there once, whatever they are for."""
    rows, taken = rows_max(node.input, frozenset(node.keys), catalog), {one.name for one in node.fields}
    kept: dict[str, AggregateCall] = {name: one for name, one in node.aggregates if one.function != "quantile_disc"}
    names: dict[AggregateCall, str] = {}
    shares: dict[str, tuple[AggregateCall, list[AggregateCall]]] = {}
    for name, one in node.aggregates:
        if one.function != "quantile_disc":
            continue
        calls = _counts(one, rows)
        for each, label in zip(calls, Grid.of(one.type).labels, strict=True):
            if each not in names:
                names[each] = fresh_name(f"{name}_{label}", taken)
                taken.add(names[each])
        shares[name] = one, calls
    made = Aggregate(node.input, node.keys, (*kept.items(), *((name, one) for one, name in names.items())))
    columns: dict[str, Expression] = {one.name: column(made.field(one.name)) for one in node.fields if one.name not in shares}
    for name, (one, calls) in shares.items():
        assert one.quantile is not None
        counts = (column(made.field(names[each])) for each in calls)
        columns[name] = Call(one.type, QUANTILE, (*map(integer, one.quantile), *counts))
    return Project(made, tuple((one.name, columns[one.name]) for one in node.fields))


def _counts(one: AggregateCall, rows: int) -> list[AggregateCall]:
    """What is counted for a quantile. Raises Refused for one that noise cannot show, with the nearest form."""
    assert one.argument is not None and one.quantile is not None
    if isinstance(one.argument, Call) and one.argument.function == "negate":
        rule = "noise goes on counts of bands, from which a quantile is read that is one of the values"
        raise Refused("noise on MEDIAN, or a quantile of negated values", rule=rule, do="QUANTILE_DISC(x, 0.5)")
    if not 0 < Fraction(*one.quantile) < 1:
        rule = "the share lies between 0 and 1: one unit alone can be the least or the largest value"
        raise Refused(f"noise on a quantile of {Fraction(*one.quantile)}", rule=rule, do="write a share as 0.05 or 0.95")
    grid = Grid.of(one.argument.type)
    return [aggregate("count", band(one.argument, low, high), rows) for low, high in grid.bands]
