"""Scans within groups of rows that lie side by side: row j of the result combines the rows from the first of its group to itself.

For what is not linear along the rows (least, greatest, any); running sums need none of it. A public network merges spans of rows level
by level; each row has, beside its values, whether its span begins inside a group that began before, which a merge then joins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Column, Ring
from accord.mpc.adder import ADDERS
from accord.mpc.bits import and_bits, and_cost, not_bits, or_bits
from accord.mpc.compare import sign, sign_cost
from accord.mpc.compose import in_blocks, together
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.party import Party
from accord.mpc.product import multiply
from accord.mpc.scan import fill_cost, fill_down, keep, keep_cost
from accord.mpc.share import Bits, Share
from accord.mpc.shuffle import AnyColumn, Words, packed, unpacked
from accord.wire.exchange import Protocol

Combine = Callable[[Party, Bits, list[Any], list[Any]], Protocol[list[Any]]]
"""`combine(me, joins, before, here)`: columns that have, in each row, what an associative operation makes of `before` and `here`, in this
order, where the plane `joins` is set, and `here` elsewhere. It goes row by row, and steps before it sends."""

ROWS_AT_ONCE_MAX = {"brent-kung": 1 << 10, "sklansky": 1 << 15}
"""By the profile's adder: of so many rows or fewer, in fewest rounds; of more, every other row takes in the one before it first."""
assert ROWS_AT_ONCE_MAX.keys() == ADDERS.keys()

# ---- networks


@dataclass(frozen=True)
class Level:
    """Merges of one round: of `count` rows that stand `stride` apart, the first in row `start`, every other run of `span` rows takes in
    the last row of the run before. `asks`: a later level asks these rows whether they join, so that they hand that on.
    """

    count: int
    start: int
    stride: int
    span: int
    asks: bool

    @property
    def merges(self) -> int:
        runs, rest = divmod(self.count, 2 * self.span)
        return runs * self.span + max(0, rest - self.span)

    def rows(self) -> tuple[Column, Column]:
        """The rows that are taken in, and the rows that take them in."""
        runs = np.arange(self.span, self.count, 2 * self.span)
        after = (runs[:, None] + np.arange(self.span)).reshape(-1)[: self.merges]
        before = np.repeat(runs - 1, self.span)[: self.merges]
        return self.start + before * self.stride, self.start + after * self.stride


