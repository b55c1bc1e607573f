"""Which boxes let a secret cell move far enough, on shares: for several cells at once, and for every opposite cell.

Let w be the wanted width. In a dimension where the cell or its opposite is a total, both corners of an edge go the same way, and the
total is at least as large as the other: only the other can fall short. So a box fits where, over the corners that differ from the cell in
an odd number of the other dimensions, all are at least w (the cell can go up), or over an even number (it can go down). Where a total is
on every edge all corners go up together, and nothing falls short: a table with totals in all dimensions has a box for every cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from accord.base.ring import Ring
from accord.mpc.bits import bools_from_planes, planes_from_bools
from accord.mpc.compose import together
from accord.mpc.inputs import public_share
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.secure_calls import and_bits, dot
from accord.release.suppression_grid import Grid, Numbers, Side

BIT = Ring(1)
"""Flags as numbers modulo 2: an AND is a product, and which one of several is set is told by sums."""
Sides = Mapping[Side, Share]
"""Columns by the dimensions that they have: for each of several secret cells in turn, a row for each place in them."""


# ---- flags as rows


def rows_of_plane(plane: Bits) -> Share:
    """One plane as a column of flags: local."""
    return Share(BIT, *(bools_from_planes(part, plane.rows).view(np.uint8) for part in (plane.own, plane.next)))


def plane_of_rows(flags: Share) -> Bits:
    """The reverse: local."""
    return Bits(flags.rows, planes_from_bools(flags.own), planes_from_bools(flags.next))


def negated(me: Party, flags: Share) -> Share:
    return flags + public_share(me, np.ones(flags.rows, np.uint8), BIT)


def split(flags: Share, rows: Sequence[int]) -> list[Share]:
    """Parts of so many rows, one after the other."""
    return [flags[int(start) : int(stop)] for start, stop in pairwise(np.cumsum([0, *rows]))]


async def ands(me: Party, *pairs: tuple[Share, Share]) -> list[Share]:
    """The AND of each pair, all in one round."""
    left, right = (plane_of_rows(Share.concatenate([pair[at] for pair in pairs])) for at in (0, 1))
    made = rows_of_plane(await and_bits(me, left, right))
    return split(made, [pair[0].rows for pair in pairs])


async def all_of(me: Party, factors: Sequence[Share]) -> Share:
    left = list(factors)
    while len(left) > 1:
        pairs = list(zip(left[::2], left[1::2], strict=False))
        left = await ands(me.step(f"all.{len(left)}"), *pairs) + left[2 * len(pairs) :]
    return left[0]


def columns_of(flags: Share, cells: int, taken: Numbers) -> Share:
    """Of a matrix whose rows have a column a place, these columns."""
    return Share(BIT, *(part.reshape(cells, -1)[:, taken].reshape(-1) for part in (flags.own, flags.next)))


# ---- protocols


async def contracted(me: Party, grid: Grid, flags: Share, to: Sequence[Side], cells: int, at: Sides) -> list[Share]:
    """The flags as far as they stand at the secret cells' places in all dimensions but those of each side: sums over the others.

    `flags`: a matrix of a row for each secret cell, or one row for all. `at`: where each cell stands, 1 at its place. One round.
    """
    every = frozenset(grid.dimensions)
    left, right, starts, rows = [], [], [], 0
    for side in to:
        order, others = grid.along(side), every - side
        spread = np.tile(order, (cells, 1)) if flags.rows == grid.cells else order + grid.cells * np.arange(cells)[:, None]
        left.append(flags[spread.reshape(-1)])
        right.append(columns_of(at[others], cells, grid.number(others)[order]))
        starts.append(np.arange(rows, rows + left[-1].rows, grid.size(others)))
        rows += left[-1].rows
    made = await dot(me, Share.concatenate(left), Share.concatenate(right), starts=np.concatenate(starts))
    return split(made, [len(one) for one in starts])


async def placed(me: Party, grid: Grid, at: Sequence[Share], cells: int) -> dict[Side, Share]:
    """Where each secret cell stands in all sides of fewer dimensions than the grid's, from where it stands in each dimension."""
    made = {frozenset([one]): flags for one, flags in enumerate(at)}
    pairs = [side for side in grid.sides if len(side) == 2 and len(side) < len(grid.shape)]
    if pairs:
        sizes = [[grid.shape[one] for one in sorted(side)] for side in pairs]
        numbers = [np.divmod(np.arange(a * b), b) for a, b in sizes]
        factors = [
            (columns_of(at[min(side)], cells, first), columns_of(at[max(side)], cells, last))
            for side, (first, last) in zip(pairs, numbers, strict=True)
        ]
        made.update(zip(pairs, await ands(me, *factors), strict=True))
    return made


