"""The rows of given ranks, without a sort: rows are shuffled, then compared, and the outcomes of comparisons are opened [HKI+12].

No two rows are equal: each row's number, which goes through the shuffle with it, stands behind its key. So what the comparisons tell is
the order of rows that stand in an order that nobody knows, and that is as likely to be any one as any other.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Column, Ring
from accord.mpc.bits import bools_from_planes, planes_from_column, public_bits
from accord.mpc.compare import less_than_bits, less_than_bits_cost
from accord.mpc.compose import in_blocks
from accord.mpc.convert import to_bits, to_bits_cost, to_ring, to_ring_cost
from accord.mpc.cost import Cost, costs
from accord.mpc.inputs import add_public
from accord.mpc.open import open_cost, open_uniform
from accord.mpc.party import Party
from accord.mpc.permute import index_ring
from accord.mpc.share import Bits, Share
from accord.mpc.shuffle import AnyColumn, Words, bits_from_words, draw_shuffle, packed, shuffle, shuffle_cost, unpacked
from accord.mpc.sort import signed_key

PAIRS_MIN = 1 << 12
"""So few comparisons cost a batch no more than fewer: rows of which so many are all pairs are put in order at once."""
ROWS_PER_PAIR = 8
"""Of many rows, one pair within a sample for every so many of them."""

# ---- what is compared: public, from the outcomes of what was compared before


@dataclass(frozen=True)
class _Part:
    """Rows that lie between two others in the order: the row numbers, how many rows come before them, and the ranks wanted."""

    rows: Column
    start: int
    ranks: Column


Pairs = tuple[Column, Column]
Search = Generator[Pairs, Column, dict[int, int]]


def search(rows: int, ranks: Sequence[int]) -> Search:
    """The numbers of the rows that have these ranks among `rows` rows, all different, in no order.

    Yields pairs of row numbers, (left, right), and is sent for each whether the left row is less than the right one. A sample of each
    part is put in order; two of its rows, somewhat below a rank and somewhat above, leave few others between them [FR75].
    """
    found = dict[int, int]()
    parts = [_Part(np.arange(rows), 0, np.unique(np.asarray(ranks, np.int64)))]
    while parts:
        sample = max(16, isqrt(2 * max(PAIRS_MIN, rows // ROWS_PER_PAIR) // len(parts)))
        ordered = yield from _ordered([part.rows[:sample] for part in parts])
        wide = list[tuple[_Part, Column]]()
        for part, order in zip(parts, ordered, strict=True):
            if len(part.rows) <= sample:
                found.update((int(rank), int(order[rank - part.start])) for rank in part.ranks)
            else:
                wide.append((part, order[_near(part, sample)]))
        parts = (yield from _divided(wide)) if wide else []
    return found


def _near(part: _Part, sample: int) -> Column:
    """Places in an ordered sample, between two of which a rank of the whole part probably lies."""
    middle = ((part.ranks - part.start) * sample + sample // 2) // len(part.rows)
    return np.unique(np.clip(np.concatenate([middle - isqrt(sample), middle + isqrt(sample)]), 0, sample - 1))


def _ordered(groups: Sequence[Column]) -> Generator[Pairs, Column, list[Column]]:
    """The rows of each group in their order: all pairs are compared, in one batch."""
    pairs = [np.triu_indices(len(group), 1) for group in groups]
    left, right = (np.concatenate([group[pair[side]] for group, pair in zip(groups, pairs, strict=True)]) for side in (0, 1))
    less = (yield left, right) if len(left) else np.zeros(0, bool)
    ordered, at = [], 0
    for group, (one, other) in zip(groups, pairs, strict=True):
        here = less[at : at + len(one)]
        below = np.bincount(np.where(here, other, one), minlength=len(group))
        ordered.append(group[np.argsort(below)])
        at += len(one)
    return ordered


def _divided(wide: Sequence[tuple[_Part, Column]]) -> Generator[Pairs, Column, list[_Part]]:
    """Parts divided by rows in their order, of which each row finds its place by bisection; those in which a rank lies."""
    rows = np.concatenate([part.rows for part, _ in wide])
    dividers = np.concatenate([by for _, by in wide])
    ends = np.cumsum([len(by) for _, by in wide])
    sizes = [len(part.rows) for part, _ in wide]
    low, high = np.repeat(ends - [len(by) for _, by in wide], sizes), np.repeat(ends, sizes)
    while (open_still := np.flatnonzero(low < high)).size:
        middle = (low[open_still] + high[open_still]) // 2
        less = yield rows[open_still], dividers[middle]
        high[open_still] = np.where(less, middle, high[open_still])
        low[open_still] = np.where(less, low[open_still], middle + 1)
    cuts = np.cumsum(sizes)
    return [
        one
        for (part, by), stop, size, end in zip(wide, cuts, sizes, ends, strict=True)
        for one in _cut(part, low[stop - size : stop] - (end - len(by)), len(by) + 1)
    ]


def _cut(part: _Part, bucket: Column, buckets: int) -> list[_Part]:
    starts = part.start + np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=buckets))])
    wanted = np.searchsorted(starts, part.ranks, side="right") - 1
    return [_Part(part.rows[bucket == one], int(starts[one]), part.ranks[wanted == one]) for one in np.unique(wanted)]


def foreseen_batches(rows: int, ranks: Sequence[int]) -> list[int]:
    """How many pairs each batch of a search has, where rows are in an order like any other: what to expect."""
    order = np.arange(rows, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    running, batches, outcome = search(rows, ranks), list[int](), None
    while True:
        try:
            left, right = next(running) if outcome is None else running.send(outcome)
        except StopIteration:
            return batches
        batches.append(len(left))
        outcome = order[left] < order[right]


# ---- protocols


def quickselect_cost(rows: int, width: int, batches: Sequence[int], *kinds: Ring | int) -> Cost:
    whole = width + index_ring(rows).bits
    cost = shuffle_cost(rows, whole, *kinds)
    for pairs in batches:
        cost = cost.then(less_than_bits_cost(pairs, whole)).then(open_cost(pairs, 1))
    return cost


@costs(quickselect_cost)
async def quickselect(me: Party, key: Bits, ranks: Sequence[int], columns: Sequence[AnyColumn] = ()) -> tuple[Bits, list[AnyColumn]]:
    """What a stable ascending sort by the unsigned key would have in the rows `ranks` (public; 0 is the first): the key, then the columns.

    Raises OurFault for a rank that no row has.

    Learns: every server the order of rows behind a shuffle, as far as it is compared: uniform whatever the data are, ties included. How
            many rounds there are and how many rows each compares follows from that order and nothing else.
    Opens:  one bit a comparison, behind the shuffle.
    Cost:   a shuffle; then batches of comparisons, each 2 + ⌈log2 width⌉ rounds and about 3 bits a bit of key and row number: of 10^6
            rows and one rank in the middle about 13 batches, 2.2 comparisons a row. Facts: rows, width, how many pairs each batch
            compares (`foreseen_batches`), the ring or width of each column.
    """
    rows, places = key.rows, np.asarray(ranks, np.int64)
    if not (places.size and places.min() >= 0 and places.max() < rows):
        raise OurFault(f"ranks {list(ranks)} of {rows} rows", rule="one or more, from 0 to one less than the rows")
    every = [_numbered(me, key), *columns]
    moved: list[Any] = await shuffle(me.step("shuffle"), packed(rows, every), draw_shuffle(me.step("draw"), rows))
    found = await _found(me, moved[: len(packed(rows, every[:1]))], search(rows, ranks))
    taken = np.array([found[int(rank)] for rank in ranks])
    numbered, *rest = unpacked(every, [_taken(one, taken) for one in moved])
    assert isinstance(numbered, Bits)
    return numbered.planes(slice(numbered.width - key.width, None)), rest


def _numbered(me: Party, key: Bits) -> Bits:
    """The key with the row's number behind it, so that no two rows are alike."""
    numbers = planes_from_column(np.arange(key.rows, dtype=np.uint64), index_ring(key.rows).bits)
    return Bits.stack([public_bits(me, numbers, key.rows), key])


