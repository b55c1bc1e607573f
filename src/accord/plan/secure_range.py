"""Joins by time on secret columns: points with the ranges that they lie in, and rows with the nearest before or after them.

Times are sorted behind the keys, points together with starts and ends, so that what belongs together lies side by side; how many pairs
there are costs only the room that a bound gives them.
"""

from __future__ import annotations

from typing import Any

from accord.base.errors import OurFault
from accord.mpc.bits import not_bits
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.mpc.sort import joined_key
from accord.plan.faults import too_many_rows
from accord.plan.nodes import AsOf, Between, Join
from accord.plan.secure_calls import is_zero
from accord.plan.secure_key import constant_plane, words_alike
from accord.plan.secure_match import Side, chosen, columns_of_parts, left_rows, partners, parts_of, sides_of, unclean, with_alone
from accord.plan.secure_relations import count_between, count_ranges, join_between
from accord.plan.secure_table import SecureTable


async def join_by_time(me: Party, node: Join, left: SecureTable, right: SecureTable) -> SecureTable:
    """A join with a `match`. Rows come in no order that means anything. Needs: rows on both sides."""
    sides = await sides_of(me.step("keys"), node, left, right)
    if isinstance(node.match, AsOf):
        return await _nearest(me, node, node.match, *sides)
    if not isinstance(node.match, Between):
        raise OurFault("a join by time without a time")
    return await _Ranges(me, node, node.match, *sides).result()


# ---- the nearest row


async def _nearest(me: Party, node: Join, match: AsOf, left: Side, right: Side) -> SecureTable:
    """The left rows as they stand, each beside the last right row that is not later; where times are turned over, the first not earlier."""
    times = await words_alike(me.step("times"), [right.table.columns[match.right], left.table.columns[match.left]])
    if not match.is_backward:
        times = [not_bits(me, one) for one in times]
    if match.function in ("gt", "lt"):
        # A bit below the time puts right rows behind left ones of the same time.
        bits = [constant_plane(me, is_right, one.rows) for is_right, one in zip((True, False), times, strict=True)]
        times = [joined_key([one, bit]) for one, bit in zip(times, bits, strict=True)]
    equal, is_left = {b: a for a, b in node.on}, node.kind == "left"
    joined, partner = await partners(me.step("match"), right, left, equal, keeps_all=is_left, times=(times[0], times[1]))
    if is_left:
        return left_rows(me, node, left.table, partner, joined)
    return SecureTable(left.table.rows, {**unclean(left.table.columns), **partner}, joined.matched)


# ---- points in ranges


class _Ranges:
    """The work of one join of points with ranges."""

    def __init__(self, me: Party, node: Join, match: Between, left: Side, right: Side) -> None:
        self.me, self.node, self.match, self.left, self.right = me, node, match, left, right
        self.points, self.ranges = (left, right) if match.is_left else (right, left)

    async def result(self) -> SecureTable:
        points, ranges = self.points, self.ranges
        columns = [points.table.columns[self.match.point], *(ranges.table.columns[name] for name in (self.match.start, self.match.end))]
        time, start, end = await words_alike(self.me.step("times"), columns)
        point, span = (points.key, time, points.can), (ranges.key, start, end, ranges.can)
        if self.node.is_choice:
            return await chosen(self.me, self.node, self.left.table, not_bits(self.me, await self._alone(point, span, None)))
        return await self._pairs(point, span)

    async def _alone(self, point: tuple[Bits, ...], span: tuple[Bits, ...], counts: Share | None) -> Bits:
        """The left rows that meet nothing; `counts`, where they are known: of the points in each range."""
        me, closed = self.me, self.match.closed
        if self.match.is_left:
            counts = await count_ranges(me.step("ranges"), *point, *span, closed=closed)
        elif counts is None:
            counts = (await count_between(me.step("points"), *point, *span, closed=closed)).counts
        assert counts is not None
        none: Bits = await is_zero(me.step("none"), counts, bits=counts.ring.bits)
        return none

    async def _pairs(self, point: tuple[Bits, ...], span: tuple[Bits, ...]) -> SecureTable:
        """Every point with every range that it lies in, at the front of `rows_max` rows; then for a left join the left rows without any."""
        me, node = self.me, self.node
        bound = min(node.rows_max, self.left.table.rows * self.right.table.rows)
        columns = parts_of(me, self.points.table), parts_of(me, self.ranges.table)
        found = await join_between(me.step("match"), *point, columns[0], *span, columns[1], rows_max=bound, closed=self.match.closed)
        parts: dict[bool, Any] = {True: found.points, False: found.ranges}
        lefts, rights = parts[self.match.is_left], parts[not self.match.is_left]
        moved = {**columns_of_parts(self.left.table, lefts), **columns_of_parts(self.right.table, rights)}
        faults = () if bound < node.rows_max else ((too_many_rows(node), found.overflow),)
        met = SecureTable(bound, unclean(moved), found.matched, faults, is_packed=True)
        if node.kind != "left":
            return met
        none = await self._alone(point, span, found.counts)
        return await with_alone(me.step("alone"), node, self.left.table, met, none)
