"""Window functions: rows sorted by partition and order, then running sums, shifts by a public number of rows, and values of the first or
last row of a partition or of peers.

A frame's sum is the running sum at its last row less the one before its first row. Such a row lies a public number of rows away, or at an
end of the partition or of the row's peers, where that is nearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accord.base.ring import Z64
from accord.mpc.bits import not_bits
from accord.mpc.compose import in_blocks, together
from accord.mpc.inputs import add_public
from accord.mpc.party import Party
from accord.mpc.rows import one_after_other, public_column, row_below, rows_between, with_row, zeros_like
from accord.mpc.scan import differences, running_sums
from accord.mpc.share import Bits, Share
from accord.mpc.sort import joined_key
from accord.plan.expression import Expression, WindowCall
from accord.plan.nodes import Window
from accord.plan.secure_calls import and_bits, bit_to_ring, is_zero, minimum, multiply, sign
from accord.plan.secure_expression import compute
from accord.plan.secure_flags import Flag, as_bits
from accord.plan.secure_key import as_secret, constant_plane, equal_key, known, order_key, shortened
from accord.plan.secure_order import sort_wide
from accord.plan.secure_relations import all_bits, fill_down, keep, segmented_minimum
from accord.plan.secure_rows import flattened, rebuilt
from accord.plan.secure_table import SecretColumn, SecureTable, take_secret


async def window_secretly(me: Party, node: Window, table: SecureTable) -> SecureTable:
    """The rows with their new columns, in the order of partition and order, those that are there first. Needs: a row."""
    arguments = tuple(dict.fromkeys(call.argument for _, call in node.calls if call.argument is not None))
    columns = [as_secret(me, one) for one in await compute(me.step("arguments"), table, arguments)]
    held = {f"?{at}": one for at, one in enumerate(columns)}
    table, words = await _sorted(me.step("sort"), node, replace(table, columns={**table.columns, **held}))
    partitions, peers = await together(*(_starts(me.step(f"starts.{at}"), one) for at, one in enumerate(words)))
    moved = {argument: as_secret(me, table.columns[f"?{at}"]) for at, argument in enumerate(arguments)}
    rows = _Rows(me, table.rows, partitions, peers)
    made = await together(*(_value(me.step(f"call.{at}"), rows, call, moved) for at, (_, call) in enumerate(node.calls)))
    kept = {name: one for name, one in table.columns.items() if name not in held}
    return replace(table, columns=kept | {name: one for (name, _), one in zip(node.calls, made, strict=True)})


async def _sorted(me: Party, node: Window, table: SecureTable) -> tuple[SecureTable, tuple[Bits, Bits]]:
    """The rows in order, and the words of which equal ones are a partition's, and peers'."""
    rows = table.rows
    partition, order = await together(
        equal_key(me.step("partition"), [table.columns[name] for name in node.partition], rows),
        order_key(me.step("order"), [(table.columns[name], down) for name, down in node.order], rows),
    )
    (partition,) = await shortened(me.step("hash"), [partition])
    absent = constant_plane(me, False, rows) if table.valid is True else not_bits(me, as_bits(me, table.valid, rows))
    whole = joined_key([absent, partition, order])
    words, *parts = await sort_wide(me.step("rows"), whole, [whole, *flattened(me, table)])
    return replace(rebuilt(table, parts), is_packed=True), (words.planes(slice(order.width, None)), words)


async def _starts(me: Party, word: Bits) -> Bits:
    """Where a row's word is not that of the row before."""
    return with_row(me, not_bits(me, await all_bits(me, not_bits(me, differences(word)))), 0, True)


# ---- rows seen from a row