async def _found(me: Party, words: Sequence[Words], running: Search) -> dict[int, int]:
    number, outcome = 0, None
    while True:
        try:
            left, right = next(running) if outcome is None else running.send(outcome)
        except StopIteration as stop:
            return dict[int, int](stop.value)
        outcome = await _compared(me.step(f"batch.{number}"), words, left, right)
        number += 1


async def _compared(me: Party, words: Sequence[Words], left: Column, right: Column) -> Column:
    """Whether the left row of each pair is less than the right one, opened."""
    below = await in_blocks(_less, me.step("less"), _Compared(words, left, right))
    planes = await open_uniform(me.step("open"), below, reason="the order of shuffled rows")
    return bools_from_planes(planes, len(left))


@dataclass(frozen=True)
class _Compared:
    """Pairs of rows of some words, for `in_blocks`: they are fetched where they are compared, a block at a time."""

    words: Sequence[Words]
    left: Column
    right: Column

    @property
    def rows(self) -> int:
        return len(self.left)

    def __getitem__(self, rows: slice) -> _Compared:
        return _Compared(self.words, self.left[rows], self.right[rows])


async def _less(me: Party, pairs: _Compared) -> Bits:
    a, b = (bits_from_words([_taken(one, rows) for one in pairs.words]) for rows in (pairs.left, pairs.right))
    return await less_than_bits(me, a, b)


def _taken(column: Any, rows: Column) -> Any:
    return type(column)(column.ring, column.own[rows], column.next[rows])


def order_statistics_cost(rows: int, bits: int, batches: Sequence[int], ranks: int, ring: Ring, adder: str = "brent-kung") -> Cost:
    return to_bits_cost(rows, bits, adder).then(quickselect_cost(rows, bits, batches)).then(to_ring_cost(ranks, bits, ring, adder))


@costs(order_statistics_cost)
async def order_statistics(me: Party, x: Share, ranks: Sequence[int], bits: int) -> Share:
    """The signed numbers that have the ranks `ranks` (public; 0 is the least's) in a column: its ring, a row a rank.

    Learns: as `quickselect`.
    Opens:  as `quickselect`.
    Cost:   `to_bits` of the column, then `quickselect`: of 10^6 rows of 64 bits and one rank 110 bytes a row and server. Facts: rows,
            bits, the batches, how many ranks, ring, adder.
    Needs:  −2^(bits−1) ≤ x < 2^(bits−1).
    """
    key = signed_key(me, await in_blocks(to_bits, me.step("bits"), x, bits=bits))
    chosen, _ = await quickselect(me.step("select"), key, ranks)
    return add_public(me, await to_ring(me.step("ring"), chosen, x.ring), -(1 << (bits - 1)))