async def fitting(me: Party, grid: Grid, cells: int, at: Sides, enough: Sequence[Share]) -> Share:
    """For each secret cell a row of flags: the opposite cells whose box fits in every column. None fits where there is no cell.

    `enough`: for each column which cells are at least as large as wanted, a row for each secret cell or one for all.
    """
    own = [at[frozenset([one])] for one in grid.dimensions]
    kinds, apart, *boxes = await together(
        _kinds(me.step("kinds"), grid, cells, own),
        all_of(me.step("apart"), [columns_of(negated(me, one), cells, grid.places[which]) for which, one in enumerate(own)]),
        *(_boxes(me.step(f"column.{which}"), grid, cells, at, one) for which, one in enumerate(enough)),
    )
    chosen = [
        await all_of(me.step(f"columns.{number}"), [one[side] for one in boxes]) if len(boxes) > 1 else boxes[0][side]
        for number, side in enumerate(grid.sides)
    ]
    every = np.zeros(grid.cells, np.intp)
    boxed = [(side, one) for side, one in zip(grid.sides, chosen, strict=True) if not side & grid.kept]
    pairs = [(columns_of(kinds[side], cells, every), one) for side, one in boxed]
    parts = await ands(me.step("kind"), *pairs)
    (made,) = await ands(me.step("apart"), (_sum(parts), apart))
    return made


def _sum(parts: Sequence[Share]) -> Share:
    whole = parts[0]
    for one in parts[1:]:
        whole = whole + one
    return whole


async def _kinds(me: Party, grid: Grid, cells: int, own: Sequence[Share]) -> dict[Side, Share]:
    """For each set of dimensions, whether a secret cell is a total in them and in no other: nowhere set where there is no cell."""
    total = [columns_of(one, cells, np.array([grid.shape[which] - 1])) for which, one in enumerate(own)]
    inner = [Share(BIT, *(np.bitwise_xor.reduce(part.reshape(cells, -1)[:, :-1], axis=1) for part in (one.own, one.next))) for one in own]
    chosen = [[total[one] if one in side else inner[one] for one in grid.dimensions] for side in grid.sides]
    made = await together(*(all_of(me.step(f"kind.{number}"), one) for number, one in enumerate(chosen)))
    return dict(zip(grid.sides, made, strict=True))


@dataclass(frozen=True, eq=False)
class _Part:
    """The opposite cells that are totals in the same dimensions, for secret cells of one kind. `bound`: where neither is a total."""

    kind: Side
    bound: Side
    opposite: Numbers


def _parts(grid: Grid) -> list[_Part]:
    every = frozenset(grid.dimensions)
    return [
        _Part(kind, every - kind - over, np.flatnonzero((grid.totals == [[one in over] for one in grid.dimensions]).all(axis=0)))
        for kind in grid.sides
        for over in grid.sides
        if not kind & over
    ]


async def _boxes(me: Party, grid: Grid, cells: int, at: Sides, enough: Share) -> dict[Side, Share]:
    """For each kind of secret cell, whether the box with each opposite cell fits; only where those cells are of that kind."""
    corner = await _corners(me.step("corners"), grid, cells, at, enough)
    parts = _parts(grid)
    bounds = sorted({len(one.bound) for one in parts} - {0})
    made = await together(*(_fits(me.step(f"bound.{size}"), cells, corner, grid, parts, size) for size in bounds))
    found = dict(zip(bounds, made, strict=True))
    boxes = {}
    for kind in grid.sides:
        out = Share(BIT, *(np.zeros((cells, grid.cells), np.uint8) for _ in range(2)))
        for part in [one for one in parts if one.kind == kind]:
            block = found[len(part.bound)].pop(0) if part.bound else public_share(me, np.ones(cells * len(part.opposite), np.uint8), BIT)
            for into, given in ((out.own, block.own), (out.next, block.next)):
                into[:, part.opposite] = given.reshape(cells, -1)
        boxes[kind] = Share(BIT, out.own.reshape(-1), out.next.reshape(-1))
    return boxes


async def _corners(me: Party, grid: Grid, cells: int, at: Sides, enough: Share) -> dict[Side, Share]:
    """Whether the corners that differ from the secret cell in each set of dimensions are large enough, a row a place in them."""
    every, first = frozenset(grid.dimensions), frozenset([0])
    whole = enough if enough.rows == cells * grid.cells else Share(BIT, np.tile(enough.own, cells), np.tile(enough.next, cells))
    proper = [side for side in grid.sides if side and side != every]
    made = dict(zip(proper, await contracted(me.step("sides"), grid, enough, proper, cells, at), strict=True)) if proper else {}
    made[every] = whole
    starts = np.arange(0, cells * grid.shape[0], grid.shape[0])
    made[frozenset()] = await dot(me.step("own"), made[first], at[first], starts=starts)
    return made


async def _fits(me: Party, cells: int, corner: Sides, grid: Grid, parts: Sequence[_Part], size: int) -> list[Share]:
    """Of the parts with so many bound dimensions, whether all corners of an odd number of them, or of an even number, are large enough."""
    mine = [one for one in parts if len(one.bound) == size]
    ways: list[list[Share]] = [[], []]
    for number in range(1 << size):
        column = []
        for part in mine:
            flipped = frozenset(one for bit, one in enumerate(sorted(part.bound)) if number >> bit & 1)
            side = part.kind | flipped
            column.append(columns_of(corner[side], cells, grid.number(side)[part.opposite]))
        ways[number.bit_count() % 2].append(Share.concatenate(column))
    up, down = await together(*(all_of(me.step(f"way.{number}"), one) for number, one in enumerate(ways)))
    (both,) = await ands(me.step("either"), (up, down))
    return split(up + down + both, [cells * len(one.opposite) for one in mine])
