"""Joins on secret keys by one sort of both tables: who matches whom, and how many match, stays secret.

Rows of the left table become differences from those before them in the order of the keys; in the common order of both tables, a running sum
then gives every row of the right one the last left row at or before it. So nothing but left columns moves: the right table stays where it
is, and results are columns beside its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accord.base.ring import Ring
from accord.mpc.bits import all_bits, all_cost, not_bits
from accord.mpc.compare import is_zero
from accord.mpc.compose import in_blocks, together
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.group import count_ring
from accord.mpc.inputs import add_public
from accord.mpc.party import Party, Profile
from accord.mpc.permute import Permutation, apply, apply_first, apply_first_cost, gather, index_ring, turned_from
from accord.mpc.product import multiply
from accord.mpc.rows import every_row, one_after_other, public_column, row_below, rows_between, with_row, zeros_like
from accord.mpc.scan import differences, keep, keep_cost, running_sums
from accord.mpc.share import Bits, Secret, Share
from accord.mpc.shuffle import shuffle_cost
from accord.mpc.sort import joined_key, order, order_cost

AnyKind = Ring | int

# ---- both tables in one order


@dataclass(frozen=True, eq=False, repr=False)
class Merged(Secret):
    """The rows of two tables, the left one's first, in the stable order of one key.

    `by` sorts what stands one after the other (`permute.gather`) and brings it back (`permute.apply`); `left_by` puts rows of the left
    table into the order of their keys (`permute.apply`), and back (`permute.gather`).
    """

    by: Permutation
    left_by: Permutation
    left_rows: int
    right_rows: int

    def __repr__(self) -> str:
        return f"<{self.left_rows} and {self.right_rows} rows in one order>"

    @property
    def rows(self) -> int:
        return self.left_rows + self.right_rows


def merge_cost(left_rows: int, right_rows: int, bits: int, profile: Profile) -> Cost:
    rows, ring = left_rows + right_rows, index_ring(left_rows)
    ranks = shuffle_cost(rows, ring).then(shuffle_cost(rows, ring))
    return order_cost(rows, bits, profile).then(ranks).then(apply_first_cost(left_rows, ring))


@costs(merge_cost)
async def merge(me: Party, left_key: Bits, right_key: Bits) -> Merged:
    """The common order of two tables by keys of one width; of equal keys, the left ones come first.

    Learns: every server a uniform permutation of all rows a pass of the sort, and one of the left rows.
    Opens:  the shuffled row numbers, once a pass; the shuffled ranks of the left rows.
    Cost:   as `order` of all rows; 6 rounds, 8 row numbers a row and 6 a left row, all servers together. Facts: left rows, right rows,
            bits, profile.
    """
    rows, ring = left_key.rows + right_key.rows, index_ring(left_key.rows)
    by = await order(me.step("order"), one_after_other([left_key, right_key]))
    is_left = public_column(me, (np.arange(rows) < left_key.rows).astype(ring.dtype), ring)
    (sorted_left,) = await gather(me.step("left"), by, [is_left])
    assert isinstance(sorted_left, Share)
    (ranks,) = await apply(me.step("ranks"), by, [running_sums(sorted_left) - public_column(me, np.ones(rows, ring.dtype), ring)])
    assert isinstance(ranks, Share)
    left_by, _ = await apply_first(turned_from(me.step("open"), by), ranks[: left_key.rows])
    return Merged(by, left_by, left_key.rows, right_key.rows)


def sums_upto_cost(left_rows: int, right_rows: int, *kinds: AnyKind) -> Cost:
    every = shuffle_cost(left_rows + right_rows, *kinds)
    return every.then(every)


@costs(sums_upto_cost)
async def sums_upto(me: Party, by: Permutation, columns: Sequence[Any], right_rows: int) -> list[Any]:
    """For each row of the right table, in its own order, sums (of bits: ⊕) of left columns over the left rows at or before it in the order
    of both, as `Merged.by` has it.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   4 rounds, 8 elements a row of both tables, all servers together. Facts: left rows, right rows, the ring or width of each column.
    """
    whole = [one_after_other([one, zeros_like(one, right_rows)]) for one in columns]
    spread: list[Any] = await gather(me.step("spread"), by, whole)
    home: list[Any] = await apply(me.step("home"), by, [running_sums(one) for one in spread])
    return [rows_between(one, by.rows - right_rows, by.rows) for one in home]


def last_left_cost(left_rows: int, right_rows: int, *kinds: AnyKind) -> Cost:
    return shuffle_cost(left_rows, *kinds).then(sums_upto_cost(left_rows, right_rows, *kinds))


@costs(last_left_cost)
async def last_left(me: Party, merged: Merged, arranged: Sequence[Any]) -> list[Any]:
    """Of columns of the left table in the order of its keys, for each row of the right table, in its own order, what the last left row at
    or before it has; 0 where there is none.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   6 rounds; 4 elements a left row and 8 a row, all servers together. Facts: left rows, right rows, the ring or width of each
            column.
    """
    steps = await gather(me.step("back"), merged.left_by, [differences(one) for one in arranged])
    return await sums_upto(me, merged.by, steps, merged.right_rows)


# ---- one left row for each right row


@dataclass(frozen=True, eq=False, repr=False)
class Joined(Secret):
    """The right table's rows, in their order: `matched` (one plane), and the columns of the left row that each matched, 0 without one.

    `duplicate`: one row, one plane, set where two valid left rows have one key, if that was asked for.
    """

    matched: Bits
    columns: list[Any]
    merged: Merged
    duplicate: Bits | None = None

    def __repr__(self) -> str:
        return f"<{self.matched.rows} joined rows>"


def has_duplicate_cost(rows: int, bits: int) -> Cost:
    ring = count_ring(rows)
    return all_cost(rows, bits + 1).then(cost_of(bit_to_ring, rows, ring)).then(cost_of(is_zero, 1, ring.bits))


@costs(has_duplicate_cost)
async def has_duplicate(me: Party, key: Bits, valid: Bits) -> Bits:
    """One row, one plane: whether two valid rows that lie next to each other have one key.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   about bits + log2 rows bits a row and server. Facts: rows, bits.
    """
    ring = count_ring(key.rows)
    alike = Bits.stack([not_bits(me, differences(key)), with_row(me, valid, 0, False)])
    repeated = await in_blocks(all_bits, me.step("alike"), alike)
    counted = await in_blocks(bit_to_ring, me.step("count"), repeated, ring=ring)
    rows = running_sums(counted)[key.rows - 1 :] if key.rows else zeros_like(counted, 1)
    return not_bits(me, await is_zero(me.step("none"), rows, ring.bits))


def join_cost(left_rows: int, right_rows: int, bits: int, profile: Profile, *kinds: AnyKind) -> Cost:
    merged = merge_cost(left_rows, right_rows, bits + 1, profile).then(shuffle_cost(left_rows, bits + 1, *kinds))
    return merged.then(_matched_cost(left_rows, right_rows, bits, *kinds).beside(has_duplicate_cost(left_rows, bits)))


def _matched_cost(left_rows: int, right_rows: int, bits: int, *kinds: AnyKind) -> Cost:
    found = last_left_cost(left_rows, right_rows, bits + 1, *kinds)
    return found.then(all_cost(right_rows, bits + 2)).then(keep_cost(right_rows, *kinds))


@costs(join_cost)
async def join_pk_fk(
    me: Party, left_key: Bits, left_valid: Bits, left_columns: Sequence[Any], right_key: Bits, right_valid: Bits
) -> Joined:
    """For each row of the right table the row of the left one with the same key, whose valid keys are all different.

    Keys have one width, of 255 bits at most: wider ones are hashed (`hash_keys`). Validity is one plane. A row that is not valid matches
    nothing: rows whose key is NULL are given so, and an outer join keeps them as rows without a match. Where two valid left rows have one
    key, `duplicate` is set and the later one is taken; `matched` is right all the same, so that it serves IN, EXISTS, semi and anti joins
    with any left table.

    Learns: every server a uniform permutation of all rows a pass of the sort, and one of the left rows.
    Opens:  the shuffled row numbers, once a pass; the shuffled ranks of the left rows.
    Cost:   as `merge` by one bit more than the key, a shuffle of the left columns and such a key, `last_left` of them, equality and `keep`
            of the columns; and beside these `has_duplicate`. Facts: left rows, right rows, bits, profile, the ring or width of each column.
    """
    merged = await merge(me.step("merge"), sort_key(me, left_key, left_valid), sort_key(me, right_key, right_valid))
    arranged = await _arranged(me.step("arrange"), merged, left_key, left_valid, left_columns)
    key, valid = arranged[0].planes(slice(left_key.width)), arranged[0].plane(left_key.width)
    (matched, columns), duplicate = await together(
        _matched(me.step("match"), merged, arranged, right_key, right_valid), has_duplicate(me.step("duplicate"), key, valid)
    )
    return Joined(matched, columns, merged, duplicate)


def sort_key(me: Party, key: Bits, valid: Bits) -> Bits:
    """The key by which rows that are not valid come last. Local."""
    return joined_key([not_bits(me, valid), key])


async def _arranged(me: Party, merged: Merged, key: Bits, valid: Bits, columns: Sequence[Any]) -> list[Any]:
    """Of the left table, in the order of its keys: its keys with their validity on top, and columns."""
    return list(await apply(me, merged.left_by, [joined_key([valid, key]), *columns]))


async def _matched(me: Party, merged: Merged, arranged: Sequence[Any], right_key: Bits, right_valid: Bits) -> tuple[Bits, list[Any]]:
    """Whether the last left row at or before each right row has its key; and the columns of those that have, 0 elsewhere."""
    bits = right_key.width
    found, *columns = await last_left(me.step("left"), merged, arranged)
    alike = not_bits(me, found.planes(slice(bits)) ^ right_key)
    matched = await in_blocks(all_bits, me.step("equal"), Bits.stack([alike, found.plane(bits), right_valid]))
    return matched, await keep(me.step("keep"), matched, columns)


def left_matched_cost(left_rows: int, right_rows: int) -> Cost:
    return shuffle_cost(left_rows + right_rows, 1).then(shuffle_cost(left_rows + right_rows, 1))


@costs(left_matched_cost)
async def left_matched(me: Party, joined: Joined) -> Bits:
    """Of a left table without duplicates: whether each row, in its own order, matched a right row; for left and full outer joins.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   4 rounds, 8 bits a row of both tables, all servers together. Facts: left rows, right rows.
    """
    merged = joined.merged
    whole = one_after_other([zeros_like(joined.matched, merged.left_rows), joined.matched])
    (arranged,) = await gather(me.step("arrange"), merged.by, [whole])
    assert isinstance(arranged, Bits)
    # A left row that matched has the first of its right rows right below it.
    (home,) = await apply(me.step("home"), merged.by, [row_below(arranged)])
    assert isinstance(home, Bits)
    return rows_between(home, 0, merged.left_rows)


def sums_by_left_cost(left_rows: int, right_rows: int, *rings: Ring) -> Cost:
    left, every = shuffle_cost(left_rows, *rings), shuffle_cost(left_rows + right_rows, *rings)
    return keep_cost(right_rows, *rings).then(every).then(every).then(left).then(left)


@costs(sums_by_left_cost)
async def sums_by_left(me: Party, joined: Joined, columns: Sequence[Share]) -> list[Share]:
    """For each row of the left table, in its own order, sums of right columns over the right rows that matched it: a join and the
    aggregation above it by the left key, in one sort. A count is a sum of ones (`rows.public_column`).

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   11 rounds; `keep` of the columns, 8 elements a row of both tables and 8 a left row, all servers together. Facts: left rows,
            right rows, the rings.
    """
    merged = joined.merged
    kept = await keep(me.step("keep"), joined.matched, columns)
    whole = [one_after_other([zeros_like(one, merged.left_rows), one]) for one in kept]
    spread: list[Any] = await gather(me.step("spread"), merged.by, whole)
    home: list[Any] = await apply(me.step("home"), merged.by, [running_sums(one) for one in spread])
    before: list[Any] = await apply(me.step("arrange"), merged.left_by, [one[: merged.left_rows] for one in home])
    # What matched a left row lies between it and the next one.
    upto = [
        one_after_other([one[1:], total.sum() if total.rows else zeros_like(total, 1)]) for one, total in zip(before, kept, strict=True)
    ]
    sums = [stop[: start.rows] - start for start, stop in zip(before, upto, strict=True)]
    back: list[Any] = await gather(me.step("back"), merged.left_by, sums)
    return back


def in_key_order_cost(left_rows: int, right_rows: int, *kinds: AnyKind) -> Cost:
    if not right_rows:
        return FREE
    ring = index_ring(right_rows)
    every = shuffle_cost(left_rows + right_rows, ring, ring)
    ranked = cost_of(bit_to_ring, right_rows, ring).then(every).then(every).then(cost_of(multiply, right_rows, ring))
    return ranked.then(apply_first_cost(right_rows, ring, *kinds))


@costs(in_key_order_cost)
async def in_key_order(me: Party, merged: Merged, flag: Bits, columns: Sequence[Any]) -> list[Any]:
    """Columns of the right table, rows with the flag (one plane) first, these and those in the stable order of their keys: what a sort by
    the key would give, of an order that is known already.

    Learns: every server a uniform permutation of the right rows.
    Opens:  the shuffled ranks of the right rows.
    Cost:   9 rounds; 16 row numbers a row of both tables, 6 and a product a right row, 4 elements of each column, all servers together.
            Facts: left rows, right rows, the ring or width of each column.
    """
    if not merged.right_rows:
        return list(columns)
    ring, rows = index_ring(merged.right_rows), slice(merged.left_rows, merged.rows)
    number = await in_blocks(bit_to_ring, me.step("number"), flag, ring=ring)
    every = public_column(me, np.ones(merged.right_rows, ring.dtype), ring)
    whole = [one_after_other([zeros_like(one, merged.left_rows), one]) for one in (number, every)]
    spread: list[Any] = await gather(me.step("spread"), merged.by, whole)
    home: list[Any] = await apply(me.step("home"), merged.by, [running_sums(one) for one in spread])
    ahead, upto = (one[rows] for one in home)
    total = running_sums(number)[merged.right_rows - 1 :]
    behind = upto - ahead + every_row(total, merged.right_rows)
    rank = add_public(me, behind + await in_blocks(multiply, me.step("rank"), number, ahead - behind), -1)
    _, moved = await apply_first(turned_from(me.step("move"), merged.by), rank, columns)
    return list(moved)


# ---- the last row before


def as_of_cost(left_rows: int, right_rows: int, bits: int, time_bits: int, profile: Profile, *kinds: AnyKind) -> Cost:
    merged = merge_cost(left_rows, right_rows, bits + time_bits + 1, profile)
    return merged.then(shuffle_cost(left_rows, bits + 1, *kinds)).then(_matched_cost(left_rows, right_rows, bits, *kinds))


@costs(as_of_cost)
async def join_as_of(
    me: Party,
    left_key: Bits,
    left_time: Bits,
    left_valid: Bits,
    left_columns: Sequence[Any],
    right_key: Bits,
    right_time: Bits,
    right_valid: Bits,
) -> Joined:
    """For each row of the right table the last left row with the same key whose time is not later; of several at that time, the last one.

    Times are sort keys of one width; turn both over (`sort.descending_key`) for the first left row that is not earlier. A row that is not
    valid matches nothing.

    Learns: as `join_pk_fk`.
    Opens:  as `join_pk_fk`.
    Cost:   as `join_pk_fk` sorted by key and time, without `has_duplicate`. Facts: left rows, right rows, bits of the key, of the time,
            profile, the ring or width of each column.
    """
    left, right = joined_key([left_key, left_time]), joined_key([right_key, right_time])
    merged = await merge(me.step("merge"), sort_key(me, left, left_valid), sort_key(me, right, right_valid))
    arranged = await _arranged(me.step("arrange"), merged, left_key, left_valid, left_columns)
    return Joined(*await _matched(me.step("match"), merged, arranged, right_key, right_valid), merged)
