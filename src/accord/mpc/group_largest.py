"""The largest values of each group, side by side: what rules about dominance judge of rows in a secret order."""

from __future__ import annotations

from typing import TypeVar

from accord.base.ring import Ring
from accord.mpc.bits import and_bits, and_cost, not_bits
from accord.mpc.compose import in_blocks, together
from accord.mpc.cost import FREE, Cost, costs
from accord.mpc.group import Arranged, Chosen, _chosen, _top, _top_cost
from accord.mpc.party import Party
from accord.mpc.rows import one_after_other, rows_between, zeros_like
from accord.mpc.scan import keep, keep_cost, partition_cost
from accord.mpc.share import Bits, Share
from accord.mpc.shuffle import AnyColumn

S = TypeVar("S", Share, Bits)


def group_largest_cost(rows: int, ranks: int, is_counted: bool, ring: Ring) -> Cost:
    cost = FREE
    for _ in range(2, ranks):
        cost = cost.then(and_cost(rows, 1))
    kept = FREE
    for _ in range(1, ranks):
        kept = kept.beside(keep_cost(rows, ring))
    top = _top_cost(rows) if is_counted else FREE
    return cost.then(kept).then(top).then(partition_cost(rows, 1, 1, *[ring] * ranks))


@costs(group_largest_cost)
async def group_largest(me: Party, arranged: Arranged, value: Share, ranks: int, *, counted: Bits | None = None) -> Chosen:
    """A column for each of the ranks 1 … `ranks`: the largest value of each group, the second largest, …; 0 where it has fewer rows.

    `value` is in arranged order, in which `within` made the values of a group rise; equal values in several rows count several times.
    `counted` as in `group_extremes`: rows that count, before all others of their group.

    Learns: every server a uniform permutation of the rows.
    Opens:  the shuffled row numbers.
    Cost:   a `partition` of two flags and the columns; for each rank but the first a `keep` of a column, all at the same time, and from the
            third on an AND; as `group_extremes` for `counted`. Facts: rows, ranks, whether there is `counted`, the ring.
    Needs:  `counted` 0 in rows that are not valid, the value 0 in rows that do not count.
    """
    own = not_bits(me, arranged.first)
    near: list[Bits] = [own]
    while len(near) < ranks - 1:
        nearer: Bits = await in_blocks(and_bits, me.step(f"near.{len(near)}"), near[-1], _further(own, len(near)))
        near.append(nearer)
    before = [_further(value, distance) for distance in range(1, ranks)]
    kept = await together(*(keep(me.step(f"keep.{at}"), near[at], [one]) for at, one in enumerate(before)))
    last = arranged.last if counted is None else await _top(me.step("top"), arranged, counted)
    columns: list[AnyColumn] = [value, *(one for (one,) in kept)]
    return await _chosen(me.step("choose"), last, counted, columns)


def _further(x: S, distance: int) -> S:
    """Row j of the result is row j − distance; zero where there is none."""
    distance = min(distance, x.rows)
    return one_after_other([zeros_like(x, distance), rows_between(x, 0, x.rows - distance)])
