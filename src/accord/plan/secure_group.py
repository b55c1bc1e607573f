"""Groups of rows that agree on secret columns, and what is computed over them.

One sort by the keys brings the rows of a group side by side, rows that are not there behind all others; the g-th group's results end up
in row g. What needs the order of an argument's values (least, greatest, quantiles, distinct ones) has a sort of its own by keys and
argument, in which groups have the same numbers; the first of them serves for all that needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Z64
from accord.mpc.bits import not_bits
from accord.mpc.compose import in_blocks, together
from accord.mpc.group import Arranged, Chosen
from accord.mpc.party import Party
from accord.mpc.rows import public_column, rows_between
from accord.mpc.scan import differences
from accord.mpc.share import Bits, Share
from accord.plan.expression import AggregateCall, Expression
from accord.plan.nodes import Aggregate
from accord.plan.secure_calls import and_bits, bit_to_ring, is_zero
from accord.plan.secure_expression import compute
from accord.plan.secure_flags import Flag, as_bits, both, either, negation
from accord.plan.secure_key import as_secret, constant_plane, equal_key, known, order_key, shortened
from accord.plan.secure_relations import (
    all_bits,
    arrange,
    group_extremes,
    group_largest,
    group_quantile,
    group_rows,
    keep,
    partition,
    run_ends,
)
from accord.plan.secure_table import Column, SecretColumn, SecureTable
from accord.plan.types import Type

ORDERED = ("min", "max", "quantile_disc", "count_distinct", "largest")
"""Aggregates that look at their argument's values in order."""


async def aggregate_secretly(me: Party, node: Aggregate, table: SecureTable) -> SecureTable:
    """One row for each combination of the keys' values among the rows that are there, at the front; NULLs are one value.

    As many rows as the table has, or as the keys' ranges have combinations. Without keys, one row that is always there. Needs: a row.
    """
    arguments = tuple(dict.fromkeys(call.argument for _, call in node.aggregates if call.argument is not None))
    made = await compute(me.step("arguments"), table, arguments)
    columns = {argument: as_secret(me, column) for argument, column in zip(arguments, made, strict=True)}
    work = _Grouping(me, node, table, columns)
    return await work.result(await work.arranged())


@dataclass(frozen=True, eq=False)
class _Order:
    """Rows of the table in the order of the keys and of an argument (None: any order): which stand at the ends of groups, the argument's
    planes and values in this order, and where it is not NULL (None: everywhere)."""

    rows: Arranged
    word: Bits | None
    value: Share | Bits | None
    counted: Bits | None


Summand = tuple[str, Expression | None]
Moved = Mapping[Expression, SecretColumn]
Orders = Mapping[Expression | None, _Order]
Totals = Mapping[Summand, Share]


