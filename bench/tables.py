"""Rules of a whole table between three processes on loopback, as `bench.mpc` has them: seconds, bytes and rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt
from typing import Any

import numpy as np

from accord.base.ring import Column
from accord.mpc.cost import Cost, costs
from accord.mpc.inputs import add_public
from accord.mpc.party import LAN, Party
from accord.mpc.share import Bits, Share
from accord.plan.secure_calls import count, sign, zeros
from accord.release.suppression_fits import negated, rows_of_plane
from accord.release.suppression_grid import Grid
from accord.release.suppression_shares import suppressed
from bench import mpc
from bench.golden import Suite
from bench.mpc import Case, Order
from bench.relational import Dealer

CELLS_A_PRIMARY = 20
"""One cell in twenty fails."""
WIDTH, VALUE_BITS = 5, 32


def shape_of(cells: int) -> tuple[int, int]:
    """The squarest table of so many cells, its totals among them."""
    side = next(one for one in range(isqrt(cells), 0, -1) if cells % one == 0)
    return side, cells // side


def suppression_cost(rows: int) -> Cost:
    def run(me: Party) -> Any:
        return suppression(me, zeros("ring", 64, rows), zeros("bits", 1, rows))

    return count(run, LAN)[1]


@costs(suppression_cost)
async def suppression(me: Party, values: Share, failed: Bits) -> Bits:
    """Complementary suppression of a table in two dimensions, of which one cell in twenty failed."""
    grid = Grid(shape_of(values.rows), np.arange(values.rows))
    large = negated(me, rows_of_plane(await sign(me.step("large"), add_public(me, values, -WIDTH), bits=VALUE_BITS)))

    async def enough(here: Party, cells: Sequence[Share]) -> list[Share]:
        return [large]

    return await suppressed(me.step("boxes"), grid, failed, [values], enough, values.rows // CELLS_A_PRIMARY)


def table_columns(rows: int, index: int) -> list[Any]:
    """A table with its totals, and which cells fail."""
    deal = Dealer(rows, index)
    inner = deal.random.integers(0, 1000, [one - 1 for one in shape_of(rows)])
    for axis in (0, 1):
        inner = np.concatenate([inner, inner.sum(axis=axis, keepdims=True)], axis=axis)
    failed: Column = np.zeros(rows, np.uint64)
    failed[deal.random.choice(rows, rows // CELLS_A_PRIMARY, replace=False)] = 1
    return [deal.share(inner.reshape(-1)), deal.bits(failed, 1)]


CASES = (Case("suppression", suppression, 10_000, 0, whole=True, dealt=table_columns),)
"""Rows are the cells of a table, totals among them."""
SWEEP_ROWS = (10**2, 10**3, 10**4)


def orders() -> list[Order]:
    return [Order(case, rows, 1) for case in CASES for rows in SWEEP_ROWS if rows <= case.rows]


def measure(orders: Sequence[Order], link: str) -> Iterator[dict[str, Any]]:
    """As `bench.mpc.measure`; the rounds are those of all rows, as foretold: a step for each cell that may fail."""
    for one, line in zip(orders, mpc.measure(orders, link), strict=True):
        yield {**line, "rounds": one.case.protocol.cost(one.rows).rounds}  # type: ignore[attr-defined]


SUITE = Suite("tables", CASES, lambda case, rows: case.protocol.cost(rows).rounds)  # type: ignore[attr-defined]
