"""Inferred types: every value lies in its range, what could overflow is refused, NULL and domains as SQL has them."""

from __future__ import annotations

from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.plan.evaluate import Plain, evaluate, half_away
from accord.plan.expression import Call, ColumnRef, Expression, Literal
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, INT, Type
from accord.plan.typing import aggregate, boolean, call, cast, day, decimal, domain, integer, null, quotient, same_form, text

BINARY = ("add", "subtract", "multiply", "divide", "floor_divide", "least", "greatest", "coalesce", "eq", "ne", "lt", "le", "gt", "ge")
UNARY = ("negate", "abs", "is_null")


@st.composite
def number_types(draw: st.DrawFn) -> Type:
    low = draw(st.integers(-4, 4))
    scale = draw(st.integers(0, 2))
    return Type(DECIMAL if scale else INT, low, low + draw(st.integers(0, 4)), scale, (), draw(st.booleans()))


def every_row(*types: Type) -> tuple[dict[str, Plain], int]:
    """All combinations of all values, NULL among them where it can occur."""
    choices = [[*range(one.low, one.high + 1), *([None] if one.nullable else [])] for one in types]
    rows = list(product(*choices))
    columns = {
        f"c{at}": Plain(np.array([row[at] or 0 for row in rows], np.int64), np.array([row[at] is None for row in rows], np.bool_))
        for at, _ in enumerate(types)
    }
    return columns, len(rows)


def assert_holds(expression: Expression, *types: Type) -> None:
    """The inferred type is true of every row, and its ends are not far-fetched where nothing is NULL."""
    columns, rows = every_row(*types)
    result = evaluate(expression, columns, rows)
    real = result.values[~result.nulls]
    assert expression.type.nullable or not result.nulls.any(), expression
    assert real.size == 0 or (expression.type.low <= real.min() and real.max() <= expression.type.high), expression


@given(st.sampled_from(BINARY), number_types(), number_types())
def test_ranges_hold_for_every_value(function: str, left: Type, right: Type) -> None:
    try:
        made = call(function, ColumnRef(left, "c0"), ColumnRef(right, "c1"))
    except Refused:
        assert function == "floor_divide" and (min(left.low, right.low) < 0 or DECIMAL in (left.kind, right.kind))
        return
    assert_holds(made, left, right)


@given(st.sampled_from(UNARY), number_types())
def test_ranges_of_one_argument(function: str, of: Type) -> None:
    assert_holds(call(function, ColumnRef(of, "c0")), of)


@given(number_types(), number_types(), number_types(), st.integers(0, 3))
def test_ranges_of_larger_expressions(a: Type, b: Type, c: Type, digits: int) -> None:
    x, y, z = (ColumnRef(one, f"c{at}") for at, one in enumerate((a, b, c)))
    assert_holds(call("case", call("lt", x, y), y, call("is_null", z), null(), z), a, b, c)
    assert_holds(call("round", call("divide", call("add", x, y), z), integer(digits)), a, b, c)
    assert_holds(call("and", call("not", call("le", x, y)), call("or", call("eq", y, z), call("is_null", x))), a, b, c)


@given(st.lists(number_types(), min_size=1, max_size=3), st.integers(0, 3))
def test_ranges_are_reached(types: list[Type], digits: int) -> None:
    """Sums, products, extremes: the ends of the range occur."""
    columns, rows = every_row(*(one.as_nullable(False) for one in types))
    for function in ("add", "multiply", "greatest", "least"):
        made: Expression = ColumnRef(types[0].as_nullable(False), "c0")
        for at, one in enumerate(types[1:], 1):
            made = call(function, made, ColumnRef(one.as_nullable(False), f"c{at}"))
        values = evaluate(made, columns, rows).values
        assert (values.min(), values.max()) == (made.type.low, made.type.high)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**3), 10**3).filter(bool))
def test_halves_go_away_from_zero(numerator: int, denominator: int) -> None:
    from decimal import ROUND_HALF_UP, Decimal

    assert half_away(numerator, denominator) == int((Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), ROUND_HALF_UP))


