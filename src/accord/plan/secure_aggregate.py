"""Groups of rows that agree on public columns, and what is summed, counted or compared over them.

Rows are put in order of their keys, publicly; a group is then a run of rows. Sums over it are local or one dot product; a row that
is not valid, or whose argument is NULL, takes no part. An average comes as the quotient of a sum and a count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault
from accord.base.ring import Z64
from accord.mpc.compose import in_blocks
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.expression import AggregateCall, Expression
from accord.plan.largest import LARGEST, values_of
from accord.plan.nodes import Aggregate
from accord.plan.secure_calls import bit_to_ring, dot, maximum, minimum, multiply
from accord.plan.secure_expression import compute
from accord.plan.secure_flags import Flag, as_bits, both, negation
from accord.plan.secure_flow import Step, flow
from accord.plan.secure_largest import largest_in_groups
from accord.plan.secure_quotient import Range
from accord.plan.secure_table import Column, PublicColumn, SecretColumn, SecureTable, join_bits, take_flag, take_secret
from accord.plan.secure_values import Amount, add, scaled, shared, subtract
from accord.plan.types import BOOL, Type
from accord.wire.exchange import Protocol

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Groups:
    """Runs of rows: where each begins, of how many rows in all."""

    starts: Rows
    rows: int

    @property
    def sizes(self) -> Rows:
        return np.diff(np.append(self.starts, self.rows))

    def __len__(self) -> int:
        return len(self.starts)


async def aggregate(me: Party, node: Aggregate, table: SecureTable) -> SecureTable:
    """One row for each combination of the keys' values among the table's rows; valid where one of its rows is.

    Without keys, one row that is always valid. Needs: at least one row.
    """
    keys = [table.public(name) for name in node.keys]
    order, groups = group(keys, table.rows)
    arguments = list(dict.fromkeys(one for _, call in node.aggregates if call.argument is not None for one in values_of(call.argument)))
    columns = await compute(me.step("arguments"), table, arguments)
    if not np.array_equal(order, np.arange(table.rows)):
        columns, keys = [one.take(order) for one in columns], [one.take(order) for one in keys]
        table = SecureTable(table.rows, {}, take_flag(table.valid, order))
    work = _Work(me, table.valid, groups, dict(zip(arguments, columns, strict=True)), [call for _, call in node.aggregates])
    outputs = [(name, call.type, work.output(call)) for name, call in node.aggregates]
    valid = work.any(None) if node.keys else None
    results = await flow(work.steps)
    made: dict[str, Column] = {name: one.take(groups.starts) for name, one in zip(node.keys, keys, strict=True)}
    for name, type, place in outputs:
        made[name] = _column(me, type, *results[place])
    return SecureTable(len(groups), made, results[valid] if valid is not None else True)


def group(keys: Sequence[PublicColumn], rows: int) -> tuple[Rows, Groups]:
    """The stable order of rows by these columns, the first one first, and the runs of equal rows in it."""
    if not keys:
        return np.arange(rows), Groups(np.zeros(1, np.intp), rows)
    parts = [part for one in keys for part in (one.nulls, one.values)]
    order = np.lexsort(parts[::-1])
    changes = np.zeros(rows, np.bool_)
    changes[:1] = True
    for part in parts:
        here = part[order]
        changes[1:] |= here[1:] != here[:-1]
    return order, Groups(np.flatnonzero(changes), rows)


def _column(me: Party, type: Type, value: Any, null: Flag) -> Column:
    if type.kind == BOOL and (isinstance(value, Bits) or isinstance(null, Bits)):
        return SecretColumn(type, as_bits(me, value, value.rows if isinstance(value, Bits) else len(value)), null)
    if isinstance(value, Share) or isinstance(null, Bits):
        return SecretColumn(type, shared(me, value), null, clean=True)
    nulls = np.full(len(value), null) if isinstance(null, bool) else null
    return PublicColumn(type, np.where(nulls, 0, value), nulls)


class _Work:
    """The steps that the aggregates of one node take; equal ones are taken once."""

    def __init__(
        self, me: Party, valid: Flag, groups: Groups, columns: Mapping[Expression, Column], calls: Sequence[AggregateCall]
    ) -> None:
        self.me, self.valid, self.groups, self.columns, self.calls = me, valid, groups, columns, calls
        self.steps: list[Step] = []
        self.places: dict[Any, int] = {}

    def step(self, key: tuple[Any, ...], needs: tuple[int, ...], protocol: Callable[..., Protocol[Any]]) -> int:
        """The place of the step with this key; `protocol(me, *results of needs)` makes it."""
        if key not in self.places:
            self.places[key] = len(self.steps)
            self.steps.append(Step(needs, partial(protocol, self.me.step(f"{len(self.steps)}.{key[0]}"))))
        return self.places[key]

    def who(self, argument: Expression | None) -> Expression | None:
        """The argument, or None where it has no NULLs: then every valid row takes part."""
        return argument if argument is not None and _null(self.columns[argument]) is not False else None

    def present(self, argument: Expression | None) -> int:
        """Which rows take part: valid ones whose argument is not NULL."""
        column = None if argument is None else self.columns[argument]
        return self.step(("present", argument), (), lambda me: _present(me, self.valid, column))

    def ring(self, argument: Expression | None) -> int:
        """The rows that take part, as numbers 0 and 1."""
        return self.step(("ring", argument), (self.present(argument),), lambda me, present: _numbers(me, present))

    def any(self, argument: Expression | None) -> int:
        """Which groups have a row that takes part."""
        return self.step(("any", argument), (self.present(argument),), lambda me, present: any_in_groups(me, present, self.groups))

    def any_ring(self, argument: Expression | None) -> int:
        return self.step(("any-ring", argument), (self.any(argument),), lambda me, present: _numbers(me, present))

    def count(self, argument: Expression | None) -> int:
        return self.step(("count", argument), (self.ring(argument),), lambda me, ring: _count(me, ring, self.groups))

    def sum(self, argument: Expression) -> int:
        column = self.columns[argument]
        needs = () if isinstance(column, SecretColumn) and column.clean else (self.ring(self.who(argument)),)
        return self.step(("sum", argument), needs, lambda me, *ring: _sum(me, column, self.groups, *ring))

    def output(self, call: AggregateCall) -> int:
        """The place of a step that gives the aggregate's values and NULLs; a value is 0 where NULL."""
        if call.function == LARGEST:
            return self._largest(call)
        argument, who = call.argument, self.who(call.argument)
        if call.function == "count":
            return self.step(("counted", who), (self.count(who),), _output)
        if argument is None or call.function not in ("sum", "min", "max", "bool_and", "bool_or"):
            raise OurFault(f"{call.function} over public groups", rule="sum, count, min, max, bool_and and bool_or")
        if call.function in ("bool_and", "bool_or"):
            return self._truth(call, argument)
        if call.function == "sum":
            some = (self.any(who),) if call.type.nullable else ()
            return self.step(("summed", argument, call.type.nullable), (self.sum(argument), *some), _output)
        return self._extreme(call, argument)

    def _largest(self, call: AggregateCall) -> int:
        """All ranks that are asked for come of one tournament."""
        assert call.argument is not None
        values = values_of(call.argument)
        columns = [self.columns[one] for one in values]
        needs = tuple(self.ring(self.who(one)) for one in values)
        ranks = max(one.rank for one in self.calls if one.argument == call.argument)
        every = partial(_largest, columns=columns, groups=self.groups, ranks=ranks)
        found = self.step((LARGEST, call.argument), needs, every)
        return self.step((LARGEST, call.argument, call.rank), (found,), partial(_ranked, rank=call.rank))

    def _truth(self, call: AggregateCall, argument: Expression) -> int:
        """Whether some row that takes part is true; whether none is false. NULL where none takes part."""
        who, column, is_or = self.who(argument), self.columns[argument], call.function == "bool_or"
        found = self.step(
            ("truth", argument, is_or), (self.present(who),), lambda me, present: _found(me, present, column, is_or, self.groups)
        )
        some = (self.any(who),) if call.type.nullable else ()
        return self.step((call.function, argument, call.type.nullable), (found, *some), _known_truth if is_or else _known_none)

    def _extreme(self, call: AggregateCall, argument: Expression) -> int:
        who = self.who(argument)
        needs = (self.ring(who), self.any(who), self.any_ring(who))
        extreme = partial(_extreme, pick=call.function, column=self.columns[argument], call=call, groups=self.groups)
        return self.step((call.function, argument, call.type), needs, extreme)