@dataclass(frozen=True, eq=False)
class _Rows:
    """Sorted rows; `partitions` and `peers` (one plane each) are set where one begins."""

    me: Party
    rows: int
    partitions: Bits
    peers: Bits

    def backwards(self) -> _Rows:
        """The same rows, the last one first."""
        ends = (with_row(self.me, row_below(one), self.rows - 1, True) for one in (self.partitions, self.peers))
        return _Rows(self.me, self.rows, *(turned(one) for one in ends))

    async def first(self, me: Party, columns: Sequence[Any], of: str = "partition") -> list[Any]:
        """Each column's value in the first row of the row's partition, or peers."""
        header = self.partitions if of == "partition" else self.peers
        filled: list[Any] = await fill_down(me.step("fill"), header, await keep(me.step("keep"), header, columns))
        return filled

    async def last(self, me: Party, columns: Sequence[Any], of: str = "partition") -> list[Any]:
        return [turned(one) for one in await self.backwards().first(me, [turned(one) for one in columns], of)]

    async def has(self, me: Party, offset: int) -> Bits:
        """Whether the row so many rows further (before, if negative) is one of the partition. Not for 0."""
        if offset > 0:
            found: Bits = turned(await self.backwards().has(me, -offset))
            return found
        if offset == -1:
            return not_bits(me, self.partitions)
        numbers = _numbers(me, self.rows)
        (start,) = await self.first(me.step("start"), [numbers])
        return not_bits(me, await in_blocks(sign, me.step("sign"), add_public(me, numbers - start, offset), bits=_bits(self.rows, offset)))

    def shifted(self, column: Any, offset: int) -> Any:
        """The value so many rows further; 0 past the table's ends."""
        missing: Any = zeros_like(column, min(abs(offset), self.rows))
        if offset >= 0:
            return one_after_other([rows_between(column, min(offset, self.rows), self.rows), missing])
        return one_after_other([missing, rows_between(column, 0, max(self.rows + offset, 0))])

    async def at(self, me: Party, columns: Sequence[Any], offset: int, otherwise: Sequence[Any]) -> list[Any]:
        """The values so many rows further, or the others where that is no row of the partition."""
        if offset == 0:
            return list(columns)
        has = await self.has(me.step("has"), offset)
        pairs = [(self.shifted(one, offset), other) for one, other in zip(columns, otherwise, strict=True)]
        kept = await keep(me.step("chosen"), has, [_minus(one, other) for one, other in pairs])
        return [_plus(one, other) for one, (_, other) in zip(kept, pairs, strict=True)]

    async def totals(self, me: Party, call: WindowCall, columns: Sequence[Share]) -> list[Share]:
        """Sums over each row's frame."""
        upto = [running_sums(one) for one in columns]
        before = [total - one for total, one in zip(upto, columns, strict=True)]
        ends = await together(self.first(me.step("before"), before), self.last(me.step("after"), upto))
        unit, start, end = call.frame
        last = self._edge(me.step("last"), upto, unit, end, ends, is_start=False)
        first = self._edge(me.step("first"), before, unit, start, ends, is_start=True)
        return [one - other for one, other in zip(*await together(last, first), strict=True)]

    async def _edge(
        self, me: Party, columns: list[Share], unit: str, offset: int | None, ends: list[Any], *, is_start: bool
    ) -> list[Share]:
        """Running sums at an edge of a frame, where it leaves the partition those at the partition's end."""
        if offset is None:
            return list(ends[0] if is_start else ends[1])
        if unit == "range":
            return await (self.first if is_start else self.last)(me, columns, "peers")
        return await self.at(me, columns, offset, ends[0] if offset < 0 else ends[1])


def turned(column: Any) -> Any:
    """The last row first."""
    return take_secret(column, np.arange(column.rows)[::-1])


def _numbers(me: Party, rows: int) -> Share:
    return public_column(me, np.arange(rows, dtype=np.uint64), Z64)


def _ones(me: Party, rows: int) -> Share:
    return public_column(me, np.ones(rows, np.uint64), Z64)


def _bits(rows: int, offset: int) -> int:
    """Of a signed difference of a number of rows and an offset."""
    return (rows + abs(offset)).bit_length() + 1


def _minus(one: Any, other: Any) -> Any:
    return one ^ other if isinstance(one, Bits) else one - other


def _plus(one: Any, other: Any) -> Any:
    return one ^ other if isinstance(one, Bits) else one + other


# ---- calls

Columns = dict[Expression, SecretColumn]


async def _value(me: Party, rows: _Rows, call: WindowCall, columns: Columns) -> SecretColumn:
    if call.function in ("row_number", "rank", "dense_rank"):
        return SecretColumn(call.type, await _rank(me, rows, call.function))
    if call.function in ("lag", "lead", "first_value", "last_value"):
        assert call.argument is not None
        return await _picked(me, rows, call, columns[call.argument])
    if call.function in ("sum", "count"):
        return await _summed(me, rows, call, columns)
    return await _extreme(me, rows, call, columns)


