"""Expressions on plain columns: what every function means, said once in NumPy. The twin of the secure lowering.

A plain column is a pair of arrays: integer forms (see Type; 0 where NULL) and whether each is NULL. A text is a `str` in an array of
objects ("" where NULL): its order is that of its UTF-8 bytes, as on shares. Used to fold constants, to compute public tables at plan time,
and as the oracle that `lower` is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accord.plan.evaluate_text import TEXT_MEANINGS
from accord.plan.expression import Call, ColumnRef, Expression, Literal
from accord.plan.moments import correlation
from accord.plan.types import BOOL, CATEGORY, TEXT, Type

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Plain(NamedTuple):
    """A plain column: int64, or objects where it is a text."""

    values: NDArray[Any]
    nulls: Flags

    def take(self, rows: NDArray[Any]) -> Plain:
        return Plain(self.values[rows], self.nulls[rows])

    @staticmethod
    def of(values: NDArray[Any], nulls: NDArray[Any]) -> Plain:
        """NULL has the value 0; a text that is NULL is empty."""
        if values.dtype == object:
            return Plain(np.where(nulls, "", values), nulls.astype(np.bool_))
        return Plain(np.where(nulls, 0, values).astype(np.int64), nulls.astype(np.bool_))

    @staticmethod
    def empty(type: Type, rows: int) -> Plain:
        """NULL in every row."""
        values = np.full(rows, "", object) if type.kind == TEXT else np.zeros(rows, np.int64)
        return Plain(values, np.ones(rows, np.bool_))


def evaluate(expression: Expression, columns: Mapping[str, Plain], rows: int) -> Plain:
    """The expression's value in each row. Needs: every column that it names, each of `rows` rows."""
    if isinstance(expression, ColumnRef):
        return columns[expression.name]
    if isinstance(expression, Literal):
        return _constant(expression, rows)
    assert isinstance(expression, Call)
    arguments = [evaluate(argument, columns, rows) for argument in expression.arguments]
    return MEANINGS[expression.function](expression, *arguments)


def _constant(literal: Literal, rows: int) -> Plain:
    if literal.value is None:
        return Plain.empty(literal.type, rows)
    values = np.full(rows, literal.value, object if literal.type.kind == TEXT else np.int64)
    return Plain(values, np.zeros(rows, np.bool_))


def as_texts(column: Plain, type: Type) -> NDArray[Any]:
    """A text column's texts, or those of a category's codes."""
    if type.kind != CATEGORY:
        return column.values
    texts: NDArray[Any] = np.array(type.values, object)[column.values]
    return texts


def text_ranks(values: tuple[str, ...]) -> Integers:
    """The place of each of a category's values in the order of their texts."""
    places = sorted(range(len(values)), key=lambda code: values[code].encode())
    ranks = np.empty(len(values), np.int64)
    ranks[places] = np.arange(len(values))
    return ranks


def ordered(column: Plain, type: Type) -> NDArray[Any]:
    """What a column is ordered by: a category by its texts, all else by its values."""
    return text_ranks(type.values)[column.values] if type.kind == CATEGORY else column.values


def _strict(compute: Callable[..., Any]) -> Callable[..., Plain]:
    """A function that is NULL wherever an argument is."""

    def meaning(_: Call, *arguments: Plain) -> Plain:
        nulls = np.logical_or.reduce([one.nulls for one in arguments])
        return Plain.of(compute(*(one.values for one in arguments)), nulls)

    return meaning


def _local(function: str) -> Callable[..., Plain]:
    """A function of LOCAL_FUNCTIONS; a category counts as its text."""
    compute = TEXT_MEANINGS[function]

    def meaning(call: Call, *arguments: Plain) -> Plain:
        nulls = np.logical_or.reduce([one.nulls for one in arguments])
        columns = [as_texts(one, argument.type) for one, argument in zip(arguments, call.arguments, strict=True)]
        made = compute(*columns)
        return Plain.of(_codes(made, nulls, call.type) if call.type.kind == CATEGORY else made, nulls)

    return meaning


def _codes(texts: NDArray[Any], nulls: Flags, type: Type) -> Integers:
    """The codes of texts in a category."""
    places = {value: code for code, value in enumerate(type.values)}
    return np.array([0 if null else places[text] for text, null in zip(texts.tolist(), nulls.tolist(), strict=True)], np.int64)


def _compared(compare: Callable[..., Any]) -> Callable[..., Plain]:
    """A comparison: categories by their texts, as soon as one side is a text or the order matters."""

    def meaning(call: Call, *arguments: Plain) -> Plain:
        nulls = arguments[0].nulls | arguments[1].nulls
        types = [argument.type for argument in call.arguments]
        columns: list[NDArray[Any]] = [one.values for one in arguments]
        if TEXT in (types[0].kind, types[1].kind):
            columns = [as_texts(one, type) for one, type in zip(arguments, types, strict=True)]
        elif call.function not in ("eq", "ne"):
            columns = [ordered(one, type) for one, type in zip(arguments, types, strict=True)]
        return Plain.of(compare(*columns).astype(np.bool_), nulls)

    return meaning


def _and(_: Call, *arguments: Plain) -> Plain:
    false = np.logical_or.reduce([(one.values == 0) & ~one.nulls for one in arguments])
    nulls = np.logical_or.reduce([one.nulls for one in arguments]) & ~false
    return Plain.of(~false, nulls)


def _or(_: Call, *arguments: Plain) -> Plain:
    true = np.logical_or.reduce([(one.values != 0) & ~one.nulls for one in arguments])
    nulls = np.logical_or.reduce([one.nulls for one in arguments]) & ~true
    return Plain.of(true, nulls)


