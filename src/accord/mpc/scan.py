"""Along the rows: running sums and differences (local), rows with a flag to the front, values carried down, sums of sorted groups.

A running sum is linear, so that whatever is linear along the rows of a table costs nothing but the shuffles that bring the rows into
their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Column, Ring
from accord.mpc.bits import bools_from_planes, not_bits, select_bits
from accord.mpc.compose import together
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.party import Party
from accord.mpc.permute import Permutation, gather
from accord.mpc.product import multiply
from accord.mpc.share import Bits, Share, rows_of
from accord.mpc.shuffle import AnyColumn, Words, draw_shuffle, load_of, packed, shuffle_cost, unpacked, way_through
from accord.mpc.sort import by_digit, pass_cost

S = TypeVar("S", Share, Bits)

# ---- local


def running_sums(x: S) -> S:
    """Row j of the result: the sum (of bits: the ⊕) of rows 0 … j, modulo the ring."""
    if isinstance(x, Share):
        return Share(x.ring, *(x.ring.reduce(np.cumsum(part, dtype=x.ring.dtype)) for part in (x.own, x.next)))
    return Bits(x.rows, _running_parity(x.own), _running_parity(x.next))


def sums_before(x: Share) -> Share:
    """Row j of the result: the sum of rows 0 … j − 1."""
    return running_sums(x) - x


def differences(x: S) -> S:
    """Row j of the result: row j minus (of bits: ⊕) row j − 1; row 0 as it is. What `running_sums` undoes."""
    if isinstance(x, Share):
        return Share(x.ring, *(x.ring.reduce(np.diff(part, prepend=part.dtype.type(0))) for part in (x.own, x.next)))
    return Bits(x.rows, x.own ^ _one_row_down(x.own), x.next ^ _one_row_down(x.next))


def _running_parity(planes: Column) -> Column:
    """Within each word by doubling strides, then the parity of the words before."""
    parity = planes.copy()
    for level in range(6):
        parity ^= parity << np.uint64(1 << level)
    odd = np.bitwise_xor.accumulate(parity >> np.uint64(63), axis=1)
    parity[:, 1:] ^= np.uint64(0) - odd[:, :-1]
    return parity


def _one_row_down(planes: Column) -> Column:
    moved = planes << np.uint64(1)
    moved[:, 1:] |= planes[:, :-1] >> np.uint64(63)
    return moved


# ---- rows with a flag


def partition_cost(rows: int, *kinds: Ring | int) -> Cost:
    return pass_cost(rows, 1, *kinds)


@costs(partition_cost)
async def partition(me: Party, flag: Bits, columns: Sequence[AnyColumn]) -> tuple[Permutation, list[AnyColumn]]:
    """Rows with the flag (one plane) to the front, the others behind, both in the order they have; and that permutation.

    Learns: every server a uniform permutation of the rows.
    Opens:  the shuffled row numbers.
    Cost:   5 rounds; 10 row numbers a row, and 4 elements of each column, all servers together. Facts: rows, the ring or width of each
            column.
    """
    if flag.width != 1:
        raise OurFault(f"a partition by {flag!r}", rule="one plane")
    absent = not_bits(me, flag)
    digits = Words(Ring(1), *(bools_from_planes(part, flag.rows).view(np.uint8) for part in (absent.own, absent.next)))
    way = way_through(draw_shuffle(me.step("draw"), flag.rows))
    permutation, moved = await by_digit(me, way, digits, [load_of(me, way, one) for one in packed(flag.rows, columns)])
    return permutation, unpacked(columns, moved)


@costs(lambda rows, *kinds: partition_cost(rows, 1, *kinds))
async def compact(me: Party, flag: Bits, columns: Sequence[AnyColumn], rows_max: int) -> tuple[Bits, list[AnyColumn]]:
    """The first `rows_max` rows after a `partition`: the flag, then the columns. Rows beyond it are dropped, flagged or not.

    Learns: as `partition`; how many rows have the flag stays secret.
    Opens:  as `partition`.
    Cost:   as `partition`, the flag being one more column. Facts: rows, the ring or width of each column.
    """
    _, (first, *rest) = await partition(me, flag, [flag, *columns])
    stop = min(rows_max, flag.rows)
    return rows_of(first, 0, stop), [rows_of(one, 0, stop) for one in rest]


def keep_cost(rows: int, *kinds: Ring | int) -> Cost:
    rings = [one for one in kinds if isinstance(one, Ring)]
    flags, products, words = FREE, FREE, FREE
    for ring in dict.fromkeys(rings):
        flags = flags.beside(cost_of(bit_to_ring, rows, ring))
    for ring in rings:
        products = products.beside(cost_of(multiply, rows, ring))
    for width in (one for one in kinds if isinstance(one, int)):
        words = words.beside(cost_of(select_bits, rows, width))
    return flags.then(products).beside(words)


@costs(keep_cost)
async def keep(me: Party, flag: Bits, columns: Sequence[S]) -> list[S]:
    """Each column where the flag is set, and 0 elsewhere.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   3 rounds; an element a row and server for each ring, and one for each of its columns; 1 bit a bit for a word. Facts: rows, the
            ring or width of each column.
    """
    numbers: dict[int, Any] = {i: one for i, one in enumerate(columns) if isinstance(one, Share)}
    words: dict[int, Any] = {i: one for i, one in enumerate(columns) if isinstance(one, Bits)}
    kept_words = (_kept_word(me.step(f"column.{i}"), flag, one) for i, one in words.items())
    products, *rest = await together(_kept_numbers(me, flag, numbers), *kept_words)
    kept = {**products, **dict(zip(words, rest, strict=True))}
    return [kept[i] for i in range(len(columns))]


async def _kept_word(me: Party, flag: Bits, column: Bits) -> Bits:
    return await select_bits(me, flag, column, Bits(column.rows, column.own ^ column.own, column.next ^ column.next))


async def _kept_numbers(me: Party, flag: Bits, columns: Mapping[int, Share]) -> dict[int, Share]:
    """Of columns by their places; the flag as a number is made once for a ring."""
    rings = list(dict.fromkeys(one.ring for one in columns.values()))
    made = await together(*(bit_to_ring(me.step(f"flag.{ring.bits}"), flag, ring) for ring in rings))
    flags = dict(zip(rings, made, strict=True))
    products = (multiply(me.step(f"column.{i}"), flags[one.ring], one) for i, one in columns.items())
    return dict(zip(columns, await together(*products), strict=True))


def fill_cost(rows: int, *kinds: Ring | int) -> Cost:
    return partition_cost(rows, *kinds).then(shuffle_cost(rows, *kinds))


@costs(fill_cost)
async def fill_down(me: Party, header: Bits, columns: Sequence[S]) -> list[S]:
    """Row j of each result: its column's value in the last row up to j that is a header, and 0 before the first one.

    Behind all others, headers lie side by side: each becomes its difference from the one before, goes back to its place, and a running
    sum does the rest.

    Learns: as `partition`.
    Opens:  as `partition`.
    Cost:   as `partition` and a shuffle: 7 rounds. Facts: rows, the ring or width of each column.
    Needs:  columns that are 0 in rows that are no header (`keep`).
    """
    behind, parted = await partition(me.step("behind"), not_bits(me, header), columns)
    moved: list[Any] = parted
    back: list[Any] = await gather(me.step("back"), behind, [differences(one) for one in moved])
    return [running_sums(one) for one in back]


@costs(lambda rows, *rings: partition_cost(rows, 1, *rings))
async def group_sums(me: Party, last: Bits, columns: Sequence[Share]) -> tuple[Bits, list[Share]]:
    """Sums over groups of rows that lie side by side, `last` being set in the last row of each: the g-th group's in row g.

    Returns a flag, set in as many rows as there are groups, and the sums; rows without the flag mean nothing.

    Learns: as `partition`.
    Opens:  as `partition`.
    Cost:   as `partition`, the flag being one more column: 5 rounds. Facts: rows, the ring of each column.
    """
    _, (flag, *totals) = await partition(me, last, [last, *(running_sums(column) for column in columns)])
    assert isinstance(flag, Bits)
    return flag, [differences(one) for one in totals if isinstance(one, Share)]
