"""What a recipient's machine computes of columns with noise, after opening: averages, variances, ratios, and how far off they can be.

Everything is exact on fractions, rounded half away from zero where the type of a step has so many decimals. A divisor that cannot be
negative without noise, and is not positive with it, gives NULL. Each step is brought into the range that it has without noise.

The interval of a value holds its truth in at least 95 of 100 cases, whatever the formula: the intervals of its m noised columns hold all
at once where each holds in 1 − 0.05 / m [Dunn61], and what the formula makes of them is enclosed step by step [Moore66], each step within
the range that it has without noise. It is wider than the delta method's by a third or so, and needs no large sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import isqrt
from typing import Any, NamedTuple

import numpy as np

from accord.plan.after_noise import Formulas
from accord.plan.bands import QUANTILE
from accord.plan.evaluate import Plain, half_away
from accord.plan.expression import Call, ColumnRef, Expression, Literal, columns_of
from accord.plan.moments import CORRELATION_DIGITS, correlation
from accord.plan.nodes import Field
from accord.plan.types import Type
from accord.release.noise import CONFIDENCE, ColumnNoise
from accord.release.quantile import read_quantiles
from accord.release.table import ReleasedTable

Value = Fraction | None
Row = Mapping[str, Value]


class Range(NamedTuple):
    """Where a value lies."""

    low: Fraction
    high: Fraction


def finished(table: ReleasedTable, formulas: Formulas) -> ReleasedTable:
    """The table that the question asks for, of the one that was opened; the same where there are no formulas."""
    if not formulas:
        return table
    fields: list[Field] = []
    columns: dict[str, Plain] = {}
    intervals: dict[str, tuple[Plain, Plain]] = {}
    noise: dict[str, ColumnNoise] = {}
    for name, expression in formulas:
        if isinstance(expression, ColumnRef):
            fields.append(replace(next(one for one in table.fields if one.name == expression.name), name=name))
            columns[name] = table.columns[expression.name]
            noise |= {name: table.noise[expression.name]} if expression.name in table.noise else {}
            continue
        made = computed(expression, table.fields, table.columns, table.noise)
        fields.append(Field(name, expression.type.as_nullable()))
        columns[name], intervals[name] = made.values, (made.low, made.high)
    return replace(table, fields=tuple(fields), columns=columns, noise=noise, intervals=intervals, basis=table)


class Computed(NamedTuple):
    """A column made by a formula: its values in units of the last digit, and the ends of their intervals."""

    values: Plain
    low: Plain
    high: Plain


def computed(expression: Expression, fields: Sequence[Field], columns: Mapping[str, Plain], noise: Mapping[str, ColumnNoise]) -> Computed:
    """The formula over opened columns, row by row."""
    if isinstance(expression, Call) and expression.function == QUANTILE:
        return Computed(*read_quantiles(expression, columns, noise))
    read = [one for one in fields if one.name in columns_of(expression)]
    noised = [one.name for one in read if one.name in noise]
    confidence = 1 - (1 - CONFIDENCE) / max(len(noised), 1)
    reach = {name: noise[name].half_width(confidence) for name in noised}
    points: list[Value] = []
    ranges: list[Range | None] = []
    for row in range(len(next(iter(columns.values())).values)):
        given = {one.name: _given(columns[one.name], row, one.type) for one in read}
        points.append(_within(value_at(expression, given), expression.type))
        around = {one.name: _around(given[one.name], Fraction(reach.get(one.name, 0), 10**one.type.scale)) for one in read}
        ranges.append(range_of(expression, around) if points[-1] is not None else None)
    unit = 10**expression.type.scale
    low, high = (_plain([None if one is None else int(one[end] * unit) for one in ranges]) for end in (0, 1))
    return Computed(_plain([None if one is None else int(one * unit) for one in points]), low, high)


def _given(column: Plain, row: int, type: Type) -> Value:
    return None if column.nulls[row] else Fraction(int(column.values[row]), 10**type.scale)


def _around(value: Value, reach: Fraction) -> Range | None:
    return None if value is None else Range(value - reach, value + reach)


def _plain(values: Sequence[int | None]) -> Plain:
    return Plain(np.array([value or 0 for value in values], np.int64), np.array([value is None for value in values], np.bool_))


def _rounded(value: Fraction, scale: int) -> Fraction:
    return Fraction(half_away(value.numerator * 10**scale, value.denominator), 10**scale)


def _within(value: Value, type: Type) -> Value:
    """The value, or the nearest that is possible without noise."""
    if value is None:
        return None
    unit = 10**type.scale
    return min(max(value, Fraction(type.low, unit)), Fraction(type.high, unit))


# ---- values


def value_at(expression: Expression, row: Row) -> Value:
    """The expression's value; NULL as in SQL, and for a quotient by what noise made less than it can be."""
    if isinstance(expression, ColumnRef):
        return row[expression.name]
    if isinstance(expression, Literal):
        return None if expression.value is None else Fraction(int(expression.value), 10**expression.type.scale)
    assert isinstance(expression, Call)
    if expression.function == "case":
        return _case(expression, row)
    if expression.function == "units":
        value = value_at(expression.arguments[0], row)
        return None if value is None else value * 10 ** expression.arguments[0].type.scale
    if expression.function in _LAZY:
        return _LAZY[expression.function]([value_at(one, row) for one in expression.arguments])
    known: list[Fraction] = []
    for one in expression.arguments:
        if (value := value_at(one, row)) is None:
            return None
        known.append(value)
    if expression.function in _QUOTIENTS and not _can_divide(expression.arguments[1].type, known[1]):
        return None
    if expression.function == "correlation" and min(known[1:]) <= 0:
        return None
    return _within(_rounded(_STRICT[expression.function](*known), expression.type.scale), expression.type)