def _null(column: Column) -> Flag:
    if isinstance(column, SecretColumn):
        return column.null
    return column.nulls if column.nulls.any() else False


async def _present(me: Party, valid: Flag, column: Column | None) -> Flag:
    (present,) = await both(me, (valid, True if column is None else negation(me, _null(column))))
    return present


async def _output(me: Party, value: Amount, some: Flag = True) -> tuple[Amount, Flag]:
    """A value that is NULL in groups without a row that takes part."""
    return value, negation(me, some)


async def _found(me: Party, present: Flag, column: Column, is_or: bool, groups: Groups) -> Flag:
    """Whether some row that takes part in a group is true (`is_or`), or is false."""
    value: Any = column.value if isinstance(column, SecretColumn) else column.values != 0
    (counts,) = await both(me.step("counts"), (present, value if is_or else negation(me, value)))
    if isinstance(counts, bool):
        return np.full(len(groups), counts)
    return await any_in_groups(me.step("some"), counts, groups)


async def _known_truth(me: Party, found: Flag, some: Flag = True) -> tuple[Flag, Flag]:
    return found, negation(me, some)


async def _known_none(me: Party, found: Flag, some: Flag = True) -> tuple[Flag, Flag]:
    """True where none is false and some row takes part."""
    (value,) = await both(me, (negation(me, found), some))
    return value, negation(me, some)


async def _numbers(me: Party, flag: Flag) -> Amount | int:
    if isinstance(flag, bool):
        return int(flag)
    if isinstance(flag, Bits):
        made: Share = await in_blocks(bit_to_ring, me, flag, ring=Z64)
        return made
    return flag.astype(np.int64)