class _Grouping:
    """The work of one node."""

    def __init__(self, me: Party, node: Aggregate, table: SecureTable, columns: dict[Expression, SecretColumn]) -> None:
        self.me, self.node, self.table, self.columns = me, node, table, columns
        self.keys = [as_secret(me, table.columns[name]) for name in node.keys]
        self.valid = None if table.valid is True else as_bits(me, table.valid, table.rows)
        calls = [call for _, call in node.aggregates]
        self.sorted_by = tuple(dict.fromkeys(one.argument for one in calls if one.function in ORDERED and one.argument is not None))
        self.linear = [one for one in calls if one.function not in ORDERED]
        self.runs: tuple[frozenset[str], ...] = ()

    # ---- sorts

    async def arranged(self) -> Orders:
        """The sorts: by each argument whose order matters; the first one brings the keys and what is summed along. None: the first."""
        me, rows = self.me, self.table.rows
        columns: list[Column] = [self.table.columns[name] for name in self.node.telling or self.node.keys]
        whole = await equal_key(me.step("key"), columns, rows)
        (key,) = await shortened(me.step("hash"), [whole])
        self.runs = self._runs(is_hashed=key is not whole)
        if key.width == 0:
            key = constant_plane(me, False, rows)
        if self.stands_so:
            return {None: await self._as_it_stands(me.step("sort.0"), key)}
        orders = self.sorted_by or (None,)
        runs = [self._order(me.step(f"sort.{at}"), key, one, at == 0) for at, one in enumerate(orders)]
        made = dict(zip(orders, await together(*runs), strict=True))
        return {None: made[orders[0]], **made}

    @property
    def stands_so(self) -> bool:
        """Whether the rows of a group stand side by side as they are, and no order within them is asked for."""
        return not self.sorted_by and frozenset(self.node.telling or self.node.keys) in self.table.runs

    def _runs(self, is_hashed: bool) -> tuple[frozenset[str], ...]:
        """Of the groups, in the order of their keys: which of them stand side by side."""
        names = self.node.telling or self.node.keys
        if self.stands_so:
            return tuple(one for one in self.table.runs if one <= frozenset(names))
        return tuple(frozenset(names[: at + 1]) for at, _ in enumerate(names) if not is_hashed or at + 1 == len(names))

    async def _as_it_stands(self, me: Party, key: Bits) -> _Order:
        """As a sort by the key would leave them, but for the order of the groups: rows that are not there go behind."""
        columns: list[Any] = [key, *(one for part in self._carried(me, True) for one in part)]
        valid = self.valid
        if valid is not None and not self.table.is_packed:
            _, (valid, *columns) = await partition(me.step("front"), valid, [valid, *columns])
        first, last = await run_ends(me.step("runs"), columns[0], valid)
        return _Order(Arranged(None, columns[0], first, last, columns[1:]), None, None, None)

    async def _order(self, me: Party, key: Bits, argument: Expression | None, is_first: bool) -> _Order:
        carried: list[Share | Bits] = [one for part in self._carried(me, is_first) for one in part]
        if argument is None:
            return _Order(await arrange(me, key, carried, valid=self.valid), None, None, None)
        column, rows = self.columns[argument], self.table.rows
        within = await order_key(me.step("within"), [(column, False)], rows)
        counted = known(me, column, rows)
        if counted is not None and self.valid is not None:
            counted = await and_bits(me.step("counted"), counted, self.valid)
        if within.width == 0:
            within = constant_plane(me, False, rows)
        extra = [within, column.value, *([counted] if counted is not None else [])]
        arranged = await arrange(me, key, [*extra, *carried], valid=self.valid, within=within)
        word, value, *rest = arranged.columns
        plane = rest.pop(0) if counted is not None else None
        return _Order(replace(arranged, columns=rest), word, value, plane)

    def _carried(self, me: Party, is_first: bool) -> list[list[Share | Bits]]:
        """The keys with their NULLs, then the arguments of sums and counts with theirs: what the first sort takes along."""
        if not is_first:
            return []
        keys = [part for one in self.keys for part in _parts(me, one, self.table.rows)]
        return [keys, [part for one in self._summed() for part in _parts(me, self.columns[one], self.table.rows)]]

    def _summed(self) -> list[Expression]:
        """Arguments whose values, or NULLs, are added up."""
        return list(dict.fromkeys(one.argument for one in self.linear if one.argument is not None))

    # ---- groups

    async def result(self, orders: Orders) -> SecureTable:
        me, first = self.me, orders[None]
        parts = list(first.rows.columns)
        keys = [_taken(me, one, parts) for one in self.keys]
        moved = {one: _taken(me, self.columns[one], parts) for one in self._summed()}
        names = self._summands()
        sums = await together(*(self._summand(me.step(f"number.{at}"), one, moved, orders) for at, one in enumerate(names)))
        carried = [part for one in keys for part in _parts(me, one, self.table.rows)]
        groups, chosen = await together(group_rows(me.step("groups"), first.rows, sums, carried), self._chosen(me.step("chosen"), orders))
        stop = min(self.table.rows, self.node.groups_max or self.table.rows, prod(_values(one.type) for one in self.keys))
        totals = {name: one[:stop] for name, one in zip(names, groups.sums, strict=True)}
        there = rows_between(groups.present, 0, stop)
        lasts: list[Any] = [rows_between(one, 0, stop) for one in groups.lasts]
        columns: dict[str, Column] = {name: _taken(me, one, lasts) for name, one in zip(self.node.keys, keys, strict=True)}
        values = await together(
            *(self._value(me.step(f"value.{at}"), call, totals, chosen, stop) for at, (_, call) in enumerate(self.node.aggregates))
        )
        columns |= {name: one for (name, _), one in zip(self.node.aggregates, values, strict=True)}
        if self.node.keys:
            return SecureTable(stop, columns, there, is_packed=True, runs=self.runs)
        return await _one_row(me.step("one"), columns, there)

    def _summands(self) -> list[Summand]:
        """What is added up over groups: ones, an argument's values, how many of them are known, true, or distinct."""
        found: dict[Summand, None] = {}
        for call in self.linear:
            if call.argument is None:
                found["ones", None] = None
            elif call.function != "count":
                found["sum" if call.function == "sum" else "true", call.argument] = None
            if call.argument is not None and (call.function in ("count", "bool_and") or call.type.nullable):
                found["known", call.argument] = None
        distinct = (call.argument for _, call in self.node.aggregates if call.function == "count_distinct")
        return list(found | {("distinct", argument): None for argument in distinct})

    async def _summand(self, me: Party, what: Summand, moved: Moved, orders: Orders) -> Share:
        kind, argument = what
        if kind == "distinct":
            return await _distinct(me, orders[argument])
        if argument is None:
            return _ones(me, self.table.rows)
        value = moved[argument].value
        plane = known(me, moved[argument], self.table.rows) if kind == "known" else value
        if plane is None:
            return _ones(me, self.table.rows)
        if isinstance(plane, Share):
            return plane
        number: Share = await in_blocks(bit_to_ring, me, plane, ring=Z64)
        return number

    async def _chosen(self, me: Party, orders: Orders) -> dict[Any, Chosen]:
        """The values that an order chooses, by function, argument and quantile."""
        tasks: dict[Any, Any] = {}
        for at, argument in enumerate(self.sorted_by):
            order, calls = orders[argument], [call for _, call in self.node.aggregates if call.argument == argument]
            if {"min", "max"} & {call.function for call in calls}:
                extremes = group_extremes(me.step(f"extremes.{at}"), order.rows, [order.value], counted=order.counted)
                tasks["extremes", argument, None] = extremes
            if ranks := max(call.rank for call in calls):
                tasks["largest", argument, None] = group_largest(
                    me.step(f"largest.{at}"), order.rows, order.value, ranks=ranks, counted=order.counted
                )
            for quantile in sorted({call.quantile for call in calls if call.quantile}):
                here = me.step(f"quantile.{at}.{quantile[0]}.{quantile[1]}")
                asked = group_quantile(here, order.rows, [order.value], Fraction(*quantile), counted=order.counted)
                tasks["quantile_disc", argument, quantile] = asked
        done = dict(zip(tasks, await together(*tasks.values()), strict=True))
        for name, made in list(done.items()):
            if name[0] == "extremes":
                done["min", name[1], None], done["max", name[1], None] = made
        return done

    async def _value(self, me: Party, call: AggregateCall, totals: Totals, chosen: dict[Any, Chosen], stop: int) -> SecretColumn:
        """An aggregate of each group; NULL where no value is known."""
        argument, bits = call.argument, self.table.rows.bit_length()
        null: Flag = False
        if call.type.nullable and call.function in ORDERED:
            null = not_bits(me, rows_between(chosen[call.function, argument, call.quantile].known, 0, stop))
        elif call.type.nullable:
            null = await is_zero(me.step("none"), totals["known", argument], bits=bits)
        value: Any
        if call.function == "count":
            value = totals["ones" if argument is None else "known", argument]
        elif call.function in ("sum", "count_distinct"):
            value = totals["sum" if call.function == "sum" else "distinct", argument]
        elif call.function in ("bool_and", "bool_or"):
            value = await self._truth(me.step("truth"), call, totals, null)
        elif call.function in ORDERED:
            picked: Any = chosen[call.function, argument, call.quantile].columns[max(call.rank - 1, 0)]
            value = rows_between(picked, 0, stop)
        else:
            raise OurFault(f"{call.function} in a plan to be run on shares")
        return SecretColumn(call.type, value, null)

    async def _truth(self, me: Party, call: AggregateCall, totals: Totals, null: Flag) -> Bits:
        """Whether some known value is true, or none is false."""
        true, bits = totals["true", call.argument], self.table.rows.bit_length()
        if call.function == "bool_or":
            return not_bits(me, await is_zero(me, true, bits=bits))
        every: Bits = await is_zero(me, totals["known", call.argument] - true, bits=bits)
        (value,) = await both(me.step("known"), (every, negation(me, null)))
        return as_bits(me, value, every.rows)


