"""Joins of points with ranges: rows of one table whose time lies between two times of a row of the other, under one key.

Starts, points and ends are sorted together; the points before a start and up to an end, counted by a running sum, say which points lie
between, side by side in their order. Each range is repeated so often, and its copies fetch one point each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from accord.base.ring import Ring
from accord.mpc.bits import and_bits, and_cost, not_bits, planes_from_column, public_bits
from accord.mpc.compare import sign, sign_cost
from accord.mpc.compose import in_blocks
from accord.mpc.convert import bit_to_ring, cast_up, to_bits, to_bits_cost
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.expand import expand, sum_bits
from accord.mpc.group import count_ring
from accord.mpc.inputs import add_public
from accord.mpc.join import AnyKind, sort_key, sums_upto, sums_upto_cost
from accord.mpc.party import Party, Profile
from accord.mpc.permute import Permutation, apply, apply_first, apply_first_cost, gather, index_ring
from accord.mpc.rows import every_row, one_after_other, public_column, zeros_like
from accord.mpc.scan import differences, keep, keep_cost, running_sums, sums_before
from accord.mpc.share import Bits, Secret, Share
from accord.mpc.shuffle import shuffle_cost
from accord.mpc.sort import joined_key, order, order_cost

S = TypeVar("S", Share, Bits)

# ---- points by their place


def fetch_cost(rows: int, places: int, profile: Profile, *kinds: AnyKind) -> Cost:
    bits = index_ring(rows).bits
    ordered = to_bits_cost(places, bits, profile.adder).then(order_cost(rows + places, bits, profile))
    return ordered.then(sums_upto_cost(rows, places, *kinds))


@costs(fetch_cost)
async def fetch(me: Party, place: Share, columns: Sequence[Any]) -> list[Any]:
    """Row j of each result is row place[j] of its column: any rows, as often as they are asked for.

    Learns: every server a uniform permutation of rows and places a pass of the sort.
    Opens:  the shuffled row numbers, once a pass.
    Cost:   as `to_bits` of row numbers, `order` by them of rows and places, and `sums_upto` of the columns. Facts: rows, places, profile,
            the ring or width of each column.
    Needs:  0 ≤ place < rows; what stands for other places means nothing.
    """
    rows = columns[0].rows
    bits = index_ring(rows).bits
    numbers = public_bits(me, planes_from_column(np.arange(rows).astype(np.uint64), bits), rows)
    asked = await in_blocks(to_bits, me.step("word"), place, bits=bits)
    by = await order(me.step("order"), one_after_other([numbers, asked]))
    return await sums_upto(me.step("rows"), by, [differences(one) for one in columns], place.rows)


# ---- points in ranges


@dataclass(frozen=True, eq=False, repr=False)
class Ranged(Secret):
    """`rows_max` rows, a point and a range that it lies in each: `matched` (one plane), set in the first rows, as many as there are such
    pairs, and the columns of both tables, 0 in other rows.

    `overflow`: one row, one plane, set where there are more pairs than rows; then no row is set, and columns mean nothing. `counts`: of the
    points in each range, over `point_ring`.
    """

    matched: Bits
    points: list[Any]
    ranges: list[Any]
    overflow: Bits
    counts: Share

    def __repr__(self) -> str:
        return f"<{self.matched.rows} points in ranges>"


def point_ring(points: int) -> Ring:
    """Holds a difference of two counts of points, and a bit to spare."""
    return Ring(count_ring(points).bits + 2)


def count_between_cost(points: int, ranges: int, bits: int, profile: Profile) -> Cost:
    rows, ring = points + 2 * ranges, point_ring(points)
    moved = shuffle_cost(rows, ring).then(shuffle_cost(rows, ring))
    chosen = sign_cost(ranges, ring.bits).then(and_cost(ranges, 1)).then(keep_cost(ranges, ring))
    return order_cost(rows, bits + 1, profile).then(moved).then(chosen)


@dataclass(frozen=True, eq=False, repr=False)
class Between(Secret):
    """Over `point_ring`: the place of each point among the points in the order of key and time; of each range the points before it, and the
    points in it, 0 for ranges that are not valid or end before they start.
    """

    place: Share
    before: Share
    counts: Share

    def __repr__(self) -> str:
        return f"<{self.place.rows} points and {self.counts.rows} ranges>"


Closed = tuple[bool, bool]
"""Whether a range's start, and its end, is part of it."""
CLOSED = (True, True)