async def _rank(me: Party, rows: _Rows, function: str) -> Share:
    if function == "dense_rank":
        number = running_sums(await in_blocks(bit_to_ring, me.step("peers"), rows.peers, ring=Z64))
    else:
        number = _numbers(me, rows.rows)
    (start,) = await rows.first(me.step("start"), [number])
    if function == "rank":
        (number,) = await rows.first(me.step("peers"), [number], "peers")
    return add_public(me, number - start, 1)


async def _picked(me: Party, rows: _Rows, call: WindowCall, column: SecretColumn) -> SecretColumn:
    """The argument in one row; NULL where there is none."""
    parts = [column.value, *([] if column.null is False else [as_bits(me, column.null, rows.rows)])]
    if call.function in ("lag", "lead"):
        offset = call.offset if call.function == "lead" else -call.offset
        values = [rows.shifted(one, offset) for one in parts]
        there = await rows.has(me.step("has"), offset) if offset else None
    else:
        values = await _at_edge(me.step("edge"), rows, call, parts)
        there = await _not_empty(me.step("frame"), rows, call)
    null: Flag = values[1] if len(values) > 1 else False
    if there is None:
        return SecretColumn(call.type, values[0], null)
    value, known_there = await keep(me.step("there"), there, [values[0], not_bits(me, as_bits(me, null, rows.rows))])
    return SecretColumn(call.type, value, not_bits(me, known_there))


async def _at_edge(me: Party, rows: _Rows, call: WindowCall, parts: list[Any]) -> list[Any]:
    """Columns in the first or the last row of each frame that has one."""
    unit, start, end = call.frame
    offset, end_of = (start, rows.first) if call.function == "first_value" else (end, rows.last)
    if offset is None or unit == "range":
        return await end_of(me, parts, "partition" if offset is None else "peers")
    if offset == 0 or (offset > 0) == (call.function == "first_value"):
        return [rows.shifted(one, offset) for one in parts]
    return await rows.at(me.step("at"), parts, offset, await end_of(me.step("end"), parts))


async def _not_empty(me: Party, rows: _Rows, call: WindowCall) -> Bits | None:
    """Where a frame has rows; None where it has always some."""
    _, start, end = call.frame
    if (start is None or start <= 0) and (end is None or end >= 0):
        return None
    (count,) = await rows.totals(me.step("rows"), call, [_ones(me, rows.rows)])
    return not_bits(me, await is_zero(me.step("none"), count, bits=_bits(rows.rows, 0)))


async def _counted(me: Party, rows: _Rows, call: WindowCall, columns: Columns) -> Share:
    """1 in rows whose argument is not NULL."""
    plane = None if call.argument is None else known(me, columns[call.argument], rows.rows)
    if plane is None:
        return _ones(me, rows.rows)
    number: Share = await in_blocks(bit_to_ring, me, plane, ring=Z64)
    return number


async def _summed(me: Party, rows: _Rows, call: WindowCall, columns: Columns) -> SecretColumn:
    if call.function == "count":
        (count,) = await rows.totals(me.step("total"), call, [await _counted(me.step("known"), rows, call, columns)])
        return SecretColumn(call.type, count)
    assert call.argument is not None
    value: Any = columns[call.argument].value
    if not call.type.nullable:
        return SecretColumn(call.type, (await rows.totals(me.step("total"), call, [value]))[0])
    total, count = await rows.totals(me.step("total"), call, [value, await _counted(me.step("known"), rows, call, columns)])
    return SecretColumn(call.type, total, await is_zero(me.step("none"), count, bits=_bits(rows.rows, 0)))


# ---- least and greatest


