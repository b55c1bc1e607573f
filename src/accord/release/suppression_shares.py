"""Complementary suppression on shares: one cell that failed after the other gets a box of suppressed cells in which it can move.

Every step does the same whatever the data are: which cells failed, which boxes were chosen and what was suppressed stays secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from accord.base.ring import Ring
from accord.mpc.bits import not_bits, planes_from_bools
from accord.mpc.compose import together
from accord.mpc.party import Party
from accord.mpc.rows import every_row, rows_between
from accord.mpc.share import Bits, Share
from accord.plan.secure_calls import and_bits, bit_to_ring, dot, is_zero
from accord.plan.secure_relations import partition
from accord.release.suppression_fits import (
    BIT,
    Sides,
    ands,
    columns_of,
    contracted,
    fitting,
    negated,
    placed,
    plane_of_rows,
    rows_of_plane,
)
from accord.release.suppression_grid import Grid, Side
from accord.wire.exchange import Protocol

FLAGS_AT_ONCE = 1 << 19
"""So many boxes are judged together at most: more would leave the cache and save few rounds."""

Enough = Callable[[Party, Sequence[Share]], Protocol[list[Share]]]
"""For each column, from the values of several secret cells: which cells are as large as each of them needs, a row a secret cell; or one row
for all."""


async def suppressed(me: Party, grid: Grid, failed: Bits, columns: Sequence[Share], enough: Enough, primaries_max: int) -> Bits:
    """Which cells are suppressed, of those that failed: all are in the order of the grid.

    For each cell that failed, the cheapest box that fits (fewest newly suppressed cells, then fewest totals, then the first) is suppressed
    [GR02]. Each cell of it can then differ from its value by as much as the first one needs, whatever is told of all others: every
    corner moves by the same amount, no sum changes and none falls below 0. Where a cell finds no box, which takes kept totals, all cells
    are suppressed.

    Learns: servers the uniform permutation of a partition.
    Opens:  the shuffled row numbers of `partition`.
    Cost:   10 to 20 rounds a cell of `primaries_max`, and about a hundred bits for each cell of the table in each of them.
    Needs:  0 in no sum but its cells' own: additive columns of at least 0; no more failed cells than `primaries_max`.
    """
    count = min(primaries_max, grid.cells)
    at, values = await _listed(me.step("list"), grid, failed, columns, count)
    held, size = rows_of_plane(failed), max(1, FLAGS_AT_ONCE // grid.cells)
    alone = list[Share]()
    for start in range(0, count, size):
        here, cells = me.step(f"cells.{start}"), min(size, count - start)
        mine = [_rows(one, start, start + cells, count) for one in at]
        sides = await placed(here.step("placed"), grid, mine, cells)
        large = await enough(here.step("enough"), [one[start : start + cells] for one in values])
        fits = await fitting(here.step("fits"), grid, cells, sides, large)
        for number in range(cells):
            one = {side: _rows(flags, number, number + 1, cells) for side, flags in sides.items()}
            fit = _rows(fits, number, number + 1, cells)
            held, boxed = await _step(here.step(f"{number}").turned(number), grid, held, one, fit)
            alone.append(boxed + total_of(one[frozenset([0])]))
    return await _unless_alone(me.step("alone"), plane_of_rows(held), plane_of_rows(Share.concatenate(alone)))


async def _unless_alone(me: Party, held: Bits, alone: Bits) -> Bits:
    """What is held; every cell where one that failed has no box."""
    ring = Ring(alone.rows.bit_length())
    counted: Share = await bit_to_ring(me.step("number"), alone, ring=ring)
    none = every_row(await is_zero(me.step("none"), counted.sum(), bits=ring.bits), held.rows)
    return not_bits(me, await and_bits(me.step("all"), not_bits(me, held), none))


def _rows(flags: Share, start: int, stop: int, cells: int) -> Share:
    """Rows of a matrix that has one for each secret cell."""
    width = flags.rows // cells
    return flags[start * width : stop * width]


async def _listed(me: Party, grid: Grid, failed: Bits, columns: Sequence[Share], count: int) -> tuple[list[Share], list[Share]]:
    """The first cells that failed: for each dimension a row of flags a cell, 1 at its place, all 0 where there is no cell; and values."""
    places = np.concatenate([np.arange(size)[:, None] == grid.places[one] for one, size in enumerate(grid.shape)])
    planes = np.concatenate([planes_from_bools(row) for row in places])
    marked = Bits(failed.rows, planes & failed.own, planes & failed.next)
    _, (moved, *values) = await partition(me, failed, [marked, *columns])
    first = rows_between(moved, 0, count)
    ends = np.cumsum([0, *grid.shape])
    at = [_matrix(first, int(start), int(stop)) for start, stop in pairwise(ends)]
    return at, [one[:count] for one in values]


def _matrix(words: Bits, start: int, stop: int) -> Share:
    """Planes as a matrix of flags, a row a row."""
    rows = [rows_of_plane(words.plane(at)) for at in range(start, stop)]
    return Share(BIT, *(np.stack([getattr(one, name) for one in rows], axis=1).reshape(-1) for name in ("own", "next")))


# ---- one cell


async def _step(me: Party, grid: Grid, held: Share, at: Sides, fits: Share) -> tuple[Share, Share]:
    """What is suppressed after the cell has its box, and whether it has one. Without a cell all flags are 0: nothing more is suppressed."""
    every = frozenset(grid.dimensions)
    proper = [side for side in grid.sides if side and side != every]
    free = negated(me, held)
    pairs = [(fits, held), *((free, columns_of(at[every - side], 1, grid.number(every - side))) for side in proper)]
    made: list[Any] = await together(
        ands(me.step("first"), *pairs), *([contracted(me.step("sides"), grid, held, proper, 1, at)] if proper else [])
    )
    (opposite, *beside), lines = made[0], made[1] if proper else []
    levels = [fits + opposite, opposite]
    for number, (side, line) in enumerate(zip(proper, lines, strict=True)):
        levels = await _counted(me.step(f"count.{number}"), levels, columns_of(line, 1, grid.number(side)))
    chosen = await _first(me.step("choice"), grid, levels)
    factors = [columns_of(_projected(grid, chosen, side), 1, grid.number(side)) for side in proper]
    left, right = (_interleaved(parts) for parts in ([*factors, chosen], [*beside, free]))
    marks: Share = await dot(me.step("marks"), left, right, starts=np.arange(0, left.rows, len(proper) + 1))
    return held + marks, total_of(chosen)


def total_of(flags: Share) -> Share:
    """The sum of flags of which at most one is set: whether one is."""
    return Share(BIT, *(np.bitwise_xor.reduce(part, keepdims=True) for part in (flags.own, flags.next)))


async def _counted(me: Party, levels: list[Share], more: Share) -> list[Share]:
    """Flags by how many are held, one flag more being counted."""
    rising = await ands(me, *((one, more) for one in levels))
    stay = [one + up for one, up in zip(levels, rising, strict=True)]
    return [stay[0], *(one + up for one, up in zip(stay[1:], rising, strict=False)), rising[-1]]


async def _first(me: Party, grid: Grid, levels: Sequence[Share]) -> Share:
    """The first opposite cell in the order of preference, 1 in its place; nowhere where none fits."""
    order = grid.preference
    flags = Share.concatenate([levels[held][cells] for held, cells in order])
    ring = Ring(grid.cells.bit_length())
    ones: Share = await bit_to_ring(me.step("ring"), plane_of_rows(flags), ring=ring)
    before = Share(ring, *(ring.reduce(np.cumsum(part, dtype=part.dtype) - part) for part in (ones.own, ones.next)))
    none = await is_zero(me.step("zero"), before, bits=ring.bits)
    first = rows_of_plane(await and_bits(me.step("first"), plane_of_rows(flags), none))
    own, after = np.zeros(grid.cells, np.uint8), np.zeros(grid.cells, np.uint8)
    start = 0
    for _, cells in order:
        own[cells] ^= first.own[start : start + len(cells)]
        after[cells] ^= first.next[start : start + len(cells)]
        start += len(cells)
    return Share(BIT, own, after)


def _projected(grid: Grid, one: Share, side: Side) -> Share:
    """Sums over all dimensions but the side's: where the one cell stands in those."""
    axes = tuple(at for at in grid.dimensions if at not in side)
    return Share(BIT, *(np.bitwise_xor.reduce(part.reshape(grid.shape), axis=axes).reshape(-1) for part in (one.own, one.next)))


def _interleaved(parts: Sequence[Share]) -> Share:
    return Share(BIT, *(np.stack([getattr(one, name) for one in parts], axis=1).reshape(-1) for name in ("own", "next")))