def _places(points: int, ranges: int, closed: Closed) -> tuple[slice, slice, slice]:
    """Where points, starts and ends stand one after the other: of equal times the order in which a stable sort leaves them."""
    start, end = (0 if closed[0] else 2), (2 if closed[1] else 0)
    rows, found, upto = {"start": ranges, "point": points, "end": ranges}, {}, 0
    for name in sorted(rows, key={"start": start, "point": 1, "end": end}.__getitem__):
        found[name] = slice(upto, upto + rows[name])
        upto += rows[name]
    return found["point"], found["start"], found["end"]


def _in_places(places: tuple[slice, slice, slice], point: S, start: S, end: S) -> S:
    """Columns of points, starts and ends one after the other."""
    pairs = sorted(zip(places, (point, start, end), strict=True), key=lambda pair: (pair[0].start, pair[0].stop))
    return one_after_other([one for _, one in pairs])


@dataclass(frozen=True, eq=False, repr=False)
class _Merged(Secret):
    """Points, starts and ends in one order, and where they stood before it; the valid ranges that have no point between an end and a later
    start."""

    by: Permutation
    places: tuple[slice, slice, slice]
    there: Bits


async def _merged(
    me: Party, key: Bits, time: Bits, valid: Bits, range_key: Bits, start: Bits, end: Bits, range_valid: Bits, closed: Closed
) -> tuple[_Merged, Between]:
    points, ranges, ring = key.rows, range_key.rows, point_ring(key.rows)
    places = _places(points, ranges, closed)
    given = (key, time, valid), (range_key, start, range_valid), (range_key, end, range_valid)
    keys = _in_places(places, *(sort_key(me, joined_key([one, at]), there) for one, at, there in given))
    by = await order(me.step("order"), keys)
    flags = np.zeros(keys.rows, ring.dtype)
    flags[places[0]] = 1
    (arranged,) = cast(list[Any], await gather(me.step("arrange"), by, [public_column(me, flags, ring)]))
    (upto,) = cast(list[Any], await apply(me.step("home"), by, [running_sums(arranged)]))
    place, before, inside = add_public(me, upto[places[0]], -1), upto[places[1]], upto[places[2]] - upto[places[1]]
    backwards = await in_blocks(sign, me.step("backwards"), inside, bits=ring.bits)
    there = await in_blocks(and_bits, me.step("there"), range_valid, not_bits(me, backwards))
    return _Merged(by, places, there), Between(place, before, inside)


@costs(count_between_cost)
async def count_between(
    me: Party, key: Bits, time: Bits, valid: Bits, range_key: Bits, start: Bits, end: Bits, range_valid: Bits, closed: Closed = CLOSED
) -> Between:
    """For each range the valid points with its key and start ≤ time ≤ end; < for a side that `closed` says is no part of the range.

    Keys have one width, times are sort keys of one width, validity is one plane.

    Learns: every server a uniform permutation of points, starts and ends a pass of the sort.
    Opens:  the shuffled row numbers, once a pass.
    Cost:   as `order` by validity, key and time of the points and twice the ranges, and about 8 row numbers a row, all servers together.
            Facts: points, ranges, bits of key and time together, profile.
    """
    merged, found = await _merged(me, key, time, valid, range_key, start, end, range_valid, closed)
    (counts,) = await keep(me.step("keep"), merged.there, [found.counts])
    return Between(found.place, found.before, counts)


def count_ranges_cost(points: int, ranges: int, bits: int, profile: Profile) -> Cost:
    rows, ring, mine = points + 2 * ranges, point_ring(points), count_ring(ranges)
    moved = shuffle_cost(rows, ring).then(shuffle_cost(rows, ring))
    chosen = sign_cost(ranges, ring.bits).then(and_cost(ranges, 1)).then(cost_of(bit_to_ring, ranges, mine))
    added = shuffle_cost(rows, mine).then(shuffle_cost(rows, mine)).then(keep_cost(points, mine))
    return order_cost(rows, bits + 1, profile).then(moved).then(chosen).then(added)


