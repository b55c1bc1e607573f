"""Figures shown as multiples of a base: the nearest, one of the two next at random, or so that a table adds up.

Adding up: cells stand in one line, each total of the cells so far is rounded, and a cell is shown as what the total grows by: then each
cell, and each total of cells that stand side by side, is one of the two next multiples [Cox87]. The line's start is chosen at random, so
that no cell is wrong on average. Margins are shown as the sums of what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import Refused
from accord.base.limits import VALUE_BITS_MAX
from accord.base.ring import Z64
from accord.mpc.compose import in_blocks
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.mpc.uniform import BELOW_MAX
from accord.plan.evaluate import Integers, Plain
from accord.plan.lower import all_there, rows_of
from accord.plan.nodes import Field, Node
from accord.plan.secure_calls import uniform_below
from accord.plan.secure_quotient import Range, fits_constant, floor_by_constant, rounded_by_constant
from accord.plan.secure_table import PublicColumn, SecretColumn, SecureTable
from accord.plan.secure_values import add, shared, subtract
from accord.plan.types import CATEGORY, Type
from accord.release.rule import ChangeRule, Types
from accord.release.rule_coding import named, require_numbers

NEAREST, RANDOM, CONTROLLED = "nearest", "random", "controlled"
VALUE_MAX = (1 << VALUE_BITS_MAX) - 1
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Rounding(ChangeRule):
    """`base` is a whole number of a column's own unit: of a decimal, 5 is 5.00. `dimensions` and `total`, of a controlled rounding: the
    public columns that tell cells apart, and how a margin is written in them (else as NULL)."""

    on: tuple[str, ...]
    base: int
    how: str = NEAREST
    dimensions: tuple[str, ...] = ()
    total: str = ""

    name: ClassVar[str] = "rounding"
    stops: ClassVar[str] = "reading small differences between cells, totals or releases as single persons"
    does_not_stop: ClassVar[str] = "asking again and again where it rounds at random, and taking the mean (once)"

    def __post_init__(self) -> None:
        if not 2 <= self.base <= BELOW_MAX:
            raise Refused(f"rounding to a base of {self.base}", rule=f"2 to {BELOW_MAX:,}", do="write a whole number, as base = 5")
        if self.how not in (NEAREST, RANDOM, CONTROLLED):
            raise Refused(f"rounding with how = {self.how!r}", rule=f"{NEAREST}, {RANDOM} or {CONTROLLED}", do="name one of them")
        if bool(self.dimensions) != (self.how == CONTROLLED) or (self.total and not self.dimensions):
            do = 'write how = "controlled", dimensions = ["region"], total = "all"'
            raise Refused("dimensions without controlled rounding, or the other way round", rule="a table that adds up has cells", do=do)

    @property
    def sentence(self) -> str:
        is_are = "is" if len(self.on) == 1 else "are"
        if self.how == NEAREST:
            return f"{named(self.on)} {is_are} shown rounded to the nearest multiple of {self.base}"
        if self.how == RANDOM:
            return f"{named(self.on)} {is_are} shown as one of the two next multiples of {self.base}, at random and right on average"
        return f"{named(self.on)} {is_are} shown as multiples of {self.base} that add up over {named(self.dimensions)}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.on, *self.dimensions)

    @property
    def shows(self) -> tuple[str, ...]:
        return self.on

    def require_applies(self, node: Node) -> None:
        require_numbers(self, node)
        for name in self.on:
            type = node.field(name).type
            if not fits_constant(Range.of(type), 1, self._base(type)) or self._base(type) > BELOW_MAX:
                do = "narrow the declared bounds, or round to a smaller base"
                raise Refused(
                    f"{name} rounded to {self.base}", rule=f"values of at most 2^60, a base of at most {BELOW_MAX:,} units", do=do
                )
        if self.how == CONTROLLED:
            self._require_cells(node)

    def _require_cells(self, node: Node) -> None:
        secret = [name for name in self.dimensions if not node.field(name).public]
        rule = "cells of a table that adds up are public, all there and never NULL"
        if secret or not all_there(node) or any(node.field(name).type.nullable for name in self.on):
            do = "begin the query with the public grid of its keys, LEFT JOIN the rest to it, and COALESCE(…, 0)"
            raise Refused(f"controlled rounding over {named(self.dimensions)}", rule=rule, do=do)
        for name in self.on:
            most = max(abs(node.field(name).type.low), abs(node.field(name).type.high))
            if most * rows_of(node) >= 1 << (VALUE_BITS_MAX - 2):
                raise Refused(f"{name} summed over all cells", rule=f"totals stay within ±2^{VALUE_BITS_MAX - 2}", do="narrow its bounds")

        for name in self.dimensions:
            type = node.field(name).type
            if type.kind == CATEGORY and self.total and self.total not in type.values and not type.nullable:
                rule, do = f"one of {', '.join(type.values[:8])}", "name the value that margins have, or leave it out"
                raise Refused(f"total = {self.total!r} for {name}", rule=rule, do=do)

    def _base(self, type: Type) -> int:
        return int(self.base * 10**type.scale)

    def changed(self, field: Field) -> Field:
        if field.name not in self.on:
            return field
        base, type = self._base(field.type), field.type
        low, high = type.low // base * base, -(-type.high // base) * base
        if self.how == CONTROLLED:
            low, high = -VALUE_MAX, VALUE_MAX
        return replace(field, type=replace(type, low=low, high=high))

    def bound(self, field: Field) -> str:
        base = self._base(field.type)
        off = base // 2 if self.how == NEAREST else base - 1
        text = f"±{Decimal(off).scaleb(-field.type.scale):f}, rounded to {self.base}"
        if self.how == RANDOM:
            return f"{text} at random"
        if self.how == CONTROLLED and len(self.dimensions) > 1:
            return f"{text} so that cells add up; a margin of cells that do not stand side by side: as much for each of them"
        return text + (" so that cells add up" if self.how == CONTROLLED else "")

    # ---- on shares

    async def change(self, me: Party, table: SecureTable) -> SecureTable:
        made = dict(table.columns)
        for name in self.on:
            here, given = me.step(name), table.columns[name]
            if isinstance(given, PublicColumn) and self.how == NEAREST:
                made[name] = replace(given, values=nearest(given.values, self._base(given.type)))
                continue
            value: Any = given.values if isinstance(given, PublicColumn) else given.value
            secret, null = shared(me, value), given.nulls if isinstance(given, PublicColumn) else given.null
            rounded = await self._rounded(here, table, secret, given.type)
            made[name] = SecretColumn(given.type, rounded, null if given.type.nullable else False)
        return replace(table, columns=made)

    async def _rounded(self, me: Party, table: SecureTable, value: Share, type: Type) -> Share:
        base = self._base(type)
        if self.how == CONTROLLED:
            return await self._adding_up(me, table, value, type)
        protocol = _nearest_block if self.how == NEAREST else _random_block
        made: Share = await in_blocks(protocol, me, value, low=type.low, high=type.high, base=base)
        return made

    async def _adding_up(self, me: Party, table: SecureTable, value: Share, type: Type) -> Share:
        line = Line.of({name: table.public(name) for name in self.dimensions}, self.total, table.rows)
        base, most = self._base(type), max(abs(type.low), abs(type.high))
        one: Share = await uniform_below(me.step("start"), value[:1], below=base)
        totals = _running(value[line.cells]) + Share(Z64, np.repeat(one.own, len(line.cells)), np.repeat(one.next, len(line.cells)))
        low = -(most * len(line.cells) // base + 1)
        steps: Share = await in_blocks(
            _floor_block, me.step("floor"), totals, low=low * base, high=most * len(line.cells) + base, base=base
        )
        shown = _steps(steps).times(base)
        return line.spread(shown, value.rows)

    # ---- plainly

    def plain(self, columns: Mapping[str, Plain], types: Types) -> dict[str, Plain]:
        """Where servers draw at random, the middle: in the clear nothing is hidden."""
        return {name: Plain.of(self._plainly(columns, columns[name].values, types, name), columns[name].nulls) for name in self.on}

    def _plainly(self, columns: Mapping[str, Plain], values: Integers, types: Types, name: str) -> Integers:
        base = self._base(types[name])
        if self.how != CONTROLLED:
            return nearest(values, base)
        keys = {one: PublicColumn.of(types[one], columns[one]) for one in self.dimensions}
        return Line.of(keys, self.total, len(values)).added_up(values, base, base // 2)


def nearest(values: Integers, base: int) -> Integers:
    """The nearest multiples, halves away from zero."""
    made: Integers = np.sign(values) * ((2 * np.abs(values) + base) // (2 * base)) * base
    return made


async def _nearest_block(me: Party, value: Share, low: int, high: int, base: int) -> Share:
    return (await rounded_by_constant(me, value, Range(low, high), 1, base)).times(base)


async def _random_block(me: Party, value: Share, low: int, high: int, base: int) -> Share:
    """⌊(x + u) / base⌋ · base for u uniform below the base: up with the chance (x mod base) / base."""
    drawn: Share = await uniform_below(me.step("drawn"), value, below=base)
    return await _floored(me.step("floor"), value + drawn, low, high + base, base)


async def _floor_block(me: Party, value: Share, low: int, high: int, base: int) -> Share:
    """⌊x / base⌋ for low ≤ x ≤ high."""
    first = low // base
    moved = shared(me, subtract(me, value, first * base))
    return shared(me, add(me, await floor_by_constant(me, moved, high - first * base, base), first))


async def _floored(me: Party, value: Share, low: int, high: int, base: int) -> Share:
    return (await _floor_block(me, value, low, high, base)).times(base)


def _running(value: Share) -> Share:
    return Share(Z64, np.cumsum(value.own, dtype=np.uint64), np.cumsum(value.next, dtype=np.uint64))


def _steps(value: Share) -> Share:
    """Each row less the one before. The first one's start is ⌊u / base⌋ = 0."""
    return Share(Z64, *(np.diff(one, prepend=np.uint64(0)) for one in (value.own, value.next)))