def _values(type: Type) -> int:
    """How many values a key can have, NULL being one."""
    return (1 << 64) if type.kind == "text" else type.high - type.low + 1 + type.nullable


def _parts(me: Party, column: SecretColumn, rows: int) -> list[Share | Bits]:
    """The value, and NULLs where there are any."""
    return [column.value, *([] if column.null is False else [as_bits(me, column.null, rows)])]


def _taken(me: Party, column: SecretColumn, parts: list[Any]) -> SecretColumn:
    """The column as `_parts` laid it out, from the front of the parts, which lose it."""
    value = parts.pop(0)
    return SecretColumn(column.type, value, False if column.null is False else parts.pop(0))


def _ones(me: Party, rows: int) -> Share:
    return public_column(me, np.ones(rows, np.uint64), Z64)


async def _distinct(me: Party, order: _Order) -> Share:
    """1 in the first row of each known value of each group."""
    assert order.word is not None
    same = await all_bits(me.step("same"), not_bits(me, differences(order.word)))
    (first,) = await either(me.step("begins"), (order.rows.first, not_bits(me, same)))
    assert isinstance(first, Bits)
    if order.counted is not None:
        first = await and_bits(me.step("counted"), first, order.counted)
    number: Share = await in_blocks(bit_to_ring, me.step("number"), first, ring=Z64)
    return number


async def _one_row(me: Party, columns: dict[str, Column], there: Bits) -> SecureTable:
    """The one group of all rows; where there is no row at all, counts are 0 and all else is NULL."""
    secret = [one for one in columns.values() if isinstance(one, SecretColumn)]
    parts: list[Any] = [part for one in secret for part in (one.value, not_bits(me, as_bits(me, one.null, there.rows)))]
    kept = await keep(me, rows_between(there, 0, 1), [rows_between(one, 0, 1) for one in parts])
    made: dict[str, Column] = {}
    for name, one in columns.items():
        value, here = kept.pop(0), kept.pop(0)
        made[name] = SecretColumn(one.type, value, not_bits(me, here) if one.type.nullable else False, clean=True)
    return SecureTable(1, made, True)
