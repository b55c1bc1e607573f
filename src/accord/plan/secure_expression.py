"""Expressions over the rows of a table on shares.

What public columns decide is computed by each server for itself, exactly. The rest runs in row blocks; in a block every distinct
subexpression is computed once, as soon as its arguments are there, so that independent ones share rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accord.mpc.compose import in_blocks
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import Call, ColumnRef, Expression, Literal, columns_of
from accord.plan.secure_arithmetic import ARITHMETIC
from accord.plan.secure_flags import Flag, as_bits, difference
from accord.plan.secure_flow import Step, flow
from accord.plan.secure_logic import LOGIC
from accord.plan.secure_moments import MOMENTS
from accord.plan.secure_table import Column, PublicColumn, SecretColumn, SecureTable
from accord.plan.secure_text import TEXTS, of_texts, word_of
from accord.plan.secure_values import Number, Truth, Value, shared, value_of, zeroed
from accord.plan.types import BOOL, CATEGORY, TEXT, Type
from accord.wire.exchange import Protocol

MEANINGS: dict[str, Callable[..., Protocol[Any]]] = {**ARITHMETIC, **MOMENTS, **LOGIC}  # type: ignore[dict-item]
"""Function name to its secure form: the party, the call itself, its arguments' values."""


async def compute(me: Party, table: SecureTable, expressions: Sequence[Expression]) -> list[Column]:
    """Each expression as a column of the table's rows: public where all that it reads is public.

    A secret result is 0 where it is NULL; `clean` tells whether it is also 0 in rows that are not valid.
    """
    out: list[Column | None] = [_without_rounds(table, one) for one in expressions]
    secret = list(dict.fromkeys(one for one, known in zip(expressions, out, strict=True) if known is None))
    made = dict(zip(secret, await _secretly(me, table, secret), strict=True)) if secret else {}
    return [known or made[one] for one, known in zip(expressions, out, strict=True)]


def _without_rounds(table: SecureTable, expression: Expression) -> Column | None:
    """The column where it is there already, or follows from public ones."""
    if isinstance(expression, ColumnRef):
        return table.columns[expression.name]
    if _is_public(expression, table):
        plain = {name: table.public(name).plain for name in columns_of(expression)}
        return PublicColumn.of(expression.type, evaluate(expression, plain, table.rows))
    return None


async def _secretly(me: Party, table: SecureTable, expressions: list[Expression]) -> list[SecretColumn]:
    names = sorted(frozenset().union(*(columns_of(one) for one in expressions)))
    layout, arrays = _flatten({name: table.columns[name] for name in names})
    flat = await in_blocks(_block, me, *arrays, layout=layout, expressions=tuple(expressions))
    parts = list(flat if isinstance(flat, tuple) else (flat,))
    columns = []
    for one in expressions:
        value = parts.pop(0)
        null = parts.pop(0) if one.type.nullable else False
        columns.append(SecretColumn(one.type, value, null, is_clean(one, table)))
    return columns


def is_clean(expression: Expression, table: SecureTable) -> bool:
    """Whether the value is 0 in rows that are not valid, because its arguments are."""
    if table.valid is True:
        return True
    if isinstance(expression, ColumnRef):
        column = table.columns[expression.name]
        return isinstance(column, SecretColumn) and column.clean
    if not isinstance(expression, Call):
        return False
    first, *others = expression.arguments
    if expression.function in ("divide", "floor_divide"):  # a secret divisor may be 0 where no row is, and 0 / 0 anything
        return is_clean(first, table) and _is_public(others[0], table)
    if expression.function == "cast" and expression.type.kind == CATEGORY:
        return False
    if expression.function in ("negate", "abs", "round", "cast"):
        return is_clean(first, table)
    if expression.function == "multiply":
        return any(is_clean(one, table) for one in expression.arguments)
    return expression.function in ("add", "subtract") and all(is_clean(one, table) for one in expression.arguments)


def _is_public(expression: Expression, table: SecureTable) -> bool:
    return all(isinstance(table.columns[name], PublicColumn) for name in columns_of(expression))


# ---- one block of rows


@dataclass(frozen=True)
class _Place:
    """Where a column's arrays stand among those that a block gets."""

    name: str
    type: Type
    is_public: bool
    value: int
    null: int | None