async def _count(me: Party, ring: Amount | int, groups: Groups) -> Amount:
    if isinstance(ring, Share):
        return ring.group_sums(groups.starts)
    return np.add.reduceat(np.broadcast_to(np.asarray(ring, np.int64), (groups.rows,)), groups.starts)


async def _sum(me: Party, column: Column, groups: Groups, present: Amount | int = 1) -> Amount:
    """Sums of the values of rows that take part. A secret value is 0 where it is NULL already."""
    value: Any = column.value if isinstance(column, SecretColumn) else np.where(column.nulls, 0, column.values)
    if isinstance(present, Share):
        if isinstance(value, Share):
            summed: Share = await dot(me, present, value, starts=groups.starts)
            return summed
        return present.times(Z64.encode(value)).group_sums(groups.starts)
    if isinstance(value, Share):
        return scaled(value, present).group_sums(groups.starts)  # type: ignore[union-attr]
    sums: Amount = np.add.reduceat(value * present, groups.starts)
    return sums


async def _extreme(
    me: Party, present: Amount | int, some: Flag, some_ring: Amount | int, *, pick: str, column: Column, call: AggregateCall, groups: Groups
) -> Any:
    """The least or greatest value of the rows that take part, by a tournament; the others stand aside at the far end of the range."""
    of = Range.of(column.type)
    far = of.high if pick == "min" else of.low
    value = column.value if isinstance(column, SecretColumn) else np.where(column.nulls, 0, column.values)
    assert not isinstance(value, Bits)
    aside = await _aside(me.step("aside"), shared(me, value), column, present, far)
    won = await reduce_groups(me.step("tournament"), aside, groups, partial(_winner, pick=pick, bits=(of - of).bits))
    none = subtract(me, np.ones(len(groups), np.int64), some_ring)
    return subtract(me, won, scaled(none, far)), negation(me, some) if call.type.nullable else False


async def _largest(me: Party, *present: Amount | int, columns: Sequence[Column], groups: Groups, ranks: int) -> list[Share]:
    """For each rank the groups' values; what takes no part is 0."""
    aside = []
    for at, (one, there) in enumerate(zip(columns, present, strict=True)):
        value: Any = one.value if isinstance(one, SecretColumn) else np.where(one.nulls, 0, one.values)
        aside.append(await _aside(me.step(f"aside.{at}"), shared(me, value), one, there, 0))
    bits = max(Range(0, one.type.high).bits for one in columns)
    return await largest_in_groups(me.step("tournament"), aside, groups.starts, groups.rows, ranks, bits)


async def _ranked(me: Party, found: list[Share], rank: int) -> tuple[Share, Flag]:
    return found[rank - 1], False


async def _aside(me: Party, value: Share, column: Column, present: Amount | int, far: int) -> Share:
    """The value where the row takes part, else `far`."""
    if isinstance(present, int):
        return value
    absent = subtract(me, np.ones(value.rows, np.int64), present)
    if not (isinstance(column, SecretColumn) and column.clean):
        value = await in_blocks(multiply, me, value, present) if isinstance(present, Share) else value.times(Z64.encode(present))
    return shared(me, add(me, value, scaled(absent, far)))


async def _winner(me: Party, a: Share, b: Share, *, pick: str, bits: int) -> Share:
    won: Share = await in_blocks(minimum if pick == "min" else maximum, me, a, b, bits=bits)
    return won


async def any_in_groups(me: Party, flag: Flag, groups: Groups) -> Flag:
    """Whether the flag is set in some row of each group."""
    if isinstance(flag, bool):
        return flag
    if not isinstance(flag, Bits):
        return np.logical_or.reduceat(flag, groups.starts)

    async def none(me: Party, a: Bits, b: Bits) -> Bits:
        (neither,) = await both(me, (a, b))
        assert isinstance(neither, Bits)
        return neither

    turned = negation(me, flag)
    assert isinstance(turned, Bits)
    return negation(me, await reduce_groups(me, turned, groups, none))


async def reduce_groups(me: Party, column: Any, groups: Groups, combine: Callable[..., Protocol[Any]]) -> Any:
    """One row a group: neighbours are combined in rounds until one is left; who meets whom depends on the groups' sizes alone."""
    sizes = groups.sizes
    while sizes.max(initial=1) > 1:
        rows = int(sizes.sum())
        inside = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        is_kept, has_partner = inside % 2 == 0, inside + 1 < np.repeat(sizes, sizes)
        leads, alone = np.flatnonzero(is_kept & has_partner), np.flatnonzero(is_kept & ~has_partner)
        won = await combine(me.step(f"rows.{rows}"), take_secret(column, leads), take_secret(column, leads + 1))
        places = np.empty(rows, np.intp)
        places[np.concatenate([leads, alone])] = np.arange(len(leads) + len(alone))
        column = take_secret(_after(won, take_secret(column, alone)), places[is_kept])
        sizes = (sizes + 1) // 2
    return column


def _after(first: Any, second: Any) -> Any:
    return join_bits([first, second]) if isinstance(first, Bits) else Share.concatenate([first, second])