def _can_divide(type: Type, divisor: Fraction) -> bool:
    return divisor > 0 or (divisor < 0 and type.low < 0)


def _case(call: Call, row: Row) -> Value:
    for condition, value in zip(call.arguments[:-1:2], call.arguments[1:-1:2], strict=True):
        if value_at(condition, row):
            return value_at(value, row)
    return value_at(call.arguments[-1], row)


def _and(values: list[Value]) -> Value:
    return Fraction(0) if Fraction(0) in values else None if None in values else Fraction(1)


def _or(values: list[Value]) -> Value:
    return Fraction(1) if any(values) else None if None in values else Fraction(0)


def _chosen(pick: Callable[..., Fraction]) -> Callable[[list[Value]], Value]:
    """LEAST and GREATEST leave NULLs out, as the plan does."""
    return lambda values: pick((one for one in values if one is not None), default=None)


_QUOTIENTS = frozenset(("divide", "floor_divide"))

_LAZY: Mapping[str, Callable[[list[Value]], Value]] = {
    "and": _and,
    "or": _or,
    "coalesce": lambda values: next((one for one in values if one is not None), None),
    "is_null": lambda values: Fraction(values[0] is None),
    "least": _chosen(min),
    "greatest": _chosen(max),
}
"""Functions that are not NULL wherever an argument is."""