def _is_null(_: Call, argument: Plain) -> Plain:
    return Plain(argument.nulls.astype(np.int64), np.zeros_like(argument.nulls))


def _case(_: Call, *arguments: Plain) -> Plain:
    values, nulls = arguments[-1]
    for condition, value in reversed(list(zip(arguments[:-1:2], arguments[1:-1:2], strict=True))):
        holds = (condition.values != 0) & ~condition.nulls
        values, nulls = np.where(holds, value.values, values), np.where(holds, value.nulls, nulls)
    return Plain.of(values, nulls)


def _coalesce(_: Call, *arguments: Plain) -> Plain:
    values, nulls = arguments[-1]
    for one in reversed(arguments[:-1]):
        values, nulls = np.where(one.nulls, values, one.values), one.nulls & nulls
    return Plain.of(values, nulls)


def _extreme(is_taken: Callable[[NDArray[Any], NDArray[Any]], Any]) -> Callable[..., Plain]:
    """LEAST and GREATEST pass over NULLs."""

    def meaning(call: Call, *arguments: Plain) -> Plain:
        values, nulls = arguments[0]
        for one in arguments[1:]:
            ranks = (ordered(column, call.type) for column in (one, Plain(values, nulls)))
            takes = nulls | (~one.nulls & np.asarray(is_taken(*ranks), np.bool_))
            values, nulls = np.where(takes, one.values, values), nulls & one.nulls
        return Plain.of(values, nulls)

    return meaning


def half_away(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest integer, halves away from zero. Needs: denominator ≠ 0."""
    magnitude = (2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator))
    return magnitude if (numerator < 0) == (denominator < 0) else -magnitude


def quotient_factors(result: Type, left: Type, right: Type) -> tuple[int, int]:
    """What to multiply numerator and denominator by so that their rounded quotient has the result's scale."""
    digits = result.scale + right.scale - left.scale
    return 10 ** max(digits, 0), 10 ** max(-digits, 0)


def _divide(call: Call, left: Plain, right: Plain) -> Plain:
    up, down = quotient_factors(call.type, call.arguments[0].type, call.arguments[1].type)
    nulls = left.nulls | right.nulls | (right.values == 0)
    pairs = zip(left.values.tolist(), right.values.tolist(), nulls.tolist(), strict=True)
    return Plain.of(np.array([0 if null else half_away(x * up, y * down) for x, y, null in pairs], np.int64), nulls)


def _floor_divide(_: Call, left: Plain, right: Plain) -> Plain:
    nulls = left.nulls | right.nulls | (right.values == 0)
    return Plain.of(left.values // np.where(nulls, 1, right.values), nulls)


def _rescale(values: Integers, digits: int) -> Integers:
    """Units of 10^-s as units of 10^-(s + digits), rounded half away from zero."""
    if digits >= 0:
        return values * np.int64(10**digits)
    unit = np.int64(10**-digits)
    rounded: Integers = np.sign(values) * ((2 * np.abs(values) + unit) // (2 * unit))
    return rounded


def _round(call: Call, argument: Plain, _: Plain) -> Plain:
    return Plain.of(_rescale(argument.values, call.type.scale - call.arguments[0].type.scale), argument.nulls)


def _cast(call: Call, argument: Plain) -> Plain:
    before, after = call.arguments[0].type, call.type
    if after.kind == CATEGORY:
        codes = np.array(recoding(before, after), np.int64)
        return Plain.of(codes[argument.values], argument.nulls)
    if after.kind == TEXT:
        return Plain.of(as_texts(argument, before), argument.nulls)
    if after.kind == BOOL:
        return Plain.of(argument.values != 0, argument.nulls)
    return Plain.of(_rescale(argument.values, after.scale - before.scale), argument.nulls)


def recoding(before: Type, after: Type) -> list[int]:
    """The code in `after` of each value of `before`. Needs: `after` has them all."""
    places = {value: code for code, value in enumerate(after.values)}
    return [places[value] for value in before.values]


def _root(_: Call, argument: Plain) -> Plain:
    return Plain.of(np.array([isqrt(one) for one in argument.values.tolist()], np.int64), argument.nulls)


def _correlation(_: Call, *arguments: Plain) -> Plain:
    nulls = np.logical_or.reduce([one.nulls for one in arguments] + [one.values == 0 for one in arguments[1:]])
    rows = zip(*(one.values.tolist() for one in arguments), nulls.tolist(), strict=True)
    return Plain.of(np.array([0 if null else correlation(*numbers) for *numbers, null in rows], np.int64), nulls)


MEANINGS: dict[str, Callable[..., Plain]] = {
    "add": _strict(np.add),
    "subtract": _strict(np.subtract),
    "multiply": _strict(np.multiply),
    "negate": _strict(np.negative),
    "abs": _strict(np.abs),
    "divide": _divide,
    "floor_divide": _floor_divide,
    "round": _round,
    "eq": _compared(np.equal),
    "ne": _compared(np.not_equal),
    "lt": _compared(np.less),
    "le": _compared(np.less_equal),
    "gt": _compared(np.greater),
    "ge": _compared(np.greater_equal),
    "and": _and,
    "or": _or,
    "not": _strict(lambda values: values == 0),
    "is_null": _is_null,
    "case": _case,
    "coalesce": _coalesce,
    "least": _extreme(np.less),
    "greatest": _extreme(np.greater),
    "cast": _cast,
    "units": lambda _, argument: argument,
    "root": _root,
    "correlation": _correlation,
    **{function: _local(function) for function in TEXT_MEANINGS},
}
"""Function name to its meaning: the call itself, then its arguments' columns."""
