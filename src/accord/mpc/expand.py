"""Rows repeated a secret number of times each, into a public number of rows.

A row's copies begin where the counts before it add up to. What is linear then needs only to know in which rows copies begin: rows that
are repeated at all go to the front, their differences go where their copies begin, and a running sum fills the rows between. Rows at the
front are as far from their places as copies are between, which never falls from one to the next: so a bit can walk to each place, by
powers of two, the largest first, and no two ever meet. That is why nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import ROWS_MAX
from accord.base.ring import Column, Ring
from accord.mpc.bits import and_bits, and_cost, not_bits, planes_from_bools, public_bits, select_bits
from accord.mpc.compare import is_zero, is_zero_cost, sign, sign_cost
from accord.mpc.compose import in_blocks, together
from accord.mpc.convert import to_bits, to_bits_cost
from accord.mpc.cost import Cost, costs
from accord.mpc.inputs import add_public
from accord.mpc.open import without_pad
from accord.mpc.party import Party
from accord.mpc.permute import gather, index_ring
from accord.mpc.scan import differences, keep, keep_cost, partition, partition_cost, running_sums, sums_before
from accord.mpc.share import Bits, Secret, Share, rows_of
from accord.mpc.shuffle import shuffle_cost

S = TypeVar("S", Share, Bits)

SUM_MAX = (1 << 31) - 1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expanded(Secret):
    """`rows_max` rows: the columns; `real`, set in as many rows as counts add up to; `position`, which copy of its row it is (0, 1, …),
    over the ring of row numbers; and `overflow`, one row: whether there would have been more rows. Rows that are not real have zeros
    in their columns, and positions that mean nothing.
    """

    columns: list[Any]
    real: Bits
    position: Share
    overflow: Bits


def sum_bits(rows_max: int, sum_max: int) -> int:
    """Bits of a sum of counts less a bound of rows, with its sign."""
    return max(rows_max, sum_max).bit_length() + 1


def expand_cost(rows: int, rows_max: int, sum_max: int, adder: str, *kinds: Ring | int) -> Cost:
    bits, ring, every, few = sum_bits(rows_max, sum_max), index_ring(rows_max), rows + 1, min(rows + 1, rows_max)
    kept = sign_cost(every, bits).beside(is_zero_cost(every, bits - 1)).then(and_cost(every, 1)).beside(sign_cost(1, bits))
    front = partition_cost(every, 1, ring, 1, *kinds).then(to_bits_cost(few, ring.bits, adder))
    masked = keep_cost(few, ring.bits, ring, 1, *kinds)
    places = walk_cost(rows_max, ring.bits).then(partition_cost(rows_max)).then(shuffle_cost(rows_max, ring, 1, *kinds))
    return kept.then(front).then(masked).then(places)


@costs(expand_cost)
async def expand(me: Party, counts: Share, columns: Sequence[Share | Bits], rows_max: int, sum_max: int = SUM_MAX) -> Expanded:
    """Row j of each column counts[j] times, one after the other in the order of the rows, as far as `rows_max` rows go.

    Rows past the bound are dropped; `overflow` says whether there are any, and stays secret. Raises OurFault for a ring that does not
    hold sums up to `sum_max`.

    Learns: every server two uniform permutations, one of the rows and one of the bound's rows; how often a row is repeated, how many
            rows are real and whether they overflow stay secret.
    Opens:  the shuffled row numbers, as `partition`.
    Cost:   of 10^6 rows into as many, with one 64-bit column and sums below 2^31: 52 rounds and 119 bytes a row and server. Facts: rows,
            rows_max, sum_max, adder, the ring or width of each column.
    Needs:  0 ≤ counts, and their sum ≤ sum_max.
    """
    bits, rows, ring = sum_bits(rows_max, sum_max), counts.rows, index_ring(rows_max)
    if not (1 <= rows_max <= ROWS_MAX and sum_max >= 0 and bits <= counts.ring.bits):
        raise OurFault(
            f"counts over Z_2^{counts.ring.bits} that add up to {sum_max}, into {rows_max} rows",
            rule=f"1 to {ROWS_MAX} rows, and {bits} bits",
            do="cast the counts up",
        )
    # One row more, which comes once, ends the last copies: there the columns fall to zero.
    ends = add_public(me, first_rows(counts, rows + 1), (np.arange(rows + 1) == rows).astype(counts.ring.dtype))
    starts = sums_before(ends)
    bound = {"rows_max": rows_max, "bits": bits}
    kept, overflow = await together(
        in_blocks(_kept, me.step("kept"), ends, starts, **bound), _overflow(me.step("overflow"), starts[rows:], **bound)
    )
    real = public_bits(me, planes_from_bools(np.arange(rows + 1) < rows), rows + 1)
    whole: list[Any] = list(columns)
    ended = [kept, starts.cast_down(ring), real, *(first_rows(one, rows + 1) for one in whole)]
    word, deltas = await _front(me.step("front"), kept, ended, rows_max)
    begins = await _walked(me.step("walk"), word, rows_max)
    start, real, *copies = await _copied(me.step("copies"), begins, deltas)
    return Expanded(copies, real, add_public(me, -start, np.arange(rows_max)), overflow)


async def _kept(me: Party, counts: Share, starts: Share, rows_max: int, bits: int) -> Bits:
    """Whether a row has copies, and its first lies within the bound."""
    inside, empty = await together(
        sign(me.step("inside"), add_public(me, starts, -rows_max), bits), is_zero(me.step("empty"), counts, bits - 1)
    )
    return await and_bits(me.step("both"), inside, not_bits(me, empty))


async def _overflow(me: Party, total: Share, rows_max: int, bits: int) -> Bits:
    return await sign(me, add_public(me, -total, rows_max), bits)


async def _front(me: Party, kept: Bits, columns: Sequence[Share | Bits], rows_max: int) -> tuple[Bits, list[Any]]:
    """Of the rows that are kept, one after the other: how far each has to go, with a flag that it has to, and how each column differs
    from the row before. Other rows are zero.
    """
    few = min(kept.rows, rows_max)
    moved: list[Any] = (await partition(me.step("partition"), kept, columns))[1]
    flag, starts, *rest = (rows_of(one, 0, few) for one in moved)
    way = add_public(me, starts, starts.ring.encode(-np.arange(few)))
    word = await in_blocks(to_bits, me.step("word"), way)
    deltas = [differences(one) for one in (starts, *rest)]
    word, *deltas = await in_blocks(_masked, me.step("keep"), flag, word, *deltas)
    return Bits.stack([word, flag]), deltas


async def _masked(me: Party, flag: Bits, *columns: Any) -> tuple[Any, ...]:
    return tuple(await keep(me, flag, columns))


async def _copied(me: Party, begins: Bits, deltas: Sequence[Any]) -> list[Any]:
    """Differences to where copies begin, in their order, and down from there."""
    places, _ = await partition(me.step("begins"), begins, [])
    spread: list[Any] = await gather(me.step("places"), places, [first_rows(one, begins.rows) for one in deltas])
    return [running_sums(one) for one in spread]


# ---- bits that walk to their places


def walk_cost(rows: int, bits: int) -> Cost:
    return Cost(bits, sum(and_cost(rows, 1 + bit).bytes for bit in range(bits)))


async def _walked(me: Party, word: Bits, rows: int) -> Bits:
    """One plane, set where the walks of rows with a flag (the top plane) end; the planes below say how far each has to go."""
    state = first_rows(word, rows)
    for bit in reversed(range(word.width - 1)):
        rest = Bits.stack([state.planes(slice(bit)), state.plane(bit + 1)])
        stay = await in_blocks(_staying, me.step(f"bit.{bit}"), state.plane(bit), rest)
        state = stay ^ _rows_down(rest ^ stay, 1 << bit)
    return state


async def _staying(me: Party, moves: Bits, rest: Bits) -> Bits:
    return await select_bits(me, moves, Bits(rest.rows, rest.own ^ rest.own, rest.next ^ rest.next), rest)


def _rows_down(x: Bits, rows: int) -> Bits:
    """Row j of the result is row j − rows, for a power of two."""
    return Bits(x.rows, *(_planes_down(planes, rows) for planes in (x.own, x.next)))


def _planes_down(planes: Column, rows: int) -> Column:
    words, bits = divmod(rows, 64)
    moved = np.zeros_like(planes)
    moved[:, words:] = planes[:, : planes.shape[1] - words] << np.uint64(bits)
    if bits:
        moved[:, 1:] |= planes[:, :-1] >> np.uint64(64 - bits)
    return moved


def first_rows(x: S, rows: int) -> S:
    """The first rows of a column, and zeros where it has no more: local."""
    if isinstance(x, Share):
        return Share(x.ring, *(np.concatenate([part[:rows], x.ring.zeros(max(0, rows - x.rows))]) for part in (x.own, x.next)))
    words = (rows + 63) // 64
    cleared = (without_pad(part, x.rows)[:, :words] for part in (x.own, x.next))
    return Bits(rows, *(np.pad(part, ((0, 0), (0, words - part.shape[1]))) for part in cleared))