def _flatten(columns: Mapping[str, Column]) -> tuple[tuple[_Place, ...], list[Any]]:
    """The columns' arrays, secret ones first, and where each stands."""
    arrays: list[Any] = []
    layout = []
    for name, column in sorted(columns.items(), key=lambda item: isinstance(item[1], PublicColumn)):
        public = isinstance(column, PublicColumn)
        value, null = (column.values, column.nulls) if isinstance(column, PublicColumn) else (column.value, column.null)
        arrays.append(value)
        has_null = not isinstance(null, bool)
        layout.append(_Place(name, column.type, public, len(arrays) - 1, len(arrays) if has_null else None))
        if has_null:
            arrays.append(null)
    return tuple(layout), arrays


async def _block(me: Party, *arrays: Any, layout: tuple[_Place, ...], expressions: tuple[Expression, ...]) -> Any:
    """The expressions' values and NULLs over one block of rows, as secret columns one after the other."""
    columns = {place.name: _load(me, place, arrays) for place in layout}
    public = {place.name: Plain(arrays[place.value], arrays[place.null]) for place in layout if place.is_public and place.null is not None}
    rows = arrays[0].rows
    order = _subexpressions(expressions, frozenset(public))
    places = {one: at for at, one in enumerate(order)}
    steps = [_step(me.step(f"{at}"), one, places, columns, public, rows) for at, one in enumerate(order)]
    ends = [Step((places[one],), _finish(me.step(f"out.{at}"), one.type, rows)) for at, one in enumerate(expressions)]
    results = await flow([*steps, *ends])
    parts = [part for result in results[len(steps) :] for part in result]
    return tuple(parts)


def _load(me: Party, place: _Place, arrays: Sequence[Any]) -> Value:
    value = arrays[place.value]
    null: Flag = False if place.null is None else arrays[place.null]
    if place.is_public:
        assert not isinstance(null, bool)
        return value_of(Plain(value, null), place.type)  # type: ignore[arg-type]
    if place.type.kind == BOOL:
        return Truth(value, difference(me, value, null))
    return Number(value, null)


def _subexpressions(expressions: Sequence[Expression], public: frozenset[str]) -> list[Expression]:
    """Every distinct subexpression, arguments first; what is public is not taken apart."""
    order: dict[Expression, None] = {}

    def visit(one: Expression) -> None:
        if one not in order:
            if isinstance(one, Call) and not columns_of(one) <= public:
                for argument in one.arguments:
                    visit(argument)
            order[one] = None

    for one in expressions:
        visit(one)
    return list(order)


def _step(
    me: Party, one: Expression, places: Mapping[Expression, int], columns: Mapping[str, Value], public: Mapping[str, Plain], rows: int
) -> Step:
    if isinstance(one, ColumnRef):
        return Step((), lambda: _ready(columns[one.name]))
    if isinstance(one, Literal) or columns_of(one) <= public.keys():
        return Step((), lambda: _ready(value_of(evaluate(one, public, rows), one.type)))
    assert isinstance(one, Call)
    here = me.step(one.function)
    if of_texts(one):
        return Step(tuple(places[argument] for argument in one.arguments), lambda *values: TEXTS[one.function](here, one, *values, rows))
    meaning = MEANINGS[one.function]
    return Step(tuple(places[argument] for argument in one.arguments), lambda *values: meaning(here, one, *values))


async def _ready(value: Value) -> Value:
    return value


def _finish(me: Party, type: Type, rows: int) -> Callable[[Value], Protocol[tuple[Share | Bits, ...]]]:
    async def finish(value: Value) -> tuple[Share | Bits, ...]:
        """The value as a secret column that is 0 where NULL, then its NULLs if the type has any."""
        secret: Share | Bits
        if isinstance(value, Number) and type.kind == TEXT:
            secret, null = word_of(me, value.value, type, type.bytes_max, rows), value.null
        elif isinstance(value, Number):
            value = await zeroed(me, value)
            secret, null = shared(me, value.value), value.null
        else:
            secret, null = as_bits(me, value.true, rows), difference(me, value.true, value.maybe)
        return (secret, as_bits(me, null, rows)) if type.nullable else (secret,)

    return finish