@dataclass(frozen=True, eq=False)
class Line:
    """The cells of a table in one line, by public columns, and for each margin the places in it of the cells that it sums."""

    cells: Rows
    margins: tuple[tuple[int, Rows], ...]

    @staticmethod
    def of(columns: Mapping[str, PublicColumn], total: str, rows: int) -> Line:
        codes = [_codes(one, total) for one in columns.values()]
        is_margin = np.logical_or.reduce([one < 0 for one in codes]) if codes else np.zeros(rows, np.bool_)
        order = np.lexsort(codes[::-1]) if codes else np.arange(rows)
        cells = order[~is_margin[order]]
        inside = [one[cells] for one in codes]
        margins = []
        for row in np.flatnonzero(is_margin):
            kept = [part == one[row] for part, one in zip(inside, codes, strict=True) if one[row] >= 0]
            margins.append((int(row), np.flatnonzero(np.logical_and.reduce(kept)) if kept else np.arange(len(cells))))
        return Line(cells, tuple(margins))

    def spread(self, shown: Share, rows: int) -> Share:
        """What is shown of cells and margins, in the table's rows."""
        own, after = (np.zeros(rows, np.uint64) for _ in range(2))
        own[self.cells], after[self.cells] = shown.own, shown.next
        for row, places in self.margins:
            own[row], after[row] = shown.own[places].sum(dtype=np.uint64), shown.next[places].sum(dtype=np.uint64)
        return Share(Z64, own, after)

    def added_up(self, values: Integers, base: int, start: int) -> Integers:
        totals = [int(one) for one in np.cumsum(values[self.cells])]
        steps = np.diff(np.array([0, *((one + start) // base for one in totals)], np.int64)) * base
        made = np.zeros(len(values), np.int64)
        made[self.cells] = steps
        for row, places in self.margins:
            made[row] = steps[places].sum()
        return made


def _codes(column: PublicColumn, total: str) -> Integers:
    """The column's codes, and −1 where it says that a row is a margin."""
    at = column.type.values.index(total) if total in column.type.values else None
    is_total = column.nulls if at is None else column.nulls | (column.values == at)
    return np.where(is_total, -1, column.values - column.values.min(initial=0))