async def _extreme(me: Party, rows: _Rows, call: WindowCall, columns: Columns) -> SecretColumn:
    """The least of the values, for the greatest of the negated ones; a NULL stands aside at the far end of the range."""
    assert call.argument is not None
    of, column = call.argument.type, columns[call.argument]
    is_least, counted = call.function == "min", await _counted(me.step("known"), rows, call, columns)
    low, high = (of.low, of.high) if is_least else (-of.high, -of.low)
    value: Any = column.value if is_least else -column.value  # type: ignore[operator]
    absent = _ones(me, rows.rows) - counted
    least, (count,) = await together(
        _least(me.step("least"), rows, call, value + absent.times(high), (high, (high - min(low, 0)).bit_length() + 2)),
        rows.totals(me.step("count"), call, [counted]),
    )
    null: Bits = await is_zero(me.step("none"), count, bits=_bits(rows.rows, 0))
    (found,) = await keep(me.step("there"), not_bits(me, null), [least if is_least else -least])
    return SecretColumn(call.type, found, null if call.type.nullable else False)


async def _least(me: Party, rows: _Rows, call: WindowCall, value: Share, range: tuple[int, int]) -> Share:
    """The least value of each frame; anything where it has no row. `range`: the greatest value, and bits of a difference."""
    unit, start, end = call.frame
    if start is None or (unit == "range" and end is not None):
        starts = rows.partitions if start is None else rows.peers
        return await _least_upto(me, rows, starts, value, end, unit, range)
    if end is None:
        back = rows.backwards()
        return turned(await _least_upto(me, back, back.partitions, turned(value), -start, unit, range))  # type: ignore[no-any-return]
    return await _least_within(me, rows, value, (start, end), range[1])


async def _least_within(me: Party, rows: _Rows, value: Share, frame: tuple[int, int], bits: int) -> Share:
    """The least of the rows start … end away: of those up to the row and those from it on; or of a frame beside it, found at its end."""
    start, end = (min(max(offset, -rows.rows), rows.rows) for offset in frame)
    if end < 0:
        before: Share = rows.shifted(await _least_back(me, rows, value, end - start + 1, bits), end)
        return before
    back = rows.backwards()
    if start > 0:
        return rows.shifted(turned(await _least_back(me, back, turned(value), end - start + 1, bits)), start)  # type: ignore[no-any-return]
    sides = await together(
        _least_back(me.step("before"), rows, value, 1 - start, bits), _least_back(me.step("after"), back, turned(value), end + 1, bits)
    )
    if not (start and end):
        return sides[0] if start else turned(sides[1])  # type: ignore[no-any-return]
    least: Share = await in_blocks(minimum, me.step("both"), sides[0], turned(sides[1]), bits=bits)
    return least


async def _least_back(me: Party, rows: _Rows, value: Share, width: int, bits: int) -> Share:
    """The least of the last `width` rows up to each row, as far as they are of its partition: by doubling.

    What a row knows of 2^k rows and what the row 2^k before it knows are 2^(k + 1) rows. Of a width between two powers the last two such
    runs overlap; where the earlier one is of another partition, the later one reaches to the start of its own.
    """
    least, joins, span = value, not_bits(me, rows.partitions), 1
    while 2 * span <= width:
        here = me.step(f"span.{span}")
        least, further = await together(
            in_blocks(_lesser, here.step("least"), rows.shifted(least, -span), least, joins, bits=bits),
            in_blocks(and_bits, here.step("joins"), joins, rows.shifted(joins, -span)),
        )
        joins, span = further, 2 * span
    if width > span:
        joins = await rows.has(me.step("has"), span - width)
        least = await in_blocks(_lesser, me.step("rest"), rows.shifted(least, span - width), least, joins, bits=bits)
    return least


async def _lesser(me: Party, before: Share, here: Share, joins: Bits, bits: int) -> Share:
    """The smaller of two numbers where they join, else the second."""
    difference = before - here
    below = await and_bits(me.step("taken"), await sign(me.step("sign"), difference, bits=bits), joins)
    chosen: Share = await multiply(me.step("part"), await bit_to_ring(me.step("flag"), below, ring=here.ring), difference)
    return here + chosen


async def _least_upto(me: Party, rows: _Rows, starts: Bits, value: Share, end: int | None, unit: str, range: tuple[int, int]) -> Share:
    """The least value from where rows start up to a frame's end."""
    running = await segmented_minimum(me.step("running"), starts, value, bits=range[1])
    if end is None or unit == "range":
        (found,) = await rows.last(me.step("end"), [running], "partition" if end is None else "peers")
    else:
        ends = await rows.last(me.step("end"), [running]) if end > 0 else [running]
        (found,) = await rows.at(me.step("at"), [running], end, ends)
    least: Share = found
    return least
