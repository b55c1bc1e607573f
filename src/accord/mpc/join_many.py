"""Joins of tables whose keys may repeat on both sides, into a public number of rows.

One sort of both tables tells how many partners each row has; each table is then repeated so often, in the order of its keys. Where a left
row's copies stand is right for the pairs; copies of right rows move to their pairs by numbers that are linear but for one product [KKS20].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from accord.base.ring import Ring
from accord.mpc.bits import and_bits, and_cost, not_bits
from accord.mpc.compose import in_blocks, together
from accord.mpc.convert import bit_to_ring, cast_up
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.expand import Expanded, expand, sum_bits
from accord.mpc.group import count_ring, over_rows, run_ends, run_ends_cost
from accord.mpc.inputs import add_public
from accord.mpc.join import AnyKind, sort_key
from accord.mpc.party import Party, Profile
from accord.mpc.permute import apply, apply_first, apply_first_cost, gather, index_ring, turned_from
from accord.mpc.product import multiply
from accord.mpc.rows import every_row, one_after_other, public_column, rows_between
from accord.mpc.scan import differences, keep, keep_cost, partition, partition_cost, running_sums
from accord.mpc.share import Bits, Secret, Share
from accord.mpc.shuffle import shuffle_cost
from accord.mpc.sort import order, order_cost

# ---- how many partners a row has


@dataclass(frozen=True, eq=False, repr=False)
class Partners(Secret):
    """How many rows of the other table have the key of each row of two tables, over `partner_ring`, in the tables' own orders.

    Rows that are not valid have 0. `rank`: a row's place in its table in the order of the keys. `place`, of a right row: where its pair
    with the first left row of its key stands among all pairs; `among`: how many right rows have its key.
    """

    left: Share
    left_rank: Share
    right: Share
    right_rank: Share
    place: Share
    among: Share

    def __repr__(self) -> str:
        return f"<partners of {self.left.rows} and {self.right.rows} rows>"


def partner_ring(left_rows: int, right_rows: int, rows_max: int = 1) -> Ring:
    """Holds counts of rows with a bit to spare, and the row numbers of a bound."""
    return Ring(max(count_ring(left_rows + right_rows).bits + 1, index_ring(rows_max).bits))


def count_partners_cost(left_rows: int, right_rows: int, bits: int, profile: Profile, rows_max: int = 1) -> Cost:
    rows, ring = left_rows + right_rows, partner_ring(left_rows, right_rows, rows_max)
    runs = order_cost(rows, bits + 1, profile).then(shuffle_cost(rows, bits + 1, ring)).then(run_ends_cost(rows, bits, True))
    groups = partition_cost(rows, 1, ring, ring).then(keep_cost(rows, ring, ring, ring)).then(cost_of(multiply, rows, ring))
    return runs.then(groups).then(shuffle_cost(rows, *[ring] * 3)).then(shuffle_cost(rows, *[ring] * 5))


@costs(count_partners_cost)
async def count_partners(me: Party, left_key: Bits, left_valid: Bits, right_key: Bits, right_valid: Bits, *, rows_max: int = 1) -> Partners:
    """For each row of two tables, how many valid rows of the other have its key; and where their pairs stand among up to `rows_max`.

    Keys have one width; validity is one plane.

    Learns: every server a uniform permutation of all rows a pass of the sort, and one more.
    Opens:  the shuffled row numbers, so often.
    Cost:   as `order` of all rows by one bit more than the key, and about 34 row numbers and 11/3 bits a bit of the key, a row and server.
            Facts: left rows, right rows, bits, profile, rows_max.
    """
    rows, width = left_key.rows + right_key.rows, left_key.width
    ring = partner_ring(left_key.rows, right_key.rows, rows_max)
    numbers = np.arange(rows + 1).astype(ring.dtype)
    keys = one_after_other([sort_key(me, left_key, left_valid), sort_key(me, right_key, right_valid)])
    by = await order(me.step("order"), keys)
    is_left = public_column(me, (numbers[:-1] < left_key.rows).astype(ring.dtype), ring)
    arranged: list[Any] = await gather(me.step("arrange"), by, [keys, is_left])
    keys, is_left = arranged
    _, last = await run_ends(me.step("runs"), keys.planes(slice(width)), not_bits(me, keys.plane(width)))
    lefts, upto = running_sums(is_left), public_column(me, numbers[1:], ring)
    left, right, before = await _pairs(turned_from(me.step("pairs"), by), last, lefts, upto)
    home: list[Any] = await apply(me.step("home"), by, [lefts, upto, left, right, add_public(me, before + upto - lefts, -1)])
    lefts, upto, left, right, place = home
    ours, theirs = slice(0, left_key.rows), slice(left_key.rows, rows)
    ranks = add_public(me, lefts[ours], -1), add_public(me, (upto - lefts)[theirs], -1)
    return Partners(right[ours], ranks[0], left[theirs], ranks[1], place[theirs], right[theirs])


async def _pairs(me: Party, last: Bits, lefts: Share, upto: Share) -> list[Share]:
    """In each row of a run: its left rows, its right rows, and the pairs before it less the right rows before it.

    `lefts`, `upto`: left rows and all rows up to each row. Rows in no run have 0, 0, and what means nothing.
    """
    by, moved = await partition(me.step("groups"), last, [last, lefts, upto])
    present, lefts, upto = cast(list[Any], moved)
    here, every = differences(lefts), differences(upto)
    rights_before = (upto - every) - (lefts - here)
    left, right, before = await keep(me.step("keep"), present, [here, every - here, rights_before])
    pairs = await in_blocks(multiply, me.step("product"), left, right)
    pairs_upto = running_sums(pairs)
    total = every_row(rows_between(pairs_upto, max(last.rows - 1, 0), last.rows), last.rows)
    # Less the total, so that it is 0 where there is no group.
    left, right, before = await over_rows(me.step("rows"), by, [left, right, pairs_upto - pairs - total - before])
    return [left, right, before + total]


# ---- pairs


@dataclass(frozen=True, eq=False, repr=False)
class Paired(Secret):
    """`rows_max` rows, a pair of a left and a right row each: `matched` (one plane), set in the first rows, as many as there are pairs, and
    the columns of both tables, 0 in other rows.

    `overflow`: one row, one plane, set where there are more pairs than rows; then no row is set, and columns mean nothing. `partners` has a
    0 for each row of either table that is in no pair.
    """

    matched: Bits
    left: list[Any]
    right: list[Any]
    overflow: Bits
    partners: Partners

    def __repr__(self) -> str:
        return f"<{self.matched.rows} pairs>"


def join_many_cost(
    left_rows: int, right_rows: int, bits: int, profile: Profile, rows_max: int, left: Sequence[AnyKind], right: Sequence[AnyKind]
) -> Cost:
    ring, numbers = partner_ring(left_rows, right_rows, rows_max), index_ring(rows_max)
    sides = [
        _repeated_cost(rows, ring, rows_max, left_rows * right_rows, profile, *kinds)
        for rows, kinds in ((left_rows, left), (right_rows, (numbers, numbers, *right)))
    ]
    counted = count_partners_cost(left_rows, right_rows, bits, profile, rows_max)
    return counted.then(sides[0].beside(sides[1])).then(and_cost(rows_max, 1)).then(_aligned_cost(rows_max, *right))


@costs(join_many_cost)
async def join_many(
    me: Party,
    left_key: Bits,
    left_valid: Bits,
    left_columns: Sequence[Any],
    right_key: Bits,
    right_valid: Bits,
    right_columns: Sequence[Any],
    rows_max: int,
) -> Paired:
    """Every pair of a left and a right row with one key, in the order of the keys and then of the left rows, up to `rows_max` of them.

    Keys have one width; validity is one plane. A row that is not valid matches nothing.

    Learns: as `count_partners`, and every server a uniform permutation of the left rows, of the right rows, and five of the bound's rows.
    Opens:  the shuffled row numbers, so often.
    Cost:   as `count_partners`; side by side for both tables `apply_first`, `cast_up` and `expand`; then two products and `apply_first` of
            the bound's rows. Facts: left rows, right rows, bits, profile, rows_max, the ring or width of each left, of each right column.
    """
    partners = await count_partners(me.step("count"), left_key, left_valid, right_key, right_valid, rows_max=rows_max)
    ring, pairs_max = index_ring(rows_max), left_key.rows * right_key.rows
    beside = [partners.place.cast_down(ring), partners.among.cast_down(ring)]
    lefts, rights = await together(
        _repeated(me.step("left").turned(1), partners.left_rank, partners.left, left_columns, rows_max, pairs_max),
        _repeated(me.step("right").turned(2), partners.right_rank, partners.right, [*beside, *right_columns], rows_max, pairs_max),
    )
    matched = await and_bits(me.step("matched"), lefts.real, not_bits(me, every_row(lefts.overflow, rows_max)))
    moved = await _aligned(me.step("align"), matched, rights)
    return Paired(matched, lefts.columns, moved, lefts.overflow, partners)


def _repeated_cost(rows: int, ring: Ring, rows_max: int, pairs_max: int, profile: Profile, *kinds: AnyKind) -> Cost:
    arranged = apply_first_cost(rows, index_ring(rows), ring, *kinds)
    cast = cost_of(cast_up, rows, ring, _sum_ring(ring, rows_max, pairs_max))
    return arranged.then(cast).then(cost_of(expand, rows, rows_max, pairs_max, profile.adder, *kinds))


async def _repeated(me: Party, rank: Share, counts: Share, columns: Sequence[Any], rows_max: int, pairs_max: int) -> Expanded:
    """The rows of a table in the order of their keys, each as often as it has partners."""
    _, moved = await apply_first(me.step("arrange"), rank.cast_down(index_ring(rank.rows)), [counts, *columns])
    counts, *arranged = cast(list[Any], moved)
    counts = await in_blocks(cast_up, me.step("cast"), counts, ring=_sum_ring(counts.ring, rows_max, pairs_max))
    return await expand(me.step("expand"), counts, arranged, rows_max, pairs_max)


def _sum_ring(ring: Ring, rows_max: int, pairs_max: int) -> Ring:
    return Ring(max(ring.bits, sum_bits(rows_max, pairs_max)))


def _aligned_cost(rows: int, *kinds: AnyKind) -> Cost:
    ring = index_ring(rows)
    chosen = cost_of(bit_to_ring, rows, ring).beside(cost_of(multiply, rows, ring)).then(cost_of(multiply, rows, ring))
    return chosen.then(apply_first_cost(rows, ring, *kinds))


async def _aligned(me: Party, matched: Bits, rights: Expanded) -> list[Any]:
    """The copies of right rows where their pairs stand: copy i, for the i-th left row of a key, of the right row whose pair with its first
    stands at `place`, is `among` rows further for each left row before. Other rows stay where they are.
    """
    place, among, *columns = rights.columns
    numbers = np.arange(matched.rows).astype(place.ring.dtype)
    flag, further = await together(
        in_blocks(bit_to_ring, me.step("flag"), matched, ring=place.ring),
        in_blocks(multiply, me.step("further"), rights.position, among),
    )
    way = await in_blocks(multiply, me.step("way"), flag, add_public(me, place + further, -numbers))
    _, moved = await apply_first(me.step("move"), add_public(me, way, numbers), columns)
    return list(moved)