def levels(rows: int, adder: str) -> Iterator[Level]:
    """The levels that give every row all rows before it: those of Ladner and Fischer [LF80]."""
    stride = 1
    while rows // stride > ROWS_AT_ONCE_MAX[adder]:
        yield Level(rows // stride, stride - 1, stride, 1, asks=True)
        stride *= 2
    left = rows // stride
    for level in range((left - 1).bit_length()):
        yield Level(left, stride - 1, stride, 1 << level, asks=2 << level < left)
    while stride > 1:
        stride //= 2
        if rows // stride > 2:
            yield Level(rows // stride - 1, 2 * stride - 1, stride, 1, asks=False)


# ---- any associative operation


def segmented_scan_cost(rows: int, adder: str, combine: Callable[[int], Cost]) -> Cost:
    cost = FREE
    for level in levels(rows, adder):
        merge = combine(level.merges)
        cost = cost.then(merge.beside(and_cost(level.merges, 1)) if level.asks else merge)
    return cost


@costs(segmented_scan_cost)
async def segmented_scan(me: Party, first: Bits, columns: Sequence[AnyColumn], combine: Combine) -> list[AnyColumn]:
    """Row j of each result: its column's rows from the first of the group of row j to row j, combined in their order.

    `first` (one plane) is set where a group begins; row 0 begins one whether it is or not. Raises OurFault for other rows or planes.

    Learns: nobody anything beyond what `combine` tells.
    Opens:  nothing beyond what `combine` opens.
    Cost:   about ⌈log2 rows⌉ levels up to 2^10 rows (2^15 with Sklansky's adder) and two more for each doubling of the rows beyond; each
            is one `combine`. Up to 2^10 rows half a merge a row and level, of many rows about two a row in all. Facts: rows, adder, the
            cost of `combine` for so many rows.
    Needs:  `combine` associative.
    """
    if first.width != 1:
        raise OurFault(f"groups that begin at {first!r}", rule="one plane")
    every = [not_bits(me, first), *columns]
    whole = [_copied(one) for one in packed(first.rows, every)]
    for number, level in enumerate(levels(first.rows, me.profile.adder)):
        before, after = level.rows()
        parts = [one for rows in (before, after) for one in unpacked(every, [_taken(column, rows) for column in whole])]
        merged = await in_blocks(_merged, me.step(f"level.{number}"), *parts, combine=combine, asks=level.asks)
        for column, part in zip(whole, packed(level.merges, merged), strict=True):
            column.own[after], column.next[after] = part.own, part.next
    return unpacked(every, whole)[1:]


async def _merged(me: Party, *parts: Any, combine: Combine, asks: bool) -> tuple[Any, ...]:
    """Whether rows join, and columns, of rows that have taken in the ones before."""
    half = len(parts) // 2
    (joined, *before), (joins, *here) = parts[:half], parts[half:]
    if not asks:
        return joins, *await combine(me.step("values"), joins, before, here)
    still, values = await together(and_bits(me.step("joins"), joins, joined), combine(me.step("values"), joins, before, here))
    return still, *values


def _copied(column: Share | Words) -> Share | Words:
    return type(column)(column.ring, column.own.copy(), column.next.copy())


def _taken(column: Share | Words, rows: Column) -> Share | Words:
    return type(column)(column.ring, column.own[rows], column.next[rows])


# ---- least, greatest, any


def least_cost(rows: int, bits: int, ring: Ring) -> Cost:
    flag = sign_cost(rows, bits).then(and_cost(rows, 1))
    return flag.then(cost_of(bit_to_ring, rows, ring)).then(cost_of(multiply, rows, ring))


def segmented_minimum_cost(rows: int, bits: int, ring: Ring, adder: str = "brent-kung") -> Cost:
    return segmented_scan_cost(rows, adder, lambda merges: least_cost(merges, bits, ring))


@costs(segmented_minimum_cost)
async def segmented_minimum(me: Party, first: Bits, x: Share, bits: int) -> Share:
    """Row j: the least of the signed numbers x from the first row of the group of row j to row j.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   at 64 bits 12 rounds a level and 39 bytes a merge and server (`segmented_scan`): of 10^6 rows 360 rounds and 78 bytes a row,
            with Sklansky's adder 300 and 84. Facts: rows, bits, ring, adder.
    Needs:  −2^(bits−1) < x − y < 2^(bits−1) for any two rows of a group.
    """
    (found,) = await segmented_scan(me, first, [x], partial(_least, bits=bits))
    assert isinstance(found, Share)
    return found


async def _least(me: Party, joins: Bits, before: list[Share], here: list[Share], bits: int) -> list[Share]:
    (x,), (y,) = before, here
    difference = x - y
    below = await and_bits(me.step("taken"), await sign(me.step("sign"), difference, bits), joins)
    flag = await bit_to_ring(me.step("flag"), below, x.ring)
    return [y + await multiply(me.step("part"), flag, difference)]


@costs(segmented_minimum_cost)
async def segmented_maximum(me: Party, first: Bits, x: Share, bits: int) -> Share:
    """Row j: the greatest of the signed numbers x from the first row of the group of row j to row j.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `segmented_minimum`. Facts: rows, bits, ring, adder.
    Needs:  −2^(bits−1) < x − y < 2^(bits−1) for any two rows of a group.
    """
    return -await segmented_minimum(me, first, -x, bits)


def segmented_any_cost(rows: int, adder: str = "brent-kung") -> Cost:
    return and_cost(rows, 1).then(segmented_scan_cost(rows, adder, lambda merges: and_cost(merges, 1)))


@costs(segmented_any_cost)
async def segmented_any(me: Party, first: Bits, flag: Bits) -> Bits:
    """Row j: whether the flag (one plane) is set in any row from the first of the group of row j to row j.

    A row that has the flag begins a group of its own: so a row takes a flag in by ⊕, as a sum takes a carry in.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round a level and one more, 2 bits a merge and server: of 10^6 rows 31 rounds, half a byte a row. Facts: rows, adder.
    """
    begins = await or_bits(me.step("begins"), first, flag)
    (found,) = await segmented_scan(me, begins, [flag], _carried)
    assert isinstance(found, Bits)
    return found


async def _carried(me: Party, joins: Bits, before: list[Bits], here: list[Bits]) -> list[Bits]:
    return [here[0] ^ await and_bits(me, joins, before[0])]


def segmented_last_cost(rows: int, *kinds: Ring | int) -> Cost:
    return and_cost(rows, 1).beside(keep_cost(rows, *kinds)).then(fill_cost(rows, 1, *kinds))


@costs(segmented_last_cost)
async def segmented_last(me: Party, first: Bits, valid: Bits, columns: Sequence[Share | Bits]) -> tuple[Bits, list[Share | Bits]]:
    """Row j: each column's value in the last valid row from the first of the group of row j to row j, and 0 if none is valid; before them,
    whether one is. No scan: what is copied down is linear (`fill_down`).

    Learns: as `partition`.
    Opens:  as `partition`.
    Cost:   as `keep`, then `fill_down` of the columns and a flag: 10 rounds with a ring's column, 8 without. Facts: rows, the ring or
            width of each column.
    """
    header, kept = await together(or_bits(me.step("header"), first, valid), keep(me.step("keep"), valid, columns))
    found, *values = await fill_down(me.step("fill"), header, [valid, *kept])
    return found, values