@costs(count_ranges_cost)
async def count_ranges(
    me: Party, key: Bits, time: Bits, valid: Bits, range_key: Bits, start: Bits, end: Bits, range_valid: Bits, closed: Closed = CLOSED
) -> Share:
    """For each point the valid ranges that it lies in, as `count_between` has them; 0 for points that are not valid. Over `count_ring`.

    Ranges that open before a point, less those that close before it; one that ends before it starts is left out where that would show.

    Learns: as `count_between`.
    Opens:  as `count_between`.
    Cost:   as `count_between`, and about 8 numbers of ranges a row, all servers together. Facts: as `count_between`.
    """
    merged, _ = await _merged(me, key, time, valid, range_key, start, end, range_valid, closed)
    flags = await in_blocks(bit_to_ring, me.step("flags"), merged.there, ring=count_ring(range_key.rows))
    steps = _in_places(merged.places, zeros_like(flags, key.rows), flags, -flags)
    (arranged,) = cast(list[Any], await gather(me.step("open"), merged.by, [steps]))
    (open_,) = cast(list[Any], await apply(me.step("points"), merged.by, [running_sums(arranged)]))
    counts: list[Share] = await keep(me.step("valid"), valid, [open_[merged.places[0]]])
    return counts[0]


def join_between_cost(
    points: int, ranges: int, bits: int, profile: Profile, rows_max: int, columns: Sequence[AnyKind], range_columns: Sequence[AnyKind]
) -> Cost:
    ring, sums = point_ring(points), _sum_ring(points, ranges, rows_max)
    counted = count_between_cost(points, ranges, bits, profile).then(apply_first_cost(points, index_ring(points), *columns))
    expanded = cost_of(expand, ranges, rows_max, points * ranges, profile.adder, ring, *range_columns)
    repeated = counted.then(cost_of(cast_up, ranges, ring, sums)).then(expanded).then(and_cost(rows_max, 1))
    if not columns:
        return repeated
    return repeated.then(fetch_cost(points, rows_max, profile, *columns)).then(keep_cost(rows_max, *columns))


@costs(join_between_cost)
async def join_between(
    me: Party,
    key: Bits,
    time: Bits,
    valid: Bits,
    columns: Sequence[Any],
    range_key: Bits,
    start: Bits,
    end: Bits,
    range_valid: Bits,
    range_columns: Sequence[Any],
    rows_max: int,
    closed: Closed = CLOSED,
) -> Ranged:
    """Every pair of a point and a range with one key and start ≤ time ≤ end (see `count_between`), in the order of the ranges and then of
    the times, up to `rows_max` of them.

    As `count_between`; a row that is not valid matches nothing.

    Learns: as `count_between`, `expand` and `fetch`; every server a uniform permutation of the points.
    Opens:  as these; the shuffled places of the points.
    Cost:   as `count_between`; `apply_first` of the points, `expand` of the ranges, and `fetch` of the bound's rows, a sort by row numbers.
            Facts: points, ranges, bits of key and time together, profile, rows_max, the ring or width of each column of points, of ranges.
    """
    points, ranges = key.rows, range_key.rows
    found = await count_between(me.step("count"), key, time, valid, range_key, start, end, range_valid, closed)
    _, arranged = await apply_first(me.step("points"), found.place.cast_down(index_ring(points)), columns)
    counts = await in_blocks(cast_up, me.step("cast"), found.counts, ring=_sum_ring(points, ranges, rows_max))
    # Copy j of a range takes point before + j, and stands in row j after those of the ranges before it.
    further = found.before - sums_before(found.counts)
    copies = await expand(me.step("ranges"), counts, [further, *range_columns], rows_max, points * ranges)
    matched = await and_bits(me.step("matched"), copies.real, not_bits(me, every_row(copies.overflow, rows_max)))
    further, *rest = copies.columns
    fetched: list[Any] = []
    if columns:
        place = add_public(me, further, np.arange(rows_max).astype(further.ring.dtype))
        fetched = await keep(me.step("keep"), matched, await fetch(me.step("fetch"), place, arranged))
    return Ranged(matched, fetched, rest, copies.overflow, found.counts)


def _sum_ring(points: int, ranges: int, rows_max: int) -> Ring:
    return Ring(max(point_ring(points).bits, sum_bits(rows_max, points * ranges)))