def test_decimals_are_rescaled_exactly() -> None:
    price, amount = ColumnRef(Type(DECIMAL, 0, 500, 2), "price"), ColumnRef(Type(INT, -5, 9), "amount")
    added = call("add", price, amount)
    assert isinstance(added, Call) and [one.type.scale for one in added.arguments] == [2, 2]
    assert added.type == Type(DECIMAL, -500, 1400, 2)
    assert call("multiply", price, price).type.scale == 4
    assert call("divide", price, amount).type.scale == 6
    assert call("round", call("divide", price, amount), integer(1)).type.scale == 1
    assert cast(price, Type(INT)).type == Type(INT, 0, 5)
    assert cast(decimal(-250, 2), Type(INT)) == integer(-3)


def test_constants_are_folded() -> None:
    assert call("multiply", integer(100_000), integer(100_000)) == integer(10**10)
    assert call("divide", integer(1), integer(0)).type.nullable
    assert call("eq", text("a"), text("a")) == boolean(True)
    assert call("case", boolean(False), integer(1), boolean(True), integer(2), integer(3)) == integer(2)
    assert call("coalesce", null(), integer(4), integer(5)) == integer(4)
    assert cast(text("2024-01-01"), Type(DATE)) == day(date(2024, 1, 1))


def test_categories_merge_in_order_of_appearance() -> None:
    region = ColumnRef(Type(CATEGORY, 0, 1, 0, ("north", "south")), "region")
    merged = call("case", boolean_column(), text("far"), region)
    assert merged.type.values == ("far", "north", "south") and (merged.type.low, merged.type.high) == (0, 2)
    assert isinstance(merged, Call) and merged.arguments[1] == Literal(merged.type, 0)
    assert evaluate(merged, {"ok": plain(0, 1), "region": plain(1, 1)}, 2).values.tolist() == [2, 0]
    other = ColumnRef(Type(CATEGORY, 0, 1, 0, ("south", "west")), "other")
    left, right = same_form(region, other)
    assert left.type.values == right.type.values == ("north", "south", "west")


def boolean_column() -> Expression:
    return ColumnRef(Type(BOOL), "ok")


def plain(*values: int) -> Plain:
    return Plain(np.array(values, np.int64), np.zeros(len(values), np.bool_))


@pytest.mark.parametrize(
    ("said", "build"),
    [
        ("a value could reach 4611686018427387904", lambda: call("multiply", integer(2**31), ColumnRef(Type(INT, 0, 2**31), "x"))),
        ("a value could reach -4611686018427387904", lambda: call("subtract", integer(-(2**61)), ColumnRef(Type(INT, 0, 2**61), "x"))),
        ("= between an int and a date", lambda: call("eq", integer(1), day(date(2024, 1, 1)))),
        ("'noth' is no value of this category", lambda: call("eq", ColumnRef(Type(CATEGORY, 0, 0, 0, ("north",)), "r"), text("noth"))),
        ("did you mean 'north'?", lambda: call("eq", ColumnRef(Type(CATEGORY, 0, 1, 0, ("south", "north")), "r"), text("noth"))),
        ("without a common value", lambda: same_form(*(ColumnRef(Type(CATEGORY, 0, 0, 0, (one,)), one) for one in "ab"))),
        ("the remainder stays within", lambda: quotient(integer(1), ColumnRef(Type(INT, 1, 2**60), "x"), 4)),
        ("a date could leave the years 1 to 9999", lambda: call("add", day(date(9999, 12, 31)), integer(1))),
        ("SUM of a category", lambda: aggregate("sum", text("a"), 3)),
        ("a value could reach", lambda: aggregate("sum", integer(2**60), 4)),
    ],
)
def test_refusals(said: str, build) -> None:
    with pytest.raises(Refused) as refused:
        build()
    assert said in str(refused.value)


def test_aggregates() -> None:
    amount = ColumnRef(Type(INT, -5, 9, nullable=True), "amount")
    assert aggregate("count", amount, 7).type == Type(INT, 0, 7)
    assert aggregate("sum", amount, 7).type == Type(INT, -35, 63, nullable=True)
    assert not aggregate("sum", integer(1), 7).type.nullable and aggregate("sum", integer(1), 7, keyed=False).type.nullable
    assert aggregate("max", amount, 7).type == amount.type


def test_domains() -> None:
    assert domain(Type(INT, 2012, 2024)) == range(2012, 2025)
    assert domain(Type(BOOL)) == range(2) and domain(Type(INT, 0, 10_000)) is None and domain(Type("text", 0, 0)) is None