_STRICT: Mapping[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "negate": lambda x: -x,
    "abs": abs,
    "cast": lambda x: x,
    "round": lambda x, _: x,
    "floor_divide": lambda x, y: Fraction(x // y),
    "root": lambda x: Fraction(isqrt(int(x))),
    "correlation": lambda *numbers: Fraction(correlation(*map(int, numbers)), 10**CORRELATION_DIGITS),
    "not": lambda x: Fraction(not x),
    "eq": lambda x, y: Fraction(x == y),
    "ne": lambda x, y: Fraction(x != y),
    "lt": lambda x, y: Fraction(x < y),
    "le": lambda x, y: Fraction(x <= y),
    "gt": lambda x, y: Fraction(x > y),
    "ge": lambda x, y: Fraction(x >= y),
}


# ---- ranges


def range_of(expression: Expression, row: Mapping[str, Range | None]) -> Range | None:
    """Where the value without noise lies, if each column's does; None where it is NULL of public values alone."""
    if isinstance(expression, ColumnRef):
        found = row[expression.name]
    elif isinstance(expression, Literal):
        value = value_at(expression, {})
        found = None if value is None else Range(value, value)
    else:
        assert isinstance(expression, Call)
        found = _range_of_call(expression, row)
    return None if found is None else Range(*(_bounded(end, expression.type) for end in found))


def _bounded(value: Fraction, type: Type) -> Fraction:
    bounded = _within(value, type)
    assert bounded is not None
    return bounded


def _range_of_call(call: Call, row: Mapping[str, Range | None]) -> Range | None:
    whole = Range(Fraction(call.type.low, 10**call.type.scale), Fraction(call.type.high, 10**call.type.scale))
    function = call.function
    if function == "case":
        return _hull([range_of(one, row) for one in (*call.arguments[1:-1:2], call.arguments[-1])])
    parts = [range_of(one, row) for one in call.arguments]
    if function == "coalesce":
        sure = next((at for at, one in enumerate(call.arguments) if _is_sure(one, row)), len(parts))
        return _hull(parts[: sure + 1])
    if function in ("least", "greatest"):
        pick, known = (min if function == "least" else max), [one for one in parts if one is not None]
        return Range(pick(one.low for one in known), pick(one.high for one in known)) if known else None
    if function in _CONDITIONS or None in parts:
        return whole
    known = [one for one in parts if one is not None]
    divisors = known[1:] if function == "correlation" else known[1:2] if function in _QUOTIENTS else []
    if any(one.low <= 0 <= one.high for one in divisors):
        return whole
    if function == "units":
        return Range(*(end * 10 ** call.arguments[0].type.scale for end in known[0]))
    ends = _ENDS[function](*known)
    return Range(*(_rounded(end, call.type.scale) for end in (min(ends), max(ends))))


def _is_sure(expression: Expression, row: Mapping[str, Range | None]) -> bool:
    """Whether the value without noise is no NULL, wherever in their ranges the columns are."""
    if not isinstance(expression, Call):
        return range_of(expression, row) is not None
    if expression.function == "correlation":
        return False
    divisor = range_of(expression.arguments[1], row) if expression.function in _QUOTIENTS else None
    return not (divisor and divisor.low <= 0 <= divisor.high) and all(_is_sure(one, row) for one in expression.arguments)


def _hull(parts: Sequence[Range | None]) -> Range | None:
    known = [one for one in parts if one is not None]
    return Range(min(one.low for one in known), max(one.high for one in known)) if known else None


def _corners(combine: Callable[[Fraction, Fraction], Fraction]) -> Callable[[Range, Range], list[Fraction]]:
    return lambda x, y: [combine(one, other) for one in x for other in y]


def _sizes(x: Range) -> list[Fraction]:
    return [abs(x.low), abs(x.high), *([Fraction(0)] if x.low <= 0 <= x.high else [])]


_CONDITIONS = frozenset(("and", "or", "not", "is_null", "eq", "ne", "lt", "le", "gt", "ge"))
"""True or false, whatever noise does."""

_ENDS: Mapping[str, Callable[..., Sequence[Fraction]]] = {
    "add": lambda x, y: (x.low + y.low, x.high + y.high),
    "subtract": lambda x, y: (x.low - y.high, x.high - y.low),
    "multiply": _corners(lambda x, y: x * y),
    "divide": _corners(lambda x, y: x / y),
    "negate": lambda x: (-x.high, -x.low),
    "abs": _sizes,
    "cast": lambda x: x,
    "round": lambda x, _: x,
    "floor_divide": _corners(lambda x, y: Fraction(x // y)),
    "root": lambda x: [Fraction(isqrt(int(end))) for end in x],
    "correlation": lambda *sides: [_STRICT["correlation"](*corner) for corner in product(*sides)],
}
"""Among these are the least and the greatest value."""
